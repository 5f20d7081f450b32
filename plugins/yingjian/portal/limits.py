"""These limits say how much one form of the portal takes, and how much of it a page shows."""

from __future__ import annotations

UPLOAD_BYTES = 20 << 20
SHOWN_LINES = 200  # A page shows so many refused lines; a file with more has another fault to look for first.
REASON_LENGTH = 500
