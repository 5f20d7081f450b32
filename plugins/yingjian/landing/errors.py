"""Reasons for rejecting a file or a row, worded for its sender."""

from __future__ import annotations

import re

from yingjian.names import PERSON_NUMBER

# Reason codes of rejected rows (docs/feeds.md, "Rejected, with the code").
REASONS = {
    "check_digit": "身份证校验位错误",
    "scientific": "证件号码被电子表格改成科学计数",
    "unknown_group": "人群编号不存在",
    "unknown_code": "代码不在允许范围",
    "bad_date": "日期不存在或无法识别",
    "future_sample": "采样时间晚于文件接收时间",
    "no_key": "缺少主键",
    "missing_anchor": "缺少锚定日期",
    "missing_value": "缺少必填项",
    "ragged_row": "列数与表头不符",
    "bad_encoding": "含无法识别的字节",
    "time_order": "时间先后颠倒",
    "future_time": "时间晚于文件接收时间一天以上",
    "bad_number": "不是数字或超出允许范围",
    "too_long": "文字超过允许长度",
    "rounded_key": "编号被电子表格改写（科学计数或超过15位的数字）",
}


def as_text(text: str) -> str:
    """Return the text with undecodable bytes (lone surrogates) replaced by question marks."""
    return text.encode("utf-8", "replace").decode()


# Control characters, zero-width characters and bidirectional marks. Joiners (U+200C, U+200D) stay: some scripts need them to
# spell names.
INVISIBLE = (
    r"\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff"
    r"\ufff9-\ufffb\ufffe\uffff"
)
_INVISIBLE = re.compile(f"[{INVISIBLE}]")
_PERSON_NUMBER = re.compile(rf"(?<!\d){PERSON_NUMBER}(?!\d)")
LABEL_CHARACTERS = 120


def label(text: str) -> str:
    """Return the name of a file, sheet, column or archive member in a form that is safe to log or display.

    The result is one line without control characters, at most LABEL_CHARACTERS long (the middle is cut), with resident and
    telephone numbers masked, since some senders put them into file names.
    """
    plain = _PERSON_NUMBER.sub("＊＊＊", re.sub(r"\s", " ", _INVISIBLE.sub("?", as_text(text))))
    return plain if len(plain) <= LABEL_CHARACTERS else f"{plain[: LABEL_CHARACTERS - 21]}…{plain[-20:]}"


class FileRejectedError(Exception):
    """Raised for a file that cannot be read at all; the message is a Chinese sentence for the sender and names no person."""
