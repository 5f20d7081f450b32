"""This module defines an audience: the readers of a pack, and the part of the town that they may read."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

# The name of a grid's audience joins the names of its community and grid with this separator, because communities reuse the
# numbers of grids. Neither name contains a blank (`names.comparable`). The row policies join the columns in the same way.
IN_COMMUNITY = " "


@dataclass(frozen=True)
class Audience:
    """An audience reads a pack: it is the office (no name), a competent department, a community, or a grid of one.

    A sender of a feed reads no pack, only its own rows.
    """

    kind: str
    name: str = ""

    @classmethod
    def of_grid(cls, community: str, grid: str) -> Audience:
        return cls("grid", f"{community}{IN_COMMUNITY}{grid}")

    @property
    def code(self) -> str:
        """Return the audience as a part of a file name. Names come from senders, so unsafe characters are replaced."""
        name = re.sub(r"[^\w（）“”·-]+", "_", self.name)
        # The separator becomes an underscore, which the community's name may also contain; the digest keeps codes unique.
        if len(name) > NAME_LENGTH or self.kind == "grid":
            name = f"{name[:NAME_LENGTH]}-{hashlib.sha256(self.name.encode()).hexdigest()[:8]}"
        return f"{self.kind}-{name}" if name else self.kind

    @property
    def title(self) -> str:
        return self.name or "街道"

    @property
    def part(self) -> str:
        """Return the Chinese word for the kind of a part of the town; empty for other audiences."""
        return PARTS.get(self.kind, "")

    @property
    def sees_names(self) -> bool:
        """Return whether packs contain names of persons: only readers who must find the persons get them."""
        return self.kind != "office"


OFFICE = Audience("office")
PARTS = {"community": "社区", "department": "部门", "grid": "网格"}
NAME_LENGTH = 50
