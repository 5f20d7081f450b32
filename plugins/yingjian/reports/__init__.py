"""The officials' daily report: one self-contained page per publication."""

from yingjian.reports.html import render, write_report

__all__ = ["render", "write_report"]
