"""`escucha model import` from a hub that speaks the real protocol, and from a folder, with small real models."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest
from click.testing import Result

from listener.model import converting, imported, imported_card
from listener.types import Sentiment
from tests.servers.hub import HubServer

ROOT = Path(__file__).parents[3]
NAME = "marca/sentimiento"
SLOW = pytest.mark.slow

Escucha = Callable[..., Result]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier whose labels have no names."""
    pytest.importorskip("torch")
    from tests.listener.model.tiny import save

    return save(tmp_path_factory.mktemp("made") / "tiny", labels=("LABEL_0", "LABEL_1", "LABEL_2"))


@pytest.fixture
def hub(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name == "HF_TOKEN":
            monkeypatch.delenv(name)
    with HubServer() as server:
        files = {path.name: path.read_bytes() for path in tiny.iterdir()}
        server.publish(NAME, files | {"modeling.py": b"raise SystemExit(7)"}, licence="mit")
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


def commit_of(hub: HubServer) -> str:
    return hub._repositories[NAME].names["main"]


MEANT = ("--label", "LABEL_0=negative", "--label", "LABEL_1=neutral", "--label", "label_2=positive")


@SLOW
def test_from_the_hub_without_a_question(hub: HubServer, escucha: Escucha, tmp_path: Path, tiny: Path) -> None:
    commit = commit_of(hub)
    hub.fail("cut", path="/cdn/", after=40_000)
    done = escucha("model", "import", NAME, "--revision", commit, *MEANT, "--name", "senti", "--json")
    assert done.exit_code == 0, done.output
    card = json.loads(done.stdout)
    assert card["place"] == "models/senti"
    assert (card["origin"]["repository"], card["origin"]["commit"]) == (NAME, commit)
    assert card["origin"]["licence"] == "mit"
    assert {file["name"] for file in card["origin"]["files"]} == {path.name for path in tiny.iterdir()}
    assert card["metrics"]["int8 against the original"]["same_top"] >= 0.9
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["senti"]
    model = imported.load(tmp_path / "models" / "senti")
    best = [each.sentiment for each in model.scores(["fatal horrible lento", "gracias genial encanta"]) if each]
    assert [max(each, key=each.__getitem__) for each in best] == [Sentiment.NEGATIVE, Sentiment.POSITIVE]
    assert not hub.requests("modeling.py")

    again = escucha("model", "import", NAME, "--revision", commit, *MEANT, "--name", "senti")
    assert (again.exit_code, again.stderr) == (
        2,
        "There is a model senti already; say --replace, or choose another name with --name.\n",
    )


@SLOW
def test_without_a_terminal_everything_must_be_said(hub: HubServer, escucha: Escucha, tmp_path: Path) -> None:
    commit = commit_of(hub)
    newest = escucha("model", "import", NAME, *MEANT)
    assert newest.exit_code == 2
    assert newest.stderr == (
        f"{NAME} at main is commit {commit}.\nPin the commit with --revision {commit}, or take the newest one with "
        "--yes.\n"
    )
    labels = escucha("model", "import", NAME, "--revision", commit, "--label", "LABEL_1=neutral")
    assert labels.exit_code == 2
    assert labels.stderr.startswith(
        "Say what its labels mean in ours, with --label LABEL_0=… --label LABEL_2=… (ours are: negative, neutral,"
    )
    assert not hub.requests("/cdn/")  # nothing large was fetched for nothing
    strange = escucha("model", "import", NAME, "--revision", commit, "--label", "LABEL_7=neutral")
    assert strange.stderr == "The model has no label 'LABEL_7'; it has: LABEL_0, LABEL_1, LABEL_2.\n"


@SLOW
def test_what_cannot_be_imported(hub: HubServer, escucha: Escucha, tmp_path: Path) -> None:
    hub.publish("marca/vieja", {"config.json": b"{}", "vocab.txt": b"", "pytorch_model.bin": b"x"})
    hub.publish(
        "marca/ajena", {"config.json": b'{"architectures": ["X"]}', "vocab.txt": b"a", "model.safetensors": b""}
    )
    for args, said in (
        (("marca/vieja", "--yes"), "marca/vieja has no model.safetensors; weights in other forms can hold programs"),
        (("marca/ajena", "--yes"), "marca/ajena is a X, which does not sort texts under labels"),
        (("marca/nada", "--yes"), "127.0.0.1 has no marca/nada at main for everybody"),
        (("./nada",), "There is no folder ./nada; name a folder that holds a model"),
        ((".", "--name", "x"), ". has no config.json, so it is no model"),
        ((".", "--revision", "main", "--name", "x"), "a folder has no revisions; leave --revision out."),
        (("..",), "'..' cannot be a model's name"),
    ):
        done = escucha("model", "import", *args)
        assert done.exit_code == 2, done.output
        assert said in done.stderr.splitlines()[-1]
    assert not (tmp_path / "models" / "vieja").exists()


def test_without_the_extra_it_says_how_to_install_it(escucha: Escucha, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(converting, "EXTRA", ("no_such_library",))
    done = escucha("model", "import", NAME)
    assert done.exit_code == 2
    assert "pip install '.[train]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@SLOW
def test_a_folder_calibrated_and_measured_on_ones_own_texts(tiny: Path, escucha: Escucha, tmp_path: Path) -> None:
    from tests.listener.model.tiny import WORDS, sentences

    lines = [f'"{text}",{label}' for label in WORDS for text in sentences(label, 10)]
    (tmp_path / "labelled.csv").write_text("\n".join(["text,label", *lines]), encoding="utf-8")
    (tmp_path / "posts.txt").write_text("gracias\nfatal\nreunión jueves\n", encoding="utf-8")
    files = ("--calibrate", "labelled.csv", "--texts", "posts.txt")
    done = escucha("model", "import", str(tiny), *MEANT, *files)
    assert done.exit_code == 0, done.output
    card = imported_card.read_card(tmp_path / "models" / "tiny")
    assert card.calibrated_on == 30
    assert card.temperature != 1.0
    fit = card.metrics["calibration"]
    assert fit["after"] <= fit["before"]
    assert card.metrics["int8 against the original"]["texts"] == 3
    assert card.origin["folder"] == "tiny"
    assert 'also = ["tiny"]' in done.stdout
    assert f"temperature {card.temperature} from 30 texts" in " ".join(done.stdout.split())
    assert re.search(r"LABEL_2 +positive", done.stdout)


@SLOW
def test_a_model_that_int8_changes_too_much_is_not_stored(tmp_path: Path, escucha: Escucha) -> None:
    pytest.importorskip("torch")
    undecided(tmp_path / "undecided")
    refused = escucha("model", "import", "./undecided", "--yes", "--agree", "0.999")
    assert refused.exit_code == 2, refused.output
    said = refused.stderr.splitlines()[-1]
    assert re.match(r"Only \d+% of 62 texts keep their likeliest label, and 100% must; it is not stored\.", said)
    assert "--force" in said
    assert not list((tmp_path / "models").iterdir())
    forced = escucha("model", "import", "./undecided", "--yes", "--agree", "0.999", "--force")
    assert forced.exit_code == 0, forced.output
    assert (tmp_path / "models" / "undecided" / "model.onnx").exists()


def undecided(folder: Path) -> None:
    """A model for which every text lies next to the border between its two labels."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from listener.model.imported import prepared
    from listener.model.trial_texts import TRIAL_TEXTS
    from tests.listener.model.tiny import save

    save(folder, labels=("negative", "positive"), train=False)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        model.classifier.bias.zero_()
        found = [model(**tokenizer(prepared(text), return_tensors="pt")).logits[0] for text in TRIAL_TEXTS]
        gaps = torch.stack(found)[:, 0] - torch.stack(found)[:, 1]
        model.classifier.bias[1] = gaps.median()
    model.save_pretrained(folder)


@SLOW
def test_a_person_is_asked(hub: HubServer, tmp_path: Path) -> None:
    commit = commit_of(hub)
    terminal = pexpect.spawn(
        sys.executable,
        [str(ROOT / "cli.py"), "model", "import", NAME],
        cwd=str(tmp_path),
        env={**os.environ, "TERM": "xterm-256color", "PYTHONWARNINGS": "default"},  # type: ignore[arg-type]
        dimensions=(40, 100),
        encoding="utf-8",
        timeout=240,
    )
    terminal.expect_exact(f"{NAME} at main is commit {commit}.")
    terminal.expect_exact("Import this commit? [Y/n]")
    terminal.sendline("")
    for label, answer in (
        ("LABEL_0", "negative"),
        ("LABEL_1", "netural"),
        ("LABEL_1", "none"),
        ("LABEL_2", "positive"),
    ):
        terminal.expect_exact(f"{label} means")
        terminal.sendline(answer)
        if answer == "netural":
            terminal.expect_exact("'netural' is no label of ours; did you mean neutral?")
    terminal.expect_exact("licence: mit.")
    terminal.expect_exact(f"are what commit {commit[:12]} holds.")
    terminal.expect_exact('also = ["sentimiento"]')
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0
    card = imported_card.read_card(tmp_path / "models" / "sentimiento")
    assert dict(card.labels) == {"LABEL_0": Sentiment.NEGATIVE, "LABEL_1": None, "LABEL_2": Sentiment.POSITIVE}
