"""Reader of the national list of risk areas: one JSON snapshot per file, as published in 2022."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from yingjian.landing.errors import INVISIBLE, FileRejectedError, as_text
from yingjian.names import BLANKS, comparable

MAX_BYTES = 64 << 20  # The longest list of 2022 was below 1 MiB.
_INVISIBLE = re.compile(f"[{INVISIBLE}]")
# Highest first: if an area is listed twice, the higher level wins.
LEVELS = {"highlist": "高", "middlelist": "中", "lowlist": "低"}
COUNTS = ("hcount", "mcount", "lcount")  # Declared number of areas per level, in the same order.
_EDGE = BLANKS + "、，,;；。.·"
_LISTED_AT = re.compile(r"^\s*([1-9]\d{3})-(\d{1,2})-(\d{1,2})\s*(\d{1,2})\s*(?:时|:00|点)")


@dataclass(frozen=True)
class Area:
    """One risk area: `area` as displayed, `area_match` in comparable form."""

    line: int
    level: str
    province: str
    city: str
    county: str
    area: str
    area_match: str


@dataclass(frozen=True)
class Snapshot:
    """A national list. rejected: (line, reason code, raw text); rows_superseded: rows that repeat an area."""

    listed_at: datetime
    counts: dict[str, int | None]
    areas: list[Area] = field(repr=False)
    rejected: list[tuple[int, str, str]] = field(repr=False)
    rows_read: int
    rows_superseded: int
    rows_repaired: int


def read_snapshot(path: Path) -> Snapshot:
    """Read a list; raises FileRejectedError if the file is not a list or has no readable time."""
    if path.stat().st_size > MAX_BYTES:
        raise FileRejectedError("名单过大，疑似异常文件，未读取")
    try:
        content: Any = json.loads(path.read_bytes().decode("utf-8-sig"), strict=False)
        if isinstance(content, str):
            content = json.loads(content, strict=False)
    except (ValueError, RecursionError) as error:
        raise FileRejectedError(f"不是可读的JSON（{type(error).__name__}）") from None
    data = content.get("data", content) if isinstance(content, dict) else None
    if isinstance(data, str):
        data = _loads(data)
    if not isinstance(data, dict):
        raise FileRejectedError("JSON中没有名单（data）")
    listed_at = _listed_at(data.get("end_update_time"))
    _require_counted_lists(data)

    areas: dict[tuple[str, str, str, str], Area] = {}
    rejected: list[tuple[int, str, str]] = []
    line = superseded = repaired = 0
    for list_name, level in LEVELS.items():
        for entry in _entries(data, list_name):
            province, city, county = (_clean(entry.get(name)) for name in ("province", "city", "county"))
            texts = entry.get("communitys")
            texts = [texts] if isinstance(texts, str) else texts
            for text in texts if isinstance(texts, list) and texts else [None]:
                line += 1
                area = _clean(text)
                if not area or not (province or city or county):
                    raw = json.dumps(entry if text is None else text, ensure_ascii=False)
                    rejected.append((line, "missing_value", as_text(raw)))
                    continue
                repaired += area != text
                match = comparable(area)
                place = (comparable(province), comparable(city), comparable(county), match)
                if place in areas:
                    superseded += 1
                else:
                    areas[place] = Area(line, level, province, city, county, area, match)
    counts = {name: data.get(name) if type(data.get(name)) is int else None for name in COUNTS}
    return Snapshot(listed_at, counts, list(areas.values()), rejected, line, superseded, repaired)


def _require_counted_lists(data: dict[str, Any]) -> None:
    """Reject a list that declares areas of a level but has none: treating it as empty would lower every area of that level."""
    for (list_name, level), count in zip(LEVELS.items(), COUNTS, strict=True):
        if type(data.get(count)) is int and data[count] > 0 and not data.get(list_name):
            raise FileRejectedError(f"名单写明有{level}风险区（{count}），却没有其列表（{list_name}）")


def _loads(text: str) -> Any:
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None


def _entries(data: dict[str, Any], list_name: str) -> list[dict[str, Any]]:
    entries = data.get(list_name) or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise FileRejectedError(f"名单{list_name}不是列表")
    return entries


def _listed_at(text: Any) -> datetime:
    match = _LISTED_AT.match(text) if isinstance(text, str) else None
    try:
        if match:
            year, month, day, hour = map(int, match.groups())
            midnight = datetime(year, month, day)  # noqa: DTZ001  The list has the wall time of Shanghai, as staging has.
            # The day's last list (24:00) gets the last second of that day, so that the models do not assign it to the next day.
            return midnight + timedelta(days=1, seconds=-1) if hour == 24 else midnight.replace(hour=hour)
    except (ValueError, OverflowError):
        pass
    raise FileRejectedError("名单没有可读的时间（end_update_time）")


def _clean(text: Any) -> str:
    return _INVISIBLE.sub("", as_text(text)).strip(_EDGE) if isinstance(text, str) else ""
