"""What a browser says it is, in a few words: for the list of one's own log-ins. Nothing is decided by it."""

from __future__ import annotations

_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("HarmonyOS", "HarmonyOS"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
_PROGRAMS = (
    ("MicroMessenger", "WeChat"),
    ("wxwork", "WeCom"),
    ("HuaweiBrowser", "Huawei Browser"),
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
"""Sign in the header → name; the first that fits, since most browsers also name those they resemble."""


def device_of(agent: str) -> str:
    """System and browser, as "Android · Chrome"; of a program what it calls itself; empty: it said nothing."""
    names = [
        next((name for sign, name in table if sign.lower() in agent.lower()), None) for table in (_SYSTEMS, _PROGRAMS)
    ]
    known = " · ".join(name for name in names if name)
    return known or agent.partition("/")[0].partition(" ")[0][:40]
