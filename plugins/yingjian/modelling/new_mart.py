"""Scaffolds a new mart: a model, its YAML and its checks, which build and pass as they are.

The template counts overdue items by community: a query with a grain, a key, titles, a unit test and a check to adapt.
CONTRIBUTING.md lists what a finished mart needs beyond that.
"""

from __future__ import annotations

import re
from pathlib import Path

SQL = """\
-- This model counts the overdue items of each community.
with overdue as (select * from {{ ref('overdue') }}),

final as (
    select
        {{ as_of_date() }} as as_of_date,
        community,
        count(*)::int as items
    from overdue
    group by community
)

select * from final
"""

YAML = """\
models:
  - name: NAME
    description: "One row per community with something overdue on D."
    config:
      meta: {reader_schema: reporting, audience: [community]}
    data_tests:
      - unique_combination: {arguments: {columns: [community]}}
    columns:
      - {name: as_of_date, data_type: date, config: {meta: {label: 业务日期}}, constraints: [{type: not_null}],
         description: "{{ doc('as_of_date') }}"}
      - {name: community, data_type: text, config: {meta: {label: 社区}}, constraints: [{type: not_null}],
         description: "{{ doc('community') }}"}
      - {name: items, data_type: integer, config: {meta: {label: 逾期项}}, constraints: [{type: not_null}],
         description: "Open obligations that are overdue."}

unit_tests:
  - name: NAME_counts_each_community
    description: Two obligations of one community are one row.
    model: NAME
    overrides:
      vars: {as_of_date: "2022-07-10"}
    given:
      - input: ref('overdue')
        rows:
          - {obligation_id: a, community: 甲}
          - {obligation_id: b, community: 甲}
          - {obligation_id: c, community: 乙}
    expect:
      rows:
        - {community: 甲, items: 2}
        - {community: 乙, items: 1}
"""

CHECKS = """\
table: build.NAME
checks:
  - name: NAME_counts_everything_overdue
    severity: fail
    says: 各社区逾期项之和不等于逾期总数
    query: select 1 as difference where (select coalesce(sum(items), 0) from {batch}) <> (select count(*) from build.overdue)
"""


def write(root: Path, name: str) -> list[Path]:
    """Write the three files and return their paths.

    Raises ValueError if the name is not a valid table name or a file exists already.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{1,40}", name, re.ASCII):
        raise ValueError(f"{name} cannot be a mart's name: give small letters, digits and underscores")
    marts = root / "dbt_project" / "models" / "marts"
    texts = {marts / f"{name}.sql": SQL, marts / f"{name}.yml": YAML, root / "expectations" / f"{name}.yml": CHECKS}
    if there := [path for path in texts if path.exists()]:
        raise ValueError(f"there is a mart {name} already: {', '.join(str(path.relative_to(root)) for path in there)}")
    for path, text in texts.items():
        path.write_text(text.replace("NAME", name), encoding="utf-8")
    return list(texts)
