"""This module reads the sections of a publication's report for one audience, and puts them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import psycopg

from yingjian.modelling import editions
from yingjian.people.audience import OFFICE, Audience
from yingjian.people.officials import Officials
from yingjian.reports.content import text
from yingjian.reports.content.contents import DANGER, DISPOSITIONS, OWN_GRID, STATE, sections_of
from yingjian.reports.content.definitions import definitions
from yingjian.reports.content.document import NO_LIMIT, Action, Document, Figure, Imprint
from yingjian.reports.content.figures import read_figures
from yingjian.reports.content.frames import NAMED
from yingjian.reports.content.publication import Issue, Publication, read_issue, read_responsible
from yingjian.reports.content.sections.grids import answered
from yingjian.reports.content.sections.quality import checked
from yingjian.reports.content.sections.section import Reading, Section, Written
from yingjian.reports.content.text import day, number


def read_document(
    conn: psycopg.Connection[Any], publication_id: int, audience: Audience = OFFICE, officials: Officials | None = None
) -> Document:
    """Return the report of a publication. The caller is inside `narrowed` for the same audience.

    Raises:
        LookupError: there is no such publication, or its rows were pruned.
    """
    issue = read_issue(conn, publication_id, audience)
    figures = read_figures(conn, issue)
    readings = [
        (section, section.read(conn, issue, figures)) for section in sections_of(audience) if section.is_for(issue)
    ]
    return document(issue, readings, read_responsible(conn, publication_id), officials or Officials())


def document(
    issue: Issue,
    readings: Sequence[tuple[Section, Reading]],
    responsible: Mapping[str, Sequence[str]],
    officials: Officials,
) -> Document:
    """Return the report of the sections' readings. `responsible` has the units by provision of the plan."""
    everything = [section.content(reading) for section, reading in readings]
    is_grid = issue.audience.kind == "grid"
    # The state and the quality of the data concern the whole town, so their figures and changes are not a grid's.
    written = [part for part in everything if part.section is OWN_GRID] if is_grid else everything
    publication, plan = issue.publication, editions.plan(issue.publication.policy_edition)
    findings = [finding for part in written for finding in part.findings] if issue.before else []
    improved = [words for part in written for words in part.improved] if issue.before else []
    state = "".join(sentence for part in everything if part.section is STATE for sentence in part.content.sentences)
    uncited = Document(
        title=f"{plan.town}应检尽检日报",
        publication=publication,
        audience=issue.audience,
        notice=_notice(publication, readings),
        state=f"全街道：{state}" if state and is_grid else state,
        state_basis=STATE.basis,
        is_emergency=any(part.content.is_emergency for part in everything),
        edition=editions.version(publication.policy_edition),
        imprint=_imprint(issue, plan.town, officials),
        outbreak=[line for part in written for line in part.content.outbreak],
        tiles=[tile for part in written for tile in part.content.tiles],
        compared=_compared(issue, any(finding.is_worse for finding in findings)),
        findings=findings,
        improved="；".join(improved),
        actions=[
            _with_people(action.by(responsible), officials) for action in _actions(publication, readings, written)
        ],
        facts=[*_scope(issue), *(fact for part in everything for fact in part.content.facts)],
        chapters=[part.chapter for part in written if part.section is not STATE],
        definitions=definitions(issue.as_of),
        sheets=[table for part in written for table in part.content.sheets],
        days=issue.days,
        hidden=issue.hidden,
        sources=f"依据{plan.sources}。内部资料，仅供疫情防控工作使用；不含防控对象的姓名、证件号码、电话、住址。",
    )
    return _cited(uncited)


def _cited(uncited: Document) -> Document:
    """Return the report with every citation in the one form that officials write (第二十八条，附件第23–28项)."""

    def cite(part: Any) -> Any:
        return replace(part, basis=text.cited(part.basis))

    def block(part: Any) -> Any:
        if isinstance(part, tuple):
            return tuple(block(each) for each in part)
        return replace(cite(part), note=text.cited(part.note)) if isinstance(part, Figure) else part

    return replace(
        uncited,
        state_basis=text.cited(uncited.state_basis),
        findings=[cite(finding) for finding in uncited.findings],
        actions=[cite(action) for action in uncited.actions],
        chapters=[replace(cite(one), blocks=[block(part) for part in one.blocks]) for one in uncited.chapters],
        definitions=[replace(cite(one), meaning=text.cited(one.meaning)) for one in uncited.definitions],
    )


def _with_people(action: Action, officials: Officials) -> Action:
    """Return the action with the officials who answer for its units, and where they are reached."""
    people = officials.responsible(action.units)[:NAMED]
    return replace(action, people=[f"{one.name} {one.phone}".strip() for one in people])


def _imprint(issue: Issue, town: str, officials: Officials) -> Imprint:
    """Return who issues the report: the town's office; the first who may sign off; the readers of this part."""
    signatories = officials.with_right("sign_off")
    readers = [one.name for one in officials.by_login.values() if one.audience == issue.audience]
    return Imprint(f"{town}防控办", signatories[0].name if signatories else "", readers)


def _failed(readings: Sequence[tuple[Section, Reading]]) -> tuple[int, int]:
    """Return the number of failed mandatory checks, and of failed checks that only give a hint."""
    (checks,) = (reading["checks"] for section, reading in readings if section.anchor == "quality")
    failed = int((checks["severity"] == "fail").sum())
    return failed, len(checks) - failed


def _notice(publication: Publication, readings: Sequence[tuple[Section, Reading]]) -> str:
    failed, _ = _failed(readings)
    if publication.released_by_hand:
        return (
            f"有 {number(failed)} 项必检项未通过，经人工批准发布。"
            f"理由：{publication.release_reason or '未填写'}。放行人：{publication.released_by or '未记录'}。"
        )
    (quality,) = (reading for section, reading in readings if section.anchor == "quality")
    return f"{checked(quality)}。"


def _compared(issue: Issue, is_worse: bool) -> str:
    if issue.before is None:
        return f"{day(issue.day_before)}没有发布，无上期数据，不能比较。"
    return "" if is_worse else "与前一日相比，没有变差的项目。"


def _actions(
    publication: Publication, readings: Sequence[tuple[Section, Reading]], written: Sequence[Written]
) -> list[Action]:
    """Return the day's actions: urgent ones first, then in the order of danger; never empty."""
    order = {anchor: place for place, anchor in enumerate(DANGER)}
    parts = sorted(written, key=lambda part: order.get(part.section.anchor, len(order)))
    answers = {
        key: words
        for section, reading in readings
        if section is DISPOSITIONS
        for key, words in answered(reading).items()
    }
    actions = [
        replace(action, text=action.text + answers.get(action.mart, ""))
        for part in parts
        for action in part.content.actions
    ]
    if publication.released_by_hand:
        failed, _ = _failed(readings)
        words = f"有 {number(failed)} 项必检项未通过，本期经人工放行，请先看放行理由和数据质量。"
        actions.insert(0, Action("谨慎使用", words, "第20条", is_urgent=True, limit=NO_LIMIT))
    return sorted(actions, key=lambda action: not action.is_urgent)


def _scope(issue: Issue) -> list[tuple[str, str]]:
    """Return a note on the scope of a part's report, with the sections that are not divided by parts."""
    audience = issue.audience
    if not audience.name:
        return []
    words = f"只含{audience.name}的数据，各项数字都是本{audience.part}的。"
    if audience.kind == "grid":
        return [("范围", f"{words}平急状态和以下各条数据说明是全街道的；社区的数字见社区日报。")]
    elsewhere = [section.title for section in sections_of(audience) if not section.is_for(issue)]
    return [("范围", words + (f"{'、'.join(elsewhere)}不按部门分，见街道日报。" if elsewhere else ""))]
