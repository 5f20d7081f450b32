"""The product is for any town: only the seed of editions knows whose plan it is."""

import csv
from pathlib import Path

import pytest

from yingjian.modelling import editions
from yingjian.settings import PROJECT_ROOT

NAMES = ("北峰", "丰泽")
CODE = ("plugins", "dags", "expectations", "dbt_project/models", "dbt_project/macros")
SEED = PROJECT_ROOT / "dbt_project" / "seeds" / "policy" / "policy_edition.csv"


def found(folder: Path) -> list[str]:
    """Files with a place's name."""
    texts = (path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
    return [path.name for path in texts if any(name.encode() in path.read_bytes() for name in NAMES)]


@pytest.mark.parametrize("folder", CODE)
def test_no_product_text_names_the_town_or_its_district(folder):
    assert (PROJECT_ROOT / folder).is_dir()
    assert found(PROJECT_ROOT / folder) == []


def test_a_text_that_names_one_is_found(tmp_path):
    (tmp_path / "page.html.j2").write_text("<h1>北峰街道应检尽检日报</h1>", encoding="utf-8")
    (tmp_path / "other.py").write_text("TITLE = '日报'", encoding="utf-8")
    assert found(tmp_path) == ["page.html.j2"]


def test_the_plan_is_that_of_the_edition():
    with SEED.open(encoding="utf-8", newline="") as file:
        (own,) = (row for row in csv.DictReader(file) if row["town"])
    assert editions.plan(own["edition_code"]).sources == f"《{own['title']}》及附件《{own['annex_title']}》"


def test_a_national_edition_changes_the_plan_of_the_town():
    assert editions.plan("national-2022-11-11") == editions.plan("beifeng-2")
    assert editions.plan("an edition that is gone") == editions.plan("")


def test_another_town_s_plan_is_its_own(tmp_path):
    path = tmp_path / SEED.relative_to(PROJECT_ROOT)
    path.parent.mkdir(parents=True)
    path.write_text(
        "edition_code,title,document_no,town,annex_title,effective_from,effective_to\n"
        "one,甲方案,,甲街道,,,2022-11-10\nnational,通知,,,,2022-11-11,2022-12-06\ntwo,乙方案,,乙街道,附件,2022-12-07,\n",
        encoding="utf-8",
    )
    towns = [editions.plan(code, tmp_path).town for code in ("one", "national", "two", "")]
    assert towns == ["甲街道", "甲街道", "乙街道", "乙街道"]
    assert editions.plan("one", tmp_path).sources == "《甲方案》"
