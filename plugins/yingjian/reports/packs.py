"""This module writes the packs of a publication: page, spreadsheet, PDF, official document, picture and the summary for mail."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from yingjian.people.audience import OFFICE, Audience
from yingjian.people.officials import Officials
from yingjian.reports.content.audiences import narrowed, readers_of
from yingjian.reports.content.lists import LISTS
from yingjian.reports.content.report import read_document
from yingjian.reports.render.atomic_file import write_whole
from yingjian.reports.render.html import render
from yingjian.reports.render.long_lists import ENDINGS, path_of, write_long_lists
from yingjian.reports.render.official import write_official
from yingjian.reports.render.pdf import write_pdf, write_picture
from yingjian.reports.render.workbook import write_workbook


@dataclass(frozen=True)
class Pack:
    """This class has one audience's files of one publication."""

    audience: Audience
    page: Path
    workbook: Path
    pdf: Path
    official: Path
    picture: Path
    summary: Path

    @property
    def long_lists(self) -> dict[tuple[str, str], Path]:
        """Return the files of lists that are too long for the workbook, by mart and ending, in the order of the lists."""
        paths = {
            (person_list.mart, ending): path_of(self.workbook, person_list.mart, ending)
            for person_list in LISTS
            for ending in ENDINGS
        }
        return {of: path for of, path in paths.items() if path.is_file()}

    @property
    def files(self) -> tuple[Path, ...]:
        """Return the files for the reader; `summary`, which is not among them, is the text of the mail as JSON."""
        return self.page, self.workbook, self.pdf, self.official, self.picture

    @property
    def without_names(self) -> tuple[Path, ...]:
        """Return the files without the spreadsheet, whose lists name persons in the pack of a part."""
        return tuple(path for path in self.files if path != self.workbook)


def pack_of(audience: Audience, as_of_date: date, publication_id: int, out_dir: Path) -> Pack:
    """Return the files of an audience's pack of a publication below `out_dir`, written or not."""
    folder = out_dir / f"{as_of_date:%Y-%m-%d}-p{publication_id}"
    return Pack(
        audience, *(folder / f"{audience.code}.{kind}" for kind in ("html", "xlsx", "pdf", "docx", "png", "json"))
    )


def write_report(
    conn: psycopg.Connection[Any], publication_id: int, out_dir: Path, officials: Officials | None = None
) -> Path:
    """Write the office's page as `<as_of_date>-p<publication_id>.html`; readers never see a partial file.

    Only published rows and `officials` are read. The same publication gives the same bytes.

    Raises:
        LookupError: there is no such publication, or its rows were pruned.
    """
    with narrowed(conn, OFFICE):
        document = read_document(conn, publication_id, officials=officials)
    out_dir.mkdir(parents=True, exist_ok=True)
    path = out_dir / f"{document.publication.as_of_date:%Y-%m-%d}-p{publication_id}.html"
    _write_text(path, render(document))
    return path


def write_packs(
    conn: psycopg.Connection[Any],
    publication_id: int,
    out_dir: Path,
    chosen: Sequence[Audience] | None = None,
    officials: Officials | None = None,
) -> list[Pack]:
    """Write the packs of `chosen`, or of `readers_of`, into `<out_dir>/<as_of_date>-p<publication_id>/`.

    Only its owner can read the folder, because packs of departments and communities hold names. The same publication gives the
    same bytes. Memory grows with the largest table of a page, not with the lists.

    Raises:
        LookupError: there is no such publication, or its rows were pruned.
    """
    packs = []
    for audience in readers_of(conn, publication_id, officials) if chosen is None else chosen:
        with narrowed(conn, audience):
            document = read_document(conn, publication_id, audience, officials)
            pack = pack_of(audience, document.publication.as_of_date, publication_id, out_dir)
            pack.page.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_text(pack.page, render(document))
            long_lists = write_long_lists(conn, document, pack.workbook)
            write_whole(pack.workbook, partial(write_workbook, conn, document, long_lists))
        write_whole(pack.pdf, partial(write_pdf, document))
        write_whole(pack.official, partial(write_official, document))
        write_whole(pack.picture, partial(write_picture, document))
        _write_text(pack.summary, json.dumps(document.summary, ensure_ascii=False, indent=1) + "\n")
        packs.append(pack)
    return packs


def _write_text(path: Path, words: str) -> None:
    write_whole(path, lambda unfinished: unfinished.write_text(words, encoding="utf-8", newline="\n"))
