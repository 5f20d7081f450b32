"""Officials record here how they handled items of today's list. An answer never changes what is due or counted.

The rows and the event of the trail are one transaction. The event does not name the items, whose numbers may hold a
person's key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from yingjian import clock
from yingjian.database import warehouse
from yingjian.landing import check, item_number
from yingjian.landing.errors import FileRejectedError
from yingjian.landing.feeds import DISPOSITION_FEED, FEEDS
from yingjian.landing.readers.table import open_table
from yingjian.landing.readers.xlsx_file import SHEET_LINES
from yingjian.portal import publications, reading
from yingjian.portal.accounts import ROLE
from yingjian.portal.limits import SHOWN_LINES
from yingjian.portal.readers import Need, Reader, RefusedError, now, settings
from yingjian.privacy import audit_trail
from yingjian.reports.content import today

NOTE_LENGTH = 200
ITEMS = 50  # A person has at most this many items on today's list.


@dataclass(frozen=True)
class Disposition:
    """This is an answer about an item of a list. `line` is its line in a file; `by` is empty for the reader's own answer."""

    list: str
    item_id: str
    result: str
    at: datetime
    by: str = ""
    note: str = ""
    line: int = 0


@dataclass(frozen=True)
class Refused:
    """A line of a file that could not be taken: its columns, and why, in Chinese."""

    place: str
    columns: str
    reason: str


@dataclass(frozen=True)
class Taken:
    """This is the result of a returned form: `count` answers were taken; `problem` says why it could not be read at all."""

    count: int
    refused: Sequence[Refused]
    problem: str = ""


def answer(reader: Reader, items: Sequence[tuple[str, str]], result: str, note: str) -> None:
    """Record one answer about some items (list, item) of the reader's part. Raises RefusedError when one is not in it."""
    answers = [Disposition(mart, item, result, now(), note=note) for mart, item in items]
    publication_id, _, theirs = _parted(reader, answers)
    if theirs:
        raise RefusedError(Need.PERSONS, reader)
    _record(reader, publication_id, answers, "disposition")


def take(reader: Reader, path: Path) -> Taken:
    """Record the answers of a returned form. Its rows are checked by the rules of landing.

    Times are compared with the machine's clock, also in a demo, because the form's hidden column has the time of a publication.
    A row about an item that is not on the reader's list today is refused too; the good rows of the file are taken.
    """
    feed, received_at = FEEDS[DISPOSITION_FEED], datetime.now(clock.SHANGHAI).replace(tzinfo=None)
    with reading.reading(reader.audience) as conn:
        item_id = item_number.revealed(conn)
    answers: list[Disposition] = []
    refused: list[tuple[int, Refused]] = []
    try:
        for chunk in open_table(path, feed).chunks:
            checked = check.type_and_check(chunk.cells, feed, received_at)
            for index, _, columns, words in checked.reasons.iter_rows():
                line = chunk.lines[index]
                refused.append((line, Refused(_place(chunk.place, line), "、".join(columns), "、".join(words))))
            refused += [
                (record.line, Refused(_place(chunk.place, record.line), "", "列数与表头不符"))
                for record in chunk.broken
            ]
            good = checked.typed.with_columns(line=chunk.lines).filter(~checked.is_bad)
            answers += [
                Disposition(
                    row["list_name"], item_id(row["item_key"]), row["result"], datetime.fromisoformat(row["handled_at"]),
                    row["handled_by"] or "", row["remark"] or "", row["line"],
                )
                for row in good.iter_rows(named=True)
            ]  # fmt: skip
    except FileRejectedError as error:
        return Taken(0, [], str(error))
    publication_id, own, theirs = _parted(reader, answers)
    refused += [
        (each.line, Refused(_place("", each.line), "项目编号", "不在您今日的名单上，可能属于他人或已办结"))
        for each in theirs
    ]
    if own:
        _record(reader, publication_id, own, "disposition_file")
    refused.sort(key=lambda refusal: refusal[0])
    return Taken(len(own), [each for _, each in refused[:SHOWN_LINES]])


def _parted(reader: Reader, answers: Sequence[Disposition]) -> tuple[int, Sequence[Disposition], Sequence[Disposition]]:
    """Return the publication, the answers about items on the reader's list of it, and the other answers."""
    with reading.reading(reader.audience) as conn:
        publication = publications.current(conn)
        if publication is None:
            raise RefusedError(Need.PERSONS, reader)
        listed = today.listed_items(conn, publication.publication_id, {(each.list, each.item_id) for each in answers})
    parts: dict[bool, list[Disposition]] = {True: [], False: []}
    for each in answers:
        parts[(each.list, each.item_id) in listed].append(each)
    return publication.publication_id, parts[True], parts[False]


def _record(reader: Reader, publication_id: int, answers: Sequence[Disposition], action: str) -> None:
    assert reader.official
    with warehouse.connect(settings(), ROLE) as conn, conn.transaction(), conn.cursor() as cursor:
        cursor.executemany(
            """
            insert into portal.disposition (list, item_id, result, login, handled_by, handled_at, remark)
            values (%s, %s, %s, %s, %s, %s, %s)
            """,
            [
                (
                    each.list,
                    each.item_id,
                    each.result,
                    reader.login,
                    each.by or reader.official.name,
                    each.at,
                    each.note,
                )
                for each in answers
            ],
        )
        audit_trail.record(
            conn, reader.login, action, f"publication {publication_id}",
            items=len(answers), lists=sorted({each.list for each in answers}), results=sorted({each.result for each in answers}),
        )  # fmt: skip


def _place(sheet: str, line: int) -> str:
    return f"{sheet}第{line % SHEET_LINES}行"
