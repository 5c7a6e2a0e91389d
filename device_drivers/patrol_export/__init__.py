"""Files that the desktop programs of patrol wands (巡更棒) export: Excel, CSV and text (wands.md)."""
