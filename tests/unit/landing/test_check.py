"""Row checks and repairs of landing, cell by cell."""

from __future__ import annotations

import hmac
from datetime import datetime

import polars as pl
import pytest

from tests.support import IDENTITY, sample
from yingjian.landing import check, repair
from yingjian.landing.feeds import FEEDS
from yingjian.privacy.person_key import person_keys

RECEIVED = datetime(2022, 7, 10, 12, 0, 0)


def checked(feed: str, row: dict[str, str]) -> dict[str, object]:
    columns = FEEDS[feed].columns
    raw = pl.DataFrame({c.name: [row.get(c.source, "")] for c in columns}, schema={c.name: pl.String for c in columns})
    result = check.type_and_check(raw, FEEDS[feed], RECEIVED)
    reasons = result.reasons.row(0, named=True) if result.reasons.height else {"codes": [], "words": []}
    assert result.is_bad[0] is bool(reasons["codes"])
    return result.typed.row(0, named=True) | {
        "reason_codes": reasons["codes"], "words": reasons["words"], "is_repaired": result.is_repaired[0],
    }  # fmt: skip


def codes(feed: str, row: dict[str, str]) -> set[str]:
    return set(checked(feed, row)["reason_codes"])  # type: ignore[call-overload]


def member(**cells: str) -> dict[str, str]:
    return {
        "记录编号": "K1", **IDENTITY, "人群编号": "8", "起始日期": "2022-07-01", "更新时间": "2022-07-01 08:00:00"
    } | cells  # fmt: skip


def test_a_good_row_has_no_reason() -> None:
    row = checked("test_results", sample("S1"))
    assert row["reason_codes"] == []
    assert row["is_repaired"] is False


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        ({"证件号码": "350503194205022752"}, "check_digit"),
        ({"证件号码": "35050319420502275"}, "check_digit"),
        ({"证件号码": "3.50503E+17"}, "scientific"),
        ({"证件号码": "３.５０５０３e+17"}, "scientific"),
        ({"证件号码": "350503194205022000"}, "scientific"),
        ({"证件号码": "350503420502275"}, "check_digit"),
        ({"证件类型": "护照", "证件号码": "E-1"}, "unknown_code"),
        ({"证件类型": "港澳居民来往内地通行证", "证件号码": "H123"}, "unknown_code"),
        ({"证件类型": "台湾居民来往大陆通行证", "证件号码": "T1"}, "unknown_code"),
        ({"采样时间": "2022-02-30 10:00:00"}, "bad_date"),
        ({"采样时间": "随便"}, "bad_date"),
        ({"检测时间": "2022-13-01 10:00"}, "bad_date"),
        ({"检测结果": "阴阳性"}, "unknown_code"),
        ({"采样方式": "三采"}, "unknown_code"),
        ({"证件类型": "学生证"}, "unknown_code"),
        ({"采样时间": "2022-07-10 12:00:01"}, "future_sample"),
        ({"样本编号": ""}, "no_key"),
        ({"证件号码": " "}, "no_key"),
        ({"采样时间": ""}, "missing_value"),
        ({"检测结果": ""}, "missing_value"),
        ({"更新时间": ""}, "missing_value"),
    ],
)
def test_rejected_samples(cells: dict[str, str], code: str) -> None:
    assert code in codes("test_results", sample("S1") | cells)


def test_a_sample_at_the_moment_of_receipt_is_not_from_the_future() -> None:
    assert codes("test_results", sample("S1", "2022-07-10 12:00:00")) == set()


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"人群编号": "39"}, {"unknown_group"}),
        ({"人群编号": "0"}, {"unknown_group"}),
        ({"人群编号": "P19"}, {"unknown_group"}),
        ({"人群编号": "a06", "锚定日期": "2022-07-01"}, set()),
        ({"人群编号": "32"}, {"missing_anchor"}),
        ({"人群编号": "32", "锚定日期": "2022-02-30"}, {"bad_date"}),
        ({"人群编号": "38", "自定频次": "随时"}, {"unknown_code"}),
        ({"人群编号": "38", "自定频次": "三天一检"}, set()),
        ({"人群编号": "8", "自定频次": "随时"}, set()),
        ({"记录编号": "", "人群编号": "99"}, {"no_key", "unknown_group"}),
    ],
)
def test_memberships(cells: dict[str, str], expected: set[str]) -> None:
    assert codes("key_population", member(**cells)) == expected


def test_custom_frequency_is_kept_in_one_form() -> None:
    assert checked("key_population", member(人群编号="38", 自定频次="３天 一检"))["custom_frequency"] == "3天1检"


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"来源地": "境外", "入境日期": "2022-07-01"}, set()),
        ({"来源地": "境外"}, {"missing_value"}),
        ({"来源地": "省", "离开日期": "2022-07-01"}, set()),
        ({"来源地": "省"}, {"missing_value"}),
        ({"来源地": "火星", "离开日期": "2022-07-01"}, {"unknown_code"}),
    ],
)
def test_arrivals(cells: dict[str, str], expected: set[str]) -> None:
    row = {"申报编号": "A1", **IDENTITY, "抵达日期": "2022-07-02", "更新时间": "2022-07-02 08:00"} | cells
    assert codes("arrivals", row) == expected


@pytest.mark.parametrize(
    "text",
    ["2022-07-01", "2022/7/1", "2022.7.1", "20220701", "2022年7月1日", "44743", "２０２２－０７－０１", " 2022-7-1 "],
)
def test_every_form_of_a_date(text: str) -> None:
    row = checked("key_population", member(起始日期=text))
    assert row["start_date"] == "2022-07-01"
    assert row["is_repaired"] is (text != "2022-07-01")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2022-07-01 08:05:09", datetime(2022, 7, 1, 8, 5, 9)),
        ("2022-07-01 08:05", datetime(2022, 7, 1, 8, 5)),
        ("2022-07-01T08:05:09", datetime(2022, 7, 1, 8, 5, 9)),
        ("2022/7/1 8:05", datetime(2022, 7, 1, 8, 5)),
        ("2022年7月1日 8时5分", datetime(2022, 7, 1, 8, 5)),
        ("2022年7月1日8时", datetime(2022, 7, 1, 8)),
        ("20220701080509", datetime(2022, 7, 1, 8, 5, 9)),
        ("20220701 08:05", datetime(2022, 7, 1, 8, 5)),
        ("44743.5", datetime(2022, 7, 1, 12)),
        ("2022-07-01", datetime(2022, 7, 1)),
        ("2022-07-01 24:00:00", None),
        ("2022-07-01 08:05:61", None),
        ("1", None),
        ("2022-07", None),
    ],
)
def test_every_form_of_a_time(text: str, expected: datetime | None) -> None:
    assert pl.select(repair.timestamp(pl.lit(text))).item() == expected


@pytest.mark.parametrize(
    "number",
    [
        "'350503199005012758",
        " 350503199005012758　",
        "３５０５０３１９９００５０１２７５８",
        "\u200b350503199005012758",
    ],
)
def test_a_document_number_is_one_however_it_is_written(number: str) -> None:
    good = checked("test_results", sample("S1", 证件号码=number))
    digit = good["id_number"]
    assert digit == "350503199005012758"
    assert good["is_repaired"] is True


def test_check_digit_by_the_standard() -> None:
    """ISO 7064 MOD 11-2, computed here digit by digit."""
    weights = [2**i % 11 for i in range(17, 0, -1)]
    for stem in ("35050319900501275", "11010119000307001", "35050319420502275"):
        total = sum(int(d) * w for d, w in zip(stem, weights, strict=True))
        right = "0123456789X"[(12 - total % 11) % 11]
        for last in "0123456789X":
            is_valid = check.has_valid_check_digit(pl.Series([stem + last]))[0]
            assert is_valid is (last == right), stem + last


def test_lower_case_x_is_the_same_person() -> None:
    frame = pl.DataFrame({"id_type": ["居民身份证"] * 2, "id_number": ["35050319810106930X", "35050319810106930x"]})
    upper = frame.with_columns(repair.document_number(pl.col("id_number")))
    keys = person_keys(upper, b"secret")
    for secret in (b"secret", b"long" * 40):
        expected = hmac.new(secret, "居民身份证|35050319810106930X".encode(), "sha256").hexdigest()
        assert person_keys(upper, secret)[0] == expected
    assert keys[0] == keys[1]
    assert person_keys(upper, b"other")[0] != keys[0]
    passport = upper.with_columns(id_type=pl.lit("护照"))
    assert person_keys(passport, b"secret")[0] != keys[0], "the type of document is part of the identity"
