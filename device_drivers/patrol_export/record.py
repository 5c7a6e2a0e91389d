"""The record of wand exports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device_drivers.driver import DeviceSettings, Driver, Model
from device_drivers.errors import SettingsError
from device_drivers.patrol_export.settings import settings_of

if TYPE_CHECKING:
    from device_drivers.conversation import FileDecoder


def _check(settings: DeviceSettings) -> None:
    if settings.link:
        raise SettingsError("link", "nothing: the file is brought by a person (`lamplighter import`)")
    settings_of(settings.settings)


def _decoder(settings: DeviceSettings) -> FileDecoder:
    from device_drivers.patrol_export.decoder import PatrolExport  # noqa: PLC0415  read only when a file is

    return PatrolExport(settings.id, settings_of(settings.settings))


DRIVERS = (
    Driver(
        name="patrol_export",
        transport="file",
        summary="exports of patrol wand programs: Excel, CSV and text, imported by a person",
        guarantee=(
            "Everything up to the file's export time, or else its last record, is complete once imported; what the wand still "
            "holds is awaited until the route's evidence deadline, never missed before."
        ),
        default_kind="wand",
        own_clock=True,
        file_decoder=_decoder,
        check=_check,
        models=(
            Model(
                vendor="JWM 金万码",
                model="guard tour wand, exported as Excel",
                driver="patrol_export",
                kind="wand",
                capabilities=("tag_read", "incident", "sync_end"),
                note="portable: true",
            ),
            Model(
                vendor="any",
                model="guard tour wand whose program exports .xlsx, .xls, .csv or .txt",
                driver="patrol_export",
                kind="wand",
                capabilities=("tag_read", "incident", "sync_end"),
                note="columns by their headings, Chinese or English",
            ),
        ),
    ),
)
