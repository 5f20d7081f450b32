"""Task functions of the DAG `reminders`: approaching deadlines, and packs held back by quiet hours."""

from __future__ import annotations

import logging

from yingjian import clock
from yingjian.orchestration import delivery_tasks
from yingjian.settings import Settings

log = logging.getLogger(__name__)
Counts = dict[str, int]


def remind(settings: Settings) -> Counts:
    """Send each official a reminder of approaching deadlines; return the number of attempts by state.

    Raises Undelivered if anything could not be delivered.
    """
    from yingjian.delivery import ledger, reminders

    with delivery_tasks.desk() as (_, conn, officials):
        reminders.plan(conn, officials, clock.now(settings.home))
        occasions = ledger.open_occasions(conn, reminders.WHAT)
    counts: Counts = {}
    for occasion in occasions:
        for state, count in delivery_tasks.send_reminders(occasion).items():
            counts[state] = counts.get(state, 0) + count
    return counts


def send_waiting(settings: Settings) -> Counts:
    """Send the current publication's packs to readers who had quiet hours at delivery time.

    Raises Undelivered if anything could not be delivered.
    """
    from yingjian.delivery import courier, ledger
    from yingjian.delivery.messages import read_edition

    with delivery_tasks.desk() as (_, conn, _officials):
        row = conn.execute("select publication_id from published.current").fetchone()
        if row is None:
            return {}
        due = courier.due_at(read_edition(conn, row[0]).as_of_date, settings.delivery_time)
        if not ledger.waiting(conn, row[0], due):
            return {}
    return delivery_tasks.deliver(row[0])
