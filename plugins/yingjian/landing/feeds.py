"""The feeds as data: each feed's columns as the platform names them, and what staging calls them.

Source: the feeds' specification (`docs/feeds.md`). A column's `kind` says how its text is repaired
and typed; staging tables, header checks and the row checks are all derived from these rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["text", "code", "date", "time", "number", "group", "id_type", "id_number", "frequency"]

ID_TYPES = ("居民身份证", "港澳居民来往内地通行证", "台湾居民来往大陆通行证", "护照", "外国人永久居留身份证")
RESIDENT_ID = ID_TYPES[0]


@dataclass(frozen=True)
class Column:
    """One column of a feed.

    source: header text of the export; name: column in `staging.<feed>`; codes: allowed values of a
    `code` column; required: an empty cell rejects the row with `missing_value`.
    """

    source: str
    name: str
    kind: Kind = "text"
    required: bool = False
    codes: tuple[str, ...] = ()


# Who answers for a row, the first of these that a feed has.
_SENDERS = ("laboratory", "pharmacy", "department", "community", "target_community")


@dataclass(frozen=True)
class Feed:
    """One tabular feed. `key`: staging columns that identify a record; the newest `updated_at` wins.

    synonyms: header texts that a decision (`yingjian landing accept`) made names of a column, to that column's text;
    absent_columns: columns that files may lack by such a decision; accepted_meanings: columns whose odd values are judged
    row by row by such a decision.
    """

    name: str
    title: str
    key: tuple[str, ...]
    columns: tuple[Column, ...] = field(repr=False)
    synonyms: Mapping[str, str] = field(default_factory=dict, repr=False)
    absent_columns: frozenset[str] = frozenset()
    accepted_meanings: frozenset[str] = frozenset()

    @property
    def sender(self) -> Column | None:
        """The column that says who sent a row: to whom quarantine goes back."""
        return next((c for name in _SENDERS for c in self.columns if c.name == name), None)

    @property
    def has_person(self) -> bool:
        return any(c.kind == "id_number" for c in self.columns)

    def column(self, name: str) -> Column:
        return next(c for c in self.columns if c.name == name)


def _text(source: str, name: str, *, required: bool = False) -> Column:
    return Column(source, name, "text", required)


def _code(source: str, name: str, *codes: str, required: bool = True) -> Column:
    return Column(source, name, "code", required, codes)


def _date(source: str, name: str, *, required: bool = False) -> Column:
    return Column(source, name, "date", required)


def _time(source: str, name: str, *, required: bool = False) -> Column:
    return Column(source, name, "time", required)


_DOCUMENT = (
    Column("证件类型", "id_type", "id_type", True),
    Column("证件号码", "id_number", "id_number", True),
)
_IDENTITY = (_text("姓名", "person_name"), *_DOCUMENT, _text("手机号", "phone"))
_UPDATED = _time("更新时间", "updated_at", required=True)
_RESULTS = ("阴性", "阳性")

FEEDS: dict[str, Feed] = {
    feed.name: feed
    for feed in (
        Feed(
            "key_population",
            "重点人群名册",
            ("record_key",),
            (
                _text("记录编号", "record_key", required=True),
                *_IDENTITY,
                Column("人群编号", "group_code", "group", True),
                _text("工作单位", "unit"),
                _text("主管部门", "department"),
                _text("社区", "community"),
                _text("网格", "grid"),
                _text("现住址", "address"),
                _date("起始日期", "start_date", required=True),
                _date("锚定日期", "anchor_date"),
                _date("移出日期", "end_date"),
                Column("自定频次", "custom_frequency", "frequency"),
                _UPDATED,
            ),
        ),
        Feed(
            "test_results",
            "核酸检测结果",
            ("sample_key", "id_number"),
            (
                _text("样本编号", "sample_key", required=True),
                *_IDENTITY,
                _time("采样时间", "sampled_at", required=True),
                _text("采样点", "sampling_point"),
                _code("采样方式", "sampling_method", "单采", "混采"),
                _text("试管编号", "tube_no"),
                _text("检测机构", "laboratory"),
                _time("检测时间", "tested_at"),
                _code("检测结果", "result", "阴性", "阳性", "待出", "无效"),
                _UPDATED,
            ),
        ),
        Feed(
            "pharmacy_purchases",
            "药店购药登记",
            ("purchase_key",),
            (
                _text("登记编号", "purchase_key", required=True),
                _text("药店名称", "pharmacy"),
                _text("药店编号", "pharmacy_key"),
                _text("社区", "community"),
                *_IDENTITY,
                _text("现住址", "address"),
                _text("药品名称", "drug"),
                _code("药品类别", "drug_category", "退热", "抗病毒", "抗生素", "止咳"),
                Column("数量", "quantity", "number"),
                _time("购药时间", "purchased_at", required=True),
                Column("体温", "temperature", "number"),
                _text("七日内旅居史", "travel_history"),
                _time("推送时间", "pushed_at"),
                _time("排查时间", "investigated_at"),
                _text("排查结果", "investigation_result"),
                _UPDATED,
            ),
        ),
        Feed(
            "arrivals",
            "入（返）丰人员申报",
            ("arrival_key",),
            (
                _text("申报编号", "arrival_key", required=True),
                *_IDENTITY,
                _code("来源地", "origin", "境外", "省", "市", "县"),
                _text("来源省", "origin_province"),
                _text("来源市", "origin_city"),
                _text("来源县", "origin_county"),
                _text("来源区域", "origin_area"),
                _date("离开日期", "left_date"),
                _date("入境日期", "entry_date"),
                _text("入境口岸省", "entry_port_province"),
                _date("抵达日期", "arrival_date", required=True),
                _text("目的社区", "community"),
                _text("网格", "grid"),
                _time("推送时间", "pushed_at"),
                _time("排查时间", "investigated_at"),
                _UPDATED,
            ),
        ),
        Feed(
            "risk_zones",
            "本地风险区通告",
            ("notice_key", "zone_key"),
            (
                _text("通告编号", "notice_key", required=True),
                _text("风险区编号", "zone_key", required=True),
                _text("风险区名称", "zone_name"),
                _code("等级", "level", "高", "中", "低"),
                _text("社区", "community"),
                _text("网格", "grid"),
                _date("生效日期", "effective_date", required=True),
                _UPDATED,
            ),
        ),
        Feed(
            "cases",
            "感染者",
            ("case_key",),
            (
                _text("病例编号", "case_key", required=True),
                *_IDENTITY,
                _code("类型", "case_type", "确诊", "无症状"),
                _code("来源", "source", "本土", "境外输入"),
                _date("采样日期", "sample_date", required=True),
                _time("报告时间", "reported_at"),
                _text("社区", "community"),
                _text("网格", "grid"),
                _text("风险区编号", "zone_key"),
                _date("出院日期", "discharge_date"),
                _UPDATED,
            ),
        ),
        Feed(
            "contacts",
            "密接、次密接",
            ("contact_key",),
            (
                _text("编号", "contact_key", required=True),
                _text("病例编号", "case_key"),
                _code("类别", "category", "密接", "次密接"),
                *_IDENTITY,
                _date("末次接触日期", "last_exposure_date", required=True),
                _time("判定时间", "judged_at", required=True),
                _time("转运时间", "transferred_at"),
                _time("隔离时间", "isolated_at"),
                _code("隔离方式", "isolation_method", "集中", "居家", required=False),
                _text("隔离地点", "isolation_place"),
                _text("社区", "community"),
                _text("网格", "grid"),
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
                _text("社区", "community"),
                _text("网格", "grid"),
                _text("楼栋", "building"),
                _code("人口类型", "resident_type", "常住", "流动", required=False),
                _date("迁入日期", "moved_in_date"),
                _date("迁出日期", "moved_out_date"),
                _UPDATED,
            ),
        ),
        Feed(
            "declarations",
            "指挥部通告",
            ("notice_key",),
            (
                _text("通告编号", "notice_key", required=True),
                _code("类型", "declaration_type", "疫情启动", "疫情结束", "区域核酸"),
                _text("范围社区", "communities"),
                _text("范围网格", "grids"),
                _time("开始时间", "started_at", required=True),
                _time("结束时间", "ended_at"),
                _UPDATED,
            ),
        ),
        Feed(
            "exemptions",
            "免检审批",
            ("exemption_key",),
            (
                _text("编号", "exemption_key", required=True),
                *_DOCUMENT,
                Column("人群编号", "group_code", "group"),
                _date("起始日期", "start_date", required=True),
                _date("截止日期", "end_date", required=True),
                _text("原因", "reason"),
                _text("批准人", "approved_by"),
                _UPDATED,
            ),
        ),
        Feed(
            "vaccinations",
            "疫苗接种",
            ("vaccination_key",),
            (
                _text("记录编号", "vaccination_key", required=True),
                *_IDENTITY,
                Column("剂次", "dose", "number", True),
                _text("疫苗", "vaccine"),
                _date("接种日期", "vaccinated_date", required=True),
                _UPDATED,
            ),
        ),
        Feed(
            "releases",
            "解除隔离",
            ("release_key",),
            (
                _text("编号", "release_key", required=True),
                _text("记录编号", "record_key", required=True),
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
                _text("编号", "disinfection_key", required=True),
                _text("风险区编号", "zone_key"),
                _text("病例编号", "case_key"),
                _text("场所", "place"),
                _code("类型", "disinfection_type", "预防性", "终末"),
                _time("开始时间", "started_at", required=True),
                _time("结束时间", "ended_at"),
                _UPDATED,
            ),
        ),
        Feed(
            "teams",
            "备勤队伍",
            ("member_key",),
            (
                _text("编号", "member_key", required=True),
                _text("队伍类型", "team_type", required=True),
                _code("层级", "level", "街道", "社区"),
                _text("社区", "community"),
                *_IDENTITY,
                _code("来源", "origin", "街道办", "公安", "卫生", required=False),
                _UPDATED,
            ),
        ),
    )
}

# The national list arrives as JSON, one snapshot a file, and is read by landing/risk_areas.py.
RISK_AREAS = "risk_areas"
