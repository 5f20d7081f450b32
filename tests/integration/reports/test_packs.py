"""The packs: the same figures on the page, in the spreadsheet and in the PDF, and nobody reads what is not theirs."""

import re
import stat
from datetime import datetime
from pathlib import Path

import openpyxl
import psycopg
import pypdf
import pytest
from psycopg.types.json import Jsonb

from tests.support import single
from tests.towns import town
from yingjian.people.audience import OFFICE, Audience
from yingjian.people.officials import Official, Officials
from yingjian.reports.content.audiences import audiences, narrowed, readers_of, unknown
from yingjian.reports.content.lists import LISTS
from yingjian.reports.packs import Pack, write_packs

COMMUNITY = Audience("community", "招丰社区")
DEPARTMENT = Audience("department", "卫健局")
GRID = Audience.of_grid(town.COMMUNITIES[0], "01网格")
CHOSEN = [OFFICE, COMMUNITY, DEPARTMENT, GRID]
PERSON = re.compile(r"王测试|key-\d|\d{17}[\dX]|(?<!\d)1[3-9]\d{9}(?!\d)")


@pytest.fixture(scope="module")
def packs(town_database: str, tmp_path_factory: pytest.TempPathFactory) -> dict[Audience, Pack]:
    with psycopg.connect(town_database) as conn:
        return {pack.audience: pack for pack in write_packs(conn, 12, tmp_path_factory.mktemp("packs"), CHOSEN)}


def sheet(pack: Pack, name: str) -> list[dict[str, object]]:
    """The function gives a list's rows by column; a list without rows has no sheet."""
    book = openpyxl.load_workbook(pack.workbook, read_only=True)
    if name not in book.sheetnames:
        return []
    head, *rows = book[name].iter_rows(values_only=True)
    return [dict(zip(head, row, strict=True)) for row in rows]


def table(pack: Pack, name: str, title: str) -> list[dict[str, object]]:
    """The function gives the rows of a table that stands below its title on a sheet, without the last, which adds up."""
    rows = list(openpyxl.load_workbook(pack.workbook, read_only=True)[name].iter_rows(values_only=True))
    start = next(place for place, row in enumerate(rows) if row[0] == title)
    end = next(place for place, row in enumerate(rows) if place > start and row[0] == "合计")
    return [dict(zip(rows[start + 1], row, strict=True)) for row in rows[start + 2 : end]]


def words(path: Path, between: str = "") -> str:
    """The text of a PDF, with `between` for its blanks and line ends."""
    return re.sub(r"\s+", between, "\n".join(page.extract_text() for page in pypdf.PdfReader(path).pages))


def test_everyone_with_a_part_in_the_publication_has_a_pack(conn):
    found = audiences(conn, 12)
    assert found[0] == OFFICE
    assert {a.name for a in found if a.kind == "community"} == set(town.COMMUNITIES)
    assert {a.name for a in found if a.kind == "department"} == {
        department for _, departments, _ in town.GROUPS.values() for department in departments.split("、")
    }


def test_the_files_are_the_owner_s_alone_and_named_without_persons(packs):
    pack = packs[COMMUNITY]
    assert [file.name for file in pack.files] == [
        f"community-招丰社区.{kind}" for kind in ("html", "xlsx", "pdf", "docx", "png")
    ]
    assert stat.S_IMODE(pack.page.parent.stat().st_mode) == 0o700
    assert sorted(file.name for file in pack.page.parent.iterdir()) == sorted(
        f.name for p in packs.values() for f in (*p.files, p.summary)
    )


def test_the_spreadsheet_s_sums_are_those_of_the_marts(conn, packs):
    overdue = sheet(packs[OFFICE], "逾期未检")
    assert len(overdue) == single(conn, "select count(*) from published.overdue where publication_id = 12")
    assert sum(row["逾期天数"] for row in overdue) == single(
        conn, "select sum(days_overdue)::int from published.overdue where publication_id = 12"
    )
    for title in ("按社区", "按主管部门", "按重点人群", "逾期最多的 10 个工作单位"):
        assert_sums_of_compliance(conn, table(packs[OFFICE], "逾期未检汇总", title), "逾期", "应检")
    assert_sums_of_compliance(conn, sheet(packs[OFFICE], "单位统计"), "逾期人次", "应检人次")


def assert_sums_of_compliance(
    conn: psycopg.Connection, rows: list[dict[str, object]], overdue: str, required: str
) -> None:
    for column, mart in ((required, "required"), (overdue, "overdue")):
        assert sum(row[column] for row in rows) == single(
            conn, f"select sum({mart})::int from published.compliance_daily where publication_id = 12 and is_headline"
        ), column


def test_values_are_numbers_and_days_and_every_list_can_be_filtered(packs):
    book = openpyxl.load_workbook(packs[COMMUNITY].workbook)
    lists = book["逾期未检"]
    assert lists.freeze_panes == "A2" and lists.auto_filter.ref
    row = sheet(packs[COMMUNITY], "逾期未检")[0]
    assert isinstance(row["逾期天数"], int) and isinstance(row["到期日"], datetime)
    assert isinstance(row["证件号码"], str) and re.fullmatch(r"350503\*{8}\d{4}", row["证件号码"])
    assert isinstance(table(packs[COMMUNITY], "逾期未检汇总", "按社区")[0]["应检尽检率"], (float, int))


def test_a_temperature_is_no_share_and_a_share_is_one(packs):
    book = openpyxl.load_workbook(packs[OFFICE].workbook)
    for name, column, code in (("健康监测异常", "最高体温", "0.0"), ("单位统计", "应检尽检率", "0.0%")):
        head, first = book[name][1], book[name][2]
        (cell,) = (cell for title, cell in zip(head, first, strict=True) if title.value == column)
        assert isinstance(cell.value, (int, float)) and cell.number_format == code


def test_a_community_s_pack_has_its_rows_with_names_and_nobody_else_s(conn, packs):
    unfiltered = ("逾期未检", "未来7日应检", "区域核酸未采", "次日抽检", "推送未清", "阻碍降级")
    for name, mart in ((found.title, found.mart) for found in LISTS if found.title in unfiltered):
        rows = sheet(packs[COMMUNITY], name)
        assert {row["社区"] for row in rows} <= {"招丰社区"}
        assert len(rows) == single(
            conn, f"select count(*) from published.{mart} where publication_id = 12 and community = '招丰社区'"
        )
    for found in LISTS:
        assert {row["社区"] for row in sheet(packs[COMMUNITY], found.title)} <= {"招丰社区"}
        assert {row["社区"] for row in sheet(packs[OFFICE], found.title)}, found.title
    assert all(row["姓名"].startswith("王测试") for row in sheet(packs[COMMUNITY], "逾期未检"))
    # 北峰社区卫生服务中心 answers for some articles wherever they concern somebody.
    page = packs[COMMUNITY].page.read_text(encoding="utf-8").replace("北峰社区卫生服务中心", "")
    assert not [other for other in town.COMMUNITIES if other != "招丰社区" and other in page]
    assert "招丰社区" in page


def test_a_grid_s_pack_has_its_people_and_only_figures_of_the_grid(conn, packs):
    here = f"publication_id = 12 and community = '{town.COMMUNITIES[0]}' and grid = '01网格'"
    book = openpyxl.load_workbook(packs[GRID].workbook, read_only=True)
    assert book.sheetnames[:2] == ["摘要", "今日名单"]
    for found in LISTS:
        rows = sheet(packs[GRID], found.title)
        if "网格" in found.columns:
            assert {(row["社区"], row["网格"]) for row in rows} <= {(town.COMMUNITIES[0], "01网格")}, found.title
        else:
            assert rows == [], "a list whose rows have no grid is not a grid's"
    late = sheet(packs[GRID], "逾期未检")
    assert len(late) == single(conn, f"select count(*) from published.overdue where {here}") > 0
    assert all(row["姓名"].startswith("王测试") for row in late)
    assert not {"单位统计", "风险区", "每日指标"} & set(book.sheetnames)
    page = packs[GRID].page.read_text(encoding="utf-8")
    assert set(re.findall(r'<section id="([\w-]+)" class="chapter"', page)) == {"own-grid"}
    assert "各项数字都是本网格的" in page and "应检尽检率" not in page.partition("<h2>口径与依据")[0]
    assert not [other for other in town.COMMUNITIES[1:] if other in page.replace("北峰社区卫生服务中心", "")]
    items = single(conn, f"select items from published.disposition_daily where {here} and list = 'overdue'")
    assert f"逾期未检{items}项" in words(packs[GRID].pdf)


def test_the_office_and_the_parts_with_an_official_have_a_pack(conn):
    def officials(*audiences: Audience) -> Officials:
        return Officials({str(place): Official(str(place), "联络员", one) for place, one in enumerate(audiences)})

    assert readers_of(conn, 12, officials(GRID, COMMUNITY, COMMUNITY)) == [OFFICE, COMMUNITY, GRID]
    assert readers_of(conn, 12, officials(DEPARTMENT)) == [OFFICE, DEPARTMENT]
    for nobody in (None, Officials()):
        assert readers_of(conn, 12, nobody) == audiences(conn, 12), (
            "without officials, every part has a pack, but no grid"
        )


def test_an_official_s_part_that_the_publication_does_not_know_is_named(conn):
    row = {"publication_id": 12, "community": town.COMMUNITIES[0], "grid": "01网格"}
    conn.execute(
        "insert into published.grid_population select (jsonb_populate_record(null::published.grid_population, %s)).*",
        (Jsonb(row),),
    )
    mistyped = [Audience("community", "招丰社区居委会"), Audience.of_grid(town.COMMUNITIES[0], "1网格")]
    assert unknown(conn, 12, [*CHOSEN, *mistyped]) == mistyped


def test_a_department_s_pack_has_its_rows_and_says_nothing_of_what_is_not_by_department(conn, packs):
    rows = sheet(packs[DEPARTMENT], "逾期未检")
    assert {row["主管部门"] for row in rows} == {"卫健局"}
    page = packs[DEPARTMENT].page.read_text(encoding="utf-8")
    for anchor in ("zones", "screening", "contacts", "vaccination"):
        assert f'id="{anchor}"' not in page, "no sentence that there is nothing: it has no part in them"
    scope = re.search(
        "只含卫健局的数据，各项数字都是本部门的。(.+?)不按部门分，见街道日报", words(packs[DEPARTMENT].pdf)
    )
    assert scope and {"风险区", "区域核酸检测", "隔离与健康监测"} & set(scope[1].split("、")) == {
        "风险区",
        "区域核酸检测",
    }
    assert scope[0] in page
    book = openpyxl.load_workbook(packs[DEPARTMENT].workbook, read_only=True)
    assert not {"区域核酸未采", "风险区", "未采楼栋"} & set(book.sheetnames)
    assert {"逾期未检", "未来7日应检", "单位统计"} <= set(book.sheetnames)


def test_a_part_s_pack_begins_its_lists_with_the_form_of_today_and_the_office_has_no_names(packs):
    assert openpyxl.load_workbook(packs[COMMUNITY].workbook).sheetnames[:2] == ["摘要", "今日名单"]
    assert "今日名单" not in openpyxl.load_workbook(packs[OFFICE].workbook).sheetnames
    rows = sheet(packs[COMMUNITY], "今日名单")
    assert {row["社区"] for row in rows} == {"招丰社区"} and {row["名单"] for row in rows} >= {"overdue"}
    assert all(row["处置结果"] is None and row["项目编号"] for row in rows)


def test_a_list_without_rows_has_no_sheet(packs):
    assert "隔离与监测" in openpyxl.load_workbook(packs[OFFICE].workbook, read_only=True).sheetnames
    book = openpyxl.load_workbook(packs[DEPARTMENT].workbook)
    assert "隔离与监测" not in book.sheetnames
    assert all(sheet.max_row > 1 for sheet in book)


def test_a_department_s_days_ahead_are_its_own(conn, packs):
    due = single(conn, "select count(*)::int from published.due where publication_id = 12 and department = '卫健局'")
    forecast = pdf_table(packs[DEPARTMENT].pdf, "按社区", "社区 7/25")
    assert sum(forecast.pop()[1]) == due > 0


def test_pages_and_pdfs_name_no_person_and_the_office_s_spreadsheet_neither(packs):
    for pack in packs.values():
        assert not PERSON.search(pack.page.read_text(encoding="utf-8"))
        assert not PERSON.search(words(pack.pdf, " "))
    book = openpyxl.load_workbook(packs[OFFICE].workbook, read_only=True)
    said = " ".join(str(cell) for each in book for row in each.iter_rows(values_only=True) for cell in row if cell)
    assert not PERSON.search(said)
    assert PERSON.search("王测试1"), "the pattern can find one"


def test_the_pdf_is_a4_can_be_searched_in_chinese_and_has_its_fonts(packs):
    reader = pypdf.PdfReader(packs[OFFICE].pdf)
    assert [round(float(side)) for side in reader.pages[0].mediabox[2:]] == [595, 842]
    said = words(packs[OFFICE].pdf)
    for expected in (
        "北峰街道应检尽检日报",
        "今日重点工作",
        "区域核酸检测",
        "霞美社区",
        "数据质量",
        f"第1页，共{len(reader.pages)}页",
    ):
        assert expected in said
    fonts = [
        font.get_object()
        for page in reader.pages
        for font in page["/Resources"]["/Font"].values()  # type: ignore[index, union-attr]
    ]
    embedded = [font["/DescendantFonts"][0].get_object()["/FontDescriptor"] for font in fonts]
    assert embedded and all("/FontFile3" in font or "/FontFile2" in font for font in embedded)


def pdf_table(path: Path, title: str, head: str) -> list[tuple[str, list[int]]]:
    """The function gives the rows below a heading and a table's head, as long as they look like one: a name, then whole numbers and others."""
    lines = "\n".join(page.extract_text() for page in pypdf.PdfReader(path).pages).split("\n")
    start = next(
        place for place in range(len(lines) - 1) if lines[place].strip() == title and lines[place + 1].startswith(head)
    )
    rows = []
    for line in lines[start + 2 :]:
        if line.startswith(head) or re.search("第 ?[0-9]+ ?页，共", line):
            continue  # The table goes on at the top of the next page.
        found = re.match(r"(\D\S*)((?: [\d,]+)+)", line.strip())
        if not found:
            break
        rows.append((found[1], [int(number.replace(",", "")) for number in found[2].split()]))
        if found[1] == "合计":
            break
    return rows


def test_the_sums_of_the_pdf_are_those_of_the_marts(conn, packs):
    persons = single(conn, "select count(distinct person_key)::int from published.overdue where publication_id = 12")
    assert f"逾期人数{persons}人" in words(packs[OFFICE].pdf)
    communities = pdf_table(packs[OFFICE].pdf, "按社区", "社区 逾期")
    assert communities.pop()[0] == "合计"
    assert {name for name, _ in communities} == set(town.COMMUNITIES)
    for place, mart in enumerate(("overdue", "required")):
        assert sum(numbers[place] for _, numbers in communities) == single(
            conn, f"select sum({mart})::int from published.compliance_daily where publication_id = 12 and is_headline"
        )
    forecast = pdf_table(packs[OFFICE].pdf, "按社区", "社区 7/25")
    assert forecast.pop()[0] == "合计"
    for day in range(7):
        assert sum(numbers[day] for _, numbers in forecast) == single(
            conn,
            "select sum(tests_due)::int from published.due_forecast "
            f"where publication_id = 12 and due_date = date '2022-07-25' + {day}",
        )


def test_the_pdf_says_what_got_worse_who_must_act_and_what_terms_mean(packs):
    said = words(packs[OFFICE].pdf)
    for expected in (
        "较前日变差指标及原因",
        "责任单位：各部门、各社区、核酸检测组",
        "数据说明",
        "以前日期更正93项（7月21日至7月23日）",
        "超过8小时未隔离2人▲1",
        "口径与依据",
    ):
        assert expected in said, expected
    assert re.search(r"新增\d+项：当日到期未采\d+、", said)


def test_the_spreadsheet_tells_the_day_first(packs):
    book = openpyxl.load_workbook(packs[OFFICE].workbook, read_only=True)
    assert book.sheetnames[:4] == ["摘要", "逾期未检", "未来7日应检", "区域核酸未采"]
    rows = [[str(cell) for cell in row if cell is not None] for row in book["摘要"].iter_rows(values_only=True)]
    first = {row[0]: row for row in reversed(rows) if row}
    assert re.search(r"新增 \d+ 项：当日到期未采 \d+、", first["逾期"][2])
    assert first["督促补检"][-2:] == ["各部门、各社区、核酸检测组", "到期当日24时，已逾期"]
    assert "以前日期更正 93 项" in first["更正"][1]


def test_daily_figures_are_numbers_with_definition_and_article(packs):
    by_name = {row["指标"]: row for row in sheet(packs[OFFICE], "每日指标")}
    overdue = by_name["超过8小时未隔离"]
    assert (overdue["今日"], overdue["前一日"], overdue["变化"], overdue["2022-07-23"]) == (2, 1, "▲1", 1)
    assert overdue["2022-07-19"] is None, "nothing was published that day"
    assert "8小时" in overdue["口径"] and overdue["依据"] == "第二十五、二十六条"
    assert all(row["口径"] and row["依据"] for row in by_name.values())


def test_new_less_cleared_is_the_change_by_every_name(conn, packs):
    rows = sheet(packs[OFFICE], "逾期增减")
    (total,) = (row for row in rows if row["分组"] == "合计")
    items = "select count(*)::int from published.overdue where publication_id = "
    assert total["净增"] == single(conn, items + "12") - single(conn, items + "11")
    for name in ("社区", "主管部门", "重点人群"):
        parts = [row for row in rows if row["分组"] == name]
        for column in ("新增", "消除", "净增", "当日到期未采", "当日补采", "未补采转为漏检"):
            assert sum(row[column] for row in parts) == total[column]


def test_the_same_publication_gives_the_same_bytes(conn, packs, tmp_path):
    town.publish(conn, 13, town.LAST_DAY)
    again = {pack.audience: pack for pack in write_packs(conn, 12, tmp_path, CHOSEN)}
    for audience, pack in packs.items():
        for first, second in zip(pack.files, again[audience].files, strict=True):
            assert first.read_bytes() == second.read_bytes(), first.name


def test_a_cell_that_looks_like_a_formula_stays_text(conn, tmp_path):
    conn.execute(
        "update published.overdue set unit = '=1+1', explanation = '=HYPERLINK(\"http://x\")' where publication_id = 12"
    )
    (pack,) = write_packs(conn, 12, tmp_path, [COMMUNITY])
    cells = openpyxl.load_workbook(pack.workbook)["逾期未检"]["F2:F4"]
    assert {(cell.value, cell.data_type) for (cell,) in cells} <= {("=1+1", "s")} or all(
        cell.data_type == "s" for (cell,) in cells
    )


def test_a_mart_that_names_no_place_shows_nothing_to_a_community(conn):
    conn.execute("insert into published.rejection_by_sender values (12, 'x', '检测机构', 3)")
    with narrowed(conn, COMMUNITY):
        assert conn.execute("select count(*) from rejection_by_sender").fetchone() == (0,)
        assert conn.execute("select count(distinct community) from overdue").fetchone() == (1,)
    with narrowed(conn, OFFICE):
        assert conn.execute("select count(*) from rejection_by_sender where publication_id = 12").fetchone() == (1,)


def test_a_file_name_takes_what_senders_write():
    assert Audience("department", "../甲 局/乙").code == "department-_甲_局_乙"
    long = Audience("community", "社" * 300).code
    assert len(long.encode()) < 255 and long != Audience("community", "社" * 301).code
    assert OFFICE.code == "office"


def test_a_joint_competence_is_in_both_packs(conn):
    for name in ("商务局", "市场监管局"):
        with narrowed(conn, Audience("department", name)):
            assert single(conn, "select count(*) from overdue where group_code = '13'") > 0
