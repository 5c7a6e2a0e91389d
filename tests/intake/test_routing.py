"""Several devices on one topic: each takes its own, and what one refuses does not lose what another has read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from device_drivers.catalogue import DRIVERS
from device_drivers.driver import Readings
from device_drivers.errors import DecodeError
from gateway.routing import Router
from gateway.site.load import load_site

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
SITE = """
site: {id: s, name: s, timezone: Asia/Shanghai, language: en, latitude: 31.2, longitude: 121.5, holidays: CN}
devices:
  - {id: a, driver: json_map, link: {mqtt: shared/topic}, settings: {map: [{path: a, to: light_level}]}}
  - {id: b, driver: json_map, link: {mqtt: shared/topic}, settings: {map: [{path: b, to: tag_read}]}}
  - {id: node, driver: sparkplug, kind: bridge, link: {mqtt: spBv1.0/g/n}}
  - {id: device, driver: sparkplug, link: {mqtt: spBv1.0/g/n/d}}
"""


@pytest.fixture
def router(tmp_path: Path) -> Router:
    path = tmp_path / "site.yaml"
    path.write_text(SITE, encoding="utf-8")
    return Router(load_site(path, secrets=False)[0], DRIVERS)


def heard(router: Router, topic: str, payload: bytes) -> Readings:
    read = router.reader(topic)
    assert read is not None
    found = read(payload, NOW)
    assert isinstance(found, Readings)
    return found


def test_each_device_takes_its_own_from_a_shared_topic(router: Router):
    assert router.filters.count("shared/topic") == 1
    found = heard(router, "shared/topic", b'{"a":46,"b":"0A"}')
    assert [reading.observation.device for reading in found] == ["a", "b"]


def test_a_value_that_one_device_refuses_does_not_lose_the_tap_of_another(router: Router):
    found = heard(router, "shared/topic", b'{"a":"dark","b":"0A"}')
    assert [reading.observation.device for reading in found] == ["b"]
    assert [reject.reason for reject in found.rejects] == ["a: 'dark', expected a number"]


def test_what_nobody_can_read_is_refused(router: Router):
    read = router.reader("shared/topic")
    assert read is not None
    with pytest.raises(DecodeError, match="JSON"):
        read(b"?", NOW)


def test_devices_by_wildcards_share_a_topic_and_others_do_not(router: Router):
    assert type(router._decoder("spBv1.0/g/NBIRTH/n")).__name__ == "_Together"
    assert type(router._decoder("spBv1.0/g/DDATA/n/d")).__name__ == "_Together"
    assert type(router._decoder("spBv1.0/g/DDATA/n/other")).__name__ == "SparkplugDecoder"
    assert router._decoder("spBv1.0/g/DDATA/other/d") is None
