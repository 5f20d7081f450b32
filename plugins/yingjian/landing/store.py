"""Staging tables and what writes to them: COPY, and a merge where a record is repeated."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl
import psycopg
from psycopg import sql

from yingjian.landing.feeds import FEEDS, Feed

_TYPES = {"date": "date", "time": "timestamp", "number": "numeric"}

# What came into staging.test_results and what went, whoever did it, so that dbt need not read all samples again
# (docs/decisions/increments-of-samples.md). What landing writes is noted by its file, without a look at the rows; what
# somebody else inserts, as everything. The index lets dbt read the rows of one file: they lie together, but for corrections.
_SAMPLE_CHANGES = """
create table if not exists staging.sample_change (
    change_id bigint generated always as identity primary key,
    file_id bigint, line int, sample_key text, person_key text, sample_date date
);
comment on table staging.sample_change is '采样记录的变动：只有文件的一行表示该文件有行写入；全部为空表示须重读全部（整表清空，或有人手工写入）；其余为被替换或删除的一行';
drop index if exists staging.test_results_by_file;
create index if not exists test_results_of_file on staging.test_results
using brin (file_id int8_minmax_multi_ops) with (pages_per_range = 32, autosummarize = on);
-- What cannot wait for autovacuum to come by: until then the index knows nothing of the new rows, and before the first
-- statistics no plan uses it, so that every reader of a file would read them all. Autovacuum does the other columns. Where
-- it is at work, it is left to finish: who waits for it a second, stops it.
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


def staging_ddl() -> str:
    """Idempotent SQL that makes every staging table, with comments, and adds the columns that a feed gained since."""
    statements = ["create schema if not exists staging;"]
    for feed in FEEDS.values():
        columns = _columns(feed)
        listed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        statements.append(
            f"create table if not exists staging.{feed.name} ({listed}, primary key ({', '.join(feed.key)}));"
        )
        # Homes made before the feed had a column; only there, since altering a table waits for a landing that is at work.
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
            f"comment on column staging.{feed.name}.{column.name} is '{column.source}';" for column in feed.columns
        ]
    statements.append(
        """
        create table if not exists staging.risk_area_snapshots (
            listed_at timestamp primary key, file_id bigint not null,
            high_count int, medium_count int, low_count int
        );
        comment on table staging.risk_area_snapshots is '全国风险区名单：每个发布时点一行，空名单也有';
        create table if not exists staging.risk_areas (
            listed_at timestamp not null, level text not null, province text not null, city text not null,
            county text not null, area text not null, area_match text not null,
            file_id bigint not null, line int not null, primary key (listed_at, line)
        );
        comment on table staging.risk_areas is '全国风险区名单：每个风险区一行';
        """
    )
    statements.append(_SAMPLE_CHANGES)
    return "\n".join(statements)


def _columns(feed: Feed) -> dict[str, str]:
    columns = {column.name: _TYPES.get(column.kind, "text") for column in feed.columns}
    if feed.has_person:
        columns["person_key"] = "text not null"
    return columns | {"file_id": "bigint not null", "line": "int not null"}


@dataclass(frozen=True)
class Balance:
    """What became of the valid rows of a file."""

    staged: int
    superseded: int


@dataclass(frozen=True)
class Sent:
    """What was sent for each of some rows: `columns` of staging as a line of CSV, with `delimiter` between them.

    is_same: whether the typed row is written in the same way.
    """

    text: pl.Series = field(repr=False)
    is_same: pl.Series = field(repr=False)
    columns: tuple[str, ...]
    delimiter: str


@dataclass(frozen=True)
class Block:
    """Rows as COPY takes them: `columns` of staging with `delimiter` between them."""

    columns: tuple[str, ...]
    delimiter: str
    data: bytes = field(repr=False)


class Incoming:
    """The valid rows of one file on their way into `staging.<feed>`, within the caller's transaction.

    Rows that are new go straight into the table. Once a chunk repeats a record, it and the rest of the file are merged:
    the newest version stays, by updated_at, else the later file, else the later line.
    """

    def __init__(self, conn: psycopg.Connection, feed: Feed, file_id: int) -> None:
        self._conn = conn
        self._feed = feed
        self._file_id = file_id
        self._names = [name for name in _columns(feed) if name != "file_id"]
        self._rows = self._staged = 0
        self._all_new = True
        # Until the transaction ends: the trigger notes by it whose rows come.
        conn.execute("select set_config('yingjian.file_id', %s, true)", (str(file_id),))

    def serialize(self, rows: pl.DataFrame, sent: Sent | None = None) -> Block:
        """Typed rows (columns as in staging, without file_id) as COPY takes them; of a row that says what was sent, that text."""
        feed = [column.name for column in self._feed.columns]
        rows = rows.with_columns(file_id=pl.lit(self._file_id))
        added = [name for name in rows.columns if name not in feed]
        columns, delimiter = (feed, ",") if sent is None else (sent.columns, sent.delimiter)
        data = io.BytesIO()
        if sent is not None:
            texts = rows.select(sent.text.alias("text"), *added).filter(sent.is_same)
            texts.write_csv(data, include_header=False, separator=delimiter, quote_style="never")
            rows = rows.filter(~sent.is_same)
        rows.select(*columns, *added).write_csv(
            data, include_header=False, separator=delimiter, quote_style="necessary"
        )
        return Block((*columns, *added), delimiter, data.getvalue())

    def write(self, block: Block, rows: int) -> None:
        """Stage rows that `serialize` wrote."""
        self._rows += rows
        if self._all_new:
            try:
                with self._conn.transaction():
                    self._copy(sql.Identifier("staging", self._feed.name), block)
                self._staged += rows
                return
            except psycopg.errors.UniqueViolation:
                self._all_new = False
        self._staged += self._merge(block)

    def balance(self) -> Balance:
        return Balance(self._staged, self._rows - self._staged)

    def _copy(self, table: sql.Composable, block: Block) -> None:
        # Where nothing is quoted or escaped, the formats read the same, and text is the quicker one.
        is_text = b'"' not in block.data and b"\\" not in block.data
        columns = sql.SQL(", ").join(map(sql.Identifier, block.columns))
        statement = sql.SQL("copy {} ({}) from stdin with (format {}, delimiter {}, null '')").format(
            table, columns,
            sql.SQL("text") if is_text else sql.SQL("csv, force_null ({})").format(columns),
            sql.Literal(block.delimiter),
        )  # fmt: skip
        with self._conn.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(block.data)

    def _merge(self, block: Block) -> int:
        """Stage rows of which some may repeat a record; returns how many more rows of this file are in staging than before."""
        key = sql.SQL(", ").join(map(sql.Identifier, self._feed.key))
        names = {
            "table": sql.Identifier("staging", self._feed.name),
            "key": key,
            "same_key": sql.SQL(" and ").join(
                sql.SQL("old.{0} = new.{0}").format(sql.Identifier(name)) for name in self._feed.key
            ),
        }
        self._conn.execute("drop table if exists incoming, newest")
        self._conn.execute(sql.SQL("create temp table incoming (like {table}) on commit drop").format(**names))
        self._copy(sql.Identifier("incoming"), block)
        self._conn.execute(
            sql.SQL(
                "create temp table newest on commit drop as"
                " select distinct on ({key}) * from incoming order by {key}, updated_at desc, line desc"
            ).format(**names)
        )
        self._conn.execute("analyze newest")
        replaced: dict[int, int] = dict(
            self._conn.execute(
                sql.SQL(
                    """
                    select old.file_id, count(*) as rows
                    from {table} as old inner join newest as new on {same_key}
                    where (old.updated_at, old.file_id, old.line) < (new.updated_at, new.file_id, new.line)
                    group by old.file_id
                    """
                ).format(**names)
            ).fetchall()
        )
        of_this_file = replaced.pop(self._file_id, 0)
        for file_id, rows in replaced.items():
            self._conn.execute(
                "update quality.landed_file set rows_staged = rows_staged - %s, rows_superseded = rows_superseded + %s"
                " where file_id = %s",
                (rows, rows, file_id),
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


def write_rejected(
    conn: psycopg.Connection,
    file_id: int,
    feed: str,
    file_name: str,
    rows: Iterable[tuple[int, str | None, list[str], str, str, str | None]],
) -> None:
    """Put rows into quarantine: (line, record key as sent, reason codes, reason, raw text, who answers for it)."""
    with (
        conn.cursor() as cursor,
        cursor.copy(
            "copy quality.rejected_row (file_id, feed, file_name, line, record_key, reason_codes, reason, raw_text, sender) from stdin"
        ) as copy,
    ):
        copy.set_types(["int8", "text", "text", "int4", "text", "text[]", "text", "text", "text"])
        for line, record_key, codes, reason, raw_text, sender in rows:
            copy.write_row((file_id, feed, file_name, line, record_key, codes, reason, raw_text, sender))
