"""The feeds, declared as data: each feed's columns as the platform names them, and their names in staging.

Source: docs/feeds.md. A column's `kind` decides how its text is repaired and typed. Staging tables, header checks, row checks
and the senders' templates are all derived from these declarations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "text", "place", "places", "code", "date", "time", "number", "group", "id_type", "id_number", "frequency", "tests",
]  # fmt: skip

ID_TYPES = ("居民身份证", "港澳居民来往内地通行证", "台湾居民来往大陆通行证", "护照", "外国人永久居留身份证")
RESIDENT_ID, MACAO_PERMIT, TAIWAN_PERMIT, PASSPORT, FOREIGN_ID = ID_TYPES
# Residence permits (numbers that start with 81, 82 or 83) use the resident number format; source systems label them with one of
# these names or as 居民身份证.
RESIDENCE_PERMITS = ("港澳台居民居住证", "港澳居民居住证", "台湾居民居住证")

# A roster may use the 38 annex rows, article 6 and article 28. An exemption may also lift tests that no roster covers: those of
# referrals (article 7), of medicine purchases (article 19) and of members of a positive tube (article 24).
ROSTER_GROUPS = (*(str(row) for row in range(1, 39)), "A06", "A28")
LIFTED_GROUPS = (*ROSTER_GROUPS, "A07", "P19", "P24")


@dataclass(frozen=True)
class Column:
    """One column of a feed.

    kind: `place` and `places` (joined by 、) are names that other feeds share, so they are stored in comparable form
    (`names.comparable`); source: header text of the export; name: column in `staging.<feed>`; codes: allowed values of a
    `code`, `group` or counted column; required: an empty cell rejects the row with `missing_value`; may_be_absent: older files
    may lack the column; max_characters: a longer text rejects the row with `too_long`; low, high, is_whole: the range of a
    number, else `bad_number`; is_past: the time of something that has happened, so a value more than a day after the file's
    receipt rejects the row with `future_time`; is_key: it identifies a record, so a number rounded by a spreadsheet rejects the
    row with `rounded_key`; is_name: pages show it as the name of a place or organisation, so a telephone or document number in
    it rejects the row; is_phone: a telephone number, which is repaired if a spreadsheet reformatted it; may_say_none: a word
    for nothing (无, 否, —) counts as empty; is_receipt_if_empty: an empty cell is filled with the time of receipt, which counts
    as a repair.
    """

    source: str
    name: str
    kind: Kind = "text"
    required: bool = False
    codes: tuple[str, ...] = ()
    may_be_absent: bool = False
    max_characters: int = 100
    low: float = 0
    high: float = 0
    is_whole: bool = False
    is_past: bool = False
    is_key: bool = False
    is_name: bool = False
    is_phone: bool = False
    may_say_none: bool = False
    is_receipt_if_empty: bool = False


RECEIPT_IF_EMPTY = "不填的按收到文件的时间计"  # Senders see this in the template and in the form.

# The first of these columns that a feed has names the sender, who answers for the row.
_SENDERS = ("laboratory", "pharmacy", "department", "community", "target_community")


@dataclass(frozen=True)
class Feed:
    """One tabular feed. key: staging columns that identify a record; the version with the newest `updated_at` wins.

    order: pairs of columns; the time in the first must not lie before that in the second (`time_order`). The next three come
    from decisions recorded with `yingjian landing accept`: synonyms maps an accepted header text to a column's header;
    absent_columns lists columns that files may lack; accepted_meanings lists columns that are exempt from the check for a
    changed meaning. blank_without: a row in which all these columns are empty is blank, since a form to fill in has the other
    columns prefilled.
    """

    name: str
    title: str
    key: tuple[str, ...]
    columns: tuple[Column, ...] = field(repr=False)
    order: tuple[tuple[str, str], ...] = ()
    synonyms: Mapping[str, str] = field(default_factory=dict, repr=False)
    absent_columns: frozenset[str] = frozenset()
    accepted_meanings: frozenset[str] = frozenset()
    blank_without: tuple[str, ...] = ()

    @property
    def sender(self) -> Column | None:
        """Return the column that names a row's sender, to whom rejected rows go back; None if the feed has none."""
        return next((c for name in _SENDERS for c in self.columns if c.name == name), None)

    @property
    def has_person(self) -> bool:
        return any(c.kind == "id_number" for c in self.columns)

    def column(self, name: str) -> Column:
        return next(c for c in self.columns if c.name == name)


LONG_TEXT = 400  # The longest text of any column: its 1,600 bytes still fit into an index beside another column.


def _text(source: str, name: str, *, required: bool = False, longest: int = 100) -> Column:
    return Column(source, name, "text", required, max_characters=longest)


def _name(source: str, name: str, *, longest: int = 100) -> Column:
    """Return a column of place or organisation names that pages show."""
    return Column(source, name, max_characters=longest, is_name=True)


def _place(source: str, name: str) -> Column:
    return Column(source, name, "place", is_name=True)


def _places(source: str, name: str) -> Column:
    return Column(source, name, "places", max_characters=LONG_TEXT, is_name=True)


def _key(source: str, name: str, *, required: bool = False) -> Column:
    """Return a column that identifies a record of this feed or another."""
    return Column(source, name, "text", required, max_characters=200, is_key=True)


def _number(
    source: str, name: str, low: float, high: float, *, is_whole: bool = False, required: bool = False
) -> Column:
    return Column(source, name, "number", required, low=low, high=high, is_whole=is_whole)


def _code(source: str, name: str, *codes: str, required: bool = True) -> Column:
    return Column(source, name, "code", required, codes)


def _date(source: str, name: str, *, required: bool = False) -> Column:
    return Column(source, name, "date", required)


def _time(source: str, name: str, *, required: bool = False) -> Column:
    return Column(source, name, "time", required)


def _past(source: str, name: str, *, required: bool = False) -> Column:
    """Return a column with the time of something that has happened."""
    return Column(source, name, "time", required, is_past=True)


_DOCUMENT = (Column("证件类型", "id_type", "id_type", True), Column("证件号码", "id_number", "id_number", True))
_IDENTITY = (_text("姓名", "person_name"), *_DOCUMENT, Column("手机号", "phone", is_phone=True))
_UPDATED = _past("更新时间", "updated_at", required=True)
_RESULTS = ("阴性", "阳性")

DOSES = tuple(map(str, range(1, 10)))

# People can give these answers about an item of a list (docs/policy.md, "Disposition").
DISPOSITION_FEED = "dispositions"
DISPOSITIONS = ("已通知", "已采样", "约定时间", "联系不上", "拒绝", "已搬离", "不在辖区", "信息有误", "申请豁免")

FEEDS: dict[str, Feed] = {
    feed.name: feed
    for feed in (
        Feed(
            "key_population",
            "重点人群名册",
            ("record_key",),
            (
                _key("记录编号", "record_key", required=True),
                *_IDENTITY,
                Column("人群编号", "group_code", "group", True, ROSTER_GROUPS),
                _name("工作单位", "unit"),
                _name("主管部门", "department"),
                _place("社区", "community"),
                _place("网格", "grid"),
                _text("现住址", "address", longest=200),
                _date("起始日期", "start_date", required=True),
                _date("锚定日期", "anchor_date"),
                _date("移出日期", "end_date"),
                Column("自定频次", "custom_frequency", "frequency"),
                _UPDATED,
            ),
            order=(("end_date", "start_date"),),
        ),
        Feed(
            "test_results",
            "核酸检测结果",
            ("sample_key", "id_number"),
            (
                _key("样本编号", "sample_key", required=True),
                *_IDENTITY,
                _time("采样时间", "sampled_at", required=True),
                _name("采样点", "sampling_point"),
                _code("采样方式", "sampling_method", "单采", "混采"),
                _key("试管编号", "tube_no"),
                _name("检测机构", "laboratory"),
                _past("检测时间", "tested_at"),
                _code("检测结果", "result", "阴性", "阳性", "待出", "无效"),
                _UPDATED,
            ),
            order=(("tested_at", "sampled_at"),),
        ),
        Feed(
            "pharmacy_purchases",
            "药店购药登记",
            ("purchase_key",),
            (
                _key("登记编号", "purchase_key", required=True),
                _name("药店名称", "pharmacy"),
                _key("药店编号", "pharmacy_key"),
                _place("社区", "community"),
                *_IDENTITY,
                _text("现住址", "address", longest=200),
                _name("药品名称", "drug"),
                _code("药品类别", "drug_category", "退热", "抗病毒", "抗生素", "止咳"),
                _number("数量", "quantity", 0, 100_000),
                _time("购药时间", "purchased_at", required=True),
                _number("体温", "temperature", 30, 45),
                _text("七日内旅居史", "travel_history", longest=LONG_TEXT),
                _past("推送时间", "pushed_at"),
                _past("排查时间", "investigated_at"),
                _text("排查结果", "investigation_result", longest=LONG_TEXT),
                _UPDATED,
            ),
        ),
        Feed(
            "arrivals",
            "入（返）丰人员申报",
            ("arrival_key",),
            (
                _key("申报编号", "arrival_key", required=True),
                *_IDENTITY,
                _code("来源地", "origin", "境外", "省", "市", "县"),
                _text("来源省", "origin_province"),
                _text("来源市", "origin_city"),
                _text("来源县", "origin_county"),
                _text("来源区域", "origin_area", longest=LONG_TEXT),
                _date("离开日期", "left_date"),
                _date("入境日期", "entry_date"),
                _text("入境口岸省", "entry_port_province"),
                _date("抵达日期", "arrival_date", required=True),
                _place("目的社区", "community"),
                _place("网格", "grid"),
                _past("推送时间", "pushed_at"),
                _past("排查时间", "investigated_at"),
                _UPDATED,
            ),
        ),
        Feed(
            "risk_zones",
            "本地风险区通告",
            ("notice_key", "zone_key"),
            (
                _key("通告编号", "notice_key", required=True),
                _key("风险区编号", "zone_key", required=True),
                _name("风险区名称", "zone_name"),
                _code("等级", "level", "高", "中", "低"),
                _places("社区", "community"),
                _places("网格", "grid"),
                _date("生效日期", "effective_date", required=True),
                _UPDATED,
            ),
        ),
        Feed(
            "cases",
            "感染者",
            ("case_key",),
            (
                _key("病例编号", "case_key", required=True),
                *_IDENTITY,
                _code("类型", "case_type", "确诊", "无症状"),
                _code("来源", "source", "本土", "境外输入"),
                _date("采样日期", "sample_date", required=True),
                _past("报告时间", "reported_at"),
                _place("社区", "community"),
                _place("网格", "grid"),
                _key("风险区编号", "zone_key"),
                Column("转运时间", "transferred_at", "time", may_be_absent=True, is_past=True),
                Column("收治机构", "hospital", may_be_absent=True, is_name=True),
                Column("入院时间", "admitted_at", "time", may_be_absent=True, is_past=True),
                _date("出院日期", "discharge_date"),
                _UPDATED,
            ),
            order=(("discharge_date", "sample_date"),),
        ),
        Feed(
            "contacts",
            "密接、次密接",
            ("contact_key",),
            (
                _key("编号", "contact_key", required=True),
                _key("病例编号", "case_key"),
                _code("类别", "category", "密接", "次密接"),
                *_IDENTITY,
                _date("末次接触日期", "last_exposure_date", required=True),
                _past("判定时间", "judged_at", required=True),
                _past("转运时间", "transferred_at"),
                _past("隔离时间", "isolated_at"),
                _code("隔离方式", "isolation_method", "集中", "居家", required=False),
                _name("隔离地点", "isolation_place"),
                _place("社区", "community"),
                _place("网格", "grid"),
                _UPDATED,
            ),
        ),
        Feed(
            "residents",
            "网格居民登记",
            ("id_type", "id_number"),
            (
                *_IDENTITY,
                _date("出生日期", "birth_date"),
                _place("社区", "community"),
                _place("网格", "grid"),
                _place("楼栋", "building"),
                _code("人口类型", "resident_type", "常住", "流动", required=False),
                _date("迁入日期", "moved_in_date"),
                _date("迁出日期", "moved_out_date"),
                _UPDATED,
            ),
            order=(("moved_out_date", "moved_in_date"),),
        ),
        Feed(
            "declarations",
            "指挥部通告",
            ("notice_key",),
            (
                _key("通告编号", "notice_key", required=True),
                _code("类型", "declaration_type", "疫情启动", "疫情结束", "区域核酸"),
                _places("范围社区", "communities"),
                _places("范围网格", "grids"),
                _time("开始时间", "started_at", required=True),
                _time("结束时间", "ended_at"),
                _UPDATED,
            ),
            order=(("ended_at", "started_at"),),
        ),
        Feed(
            "exemptions",
            "免检审批",
            ("exemption_key",),
            (
                _key("编号", "exemption_key", required=True),
                *_DOCUMENT,
                Column("人群编号", "group_code", "group", codes=LIFTED_GROUPS),
                _date("起始日期", "start_date", required=True),
                _date("截止日期", "end_date", required=True),
                _text("原因", "reason", longest=LONG_TEXT),
                _text("批准人", "approved_by"),
                _UPDATED,
            ),
            order=(("end_date", "start_date"),),
        ),
        Feed(
            "vaccinations",
            "疫苗接种",
            ("vaccination_key",),
            (
                _key("记录编号", "vaccination_key", required=True),
                *_IDENTITY,
                Column("剂次", "dose", "number", codes=DOSES, low=1, high=9, is_whole=True),
                _name("疫苗", "vaccine"),
                _date("接种日期", "vaccinated_date"),
                Column("禁忌或拒种", "exclusion", may_be_absent=True, is_name=True, may_say_none=True),
                _UPDATED,
            ),
        ),
        Feed(
            "releases",
            "解除隔离",
            ("release_key",),
            (
                _key("编号", "release_key", required=True),
                _key("记录编号", "record_key", required=True),
                *_DOCUMENT,
                _code("解除类型", "release_type", "集中隔离", "全部管控"),
                _date("解除日期", "release_date", required=True),
                _code("人员结果", "person_result", *_RESULTS, required=False),
                _code("物品结果", "objects_result", *_RESULTS, required=False),
                _code("环境结果", "environment_result", *_RESULTS, required=False),
                _code("排除感染", "infection_excluded", "是", required=False),
                _UPDATED,
            ),
        ),
        Feed(
            "disinfections",
            "消毒记录",
            ("disinfection_key",),
            (
                _key("编号", "disinfection_key", required=True),
                _key("风险区编号", "zone_key"),
                _key("病例编号", "case_key"),
                _name("场所", "place"),
                Column("楼栋", "building", "place", may_be_absent=True, is_name=True),
                _code("类型", "disinfection_type", "预防性", "终末"),
                _time("开始时间", "started_at", required=True),
                _time("结束时间", "ended_at"),
                _UPDATED,
            ),
            order=(("ended_at", "started_at"),),
        ),
        Feed(
            "teams",
            "备勤队伍",
            ("member_key",),
            (
                _key("编号", "member_key", required=True),
                Column("队伍类型", "team_type", required=True, is_name=True),
                _code("层级", "level", "街道", "社区"),
                _place("社区", "community"),
                *_IDENTITY,
                _code("来源", "origin", "街道办", "公安", "卫生", required=False),
                _UPDATED,
            ),
        ),
        Feed(
            "referrals",
            "上级下发人员名单",
            ("referral_key",),
            (
                _key("编号", "referral_key", required=True),
                *_IDENTITY,
                _code("类别", "category", "协查", "八同", "时空伴随", "涉疫场所暴露", "重点地区", "其他"),
                _code("风险等级", "risk_level", "高", "中", "低", required=False),
                _text("来源地", "origin"),
                _date("末次暴露日期", "last_exposure_date"),
                _past("下发时间", "handed_down_at", required=True),
                _place("社区", "community"),
                _place("网格", "grid"),
                _text("现住址", "address", longest=200),
                _past("核查时间", "verified_at"),
                _code("核查结果", "verification_result", "在辖区", "已离开", "无法联系", "信息有误", required=False),
                _code("管控方式", "control_method", "集中隔离", "居家隔离", "健康监测", "仅检测", required=False),
                Column("检测要求", "required_tests", "tests"),
                _UPDATED,
            ),
            order=(("verified_at", "handed_down_at"),),
        ),
        Feed(
            DISPOSITION_FEED,
            "处置结果",
            ("disposition_key",),
            (
                _key("编号", "disposition_key", required=True),
                Column("名单", "list_name", required=True, is_name=True),
                Column("项目编号", "item_key", "text", True, max_characters=400, is_key=True),
                _code("处置结果", "result", *DISPOSITIONS),
                _text("处置人", "handled_by"),
                Column("处置时间", "handled_at", "time", is_past=True, is_receipt_if_empty=True),
                _text("备注", "remark", longest=LONG_TEXT),
                _UPDATED,
            ),
            blank_without=("result", "handled_by", "handled_at", "remark"),
        ),
        Feed(
            "health_checks",
            "健康监测记录",
            ("health_check_key",),
            (
                _key("编号", "health_check_key", required=True),
                *_IDENTITY,
                _past("测量时间", "measured_at", required=True),
                _number("体温", "temperature", 30, 45),
                _text("症状", "symptoms", longest=LONG_TEXT),
                _text("记录人", "recorded_by"),
                _UPDATED,
            ),
        ),
        Feed(
            "inspections",
            "督导检查",
            ("inspection_key",),
            (
                _key("编号", "inspection_key", required=True),
                Column("条款", "article", required=True, is_name=True),
                _name("场所", "place"),
                _name("场所类型", "place_type"),
                _place("社区", "community"),
                _past("检查时间", "inspected_at", required=True),
                _name("检查单位", "inspector"),
                Column("问题", "finding", max_characters=LONG_TEXT, may_say_none=True),
                _date("整改时限", "mend_by"),
                _time("整改完成时间", "mended_at"),
                _UPDATED,
            ),
            order=(("mended_at", "inspected_at"),),
        ),
        Feed(
            "isolation_sites",
            "隔离场所",
            ("site_key", "reported_on"),
            (
                _key("站点编号", "site_key", required=True),
                _name("名称", "site_name"),
                _code("状态", "status", "在用", "备用"),
                _number("房间数", "rooms", 0, 100_000, is_whole=True, required=True),
                _number("可用房间数", "rooms_free", 0, 100_000, is_whole=True),
                _number("专班人数", "staff", 0, 100_000, is_whole=True),
                _number("启用小时", "hours_to_open", 0, 8_760, is_whole=True),
                _date("日期", "reported_on", required=True),
                _UPDATED,
            ),
        ),
        Feed(
            "supplies",
            "物资储备",
            ("supply_key", "reported_on"),
            (
                _key("物资编号", "supply_key", required=True),
                _name("品名", "item"),
                _name("单位", "unit_of_measure"),
                _number("库存", "stock", 0, 1_000_000_000, required=True),
                _number("日均消耗", "daily_use", 0, 1_000_000_000),
                _number("底线天数", "floor_days", 0, 3_650, is_whole=True),
                _name("责任单位", "department"),
                _date("日期", "reported_on", required=True),
                _UPDATED,
            ),
        ),
        Feed(
            "requests",
            "群众诉求",
            ("request_key",),
            (
                _key("编号", "request_key", required=True),
                _key("风险区编号", "zone_key"),
                _place("社区", "community"),
                _place("网格", "grid"),
                _code("类别", "category", "就医", "购药", "孕产妇", "透析", "生活物资", "其他"),
                _past("受理时间", "received_at", required=True),
                _time("办结时间", "closed_at"),
                _name("办理单位", "department"),
                _UPDATED,
            ),
            order=(("closed_at", "received_at"),),
        ),
        Feed(
            "guests",
            "旅馆住宿登记",
            ("guest_key",),
            (
                _key("编号", "guest_key", required=True),
                *_IDENTITY,
                _name("住宿单位", "hotel"),
                _place("社区", "community"),
                _past("入住时间", "checked_in_at", required=True),
                _time("离店时间", "checked_out_at"),
                _time("登记上报时间", "reported_at"),
                _UPDATED,
            ),
            order=(("checked_out_at", "checked_in_at"),),
        ),
        Feed(
            "events",
            "大型活动",
            ("event_key",),
            (
                _key("编号", "event_key", required=True),
                _name("名称", "event_name"),
                _name("举办单位", "organizer"),
                _place("社区", "community"),
                _date("举办日期", "held_on", required=True),
                _number("规模", "attendance", 0, 10_000_000, is_whole=True),
                _date("方案日期", "planned_on"),
                _date("卫健审核日期", "health_reviewed_on"),
                _date("社区报备日期", "community_filed_on"),
                _date("指挥部报批日期", "command_approved_on"),
                _UPDATED,
            ),
        ),
        Feed(
            "drills",
            "培训演练",
            ("drill_key",),
            (
                _key("编号", "drill_key", required=True),
                _code("类型", "drill_type", "培训", "演练"),
                _name("条款", "article"),
                _name("单位", "department"),
                _date("日期", "held_on", required=True),
                _number("参加人数", "attendance", 0, 10_000_000, is_whole=True),
                _UPDATED,
            ),
        ),
    )
}

# A document on its own, used to declare that a document was recorded wrongly.
DOCUMENT = Feed("document", "证件", ("id_type", "id_number"), _DOCUMENT)

# The national list of risk areas arrives as JSON, one snapshot per file; landing/risk_areas.py reads it.
RISK_AREAS = "risk_areas"
