"""BI as code: the datasets, metrics and dashboards of `bi/`, for Superset and MetricFlow, are compared with the report."""
