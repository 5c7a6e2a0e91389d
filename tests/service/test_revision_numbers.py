"""A number of a revision is given once, whatever was lost of the memory of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.runtime import Gateway
from gateway.site.enrolments import EnrolTag
from tests.service.test_enrolment import CARD, ROUND, Clock, site, the_night, verdict


@pytest.mark.parametrize("snapshot", [True, False])
async def test_after_a_restart_revisions_are_counted_on_from_what_was_told(tmp_path: Path, snapshot: bool) -> None:
    clock = Clock()
    async with Gateway(site(), tmp_path, clock=clock) as gateway:
        await the_night(gateway, clock)
        assert verdict(gateway)[0] == "missed"
        if snapshot:
            await gateway.enrol(EnrolTag(tag="00000001", person="g-wang"), "u-chen")
        copied = "INSERT INTO visit_revision SELECT (SELECT max(seq) + ? FROM log), at, round, position, ?, verdict, body FROM visit_revision ORDER BY seq DESC LIMIT 1"
        await gateway.write([(copied, (1000 * number, number)) for number in (4, 5)])
        await gateway.write([("DELETE FROM snapshot", ())] if not snapshot else [])
        gateway._failed.set_result(None)  # killed: the end in order would leave a snapshot
    async with Gateway(site(), tmp_path, clock=clock) as gateway:
        assert verdict(gateway) == ("missed", 5)
        await gateway.enrol(EnrolTag(tag=CARD, person="g-wang"), "u-chen")
        assert verdict(gateway) == ("on_time", 6)
        assert [row["revision"] for row in await gateway.archive.revisions(ROUND)][-1] == 6
