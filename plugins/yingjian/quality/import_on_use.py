"""This module defers imports that a library makes but its user seldom needs."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _Deferred(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


def import_on_use(*names: str) -> None:
    """Let each module of `names`, unless it is imported already, be imported when something of it is used."""
    for name in names:
        sys.modules.setdefault(name, _Deferred(name))
