"""Row checks and repairs of landing, cell by cell."""

from __future__ import annotations

import hmac
import random
from datetime import datetime

import polars as pl
import pytest

from tests.support import IDENTITY, sample
from yingjian.landing import check, repair
from yingjian.landing.feeds import FEEDS, ID_TYPES
from yingjian.names import comparable
from yingjian.privacy.person_key import person_keys

RECEIVED = datetime(2022, 7, 10, 12, 0, 0)


def cells(feed: str, rows: list[dict[str, str]]) -> pl.DataFrame:
    """The rows as readers give them: an empty cell is null."""
    columns = FEEDS[feed].columns
    return pl.DataFrame(
        {c.name: [row.get(c.source, "") or None for row in rows] for c in columns},
        schema={c.name: pl.String for c in columns},
    )


def checked(feed: str, row: dict[str, str]) -> dict[str, object]:
    raw = cells(feed, [row])
    result = check.type_and_check(raw, FEEDS[feed], RECEIVED)
    reasons = result.reasons.row(0, named=True) if result.reasons.height else {"codes": [], "words": []}
    assert result.is_bad[0] is bool(reasons["codes"])
    return result.typed.row(0, named=True) | {
        "reason_codes": reasons["codes"], "words": reasons["words"], "is_repaired": result.is_repaired[0],
    }  # fmt: skip


def codes(feed: str, row: dict[str, str]) -> set[str]:
    return set(checked(feed, row)["reason_codes"])  # type: ignore[call-overload]


def codes_of_each(feed: str, rows: list[dict[str, str]]) -> list[set[str]]:
    """The reasons of each of many rows, which are checked together."""
    reasons = check.type_and_check(cells(feed, rows), FEEDS[feed], RECEIVED).reasons
    of_row = dict(zip(reasons["index"], reasons["codes"], strict=True))
    return [set(of_row.get(i, [])) for i in range(len(rows))]


def member(**cells: str) -> dict[str, str]:
    return {
        "记录编号": "K1", **IDENTITY, "人群编号": "8", "起始日期": "2022-07-01", "更新时间": "2022-07-01 08:00:00"
    } | cells  # fmt: skip


@pytest.mark.parametrize(
    "text", ["2022-03-02", "2022/3/2", "3月2日", "2022年3月2日", "2022年3月", "2-Mar", "Mar-02", "2022-03-02 00:00:00"]
)
def test_a_key_or_a_name_that_a_spreadsheet_made_a_date(text: str) -> None:
    assert codes("key_population", member(记录编号=text)) == {"rounded_key"}
    assert codes("key_population", member(网格=text)) == {"unknown_code"}
    assert codes("key_population", member(工作单位=text)) == {"unknown_code"}
    assert "改成日期" in str(checked("key_population", member(网格=text))["words"])


@pytest.mark.parametrize(
    "text", ["3-2", "20220302", "3月2日村", "2022-03-02-1", "R2022-03-02", "3-2-1", "12-2022", "五一村"]
)
def test_a_key_or_a_name_that_is_like_a_date(text: str) -> None:
    assert codes("key_population", member(记录编号=text, 网格=text, 工作单位=text)) == set()


@pytest.mark.parametrize(
    ("text", "is_odd"),
    [
        ("2202-07-01", True), ("1022-07-01", True), ("9998-12-31", True), ("1879-12-31", True), ("2101-01-01", True),
        ("1880-01-01", False), ("2100-12-31", False), ("9999-12-31", False),
    ],
)  # fmt: skip
def test_a_year_that_no_date_has(text: str, is_odd: bool) -> None:
    row = checked("key_population", member(锚定日期=text))
    assert (row["reason_codes"], row["words"]) == ((["bad_date"], ["年份不在1880至2100年"]) if is_odd else ([], []))


@pytest.mark.parametrize(
    ("text", "is_document"),
    [
        ("某公司E12345678", True), ("护照:EA1234567", True), ("H60123456 王某", True), ("某公司(M6012345678)", True),
        ("E12345678", False), ("国药准字H20003263", False), ("感冒片(H20003263)", False), ("A12345678号楼", False),
        ("阿莫西林 国药准字 H35021234", False), ("感冒片（批准文号：H35021234）", False), ("口罩 批号P22070101", False),
        ("防护服 型号:D12345678", False), ("第三期培训D20220701", False), ("E20220701-演练", False), ("某楼P20220701号", False),
        ("某公司E20221301", True), ("护照E20220701 某", True), ("培训D20220701 E12345678", True),
        ("批号P22070101 E12345678", True), ("某公司 E2022070", False),
    ],
)  # fmt: skip
def test_a_travel_document_within_the_name_of_a_body(text: str, is_document: bool) -> None:
    assert codes("key_population", member(工作单位=text)) == ({"unknown_code"} if is_document else set())
    assert codes("key_population", member(网格=text)) == set()


def test_a_group_that_a_program_took_for_a_fraction() -> None:
    assert checked("key_population", member(人群编号="8.0"))["group_code"] == "8"
    assert checked("key_population", member(人群编号="08"))["group_code"] == "8"
    assert codes("key_population", member(人群编号="00")) == {"unknown_group"}
    assert codes("key_population", member(人群编号="8.5")) == {"unknown_group"}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("ＦＸ－０１", "FX-01"),
        ("contacts：K1", "contacts:K1"),
        ("FX-01", "FX-01"),
        ("无", None),
        ("-", None),
        ("－", None),
        ("Ｎ／Ａ", None),
    ],
)
def test_a_key_that_names_another_record_is_written_in_one_way(sent: str, kept: str | None) -> None:
    assert checked("cases", {"风险区编号": sent})["zone_key"] == kept


def test_a_good_row_has_no_reason() -> None:
    row = checked("test_results", sample("S1"))
    assert row["reason_codes"] == []
    assert row["is_repaired"] is False


@pytest.mark.parametrize("text", ["-", "——", "－", "/", "无", "NULL", "(null)", "None", "\\N", "N/A"])
def test_a_sign_for_an_empty_cell_is_no_value(text: str) -> None:
    """The cell is empty, so a required value is missing."""
    row = checked("key_population", member(移出日期=text))
    assert (row["reason_codes"], row["end_date"], row["is_repaired"]) == ([], None, True)
    purchase = ROWS["pharmacy_purchases"]
    assert codes("pharmacy_purchases", purchase | {"体温": text, "推送时间": text}) == set()
    assert codes("contacts", ROWS["contacts"] | {"隔离方式": text}) == set()
    assert codes("key_population", member(起始日期=text)) == {"missing_value"}
    assert codes("pharmacy_purchases", purchase | {"药品类别": text}) == {"missing_value"}


@pytest.mark.parametrize("text", ["#N/A", "########", "不详", "未出院", "0", "2022"])
def test_other_signs_and_words_are_no_date(text: str) -> None:
    assert codes("key_population", member(移出日期=text)) == {"bad_date"}


@pytest.mark.parametrize(
    ("text", "number"),
    [("12,000", "12000.0"), ("1，234，567.5", "1234567.5"), ("1,20", None), ("1,2000", None), (",000", None)],
)
def test_commas_between_thousands_are_nothing(text: str, number: str | None) -> None:
    row = checked("supplies", ROWS["supplies"] | {"库存": text})
    assert (row["stock"], row["reason_codes"]) == (number, [] if number else ["bad_number"])


def test_a_type_of_document_that_there_is_none_of_is_answered_with_the_types() -> None:
    words = checked("key_population", member(证件类型="身份证"))["words"]
    assert words == ["代码不在允许范围（应为" + "、".join(ID_TYPES) + "之一）"]


def test_an_answer_without_a_time_has_the_time_of_receipt() -> None:
    """Whoever fills in a form by hand leaves the time out; a text that is no time stays wrong."""
    answer = {"编号": "P1", "名单": "overdue", "项目编号": "K1", "处置结果": "已通知", "更新时间": "2022-07-01 09:00"}
    row = checked("dispositions", answer)
    assert (row["reason_codes"], row["handled_at"]) == ([], "2022-07-10 12:00:00")
    assert row["is_repaired"] is True, "it is counted"
    row = checked("dispositions", answer | {"处置时间": "2022-07-09 08:30"})
    assert (row["reason_codes"], row["handled_at"]) == ([], "2022-07-09 08:30:00")
    assert codes("dispositions", answer | {"处置时间": "下午"}) == {"bad_date"}
    assert codes("dispositions", answer | {"处置结果": ""}) == {"missing_value"}


def test_a_code_that_there_is_none_of_is_answered_with_the_codes() -> None:
    answer = {
        "编号": "P1",
        "名单": "overdue",
        "项目编号": "K1",
        "处置结果": "电话打过了",
        "更新时间": "2022-07-01 09:00",
    }
    (words,) = checked("dispositions", answer)["words"]  # type: ignore[misc]
    assert words == (
        "代码不在允许范围（应为已通知、已采样、约定时间、联系不上、拒绝、已搬离、不在辖区、信息有误、申请豁免之一）"
    )


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
        ("2022-07-01T08:05:09.25", datetime(2022, 7, 1, 8, 5, 9, 250_000)),
        ("2022/7/1 8:05:09.123456789", datetime(2022, 7, 1, 8, 5, 9, 123_456)),
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


def test_a_time_is_the_same_whatever_else_stands_in_its_column() -> None:
    """A column of times in usual forms is read in fewer steps."""
    rng = random.Random(1)
    days = [
        f"{rng.choice(['2022', '0999', '9999'])}{mark}{rng.randrange(14)}{mark}{rng.randrange(33):02}"
        for mark in "-/." * 40
    ]
    times = ["", " 8:05", " 08:05", " 24:00", " 8:60", " 8:05:07", " 23:59:60", " 23:59:61"]
    texts = pl.Series([day + rng.choice(times) for day in days])
    assert texts.str.contains(repair._USUAL).all()
    others = pl.Series(["2022年7月1日", "2022-07-01 08:00+08:00"])
    parsed = [pl.select(repair.timestamp(pl.lit(each))).to_series() for each in (texts, pl.concat([texts, others]))]
    assert parsed[0].to_list() == parsed[1].head(len(days)).to_list()
    assert 0 < parsed[0].null_count() < len(days)


def test_what_counts_as_clean_is_not_changed_by_cleaning() -> None:
    rng = random.Random(1)
    texts = pl.Series(["".join(rng.choices("0189AaZz.:/- '＇１\u3000", k=rng.randrange(1, 6))) for _ in range(20_000)])
    texts = texts.filter(texts.str.contains(check._CLEAN))
    assert len(texts) > 1000
    cleaned = texts.to_frame("raw").select(repair.value_or_none(repair.clean(pl.col("raw")))).to_series()
    assert cleaned.to_list() == texts.to_list()


def test_a_fraction_of_a_second_tells_which_version_is_newer() -> None:
    times = ("2022-07-01 08:00:00.9", "2022-07-01T08:00:00.100Z", "2022-07-01 08:00:00")
    kept = [checked("test_results", sample("S1", 更新时间=text))["updated_at"] for text in times]
    assert kept == ["2022-07-01 08:00:00.900", "2022-07-01 16:00:00.100", "2022-07-01 08:00:00"]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("2022-7-01  08:00:00", "2022-07-01 08:00:00"),
        ("2022-07-1  08:00:00", "2022-07-01 08:00:00"),
        ("2022-07-01  8:00:00", "2022-07-01 08:00:00"),
        ("2022- 7- 1 08:00:00", None),
        ("2022-07- 1 08:00:00", None),
        ("2022-07-01 08: 0: 0", None),
    ],
)
def test_a_time_that_is_filled_with_blanks_is_written_anew_or_refused(text: str, kept: str | None) -> None:
    """polars reads a blank as a digit: such a text is as long as a time in its one form."""
    row = checked("test_results", sample("S1", 采样时间=text, 检测时间="2022-07-01 08:30:00"))
    assert row["reason_codes"] == ([] if kept else ["bad_date"])
    assert kept is None or row["sampled_at"] == kept


def test_a_date_that_is_filled_with_blanks_is_refused() -> None:
    assert codes("key_population", member(起始日期="2022- 7- 1")) == {"bad_date"}


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


def test_where_a_spreadsheet_cut_one_number_none_with_that_end_is_believed() -> None:
    """One number in eleven is valid with zeros for its last three digits: it would be somebody else's."""
    numbers = (numbered(f"35050319420{month}{day}100") for month in range(1, 10) for day in range(10, 29))
    valid = next(number for number in numbers if number.endswith("000"))
    cut = "350503194205022000"
    rows = [sample("S1", 证件号码=valid), sample("S2", 证件号码=cut), sample("S3")]
    assert codes_of_each("test_results", rows)[0::2] == [{"scientific"}, set()]
    assert codes_of_each("test_results", rows[:1]) == [set()], "alone it is a number as any other"


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


# The rows below are good; each test makes one thing wrong.
ROWS: dict[str, dict[str, str]] = {
    "test_results": sample("S1", 检测时间="2022-07-01 20:00:00"),
    "key_population": member(移出日期="2022-07-05"),
    "cases": {
        "病例编号": "C1", **IDENTITY, "类型": "确诊", "来源": "本土", "采样日期": "2022-07-01", "报告时间": "2022-07-01 10:00",
        "转运时间": "2022-07-01 12:00", "入院时间": "2022-07-01 13:00", "出院日期": "2022-07-09", "更新时间": "2022-07-09 10:00",
    },
    "contacts": {
        "编号": "K1", "类别": "密接", **IDENTITY, "末次接触日期": "2022-07-01", "判定时间": "2022-07-01 10:00",
        "转运时间": "2022-07-01 11:00", "隔离时间": "2022-07-01 12:00", "更新时间": "2022-07-01 12:00",
    },
    "arrivals": {
        "申报编号": "A1", **IDENTITY, "来源地": "省", "离开日期": "2022-07-01", "抵达日期": "2022-07-01",
        "推送时间": "2022-07-01 10:00", "排查时间": "2022-07-01 11:00", "更新时间": "2022-07-01 12:00",
    },
    "residents": {**IDENTITY, "迁入日期": "2022-07-01", "迁出日期": "2022-07-02", "更新时间": "2022-07-02 12:00"},
    "exemptions": {
        "编号": "E1", **{k: v for k, v in IDENTITY.items() if k.startswith("证件")}, "起始日期": "2022-07-01",
        "截止日期": "2022-07-02", "更新时间": "2022-07-02 12:00",
    },
    "declarations": {
        "通告编号": "N1", "类型": "区域核酸", "开始时间": "2022-07-01 08:00", "结束时间": "2022-07-02 08:00", "更新时间": "2022-07-01 08:00",
    },
    "disinfections": {
        "编号": "D1", "类型": "终末", "开始时间": "2022-07-01 08:00", "结束时间": "2022-07-01 09:00", "更新时间": "2022-07-01 09:00",
    },
    "vaccinations": {
        "记录编号": "V1", **IDENTITY, "剂次": "1", "疫苗": "灭活疫苗", "接种日期": "2021-07-01", "更新时间": "2022-07-01 09:00",
    },
    "referrals": {
        "编号": "R1", **IDENTITY, "类别": "协查", "下发时间": "2022-07-01 08:00", "核查时间": "2022-07-01 09:00",
        "核查结果": "在辖区", "检测要求": "第1、4、7天", "更新时间": "2022-07-01 09:00",
    },
    "dispositions": {
        "编号": "P1", "名单": "overdue", "项目编号": "K1/8/rolling", "处置结果": "已通知", "处置时间": "2022-07-01 09:00",
        "更新时间": "2022-07-01 09:00",
    },
    "health_checks": {"编号": "H1", **IDENTITY, "测量时间": "2022-07-01 08:00", "体温": "36.5", "更新时间": "2022-07-01 09:00"},
    "inspections": {
        "编号": "I1", "条款": "14", "检查时间": "2022-07-01 08:00", "整改完成时间": "2022-07-02 08:00", "更新时间": "2022-07-02 09:00",
    },
    "isolation_sites": {"站点编号": "G1", "状态": "在用", "房间数": "10", "可用房间数": "3", "日期": "2022-07-01", "更新时间": "2022-07-01 09:00"},
    "supplies": {"物资编号": "W1", "库存": "10.5", "日期": "2022-07-01", "更新时间": "2022-07-01 09:00"},
    "requests": {
        "编号": "Q1", "类别": "就医", "受理时间": "2022-07-01 08:00", "办结时间": "2022-07-01 09:00", "更新时间": "2022-07-01 09:00",
    },
    "guests": {
        "编号": "T1", **IDENTITY, "入住时间": "2022-07-01 08:00", "离店时间": "2022-07-02 08:00", "更新时间": "2022-07-02 09:00",
    },
    "drills": {"编号": "Y1", "类型": "培训", "日期": "2022-07-01", "参加人数": "30", "更新时间": "2022-07-01 09:00"},
    "events": {"编号": "L1", "举办日期": "2022-07-01", "规模": "500", "更新时间": "2022-07-01 09:00"},
    "pharmacy_purchases": {
        "登记编号": "B1", **IDENTITY, "药品类别": "退热", "数量": "1", "购药时间": "2022-07-01 08:00", "体温": "37.8",
        "推送时间": "2022-07-01 09:00", "排查时间": "2022-07-01 10:00", "更新时间": "2022-07-01 10:00",
    },
}  # fmt: skip


@pytest.mark.parametrize("feed", ROWS)
def test_a_good_row_of_each_feed(feed: str) -> None:
    assert codes(feed, ROWS[feed]) == set()


@pytest.mark.parametrize(
    ("feed", "later", "earlier"),
    [
        ("test_results", "检测时间", "采样时间"), ("cases", "出院日期", "采样日期"), ("referrals", "核查时间", "下发时间"),
        ("key_population", "移出日期", "起始日期"), ("exemptions", "截止日期", "起始日期"), ("residents", "迁出日期", "迁入日期"),
        ("declarations", "结束时间", "开始时间"), ("disinfections", "结束时间", "开始时间"), ("guests", "离店时间", "入住时间"),
        ("requests", "办结时间", "受理时间"), ("inspections", "整改完成时间", "检查时间"),
    ],
)  # fmt: skip
def test_times_in_an_impossible_order(feed: str, later: str, earlier: str) -> None:
    row = ROWS[feed]
    assert codes(feed, row | {later: row[earlier]}) == set(), "the same moment is no order"
    before = "2022-06-30" if later.endswith("日期") else "2022-07-01 07:59:59"
    assert codes(feed, row | {later: before}) == {"time_order"}
    assert codes(feed, row | {later: ""}) <= {"missing_value"}


@pytest.mark.parametrize(("text", "hint"), [("2022/7/1", True), ("2022-07-01 07:59:59", False), ("2022-06-30", False)])
def test_a_date_alone_where_a_time_is_needed_is_told(text: str, hint: bool) -> None:
    row = checked("test_results", sample("S1", 采样时间="2022-07-01 08:00:00", 检测时间=text))
    assert row["reason_codes"] == ["time_order"]
    assert ("只有日期时请填写时刻" in str(row["words"])) is hint


HAPPENED = (
    "更新",
    "推送",
    "下发",
    "检测",
    "报告",
    "判定",
    "隔离",
    "转运",
    "入院",
    "核查",
    "排查",
    "测量",
    "处置",
    "检查",
    "受理",
    "入住",
)


def test_every_time_that_the_document_lists_has_happened() -> None:
    listed = {f"{word}时间" for word in HAPPENED}
    for feed in FEEDS.values():
        for column in feed.columns:
            assert column.is_past == (column.kind == "time" and column.source in listed), (feed.name, column.source)


@pytest.mark.parametrize(
    ("feed", "source"),
    [(feed, column.source) for feed in ROWS for column in FEEDS[feed].columns if column.is_past and ROWS[feed].get(column.source)],
)  # fmt: skip
def test_what_has_happened_lies_at_most_a_day_after_the_receipt(feed: str, source: str) -> None:
    row = {
        k: v for k, v in ROWS[feed].items() if k not in ("离店时间", "办结时间", "整改完成时间", "核查时间", "核查结果")
    }
    row |= {"核查时间": ROWS[feed]["核查时间"], "下发时间": "2022-07-01 08:00"} if source == "核查时间" else {}
    assert codes(feed, row | {source: "2022-07-11 12:00:00"}) == set()
    assert codes(feed, row | {source: "2022-07-11 12:00:01"}) == {"future_time"}


@pytest.mark.parametrize(
    ("feed", "source", "good", "bad"),
    [
        ("health_checks", "体温", ["30", "45", "36.54"], ["29.9", "365", "-36", "NaN", "36,5度"]),
        ("pharmacy_purchases", "体温", ["37.3"], ["373"]),
        ("pharmacy_purchases", "数量", ["0", "0.5", "100000"], ["-1", "100000.5", "若干"]),
        ("isolation_sites", "房间数", ["0", "100000", "12.0"], ["-1", "2.5", "1e12"]),
        ("supplies", "库存", ["0", "1000000000", "2.5"], ["-5", "1000000001", "inf"]),
        ("drills", "参加人数", ["0"], ["-1", "1.5"]),
        ("events", "规模", ["10000000"], ["13800000000"]),
    ],
)
def test_every_number_has_a_range(feed: str, source: str, good: list[str], bad: list[str]) -> None:
    for text in good:
        assert codes(feed, ROWS[feed] | {source: text}) == set(), text
    for text in bad:
        assert codes(feed, ROWS[feed] | {source: text}) == {"bad_number"}, text
    for column in (column for of in FEEDS.values() for column in of.columns if column.kind == "number"):
        assert column.low < column.high


@pytest.mark.parametrize("text", ["0", "10", "2.5", "13800000000", "第一剂"])
def test_a_dose_is_one_of_a_few(text: str) -> None:
    assert codes("vaccinations", ROWS["vaccinations"] | {"剂次": text}) == {"bad_number", "unknown_code"}


@pytest.mark.parametrize("source", ["剂次", "疫苗", "接种日期"])
def test_a_vaccination_may_lack_what_a_refusal_does_not_have(source: str) -> None:
    row = ROWS["vaccinations"] | {source: ""}
    assert codes("vaccinations", row) == {"missing_value"}
    assert codes("vaccinations", row | {"禁忌或拒种": "拒种"}) == set()
    assert codes("vaccinations", row | {"禁忌或拒种": "否"}) == {"missing_value"}
    assert codes("vaccinations", row | {"禁忌或拒种": "拒种，电话13800000000"}) == {"unknown_code"}


def test_a_result_of_a_check_says_when() -> None:
    row = ROWS["referrals"] | {"核查时间": ""}
    assert codes("referrals", row) == {"missing_value"}
    assert codes("referrals", row | {"核查结果": ""}) == set()
    assert codes("referrals", ROWS["referrals"] | {"核查结果": ""}) == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("第1、4、7天", "第1、4、7天"), ("第 1，4,７天", "第1、4、7天"), ("第一、四、七天", "第1、4、7天"), ("第10天", "第10天"),
        ("3天2检", "3天2检"), ("每日", "每日"), ("1周两检", "1周2检"),
        ("第1、1天", None), ("第0天", None), ("第100天", None), ("1、4、7", None), ("按要求", None),
    ],
)  # fmt: skip
def test_what_a_referral_asks_for(text: str, expected: str | None) -> None:
    row = checked("referrals", ROWS["referrals"] | {"检测要求": text})
    assert row["reason_codes"] == ([] if expected else ["unknown_code"])
    assert not expected or row["required_tests"] == expected


def test_the_group_of_a_referral_is_on_no_roster() -> None:
    assert codes("key_population", member(人群编号="A07")) == {"unknown_group"}
    assert codes("exemptions", ROWS["exemptions"] | {"人群编号": "A07"}) == set()


@pytest.mark.parametrize("feed", ROWS)
def test_every_text_has_a_limit(feed: str) -> None:
    texts = [column for column in FEEDS[feed].columns if column.kind in ("text", "place", "places")]
    assert all(column.max_characters <= 400 for column in texts)
    longest = [ROWS[feed] | {column.source: "长" * column.max_characters} for column in texts]
    assert codes_of_each(feed, longest) == [set()] * len(texts)
    longer = [ROWS[feed] | {column.source: "长" * (column.max_characters + 1)} for column in texts]
    assert codes_of_each(feed, longer) == [{"too_long"}] * len(texts)


@pytest.mark.parametrize(
    "text", ["2.02207E+13", "2E+15", "２．０２Ｅ＋１３", "2022070900000001.0", "2.0220709000000001e+16"]
)
@pytest.mark.parametrize(
    ("feed", "source"), [("test_results", "样本编号"), ("test_results", "试管编号"), ("contacts", "病例编号")]
)
def test_a_key_that_a_spreadsheet_rounded(feed: str, source: str, text: str) -> None:
    assert codes(feed, ROWS[feed] | {source: text}) == {"rounded_key"}


@pytest.mark.parametrize("text", ["2022070900000001", "202207090000001", "1E10", "S1E+5", "20220709.0"])
def test_a_key_of_the_senders_own_making(text: str) -> None:
    assert codes("test_results", sample(text)) == set()


@pytest.mark.parametrize("text", ["#N/A", "#REF!", "#VALUE!", "########"])
@pytest.mark.parametrize("source", ["样本编号", "试管编号"])
def test_a_key_that_is_an_error_of_a_spreadsheet(source: str, text: str) -> None:
    assert codes("test_results", sample("S1") | {source: text}) == {"rounded_key"}
    assert codes("test_results", sample("S1") | {"采样点": text, "试管编号": "#1"}) == set()


@pytest.mark.parametrize(
    "text",
    [
        "无", "-", "NULL", "None", "N/A", "/", " 无 ", "——", "na", "n/a", "Null", "（空）", "暂无", "#", "…", "待补",
    ],
)  # fmt: skip
def test_a_key_that_stands_for_none(text: str) -> None:
    assert codes("test_results", sample(text)) == {"no_key"}
    assert codes("test_results", sample("S1", 姓名=text, 试管编号=text)) == set()
    assert checked("test_results", sample("S1", 试管编号=text))["tube_no"] is None


@pytest.mark.parametrize("text", ["无", "无问题", "—", "未发现问题。", "正常", "N/A"])
def test_a_finding_that_says_there_is_none(text: str) -> None:
    assert checked("inspections", ROWS["inspections"] | {"问题": text})["finding"] is None
    assert checked("inspections", ROWS["inspections"] | {"问题": f"{text}，消毒记录缺页"})["finding"] is not None


@pytest.mark.parametrize("text", ["12345.0", "12345", " 12345.0", "１２３４５.0"])
def test_a_key_is_one_also_where_a_program_took_it_for_a_fraction(text: str) -> None:
    assert checked("test_results", sample(text, 试管编号=text))["tube_no"] == "12345"
    assert checked("test_results", sample(text))["sample_key"] == "12345"
    assert checked("test_results", sample("12345.10"))["sample_key"] == "12345.10"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("—", None),
        ("#N/A", None),
        ("null", None),
        ("无", None),
        ("暂无", None),
        ("-1", "-1"),
        ("N区", "N区"),
        ("无名村", "无名村"),
    ],
)
def test_signs_and_errors_are_no_place(text: str, kept: str | None) -> None:
    assert checked("key_population", member(网格=text))["grid"] == kept


def test_a_text_that_was_kept_from_being_a_number() -> None:
    assert checked("key_population", member(记录编号='="0012"'))["record_key"] == "0012"


@pytest.mark.parametrize(
    "text",
    [
        "甲院+8613912345678",
        "甲院139-1234-5678",
        "甲院86 138 0000 0000",
        "13800000000",
        "网格员陈某13800000000",
        "350503194205022751",
        "35050319810106930X",
    ],
)
def test_a_place_is_no_number_of_a_person(text: str) -> None:
    assert codes("key_population", member(网格=text)) == {"unknown_code"}
    assert codes("key_population", member(现住址=text)) == set()
    assert codes("key_population", member(网格=f"1{text}9" if text.isdigit() else "网格3")) == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2022-07-01T00:05:09Z", "2022-07-01 08:05:09"), ("2022-07-01T00:05:09.123Z", "2022-07-01 08:05:09.123"),
        ("2022-07-01 08:05:09+08:00", "2022-07-01 08:05:09"), ("2022-07-01 08:05:09+08", "2022-07-01 08:05:09"),
        ("2022-07-01 05:35 +0530", "2022-07-01 08:05:00"), ("2022-06-30 19:05:09-05:00", "2022-07-01 08:05:09"),
        ("2022-07-01 08:05 GMT+8", "2022-07-01 08:05:00"), ("2022-07-01 00:05 UTC", "2022-07-01 08:05:00"),
        ("20220701T0005Z", "2022-07-01 08:05:00"),
        ("2022-07-01 08:05:09+0", None), ("2022-07-01 08:05:09+08:", None), ("2022-07-01 08:05:09+15:00", None),
        ("2022-07-01Z", None), ("2022-07-01 08:05:09 EST", None), ("9999-12-31 23:59:59Z", None),
        ("2022-07-01 22:00-06:00", None), ("2022-07-01 08:30-11:30", None), ("2022年7月1日8:30-11:00", None), ("2022-07-01 08:30-09", None),
        ("2022-07-01 08:05-05:00", "2022-07-01 21:05:00"),
    ],
)  # fmt: skip
def test_a_zone_is_converted_where_it_is_stated_and_whole(text: str, expected: str | None) -> None:
    row = checked("test_results", sample("S1") | {"采样时间": text})
    assert row["reason_codes"] == ([] if expected else ["bad_date"])
    assert not expected or (row["sampled_at"] == expected and row["is_repaired"])


def test_a_date_of_another_zone_is_the_day_here() -> None:
    assert checked("key_population", member(起始日期="2022-06-30T16:00:00.000Z"))["start_date"] == "2022-07-01"


NAMES = [
    "第1社区", "第 1 社区", "第１社区", "\u3000第1社区。", "、第1社区；", "第1社区（东）", "第1社区(东)", "甲·村", "．甲村．", "A座，", "5号楼-2",
    "甲村、乙村", "、。", "#3(西)", "乙,村", "1°", "甲\\村",
]  # fmt: skip


def test_names_of_places_are_kept_as_they_are_compared() -> None:
    """The document says "by one function, for both sides of every comparison" (docs/feeds.md)."""
    places = [(feed, column) for feed in FEEDS.values() for column in feed.columns if column.kind == "place"]
    assert {column.source for _, column in places} == {"社区", "目的社区", "网格", "楼栋"} and len(places) > 20
    for feed, column in places:
        raw = pl.DataFrame({c.name: NAMES if c == column else [""] * len(NAMES) for c in feed.columns})
        kept = check.type_and_check(raw, feed, RECEIVED).typed[column.name].to_list()
        assert kept == [comparable(name) or None for name in NAMES], (feed.name, column.source)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("甲 村、乙村。", "甲村、乙村"), ("甲村，乙村；丙村", "甲村、乙村、丙村"), ("；甲村 。、．乙村、", "甲村、乙村"), ("甲村", "甲村"),
        ("甲·村、乙村（东）", "甲·村、乙村(东)"), ("、，", None), ("甲村,乙村", "甲村、乙村"),
        ("甲村、乙村、甲 村", "甲村、乙村"), ("甲村\n乙村", "甲村、乙村"), ("甲村 / 乙村|丙村", "甲村、乙村、丙村"), ("/", None),
        ("—", None), ("无", None), ("#N/A", None), ("甲村、无", "甲村"), ("全部", None), ("全部网格", None), ("全镇", None),
        ("甲村、所有社区", None), ("全安村", "全安村"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("feed", "column"), [("risk_zones", "community"), ("declarations", "grids")])
def test_each_of_several_names_is_kept_as_it_is_compared(feed: str, column: str, sent: str, kept: str | None) -> None:
    raw = pl.DataFrame({c.name: [sent if c.name == column else ""] for c in FEEDS[feed].columns})
    assert check.type_and_check(raw, FEEDS[feed], RECEIVED).typed[column].to_list() == [kept]


# The tests below ask whether one person stays one person.


def numbered(stem: str) -> str:
    """The function adds the check digit to the first 17 digits of a number."""
    total = sum(int(digit) * 2**place for digit, place in zip(stem, range(17, 0, -1), strict=True))
    return stem + "0123456789X"[(12 - total % 11) % 11]


def document(id_type: str, number: str) -> tuple[object, object, object]:
    row = checked("test_results", sample("S1", 证件类型=id_type, 证件号码=number))
    return row["id_type"], row["id_number"], row["reason_codes"]


MACAO, TAIWAN, PASSPORT, FOREIGN = ID_TYPES[1:]


@pytest.mark.parametrize(
    ("id_type", "number", "lasting"),
    [
        (MACAO, "H12345678", "H12345678"), (MACAO, "H1234567801", "H12345678"), (MACAO, "m1234567802", "M12345678"),
        (MACAO, "H12345678 01", "H12345678"), (TAIWAN, "01234567", "01234567"), (TAIWAN, "0123456702", "01234567"),
        (TAIWAN, "0123456702(B)", "01234567"), (TAIWAN, "01234567（Ｂ）", "01234567"), (TAIWAN, "012345670A", "01234567"),
        (PASSPORT, "H1234567801", "H1234567801"), (PASSPORT, "0123456702", "0123456702"),
    ],
)  # fmt: skip
def test_a_renewed_permit_is_the_same_person(id_type: str, number: str, lasting: str) -> None:
    assert document(id_type, number) == (id_type, lasting, [])


@pytest.mark.parametrize(
    "number",
    [
        "E12345678",
        "EA1234567",
        "C01X00T47",
        "123456789",
        "1E234567",
        "AB 123-4567",
        "e1234567",
        "123456789.0",
        "K12345",
    ],
)
def test_a_passport_of_any_form(number: str) -> None:
    expected = number.removesuffix(".0").upper().replace(" ", "").replace("-", "")
    assert document(PASSPORT, number) == (PASSPORT, expected, [])


@pytest.mark.parametrize("number", ["1.23E+10", "1E+10", "1.2E10", "E1", "护照遗失", "123456789.5", "UNKNOWN", "00000"])
def test_what_is_no_passport(number: str) -> None:
    assert document(PASSPORT, number)[2] in (["scientific"], ["unknown_code"])


@pytest.mark.parametrize("region", ["810000", "820000", "830000"])
@pytest.mark.parametrize(
    "id_type", ["居民身份证", MACAO, TAIWAN, "港澳台居民居住证", "港澳居民居住证", "台湾居民居住证"]
)
def test_a_residence_permit_is_told_by_its_number(region: str, id_type: str) -> None:
    number = numbered(f"{region}19900501275")
    assert document(id_type, number) == ("居民身份证", number, [])


def test_a_residence_permit_with_a_wrong_digit() -> None:
    good = numbered("81000019900501275")
    wrong = good[:17] + ("0" if good[17] != "0" else "1")
    assert document("港澳居民居住证", wrong)[2] == ["check_digit"]
    assert document(MACAO, wrong)[2] == ["unknown_code"]
    assert document(PASSPORT, good)[0] == PASSPORT


def test_a_card_of_a_foreign_permanent_resident() -> None:
    number = numbered("91184019880305123")
    for id_type in (FOREIGN, "居民身份证"):
        assert document(id_type, number) == (FOREIGN, number, [])
    assert document(FOREIGN, "FRA330086010301") == (FOREIGN, "FRA330086010301", [])
    assert document(FOREIGN, number[:17] + ("0" if number[17] != "0" else "1"))[2] == ["check_digit"]


@pytest.mark.parametrize(
    ("birth", "is_date"),
    [
        ("19900501", True), ("20000229", True), ("19000228", True), ("20220710", True), ("18991231", True),
        ("20220711", False), ("19000229", False), ("20010229", False), ("19900431", False), ("19901301", False),
        ("19900500", False), ("19900001", False), ("18791231", False), ("29900501", False), ("00000000", False),
    ],
)  # fmt: skip
def test_a_number_has_a_birth_date(birth: str, is_date: bool) -> None:
    for id_type, region in (("居民身份证", "350503"), (FOREIGN, "911840")):
        assert document(id_type, numbered(f"{region}{birth}275"))[2] == ([] if is_date else ["bad_date"])


@pytest.mark.parametrize(
    "text",
    ["+8613800000000", "+86 138-0000-0000", "(+86)13800000000", "008613800000000", "8613800000000", "013800000000",
     "13800000000.0", "１３８００００００００", "138 0000 0000", "'13800000000"],
)  # fmt: skip
def test_a_telephone_is_one_however_it_is_written(text: str) -> None:
    row = checked("test_results", sample("S1", 手机号=text))
    assert (row["phone"], row["reason_codes"], row["is_repaired"]) == ("13800000000", [], True)


@pytest.mark.parametrize("text", ["0595-22000000", "22000000", "无", "+852 6123 4567", "13800000000/13900000000"])
def test_another_telephone_stays_as_it_is(text: str) -> None:
    row = checked("test_results", sample("S1", 手机号=text))
    assert (row["phone"], row["reason_codes"]) == (text, [])


@pytest.mark.parametrize("text", ["1.38E+10", "1.38e+10", "１．３８Ｅ＋１０"])
def test_a_telephone_that_a_spreadsheet_rounded(text: str) -> None:
    assert codes("test_results", sample("S1", 手机号=text)) == {"scientific"}
