"""What ESPHome's components publish as their state. Tables only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Sort = Literal["number", "flag", "lamp", "light", "event", "text"]

COMPONENTS: Mapping[str, Sort] = {
    "sensor": "number",
    "number": "number",
    "binary_sensor": "flag",
    "switch": "lamp",
    "light": "light",
    "event": "event",
    "fan": "text",
    "text_sensor": "text",
    "text": "text",
    "select": "text",
    "lock": "text",
    "cover": "text",
    "valve": "text",
    "climate": "text",
    "button": "text",
    "alarm_control_panel": "text",
    "update": "text",
    "date": "text",
    "time": "text",
    "datetime": "text",
}
"""By the component's name in the topic. Text is an observation only where the site maps it."""

BRIGHTEST = 255
"""A light's full brightness."""
