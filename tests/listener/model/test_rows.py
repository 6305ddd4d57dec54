"""Files that nobody means to write: what they hold is read, what they lack is said, and neither costs much."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.errors import Mistake
from listener.model import labelled, records, rows
from listener.model.records import MAX_RECORD, OPEN

TOO_LONG = "it is longer than 1,000,000 characters"


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def opened(path: Path, form: rows.Form | None = None) -> rows.RowFile:
    return rows.open_file(path, knows={"text", "label"}.__contains__, form=form)


@pytest.fixture
def small() -> Iterator[None]:
    """Limits so small that a few characters meet them."""
    limit = csv.field_size_limit()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("MAX_RECORD", 12), ("MAX_LINES", 4), ("PIECE", 3)):
            patch.setattr(records, name, value)
        yield
    csv.field_size_limit(limit)


# --- quotes ---


@pytest.fixture
def fed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every line that a parser of CSV is given."""
    given, reader = list[str](), csv.reader

    def seen(lines: Sequence[str], **dialect: Any) -> Any:
        given.extend(lines)
        return reader(lines, **dialect)

    monkeypatch.setattr(csv, "reader", seen)
    return given


BOTH = 'a","b\n'  # opens a quote where it is read afresh, and leaves open one that is


@pytest.mark.parametrize(
    ("lines", "troubles"),
    [
        ([BOTH] * 5_000, 5_000),
        (([BOTH] * 499 + ['"x"y"\n']) * 10, 5_000),
        (([BOTH] * 450 + ['a"\n']) * 10, 0),
        (([BOTH] * 1_000 + ['a"\n']) * 5, 5 * 501),
        ((['"' + "x" * 2_000 + "\n"] + ["x" * 2_000 + "\n"] * 999) * 5, 5),
        (([BOTH] * 450 + ['"' * 900_000 + "x\n"]) * 3, 3 * 451),
        ([f'x","{"y" * 20_000}\n'] * 300, 300),
        (['""\n', 'x,"\n'] * 2_000, None),
    ],
    ids=["never closes", "cannot go on", "closes", "closes far away", "long", "long end", "size", "pairs"],
)
def test_a_line_is_parsed_thrice_at_most_whatever_its_quotes_do(
    fed: list[str], lines: list[str], troubles: int | None
) -> None:
    found = sum(bool(record.trouble) for record in records.records(lines, ",", quoted=True))
    if troubles is not None:
        assert found == troubles
    assert len(fed) <= 4 * len(lines)  # a quote stands alone before each line that is looked at inside of one
    assert sum(map(len, fed)) <= 3 * sum(map(len, lines)) + len(lines)


def test_a_file_of_quotes_that_never_close_is_read_to_its_end(tmp_path: Path, fed: list[str]) -> None:
    path = write(tmp_path / "a.csv", "text,label\nx,neg\n" + BOTH * 5_000 + "y,pos\n")
    found = list(opened(path).rows())
    assert [row.line for row in found if not row.trouble] == [2, 5_003]
    assert {row.trouble for row in found if row.trouble} == {OPEN}
    assert len(fed) < 25_000


def plainly(lines: list[str]) -> Iterator[tuple[int, list[str], bool]]:
    """What records are, said as plainly as can be: every line that begins one is parsed with all that may belong."""
    at = 0
    while at < len(lines):
        here = lines[at : at + records.MAX_LINES]
        while len(here) > 1 and sum(map(len, here)) > records.MAX_RECORD:
            here.pop()
        reader = csv.reader(here, strict=True, skipinitialspace=True)
        try:
            if len(here[0]) > records.MAX_RECORD:
                raise csv.Error
            cells = next(reader)
        except csv.Error:
            yield at + 1, [], True
            at += 1
        else:
            if any(map(str.strip, cells)):
                yield at + 1, cells, False
            at += reader.line_num


@pytest.mark.usefixtures("small")
@given(st.text(alphabet='"""",,a \n\n\r', max_size=60))
def test_records_are_those_of_a_plain_reader(text: str) -> None:
    lines = list(io.StringIO(text, newline=""))
    found = records.records(lines, ",", quoted=True)
    seen = [(one.line, [] if one.trouble else list(one.cells), bool(one.trouble)) for one in found]
    assert seen == list(plainly(lines))


@pytest.mark.usefixtures("small")
@given(st.lists(st.sampled_from([BOTH, '"\n', '"x"y\n', 'a"\n', "b\n", '"a",b\n', 'a,"\n']), max_size=30))
def test_records_are_those_of_a_plain_reader_where_quotes_abound(lines: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "MAX_RECORD", 40)
        patch.setattr(records, "MAX_LINES", 6)
        found = records.records(lines, ",", quoted=True)
        seen = [(one.line, [] if one.trouble else list(one.cells), bool(one.trouble)) for one in found]
        assert seen == list(plainly(lines))


def test_what_is_wrong_with_a_line_is_said_of_the_line_that_began_it() -> None:
    lines = ['"a\n', "b\n", '"c"d\n', "e\rf\n", '"g\n', "h\n"]
    found = [(one.line, one.trouble) for one in records.records(lines, ",", quoted=True) if one.trouble]
    assert found == [
        (1, "a quote inside a quoted cell is not doubled"),
        (3, "a quote inside a quoted cell is not doubled"),
        (4, "it holds a lone carriage return"),
        (5, OPEN),
    ]


# --- long lines ---


@pytest.mark.usefixtures("small")
@given(st.text(alphabet="ab\r\n\n", max_size=80))
def test_a_long_line_is_cut_and_costs_no_other(text: str) -> None:
    def file() -> io.TextIOWrapper:
        return io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8", newline="")

    limit = records.MAX_RECORD + 1
    assert list(records.lines(file())) == [line[:limit] for line in file()]


@pytest.mark.parametrize(
    ("name", "first", "long", "last"),
    [
        ("a.csv", "text,label\na,neg\n", "x", "b,pos\n"),
        ("a.csv", "text,label\na,neg\n", ",", "b,pos\n"),
        ("a.csv", "text,label\na,neg\n", '""', "b,pos\n"),
        ("a.jsonl", '\n{"text": "a", "label": "neg"}\n', "[", '{"text": "b", "label": "pos"}'),
        ("a.jsonl", '\r\n{"text": "a", "label": "neg"}\r\n', '{"text": ', '{"text": "b", "label": "pos"}'),
    ],
)
def test_a_line_of_any_length_is_a_row_in_trouble(tmp_path: Path, name: str, first: str, long: str, last: str) -> None:
    with (tmp_path / name).open("w", encoding="utf-8", newline="") as file:
        file.write(first)
        for _ in range(20):
            file.write(long * (MAX_RECORD // len(long)))
        file.write("\n" + last)
    tracemalloc.start()
    try:
        found = list(opened(tmp_path / name).rows())
        assert tracemalloc.get_traced_memory()[1] < 16_000_000  # bytes; the line has 20 million
    finally:
        tracemalloc.stop()
    assert [(row.line, row.cells.get("text"), row.trouble) for row in found] == [
        (2, "a", ""),
        (3, None, TOO_LONG),
        (4, "b", ""),
    ]


def test_a_quote_does_not_run_on_into_a_line_of_any_length(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'text,label\n"a,neg\nb,neg\n' + "x" * 3_000_000 + "\nc,pos\n")
    found = [(row.line, row.trouble) for row in opened(path).rows()]
    assert found == [(2, OPEN), (3, ""), (4, TOO_LONG), (5, "")]


def test_a_long_line_is_told_to_who_measures_and_to_who_fits(tmp_path: Path) -> None:
    row = json.dumps({"text": "a", "label": "neg"})
    path = write(tmp_path / "a.jsonl", f"{row}\n{{{' ' * 2_000_000}}}\n{row}\n")
    plan = labelled.plan(path)
    assert plan.rows == 3
    assert [one.line for one in labelled.examples(plan) if isinstance(one, labelled.Example)] == [1, 3]
    with pytest.raises(Mistake, match=r"a\.jsonl, line 2: it is longer than 1,000,000 characters\."):
        labelled.whole(path, limit=10)


def test_names_of_columns_are_few_and_short(tmp_path: Path) -> None:
    many = json.dumps({f"key {number}": 1 for number in range(30_000)} | {"x" * 500_000: 1})
    path = write(tmp_path / "a.jsonl", '{"text": "a"}\n' + f"{many}\n" * 3)
    columns = opened(path).columns
    assert columns[0] == "text"
    assert len(columns) <= rows.MAX_NAMES
    assert max(map(len, columns)) <= rows.MAX_NAME


# --- forms ---


def test_a_form_that_is_known_is_not_guessed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", 'oops\n[1]\n{"text": "a"}\n')
    found = [(row.line, row.trouble, row.detail) for row in opened(path, "JSON lines").rows()]
    assert found == [
        (1, "it is not JSON", "Expecting value: column 1"),
        (2, "it is no object with keys", ""),
        (3, "", ""),
    ]


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        ('{"text": "a" "b"}', "Expecting ',' delimiter: column 14"),
        ("[" * 100_000, "it nests too deeply"),
        (f'{{"text": {"1" * 5_000}}}', "a number in it has too many digits"),
    ],
)
def test_what_exactly_is_no_json(tmp_path: Path, line: str, detail: str) -> None:
    (row,) = opened(write(tmp_path / "a.jsonl", line), "JSON lines").rows()
    assert (row.trouble, row.detail) == ("it is not JSON", detail)


@pytest.mark.parametrize("form", ["CSV", "JSON lines", "a JSON array"])
@pytest.mark.parametrize("content", ["", " \n\n"])
def test_an_empty_file_of_a_known_form_has_no_rows(tmp_path: Path, content: str, form: rows.Form) -> None:
    file = opened(write(tmp_path / "a", content), form)
    assert file.columns == ()
    if form != "a JSON array":  # there, the brackets are missing
        assert list(file.rows()) == []


@pytest.mark.parametrize("content", ["", "\ufeff", " \n\n"])
def test_a_file_with_nothing_in_it_is_told(tmp_path: Path, content: str) -> None:
    with pytest.raises(Mistake, match="is empty; give a file of labelled texts"):
        opened(write(tmp_path / "a.csv", content))


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"\xff\xfet\x00\x00\xd8x\x00"])
def test_what_only_begins_as_utf_16_is_told(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(Mistake, match="is not the UTF-16 as which it begins"):
        opened(write(tmp_path / "a.csv", content))


def test_what_is_no_utf_16_further_down_is_told(tmp_path: Path) -> None:
    content = "text,label\n".encode("utf-16") + ("a,neg\n" * 15_000).encode("utf-16-le") + b"\x00"
    file = opened(write(tmp_path / "a.csv", content))
    with pytest.raises(Mistake, match="is not the UTF-16 as which it begins"):
        list(file.rows())


def test_a_header_of_many_names_is_looked_through_once(tmp_path: Path) -> None:
    names = [f"{number:x}" for number in range(12_000)]
    file = opened(write(tmp_path / "a.csv", ",".join([*names, "text", "text"]) + "\n"))
    assert len(file.columns) == 12_002
    assert file.notes == ("The column text is there more than once; the last one counts.",)


def test_what_follows_the_end_of_an_array_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[{"text": "a"}, {"text": "b"}] ' + " " * (2 * rows.PIECE) + '[{"text": "lost"}]', "utf-8")
    found = list(rows.open_file(path, knows=lambda name: name == "text").rows())
    assert [row.cells for row in found] == [{"text": "a"}, {"text": "b"}, {}]
    assert "follows the end" in found[2].trouble
    path.write_text('[{"text": "a"}]\n \n', "utf-8")
    assert [row.trouble for row in rows.open_file(path, knows=lambda name: name == "text").rows()] == [""]
