"""Card readers on RS-485 that speak OSDP v2 (IEC 60839-11-5), with the gateway as control panel (tag-readers.md, osdp)."""
