"""A town of hundreds of communities and departments and thousands of units: the page stays small, memory does not follow the lists."""

import re
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import openpyxl
import psycopg
import pypdf
import pytest

from tests import figures
from tests.towns import town
from yingjian.people.audience import OFFICE
from yingjian.reports.content import lists
from yingjian.reports.content.audiences import narrowed
from yingjian.reports.content.report import read_document
from yingjian.reports.content.sections.overdue import PLACES
from yingjian.reports.packs import write_packs
from yingjian.reports.render import workbook
from yingjian.reports.render.workbook import write_workbook

pytestmark = pytest.mark.beyond

LARGE = 90
DAY = town.LAST_DAY + timedelta(days=40)
COMMUNITIES, UNITS, DEPARTMENTS = 400, 3000, 150
LONG = "第7天起的全员筛查还有37人未采样或结果未出，请所在社区逐户核对后补采，并报指挥部；"

ROWS = {
    "publication": """select {id}, {day}, now(), 'x', 'passed', 90, 9, 9, 9, 'x', null, null, null""",
    "feed_quality": """select {id}, {day}, 'feed' || i, '数据' || i, 1, 1, 9, 9, 0, 0, 0, 0, null, 'stale', repeat('{long}', 30)
        from generate_series(1, 16) as i""",
    "compliance_daily": """select {id}, {day}, '主管部门' || i % {departments}, (1 + i % 38)::text, '人群' || i % 38,
        '第' || i % {communities} || '社区', '某某工作单位第' || i, 40, 39, 1, 0, 0.975 from generate_series(1, {units}) as i""",
    "risk_zone": """select {id}, {day}, 'FX' || i, '某某小区' || i, array['第' || i || '社区'], '高', {day} - 3, false,
        {day} - 3, 3, 900, 5, 7, null, null, null, {day} + 4, '{{}}', '{long}', '{long}{long}', 3, 3, false
        from generate_series(1, 500) as i""",
    "screening_round": """select {id}, {day}, 'GG1', '第' || i || '社区', '', {day} - 2, {day} - 1, 400, 380, 10, 10, 0, 'overdue'
        from generate_series(1, {communities}) as i""",
    "screening_building": """select {id}, {day}, 'GG1', '第' || i % {communities} || '社区', '网格1', i || '号楼', {day} - 1, 2
        from generate_series(1, 2000) as i""",
    "sampling_unit_daily": """select {id}, {day}, '某某学校' || i, '23', '学校', '教育局', '第' || i % {communities} || '社区',
        {day} - 5, {day}, 'daily', 50, 10, 8, 2, 0.5 from generate_series(1, {units}) as i""",
    "pool_followup": """select {id}, {day}, 'T' || i / 10, 'tube-' || i, 'key-' || i, '第1社区', '', {day} - 1, {day}, 'overdue', ''
        from generate_series(0, 5999) as i""",
    "push_clearance": """select {id}, {day}, 'arrivals', '入（返）丰申报', {day}, '第' || i || '社区', 9, 8, 1, 1
        from generate_series(1, {communities}) as i""",
    "signal": """select {id}, {day}, 's' || i, 'grid_cluster', {day}, {day}, true, '第' || i || '社区', '网格1', 4, 5
        from generate_series(1, {communities}) as i""",
    "vaccination_60plus": """select {id}, {day}, '第' || i || '社区', '60-79', 500, 460, 440, 300
        from generate_series(1, {communities}) as i""",
    "grid_population": """select {id}, {day}, '第' || i % {communities} || '社区', '网格' || i, 600, 200, 0, 30, 1
        from generate_series(1, 6 * {communities}) as i""",
    "readiness": """select {id}, {day}, '流调', '社区', '第' || i || '社区', 3, 0, 3, 0, false, 400, 390
        from generate_series(1, {communities}) as i""",
    "disinfection_daily": """select {id}, {day}, 'FX' || i, '某某小区' || i, '1号楼', {day}, 2, 1, 1 from generate_series(1, 500) as i""",
    "restatement": """select {id}, {day} - i, '样本或结果迟到', 'overdue', 'satisfied', i from generate_series(1, 90) as i""",
    "quality_check": """select {id}, 'x', 'check' || i, 'build.x', 'warn', false, i, '{long}' from generate_series(1, 150) as i""",
}  # fmt: skip
PERSONS = """
    insert into published.overdue (publication_id, as_of_date, obligation_id, person_key, group_code, group_name, unit,
        department, community, grid, due_date, status, days_overdue, needs_review, basis, explanation)
    select {id}, {day}, 'duty-' || i, 'key-' || i, '8', '快递、外卖', '某某工作单位第' || i % {units}, '主管部门1',
        '第' || i % {communities} || '社区', '网格1', {day}, 'overdue', 1, false, '附件第8项', '{long}'
    from generate_series(1, {persons}) as i
"""

DUE = """
    insert into published.due (publication_id, as_of_date, obligation_id, person_key, community, due_date, days_until_due)
    select {id}, {day}, 'due-' || i, 'key-' || i, '第' || i % {communities} || '社区', {day} + 1 + i % 7, 1 + i % 7
    from generate_series(1, {units}) as i
"""


def fill(conn: psycopg.Connection, query: str, **given: object) -> None:
    names = {
        "id": LARGE,
        "day": f"date '{DAY}'",
        "communities": COMMUNITIES,
        "units": UNITS,
        "departments": DEPARTMENTS,
    }
    conn.execute(query.format(long=LONG, **(names | given)).encode())


@pytest.fixture
def conn(town_database: str) -> Iterator[psycopg.Connection]:
    """The fixture lands the large town beside the usual one, and undoes it at the end."""
    with psycopg.connect(town_database) as connection:
        for mart, rows in ROWS.items():
            fill(connection, f"insert into published.{mart} {rows}")
        fill(connection, PERSONS, persons=UNITS)
        fill(connection, DUE)
        figures.fill(connection, LARGE, ["office"])
        yield connection
        connection.rollback()


def test_page_and_pdf_stay_small_and_everything_adds_up(conn, tmp_path):
    (pack,) = write_packs(conn, LARGE, tmp_path, [OFFICE])
    assert pack.page.stat().st_size < 2_000_000
    page = pack.page.read_text(encoding="utf-8")
    assert f"其余 {COMMUNITIES - PLACES} 个" in page
    assert f"其余 {DEPARTMENTS - PLACES} 个" in page
    assert f"其余 {UNITS - 10:,} 个" in page
    assert "其余 440 个风险区" in page
    section = page.partition('<section id="overdue" class="chapter">')[2].partition("</section>")[0]
    found = re.findall(r"<table.*?</table>", section, re.DOTALL)
    assert len(found) == 4
    for table in found:
        numbers = [int(cell.replace(",", "")) for cell in re.findall(r"</th><td[^>]*>([\d,]+)", table)]
        *rows, total = numbers
        assert sum(rows) == total == UNITS
    assert len(pypdf.PdfReader(pack.pdf).pages) < 60
    # The spreadsheet has all of them.
    book = openpyxl.load_workbook(pack.workbook, read_only=True)
    lengths = {"单位统计": UNITS, "抽检单位": UNITS, "未采楼栋": 2000, "风险区": 500, "逾期未检": UNITS}
    assert {name: sum(1 for _ in book[name].iter_rows()) - 1 for name in lengths} == lengths


def peak_bytes(conn: psycopg.Connection, path: Path, persons: int) -> int:
    """The most that Python allocated while the spreadsheet was written with this many overdue persons more."""
    fill(conn, "delete from published.overdue where publication_id = {id}")
    fill(conn, PERSONS, persons=persons)
    with narrowed(conn, OFFICE):
        document = read_document(conn, LARGE)
        tracemalloc.start()
        try:
            write_workbook(conn, document, {}, path)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("streams", [True, False])
def test_the_memory_of_the_spreadsheet_does_not_follow_the_list(conn, tmp_path, monkeypatch, streams):
    """Ten times the rows, the same memory; and the measure notices a list that is held whole."""
    monkeypatch.setattr(lists, "FETCHED", 200)
    if not streams:
        read = lists.read_list
        monkeypatch.setattr(workbook, "read_list", lambda *arguments: list(read(*arguments)))
    for mart in ("compliance_daily", "sampling_unit_daily", "screening_building", "risk_zone"):
        fill(conn, f"delete from published.{mart} where publication_id = {{id}}")
    small, large = (peak_bytes(conn, tmp_path / "book.xlsx", persons) for persons in (300, 5000))
    assert (large - small < 350_000) is streams, (small, large)
