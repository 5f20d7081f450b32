"""This module reads what the map, the trends, the comparison and the wall display show.

All figures come from `reports.content.figures`, so that they read as they do in the report. Grids have only what the marts count
by grid: overdue items on the list, and the answers to them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil

from markupsafe import Markup

from yingjian.database.rows import records
from yingjian.modelling.marts import published
from yingjian.people.audience import Audience
from yingjian.portal.reading import Conn
from yingjian.reports.content.contents import STATE
from yingjian.reports.content.document import Figure, Table
from yingjian.reports.content.figures import Figures, Number, Words, read_communities, read_figures
from yingjian.reports.content.frames import BLANK, read_frame
from yingjian.reports.content.publication import TREND_DAYS, Issue, read_issue
from yingjian.reports.content.sections import overdue
from yingjian.reports.content.sections.section import Reading
from yingjian.reports.content.text import NOTHING, number
from yingjian.reports.content.today import natural
from yingjian.reports.render import charts

DAYS = 30
CHART_HEIGHT = 150
# The map can be coloured by those of these figures that the audience has by community.
MAPPED = ("zones", "overdue_persons", "compliance")
OF_GRIDS = "overdue_items"  # This figure is the colour of the grids; the marts count it by grid.
TRENDS = (
    "overdue_persons", "compliance", "missed", "new_cases", "positives_open", "contacts_overdue", "controlled", "blocked",
    "zones", "screening_coverage", "pushes_open", "answered",
)  # fmt: skip
ON_SCREEN = (
    "overdue_persons", "compliance", "required", "positives_open", "contacts_overdue", "high_zones", "medium_zones",
)  # fmt: skip
SCREEN_TRENDS = ("overdue_persons", "compliance", "new_cases", "positives_open", "controlled", "zones")
COMPARED_TRENDS = ("overdue_persons", "compliance")
RANKS = 5  # The wall display shows this many ranks.
WORST = 3  # This is the darkest shade.
TOLERANCE = 1e-9  # A share is a binary fraction, so a third of a gap may be a little more than a third.
ZONE_LEGEND = {0: "无中高风险区", 2: "有中风险区", 3: "有高风险区"}
GRID_NOTE = "网格只统计清单上的逾期项及其处置；其他指标不分网格。"


@dataclass(frozen=True)
class Tile:
    """A tile of the map: a community, or a grid of one.

    `shade` is 0 (nothing to do) to 3. `levels` marks zones by their level, with their number for a community and the zone's
    name for a grid. `cells` are the texts in the table beside the map.
    """

    name: str
    community: str
    grid: str
    written: str
    shade: int
    levels: Sequence[tuple[str, str]] = ()
    cells: Sequence[str] = ()


@dataclass(frozen=True)
class Map:
    """A map shows the `columns` of its table, one of which (`title`) colours it; `legend` gives the values of each shade."""

    title: str
    note: str
    columns: Sequence[str]
    tiles: Sequence[Tile]
    legend: Sequence[tuple[int, str]]


@dataclass(frozen=True)
class Compared:
    """A figure of two communities; `better` is 0 or 1 for the one that is better off, None where neither is."""

    figures: tuple[Figure, Figure]
    better: int | None


@dataclass(frozen=True)
class Overview:
    """An overview has the figures of an audience over the days, and those of each community, in the natural order."""

    issue: Issue
    figures: Figures
    communities: Mapping[str, Figures]

    def daily(self, codes: Sequence[str]) -> tuple[Figure, ...]:
        return self.figures.daily(self.issue, codes)

    @property
    def mapped(self) -> dict[str, str]:
        """Return the titles of the figures that can colour the map, by code."""
        words = next(iter(self.communities.values())).words if self.communities else {}
        return {code: words[code].title for code in MAPPED if code in words}

    def map(self, code: str) -> Map:
        """Return the communities, coloured by a figure of `mapped`."""
        columns = self.mapped
        by_place = {
            name: dict(zip(columns, figures.daily(self.issue, list(columns)), strict=True))
            for name, figures in self.communities.items()
        }
        levels = {name: self._levels(figures) for name, figures in self.communities.items()}
        coloured = [figures[code] for figures in by_place.values()]
        if code == "zones":
            shade = [WORST if "高" in dict(level) else WORST - 1 if level else 0 for level in levels.values()]
            legend = [(each, ZONE_LEGEND[each]) for each in sorted(set(shade))]
        else:
            shade = shades([figure.today for figure in coloured], self.figures.words[code].better)
            legend = _legend(shade, coloured)
        tiles = [
            Tile(
                name or BLANK, name, "", figures[code].written, shade[place], levels[name],
                [each.written for each in figures.values()],
            )
            for place, (name, figures) in enumerate(by_place.items())
        ]  # fmt: skip
        return Map(columns[code], self.figures.words[code].definition, list(columns.values()), tiles, legend)

    def compared(self, first: str, second: str) -> list[Compared]:
        """Return every figure that communities have, of two of them."""
        pair = (self.communities[first], self.communities[second])
        codes = list(pair[0].words)
        both = zip(codes, *(each.daily(self.issue, codes) for each in pair), strict=True)
        return [Compared((one, other), _better(self.figures.words[code], one, other)) for code, one, other in both]

    def _levels(self, figures: Figures) -> list[tuple[str, str]]:
        """Return the levels of the zones of a community, each with how many there are."""
        counts = [
            (level, figures.value(self.issue.publication_id, code).part)
            for level, code in (("高", "high_zones"), ("中", "medium_zones"))
        ]
        return [(level, number(count)) for level, count in counts if count]


def read_overview(conn: Conn, publication_id: int, audience: Audience) -> Overview:
    """Return the overview of a publication. The caller is inside `narrowed` for the same audience."""
    issue = read_issue(conn, publication_id, audience, DAYS)
    figures = read_figures(conn, issue)
    communities = read_communities(conn, issue, figures)
    # Some figures name a place that is no community of the day, such as a blank name; it gets no tile.
    places = [
        name
        for name, own in communities.items()
        if (audience.kind != "community" or name == audience.name)
        and any(code in own.values.get(publication_id, {}) for code in MAPPED)
    ]
    ordered = sorted(places, key=lambda name: (not name, natural(name)))
    return Overview(issue, figures, {name: communities[name] for name in ordered})


def read_grids(conn: Conn, overview: Overview, community: str) -> Map | None:
    """Return the grids of a community, coloured by their overdue items; None where the audience reads no grids."""
    issue, words = overview.issue, overview.figures.words[OF_GRIDS]
    grids = records(
        conn,
        """
        select grid, coalesce(items, 0) as items, coalesce(answered, 0) as answered, coalesce(population, 0) as population
        from (
            select grid, population from grid_population where publication_id = %(id)s and community = %(community)s
        ) as grids
        full join (
            select grid, items, answered from disposition_daily
            where publication_id = %(id)s and as_of_date = %(day)s and community = %(community)s and list = 'overdue'
        ) as listed using (grid)
        """,
        id=issue.publication_id,
        day=issue.as_of,
        community=community,
    )
    if not grids:
        return None
    grids.sort(key=lambda row: (not row["grid"], natural(row["grid"])))
    zones = _zones(conn, issue.publication_id, community)
    labels = published()["disposition_daily"].labels
    figures = [Figure("grid", words.title, [""], [row["items"]], words.unit) for row in grids]
    shade = shades([row["items"] for row in grids], words.better)
    tiles = [
        Tile(
            row["grid"] or BLANK, community, row["grid"], figure.written, shade[place],
            [(level, name) for name, level, grids in zones if not grids or row["grid"] in grids],
            [figure.written, number(row["answered"]), number(row["population"])],
        )
        for place, (row, figure) in enumerate(zip(grids, figures, strict=True))
    ]  # fmt: skip
    columns = [words.title, labels["answered"], published()["grid_population"].labels["population"]]
    return Map(words.title, GRID_NOTE, columns, tiles, _legend(shade, figures))


def read_rankings(conn: Conn, overview: Overview) -> list[Table]:
    """Return the report's rankings, which only the office reads. The caller is inside `narrowed`."""
    issue = replace(overview.issue, by_day=overview.issue.by_day[-TREND_DAYS:])
    trend = [publication_id for publication_id in issue.by_day if publication_id is not None]
    ranks = read_frame(conn, overdue.QUERIES["ranks"], trend=trend)
    return overdue.rankings(Reading(issue, {"ranks": ranks}, (), overview.figures))


def read_state(conn: Conn, overview: Overview) -> tuple[bool, str]:
    """Return whether the town is in emergency, and the report's sentence without its reason, which names a case."""
    content = STATE.write(STATE.read(conn, overview.issue, overview.figures))
    return content.is_emergency, "".join(content.sentences).partition("：")[0]


def chart(figure: Figure, prefix: str = "trend") -> Markup:
    """Return the line of a figure over the days; empty where it has nothing to show."""
    if not figure.has_chart:
        return Markup("")
    return charts.line_chart(
        f"{prefix}-{figure.key}", f"近{DAYS}日{figure.title}", figure.labels, figure.values, height=CHART_HEIGHT,
        is_count=not figure.is_share,
    )  # fmt: skip


def shades(values: Sequence[Number], better: str) -> list[int]:
    """Return how dark each value is: 0 where nothing is missing, else thirds of the worst value, which is 3."""
    gaps = [0.0 if value is None else 1 - value if better == "more" else float(value) for value in values]
    worst = max(gaps, default=0.0)
    return [ceil(WORST * gap / worst - TOLERANCE) if worst else 0 for gap in gaps]


def _legend(shade: Sequence[int], figures: Sequence[Figure]) -> list[tuple[int, str]]:
    """Return the shades in use, each with its smallest and largest value."""
    legend = []
    for each in sorted(set(shade)):
        alike = [figure for own, figure in zip(shade, figures, strict=True) if own == each and figure.today is not None]
        ends = sorted(alike, key=lambda figure: figure.today or 0)
        words = [ends[0].written, ends[-1].written] if ends else [NOTHING]
        legend.append((each, "–".join(dict.fromkeys(words))))
    return legend


def _zones(conn: Conn, publication_id: int, community: str) -> list[tuple[str, str, Sequence[str]]]:
    """Return name, level and grids of the zones above low in a community; without grids a zone is all of it."""
    zones = records(
        conn,
        """
        select coalesce(nullif(name, ''), zone_id) as name, level, grids from risk_zone
        where publication_id = %(id)s and level in ('高', '中') and %(community)s = any(communities)
        order by array_position(array['高', '中'], level), name collate "C", zone_id collate "C"
        """,
        id=publication_id,
        community=community,
    )
    return [(row["name"], row["level"], row["grids"] or ()) for row in zones]


def _better(words: Words, one: Figure, other: Figure) -> int | None:
    if words.better == "none" or one.today is None or other.today is None or one.today == other.today:
        return None
    return int((one.today < other.today) == (words.better == "more"))
