"""This module builds both editions from the same staging for the same date, and leaves what is published untouched.

Each edition has a schema of its own. dbt's target `dev` is used: it need not own the schema `build`, is never incremental,
and writes to one schema.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from yingjian.database import warehouse
from yingjian.modelling import dbt
from yingjian.modelling.dbt_project import dbt_folder
from yingjian.modelling.own_schemas import own_schemas
from yingjian.settings import Settings
from yingjian.whatif.draft import Draft, DraftError, copy_project, merge

MARTS = ("due", "due_forecast", "overdue", "control", "risk_zone")
AS_IS = tuple(f"+{mart}" for mart in MARTS)
# A draft can change every model downstream of a policy seed.
CHANGED = tuple(f"path:seeds/policy+,+{mart}" for mart in MARTS)


@dataclass(frozen=True)
class Beside:
    """Two schemas have the marts of MARTS: `before` under the current plan, and `after` under the draft."""

    draft: Draft
    before: str
    after: str


@contextmanager
def built(
    settings: Settings, folder: Path, day: date, say: Callable[[str], None] = lambda text: None
) -> Iterator[Beside]:
    """Build both editions for a business date; the schemas are dropped at the end. `say` gets messages of progress.

    Raises DraftError before anything is built when the draft is invalid or not in force on that date, and BuildError.
    """
    with tempfile.TemporaryDirectory(prefix="whatif-") as folder_of_both:
        project = Path(folder_of_both) / "project"
        seeds = copy_project(dbt_folder(settings), project / "dbt_project")
        draft = merge(folder, dbt_folder(settings) / "seeds" / "policy", seeds)
        if not draft.effective_from <= day <= (draft.effective_to or date.max):
            raise DraftError(
                f"policy_edition.csv, line 2, column effective_from: the draft is not in force on {day}, so nothing would differ"
            )
        with own_schemas(settings, "whatif", ("before", "after")) as (before, after):
            say("the plan as it is")
            dbt.build_beside(settings, before, day, AS_IS, Path(folder_of_both) / "before")
            _share(settings, before, after, {path.stem for path in seeds.glob("*.csv")})
            say(f"the draft {draft.edition_code}")
            dbt.build_beside(replace(settings, root=project), after, day, CHANGED, Path(folder_of_both) / "after")
            yield Beside(draft, before, after)


def _share(settings: Settings, before: str, after: str, seeds: Set[str]) -> None:
    """Create views in `after` of all that `before` has except policy seeds; dbt replaces those that the draft changes."""
    with warehouse.connect(settings, "transformer") as conn:
        names = conn.execute(
            "select relname from pg_class where relnamespace = to_regnamespace(%s) and relkind in ('r', 'p', 'v')",
            (before,),
        ).fetchall()
        for (name,) in names:
            if name in seeds:  # dbt cannot replace a view by a seed.
                continue
            view, source = sql.Identifier(after, name), sql.Identifier(before, name)
            conn.execute(sql.SQL("create view {} as select * from {}").format(view, source))


@contextmanager
def reading(settings: Settings) -> Iterator[psycopg.Connection[Any]]:
    """Open a read-only connection as the transformer, who owns both schemas."""
    with warehouse.connect(settings, "transformer") as conn:
        conn.read_only = True
        yield conn
