"""What the pages about deployment name is there."""

from __future__ import annotations

import re

import pytest

from tests.deployment.first_start import ROOT

PAGES = [ROOT / "docker" / "README.md", ROOT / "SECURITY.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page) -> None:
    links = re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


def test_the_page_names_every_file_of_the_folder() -> None:
    text = (ROOT / "docker" / "README.md").read_text(encoding="utf-8")
    shipped = {path.name for path in (ROOT / "docker").iterdir()} - {"README.md", "local", ".gitignore", "__pycache__"}
    assert [name for name in shipped if name not in text] == []
