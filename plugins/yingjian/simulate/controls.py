"""This story has isolations of the last two weeks that end on time, end too early, or start again (articles 4, 8, 25, 26)."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import polars as pl

from yingjian.simulate.columns import RESIDENT_ID
from yingjian.simulate.exports import Exports
from yingjian.simulate.scale import GRIDS, Scale

NEEDED = 6
ENTERED = 12  # Days before the last one on which the three inbound persons entered.
INBOUND_TESTS = (0, 1, 2, 4, 6, 9)
# The end of central isolation gives results of persons, objects and environment, and says whether infection was excluded.
RESULTS = [("阴性", "阴性", "阴性", ""), ("阴性", "阳性", "阴性", "是"), ("阴性", "阳性", "阴性", "")]


def write_controls(exports: Exports, people: pl.DataFrame, scale: Scale, last_day: date) -> None:
    """Write the exports of the story; a town that is too small has none of it."""
    # People of infected grids and of the other stories are left out.
    free = people.filter(
        (pl.col("group") == "") & pl.col("community").is_in(scale.communities[:4]) & (pl.col("grid") != GRIDS[0])
    ).tail(NEEDED)
    if free.height < NEEDED:
        return
    rows: dict[str, list[dict[str, Any]]] = {}

    def add(feed: str, who: int, days_before: int, **cells: Any) -> None:
        person = free.row(who, named=True)
        day = last_day - timedelta(days=days_before)
        rows.setdefault(feed, []).append({
            "person_name": person["name"], "id_type": RESIDENT_ID, "id_number": person["id_number"],
            "phone": person["phone"], "community": person["community"], "grid": person["grid"],
            **cells, "updated_at": datetime.combine(day, time(20)),
        })  # fmt: skip

    def test(who: int, days_before: int, result: str = "阴性") -> None:
        sampled_at = datetime.combine(last_day - timedelta(days=days_before), time(9, 30))
        add("test_results", who, days_before, sample_key=f"SC{who}{days_before:03d}", sampled_at=sampled_at,
            sampling_point="上门采样", sampling_method="单采", laboratory="检测机构A",
            tested_at=None if result == "待出" else sampled_at + timedelta(hours=6), result=result)  # fmt: skip

    def contact(who: int, key: str, category: str, exposed: int) -> None:
        judged = datetime.combine(last_day - timedelta(days=exposed - 1), time(10))
        add("contacts", who, exposed - 1, contact_key=key, case_key="CASE001", category=category,
            last_exposure_date=last_day - timedelta(days=exposed), judged_at=judged,
            isolated_at=judged + timedelta(hours=3), isolation_method="集中" if category == "密接" else "居家",
            isolation_place="隔离点3" if category == "密接" else "")  # fmt: skip

    def release(who: int, record: str, kind: str, days_before: int, results: tuple[str, str, str, str]) -> None:
        add("releases", who, days_before, release_key=f"RC{who}{kind[0]}", record_key=record, release_type=kind,
            release_date=last_day - timedelta(days=days_before), person_result=results[0], objects_result=results[1],
            environment_result=results[2], infection_excluded=results[3])  # fmt: skip

    for who, results in enumerate(RESULTS):
        entered = last_day - timedelta(days=ENTERED)
        add("arrivals", who, ENTERED, arrival_key=f"AC{who}", origin="境外", entry_date=entered, entry_port_province="福建省",
            arrival_date=entered, pushed_at=datetime.combine(entered, time(9)),
            investigated_at=datetime.combine(entered, time(11)))  # fmt: skip
        for day in INBOUND_TESTS:
            test(who, ENTERED - day)
        release(who, f"arrivals:AC{who}", "集中隔离", ENTERED - 6, results)
        if who < 2:
            release(who, f"arrivals:AC{who}", "全部管控", ENTERED - 9, results)
    contact(3, "CC30", "密接", 9)
    contact(3, "CC31", "密接", 4)
    for day in range(9):
        test(3, day)
    contact(4, "CC40", "密接", 12)
    for day in (11, 10, 8, 6):
        test(4, day)
    release(4, "contacts:CC40", "全部管控", 5, ("阴性", "阴性", "阴性", ""))
    contact(5, "CC50", "次密接", 7)
    for day, result in ((6, "阴性"), (4, "阴性"), (1, "待出")):
        test(5, day, result)
    for feed, feed_rows in sorted(rows.items()):
        times = {name: pl.Datetime for name in feed_rows[0] if name.endswith("_at")}
        exports.write(feed, f"{last_day:%Y%m%d}_c", pl.DataFrame(feed_rows, schema_overrides=times))
