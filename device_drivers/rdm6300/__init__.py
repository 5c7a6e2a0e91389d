"""125 kHz card readers that send `02 … 03` ASCII frames: RDM6300 class and ID-12LA (tag-readers.md)."""
