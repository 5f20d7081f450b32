"""This module lists the sections of the report in the order of the page; each family of them has a module."""

from yingjian.reports.sections import (
    clues,
    control,
    forecast,
    grids,
    infection,
    measures,
    overdue,
    provisions,
    quality,
    screening,
    zones,
)
from yingjian.reports.sections.section import Section

STATE, *_INFECTION = infection.SECTIONS
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
