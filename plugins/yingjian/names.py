"""Names of places and bodies are compared after folding, by one rule (docs/feeds.md); logins have one form."""

from __future__ import annotations

import re

BLANKS = (
    " \t\r\n\x0b\x0c\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u200c\u200d\u2028"
    "\u2029\u202f\u205f\u2060\u3000\ufeff"
)
EDGES = "、,;。.·"
LOGIN = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,62}")  # It is the form of a login, here and in the database.
FULL_WIDTH = {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_COMPARABLE = str.maketrans(FULL_WIDTH | dict.fromkeys(BLANKS))


def comparable(text: str) -> str:
    """Return a name as it is compared: blanks removed, full-width signs folded, punctuation at the edges off.

    The macro `comparable_text` does the same in the models, and `repair.place` to a column of an export.
    """
    return text.translate(_COMPARABLE).strip(EDGES)
