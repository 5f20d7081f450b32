"""Retention: what is over goes, what stands and what proves it stays, and a recent day is computed as before."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest

from tests import metadata, support
from tests.support import IDENTITY, sample, write_feed
from yingjian import clock
from yingjian.database import warehouse
from yingjian.orchestration import tasks
from yingjian.privacy import audit_trail, retention
from yingjian.reports.packs import write_report
from yingjian.settings import Settings

pytestmark = pytest.mark.slow

DAY = date(2022, 7, 10)
DAYS = 365
LAST_KEPT = DAY - timedelta(days=DAYS)
FIRST_GONE = LAST_KEPT - timedelta(days=1)
OLD = FIRST_GONE - timedelta(days=60)

# Made-up people with valid numbers, one for each reason to go or to stay.
NUMBERS = {
    "gone": "350503194205022751", "boundary": "35050319810106930X", "open": "350503195001010010",
    "moved": "350503195001010053", "stayed": "350503195001010061", "guest": "350503195001010070",
    "twice": "350503195001010029", "waiting": "350503195001010037", "stranger": "350503195001010045",
    "positive": "350503195001010088", "pooled": "350503195001010096", "cured": "350503195001010100", "alone": "350503195001010118",
}  # fmt: skip


def valid(number: str) -> str:
    weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
    return number[:17] + "10X98765432"[sum(int(d) * w for d, w in zip(number[:17], weights, strict=True)) % 11]


def who(name: str) -> dict[str, str]:
    return {**IDENTITY, "证件号码": valid(NUMBERS[name])}


def member(key: str, name: str, group: str, start: date, end: date | None = None, **cells: str) -> dict[str, str]:
    return {
        "记录编号": key, **who(name), "人群编号": group, "起始日期": str(start), "移出日期": str(end or ""),
        "社区": "第1社区", "更新时间": f"{start} 08:00:00",
    } | cells  # fmt: skip


def taken(key: str, name: str, day: date, **cells: str) -> dict[str, str]:
    return sample(key, f"{day} 08:00:00", **{"证件号码": valid(NUMBERS[name])} | cells)


@pytest.fixture(scope="module")
def town(home_factory: Callable[[str], Settings], tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings, out = home_factory("retention"), tmp_path_factory.mktemp("landing")
    old, recent = OLD, DAY - timedelta(days=2)
    write_feed(out, "key_population", [
        member("K-gone", "gone", "1", old, FIRST_GONE), member("K-boundary", "boundary", "1", old, LAST_KEPT),
        member("K-open", "open", "1", old), member("K-positive", "positive", "1", old, FIRST_GONE),
        member("K-twice-old", "twice", "37", old, old + timedelta(days=9), 锚定日期=str(old)),
        member("K-twice-new", "twice", "1", old + timedelta(days=20)),
    ])  # fmt: skip
    write_feed(out, "test_results", [
        taken("S-gone", "gone", old + timedelta(days=1)),
        taken("S-boundary", "boundary", LAST_KEPT), taken("S-boundary-old", "boundary", old + timedelta(days=1)),
        *(taken(f"S-open-{i}", "open", old + timedelta(days=i)) for i in range(5)),
        taken("S-twice-before", "twice", old - timedelta(days=1)), taken("S-twice-slot", "twice", old + timedelta(days=2)),
        taken("S-twice-new", "twice", recent), taken("S-twice-newer", "twice", DAY - timedelta(days=1)),
        taken("S-stranger", "stranger", FIRST_GONE), taken("S-stranger-kept", "stranger", LAST_KEPT),
        taken("S-positive-before", "positive", old), taken("S-positive", "positive", old + timedelta(days=1), 检测结果="阳性"),
        taken("S-alone", "alone", old, 检测结果="阳性"), taken("S-alone-negative", "alone", old - timedelta(days=1)),
        taken("S-cured", "cured", old, 检测结果="阳性"),
        taken("S-tube", "cured", old, 采样方式="混采", 试管编号="T-open", 检测结果="阳性"),
        taken("S-pooled", "pooled", old, 采样方式="混采", 试管编号="T-open"),
    ])  # fmt: skip
    write_feed(out, "contacts", [
        {"编号": "C-waiting", **who("waiting"), "类别": "密接", "末次接触日期": str(old), "判定时间": f"{old} 08:00:00",
         "社区": "第1社区", "更新时间": f"{old} 09:00:00"},
        {"编号": "C-gone", **who("gone"), "类别": "密接", "末次接触日期": str(old), "判定时间": f"{old} 08:00:00",
         "社区": "第1社区", "更新时间": f"{old} 09:00:00"},
    ])  # fmt: skip
    write_feed(out, "releases", [
        {"编号": "R-gone", "记录编号": "contacts:C-gone", **{k: v for k, v in who("gone").items() if k.startswith("证件")},
         "解除类型": "全部管控", "解除日期": str(old + timedelta(days=10)), "更新时间": f"{old + timedelta(days=10)} 08:00:00"},
    ])  # fmt: skip
    write_feed(out, "declarations", [
        {"通告编号": "D-old", "类型": "区域核酸", "范围社区": "第1社区", "开始时间": f"{old} 00:00:00", "更新时间": f"{old} 00:00:00"},
        {"通告编号": "D-start", "类型": "疫情启动", "范围社区": "第1社区", "开始时间": f"{old} 00:00:00", "更新时间": f"{old} 00:00:00"},
        {"通告编号": "D-end", "类型": "疫情结束", "范围社区": "第1社区", "开始时间": f"{old + timedelta(days=9)} 00:00:00",
         "更新时间": f"{old} 00:00:00"},
        {"通告编号": "D-new", "类型": "区域核酸", "范围社区": "第1社区", "开始时间": f"{recent} 00:00:00", "更新时间": f"{recent} 00:00:00"},
    ])  # fmt: skip
    write_feed(out, "residents", [
        {**who("stranger"), "社区": "第1社区", "网格": "1", "更新时间": f"{old} 08:00:00"},
        {**who("gone"), "社区": "第1社区", "网格": "1", "迁出日期": str(FIRST_GONE), "更新时间": f"{old} 08:00:00"},
    ])  # fmt: skip
    write_feed(out, "vaccinations", [
        {"记录编号": f"V-{name}", **who(name), "剂次": "1", "疫苗": "灭活疫苗", "接种日期": str(old), "更新时间": f"{old} 08:00:00"}
        for name in ("gone", "stranger")
    ] + [
        {"记录编号": f"V-{name}-never", **who(name), "禁忌或拒种": "拒种", "更新时间": f"{old} 08:00:00"}
        for name in ("gone", "stranger")
    ])  # fmt: skip
    write_feed(out, "referrals", [
        {"编号": f"X-{name}", **who(name), "类别": "协查", "下发时间": f"{old} 08:00:00", "更新时间": f"{old} 08:00:00"} | cells
        for name, cells in {
            "gone": {}, "moved": {"核查时间": f"{FIRST_GONE} 08:00:00", "核查结果": "已离开"},
            "stayed": {"核查时间": f"{LAST_KEPT} 08:00:00", "核查结果": "已离开"},
        }.items()
    ])  # fmt: skip
    write_feed(out, "health_checks", [
        {"编号": f"H-{name}-{day}", **who(name), "测量时间": f"{day} 08:00:00", "体温": "36.5", "更新时间": f"{day} 08:00:00"}
        for name in ("gone", "stayed") for day in (old - timedelta(days=1), old + timedelta(days=1))
    ])  # fmt: skip
    write_feed(out, "cases", [
        {"病例编号": "A-cured", **who("cured"), "类型": "确诊", "来源": "境外输入", "采样日期": str(old), "报告时间": f"{old} 09:00:00",
         "转运时间": f"{old} 09:30:00", "出院日期": str(FIRST_GONE), "更新时间": f"{old} 10:00:00"},
    ])  # fmt: skip
    written = {"更新时间": f"{old} 08:00:00"}
    write_feed(out, "inspections", [
        {"编号": f"I-{key}", "条款": "14", "检查时间": f"{old} 08:00:00", "问题": finding, "整改完成时间": mended, **written}
        for key, finding, mended in (
            ("open", "未测温", ""), ("passed", "无", ""), ("mended", "未测温", f"{FIRST_GONE} 08:00:00"),
            ("late", "未测温", f"{LAST_KEPT} 08:00:00"),
        )
    ])  # fmt: skip
    write_feed(out, "requests", [
        {"编号": f"Q-{key}", "类别": "购药", "受理时间": f"{old} 08:00:00", "办结时间": closed, **written}
        for key, closed in (("open", ""), ("closed", f"{FIRST_GONE} 08:00:00"), ("late", f"{LAST_KEPT} 08:00:00"))
    ])  # fmt: skip
    write_feed(out, "events", [
        {"编号": f"E-{day}", "举办日期": str(day), **written} for day in (FIRST_GONE, LAST_KEPT)
    ])  # fmt: skip
    write_feed(out, "isolation_sites", [
        {"站点编号": site, "状态": "在用", "房间数": "9", "日期": str(day), **written}
        for site, day in (("Z-1", old), ("Z-1", FIRST_GONE), ("Z-2", old), ("Z-2", LAST_KEPT))
    ])  # fmt: skip
    write_feed(out, "supplies", [
        {"物资编号": item, "库存": "9", "日期": str(day), **written} for item, day in (("W-1", old), ("W-1", FIRST_GONE))
    ])  # fmt: skip
    write_feed(out, "drills", [
        {"编号": f"L-{kind}-{day}", "类型": kind, "条款": "9", "日期": str(day), **written}
        for kind, day in (("演练", old), ("演练", FIRST_GONE), ("培训", old))
    ])  # fmt: skip
    write_feed(out, "guests", [
        {"编号": f"G-{name}", **who(name), "入住时间": f"{old} 08:00:00", "离店时间": f"{out_on} 08:00:00",
         "更新时间": f"{out_on} 08:00:00"}
        for name, out_on in {
            "stranger": DAY - timedelta(days=181), "guest": DAY - timedelta(days=180), "stayed": FIRST_GONE,
        }.items()
    ])  # fmt: skip
    write_feed(out, "dispositions", [
        {"编号": f"P-{i}", "名单": "overdue", "项目编号": item, "处置结果": "已通知", "处置时间": f"{old} 08:00:00", "备注": "备注",
         "更新时间": f"{old} 08:00:00"}
        for i, item in enumerate(["K-gone/1/rolling", "K-open/1/rolling", "referrals:X-gone/A07/1", "K-twice-old/37/3"])
    ] + [
        {"编号": f"P-{item}", "名单": "inspection_followup", "项目编号": item, "处置结果": "已通知", "处置时间": f"{old} 08:00:00",
         "更新时间": f"{old} 08:00:00"}
        for item in ("I-open", "I-mended")
    ])  # fmt: skip
    support.land_folder(settings, out)
    with warehouse.connect(settings) as conn:
        conn.execute(
            """
            insert into portal.disposition (list, item_id, result, login, handled_by, handled_at)
            select 'overdue', item, '已通知', 'grid', '网格员', handled_at from (values
                ('K-gone/1/rolling', %(old)s::timestamp), ('K-open/1/rolling', %(old)s), ('K-gone/1/1', %(kept)s)
            ) as said (item, handled_at)
            """,
            {"old": old, "kept": LAST_KEPT},
        )
    assert support.query(settings, "select count(*) from quality.rejected_row") == [(0,)]
    support.build(settings, DAY)
    support.audit(settings, DAY)
    support.publish(settings, DAY, "before")
    return settings


def retain(settings: Settings, day: date) -> dict[str, retention.Deletion]:
    with warehouse.connect(settings, "loader") as loader, warehouse.connect(settings, "publisher") as publisher:
        folders = {"reports": settings.reports, "pulled": settings.pulled, "shared": settings.shared_folder}
        done = retention.retain(loader, publisher, day, **folders)
    return {deletion.what: deletion for deletion in done}


def left(settings: Settings, feed: str, key: str) -> set[str]:
    return {text for (text,) in support.query(settings, f"select {key} from staging.{feed}")}


def test_what_is_over_goes_and_what_stands_stays_with_its_proof(town: Settings) -> None:
    before = support.marts(town)
    done = retain(town, DAY)
    assert left(town, "key_population", "record_key") == {
        "K-boundary", "K-open", "K-twice-old", "K-twice-new", "K-positive",
    }  # fmt: skip
    assert left(town, "cases", "case_key") == {"A-cured"}, "a member of a tube whose other member is still awaited"
    assert left(town, "contacts", "contact_key") == {"C-waiting"}, "open without its release; the other was released"
    assert left(town, "releases", "release_key") == set()
    assert left(town, "declarations", "notice_key") == {"D-new"}
    assert left(town, "residents", "id_number") == {valid(NUMBERS["stranger"])}
    assert left(town, "vaccinations", "vaccination_key") == {"V-stranger", "V-stranger-never"}, "the resident is one"
    assert left(town, "referrals", "referral_key") == {"X-stayed"}
    assert left(town, "health_checks", "health_check_key") == {f"H-stayed-{OLD + timedelta(days=1)}"}
    assert left(town, "guests", "guest_key") == {"G-guest", "G-stayed"}, "until who is still on a list is over"
    assert left(town, "dispositions", "disposition_key") == {"P-1", "P-3", "P-I-open"}, "as long as the item is there"
    given = support.query(town, "select item_id from portal.disposition")
    assert set(given) == {("K-open/1/rolling",), ("K-gone/1/1",)}, "answers of the portal go by the same rule"
    assert left(town, "inspections", "inspection_key") == {"I-open", "I-late"}
    assert left(town, "requests", "request_key") == {"Q-open", "Q-late"}
    assert left(town, "events", "event_key") == {f"E-{LAST_KEPT}"}
    assert left(town, "isolation_sites", "site_key || ' ' || reported_on") == {f"Z-1 {FIRST_GONE}", f"Z-2 {LAST_KEPT}"}
    assert left(town, "supplies", "supply_key || ' ' || reported_on") == {f"W-1 {FIRST_GONE}"}
    assert left(town, "drills", "drill_key") == {f"L-演练-{FIRST_GONE}", f"L-培训-{OLD}"}
    assert left(town, "test_results", "sample_key") == {
        "S-boundary", "S-boundary-old", "S-open-3", "S-open-4", "S-twice-slot", "S-twice-new", "S-twice-newer",
        "S-stranger-kept", "S-positive", "S-tube", "S-pooled", "S-cured",
        "S-positive-before", "S-alone",
    }, "nobody reported the positive one, and a member of the tube gave no single sample"  # fmt: skip
    assert (done["key_population"].rows, done["key_population"].rows_kept) == (1, 2)
    assert done["test_results"].before == LAST_KEPT

    support.build(town, DAY)
    result = support.audit(town, DAY)
    assert "staged_rows_are_all_in_staging" not in {failure.check.name for failure in result.failed}
    support.publish(town, DAY, "after")
    after = support.marts(town)
    about_gone = ("K-gone", "contacts:C-gone", "referrals:X-gone", "referrals:X-moved")
    rows_kept = {
        name: [row for row in rows if not any(f"'{key}" in row for key in about_gone)] for name, rows in before.items()
    }
    assert sum(map(len, rows_kept.values())) < sum(map(len, before.values()))
    assert after["obligation"] == rows_kept["obligation"], "the same rows but for what was deleted"
    assert after["overdue"] == rows_kept["overdue"] and after["due"] == rows_kept["due"]
    assert [row for row in after["compliance_daily"]] == rows_kept["compliance_daily"]


def test_what_went_is_on_record(town: Settings) -> None:
    rows = support.query(
        town, "select what, before_date, rows_deleted, rows_kept from quality.deletion where what = 'key_population'"
    )
    assert rows == [("key_population", LAST_KEPT, 1, 2)]
    [(details,)] = support.query(
        town, "select details from audit.event where action = 'deletion' order by event_id limit 1"
    )
    assert details["test_results"] == 7 and details["contacts"] == 1
    assert support.query(town, "select sum(rows_deleted) from quality.landed_file where feed = 'test_results'") == [
        (7,)
    ]


def test_again_nothing_goes_and_nothing_is_said(town: Settings) -> None:
    before = support.query(town, "select (select count(*) from quality.deletion), (select count(*) from audit.event)")
    assert [deletion for deletion in retain(town, DAY).values() if deletion.rows] == []
    assert (
        support.query(town, "select (select count(*) from quality.deletion), (select count(*) from audit.event)")
        == before
    )


def test_the_day_after_the_boundary_goes_too(town: Settings) -> None:
    assert retain(town, DAY + timedelta(days=1))["key_population"].rows == 1
    assert "K-boundary" not in left(town, "key_population", "record_key")


def test_quarantine_loses_the_persons_and_keeps_the_counts(town: Settings, tmp_path: Path) -> None:
    write_feed(tmp_path, "test_results", [sample("S-bad", **{"证件号码": "350503194205022750"})], "bad.csv")
    support.land_folder(town, tmp_path)
    support.build(town, DAY)
    with warehouse.connect(town) as conn:
        conn.execute("update quality.rejected_row set rejected_at = %s", (datetime(2022, 1, 10, 12),))
    assert retain(town, date(2022, 7, 9))["rejected_row"].rows == 0
    assert retain(town, date(2022, 7, 10))["rejected_row"].rows == 1
    assert support.query(town, "select raw_text, record_key, reason_codes from quality.rejected_row") == [
        ("", None, ["check_digit"])
    ]
    assert not {f.check.name for f in support.audit(town, DAY).failed} & {
        "rejected_rows_are_all_in_quarantine",
        "row_balance_of_each_file",
    }


def test_rows_of_persons_of_old_publications_go_and_counts_stay(town: Settings, tmp_path: Path) -> None:
    support.build(town, DAY + timedelta(days=181))
    support.audit(town, DAY + timedelta(days=181))
    with warehouse.connect(town) as conn:
        conn.execute("update policy.policy_parameter set value = '3' where name = 'purchase_test_days'")
    newest = support.publish(town, DAY + timedelta(days=181), "half a year later")
    [(old,)] = support.query(town, "select max(publication_id) from published.publication where as_of_date = %s", DAY)
    packs = [town.reports / f"{DAY}-p{old}", town.reports / f"{DAY + timedelta(days=181)}-p{newest}"]
    copies = [town.shared_folder / "社区" / "第1社区" / pack.name for pack in packs]
    pulled = town.pulled / "arrivals" / "page.csv"
    for path in (*packs, *copies, pulled.parent):
        path.mkdir(parents=True, exist_ok=True)
    (town.reports / f"{DAY}-p{old}.html").touch()
    with warehouse.connect(town) as conn:
        for official, ended in (("gone", DAY), ("stays", DAY + timedelta(days=1)), ("waits", None)):
            metadata.put(
                conn, "delivery.attempt", publication_id=old, what="pack", official=official, channel="mail", number=1,
                target=f"{official}@example.org", audience_kind="office", audience="", not_before=DAY, ended_at=ended,
                state="sent" if ended else "planned", reference="<1@example.org>",
            )  # fmt: skip

    assert "published.person" not in retain(town, DAY + timedelta(days=180)), "a day early"
    pulled.touch()
    os.utime(pulled, (0, 0))
    done = retain(town, DAY + timedelta(days=181))
    assert {"published.person", "published.obligation"} <= set(done)
    assert done["packs"].rows == 1 and [path.exists() for path in packs] == [False, True]
    assert done["shared"].rows == 1 and [path.exists() for path in copies] == [False, True]
    assert done["pulled"].rows == 1 and not pulled.exists()
    addresses = "select official, strpos(target, '@') > 0, reference is null from delivery.attempt order by 1"
    assert support.query(town, addresses) == [("gone", False, True), ("stays", True, False), ("waits", True, False)]
    assert done["delivery_addresses"].rows == 1
    assert (town.reports / f"{DAY}-p{old}.html").exists()
    bare = support.query(town, "select count(*) from published.obligation where publication_id = %s", old)
    counts = support.query(town, "select count(*) > 0 from published.compliance_daily where publication_id = %s", old)
    assert bare == [(0,)] and counts == [(True,)]
    assert support.query(town, "select count(*) from published.publication where publication_id = %s", old) == [(1,)]
    with warehouse.connect(town, "reporter") as conn, pytest.raises(LookupError, match="pruned"):
        write_report(conn, old, tmp_path)
    assert support.query(town, "select count(*) > 0 from reporting.obligation") == [(True,)]


def test_a_publication_under_another_policy_leaves_a_trace(town: Settings) -> None:
    newest = support.query(town, "select 'publication ' || max(publication_id) from published.publication")[0][0]
    events = support.query(town, "select object, details - 'service' from audit.event where action = 'policy_change'")
    assert events == [(newest, {"tables": ["policy_parameter"], "code_version": "test"})], "this once of three"


def test_nothing_goes_before_a_publication_says_who_has_something_open(
    home_factory: Callable[[str], Settings], tmp_path: Path
) -> None:
    settings = home_factory("unpublished")
    write_feed(tmp_path, "test_results", [taken("S-old", "gone", OLD)])
    support.land_folder(settings, tmp_path)
    assert retain(settings, DAY) == {}
    assert left(settings, "test_results", "sample_key") == {"S-old"}


def test_the_tasks(town: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YINGJIAN_HOME", str(town.home))
    asked: list[date] = []
    original = retention.retain
    monkeypatch.setattr(retention, "retain", lambda *args, **named: asked.append(args[2]) or original(*args, **named))
    # A demo's clock says what is over; years later nothing of it has gone (docs/decisions/demo-clock.md).
    clock.set_demo_clock(town.home, datetime.combine(DAY + timedelta(days=182), time(4), clock.SHANGHAI))
    assert tasks.retain() == {} and asked == [DAY + timedelta(days=181)]
    (town.home / clock.FILE).unlink()
    events = tasks.verify_trail()
    assert events > 0
    with warehouse.connect(town) as conn:
        audit_trail.record(conn, "tester", "person_view", "k", "测试")
        conn.commit()
        conn.execute("alter table audit.event disable trigger user")
        conn.execute("update audit.event set actor = 'nobody' where event_id = %s", (events + 1,))
        conn.execute("alter table audit.event enable trigger user")
    with pytest.raises(ValueError, match=f"broken at event {events + 1}: it was changed"):
        tasks.verify_trail()


def test_the_rules_name_every_feed() -> None:
    from tests.unit.test_policy_seeds import seed
    from yingjian.landing.feeds import FEEDS

    rules = {row["what"]: row for row in seed("retention_rule")}
    assert set(FEEDS) <= set(rules)
    assert set(rules) - set(FEEDS) == {
        "document_correction", "rejected_row", "published_persons", "packs", "shared", "delivery_addresses", "pulled",
    }  # fmt: skip
    assert set(rules) & set(FEEDS) == set(retention._OVER) | {"teams"}
    assert all(row["basis_kind"] == "parameter" and row["basis"] for row in rules.values())
    assert {name for name, row in rules.items() if not row["days"]} == {"teams"}
