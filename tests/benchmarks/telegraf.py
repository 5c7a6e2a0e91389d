"""Telegraf as the peer, in its lossless configuration: acknowledged only when written, the session kept by the broker.

LAMPLIGHTER_TEST_SERVERS names the folder of its binary.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway.site.model import Influx
from tests.benchmarks.load import SITE
from tests.outbox.influxd import VARIABLE

CLIENT = "telegraf"

_CONFIG = """
[agent]
  omit_hostname = true
  metric_batch_size = {batch}
  metric_buffer_limit = 1000000
  flush_interval = "100ms"
  debug = true
[[inputs.mqtt_consumer]]
  servers = ["tcp://127.0.0.1:{port}"]
  topics = ["lamplighter/{site}/+/up"]
  qos = 1
  persistent_session = true
  client_id = "{client}"
  max_undelivered_messages = 10000
  data_format = "json"
  tag_keys = ["kind"]
  json_time_key = "at"
  json_time_format = "2006-01-02T15:04:05.999999Z07:00"
{output}
"""

_INFLUX = """
[[outputs.influxdb_v2]]
  urls = ["{url}"]
  token = "{token}"
  organization = "{org}"
  bucket = "{bucket}"
"""

_FILE = """
[[outputs.file]]
  files = ["{path}"]
  data_format = "influx"
"""

_WROTE = re.compile(rb"Wrote batch of (\d+) metrics")


def binary() -> Path | None:
    """Where Telegraf is, None if it is not there."""
    found = Path(os.environ.get(VARIABLE, "-")) / "telegraf"
    return found if found.exists() else None


def to_influx(influx: Influx) -> str:
    """The output section for a bucket."""
    return _INFLUX.format(url=influx.url, token=influx.token, org=influx.org, bucket=influx.bucket)


def to_file(path: Path) -> str:
    """The output section for a file."""
    return _FILE.format(path=path)


class Telegraf:
    """One Telegraf process; `written` tells how many metrics its output has taken."""

    def __init__(self, folder: Path, port: int, output: str, batch: int) -> None:
        program = binary()
        assert program is not None
        config = folder / "telegraf.conf"
        config.write_text(_CONFIG.format(batch=batch, port=port, site=SITE, client=CLIENT, output=output))
        self._log = folder / "telegraf.log"
        with self._log.open("ab") as log:
            self.process = subprocess.Popen([program, "--config", config], stdout=log, stderr=log)
        self._read = 0
        self._tail = b""
        self._written = 0

    def written(self) -> int:
        """Metrics written so far, by its own log."""
        with self._log.open("rb") as log:
            log.seek(self._read)
            data = log.read()
        self._read += len(data)
        lines, _, self._tail = (self._tail + data).rpartition(b"\n")
        self._written += sum(int(count) for count in _WROTE.findall(lines))
        return self._written

    def wait_written(self, count: int, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while self.written() < count:
            assert time.monotonic() < deadline, self._log.read_text(errors="replace")[-2000:]
            time.sleep(0.01)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
