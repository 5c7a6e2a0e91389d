"""What `docker/first-start` makes is used as it stands: by the real broker, the real gateway over TLS, the real InfluxDB."""

from __future__ import annotations

import contextlib
import json
import os
import re
import ssl
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import yaml

from tests.deployment.first_start import DOCKER, ROOT, Client, ShippedBroker, add_user, first_start
from tests.outbox.influxd import Influxd
from tests.support.mosquitto import free_port

COMPOSE = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def local(tmp_path: Path) -> Path:
    made = tmp_path / "local"
    first_start(made, "watch.example", "10.0.0.9")
    return made


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_what_exists_stays_as_it_is(local: Path) -> None:
    add_user(local, "rdr-gate")
    before = files(local)
    first_start(local, "watch.example", "10.0.0.9")
    assert files(local) == before


def test_everything_that_the_compose_file_mounts_is_made(local: Path) -> None:
    made = {f"./local/{path.name}" for path in local.iterdir()}
    for name, service in COMPOSE["services"].items():
        for mount in service["volumes"]:
            source = mount.partition(":")[0]
            if source.startswith("./local"):
                assert source in made, name
            elif source.startswith("."):
                assert (DOCKER / source).exists(), name
    named = " ".join(
        value for each in COMPOSE["services"].values() for value in map(str, each.get("environment", {}).values())
    )
    for folder, mounted in (("influxdb", "/run/influxdb/"), ("grafana", "/run/grafana/"), ("lamplighter", "/site/")):
        for name in re.findall(f"{mounted}(\\S+)", named):
            assert (local / folder / name).exists()


def test_secrets_are_for_their_service_alone(local: Path) -> None:
    assert stat.S_IMODE(local.stat().st_mode) == 0o700
    values = [
        (local / name).read_text()
        for name in ("lamplighter/mqtt_password", "influxdb/password", "influxdb/admin_token", "grafana/password")
    ]
    assert len(set(values)) == 4
    assert all(len(value) >= 24 and value == value.strip() for value in values)
    assert all(value not in (local / "mosquitto" / "lamplighter.passwd").read_text() for value in values)
    owners = {"lamplighter": 10001, "mosquitto": 1883, "influxdb": 1000, "grafana": 472}
    for service, owner in owners.items():
        assert COMPOSE["services"][service]["user"].split(":")[0] == str(owner)
        for path in (local / service).iterdir():
            assert not stat.S_IMODE(path.stat().st_mode) & 0o022
            if os.geteuid() == 0:
                assert path.stat().st_uid == owner
                assert path.suffix in (".crt", ".yaml") or stat.S_IMODE(path.stat().st_mode) == 0o400


def roots() -> set[str]:
    """First levels of topics that the ACL shares out by the level of the user's name."""
    shared = re.findall(r"^pattern \w+ (\S+)", (DOCKER / "mosquitto" / "acl").read_text(), re.MULTILINE)
    found = {topic.partition("/")[0] for topic in shared} - {"%u", "lamplighter"}
    assert len(found) > 3
    return found


def test_a_users_name_that_could_reach_into_others_topics_is_refused(local: Path) -> None:
    for name in ("lamplighter", "a/b", "+", "#", "a:b", "", "x" * 65, *roots()):
        assert first_start(local, "user", name, check=False).returncode == 1, name
    assert (local / "mosquitto" / "lamplighter.passwd").read_text().count("\n") == 1, "the gateway's line alone"


def test_certificates_are_renewed_by_the_same_authority(local: Path) -> None:
    before = files(local)
    first_start(local, "renew")
    after = files(local)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {
        "mosquitto/broker.crt",
        "mosquitto/broker.key",
        "lamplighter/console.crt",
        "lamplighter/console.key",
    }
    for service, name in (("mosquitto", "broker"), ("lamplighter", "console")):
        words = ["-CAfile", local / "lamplighter" / "ca.crt", "-purpose", "sslserver", local / service / f"{name}.crt"]
        for host in (["-verify_hostname", "watch.example"], ["-verify_ip", "10.0.0.9"]):
            done = subprocess.run(["openssl", "verify", *host, *words], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr


def test_a_name_that_is_none_is_refused(tmp_path: Path) -> None:
    done = first_start(tmp_path / "local", "watch example", check=False)
    assert done.returncode == 1
    assert "no host name" in done.stderr


@contextlib.contextmanager
def gateway(local: Path, data: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The container's command, from the Dockerfile and the compose file, with this machine's paths."""
    command = re.findall(r'^CMD \["run".*$', (DOCKER / "Dockerfile").read_text(), re.MULTILINE)
    [words] = [json.loads(line.removeprefix("CMD ")) for line in command]
    places = {"/site": str(local / "lamplighter"), "/data": str(data), "0.0.0.0": "127.0.0.1", "8443": str(port)}

    def here(word: str) -> str:
        for there, mine in places.items():
            if word == there or word.startswith(f"{there}/"):
                return word.replace(there, mine, 1)
        return word

    environment = {name: here(value) for name, value in COMPOSE["services"]["lamplighter"]["environment"].items()}
    log = data.with_suffix(".log")
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "api", *map(here, words)],
            stdout=out,
            stderr=out,
            cwd=ROOT,
            env={**os.environ, **environment},
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        finally:
            process.kill()


def healthy(local: Path, port: int, *, tls: bool = True) -> subprocess.CompletedProcess[str]:
    """The image's health check."""
    environment = {"PATH": os.environ["PATH"], "LAMPLIGHTER_PORT": str(port)}
    if tls:
        environment["LAMPLIGHTER_TLS_CERT"] = str(local / "lamplighter" / "console.crt")
    return subprocess.run(
        [sys.executable, DOCKER / "healthy.py"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.mosquitto
def test_two_commands_after_a_clone_a_tap_is_kept_and_acknowledged(local: Path, tmp_path: Path) -> None:
    """first-start, then what `compose up` starts: the broker's and the gateway's commands with the files as they are mounted."""
    password = add_user(local, "rdr-gate")
    broker = ShippedBroker("container.conf", local, tmp_path / "broker")
    site = local / "lamplighter" / "site.yaml"
    shipped = site.read_text(encoding="utf-8")
    assert "host: mosquitto, port: 8884" in shipped
    site.write_text(
        shipped.replace("host: mosquitto, port: 8884", f"host: localhost, port: {broker.ports[8884]}"), encoding="utf-8"
    )
    port = free_port()
    assert healthy(local, port).returncode == 1
    with broker.running(), gateway(local, tmp_path / "data", port) as process:
        until = time.monotonic() + 20
        while (found := healthy(local, port)).returncode:
            assert time.monotonic() < until, (found.stdout, (tmp_path / "data.log").read_text())
            assert process.poll() is None, (tmp_path / "data.log").read_text()
            time.sleep(0.1)
        assert found.stdout == "ready\n"
        trusted = ssl.create_default_context(cafile=local / "lamplighter" / "ca.crt")
        with urllib.request.urlopen(f"https://localhost:{port}/healthz", context=trusted, timeout=5) as answer:
            assert answer.status == 200
        with Client(broker, "rdr-gate", password) as reader:
            reader.subscribe("lamplighter/first/rdr-gate/down/#")
            tap = {"kind": "tag_read", "at": datetime.now(UTC).isoformat(), "tag": "007B3972", "boot": "1", "seq": 1}
            assert reader.publish("lamplighter/first/rdr-gate/up", json.dumps(tap).encode())
            reader.wait_for("lamplighter/first/rdr-gate/down/ack")
            assert json.loads(dict(reader.heard)["lamplighter/first/rdr-gate/down/ack"]) == {"boot": "1", "seq": 1}
        process.terminate()
        assert process.wait(10) == 0


def test_the_health_check_says_no_where_nothing_is(tmp_path: Path) -> None:
    done = healthy(tmp_path, free_port(), tls=False)
    assert done.returncode == 1
    assert "refused" in done.stdout


@pytest.mark.influxdb
@pytest.mark.slow
def test_influxdb_lets_the_gateway_write_and_grafana_read_and_neither_more(local: Path, tmp_path: Path) -> None:
    environment = COMPOSE["services"]["influxdb"]["environment"]
    org, bucket = (environment[f"DOCKER_INFLUXDB_INIT_{name}"] for name in ("ORG", "BUCKET"))
    with Influxd.bare(tmp_path) as server:
        setup = {"username": "admin", "org": org, "bucket": bucket}
        setup |= {
            "password": (local / "influxdb" / "password").read_text(),
            "token": (local / "influxdb" / "admin_token").read_text(),
        }
        httpx.post(f"{server.url}/api/v2/setup", json=setup).raise_for_status()
        first_start(local, "charts", "--influxdb", server.url)
        made = files(local)
        first_start(local, "charts", "--influxdb", server.url)
        assert files(local) == made

        # the site file with its last step done: what the README says to uncomment
        site = local / "lamplighter" / "site.yaml"
        site.write_text(site.read_text(encoding="utf-8").replace("# storage:", "storage:"), encoding="utf-8")
        from gateway.site.load import load_site

        influx = load_site(site)[0].storage.influx
        assert influx is not None
        assert (influx.url, influx.org, influx.bucket) == ("http://influxdb:8086", org, bucket)

        def write(token: str) -> int:
            answer = httpx.post(
                f"{server.url}/api/v2/write?org={org}&bucket={bucket}",
                headers={"Authorization": f"Token {token}"},
                content="m f=1",
            )
            return answer.status_code

        def read(token: str) -> tuple[int, bool]:
            flux = f'from(bucket: "{bucket}") |> range(start: -1h)'
            answer = httpx.post(
                f"{server.url}/api/v2/query?org={org}",
                headers={"Authorization": f"Token {token}", "Content-Type": "application/vnd.flux"},
                content=flux,
            )
            return answer.status_code, "_value" in answer.text

        grafana = (local / "grafana" / "influxdb_token").read_text()
        assert write(influx.token) == 204
        assert read(influx.token)[1] is False
        assert read(grafana) == (200, True)
        assert write(grafana) in (401, 403)
        for token in (influx.token, grafana):
            listed = httpx.get(f"{server.url}/api/v2/authorizations", headers={"Authorization": f"Token {token}"})
            assert listed.status_code in (401, 403) or listed.json()["authorizations"] == []
