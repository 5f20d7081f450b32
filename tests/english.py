"""A lint of the English of comments and docstrings: docs/english.md has the rules, and this module checks two of them.

It reports a text that begins with one of HEADS, and a text whose first sentence has no word that can be a finite verb. The
second finding is a guess by a list of verbs and by endings: it misses some fragments and takes some nouns for verbs.
`tests/english_baseline.txt` counts the findings that are left in each file; a count may only shrink:
`python -m tests.english` prints the findings, `python -m tests.english --write` lowers the counts.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BASELINE = ROOT / "tests" / "english_baseline.txt"
PLACES = ("dags", "dbt_project", "plugins", "tests", "hatch_build.py")
LEFT_OUT = frozenset({"target", "logs", "dbt_packages", "__pycache__", "node_modules"})


HEAD = """\
# Findings of tests/english.py in each file; written by python -m tests.english --write. A count may only shrink.
# A migration that was applied is never edited (docs/decisions/migrations.md), so the findings in migrations stay.
"""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


HEADS = ("Of", "By", "Who", "Whose", "What", "Where")
# Comments for tools, shebangs, and lines that only divide sections are no sentences.
EXCEPTIONS = re.compile(
    r"(type:|noqa|fmt:|pragma|ruff:|mypy:|pyright:|sqlfluff|noqa:|isort:|language=|coding[:=]|!|-\*-|[-=#*~─\s]*$)",
    re.I,
)

AUXILIARIES = _words("""
    am are aren't be can can't cannot could did do does doesn't don't had has have is isn't may might must shall
    should was were will won't would
""")
# Base forms; the third person and the past follow. A form of these is a verb wherever it stands.
VERBS = _words("""
    accept add admit agree allocate allow answer apply approve arrive ask assert avoid ban bear become begin
    behave belong break bring build buy call carry cease close collect come compare complain compute connect
    consist contain convert cost cover create decide decline delete deliver deny depend derive describe deserve
    differ disappear discharge disturb divide do draw drop emit end ensure enter equal escape exceed exist
    expect explain fail fetch fill find finish fit fold follow forget forward generate get give go grow happen
    have hide hold identify ignore imply include inherit insert invoke join keep know lack land lead leak learn
    leave let lie listen install live lock map measure ask look loop lose lower maintain make manage mark match matter mean meet mention
    merge miss move name need notice obey obtain occur omit open own parse pass permit persist pick prefer
    prevent promise protect prove provide publish put raise reach read receive recover refer refuse register
    reject release rely remain remove render repair repeat replace report reproduce require reset resolve
    respond restore return reveal rise run say see seem select send separate serve show shrink sign simulate sit
    skip sleep sort speak spell split spread stage stand start stay stop store strip suffice supersede supply
    survive swap switch take teach tell think throw touch translate truncate trust try turn understand update
    use validate vanish verify visit wait want warn watch win withdraw work wrap write yield
""")
# Words that are nouns as often as verbs: they count at the head of a text or after a word that a verb can follow.
AMBIGUOUS = _words("""
    build call check close copy cost count cover display draw end file fill group hold join label land lead
    limit list load lock log look mark match move name need open order own pass plan print question read record
    release report request rest result return run sample say search send set show sign sleep sort split stage
    start state stay step stop store supply switch table take test time touch trust try turn update use value
    view visit wait watch work write
""")
PAST = _words("""
    became began brought built came chose did drew fell felt found gave got grew held kept knew lay led left
    lost made meant met paid ran said sat saw sent set shone shrank slept spent spoke spread stood stuck taught
    thought threw told took understood went won wrote
""")
# A plural noun can follow these, a verb in the third person cannot.
BEFORE_NOUN = _words("""
    a all an and any as at between by each eight few five for four from her his in into its many more most nine
    no of on one's or other over own per seven six some ten than that's the their these this those three to two
    under with
""")
# A verb in its base form can follow these, or a plural noun.
BEFORE_VERB = _words("below both he how it not never only others she that they to together we which who you")
NO_VERB = frozenset(["embedded", "hundred", "indeed", "naked", "need", "red", "shared", "speed", "unused"])


@dataclass(frozen=True)
class Finding:
    """A text that breaks a rule, and why."""

    path: str
    line: int
    text: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.reason}: {self.text[:100]}"


def _base_forms(word: str) -> set[str]:
    """Return the words of which a word may be the third person, and the word itself."""
    forms = {word}
    if word.endswith("ies"):
        forms.add(word[:-3] + "y")
    if word.endswith("es"):
        forms |= {word[:-2], word[:-1]}
    elif word.endswith("s"):
        forms.add(word[:-1])
    return forms


def has_verb(sentence: str) -> bool:
    """Return whether a sentence has a word that can be a finite verb."""
    words = re.findall(r"[A-Za-z][A-Za-z'’]*", re.sub(r"`[^`]*`|\{\{.*?\}\}|[\w./]+/[\w./]+", " x ", sentence))
    for place, word in enumerate(word.lower().replace("’", "'") for word in words):
        before = words[place - 1].lower() if place else ""
        bases = _base_forms(word) - {word} if place and word not in VERBS else _base_forms(word)
        if word in AUXILIARIES or word in PAST:
            return True
        if len(word) > 4 and word.endswith("ed") and word not in NO_VERB:
            return True
        if bases & AMBIGUOUS:
            follows = before in BEFORE_VERB or (before.endswith("s") and before not in BEFORE_NOUN)
            if place == 0 or (before not in BEFORE_NOUN and (word not in AMBIGUOUS or follows)):
                return True
        elif bases & VERBS and (place == 0 or before not in BEFORE_NOUN or before == "to"):
            return True
    return False


def first_sentence(text: str) -> str:
    return re.split(r"(?<=[.!?:;])\s", text, maxsplit=1)[0]


def reason(text: str) -> str | None:
    """Return why a text breaks a rule of docs/english.md; None if it does not."""
    text = " ".join(text.split())
    if EXCEPTIONS.match(text) or not re.search(r"[A-Za-z]{2}", text):
        return None
    if len(re.findall(r"[A-Za-z]{2,}", re.sub(r"`[^`]*`|\S+[/_]\S+", " ", text))) == 0:
        return None  # The text is a name or a path.
    if (head := re.match(r"(\w+)\b(?!')", text)) and head[1] in HEADS:
        return f"begins with {head[1]}"
    if not has_verb(first_sentence(text)) and not has_verb(text):
        return "has no verb"
    return None


def python_texts(source: str) -> Iterator[tuple[int, str]]:
    """Yield the docstrings and comments of a module with their lines; consecutive comment lines are one text."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, documented) and (text := ast.get_docstring(node)) is not None:
            yield node.body[0].lineno, text
    block: list[str] = []
    start = last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        alone = token.line[: token.start[1]].strip() == ""
        text = token.string.lstrip("#").strip()
        if block and alone and token.start[0] == last + 1:
            block.append(text)
        else:
            if block:
                yield start, " ".join(block)
            block, start = [text], token.start[0]
        last = token.start[0] if alone else -1
    if block:
        yield start, " ".join(block)


def sql_texts(source: str) -> Iterator[tuple[int, str]]:
    """Yield the `--` comments of a SQL file and its Jinja comments, with their lines."""
    for comment in re.finditer(r"\{#-?(.*?)-?#\}", source, re.DOTALL):
        yield source.count("\n", 0, comment.start()) + 1, comment[1].strip()
    block: list[str] = []
    start = 0
    for number, line in enumerate(source.splitlines(), 1):
        if alone := re.match(r"\s*--+\s?(.*)$", line):
            if not block:
                start = number
            block.append(alone[1].strip())
            continue
        if block:
            yield start, " ".join(block)
            block = []
        trailing = re.search(r"\s--\s+(.*)$", line)
        if trailing and line[: trailing.start()].count("'") % 2 == 0:
            yield number, trailing[1].strip()
    if block:
        yield start, " ".join(block)


def findings(source: str, path: str) -> list[Finding]:
    """Return the findings of one file."""
    texts = sql_texts(source) if path.endswith(".sql") else python_texts(source)
    return [Finding(path, line, " ".join(text.split()), why) for line, text in texts if (why := reason(text))]


def files() -> Iterator[Path]:
    for place in PLACES:
        for path in sorted((ROOT / place).rglob("*")) if (ROOT / place).is_dir() else [ROOT / place]:
            if path.suffix in {".py", ".sql"} and not LEFT_OUT & set(path.relative_to(ROOT).parts):
                yield path


def all_findings() -> list[Finding]:
    """Return the findings of the whole repository."""
    return [
        finding
        for path in files()
        for finding in findings(path.read_text(encoding="utf-8"), path.relative_to(ROOT).as_posix())
    ]


def counted(everything: list[Finding]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for finding in everything:
        counts[finding.path] = counts.get(finding.path, 0) + 1
    return counts


def listed(text: str) -> dict[str, int]:
    return {
        path: int(count) for count, path in (line.split(" ", 1) for line in text.splitlines() if line[:1].isdigit())
    }


def as_text(counts: dict[str, int]) -> str:
    return HEAD + "".join(f"{count} {path}\n" for path, count in sorted(counts.items()))


def differences(baseline: dict[str, int], counts: dict[str, int]) -> list[str]:
    """Return a message for each file that has more findings than listed, or fewer: the list must shrink with the code."""
    messages = []
    for path in sorted(baseline.keys() | counts.keys()):
        was, now = baseline.get(path, 0), counts.get(path, 0)
        if now > was:
            messages.append(
                f"{path} has {now} findings, {was} are allowed: mend the new ones (python -m tests.english {path})"
            )
        elif now < was:
            messages.append(f"{path} has {now} findings, {was} are listed: python -m tests.english --write")
    return messages


def main(arguments: list[str]) -> int:
    everything = all_findings()
    if "--write" in arguments:
        counts = counted(everything)
        if BASELINE.exists() and sum(counts.values()) > sum(listed(BASELINE.read_text(encoding="utf-8")).values()):
            print("there are more findings than before: the list may only shrink")
            return 1
        BASELINE.write_text(as_text(counts), encoding="utf-8")
        return 0
    for finding in everything:
        if not arguments or any(finding.path.startswith(argument) for argument in arguments):
            print(finding)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
