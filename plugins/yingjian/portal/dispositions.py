"""An official says here what was done about items of today's list. An answer never changes what is due or counted.

The row and the event of the trail are one transaction. The event does not name the item, whose number may hold a person's key.
"""

from __future__ import annotations

from collections.abc import Sequence

from yingjian import clock
from yingjian.database import warehouse
from yingjian.landing.feeds import DISPOSITIONS
from yingjian.portal import publications, reading
from yingjian.portal.accounts import ROLE
from yingjian.portal.readers import Need, Reader, RefusedError, settings
from yingjian.privacy import audit_trail
from yingjian.reports import today

RESULTS = DISPOSITIONS
NOTE_LENGTH = 200
ITEMS = 50  # A person has no more items on today's list.


def answer(reader: Reader, items: Sequence[tuple[str, str]], result: str, note: str) -> None:
    """Record one answer about some items (list, item) of the reader's part. Raises RefusedError when one is not in it."""
    assert reader.official
    with reading.reading(reader.audience) as conn:
        publication = publications.current(conn)
        if publication is None or not all(
            today.is_listed(conn, publication.publication_id, mart, item) for mart, item in items
        ):
            raise RefusedError(Need.PERSONS, reader)
    now = clock.now(settings().home).replace(tzinfo=None)
    with warehouse.connect(settings(), ROLE) as conn, conn.transaction():
        for mart, item in items:
            conn.execute(
                """
                insert into portal.disposition (list, item_id, result, login, handled_by, handled_at, remark)
                values (%s, %s, %s, %s, %s, %s, %s)
                """,
                (mart, item, result, reader.login, reader.official.name, now, note),
            )
        lists = sorted({mart for mart, _ in items})
        audit_trail.record(
            conn, reader.login, "disposition", f"publication {publication.publication_id}",
            items=len(items), lists=lists, result=result,
        )  # fmt: skip
