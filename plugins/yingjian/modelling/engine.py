"""The models are built by PostgreSQL, or by Spark where the settings name it (docs/spark.md): this module alone asks which."""

from __future__ import annotations

from datetime import date

from yingjian.modelling import dbt, spark, spark_export
from yingjian.settings import Settings


def build(settings: Settings, day: date, token: str, say: spark.Say = lambda results: None) -> int:
    """Build seeds and models for a business date; return how many stand. See `dbt.build`. Raises BuildError, SetupError."""
    if settings.engine == "spark":
        return spark.build(settings, day, token, say)
    spark_export.forget_stale(settings)  # The files of Spark go when it is the engine no more.
    return dbt.build(settings, day, token, say)
