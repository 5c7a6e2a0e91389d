"""Edge nodes and devices that speak Sparkplug B 3.0 (mqtt-conventions.md, sparkplug)."""
