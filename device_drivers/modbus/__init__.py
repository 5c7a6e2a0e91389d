"""Modbus: light sensors, relay boards and meters that are asked for registers (lighting-and-meters.md, modbus_rtu).

One driver, many profiles: a device model is one file in `profiles/`.
"""
