"""The README's commands, run by a newcomer in a fresh clone, and its links."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.gateway_process import GatewayProcess
from tests.support.mosquitto import free_port

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")

BLOCKS = [block.strip() for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)]
"""What is to be pasted into a terminal."""

WITHIN_S = 90
"""From `make demo` on a fresh machine to the console's address."""


def test_the_readme_names_the_two_commands() -> None:
    assert [block for block in BLOCKS if block.startswith("make")] == ["make demo", "make test"]


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    """Steps 1, 2 and 6: the first site file without its `mqtt:` line, but for a port that is free here."""
    lines = (ROOT / "config" / "small.yaml").read_text(encoding="utf-8").splitlines()
    first = "\n".join(line for line in lines if not line.startswith("mqtt:"))
    with GatewayProcess(tmp_path, {}) as running:
        running.site_file.write_text(f"{first}\nmqtt: {{port: {free_port()}}}\n", encoding="utf-8")
        running.start()
        yield running


@pytest.mark.parametrize(("tag", "person"), [("007B3972", "g-wang"), ("007B3999", None)])
def test_the_first_tap_comes_without_a_device(gateway: GatewayProcess, tag: str, person: str | None) -> None:
    [command] = [block for block in BLOCKS if "<<'TAP'" in block]
    port = yaml.safe_load(gateway.site_file.read_text(encoding="utf-8"))["mqtt"]["port"]
    written = command.replace(".venv/bin/python", sys.executable).replace("007B3972", tag)
    written = written.replace(" 1883,", f" {port},")
    done = subprocess.run(
        ["sh", "-c", written], cwd=gateway.data.parent, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    states = {device["id"]: device["state"] for device in _asked(gateway, "devices")}
    assert states["rdr-garage"] == "ok"
    served = [visit.get("person") for each in _asked(gateway, "rounds") for visit in each["visits"] if visit["at"]]
    lost = [(read["tag"], read["person"]) for read in _asked(gateway, "unmatched")]
    assert lost == [(tag, person)] or (person is not None and served == [person])


def _asked(gateway: GatewayProcess, what: str) -> list[dict[str, Any]]:
    """A list of the API, asked with a key as step 8 makes it."""
    made = subprocess.run(
        [sys.executable, "-m", "api", "key", "add", f"test-{what}", "--role", "admin", "--data", str(gateway.data)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    key = made.stdout.split()[0]
    request = urllib.request.Request(f"{gateway.url}/api/v1/{what}", headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        items: list[dict[str, Any]] = json.load(answer)["items"]
    return items


def test_every_link_of_the_readme_leads_somewhere() -> None:
    missing = [
        link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link and not (ROOT / link).exists()
    ]
    assert missing == []


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_make_demo_and_make_test_work_in_a_fresh_clone(tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True, timeout=60)
    environment = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTEST_CURRENT_TEST")}
    log = tmp_path / "demo.log"
    began = time.monotonic()
    with log.open("wb") as out:
        demo = subprocess.Popen(
            ["make", "demo"], cwd=clone, stdout=out, stderr=out, env=environment, start_new_session=True
        )
    try:
        while "/login/once?token=" not in log.read_text():
            assert demo.poll() is None, log.read_text()
            assert time.monotonic() - began < 3 * WITHIN_S, log.read_text()
            time.sleep(0.2)
    finally:
        os.killpg(demo.pid, signal.SIGINT)
        demo.wait(30)
    print(f"make demo took {time.monotonic() - began:.0f} s from a fresh clone")
    # the whole suite is running already: of each of its two parts a few tests, to see that the command sets up what they need
    environment["PYTEST_ADDOPTS"] = "tests/simulation -k 'test_mishaps or test_world or service_for_cameras'"
    done = subprocess.run(
        ["make", "test"], cwd=clone, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d+ passed", done.stdout)
    shutil.rmtree(clone)
