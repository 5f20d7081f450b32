"""The dbt project is plain: no materialization of dbt's is overridden, two models are incremental, nothing is asked while dbt
compiles.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from yingjian.modelling.dbt import INCREMENTS
from yingjian.modelling.dbt_project import dbt_environment
from yingjian.settings import PROJECT_ROOT, Settings

PROJECT = PROJECT_ROOT / "dbt_project"
# Each of these says something that a model's SQL does not show: another way to build, or another SQL for other data.
NOT_PLAIN = re.compile(
    r"{%-?\s*materialization\b|\brun_query\b|\bexecute\b|\badapter\.|\bload_result\b|--\s*depends_on"
)
# These macros run while dbt builds or loads a seed, not while it compiles a model.
OF_ADAPTERS = {"build.sql", "calendar.sql", "persist_docs.sql", "rebuilt.sql"}
MATERIALIZATION = re.compile(r"{%-?\s*materialization\s+(\w+)")


def texts(folder: str) -> dict[Path, str]:
    return {path: path.read_text(encoding="utf-8") for path in sorted((PROJECT / folder).rglob("*.sql"))}


@pytest.mark.parametrize("folder", ["models", "macros"])
def test_nothing_is_overridden_and_nothing_is_asked_while_dbt_compiles(folder: str) -> None:
    assert {path.name for path, text in texts(folder).items() if NOT_PLAIN.search(text)} <= OF_ADAPTERS


def test_materializations_have_names_that_dbt_has_not() -> None:
    """docs/decisions/rebuilt.md says why there are two."""
    assert {name for text in texts("macros").values() for name in MATERIALIZATION.findall(text)} == {
        "rebuilt_table", "rebuilt_view",
    }  # fmt: skip


def test_the_pattern_finds_what_is_not_plain() -> None:
    for text in (
        "{% materialization table, default %}",
        "{% if execute %}",
        "run_query('select 1')",
        "-- depends_on: a",
    ):
        assert NOT_PLAIN.search(text)


def test_two_models_are_incremental_and_merge() -> None:
    code = {path.stem: re.sub("--.*", "", text) for path, text in texts("models").items()}
    incremental = {name: text for name, text in code.items() if "kept()" in text or "incremental" in text}
    assert sorted(f"intermediate.{name}" for name in incremental) == sorted(INCREMENTS)
    assert len(INCREMENTS) <= 2
    assert all("incremental_strategy='merge'" in text for text in incremental.values())


def test_a_build_has_a_thread_for_each_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    targets = yaml.safe_load((PROJECT / "profiles.yml").read_text(encoding="utf-8"))["yingjian"]["outputs"]
    assert {name: target["threads"] for name, target in targets.items()} == dict.fromkeys(
        ("warehouse", "dev"), "{{ env_var('YINGJIAN_PG_THREADS', '2') | as_number }}"
    )
    monkeypatch.setattr("os.cpu_count", lambda: 7)
    elsewhere = {"YINGJIAN_WAREHOUSE": "postgresql://owner:secret@127.0.0.1/town", "YINGJIAN_PERSON_KEY": "0" * 64}
    settings = Settings.load({"YINGJIAN_HOME": str(tmp_path), **elsewhere})
    assert dbt_environment(settings)["YINGJIAN_PG_THREADS"] == "7"
