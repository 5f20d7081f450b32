"""These routes show what waits for a decision, and take it: the sign-off of public figures, the release of a build."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi import Path as Segment
from fastapi.responses import Response

from yingjian.portal import questions
from yingjian.portal.access import CheckedForm, Entering
from yingjian.portal.limits import REASON_LENGTH
from yingjian.portal.pages import page, redirect
from yingjian.portal.readers import Need, Reader, RefusedError, may_answer
from yingjian.publishing.decision import (
    PATHS,
    RELEASE,
    SIGN_OFF,
    Answer,
    NoReasonError,
    NotDecidedError,
    NotOpenError,
    Question,
)

router = APIRouter()

QuestionId = Annotated[int, Segment(ge=1, le=2**63 - 1)]
Choice = Annotated[Literal["agree", "return"], Form()]
Reason = Annotated[str, Form(max_length=1000)]


@router.get("/sign-off/{question_id}")
def sign_off(request: Request, reader: Entering, question_id: QuestionId) -> Response:
    """Show the bulletin, its protected figures and what changed, with the two buttons."""
    return _show(request, reader, SIGN_OFF, question_id)


@router.post("/sign-off/{question_id}", dependencies=[CheckedForm])
def decide_sign_off(
    request: Request, reader: Entering, question_id: QuestionId, choice: Choice, reason: Reason = ""
) -> Response:
    return _decide(request, reader, SIGN_OFF, question_id, choice, reason)


@router.get("/release/{question_id}")
def release(request: Request, reader: Entering, question_id: QuestionId) -> Response:
    """Show the failed checks in words, with the two buttons."""
    return _show(request, reader, RELEASE, question_id)


@router.post("/release/{question_id}", dependencies=[CheckedForm])
def decide_release(
    request: Request, reader: Entering, question_id: QuestionId, choice: Choice, reason: Reason = ""
) -> Response:
    return _decide(request, reader, RELEASE, question_id, choice, reason)


def _decide(request: Request, reader: Reader, right: str, question_id: int, choice: str, reason: str) -> Response:
    question, _ = _question(reader, right, question_id)
    reason = " ".join(reason.split())
    if len(reason) > REASON_LENGTH:
        return _show(request, reader, right, question_id, 422, problem="long", given=reason)
    try:
        questions.decide(question, reader, choice == "agree", reason)
    except NoReasonError:
        return _show(request, reader, right, question_id, 422, problem="no_reason", given=reason)
    except NotOpenError:
        return _show(request, reader, right, question_id, 409, problem="not_open")
    except NotDecidedError:  # The right was taken away between the two looks.
        raise RefusedError(Need.ANSWER, reader) from None
    return redirect(request, f"/{PATHS[right]}/{question_id}")


def _question(reader: Reader, right: str, question_id: int) -> tuple[Question, Answer | None]:
    if not may_answer(reader, right):
        raise RefusedError(Need.ANSWER, reader)
    asked = questions.read(question_id, right)
    if asked is None:
        raise HTTPException(404)
    return asked


def _show(
    request: Request,
    reader: Reader,
    right: str,
    question_id: int,
    status: int = 200,
    problem: str = "",
    given: str = "",
) -> Response:
    question, answer = _question(reader, right, question_id)
    content: dict[str, Any] = (
        {"failed": questions.failed(question)} if right == RELEASE else {"bulletin": questions.bulletin(question)}
    )
    return page(
        request,
        reader,
        f"{right}.html.j2",
        status,
        question=question,
        answer=answer,
        is_open=answer is None and question.is_open,
        problem=problem,
        given=given,
        action=f"{request.scope['root_path']}/{PATHS[right]}/{question_id}",
        reason_length=REASON_LENGTH,
        **content,
    )
