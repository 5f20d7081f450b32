"""These tests try rights, and the owner of a form."""

from __future__ import annotations

from pathlib import Path

import pytest

from yingjian.people.audience import OFFICE, Audience
from yingjian.people.officials import Official
from yingjian.portal import readers
from yingjian.portal.readers import NOBODY, Need, Reader
from yingjian.settings import Settings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    settings = Settings.load({"YINGJIAN_HOME": str(tmp_path)})
    monkeypatch.setattr(readers, "settings", lambda: settings)
    readers.signer.cache_clear()
    yield settings  # type: ignore[misc]
    readers.signer.cache_clear()


def official(*rights: str, audience: Audience = OFFICE) -> Official:
    return Official("x", "某人", audience, rights=frozenset(rights))


@pytest.mark.parametrize(
    ("reader", "may"),
    [
        (Reader("x"), set()),
        (Reader("x", is_data_team=True), {Need.ENTER, Need.DATA_TEAM}),
        (Reader("x", official()), {Need.ENTER, Need.PART, Need.FIGURES}),
        (Reader("x", official("persons")), {Need.ENTER, Need.PART, Need.FIGURES, Need.PERSONS}),
        (Reader("x", official("quarantine")), {Need.ENTER, Need.PART, Need.FIGURES, Need.QUARANTINE}),
        (Reader("x", official("release", "sign_off")), {Need.ENTER, Need.PART, Need.FIGURES}),
        (Reader("x", sender=official()), {Need.SENDER}),
        (Reader("x", official(), is_data_team=True), {Need.ENTER, Need.PART, Need.FIGURES, Need.DATA_TEAM}),
    ],
)
def test_what_is_not_granted_is_refused(reader, may):
    assert {need for need in Need if reader.may(need)} == may
    assert reader.sees_persons == (Need.PERSONS in may)
    assert reader.audience == (OFFICE if Need.PART in may else NOBODY)
    assert reader.counted == (OFFICE if Need.ENTER in may else NOBODY)


def test_a_grid_has_lists_and_no_figures_by_place():
    """No figure is divided by grids, and those of its community are not a grid's."""
    reader = Reader("x", official("persons", audience=Audience.of_grid("甲", "网格1")))
    assert {need for need in Need if reader.may(need)} == {Need.ENTER, Need.PART, Need.PERSONS}


def test_the_directory_is_what_the_file_says_now(home):
    assert readers.directory().by_login == {}
    home.officials.write_text("officials: [{login: grid, name: 网格员, audience: office}]")
    assert set(readers.directory().by_login) == {"grid"}
    home.officials.write_text("officials: [{login: other, name: 某人, audience: office}]")
    assert set(readers.directory().by_login) == {"other"}
    home.officials.unlink()
    assert readers.directory().by_login == {}


def test_a_form_is_its_reader_s_own_and_grows_old(home, monkeypatch):
    token = readers.form_token("grid")
    assert readers.is_form_of("grid", token)
    assert not readers.is_form_of("clerk", token)
    assert not readers.is_form_of("grid", token[:-9] + token[-9:].swapcase())
    assert not readers.is_form_of("grid", "")
    monkeypatch.setattr(readers, "FORM_SECONDS", -1)
    assert not readers.is_form_of("grid", token)
