"""The form of a refused row, column by column: a sender corrects in it, and an official proposes a correction."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from fastapi.responses import Response

from yingjian.landing import templates
from yingjian.landing.feeds import FEEDS
from yingjian.landing.trial import Trial
from yingjian.portal.limits import REASON_LENGTH
from yingjian.portal.pages import page
from yingjian.portal.readers import Reader


def row_page(
    request: Request, reader: Reader, row: dict[str, Any], cells: list[str], back: str, status: int = 200,
    tried: Trial | None = None, *, given: str | None = None, problem: str = "",
) -> Response:  # fmt: skip
    """Show the form with the faulty cells marked; `back` is the page that it belongs to.

    `given` is the reason entered so far, or None if the form asks for none; `problem` is the key of what is wrong with it.
    """
    feed = FEEDS[row["feed"]]
    wrong = tried.refused[0].columns if tried and tried.refused else row["wrong_columns"] if tried is None else ()
    return page(
        request,
        reader,
        "sending_row.html.j2",
        status,
        row=row,
        feed=feed,
        cells=list(zip(feed.columns, cells, strict=True)),
        wrong=set(wrong),
        tried=tried,
        back=back,
        given=given,
        problem=problem,
        reason_length=REASON_LENGTH,
        requirement=templates.requirement,
        is_needed=templates.is_needed,
        options=templates.options,
    )
