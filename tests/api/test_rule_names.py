"""Rules are called by their sense on the screen: nobody who reads a page has the specification beside it."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from api.console.languages import LANGUAGES
from api.console.rules import rule_name
from tests.api import scene


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_rule_of_an_explanation_has_a_name(language) -> None:
    written = set()
    for file in Path("gateway/explain").glob("*.py"):
        written |= set(re.findall(r'"((?:rounds|lighting|cameras)\.md, [^"{]+)"', file.read_text()))
    written |= {"lighting.md, lamp_failure, begins", "lighting.md, State, ok", "cameras.md, Cameras, State, offline"}
    written |= {"cameras.md, Zones, blind", "cameras.md, Any device, Parents", "cameras.md, Any device, restart"}
    assert len(written) > 12
    for rule in written:
        assert ".md" not in rule_name(language, rule), rule


async def test_a_rounds_page_names_the_rule_and_its_data_keep_the_section(operator: httpx.AsyncClient) -> None:
    shown = scene.Scene().rounds[0]
    page = (await operator.get(f"/rounds/{shown.id}")).text
    assert ".md," not in page
