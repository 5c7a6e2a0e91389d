"""Cameras and recorders that register with the gateway by SIP (GB/T 28181; cameras.md, gb28181)."""
