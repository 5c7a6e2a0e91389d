"""Devices with several outputs and inputs: which lamp an output is, and what an input means, as the site file says it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, get_args

from device_drivers.driver import DeviceSettings
from device_drivers.errors import SettingsError
from device_drivers.observations import Motion, Observation, Panic

InputMeaning = Literal["motion", "panic", "measurement"]


def lamp_name(device: str, lamps: Mapping[str, str], output: str, own: str) -> str | None:
    """The lamp at an output: as `lamps` names it; without any names the output `own` is the device itself (None), and
    another one `device/output`.
    """
    named = lamps.get(output)
    if named is not None:
        return named
    return None if output == own and not lamps else f"{device}/{output}"


class Inputs:
    """What inputs say, where the site says what they mean.

    Args:
        device: its id.
        meanings: by the input's name.
    """

    def __init__(self, device: str, meanings: Mapping[str, InputMeaning]) -> None:
        self._device = device
        self._meanings = meanings
        self._calling: dict[str, bool] = {}  # at most one entry for each input that the site names

    def meaning(self, name: str) -> InputMeaning:
        """What the input means; a measurement unless the site says otherwise."""
        return self._meanings.get(name, "measurement")

    def state(self, name: str, active: bool, at: datetime) -> Observation | None:
        """The observation that an input is on or off; None where a call for help is only told again, or for a measurement."""
        match self.meaning(name):
            case "motion":
                return Motion(device=self._device, at=at, active=active)
            case "panic":
                if self._calling.get(name) is active:
                    return None
                self._calling[name] = active
                return Panic(device=self._device, at=at, active=active)
        return None


def check_lamps(settings: DeviceSettings) -> None:
    """`settings.lamps` names a lamp for each output.

    Raises:
        SettingsError: it does not.
    """
    lamps = settings.settings.get("lamps", {})
    if not isinstance(lamps, Mapping) or not all(
        isinstance(output, str) and isinstance(lamp, str) and lamp for output, lamp in lamps.items()
    ):
        raise SettingsError(
            "settings.lamps", 'a lamp\'s id for each output (in quotes), for example `{"1": lamp-a, "2": lamp-b}`'
        )


def check_inputs(settings: DeviceSettings, example: str) -> None:
    """`settings.inputs` says what inputs mean.

    Raises:
        SettingsError: it does not.
    """
    inputs = settings.settings.get("inputs", {})
    words = get_args(InputMeaning)
    if not isinstance(inputs, Mapping) or not all(isinstance(name, str) for name in inputs):
        raise SettingsError("settings.inputs", f"what each input means, for example `{example}`")
    for name, meaning in inputs.items():
        if meaning not in words:
            raise SettingsError(f"settings.inputs.{name}", f"one of {', '.join(words)}")
