"""Chooses the engine that builds the models: PostgreSQL, or Spark if the settings name it (docs/spark.md)."""

from __future__ import annotations

from datetime import date

from yingjian.modelling import dbt, spark, spark_export
from yingjian.settings import Settings


def build(settings: Settings, day: date, token: str, say: spark.Say = lambda results: None) -> int:
    """Build seeds and models for a business date; return the number of nodes built or still current. See `dbt.build`.

    Raises BuildError, SetupError.
    """
    if settings.engine == "spark":
        return spark.build(settings, day, token, say)
    spark_export.forget_stale(settings)  # Remove files left from when Spark was the engine.
    return dbt.build(settings, day, token, say)
