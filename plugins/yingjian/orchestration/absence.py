"""Tells the recipients of packs, in one line, that nothing is published at delivery time, and why."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from yingjian import clock, reference
from yingjian.database import warehouse
from yingjian.database.airflow_database import BUSINESS_DATE, ask_airflow
from yingjian.delivery.messages import Letter
from yingjian.delivery.recipients import Recipient, recipients
from yingjian.orchestration import delivery_tasks, feeds
from yingjian.people.officials import Officials
from yingjian.pipeline import MODEL_TASK, Dag, Task
from yingjian.reports.content import text
from yingjian.settings import Settings

# After this time the message is useless, for example on a machine switched on in the evening.
WITHIN = timedelta(hours=6)


def tell(settings: Settings) -> dict[str, int]:
    """Tell recipients, once a day, that yesterday's pack is late; return the number of messages by state.

    Nothing is sent, and the result is empty, in a demo, outside the window after the delivery time, or for a day that is
    published or not expected. Raises Undelivered.
    """
    if clock.demo_clock(settings.home):
        return {}
    now = clock.now(settings.home)
    day = now.date() - timedelta(days=1)
    since = now - datetime.combine(now.date(), settings.delivery_time, clock.SHANGHAI)
    if not timedelta(0) <= since < WITHIN or feeds.reason_to_skip(settings, day):
        return {}
    letter = Letter(f"{text.day(day)}日报未能按时发布", (("原因", why(settings, day)),), "发布后将立即送达。")
    return delivery_tasks.send_letter("absence", day.isoformat(), letter, read_in_messages)


def read_in_messages(officials: Officials) -> list[Recipient]:
    """Return the recipients of packs, except shared folders."""
    return [one for one in recipients(officials, "pack") if one.channel.kind != "folder"]


def why(settings: Settings, day: date) -> str:
    """Return, in Chinese for officials, why a day is not published."""
    with warehouse.connect(settings, "reporter") as conn:
        build = conn.execute(
            "select state from publishing.build where as_of_date = %s order by build_id desc limit 1", (day,)
        ).fetchone()
    if build and build[0] == "asking":
        return "质量检查未通过，等待有权人员决定是否放行"
    runs = ask_airflow(
        settings,
        f"""
        select run_id, state from dag_run
        where dag_id = %s and {BUSINESS_DATE} = %s
        order by queued_at desc nulls last limit 1
        """,
        (Dag.DAILY, day),
    )
    if not runs:
        return "当日运行没有启动，数据组已获通知"
    [(run_id, run_state)] = runs
    tasks = ask_airflow(
        settings,
        """
        select task_id, state from task_instance
        where dag_id = %s and run_id = %s and state in ('failed', 'deferred', 'up_for_reschedule')
        and not starts_with(task_id, %s) order by end_date nulls last
        """,
        (Dag.DAILY, run_id, MODEL_TASK),
    )
    if (Task.WAIT_FOR_FEEDS, "deferred") in tasks and (missing := feeds.read_missing(settings, day)):
        return f"等待报送：{'、'.join(reference.feeds()[feed]['title'] for feed in missing)}"
    if run_state == "failed":
        failed = [task for task, task_state in tasks if task_state == "failed"]
        if failed == [Task.RELEASE_BY_HAND]:
            return "质量检查未通过，时限内无人决定是否放行"
        return f"运行在“{failed[0] if failed else '未知'}”一步失败，数据组已获通知"
    if run_state == "success":
        return "质量检查未通过，有权人员决定不放行"
    return "数据处理尚未完成"
