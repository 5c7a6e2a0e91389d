"""Fuzzing of everything that reads what others wrote: `python -m tests.faults.fuzz TARGET|all|list [-max_total_time=SECONDS …]`.

Atheris mutates inputs towards code not yet run (options with one dash are libFuzzer's). A failure is an exception that the reader's
contract does not name, more than `LONGEST_S` of processor time or `MOST_KIB` more memory for one input; the input is then kept in
`LAMPLIGHTER_FUZZ_FOLDER` (else a folder of the system for temporary files), and the status is not 0. `python -m tests.faults.fuzz TARGET FILE`
does one input again. `all` shares the time among all targets; what one run found worth keeping, the next begins with.
"""

from __future__ import annotations

import asyncio
import io
import os
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

LONGEST_S = 1.0
MOST_KIB = 100 * 1024
LONGEST_INPUT = 8192
DEFAULT_S = 600
SHARES = {"site": 4, "evidence": 3, "http": 4, "workbooks": 2, "driver-patrol_export": 2}
"""Of the time of `all`: slow ones have more than one."""
FOLDER = "LAMPLIGHTER_FUZZ_FOLDER"
ROOT = Path(__file__).parents[2]
RECEIVED = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


class Target(NamedTuple):
    """Something that reads.

    Args:
        read: takes one input; raises nothing that is not a mistake of ours.
        seeds: inputs to begin with.
        close: gives back what it holds.
    """

    read: Callable[[bytes], None]
    seeds: list[bytes]
    close: Callable[[], None] = lambda: None


class Costly(Exception):  # noqa: N818
    """One input took too long or too much."""


def measured(read: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """The same, with bounds on time and memory."""

    def bounded(data: bytes) -> None:
        begun, most = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        read(data)
        took = time.process_time() - begun
        if took > LONGEST_S:
            raise Costly(f"{took:.1f} s for {len(data)} bytes")
        more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - most
        if more > MOST_KIB:
            raise Costly(f"{more} KiB for {len(data)} bytes")

    return bounded


def _refused(reason: str) -> None:
    if not reason:
        raise AssertionError("refused, and nobody is told why")


# Drivers. The first byte says which recorded device reads.


def _driver(name: str) -> Target:
    from device_drivers.catalogue import DRIVERS
    from device_drivers.driver import Reading, Reject
    from device_drivers.errors import DecodeError
    from tests.drivers.test_cases import CASES, SITE, data, load
    from tests.drivers.test_mutations import entry, pieces

    driver = DRIVERS[name]
    near = [path for path in CASES if name in path.read_text(encoding="utf-8")]  # reading them all takes seconds
    cases = [case for path in near if (case := load(path))["driver"] == name]
    steps = [(case, step) for case in cases for step in case["feed"]]
    entries = [entry(driver, case) for case, _ in steps]

    def messages(octets: bytes) -> None:
        which = octets[0] % len(steps)
        step = steps[which][1]
        assert driver.message_decoder is not None
        decoder = driver.message_decoder(SITE, entries[which])
        for payload in octets[1:].split(
            b"\xff\x00\xff\x00"
        ):  # one after the other: what is kept between two is read, too
            try:
                decoder.decode(step.get("topic", ""), payload, RECEIVED, retained=step.get("retained", False))
            except DecodeError as error:
                _refused(error.reason)

    def stream(octets: bytes) -> None:
        assert driver.stream_decoder is not None
        decoder = driver.stream_decoder(entries[octets[0] % len(steps)])
        now, found = RECEIVED, []
        for piece in pieces(octets[1:], octets[0]):
            now += timedelta(milliseconds=10)
            found += decoder.feed(piece, now)
        found += decoder.feed(b"", now + timedelta(seconds=5))
        found += decoder.reset()
        assert all(isinstance(each, (Reading, Reject)) for each in found)

    def files(octets: bytes) -> None:
        which = octets[0] % len(steps)
        assert driver.file_decoder is not None
        try:
            driver.file_decoder(entries[which]).read(octets[1:], steps[which][1].get("name", ""), RECEIVED)
        except DecodeError as error:
            _refused(error.reason)

    read = messages if driver.message_decoder else stream if driver.stream_decoder else files
    seeds = [bytes([number % 256]) + data(step) for number, (_, step) in enumerate(steps) if number < 256]
    return Target(lambda octets: read(octets) if octets else None, seeds)


def _workbooks() -> Target:
    """Excel files: what is mutated is a sheet, not the archive's bytes, that would hardly ever be an archive any more."""
    import openpyxl

    from device_drivers.errors import DecodeError
    from device_drivers.patrol_export.workbooks import read_xlsx

    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.append(["Time", "Checkpoint", "Card"])
    book.active.append([datetime(2026, 1, 1, 12), "Gate", "007B3972"])
    made = io.BytesIO()
    book.save(made)
    with zipfile.ZipFile(made) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    names = sorted(parts)

    def read(octets: bytes) -> None:
        if not octets:
            return
        changed = names[octets[0] % len(names)]
        written = io.BytesIO()
        with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in names:
                archive.writestr(name, octets[1:] if name == changed else parts[name])
        try:
            read_xlsx(written.getvalue())
        except DecodeError as error:
            _refused(error.reason)

    return Target(read, [bytes([number]) + parts[name] for number, name in enumerate(names)])


# Files and hand-overs


def _site() -> Target:
    from gateway.errors import ConfigError
    from gateway.site.load import load_site

    folder = tempfile.TemporaryDirectory(prefix="lamplighter-fuzz-site-")
    path = Path(folder.name) / "site.yaml"

    def read(octets: bytes) -> None:
        path.write_bytes(octets)
        try:
            load_site(path, secrets=False)
        except ConfigError as error:
            _refused(str(error))

    files = [*sorted((ROOT / "config").glob("*.yaml")), *sorted((ROOT / "tests/replay/cases").glob("*/site.yaml"))]
    return Target(read, [data for file in files if len(data := file.read_bytes()) <= LONGEST_INPUT], folder.cleanup)


def _evidence() -> Target:
    from gateway.evidence import read_evidence

    def read(octets: bytes) -> None:
        evidence = read_evidence(io.BytesIO(octets), 4)  # four lines a piece: longer files go to the disk
        for _ in evidence.lines():
            pass
        assert all(line.reason for line in evidence.rejected)

    files = sorted((ROOT / "tests/replay/cases").glob("*/evidence.jsonl"))
    return Target(read, [data for file in files if len(data := file.read_bytes()) <= LONGEST_INPUT])


def _phone() -> Target:
    from device_drivers.errors import DecodeError
    from device_drivers.phone.decoder import PhoneDecoder
    from device_drivers.phone.device import PhoneQueue
    from device_drivers.phone.handover import read_handover

    queue = PhoneQueue("q1")
    queue.tap(RECEIVED, "04A1B2C3D40001")
    queue.link(RECEIVED, "https://watch.example/t/pump?x=1", "nfc")
    seeds = [queue.hand_over(RECEIVED)]

    def read(octets: bytes) -> None:
        try:
            found = PhoneDecoder("phone-1", "g").read(read_handover(octets))
        except DecodeError as error:
            _refused(error.reason)
        else:
            assert all(reject.reason for reject in found.rejects)

    return Target(read, seeds)


# Bodies of HTTP requests, through the whole application. The first byte says to which route.


class _Office:
    """A real gateway and its application, with an administrator at a browser; its clock goes on by a second a request."""

    def __init__(self) -> None:
        from tests.phone.night import night

        self._loop = asyncio.new_event_loop()
        self._folder = tempfile.TemporaryDirectory(prefix="lamplighter-fuzz-night-")
        self._night = night(Path(self._folder.name))
        self.on = self._loop.run_until_complete(self._night.__aenter__())
        self._browser = self.on.phone("g-wang", "admin")
        self._phone = self._loop.run_until_complete(self._browser.__aenter__())

    def close(self) -> None:
        self._loop.run_until_complete(self._browser.__aexit__(None, None, None))
        self._loop.run_until_complete(self._night.__aexit__(None, None, None))
        self._loop.close()
        self._folder.cleanup()

    def ask(self, method: str, path: str, body: bytes, sort: str) -> None:
        self._loop.run_until_complete(self._ask(method, path, body, sort))

    async def _ask(self, method: str, path: str, body: bytes, sort: str) -> None:
        self.on.clock.time += timedelta(seconds=1)
        for _ in range(2):
            answer = await self._phone.client.request(method, path, content=body, headers={"Content-Type": sort})
            if answer.status_code != 401:
                break
            await self._phone.log_in("g-wang", "admin")
        assert answer.status_code < 500, (method, path, answer.status_code, answer.text[:300])


def _http() -> Target:
    from tests.api.test_hostile_bodies import filled, routes

    office = _Office()
    asked = [
        (method, filled(route.path, "1"))
        for route in routes(office.on.app)
        for method in sorted(route.methods - {"GET", "HEAD"})
    ]
    forms = ("/login", "/setup", "/logout")

    def read(octets: bytes) -> None:
        if not octets:
            return
        method, path = asked[octets[0] % len(asked)]
        form = path.startswith(forms)
        office.ask(method, path, octets[1:], "application/x-www-form-urlencoded" if form else "application/json")

    bodies = (
        b'{"reason":"a","text":"b","until":"2026-11-26T00:00:00Z","name":"c","rows":[1]}',
        b"name=a&password=b&token=c&pin=1234",
        b'{"tag":"04A1B2C3D40009","person":"g-wang"}',
    )
    return Target(read, [bytes([number]) + body for number in range(len(asked)) for body in bodies], office.close)


def _targets() -> Mapping[str, Callable[[], Target]]:
    from device_drivers.catalogue import DRIVERS

    made: dict[str, Callable[[], Target]] = {
        "site": _site,
        "evidence": _evidence,
        "phone": _phone,
        "http": _http,
        "workbooks": _workbooks,
    }
    return made | {f"driver-{name}": (lambda name=name: _driver(name)) for name in DRIVERS}  # type: ignore[misc]


def names() -> list[str]:
    """All targets."""
    return list(_targets())


def target(name: str) -> Target:
    """One of them, made.

    Raises:
        KeyError: there is none of this name.
    """
    return _targets()[name]()


def _fuzz(name: str, options: Iterable[str]) -> None:
    """Never returns: libFuzzer ends the process.

    Raises:
        SystemExit: there is no such target.
    """
    import atheris  # not a dependency of the gateway or of `make test`: requirements-nightly.lock

    with atheris.instrument_imports(include=["gateway", "device_drivers", "api"], enable_loader_override=False):
        targets = _targets()  # nothing that is fuzzed may have been imported before
        if name not in targets:
            raise SystemExit(f"no target {name!r}; `list` names them")
        made = targets[name]()
    folder = _folder()
    corpus, seeds = folder / "corpus" / name, folder / "seeds" / name
    for each in (corpus, seeds):
        each.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(made.seeds):
        (seeds / f"{number:04}").write_bytes(seed)
    given = list(options)
    files = [each for each in given if not each.startswith("-")]
    limits = [f"-max_len={LONGEST_INPUT}", "-rss_limit_mb=1024", "-timeout=30", f"-artifact_prefix={folder}/{name}-"]
    where = files or [str(corpus), str(seeds)]
    words = [sys.argv[0], *limits, *(each for each in given if each.startswith("-")), *where]
    atheris.Setup(words, measured(made.read))
    atheris.Fuzz()


def _folder() -> Path:
    """Where inputs are kept."""
    return Path(os.environ.get(FOLDER) or Path(tempfile.gettempdir()) / "lamplighter-fuzz")


def _all(options: list[str]) -> int:
    """Each target in a process of its own. Gives 1 if one failed."""
    every = names()
    told = [each for each in options if each.startswith("-max_total_time=")]
    total = int(told[-1].partition("=")[2]) if told else DEFAULT_S
    share_s = total / sum(SHARES.get(name, 1) for name in every)
    failed = []
    for name in every:
        each_s = max(1, int(share_s * SHARES.get(name, 1)))
        words = [sys.executable, "-m", "tests.faults.fuzz", name, *options, f"-max_total_time={each_s}"]
        with tempfile.TemporaryDirectory(
            prefix="lamplighter-fuzz-"
        ) as temporary:  # libFuzzer's end lets nobody tidy up
            ours = {**os.environ, FOLDER: str(_folder()), "TMPDIR": temporary}
            done = subprocess.run(
                words, cwd=ROOT, env=ours, capture_output=True, text=True, errors="replace", check=False
            )
        said = done.stderr.strip().splitlines()
        runs = next((line for line in reversed(said) if line.startswith(("Done ", "stat::"))), said[-1] if said else "")
        print(f"{name}: {'failed' if done.returncode else 'ok'}: {runs}", flush=True)
        if done.returncode:
            failed.append(name)
            print(done.stdout[-6000:] + done.stderr[-3000:], flush=True)
    print(f"{len(every) - len(failed)} of {len(every)} targets held" + "".join(f"; {n} did not" for n in failed))
    return 1 if failed else 0


def main(words: list[str]) -> int:
    """The command."""
    match words:
        case ["list"]:
            print("\n".join(names()))
            return 0
        case ["all", *options]:
            return _all(options)
        case [name, *options]:
            _fuzz(name, options)
            return 0
        case _:
            print(__doc__, file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
