"""A reader of a pack, and of the part of the town that is theirs."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

# A grid's name is its community's and its own, with this between them. Neither has a blank (`names.comparable`), so no two
# grids have one name, although their numbers come again in each community. The policies join the columns in the same way.
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
        """Part of a file name: what senders wrote, without what a file system takes amiss."""
        name = re.sub(r"[^\w（）“”·-]+", "_", self.name)
        # The blank in a grid's name becomes a sign that its community's name may have, too: the digest keeps them apart.
        if len(name) > NAME_LENGTH or self.kind == "grid":
            name = f"{name[:NAME_LENGTH]}-{hashlib.sha256(self.name.encode()).hexdigest()[:8]}"
        return f"{self.kind}-{name}" if name else self.kind

    @property
    def title(self) -> str:
        return self.name or "街道"

    @property
    def part(self) -> str:
        """Return the word for what it is, of a part of the town."""
        return PARTS.get(self.kind, "")

    @property
    def sees_names(self) -> bool:
        """Names stand only in the packs of those who must find the persons."""
        return self.kind != "office"


OFFICE = Audience("office")
PARTS = {"community": "社区", "department": "部门", "grid": "网格"}
NAME_LENGTH = 50
