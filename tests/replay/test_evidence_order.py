"""An evidence file is the same whatever its order and length: pieces on disk give what sorting it at once gives."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_drivers.native.decoder import read_observation
from gateway.evidence import HEARD, Evidence, Line, read_evidence
from gateway.instants import DAY, instant
from gateway.judgement import Judgement
from gateway.orderly import Lines
from gateway.replay import replay, replay_lines
from gateway.site.load import load_site
from gateway.site.model import Site

START = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
CASES = Path(__file__).parent / "cases"


def written(seconds: int, zone: int) -> str:
    """One instant, in one of several ways to write it."""
    text = (START + timedelta(seconds=seconds, hours=zone)).replace(tzinfo=None).isoformat()
    return text + ("Z" if zone == 0 else f"+{zone:02}:00")


numbered = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["light_level"]),
        "device": st.sampled_from(["a", "b"]),
        "at": st.builds(written, st.integers(0, 3), st.sampled_from([0, 8])),
        "boot": st.just("x"),
        "seq": st.integers(0, 3),
        "lux": st.sampled_from([0, 0.0, -0.0, 2]),
    },
    optional={
        "received": st.builds(written, st.integers(0, 6) | st.just(8 * 86_400), st.sampled_from([0, 8])),
        "note": st.sampled_from(["n", "m"]),
    },
)
unnumbered = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["motion", "panic"]),
        "device": st.sampled_from(["a", "b"]),
        "at": st.builds(written, st.integers(0, 3), st.sampled_from([0, 8])),
    },
    optional={
        "received": st.builds(written, st.integers(0, 6), st.sampled_from([0, 8])),
        "active": st.booleans(),
        "note": st.sampled_from(["n", 1]),
    },
)
controls = st.fixed_dictionaries(
    {"kind": st.sampled_from(["advance", "restart"]), "at": st.builds(written, st.integers(0, 6), st.just(0))}
)
wrong = st.sampled_from([b"", b"{", b'{"kind":"light_level"}', b'{"kind":"motion","at":"2026-11-23T14:00:00Z"}'])
lines = st.lists((numbered | unnumbered | controls).map(lambda each: json.dumps(each).encode()) | wrong, max_size=30)


def content(text: bytes) -> dict[str, Any]:
    """What a line says, by the definition: everything but `received`, times as instants."""
    observation = read_observation(text)
    said = json.loads(text) | {name: getattr(observation, name) for name in observation.__struct_fields__}
    del said["received"]
    return said


def by_definition(texts: list[bytes]) -> tuple[list[tuple[int, bytes, bool]], list[dict[str, Any]]]:
    """Every line with whether it counts, and the conflicts: found by comparing each line with each other."""
    heard: list[tuple[int, bytes]] = []
    for text in texts:
        try:
            observation = read_observation(text)
        except Exception:  # noqa: BLE001 - what cannot be read is looked at elsewhere
            continue
        if observation.device:
            heard.append((instant(observation.received or observation.at), text))
    heard.sort()
    kept: list[tuple[int, bytes, dict[str, Any]]] = []
    found, conflicts = [], []
    for received, text in heard:
        said = content(text)
        key = ("device", "boot", "seq") if said["seq"] is not None else tuple(said)
        same = [
            each
            for each in kept
            if all(each[2].get(name) == said[name] for name in key)
            and (said["seq"] is not None or each[2].keys() == said.keys())
        ]
        found.append((received, text, not same))
        told = [other for _, _, other in same]
        if same and said["seq"] is not None and said not in told:
            conflicts.append(
                {"device": said["device"], "boot": said["boot"], "seq": said["seq"], "other": msgspec.Raw(text)}
            )
        if not same or said not in told:
            kept.append((received, text, said))
    return sorted(found), conflicts


def heard(evidence: Evidence) -> list[tuple[int, bytes, bool]]:
    return sorted((line[0], line[3], line[5] is not None) for line in evidence.lines() if line[1] == HEARD)


@settings(max_examples=400, deadline=None)
@given(lines, st.integers(1, 8))
def test_pieces_on_disk_give_what_comparing_every_line_with_every_other_gives(texts, piece):
    evidence = read_evidence(texts, piece)
    found, conflicts = by_definition(texts)
    assert heard(evidence) == found
    told = [{name: each[name] for name in ("device", "boot", "seq", "other")} for each in evidence.conflicting]
    assert told == conflicts


@settings(max_examples=400, deadline=None)
@given(lines, st.integers(1, 8), st.randoms(use_true_random=False))
def test_neither_pieces_nor_order_change_what_is_judged(texts, piece, chance):
    whole = read_evidence(texts)
    shuffled = list(texts)
    chance.shuffle(shuffled)
    other = read_evidence(shuffled, piece)
    ordered = list(whole.lines())
    assert [(*line[:4], line[5]) for line in other.lines()] == [(*line[:4], line[5]) for line in ordered]
    assert (other.first, other.last, other.dated) == (whole.first, whole.last, whole.dated)
    assert msgspec.json.encode(other.conflicting) == msgspec.json.encode(whole.conflicting)
    assert sorted(each.reason for each in other.rejected) == sorted(each.reason for each in whole.rejected)
    assert [line[:4] for line in ordered] == sorted(line[:4] for line in ordered)
    counting = [line for line in ordered if line[1] == HEARD and line[5] is not None]
    dated = [at for received, _, at, *_ in counting if at >= received - 7 * DAY]
    assert whole.dated == min(dated, default=None)


@pytest.mark.parametrize("name", ["any-order", "conflict", "conflict-order", "bom", "advance-only", "blip"])
def test_a_file_longer_than_a_piece_is_judged_as_a_short_one(name):
    site, _ = load_site(CASES / name / "site.yaml", secrets=False)
    with (CASES / name / "evidence.jsonl").open("rb") as file:
        texts = list(file)
    short, long = (replay(site, read_evidence(texts, piece)) for piece in (1 << 16, 2))
    assert msgspec.json.encode(long) == msgspec.json.encode(short)


def by_receipt(text: bytes) -> tuple[datetime, int]:
    """Roughly the order in which a gateway writes: what cannot be read anywhere, controls beside what is heard."""
    try:
        said = json.loads(text)
        return datetime.fromisoformat(said.get("received", said["at"])), 0
    except (ValueError, KeyError):
        return START, 1


def repeated_only_near(texts: list[bytes]) -> list[bytes]:
    """Each device counts on, so that hardly anything is a repeat."""
    counts: dict[str, int] = {}
    found = []
    for text in texts:
        said = json.loads(text) if text.startswith(b'{"') and text.endswith(b"}") else {}
        if "seq" in said:
            counts[said["device"]] = said["seq"] = counts.get(said["device"], 0) + 1
        found.append(json.dumps(said).encode() if "seq" in said else text)
    return found


SITE = load_site(CASES / "any-order" / "site.yaml", secrets=False)[0]


def judged(give: Callable[[], Any]) -> Any:
    """What is given, and what the judge was told for it: from when on, and each line."""
    told: list[Any] = []

    def judge_from(site: Site, first: int, since: int) -> Judgement:
        told[:] = [(first, since)]
        return Judgement(site, first)

    def judge(_judgement: Judgement, lines: Iterable[Line], _first: int) -> None:
        told.extend((*line[:4], line[5]) for line in lines)

    with patch.multiple("gateway.replay", _judge_from=judge_from, _judge=judge):
        given = give()
    return told, given


@settings(max_examples=600, deadline=None)
@given(lines, st.booleans(), st.booleans(), st.sampled_from([None, instant(START) + 2_000_000]))
def test_what_is_judged_while_it_is_read_is_what_is_judged_once_it_is_sorted(texts, ordered, counted, since):
    if ordered:
        texts = sorted(texts, key=by_receipt)
    if counted:
        texts = repeated_only_near(texts)
    texts = [text + b"\n" for text in texts]
    evidence = read_evidence(texts)
    told, document = judged(lambda: replay(SITE, evidence, since=since))
    for source in (texts, iter(texts), io.BytesIO(b"".join(texts))):
        told_of_these, found = judged(lambda source=source: replay_lines(SITE, source, since=since))
        assert told_of_these == told
        assert msgspec.json.encode(found.document) == msgspec.json.encode(document)
        assert found.rejected == evidence.rejected


def test_a_file_in_order_is_not_sorted():
    texts = []
    for second in range(100):
        at = (START + timedelta(seconds=second)).isoformat()
        texts.append(f'{{"kind":"motion","device":"a","at":"{at}","active":true}}'.encode())
        texts += [
            f'{{"kind":"light_level","device":"{name}","at":"{at}","boot":"x","seq":{second},"lux":1}}'.encode()
            for name in "cb"
        ]
        texts.append(f'{{"kind":"advance","at":"{at}"}}'.encode())
    whole = replay(SITE, read_evidence(texts))
    with patch("gateway.replay.read_evidence", side_effect=AssertionError):
        found = replay_lines(SITE, iter(texts))
    assert msgspec.json.encode(found.document) == msgspec.json.encode(whole)


def test_evidence_of_an_earlier_day_begins_the_document_there():
    """It is 6 days old when it is received: only then is known when the file begins."""
    old = (START - timedelta(days=6)).isoformat()
    at, then = START.isoformat(), (START + timedelta(seconds=1)).isoformat()
    texts = [
        f'{{"kind":"motion","device":"a","at":"{at}","active":true}}'.encode(),
        f'{{"kind":"motion","device":"b","at":"{old}","received":"{then}","active":true}}'.encode(),
    ]
    found = replay_lines(SITE, iter(texts))
    assert msgspec.json.encode(found.document) == msgspec.json.encode(replay(SITE, read_evidence(texts)))


def test_lines_given_once_are_all_there_when_they_are_asked_for_again():
    texts = [b"%d\n" % number for number in range(10_000)]
    lines = Lines(iter(texts))
    begun = iter(lines.once())
    assert [next(begun) for _ in range(5000)] == texts[:5000]
    assert list(lines.again()) == texts
