"""`make model M=overdue`: one model with its tests, built in seconds on a small town that is kept between calls.

The town is in `.yingjian-model/`, with a server of its own that the command stops at the end. The first call makes it and
builds everything once. Delete the folder to start over.
"""

from __future__ import annotations

import sys
from datetime import date

from psycopg import sql

from tests import support
from yingjian import simulate
from yingjian.database import warehouse
from yingjian.database.embedded import EmbeddedPostgres
from yingjian.settings import PROJECT_ROOT, Settings

HOME = PROJECT_ROOT / ".yingjian-model"
DAY = date(2022, 7, 20)
ROWS = 5


def small_town() -> Settings:
    """Return the home of the kept town; the first call makes it."""
    if (HOME / "made").exists():
        settings = Settings.load({"YINGJIAN_HOME": str(HOME)})
        EmbeddedPostgres(settings).ensure_running()
        return settings
    print("The small town is made once; this takes a minute or two.", flush=True)
    settings = support.make_home(HOME, durable=False)
    support.parse_project(settings)
    landing = HOME / "landing"
    landing.mkdir(exist_ok=True)
    simulate.write_landing(landing, persons=600, days=16, seed=7, last_day=DAY)
    support.land_folder(settings, landing)
    support.build(settings, DAY)
    (HOME / "made").touch()
    return settings


def main(selected: list[str]) -> int:
    """Build `selected` (dbt's `--select`), print dbt's log and the first rows of each model; return the exit code."""
    if not selected:
        print("Which model? make model M=overdue", file=sys.stderr)
        return 2
    try:
        settings = small_town()
        done = support.dbt_of(settings, DAY, "build", "--select", *selected, check=False)
        print(done.stdout)
        for name in selected if done.success else ():
            print_head(settings, name)
        if not done.success:
            print(f"A relation or column that is missing here may be newer than the kept town: delete {HOME.name}/.")
        return 0 if done.success else 1
    finally:  # The server may run even if the town could not be made.
        EmbeddedPostgres(Settings.load({"YINGJIAN_HOME": str(HOME)})).stop()


def print_head(settings: Settings, model: str) -> None:
    """Print the first rows of a model; print nothing if `model` is another kind of selector."""
    where = "relname = %s and relnamespace::regnamespace::text in ('build', 'intermediate')"
    for (schema,) in support.query(
        settings, f"select relnamespace::regnamespace::text from pg_class where {where}", model
    ):
        table = sql.Identifier(schema, model)
        with warehouse.connect(settings) as conn:  # Python has no date for "infinity", but JSON can hold it.
            rows = conn.execute(
                sql.SQL("select to_json(model) from {} as model limit %s").format(table), (ROWS,)
            ).fetchall()
        for number, (row,) in enumerate(rows):
            if number == 0:
                print(f"{schema}.{model}: {', '.join(row)}")
            print("  " + " | ".join("" if value is None else str(value) for value in row.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
