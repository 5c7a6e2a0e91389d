"""Reports of a simulated week on a real journal: figures counted again, Excel opened again, made and sent once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from io import BytesIO
from pathlib import Path

import httpx
import msgspec
import openpyxl
import pytest
import pytest_asyncio

from api.access.invitations import Invitations
from api.app import create_app
from api.commands.demo import Clock, demo_site, history_start, live_start, past
from api.reports import excel
from api.reports.document import Counts, Digest, Report
from api.reports.gather import gather
from api.reports.periods import NoSuchPeriodError, latest, period
from api.reports.tables import Reader, tables, title
from api.reports.worker import ReportWorker
from api.resources.reports import notes
from api.simulated import estate_of
from device_drivers.simulation.live import SerialLine
from device_drivers.simulation.world import World
from gateway.instants import instant
from gateway.journal.notes import PublicKey, read_note, read_notes
from gateway.runtime import Gateway, utc_now
from gateway.site.model import Shift

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

NIGHT = Shift(id="night", name="夜班", since=time(20), until=time(8), rotation=(("g-wang",),), first=date(2026, 1, 1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reports")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def week(folder: Path) -> AsyncIterator[tuple[Gateway, Clock]]:
    lines: dict[str, SerialLine] = {}
    now = utc_now()
    site = demo_site(folder, live_start(now), lines)
    contacts = tuple(site.alerting.contacts)[:1]
    site = msgspec.structs.replace(site, shifts={"night": NIGHT}, reports={"shift": contacts, "day": contacts})
    clock = Clock(history_start(site, now))
    try:
        async with Gateway(site, folder, clock=clock.now) as gateway:
            await past(gateway, World(estate_of(site), clock.now(), 1, 2.4), clock, utc_now())
            await gateway.intake.drained()
            yield gateway, clock
    finally:
        for line in lines.values():
            line.close()


async def test_the_figures_are_those_of_the_verdicts(week: tuple[Gateway, Clock]) -> None:
    gateway, _ = week
    site = gateway.site
    for asked in latest(site, "day", gateway.now()):
        report = await gather(site, gateway.archive, asked, gateway.now())
        rounds = [
            each
            for each in gateway.judgement.engine.rounds.rounds()
            if asked.since <= instant(each.start) < asked.until
        ]
        counted = Counter(visit.verdict for each in rounds for visit in each.visits)
        assert {name: getattr(report.visits, name) for name in Counts.__struct_fields__} == {
            name: counted[name] for name in Counts.__struct_fields__
        }
        assert [line.id for line in report.rounds] == [
            each.id for each in sorted(rounds, key=lambda r: (r.start, r.id))
        ]
        assert rounds
        assert {line.verdict for line in report.exceptions} == set(counted) & {
            "early",
            "late",
            "missed",
            "unverifiable",
        }


async def test_alerts_of_the_week_are_all_there_with_how_they_were_handled(week: tuple[Gateway, Clock]) -> None:
    gateway, _ = week
    now = gateway.now()
    found: dict[str, str] = {}
    day = datetime.fromtimestamp(now / 1_000_000, UTC).astimezone(gateway.site.zone_info).date()
    for back in range(9):
        try:
            asked = period(gateway.site, f"day:{day - timedelta(days=back)}")
            report = await gather(gateway.site, gateway.archive, asked, now)
        except NoSuchPeriodError:
            continue
        for line in report.alerts:
            assert line.id not in found
            found[line.id] = line.state
    assert found == {alert.id: alert.state for alert in gateway.judgement.alerts.alerts()}
    standing = (
        await gather(gateway.site, gateway.archive, period(gateway.site, f"day:{day - timedelta(days=1)}"), now)
    ).standing
    assert {line.id for line in standing} == {alert.id for alert in gateway.judgement.alerts.alerts(active=True)}


async def test_a_repair_stands_in_the_report_with_what_proves_it(week: tuple[Gateway, Clock]) -> None:
    gateway, _ = week
    site = gateway.site
    orders = {order.id: order for order in gateway.judgement.books["work_order"].recent()}  # type: ignore[attr-defined]
    lamp = next(order for order in orders.values() if order.rule == "lamp_failure")
    day = (lamp.reported - timedelta(hours=8)).date()
    report = await gather(site, gateway.archive, period(site, f"day:{day}"), gateway.now())
    table = next(table for table in tables(site, report, Reader("zh_CN", named=True)) if table.id == "repairs")
    row = next(row for row in table.rows if row[0] == lamp.id)
    said = dict(zip([column.heading for column in table.columns], row, strict=True))
    assert (said["到场依据"], said["修复依据"], said["是否及时"]) == ("打卡", "传感器", "及时")
    assert said["到场时间"] == lamp.arrival.at
    assert said["修复时间"] == lamp.repair.at
    assert said["项目"] == lamp.what
    english = next(table for table in tables(site, report, Reader("en", named=True)) if table.id == "repairs")
    what = [column.heading for column in english.columns].index("Item")
    told = next(row[what] for row in english.rows if row[0] == lamp.id)
    assert "should be lit and is dark" in str(told)


async def test_who_reads_english_reads_what_alerts_said_in_english(week: tuple[Gateway, Clock]) -> None:
    gateway, _ = week
    site = gateway.site
    report = await gather(site, gateway.archive, next(latest(site, "week", gateway.now())), gateway.now())
    [chinese, english] = [
        next(table for table in tables(site, report, Reader(language, named=True)) if table.id == "alerts")
        for language in ("zh_CN", "en")
    ]
    assert [row[-1] for row in chinese.rows] == [line.message for line in report.alerts]
    assert not [row[-1] for row in english.rows if "。" in str(row[-1])]


async def test_json_holds_the_whole_report(week: tuple[Gateway, Clock]) -> None:
    gateway, _ = week
    asked = next(latest(gateway.site, "day", gateway.now()))
    report = await gather(gateway.site, gateway.archive, asked, gateway.now(), Digest(size=7, root="00", at=utc_now()))
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report


@pytest.mark.parametrize("language", ["zh_CN", "en"])
async def test_excel_opened_again_says_cell_by_cell_what_the_page_says(
    week: tuple[Gateway, Clock], language: str
) -> None:
    gateway, _ = week
    site = gateway.site
    asked = next(latest(site, "day", gateway.now()))
    report = await gather(site, gateway.archive, asked, gateway.now())
    reader = Reader(language, named=True)  # type: ignore[arg-type]
    shown = tables(site, report, reader)
    heading = title(site, report, reader.language)
    below = notes(site, report, reader.language)
    book = openpyxl.load_workbook(BytesIO(excel.workbook(heading, shown, below)))
    assert book.sheetnames == [table.title for table in shown]
    for number, table in enumerate(shown):
        rows = list(book[table.title].iter_rows(values_only=True))
        if number == 0:
            assert rows[0][0] == heading
            assert [row[0] for row in rows[-len(below) :]] == below
            rows = rows[2 : 3 + len(table.rows)]
        assert list(rows[0]) == [column.heading for column in table.columns]
        for row, said in zip(rows[1:], table.rows, strict=True):
            plain = [cell.replace(tzinfo=None) if isinstance(cell, datetime) else cell for cell in said]
            assert [_close(cell) for cell in row] == [_close(cell) for cell in plain]


def _close(cell: object) -> object:
    """What a sheet keeps of a cell: empty text is nothing, times to the second."""
    if isinstance(cell, datetime):
        return cell.replace(microsecond=0)
    return None if cell == "" else cell


async def test_text_that_looks_like_a_formula_stays_text() -> None:
    from api.reports.tables import Column, Table

    table = Table("x", "x", (Column("a"), Column("b", "number")), (("=1+1", 2), ("+86 21", 3), ("@SUM(A1)", 4)))
    sheet = openpyxl.load_workbook(BytesIO(excel.workbook("h", [table]))).active
    assert sheet is not None
    cells = [row[0] for row in sheet.iter_rows(min_row=4, max_row=6)]
    assert [(cell.value, cell.data_type) for cell in cells] == [("=1+1", "s"), ("+86 21", "s"), ("@SUM(A1)", "s")]


async def test_a_sign_that_no_workbook_can_hold_is_shown_as_one_that_cannot_be_shown() -> None:
    from api.reports.tables import Column, Table

    table = Table("x", "x", (Column("a"),), (("dark\x0bon\x00 floor\n3\t\U0001f4a1",), ("\ud800\uffff",)))
    sheet = openpyxl.load_workbook(BytesIO(excel.workbook("h\x07", [table], ["\x1b"]))).active
    assert sheet is not None
    texts = [row[0] for row in sheet.iter_rows(values_only=True) if row[0]]
    assert texts == ["h\ufffd", "a", "dark\ufffdon\ufffd floor\n3\t\U0001f4a1", "\ufffd\ufffd", "\ufffd"]


async def test_names_are_only_shown_to_those_who_may_know_them(week: tuple[Gateway, Clock]) -> None:
    gateway, _ = week
    site = gateway.site
    asked = next(latest(site, "day", gateway.now()))
    report = await gather(site, gateway.archive, asked, gateway.now())
    names = {person.name for person in site.people.values()}
    walked = {person for line in report.rounds for person in line.people}
    assert walked

    def said(*, named: bool) -> str:
        return str([table.rows for table in tables(site, report, Reader("zh_CN", named)) if table.id == "rounds"])

    assert not any(name in said(named=False) for name in names)
    assert any(site.people[person].name in said(named=True) for person in walked)


async def test_a_report_is_made_and_sent_once_also_over_a_restart(week: tuple[Gateway, Clock]) -> None:
    gateway, _ = week
    made = await ReportWorker(gateway).look()
    assert {report.kind for report in made} >= {"day", "shift"}
    key = PublicKey.parse(await gateway.checkpoints.public_key())
    for report in made:
        assert report.digest is not None
        note = read_note(report.digest.note or "")
        assert (note.size, note.signer([key])) == (report.digest.size, key)
    kept = await gateway.query("SELECT id, body FROM report ORDER BY id", ())
    assert [(name, msgspec.json.decode(body, type=Report)) for name, body in kept] == [
        (report.id, report) for report in sorted(made, key=lambda report: report.id)
    ]
    told = await gateway.query("SELECT key, title, body FROM notice WHERE kind = 'report' ORDER BY key", ())
    contact = gateway.site.reports["day"][0]
    assert [row[0] for row in told] == sorted(
        f"report/{report.id}/{contact}" for report in made if report.kind in ("day", "shift")
    )
    assert all(read_notes(row[2])[0].signer([key]) for row in told), (
        "what was sent is kept elsewhere, and checks the journal"
    )
    assert await ReportWorker(gateway).look() == []


async def test_a_report_that_was_made_is_listed_by_its_shifts_name(week: tuple[Gateway, Clock]) -> None:
    gateway, _ = week
    await ReportWorker(gateway).look()
    invitations = Invitations()
    app = create_app(gateway, invitations=invitations)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as client:
        await client.get("/login/once", params={"token": invitations.login("boss", "manager", gateway.now())})
        page = (await client.get("/reports", params={"lang": "zh_CN"})).text
    listed = re.findall(r'as_sent=true">([^<]*)<', page)
    assert any(re.fullmatch(r"交接班报告 夜班 \d{4}-\d\d-\d\d", each) for each in listed), listed
    assert not any("night" in each for each in listed), listed
