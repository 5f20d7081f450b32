"""Staging tables, and the writes to them: COPY, and a merge when records repeat."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple
from uuid import UUID, uuid4

import polars as pl
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from yingjian.landing.feeds import FEEDS, RECEIPT_IF_EMPTY, RISK_AREAS, Column, Feed

_TYPES = {"date": "date", "time": "timestamp", "number": "numeric"}

# Triggers log every change of staging.test_results, whoever makes it, so that the incremental models need not read all samples
# again (docs/decisions/increments-of-samples.md). Landing's inserts are logged by file id only; an insert by anyone else is
# logged as a change of everything. The BRIN index lets dbt read the rows of one file, which are physically close except for
# corrections.
_SAMPLE_CHANGES = """
create table if not exists staging.sample_change (
    change_id bigint generated always as identity primary key,
    file_id bigint, line int, sample_key text, person_key text, sample_date date
);
comment on table staging.sample_change is '采样记录的变动：只有文件的一行表示该文件有行写入；'
    '全部为空表示须重读全部（整表清空，或有人手工写入）；其余为被替换或删除的一行';
drop index if exists staging.test_results_by_file;
create index if not exists test_results_of_file on staging.test_results
using brin (file_id int8_minmax_multi_ops) with (pages_per_range = 32, autosummarize = on);
-- The givers of invalid samples are members of their tube all the same (article 24).
create index if not exists test_results_invalid on staging.test_results (tube_no) where result = '无效';
-- This cannot wait for autovacuum: until it comes by, the index knows nothing of the new rows, and before the first
-- statistics no plan uses it, so that every reader of a file would read them all. Autovacuum does the other columns. If it is
-- at work, it is left to finish: whoever waits for it a second, stops it.
create or replace function staging.settle_samples() returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '100ms' as $$
begin
    perform brin_summarize_new_values('staging.test_results_of_file');
    if (
        select pg_relation_size(oid) / current_setting('block_size')::int > relpages * 1.1
        from pg_class where oid = 'staging.test_results'::regclass
    ) then
        analyze staging.test_results (file_id, person_key);
    end if;
exception when lock_not_available then
    null;
end
$$;

-- Changes are numbered in the order in which they are committed: who writes takes the landing's lock first. What empties
-- a table locks the table itself.
create or replace function staging.lock_samples() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock(hashtext('yingjian.landing.test_results'));
    return null;
end
$$;
create or replace function staging.note_samples() returns trigger language plpgsql as $$
begin
    if tg_op in ('UPDATE', 'DELETE') then
        insert into staging.sample_change (file_id, line, sample_key, person_key, sample_date)
        select file_id, line, sample_key, person_key, sampled_at::date from went;
    end if;
    if tg_op = 'UPDATE' then
        insert into staging.sample_change (file_id) select distinct file_id from came;
    end if;
    if tg_op = 'INSERT' then
        insert into staging.sample_change (file_id) values (nullif(current_setting('yingjian.file_id', true), '')::bigint);
    end if;
    if tg_op = 'TRUNCATE' then
        insert into staging.sample_change default values;
    end if;
    return null;
end
$$;
create or replace trigger samples_locked before insert or update or delete on staging.test_results
for each statement execute function staging.lock_samples();
create or replace trigger samples_came after insert on staging.test_results
for each statement execute function staging.note_samples();
create or replace trigger samples_went after delete on staging.test_results
referencing old table as went for each statement execute function staging.note_samples();
create or replace trigger samples_replaced after update on staging.test_results
referencing old table as went new table as came for each statement execute function staging.note_samples();
create or replace trigger no_samples after truncate on staging.test_results
for each statement execute function staging.note_samples();
drop function if exists staging.note_samples_that_came, staging.note_samples_that_went, staging.note_samples_replaced,
    staging.note_no_samples;
"""


# Retention and the rotation of person keys must handle this table, too (docs/decisions/document-correction.md).
_DOCUMENT_CORRECTIONS = """
create table if not exists staging.document_correction (
    id_type text not null, id_number text not null, person_key text not null,
    right_id_type text not null, right_id_number text not null, declared_at timestamptz not null default now(),
    primary key (id_type, id_number), check ((id_type, id_number) <> (right_id_type, right_id_number))
);
comment on table staging.document_correction is '证件号码的更正声明：每个错误证件一行，其记录归入正确证件的本人';
comment on column staging.document_correction.person_key is '错误证件自己的个人标识；其记录用的是正确证件的个人标识';
"""


def staging_ddl() -> str:
    """Return idempotent SQL that creates every staging table with comments and adds columns that a feed has gained since."""
    statements = ["create schema if not exists staging;"]
    for feed in FEEDS.values():
        columns = _columns(feed)
        listed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        statements.append(
            f"create table if not exists staging.{feed.name} ({listed}, primary key ({', '.join(feed.key)}));"
        )
        # Add columns to tables created by an earlier version. ALTER TABLE runs only if a column is missing, since it would wait
        # for a running landing.
        added = ", ".join(f"('{name}', '{kind}')" for name, kind in columns.items())
        statements.append(
            f"""
            do $$
            declare
                added record;
            begin
                for added in
                    select name, kind from (values {added}) as columns (name, kind)
                    where name not in (
                        select attname from pg_attribute
                        where attrelid = 'staging.{feed.name}'::regclass and not attisdropped
                    )
                loop
                    execute format('alter table staging.{feed.name} add column %I %s', added.name, added.kind);
                end loop;
            end
            $$;
            """
        )
        statements.append(f"comment on table staging.{feed.name} is '{feed.title}：每条记录的最新版本';")
        statements += [
            f"comment on column staging.{feed.name}.{column.name} is '{_comment(column)}';" for column in feed.columns
        ]
    statements.append(
        """
        create table if not exists staging.risk_area_snapshots (
            listed_at timestamp primary key, file_id bigint not null,
            high_count int, medium_count int, low_count int, areas int, is_held boolean not null default false
        );
        do $$
        begin
            -- Homes that were made before; only there, as above.
            if not exists (
                select from pg_attribute
                where attrelid = 'staging.risk_area_snapshots'::regclass and attname = 'is_held' and not attisdropped
            ) then
                alter table staging.risk_area_snapshots
                add column areas int, add column is_held boolean not null default false;
            end if;
        end
        $$;
        comment on column staging.risk_area_snapshots.is_held is
        '名单远短于前一份，未经确认不采用（yingjian landing accept risk_areas --list）';
        comment on table staging.risk_area_snapshots is '全国风险区名单：每个发布时点一行，空名单也有';
        create table if not exists staging.risk_areas (
            listed_at timestamp not null, level text not null, province text not null, city text not null,
            county text not null, area text not null, area_match text not null,
            file_id bigint not null, line int not null, primary key (listed_at, line)
        );
        comment on table staging.risk_areas is '全国风险区名单：每个风险区一行';
        """
    )
    statements.append(_DOCUMENT_CORRECTIONS)
    statements.append(_row_counts())
    statements.append(_SAMPLE_CHANGES)
    return "\n".join(statements)


def _row_counts() -> str:
    """Return SQL for a view with the row count of every feed except the samples, which are counted incrementally."""
    counted = [name for name in (*FEEDS, RISK_AREAS) if name != "test_results"]
    counts = " union all ".join(f"select '{name}' as feed, count(*) as kept from staging.{name}" for name in counted)
    return f"""
        create or replace view staging.row_counts as {counts};
        comment on view staging.row_counts is '每个数据源的行数（检测结果除外）';
    """


def _comment(column: Column) -> str:
    return f"{column.source}；{RECEIPT_IF_EMPTY}" if column.is_receipt_if_empty else column.source


def _columns(feed: Feed) -> dict[str, str]:
    columns = {column.name: _TYPES.get(column.kind, "text") for column in feed.columns}
    if feed.has_person:
        columns["person_key"] = "text not null"
    return columns | {"file_id": "bigint not null", "line": "int not null"}


@dataclass(frozen=True)
class Balance:
    """The valid rows of a file: how many stay in staging, and how many were superseded."""

    staged: int
    superseded: int


# A part is identified by the sender and the date of 更新时间 (ISO text).
Part = tuple[str | None, str | None]


@dataclass(frozen=True)
class RawRows:
    """Rows as sent: each text is a CSV line with `columns` of staging, separated by `delimiter`.

    is_same: whether the typed row would be written identically.
    """

    text: pl.Series = field(repr=False)
    is_same: pl.Series = field(repr=False)
    columns: tuple[str, ...]
    delimiter: str


@dataclass(frozen=True)
class Block:
    """Rows in COPY format: `columns` of staging, separated by `delimiter`."""

    columns: tuple[str, ...]
    delimiter: str
    data: bytes = field(repr=False)


class Incoming:
    """Writes the valid rows of one file into `staging.<feed>`, within the caller's transaction.

    New rows are copied straight into the table. Once a chunk repeats a record, that chunk and the rest of the file are merged:
    the newest version wins, by updated_at, then file, then line. absent: columns that the file lacks; at equal updated_at they
    keep the earlier file's values.
    """

    def __init__(self, conn: psycopg.Connection, feed: Feed, file_id: int, absent: Sequence[str] = ()) -> None:
        self._absent = absent
        self._conn = conn
        self._feed = feed
        self._file_id = file_id
        self._names = [name for name in _columns(feed) if name != "file_id"]
        self._parts: Counter[Part] = Counter()
        self._new: Counter[Part] = Counter()
        self._rows = self._staged = 0
        self._all_new = True
        # The trigger reads this setting to log whose rows were inserted; it lasts until the transaction ends.
        conn.execute(sql.SQL("set local yingjian.file_id = {}").format(sql.Literal(str(file_id))))

    def serialize(self, rows: pl.DataFrame, raw_rows: RawRows | None = None) -> Block:
        """Serialise typed rows (columns as in staging, without file_id) for COPY; a row identical to the text sent reuses that
        text.
        """
        feed = [column.name for column in self._feed.columns]
        rows = rows.with_columns(file_id=pl.lit(self._file_id))
        added = [name for name in rows.columns if name not in feed]
        columns, delimiter = (feed, ",") if raw_rows is None else (raw_rows.columns, raw_rows.delimiter)
        data = io.BytesIO()
        if raw_rows is not None:
            texts = rows.select(raw_rows.text.alias("text"), *added).filter(raw_rows.is_same)
            if texts.height:
                texts.write_csv(data, include_header=False, separator=delimiter, quote_style="never")
            rows = rows.filter(~raw_rows.is_same)
        if rows.height:
            rows.select(*columns, *added).write_csv(
                data, include_header=False, separator=delimiter, quote_style="necessary"
            )
        return Block((*columns, *added), delimiter, data.getvalue())

    def write(self, block: Block, parts: Mapping[Part, int]) -> None:
        """Stage rows from `serialize`; parts: their number by part."""
        rows = sum(parts.values())
        self._rows += rows
        self._parts.update(parts)
        if self._all_new:
            try:
                with self._conn.transaction():
                    self._copy(sql.Identifier("staging", self._feed.name), block)
                self._staged += rows
                self._new.update(parts)
                return
            except psycopg.errors.UniqueViolation:
                self._all_new = False
        self._staged += self._merge(block, rows)

    def balance(self) -> Balance:
        return Balance(self._staged, self._rows - self._staged)

    def senders(self) -> set[str]:
        """Return the senders of the rows written."""
        return {sender for sender, _ in self._parts if sender is not None}

    def write_parts(self) -> None:
        """Record how many rows the file brought, by sender and day."""
        write_parts(self._conn, self._file_id, [(*part, rows, self._new[part]) for part, rows in self._parts.items()])

    def _copy(self, table: sql.Composable, block: Block) -> None:
        # Without quotes and backslashes, both formats read the data the same way, and text is faster.
        is_text = b'"' not in block.data and b"\\" not in block.data
        columns = sql.SQL(", ").join(map(sql.Identifier, block.columns))
        statement = sql.SQL("copy {} ({}) from stdin with (format {}, delimiter {}, null '')").format(
            table, columns,
            sql.SQL("text") if is_text else sql.SQL("csv, force_null ({})").format(columns),
            sql.Literal(block.delimiter),
        )  # fmt: skip
        with self._conn.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(block.data)

    def _merge(self, block: Block, rows: int) -> int:
        """Merge rows that may repeat records; return by how many this file's rows in staging increased."""
        key = sql.SQL(", ").join(map(sql.Identifier, self._feed.key))
        compared = [column for column in self._feed.columns if column.name not in {*self._feed.key, "updated_at"}]
        values = [sql.Identifier(column.name) for column in compared]
        names = {
            "table": sql.Identifier("staging", self._feed.name),
            "key": key,
            "same_key": sql.SQL(" and ").join(
                sql.SQL("old.{0} = new.{0}").format(sql.Identifier(name)) for name in self._feed.key
            ),
            "is_later": sql.SQL("(old.updated_at, old.file_id, old.line) < (new.updated_at, new.file_id, new.line)"),
            "differs": sql.SQL("({}) is distinct from ({})").format(
                sql.SQL(", ").join(sql.SQL("old.{}").format(name) for name in values),
                sql.SQL(", ").join(sql.SQL("new.{}").format(name) for name in values),
            ),
            "sender": sql.SQL("new.{}").format(sql.Identifier(self._feed.sender.name))
            if self._feed.sender
            else sql.NULL,
        }
        self._conn.execute("drop table if exists incoming, newest")
        self._conn.execute(sql.SQL("create temp table incoming (like {table}) on commit drop").format(**names))
        self._copy(sql.Identifier("incoming"), block)
        newest = self._conn.execute(
            sql.SQL(
                "create temp table newest on commit drop as"
                " select distinct on ({key}) * from incoming order by {key}, updated_at desc, line desc"
            ).format(**names)
        ).rowcount
        if self._absent:
            kept = sql.SQL(", ").join(
                sql.SQL("{0} = coalesce(new.{0}, old.{0})").format(sql.Identifier(name)) for name in self._absent
            )
            self._conn.execute(
                sql.SQL(
                    "update newest as new set {kept} from {table} as old"
                    " where {same_key} and old.updated_at = new.updated_at"
                ).format(**names, kept=kept)
            )
        self._conn.execute("analyze newest")
        groups = self._conn.execute(
            sql.SQL(
                """
                select
                    old.file_id, {sender}, new.updated_at::date::text,
                    count(*) filter (where {is_later}),
                    count(*) filter (where old.file_id is null or ({is_later} and {differs})),
                    count(*) filter (where old.updated_at = new.updated_at and {differs})
                from newest as new left join {table} as old on {same_key}
                group by 1, 2, 3
                """
            ).format(**names)
        ).fetchall()
        replaced: Counter[int] = Counter()
        for file_id, sender, day, rows_replaced, rows_new, _ in groups:
            self._new[sender, day] += rows_new
            if rows_replaced:
                replaced[file_id] += rows_replaced
        if any(contradictions for *_, contradictions in groups):
            self._write_contradictions(
                compared, sql.SQL("{table} as old inner join newest as new on {same_key}"), names
            )
        if newest < rows:
            within = sql.SQL("incoming as old inner join newest as new on {same_key} and old.line <> new.line")
            self._write_contradictions(compared, within, names)
        of_this_file = replaced.pop(self._file_id, 0)
        for file_id, rows_replaced in replaced.items():
            self._conn.execute(
                "update quality.landed_file set rows_staged = rows_staged - %(rows)s,"
                " rows_superseded = rows_superseded + %(rows)s where file_id = %(file_id)s",
                {"rows": rows_replaced, "file_id": file_id},
            )
        columns = ["file_id", *self._names]
        staged: int = self._conn.execute(
            sql.SQL(
                """
                insert into {table} as old ({columns}) select {columns} from newest
                on conflict ({key}) do update set {assignments}
                where (old.updated_at, old.file_id, old.line)
                    < (excluded.updated_at, excluded.file_id, excluded.line)
                """
            ).format(
                **names,
                columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
                assignments=sql.SQL(", ").join(
                    sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in columns
                ),
            )
        ).rowcount
        return staged - of_this_file

    def _write_contradictions(
        self, compared: Iterable[Column], pairs: sql.SQL, names: Mapping[str, sql.Composable]
    ) -> None:
        """Record the versions (`old`) superseded by others with the same 更新时间 (`new`), with the columns that differ."""
        differing = sql.SQL(", ").join(
            sql.SQL("case when old.{0} is distinct from new.{0} then {1} end").format(
                sql.Identifier(column.name), sql.Literal(column.source)
            )
            for column in compared
        )
        key = key_column(self._feed)
        self._conn.execute(
            sql.SQL(
                """
                insert into quality.contradiction (file_id, line, feed, record_key, other_file_id, other_line, columns)
                select
                    new.file_id, new.line, {feed}, {record_key}, old.file_id, old.line,
                    array_remove(array[{differing}], null)
                from {pairs} where old.updated_at = new.updated_at and {differs}
                """
            ).format(
                feed=sql.Literal(self._feed.name),
                record_key=sql.NULL if key == "id_number" else sql.SQL("new.{}").format(sql.Identifier(key)),
                differing=differing,
                pairs=pairs.format(**names),
                differs=names["differs"],
            )
        )


def key_column(feed: Feed) -> str:
    """Return the column by which quarantine names a record: the first key column other than the document type."""
    return next(name for name in feed.key if name != "id_type")


def identity(feed: Feed) -> tuple[str, ...]:
    """Return the columns that match a rejected row with its correction; members of a mixed tube also need the person's name."""
    name = ("person_name",) if "id_number" in feed.key and key_column(feed) != "id_number" else ()
    return (*feed.key, *name, "updated_at")


def write_parts(
    conn: psycopg.Connection, file_id: int, parts: Iterable[tuple[str | None, str | date | None, int, int]]
) -> None:
    """Record what a file brought: (sender, day, rows, new rows)."""
    with conn.cursor() as cursor:
        cursor.executemany(
            "insert into quality.file_part (file_id, sender, day, rows, rows_new) values (%s, %s, %s, %s, %s)",
            [(file_id, *part) for part in parts],
        )


class Rejected(NamedTuple):
    """A row for quarantine.

    record_key: as sent; sender: who answers for it; cells: header texts to cells as sent, None if the row could not be split;
    columns: header texts of the faulty cells.
    """

    line: int
    record_key: str | None
    codes: list[str]
    reason: str
    raw_text: str
    sender: str | None = None
    cells: dict[str, str] | None = None
    columns: Sequence[str] = ()
    typed: dict[str, str | None] | None = None
    return_number: UUID | None = None


def write_rejected(conn: psycopg.Connection, file_id: int, feed: str, file_name: str, rows: Iterable[Rejected]) -> None:
    """Put rows into quarantine."""
    with (
        conn.cursor() as cursor,
        cursor.copy(
            "copy quality.rejected_row (file_id, feed, file_name, line, record_key, reason_codes, reason, raw_text, sender,"
            " cells, wrong_columns, typed, return_number) from stdin"
        ) as copy,
    ):
        copy.set_types(
            [
                "int8",
                "text",
                "text",
                "int4",
                "text",
                "text[]",
                "text",
                "text",
                "text",
                "jsonb",
                "text[]",
                "jsonb",
                "uuid",
            ]
        )
        for row in rows:
            copy.write_row(
                (
                    file_id, feed, file_name, row.line, row.record_key, row.codes, row.reason, row.raw_text, row.sender,
                    None if row.cells is None else Jsonb(row.cells), list(row.columns),
                    None if row.typed is None else Jsonb(row.typed), row.return_number or uuid4(),
                )
            )  # fmt: skip
