"""A report from published rows in a real PostgreSQL."""

import re
from datetime import date, timedelta

import psycopg
import pytest

from tests.figures import fill
from tests.support import single
from tests.towns import town
from yingjian.people.audience import OFFICE
from yingjian.reports.content.audiences import narrowed
from yingjian.reports.content.contents import SECTIONS
from yingjian.reports.content.document import Chapter, Document, Figure, Table, Text
from yingjian.reports.content.figures import read_figures
from yingjian.reports.content.publication import read_issue
from yingjian.reports.content.report import read_document
from yingjian.reports.content.sections import overdue, zones
from yingjian.reports.content.sections.section import Reading
from yingjian.reports.packs import write_report

DAY_BEFORE = town.PUBLICATION_ID - 1


def read(conn: psycopg.Connection, publication_id: int = town.PUBLICATION_ID) -> Document:
    with narrowed(conn, OFFICE):
        return read_document(conn, publication_id)


def read_section(conn: psycopg.Connection, anchor: str) -> Reading:
    (section,) = (section for section in SECTIONS if section.anchor == anchor)
    with narrowed(conn, OFFICE):
        issue = read_issue(conn, town.PUBLICATION_ID)
        return section.read(conn, issue, read_figures(conn, issue))


def chapter(document: Document, anchor: str) -> Chapter:
    (found,) = (chapter for chapter in document.chapters if chapter.anchor == anchor)
    return found


def figures(document: Document) -> dict[str, Figure]:
    return {figure.key: figure for chapter in document.chapters for figure in chapter.each(Figure)}


def sentences(document: Document) -> dict[str, str]:
    return {c.anchor: " ".join(text.words for text in c.each(Text) if not text.is_note) for c in document.chapters}


def causes(conn: psycopg.Connection) -> dict[str, int]:
    return overdue.by_cause(read_section(conn, "overdue")["movement"])


def test_the_file_is_named_by_date_and_publication_and_small(conn, tmp_path):
    path = write_report(conn, town.PUBLICATION_ID, tmp_path / "reports")
    assert path == tmp_path / "reports" / "2022-07-24-p12.html"
    assert path.stat().st_size < 2_000_000
    assert list(path.parent.iterdir()) == [path]


def test_the_same_publication_gives_the_same_bytes_also_after_later_ones(conn, tmp_path):
    first = write_report(conn, town.PUBLICATION_ID, tmp_path / "first").read_bytes()
    town.publish(conn, 13, town.LAST_DAY - timedelta(days=1))  # yesterday, computed again
    town.publish(conn, 14, town.LAST_DAY)
    conn.execute("set time zone 'America/New_York'")
    assert write_report(conn, town.PUBLICATION_ID, tmp_path / "second").read_bytes() == first
    assert write_report(conn, 14, tmp_path / "third").read_bytes() != first


def test_figures_are_those_of_the_published_rows(conn):
    document = read(conn)
    tiles = {tile.label: tile.value for tile in document.tiles}
    items = single(conn, "select count(*) from published.overdue where publication_id = 12")
    assert tiles["逾期人数"] == single(
        conn, "select count(distinct person_key) from published.overdue where publication_id = 12"
    )
    assert tiles["次日应检"] == figures(document)["forecast"].values[0]
    (required, late) = (
        single(
            conn, f"select sum({name})::int from published.compliance_daily where publication_id = 12 and is_headline"
        )
        for name in ("required", "overdue")
    )
    assert tiles["应检人次"] == required
    change = late - single(
        conn, "select sum(overdue)::int from published.compliance_daily where publication_id = 11 and is_headline"
    )
    by_place = [
        table for table in chapter(document, "overdue").each(Table) if table.title.startswith(("按", "逾期最多"))
    ]
    assert len(by_place) == 4
    for table in by_place:
        assert (table.total[1], table.total[2], table.total[4]) == (late, required, change), table.title
        for place in (1, 2, 4):
            assert sum(row[place] for row in table.listed) == table.total[place]
    assert sum(figures(document)["bands"].values) == items
    assert (tiles["高 / 中风险区"], tiles["可降级风险区"]) == ("2 / 2", 1)


def test_a_figure_is_compared_with_the_newest_publication_of_the_earlier_date(conn):
    town.publish(conn, 13, town.LAST_DAY - timedelta(days=1))
    town.publish(conn, 14, town.LAST_DAY)
    again = single(
        conn, "select sum(overdue)::int from published.compliance_daily where publication_id = 13 and is_headline"
    )
    assert figures(read(conn, 14))["overdue"].before == again
    assert figures(read(conn, 12))["overdue"].before != again


def test_a_day_without_publication_is_a_gap_and_no_comparison(conn):
    document = read(conn)
    gaps = [date(2022, 7, 11), date(2022, 7, 12), date(2022, 7, 19)]
    for figure in figures(document).values():
        if figure.is_daily and not figure.is_share:
            days = zip(document.days, figure.values, strict=True)
            assert [day for day, value in days if value is None] == gaps, figure.key
    after_the_gap = read(conn, town.PUBLICATION_ID - 4)
    assert "没有发布" in after_the_gap.compared and after_the_gap.findings == []
    for table in chapter(after_the_gap, "overdue").each(Table):
        if "排名" in table.title:
            continue
        assert {row[-1] for row in table.listed} == {None}, table.title
    assert {figure.before for figure in figures(after_the_gap).values()} == {None}


def test_without_history_and_without_zones_it_reads_well(conn, tmp_path):
    town.publish(conn, 30, date(2022, 7, 1))
    page = write_report(conn, 30, tmp_path).read_text(encoding="utf-8")
    assert "无上期数据" in page
    assert "今日无风险区。" in page


def test_a_pruned_publication_gives_no_empty_report(conn, tmp_path):
    conn.execute("delete from published.feed_quality where publication_id = %s", (DAY_BEFORE,))
    assert "没有发布" in read(conn).compared
    with pytest.raises(LookupError, match="pruned"):
        write_report(conn, DAY_BEFORE, tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_unknown_publication_is_an_error(conn, tmp_path):
    with pytest.raises(LookupError, match="no publication 99"):
        write_report(conn, 99, tmp_path)


def test_each_day_of_a_trend_is_as_it_was_published(conn):
    found = figures(read(conn))
    for key, value in (
        ("overdue", "sum(overdue)::int"),
        ("compliance", "round(sum(compliant)::numeric / sum(required), 3)::float"),
    ):
        for day, shown in zip(range(-11, 1), found[key].values[2:], strict=True):
            if shown is not None:
                query = (
                    f"select {value} from published.compliance_daily where publication_id = {12 + day} and is_headline"
                )
                assert shown == single(conn, query)
    later = figures(read(conn, town.PUBLICATION_ID - 1))["overdue"]
    assert later.values[-1] == found["overdue"].before == found["overdue"].values[-2]


def test_a_daily_figure_of_its_day_alone(conn):
    """A purchase whose test was due another day, a contact whose hours ran out another day, count on that day."""
    by_key = figures(read(conn))
    assert by_key["purchases-tested"].today == single(
        conn,
        """
        select count(*) filter (where status = 'satisfied')::float / count(*) from published.pharmacy_followup
        where publication_id = 12 and test_due_date = '2022-07-24'
        """,
    )
    conn.execute("update published.contact_clock set deadline = deadline - interval '1 day' where publication_id = 12")
    fill(conn, 12)
    moved = figures(read(conn))
    assert moved["contacts-in-time"].today is None
    assert moved["contacts-overdue"].today == by_key["contacts-overdue"].today == 2, (
        "of two persons with two records each"
    )
    assert by_key["contacts-overdue"].risen == [("招丰社区", 1)]


def test_an_infected_contact_is_not_to_be_isolated_at_once(conn):
    """Articles 25 and 26: hospital comes before isolation, so neither figure nor action counts the person."""
    conn.execute(
        """
        update published.contact_clock set is_infected = true
        where publication_id = 12 and status = 'overdue' and category = '密接'
        """
    )
    fill(conn, 12)
    document = read(conn)
    assert figures(document)["contacts-overdue"].today == 2
    assert {action.heading: action.text for action in document.actions}["立即隔离"].startswith(
        "2 名密接、次密接超过8小时"
    )


def test_a_zone_that_was_lowered_is_shown_for_its_days_alone(conn):
    """Article 28: a zone that became low is shown as 已解除, and then leaves the page, not the mart."""
    (table,) = chapter(read(conn), "zones").each(Table)
    assert [row[2] for row in table.rows] == ["高", "高", "中", "中", "已解除"]
    conn.execute("update published.risk_zone set is_lowered = false where publication_id = 12")
    (table,) = chapter(read(conn), "zones").each(Table)
    assert [row[2] for row in table.rows] == ["高", "高", "中", "中"]


CAUSES = {  # what of the duty was published the day before and the day after: the cause that it has
    "fell_due": (("upcoming", 24), ("overdue", 24)),
    "joined": (None, ("overdue", 24)),
    "recorded_late": (None, ("overdue", 22)),
    "lift_ended": (("exempt", 20), ("overdue", 24)),
    "restated_new": (("upcoming", 27), ("overdue", 24)),
    "sampled": (("overdue", 23), ("satisfied_late", 23)),
    "sample_late": (("overdue", 21), ("satisfied", 21)),
    "missed": (("overdue", 21), ("missed", 21)),
    "lifted": (("overdue", 21), ("void", 21)),
    "ended": (("overdue", 21), None),
    "restated_cleared": (("overdue", 23), ("upcoming", 26)),
    "": (("overdue", 21), ("overdue", 21)),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_each_cause_of_a_change_of_overdue(conn, cause):
    for publication_id, state in zip((11, 12), CAUSES[cause], strict=True):
        for mart in ("obligation", "overdue"):
            conn.execute(f"delete from published.{mart} where publication_id = %s", (publication_id,))
            if state and (mart == "obligation" or state[0] == "overdue"):
                sampled = {"sampled": 24, "sample_late": 21}.get(cause) if publication_id == 12 else None
                conn.execute(
                    f"""
                    insert into published.{mart} (
                        publication_id, as_of_date, obligation_id, person_key, group_code, group_name, slot, unit,
                        department, community, grid, due_date, status, days_overdue, satisfied_on, needs_review
                    )
                    values (%s, date '2022-07-12' + %s::int, 'one', 'key-1', '31', '境外', 1, '', '甲局', '甲社区', '',
                        date '2022-07-01' + %s::int - 1, %s, 0, date '2022-07-01' + %s::int - 1, false)
                    """,
                    (publication_id, publication_id, state[1], state[0], sampled),
                )
    movement = read_section(conn, "overdue")["movement"]
    assert overdue.by_cause(movement) == ({cause: 1} if cause else {})
    if cause:
        (community,) = overdue.moved(movement, "community").itertuples()
        assert community.name == "甲社区" and community.net == (1 if cause in overdue.NEW else -1)


def test_a_rolling_duty_is_cleared_by_a_sample_of_the_day_or_by_one_that_came_late(conn):
    for taken, cause in (("2022-07-24", "sampled"), ("2022-07-22", "sample_late"), ("2022-07-15", "restated_cleared")):
        for mart in ("obligation", "overdue"):
            conn.execute(f"delete from published.{mart} where publication_id in (11, 12)")
        for mart in ("obligation", "overdue"):
            conn.execute(
                f"""
                insert into published.{mart} (publication_id, as_of_date, obligation_id, person_key, group_code,
                    community, due_date, status, days_overdue, last_sample_date, needs_review)
                values (11, '2022-07-23', 'one', 'key-1', '8', '甲社区', '2022-07-22', 'overdue', 2, '2022-07-15', false)
                """
            )
        conn.execute(
            """
            insert into published.obligation (publication_id, as_of_date, obligation_id, person_key, group_code,
                community, due_date, status, days_overdue, last_sample_date, needs_review)
            values (12, '2022-07-24', 'one', 'key-1', '8', '甲社区', '2022-07-29', 'upcoming', 0, %s, false)
            """,
            (taken,),
        )
        assert causes(conn) == {cause: 1}


def test_zones_are_compared_with_the_day_before(conn):
    def changes() -> dict[str, str]:
        found = zones.changed(read_section(conn, "zones")["zones"], 12, 11)
        return dict(zip(found["name"], found["kind"], strict=True))

    assert changes() == {"群石新村": "declared", "群山工业区宿舍": "positive"}
    conn.execute("update published.risk_zone set level = '中' where publication_id = 11 and zone_id = 'FX001'")
    conn.execute("update published.risk_zone set level = '高' where publication_id = 11 and zone_id = 'FX005'")
    assert (changes()["招丰花园3–5号楼"], changes()["博东市场及周边"]) == ("raised", "lowered")


def test_a_pruned_day_keeps_its_figures_and_is_not_compared(conn):
    for mart in ("feed_quality", "contact_clock", "risk_zone"):
        conn.execute(f"delete from published.{mart} where publication_id = {DAY_BEFORE}")
    by_key = figures(read(conn))
    for key in ("contacts-overdue", "overdue"):
        assert by_key[key].values[-2] is not None, "published.indicator_daily keeps every publication"
        assert by_key[key].before is None, "the lists of the day before are gone, so nothing is compared"


def test_actions_name_the_responsible_units_of_the_publication_s_edition(conn):
    conn.execute("update published.responsibility set unit = '新专班' where publication_id = 12 and provision = '21'")
    assert {action.heading: action.units for action in read(conn).actions}["长期未检"] == ("新专班",)
    assert "各部门" in {action.heading: action.units for action in read(conn, DAY_BEFORE).actions}["长期未检"]


def test_no_person_is_on_the_page(conn, tmp_path):
    page = write_report(conn, town.PUBLICATION_ID, tmp_path).read_text(encoding="utf-8")
    assert "key-" not in page
    assert not re.search(r"\d{17}[\dX]|1[3-9]\d{9}", page)
    assert not re.search(r"\d\d网格", page), "the grids of persons' obligations"


def test_work_whose_rule_has_a_deadline_tells_it(conn):
    limits = {action.heading: action.limit for action in read(conn).actions}
    assert limits["督促整改"] == "整改期限（最早 7月23日，已逾期）"
    assert limits["办结诉求"] == "7月24日20:00，已超时"
    assert limits["登记住客"] == "7月24日14:00，已超时"
    assert limits["补齐活动审批"] == "审批期限（最早 7月20日，已逾期）"
    assert limits["开展演练"] == "", "what was never done has no day on which it was due"
    assert limits["补足消毒"] == limits["督促报告体温"] == "当日24时，已逾期"


def test_positives_signals_and_the_other_provisions_have_their_sentences(conn):
    document = read(conn)
    said, told = sentences(document), {action.heading: action.text for action in document.actions}
    assert said["positives"] == (
        "近7日的和仍未办结的阳性人员 4 人：未报告 1 人，已报告未转运 1 人，超时办结 1 人；其中出院后复阳 1 人。"
    )
    assert told["立即报告转运"].startswith("2 名阳性人员超过时限仍未报告或未转运，最久 10 小时")
    assert said["monitoring"] == "当日健康监测 3 人，报告次数不足 1 人，发热或有症状 1 人。"
    assert "新增感染者 3 例，其中已掌握的密接、次密接 2 例（66.7%）" in said["early"]
    assert said["early"].endswith("从未检测 9 人，其中重点人员 3 人。")
    assert told["核查预警信号"] == "当日新的预警信号：发热 1（个），逐个核查并反馈。"
    assert "隔离场所 1 处，房间 80 间，可用 7 间，有缺项的 1 处。" in said["provisions"]
    assert told["补充物资"] == "防护服（可用 3 天）低于底线天数。"
    assert told["办结诉求"] == "1 件群众诉求超时未办结，最久 16 小时。"
    assert told["核查住客"] == "1 名在店住客在管控名单中，立即核查。"
    assert told["补齐活动审批"] == "1 场大型活动临近而审批不全，不得举办。"
    assert said["dispositions"].startswith("各清单事项 22 项，已反馈处置结果 11 项（50.0%）")


def test_an_open_positive_is_told_until_it_is_transferred(conn):
    conn.execute("update published.positive_followup set status = 'satisfied' where publication_id = 12")
    fill(conn, 12)
    assert "立即报告转运" not in {action.heading for action in read(conn).actions}


GAPS = (
    "screening_round set started_at = '1000-01-01', deadline = '9999-12-31 23:59:59'",
    "pool_followup set tube_result_at = '9999-12-31 23:59:59'",
    "risk_zone set level_since = '1000-01-01', last_positive_date = null, communities = null, is_lowered = null",
    "town_state set since = null",
    "positive_followup set again = null, community = null",
    "readiness set mix_ok = null, surplus = null",
    "compliance_daily set community = null, department = null, group_name = null",
    "overdue set community = null, group_name = null",
    "due set community = null",
    "contact_clock set community = null, category = null",
    "vaccination_60plus set residents = 0, booster = 0",
    "sampling_unit_daily set unit = null, community = null, coverage_lately = null",
)


@pytest.mark.parametrize("gap", GAPS, ids=lambda gap: gap.partition(" ")[0])
def test_a_gap_or_an_extreme_in_a_mart_does_not_stop_the_report(conn, tmp_path, gap):
    conn.execute(f"update published.{gap} where publication_id = 12")
    page = write_report(conn, town.PUBLICATION_ID, tmp_path).read_text(encoding="utf-8")
    assert "nan" not in re.sub(r"<[^>]*>", "", page) and "NaT" not in page


def test_a_publication_without_any_rows_says_so(conn):
    for (mart,) in conn.execute(
        "select table_name from information_schema.tables where table_schema = 'published'"
    ).fetchall():
        if mart not in ("publication", "feed_quality"):
            conn.execute(f"delete from published.{mart} where publication_id = 12")
    fill(conn, 12)
    document = read(conn)
    assert [action.heading for action in document.actions] == ["无应检数据", "补报数据"]
    assert list(chapter(document, "screening").each(Table)) == []
