"""The writer to InfluxDB 2: single requests, each answered before the next, so that nothing is lost in between.

What the answers mean (DESIGN.md, Storage): 204 done; 413 the batch is halved; 400, 406, 422 the refused points are found by
halving and handed back, the others are written; anything else (401, 403, 404, 429, 5xx, no answer, a redirect, a page that is
not InfluxDB's) keeps everything for later and says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol, cast

import aiohttp
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.domain.write_precision import WritePrecision
from influxdb_client.rest import ApiException

from gateway.errors import DeliveryError
from gateway.instants import instant
from gateway.outbox.line_protocol import line
from gateway.outbox.measurements import Point
from gateway.outbox.retry import asked_s
from gateway.outbox.telemetry import Rejection
from gateway.site.model import Influx

TIMEOUT_S = 30.0
"""For one whole request."""

_NANOSECONDS = cast("WritePrecision", WritePrecision.NS)
REFUSED = frozenset({400, 406, 422})
TOO_LARGE = 413

PROBLEMS: dict[int, str] = {
    401: "InfluxDB refuses our token (401): check `storage.telemetry.influxdb.token`",
    403: "InfluxDB's token may not write this bucket (403): give it write permission",
    404: "InfluxDB knows no such organisation or bucket (404): check `org` and `bucket`",
    429: "InfluxDB asks us to slow down (429)",
}
"""What people read on the console; other answers are told by their number and reason."""


class _Headers(Protocol):
    def get(self, name: str) -> str | None: ...


class InfluxWriter:
    """Writes to one bucket.

    Args:
        influx: address, organisation, bucket, token.
        timeout_s: for one whole request.
    """

    name = "influxdb"

    def __init__(self, influx: Influx, timeout_s: float = TIMEOUT_S) -> None:
        self._influx = influx
        self._timeout_ms = int(timeout_s * 1000)
        self._client: InfluxDBClientAsync | None = None

    async def write(self, points: Sequence[Point]) -> list[Rejection]:
        """Write all points; those refused for good are returned.

        Raises:
            DeliveryError: not now; give all of them again.
        """
        lines = [line(point) for point in points]
        rejections: list[Rejection] = []
        waiting = [(0, len(lines))]
        while waiting:
            since, until = waiting.pop()
            refusal = await self._request(lines[since:until])
            if refusal is None:
                continue
            if until - since == 1:
                rejections.append(Rejection(since, refusal))
            else:
                middle = (since + until) // 2
                waiting += [(middle, until), (since, middle)]
        return rejections

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()  # type: ignore[no-untyped-call]
            self._client = None

    async def _request(self, lines: Sequence[bytes]) -> str | None:
        """One request; None: written, else why these points are refused or too many."""
        influx = self._influx
        try:
            written = (
                await self._connected()
                .write_api()
                .write(bucket=influx.bucket, org=influx.org, record=b"\n".join(lines), write_precision=_NANOSECONDS)
            )
        except ApiException as error:
            return _refusal(error)
        except TimeoutError as error:
            raise DeliveryError(f"InfluxDB at {influx.url} does not answer") from error
        except (aiohttp.ClientError, OSError) as error:
            raise DeliveryError(f"InfluxDB at {influx.url} cannot be reached: {error}") from error
        if not written:
            raise DeliveryError(f"what answers at {influx.url} is not InfluxDB: it does not confirm a write with 204")
        return None

    def _connected(self) -> InfluxDBClientAsync:
        """The client; made inside the running loop, since it binds to it. Redirects would turn a write into a read."""
        if self._client is None:
            influx = self._influx
            self._client = InfluxDBClientAsync(
                influx.url, token=influx.token, org=influx.org, timeout=self._timeout_ms, allow_redirects=False
            )
        return self._client


def _refusal(error: ApiException) -> str:
    """Why these points are refused for good or too many at once.

    Raises:
        DeliveryError: they are not; they are to be kept.
    """
    status = int(error.status or 0)
    if status == TOO_LARGE:
        return "too large for the receiver (413)"
    said = str(getattr(error, "message", None) or error.reason or "")
    if status in REFUSED:
        return f"{said} ({status})"
    problem = PROBLEMS.get(status, f"InfluxDB answers {status} {said}".strip())
    raise DeliveryError(problem, retry_after_s=_asked_s(error.headers)) from error


def _asked_s(headers: _Headers | None) -> float | None:
    return asked_s(None if headers is None else headers.get("Retry-After"), instant(datetime.now(UTC)))
