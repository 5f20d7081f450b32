"""Quarantine that people can work with: what is open, a spreadsheet for the sender, and what became of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import xlsxwriter
from psycopg import sql

from yingjian.landing.feeds import FEEDS, RISK_AREAS, Feed
from yingjian.landing.store import key_column

_OPEN = """
    from quality.rejected_row
    where resolved_at is null and (%(feed)s::text is null or feed = %(feed)s)
    and (%(sender)s::text is null or sender = %(sender)s)
"""
_SHEET_ROWS = 1_000_000
# A date as the row may have it: a site or a stock has a row a day (docs/feeds.md).
_DATE_FORMS = ("YYYY-MM-DD", "YYYY/FMMM/FMDD", "YYYYMMDD", "YYYY年FMMM月FMDD日", "YYYY-FMMM-FMDD", "YYYY/MM/DD")
_HOUR_FORMS = (" HH24:MI", " FMHH24:MI")


# Some exports have the same name every day. A file in the place of another corrects it if it has as many rows, or repeats
# most of what was there.
_IS_SENT_AGAIN = sql.SQL("""(
    file.rows_read = sent.rows_read
    or (
        select sum(part.rows) > 2 * sum(part.rows_new) from quality.file_part as part
        where part.file_id = file.file_id
    )
)""")


# A key is kept as it was sent, and staged in its one form (`repair.key`, `repair.document_number`).
_FOLDED_KEY = r"btrim(normalize(rejected.record_key, nfkc), E' \t\'')"
_IS_SAME_KEY = f"staged.{{}} in (rejected.record_key, {_FOLDED_KEY})"
_IS_SAME_DOCUMENT = f"staged.{{}} in (rejected.record_key, upper(regexp_replace({_FOLDED_KEY}, '[ -]', '', 'g')))"


def clear_corrected(conn: psycopg.Connection, feed: Feed, file_id: int) -> int:
    """Resolve what a file corrected: rows whose record it brought, and rows without a key of the file it took the place of.

    The members of a mixed tube share its sample number: of a key of several columns the others must stand in the row,
    too, or, where the document number was what was wrong, the person's name. A record that was written before the row
    corrects nothing. Returns how many.
    """
    updated_at = next(column.source for column in feed.columns if column.name == "updated_at")
    key = key_column(feed)
    is_same_key = _IS_SAME_DOCUMENT if key == "id_number" else _IS_SAME_KEY
    dates = [column.name for column in feed.columns if column.kind == "date"]
    times = [column.name for column in feed.columns if column.kind == "time"]
    others = [
        sql.SQL("({})").format(
            sql.SQL(" or ").join(
                sql.SQL("strpos(rejected.raw_text, to_char(staged.{}, {})) > 0").format(sql.Identifier(name), form)
                for form in _DATE_FORMS
            )
        )
        if name in dates
        else sql.SQL("({})").format(
            sql.SQL(" or ").join(
                sql.SQL("strpos(rejected.raw_text, to_char(staged.{}, {})) > 0").format(
                    sql.Identifier(name), day + hour
                )
                for day in _DATE_FORMS
                for hour in _HOUR_FORMS
            )
        )
        if name in times
        else sql.SQL("(strpos(rejected.raw_text, staged.{}) > 0{})").format(
            sql.Identifier(name),
            sql.SQL(" or strpos(rejected.raw_text, nullif(staged.person_name, '')) > 0" if name == "id_number" else ""),
        )
        for name in feed.key
        if name not in (key, "id_type")
    ]
    return conn.execute(
        sql.SQL(
            """
            update quality.rejected_row as rejected
            set resolved_at = now(), resolution = '已由更正文件入库：' || file.file_name
            from quality.landed_file as file, quality.landed_file as sent
            where file.file_id = %(file_id)s and sent.file_id = rejected.file_id and sent.file_id <> file.file_id
            and rejected.feed = file.feed and rejected.resolved_at is null
            and (
                (sent.location = file.location and coalesce(rejected.record_key, '') = '' and {is_sent_again})
                or exists (
                    select 1 from {table} as staged
                    where {same_record} and staged.file_id = file.file_id
                    and case
                        when
                            rejected.cells ->> %(updated_at)s ~ '^\s*[0-9]'
                            and pg_input_is_valid(rejected.cells ->> %(updated_at)s, 'timestamp')
                            then staged.updated_at >= (rejected.cells ->> %(updated_at)s)::timestamp
                        else true
                    end
                )
            )
            """
        ).format(
            table=sql.Identifier("staging", feed.name),
            is_sent_again=_IS_SENT_AGAIN,
            same_record=sql.SQL(" and ").join([sql.SQL(is_same_key).format(sql.Identifier(key)), *others]),
        ),
        {"file_id": file_id, "updated_at": updated_at},
    ).rowcount


def summary(conn: psycopg.Connection, feed: str | None = None, sender: str | None = None) -> list[tuple[Any, ...]]:
    """Open rows by feed, sender, file and reason codes: (feed, sender, file_name, codes, rows)."""
    return conn.execute(
        f"""
        select feed, coalesce(sender, ''), file_name, array_to_string(reason_codes, '、'), count(*) {_OPEN}
        group by 1, 2, 3, 4 order by 1, 2, 3, 4
        """,
        {"feed": feed, "sender": sender},
    ).fetchall()


def rejected_files(conn: psycopg.Connection, feed: str | None = None) -> list[tuple[str, str, str]]:
    """Files rejected whole in whose place no other one came: (feed, file_name, reason), the oldest first."""
    return conn.execute(
        """
        select feed, file_name, reason from quality.landed_file as file
        where status in ('rejected', 'unknown_feed') and (%(feed)s::text is null or feed = %(feed)s)
        and not exists (
            select 1 from quality.landed_file as later
            where later.feed = file.feed and later.location = file.location and later.file_id > file.file_id
        )
        order by file_id
        """,
        {"feed": feed},
    ).fetchall()


def contradictions(conn: psycopg.Connection[Any], feed: str | None = None) -> list[tuple[Any, ...]]:
    """Versions that gave way to others with the same 更新时间: (feed, columns, file_id, other_file_id, rows)."""
    return conn.execute(
        """
        select feed, array_to_string(columns, '、'), file_id, other_file_id, count(*) from quality.contradiction
        where %(feed)s::text is null or feed = %(feed)s group by 1, 2, 3, 4 order by 1, 3, 4, 2
        """,
        {"feed": feed},
    ).fetchall()


def contradicting_records(conn: psycopg.Connection[Any], feed: str | None = None) -> list[tuple[Any, ...]]:
    """Return such versions one by one: (feed, record_key, columns, file_id, line, other_file_id, other_line)."""
    return conn.execute(
        """
        select feed, record_key, array_to_string(columns, '、'), file_id, line, other_file_id, other_line
        from quality.contradiction where %(feed)s::text is null or feed = %(feed)s order by feed, contradiction_id
        """,
        {"feed": feed},
    ).fetchall()


def export(conn: psycopg.Connection, path: Path, feed: str | None = None, sender: str | None = None) -> int:
    """Open rows as a spreadsheet for their sender; returns how many.

    Cells are text, and stay text when somebody edits them: nothing in them is or becomes a formula.
    """
    titles = {name: item.title for name, item in FEEDS.items()} | {RISK_AREAS: "全国风险区名单"}
    header = ["编号", "数据源", "报送单位", "文件", "行", "主键", "原因代码", "原因", "原文"]
    path.touch(mode=0o600)  # It holds personal data: nobody else reads it, not even while it is written.
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
    """Have files that were rejected whole read again at the next landing; returns how many.

    An archive is opened again for its rejected members; the others are known.
    """
    files = conn.execute(
        """
        update quality.landed_file set is_to_retry = true
        where status in ('rejected', 'unknown_feed') and (%(feed)s::text is null or feed = %(feed)s)
        """,
        {"feed": feed},
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
    """Say what became of open rows; returns how many were open. Raises ValueError without words."""
    if not resolution.strip():
        raise ValueError("a row is resolved with words: say what became of it with --reason")
    return conn.execute(
        """
        update quality.rejected_row set resolved_at = now(), resolution = %s
        where rejected_id = any(%s) and resolved_at is null
        """,
        (resolution.strip(), rejected_ids),
    ).rowcount
