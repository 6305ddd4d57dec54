"""`escucha model info` and `escucha model eval`, as people type them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import cli
import connectors
import policies
from listener.commands import describing
from listener.commands.app import App
from listener.errors import Mistake
from listener.model import areas_file
from listener.types import Intent, Sentiment, Signal, Understanding
from tests.listener.commands.desk_world import DANGEROUS
from tests.listener.model.spoken import Spoken

Escucha = Callable[..., Result]
HOSTILE = "positive [red]x[/red] \x1b]0;owned\x07 \u202egnp.exe"


@pytest.fixture
def spoken() -> Spoken:
    return Spoken()


@pytest.fixture
def escucha(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoken: Spoken) -> Escucha:
    """Runs one command in an empty folder, with a model that reads what a text says of itself."""
    monkeypatch.chdir(tmp_path)

    def run(*args: str) -> Result:
        app = App(connectors=connectors, policies=policies, config_path=Path("escucha.toml"))
        app.__dict__["classifier"] = spoken
        return CliRunner().invoke(cli.escucha, args, obj=app)

    return run


def told(done: Result, code: int = 0) -> Any:
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def write(content: str, name: str = "a.csv") -> str:
    Path(name).write_text(content, encoding="utf-8")
    return name


GOOD = "text,label,lang\nnegative 0.9,neg,es\nneutral 0.8,neg,es\npositive 0.7,pos,en\npositive 0.4,pos,en\n"


def test_figures_for_programs(escucha: Escucha) -> None:
    found = told(escucha("model", "eval", write(GOOD), "--json"))
    assert found["columns"] == {"text": "text", "label": "label", "language": "lang"}
    assert (found["head"], found["rows"], found["measured"], found["partial"]) == ("sentiment", 4, 4, False)
    assert found["labels"] == {"neg": "negative", "pos": "positive"}
    assert found["all"]["accuracy"] == {"value": 0.75, "low": 0.3006, "high": 0.9544, "part": 3, "whole": 4}
    assert found["all"]["answered"]["part"] == 3
    assert found["all"]["confusion"]["negative"] == {"negative": 1, "neutral": 1, "positive": 0}
    assert {name: own["texts"] for name, own in found["languages"].items()} == {"es": 2, "en": 2}
    (wrong,) = found["worst"]
    assert (wrong["line"], wrong["meant"], wrong["said"], wrong["score"]) == (3, "negative", "neutral", 0.8)
    assert found["model_version"] == "spoken"


def test_figures_for_people(escucha: Escucha) -> None:
    done = escucha("model", "eval", write(GOOD))
    assert (done.exit_code, done.stderr) == (0, "")
    assert "a.csv: 4 rows of CSV; texts from the column text, labels from label," in done.stdout
    assert "Labels: neg = negative, pos = positive." in done.stdout
    assert "Measuring sentiment with spoken." in done.stdout
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    (everything,) = [line.split() for line in lines if line.startswith("all ")]
    assert everything[1:4] == ["4", "75%", "30–95"]
    assert "line 3 (es): negative, taken for neutral, score 0.80" in done.stdout


def test_what_a_file_says_cannot_command_the_terminal(escucha: Escucha) -> None:
    rows = [{"text": HOSTILE, "label": "neg", "lang": HOSTILE}, {"text": "negative", "label": HOSTILE, "lang": "es"}]
    path = write("\n".join(json.dumps(row) for row in rows), "a.jsonl")
    for args in ([], ["--json"]):
        done = escucha("model", "eval", path, *args)
        assert done.exit_code == 3
        assert not DANGEROUS.search(done.stdout), repr(done.stdout)
        assert not DANGEROUS.search(done.stderr), repr(done.stderr)
    assert "[red]x[/red]" in escucha("model", "eval", path).stdout


def test_bad_rows_are_named_and_left_out(escucha: Escucha) -> None:
    path = write("text,label\nnegative,neg\n,neg\nneutral,meh\npositive,\nneutral,neu\n")
    done = escucha("model", "eval", path)
    assert done.exit_code == 3
    assert "line 3: it has no text\n" in done.stderr
    assert "line 4: nobody said what the label 'meh' means\n" in done.stderr
    assert "3 rows of 5 in a.csv could not be used; the others were." in done.stderr
    assert "--map 'meh=negative'" in done.stderr
    found = told(escucha("model", "eval", path, "--json"), 3)
    assert found["left_out"] == 3
    assert [row["line"] for row in found["left_out_rows"]] == [3, 4, 5]
    assert found["left_out_reasons"]["it has no text"] == 1
    mapped = told(escucha("model", "eval", path, "--map", "meh=neutral", "--json"), 3)
    assert (mapped["left_out"], mapped["measured"]) == (2, 3)


@pytest.mark.parametrize(
    ("content", "args", "said"),
    [
        ("text,label\nx,neg\n", ["--label", "mood"], "has no column 'mood'; it has: text, label."),
        ("text,label\n,neg\n", [], "No row of a.csv can be used (line 2: it has no text)"),
        ("text,label\nx,irony\n", [], "The model spoken knows none of these signals: irony; use another --model"),
        ("text,areas\nx,billing\n", [], "teach it with `escucha model train`"),
        ("text,label\nx,7\n", [], "Say what each means, such as --map '7=negative'"),
    ],
)
def test_what_cannot_be_measured_is_told(escucha: Escucha, content: str, args: Sequence[str], said: str) -> None:
    done = escucha("model", "eval", write(content), *args)
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_numbers_are_read_by_habit_and_that_is_said(escucha: Escucha) -> None:
    done = escucha("model", "eval", write("text\tlabel\nnegative\t0\nneutral\t1\npositive\t2\n", "a.tsv"))
    assert done.exit_code == 0
    assert "read 0 as negative, 1 as neutral, 2 as positive. If that is wrong, say it with --map." in done.stderr


def test_several_intents(escucha: Escucha) -> None:
    path = write("text,intents\ncomplaint:0.9 praise:0.6,queja|pregunta\ncomplaint:0.8,complaint\nhi,none\n")
    found = told(escucha("model", "eval", path, "--json"))
    assert found["head"] == "intents"
    assert set(found["all"]["each"]) == {"complaint", "question"}
    assert found["all"]["each"]["complaint"]["f1"] == 1.0
    done = escucha("model", "eval", path)
    assert done.exit_code == 0
    assert "question, not noticed, score 0.00" in done.stdout


def test_batches_are_of_a_bounded_size(escucha: Escucha, spoken: Spoken) -> None:
    write("text,label\n" + "negative,neg\n" * 600)
    told(escucha("model", "eval", "a.csv", "--json"))
    assert spoken.batches == [256, 256, 88]


def test_ctrl_c_ends_with_the_figures_so_far(escucha: Escucha, spoken: Spoken, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(Spoken):
        def classify(self, texts: Sequence[str]) -> list[Understanding]:
            if self.batches:
                raise KeyboardInterrupt
            return super().classify(texts)

    monkeypatch.setattr(spoken, "__class__", Stopped)
    write("text,label\n" + "negative,neg\n" * 600)
    done = escucha("model", "eval", "a.csv")
    assert done.exit_code == 130
    assert "STOPPED EARLY: these are the figures of 256 texts; the file has 600 rows." in done.stdout
    spoken.batches.clear()
    found = told(escucha("model", "eval", "a.csv", "--json"), 130)
    assert (found["partial"], found["measured"], found["all"]["texts"]) == (True, 256, 256)


# --- pictures ---


@pytest.mark.slow
@pytest.mark.parametrize(("plot", "files"), [("out", ["confusion.png", "reliability.png"]), ("a.png", ["a.png"])])
def test_pictures(escucha: Escucha, plot: str, files: list[str]) -> None:
    pytest.importorskip("matplotlib")
    done = escucha("model", "eval", write(GOOD), "--plot", plot)
    assert done.exit_code == 0, done.output
    folder = Path(plot) if plot == "out" else Path()
    for name in files:
        assert f"Drawn: {folder / name}" in done.stdout
        assert (folder / name).read_bytes().startswith(b"\x89PNG")


def test_pictures_need_an_extra_and_that_is_told_first(
    escucha: Escucha, spoken: Spoken, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = escucha("model", "eval", write(GOOD), "--plot", "out")
    assert done.exit_code == 2
    assert "pip install '.[plots]'" in done.stderr
    assert not spoken.batches
    assert not Path("out").exists()


# --- info ---


def card(folder: Path, version: str = "escucha-tiny-1") -> Path:
    """A model's card, and no model."""

    def scale(threshold: float) -> dict[str, float]:
        return {"slope": 1.0, "offset": 0.0, "threshold": threshold}

    language = {
        "sentiment": {
            "temperature": 1.0,
            "shift": dict.fromkeys([label.value for label in Sentiment], 0.0),
            "thresholds": {"negative": 0.4, "neutral": 0.5, "positive": 0.72},
        },
        "intents": {label.value: scale(0.5) for label in Intent},
        "signals": {label.value: scale(0.6) for label in Signal},
    }
    sentiment = {"macro_f1": 0.774, "accuracy": 0.823, "ece": 0.044, "answered": 0.954, "right_when_answered": 0.836}
    data = {
        "version": version,
        "made": "2026-11-22",
        "base": "some encoder",
        "max_tokens": 128,
        "files": [{"name": "full.onnx", "sha256": "ab" * 32, "size": 27_000_000}],
        "sources": [
            {"name": "corpus", "licence": "Apache-2.0", "use": "train", "examples": 3000},
            {"name": "xlm_t", "licence": "not trained on", "use": "measure only: posts", "examples": 648},
        ],
        "calibration": {profile: {name: language for name in ("en", "es", "other")} for profile in ("full", "fast")},
        "metrics": {"en": {"texts": 237, "sentiment": sentiment}, "calibration part": {"en": {"texts": 1}}},
    }
    folder.mkdir(parents=True)
    (folder / "card.json").write_text(json.dumps(data), encoding="utf-8")
    return folder


def test_the_bundled_model_is_described(escucha: Escucha) -> None:
    done = escucha("model", "info")
    assert done.exit_code == 0, done.output
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    for said in ("English (en), Spanish (es)", "negative, neutral, positive", "none learned", "learned from", "MB in"):
        assert said in done.stdout
    assert len(done.stdout.splitlines()) < 40
    full = escucha("model", "info", "--full").stdout
    assert all(label.value in full for label in (*Sentiment, *Intent, *Signal))
    found = told(escucha("model", "info", "--json"))
    assert found["labels"]["signals"] == [label.value for label in Signal]
    assert found["files"]
    assert found["metrics"]


def test_what_was_learned_and_imported_is_named(tmp_path: Path) -> None:
    models = tmp_path / "models"
    folder = card(tmp_path / "bundled")
    found = describing.describe(folder, models, profile="full", also=["gone"])
    assert found.areas is None
    assert [(one.name, one.used, one.card) for one in found.beside] == [("gone", True, None)]
    models.mkdir()
    (models / areas_file.FILE).write_bytes(b"no archive")
    broken = describing.describe(folder, models, profile="full", also=[])
    assert broken.areas is not None
    assert "cannot be read" in broken.areas.trouble
    assert broken.size == 27_000_000
    assert describing.told(broken)["version"] == "escucha-tiny-1"


def test_the_headlines_leave_out_what_is_no_test(tmp_path: Path) -> None:
    found = describing.describe(card(tmp_path / "bundled"), tmp_path, profile="fast", also=[])
    ((test, texts),) = [(one.test, one.texts) for one in describing.headlines(found.card.metrics, "fast")]
    assert (test, texts) == ("en", 237)
    nested = {"full": {"es": {"texts": 5, "sentiment": {}}}, "fast": {"es": {"texts": 6, "sentiment": {}}}}
    assert [one.texts for one in describing.headlines(nested, "fast")] == [6]


def test_a_folder_without_a_card_is_told(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match="cannot be read"):
        describing.describe(tmp_path, tmp_path, profile="full", also=[])
