"""kill -9 at every step of the way of an observation, and at random moments."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from tests.faults.estate import SECRET, Devices, site
from tests.faults.ledger import Ledger, judged_otherwise
from tests.faults.victim import Fault
from tests.support.gateway_process import GatewayProcess
from tests.support.mosquitto import Mosquitto

pytestmark = [pytest.mark.mosquitto, pytest.mark.slow]

SEED = 20261127
MOMENTS = int(os.environ.get("LAMPLIGHTER_FAULTS", "4"))

ON_THE_WAY = ("before commit", "after commit", "before acknowledge", "after acknowledge", "snapshot made")


@pytest.mark.parametrize("session", ["mqtt5", "paho"])
def test_killed_at_each_step_of_the_way(tmp_path: Path, session: str) -> None:
    chance = random.Random(SEED)
    ledger = Ledger()
    with Mosquitto(tmp_path) as broker:
        settings = {"host": broker.host, "port": broker.port, "session": session}
        with (
            GatewayProcess(tmp_path, site(settings), program="tests.faults.victim") as gateway,
            Devices(ledger, broker.host, broker.port) as devices,
        ):
            said = 0
            for step in ON_THE_WAY:
                nth = 1 if step == "snapshot made" else chance.randrange(20, 60)
                gateway.start(**SECRET, **Fault(step=step, nth=nth).environment())
                until = time.monotonic() + 20
                while gateway.process is not None and gateway.process.poll() is None and time.monotonic() < until:
                    devices.a_bit_of_everything(said)
                    said += 1
                    time.sleep(0.002)
                    if step == "snapshot made" and said % 500 == 0:
                        gateway.process.terminate()
                assert gateway.process is not None
                assert gateway.process.wait(20) == -9, f"it never came to {step!r}"
                assert ledger.broken(gateway.data / "journal.db") == []
            gateway.start()
            devices.settled()
            assert gateway.stop() == 0
        assert ledger.broken(gateway.data / "journal.db", caught_up=True) == []
        assert judged_otherwise(gateway.data / "journal.db", gateway.site_file) == []
