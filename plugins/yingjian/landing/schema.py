"""Exports each feed's columns as JSON Schema, for senders that validate before sending (docs/feeds.md, "Senders").

A schema describes one row as an object of texts, keyed by header. Landing accepts whatever a schema accepts, as far as a single
column can tell; it also accepts variants such as other date formats or surrounding blanks.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from yingjian.landing.check import DAY_NUMBERS, DOCUMENT_PATTERNS, FREQUENCY
from yingjian.landing.feeds import FEEDS, RESIDENT_ID, Column, Feed
from yingjian.landing.templates import is_needed, options, requirement
from yingjian.names import HAS_PERSON_NUMBER

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DATE = r"[1-9]\d{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_PATTERNS = {
    "date": f"^{_DATE}$",
    "time": rf"^{_DATE} (?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d$",
    "id_number": "^[0-9A-Z]+$",
    "tests": f"(?:{FREQUENCY})|(?:{DAY_NUMBERS})",
}
_ROUNDED = r"^(?:\d(?:\.\d+)?[Ee]\+\d+|\d{16,}\.0)$"


def write_schemas(folder: Path) -> list[Path]:
    """Write every feed's schema into a folder, which is created if missing; return the paths in declaration order."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for feed in FEEDS.values():
        paths.append(folder / f"{feed.name}.schema.json")
        paths[-1].write_text(json.dumps(schema(feed), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return paths


def schema(feed: Feed) -> dict[str, Any]:
    """Return the JSON Schema of one row of a feed."""
    contract: dict[str, Any] = {
        "$schema": _DIALECT,
        "$id": f"urn:yingjian:feed:{feed.name}",
        "title": feed.title,
        "description": f"一行记录；主键：{'、'.join(feed.column(name).source for name in feed.key)}",
        "type": "object",
        "properties": {column.source: _property(column, feed) for column in feed.columns},
        "required": [column.source for column in feed.columns if not column.may_be_absent],
    }
    if feed.has_person:
        patterns = {RESIDENT_ID: "^[0-9]{17}[0-9X]$"} | DOCUMENT_PATTERNS
        contract["allOf"] = [
            {
                "if": {"properties": {"证件类型": {"const": id_type}}},
                "then": {"properties": {"证件号码": {"pattern": pattern}}},
            }
            for id_type, pattern in patterns.items()
        ]
    return contract


def _property(column: Column, feed: Feed) -> dict[str, Any]:
    cell = {"description": requirement(column, feed)} | _limits(column)
    if is_needed(column, feed):
        return {"minLength": 1} | cell if cell.get("type") == "string" else cell
    # An optional cell may also be the empty string.
    return {"description": cell.pop("description"), "anyOf": [{"const": ""}, cell]}


def _limits(column: Column) -> dict[str, Any]:
    if column.kind == "number":
        kind = "integer" if column.is_whole else "number"
        return {"type": kind, "minimum": column.low, "maximum": column.high}
    if codes := options(column):
        return {"type": "string", "enum": list(codes)}
    limits: dict[str, Any] = {"type": "string"}
    if column.kind in _PATTERNS:
        limits["pattern"] = _PATTERNS[column.kind]
    if column.kind in ("text", "place", "places", "frequency", "tests"):
        limits["maxLength"] = column.max_characters
    wrong = [HAS_PERSON_NUMBER] if column.is_name else []
    wrong += [_ROUNDED] if column.is_key or column.is_phone else []
    if wrong:
        limits["not"] = {"pattern": "|".join(f"(?:{pattern})" for pattern in wrong)}
    return limits
