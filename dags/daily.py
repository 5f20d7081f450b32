"""One business date: model, audit, publish, report."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from airflow.sdk import Asset, CronDataIntervalTimetable, Param, TriggerRule, dag, task
from cosmos import DbtTaskGroup, ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import DbtResourceType, ExecutionMode, LoadMode, SeedRenderingBehavior, TestBehavior

from yingjian import model_tasks, tasks
from yingjian.approval import ApprovalByRight

ROOT = Path(__file__).resolve().parents[1]
DBT_PROJECT = ROOT / "dbt_project"
DBT_TARGET = Path(os.environ.get("YINGJIAN_HOME") or ROOT / ".yingjian") / "dbt"
SHANGHAI = ZoneInfo("Asia/Shanghai")
PUBLICATION = Asset("yingjian://publication")
PACKS = Asset("yingjian://packs")


@dag(
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="Asia/Shanghai"),
    start_date=datetime(2022, 7, 1, tzinfo=SHANGHAI),
    catchup=False,
    max_active_runs=1,
    tags=["yingjian"],
    default_args={
        "owner": "data-team",
        "retries": 1,
        "retry_delay": timedelta(seconds=10),
        "on_failure_callback": tasks.notify_failure,
    },
    doc_md="""
    ### The state at the end of a business date
    The business date is the day of the data interval in Asia/Shanghai; a backfill gives the same rows as the day itself.

    **When `build` fails:** its log names the model, which is red in `models`; the last publication stays. Clear the run.
    **When `release_by_hand` waits:** the audit failed. Read `quality.check_result`; approve only with a reason, which the
    report will show, or reject, mend the cause and trigger the day again. See `docs/runbooks/daily.md`.
    """,
)
def daily() -> None:
    @task(task_id=model_tasks.BUILD, doc_md="One `dbt build`; its log names a model that fails.")
    def build(as_of_date: str, ti: object = None) -> int:
        return tasks.build(as_of_date, partial(ti.xcom_push, model_tasks.BUILT))  # type: ignore[attr-defined]

    models = DbtTaskGroup(
        group_id="models",
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

    @task(doc_md="Great Expectations over staging and the build; see `expectations/`.")
    def audit(as_of_date: str) -> dict[str, object]:
        return tasks.audit(as_of_date)

    @task.branch(doc_md="To publication when every critical check held, else to a person.")
    def gate(audited: dict[str, object]) -> str:
        return "publish" if audited["passed"] else "release_by_hand"

    release_by_hand = ApprovalByRight(
        task_id="release_by_hand",
        right="release",
        subject="质量检查未通过：是否仍要发布？ Release a build that failed its audit?",
        body="{{ '\n'.join(ti.xcom_pull(task_ids='audit')['critical']) }}",
        params={"reason": Param("", type="string", title="理由（将写入日报）/ reason, shown in the report")},
        retries=0,
        doc_md="Waits for a person with the right; the reason goes into the report.",
    )

    @task(
        outlets=[PUBLICATION],
        trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
        doc_md="One transaction; readers see the old publication or the new one.",
    )
    def publish(as_of_date: str, run_key: str, ti: object = None) -> int:
        approval = ti.xcom_pull(task_ids="release_by_hand")  # type: ignore[attr-defined]
        audited = ti.xcom_pull(task_ids="audit")  # type: ignore[attr-defined]
        return tasks.publish(as_of_date, run_key, audited, approval)

    @task(doc_md="Written from the publication, never from tables in motion.")
    def report(publication_id: int) -> str:
        return tasks.report(publication_id)

    @task(outlets=[PACKS], doc_md="Page, spreadsheet and PDF for the office, each department and each community.")
    def packs(publication_id: int, outlet_events: object = None) -> dict[str, int]:
        outlet_events[PACKS].extra = {"publication_id": publication_id}  # type: ignore[index]
        return tasks.packs(publication_id)

    audited = audit(tasks.AS_OF_DATE)
    gated = gate(audited)
    published = publish(tasks.AS_OF_DATE, "{{ run_id }}")
    built = build(tasks.AS_OF_DATE)
    built >> models >> audited
    built >> audited
    gated >> [release_by_hand, published]
    release_by_hand >> published
    report(published)
    packs(published)


daily()
