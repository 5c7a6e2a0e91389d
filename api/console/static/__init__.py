"""Data files of the console; a package so that they are installed."""
