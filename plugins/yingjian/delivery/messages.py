"""What is said: subject and a few lines without any name; the pages go along as files, to those whose they are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Protocol

import psycopg
from jinja2 import Environment, PackageLoader, StrictUndefined

from yingjian.database.rows import records
from yingjian.delivery.ledger import Attempt
from yingjian.people.audience import Audience
from yingjian.people.officials import Official
from yingjian.reports import text, write_packs
from yingjian.reports.actions import actions
from yingjian.reports.audiences import narrowed
from yingjian.reports.bulletin import Bulletin, read_content, write_bulletin
from yingjian.reports.figures import read_figures
from yingjian.reports.html import tiles

MARK = "【应检】"


@dataclass(frozen=True)
class Message:
    """One message: `token` is its own for good, `facts` are label and value, `tasks` what is to be done, if anything.

    `link` leads to what the reader may open in Airflow; `files` go along by mail and into the shared folder.
    """

    token: str
    folder: str
    subject: str
    facts: tuple[tuple[str, str], ...]
    tasks: tuple[str, ...] = ()
    note: str = ""
    link: str = ""
    files: tuple[Path, ...] = ()

    def plain(self) -> str:
        """For readers of mail without HTML."""
        lines = [self.subject, *(f"{label}：{value}" for label, value in self.facts)]
        lines += [f"{number}. {task}" for number, task in enumerate(self.tasks, 1)]
        return "\n".join([*lines, *(line for line in (self.note, self.link) if line)]) + "\n"

    def html(self) -> str:
        """For mail: a small page of its own, without anything from outside."""
        environment = Environment(
            loader=PackageLoader("yingjian.delivery"), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        return environment.get_template("message.html.j2").render(message=self)

    def markdown(self) -> str:
        """For group robots: figures and the link."""
        lines = [f"**{self.subject}**", *(f"> {label}：**{value}**" for label, value in self.facts)]
        lines += [self.note] if self.note else []
        lines += [f"[打开]({self.link})"] if self.link else []
        return "\n\n".join(lines)


@dataclass(frozen=True)
class Edition:
    """The publication that is sent."""

    publication_id: int
    as_of_date: date
    is_by_hand: bool
    is_correction: bool

    @property
    def marks(self) -> str:
        """What a reader must know before anything else: that it replaces an earlier one, that its audit failed."""
        return f"{'（更正版）' if self.is_correction else ''}{'（人工放行）' if self.is_by_hand else ''}"


def read_edition(conn: psycopg.Connection[Any], publication_id: int) -> Edition:
    """Raises LookupError when there is no such publication."""
    found = records(
        conn,
        "select as_of_date, quality_status, is_correction from published.publication where publication_id = %(id)s",
        id=publication_id,
    )
    if not found:
        raise LookupError(f"there is no publication {publication_id}")
    return Edition(
        publication_id,
        found[0]["as_of_date"],
        found[0]["quality_status"] == "released_by_hand",
        found[0]["is_correction"],
    )


class Writer(Protocol):
    """Makes the message of an attempt."""

    def message(self, attempt: Attempt, official: Official) -> Message: ...


@dataclass(frozen=True)
class Letter:
    """A few lines, the same for everybody: about no publication. The subject goes without the mark."""

    subject: str
    facts: tuple[tuple[str, str], ...] = ()
    note: str = ""
    link: str = ""
    secret: bytes = field(default=b"", repr=False)

    def message(self, attempt: Attempt, official: Official) -> Message:
        return Message(token(attempt, self.secret), "", f"{MARK}{self.subject}", self.facts, (), self.note, self.link)


def token(attempt: Attempt, secret: bytes) -> str:
    """The same for the same attempt whoever makes it; not to be guessed, so that no stranger reports a bounce."""
    name = f"{attempt.publication_id}/{attempt.what}/{attempt.occasion}/{attempt.official}/{attempt.channel}/{attempt.number}"
    digest = hashlib.blake2b(name.encode(), key=secret[:64], digest_size=12, person=b"message-id").hexdigest()
    return f"{attempt.what}.{attempt.publication_id or 0}.{digest}"


class Composer:
    """Makes the messages of a publication; what several of them need is read or written once."""

    def __init__(
        self, conn: psycopg.Connection[Any], publication_id: int, reports: Path, secret: bytes, link: str
    ) -> None:
        self.edition = read_edition(conn, publication_id)
        self._conn = conn
        self._reports = reports
        self._secret = secret
        self._link = link
        self._summaries: dict[Audience, tuple[tuple[tuple[str, str], ...], tuple[str, ...]]] = {}
        self._bulletin: Bulletin | None = None

    def message(self, attempt: Attempt, official: Official) -> Message:
        """The message of an attempt. Raises LookupError when the publication's rows were pruned."""
        if attempt.what == "pack":
            return self._pack(attempt, official)
        return self._of_bulletin(attempt)

    @property
    def _folder(self) -> str:
        return f"{self.edition.as_of_date:%Y-%m-%d}-p{self.edition.publication_id}"

    def _pack(self, attempt: Attempt, official: Official) -> Message:
        audience = attempt.audience
        by_hand = self.edition.is_by_hand
        facts, tasks = self._summary(audience)
        return Message(
            token=token(attempt, self._secret),
            folder=self._folder,
            subject=f"{MARK}{text.day(self.edition.as_of_date)}日报 {audience.title}"
            f"（第{self.edition.publication_id}期）{self.edition.marks}",
            facts=facts,
            tasks=tasks,
            note="本期有质量检查未通过，经人工放行，详见日报。" if by_hand else "",
            link=self._link,
            files=self._files(audience, with_names=official.may("persons")),
        )

    def _summary(self, audience: Audience) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
        """The page's own headline figures and what is to be done, of the audience's part."""
        if audience not in self._summaries:
            with narrowed(self._conn, audience):
                figures = read_figures(self._conn, self.edition.publication_id)
            facts = tuple((tile.label, f"{tile.value}{tile.unit}，{tile.note}".rstrip("，")) for tile in tiles(figures))
            to_do = tuple(f"{action.heading}：{action.text}（{action.basis}）" for action in actions(figures))
            self._summaries[audience] = (facts, to_do)
        return self._summaries[audience]

    def _files(self, audience: Audience, *, with_names: bool) -> tuple[Path, ...]:
        """The audience's pack as it was written; written now where it is missing.

        A spreadsheet with names goes only to officials who may see persons; page and PDF have none.
        """
        kinds = ["html", "pdf"]
        if with_names or not audience.sees_names:
            kinds.insert(1, "xlsx")
        paths = tuple(self._reports / self._folder / f"{audience.code}.{kind}" for kind in kinds)
        if not all(path.is_file() for path in paths):
            write_packs(self._conn, self.edition.publication_id, self._reports, [audience])
        return paths

    def _of_bulletin(self, attempt: Attempt) -> Message:
        content = read_content(self._conn, self.edition.publication_id)
        if self._bulletin is None:
            self._bulletin = write_bulletin(self._conn, self.edition.publication_id, self._reports)
        day = f"{text.day(self.edition.as_of_date)}对外发布数字（第{self.edition.publication_id}期）"
        subject, note = {
            "bulletin": (f"{text.day(self.edition.as_of_date)}疫情防控信息（第{self.edition.publication_id}期）", ""),
            "request": (f"请审签：{day}", "附件为待发布稿。任一有权人员或代理人在 Airflow 中批准或退回即可，退回请写明理由。"),
            "reminder": (f"催办，请审签：{day}", "尚未有人审签，时限将至；逾期不发布。"),
            "expiry": (f"审签未完成，未发布：{day}", "时限内无人审签，本期数字没有对外发布。"),
        }[attempt.what]  # fmt: skip
        facts = [("状态", content.state)]
        facts += [(topic.lines[0].title, topic.lines[0].value) for topic in content.topics]
        return Message(
            token=token(attempt, self._secret),
            folder=self._folder,
            subject=f"{MARK}{subject}",
            facts=tuple(facts),
            note=note,
            link="" if attempt.what == "bulletin" else self._link,
            files=self._bulletin.files,
        )


def people(logins: Iterable[str]) -> str:
    """Logins as a list to read."""
    return "、".join(sorted(set(logins)))
