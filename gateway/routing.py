"""Which decoder reads which topic or port: the site's devices joined with the drivers' records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial

from device_drivers.conversation import LinePoller, PanelReader, WebPoller
from device_drivers.driver import DeviceSettings, Driver, MessageDecoder, Reading, Readings, Reject, StreamDecoder
from device_drivers.errors import DecodeError, SettingsError
from device_drivers.native.decoder import NativeDecoder
from device_drivers.native.topics import up
from gateway.site.model import Device, Site

Read = Callable[..., list[Reading]]
"""A decoder bound to one topic."""

_MOST_STRANGERS = 50

_CACHED = 65_536
"""Topics remembered; a hostile publisher cannot make the table grow further."""


class Router:
    """Routes of one site.

    Args:
        site: the checked model.
        drivers: by name.
    """

    def __init__(self, site: Site, drivers: Mapping[str, Driver]) -> None:
        self.drivers = drivers
        self.streams: dict[str, tuple[Device, StreamDecoder]] = {}
        """Decoders of the devices on a serial line or an input device, by device."""
        self.lines: list[tuple[Device, LinePoller]] = []
        """Devices that are asked on a line, several of which may share one."""
        self.panels: list[tuple[Device, PanelReader]] = []
        """Readers on a line whose control panel we are, several of which may share one."""
        self.web: list[tuple[Device, WebPoller]] = []
        """Devices that are asked over HTTP."""
        self.served: dict[str, list[Device]] = {}
        """Devices that call us, by driver."""
        self._exact: dict[str, list[MessageDecoder]] = {}
        self._readers: dict[str, Read | None] = {}
        self._wild: list[tuple[list[str], MessageDecoder]] = []
        self._bound: dict[str, list[str]] = {}
        self._bound_wild: list[tuple[list[str], str | None]] = []
        self._readers_at: frozenset[str] = frozenset(
            [point.reader for point in site.checkpoints.values() if point.reader is not None]
            + [device.id for device in site.devices.values() if device.portable]
        )
        self.unkept: list[str] = [
            device.id for device in site.devices.values() if device.id in self._readers_at and device.external_broker
        ]
        """Readers of which all that was sent is lost when a broker has lost our session."""
        self.strangers: list[str] = []
        """Devices that speak by a topic of this site and are not in it, in the order in which they were first heard; no more than fifty."""
        self._site = site
        self.filters: list[str] = []
        """What to subscribe to; no filter twice."""
        native = drivers["native"]
        self._add(native, site.id, DeviceSettings(id=""))
        for device in site.devices.values():
            driver = drivers.get(device.driver)
            if driver is None or driver.name == "native":
                continue
            given = settings(device)
            try:
                driver.check(given)
            except SettingsError:  # the site file's check has told: it is heard only through `native`
                continue
            if driver.line_poller is not None:
                self.lines.append((device, driver.line_poller(given)))
            elif driver.panel_reader is not None:
                self.panels.append((device, driver.panel_reader(given)))
            elif driver.web_poller is not None:
                if device.link:  # without one it is a channel, heard through its recorder
                    self.web.append((device, driver.web_poller(given)))
            elif driver.call_server is not None or driver.web_server is not None:
                self.served.setdefault(driver.name, []).append(device)
            elif driver.stream_decoder is not None and not device.link.keys().isdisjoint(("serial", "input")):
                self.streams[device.id] = (device, driver.stream_decoder(given))
            elif driver.message_decoder is not None and "mqtt" in device.link:
                self._add(driver, site.id, given)

    def _add(self, driver: Driver, site: str, given: DeviceSettings) -> None:
        assert driver.topics is not None
        assert driver.message_decoder is not None
        decoder = driver.message_decoder(site, given)
        for topic in driver.topics(site, given):
            if topic not in self.filters:
                self.filters.append(topic)
            if "+" in topic or topic.endswith("#"):
                self._wild.append((topic.split("/"), decoder))
                self._bound_wild.append((topic.split("/"), given.id or None))
            else:
                self._exact.setdefault(topic, []).append(decoder)
                self._bound.setdefault(topic, []).append(given.id)

    def reader(self, topic: str) -> Read | None:
        """What decodes messages of a topic: (payload, received, retained=) → readings; None if no device is bound to it."""
        try:
            return self._readers[topic]
        except KeyError:
            decoder = self._decoder(topic)
            found = None if decoder is None else _bound(decoder, topic)
            if isinstance(decoder, NativeDecoder):
                self._meet(topic)
            if len(self._readers) < _CACHED:
                self._readers[topic] = found
            return found

    def _meet(self, topic: str) -> None:
        """A topic for every device is heard for the first time: its device may be one that nobody has entered."""
        device = topic.split("/")[2]
        if device in self._site.devices or device in self.strangers or len(self.strangers) >= _MOST_STRANGERS:
            return
        if topic == up(self._site.id, device):
            self.strangers.append(device)

    def bound(self, topic: str) -> bool:
        """Whether a device may speak on a topic; nothing is remembered of it."""
        levels = topic.split("/")
        return topic in self._exact or any(_matches(pattern, levels) for pattern, _ in self._wild)

    def topics(self) -> dict[str, list[str]]:
        """The topics, or patterns of topics, of each device that has some of its own."""
        found: dict[str, list[str]] = {}
        for topic, devices in self._bound.items():
            for device in devices:
                found.setdefault(device, []).append(topic)
        for pattern, owner in self._bound_wild:
            if owner is not None:
                found.setdefault(owner, []).append("/".join(pattern))
        return found

    def readers_of(self, source: str) -> Sequence[str]:
        """Readers whose taps may be among what came from a topic, or from a device's own line, and could not be read."""
        levels = source.split("/")
        ids = [source, *self._bound.get(source, ())]
        for pattern, device in self._bound_wild:
            if _matches(pattern, levels):
                # Of a topic for every device, the device is the level that the pattern leaves open.
                ids += (
                    [device]
                    if device
                    else [level for level, open_ in zip(levels, pattern, strict=False) if open_ == "+"]
                )
        return [device for device in dict.fromkeys(ids) if device in self._readers_at]

    def _decoder(self, topic: str) -> MessageDecoder | None:
        levels = topic.split("/")
        found = [
            *self._exact.get(topic, ()),
            *(decoder for pattern, decoder in self._wild if _matches(pattern, levels)),
        ]
        found = list(dict.fromkeys(found))  # one device may name a topic twice
        if len(found) < 2:
            return found[0] if found else None
        return _Together(found)


def _bound(decoder: MessageDecoder, topic: str) -> Read:
    if isinstance(decoder, NativeDecoder):
        with suppress(DecodeError):  # then each message is refused, with the reason
            return decoder.bound(topic)
    return partial(decoder.decode, topic)


class _Together:
    """Several devices on one topic (the tags of a gateway, the devices of a hub): each takes what is its own."""

    def __init__(self, decoders: Sequence[MessageDecoder]) -> None:
        self._decoders = decoders

    def decode(self, topic: str, payload: bytes, received: datetime, *, retained: bool = False) -> list[Reading]:
        """What each device reads. What one of them refuses does not lose what another has read.

        Raises:
            DecodeError: nobody could read it.
        """
        readings: list[Reading] = []
        publish: list[tuple[str, bytes]] = []
        errors: list[DecodeError] = []
        for decoder in self._decoders:
            try:
                found = decoder.decode(topic, payload, received, retained=retained)
            except DecodeError as error:
                errors.append(error)
                continue
            readings += found
            if isinstance(found, Readings):
                publish += found.publish
        if len(errors) == len(self._decoders):
            raise errors[0]
        reasons = dict.fromkeys(error.reason for error in errors)
        return Readings(readings, list(dict.fromkeys(publish)), [Reject(payload, reason) for reason in reasons])


def settings(device: Device) -> DeviceSettings:
    """What a driver may know of a device."""
    return DeviceSettings(
        id=device.id,
        kind=device.kind,
        channel=device.channel,
        device_id=device.device_id,
        behind=device.behind,
        link=device.link,
        settings=device.settings,
    )


def _matches(pattern: list[str], levels: list[str]) -> bool:
    """MQTT 5, 4.7: `+` is one level, `#` the rest."""
    for index, wanted in enumerate(pattern):
        if wanted == "#":
            return True
        if index >= len(levels) or wanted not in ("+", levels[index]):
            return False
    return len(pattern) == len(levels)
