"""Great Expectations' checks by query, without the rows. Importing it takes a second: `audit` does so when it runs."""

from __future__ import annotations

from typing import Any, ClassVar

from great_expectations.expectations.core import UnexpectedRowsExpectation  # type: ignore[attr-defined]


class ExpectNoRows(UnexpectedRowsExpectation):  # type: ignore[misc]
    """Holds when the query finds no row. The rows are counted in the database.

    Great Expectations' own one runs the query once more, and fetches up to 200 of what it finds.
    """

    metric_dependencies: ClassVar[tuple[str, ...]] = ("unexpected_rows_query.row_count",)

    def _validate(
        self, metrics: dict[str, Any], runtime_configuration: Any = None, execution_engine: Any = None
    ) -> dict[str, bool]:
        return {"success": metrics["unexpected_rows_query.row_count"] == 0}
