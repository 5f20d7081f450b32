"""This module lists the sections of the report in the order of the page, and the order in which their actions are told."""

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
# The order is that of danger: an infection comes before a delay. A section that is not named here comes last.
DANGER = (
    "state", "positives", "pools", "contacts", "early", "monitoring", "zones", "pushes", "pharmacy", "controls",
    "overdue", "screening", "outbreak", "disinfection", "forecast-7", "provisions",
)  # fmt: skip
