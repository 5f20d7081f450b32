"""One server and one simulated town for the whole session; tests that write get a home of their own."""

from __future__ import annotations

import fcntl
import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Protocol

import psutil
import psycopg
import pytest
from dbt_common.behavior_flags import BehaviorFlagRendered

from tests import support
from tests.portal import Portal, running_portal
from tests.provider import Provider, running_provider
from tests.readers import protect_town
from tests.towns import town
from yingjian import simulate
from yingjian.database import schema
from yingjian.database.embedded import EmbeddedPostgres
from yingjian.settings import PROJECT_ROOT, Settings

pytest_plugins = ["tests.skips"]

WORLD_DAY = date(2022, 7, 20)
IN_MEMORY, BYTES_IN_MEMORY = Path("/dev/shm"), 8 << 30
FIRST = (
    *("test_spark_pipeline.py", "test_celery.py", "test_run.py", "test_faults.py", "test_cases.py"),
    *("unit", "test_against_marts.py", "test_gate.py"),
)


# Most of a session's million objects stay until its end. Collecting garbage among them after every 700 allocations took a tenth
# of the time.
gc.set_threshold(50_000)
# For each flag of an adapter, dbt looks for the module that declares it: at every frame of the stack, and in every loaded module.
# Under pytest, both are many, so each run of dbt took half a second longer.
BehaviorFlagRendered._default_source = staticmethod(lambda: "dbt")  # type: ignore[method-assign]


def pytest_configure() -> None:
    """Put the homes of the session into memory if there is room.

    Each has a server's thousand files. Ext4 looks at every inode that was deleted within the last minutes when it allocates one,
    which took a sixth of the time.
    """
    if "PYTEST_DEBUG_TEMPROOT" not in os.environ and _room_in_memory() >= BYTES_IN_MEMORY:
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(IN_MEMORY)


def _room_in_memory() -> int:
    if not (IN_MEMORY.is_dir() and os.access(IN_MEMORY, os.W_OK)):
        return 0
    return min(shutil.disk_usage(IN_MEMORY).free, psutil.virtual_memory().available)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the slowest files first, so that no worker starts one of them when the others are done.

    Unit tests come early: they need no home, so one worker can run them while the other makes the home that all others copy.
    """

    def place(item: pytest.Item) -> int:
        parts = item.path.relative_to(PROJECT_ROOT / "tests").parts
        return next((number for number, name in enumerate(FIRST) if name in parts), len(FIRST))

    items.sort(key=place)


class HomeFactory(Protocol):
    def __call__(self, name: str, like: Settings | None = None) -> Settings: ...


class Once(Protocol):
    def __call__(self, name: str, make: Callable[[Path], object]) -> Path: ...


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Make a folder once for all workers of this session: the first one makes it, and the others wait for it.

    With YINGJIAN_TEST_TOWNS, it is made once for all sessions with that folder, as in `.ci/run`.
    """
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    base = Path(os.environ.get("YINGJIAN_TEST_TOWNS") or base)

    def once(name: str, make: Callable[[Path], object]) -> Path:
        folder, is_made = base / name, base / f"{name}.made"
        with (base / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not is_made.exists():
                folder.mkdir()
                make(folder)
                is_made.touch()
        return folder

    return once


@pytest.fixture(scope="session")
def empty_home(once: Once) -> Settings:
    """A home with all tables, also Airflow's, and a parsed project: for copies only."""

    def make(folder: Path) -> None:
        settings = support.make_home(folder, durable=False)
        with support.kept_parse(settings):
            support.prepare_airflow(settings)

    return support.home_for_copies(once("empty_home", make))


@contextmanager
def running_copy(like: Settings, folder: Path) -> Iterator[Settings]:
    """Copy a home, whose server is stopped, and run the copy's server until the block ends; for session fixtures."""
    settings = support.copy_home(like, folder)
    yield settings
    support.discard(settings)


@pytest.fixture(scope="module")
def home_factory(
    tmp_path_factory: pytest.TempPathFactory, empty_home: Settings, request: pytest.FixtureRequest
) -> Iterator[HomeFactory]:
    """Make homes with a running server for the module's tests: with empty tables, or as copies of `like`.

    They end at the module's end, and are removed unless a test has failed. The server of `like` is stopped, because only
    a stopped server can be copied.
    """
    homes: list[Settings] = []
    failed = request.session.testsfailed

    def make(name: str, like: Settings | None = None) -> Settings:
        settings = support.copy_home(like or empty_home, tmp_path_factory.mktemp(name))
        homes.append(settings)
        return settings

    yield make
    for settings in homes:
        support.discard(settings)
        if request.session.testsfailed == failed:
            shutil.rmtree(settings.home, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give the session a temporary folder of its own, so that tests and processes that they kill leave nothing behind."""
    folder = tmp_path_factory.mktemp("tmp")
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        yield
    tempfile.tempdir = before


@pytest.fixture
def fresh_home(home_factory: HomeFactory) -> Iterator[Settings]:
    """The test gets a home of its own."""
    settings = home_factory("home")
    yield settings
    support.discard(settings)


@pytest.fixture(scope="session")
def bare_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A server with the roles, whose database `yingjian` is empty, for tests that make their own tables in a database of their
    own.
    """
    settings = Settings.load({"YINGJIAN_HOME": str(tmp_path_factory.mktemp("bare"))})
    server = EmbeddedPostgres(settings)
    server.ensure_running()
    with psycopg.connect(server.uri("yingjian_owner")) as conn:
        schema.run_file(conn, schema.SQL_FOLDER / "00_roles.sql")
    yield settings
    server.stop()


@pytest.fixture(scope="session")
def town_database(bare_server: Settings) -> str:
    """The URI of a database with the published rows of a made-up town. Tests undo what they change."""
    server = EmbeddedPostgres(bare_server)
    with psycopg.connect(server.uri("postgres", "postgres"), autocommit=True) as conn:
        conn.execute("create database published_town owner yingjian_owner")
    uri = server.uri("yingjian_owner", "published_town")
    with psycopg.connect(uri) as conn:
        town.load(conn)
        protect_town(conn)
    return uri


@pytest.fixture(scope="session")
def simulated_landing(once: Once) -> Path:
    """A small town's exports of sixteen days up to WORLD_DAY; this folder is shared by all workers."""
    return once("landing", partial(simulate.write_landing, persons=600, days=16, seed=7, last_day=WORLD_DAY))


@pytest.fixture(scope="session")
def landed_town(once: Once, empty_home: Settings, simulated_landing: Path) -> Settings:
    """The simulated town, landed: for copies only."""

    def make(folder: Path) -> None:
        support.land_folder(support.copy_home(empty_home, folder), simulated_landing)

    return support.home_for_copies(once("landed_town", make))


@pytest.fixture(scope="session")
def built_town(once: Once, landed_town: Settings) -> Settings:
    """The simulated town, published for the day before WORLD_DAY and built for WORLD_DAY: for copies only."""

    def make(folder: Path) -> None:
        settings = support.copy_home(landed_town, folder)
        support.run_day(settings, WORLD_DAY - timedelta(days=1), "yesterday")
        support.build(settings, WORLD_DAY)

    return support.home_for_copies(once("built_town", make))


@pytest.fixture(scope="session")
def published_town(once: Once, landed_town: Settings) -> Settings:
    """The simulated town, landed, and its last day published: for copies only."""

    def make(folder: Path) -> None:
        support.run_day(support.copy_home(landed_town, folder), WORLD_DAY)

    return support.home_for_copies(once("published_town", make))


@pytest.fixture(scope="session")
def world(published_town: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The simulated town with its last day published, and a running server. Tests must not change it."""
    with running_copy(published_town, tmp_path_factory.mktemp("world")) as settings:
        yield settings


@pytest.fixture(scope="session")
def provider() -> Iterator[Provider]:
    """An OpenID Connect provider on loopback."""
    with running_provider() as running:
        yield running


@pytest.fixture(scope="session")
def portal(world: Settings, provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """The portal's service on a copy of the town; it is started once."""
    with running_portal(world, tmp_path_factory.mktemp("portal"), provider.url) as running:
        yield running
