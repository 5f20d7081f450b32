"""This module writes docs/generated/settings.md, the table of the environment variables, from the class that defines them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from yingjian.environment import Environment

HEAD = """# Settings

`yingjian settings document` writes this page from `plugins/yingjian/environment.py`; `tests/unit/test_settings.py` compares both.
An empty variable counts as not set. A secret can be read from a file: append `_FILE` to the variable's name, as in
`YINGJIAN_PERSON_KEY_FILE`. A wrong value stops the program at its start with one sentence that names the variable.
`.env.example` also has the variables of the containers: ports, host folders and memory limits.
"""


def write(root: Path) -> Path:
    """Write docs/generated/settings.md; return its path."""
    path = root / "docs" / "generated" / "settings.md"
    path.write_text(text(), encoding="utf-8")
    return path


def text() -> str:
    """Return the page; it depends on the class `Environment` alone."""
    outer = [field for field in Environment.model_fields.values() if not _is_inner(field)]
    inner = [field for field in Environment.model_fields.values() if _is_inner(field)]
    return "\n".join(
        [
            HEAD,
            "| variable | what it says | default |",
            "|---|---|---|",
            *(f"| `{field.alias}` | {field.description} | {_default(field)} |" for field in outer),
            "",
            "## Not to be set by hand",
            "Yingjian sets these for the programs that it starts.",
            "",
            "| variable | what it says |",
            "|---|---|",
            *(f"| `{field.alias}` | {field.description} |" for field in inner),
            "",
        ]
    )


def _is_inner(field: FieldInfo) -> bool:
    return isinstance(field.json_schema_extra, dict) and bool(field.json_schema_extra.get("inner"))


def _default(field: FieldInfo) -> str:
    value: Any = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value in ((), {}):
        return ""
    return f"`{value:%H:%M}`" if hasattr(value, "hour") else f"`{value}`"
