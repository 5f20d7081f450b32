"""This DAG builds one business date: models, audit, publication, report."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import Param, TriggerRule, dag, task
from cosmos import DbtTaskGroup, ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import DbtResourceType, ExecutionMode, LoadMode, SeedRenderingBehavior, TestBehavior

from yingjian.orchestration import model_tasks, tasks
from yingjian.orchestration.approval import ReleaseByHand
from yingjian.orchestration.build import ClaimBuild
from yingjian.orchestration.common import EVERY_DAG, PACKS, PUBLICATION, TASKS
from yingjian.orchestration.feeds import WaitForFeeds
from yingjian.orchestration.timetable import BusinessDays
from yingjian.orchestration.tries import tried_again
from yingjian.pipeline import MODELS, Task

ROOT = Path(__file__).resolve().parents[1]
DBT_PROJECT = ROOT / "dbt_project"
DBT_TARGET = Path(os.environ.get("YINGJIAN_HOME") or ROOT / ".yingjian") / "dbt"


@dag(
    schedule=BusinessDays(),
    **EVERY_DAG,
    catchup=True,  # The timetable limits how many missed days are caught up.
    max_active_runs=8,  # Runs build one at a time (claim_build), but one that waits for a person must not block others.
    params={
        "date": Param(None, type=["null", "string"], format="date", title="业务日期 / business date, empty: yesterday")
    },
    default_args={**TASKS, **tried_again(), "retry_delay": timedelta(seconds=10)},
    doc_md="""
    ### Build and publish one business date
    Starts at midnight (Asia/Shanghai) and waits for the required feeds (seed `feed`) until YINGJIAN_FEED_DEADLINE. To build
    another day, trigger it with `{"date": "2022-07-24"}` or run a backfill: the marts then show the state of that day, and
    readers stay on the newest business date.

    **When `build` fails:** its log names the failed model with file and line; the XCom `result` of each task in `models`
    has the outcome of that model. The last publication stays. Fix the cause, then clear `build` and its downstream tasks.
    **When `claim_build` waits:** another run holds the build lock (`publishing.build`). It continues when the lock is free.
    **When `release_by_hand` waits:** a critical check failed (`quality.check_result`), and an official decides in the
    portal whether to publish; the report shows the reason given. Otherwise, fix the cause and trigger the day again. See
    `docs/runbooks/daily.md`.
    """,
)
def daily() -> None:
    wait_for_feeds = WaitForFeeds(
        task_id=Task.WAIT_FOR_FEEDS,
        doc_md="Deferred until every required feed has brought the day's data, or until the deadline.",
    )
    claim_build = ClaimBuild(
        task_id=Task.CLAIM_BUILD,
        doc_md="Deferred until this run holds the build lock, which it keeps until it publishes.",
    )

    @task(task_id=Task.BUILD, doc_md="Runs a single `dbt build`; its log names the model that failed.")
    def build(**context: Any) -> int:
        return tasks.build(tasks.business_date(context), context["run_id"], model_tasks.teller(context["ti"]))

    models = DbtTaskGroup(
        group_id=MODELS,
        project_config=ProjectConfig(
            dbt_project_path=DBT_PROJECT,
            manifest_path=DBT_TARGET / "manifest.json",
            install_dbt_deps=False,
            partial_parse=False,
        ),
        profile_config=ProfileConfig(
            profile_name="yingjian", target_name="warehouse", profiles_yml_filepath=DBT_PROJECT / "profiles.yml"
        ),
        execution_config=ExecutionConfig(execution_mode=ExecutionMode.LOCAL),
        render_config=RenderConfig(
            load_method=LoadMode.DBT_MANIFEST,
            node_converters={DbtResourceType.MODEL: model_tasks.as_task},
            seed_rendering_behavior=SeedRenderingBehavior.NONE,
            test_behavior=TestBehavior.NONE,
            emit_datasets=False,
        ),
    )

    @task(
        doc_md="Runs the Great Expectations suites in `expectations/` on the build, staging and the record of landed files."
    )
    def audit(**context: Any) -> dict[str, object]:
        return tasks.audit(tasks.business_date(context), context["run_id"])

    @task.branch(doc_md="Continues with `publish` if every critical check passed, otherwise with `release_by_hand`.")
    def gate(**context: Any) -> str:
        return Task.PUBLISH if tasks.is_released(context["run_id"]) else Task.RELEASE_BY_HAND

    release_by_hand = ReleaseByHand(
        task_id=Task.RELEASE_BY_HAND,
        retries=2,
        doc_md="Asks in the portal whether to publish, notifies the officials who may decide and later their deputies, and stays"
        " deferred until an answer, midnight or a later build.",
    )

    @task(
        outlets=[PUBLICATION],
        trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
        doc_md="Publishes in one transaction: readers see either the old publication or the new one.",
    )
    def publish(**context: Any) -> int:
        return tasks.publish(tasks.business_date(context), context["run_id"])

    @task(doc_md="Writes the report from the publication, never from the schema `build`.")
    def report(publication_id: int) -> str:
        return tasks.report(publication_id)

    @task(
        outlets=[PACKS],
        doc_md="Writes a pack for the office, and each department, community and grid that has an official.",
    )
    def packs(publication_id: int, outlet_events: Any = None) -> dict[str, int]:
        outlet_events[PACKS].extra = {"publication_id": publication_id}
        return tasks.packs(publication_id)

    built, audited, gated, published = build(), audit(), gate(), publish()
    wait_for_feeds >> claim_build >> built >> [audited, models]
    audited >> gated >> [release_by_hand, published]
    release_by_hand >> published
    report(published)
    packs(published)


daily()
