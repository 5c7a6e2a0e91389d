"""Home Assistant's words: abbreviations, components and device classes. Tables only."""

from __future__ import annotations

from collections.abc import Mapping

ABBREVIATIONS: Mapping[str, str] = {
    "avty": "availability",
    "avty_mode": "availability_mode",
    "avty_t": "availability_topic",
    "avty_tpl": "availability_template",
    "bri_scl": "brightness_scale",
    "bri_stat_t": "brightness_state_topic",
    "bri_val_tpl": "brightness_value_template",
    "cmd_t": "command_topic",
    "cmps": "components",
    "dev": "device",
    "dev_cla": "device_class",
    "exp_aft": "expire_after",
    "p": "platform",
    "pl_avail": "payload_available",
    "pl_not_avail": "payload_not_available",
    "pl_off": "payload_off",
    "pl_on": "payload_on",
    "stat_off": "state_off",
    "stat_on": "state_on",
    "stat_t": "state_topic",
    "stat_val_tpl": "state_value_template",
    "t": "topic",
    "uniq_id": "unique_id",
    "unit_of_meas": "unit_of_measurement",
    "val_tpl": "value_template",
}
"""Of the keys that are read here."""

COMPONENTS = frozenset(
    {
        "alarm_control_panel",
        "binary_sensor",
        "button",
        "camera",
        "climate",
        "cover",
        "device",
        "device_automation",
        "device_tracker",
        "event",
        "fan",
        "humidifier",
        "image",
        "lawn_mower",
        "light",
        "lock",
        "notify",
        "number",
        "scene",
        "select",
        "sensor",
        "siren",
        "switch",
        "tag",
        "text",
        "update",
        "vacuum",
        "valve",
        "water_heater",
    }
)

READ = frozenset({"binary_sensor", "light", "sensor", "switch", "tag"})
"""Components whose states become observations; the others are known and say nothing here."""

POWER: Mapping[str, str] = {
    "power": "watts",
    "voltage": "volts",
    "current": "amps",
    "power_factor": "power_factor",
    "energy": "energy_wh",
}
"""Device classes of sensors that are a field of `power`."""

MOTION = frozenset({"motion", "occupancy", "presence"})
"""Device classes of binary sensors that are motion."""

OPENINGS = frozenset({"door", "garage_door", "opening", "window"})
"""Device classes of binary sensors that are on when open: the measurement `contact`, 1 is closed."""
