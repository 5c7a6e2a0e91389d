"""Events of ONVIF devices: PullMessages and Notify to what they mean, by a table of topics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple
from xml.etree.ElementTree import Element

from device_drivers.camera_signs import BEAT, Meaning
from device_drivers.errors import DecodeError
from device_drivers.onvif.soap import below, child, children, local, text

_MOTION = Meaning("motion")

TOPICS: Mapping[str, Meaning] = {
    "RuleEngine/CellMotionDetector/Motion": _MOTION,
    "RuleEngine/CellMotionDetector/People": _MOTION,
    "RuleEngine/CellMotionDetector/LineCross": _MOTION,
    "RuleEngine/CellMotionDetector/Intrusion": _MOTION,
    "RuleEngine/CellMotionDetector/TpSmartEvent": _MOTION,
    "RuleEngine/MotionRegionDetector/Motion": _MOTION,
    "RuleEngine/PeopleDetector/People": _MOTION,
    "RuleEngine/TPSmartEventDetector/TPSmartEvent": _MOTION,
    "RuleEngine/MyRuleDetector/DogCatDetect": _MOTION,
    "RuleEngine/MyRuleDetector/FaceDetect": _MOTION,
    "RuleEngine/MyRuleDetector/PeopleDetect": _MOTION,
    "RuleEngine/MyRuleDetector/VehicleDetect": _MOTION,
    "RuleEngine/IntrusionDetector/Intrusion": _MOTION,
    "RuleEngine/LineCrossDetector/LineCross": _MOTION,
    "RuleEngine/LineDetector/Crossed": _MOTION,
    "RuleEngine/FieldDetector/ObjectsInside": _MOTION,
    "UserAlarm/IVA/HumanShapeDetect": _MOTION,
    "VehicleAlarm/IVB/VehicleDetect": _MOTION,
    "VideoSource/MotionAlarm": _MOTION,
    "VideoAnalytics/Motion": _MOTION,
    "VideoAnalytics/MotionAlarm": _MOTION,
    "VideoSource/SignalLoss": Meaning("picture", "loss"),
    "VideoSource/GlobalSceneChange/AnalyticsService": Meaning("picture", "moved"),
    "VideoSource/GlobalSceneChange/ImagingService": Meaning("picture", "moved"),
    "VideoSource/GlobalSceneChange/RecordingService": Meaning("picture", "moved"),
    "VideoSource/ImageTooBlurry/AnalyticsService": Meaning("picture", "defocused"),
    "VideoSource/ImageTooBlurry/ImagingService": Meaning("picture", "defocused"),
    "VideoSource/ImageTooBlurry/RecordingService": Meaning("picture", "defocused"),
    "UserAlarm/VideoCover": Meaning("picture", "blind"),
    "UserAlarm/VideoLost": Meaning("picture", "loss"),
    "VideoAnalytics/MaskAlarm": Meaning("picture", "blind"),
    "RuleEngine/TamperDetector/Tamper": Meaning("picture", "blind"),
    "RuleEngine/CellMotionDetector/Tamper": Meaning("picture", "blind"),
    "Device/HardwareFailure/StorageFailure": Meaning("disk", "disk_error"),
}
"""By topic without prefixes (ONVIF Imaging, Analytics and Core specifications; home-assistant/core, Apache-2.0), and
some of makers' own (`UserAlarm`, `MotionAlarm`, `MaskAlarm`, as recorders of Hikvision's kind send them). A topic that is not
here only shows that the service lives. ImageTooDark is not blindness: at night it says that the lamps are off.
"""

_MOMENTS = frozenset({"RuleEngine/LineDetector/Crossed"})
"""Topics of what has no end: they just happen. All others have a value that is true or false, and say nothing without it."""

_SOURCES = ("VideoSourceToken", "Source", "VideoSource", "VideoSourceConfigurationToken")
_STATES = ("State", "LogicalState", "Failed")
"""Names of items whose 0 and 1 mean false and true, beside those that begin with `Is`."""

_MOST_MESSAGES = 1024
"""Messages of one answer that are read; 100 are asked for."""


class Event(NamedTuple):
    """One notification. `active` None: it has no value that is true or false."""

    topic: str
    source: str
    active: bool | None
    operation: Literal["Initialized", "Changed", "Deleted", ""]

    @property
    def meaning(self) -> Meaning:
        """What it stands for."""
        return TOPICS.get(self.topic, BEAT)

    @property
    def just_happens(self) -> bool:
        """What it stands for has no end, and so no true and false."""
        return self.topic in _MOMENTS


_OPERATIONS: Mapping[str, Literal["Initialized", "Changed", "Deleted", ""]] = {
    "Initialized": "Initialized",
    "Changed": "Changed",
    "Deleted": "Deleted",
    "": "",
}


def read_events(content: Element) -> tuple[list[Event], list[str]]:
    """The notifications in PullMessagesResponse or Notify, and what is wrong with each that cannot be read: it hides none beside it.

    Raises:
        DecodeError: there are too many.
    """
    found: list[Event] = []
    unread: list[str] = []
    for number, holder in enumerate(children(content, "NotificationMessage")):
        if number >= _MOST_MESSAGES:
            raise DecodeError(f"more than {_MOST_MESSAGES} messages in one answer")
        try:
            found.append(_event(holder))
        except DecodeError as error:
            unread.append(error.reason)
    return found, unread


def _event(holder: Element) -> Event:
    """One notification. Raises DecodeError: it has no topic or no message, or an unknown operation."""
    topic = text(child(holder, "Topic"))
    if not topic:
        raise DecodeError("a notification without a topic")
    message = below(holder, "Message", "Message")
    if message is None:
        raise DecodeError(f"{topic[:80]}: a notification without a message")
    word = message.get("PropertyOperation", "")
    if word not in _OPERATIONS:
        raise DecodeError(f"{topic[:80]}: PropertyOperation {word[:80]!r}")
    sources = dict(_items(message, "Source"))
    source = next((sources[name] for name in _SOURCES if name in sources), "")
    return Event(_plain(topic), source, _active(message), _OPERATIONS[word])


def _active(message: Element) -> bool | None:
    """Whether what is reported holds; a count or an object's number may read 0 or 1, too, and says nothing of that."""
    found: bool | None = None
    for name, value in _items(message, "Data"):
        word = value.lower()
        if word in ("true", "false") or (word in ("0", "1") and (name.startswith("Is") or name in _STATES)):
            found = bool(found) or word in ("true", "1")
    return found


def _items(message: Element, part: str) -> Iterator[tuple[str, str]]:
    holder = child(message, part)
    if holder is not None:
        for item in holder:
            if local(item) == "SimpleItem":
                yield item.get("Name", ""), item.get("Value", "").strip()


def _plain(topic: str) -> str:
    """The topic without prefixes and its trailing `//.`."""
    return "/".join(level.rpartition(":")[2] for level in topic.split("/") if level not in ("", "."))
