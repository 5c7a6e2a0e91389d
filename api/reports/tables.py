"""A report as tables with words: what print and Excel show, in one language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from api.console.languages import Language, say, word
from api.console.names import checkpoint_name, person_name, place_name, route_name, shift_name
from api.reports.document import AlertLine, Counts, Report, RoundLine, VisitLine
from gateway.alerts import wording
from gateway.alerts.catalogue import rule_of
from gateway.duty_checks.check import FINDINGS
from gateway.instants import told_s
from gateway.site.model import Site

Sort = Literal["text", "number", "percent", "time", "clock", "date"]
Cell = str | int | float | datetime | None


class Column(NamedTuple):
    """One column: its heading and what stands in it (`percent`: 0 to 1; `time`: with date; `clock`: without)."""

    heading: str
    sort: Sort = "text"


class Table(NamedTuple):
    """One table. `grave`: numbers of the rows that a reader must not overlook."""

    id: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    grave: frozenset[int] = frozenset()


class Reader(NamedTuple):
    """For whom the tables are: their language, and whether they may know people's names."""

    language: Language
    named: bool


def title(site: Site, report: Report, language: Language) -> str:
    """The report's heading: what it is and of when."""
    name = report.id.split(":")
    when = name[-1]
    what = say(language, f"report.kind.{report.kind}")
    shift = f" {shift_name(site, name[1])}" if report.kind == "shift" else ""
    return f"{site.name} {what}{shift} {when}"


def tables(site: Site, report: Report, reader: Reader) -> list[Table]:
    """All tables of a report, the summary first; those without rows are left out."""
    words = _Words(site, reader)
    found = [
        _summary(report, words),
        _rounds(report.rounds, words),
        _exceptions(report.exceptions, words),
        _gaps(report, words),
        _lamps(report, words),
        _cameras(report, words),
        _zones(report, words),
        _alerts("alerts", report.alerts, words),
        _alerts("standing", report.standing, words),
        _repairs(report.repairs, [*report.alerts, *report.standing], words),
        _checks(report.checks, words),
    ]
    return [table for table in found if table.rows]


class _Words:
    """Names and words for one reader."""

    def __init__(self, site: Site, reader: Reader) -> None:
        self.site = site
        self.language = reader.language
        self._named = reader.named

    def t(self, key: str, **values: object) -> str:
        return say(self.language, f"report.{key}", **values)

    def w(self, group: str, code: str) -> str:
        return word(self.language, group, code)

    def columns(self, *columns: str | tuple[str, Sort]) -> tuple[Column, ...]:
        pairs = ((each, "text") if isinstance(each, str) else each for each in columns)
        return tuple(Column(self.t(f"column.{key}"), sort) for key, sort in pairs)  # type: ignore[arg-type]

    def checkpoint(self, name: str) -> str:
        return checkpoint_name(self.site, name)

    def place(self, name: str | None) -> str:
        return place_name(self.site, name)

    def route(self, name: str) -> str:
        return route_name(self.site, name)

    def person(self, name: str | None) -> str:
        return person_name(self.site, name, named=self._named) or ""

    def people(self, names: Iterable[str]) -> str:
        return say(self.language, "list.comma").join(self.person(name) for name in names)

    def marks(self, marks: Iterable[str]) -> str:
        return say(self.language, "list.comma").join(self.w("mark", mark) for mark in marks)

    def subject(self, name: str) -> str:
        return wording.name(self.site, name, self.language)

    def finding(self, code: str) -> str:
        if code in FINDINGS:
            return FINDINGS[code][self.language == "en"]
        own = (check.findings[code] for check in self.site.duty_checks.values() if code in check.findings)
        return next(own, code)

    def message(self, line: AlertLine) -> str:
        """What an alert says; a report keeps it in the site's language."""
        if self.language == self.site.language or not line.details:
            return line.message
        return wording.message(self.site, line.rule, line.subject, line.details, self.language)

    def rule(self, name: str) -> str:
        row = rule_of(name)
        return row.title_zh if self.language == "zh_CN" else row.title_en


def _summary(report: Report, words: _Words) -> Table:
    visits = report.visits
    rounds = Counter(line.verdict for line in report.rounds)
    severities = Counter(line.severity for line in report.alerts)
    site_lamps = next((rate for rate in report.lamps if rate.id == report.site), None)
    site_cameras = next((rate for rate in report.cameras if rate.id == report.site), None)
    blind = sum(zone.blind_min for zone in report.zones)
    worst = max(report.gaps, key=lambda gap: gap.largest_s, default=None)
    rows: list[tuple[Cell, ...]] = [
        (words.t("sum.rounds"), len(report.rounds), _listed(rounds, "round", words)),
        (words.t("sum.visits"), visits.judged + visits.unverifiable, _counts(visits, words)),
        (words.t("sum.missed_rate"), _shown(visits.missed_rate), words.t("sum.missed_rate_of", judged=visits.judged)),
        (
            words.t("sum.largest_gap"),
            None if worst is None else _minutes(worst.largest_s),
            "" if worst is None else f"{words.checkpoint(worst.checkpoint)} {worst.window_start:%m-%d %H:%M}",
        ),
        (
            words.t("sum.lamps"),
            _shown(site_lamps.rate if site_lamps else None),
            _unknown(site_lamps.unknown_share if site_lamps else None, words),
        ),
        (
            words.t("sum.cameras"),
            _shown(site_cameras.rate if site_cameras else None),
            _unknown(site_cameras.unknown_share if site_cameras else None, words),
        ),
        (words.t("sum.blind"), round(blind), words.t("sum.zones", count=len(report.zones))),
        (words.t("sum.alerts"), len(report.alerts), _listed(severities, "severity", words)),
        (words.t("sum.standing"), len(report.standing), ""),
        (words.t("sum.repairs"), len(report.repairs), ""),
        (words.t("sum.checks"), len(report.checks), ""),
    ]
    return Table("summary", words.t("part.summary"), words.columns("what", ("value", "number"), "more"), tuple(rows))


def _rounds(lines: Sequence[RoundLine], words: _Words) -> Table:
    columns = words.columns(
        ("start", "time"), ("end", "clock"), "route", "verdict", ("on_time", "number"), ("early", "number"),
        ("late", "number"), ("missed", "number"), ("unverifiable", "number"), "people", "marks",
    )  # fmt: skip
    rows = tuple(
        (
            line.start, line.end, words.route(line.route), words.w("round", line.verdict), line.visits.on_time, line.visits.early,
            line.visits.late, line.visits.missed, line.visits.unverifiable, words.people(line.people),
            words.marks(line.marks),
        )
        for line in lines
    )  # fmt: skip
    grave = frozenset(number for number, line in enumerate(lines) if line.visits.missed)
    return Table("rounds", words.t("part.rounds"), columns, rows, grave)


def _exceptions(lines: Sequence[VisitLine], words: _Words) -> Table:
    columns = words.columns(
        ("due", "time"), "round", "checkpoint", "verdict", ("at", "time"), ("deviation_min", "number"), "person", "cause",
        "marks", ("revision", "number"),
    )  # fmt: skip
    rows = tuple(
        (
            line.due or line.opens, words.subject(line.round), words.checkpoint(line.checkpoint),
            words.w("verdict", line.verdict), line.at, None if line.deviation_s is None else _minutes(line.deviation_s),
            words.person(line.person), words.w("cause", line.cause) if line.cause else "", words.marks(line.marks),
            line.revision,
        )
        for line in lines
    )  # fmt: skip
    grave = frozenset(number for number, line in enumerate(lines) if line.verdict == "missed")
    return Table("exceptions", words.t("part.exceptions"), columns, rows, grave)


def _gaps(report: Report, words: _Words) -> Table:
    lines = sorted(report.gaps, key=lambda gap: (-gap.largest_s, gap.window_start, gap.checkpoint))[:50]
    columns = words.columns("checkpoint", ("window_start", "time"), ("largest_min", "number"), "exceeded")
    rows = tuple(
        (
            words.checkpoint(line.checkpoint), line.window_start, _minutes(line.largest_s),
            words.t("yes") if line.exceeded else words.t("no"),
        )
        for line in lines
    )  # fmt: skip
    grave = frozenset(number for number, line in enumerate(lines) if line.exceeded)
    return Table("gaps", words.t("part.gaps"), columns, rows, grave)


def _lamps(report: Report, words: _Words) -> Table:
    columns = words.columns(
        "place", ("lamps", "number"), ("rate", "percent"), ("unknown_share", "percent"), ("on_h", "number"),
        ("faulty_h", "number"), "level",
    )  # fmt: skip
    rows = tuple(
        (
            _set(rate.id, report, words), rate.lamps, _percent(rate.rate), _percent(rate.unknown_share),
            round(rate.on_h, 1), round(rate.faulty_h, 1), words.t("level", level=rate.level) if rate.level else "–",
        )
        for rate in report.lamps
    )  # fmt: skip
    return Table("lamps", words.t("part.lamps"), columns, rows)


def _cameras(report: Report, words: _Words) -> Table:
    columns = words.columns(
        "zone", ("cameras", "number"), ("rate", "percent"), ("unknown_share", "percent"), ("target", "percent"),
        "reached",
    )  # fmt: skip
    rows = tuple(
        (
            _set(rate.id, report, words), rate.cameras, _percent(rate.rate), _percent(rate.unknown_share), rate.target,
            "–" if rate.reached is None else words.t("yes") if rate.reached else words.t("no"),
        )
        for rate in report.cameras
    )  # fmt: skip
    return Table("cameras", words.t("part.cameras"), columns, rows)


def _zones(report: Report, words: _Words) -> Table:
    columns = words.columns(
        "zone",
        ("covered_min", "number"),
        ("degraded_min", "number"),
        ("blind_min", "number"),
        ("unknown_min", "number"),
    )
    rows = tuple(
        (
            words.subject(zone.id), round(zone.covered_min), round(zone.degraded_min), round(zone.blind_min),
            round(zone.unknown_min),
        )
        for zone in report.zones
    )  # fmt: skip
    grave = frozenset(number for number, zone in enumerate(report.zones) if zone.blind_min > 0)
    return Table("zones", words.t("part.zones"), columns, rows, grave)


def _alerts(part: str, lines: Sequence[AlertLine], words: _Words) -> Table:
    columns = words.columns(
        ("raised", "time"), "severity", "alert", "subject", "state", ("answered_min", "number"), ("ended", "time"),
        "message",
    )  # fmt: skip
    rows = tuple(
        (
            line.raised, words.w("severity", line.severity), words.rule(line.rule), words.subject(line.subject),
            words.t("exhausted") if line.exhausted else words.w("state", line.state),
            None if line.answered_s is None else _minutes(line.answered_s), line.ended, words.message(line),
        )
        for line in lines
    )  # fmt: skip
    grave = frozenset(number for number, line in enumerate(lines) if line.severity == "critical" or line.exhausted)
    return Table(part, words.t(f"part.{part}"), columns, rows, grave)


def _repairs(items: Sequence[Mapping[str, Any]], alerts: Sequence[AlertLine], words: _Words) -> Table:
    told = {line.id: words.message(line) for line in alerts}
    columns = words.columns(
        "number", ("reported", "time"), "urgency", "place", "what", "state", "person", ("arrived", "time"), "came_by",
        ("repaired", "time"), "proved_by", "punctual",
    )  # fmt: skip
    rows = tuple(
        (
            str(item["id"]), _when(item["reported"]), words.w("order.urgency", item["urgency"]), words.place(item["place"]),
            next((told[each] for each in item["alerts"] if each in told), item["what"] or ""),
            words.w("order.state", item["state"]), words.person(item["assignee"]),
            _when(_of(item["arrival"], "at")), _proof(item["arrival"], "tap", words), _when(_of(item["repair"], "at")),
            _proof(item["repair"], "sensor", words), words.w("order.punctual", item["punctual"]),
        )
        for item in items
    )  # fmt: skip
    grave = frozenset(
        number for number, item in enumerate(items) if item["punctual"] == "late" or _of(item["repair"], "contradicted")
    )
    return Table("repairs", words.t("part.repairs"), columns, rows, grave)


def _checks(items: Sequence[Mapping[str, Any]], words: _Words) -> Table:
    columns = words.columns(
        ("due", "time"), "post", "state", "checker", ("at", "time"), "guard", ("answered", "time"), "found"
    )
    rows = tuple(
        (
            _when(item["at"]), words.checkpoint(item["post"]), words.t(f"check.{item['state']}"), words.person(item["checker"]),
            _when(item["checker_at"]), words.person(item["guard"]), _when(item["guard_at"]),
            say(words.language, "list.comma").join(
                words.finding(found["code"]) for found in item["findings"] if found["withdrawn"] is None
            ),
        )
        for item in items
    )  # fmt: skip
    grave = frozenset(
        number for number, item in enumerate(items) if item["state"] in ("guard_absent", "checker_missed", "not_done")
    )
    return Table("checks", words.t("part.checks"), columns, rows, grave)


def _proof(said: Mapping[str, Any] | None, proved: str, words: _Words) -> str:
    if said is None:
        return ""
    if said.get("contradicted"):
        return words.w("order.proof", "contradicted")
    return words.w("order.proof", proved if said["proved"] is not None else "stated")


def _of(said: Mapping[str, Any] | None, key: str) -> Any:
    return None if said is None else said.get(key)


def _when(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _set(name: str | None, report: Report, words: _Words) -> str:
    if name == report.site:
        return words.t("whole_site")
    return words.t("no_place") if name is None else words.subject(name)


def _listed(counts: Mapping[str, int], group: str, words: _Words) -> str:
    return say(words.language, "list.comma").join(f"{words.w(group, code)} {count}" for code, count in counts.items())


def _counts(counts: Counts, words: _Words) -> str:
    return _listed(
        {name: count for name in counts.__struct_fields__ if (count := getattr(counts, name))}, "verdict", words
    )


def _percent(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _shown(value: float | None) -> str | None:
    return None if value is None else f"{value:.2%}"


def _minutes(seconds: float) -> float:
    """Minutes with one digit, rounded away from zero: what exceeds a limit of whole minutes reads as more than it."""
    tenths = -(-told_s(abs(seconds)) // 6)
    return (tenths if seconds >= 0 else -tenths) / 10


def _unknown(share: float | None, words: _Words) -> str:
    return "" if share is None else words.t("sum.unknown", share=f"{share:.1%}")
