"""These tests cover a returned form without a warehouse."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import support
from yingjian.landing import item_number
from yingjian.landing.feeds import DISPOSITION_FEED
from yingjian.people.audience import OFFICE
from yingjian.people.officials import Official
from yingjian.portal import dispositions, publications, reading
from yingjian.portal.dispositions import Disposition
from yingjian.portal.readers import Reader
from yingjian.reports.content import today

ROWS = 40


def test_a_form_with_many_items_of_others_compares_no_answer_with_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The form of a town has 20,000 lines; comparing each with each took half a minute."""
    path = support.write_feed(
        tmp_path,
        DISPOSITION_FEED,
        [
            {
                "名单": "overdue", "项目编号": f"item {number}", "处置结果": "已通知", "处置人": "网格员",
                "处置时间": "2022-07-01 08:00:00", "更新时间": "2022-07-01 08:00:00", "编号": f"{number}",
            }
            for number in range(ROWS)
        ],
    )  # fmt: skip
    compared, recorded = [], []

    def equal(one: Disposition, other: object) -> bool:
        compared.append(one)
        return one is other

    monkeypatch.setattr(Disposition, "__eq__", equal)
    monkeypatch.setattr(reading, "reading", lambda audience: nullcontext(None))
    monkeypatch.setattr(item_number, "revealed", lambda conn: lambda shown: shown)
    monkeypatch.setattr(publications, "current", lambda conn: SimpleNamespace(publication_id=1))
    monkeypatch.setattr(today, "listed_items", lambda conn, publication_id, items: set(sorted(items)[: ROWS // 2]))
    monkeypatch.setattr(dispositions, "_record", lambda reader, publication_id, own, action: recorded.extend(own))
    taken = dispositions.take(Reader("grid", Official("grid", "网格员", OFFICE)), path)
    assert (taken.count, len(recorded), len(taken.refused)) == (ROWS // 2, ROWS // 2, ROWS // 2), taken
    assert compared == []
