"""Files that people bring: where they wait, what becomes of them, and how one is read for the site's devices.

    DATA/imports/ID.data, ID.json      waiting: the file, then its order; the order appears last, so what is seen is whole
    DATA/imports/done/, refused/       the file, and its outcome under the same name

Whoever holds the journal takes them: a running gateway by its file link, else `lamplighter import` itself. A file that was
interrupted is still waiting and is taken again; what the journal has already is a repeat.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from device_drivers.conversation import Sheet
from device_drivers.driver import DeviceSettings, Driver, Reading
from device_drivers.errors import LamplighterError
from device_drivers.observations import LinkStatus, SyncEnd
from gateway.site.model import Device, Site
from gateway.whole_file import make_folder, write_whole

FOLDER = "imports"

KEPT = 500
"""Of those done, and of those refused, so many of the newest stay; what they held is in the journal."""

REASONS = 200
"""Rejects that an outcome names one by one; all are in quarantine."""


class FileRefusedError(LamplighterError):
    """A file that cannot be imported as it is; its text says what to do."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be imported.

    Args:
        id: sorts by time.
        name: the file's own name, for people; only its ending may matter to a driver.
        driver: who reads it.
        device: whose rows those are that name no device; "" where each must.
        digest: SHA-256 of the file.
        shown: what the wand's own clock showed at `asked`, where somebody looked: it measures how wrong the wand's times are.
    """

    id: str
    name: str
    driver: str
    device: str = ""
    asked: datetime
    digest: str
    shown: datetime | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an order. `new` and `repeats` count observations, `rejected` rows; `reasons` are the first of them."""

    order: Order
    state: Literal["done", "refused"]
    received: datetime
    reason: str = ""
    new: int = 0
    repeats: int = 0
    rejected: int = 0
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def make_order(  # noqa: PLR0917  what the command's words say
    data: bytes, name: str, driver: str, device: str, asked: datetime, shown: datetime | None = None
) -> Order:
    """An order for a file."""
    return Order(
        id=f"{asked:%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}",
        name=Path(name).name,
        driver=driver,
        device=device,
        asked=asked,
        digest=hashlib.sha256(data).hexdigest(),
        shown=shown,
    )


class ImportFolder:
    """The folder of imports below a data folder.

    Args:
        data: the data folder.
    """

    def __init__(self, data: Path) -> None:
        self.path = data / FOLDER

    def put(self, order: Order, data: bytes) -> None:
        """Let a file wait. It is on disk, whole, when this returns.

        Raises:
            OSError: the folder cannot be written.
        """
        make_folder(self.path)
        write_whole(self.path / f"{order.id}.data", data)
        write_whole(self.path / f"{order.id}.json", msgspec.json.encode(order))

    def waiting(self) -> list[Order]:
        """What waits, oldest first. What is no order is set aside."""
        found = []
        for path in sorted(self.path.glob("*.json")):
            try:
                order = msgspec.json.decode(path.read_bytes(), type=Order)
            except FileNotFoundError:
                continue
            except msgspec.DecodeError:
                path.replace(path.with_suffix(".unreadable"))
                continue
            if order.id != path.stem:
                continue
            if (settled := self._settled(order)) is not None:
                self._put_away(order, settled)  # it ended between the two
            else:
                found.append(order)
        return found

    def data(self, order: Order) -> bytes:
        """The file of an order.

        Raises:
            FileRefusedError: it is gone or another.
        """
        try:
            data = (self.path / f"{order.id}.data").read_bytes()
        except OSError as error:
            raise FileRefusedError(f"the file cannot be read ({error.strerror}); import it again") from error
        if hashlib.sha256(data).hexdigest() != order.digest:
            raise FileRefusedError("the file was changed while it waited; import it again")
        return data

    def settle(self, outcome: Outcome) -> None:
        """Move a file to those done or refused. Interrupted, it is still waiting, or is moved when next somebody looks.

        Raises:
            OSError: the folder cannot be written.
        """
        order, folder = outcome.order, self.path / outcome.state
        make_folder(folder)
        write_whole(folder / f"{order.id}.json", msgspec.json.encode(outcome))
        self._put_away(order, folder)
        for old in sorted(folder.glob("*.json"))[:-KEPT]:
            old.with_suffix(".data").unlink(missing_ok=True)
            old.unlink(missing_ok=True)

    def _settled(self, order: Order) -> Path | None:
        """The folder in which the outcome of an order stands."""
        return next(
            (self.path / state for state in ("done", "refused") if (self.path / state / f"{order.id}.json").exists()),
            None,
        )

    def _put_away(self, order: Order, folder: Path) -> None:
        waiting = self.path / f"{order.id}.data"
        if waiting.exists():
            waiting.replace(folder / waiting.name)
        (self.path / f"{order.id}.json").unlink(missing_ok=True)

    def outcome(self, order: Order) -> Outcome | None:
        """What became of an order; None: it still waits."""
        if (self.path / f"{order.id}.json").exists():
            return None
        return next((each for each in self._outcomes(f"{order.id}.json")), None)

    def before(self, order: Order) -> Outcome | None:
        """The newest outcome of the same file for the same driver and device, if it was done."""
        same = (
            each
            for each in self._outcomes("*.json")
            if each.state == "done"
            and (each.order.digest, each.order.driver, each.order.device) == (order.digest, order.driver, order.device)
        )
        return max(same, key=lambda each: each.order.id, default=None)

    def _outcomes(self, pattern: str) -> Iterator[Outcome]:
        for state in ("done", "refused"):
            for path in (self.path / state).glob(pattern):
                try:
                    yield msgspec.json.decode(path.read_bytes(), type=Outcome)
                except (OSError, msgspec.DecodeError):
                    continue


# -- reading for a site


def read_file(site: Site, drivers: Mapping[str, Driver], order: Order, data: bytes, received: datetime) -> Sheet:
    """What a file holds, as observations of the site's devices.

    The driver is given the site's zone, its devices by their `serial`, and its people by name.

    Raises:
        FileRefusedError: the site has no such device.
        DecodeError: it is no file of this kind.
    """
    driver = drivers.get(order.driver)
    if driver is None or driver.file_decoder is None:
        raise FileRefusedError(f"{order.driver!r} reads no files; `lamplighter drivers` lists those over `file`")
    devices = [device for device in site.devices.values() if device.driver == order.driver]
    device = _device(site, devices, order)
    given = DeviceSettings(
        id="" if device is None else device.id,
        settings={
            "timezone": site.timezone,
            **(_common(devices) if device is None else _own(device)),
            "readers": _readers(devices),
            "people": _people(site),
        },
    )
    sheet = driver.file_decoder(given).read(data, order.name, received)
    return sheet if order.shown is None else _measured(sheet, received - (order.asked - order.shown))


def with_hidden(sheet: Sheet) -> Sheet:
    """The sheet, with a word for each time in which a device may have recorded what could not be read."""
    cuts = [
        Reading(
            LinkStatus(
                device=device, at=until, since=since, up=True, cut=True, reason="a row of a file cannot be read"
            ),
            None,
        )
        for device, since, until in sheet.hidden
    ]
    return sheet._replace(found=[*cuts, *sheet.found])


def _measured(sheet: Sheet, now: datetime) -> Sheet:
    """The sheet with its wand's own time at reception."""
    ends = [item for item in sheet.found if isinstance(item, Reading) and isinstance(item.observation, SyncEnd)]
    if len(ends) != 1:
        raise FileRefusedError(
            "--clock is of one wand, but the file holds the whole record of none or several; leave it out"
        )
    end = Reading(msgspec.structs.replace(ends[0].observation, device_now=now))
    return sheet._replace(found=[end if item is ends[0] else item for item in sheet.found])


def _device(site: Site, devices: list[Device], order: Order) -> Device | None:
    if not devices:
        raise FileRefusedError(
            f"no device of the site has `driver: {order.driver}`; add one such as "
            f"`{{id: wand-1, driver: {order.driver}, portable: true}}`"
        )
    if not order.device:
        return devices[0] if len(devices) == 1 else None
    device = site.devices.get(order.device)
    if device is None or device not in devices:
        known = ", ".join(each.id for each in devices)
        raise FileRefusedError(
            f"--device {order.device}: expected one of {known}, the devices with `driver: {order.driver}`"
        )
    return device


def _own(device: Device) -> dict[str, Any]:
    return {key: value for key, value in device.settings.items() if key != "serial"}


def _common(devices: list[Device]) -> dict[str, Any]:
    """Settings of the file's form, on which all devices that say something must agree."""
    common: dict[str, Any] = {}
    for device in devices:
        for key, value in _own(device).items():
            if common.setdefault(key, value) != value:
                raise FileRefusedError(f"the devices differ in `settings.{key}`; say --device")
    return common


def _serials(device: Device) -> list[str]:
    serial = device.settings.get("serial", ())
    return [serial] if isinstance(serial, str) else list(serial)


def _readers(devices: list[Device]) -> dict[str, str]:
    readers: dict[str, str] = {}
    for device in devices:
        for serial in _serials(device):
            if serial and readers.setdefault(serial, device.id) != device.id:
                raise FileRefusedError(f"{device.id} and {readers[serial]} both have the serial {serial!r}")
    return readers


def _people(site: Site) -> dict[str, str]:
    """Person by name, where only one has it; an id is a name, too."""
    people: dict[str, str] = {}
    shared: set[str] = set()
    for person in site.people.values():
        for name in {person.name, person.id}:
            if people.setdefault(name, person.id) != person.id:
                shared.add(name)
    return {name: person for name, person in people.items() if name not in shared}
