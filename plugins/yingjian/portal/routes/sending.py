"""These routes take the files of senders, and show each sender its own files and refused rows."""

from __future__ import annotations

import json
from pathlib import Path, PurePath
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Request, UploadFile
from fastapi.responses import Response

from yingjian.landing import returns, templates
from yingjian.landing.feeds import FEEDS
from yingjian.landing.schema import schema
from yingjian.landing.trial import Trial
from yingjian.portal import reading, sending
from yingjian.portal.access import CheckedForm, OfSender
from yingjian.portal.files import received, write_and_send
from yingjian.portal.limits import SHOWN_LINES, UPLOAD_BYTES, PageNumber
from yingjian.portal.pages import page, redirect
from yingjian.portal.readers import Reader, now
from yingjian.portal.routes.row_form import row_page

router = APIRouter(prefix="/sending")


@router.get("")
def own_files(request: Request, reader: OfSender, number: PageNumber = 1, corrected: bool = False) -> Response:
    """Show the form, the sender's files and its open rows; the look at the rows is recorded."""
    return _page(request, reader, number, is_corrected=corrected)


@router.post("", dependencies=[CheckedForm])
def take_file(
    request: Request,
    reader: OfSender,
    file: UploadFile,
    feed: Annotated[str, Form(max_length=100)],
    choice: Annotated[str, Form(max_length=10)] = "send",
) -> Response:
    """Try a file, say what would be taken of it by line, and hand it to landing unless it was only to be tried."""
    of_feed = sending.feed_of(reader, feed)
    number = None
    if (file.size or 0) > UPLOAD_BYTES:
        tried = Trial(problem="文件超过20MB，请分成几个文件报送")
    else:
        suffix = PurePath(file.filename or "").suffix.lower()
        with received(file, suffix if suffix in sending.ENDINGS else "") as path:
            tried = sending.try_file(reader, of_feed, path)
            content = path.read_bytes()
            if not tried.problem and sending.is_landed(reader, of_feed, content):
                tried = Trial(problem="与已入库的文件内容相同，无需再报")
            if choice == "send" and not tried.problem:
                try:
                    number = sending.send(reader, of_feed, content, path.suffix)
                except sending.TooManyError:
                    tried = Trial(problem="一天内报送的文件过多，请明天再报或联系数据团队")
    return _page(request, reader, 1, 422 if tried.problem else 200, tried=tried, chosen=feed, sent=number)


@router.get("/templates/{name}.xlsx")
def template(reader: OfSender, name: str) -> Response:
    """Send the template of a feed of the sender."""
    feed = sending.feed_of(reader, name)

    def write(folder: Path) -> tuple[Path, str]:
        templates.write_template(folder / "template.xlsx", feed)
        return folder / "template.xlsx", f"{feed.title}-模板.xlsx"

    return write_and_send(write)


@router.get("/schemas/{name}.json")
def contract(reader: OfSender, name: str) -> Response:
    """Send the columns of a feed of the sender as JSON Schema."""
    feed = sending.feed_of(reader, name)
    content = json.dumps(schema(feed), ensure_ascii=False, indent=2) + "\n"
    return Response(
        content,
        media_type="application/schema+json",
        headers={"content-disposition": f"attachment; filename={feed.name}.schema.json"},
    )


@router.post("/returns", dependencies=[CheckedForm])
def returned(reader: OfSender, feed: Annotated[str, Form(max_length=100)]) -> Response:
    """Send the workbook of open rows, the same that is mailed; the export is recorded before it is sent."""
    if feed not in FEEDS:
        raise HTTPException(404)
    return send_returns(reader, sending.sender_of(reader).name, feed, {"feed": feed})


@router.get("/rows/{rejected_id}")
def row_form(request: Request, reader: OfSender, rejected_id: int) -> Response:
    """Show a refused row as a form with the faulty cells marked; the look is recorded."""
    row = _row(reader, rejected_id)
    cells = [row["cells"].get(column.source, "") for column in FEEDS[row["feed"]].columns]
    return row_page(request, reader, row, cells, "/sending")


@router.post("/rows/{rejected_id}", dependencies=[CheckedForm])
def correct_row(
    request: Request,
    reader: OfSender,
    rejected_id: int,
    cell: Annotated[list[Annotated[str, Form(max_length=1000)]], Form(max_length=100)],
) -> Response:
    """Send the corrected row to landing, or say why it would be refused again."""
    row = _row(reader, rejected_id)
    feed = sending.feed_of(reader, row["feed"])
    if len(cell) != len(feed.columns):
        raise HTTPException(400)
    try:
        tried = sending.correct(reader, row, cell)
    except sending.TooManyError:
        tried = Trial(problem="一天内报送的文件过多，请明天再报或联系数据团队")
    if sending.is_good(tried):
        return redirect(request, "/sending?corrected=true")
    return row_page(request, reader, row, cell, "/sending", 422, tried)


def send_returns(reader: Reader, sender: str, feed: str, details: dict[str, Any]) -> Response:
    """Send the workbook of a sender's open rows of a feed; the trail records the export with `details` before it is sent."""

    def write(folder: Path) -> tuple[Path, str]:
        paths = reading.looked(
            reader,
            "export",
            lambda conn: returns.write_returns(conn, sender, folder, now().date(), feed),
            lambda _: "quality.rejected_row",
            details=lambda _: details,
        )
        if not paths:
            raise HTTPException(404)
        return paths[0], paths[0].name

    return write_and_send(write)


def _page(
    request: Request, reader: Reader, number: int, status: int = 200, *, is_corrected: bool = False,
    tried: Trial | None = None, chosen: str = "", sent: int | None = None,
) -> Response:  # fmt: skip
    sender = sending.sender_of(reader)
    files, (refused, counts) = reading.looked(
        reader,
        "sending_view",
        lambda conn: (sending.files(conn, sender), sending.refused_rows(conn, sender, number)),
        lambda _: "quarantine",
        details=lambda content: {"page": number, "rows": len(content[1][0].rows)},
    )
    return page(
        request,
        reader,
        "sending.html.j2",
        status,
        feeds=sending.feeds(reader),
        titles={name: feed.title for name, feed in FEEDS.items()},
        files=files,
        refused=refused,
        counts=counts,
        tried=tried,
        shown=SHOWN_LINES,
        chosen=chosen,
        sent=sent,
        is_corrected=is_corrected,
        requirement=templates.requirement,
        options=templates.options,
    )


def _row(reader: Reader, rejected_id: int) -> dict[str, Any]:
    """Return an open row of the sender that has cells. Raises HTTPException when there is none, as for another sender's row."""
    name = sending.sender_of(reader).name
    row = reading.looked(
        reader,
        "sending_row_view",
        lambda conn: returns.read_row(conn, name, rejected_id),
        lambda _: "quarantine",
        details=lambda refused: {"rejected_id": rejected_id, "rows": int(refused is not None)},
    )
    if row is None or row["cells"] is None or row["feed"] not in FEEDS:
        raise HTTPException(404)
    sending.feed_of(reader, row["feed"])
    return row
