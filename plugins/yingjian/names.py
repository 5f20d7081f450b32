"""This module normalizes names of places and institutions for comparison (docs/feeds.md), and defines the form of logins.

It also has the pattern of a person's numbers (identity card, mobile telephone), which no name may contain.
"""

from __future__ import annotations

import re

BLANKS = (
    " \t\r\n\x0b\x0c\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u200c\u200d\u2028"
    "\u2029\u202f\u205f\u2060\u3000\ufeff"
)
EDGES = "、,;。.·"
LOGIN = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,62}")  # All logins have this form, here and in the database.
# The pattern matches a resident's number of 18 or 15 digits, which holds a birth date, or the number of a mobile telephone.
# Python, polars and PostgreSQL read it alike. A match inside a longer run of digits does not count.
PERSON_NUMBER = (
    "([1-9][0-9]{5}((18|19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx]"
    "|[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])[0-9]{3})"
    "|(0{0,2}86[ -]?|0)?1[3-9][0-9][ -]?[0-9]{4}[ -]?[0-9]{4})"
)
HAS_PERSON_NUMBER = f"(^|[^0-9]){PERSON_NUMBER}([^0-9]|$)"  # The dbt macro `person_number` has the same text.
FULL_WIDTH = {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_COMPARABLE = str.maketrans(FULL_WIDTH | dict.fromkeys(BLANKS))


def comparable(text: str) -> str:
    """Return a name in the form used for comparison: no blanks, full-width characters folded, no punctuation at the edges.

    The macro `comparable_text` does the same in the models, and `repair.place` for a column of an export.
    """
    return text.translate(_COMPARABLE).strip(EDGES)
