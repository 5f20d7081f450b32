"""This module exports the datasets and dashboards of `bi/` as an import bundle for Superset.

UUIDs are derived from names, so a second import updates the objects of the first. `login` is the database login with which
Superset queries the warehouse. A login that is limited to a part of the town gets its own copy of everything, under its own
UUIDs, and row-level security shows only that part.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlparse
from uuid import UUID, uuid5

import yaml

from yingjian.bi.dashboards import Chart, Dashboard
from yingjian.bi.datasets import Column, Dataset, Metric
from yingjian.reports.content.frames import BLANK

OFFICE_LOGIN = "bi_reader"
NAMESPACE = UUID("1f6a2a8e-7c0e-5d0e-9b0c-6a5d2e0c7f11")
VERSION = "1.0.0"
DATABASE_FILE = "databases/warehouse.yaml"
CERTIFIED_BY = "应检"
COLUMNS = 12
HEIGHTS = {"number": 18, "line": 50, "bar": 50, "table": 60}
VIZ = {
    "number": "big_number_total", "line": "echarts_timeseries_line", "bar": "echarts_timeseries_bar", "table": "table",
}  # fmt: skip
ROW_LIMIT = 1000
SECONDS = 60  # The database cancels chart queries that run longer than this.

Facts = dict[str, Any]


def write(
    datasets: Mapping[str, Dataset], dashboards: list[Dashboard], warehouse_uri: str, login: str = OFFICE_LOGIN
) -> bytes:
    """Return the bundle as a zip archive: the same bytes for the same content. It holds no password."""
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as bundle:
        for path, facts in sorted(files(datasets, dashboards, warehouse_uri, login).items()):
            text = yaml.safe_dump(facts, allow_unicode=True, sort_keys=False)
            bundle.writestr(zipfile.ZipInfo(f"yingjian/{path}", (1980, 1, 1, 0, 0, 0)), text, zipfile.ZIP_DEFLATED)
    return archive.getvalue()


def files(
    datasets: Mapping[str, Dataset], dashboards: list[Dashboard], warehouse_uri: str, login: str = OFFICE_LOGIN
) -> dict[str, Facts]:
    """Return the content of each file of the bundle by its path."""
    # The timestamp is fixed, so that the same definitions always give the same bytes.
    written: dict[str, Facts] = {
        "metadata.yaml": {"version": VERSION, "type": "assets", "timestamp": "2022-07-01T00:00:00+00:00"},
        DATABASE_FILE: _database(warehouse_uri, login),
    }
    for dataset in datasets.values():
        written[f"datasets/warehouse/{dataset.name}.yaml"] = _dataset(dataset, login)
    for dashboard in dashboards:
        for chart in dashboard.charts:
            written[f"charts/{chart.key.replace('/', '_')}.yaml"] = _chart(chart, login)
        written[f"dashboards/{dashboard.name}.yaml"] = _dashboard(dashboard, login)
    return written


def uuid_of(login: str, kind: str, name: str) -> str:
    """Return the UUID of a database, dataset, chart or dashboard; it never changes."""
    return str(uuid5(NAMESPACE, f"{login}/{kind}/{name}"))


def _database(uri: str, login: str) -> Facts:
    parsed = urlparse(uri)
    host = parsed.netloc.rpartition("@")[2]
    query = urlencode(parse_qsl(parsed.query))
    # Superset truncates days to timestamps and shows them in UTC; in another session time zone they would be a day early.
    options = f"-c statement_timeout={SECONDS}s -c default_transaction_read_only=on -c TimeZone=UTC"
    return {
        "database_name": f"应检{_of(login)}",
        # Superset replaces this placeholder with the password that is sent along with the bundle.
        "sqlalchemy_uri": f"postgresql+psycopg2://{quote(login)}:XXXXXXXXXX@{host}{parsed.path}{f'?{query}' if query else ''}",
        "cache_timeout": 0,  # A cached result could belong to another publication than the chart next to it.
        "expose_in_sqllab": True,
        "allow_run_async": False,
        "allow_ctas": False,
        "allow_cvas": False,
        "allow_dml": False,
        "allow_csv_upload": False,
        "extra": {
            "metadata_params": {},
            "engine_params": {"connect_args": {"options": options}},
            "metadata_cache_timeout": {},
            "schemas_allowed_for_csv_upload": [],
        },
        "uuid": uuid_of(login, "database", "warehouse"),
        "version": VERSION,
    }


def _of(login: str) -> str:
    return "" if login == OFFICE_LOGIN else f"（{login}）"


def _dataset(dataset: Dataset, login: str) -> Facts:
    return {
        "table_name": f"{dataset.title}{_of(login)}",  # Superset requires unique names across databases.
        "main_dttm_col": dataset.time_column,
        "description": dataset.description,
        "offset": 0,
        "cache_timeout": None,
        "schema": "reporting",
        "sql": dataset.sql,
        "params": None,
        "template_params": None,
        "filter_select_enabled": True,
        "fetch_values_predicate": None,
        "extra": None,
        "normalize_columns": False,
        "always_filter_main_dttm": False,
        "uuid": uuid_of(login, "dataset", dataset.name),
        "metrics": [_metric(metric) for metric in dataset.metrics.values()],
        "columns": [_column(column) for column in dataset.columns.values()],
        "version": VERSION,
        "database_uuid": uuid_of(login, "database", "warehouse"),
    }


def _metric(metric: Metric) -> Facts:
    certification = {"certified_by": CERTIFIED_BY, "details": f"{metric.description}依据：{metric.basis}。"}
    return {
        "metric_name": metric.name,
        "verbose_name": metric.title,
        "metric_type": None,
        "expression": metric.sql,
        "description": metric.description or None,
        "d3format": metric.format,
        "extra": {"certification": certification} if metric.is_certified else None,
        "warning_text": None,
    }


def _column(column: Column) -> Facts:
    return {
        "column_name": column.name,
        "verbose_name": column.title,
        "is_dttm": column.is_time,
        "is_active": True,
        "type": column.kind.upper(),
        "groupby": not column.kind.endswith("[]"),
        "filterable": True,
        "expression": None,
        "description": column.description or None,
        "python_date_format": None,
        "extra": None,
    }


def _chart(chart: Chart, login: str) -> Facts:
    params = {**_PARAMS[chart.kind](chart), "viz_type": VIZ[chart.kind], "adhoc_filters": _adhoc_filters(chart)}
    query = {
        "filters": _filters(chart),
        "extras": {"having": "", "where": ""},
        "row_limit": ROW_LIMIT,
        "time_range": "No filter",
        **_query(chart),
    }
    context = {
        "datasource": {"id": 0, "type": "table"},  # The import fills in the dataset's id.
        "force": False,
        "queries": [query],
        "form_data": params,
        "result_format": "json",
        "result_type": "full",
    }
    return {
        "slice_name": chart.title,
        "description": None,
        "certified_by": CERTIFIED_BY if chart.dataset.figures else None,
        "certification_details": None,
        "viz_type": VIZ[chart.kind],
        "params": params,
        "query_context": json.dumps(context, ensure_ascii=False),
        "cache_timeout": None,
        "uuid": uuid_of(login, "chart", chart.key),
        "version": VERSION,
        "dataset_uuid": uuid_of(login, "dataset", chart.dataset.name),
    }


def _number(chart: Chart) -> Facts:
    metric = chart.dataset.metrics[chart.names[0]]
    return {"metric": metric.name, "subheader": "", "header_font_size": 0.4, "y_axis_format": metric.format}


def _axis(chart: Chart) -> Facts:
    is_time = chart.dataset.columns[chart.by].is_time
    return {
        "x_axis": chart.by,
        "time_grain_sqla": "P1D" if is_time else None,
        "x_axis_time_format": "%m-%d",
        "xAxisForceCategorical": not is_time,
        "xAxisLabelRotation": 0 if is_time else 45,
        "metrics": list(chart.names),
        "x_axis_sort": None if is_time else chart.names[0],
        "x_axis_sort_asc": is_time,
        "groupby": [],
        "row_limit": ROW_LIMIT,
        "y_axis_format": chart.dataset.metrics[chart.names[0]].format,
        "show_legend": len(chart.names) > 1,
        "show_value": chart.kind == "bar",
        "rich_tooltip": True,
        "markerEnabled": True,  # Without markers, a line with a single point is invisible.
        "truncateYAxis": False,
    }


def _table(chart: Chart) -> Facts:
    columns = [chart.dataset.columns[name] for name in chart.names]
    return {
        "query_mode": "raw",
        "all_columns": list(chart.names),
        "order_by_cols": [],
        "row_limit": ROW_LIMIT,
        "server_page_length": 10,
        "page_length": 20,
        "table_timestamp_format": "%Y-%m-%d",
        "include_search": True,
        "show_cell_bars": False,
        "column_config": {column.name: config for column in columns if (config := _written(column))},
    }


def _written(column: Column) -> Facts:
    if column.kind.startswith("timestamp"):
        return {"d3TimeFormat": "%Y-%m-%d %H:%M"}
    return {"d3NumberFormat": column.format} if column.format else {}


_PARAMS = {"number": _number, "line": _axis, "bar": _axis, "table": _table}


def _query(chart: Chart) -> Facts:
    if chart.kind == "number":
        return {"metrics": list(chart.names), "columns": []}
    if chart.kind == "table":
        return {"metrics": [], "columns": list(chart.names)}
    axis: Facts = {"columnType": "BASE_AXIS", "sqlExpression": chart.by, "label": chart.by, "expressionType": "SQL"}
    if chart.dataset.columns[chart.by].is_time:
        axis["timeGrain"] = "P1D"
    return {"metrics": list(chart.names), "columns": [axis], "series_columns": []}


def _filters(chart: Chart) -> list[Facts]:
    return [
        {"col": column, "op": _operator(value)} | ({} if isinstance(value, bool) else {"val": value})
        for column, value in chart.where.items()
    ]


def _adhoc_filters(chart: Chart) -> list[Facts]:
    return [
        {
            "clause": "WHERE",
            "expressionType": "SIMPLE",
            "subject": column,
            "operator": _operator(value),
            "operatorId": {"IS TRUE": "IS_TRUE", "IS FALSE": "IS_FALSE"}.get(_operator(value), "EQUALS"),
            "comparator": value,
        }
        for column, value in chart.where.items()
    ]


def _operator(value: object) -> str:
    return {True: "IS TRUE", False: "IS FALSE"}[value] if isinstance(value, bool) else "=="


def _dashboard(dashboard: Dashboard, login: str) -> Facts:
    choice = dashboard.choice
    return {
        "dashboard_title": f"{dashboard.title}{_of(login)}",
        "description": dashboard.about,
        "css": "",
        "slug": f"yingjian-{dashboard.name}" + ("" if login == OFFICE_LOGIN else f"-{login}"),
        "certified_by": CERTIFIED_BY,
        "certification_details": "",
        "published": True,
        "uuid": uuid_of(login, "dashboard", dashboard.name),
        "position": _position(dashboard, login),
        "metadata": {
            "color_scheme": "supersetColors",
            "cross_filters_enabled": False,
            "refresh_frequency": 0,
            "native_filter_configuration": [
                {
                    "id": f"NATIVE_FILTER-{choice.column}",
                    "name": choice.title,
                    "filterType": "filter_select",
                    "type": "NATIVE_FILTER",
                    "description": "",
                    "targets": [
                        {
                            "column": {"name": choice.column},
                            "datasetUuid": uuid_of(login, "dataset", choice.dataset.name),
                        }
                    ],
                    "adhoc_filters": [  # This leaves BLANK out, so that the default value is a real place.
                        {
                            "clause": "WHERE",
                            "expressionType": "SIMPLE",
                            "subject": choice.column,
                            "operator": "!=",
                            "operatorId": "NOT_EQUALS",
                            "comparator": BLANK,
                        }
                    ],
                    "controlValues": {
                        "enableEmptyFilter": True,
                        "defaultToFirstItem": True,
                        "multiSelect": False,
                        "searchAllOptions": False,
                        "inverseSelection": False,
                    },
                    "defaultDataMask": {"extraFormData": {}, "filterState": {}, "ownState": {}},
                    "requiredFirst": True,  # Charts send no query before the filter has its default value.
                    "cascadeParentIds": [],
                    "scope": {"rootPath": ["ROOT_ID"], "excluded": []},
                }
            ]
            if choice
            else [],
        },
        "version": VERSION,
    }


def _position(dashboard: Dashboard, login: str) -> Facts:
    rows = [f"ROW-{number}" for number, _ in enumerate(dashboard.rows, 1)]
    position: Facts = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "GRID_ID": {"type": "GRID", "id": "GRID_ID", "children": rows, "parents": ["ROOT_ID"]},
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": dashboard.title}},
    }
    number = 0
    for row, charts in zip(rows, dashboard.rows, strict=True):
        children = []
        for chart in charts:
            number += 1
            children.append(f"CHART-{number}")
            position[children[-1]] = {
                "type": "CHART",
                "id": children[-1],
                "children": [],
                "parents": ["ROOT_ID", "GRID_ID", row],
                "meta": {
                    "chartId": number,
                    "uuid": uuid_of(login, "chart", chart.key),
                    "sliceName": chart.title,
                    "width": COLUMNS // len(charts),
                    "height": HEIGHTS[chart.kind],
                },
            }
        position[row] = {
            "type": "ROW",
            "id": row,
            "children": children,
            "parents": ["ROOT_ID", "GRID_ID"],
            "meta": {"background": "BACKGROUND_TRANSPARENT"},
        }
    return position
