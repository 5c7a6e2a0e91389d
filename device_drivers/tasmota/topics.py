"""Where a Tasmota device publishes: its FullTopic, and what stands behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from device_drivers.errors import DecodeError

PREFIX = "%prefix%"
DISCOVERY = "tasmota/discovery/"
_COMMAND = "cmnd"


class Topics:
    """The topics of one device.

    Args:
        pattern: its FullTopic with the topic filled in: `%prefix%/lamp-hall` or `lamp-hall/%prefix%`; without `%prefix%` it is
            the topic alone, and Tasmota's own FullTopic is meant.
        prefixes: how it writes `tele` and `stat`.
        discovery: where it announces itself, "" if that is not heard.
    """

    def __init__(self, pattern: str, prefixes: Mapping[str, str], discovery: str = "") -> None:
        whole = pattern if PREFIX in pattern else f"{PREFIX}/{pattern}"
        whole = whole.rstrip("/")
        self._heard = tuple(f"{whole.replace(PREFIX, prefixes.get(name, name))}/" for name in ("tele", "stat"))
        self._commands = f"{whole.replace(PREFIX, prefixes.get(_COMMAND, _COMMAND))}/"
        self._discovery = f"{discovery}/" if discovery else ""
        self._usual = {f"{root}{last}": _known(last) for root in self._heard for last in _USUAL}

    @property
    def filters(self) -> Sequence[str]:
        """What to subscribe to."""
        return (*(f"{root}+" for root in self._heard), *([f"{self._discovery}+"] if self._discovery else []))

    def kind(self, topic: str) -> str:
        """What the last level says the message is: SENSOR, STATE, LWT, POWER1, RESULT, `discovery`; "" says nothing.

        Raises:
            DecodeError: not a topic of this device.
        """
        usual = self._usual.get(topic)
        if usual is not None:
            return usual
        for root in self._heard:
            if topic.startswith(root):
                return _known(topic[len(root) :])
        if self._discovery and topic.startswith(self._discovery):
            return "discovery" if topic.endswith("/config") else ""
        if topic.startswith(self._commands):
            return ""
        raise DecodeError(f"topic {topic!r}: expected {' or '.join(root + '…' for root in self._heard)}")


_USUAL = ("SENSOR", "STATE", "RESULT", "LWT", "POWER")
"""What comes most, looked up at once."""
_RESULTS = ("RESULT", "SSERIALRECEIVED", "SERIALRECEIVED", "STATUS8", "STATUS10", "STATUS11")


def _known(last: str) -> str:
    """What has values; a Tasmota device publishes much else (INFO1, UPTIME, LOGGING) that is no observation."""
    if last in ("SENSOR", "STATE", "LWT"):
        return last
    if last in _RESULTS or last.startswith(("SWITCH", "BUTTON", "PIR")):
        return "RESULT"
    return last if last == "POWER" or (last.startswith("POWER") and last[5:].isdigit()) else ""
