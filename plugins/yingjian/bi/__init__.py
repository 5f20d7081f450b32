"""BI as code: datasets, metrics and dashboards of the folder `bi/` for Superset and MetricFlow, and their check against the report."""
