"""The systemd units: what they say, what systemd makes of them, and that the product works under what they forbid."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployment.confined import settings
from tests.deployment.first_start import DOCKER, ROOT
from tests.support.mosquitto import free_port

UNITS = DOCKER / "systemd"
SERVICES = sorted(UNITS.glob("*.service"))
MOST_EXPOSED = 2.5
HARDENED = {
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectKernelModules": "yes",
    "ProtectControlGroups": "yes",
    "MemoryDenyWriteExecute": "yes",
    "RestrictNamespaces": "yes",
    "SystemCallArchitectures": "native",
    "StateDirectoryMode": "0700",
}


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.stem)
def test_a_unit_is_hardened(unit: Path) -> None:
    said = settings(unit)
    assert {key: said[key][0] for key in HARDENED} == HARDENED
    assert said["SystemCallFilter"] == ["@system-service", "~@privileged @resources"]
    assert said["User"][0] != "root"
    assert "AF_NETLINK" not in said["RestrictAddressFamilies"][0]


def test_the_gateway_is_started_again_when_it_fails_when_the_disk_fails_and_when_it_hangs() -> None:
    from api.commands.run import DISK_FAILED

    said = settings(UNITS / "lamplighter.service")
    assert said["Type"] == ["notify"]
    assert said["Restart"] == ["on-failure"]
    assert said["RestartForceExitStatus"] == [str(DISK_FAILED)]
    assert said["StartLimitIntervalSec"] == ["0"]
    assert int(said["WatchdogSec"][0]) >= 30
    assert int(said["TimeoutStopSec"][0]) >= 20  # test_stops.py: 10 s


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.stem)
def test_its_command_is_one_that_the_product_has(unit: Path) -> None:
    _, *words = settings(unit)["ExecStart"][0].split()
    done = subprocess.run(
        [sys.executable, "-m", "api", words[0], "--help"], capture_output=True, text=True, cwd=ROOT, check=True
    )
    for word in words[1:]:
        if word.startswith("--"):
            assert word in done.stdout


def test_systemd_takes_the_units_and_finds_them_little_exposed(tmp_path: Path) -> None:
    """Where systemd-analyze is installed; elsewhere the tests above are what there is."""
    if shutil.which("systemd-analyze") is None:
        print("no systemd-analyze here: not run")
        return
    for unit in SERVICES:
        text = unit.read_text().replace("/opt/lamplighter/bin/lamplighter", "/bin/true")
        (tmp_path / unit.name).write_text(text)
    for timer in UNITS.glob("*.timer"):
        shutil.copy(timer, tmp_path)
    files = sorted(tmp_path.glob("lamplighter*"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *files], capture_output=True, text=True, check=False
    )
    complaints = [line for line in done.stderr.splitlines() if "lamplighter" in line]
    assert complaints == []
    for unit in SERVICES:
        done = subprocess.run(
            ["systemd-analyze", "--no-pager", "security", "--offline=true", unit],
            capture_output=True,
            text=True,
            check=False,
        )
        found = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
        if found is None:
            print("this systemd-analyze knows no --offline")
            return
        print(unit.name, found[1])
        assert float(found[1]) <= MOST_EXPOSED


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """One that other users may enter, as pytest's own is not."""
    with tempfile.TemporaryDirectory(prefix="lamplighter-units-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def confined(unit: str, folder: Path, *command: str) -> list[str]:
    """The command under the unit's restrictions; without root, as it is."""
    words = [sys.executable, "-m", "api", *command]
    folder.mkdir(exist_ok=True)
    if os.geteuid() != 0 or not _may_unshare():
        print("not confined: needs root and unshare")
        return words
    os.chown(folder, 10001, 10001)
    return [sys.executable, str(Path(__file__).with_name("confined.py")), str(UNITS / unit), str(folder), "--", *words]


def _may_unshare() -> bool:
    return bool(shutil.which("unshare") and shutil.which("setpriv")) and (
        subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0
    )


@pytest.mark.slow
def test_gateway_signer_and_backup_work_under_what_their_units_forbid(open_folder: Path) -> None:
    site = open_folder / "site.yaml"
    desk = open_folder / "signer"
    text = (DOCKER / "site.yaml").read_text(encoding="utf-8")
    text = re.sub(r"^mqtt: .*$", "mqtt: {broker: embedded, port: 0}", text, flags=re.MULTILINE)
    site.write_text(f"{text}\nchain: {{signer: {desk}/socket}}\n", encoding="utf-8")
    data, copies, port = open_folder / "data", open_folder / "copies", free_port()
    running: list[subprocess.Popen[bytes]] = []

    def start(name: str, words: list[str]) -> Path:
        log = open_folder / f"{name}.log"
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        with log.open("wb") as out:
            running.append(subprocess.Popen(words, stdout=out, stderr=out, cwd=ROOT, env=environment))
        return log

    def until(log: Path, said: str) -> None:
        end = time.monotonic() + 30
        while said not in log.read_text():
            assert running[-1].poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.05)

    try:
        signer = start(
            "signer",
            confined("lamplighter-signer.service", desk, "sign", "--socket", f"{desk}/socket", "--folder", str(desk)),
        )
        until(signer, "signing at")
        words = ["run", "--site", str(site), "--data", str(data), "--port", str(port)]
        gateway = start("gateway", confined("lamplighter.service", data, *words))
        environment = {"PATH": os.environ["PATH"], "LAMPLIGHTER_PORT": str(port)}
        end = time.monotonic() + 30
        while subprocess.run(
            [sys.executable, DOCKER / "healthy.py"], env=environment, capture_output=True, check=False
        ).returncode:
            assert running[-1].poll() is None, gateway.read_text()
            assert time.monotonic() < end, gateway.read_text()
            time.sleep(0.1)
        # the copy's unit may write the journal's folder, too: a reader of it opens its shared memory
        copies.mkdir()
        if os.geteuid() == 0:
            os.chown(copies, 10001, 10001)
        copying = confined("lamplighter-backup.service", data, "backup", "--data", str(data), str(copies))
        if "--" in copying:
            copying.insert(copying.index("--"), str(copies))
        done = subprocess.run(copying, capture_output=True, text=True, cwd=ROOT, check=False)
        assert done.returncode == 0, done.stderr
        assert len(list(copies.glob("journal-*.db"))) == 1
        for process in reversed(running):
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0, gateway.read_text() + signer.read_text()
        for log in (gateway, signer):
            said = re.search(r"confined: (.*)", log.read_text())
            print(log.stem, said[1] if said else "not confined")
            assert "not had" not in (said[1] if said else "")
            assert "Traceback" not in log.read_text()
            assert "not permitted" not in log.read_text()
    finally:
        for process in running:
            process.kill()
            process.wait()
