"""The portal's page on which an official chooses what to be told: it keeps the own choice, and refuses what is none."""

from __future__ import annotations

import html
import re

import pytest

from tests.portal import Portal

TOKEN = re.compile(r'name="form_token" value="([^"]+)"')
GOOD = {"quiet_from": "21:00", "quiet_to": "06:30", "hours_before": "4"}


@pytest.fixture(autouse=True)
def forget(portal: Portal):
    yield
    portal.query("delete from portal.notification returning 1")


def save(portal: Portal, login: str, **form: object) -> int:
    with portal.client(login) as client:
        found = TOKEN.search(client.get("/notifications").text)
        assert found
        return client.post("/notifications", data={"form_token": found[1], **form}).status_code


def test_a_choice_is_kept_for_its_reader_alone_and_is_on_record(portal: Portal) -> None:
    assert save(portal, "grid", wants=["report:mail", "clock:mail"], **GOOD) == 303
    assert save(portal, "clerk", wants=["focus:mail"], **GOOD | {"hours_before": "1"}) == 303
    assert portal.query(
        "select login, wants, quiet_from::text, quiet_to::text, hours_before from portal.notification order by login"
    ) == [
        ("clerk", ["focus:mail"], "21:00:00", "06:30:00", 1),
        ("grid", ["clock:mail", "report:mail"], "21:00:00", "06:30:00", 4),
    ]
    with portal.client("grid") as client:
        page = html.unescape(client.get("/notifications").text)
    assert re.search(r'value="clock:mail" checked', page) and re.search(r'value="focus:mail">', page)
    assert 'value="21:00"' in page and "<option selected>4</option>" in page
    told = portal.query("select actor, details -> 'wants' from audit.event where action = 'notification_choice'")
    assert ("grid", ["clock:mail", "report:mail"]) in told
    assert save(portal, "grid", **GOOD) == 303, "nothing at all may be chosen"
    assert portal.query("select wants from portal.notification where login = 'grid'") == [([],)]


@pytest.mark.parametrize(
    "form",
    [
        GOOD | {"wants": "report:dingtalk"},  # The office gave this official mail alone.
        GOOD | {"wants": "bulletin:mail"},
        GOOD | {"hours_before": "13"},
        GOOD | {"hours_before": "x"},
        GOOD | {"quiet_from": "25:00"},
        {"hours_before": "2"},
    ],
)
def test_what_cannot_be_chosen_is_refused(portal: Portal, form: dict[str, str]) -> None:
    assert save(portal, "grid", **form) == 400
    assert portal.query("select * from portal.notification") == []


def test_the_preview_follows_the_choice(portal: Portal) -> None:
    save(portal, "clerk", **GOOD)
    with portal.client("grid") as client:
        shown = client.get("/delivery/preview").text
    assert "社区网格员" in shown and "社区文员" not in shown


def test_an_official_without_a_channel_is_told_so(portal: Portal) -> None:
    with portal.client("health") as client:
        assert "名册中没有您的接收方式" in client.get("/notifications").text
