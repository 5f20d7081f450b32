"""This module reads docker-compose.yml as Compose does, without Docker: merge keys, variables, and `$$` for `$`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from yingjian.settings import PROJECT_ROOT

FILE = PROJECT_ROOT / "docker-compose.yml"
_VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>\w+)(?:(?P<how>:-|:\?)(?P<rest>[^}]*))?\})")


def load(variables: Mapping[str, str]) -> Any:
    """Return the file with these variables filled in. Raises KeyError with the name of a required one that is not set."""

    def value(match: re.Match[str]) -> str:
        if match["name"] is None:
            return "$"
        given = variables.get(match["name"], "")
        if not given and match["how"] == ":?":
            raise KeyError(match["name"])
        return given or (match["rest"] if match["how"] == ":-" else "") or ""

    def fill(node: Any) -> Any:
        if isinstance(node, dict):
            return {name: fill(child) for name, child in node.items()}
        if isinstance(node, list):
            return [fill(child) for child in node]
        return _VARIABLE.sub(value, node) if isinstance(node, str) else node

    return fill(yaml.safe_load(FILE.read_text(encoding="utf-8")))


def env_file(text: str) -> dict[str, str]:
    """Return the variables of an env file as Compose reads it: single quotes are removed, and their content is literal."""
    lines = [line.partition("=") for line in text.splitlines() if line and not line.startswith("#")]
    return {name: value[1:-1] if value[:1] == "'" else value for name, _, value in lines}
