"""Gwiot 7941 readers and their like: one that sends `02 … 03` frames by itself, one that is polled (tag-readers.md)."""
