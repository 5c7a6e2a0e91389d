"""The record of Shelly devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from device_drivers.driver import DeviceKind, DeviceSettings, Driver, Model
from device_drivers.errors import DecodeError, SettingsError
from device_drivers.link_topics import check_known, check_topic
from device_drivers.outputs import check_inputs, check_lamps
from device_drivers.shelly.decoder import ShellyDecoder, base_of


def _topics(site: str, settings: DeviceSettings) -> Sequence[str]:  # noqa: ARG001  its topics do not name the site
    return (f"{settings.link.get('mqtt', '')}/#",)


def _decoder(site: str, settings: DeviceSettings) -> ShellyDecoder:  # noqa: ARG001
    given = settings.settings
    return ShellyDecoder(
        settings.id,
        settings.link.get("mqtt", ""),
        lamps=given.get("lamps"),
        inputs=given.get("inputs"),
        panic_events={name: frozenset(events) for name, events in given.get("panic_events", {}).items()},
    )


def _listener(topic: str) -> tuple[str, DeviceSettings]:
    base = base_of(topic)
    if base is None:
        raise DecodeError(f"topic {topic!r}: expected shellies/ID/relay/0, PREFIX/events/rpc or the like")
    return "", DeviceSettings(id=base.removeprefix("shellies/"), link={"mqtt": base})


def _check(settings: DeviceSettings) -> None:
    check_topic(settings, "shellies/shelly1-AABBCC")
    check_known(settings, ("lamps", "inputs", "panic_events"))
    check_lamps(settings)
    check_inputs(settings, '{"0": motion}')
    events = settings.settings.get("panic_events", {})
    if not isinstance(events, Mapping) or not all(
        isinstance(name, str)
        and isinstance(words, (list, tuple))
        and words
        and all(isinstance(word, str) and word for word in words)
        for name, words in events.items()
    ):
        raise SettingsError("settings.panic_events", 'lists of events, for example `{"0": [L, long_push]}`')


def _model(model: str, kind: DeviceKind, *capabilities: str, note: str = "") -> Model:
    return Model(
        vendor="Shelly",
        model=model,
        driver="shelly",
        kind=kind,
        capabilities=(*capabilities, "measurement", "device_status"),
        note=note,
    )


DRIVERS = (
    Driver(
        name="shelly",
        transport="mqtt",
        summary="Shelly relays, dimmers, meters and sensors, first generation and later",
        guarantee="What the device publishes is safe once the broker has it (the first generation needs max. QoS 1); what "
        "happens while it is off the network is lost, but for its state when it returns.",
        default_kind="relay",
        own_clock=False,
        topics=_topics,
        message_decoder=_decoder,
        listener=_listener,
        check=_check,
        models=(
            _model("1, 1L, Plus 1 relay", "relay", "lamp_state"),
            _model("1PM, Plus 1PM, Plug S", "relay", "lamp_state", "power", "lamp_fault"),
            _model("2.5, Plus 2PM, Pro 4PM", "relay", "lamp_state", "power", "lamp_fault", note="settings.lamps"),
            _model("Dimmer, Plus 0-10V Dimmer", "lamp", "lamp_state", "power"),
            _model("EM, 3EM, Pro 3EM, Pro EM", "meter", "power"),
            _model("Motion, Motion 2", "motion_sensor", "motion", "light_level"),
            _model("H&T, Plus H&T", "sensor"),
            _model("i3, i4, Button 1", "sensor", "panic", "motion", note="settings.panic_events, settings.inputs"),
        ),
    ),
)
