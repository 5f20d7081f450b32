"""These routes let an official choose what to be told, over which channel, and when not."""

from __future__ import annotations

from datetime import time
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import Response

from yingjian.delivery import choices
from yingjian.delivery.messages import CHOICE_PAGE
from yingjian.portal import notifications
from yingjian.portal.access import CheckedForm, OfPart
from yingjian.portal.pages import page, redirect

router = APIRouter()


@router.get(CHOICE_PAGE)
def own_choice(request: Request, reader: OfPart, saved: bool = False) -> Response:
    """Show the reader's choice, or the defaults."""
    assert reader.official
    return page(
        request,
        reader,
        "notifications.html.j2",
        choice=notifications.choice_of(reader),
        channels=notifications.channels_of(reader.official),
        messages=choices.MESSAGES,
        hours=choices.HOURS_BEFORE,
        key=choices.key,
        is_saved=saved,
    )


@router.post(CHOICE_PAGE, dependencies=[CheckedForm])
def choose(
    request: Request,
    reader: OfPart,
    quiet_from: Annotated[time, Form()],
    quiet_to: Annotated[time, Form()],
    hours_before: Annotated[int, Form()],
    wants: Annotated[list[str], Form(max_length=20)] = [],  # noqa: B006  # FastAPI makes a new one of it.
) -> Response:
    """Keep the choice and show it."""
    try:
        notifications.choose(reader, wants, quiet_from, quiet_to, hours_before)
    except ValueError:
        raise HTTPException(400) from None
    return redirect(request, f"{CHOICE_PAGE}?saved=true")
