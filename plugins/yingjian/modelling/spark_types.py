"""These names of types and ends of time are those of the export, of the translation and of what is loaded back."""

from __future__ import annotations

Type = str
Columns = dict[str, Type]  # It holds PostgreSQL's types by the names of the columns, in their order.

SHORT_TYPES = {
    "int": "integer",
    "decimal": "numeric",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
}
NO_END, NO_START = "9999-01-01", "0001-01-01"  # Spark has no infinity.
INFINITIES = {"infinity": NO_END, "-infinity": NO_START}
