"""Runs everything."""
