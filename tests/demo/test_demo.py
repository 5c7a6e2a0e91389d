"""`lamplighter demo` as a newcomer meets it: an address, a log-in, and a tap that travels from a real serial line."""

from __future__ import annotations

import http.cookiejar
import json
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow]


@pytest.fixture
def demo(tmp_path: Path):
    log = tmp_path / "demo.log"
    with log.open("wb") as out:
        words = [sys.executable, "-m", "api", "demo", "--no-browser", "--data", str(tmp_path / "data")]
        process = subprocess.Popen(words, stdout=out, stderr=out)
    yield process, log
    process.terminate()
    assert process.wait(20) == 0, log.read_text()
    assert "Traceback" not in log.read_text()


def wait_for(condition, seconds: float, what: str):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.2)
    return found


def test_the_demo_prints_a_log_in_and_its_estate_lives(demo) -> None:
    _, log = demo
    link = wait_for(lambda: re.search(r"http://\S+/login/once\?token=\S+", log.read_text()), 60, log.read_text())[0]
    url = link.partition("/login")[0]
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    with browser.open(link, timeout=10) as page:
        assert page.status == 200
        assert "御溪花园" in page.read().decode()

    def get(path: str):
        with browser.open(f"{url}/api/v1/{path}", timeout=10) as answer:
            return json.load(answer)

    def live() -> list[dict[str, object]]:
        return get("observations?device=rdr-garage&kind=link&limit=5")["items"]

    assert wait_for(live, 10, "the serial port is noted as open")
    heard = wait_for(
        lambda: get("observations?device=nvr-1&kind=camera_stats&limit=3")["items"],
        20,
        "the recorder is heard over the real broker",
    )
    assert heard
    assert [zone["state"] for zone in get("zones")["items"]] == ["covered"] * 4
