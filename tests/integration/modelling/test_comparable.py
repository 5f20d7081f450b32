"""Names are compared by one rule: landing's `comparable` and the models' macro `comparable_text` give the same text."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

from tests import support
from tests.support import query
from yingjian.names import BLANKS, comparable
from yingjian.settings import Settings

FULL_WIDTH = "".join(map(chr, range(0xFF01, 0xFF5F)))
TEXTS = [
    "甲村", "、甲村", "甲村。", "甲 村；", "；甲，村·.", "甲（１－３号楼）", "甲(1-3号楼)", "甲·村", "A座，", "Ａ座", "。甲。村。",
    "甲,村;", "．甲村．", "甲\\村", "甲'村", "甲\"村", "%甲_村", f"甲{FULL_WIDTH}村", *(f"甲{blank}村" for blank in BLANKS),
    *(f"{mark}乙{number}{mark}" for number, mark in enumerate("、，,;；。.·")),
]  # fmt: skip


def test_both_sides_are_folded_alike(home: Settings, tmp_path: Path) -> None:
    areas = [
        {"province": "甲省", "city": "乙市", "county": f"{i}县", "communitys": [text]} for i, text in enumerate(TEXTS)
    ]
    (tmp_path / "risk_areas").mkdir()
    content = {"data": {"end_update_time": "2022-07-04 17时", "highlist": areas}}
    (tmp_path / "risk_areas" / "a.json").write_text(json.dumps(content))
    support.land_folder(home, tmp_path)
    support.build(home, date(2022, 7, 10), "stg_national__risk_areas", "stg_platform__arrivals")
    by_landing = dict(query(home, "select county, area_match from staging.risk_areas"))
    by_models = dict(query(home, "select county, area from staging_latest.stg_national__risk_areas"))
    assert by_models == by_landing
    assert by_landing == {f"{i}县": comparable(text) for i, text in enumerate(TEXTS)}


def test_what_is_folded() -> None:
    assert {comparable(text) for text in TEXTS[:5]} == {"甲村", "甲,村"}
    assert comparable("甲（１－３号楼）") == comparable("甲(1-3号楼)") == "甲(1-3号楼)"
    assert comparable("甲·村") == "甲·村" and comparable("、。") == ""
