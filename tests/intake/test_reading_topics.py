"""Which decoder reads which topic."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from device_drivers.catalogue import DRIVERS
from device_drivers.errors import DecodeError
from gateway import routing
from gateway.routing import Router
from gateway.site.load import load_site

SITE = load_site(Path(__file__).parents[2] / "config" / "small.yaml", environ={"LAMPLIGHTER_MQTT_PASSWORD": "x"})[0]
NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


def test_strangers_topics_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(routing, "_CACHED", 100)
    router = Router(SITE, DRIVERS)
    for number in range(300):
        assert router.reader(f"lamplighter/small/stranger-{number}/up") is not None
        assert router.reader(f"elsewhere/{number}") is None
    assert len(router._readers) == 100


def test_a_topic_without_a_device_is_refused_with_the_reason():
    read = Router(SITE, DRIVERS).reader("lamplighter/small//up")
    assert read is not None
    with pytest.raises(DecodeError, match="expected lamplighter/small/DEVICE/up"):
        read(b"{}", NOW)
