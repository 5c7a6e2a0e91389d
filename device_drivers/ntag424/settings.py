"""What the site file says of NTAG 424 tags. Keys stand there as `env:` or `file:` references and come here resolved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args

import msgspec

from device_drivers.errors import SettingsError
from device_drivers.ntag424.message import MacFrom, Part

if TYPE_CHECKING:
    from device_drivers.ntag424.verification import Keys

KEYS = ("meta_key", "file_key", "master_key")
_REFERENCES = ("env:", "file:")
_KEY_DIGITS = 32
_MOST_KEY_DIGITS = 128


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of `ntag424`.

    Args:
        meta_key: K_SDMMetaRead, 32 hexadecimal digits; not needed where tags show their number in clear.
        file_key: K_SDMFileRead.
        master_key: instead of the two: each tag's keys are made from it.
        file_key_number: the number of the file key, where it is made from the master key.
        parameters: name in the URL of `picc_data`, `enc`, `cmac`, `uid`, `ctr`.
        mode: `aes`, `lrp`, or either.
        mac_from: what the MAC is of, up to itself: from the `file` data, the `picc` data, the `start` of the URL,
            wherever a `parameter` begins, or of nothing.
    """

    meta_key: str = ""
    file_key: str = ""
    master_key: str = ""
    file_key_number: int = 2
    parameters: dict[Part, str] = {}
    mode: Literal["auto", "aes", "lrp"] = "auto"
    mac_from: MacFrom = "auto"

    def __repr__(self) -> str:
        return "Settings(…)"

    def keys(self) -> Keys | None:
        """The keys; None if there are none, or they are not resolved."""
        from device_drivers.ntag424.verification import Keys  # noqa: PLC0415  starts without the library

        given = (self.master_key,) if self.master_key else (self.file_key, self.meta_key)
        if not given[0] or any(key.startswith(_REFERENCES) for key in given):
            return None
        if self.master_key:
            return Keys(b"", b"", bytes.fromhex(self.master_key), self.file_key_number)
        file = bytes.fromhex(self.file_key)
        return Keys(bytes.fromhex(self.meta_key) if self.meta_key else file, file)


def settings_of(values: Mapping[str, Any], prefix: str = "settings") -> Settings:
    """The settings of an entry.

    Raises:
        SettingsError: one cannot be used; the text never shows a key.
    """
    texts = {key: str(value) if key in KEYS else value for key, value in values.items()}
    for key, value in texts.items():
        if key not in Settings.__struct_fields__:
            raise SettingsError(f"{prefix}.{key}", f"one of {', '.join(Settings.__struct_fields__)}")
        if key in KEYS and not value.startswith(_REFERENCES):
            _check_key(key, value, prefix)
        try:
            msgspec.convert({key: value}, Settings)
        except msgspec.ValidationError:
            raise SettingsError(f"{prefix}.{key}", _EXPECTED.get(key, "text")) from None
    settings = msgspec.convert(texts, Settings)
    if not 0 <= settings.file_key_number <= 4:
        raise SettingsError(f"{prefix}.file_key_number", _EXPECTED["file_key_number"])
    if not all(name and not set(name) & set("=&#?") for name in settings.parameters.values()):
        raise SettingsError(f"{prefix}.parameters", _EXPECTED["parameters"])
    return settings


def demand_keys(settings: Settings, prefix: str = "settings") -> None:
    """Refuse settings without keys.

    Raises:
        SettingsError: there are none.
    """
    if not settings.master_key and not settings.file_key:
        raise SettingsError(
            f"{prefix}.file_key", "the tags' key K_SDMFileRead (or master_key), as env:NAME or file:PATH"
        )


def _check_key(key: str, value: str, prefix: str) -> None:
    master = key == "master_key"
    expected = "at least 32 hexadecimal digits, an even number" if master else "32 hexadecimal digits"
    fits = (
        _KEY_DIGITS <= len(value) <= _MOST_KEY_DIGITS and len(value) % 2 == 0 if master else len(value) == _KEY_DIGITS
    )
    if not fits or set(value.lower()) - set("0123456789abcdef"):
        raise SettingsError(f"{prefix}.{key}", expected)


_EXPECTED = {
    "file_key_number": "a whole number from 0 to 4",
    "parameters": f"names in the URL by part ({', '.join(get_args(Part))}), such as `{{picc_data: e, cmac: c}}`",
    "mode": "auto, aes or lrp",
    "mac_from": f"one of {', '.join(get_args(MacFrom))}",
}
