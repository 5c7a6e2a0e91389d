"""The compose file, read as Compose reads it: what each container may do, who reaches whom, where secrets are. No daemon is needed."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from tests.deployment.first_start import DOCKER, ROOT

COMPOSE = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PINNED = re.compile(r"[\w./-]+:\d+\.\d+\.\d+(-[\w.-]+)?(@sha256:[0-9a-f]{64})?")


def test_the_services() -> None:
    assert set(SERVICES) == {"lamplighter", "mosquitto", "influxdb", "grafana"}
    assert {name for name, each in SERVICES.items() if each.get("profiles") == ["charts"]} == {"influxdb", "grafana"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_may_do_no_more_than_it_must(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"].split(":")[0] not in ("0", "root")
    assert service["pids_limit"] <= 256
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}
    assert service["restart"] == "unless-stopped"  # exit status 3 (the disk failed), too
    assert PINNED.fullmatch(service["image"])
    for mount in service["volumes"]:
        source, _, rest = mount.partition(":")
        assert source in COMPOSE["volumes"] or rest.endswith(":ro"), mount
    assert "/var/run/docker.sock" not in str(service)


def test_what_is_published_to_the_network_speaks_tls() -> None:
    published = {name: service.get("ports", []) for name, service in SERVICES.items()}
    assert published == {
        "lamplighter": ["8443:8443"],
        "mosquitto": ["8883:8883"],
        "influxdb": ["127.0.0.1:8086:8086"],
        "grafana": ["127.0.0.1:3000:3000"],
    }
    assert {"LAMPLIGHTER_TLS_CERT", "LAMPLIGHTER_TLS_KEY"} <= set(SERVICES["lamplighter"]["environment"])


def test_devices_do_not_reach_the_store_nor_the_store_the_broker() -> None:
    assert SERVICES["mosquitto"]["networks"] == ["devices"]
    assert SERVICES["influxdb"]["networks"] == SERVICES["grafana"]["networks"] == ["store"]
    assert set(SERVICES["lamplighter"]["networks"]) == {"devices", "store"} == set(COMPOSE["networks"])


def test_no_secret_stands_in_the_file_or_in_an_environment() -> None:
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            if re.search("PASSWORD|TOKEN|SECRET|KEY", key):
                assert value.startswith(("/run/", "/site/")), (name, key)


def test_whoever_is_waited_for_has_a_health_check() -> None:
    image_has = {"lamplighter"}  # the Dockerfile's
    for service in SERVICES.values():
        for other, how in service.get("depends_on", {}).items():
            assert how == {"condition": "service_healthy"}
            assert other in image_has or "healthcheck" in SERVICES[other]
    assert all("healthcheck" in each for name, each in SERVICES.items() if name not in image_has)


def test_a_stop_has_more_time_than_the_gateway_takes() -> None:
    assert SERVICES["lamplighter"]["stop_grace_period"] == "30s"  # test_stops.py: 10 s
    assert SERVICES["lamplighter"]["init"] is True


def test_compose_itself_takes_it() -> None:
    """Where the compose plugin is installed; it needs no daemon for that. Elsewhere the tests above are what there is."""
    for words in (["docker", "compose"], ["docker-compose"]):
        if (
            shutil.which(words[0])
            and subprocess.run([*words, "version"], capture_output=True, check=False).returncode == 0
        ):
            done = subprocess.run(
                [*words, "--file", DOCKER / "compose.yaml", "--profile", "charts", "config", "--quiet"],
                capture_output=True,
                text=True,
                check=False,
                cwd=ROOT,
            )
            assert done.returncode == 0, done.stderr
            return
    print("no compose here: not run")


def test_nothing_of_local_is_sent_to_the_builder_or_committed() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert "*" in ignored
    assert not any("local" in line for line in ignored if line.startswith("!"))
    assert "local/" in (DOCKER / ".gitignore").read_text().split()
