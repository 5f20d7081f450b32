"""This section reports on the data (article 20): arrivals, rejected rows, failed checks, and restatements."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pandas import DataFrame

from yingjian.reports.content.document import NO_LIMIT, Action, Block, Column, Text
from yingjian.reports.content.frames import NAMED, by, rows, some, table, total
from yingjian.reports.content.sections.section import Content, Reading, Section
from yingjian.reports.content.text import day, number

ROWS = 10**6  # These tables are never cut, because all feeds and checks fit on a page.
RESTATED = 30
MESSAGE_LENGTH = 160
SEVERITIES = {"fail": "必检项", "warn": "业务提示"}
STATUSES = {"ok": "正常", "missing": "缺报", "stale": "滞后", "thin": "偏少", "doubtful": "存疑", "rejected": "被退回"}

QUERIES = {
    "feeds": """
        select feed, title, files, new_files, rejected_files, rows_read, rows_staged, rows_rejected, rows_superseded,
            rows_repaired, status, coalesce(message, '') as message
        from feed_quality where publication_id = %(id)s
        order by rows_read desc, feed collate "C"
    """,
    "feeds_before": "select feed, status, rows_rejected from feed_quality where publication_id = %(before)s",
    "rejections": """
        select coalesce(feed.title, summary.feed) as title, summary.reason, summary.rows
        from rejection_summary as summary
        left join feed_quality as feed using (publication_id, feed)
        where summary.publication_id = %(id)s and summary.rows > 0
        order by summary.rows desc, summary.feed collate "C", summary.reason_code collate "C"
    """,
    "senders": """
        select coalesce(feed.title, summary.feed) as title, summary.sender, summary.rows
        from rejection_by_sender as summary
        left join feed_quality as feed using (publication_id, feed)
        where summary.publication_id = %(id)s
        order by summary.rows desc, summary.feed collate "C", summary.sender collate "C"
    """,
    "restatements": """
        select restated_date, reason, sum(rows)::bigint as rows from restatement where publication_id = %(id)s
        group by restated_date, reason order by restated_date desc, reason collate "C"
    """,
    "checks": """
        select coalesce(message, '（未写明）') as says, severity, failing_rows
        from quality_check where publication_id = %(id)s and success is not true
        order by severity = 'fail' desc, failing_rows desc nulls last, check_name collate "C", table_name collate "C"
    """,
    "must_hold": """
        select count(*) as checks from quality_check where publication_id = %(id)s and severity = 'fail'
    """,
}


def _write(reading: Reading) -> Content:
    publication, feeds = reading.issue.publication, reading["feeds"]
    blocks: list[Block] = [
        Text(
            f"{checked(reading)}；收到文件 {number(publication.input_files)} 个、{number(publication.input_rows)} 行。"
        )
    ]
    late = rows(feeds[feeds["status"] != "ok"])
    for feed in late:
        message = feed.message if len(feed.message) <= MESSAGE_LENGTH else f"{feed.message[: MESSAGE_LENGTH - 1]}…"
        blocks.append(Text(f"{status(feed)} {feed.title}" + (f"：{message}" if message else "")))
    actions = []
    if late:
        words = f"{len(late)} 类数据缺报、滞后、偏少、存疑或被退回：{some([feed.title for feed in late])}。"
        actions.append(Action("补报数据", words, "第20条", limit=NO_LIMIT))
    return Content(
        blocks=[*blocks, *_tables(reading)], actions=actions, risen=_risen(reading), facts=list(_facts(reading))
    )


def _risen(reading: Reading) -> dict[str, list[tuple[str, int]]]:
    """Return the feeds that newly have a problem, and those with more rejected rows than the day before."""
    before = {feed.feed: feed for feed in rows(reading["feeds_before"])}
    feeds = rows(reading["feeds"])
    failed = [(feed.title, 1) for feed in feeds if feed.status != "ok" and _was(before, feed, "status", "ok") == "ok"]
    more = [(feed.title, feed.rows_rejected - _was(before, feed, "rows_rejected", 0)) for feed in feeds]
    return {
        key: sorted((one for one in rises if one[1] > 0), key=lambda one: (-one[1], one[0]))[:NAMED]
        for key, rises in (("feeds", failed), ("rejected", more))
    }


def _was(before: dict[str, Any], feed: Any, name: str, default: Any) -> Any:
    return getattr(before[feed.feed], name) if feed.feed in before else default


def status(feed: Any) -> str:
    """Return a feed's status, with a note unless rows read = staged + rejected + superseded: nothing is dropped silently."""
    name = STATUSES.get(feed.status, str(feed.status))
    is_balanced = feed.rows_read == feed.rows_staged + feed.rows_rejected + feed.rows_superseded
    return name if is_balanced else f"{name}，行数不平"


def _tables(reading: Reading) -> Iterator[Block]:
    checks, feeds, restated = reading["checks"], reading["feeds"], reading["restatements"]
    columns: tuple[Column, ...] = (
        Column("检查", "says", "text"), Column("级别", "level", "text"), Column("行数", "failing_rows"),
    )  # fmt: skip
    yield table(
        "未通过的必检项和业务提示", columns, checks.assign(level=checks["severity"].map(SEVERITIES)), limit=ROWS
    )
    columns = (
        Column("数据", "title", "text"), Column("状态", "state", "text"), Column("文件", "files"), Column("新文件", "new_files"),
        Column("退回文件", "rejected_files"), Column("读入", "rows_read"), Column("入库", "rows_staged"),
        Column("退回", "rows_rejected"), Column("被更新", "rows_superseded"), Column("已修复", "rows_repaired"),
    )  # fmt: skip
    note = (
        "读入 = 入库 + 退回 + 被更新。“被更新”是同一记录已有更新版本的旧行；"
        "“已修复”指自动改正的空格、全角字符、日期写法等。"
    )
    states = [status(feed) for feed in rows(feeds)]
    yield table("各类数据（行）", columns, feeds.assign(state=states), limit=ROWS, note=note)
    columns = (Column("数据", "title", "text"), Column("原因", "reason", "text"), Column("行数", "rows"))
    yield table("退回原因", columns, reading["rejections"], limit=ROWS)
    columns = (Column("报送单位", "sender", "text"), Column("数据", "title", "text"), Column("行数", "rows"))
    yield table(
        "待更正的行，按报送单位", columns, reading["senders"], note="更正后重新报送即可，同一记录入库后自动销号。"
    )
    columns = (Column("日期", "date", "text"), Column("原因", "reason", "text"), Column("义务数", "rows"))
    dates = restated.assign(date=[day(row.restated_date) for row in rows(restated)])
    yield table("对以前日期的更正", columns, dates, limit=RESTATED, note="与上一次发布相比。")


def _facts(reading: Reading) -> Iterator[tuple[str, str]]:
    """Yield what is missing, late or rejected, which checks failed, who released it and why, and what was restated."""
    publication = reading.issue.publication
    yield "报送", _arrival(reading["feeds"], set(publication.missing_feeds))
    yield "退回", _rejected(reading)
    yield "检查", _checks(reading["checks"], must_hold(reading))
    if publication.released_by_hand:
        who, why = publication.released_by or "未记录", publication.release_reason or "未填写"
        yield "人工放行", f"放行人：{who}；理由：{why}。"
    if "restatement" not in reading.issue.hidden:
        yield "更正", _restated(reading["restatements"])


def _arrival(feeds: DataFrame, missing: set[str]) -> str:
    late = [feed for feed in rows(feeds) if feed.status != "ok" or feed.feed in missing]
    if not late:
        return f"{len(feeds)} 类数据均按要求送到。"
    named = _some([
        f"{feed.title}（{'截稿时当日数据未到' if feed.feed in missing else STATUSES.get(feed.status, feed.status)}）"
        for feed in sorted(late, key=lambda feed: feed.feed not in missing)
    ])  # fmt: skip
    return f"{len(late)} 类缺报、滞后、偏少、存疑或被退回：{named}。"


def _rejected(reading: Reading) -> str:
    figure, top = reading.figure("rejected"), rows(reading["rejections"][:NAMED])
    if not figure.today:
        return "没有退回的行。"
    words = f"累计 {figure.written}" + (f"，比前一日 {figure.change}" if figure.before is not None else "")
    if top:
        words += "；待更正最多：" + "、".join(f"{row.title}·{row.reason} {number(row.rows)}" for row in top)
    return words + "。"


def _checks(checks: DataFrame, run: str) -> str:
    failed, hints = (checks[(checks["severity"] == "fail") == is_fail]["says"].tolist() for is_fail in (True, False))
    words = f"必检项 {len(failed)} 项未通过：{_some(failed)}" if failed else f"必检项{run}全部通过"
    if hints:
        words += f"；业务提示 {len(hints)} 项：{_some(hints)}"
    return words + "。"


def must_hold(reading: Reading) -> str:
    """Return the number of mandatory checks, with the unit; empty if the publication's checks were not kept."""
    count = total(reading["must_hold"], "checks")
    return f" {number(count)} 项" if count else ""


def checked(reading: Reading) -> str:
    """Return a summary of the mandatory checks and the hints: 必检项 98 项全部通过；业务提示 15 项."""
    failed = int((reading["checks"]["severity"] == "fail").sum())
    hints = len(reading["checks"]) - failed
    words = f"必检项 {number(failed)} 项未通过" if failed else f"必检项{must_hold(reading)}全部通过"
    return words + (f"；业务提示 {number(hints)} 项" if hints else "")


def _restated(restatements: DataFrame) -> str:
    if not len(restatements):
        return "与上一次发布相比，以前日期没有更正。"
    reasons = by(restatements[["reason", "rows"]], "reason").sort_values("rows", ascending=False, kind="stable")
    first, last = restatements["restated_date"].min(), restatements["restated_date"].max()
    days = day(first) if first == last else f"{day(first)}至{day(last)}"
    reasons_named = "、".join(f"{reason} {number(count)}" for reason, count in zip(reasons["reason"], reasons["rows"].tolist(), strict=True))  # fmt: skip
    return f"与上一次发布相比，以前日期更正 {number(total(restatements, 'rows'))} 项（{days}）：{reasons_named}。"


def _some(names: list[str]) -> str:
    return some(names, f" 等 {len(names)} 个")


SECTIONS = (
    Section(
        "quality", "数据质量", "第20条",
        ("feed_quality", "quality_check", "rejection_summary", "rejection_by_sender", "restatement"), QUERIES, _write,
        ("feeds", "rejected"),
        heading="数据报送",
    ),
)  # fmt: skip
