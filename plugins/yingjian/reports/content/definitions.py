"""This module says what each term of the report means and which article it comes from."""

from __future__ import annotations

from datetime import date, timedelta

from yingjian.reports.content.document import Definition
from yingjian.reports.content.text import day


def definitions(as_of: date) -> tuple[Definition, ...]:
    """Return the terms that the report's figures share; a figure's own definition stands beside it."""
    day_before, week_before = day(as_of - timedelta(days=1)), day(as_of - timedelta(days=7))
    return (
        Definition(
            "业务日期", "统计口径",
            f"北京时间当日24时的状态，依据本次运行前收到的全部数据。“比前一日”对 {day_before}，“比上周”对 {week_before}，"
            "均取该日最近一次、且早于本期的发布；趋势图各日同此，按当时发布的数字。",
        ),
        Definition(
            "应检人次", "附件第1–38项，第6、7、28条",
            "当日有检测义务的人次：一人属于两类人群，计两次。豁免、感染者治疗期间不计入；购药、混管阳性复核另计。",
        ),
        Definition(
            "应检尽检率", "第18、21条", "没有逾期项目的人次 ÷ 应检人次；四舍五入取一位小数，有逾期时不显示100%。"
        ),
        Definition(
            "逾期", "附件第1–38项，第21条",
            "到期日24时仍没有有效采样的项目。按“人”是不重复的人数，按“项”是项目数（如“3天2检”两次都未做计两项），"
            "按“人次”是有逾期项目的人群身份数。结果“待出”算已检，结果“无效”不算。",
        ),
        Definition("逾期天数", "第18、21条", "到期当日24时算逾期1天。"),
        Definition(
            "新增与消除", "第18、21条",
            "同一项目在前一日和本日两期发布中比较：本日逾期而前一日没有逾期的为新增，前一日逾期而本日不再逾期的为消除，"
            "新增减消除等于逾期项数的变化。“转为漏检”是没有补采、下一次检测已到期，不是好转。",
        ),
        Definition(
            "次日应检、未来7日到期", "附件第1–38项",
            "到期日在业务日期之后的项目，假定此后不再采样；提前采样会使以后的到期日顺延。",
        ),
        Definition(
            "待核实", "第30条，附件第34项",
            "省内外入（返）丰人员的来源县有中高风险区，但填报的区域与名单没有一致的，暂按低风险地区管理，须人工核实。",
        ),
        Definition(
            "风险区等级、无新增天数", "第28条",
            "等级只取通告。无新增天数从末例本土感染者采样日、本等级开始日中较晚的一天算起；境外输入病例不计。",
        ),
        Definition(
            "可降级", "第28条",
            "高风险区（及原划定中风险区）连续7天无新增，且第7天起全员一轮核酸筛查均为阴性；由高风险降为中风险的，"
            "再连续3天无新增。达到条件只是提示，以通告为准。",
        ),
        Definition("责任单位", "第1至38条", "方案该条写明的责任单位，照原文；“各社区”“各部门”指所列的社区和主管部门。"),
        Definition(
            "数据质量", "第20条",
            "每个文件“读入 = 入库 + 退回 + 被更新”。必检项未通过时不发布，除非有权人员说明理由后放行；业务提示不影响发布。",
        ),
    )  # fmt: skip
