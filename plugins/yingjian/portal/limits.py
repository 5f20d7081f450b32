"""These limits say how much a form and an address of the portal take, and how much a page shows."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

UPLOAD_BYTES = 20 << 20
SHOWN_LINES = 200  # A page shows at most this many refused lines; a file with more has a more basic fault.
REASON_LENGTH = 500
PAGE_ROWS = 50
PageNumber = Annotated[int, Query(alias="page", ge=1, le=100_000)]
