"""The first page opens with some of the report's figures, for the reader's part."""

from __future__ import annotations

from collections.abc import Mapping

from yingjian.people.audience import Audience
from yingjian.portal.reading import Conn
from yingjian.reports.content.figures import Number, read_figures
from yingjian.reports.content.publication import Issue, Publication

CODES = ("required", "compliance", "overdue_persons", "high_zones", "medium_zones", "lowerable_zones")


def read_headline(conn: Conn, publication: Publication, audience: Audience) -> Mapping[str, Number]:
    """Return the printed values by code of those figures that are told to the audience; a grid has none."""
    issue = Issue(publication, [None, publication.publication_id], frozenset(), audience)
    figures = read_figures(conn, issue)
    return {
        code: figures.value(publication.publication_id, code).shown
        for code in CODES
        if code in figures.words and figures.words[code].is_told(audience)
    }
