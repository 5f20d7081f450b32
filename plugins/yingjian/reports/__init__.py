"""This package writes the officials' daily report: a self-contained page per publication, and a pack of files per audience."""

from yingjian.reports.packs import Pack, write_packs, write_report
from yingjian.reports.render.html import render

__all__ = ["Pack", "render", "write_packs", "write_report"]
