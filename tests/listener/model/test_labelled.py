"""Files of labelled texts as people have them."""

from __future__ import annotations

import json
import shlex
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from listener.errors import Mistake
from listener.model import labelled
from listener.model.labelled import Example, Passed, Plan
from listener.model.rows import Row
from listener.types import Intent, Sentiment, Signal

ROWS = [("Sin señal, otra vez", "negativo"), ("¿A qué hora\nabren?", "neutro"), ('Dijo "gracias"', "positivo")]
MEANT = ["negative", "neutral", "positive"]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(plan: Plan) -> list[tuple[int, str, list[str]]]:
    return [(one.line, one.text, sorted(one.labels)) for one in labelled.examples(plan) if isinstance(one, Example)]


def troubles(plan: Plan) -> list[tuple[int, str]]:
    return [(one.line, one.trouble) for one in labelled.examples(plan) if isinstance(one, Row)]


def as_csv(delimiter: str) -> str:
    lines = [delimiter.join(['"' + text.replace('"', '""') + '"', label]) for text, label in ROWS]
    return "\n".join([f"texto{delimiter}etiqueta", *lines]) + "\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", as_csv(",")),
        ("a.csv", as_csv(";")),
        ("a.csv", as_csv("|")),
        ("a.tsv", as_csv("\t")),
        ("a.csv", "\ufeff" + as_csv(",").replace("\n", "\r\n")),
        ("a.csv", "sep=;\r\n" + as_csv(";")),
        ("a.csv", as_csv(",").encode("utf-16")),
        ("a", as_csv(";")),
        ("a.jsonl", "\n".join(json.dumps({"texto": text, "etiqueta": label}) for text, label in ROWS)),
        ("a.json", json.dumps([{"texto": text, "etiqueta": label} for text, label in ROWS], indent=2)),
        ("a.json", json.dumps([{"texto": text, "etiqueta": [label]} for text, label in ROWS], ensure_ascii=False)),
        ("a.json", "\n".join(json.dumps({"texto": text, "etiqueta": label}) for text, label in ROWS)),
    ],
)
def test_every_form_is_read_alike(tmp_path: Path, name: str, content: str | bytes) -> None:
    plan = labelled.plan(write(tmp_path / name, content))
    found = [(text.replace("\r\n", "\n"), labels) for _, text, labels in read(plan)]
    assert found == [(text, [meant]) for (text, _), meant in zip(ROWS, MEANT, strict=True)]
    assert (plan.text, plan.label, plan.language, plan.head, plan.rows) == ("texto", "etiqueta", None, "sentiment", 3)
    assert plan.labels == tuple(MEANT)


def test_windows_1252_is_read_and_said(tmp_path: Path) -> None:
    plan = labelled.plan(write(tmp_path / "a.csv", "texto;etiqueta\nSin señal, señor;negativo\n".encode("cp1252")))
    assert read(plan) == [(2, "Sin señal, señor", ["negative"])]
    assert "Windows-1252" in plan.file.notes[0]


def test_quotes_in_a_tsv_may_be_mere_quotes(tmp_path: Path) -> None:
    content = 'tweet\tlabel\n"So good" they said\tpositive\n"Never again\tnegative\nfine\tneutral\n"x\tpositive\n'
    plan = labelled.plan(write(tmp_path / "a.tsv", content))
    assert [text for _, text, _ in read(plan)] == ['"So good" they said', '"Never again', "fine", '"x']


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("Mensaje,Sentimiento", ("Mensaje", "Sentimiento", None)),
        ("id,Tweet,airline_sentiment,lang", ("Tweet", "airline_sentiment", "lang")),
        ("label,TEXT", ("TEXT", "label", None)),
        ("Reseña,Categoría,Idioma", ("Reseña", "Categoría", "Idioma")),
    ],
)
def test_columns_are_known_by_their_usual_names(
    tmp_path: Path, header: str, columns: tuple[str, str, str | None]
) -> None:
    cells = {"label": "negative", "sentiment": "negative", "lang": "es"}
    usual = ("sentimiento", "airline_sentiment", "label", "categoría")
    row = ",".join(cells["label"] if name.lower() in usual else "es" for name in header.split(","))
    plan = labelled.plan(write(tmp_path / "a.csv", f"{header}\n{row}\n"))
    assert (plan.text, plan.label, plan.language) == columns


def test_the_head_chooses_its_column(tmp_path: Path) -> None:
    content = "intents\tsentiment\tsignals\ttext\ncomplaint,question\tnegative\tnone\tWhen?\nnone\tneutral\tirony\tHi\n"
    path = write(tmp_path / "a.tsv", content)
    assert labelled.plan(path).head == "sentiment"
    intents = labelled.plan(path, head="intents")
    assert [labels for _, _, labels in read(intents)] == [["complaint", "question"], []]
    assert intents.labels == ("complaint", "question")
    assert [labels for _, _, labels in read(labelled.plan(path, head="signals"))] == [[], ["irony"]]
    assert labelled.plan(path, label="intents").head == "intents"


@pytest.mark.parametrize(
    ("cells", "head"),
    [(["queja", "pregunta|queja"], "intents"), (["irony", "none"], "signals"), (["NEG", "POS"], "sentiment")],
)
def test_labels_tell_the_head(tmp_path: Path, cells: list[str], head: str) -> None:
    path = write(tmp_path / "a.csv", "text,label\n" + "".join(f"x,{cell}\n" for cell in cells))
    assert labelled.plan(path).head == head


@pytest.mark.parametrize(
    ("cells", "meant", "assumed"),
    [
        ([-1, 0, 1], ["negative", "neutral", "positive"], "-1 as negative"),
        ([0, 1, 2], ["negative", "neutral", "positive"], "2 as positive"),
        ([2.0, 0.0], ["positive", "negative"], "2 as positive"),
        (["N", "P", "NEU", "P+"], ["negative", "positive", "neutral", "positive"], "N as negative"),
        (["NEGATIVE", "pos", "Muy Negativo", "neutro"], ["negative", "positive", "negative", "neutral"], ""),
    ],
)
def test_labels_are_known_by_their_usual_names(
    tmp_path: Path, cells: list[Any], meant: list[str], assumed: str
) -> None:
    content = "\n".join(json.dumps({"text": "x", "label": cell}) for cell in cells)
    plan = labelled.plan(write(tmp_path / "a.jsonl", content))
    assert [labels for _, _, labels in read(plan)] == [[one] for one in meant]
    assert assumed in plan.assumed
    assert bool(assumed) == bool(plan.assumed)


def test_what_somebody_says_goes_before_what_names_suggest(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text,label\na,0\nb,1\nc,meh\nd,x\n")
    plan = labelled.plan(path, said=["0=positive", "1=negative", "MEH=neutral", "x=none"])
    assert [labels for _, _, labels in read(plan)] == [["positive"], ["negative"], ["neutral"]]
    assert [one for one in labelled.examples(plan) if isinstance(one, Passed)] == [Passed(line=5)]


def test_bad_rows_are_named_by_their_lines(tmp_path: Path) -> None:
    content = 'text,label\na,neg\n,neg\nb,\n"bad "quote" here",neg\nc,neg,d\n'
    content += 'd,what\ne,"neg, pos"\n"two\nlines",pos\nlast,neu\n'
    plan = labelled.plan(write(tmp_path / "a.csv", content))
    assert troubles(plan) == [
        (3, "it has no text"),
        (4, "it has no label; write none where nothing is meant"),
        (5, "a quote inside a quoted cell is not doubled"),
        (6, "it has 3 cells under 2 columns"),
        (7, "nobody said what the label 'what' means"),
        (8, "it has two sentiments"),
    ]
    assert [line for line, _, _ in read(plan)] == [2, 9, 11]
    assert plan.unknown == {"what": 1}


def test_a_quote_that_never_closes_costs_one_row(tmp_path: Path) -> None:
    rows = "".join(f"text {number},neg\n" for number in range(1200))
    plan = labelled.plan(write(tmp_path / "a.csv", f'text,label\na,pos\n"oops,neg\n{rows}'))
    assert troubles(plan) == [(3, "a quote opens in it and never closes")]
    assert len(read(plan)) == 1201


def test_bad_json_is_named_by_its_line(tmp_path: Path) -> None:
    lines = ['{"text": "a", "label": "neg"}', "{oops", "[1]", "", '{"text": 5, "label": "neg"}', "[" * 100_000]
    plan = labelled.plan(write(tmp_path / "a.jsonl", "\n".join(lines)))
    assert [line for line, _, _ in read(plan)] == [1]
    assert [line for line, _ in troubles(plan)] == [2, 3, 5, 6]


def test_an_array_that_is_cut_off_is_read_up_to_there(tmp_path: Path) -> None:
    whole = json.dumps([{"text": "a" * 500, "label": "neg"}] * 400, indent=1)
    plan = labelled.plan(write(tmp_path / "a.json", whole[:-40]))
    assert len(read(plan)) == 399
    ((line, why),) = troubles(plan)
    assert line == 2 + 399 * 4
    assert "what follows it was not read" in why


def test_several_labels_and_names_with_accents(tmp_path: Path) -> None:
    content = "text,areas\na,facturación|averías\nb,\nc,none\nd,averías\n"
    plan = labelled.plan(write(tmp_path / "a.csv", content))
    assert plan.head == "areas"
    assert [labels for _, _, labels in read(plan)] == [["averías", "facturación"], [], ["averías"]]
    assert plan.labels == ("averías", "facturación")


@pytest.mark.parametrize(
    ("content", "asked", "said"),
    [
        ("id,words\n1,x\n", {}, "no column looks like the text; say which with --text. It has: id, words."),
        ("text,words\n1,x\n", {}, "no column looks like the label; say which with --label. It has: text, words."),
        ("text,label\n1,neg\n", {"text": "body"}, "has no column 'body'; it has: text, label."),
        ("text,label\n1,neg\n", {"language": "tongue"}, "has no column 'tongue'; it has: text, label."),
        ("text,label\nx,0\ny,1\n", {}, "mean nothing to us as sentiment: 0, 1. Say what each means, such as --map '0="),
        ("text,label\nx,5\ny,1\n", {}, "mean nothing to us as sentiment"),
        ("text,label\nx,neg\n", {"head": "intents"}, "mean nothing to us as intents: neg."),
        ("text,label\nx,neg\n", {"said": ["what"]}, "--map 'what' lacks a =; write --map THEIRS=OURS"),
        ("text,label\nx,neg\n", {"said": ["meh=neutral"]}, "has no label 'meh'; it has: neg."),
        ("text,label\nx,neg\n", {"said": ["neg=awful"]}, "'awful' is no label of ours"),
        ("text,label\nx,neg\n", {"said": ["neg=complaint"]}, "'complaint' is no label of sentiment"),
        ("text,label\nx,\n", {}, "has no row with a label in its column 'label'"),
        ("text,label\n" + "".join(f"x,l{n}\n" for n in range(600)), {}, "holds more than 500 different labels"),
        ("", {}, "is empty"),
        ("\n \n", {}, "is empty"),
        (b"PK\x03\x04rest", {}, "is a workbook or an archive, no text; save it as CSV (UTF-8)."),
        (b"text,label\n\x00\x01", {}, "is no text"),
        (None, {}, "There is no file"),
    ],
)
def test_what_cannot_be_measured_is_told_with_the_next_step(
    tmp_path: Path, content: str | bytes | None, asked: dict[str, Any], said: str
) -> None:
    path = tmp_path / "a.csv"
    if content is not None:
        write(path, content)
    with pytest.raises(Mistake) as told:
        labelled.plan(path, **asked)
    assert said in str(told.value)
    assert "\n" not in str(told.value)


def test_a_hint_that_is_copied_runs_nothing_that_a_file_says(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text,label\nx,'$(id)'\n")
    with pytest.raises(Mistake) as told:
        labelled.plan(path)
    hint = str(told.value).partition("such as ")[2].partition(", or name another")[0]
    assert shlex.split(hint) == ["--map", "'$(id)'=negative"]


def test_labels_deep_inside_each_other_are_none(tmp_path: Path) -> None:
    deep = "[" * 700 + "]" * 700
    path = write(tmp_path / "a.jsonl", f'{{"text": "x", "label": "neg"}}\n{{"text": "y", "label": {deep}}}\n')
    assert troubles(labelled.plan(path)) == [(2, "it has no label; write none where nothing is meant")]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match="is not a file"):
        labelled.plan(tmp_path)


# --- every head's labels side by side ---


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", 'text,label\n"hola, qué tal",neutral\nmal,negative|intent:complaint|irony\nx,none\n'),
        ("a.csv", 'Mensaje;Etiqueta\nhola, qué tal;neutro\nmal;"NEG, queja, signal:irony"\nx;otros\n'),
        (
            "a.jsonl",
            '{"text": "hola, qué tal", "label": "neutral"}\n\n'
            '{"text": "mal", "label": ["negative", "complaint", "irony"]}\n{"text": "x", "label": "none"}',
        ),
    ],
)
def test_all_that_is_said_of_a_text(tmp_path: Path, name: str, content: str) -> None:
    path = write(tmp_path / name, content)
    assert labelled.whole(path, limit=10).examples == (
        ("hola, qué tal", (Sentiment.NEUTRAL,)),
        ("mal", (Sentiment.NEGATIVE, Intent.COMPLAINT, Signal.IRONY)),
        ("x", (None,)),
    )
    assert len(labelled.whole(path, limit=1).examples) == 1


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"text\nhola\n", r"a\.csv: no column looks like the label; call one of them label\. It has: text\."),
        ("a.csv", b"text,label\nhola,\n", r"a\.csv, line 2: it has no label; write none where nothing is meant\."),
        ("a.csv", b"text,label\nhola,neg\n ,neg\n", r"a\.csv, line 3: it has no text\."),
        ("a.csv", b"text,label\nhola,feliz\n", r"a\.csv, line 2: 'feliz' is no label of ours"),
        ("a.csv", b"text,label\nhola,1\n", r"a\.csv, line 2: '1' is no label of ours"),
        ("a.jsonl", b'{"text": "a", "label": "neg"}\n{\n', r"a\.jsonl, line 2: it is not JSON\."),
    ],
)
def test_what_is_fitted_is_never_guessed(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    with pytest.raises(Mistake, match=said):
        labelled.whole(write(tmp_path / name, content), limit=10)


def test_what_is_odd_about_a_file_is_noted(tmp_path: Path) -> None:
    found = labelled.whole(write(tmp_path / "a.csv", "text,label\nSin señal,neg\n".encode("cp1252")), limit=10)
    assert found.examples == (("Sin señal", (Sentiment.NEGATIVE,)),)
    assert "Windows-1252" in found.notes[0]


def test_the_apostrophe_that_an_export_adds_is_taken_off(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text,label\n'=1+1 y nada,neg\n")
    assert [text for text, _ in labelled.whole(path, limit=10).examples] == ["=1+1 y nada"]


def test_labels_may_be_written_as_an_import_writes_them(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "text,label\na,intent:complaint\nb,intent:outage_report\nc,none\n")
    plan = labelled.plan(path)
    assert plan.head == "intents"
    assert [labels for _, _, labels in read(plan)] == [["complaint"], ["outage_report"], []]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json"])
def test_a_long_file_is_read_in_bounded_memory(tmp_path: Path, name: str) -> None:
    text = "Sin señal desde ayer, y nadie contesta. " * 20
    row = json.dumps({"text": text, "label": "neg"}, ensure_ascii=False)
    with (tmp_path / name).open("w", encoding="utf-8") as file:
        if name == "a.csv":
            file.write("text,label\n" + f'"{text}",neg\n' * 6_000)
        elif name == "a.jsonl":
            file.write(f"{row}\n" * 6_000)
        else:
            file.write("[" + f"{row},\n" * 5_999 + f"{row}]")
    assert (tmp_path / name).stat().st_size > 4_800_000
    tracemalloc.start()
    try:
        plan = labelled.plan(tmp_path / name)
        assert sum(isinstance(one, Example) for one in labelled.examples(plan)) == 6_000
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
