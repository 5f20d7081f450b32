"""This module reads a landing folder by feeds.md alone: rows with repaired cells from all files, and the national lists.

It does not decide which rows must be rejected: the caller passes the keys that are to be left out.
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

from openpyxl import load_workbook

Row = dict[str, str]

KEYS = {
    "key_population": ("记录编号",),
    "test_results": ("样本编号", "证件号码"),
    "pharmacy_purchases": ("登记编号",),
    "arrivals": ("申报编号",),
    "contacts": ("编号",),
    "cases": ("病例编号",),
    "residents": ("证件类型", "证件号码"),
    "referrals": ("编号",),
    "dispositions": ("编号",),
    "health_checks": ("编号",),
    "risk_zones": ("通告编号", "风险区编号"),
    "declarations": ("通告编号",),
    "exemptions": ("编号",),
    "vaccinations": ("记录编号",),
    "releases": ("编号",),
    "disinfections": ("编号",),
    "teams": ("编号",),
}  # The second reading needs only these feeds.
PLACES = ("社区", "网格", "楼栋", "目的社区", "范围社区", "范围网格")  # These columns hold places in every feed.
FIRST_SERIAL = date(1899, 12, 30)  # A spreadsheet counts days from here.


@dataclass(frozen=True)
class Listed:
    """One area of a national list: the list's time and order of arrival, the level, the county and the area, folded."""

    moment: datetime
    arrival: int
    level: str
    county: tuple[str, str, str]
    area: str


@dataclass
class Landing:
    """rows: every version of every key, by feed, in order of arrival. lists: the time and order of arrival of each list."""

    rows: dict[str, list[Row]] = field(default_factory=lambda: {feed: [] for feed in KEYS})
    listed: list[Listed] = field(default_factory=list)
    lists: list[tuple[datetime, int]] = field(default_factory=list)


def fold(text: str) -> str:
    """ "Text is folded for comparison (blanks, full width, edge punctuation) by one function"."""
    narrow = unicodedata.normalize("NFKC", text)
    return re.sub(r"\s", "", narrow).strip("、，,;；。.·")


def read_landing(folder: Path, rejected: list[tuple[str, str, str]] | None = None) -> Landing:
    """Return everything in the folder except the rows that `rejected` names: feed, key as sent, reason."""
    landing = Landing()
    reasons: dict[tuple[str, str], set[str]] = {}
    for feed, key, reason in rejected or []:
        reasons.setdefault((feed, key), set()).add(reason)
    for feed in KEYS:
        for path in _files(folder / feed):
            for sent in _table(path):
                why = reasons.get((feed, sent[KEYS[feed][0]]), set())
                if not sent[KEYS[feed][0]] or why - REFUSED.keys():
                    continue
                row = _repaired(sent)
                if not any(REFUSED[reason](row) for reason in why):
                    landing.rows[feed].append(row)
    for arrival, path in enumerate(_files(folder / "risk_areas")):
        _add_list(landing, arrival, json.loads(path.read_text(encoding="utf-8"))["data"])
    return landing


def _files(folder: Path) -> list[Path]:
    """Return the files of a feed by name; a second copy `(1)` follows the first."""
    paths = folder.iterdir() if folder.is_dir() else []
    return sorted(paths, key=lambda path: (path.stem.split("(")[0], path.stem))


def is_out_of_order(row: Row) -> bool:
    """ "times of one row in an impossible order": this is true of the rejected version of a key."""
    pairs = (("检测时间", "采样时间"), ("出院日期", "采样日期"), ("核查时间", "下发时间"), ("移出日期", "起始日期"),
             ("截止日期", "起始日期"), ("迁出日期", "迁入日期"), ("结束时间", "开始时间"))  # fmt: skip
    return any(row.get(late) and row.get(early) and row[late] < row[early] for late, early in pairs)


def _has_unknown_code(row: Row) -> bool:
    """Return whether 检测结果 is none of 阴性/阳性/待出/无效; feeds without it lose every version of the key."""
    return row.get("检测结果", "") not in ("阴性", "阳性", "待出", "无效")


def _lacks(row: Row) -> bool:
    """ "核查结果 without 核查时间 is refused (missing_value)"; a vaccination without a dose says 禁忌 or 拒种."""
    if "核查结果" in row:
        return bool(row["核查结果"] and not row["核查时间"])
    return not all(row.values())


# With these reasons only some versions of a key are rejected: "A rejected row supersedes nothing". Others reject the whole key.
REFUSED: dict[str, Callable[[Row], bool]] = {
    "time_order": is_out_of_order,
    "unknown_code": _has_unknown_code,
    "missing_value": _lacks,
}


def _table(path: Path) -> list[Row]:
    """ "CSV arrives as UTF-8, UTF-8 with BOM, or GB18030; spreadsheets as .xlsx, with up to five title lines"."""
    content = path.read_bytes()
    if content.startswith(b"PK"):
        sheet = load_workbook(io.BytesIO(content), read_only=True, data_only=True).worksheets[0]
        lines = [["" if cell is None else str(cell) for cell in line] for line in sheet.iter_rows(values_only=True)]
        first = max(range(min(6, len(lines))), key=lambda i: sum(bool(cell) for cell in lines[i]))
        lines = lines[first:]
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("gb18030")
        lines = list(csv.reader(io.StringIO(text)))
    header = [name.strip() for name in lines[0]]
    return [dict(zip(header, map(_plain, line), strict=True)) for line in lines[1:] if any(line)]


def _plain(cell: str) -> str:
    """Remove "surrounding blanks, a leading apostrophe"."""
    return cell.strip().removeprefix("'").strip()


def _repaired(row: Row) -> Row:
    """ "full-width digits and letters, a lower-case x, dates ..., times with or without seconds": dates and times in ISO form."""
    repaired = dict(row)
    for name, text in row.items():
        if name in PLACES:
            repaired[name] = "、".join(part for part in map(fold, re.split("[、，,;；]", text)) if part)
        elif name == "证件号码":
            repaired[name] = unicodedata.normalize("NFKC", text).upper()
        elif text and (name.endswith("日期") or name.endswith("时间") or name == "日期"):
            repaired[name] = _moment(unicodedata.normalize("NFKC", text), with_time=name.endswith("时间"))
    return repaired


def _moment(text: str, *, with_time: bool) -> str:
    day, _, clock = text.replace("T", " ").partition(" ")
    if re.fullmatch(r"\d{5}(\.\d+)?", day):
        moment = datetime.combine(FIRST_SERIAL, datetime.min.time()) + timedelta(float(day))
        return moment.isoformat(" ", "seconds") if with_time else moment.date().isoformat()
    match = re.fullmatch(r"(\d{4})[-/年]?(\d{1,2})[-/月]?(\d{1,2})日?", day)
    assert match, "a date in none of the forms of feeds.md"
    iso_date = date(*map(int, match.groups())).isoformat()
    if not with_time:
        return iso_date
    parts = [int(part) for part in clock.split(":")] if clock else [0]
    hour, minute, second = (*parts, 0, 0)[:3]
    return f"{iso_date} {hour:02d}:{minute:02d}:{second:02d}"


def _add_list(landing: Landing, arrival: int, data: dict[str, object]) -> None:
    match = re.fullmatch(r"(\d{4}-\d{1,2}-\d{1,2}) (\d{1,2})时", str(data["end_update_time"]))
    assert match
    moment = datetime.strptime(f"{match[1]} {match[2]}", "%Y-%m-%d %H")
    landing.lists.append((moment, arrival))
    for name, level in (("highlist", "高"), ("middlelist", "中")):
        places: list[dict[str, object]] = data.get(name) or []  # type: ignore[assignment]
        for place in places:
            county = (fold(str(place["province"])), fold(str(place["city"])), fold(str(place["county"])))
            areas: list[str] = place["communitys"]  # type: ignore[assignment]
            landing.listed += [Listed(moment, arrival, level, county, fold(area)) for area in areas if fold(area)]
