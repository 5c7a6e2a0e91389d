"""1,000 cameras as SIPp plays them: a SIP implementation that is not ours, so that ours is not only right to itself."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest

from device_drivers.driver import DeviceSettings, Reading
from device_drivers.gb28181.registrar import Registrar
from gateway.links.call_link import CallLink
from tests.links.recorder import Recorder, running

SIPP = shutil.which("sipp")
pytestmark = pytest.mark.skipif(SIPP is None, reason="sipp is not installed (Debian: sip-tester)")

SCENARIO = Path(__file__).with_name("gb28181_camera.sipp.xml")
CAMERAS = 1000
PASSWORD = "estate-2026"


@pytest.mark.parametrize("transport", ["u1", "t1"], ids=["udp", "tcp"])
async def test_a_thousand_cameras_of_sipp_register_live_and_go(transport: str, tmp_path: Path) -> None:
    ids = [f"3402000000132{number:07d}" for number in range(CAMERAS)]
    (tmp_path / "cameras.csv").write_text(
        "SEQUENTIAL\n" + "".join(f"{each};[authentication username={each} password={PASSWORD}]\n" for each in ids)
    )
    devices = [DeviceSettings(id=each, kind="camera", device_id=each) for each in ids]
    told = Recorder()
    link = CallLink("gb28181", ("127.0.0.1", 0), Registrar(devices, {"password": PASSWORD}), ids, told)
    async with running(link):
        await told.until_up()
        words = ["-sf", str(SCENARIO), "-inf", str(tmp_path / "cameras.csv"), "-t", transport, "-i", "127.0.0.1"]
        words += ["-m", str(CAMERAS), "-r", "250", "-l", str(CAMERAS), "-nostdin", "-timeout", "60s"]
        process = await asyncio.create_subprocess_exec(
            str(SIPP),
            f"127.0.0.1:{link.port}",
            *words,
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(), 90)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert process.returncode == 0, output.decode(errors="replace")[-3000:]
    said: dict[str, list[Any]] = {}
    for _, reading in told.readings:
        assert isinstance(reading, Reading), reading
        one: Any = reading.observation
        said.setdefault(one.device, []).append(getattr(one, "online", getattr(one, "status", None)))
    assert len(said) == CAMERAS
    assert {tuple(each) for each in said.values()} == {(True, "ok", "ok", "ok", False)}
