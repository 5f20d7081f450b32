"""`yingjian whatif`: what a draft would change is counted, and nothing of what is published or built is touched."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import openpyxl
import pytest

from tests import support
from tests.integration.modelling.test_editions import contact, land, member, zone
from yingjian import cli
from yingjian.database import warehouse
from yingjian.settings import Settings
from yingjian.whatif import beside, difference
from yingjian.whatif.difference import Pair

pytestmark = pytest.mark.slow

DAY = date(2022, 7, 16)
EDITION = "edition_code,title,document_no,effective_from,effective_to\ndraft,试行,,2022-07-15,\n"
COURIERS = (
    "edition_code,group_code,annex_row,article,basis,basis_kind,group_wording,group_name,frequency_wording,rule_family,"
    "tests_required,period_days,first_day_offset,needs_anchor,anchor_meaning,department_wording,"
    "first_test,late_first_test,first_test_basis_kind,is_high_risk_post\n"
    "draft,8,8,,试行第一条,annex,快递、外卖,快递、外卖,3天1检,rolling,1,3,0,false,,邮政管理局市场监管局,false,false,,false\n"
    "draft,36,36,25,试行第二条,annex,次密切接触者,次密切接触者,不再判定,none,,,0,true,末次接触日期,各街道,false,false,,false\n"
)
ZONES = (
    "edition_code,from_level,was_high,clear_days,needs_full_round,to_level,basis\n"
    "draft,高,false,2,false,低,试行第三条\n"
)


def written(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def town(home_factory: Callable[[str], Settings], tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A published town: a courier, a contact and a contact's contact of the draft's first day, and a zone."""
    settings = home_factory("whatif")
    land(
        settings,
        tmp_path_factory.mktemp("whatif_landing"),
        {
            "contacts": [contact("new", "2022-07-15"), contact("second", "2022-07-15", "次密接")],
            "key_population": [member("courier", "8", "2022-07-13")],
            "risk_zones": [zone("z", "高", "2022-07-10")],
        },
    )
    support.run_day(settings, DAY)
    return settings


def tables(settings: Settings) -> list[tuple]:  # type: ignore[type-arg]
    """Every table and view with its file: whatever is built anew gets another one."""
    return support.query(
        settings,
        "select relnamespace::regnamespace::text, relname, relfilenode from pg_class"
        " where relkind in ('r', 'v', 'p') and relnamespace::regnamespace::text not like 'pg\\_%%' order by 1, 2",
    )


def test_a_draft_is_counted_and_leaves_everything_as_it_is(
    town: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tables(town), support.marts(town), support.query(town, "select * from publishing.build order by 1")
    draft = written(tmp_path / "draft", policy_edition=EDITION, policy_rule=COURIERS, policy_zone_rule=ZONES)
    counted: list[difference.Difference] = []
    compare = difference.compare

    def kept(*arguments: object) -> difference.Difference:
        counted.append(compare(*arguments))  # type: ignore[arg-type]
        return counted[-1]

    monkeypatch.setattr(difference, "compare", kept)
    monkeypatch.setenv("YINGJIAN_HOME", str(town.home))
    with warehouse.connect(town) as conn:  # A run that was killed left a schema.
        conn.execute("create schema dev_whatif_1_before")
    assert cli.main(["whatif", "--edition", str(draft), "--date", str(DAY)]) == 0
    shown = capsys.readouterr().out
    after = tables(town), support.marts(town), support.query(town, "select * from publishing.build order by 1")
    assert after == before
    assert not support.query(town, "select nspname from pg_namespace where nspname like 'dev_%%'")

    [changes] = counted
    assert sum((row.week for row in changes.rows["community"]), Pair()) == changes.town.week
    assert sum((row.week for row in changes.rows["department"]), Pair()) == changes.town.week
    # The plan: the courier's next test on the 19th, the contact's on 17, 19, 21 (its first two are due by the 16th), the
    # second contact's on 18 and 21. The draft: the courier was due on the 15th, and nobody follows the second contact.
    by_group = {row.name.split()[0]: row for row in changes.rows["group_code"]}
    assert [day.day for day in changes.days] == [17, 18, 19, 20, 21, 22, 23]
    assert [pair.before for pair in changes.town.days] == [1, 1, 2, 0, 2, 0, 0]
    assert [pair.after for pair in changes.town.days] == [1, 0, 1, 0, 1, 0, 0]
    assert (by_group["8"].week, by_group["8"].overdue) == (Pair(1, 0), Pair(0, 1))
    assert by_group["36"].in_control == Pair(1, 0) and by_group["35"].in_control == Pair(1, 1)
    assert not by_group["35"].differs and by_group["8"].name == "8 快递、外卖"
    assert (changes.zones_compared, [zone.name for zone in changes.zones]) == (1, ["z"])
    assert "7月12日起可降为低风险" not in changes.zones[0].before and "可降为低风险" in changes.zones[0].after

    page, book = (Path(line) for line in shown.splitlines()[-2:])
    assert page == town.reports / "whatif" / "2022-07-16-draft.html"
    html = page.read_text(encoding="utf-8")
    assert "8 快递、外卖" in html and "仅供测算" in html and support.IDENTITY["证件号码"] not in html
    sheets = openpyxl.load_workbook(book)
    assert sheets.sheetnames == ["说明", "汇总", "按人群", "按主管部门", "按社区", "每日应检", "风险区"]
    courier = next(row for row in sheets["按人群"].values if row[0] == "8 快递、外卖")
    assert courier[1:7] == (1, 0, -1, 0, 1, 1)
    assert "8 快递、外卖" in shown and "风险区：1 个中 1 个不同" in shown


def test_a_draft_that_is_not_in_force_is_refused(
    town: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("YINGJIAN_HOME", str(town.home))
    monkeypatch.setattr(beside.dbt, "build_beside", lambda *arguments: pytest.fail("nothing may be built"))
    draft = written(tmp_path / "draft", policy_edition=EDITION, policy_zone_rule=ZONES)
    assert cli.main(["whatif", "--edition", str(draft), "--date", "2022-07-14"]) == 2
    assert capsys.readouterr().err == (
        "yingjian: policy_edition.csv, line 2, column effective_from: the draft is not in force on 2022-07-14,"
        " so nothing would differ\n"
    )
