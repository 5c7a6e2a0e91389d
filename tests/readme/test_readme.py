"""The README's commands, run by a newcomer in a fresh clone, and its links."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")

WITHIN_S = 90
"""From `make demo` on a fresh machine to the console's address."""


def test_the_readme_names_the_two_commands() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    assert [block.strip() for block in blocks] == ["make demo", "make test"]


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
    # the whole suite is running already: of it a few tests, to see that the command sets up what it needs
    environment["PYTEST_ADDOPTS"] = "tests/journal tests/simulation"
    done = subprocess.run(
        ["make", "test"], cwd=clone, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d+ passed", done.stdout)
    shutil.rmtree(clone)
