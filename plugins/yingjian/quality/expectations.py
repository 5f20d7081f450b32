"""Great Expectations, and its check by query without fetching rows. Its import takes a second, so `audit` defers it."""

from __future__ import annotations

from typing import Any, ClassVar

from yingjian.quality.import_on_use import import_on_use

# Great Expectations imports them for expectations that no suite has; they take a third of its import.
import_on_use("altair", "scipy.stats")

import great_expectations as gx  # noqa: E402
from great_expectations.expectations.core import UnexpectedRowsExpectation  # type: ignore[attr-defined]  # noqa: E402

__all__ = ["ExpectNoRows", "gx"]


class ExpectNoRows(UnexpectedRowsExpectation):  # type: ignore[misc]
    """The expectation holds when the query finds no row. Rows are counted in the database.

    The built-in expectation runs the query a second time and fetches up to 200 rows.
    """

    metric_dependencies: ClassVar[tuple[str, ...]] = ("unexpected_rows_query.row_count",)

    def _validate(
        self, metrics: dict[str, Any], runtime_configuration: Any = None, execution_engine: Any = None
    ) -> dict[str, bool]:
        return {"success": metrics["unexpected_rows_query.row_count"] == 0}
