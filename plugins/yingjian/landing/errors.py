"""What can be wrong with a file or a row, in words that its sender understands."""

from __future__ import annotations

# Reason codes of rejected rows (docs: feeds, "Rejected, with the code").
REASONS = {
    "check_digit": "身份证校验位错误",
    "scientific": "证件号码被电子表格改成科学计数",
    "unknown_group": "人群编号不存在",
    "unknown_code": "代码不在允许范围",
    "bad_date": "日期不存在",
    "future_sample": "采样时间晚于文件接收时间",
    "no_key": "缺少主键",
    "missing_anchor": "缺少锚定日期",
    "missing_value": "缺少必填项",
    "ragged_row": "列数与表头不符",
    "bad_encoding": "含无法识别的字节",
}


def as_text(text: str) -> str:
    """Text in which what was no text (a lone surrogate) is a question mark."""
    return text.encode("utf-8", "replace").decode()


class FileRejectedError(Exception):
    """A file that cannot be read at all; its text is a sentence for the sender and names no person."""
