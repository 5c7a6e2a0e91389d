"""DL/T 645: the smart meters of Chinese sites, 2007 and 1997 (lighting-and-meters.md, dlt645)."""
