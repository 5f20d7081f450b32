"""Good files with some faults: no fault stops the landing, loses a line, or gives a value to another row.

The rows that would go to the database are compared with a reader that is written here and knows nothing of the landing's.
"""

from __future__ import annotations

import csv
import io
import random
import re
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from tests.support import sample
from yingjian.landing import stage_table
from yingjian.landing.errors import FileRejectedError
from yingjian.landing.feeds import FEEDS
from yingjian.landing.readers import csv_file, xlsx_file
from yingjian.landing.readers.table import open_table
from yingjian.landing.store import Incoming

FEED = FEEDS["test_results"]
HEADER = [column.source for column in FEED.columns]
NAMES = [column.name for column in FEED.columns]
RECEIVED = datetime(2022, 7, 10, 12)
ROWS = 14
FILES = Path(__file__).parent / "files"
PIECES = [
    '"',
    '""',
    ",",
    "\t",
    ";",
    "\n",
    "\r\n",
    "\r",
    "'",
    "0",
    "7",
    "X",
    "休",
    "\0",
    "\u3000",
    "\ufeff",
    ' "',
    '",',
    ',"',
    "\\",
    "合计",
]


class NoDatabase:
    def execute(self, *_: object) -> None:
        """Nothing is written."""


def good_rows(rng: random.Random) -> list[list[str]]:
    """Rows of which each has its own number in every cell that may have one."""
    rows = []
    for i in range(ROWS):
        cells = sample(
            f"S{i:03}", f"2022-07-0{i % 8 + 1} 08:{i:02}:00", 姓名=f"某{i:03}", 手机号=f"138000000{i:02}",
            采样点=f"点{i:03}", 试管编号=f"T{i:03}", 检测机构=f"所{i:03}", 更新时间=f"2022-07-09 10:{i:02}:00",
        )  # fmt: skip
        cells["检测时间"] = f"2022-07-09 09:{i:02}:00" if rng.random() < 0.8 else ""
        if rng.random() < 0.1:
            cells["采样点"] = f"点,{i:03}\n楼"
        rows.append([cells.get(source, "") for source in HEADER])
    return rows


def staged(path: Path) -> tuple[list[dict[str, str]], list[tuple[int, str]], int]:
    """The function gives the rows as COPY would take them, (line, raw text) of each rejected one, and how many were read."""
    incoming = Incoming(NoDatabase(), FEED, 1)  # type: ignore[arg-type]
    rows: list[dict[str, str]] = []
    problems: list[tuple[int, str]] = []
    read = 0
    for chunk in open_table(path, FEED).chunks:
        prepared = stage_table._prepare(chunk, FEED, incoming, path.name, RECEIVED, stage_table._Keys(b"secret", {}))
        read += prepared.read
        problems += [(problem.line, problem.raw_text) for problem in prepared.problems]
        for cells in csv.reader(
            io.StringIO(prepared.block.data.decode(), newline=""), delimiter=prepared.block.delimiter or ","
        ):
            rows.append(dict(zip(prepared.block.columns, cells, strict=True)))
    lines = [int(row["line"]) for row in rows] + [line for line, _ in problems]
    assert read == len(rows) + len(problems), "the balance is wrong"
    assert len(lines) == len(set(lines)), "one line is two rows"
    return rows, problems, read


def plain(text: str) -> str:
    """Letters and digits of a cell, as repair leaves them."""
    return "".join(c for c in unicodedata.normalize("NFKC", text) if c.isalnum()).upper()


def digits(text: str) -> list[str]:
    return sorted(c for c in unicodedata.normalize("NFKC", text) if c in "123456789")


def is_same(name: str, value: str, sent: str) -> bool:
    kind = FEED.column(name).kind
    return digits(value) == digits(sent) if kind in ("time", "date") else plain(value) == plain(sent)


# The tests below read text.


def cells_from(lines: list[str], delimiter: str) -> tuple[list[str], int]:
    """The record that begins on the first of some lines, as RFC 4180 says, and how many lines it takes."""
    text, cells, cell, i, taken = "".join(lines), [], "", 0, 1
    while True:
        if text[i : i + 1] == '"':
            i += 1
            while i < len(text):
                if text[i] == '"' and text[i + 1 : i + 2] != '"':
                    break
                i += text[i] == '"'
                taken += text[i] == "\n" or (text[i] == "\r" and text[i + 1 : i + 2] != "\n")
                cell += text[i]
                i += 1
            i += 1
        while i < len(text) and text[i] != delimiter and text[i] not in "\r\n":
            cell += text[i]
            i += 1
        cells.append(cell)
        if i >= len(text) or text[i] in "\r\n":
            return cells, taken
        cell, i = "", i + 1


def check_text(path: Path, encoding: str, delimiter: str) -> None:
    rows, problems, _ = staged(path)
    text = path.read_bytes().decode(encoding, "surrogateescape").replace("\0", "").removeprefix("\ufeff")
    lines = re.findall(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+$", text)
    layouts = {
        number: cells
        for number, line in enumerate(lines, start=1)
        for cells in [line.strip("\r\n\ufeff").split(delimiter)]
        if sorted(cells) == sorted(HEADER)
    }
    covered: list[int] = list(layouts)
    for row in rows:
        line = int(row["line"])
        cells, taken = cells_from(lines[line - 1 : line + 49], delimiter)
        layout = layouts[max(number for number in layouts if number < line)]
        while len(cells) > len(layout) and not cells[-1].strip():
            cells.pop()  # Blank cells beyond the header are nothing.
        assert len(cells) == len(layout), f"line {line}: another number of cells"
        for name, source in zip(NAMES, HEADER, strict=True):
            assert is_same(name, row[name], cells[layout.index(source)]), f"line {line}: another value of {name}"
        is_full = [one.count(delimiter) >= len(HEADER) - 1 for one in lines[line - 1 : line - 1 + taken]]
        assert taken == 1 or not (any(is_full[1:-1]) or (is_full[0] and is_full[-1])), f"line {line}: others swallowed"
        covered += range(line, line + taken)
    for line, raw in problems:
        covered += range(line, line + len(re.findall(r"\r\n|\n|\r", raw)) + 1)
    there = [
        number for number, line in enumerate(lines, start=1) if line.strip("\ufeff \t\r\n") and number > min(layouts)
    ]
    assert sorted(covered) == sorted(set(covered)), "one line is two rows"
    assert set(there) <= set(covered), "a line is nowhere"


def faulty_text(rng: random.Random, delimiter: str, end: str) -> str:
    """The function makes a good file with some faults below its header."""
    quoted = io.StringIO(newline="")
    writer = csv.writer(quoted, delimiter=delimiter, lineterminator=end)
    rows = good_rows(rng)
    cut = rng.randrange(ROWS)
    writer.writerows(rows[:cut])
    header = [*HEADER]
    if rng.random() < 0.3:
        rng.shuffle(header)
        writer.writerow(header)
    writer.writerows([row[HEADER.index(source)] for source in header] for row in rows[cut:])
    body = quoted.getvalue()
    for _ in range(rng.randrange(5)):
        place = rng.randrange(len(body) + 1)
        match rng.randrange(6):
            case 0 | 1:
                body = body[:place] + rng.choice(PIECES) + body[place:]
            case 2:
                body = body[:place] + body[place + rng.randrange(1, 4) :]
            case 3:
                body = body[:place] + rng.choice(PIECES) + body[place + 1 :]
            case 4:
                line_start = body.rfind(end, 0, place) + len(end) if end in body[:place] else 0
                body = (
                    body[:line_start]
                    + rng.choice(["合计", "", "E2,居民", "共3条", '"', "\ufeff"])
                    + end
                    + body[line_start:]
                )
            case 5:
                body = body[:place] if rng.random() < 0.3 else body
    return delimiter.join(HEADER) + end + body


def is_header_whole(text: str, delimiter: str) -> bool:
    """Whether no line names many of the columns and is no whole header: what such a line means is for people to say."""
    for line in re.split(r"\r\n|\n|\r", text.replace("\0", "")):
        named = sum(source in line for source in HEADER)
        if named * 2 >= len(HEADER) and sorted(line.strip("\ufeff").split(delimiter)) != sorted(HEADER):
            return False
    return True


def fuzz_text(seed: int, folder: Path) -> bool:
    """Whether a file was read; its rows are compared then."""
    rng = random.Random(seed)
    delimiter, end = rng.choice([",", ",", "\t", ";"]), rng.choice(["\n", "\r\n", "\r"])
    encoding = rng.choice(["utf-8", "utf-8", "gb18030", "utf-16-le"])
    text = faulty_text(rng, delimiter, end)
    path = folder / rng.choice(["a.csv", "a.xls", "a.txt"])
    path.write_bytes(text.encode(encoding))
    try:
        if is_header_whole(text, delimiter):
            check_text(path, encoding, delimiter)
        else:
            staged(path)
    except FileRejectedError:
        return False
    return True


def fuzz_bytes(seed: int, folder: Path) -> bool:
    """Whether a file whose bytes were changed was read; only its balance can be known."""
    rng = random.Random(seed)
    content = bytearray(faulty_text(rng, ",", "\n").encode(rng.choice(["utf-8", "gb18030", "utf-16"])))
    change_bytes(rng, content)
    path = folder / "a.csv"
    path.write_bytes(content)
    try:
        staged(path)
    except FileRejectedError:
        return False
    return True


def change_bytes(rng: random.Random, content: bytearray) -> None:
    for _ in range(rng.randrange(1, 6)):
        place = rng.randrange(len(content)) if content else 0
        match rng.randrange(4):
            case 0:
                content[place : place + 1] = bytes([rng.randrange(256)])
            case 1:
                del content[place : place + rng.randrange(1, 60)]
            case 2:
                content[place:place] = rng.randbytes(rng.randrange(1, 9))
            case 3:
                content[place:place] = content[place : place + rng.randrange(1, 200)]


# The tests below read spreadsheets. Every row has a number of its own in its cells, which must stay together.

NUMBERED = {"sample_key": "S", "person_name": "某", "sampling_point": "点", "tube_no": "T", "laboratory": "所"}


def check_together(path: Path, markup: str = "") -> None:
    rows, problems, _ = staged(path)
    sent = set(
        re.findall(r"(?:<td>|<TD>|<t>|<T>|String\">)(S\d{3})", re.sub(r"<!--.*?-->", "", markup, flags=re.DOTALL))
    )
    found = {row["sample_key"] for row in rows} | {key for _, raw in problems for key in re.findall(r"S\d{3}", raw)}
    assert sent <= found, "a row is nowhere"
    for row in rows:
        numbers = {m[1] for name, letter in NUMBERED.items() if (m := re.search(rf"{letter}\D*(\d{{3}})", row[name]))}
        assert len(numbers) <= 1, f"line {row['line']}: values of several rows"


def change_markup(rng: random.Random, text: str) -> str:
    """Markup in which some tags went, came twice or were cut; cells stay as they are."""
    tags = [m.span() for m in re.finditer(r"<[^>]*>", text)]
    for start, end in sorted(rng.sample(tags, rng.randrange(1, 4)), reverse=True):
        tag = text[start:end]
        text = text[:start] + rng.choice(["", tag * 2, tag[:-1], f"<!--{tag}-->", tag.upper()]) + text[end:]
    return text[: rng.randrange(len(text) // 2, len(text))] if rng.random() < 0.2 else text


def html(rows: list[list[str]]) -> str:
    lines = [f"<tr><td>{'</td><td>'.join(row)}</td></tr>" for row in [HEADER, *rows]]
    return "<html><body><table>" + "\n".join(lines) + "</table></body></html>"


def xml(rows: list[list[str]]) -> str:
    begin, end = '<Cell><Data ss:Type="String">', "</Data></Cell>"
    lines = [f"<Row>{begin}{(end + begin).join(row)}{end}</Row>" for row in [HEADER, *rows]]
    space = "urn:schemas-microsoft-com:office:spreadsheet"
    return (
        f'<?xml version="1.0"?><Workbook xmlns="{space}" xmlns:ss="{space}"><Worksheet ss:Name="a"><Table>'
        + "\n".join(lines)
        + "</Table></Worksheet></Workbook>"
    )


def xlsx(rows: list[list[str]]) -> bytes:
    content = io.BytesIO()
    # Its cells hold their texts themselves, as an exporting program writes them.
    with xlsxwriter.Workbook(content, {"constant_memory": True, "in_memory": True}) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate([HEADER, *rows]):
            sheet.write_row(number, 0, row)
    return content.getvalue()


def fuzz_sheet(seed: int, folder: Path) -> bool:
    rng = random.Random(seed)
    rows = [[cell.replace("\n", " ") for cell in row] for row in good_rows(rng)]
    path = folder / rng.choice(["a.xls", "a.xlsx", "a.csv"])
    markup = ""
    match rng.choice(["html", "html", "html", "xml", "xlsx", "xlsx bytes", "biff.xls", "table.ods"]):
        case "html":
            markup = change_markup(rng, html(rows))
            path.write_text(markup, encoding=rng.choice(["utf-8", "gb18030", "utf-16"]))
        case "xml":
            markup = change_markup(rng, xml(rows))
            path.write_text(markup, encoding="utf-8")
        case "xlsx":
            with zipfile.ZipFile(io.BytesIO(xlsx(rows))) as good, zipfile.ZipFile(path, "w") as bad:
                for name in good.namelist():
                    part = good.read(name).decode()
                    if name.endswith("sheet1.xml"):
                        markup = part = change_markup(rng, part)
                    bad.writestr(name, part)
        case "xlsx bytes":
            content = bytearray(xlsx(rows))
            change_bytes(rng, content)
            path.write_bytes(content)
        case name:
            content = bytearray((FILES / name).read_bytes())
            change_bytes(rng, content)
            path.write_bytes(content)
    try:
        check_together(path, markup)
    except FileRejectedError:
        return False
    return True


def run(fuzz: Callable[[int, Path], bool], seeds: range, folder: Path) -> Iterator[tuple[int, Any]]:
    """The seeds whose file was not taken as it should be, with what happened."""
    read = 0
    for seed in seeds:
        try:
            read += fuzz(seed, folder)
        except Exception as error:
            yield seed, error
    assert read > len(seeds) // 10, "most files should be read"


def test_the_comparison_finds_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [",".join(row) for row in good_rows(random.Random(2)) if not any("\n" in cell for cell in row)]
    swapped = {"试管编号": "检测机构", "检测机构": "试管编号"}
    second = ",".join(swapped.get(source, source) for source in HEADER)
    path = tmp_path / "a.csv"
    path.write_text("\n".join([",".join(HEADER), *rows[:3], second, *rows[3:]]), encoding="utf-8")
    check_text(path, "utf-8", ",")
    with monkeypatch.context() as broken:
        broken.setattr(csv_file, "_later_header", lambda block, *_: (len(block), len(block), None))
        with pytest.raises(AssertionError, match="another value of tube_no"):
            check_text(path, "utf-8", ",")
    shifted = [",".join(HEADER), rows[0], re.sub(r"S\d+", "S099", rows[1])]
    path.write_text("\n".join(shifted), encoding="utf-8")
    with pytest.raises(AssertionError, match="values of several rows"):
        check_together(path)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a page fall into several blocks, as large ones do."""
    monkeypatch.setattr(csv_file, "BLOCK", 700)
    monkeypatch.setattr(xlsx_file, "BATCH_ROWS", 7)


@pytest.mark.parametrize(("fuzz", "files"), [(fuzz_text, 25), (fuzz_bytes, 10), (fuzz_sheet, 15)])
def test_files_with_faults(small_blocks: None, tmp_path: Path, fuzz: Callable[[int, Path], bool], files: int) -> None:
    assert list(run(fuzz, range(files), tmp_path)) == []


@pytest.mark.slow
@pytest.mark.parametrize(("fuzz", "files"), [(fuzz_text, 300), (fuzz_bytes, 100), (fuzz_sheet, 100)])
def test_hundreds_of_files_with_faults(
    small_blocks: None, tmp_path: Path, fuzz: Callable[[int, Path], bool], files: int
) -> None:
    assert list(run(fuzz, range(1_000, 1_000 + files), tmp_path)) == []


@pytest.mark.beyond
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(("fuzz", "files"), [(fuzz_text, 6000), (fuzz_bytes, 2000), (fuzz_sheet, 2000)])
def test_ten_thousand_files_with_faults(
    small_blocks: None, tmp_path: Path, fuzz: Callable[[int, Path], bool], files: int
) -> None:
    assert list(run(fuzz, range(10_000, 10_000 + files), tmp_path)) == []
