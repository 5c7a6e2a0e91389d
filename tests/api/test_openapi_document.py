"""The OpenAPI document that is checked in is the one that is served: whoever builds on the API sees a change coming."""

from __future__ import annotations

import json
import os
from pathlib import Path

from api.app import create_app
from tests.api.fake_gateway import FakeGateway

CHECKED_IN = Path(__file__).parents[2] / "api" / "openapi.json"


def test_the_document_changes_only_where_it_is_announced() -> None:
    document = create_app(FakeGateway()).openapi()
    document["info"]["title"] = "Lamplighter"  # not the site's name
    text = json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    if os.environ.get("LAMPLIGHTER_WRITE_OPENAPI"):
        CHECKED_IN.write_text(text, encoding="utf-8")
    assert CHECKED_IN.read_text(encoding="utf-8") == text, (
        "the API is no longer what api/openapi.json says: `make openapi` writes it anew; tell it in CHANGELOG.md"
    )
