"""This module reads the questions that wait for a person, with all that a decision needs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from yingjian.database import warehouse
from yingjian.delivery.sign_off import who_may
from yingjian.people.audience import OFFICE
from yingjian.portal import reading
from yingjian.portal.accounts import ROLE
from yingjian.portal.readers import Reader, directory, may_answer, settings
from yingjian.publishing import decision
from yingjian.publishing.decision import PATHS, RELEASE, Answer, Question
from yingjian.publishing.verdict import failed_checks
from yingjian.reports.bulletin import Content, read_content
from yingjian.reports.differencing import SmallChange, small_changes


@dataclass(frozen=True)
class Change:
    """This figure differs between this bulletin and the released one."""

    topic: str
    title: str
    before: str
    after: str


@dataclass(frozen=True)
class Bulletin:
    """The bulletin that a sign-off is about, and what differs from the released one, if any is."""

    content: Content
    released: Content | None
    changes: Sequence[Change]
    small_changes: Sequence[SmallChange]


def all_open() -> list[Question]:
    with warehouse.connect(settings(), ROLE) as conn:
        return decision.open_questions(conn)


def open_for(reader: Reader) -> list[Question]:
    """Return the open questions that the reader may answer, oldest first."""
    if not any(may_answer(reader, right) for right in PATHS):
        return []
    return [question for question in all_open() if may_answer(reader, question.needed_right)]


def read(question_id: int, needed_right: str) -> tuple[Question, Answer | None] | None:
    """Return a question that needs this right, and its answer; None when there is no such question."""
    with warehouse.connect(settings(), ROLE) as conn:
        question = decision.question(conn, question_id)
        if question is None or question.needed_right != needed_right:
            return None
        return question, decision.answer_of(conn, question_id)


def decide(question: Question, reader: Reader, is_released: bool, reason: str) -> None:
    """Put the reader's decision on record. Raises the errors of `publishing.decision.decide`."""
    with warehouse.connect(settings(), ROLE) as conn:
        decision.decide(
            conn,
            question.question_id,
            login=reader.login,
            name=reader.official.name if reader.official else reader.login,
            is_released=is_released,
            reason=reason,
            allowed=who_may(directory(), question.needed_right),
        )


def failed(question: Question) -> list[tuple[str, str, int | None]]:
    """Return the critical checks that failed on the build of a release: table, sentence, number of rows."""
    assert question.needed_right == RELEASE and question.build_token
    with reading.reading(OFFICE) as conn:
        return failed_checks(conn, question.build_token)


def bulletin(question: Question) -> Bulletin:
    """Return the bulletin as it would go out; its figures are protected, so every signatory may read all of them."""
    assert question.publication_id is not None
    with reading.reading(OFFICE) as conn:
        content = read_content(conn, question.publication_id)
        row = conn.execute("select publication_id from published.released").fetchone()
        released, small = None, []
        if row and row[0] != question.publication_id:
            with suppress(LookupError):  # Its rows were deleted, as those of old publications are.
                released = read_content(conn, row[0])
                small = small_changes(conn, row[0], question.publication_id, content.shown_from)
    return Bulletin(content, released, changes(released, content) if released else [], small)


def changes(before: Content, after: Content) -> list[Change]:
    """Return the town's figures that differ, in the order of the bulletin; a missing one is a dash."""
    old, new = _lines(before), _lines(after)
    return [
        Change(topic, title, old.get((topic, title), "—"), new.get((topic, title), "—"))
        for topic, title in dict.fromkeys([*new, *old])
        if old.get((topic, title)) != new.get((topic, title))
    ]


def _lines(content: Content) -> dict[tuple[str, str], str]:
    return {("", "状态"): content.state} | {
        (topic, line.title): f"{line.value}{f'（{line.share}）' if line.share else ''}"
        for topic, lines in (("风险区", content.zones), *((topic.title, topic.lines) for topic in content.topics))
        for line in lines
    }
