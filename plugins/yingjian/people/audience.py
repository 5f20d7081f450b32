"""A reader of a pack, and of the part of the town that is theirs."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Audience:
    """An audience reads a pack: it is the office (no name), a competent department or a community.

    A sender of a feed reads no pack, only its own rows.
    """

    kind: str
    name: str = ""

    @property
    def code(self) -> str:
        """Part of a file name: what senders wrote, without what a file system takes amiss."""
        name = re.sub(r"[^\w（）“”·-]+", "_", self.name)
        if len(name) > NAME_LENGTH:
            name = f"{name[:NAME_LENGTH]}-{hashlib.sha256(self.name.encode()).hexdigest()[:8]}"
        return f"{self.kind}-{name}" if name else self.kind

    @property
    def title(self) -> str:
        return self.name or "街道"

    @property
    def sees_names(self) -> bool:
        """Names stand only in the packs of those who must find the persons."""
        return self.kind != "office"


OFFICE = Audience("office")
NAME_LENGTH = 50
