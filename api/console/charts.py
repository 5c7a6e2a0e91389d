"""Charts as SVG made by the server: lines, bars, bands, heat maps, each a figure with the same figures as a table behind it.

Pure functions: what is drawn comes in, markup goes out. Across everything is in percent of the drawing and down in rem, so
that a chart fits any width without distorting letters. No style stands in the markup (the content policy forbids it): a
`Tone` is a class, and `static/charts.css`, which the page links, gives it a colour. Each tone has a pattern of its own too,
since colour is never the only sign.

    line_chart(caption, [Line("照度", "lamp", points)], begin=…, end=…, zone=…, unit="lx", levels=[Level(20, "20 lx")])
    bar_chart(caption, [Bar("11-25", (Part(35, "bad", "盲区"), Part(5, "unknown", "未知")))], unit="min")
    band_chart(caption, [Row("z-garage", (Stretch(begin, end, "bad", "盲区 01:10–01:45"),))], begin=…, end=…, zone=…)
    heat_map(caption, ["22", "23", "00"], [HeatRow("大堂", (Cell(3, "22 点 3 次"), Cell(0, "…"), Cell(None, "未知")))])
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, tzinfo
from hashlib import blake2b
from typing import Literal, NamedTuple

from markupsafe import Markup

from gateway.instants import DAY, HOUR, MINUTE, Duration, Instant, instant, moment

Tone = Literal["ok", "lamp", "info", "warn", "bad", "unknown", "off", "none"]
"""`ok`, `lamp`, `info` plain; `warn` with upright lines, `bad` with slanted ones, `unknown` with dots; `off` dark, `none` empty."""

HEAT_STEPS = 5
"""Shades of a heat map above zero."""

_GUTTER = 22.0
"""Percent of the width that the names of rows have."""
_MOST_TICKS = 8
_STEPS: tuple[Duration, ...] = (
    10 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    14 * DAY,
)
_NICE = (1, 2, 2.5, 5, 10)
_PLOT_REM = 9.0
_ROW_REM = 1.7
_AXIS_REM = 1.5
_LABEL_REM = 1.1
_MANY_BARS = 10
"""More than so many bars name every second one only, where the chart is narrow."""
_PHONE_LETTERS = 24
"""So many (Chinese) letters stand beside each other below a chart on a phone."""
_TALL = 1000
"""Units of a plot's own coordinates, both ways."""


class Caption(NamedTuple):
    """What a chart says in words.

    `title` heads it; `says` is its message for whoever does not see it; `table` is the word on the fold with the table, `head`
    the table's column headings.
    """

    title: str
    says: str
    table: str
    head: Sequence[str]


class Line(NamedTuple):
    """One quantity over time, in order; a value of None breaks the line (nothing is known there)."""

    label: str
    tone: Tone
    points: Sequence[tuple[Instant, float | None]]


class Level(NamedTuple):
    """A threshold across a line chart or a bar chart."""

    value: float
    label: str


class Stretch(NamedTuple):
    """What was so in [`begin`, `end`); `says` in words, with the times where they matter."""

    begin: Instant
    end: Instant
    tone: Tone
    says: str


class Row(NamedTuple):
    """One row of a band chart, or a strip below a line chart; `href` makes its name a link."""

    label: str
    stretches: Sequence[Stretch]
    href: str | None = None


class Part(NamedTuple):
    """One part of a bar, from below upwards."""

    value: float
    tone: Tone
    label: str


class Bar(NamedTuple):
    """One bar. `says`: its value in words, where it is not the sum of its parts; no parts: nobody can say."""

    label: str
    parts: Sequence[Part]
    says: str | None = None


class Cell(NamedTuple):
    """One field of a heat map; None: nobody can say."""

    value: float | None
    says: str


class HeatRow(NamedTuple):
    """One row of a heat map, a cell a column; `href` makes its name a link."""

    label: str
    cells: Sequence[Cell]
    href: str | None = None


def line_chart(
    caption: Caption,
    lines: Sequence[Line],
    *,
    begin: Instant,
    end: Instant,
    zone: tzinfo,
    unit: str,
    most: float | None = None,
    levels: Sequence[Level] = (),
    strips: Sequence[Row] = (),
) -> Markup:
    """Quantities of one unit over [`begin`, `end`), with thresholds, and below them strips of what was so at the time.

    The scale begins at 0 and ends at the greatest value, or at `most` if that is less: what lies above runs along its top. Table: one
    row a time at which something was measured.
    """
    values = [value for line in lines for _, value in line.points if value is not None]
    greatest = max([*values, *(level.value for level in levels)], default=1.0)
    top, step = _scale(greatest if most is None else min(greatest, most))
    span = max(end - begin, 1)
    key = _key(caption)
    drawn = [_grid(top, step), _ticks(begin, end, zone, _PLOT_REM)]
    plot = Markup('<svg y="0" width="100%" height="{}rem" viewBox="0 0 {} {}" preserveAspectRatio="none">{}</svg>')
    drawn.append(
        plot.format(
            _PLOT_REM, _TALL, _TALL, Markup().join(_polyline(line, begin, span, top) for line in lines if line.points)
        )
    )
    drawn += [*_levels(levels, top), _grid_names(top, step, unit)]
    y = _PLOT_REM + _AXIS_REM
    for strip in strips:
        drawn.append(Markup('<text class="row-name" x="0" y="{}rem">{}</text>').format(_n(y + 0.85), strip.label))
        drawn.append(_stretches(key, strip.stretches, begin, span, 0, y + _LABEL_REM, 0.9))
        y += _LABEL_REM + 1.2
    table = _line_rows(lines, zone)
    legend = [(line.label, line.tone) for line in lines] if len(lines) > 1 else []
    return _figure(caption, key, _svg(caption, key, drawn, y), table, legend)


def bar_chart(
    caption: Caption,
    bars: Sequence[Bar],
    *,
    unit: str,
    most: float | None = None,
    levels: Sequence[Level] = (),
    names: Sequence[tuple[str, Tone]] = (),
) -> Markup:
    """Stacked bars side by side.

    Args:
        caption: its words.
        bars: from left to right.
        unit: of the values.
        most: the top of the scale (100 for percent); None: what the highest bar needs.
        levels: thresholds.
        names: the legend; empty: none is needed.
    """
    sums = [sum(part.value for part in bar.parts) for bar in bars]
    top, step = (most, most / 4) if most else _scale(max([*sums, *(level.value for level in levels)], default=1.0))
    key = _key(caption)
    drawn = [_grid(top, step)]
    width = 100 / max(len(bars), 1)
    crowded = " odd" if len(bars) > _MANY_BARS else " low" if _are_long([bar.label for bar in bars]) else ""
    for number, bar in enumerate(bars):
        drawn.append(_bar(key, bar, number * width, width, top))
        skipped = crowded if (len(bars) - 1 - number) % 2 else ""
        drawn.append(
            Markup('<text class="tick-name middle{}" x="{}%" y="{}rem">{}</text>').format(
                skipped, _n((number + 0.5) * width), _n(_PLOT_REM + 1.1), bar.label
            )
        )
    drawn += [*_levels(levels, top), _grid_names(top, step, unit)]
    table = [
        (bar.label, bar.says or " · ".join(f"{part.label} {_plain(part.value)} {unit}" for part in bar.parts) or "–")
        for bar in bars
    ]
    return _figure(caption, key, _svg(caption, key, drawn, _PLOT_REM + _AXIS_REM), table, names)


def band_chart(
    caption: Caption,
    rows: Sequence[Row],
    *,
    begin: Instant,
    end: Instant,
    zone: tzinfo,
    names: Sequence[tuple[str, Tone]] = (),
) -> Markup:
    """What was so over [`begin`, `end`), a row a subject. Table: one row a stretch."""
    key = _key(caption)
    span = max(end - begin, 1)
    height = _ROW_REM * len(rows)
    drawn = [
        Markup('<svg x="{}%" width="{}%" height="100%" overflow="visible">{}</svg>').format(
            _GUTTER, 100 - _GUTTER, _ticks(begin, end, zone, height)
        )
    ]
    table = []
    owns = Counter(_own(row.label) for row in rows)
    for number, row in enumerate(rows):
        y = number * _ROW_REM
        drawn.append(_row_name(row.label, row.href, y, alone=owns[_own(row.label)] == 1))
        drawn.append(_stretches(key, row.stretches, begin, span, _GUTTER, y + 0.3, _ROW_REM - 0.6))
        table += [(row.label, stretch.says) for stretch in row.stretches] or [(row.label, "–")]
    return _figure(caption, key, _svg(caption, key, drawn, height + _AXIS_REM), table, names)


def heat_map(
    caption: Caption,
    columns: Sequence[str],
    rows: Sequence[HeatRow],
    *,
    most: float | None = None,
) -> Markup:
    """Numbers by row and column as shades, 0 empty, None dotted; `most` is the darkest shade's value (None: the greatest)."""
    key = _key(caption)
    values = [cell.value for row in rows for cell in row.cells if cell.value is not None]
    top = most or max(values, default=0) or 1
    width = (100 - _GUTTER) / max(len(columns), 1)
    drawn = []
    owns = Counter(_own(row.label) for row in rows)
    for number, row in enumerate(rows):
        y = number * _ROW_REM
        drawn.append(_row_name(row.label, row.href, y, alone=owns[_own(row.label)] == 1))
        for column, cell in enumerate(row.cells):
            x = _GUTTER + column * width
            shade = 0 if not cell.value else min(HEAT_STEPS, -int(-cell.value * HEAT_STEPS // top))
            fill = Markup(' fill="url(#{}-unknown)"').format(key) if cell.value is None else Markup("")
            of = "t-unknown" if cell.value is None else f"h{shade}"
            drawn.append(
                Markup(
                    '<g class="field {}"><title>{} · {}</title><rect x="{}%" y="{}rem" width="{}%" height="{}rem"{}/>'
                    '<text x="{}%" y="{}rem">{}</text></g>'
                ).format(
                    of,
                    row.label,
                    cell.says,
                    _n(x + width * 0.03),
                    _n(y + 0.06),
                    _n(width * 0.94),
                    _n(_ROW_REM - 0.12),
                    fill,
                    _n(x + width / 2),
                    _n(y + _ROW_REM * 0.66),
                    "?" if cell.value is None else _plain(cell.value) if cell.value else "",
                )
            )
    for column, name in enumerate(columns):
        drawn.append(
            Markup('<text class="tick-name middle{}" x="{}%" y="{}rem">{}</text>').format(
                " odd" if len(columns) > _MANY_BARS and column % 2 else "",
                _n(_GUTTER + (column + 0.5) * width),
                _n(len(rows) * _ROW_REM + 1.1),
                name,
            )
        )
    table = [(row.label, *("?" if cell.value is None else _plain(cell.value) for cell in row.cells)) for row in rows]
    head = [caption.head[0] if caption.head else "", *columns]
    return _figure(
        caption._replace(head=head), key, _svg(caption, key, drawn, len(rows) * _ROW_REM + _AXIS_REM), table, ()
    )


# ---- parts


def _figure(
    caption: Caption, key: str, drawing: Markup, table: Iterable[Sequence[str]], names: Sequence[tuple[str, Tone]]
) -> Markup:
    """The drawing under its title, with a legend and the table behind it."""
    legend = Markup().join(
        Markup(
            '<li><svg class="swatch t-{}" width="1.2em" height="0.9em" aria-hidden="true"><rect width="100%" height="100%"{}/></svg>{}</li>'
        ).format(tone, _fill(key, tone), label)
        for label, tone in names
    )
    head = Markup().join(Markup('<th scope="col">{}</th>').format(cell) for cell in caption.head)
    body = Markup().join(
        Markup("<tr>{}</tr>").format(
            Markup().join(
                (Markup('<th scope="row">{}</th>') if number == 0 else Markup("<td>{}</td>")).format(cell)
                for number, cell in enumerate(row)
            )
        )
        for row in table
    )
    return Markup(
        '<figure class="chart"><figcaption>{}</figcaption>{}{}<details><summary>{}</summary>'
        '<div class="table" tabindex="0" role="region" aria-label="{}"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
        "</details></figure>"
    ).format(
        caption.title,
        Markup('<ul class="names">{}</ul>').format(legend) if names else "",
        drawing,
        caption.table,
        caption.title,
        head,
        body,
    )


def _svg(caption: Caption, key: str, drawn: Iterable[Markup], height: float) -> Markup:
    return Markup(
        '<svg class="chart-drawing" width="100%" height="{}rem" role="img" aria-labelledby="{}-title {}-desc">'
        '<title id="{}-title">{}</title><desc id="{}-desc">{}</desc>{}{}</svg>'
    ).format(_n(height), key, key, key, caption.title, key, caption.says, _patterns(key), Markup().join(drawn))


def _patterns(key: str) -> Markup:
    """What tells tones apart without colour."""
    return Markup(
        '<defs><pattern id="{0}-bad" class="t-bad" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<rect class="ground" width="6" height="6"/><rect class="stroke" width="2" height="6"/></pattern>'
        '<pattern id="{0}-warn" class="t-warn" width="5" height="5" patternUnits="userSpaceOnUse">'
        '<rect class="ground" width="5" height="5"/><rect class="stroke" width="1.6" height="5"/></pattern>'
        '<pattern id="{0}-unknown" class="t-unknown" width="5" height="5" patternUnits="userSpaceOnUse">'
        '<rect class="ground" width="5" height="5"/><circle class="stroke" cx="2.5" cy="2.5" r="1.1"/></pattern></defs>'
    ).format(key)


def _fill(key: str, tone: Tone) -> Markup:
    """The pattern of a tone that has one; colours are the style sheet's."""
    return Markup(' fill="url(#{}-{})"').format(key, tone) if tone in {"bad", "warn", "unknown"} else Markup("")


def _stretches(  # noqa: PLR0917
    key: str,
    stretches: Sequence[Stretch],
    begin: Instant,
    span: Duration,
    left: float,
    y: float,
    height: float,
) -> Markup:
    drawn = []
    for stretch in stretches:
        first, last = max(stretch.begin, begin), min(stretch.end, begin + span)
        if last <= first:
            continue
        across = 100 - left
        drawn.append(
            Markup(
                '<rect class="stretch t-{}" x="{}%" y="{}rem" width="{}%" height="{}rem"{}><title>{}</title></rect>'
            ).format(
                stretch.tone,
                _n(left + across * (first - begin) / span),
                _n(y),
                _n(max(across * (last - first) / span, 0.15)),
                _n(height),
                _fill(key, stretch.tone),
                stretch.says,
            )
        )
    return Markup().join(drawn)


def _are_long(labels: Sequence[str]) -> bool:
    """Whether names side by side would touch on a phone: every second one stands lower there."""
    return len(labels) * max((len(label) for label in labels), default=0) > _PHONE_LETTERS


def _levels(levels: Sequence[Level], top: float) -> list[Markup]:
    """Thresholds with their names, each name further to the left, so that near ones do not cover each other."""
    drawn = []
    for number, level in enumerate(levels):
        y = _n(_PLOT_REM * (1 - level.value / top))
        drawn.append(
            Markup('<line class="level" x1="0" x2="100%" y1="{0}rem" y2="{0}rem"/>').format(y)
            + Markup('<text class="level-name" x="{}%" y="{}rem" dy="-0.3em">{}</text>').format(
                _n(100 - 24 * number), y, level.label
            )
        )
    return drawn


def _own(label: str) -> str:
    """A place's own name, without what it lies in."""
    return label.rpartition(" ")[2]


def _row_name(label: str, href: str | None, y: float, *, alone: bool) -> Markup:
    """What a row is called; where the chart is narrow, without what it lies in if no other row has its own name (`alone`)."""
    own = _own(label) if alone else label
    text = Markup(
        '<svg width="{}%" height="100%"><text class="row-name" x="0" y="{}rem">'
        '<tspan class="row-above">{}</tspan>{}</text></svg>'
    ).format(_GUTTER - 1, _n(y + _ROW_REM * 0.66), label.removesuffix(own), own)
    return text if href is None else Markup('<a href="{}">{}</a>').format(href, text)


def _bar(key: str, bar: Bar, x: float, width: float, top: float) -> Markup:
    if not bar.parts:
        return Markup('<text class="nothing middle" x="{}%" y="{}rem">?</text>').format(
            _n(x + width / 2), _n(_PLOT_REM - 0.4)
        )
    says = bar.says or " · ".join(f"{part.label} {_plain(part.value)}" for part in bar.parts)
    drawn = [Markup("<title>{} · {}</title>").format(bar.label, says)]
    below = 0.0
    for part in bar.parts:
        if part.value > 0:
            height = _PLOT_REM * part.value / top
            drawn.append(
                Markup('<rect class="t-{}" x="{}%" y="{}rem" width="{}%" height="{}rem"{}/>').format(
                    part.tone,
                    _n(x + width * 0.14),
                    _n(_PLOT_REM - _PLOT_REM * below / top - height),
                    _n(width * 0.72),
                    _n(max(height, 0.08)),
                    _fill(key, part.tone),
                )
            )
        below += part.value
    return Markup('<g class="bar-of">{}</g>').format(Markup().join(drawn))


def _polyline(line: Line, begin: Instant, span: Duration, top: float) -> Markup:
    """A line's runs between breaks; a value alone is a short dash."""
    runs: list[list[tuple[float, float]]] = [[]]
    for at, value in line.points:
        if value is None:
            runs.append([])
            continue
        if begin <= at <= begin + span:
            runs[-1].append((_TALL * (at - begin) / span, _TALL * (1 - min(max(value, 0), top) / top)))
    drawn = []
    for run in runs:
        if len(run) == 1:
            run.append((run[0][0] + 3, run[0][1]))
        if run:
            points = " ".join(f"{_n(x)},{_n(y)}" for x, y in run)
            drawn.append(
                Markup('<polyline class="line t-{}" vector-effect="non-scaling-stroke" points="{}"/>').format(
                    line.tone, points
                )
            )
    return Markup().join(drawn)


def _grid(top: float, step: float) -> Markup:
    """Level lines."""
    line = Markup('<line class="grid-line" x1="0" x2="100%" y1="{0}rem" y2="{0}rem"/>')
    return Markup().join(
        line.format(_n(_PLOT_REM * (1 - number * step / top))) for number in range(round(top / step) + 1)
    )


def _grid_names(top: float, step: float, unit: str) -> Markup:
    """The values of the level lines, above all else: a threshold would strike them through."""
    drawn = []
    count = round(top / step)
    for number in range(1, count + 1):
        y = _PLOT_REM * (1 - number * step / top)
        name = f"{_plain(number * step)} {unit}" if number == count else _plain(number * step)
        drawn.append(Markup('<text class="grid-name" x="0" y="{}rem" dy="1em">{}</text>').format(_n(y), name))
    return Markup().join(drawn)


def _ticks(begin: Instant, end: Instant, zone: tzinfo, height: float) -> Markup:
    """Lines of time with their names: full steps on the clock of `zone`."""
    span = max(end - begin, 1)
    step = next((step for step in _STEPS if span <= _MOST_TICKS * step), _STEPS[-1])
    first = begin + (-instant(moment(begin, zone).replace(tzinfo=UTC))) % step
    drawn = []
    for number, at in enumerate(range(first, end + 1, step)):
        x = 100 * (at - begin) / span
        local = moment(at, zone)
        name = f"{local:%m-%d}" if step >= DAY or (local.hour, local.minute) == (0, 0) else f"{local:%H:%M}"
        side = "first" if x < 3 else "last" if x > 97 else "middle"
        skipped = " odd" if number % 2 else ""
        drawn.append(
            Markup('<line class="tick" x1="{0}%" x2="{0}%" y1="0" y2="{1}rem"/>').format(_n(x), _n(height))
            + Markup('<text class="tick-name {}{}" x="{}%" y="{}rem">{}</text>').format(
                side, skipped, _n(x), _n(height + 1.1), name
            )
        )
    return Markup().join(drawn)


def _line_rows(lines: Sequence[Line], zone: tzinfo) -> list[tuple[str, ...]]:
    """The measured values by time; a cell is empty where a line has none."""
    by_time: dict[Instant, dict[int, float]] = {}
    for number, line in enumerate(lines):
        for at, value in line.points:
            if value is not None:
                by_time.setdefault(at, {})[number] = value
    return [
        (
            f"{moment(at, zone):%m-%d %H:%M}",
            *(_plain(found[number]) if number in found else "" for number in range(len(lines))),
        )
        for at, found in sorted(by_time.items())
    ]


def _scale(most: float) -> tuple[float, float]:
    """The top of a scale that begins at 0 and holds `most`, and the step between its lines: round numbers."""
    if most <= 0:
        return 1.0, 0.5
    power = 1.0
    while power * 10 <= most:
        power *= 10
    while power > most:
        power /= 10
    for nice in _NICE:
        step = nice * power / 2
        count = -int(-most // step)
        if count <= 4:
            return count * step, step
    return 10 * power, 5 * power


def _key(caption: Caption) -> str:
    """An id for this chart's parts, the same each time; two charts of a page have different titles."""
    return "c" + blake2b(f"{caption.title}\n{caption.says}".encode(), digest_size=6).hexdigest()


def _n(value: float) -> str:
    """A coordinate, short."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _plain(value: float) -> str:
    """A value for people: without digits that mean nothing."""
    return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.1f}"
