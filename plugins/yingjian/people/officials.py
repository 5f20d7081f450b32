"""Who reads what: the officials of the town, their part of it, what they may do and how their pages reach them.

One YAML file, `officials.yml` in the home folder or where YINGJIAN_OFFICIALS says (example: docs/officials.example.yml).
Airflow's users are made from it, the portal and the delivery ask it. It holds addresses but no secret: webhooks and mail
servers are Airflow connections, named here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from yingjian.people.audience import OFFICE, Audience
from yingjian.settings import SetupError

ROLES = ("viewer", "user", "op", "admin")
RIGHTS = {
    "persons": "see the persons of the own part by name, one by one; every look is recorded",
    "release": "release a build whose audit failed, with a reason",
    "sign_off": "sign off the public figures (article 31)",
    "quarantine": "see rejected rows as they were sent",
}
CHANNELS = {"mail": "to", "wecom": "connection", "dingtalk": "connection", "folder": "path"}
_LOGIN = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True)
class Channel:
    """A way to an official: `kind` mail (target: an address), wecom or dingtalk (a connection's id), folder (a path).

    `what` is pack (the pages of the official's part) or bulletin (the public figures, once signed off).
    """

    kind: str
    target: str
    what: str = "pack"


@dataclass(frozen=True)
class Official:
    """A reader of the reports: `audience` is the part of the town, `role` the role in Airflow, `rights` of RIGHTS."""

    login: str
    name: str
    audience: Audience
    role: str = "viewer"
    rights: frozenset[str] = frozenset()
    deputy: str | None = None
    channels: tuple[Channel, ...] = field(default=())

    def may(self, right: str) -> bool:
        if right not in RIGHTS:
            raise KeyError(right)
        return right in self.rights


@dataclass(frozen=True)
class Officials:
    """All officials by login; empty where no file says any."""

    by_login: Mapping[str, Official] = field(default_factory=dict)

    def __iter__(self) -> Iterable[Official]:  # type: ignore[override]
        return iter(self.by_login.values())

    def get(self, login: str) -> Official | None:
        return self.by_login.get(login)

    def with_right(self, right: str) -> list[Official]:
        """Those who have the right themselves, in the file's order."""
        return [official for official in self.by_login.values() if official.may(right)]

    def who_may_answer(self, right: str) -> list[Official]:
        """Whose answer to a question counts: those who have the right, then their deputies."""
        chosen = self.with_right(right)
        return [*chosen, *self.deputies(chosen)]

    def deputies(self, officials: Iterable[Official]) -> list[Official]:
        """Who stands in for these officials, each once and without themselves."""
        chosen = list(officials)
        found = [self.by_login[official.deputy] for official in chosen if official.deputy]
        return [deputy for deputy in dict.fromkeys(found) if deputy not in chosen]


def read_officials(path: Path) -> Officials:
    """The officials of a file; none where there is no file.

    Raises SetupError that names the file, the entry and what is wrong with it.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        return Officials()
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SetupError(f"{path}: cannot be read as YAML ({type(error).__name__})") from None
    entries = content.get("officials") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise SetupError(f"{path}: wants a list `officials`")
    by_login: dict[str, Official] = {}
    for place, entry in enumerate(entries, 1):
        try:
            official = _official(entry)
        except ValueError as error:
            raise SetupError(f"{path}: official {place}: {error}") from None
        if official.login in by_login:
            raise SetupError(f"{path}: official {place}: the login {official.login} is there twice")
        by_login[official.login] = official
    for place, official in enumerate(by_login.values(), 1):
        if official.deputy is not None and official.deputy not in by_login:
            raise SetupError(f"{path}: official {place}: the deputy {official.deputy} is not a login of the file")
        answers = official.may("sign_off") or official.may("release")
        if official.deputy is not None and answers and by_login[official.deputy].role == "viewer":
            raise SetupError(
                f"{path}: official {place}: the deputy {official.deputy} answers tasks in Airflow: give the role user, op"
                " or admin"
            )
    return Officials(by_login)


def _official(entry: Any) -> Official:
    if not isinstance(entry, dict):
        raise ValueError("wants login, name and audience")
    known = {"login", "name", "audience", "role", "may", "deputy", "receives"}
    if unknown := sorted(set(map(str, entry)) - known):
        raise ValueError(f"{', '.join(unknown)} is none of {', '.join(sorted(known))}")
    login, name = entry.get("login"), entry.get("name")
    if not isinstance(login, str) or not _LOGIN.fullmatch(login):
        raise ValueError("login wants a letter, then letters, digits, dots, dashes or underscores")
    if not isinstance(name, str) or not name.strip():
        raise ValueError("name is missing")
    role, rights = entry.get("role", "viewer"), entry.get("may") or []
    if role not in ROLES:
        raise ValueError(f"role is none of {', '.join(ROLES)}")
    if not isinstance(rights, list) or set(rights) - set(RIGHTS):
        raise ValueError(f"may wants a list of {', '.join(RIGHTS)}")
    if {"release", "sign_off"} & set(rights) and role == "viewer":
        raise ValueError("who may release or sign_off answers tasks in Airflow: give the role user, op or admin")
    channels = tuple(_channel(each) for each in entry.get("receives") or [])
    return Official(
        login, name.strip(), _audience(entry.get("audience")), role, frozenset(rights), entry.get("deputy"), channels
    )


def _audience(value: Any) -> Audience:
    """`office`, or one of `department: name`, `community: name`."""
    if value == "office":
        return OFFICE
    if isinstance(value, dict) and len(value) == 1:
        ((kind, name),) = value.items()
        if kind in ("department", "community") and isinstance(name, str) and name.strip():
            return Audience(kind, name.strip())
    raise ValueError("audience is office, or one of department: NAME, community: NAME")


def _channel(value: Any) -> Channel:
    kind = value.get("channel") if isinstance(value, dict) else None
    if kind not in CHANNELS:
        raise ValueError(f"receives: channel is none of {', '.join(CHANNELS)}")
    target, what = value.get(CHANNELS[kind]), value.get("what", "pack")
    if not isinstance(target, str) or not target.strip():
        raise ValueError(f"receives: {kind} wants {CHANNELS[kind]}")
    if what not in ("pack", "bulletin"):
        raise ValueError("receives: what is pack or bulletin")
    if kind == "folder" and (Path(target).is_absolute() or ".." in Path(target).parts):
        raise ValueError("receives: a folder's path lies below the shared folder")
    return Channel(kind, target.strip(), what)
