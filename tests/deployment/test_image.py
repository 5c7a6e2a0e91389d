"""The image without a daemon: the Dockerfile's own steps, replayed; what comes of them runs as the container runs it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.deployment.confined import reachable
from tests.deployment.first_start import DOCKER, ROOT
from tests.support.mosquitto import free_port

TEXT = re.sub(r"\\\n", " ", (DOCKER / "Dockerfile").read_text(encoding="utf-8"))
STEPS = [line.split(maxsplit=1) for line in TEXT.splitlines() if line and not line.startswith("#")]
BUILD, RUNTIME = ([i for i, step in enumerate(STEPS) if step[0] == "FROM"] + [len(STEPS)])[:2]
HASHED = "--require-hashes"
SERVICE = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]["lamplighter"]


def words(instruction: str) -> list[str]:
    return [rest for name, rest in STEPS[RUNTIME:] if name == instruction]


def test_the_image_is_run_by_a_user_that_is_not_root() -> None:
    assert words("USER") == ["10001:10001"] == [SERVICE["user"]]
    assert words("STOPSIGNAL") == ["SIGTERM"]
    assert words("VOLUME") == ["/data"]


def test_both_stages_have_the_same_base_pinned_by_tag() -> None:
    bases = [rest for name, rest in STEPS if name == "FROM"]
    assert bases == ["${PYTHON} AS build", "${PYTHON}"]
    [base] = [rest for name, rest in STEPS if name == "ARG"]
    assert re.fullmatch(r"PYTHON=python:3\.(1[1-9])\.\d+-slim-bookworm(@sha256:[0-9a-f]{64})?", base)


def test_every_install_is_by_hash_or_without_an_index() -> None:
    installs = [
        part
        for name, rest in STEPS
        if name == "RUN"
        for part in rest.split("&&")
        if re.search(r"pip (install|wheel)", part)
    ]
    assert len(installs) == 4
    for each in installs:
        assert (
            "--require-hashes" in each
            or "--no-index" in each
            or ("--no-deps" in each and "--no-build-isolation" in each)
        )


def test_nothing_is_copied_that_the_builder_does_not_get() -> None:
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line.startswith("!")}
    for name, rest in STEPS:
        if name == "COPY" and not rest.startswith("--from"):
            for source in rest.split()[:-1]:
                assert source in sent
                assert (ROOT / source).exists()


def test_the_health_check_and_the_command_are_in_the_image() -> None:
    [check] = words("HEALTHCHECK")
    command = json.loads(check[check.index("CMD ") + 4 :])
    assert command == ["/opt/lamplighter/bin/python", "/opt/lamplighter/healthy.py"]
    assert "docker/healthy.py /opt/lamplighter/healthy.py" in words("COPY")
    assert words("ENTRYPOINT") == ['["/opt/lamplighter/bin/lamplighter"]']


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """One that other users may enter, as pytest's own is not."""
    with tempfile.TemporaryDirectory(prefix="lamplighter-image-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_builds_steps_give_an_installation_that_runs_with_a_read_only_root(open_folder: Path) -> None:
    """Each RUN and COPY of the first stage, with this machine's Python and these paths elsewhere; then the gateway from it, as PID 1 of its own
    process space, as the image's user, without capabilities and new privileges, on a file system that is read-only but for /data and /tmp.

    The longest step, which is that of `make setup`, is taken as done by it unless LAMPLIGHTER_FAULTS asks for all.
    """
    opt, src = open_folder / "opt", open_folder / "src"
    src.mkdir()
    places = {"/opt/": f"{opt}/", "/wheels": str(open_folder / "wheels")}

    def here(text: str) -> str:
        for there, mine in places.items():
            text = re.sub(rf"(?<![\w/]){there}", mine, text)
        return text

    environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(open_folder)}
    environment |= {
        name: os.environ[name] for name in os.environ if name.startswith("PIP_") or name.lower().endswith("_proxy")
    }
    for name, rest in STEPS[BUILD : _second()]:
        if name == "COPY":
            *sources, target = rest.split()
            for source in sources:
                to = src / target if target.rstrip("/") != "." else src / Path(source).name
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, to, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(ROOT / source, src / Path(source).name)
        elif name == "RUN":
            step = here(rest).replace("--no-cache-dir ", "")  # the machine's cache spares it the network
            if "requirements.lock" in step and not os.environ.get("LAMPLIGHTER_FAULTS"):
                assert HASHED in rest
                _as_make_setup_did(opt / "lamplighter")
                continue
            done = subprocess.run(
                ["sh", "-ec", step], cwd=src, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, (step, done.stdout[-2000:], done.stderr[-2000:])
    shutil.copy(DOCKER / "healthy.py", opt / "lamplighter" / "healthy.py")
    binary = opt / "lamplighter" / "bin"
    assert not list(binary.glob("pip*"))
    _runs(open_folder, binary)


def _as_make_setup_did(environment: Path) -> None:
    """Let the environment see the packages of this one, which `make setup` installs by the same words."""
    assert HASHED in (ROOT / "Makefile").read_text()
    [packages] = environment.glob("lib/python3*/site-packages")
    mine = sysconfig.get_path("purelib")
    (packages / "made-by-setup.pth").write_text(f"{mine}\n")


def _second() -> int:
    return [i for i, step in enumerate(STEPS) if step[0] == "FROM"][1]


def _runs(folder: Path, binary: Path) -> None:
    site, data, port = folder / "site", folder / "data", free_port()
    site.mkdir()
    data.mkdir()
    text = re.sub(
        r"^mqtt: .*$", "mqtt: {broker: embedded, port: 0}", (DOCKER / "site.yaml").read_text(), flags=re.MULTILINE
    )
    (site / "site.yaml").write_text(text, encoding="utf-8")
    command = [
        str(binary / "lamplighter"),
        "run",
        "--site",
        str(site / "site.yaml"),
        "--data",
        str(data),
        "--port",
        str(port),
    ]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    confined = os.geteuid() == 0 and _may_unshare()
    if confined:
        os.chown(data, 10001, 10001)
        script = (
            f"mount --make-rprivate / && mount -t tmpfs -o size=64m,mode=1777,noexec,nosuid,nodev tmpfs /mnt && {reachable()} && "
            f"mount --bind {data} {data} && "
            "for each in $(awk '{print $2}' /proc/self/mounts | sort -u); do case $each in "
            f"{data}|/mnt|/proc*|/sys*|/dev*) ;; *) mount -o remount,bind,ro $each 2>/dev/null || true;; esac; done; "
            "touch /etc/written 2>/dev/null && exit 97; "
            'exec setpriv --reuid 10001 --regid 10001 --clear-groups --no-new-privs --bounding-set -all --inh-caps -all "$@"'
        )
        command = [
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "sh",
            "-c",
            script,
            "sh",
            *command,
        ]
        environment["TMPDIR"] = "/mnt"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd="/")
    try:
        until = time.monotonic() + 30
        while True:
            done = subprocess.run(
                [binary / "python", binary.parent / "healthy.py"],
                env={**environment, "LAMPLIGHTER_PORT": str(port)},
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode == 0:
                break
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until, (done.stdout, (folder / "log").read_text())
            time.sleep(0.1)
        assert done.stdout == "ready\n"
        if confined:
            inner = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
            status = Path(f"/proc/{inner}/status").read_text()
            assert re.search(r"^Uid:\s+10001\s+10001", status, re.MULTILINE)
            assert re.search(r"^NoNewPrivs:\s+1", status, re.MULTILINE)
            assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE)
            assert re.search(r"^CapBnd:\s+0+$", status, re.MULTILINE)
            assert re.search(r"^NSpid:\s+\d+\s+1$", status, re.MULTILINE), "it is PID 1 of its own space"
            os.kill(inner, 15)
        else:
            process.terminate()
        assert process.wait(10) == 0, (folder / "log").read_text()
    finally:
        process.kill()
        process.wait()


def _may_unshare() -> bool:
    words = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "true"]
    return (
        bool(shutil.which("unshare") and shutil.which("setpriv"))
        and subprocess.run(words, capture_output=True, check=False).returncode == 0
    )
