"""What gathers is bounded whatever it is, and what could not be told is not acknowledged."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import Mock

import pytest

from gateway.errors import JournalError
from gateway.intake import _FULL
from gateway.links.link import Envelope
from gateway.runtime import Gateway
from gateway.site.load import load_site

SITE = """
site: {id: s, name: S, timezone: Asia/Shanghai, latitude: 31, longitude: 121}
places: [{id: t, name: T}]
devices: [{id: lux, driver: native, kind: light_sensor, place: t, expect_every: 1d}]
lamps: [{id: lamp, place: t, seen_by: lux, expected: {mode: always}}]
"""


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    path = tmp_path / "site.yaml"
    path.write_text(SITE, encoding="utf-8")
    return Gateway(load_site(path)[0], tmp_path / "data")


def strangers(number: int) -> list[Envelope]:
    now = datetime.now(UTC)
    return [Envelope("unknown/topic", b"x", now, False, (1, count)) for count in range(number)]  # type: ignore[arg-type]


async def test_what_nobody_understands_pauses_its_link_too(gateway: Gateway) -> None:
    link = Mock()
    link.name = "broker"
    async with gateway:
        gateway.intake.messages(link, strangers(_FULL))
        link.pause.assert_called_once()
        await gateway.intake.wake()
        link.resume.assert_called_once()


async def test_what_could_not_be_told_is_not_acknowledged_with_what_comes_next(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = Mock()
    link.name = "broker"
    async with gateway:
        intake = gateway.intake
        monkeypatch.setattr(intake, "failed", Mock())
        with monkeypatch.context() as broken:
            broken.setattr(intake, "_derive", Mock(side_effect=ValueError("no row")))
            intake.messages(link, strangers(1))
            with pytest.raises(JournalError):
                await intake.wake()
        with pytest.raises(JournalError):
            await intake.wake()
        await intake.drained()
        link.acknowledge.assert_not_called()
