"""This module reads the directory of officials: their audience, their rights and the channels to them.

One YAML file, `officials.yml` in the home folder or where YINGJIAN_OFFICIALS says (example: docs/officials.example.yml).
The portal and the delivery use it; Airflow's users are those of its `data_team`. It contains addresses but no secrets:
webhooks and mail servers are Airflow connections, which it refers to by id.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from yingjian import reference
from yingjian.names import LOGIN, comparable
from yingjian.people.audience import OFFICE, Audience
from yingjian.settings import SetupError

ADMIN = "admin"  # The login of Airflow's administrator is not in the file.
ROLES = ("viewer", "user", "op", "admin")
RIGHTS = {
    "persons": "see the persons of the own part by name, one by one; every look is recorded",
    "release": "release a build whose audit failed, with a reason",
    "sign_off": "sign off the public figures (article 31)",
    "quarantine": "see rejected rows as they were sent, and correct them with a second official",
}
CHANNELS = {"mail": "to", "wecom": "connection", "dingtalk": "connection", "folder": "path"}
RETURN_CHANNELS = ("mail", "folder")  # A group robot takes no files, and personal data must not go to a group.
_LOGIN_IS = "wants a letter, then letters, digits, dots, dashes or underscores"
_PHONE = re.compile(r"(?:\+?\d[\d -]{2,20})?")


@dataclass(frozen=True)
class Channel:
    """A channel to an official; `kind` and its target: mail (an address), wecom or dingtalk (a connection's id), folder (a path).

    `what` is pack (the pages of the official's part), bulletin (the public figures, once signed off) or returned (a sender's
    rows that could not be taken).
    """

    kind: str
    target: str
    what: str = "pack"


@dataclass(frozen=True)
class Official:
    """An official reads the reports and signs in to the portal. `rights` are keys of RIGHTS.

    `units` are the responsible units (责任单位) of the plan for which the official answers; `phone` is the office number
    that the reports print. `feeds` are those for which a sender may upload files in the portal.
    """

    login: str
    name: str
    audience: Audience
    rights: frozenset[str] = frozenset()
    deputy: str | None = None
    channels: tuple[Channel, ...] = field(default=())
    phone: str = ""
    units: tuple[str, ...] = ()
    feeds: tuple[str, ...] = ()

    def may(self, right: str) -> bool:
        if right not in RIGHTS:
            raise KeyError(right)
        return right in self.rights


@dataclass(frozen=True)
class Officials:
    """All officials by login; it is empty without a file.

    Senders of the feeds are kept separately, because they read no pages, and so is the data team: `data_team` has its logins
    with their roles in Airflow.
    """

    by_login: Mapping[str, Official] = field(default_factory=dict)
    senders_by_login: Mapping[str, Official] = field(default_factory=dict)
    data_team: Mapping[str, str] = field(default_factory=dict)

    @property
    def audiences(self) -> list[Audience]:
        """Return the parts of the town that have an official, by kind and name."""
        return sorted({one.audience for one in self.by_login.values()}, key=lambda one: (one.kind, one.name))

    @property
    def senders(self) -> Officials:
        """Return the senders as recipients of their rejected rows; the audience's name is the sender's name in those rows."""
        return Officials(self.senders_by_login)

    def signs_in(self, login: str) -> bool:
        """Return whether a login may sign in to the portal.

        Officials, the data team, Airflow's administrator and the senders that have feeds may.
        """
        return login in self.by_login or self.is_data_team(login) or self.sender(login) is not None

    def is_data_team(self, login: str) -> bool:
        return login in self.data_team or login == ADMIN

    def sender(self, login: str) -> Official | None:
        """Return the sender with this login if it may upload files in the portal, else None."""
        sender = self.senders_by_login.get(login)
        return sender if sender and sender.feeds else None

    def get(self, login: str) -> Official | None:
        return self.by_login.get(login)

    def with_right(self, right: str) -> list[Official]:
        """Return the officials who have the right themselves, without deputies, in the file's order."""
        return [official for official in self.by_login.values() if official.may(right)]

    def responsible(self, units: Iterable[str]) -> list[Official]:
        """Return the officials who answer for these units of the plan, in the order of the units, without duplicates."""
        named = [official for unit in units for official in self.by_login.values() if unit in official.units]
        return list(dict.fromkeys(named))

    def who_may_answer(self, right: str) -> list[Official]:
        """Return the officials whose answer to a question counts: those who have the right, then their deputies."""
        chosen = self.with_right(right)
        return [*chosen, *self.deputies(chosen)]

    def deputies(self, officials: Iterable[Official]) -> list[Official]:
        """Return the deputies of these officials without duplicates; officials of the list are left out."""
        chosen = list(officials)
        deputies = [self.by_login[official.deputy] for official in chosen if official.deputy]
        return [deputy for deputy in dict.fromkeys(deputies) if deputy not in chosen]


def read_officials(path: Path) -> Officials:
    """Return the officials of a file; none if it does not exist.

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
    team = _data_team(path, content.get("data_team") or [], by_login)
    return Officials(by_login, _senders(path, content.get("senders") or [], {**by_login, **team}), team)


def _data_team(path: Path, entries: Any, officials: Mapping[str, Official]) -> dict[str, str]:
    """Return the roles in Airflow by login of the data team. Raises SetupError if one of them is also an official."""
    if not isinstance(entries, list):
        raise SetupError(f"{path}: `data_team` wants a list")
    team: dict[str, str] = {}
    for place, entry in enumerate(entries, 1):
        where = f"{path}: data_team {place}:"
        if not isinstance(entry, dict) or set(entry) != {"login", "role"}:
            raise SetupError(f"{where} wants login and role, and nothing else")
        login, role = entry["login"], entry["role"]
        if not isinstance(login, str) or not LOGIN.fullmatch(login):
            raise SetupError(f"{where} login {_LOGIN_IS}")
        if not isinstance(role, str) or role not in ROLES:
            raise SetupError(f"{where} role is none of {', '.join(ROLES)}")
        if login in officials:
            raise SetupError(f"{where} {login} is an official, who has no account in Airflow: give another login")
        if login in team:
            raise SetupError(f"{where} the login {login} is there twice")
        team[login] = role
    return team


def _senders(path: Path, entries: Any, taken: Mapping[str, Any]) -> dict[str, Official]:
    if not isinstance(entries, list):
        raise SetupError(f"{path}: `senders` wants a list")
    senders: dict[str, Official] = {}
    for place, entry in enumerate(entries, 1):
        try:
            sender = _sender(entry)
        except ValueError as error:
            raise SetupError(f"{path}: sender {place}: {error}") from None
        if sender.login in taken or sender.login in senders:
            raise SetupError(f"{path}: sender {place}: the login {sender.login} is there twice")
        senders[sender.login] = sender
    return senders


def _sender(entry: Any) -> Official:
    """Return a sender: an official with only a login, a name, channels for returned rows, and feeds; it has no rights."""
    if not isinstance(entry, dict) or set(entry) - {"login", "name", "receives", "feeds"}:
        raise ValueError("wants login, name and receives, perhaps feeds, and nothing else")
    feeds = entry.get("feeds") or []
    known = _tables()
    if not isinstance(feeds, list) or not all(isinstance(feed, str) and feed in known for feed in feeds):
        raise ValueError(f"feeds wants a list of {', '.join(known)}")
    fields = {name: value for name, value in entry.items() if name != "feeds"}
    official = _official({**fields, "audience": "office"})
    if any(way.kind not in RETURN_CHANNELS for way in official.channels) or not official.channels:
        raise ValueError(f"a sender receives files: receives wants {' or '.join(RETURN_CHANNELS)}")
    channels = tuple(Channel(way.kind, way.target, "returned") for way in official.channels)
    audience = Audience("sender", official.name)
    return Official(official.login, official.name, audience, channels=channels, feeds=tuple(dict.fromkeys(feeds)))


def _tables() -> list[str]:
    """Return the feeds that senders upload as tables; the national list of risk areas is JSON and has no sender."""
    return [feed for feed in reference.feeds() if feed != "risk_areas"]


class _Way(BaseModel):
    """An entry of `receives` as it is written in the file, with the checks of its fields."""

    model_config = ConfigDict(validate_default=True)
    channel: Any = None
    what: Any = "pack"
    to: Any = None
    connection: Any = None
    path: Any = None

    @field_validator("channel", mode="before")
    @classmethod
    def _is_a_kind(cls, value: Any) -> Any:
        if not isinstance(value, str) or value not in CHANNELS:
            raise ValueError(f"channel is none of {', '.join(CHANNELS)}")
        return value

    @model_validator(mode="after")
    def _has_what_its_kind_wants(self) -> _Way:
        target = getattr(self, CHANNELS[self.channel])
        if not isinstance(target, str) or not target.strip():
            raise ValueError(f"{self.channel} wants {CHANNELS[self.channel]}")
        if self.what not in ("pack", "bulletin"):
            raise ValueError("what is pack or bulletin")
        if self.channel == "folder" and (Path(target).is_absolute() or ".." in Path(target).parts):
            raise ValueError("a folder's path lies below the shared folder")
        return self

    def read(self) -> Channel:
        return Channel(self.channel, getattr(self, CHANNELS[self.channel]).strip(), self.what)


class _Entry(BaseModel):
    """An official as written in the file; each validator raises a plain sentence on what it expects."""

    model_config = ConfigDict(extra="forbid", validate_default=True)
    login: Any = None
    name: Any = None
    audience: Any = None
    may: Any = ()
    deputy: str | None = None
    receives: list[_Way] = []
    phone: Any = ""
    units: Any = ()

    @field_validator("login", mode="before")
    @classmethod
    def _is_a_login(cls, value: Any) -> Any:
        if not isinstance(value, str) or not LOGIN.fullmatch(value):
            raise ValueError(f"login {_LOGIN_IS}")
        return value

    @field_validator("name", mode="before")
    @classmethod
    def _is_a_name(cls, value: Any) -> Any:
        if not isinstance(value, str) or not value.strip():
            raise ValueError("name is missing")
        return value.strip()

    @field_validator("audience", mode="before")
    @classmethod
    def _is_an_audience(cls, value: Any) -> Audience:
        """The audience is `office`, `department: name`, `community: name`, or both `community` and `grid`."""
        if value == "office":
            return OFFICE
        if isinstance(value, dict) and set(value) == {"community", "grid"}:
            community, grid = (
                comparable(value[name]) if isinstance(value[name], str) else "" for name in ("community", "grid")
            )
            if community and grid:
                return Audience.of_grid(community, grid)
            raise ValueError("audience: community and grid want names, in quotes where they are numbers")
        if isinstance(value, dict) and len(value) == 1:
            ((kind, name),) = value.items()
            if kind in ("department", "community") and isinstance(name, str) and comparable(name):
                return Audience(kind, comparable(name) if kind == "community" else name.strip())
        raise ValueError(
            "audience is office, or one of department: NAME, community: NAME, or community: NAME with grid: NAME"
        )

    @field_validator("may", mode="before")
    @classmethod
    def _are_rights(cls, value: Any) -> Any:
        rights = value or []
        if not isinstance(rights, list) or not all(isinstance(right, str) and right in RIGHTS for right in rights):
            raise ValueError(f"may wants a list of {', '.join(RIGHTS)}")
        return frozenset(rights)

    @field_validator("deputy", mode="before")
    @classmethod
    def _is_a_deputy(cls, value: Any) -> Any:
        if value is not None and not isinstance(value, str):
            raise ValueError("deputy wants a login of the file")
        return value

    @field_validator("phone", mode="before")
    @classmethod
    def _is_a_phone(cls, value: Any) -> Any:
        if not isinstance(value, str) or not _PHONE.fullmatch(value):
            raise ValueError("phone wants digits in quotes, with dashes or blanks between them")
        return value

    @field_validator("units", mode="before")
    @classmethod
    def _are_units(cls, value: Any) -> Any:
        units = value or []
        if not isinstance(units, list | tuple) or not all(isinstance(unit, str) and unit.strip() for unit in units):
            raise ValueError("units wants a list of responsible units of the plan")
        return tuple(unit.strip() for unit in units)

    @field_validator("receives", mode="before")
    @classmethod
    def _are_ways(cls, value: Any) -> Any:
        if value and not (isinstance(value, list) and all(isinstance(way, dict) for way in value)):
            raise ValueError(f"channel is none of {', '.join(CHANNELS)}")
        return value or []


def _official(entry: Any) -> Official:
    if not isinstance(entry, dict):
        raise ValueError("wants login, name and audience")
    if "role" in entry:
        raise ValueError(
            "role is no longer of an official, who has no account in Airflow: take it out; the logins of Airflow stand"
            " in the list data_team, each with its role"
        )
    try:
        fields = _Entry.model_validate({str(name): value for name, value in entry.items()})
    except ValidationError as error:
        raise ValueError(_sentence(error)) from None
    ways = tuple(way.read() for way in fields.receives)
    return Official(
        fields.login, fields.name, fields.audience, fields.may, fields.deputy, ways, fields.phone, fields.units
    )  # fmt: skip


def _sentence(error: ValidationError) -> str:
    """Return the error message of an entry: unknown field names come first, then the first failed check."""
    wrong = error.errors(include_url=False, include_input=False)
    if unknown := sorted(str(one["loc"][0]) for one in wrong if one["type"] == "extra_forbidden"):
        return f"{', '.join(unknown)} is none of {', '.join(sorted(_Entry.model_fields))}"
    within = "receives: " if wrong[0]["loc"][:1] == ("receives",) else ""
    return within + str(wrong[0].get("ctx", {}).get("error", wrong[0]["msg"]))
