"""This module fills in the figures of business dates that were published before `indicator_daily` was there.

The rows of such a date are still in `published`. Views in a schema of its own show them to dbt under the names of marts,
and the models of the figures count them there, as they count a day's own build. A figure whose marts the old publication
does not have is left out: nobody knows it.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from yingjian.database import warehouse
from yingjian.modelling import dbt
from yingjian.modelling.dbt_project import dbt_folder
from yingjian.modelling.marts import published
from yingjian.modelling.own_schemas import own_schemas
from yingjian.publishing.partitions import bind_to_date
from yingjian.settings import Settings

MODELS = ("indicators_of_tests", "indicators_of_persons", "indicators_of_the_town", "indicator_daily")
# These marts list places and say nothing of a day: an old publication without them has those of the newest one.
PLACES = ("dim_community", "dim_department")
# An old publication does not say which rows the headline counts.
COLUMNS = {"is_headline": "coalesce(is_headline, group_code not in ('P19', 'P24')) as is_headline"}
_QUERY = re.compile(r"^(\w+) as \($(.*?)^\)", re.MULTILINE | re.DOTALL)


def fill(settings: Settings) -> list[date]:
    """Count the figures of every business date that has none and still has its rows; return these dates.

    Before the first publication with the mart there is nothing to put them in. Raises BuildError.
    """
    filled = []
    for publication_id, day in missing(settings):
        with (
            own_schemas(settings, "figures", [str(publication_id)]) as [schema],
            tempfile.TemporaryDirectory() as folder,
        ):
            _show(settings, schema, publication_id)
            dbt.build_beside(settings, schema, day, MODELS, Path(folder))
            _keep(settings, schema, publication_id, day)
        filled.append(day)
    return filled


def missing(settings: Settings) -> list[tuple[int, date]]:
    """Return the newest publication of every business date that has rows of persons and no figures, oldest first."""
    with warehouse.connect(settings) as conn:
        return conn.execute(
            """
            select publication_id, as_of_date from (
                select distinct on (as_of_date) publication_id, as_of_date from published.publication
                order by as_of_date, publication_id desc
            ) as newest
            where to_regclass('published.indicator_daily') is not null
            and to_regclass('published.indicator_daily_p' || publication_id) is null
            and to_regclass('published.obligation_p' || publication_id) is not null
            and to_regclass('published.feed_quality_p' || publication_id) is not null
            order by as_of_date
            """
        ).fetchall()


def marts_of_figures(settings: Settings) -> Mapping[str, frozenset[str]]:
    """Return the marts from which each figure is counted, by its code."""
    folder = dbt_folder(settings) / "models" / "indicators"
    return {
        code: frozenset(re.findall(r"ref\('(\w+)'\)", query))
        for path in sorted(folder.glob("*.sql"))
        for code, query in _QUERY.findall(path.read_text(encoding="utf-8"))
        if code != "final"
    }


def _show(settings: Settings, schema: str, publication_id: int) -> None:
    """Show the rows of a publication under the names of their marts, and the words of the figures."""
    every = {mart for marts in marts_of_figures(settings).values() for mart in marts} | set(PLACES)
    with warehouse.connect(settings, "transformer") as conn:
        conn.execute(
            sql.SQL("create view {} as select * from policy.indicator_definition").format(
                sql.Identifier(schema, "indicator_definition")
            )
        )
        for mart in sorted(every):
            chosen: sql.Composable = sql.Literal(publication_id)
            if mart in PLACES and not _has(conn, mart, publication_id):
                chosen = sql.SQL("(select publication_id from published.current)")
            conn.execute(
                sql.SQL("create view {} as select {} from {} where publication_id = {}").format(
                    sql.Identifier(schema, mart),
                    sql.SQL(", ").join(
                        sql.SQL(COLUMNS[column]) if column in COLUMNS else sql.Identifier(column)  # type: ignore[arg-type]
                        for column in published()[mart].columns
                    ),
                    sql.Identifier("published", mart),
                    chosen,
                )
            )


def _keep(settings: Settings, schema: str, publication_id: int, day: date) -> None:
    """Put the counted figures under `published` as the partition of their publication."""
    partition = sql.Identifier("published", f"indicator_daily_p{publication_id}")
    names = {
        "partition": partition,
        "id": sql.Literal(publication_id),
        "columns": sql.SQL(", ").join(map(sql.Identifier, published()["indicator_daily"].columns)),
        "counted": sql.Identifier(schema, "indicator_daily"),
    }
    with warehouse.connect(settings) as conn:
        known = [
            code
            for code, marts in marts_of_figures(settings).items()
            if all(_has(conn, mart, publication_id) for mart in marts)
        ]
        for statement in (
            "create table {partition} (like published.indicator_daily including defaults)",
            "insert into {partition} (publication_id, {columns}) select {id}, {columns} from {counted}"
            " where indicator_code = any({known})",
            "create index on {partition} (as_of_date, indicator_code)",
            "alter table {partition} owner to publisher",
            "alter table published.indicator_daily attach partition {partition} for values in ({id})",
        ):
            conn.execute(sql.SQL(statement).format(**names, known=sql.Literal(known)))
        bind_to_date(conn, "indicator_daily", publication_id, day)


def _has(conn: psycopg.Connection[Any], mart: str, publication_id: int) -> bool:
    return conn.execute("select to_regclass(%s) is not null", [f"published.{mart}_p{publication_id}"]).fetchone() == (
        True,
    )
