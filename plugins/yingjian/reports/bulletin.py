"""This module writes the bulletin (article 31), which goes to the public once it is signed off, as a page and as a PDF.

It reads only the rows of `public_figure` of one publication, so that no unprotected count can get into it. A signatory sees
before the decision exactly what goes out after it: the same publication, the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import psycopg

from yingjian.database.rows import records
from yingjian.modelling import editions
from yingjian.reports.content import text
from yingjian.reports.render.atomic_file import write_whole
from yingjian.reports.render.html import environment
from yingjian.reports.render.pdf import typeset

HIDDEN = "＊"
FOOTNOTE = f"{HIDDEN} 为保护个人信息，1至{{most}}人的数字及可据以推算的数字不公布。"
TOPICS = {
    "infection": "新增感染者",
    "control": "隔离和健康监测",
    "screening": "区域核酸检测",
    "testing": "重点人群核酸检测",
    "vaccination": "60岁及以上居民疫苗接种",
}


@dataclass(frozen=True)
class Bulletin:
    """This class holds the files of one publication's bulletin."""

    page: Path
    pdf: Path

    @property
    def files(self) -> tuple[Path, Path]:
        return self.page, self.pdf


@dataclass(frozen=True)
class Line:
    """This is a figure of the town: `value` as it is printed, `share` of its topic's whole."""

    title: str
    value: str
    share: str
    basis: str


@dataclass(frozen=True)
class Topic:
    """The town's figures of a topic, and a table by community: first cell the community, then one per figure.

    A community without anybody is left out; where no community's figures are shown, `note` says so instead of a table.
    """

    title: str
    basis: str
    lines: Sequence[Line]
    note: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Content:
    """This class holds what the bulletin says, as it is printed; `footnote` is empty if nothing is hidden.

    `shown_from`: the smallest count that the bulletin shows (parameter `public_count_min`).
    """

    title: str
    sources: str
    publication_id: int
    as_of_date: date
    published_at: datetime
    state: str
    zones: Sequence[Line]
    zone_names: Sequence[tuple[str, str]]
    topics: Sequence[Topic]
    shown_from: int
    footnote: str


def write_bulletin(conn: psycopg.Connection[Any], publication_id: int, out_dir: Path) -> Bulletin:
    """Write `<out_dir>/<as_of_date>-p<publication_id>/bulletin.html` and `.pdf`; the same publication, the same bytes.

    Raises:
        LookupError: there is no such publication, or it has no public figures.
    """
    content = read_content(conn, publication_id)
    bulletin = bulletin_of(content, out_dir)
    bulletin.page.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    page = render(content)
    write_whole(bulletin.page, lambda path: path.write_text(page, encoding="utf-8", newline="\n"))
    write_whole(bulletin.pdf, lambda path: path.write_bytes(_pdf(content)))
    return bulletin


def bulletin_of(content: Content, out_dir: Path) -> Bulletin:
    """Return the files of a bulletin below `out_dir`, written or not."""
    folder = out_dir / f"{content.as_of_date:%Y-%m-%d}-p{content.publication_id}"
    return Bulletin(folder / "bulletin.html", folder / "bulletin.pdf")


def read_content(conn: psycopg.Connection[Any], publication_id: int) -> Content:
    """Read what the bulletin of a publication says. Raises LookupError when the publication has no public figures."""
    public_counts = records(
        conn,
        """
        select figures.*, publication.published_at, publication.policy_edition
        from published.public_figure as figures
        inner join published.publication as publication on figures.publication_id = publication.publication_id
        where figures.publication_id = %(id)s
        order by figures.sort_order, figures.community
        """,
        id=publication_id,
    )
    if not public_counts:
        raise LookupError(f"publication {publication_id} has no public figures")
    zones = [row for row in public_counts if row["topic"] == "zone"]
    edition = public_counts[0]["policy_edition"]
    plan, shown_from = editions.plan(edition), int(editions.parameter("public_count_min", edition))
    return Content(
        title=f"{plan.town}疫情防控信息",
        sources=f"依据《{plan.title}》第31条发布。",
        publication_id=publication_id,
        as_of_date=public_counts[0]["as_of_date"],
        published_at=public_counts[0]["published_at"],
        state="".join(row["wording"] for row in public_counts if row["topic"] == "state"),
        zones=[_line(row, None) for row in zones if not row["wording"]],
        zone_names=[(row["title"], row["wording"]) for row in zones if row["wording"]],
        topics=[_topic(title, rows) for name, title in TOPICS.items() if (rows := _of(public_counts, name))],
        shown_from=shown_from,
        footnote=FOOTNOTE.format(most=shown_from - 1) if any(row["is_protected"] for row in public_counts) else "",
    )


def _of(public_counts: list[dict[str, Any]], topic: str) -> list[dict[str, Any]]:
    return [row for row in public_counts if row["topic"] == topic]


def _topic(title: str, rows: list[dict[str, Any]]) -> Topic:
    town = [row for row in rows if not row["community"]]
    whole = next((row["value"] for row in town if row["is_whole"]), None)
    by_place: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["community"]:
            by_place.setdefault(row["community"], []).append(row)
    table = [
        [place, *(_value(row) for row in figures)]
        for place, figures in by_place.items()
        if any(row["is_protected"] or row["value"] for row in figures)
    ]
    all_hidden = bool(table) and all(set(cells[1:]) == {HIDDEN} for cells in table)
    return Topic(
        title=title,
        basis=town[0]["basis"],
        lines=[_line(row, None if row["is_whole"] else whole) for row in town],
        note=f"分社区数字不公布。{HIDDEN}" if all_hidden else "",
        columns=["社区", *("合计" if row["is_whole"] else row["title"].removeprefix("其中：") for row in town)],
        rows=[] if all_hidden else table,
    )


def _line(row: dict[str, Any], whole: int | None) -> Line:
    share = "" if row["value"] is None or not whole else text.percent(row["value"], whole)
    value = _value(row)
    return Line(row["title"], value if value == HIDDEN else f"{value} {row['unit']}", share, row["basis"])


def _value(row: dict[str, Any]) -> str:
    return HIDDEN if row["is_protected"] else text.number(row["value"])


def render(content: Content) -> str:
    """Return the page; every value is escaped."""
    return environment().get_template("bulletin.html.j2").render(content=content, day=text.full_day(content.as_of_date))


def _pdf(content: Content) -> bytes:
    report = asdict(content) | {
        "day": text.full_day(content.as_of_date),
        "as_of_date": content.as_of_date.isoformat(),
        "published_at": f"{content.published_at:%Y-%m-%d %H:%M}",
    }
    return typeset("bulletin", report, content.published_at)
