"""Type names and infinity substitutes shared by the export to Spark, the SQL translation and the load back."""

from __future__ import annotations

Type = str
Columns = dict[str, Type]  # The keys are column names in table order, the values PostgreSQL types.

SHORT_TYPES = {
    "int": "integer",
    "decimal": "numeric",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
}
NO_END, NO_START = "9999-01-01", "0001-01-01"  # Spark has no infinity.
INFINITIES = {"infinity": NO_END, "-infinity": NO_START}
