"""Guesses keep the guesser waiting, and an official of another address as little as a guard against many addresses allows."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from tests import support
from yingjian.database import warehouse
from yingjian.portal import accounts
from yingjian.settings import Settings


class Everybody:
    def signs_in(self, login: str) -> bool:
        return True


@pytest.fixture
def password(guarded: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The password of the official clerk; the hash is cheap, so that a test can guess often."""
    monkeypatch.setattr(accounts, "settings", lambda: guarded)
    monkeypatch.setattr(accounts, "directory", Everybody)
    monkeypatch.setattr(accounts, "_fits", lambda known_hash, password: password == "right")
    monkeypatch.setattr(accounts, "_hasher", SimpleNamespace(check_needs_rehash=lambda known_hash: False, hash=str))
    with warehouse.connect(guarded) as conn:
        conn.execute("truncate portal.attempt, portal.session, portal.account")
        conn.execute("insert into portal.account (login, password_hash, is_first) values ('clerk', 'x', false)")
    yield "right"
    with warehouse.connect(guarded) as conn:
        conn.execute("truncate portal.attempt, portal.session, portal.account")


def guess(address: str, times: int) -> list[str]:
    answers = []
    for _ in range(times):
        try:
            accounts.sign_in("clerk", "wrong", address)
        except (accounts.WrongPasswordError, accounts.BlockedError) as error:
            answers.append(type(error).__name__)
    return answers


def test_who_guesses_waits_and_the_official_does_not(guarded: Settings, password: str) -> None:
    assert guess("10.0.0.9", 60) == ["WrongPasswordError"] * 5 + ["BlockedError"] * 55
    assert accounts.sign_in("clerk", password, "10.0.0.1")
    assert guess("10.0.0.9", 1) == ["BlockedError"], "the official's success does not free who guessed"
    with pytest.raises(accounts.BlockedError):
        accounts.sign_in("clerk", password, "10.0.0.9")
    others = support.query(guarded, "select count(*) from portal.attempt where source_hash = ''")
    assert others == [(0,)], "what was refused counts for nobody else"


def test_guesses_from_many_addresses_meet_a_wider_bound_that_is_short(guarded: Settings, password: str) -> None:
    answers = [answer for number in range(60) for answer in guess(f"10.0.1.{number}", 1)]
    assert answers == ["WrongPasswordError"] * (accounts.FROM_ALL.free + 1) + ["BlockedError"] * 19
    with warehouse.connect(guarded) as conn:
        conn.execute("update portal.attempt set failures = 1000, blocked_until = clock_timestamp()")
    guess("10.0.2.1", 1)
    with pytest.raises(accounts.BlockedError) as blocked:
        accounts.sign_in("clerk", password, "10.0.0.1")
    assert 0 < blocked.value.seconds <= accounts.FROM_ALL.longest.total_seconds() < 3600


def test_the_addresses_of_one_network_of_ipv6_count_as_one(password: str) -> None:
    answers = [answer for number in range(9) for answer in guess(f"2001:db8::{number:x}", 1)]
    assert answers.count("WrongPasswordError") == 5
    assert guess("2001:db8:0:1::1", 1) == ["WrongPasswordError"]
