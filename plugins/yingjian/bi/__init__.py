"""BI as code: this package reads datasets, metrics and dashboards from `bi/`, and writes them for Superset and MetricFlow."""
