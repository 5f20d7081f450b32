"""Detects a file's type by its first bytes; its name only says what the sender took it for."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Literal

from yingjian.landing.archives import DOCUMENT_PARTS, ODF, odf_type, require_modest_directory
from yingjian.landing.errors import FileRejectedError

Kind = Literal["xlsx", "ods", "xls", "html", "xml", "utf-16", "text"]

HEAD = 4096
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
OLE_NAMES = 1 << 20  # The directory of an OLE file is searched for within this many bytes.
AS_TABLE = "请将表格另存为.xlsx或CSV后重新报送"
# Archives are unpacked before their members come here, so this is an archive within an archive.
PACKED_TWICE = ("压缩文件里的压缩文件", "请解开里层后只压缩一次，或直接报送表格（.xlsx或CSV）")
# Magic bytes -> what the file is, and what to send instead.
NO_TABLES = [
    (b"%PDF", "PDF文件", "请报送原始表格（.xlsx或CSV）"),
    (b"\x89PNG", "图片", "请报送原始表格（.xlsx或CSV），不要截图或拍照"),
    (b"\xff\xd8\xff", "图片", "请报送原始表格（.xlsx或CSV），不要截图或拍照"),
    (b"GIF8", "图片", "请报送原始表格（.xlsx或CSV），不要截图或拍照"),
    (b"II*\0", "图片", "请报送原始表格（.xlsx或CSV），不要截图或拍照"),
    (b"MM\0*", "图片", "请报送原始表格（.xlsx或CSV），不要截图或拍照"),
    (b"Rar!", "RAR压缩文件", "请用zip压缩，或直接报送表格（.xlsx或CSV）"),
    (b"7z\xbc\xaf\x27\x1c", "7z压缩文件", "请用zip压缩，或直接报送表格（.xlsx或CSV）"),
    (b"\x1f\x8b", *PACKED_TWICE),
    (b"{\\rtf", "RTF文档", AS_TABLE),
    (b"SQLite format 3", "数据库文件", "请导出为.xlsx或CSV后重新报送"),
    (b"ID;P", "SYLK表格（.slk）", AS_TABLE),
    (b"PK\x05\x06", "空的压缩文件", "请重新压缩，或直接报送表格（.xlsx或CSV）"),
]
# Start of a text file without a table -> what the file is, and what to send instead.
NO_TABLE_TEXTS = [
    (
        rb"\s*(?:MIME-Version|From|Received|Return-Path|Message-ID|X-Document-Type):",
        "单个文件网页（.mht）或邮件",
        AS_TABLE,
    ),
    (rb"\s*(?:\{\s*\"|\[\s*[{\[])", "JSON文件", "请导出为.xlsx或CSV后重新报送"),
    (rb"\s*<\?xml\b", "XML文件", AS_TABLE),
]
# Members of a zip-based document that cannot be read as a workbook -> what it is.
DOCUMENTS = {
    "word/document.xml": "Word文档",
    "ppt/presentation.xml": "演示文稿",
    "OFD.xml": "OFD版式文件",
    "Index/Document.iwa": "Numbers表格",
    # calamine reads its error values and uncomputed formulas as empty cells, so it is refused.
    "xl/workbook.bin": "二进制工作簿（.xlsb）",
}
OLE_DOCUMENTS = {
    "EncryptedPackage": ("有密码的Office文件", "请去掉密码后重新报送"),
    "WordDocument": ("Word文档", AS_TABLE),
    "PowerPoint Document": ("演示文稿", AS_TABLE),
}
_HTML = re.compile(
    rb"^\s*(?:<!--.*?-->|<\?xml[^>]*>|\s)*<(?:!doctype\s+html|html|head|meta|title|link|script|style|body|form|div|center|font|span|h[1-6]|p"
    rb"|br|b|table|thead|tbody|tr)\b",
    re.I | re.S,
)
# Some systems write a line of text before the table.
_TABLE = re.compile(rb"<table\b[^>]*>\s*<(?:caption|colgroup|thead|tbody|tr)\b", re.I)
# A damaged text file has a few control bytes; a program, picture or database has more.
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")
CONTROL_SHARE = 0.05
_SPREADSHEET_ML = b"urn:schemas-microsoft-com:office:spreadsheet"


def kind_of(path: Path) -> Kind:
    """Return the kind of a file. Raises FileRejectedError for a file without a table; the message says what to send instead."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    for magic, what, instead in NO_TABLES:
        if head.startswith(magic):
            raise _no_table(what, instead)
    if head[257:262] == b"ustar":
        raise _no_table("tar归档文件", "请用zip压缩，或直接报送表格（.xlsx或CSV）")
    if head.startswith(b"PK\x03\x04"):
        return _kind_of_zip(path)
    if head.startswith(OLE):
        _require_old_workbook(path)
        return "xls"
    if head[:2] in (b"\x09\x08", b"\x09\x04", b"\x09\x02", b"\x09\x00"):
        raise _no_table("Excel 95以前的表格", AS_TABLE)
    text = head
    if utf16 := utf16_of(head):
        text = head.decode(utf16, "ignore").encode()
    text = text.removeprefix(b"\xef\xbb\xbf")
    if _HTML.match(text) or _TABLE.search(text):
        return "html"
    if _SPREADSHEET_ML in text:
        return "xml"
    for pattern, what, instead in NO_TABLE_TEXTS:
        if re.match(pattern, text, re.I):
            raise _no_table(what, instead)
    if not utf16 and len(_CONTROL.findall(head)) > len(head) * CONTROL_SHARE:
        raise _no_table("二进制文件", AS_TABLE)
    return "utf-16" if utf16 else "text"


def utf16_of(head: bytes) -> str | None:
    """Return the UTF-16 codec by byte order mark, or by the zero bytes of ASCII characters; None if the text is not UTF-16."""
    if head.startswith(b"\xff\xfe"):
        return "utf-16-le"
    if head.startswith(b"\xfe\xff"):
        return "utf-16-be"
    even, odd = head[0::2].count(0), head[1::2].count(0)
    # At least one character in three is a delimiter, digit or line end, which has a zero byte; the rest is Chinese.
    few, many = len(head) // 100, len(head) // 8
    if odd > many and even <= few:
        return "utf-16-le"
    return "utf-16-be" if even > many and odd <= few else None


def _kind_of_zip(path: Path) -> Kind:
    require_modest_directory(path)
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            document = odf_type(archive)
    except Exception:
        return "xlsx"  # The reader will report that it is damaged.
    for part, what in DOCUMENTS.items():
        if part in names:
            raise _no_table(what, AS_TABLE)
    if document is None and names and DOCUMENT_PARTS.isdisjoint(names):
        raise _no_table(*PACKED_TWICE)
    if document is None:
        return "xlsx"
    if not document.startswith(f"{ODF}.spreadsheet"):
        raise _no_table("OpenDocument文档（不是表格）", AS_TABLE)
    return "ods"


def _require_old_workbook(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(OLE_NAMES)
    for name, (what, instead) in OLE_DOCUMENTS.items():
        if name.encode("utf-16-le") in start:
            raise _no_table(what, instead)


def _no_table(what: str, instead: str) -> FileRejectedError:
    return FileRejectedError(f"这是{what}，无法读取；{instead}")
