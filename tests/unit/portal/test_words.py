"""Both languages say everything that the pages ask for, and nothing that none asks for."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from yingjian.database.schema import MIGRATIONS
from yingjian.landing.feeds import DISPOSITIONS
from yingjian.portal import persons, publications, words
from yingjian.portal.pages import STATIC
from yingjian.reports.content.lists import IDENTITY, LISTS
from yingjian.settings import PROJECT_ROOT

TEMPLATES = STATIC.parent / "templates"
# Keys that a template puts together.
PREFIXES = (
    "nav_",
    "message_",
    "severity_",
    "reason_",
    "document_",
    "asks_",
    "state_",
    "decide_",
    "decide_reason_",
    "sign_in_",
    "password_",
    "view_",
    "sending_is_",
    "quarantine_is_",
    "correction_list_",
    "correction_by_",
    "correction_at_",
    "notifications_of_",
    "notifications_means_",
)


def asked() -> tuple[set[str], set[str]]:
    text = "".join(path.read_text(encoding="utf-8") for path in TEMPLATES.glob("*.j2"))
    keys = set(re.findall(r"""\bt\(['"](\w+)['"]""", text))
    keys |= set(re.findall(r"""t\(\n?\s*['"](\w+)['"] if""", text)) | set(re.findall(r"""else ['"](\w+)['"]\)""", text))
    return keys, set(re.findall(r"""['"](\w+_)['"] ~""", text))


def test_every_word_that_a_page_asks_for_is_there():
    keys, prefixes = asked()
    assert len(keys) > 100
    assert {key for key in keys if key not in words.WORDS and not key.endswith("_")} == set()
    assert prefixes <= set(PREFIXES)


def test_no_word_is_left_that_no_page_asks_for():
    keys, _ = asked()
    asked_by_name = {"before", "after", "new", "gone", "changed", "same"}
    left = {key for key in words.WORDS if key not in keys | asked_by_name and not key.startswith(PREFIXES)}
    assert left == set()


@pytest.mark.parametrize("key", words.WORDS)
def test_both_languages_say_it_with_the_same_values(key):
    fields = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in words.WORDS[key]]
    assert fields[0] == fields[1]
    assert all(words.WORDS[key]) or key == "chinese_only"


@pytest.mark.parametrize("one, other", [("deliveries", "sending_files"), ("lists_today", "today_title")])
def test_one_title_does_not_stand_over_two_things(one, other):
    assert words.WORDS[one][0] != words.WORDS[other][0]


def test_no_message_for_officials_names_a_file_of_the_set_up():
    assert [key for key, texts in words.WORDS.items() if re.search(r"\.(yml|json|py)\b", "".join(texts))] == []


def test_the_lists_have_english_titles():
    titles = {found.title for found in LISTS} | {column for found in LISTS for column in found.columns} | set(IDENTITY)
    assert titles - words.LABELS.keys() == set()
    assert words.label("zh", "社区") == "社区" and words.label("en", "社区") == "Community"
    assert words.code("en", "missed") == "missed" and words.code("zh", "nothing known") == "nothing known"


def test_every_code_has_words_and_no_words_are_left_without_a_code():
    """The codes are those that models accept, that the portal names, that delivery records, and Airflow's states of runs."""
    marts = PROJECT_ROOT / "dbt_project/models/marts"
    with_status = [compared.mart for compared in publications.COMPARED if compared.state == "status"]
    text = "".join((marts / f"{mart}.yml").read_text(encoding="utf-8") for mart in with_status)
    accepted = {code for codes in re.findall(r"values: \[([^]]*)\]", text) for code in re.findall(r"\w+", codes)}
    feeds = (PROJECT_ROOT / "dbt_project/models/marts/feed_quality.sql").read_text(encoding="utf-8")
    accepted |= set(re.findall(r"(?:then|else) '([a-z]+)'", feeds))
    accepted -= {"same_day", "open", "not_pushed"}  # No page shows how a purchase was pushed.
    assert accepted - words.CODES.keys() == set()
    named = {mart.mart for mart in publications.COMPARED} | set(DISPOSITIONS) | {"阴性", "阳性", "待出"}
    assert named - words.CODES.keys() == set()
    ledger = (MIGRATIONS / "0005_delivery.sql").read_text(encoding="utf-8")
    recorded = set(re.findall(r"'(\w+)'", " ".join(re.findall(r"(?:what|state) in \(([^)]*)\)", ledger))))
    assert len(recorded) > 10 and recorded - words.CODES.keys() == set()
    runs = {"queued", "running", "success", "failed"}
    shown = {"clock", "mail", "wecom", "dingtalk", "folder"}
    assert words.CODES.keys() - accepted - named - recorded - runs - shown == set()


def test_every_event_of_a_person_has_words_and_no_words_are_left():
    source = Path(persons.__file__).read_text(encoding="utf-8")
    kinds = set(re.findall(r"\"(\w+)\"", source)) | {
        f"{state}_{end}" for state in ("exempt", "void") for end in ("from", "to")
    }
    assert words.EVENTS.keys() - kinds == set()
