"""`compensation` in the site file: how often a place that turned blind or dark is to be walked, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import ConfigError
from gateway.instants import DAY, MINUTE
from gateway.site.load import load_site

SITE = "site: {id: s, timezone: Asia/Shanghai}\nhold: 3m\n"


@pytest.fixture
def load(tmp_path: Path):
    def read(text: str):
        file = tmp_path / "site.yaml"
        file.write_text(SITE + text)
        return load_site(file, environ={})

    return read


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("", 30 * MINUTE),
        ("compensation: {}", 30 * MINUTE),
        ("compensation:", 30 * MINUTE),
        ("compensation: {max_gap: 15m}", 15 * MINUTE),
        ("compensation: {max_gap: 1d}", DAY),
        ("compensation: off", None),
        ("compensation: {max_gap: off}", None),
    ],
)
def test_the_limit_is_half_an_hour_unless_the_file_says_otherwise(load, text, limit):
    site, problems = load(text)
    assert (site.compensation, problems) == (limit, [])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("compensation: on", "3: error: compensation: found 'on'; expected `off`, or a mapping such as `{max_gap: 30m}`"),
        ("compensation: 30m", "3: error: compensation: found '30m'; expected `off`, or a mapping such as `{max_gap: 30m}`"),
        ("compensation: [off]", "3: error: compensation: found a list; expected `off`, or a mapping such as `{max_gap: 30m}`"),
        ("compensation: {max_gap: 30s}", "3: error: compensation.max_gap: found '30s'; expected `off`, or a duration of at least 1m"),
        ("compensation: {max_gap: 0}", "3: error: compensation.max_gap: found 0; expected `off`, or a duration of at least 1m"),
        ("compensation: {max_gap: soon}", "3: error: compensation.max_gap: found 'soon'; expected a duration such as"),
        ("compensation:\n  max_gab: 30m", "4: error: compensation.max_gab: unknown key (did you mean `max_gap`?)"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_file_and_line(load, text, told):
    with pytest.raises(ConfigError) as caught:
        load(text)
    [problem] = caught.value.problems
    assert str(problem).partition("site.yaml:")[2].startswith(told)
