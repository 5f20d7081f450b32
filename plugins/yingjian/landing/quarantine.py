"""This module lists open rejected rows, exports them for their sender, and resolves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import xlsxwriter
from psycopg import sql

from yingjian.landing.feeds import FEEDS, ID_TYPES, RISK_AREAS, Feed
from yingjian.landing.store import identity
from yingjian.pipeline import REFUSED

_OPEN = """
    from quality.rejected_row
    where resolved_at is null and (%(feed)s::text is null or feed = %(feed)s)
    and (%(sender)s::text is null or sender = %(sender)s)
"""
_SHEET_ROWS = 1_000_000
# Returned workbooks have this column. Landing searches the raw text of a row for the number, since nothing else matches the
# pattern.
RETURN_NUMBER = "退回编号"
RETURN_NUMBER_PATTERN = r"\bTH([0-9a-f]{32})\b"

# Some exports have the same name every day, so the same location does not prove that a file corrects an earlier one. It does if
# it has as many rows and no more new ones than the earlier file has open rejections, or if most of its rows are not new.
_IS_SENT_AGAIN = """(
    select file.rows_read = sent.rows_read and coalesce(sum(part.rows_new), 0) <= (
        select count(*) from quality.rejected_row as other
        where other.file_id = sent.file_id and other.resolved_at is null
    )
    or sum(part.rows) > 2 * sum(part.rows_new)
    from quality.file_part as part where part.file_id = file.file_id
)"""

_HAS_WRONG_DOCUMENT = "refused.wrong_columns && array['证件类型', '证件号码']"
_CASTS = {"date": "::date", "time": "::timestamp", "number": "::numeric"}


def return_number(number: UUID) -> str:
    """Return the return number of a rejected row as its sender sees it."""
    return f"TH{number.hex}"


def settle_returned(conn: psycopg.Connection, feed: Feed, file_id: int, numbers: list[str]) -> int:
    """Resolve the rejected rows whose return numbers stand in valid rows of a file; return how many.

    Key and time are not compared, since they may be what was wrong.
    """
    return conn.execute(
        """
        update quality.rejected_row as rejected
        set resolved_at = now(), resolution = '已由更正文件入库：' || file.file_name
        from quality.landed_file as file
        where file.file_id = %s and rejected.feed = %s and rejected.resolved_at is null
        and rejected.return_number = any(%s::uuid[])
        """,
        (file_id, feed.name, numbers),
    ).rowcount


def clear_corrected(conn: psycopg.Connection, feed: Feed, file_id: int) -> int:
    """Resolve rejected rows that no longer need correction after a file was landed; return how many.

    A row is resolved if staging has a newer version of its record: a later updated_at, or the same one from a later file. A row
    without a key is resolved if a later file at the same location replaces its own.
    """
    if not conn.execute(
        "select from quality.rejected_row where feed = %s and resolved_at is null limit 1", (feed.name,)
    ).rowcount:
        return 0
    without_key = conn.execute(
        f"""
        update quality.rejected_row as rejected
        set resolved_at = now(), resolution = '已由更正文件入库：' || file.file_name
        from quality.landed_file as file, quality.landed_file as sent
        where file.file_id = %(file_id)s and sent.file_id = rejected.file_id and sent.file_id <> file.file_id
        and rejected.feed = file.feed and rejected.resolved_at is null and coalesce(rejected.record_key, '') = ''
        and sent.location = file.location and {_IS_SENT_AGAIN}
        """,  # type: ignore[arg-type]
        {"file_id": file_id},
    ).rowcount
    # The lateral subquery with LIMIT forces an index lookup for each open row. Right after a load the statistics are stale, and
    # the planner could choose a full scan.
    with_key = conn.execute(
        sql.SQL(
            """
            update quality.rejected_row as rejected
            set resolved_at = now(), resolution = case
                when file.file_id > rejected.file_id then '已由更正文件入库：' else '已有更新的版本入库：'
            end || file.file_name
            from quality.rejected_row as refused
            cross join lateral (
                select staged.file_id from {table} as staged where {same_record} and {is_later} limit 1
            ) as found
            inner join quality.landed_file as file on found.file_id = file.file_id
            where refused.feed = {feed} and refused.resolved_at is null and refused.typed is not null
            and rejected.rejected_id = refused.rejected_id
            """
        ).format(
            table=sql.Identifier("staging", feed.name),
            feed=sql.Literal(feed.name),
            same_record=sql.SQL(" and ").join(_is_same(feed, name) for name in feed.key),
            is_later=sql.SQL(_IS_LATER),
        )
    ).rowcount
    return without_key + with_key


# The row's updated_at may be what was wrong and is then null: only a later file counts.
_IS_LATER = """(
    (staged.updated_at, staged.file_id) > ((refused.typed ->> 'updated_at')::timestamp, refused.file_id)
    or (refused.typed ->> 'updated_at' is null and staged.file_id > refused.file_id)
)"""


def _is_same(feed: Feed, name: str) -> sql.Composed:
    """Return the SQL condition that a staged row matches the rejected row in one key column.

    The document type may be what was wrong, and so may the number. The members of a mixed tube share a sample number, so the
    person's name has to tell them apart.
    """
    is_same = "staged.{column} = (refused.typed ->> {name})" + _CASTS.get(feed.column(name).kind, "")
    if name == "id_type":
        # = ANY(array) can use the index, an OR cannot.
        either = f"case when {_HAS_WRONG_DOCUMENT} then {{types}} else array[refused.typed ->> {{name}}] end"
        is_same = f"staged.{{column}} = any({either})"
    elif name == "id_number" and "person_name" in identity(feed):
        is_same = f"""(
            {is_same} or (
                {_HAS_WRONG_DOCUMENT} and staged.person_name = refused.typed ->> 'person_name'
                and staged.file_id > refused.file_id
            )
        )"""
    return sql.SQL(is_same).format(  # type: ignore[arg-type]
        column=sql.Identifier(name), name=sql.Literal(name), types=sql.Literal(list(ID_TYPES))
    )


def summary(conn: psycopg.Connection, feed: str | None = None, sender: str | None = None) -> list[tuple[Any, ...]]:
    """Return the open rows, counted by feed, sender, file and reason codes: (feed, sender, file_name, codes, rows)."""
    return conn.execute(
        f"""
        select feed, coalesce(sender, ''), file_name, array_to_string(reason_codes, '、'), count(*) {_OPEN}
        group by 1, 2, 3, 4 order by 1, 2, 3, 4
        """,
        {"feed": feed, "sender": sender},
    ).fetchall()


def rejected_files(conn: psycopg.Connection, feed: str | None = None) -> list[tuple[str, str, str]]:
    """Return files that were rejected whole and not replaced since: (feed, file_name, reason), oldest first."""
    return conn.execute(
        """
        select feed, file_name, reason from quality.landed_file as file
        where status = any(%(refused)s) and (%(feed)s::text is null or feed = %(feed)s)
        and not exists (
            select 1 from quality.landed_file as later
            where later.feed = file.feed and later.location = file.location and later.file_id > file.file_id
        )
        order by file_id
        """,
        {"feed": feed, "refused": list(REFUSED)},
    ).fetchall()


def contradictions(conn: psycopg.Connection[Any], feed: str | None = None) -> list[tuple[Any, ...]]:
    """Return versions superseded by one with the same 更新时间: (feed, columns, file_id, other_file_id, rows)."""
    return conn.execute(
        """
        select feed, array_to_string(columns, '、'), file_id, other_file_id, count(*) from quality.contradiction
        where %(feed)s::text is null or feed = %(feed)s group by 1, 2, 3, 4 order by 1, 3, 4, 2
        """,
        {"feed": feed},
    ).fetchall()


def contradicting_records(conn: psycopg.Connection[Any], feed: str | None) -> list[tuple[Any, ...]]:
    """Return the contradictions one by one: (feed, record_key, columns, file_id, line, other_file_id, other_line)."""
    return conn.execute(
        """
        select feed, record_key, array_to_string(columns, '、'), file_id, line, other_file_id, other_line
        from quality.contradiction where %(feed)s::text is null or feed = %(feed)s order by feed, contradiction_id
        """,
        {"feed": feed},
    ).fetchall()


def export(conn: psycopg.Connection, path: Path, feed: str | None = None, sender: str | None = None) -> int:
    """Write the open rows to a spreadsheet for their sender; return how many.

    All cells have text format, even after editing, so nothing in them is or becomes a formula.
    """
    titles = {name: item.title for name, item in FEEDS.items()} | {RISK_AREAS: "全国风险区名单"}
    header = ["编号", "数据源", "报送单位", "文件", "行", "主键", "原因代码", "原因", "原文"]
    # The file holds personal data, so its permissions are set before anything is written.
    path.touch(mode=0o600)
    path.chmod(0o600)
    book = xlsxwriter.Workbook(
        str(path), {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    )
    text = book.add_format({"num_format": "@", "quote_prefix": True})
    sheet, count = None, 0
    try:
        with conn.cursor(name="quarantine") as cursor:
            cursor.execute(
                f"""
                select rejected_id, feed, sender, file_name, line, record_key, array_to_string(reason_codes, '、'),
                    reason, raw_text {_OPEN} order by feed, sender, file_id, line
                """,
                {"feed": feed, "sender": sender},
            )
            for rejected_id, feed_name, *rest in cursor:
                if sheet is None or count % _SHEET_ROWS == 0:
                    sheet = book.add_worksheet()
                    sheet.freeze_panes(1, 0)
                    sheet.set_column(1, 7, 18)
                    sheet.set_column(8, 8, 80)
                    sheet.write_row(0, 0, header, book.add_format({"bold": True}))
                row = count % _SHEET_ROWS + 1
                sheet.write_number(row, 0, rejected_id)
                for column, value in enumerate([titles.get(feed_name, feed_name), *rest], start=1):
                    sheet.write_string(row, column, str(value if value is not None else "")[:32_000], text)
                count += 1
    finally:
        book.close()
    return count


def retry(conn: psycopg.Connection, feed: str | None = None) -> int:
    """Mark files that were rejected whole, so that the next landing reads them again; return how many.

    An archive with rejected members is opened again; its other members are on record and are skipped.
    """
    files = conn.execute(
        """
        update quality.landed_file set is_to_retry = true
        where status = any(%(refused)s) and (%(feed)s::text is null or feed = %(feed)s)
        """,
        {"feed": feed, "refused": list(REFUSED)},
    ).rowcount
    conn.execute(
        """
        update quality.landed_file as archive set is_to_retry = true
        where archive.status = 'unpacked' and exists (
            select 1 from quality.landed_file as member
            where member.is_to_retry and member.feed = archive.feed and starts_with(member.location, archive.location || '!/')
        )
        """
    )
    return files


def resolve(conn: psycopg.Connection, rejected_ids: list[int], resolution: str) -> int:
    """Resolve open rows with a remark; return how many were open. Raises ValueError if the remark is empty."""
    if not resolution.strip():
        raise ValueError("a row is resolved with words: say what became of it with --reason")
    return conn.execute(
        """
        update quality.rejected_row set resolved_at = now(), resolution = %s
        where rejected_id = any(%s) and resolved_at is null
        """,
        (resolution.strip(), rejected_ids),
    ).rowcount
