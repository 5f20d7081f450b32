"""This module writes messages: a subject and a few lines without names of persons. The pages are attached as files."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Protocol

import psycopg
from jinja2 import Environment, PackageLoader, StrictUndefined

from yingjian.database.rows import records
from yingjian.delivery.choices import NOBODY_CHOSE, Choices
from yingjian.delivery.ledger import Attempt
from yingjian.people.audience import Audience
from yingjian.people.officials import Official, Officials
from yingjian.reports.bulletin import Bulletin, Content, bulletin_of, read_content, write_bulletin
from yingjian.reports.content import text
from yingjian.reports.content.publication import issue_number
from yingjian.reports.packs import Pack, pack_of, write_packs

MARK = "【应检】"
CHOICE_PAGE = "/notifications"  # This is the portal's page on which officials select their messages.
CHANGE = "更改接收内容、方式和免打扰时段"
PICTURE_BYTES = 2 * 1024 * 1024  # WeCom accepts no larger picture.
TASKS = 5  # DingTalk gets no picture, so its text lists the first tasks instead.


@dataclass(frozen=True)
class Message:
    """A message says what has happened and what is to be done.

    `token` identifies the message permanently, `facts` are pairs of label and value, `tasks` are the actions for the
    reader. `link` leads to a page of the portal that the reader may open. `files` go along by mail and into the shared
    folder, `long_lists` into the folder alone. `picture` is the first page for a group that shows pictures. `choice` is
    the link to the page on which the reader chooses messages.
    """

    token: str
    folder: str
    subject: str
    facts: tuple[tuple[str, str], ...]
    tasks: tuple[str, ...] = ()
    note: str = ""
    link: str = ""
    files: tuple[Path, ...] = ()
    long_lists: tuple[Path, ...] = ()
    picture: Path | None = None
    choice: str = ""

    def plain(self) -> str:
        """Return the plain-text body of a mail."""
        lines = [self.subject, *(f"{label}：{value}" for label, value in self.facts)]
        lines += [f"{number}. {task}" for number, task in enumerate(self.tasks, 1)]
        return "\n".join([*lines, *(line for line in (self.note, self.link, self._change) if line)]) + "\n"

    @property
    def _change(self) -> str:
        return f"{CHANGE}：{self.choice}" if self.choice else ""

    def html(self) -> str:
        """Return the HTML body of a mail, which loads nothing from outside."""
        environment = Environment(
            loader=PackageLoader("yingjian.delivery"), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        return environment.get_template("message.html.j2").render(message=self, change=CHANGE)

    def markdown(self, tasks: int) -> str:
        """Return the text for group robots: the figures, the first `tasks` tasks and the link."""
        lines = [f"**{self.subject}**", *(f"> {label}：**{value}**" for label, value in self.facts)]
        if self.tasks and tasks:
            lines += ["**今日重点工作**", *(f"{place}. {task}" for place, task in enumerate(self.tasks[:tasks], 1))]
        lines += [self.note] if self.note else []
        lines += [f"[打开]({self.link})"] if self.link else []
        return "\n\n".join(lines)

    def words(self, channel: str) -> str:
        """Return the text that a channel sends; the shared folder has none."""
        if channel == "folder":
            return ""
        if channel == "mail":
            return self.plain()
        return self.markdown(0 if channel == "wecom" and self.picture else TASKS)

    def shown(self, channel: str) -> Path | None:
        """Return the picture that a channel shows: only WeCom does, if the file exists and is not too large."""
        if channel != "wecom" or self.picture is None or not self.picture.is_file():
            return None
        return self.picture if self.picture.stat().st_size <= PICTURE_BYTES else None

    def attached(self, channel: str) -> tuple[Path, ...]:
        """Return the files that a channel attaches: mail leaves out long lists, and a group robot attaches none."""
        return {"mail": self.files, "folder": self.files + self.long_lists}.get(channel, ())


@dataclass(frozen=True)
class Edition:
    """An edition is the publication that is sent."""

    publication_id: int
    as_of_date: date
    is_by_hand: bool
    is_correction: bool

    @property
    def number(self) -> str:
        """Return the number of the issue, as printed in the report."""
        return issue_number(self.as_of_date)

    @property
    def marks(self) -> str:
        """Return the marks for the subject: the edition corrects an earlier one, or a person released it despite its audit."""
        return f"{'（更正版）' if self.is_correction else ''}{'（人工放行）' if self.is_by_hand else ''}"


def read_edition(conn: psycopg.Connection[Any], publication_id: int) -> Edition:
    """Return the edition. Raises LookupError when there is no such publication."""
    publications = records(
        conn,
        "select as_of_date, quality_status, is_correction from published.publication where publication_id = %(id)s",
        id=publication_id,
    )
    if not publications:
        raise LookupError(f"there is no publication {publication_id}")
    return Edition(
        publication_id,
        publications[0]["as_of_date"],
        publications[0]["quality_status"] == "released_by_hand",
        publications[0]["is_correction"],
    )


class Writer(Protocol):
    """A writer makes the message of an attempt."""

    def message(self, attempt: Attempt, official: Official) -> Message: ...


@dataclass(frozen=True)
class Letter:
    """A letter is a short message about no publication, the same for everybody. `subject` does not include MARK."""

    subject: str
    facts: tuple[tuple[str, str], ...] = ()
    note: str = ""
    link: str = ""
    secret: bytes = field(default=b"", repr=False)

    def message(self, attempt: Attempt, official: Official) -> Message:
        return Message(token(attempt, self.secret), "", f"{MARK}{self.subject}", self.facts, (), self.note, self.link)


def token(attempt: Attempt, secret: bytes) -> str:
    """Return the token of an attempt. It is deterministic, and keyed, so that nobody can guess it and forge a bounce."""
    name = f"{attempt.publication_id}/{attempt.what}/{attempt.occasion}/{attempt.official}/{attempt.channel}/{attempt.number}"
    digest = hashlib.blake2b(name.encode(), key=secret[:64], digest_size=12, person=b"message-id").hexdigest()
    return f"{attempt.what}.{attempt.publication_id or 0}.{digest}"


class Composer:
    """A composer makes the messages of a publication, and caches what several messages need.

    With `only_reads`, it uses stored files and writes none.
    """

    def __init__(
        self,
        conn: psycopg.Connection[Any],
        publication_id: int,
        reports: Path,
        secret: bytes,
        link: str,
        officials: Officials | None = None,
        *,
        choices: Choices = NOBODY_CHOSE,
        only_reads: bool = False,
    ) -> None:
        self.edition = read_edition(conn, publication_id)
        self._conn = conn
        self._reports = reports
        self._secret = secret
        self._link = link
        self._officials = officials
        self._choices = choices
        self._only_reads = only_reads
        self._bulletin: Bulletin | None = None

    def message(self, attempt: Attempt, official: Official) -> Message:
        """Return the message of an attempt.

        Raises LookupError when the publication's rows were pruned, or when the files are not stored and none is to be written.
        """
        if attempt.what == "pack":
            return self._pack(attempt, official)
        return self._of_bulletin(attempt)

    @property
    def _folder(self) -> str:
        return f"{self.edition.as_of_date:%Y-%m-%d}-p{self.edition.publication_id}"

    def _pack(self, attempt: Attempt, official: Official) -> Message:
        audience = attempt.audience
        by_hand = self.edition.is_by_hand
        pack = self._pack_of(audience)
        summary = json.loads(pack.summary.read_text(encoding="utf-8"))
        choice = self._choices.of(official.login)
        has_report, has_tasks = (choice.takes(message, attempt.channel) for message in ("report", "focus"))
        return Message(
            token=token(attempt, self._secret),
            folder=self._folder,
            subject=f"{MARK}{text.day(self.edition.as_of_date)}{'日报' if has_report else '今日重点工作'} {audience.title}"
            f"（第{self.edition.number}期）{self.edition.marks}",
            facts=tuple((label, value) for label, value in summary["facts"]) if has_report else (),
            tasks=tuple(summary["actions"]) if has_tasks else (),
            note="本期有质量检查未通过，经人工放行，详见日报。" if by_hand else "",
            link=self._link,
            files=_files(pack, with_names=official.may("persons")) if has_report else (),
            long_lists=_long_lists(pack, with_names=official.may("persons")) if has_report else (),
            picture=pack.picture if has_report else None,
            choice=f"{self._link.rstrip('/')}{CHOICE_PAGE}" if self._link else "",
        )

    def _pack_of(self, audience: Audience) -> Pack:
        """Return the audience's stored pack; write it first if a file is missing."""
        pack = pack_of(audience, self.edition.as_of_date, self.edition.publication_id, self._reports)
        if not all(path.is_file() for path in (*pack.files, pack.summary)):
            if self._only_reads:
                raise LookupError(f"the pack of publication {self.edition.publication_id} is not stored")
            write_packs(self._conn, self.edition.publication_id, self._reports, [audience], self._officials)
        return pack

    def _of_bulletin(self, attempt: Attempt) -> Message:
        content = read_content(self._conn, self.edition.publication_id)
        if self._bulletin is None:
            self._bulletin = self._bulletin_of(content)
        day = f"{text.day(self.edition.as_of_date)}对外发布数字（第{self.edition.number}期）"
        subject, note = {
            "bulletin": (f"{text.day(self.edition.as_of_date)}疫情防控信息（第{self.edition.number}期）", ""),
            "request": (f"请审签：{day}", "附件为待发布稿。任一有权人员或代理人在门户中同意或退回即可，退回请写明理由。"),
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

    def _bulletin_of(self, content: Content) -> Bulletin:
        if not self._only_reads:
            return write_bulletin(self._conn, self.edition.publication_id, self._reports)
        bulletin = bulletin_of(content, self._reports)
        if not all(path.is_file() for path in bulletin.files):
            raise LookupError(f"the bulletin of publication {self.edition.publication_id} is not stored")
        return bulletin


def _files(pack: Pack, *, with_names: bool) -> tuple[Path, ...]:
    """Return the files for a reader: a spreadsheet with names goes only to officials who may see persons."""
    return pack.files if with_names or not pack.audience.sees_names else pack.without_names


def _long_lists(pack: Pack, *, with_names: bool) -> tuple[Path, ...]:
    """Return the files of long lists for a reader, under the same rule as the workbook to which they belong."""
    return tuple(pack.long_lists.values()) if pack.workbook in _files(pack, with_names=with_names) else ()
