"""These tests read the characters of figures."""

from datetime import date, datetime

import pytest

from yingjian.reports.content import text


def test_numbers_have_thousands_separators():
    assert text.number(1234567) == "1,234,567"
    assert text.number(None) == "—"


@pytest.mark.parametrize(
    ("share", "written"),
    [
        (1.0, "100.0%"), (9999 / 10000, "99.9%"), (0.99949, "99.9%"), (0.29, "29.0%"), (0.0, "0.0%"), (None, "—"),
        (0.9135, "91.4%"), (0.91349, "91.3%"), (2 / 3, "66.7%"), (0.0005, "0.1%"), (0.00049, "0.0%"),
    ],
)  # fmt: skip
def test_a_share_is_rounded_half_up_and_100_means_nothing_is_missing(share, written):
    assert text.percent(share) == written


@pytest.mark.parametrize(
    ("part", "whole", "rounded"), [(1827, 2000, 0.914), (1999, 2000, 0.999), (5, 5, 1.0), (0, 0, None), (None, 3, None)]
)
def test_a_share_of_counts_is_the_number_that_is_written(part, whole, rounded):
    assert text.share(part, whole) == rounded
    assert text.share(rounded) == rounded


@pytest.mark.parametrize(("value", "written"), [(1200, "▲1,200"), (-3, "▼3"), (0, "持平"), (None, "—")])
def test_a_change_shows_its_direction_without_colour(value, written):
    assert text.change(value) == written


def test_a_change_of_a_share_is_the_difference_of_what_is_written():
    assert text.change_of_share(0.9494, 0.9506) == "▼0.2 个百分点"  # The shares are 94.9% against 95.1%.
    assert text.change_of_share(0.9496, 0.9504) == "持平"
    assert text.change_of_share(None, 0.9) == "—"


def test_days():
    assert text.full_day(date(2022, 7, 24)) == "2022年7月24日（星期日）"
    assert text.day(date(2022, 7, 4)) == "7月4日"
    assert text.day(None) == "—"


@pytest.mark.parametrize(
    ("basis", "named"),
    [
        ("第4、25、26条", [4, 25, 26]),
        ("第34至37条", [34, 35, 36, 37]),
        ("第18、21条，附件", [18, 21]),
        ("附件第1–38项，第6、19条", [6, 19]),
        ("第二十五条、第二十六条", [25, 26]),
        ("第四条", [4]),
        ("第十条", [10]),
        ("第十一条；第二十条", [11, 20]),
        ("二十条第三条", []),
        ("新十条第一条", []),
        ("试行第二条", []),
        ("泉丰北办〔2023〕1号第二条", []),
        ("第四条、新十条第三条，第8条", [4, 8]),
        ("附件第8项", []),
        ("统计口径", []),
    ],
)
def test_the_articles_of_a_citation(basis, named):
    assert text.articles(basis) == named


def test_a_citation_of_articles():
    assert text.citation([26, 4, 25, 4]) == "第4、25、26条"


@pytest.mark.parametrize(
    ("basis", "written"),
    [
        ("第18、21条，附件", "第十八、二十一条，附件"),
        ("第34至37条", "第三十四至三十七条"),
        ("第10、11条，附件23–28项", "第十、十一条，附件第23–28项"),
        ("附件第1–38项，第6、7、28条", "附件第1–38项，第六、七、二十八条"),
        ("第二十五条、第二十六条", "第二十五条、第二十六条"),
        ("统计口径", "统计口径"),
    ],
)
def test_a_citation_has_one_form(basis, written):
    assert text.cited(basis) == written
    assert text.articles(written) == text.articles(basis)


def test_codes_have_names():
    assert [text.notice(code) for code in ("GG2", "GG007", "TG-5")] == ["第2号通告", "第7号通告", "TG-5"]
    assert text.notices("7月12日08:30通告疫情启动（GG1）") == "7月12日08:30通告疫情启动（第1号通告）"
    assert text.notices("报告本土感染者（C-GG1）") == "报告本土感染者（C-GG1）"


def test_a_deadline_of_earlier_days_says_the_first():
    assert text.late("整改期限", date(2022, 7, 20)) == "整改期限（最早 7月20日，已逾期）"
    assert text.late("整改期限", None) == ""
    codes = ("P19 购药人员", "A06", "A28 配送", "8 快递", "")
    assert [text.group(code) for code in codes] == ["第十九条 购药人员", "第六条", "第二十八条 配送", "8 快递", ""]


@pytest.mark.parametrize("values", [(1, 1, 1), (128, 76, 34, 7), (0, 0), (5,), (2, 3, 3, 3, 3), ()])
def test_parts_add_up_to_their_whole(values):
    parts = text.parts_of_whole(values)
    assert round(sum(parts), 1) == (100.0 if sum(values) else 0)
    assert all(abs(part - 100 * value / (sum(values) or 1)) < 0.1 for part, value in zip(parts, values, strict=True))


def test_a_deadline_that_is_over_says_so():
    assert text.passed(datetime(2022, 7, 24, 17)) == "7月24日17:00，已超时"
    assert text.passed(None) == text.passed(float("nan")) == ""
