"""The report pack of a publication: page, spreadsheet and PDF for the office, each department and each community."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import psycopg

from yingjian.people.audience import OFFICE, Audience
from yingjian.reports.atomic_file import write_whole
from yingjian.reports.audiences import audiences, narrowed
from yingjian.reports.figures import read_figures
from yingjian.reports.html import render
from yingjian.reports.pdf import write_pdf
from yingjian.reports.workbook import write_workbook


@dataclass(frozen=True)
class Pack:
    """One audience's files of one publication."""

    audience: Audience
    page: Path
    workbook: Path
    pdf: Path

    @property
    def files(self) -> tuple[Path, Path, Path]:
        return self.page, self.workbook, self.pdf


def pack_of(audience: Audience, as_of_date: date, publication_id: int, out_dir: Path) -> Pack:
    """Where an audience's pack of a publication stands below `out_dir`, written or not."""
    folder = out_dir / f"{as_of_date:%Y-%m-%d}-p{publication_id}"
    return Pack(audience, *(folder / f"{audience.code}.{kind}" for kind in ("html", "xlsx", "pdf")))


def write_report(conn: psycopg.Connection[Any], publication_id: int, out_dir: Path) -> Path:
    """Write the office's page as `<as_of_date>-p<publication_id>.html`; readers never see half a file.

    Only published rows are read. The same publication gives the same bytes.

    Raises:
        LookupError: there is no such publication, or its rows were pruned.
    """
    with narrowed(conn, OFFICE):
        figures = read_figures(conn, publication_id)
    out_dir.mkdir(parents=True, exist_ok=True)
    path = out_dir / f"{figures.publication.as_of_date:%Y-%m-%d}-p{publication_id}.html"
    write_whole(path, lambda unfinished: unfinished.write_text(render(figures), encoding="utf-8", newline="\n"))
    return path


def write_packs(
    conn: psycopg.Connection[Any], publication_id: int, out_dir: Path, chosen: Sequence[Audience] | None = None
) -> list[Pack]:
    """Write every audience's pack into `<out_dir>/<as_of_date>-p<publication_id>/`.

    The folder is readable by its owner alone: packs of departments and communities hold names. The same publication
    gives the same bytes. Memory follows the largest table of a page, not the lists.

    Raises:
        LookupError: there is no such publication, or its rows were pruned.
    """
    packs = []
    for audience in chosen if chosen is not None else audiences(conn, publication_id):
        with narrowed(conn, audience):
            figures = read_figures(conn, publication_id, audience)
            pack = pack_of(audience, figures.publication.as_of_date, publication_id, out_dir)
            pack.page.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            page = render(figures, audience)
            write_whole(pack.page, lambda path, page=page: path.write_text(page, encoding="utf-8", newline="\n"))  # type: ignore[misc]
            write_whole(pack.workbook, lambda path: write_workbook(conn, figures, audience, path))  # noqa: B023
            write_whole(pack.pdf, lambda path: write_pdf(figures, audience, path))  # noqa: B023
        packs.append(pack)
    return packs
