"""Another secret of the person keys: the same marts up to the keys, in one go, whatever breaks."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests import support
from tests.conftest import WORLD_DAY, HomeFactory
from yingjian import cli
from yingjian.database import warehouse
from yingjian.operations import migration
from yingjian.privacy import audit_trail, person_key, rotation
from yingjian.privacy.person_key import keys_of_documents
from yingjian.settings import Settings, SetupError

pytestmark = pytest.mark.beyond

KEY = re.compile(r"[0-9a-f]{64}")


@pytest.fixture(scope="module")
def town(home_factory: HomeFactory, built_town: Settings) -> Settings:
    settings = home_factory("rotation", built_town)
    support.release(settings, WORLD_DAY)
    support.build_marts(settings, WORLD_DAY)  # A build that is not published yet is rewritten too.
    with warehouse.connect(settings) as conn:
        # Retention took everything of one person but the key in what was published.
        conn.execute(
            """
            insert into published.control
            select (jsonb_populate_record(c, jsonb_build_object('person_key', repeat('0', 64), 'membership_id', 'gone'))).*
            from published.control as c limit 1
            """
        )
    return settings


def staging_tables(settings: Settings) -> list[str]:
    rows = support.query(
        settings,
        "select table_name from information_schema.columns where table_schema = 'staging' and column_name = 'id_number'",
    )
    return [f"staging.{name}" for (name,) in rows]


def fresh(settings: Settings) -> Settings:
    """As another process would read them."""
    return Settings.load({"YINGJIAN_HOME": str(settings.home)})


def contents(settings: Settings) -> dict[str, list[str]]:
    """Every row of every table that could have a key, as text, by table; policy_state has digests of seeds."""
    tables = support.query(
        settings,
        """
        select format('%I.%I', nspname, relname) from pg_class inner join pg_namespace on pg_namespace.oid = relnamespace
        where relkind = 'r' and nspname in ('staging', 'intermediate', 'build', 'published', 'quality')
        and relname <> 'policy_state' order by 1
        """.replace("%", "%%"),
    )
    with warehouse.connect(settings) as conn:
        return {
            table: [text for (text,) in conn.execute(f"select t::text from {table} as t")]  # type: ignore[arg-type]
            for (table,) in tables
        }


def rows_by_table(found: dict[str, list[str]], mapping: dict[str, str]) -> dict[str, list[str]]:
    return {
        table: sorted(KEY.sub(lambda match: mapping.get(match[0], match[0]), text) for text in rows)
        for table, rows in found.items()
    }


def keys(found: dict[str, list[str]]) -> set[str]:
    return {
        key
        for table, rows in found.items()
        if not table.startswith("quality.")
        for text in rows
        for key in KEY.findall(text)
    }


def mapping_of(settings: Settings, old: bytes, new: bytes) -> dict[str, str]:
    documents = [
        pair
        for table in (*staging_tables(settings), "published.person")
        for pair in support.query(settings, f"select distinct id_type, id_number from {table}")
    ]
    return dict(zip(keys_of_documents(old, documents), keys_of_documents(new, documents), strict=True))


def test_the_marts_are_the_same_up_to_the_keys(
    town: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before, old = contents(town), town.person_secret
    monkeypatch.setenv("YINGJIAN_HOME", str(town.home))
    assert cli.main(["rotate-person-key", "--reason", "年度更换"]) == 0
    assert "move it to offline storage" in capsys.readouterr().out
    settings = fresh(town)
    after, new = contents(settings), settings.person_secret
    assert new != old
    assert keys(before) and not keys(before) & keys(after), "no old key is left anywhere"
    assert len(keys(before)) == len(keys(after)), "and none became two, or two one"
    mapping = mapping_of(settings, old, new)
    [gone] = keys(before) - set(mapping)
    [came] = keys(after) - set(mapping.values())
    assert rows_by_table(before, mapping | {gone: came}) == rows_by_table(after, {})

    before_fingerprint, after_fingerprint = person_key.fingerprint(old), person_key.fingerprint(new)
    [(reason, details)] = support.query(
        settings, "select reason, details from audit.event where action = 'rotate_person_key'"
    )
    assert reason == "年度更换" and details["before"] == before_fingerprint and details["after"] == after_fingerprint
    assert details["persons"] == len(keys(before))
    retired = settings.home / "secrets" / f"person_key_{before_fingerprint}.json"
    assert retired.stat().st_mode & 0o077 == 0
    vars(town).pop("person_secret", None)


def test_who_looked_at_a_person_is_found_under_the_old_key_too(
    town: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = fresh(town)
    number = a_document(settings)["证件号码"]
    new, old = rotation.keys_of(settings, "居民身份证", number)
    with warehouse.connect(settings) as conn:
        for key, actor in ((old, "before"), (new, "after")):
            audit_trail.record(conn, actor, "person_view", key, "流调")
    monkeypatch.setenv("YINGJIAN_HOME", str(town.home))
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"居民身份证 {number}\n"))
    assert cli.main(["audit", "list", "--person"]) == 0
    assert [line.split("  ")[2] for line in capsys.readouterr().out.splitlines()] == ["before", "after"]
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    assert cli.main(["audit", "list", "--person"]) == 2


def test_the_next_day_goes_on_under_the_new_secret(town: Settings, tmp_path: Path) -> None:
    """The same persons again: none is new, and the marts of a run are those of the rewritten ones."""
    settings = fresh(town)
    persons = support.query(settings, "select count(distinct person_key) from staging.test_results")
    support.write_feed(
        tmp_path, "test_results", [support.sample("S-late", f"{WORLD_DAY} 08:00:00", **a_document(settings))]
    )
    support.land_folder(settings, tmp_path)
    assert support.query(settings, "select count(distinct person_key) from staging.test_results") == persons
    before = {name: sorted(KEY.sub("", row) for row in rows) for name, rows in support.marts(settings).items()}
    support.run_day(settings, WORLD_DAY, "after the rotation")
    after = {name: sorted(KEY.sub("", row) for row in rows) for name, rows in support.marts(settings).items()}
    assert {name: len(rows) for name, rows in before.items()} == {name: len(rows) for name, rows in after.items()}
    assert before["compliance_daily"] == after["compliance_daily"]
    assert before["risk_zone"] == after["risk_zone"]


def a_document(settings: Settings) -> dict[str, str]:
    """The person was sampled on WORLD_DAY, so another sample of that day gives nothing new."""
    [(number,)] = support.query(
        settings,
        "select min(id_number) from staging.test_results where id_type = '居民身份证' and result = '阴性' and sampled_at::date = %s",
        WORLD_DAY,
    )
    return {"证件类型": "居民身份证", "证件号码": str(number)}


def test_another_secret_lands_nothing(town: Settings, tmp_path: Path) -> None:
    support.write_feed(tmp_path, "test_results", [support.sample("S-wrong")])
    stranger = Settings.load({"YINGJIAN_HOME": str(town.home), "YINGJIAN_PERSON_KEY": "a secret of another house"})
    with pytest.raises(SetupError, match="made with another secret"):
        support.land_folder(stranger, tmp_path)
    assert support.query(
        town, "select count(*) from quality.landed_file where location like %s", f"%{tmp_path.name}%"
    ) == [(0,)]


def test_killed_midway_everything_is_old(town: Settings, tmp_path: Path) -> None:
    before, secret = support.marts(town), fresh(town).person_secret
    with warehouse.connect(town) as conn:
        conn.execute(
            """
            create function staging.stuck() returns trigger language plpgsql as
            $$ begin perform pg_sleep(600); return null; end $$
            """
        )
        conn.execute("create trigger stuck before update on staging.test_results execute function staging.stuck()")
    process = subprocess.Popen(
        [sys.executable, "-m", "yingjian.cli", "rotate-person-key", "--reason", "杀进程"],
        env=os.environ | {"YINGJIAN_HOME": str(town.home)}, stderr=subprocess.PIPE,
    )  # fmt: skip
    wait_for(town, [(1,)])
    assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    support.query(town, f"select pg_terminate_backend(pid) {STUCK}")
    wait_for(town, [(0,)])
    with warehouse.connect(town) as conn:
        conn.execute("drop function staging.stuck() cascade")
    assert support.marts(town) == before
    assert fresh(town).person_secret == secret
    support.write_feed(tmp_path, "test_results", [support.sample("S-after-kill")])
    assert support.land_folder(fresh(town), tmp_path).rows_staged == 1


STUCK = "from pg_stat_activity where wait_event = 'PgSleep' and query like 'update%%test_results%%'"


def wait_for(settings: Settings, count: list[tuple[int]]) -> None:
    until = time.monotonic() + 120
    while support.query(settings, f"select count(*) {STUCK}") != count:
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_fault_in_the_middle_leaves_everything_old(town: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    before, settings = contents(town), fresh(town)
    rewritten = []

    def break_down(conn: psycopg.Connection, table: rotation._Table) -> None:
        rewrite(conn, table)
        rewritten.append(table)
        if len(rewritten) == 20:
            raise RuntimeError("power cut")

    rewrite = rotation._rewrite
    monkeypatch.setattr(rotation, "_rewrite", break_down)
    with warehouse.connect(settings) as conn, pytest.raises(RuntimeError, match="power cut"):
        rotation.rotate(conn, settings, None, "tester", "测试")
    assert contents(town) == before
    assert fresh(town).person_secret == settings.person_secret


def test_a_crash_after_the_commit_is_finished_by_the_next_command(
    town: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = fresh(town)

    def break_down(*_: object) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as broken, warehouse.connect(settings) as conn:
        broken.setattr(rotation, "_switch", break_down)
        with pytest.raises(RuntimeError, match="power cut"):
            rotation.rotate(conn, settings, None, "tester", "测试")
    support.write_feed(tmp_path, "test_results", [support.sample("S-new")])
    with pytest.raises(SetupError, match="another secret"):
        support.land_folder(fresh(town), tmp_path)
    migration.migrate(fresh(town))
    assert support.land_folder(fresh(town), tmp_path).rows_staged == 1
    assert not (town.home / "secrets" / "person_key_next.json").exists()


def test_a_run_at_work_is_waited_for_and_not_broken_into(town: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "_WAIT_SECONDS", 1)
    settings, before = fresh(town), contents(town)
    with warehouse.connect(settings, "transformer") as model:
        model.execute("select count(*) from staging.residents")
        with (
            warehouse.connect(settings) as conn,
            pytest.raises(SetupError, match="a run is at work: nothing was changed"),
        ):
            rotation.rotate(conn, settings, None, "tester", "测试")
    assert contents(town) == before


def test_a_given_secret_needs_a_given_successor(town: Settings) -> None:
    secret = fresh(town).person_secret.decode()
    given = Settings.load({"YINGJIAN_HOME": str(town.home), "YINGJIAN_PERSON_KEY": secret})
    with warehouse.connect(town) as conn:
        with pytest.raises(SetupError, match="set YINGJIAN_PERSON_KEY_NEXT"):
            rotation.rotate(conn, given, None, "tester", "测试")
        with pytest.raises(SetupError, match="the new secret is the old one"):
            rotation.rotate(conn, given, secret, "tester", "测试")
        with pytest.raises(ValueError, match="say why"):
            rotation.rotate(conn, given, "new", "tester", " ")
        rotation.rotate(conn, given, "the next secret", "tester", "测试")
    with warehouse.connect(town) as conn, pytest.raises(SetupError, match="another secret"):
        person_key.require(conn, secret.encode())
    with warehouse.connect(town) as conn:
        person_key.require(conn, b"the next secret")


def test_a_warehouse_from_before_fingerprints_takes_its_own_secret_only(
    home_factory: Callable[[str], Settings], tmp_path: Path
) -> None:
    settings = home_factory("before")
    support.write_feed(tmp_path, "test_results", [support.sample("S1")])
    support.land_folder(settings, tmp_path)
    with warehouse.connect(settings) as conn:
        conn.execute("delete from access.person_secret")
        conn.commit()
        stranger = Settings.load({"YINGJIAN_HOME": str(settings.home), "YINGJIAN_PERSON_KEY": "x"})
        rotation.settle(conn, stranger)
        assert person_key.known_fingerprint(conn) is None
        rotation.settle(conn, settings)
        assert person_key.known_fingerprint(conn) == person_key.fingerprint(settings.person_secret)
