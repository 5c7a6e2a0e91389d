"""What a page is called in the browser's tab and history: each its own, with the property's name."""

from __future__ import annotations

import html
import re
from pathlib import Path

import httpx
import pytest

from api.console import frame
from api.console.navigation import PAGES
from tests.api import scene
from tests.api.conftest import LogIn

MORE = (
    "/rounds/gaps",
    "/rounds/map",
    "/rounds/timing",
    "/rounds?night=2026-11-22",
    "/rounds?month=2026-10",
    "/nothing",
)


def title_of(page: httpx.Response) -> str:
    """The page's title, as the browser shows it."""
    found = re.search(r"<title>(.*?)</title>", page.text, re.DOTALL)
    assert found is not None, page.url
    return html.unescape(found[1])


@pytest.mark.parametrize("language", ["zh_CN", "en"])
async def test_each_page_has_its_own_title_with_the_propertys_name(log_in: LogIn, language: str) -> None:
    admin = await log_in("admin")
    shown = scene.Scene()
    things = [
        *(f"/rounds/{item.id}" for item in shown.rounds[:2]),
        *(f"/devices/{device}" for device in list(shown.site.devices)[:2]),
        *(f"/lights/{lamp}" for lamp in list(shown.site.lamps)[:2]),
        *(f"/places/{place}" for place in list(shown.site.places)[:2]),
    ]
    titles: dict[str, str] = {}
    for path in (*(entry.path for entry in PAGES), *MORE, *things):
        page = await admin.get(path, params=None, headers={"accept": "text/html", "accept-language": language[:2]})
        title = title_of(page)
        assert shown.site.name in title, path
        assert title not in titles, f"{path} is called as {titles.get(title)}: {title}"
        assert not title.startswith(shown.site.name), f"{path}: what differs comes first"
        titles[title] = path


def test_every_page_says_what_it_is_called() -> None:
    """A page without a heading of its own fails where it is shown: none has one by chance of its words."""
    templates = Path(frame.__file__).parent / "templates"
    pages = {
        name
        for file in templates.parent.glob("*.py")
        for name in re.findall(
            r'(?:inner=|_page\(\s*request,\s*frame,\s*|panel\(\s*request,\s*)"(\w+\.html)"', file.read_text()
        )
    }
    assert len(pages) > 25
    assert [name for name in sorted(pages) if "{% set heading = " not in (templates / name).read_text()] == []
