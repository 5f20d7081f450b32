"""The officials' daily report: one self-contained page per publication, and a pack for each who answers for a part of it."""

from yingjian.reports.html import render
from yingjian.reports.packs import Pack, write_packs, write_report

__all__ = ["Pack", "render", "write_packs", "write_report"]
