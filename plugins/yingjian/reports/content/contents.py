"""This module lists the sections of the report in the order of the page, and the order of their actions."""

from yingjian.people.audience import Audience
from yingjian.reports.content.sections import (
    clues,
    control,
    forecast,
    grids,
    infection,
    measures,
    overdue,
    own_grid,
    provisions,
    quality,
    screening,
    zones,
)
from yingjian.reports.content.sections.section import Section

STATE, *_INFECTION = infection.SECTIONS
DISPOSITIONS, *_ = grids.SECTIONS
SECTIONS: tuple[Section, ...] = (
    STATE,
    *overdue.SECTIONS,
    *forecast.SECTIONS,
    *zones.SECTIONS,
    *_INFECTION,
    *screening.SECTIONS,
    *control.SECTIONS,
    *clues.SECTIONS,
    *measures.SECTIONS,
    *provisions.SECTIONS,
    *grids.SECTIONS,
    *quality.SECTIONS,
)
# The most dangerous comes first: an infection before a delay. A section that is not named here comes last.
DANGER = (
    "state", "positives", "pools", "contacts", "early", "monitoring", "zones", "pushes", "pharmacy", "controls",
    "overdue", "screening", "outbreak", "disinfection", "forecast-7", "provisions",
)  # fmt: skip
OWN_GRID = own_grid.section(DANGER)
QUALITY = next(section for section in SECTIONS if section.anchor == "quality")


def sections_of(audience: Audience) -> tuple[Section, ...]:
    """Return the sections that an audience may read; a grid has a section of its own.

    The state and the notes on the data concern the whole town, and are shown to a grid as such.
    """
    return (STATE, OWN_GRID, QUALITY) if audience.kind == "grid" else SECTIONS
