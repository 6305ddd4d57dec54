"""Making an imported model from a small real one: what is refused, what is measured, what is stored."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from listener.errors import Mistake, Outage
from listener.model import imports, mapping, sizes
from listener.model.card import CardFile, sha256
from listener.model.converting import Original, Outline, only, read_outline
from listener.model.imported import Imported
from listener.model.imported_card import ImportedCard
from listener.types import Sentiment, Signal


def config(folder: Path, **more: Any) -> Path:
    """A folder with a config.json like that of a classifier."""
    whole = {
        "architectures": ["BertForSequenceClassification"],
        "model_type": "bert",
        "id2label": {"0": "NEG", "1": "POS"},
    }
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(whole | more), encoding="utf-8")
    return folder


# --- what a model is ---


def test_the_outline_is_read_from_the_settings(tmp_path: Path) -> None:
    read = read_outline(config(tmp_path, id2label={"2": "c", "0": "a", "1": "b"}), "x")
    assert read == Outline(architecture="BertForSequenceClassification", labels=("a", "b", "c"), multi_label=False)
    assert read_outline(config(tmp_path, problem_type="multi_label_classification"), "x").multi_label
    assert read_outline(config(tmp_path, id2label={}), "x").labels == ("LABEL_0", "LABEL_1")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"architectures": ["BertForMaskedLM"]}, r"is a BertForMaskedLM, which does not sort texts"),
        ({"architectures": None}, r"of no stated architecture"),
        (
            {"architectures": ["MarcaForSequenceClassification"], "auto_map": {"AutoModel": "modeling_marca.Marca"}},
            r"needs code of its own, and code from elsewhere is never run",
        ),
        ({"model_type": "marca"}, r"does not know BertForSequenceClassification \(model type 'marca'\)"),
        ({"problem_type": "regression"}, r"gives a number, not labels"),
        ({"id2label": {"0": "stars"}}, r"gives a number, not labels"),
        ({"id2label": {"0": "a", "2": "b"}}, r"not numbered from 0"),
        ({"id2label": {"0": "a", "1": "a"}}, r"with names of their own"),
        ({"id2label": ["a", "b"]}, r"is damaged"),
        ({"id2label": {"x": "a"}}, r"is damaged"),
        ({"id2label": {"0": "a", "1": "b\ud800"}}, r"A label in config.json of marca/x cannot be shown"),
        ({"id2label": {"0": "a", "1": "b\x1b[2J"}}, r"A label in config.json of marca/x cannot be shown"),
        ({"id2label": {"0": "a", "1": "b" * 300}}, r"A label in config.json of marca/x cannot be shown"),
        ({"about": "a" * 10_000_001}, r"is damaged"),
        (
            {"num_hidden_layers": 10**9},
            r"^num_hidden_layers in config\.json of marca/x is 1,000,000,000, and 256 is the",
        ),
        ({"n_layer": 257}, r"^n_layer in config\.json of marca/x is 257, and 256 is the most; choose another model\."),
        ({"num_labels": 10**9}, r"^num_labels .* is 1,000,000,000, and 500 is the most"),
        ({"vocab_size": 10**12}, r"^vocab_size .* is 1,000,000,000,000, and 2,097,152 is the most"),
        (
            {"max_position_embeddings": 10**400},
            r"^max_position_embeddings .* is beyond 10\^15, and 262,144 is the most",
        ),
        ({"hidden_size": 1e300}, r"^hidden_size .* is beyond 10\^15, and 65,536 is the most"),
        ({"intermediate_size": 10**6}, r"^intermediate_size .* is 1,000,000, and 65,536 is the most"),
        ({"text_config": {"encoder_layers": 10**9}}, r"^text_config\.encoder_layers .* and 256 is the most"),
        ({"parts": [{"num_layers": 10**9}]}, r"^parts\.num_layers .* and 256 is the most"),
        ({"type_vocab_sizes": [2, 10**9]}, r"^type_vocab_sizes .* is 1,000,000,000, and"),
    ],
)
def test_what_does_not_sort_texts_is_refused(tmp_path: Path, more: dict[str, Any], said: str) -> None:
    with pytest.raises(Mistake, match=said) as raised:
        read_outline(config(tmp_path, **more), "marca/x")
    assert "\n" not in str(raised.value)


def test_a_known_architecture_may_bring_code_for_others(tmp_path: Path) -> None:
    """Then the library's own is used, and that code never looked at."""
    assert read_outline(config(tmp_path, auto_map={"AutoModel": "modeling.X"}), "x").labels == ("NEG", "POS")


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "[" * 100_000])
def test_settings_that_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(Mistake, match="is damaged"):
        read_outline(tmp_path, "x")


def test_only_the_chosen_files_are_seen(tmp_path: Path) -> None:
    folder = config(tmp_path / "there")
    (folder / "modeling.py").write_text("raise SystemExit", encoding="utf-8")
    with only(folder, ["config.json"], tmp_path / "seen") as seen:
        assert [path.name for path in seen.iterdir()] == ["config.json"]
    assert not (tmp_path / "seen").exists()
    assert (folder / "config.json").exists()


def test_parts_must_be_there(tmp_path: Path) -> None:
    folder = config(tmp_path)
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    index = {"weight_map": {"a": "model-1.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(Mistake, match=r"lacks model-1\.safetensors"):
        imports.files_of(folder, "x")
    (folder / "model-1.safetensors").touch()
    assert "model-1.safetensors" in imports.files_of(folder, "x")


# --- the weights' head ---


def weights(path: Path, head: object, data: int = 64) -> Path:
    """A safetensors file with that head, which need not be one, and so many bytes of data."""
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(data))
    return path


def tensor(shape: list[int], start: int = 0, end: int = 64) -> dict[str, Any]:
    return {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}


def test_a_size_must_stand_in_the_weights(tmp_path: Path) -> None:
    files = [
        weights(tmp_path / "1.safetensors", {"a": tensor([10_000], 0, 40_000)}, 40_000),
        weights(tmp_path / "2.safetensors", {"__metadata__": {"format": "pt"}, "b": tensor([])}),
    ]
    sizes.check_weights({"vocab_size": 10_000, "max_position_embeddings": 8192, "num_hidden_layers": 2}, files, "x")
    with pytest.raises(
        Mistake, match=r"vocab_size .* is 10,001, but nothing of that size is in its 2 files of weights"
    ):
        sizes.check_weights({"vocab_size": 10_001}, files, "x")
    with pytest.raises(Mistake, match=r"n_layers .* is 3, but there are only 2 tensors in its 2 files of weights"):
        sizes.check_weights({"n_layers": 3}, files, "x")


@pytest.mark.parametrize("shape", [[10**6, 0], [10**6], [0], []])
def test_a_shape_without_numbers_behind_it_does_not_count(tmp_path: Path, shape: list[int]) -> None:
    file = weights(tmp_path / "model.safetensors", {"a": tensor(shape)})
    with pytest.raises(Mistake, match=r"vocab_size .* nothing of that size"):
        sizes.check_weights({"vocab_size": 10**6}, [file], "x")


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"{",
        b"[" * 100_000,
        [],
        {"a": 7},
        {"a": {"shape": [1]}},
        {"a": tensor([1], 0, 65)},
        {"a": tensor([1], 8, 4)},
        {"a": tensor([1], -8, 4)},
        {"a": tensor([10**9] * 1000)},
        {"a": tensor(["many"])},  # type: ignore[list-item]
    ],
)
def test_a_head_that_is_none(tmp_path: Path, head: object) -> None:
    file = weights(tmp_path / "model.safetensors", head)
    with pytest.raises(Mistake, match=r"^model\.safetensors of x cannot be loaded \(it is cut or damaged\)"):
        sizes.check_weights({}, [file], "x")


@pytest.mark.parametrize("content", [b"", b"abc", b"\xff" * 100, (10**9).to_bytes(8, "little") + b"{}"])
def test_what_is_no_safetensors_at_all(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(Mistake, match="it is cut or damaged"):
        sizes.check_weights({}, [tmp_path / "model.safetensors"], "x")


# --- links ---


def cached(cache: Path) -> Path:
    """A snapshot as huggingface_hub keeps it: small files in the model's own blobs, large ones shared by all models."""
    repository, shared = cache / "models--marca--x", cache / "blobs" / "ab" / ("ab" * 32)
    snapshot = repository / "snapshots" / ("c" * 40)
    for folder in (snapshot, repository / "blobs", shared.parent):
        folder.mkdir(parents=True)
    (cache / "blobs" / ".huggingface-shared-blobs").write_text("1\n", encoding="utf-8")
    for name in ("config.json", "tokenizer.json"):
        (repository / "blobs" / f"hash-{name}").write_text("{}", encoding="utf-8")
        (snapshot / name).symlink_to(Path("../../blobs") / f"hash-{name}")
    shared.write_bytes(b"weights")
    (repository / "blobs" / "hash-weights").symlink_to(Path("../../blobs/ab") / shared.name)
    (snapshot / "model.safetensors").symlink_to("../../blobs/hash-weights")
    return snapshot


def test_a_snapshot_in_the_cache_of_the_hub_s_library_is_a_folder(tmp_path: Path) -> None:
    snapshot = cached(tmp_path / "cache")
    names = ("config.json", "tokenizer.json", "model.safetensors")
    assert imports.files_of(snapshot, "x") == names
    (tmp_path / "shortcut").symlink_to(snapshot)
    assert imports.files_of(tmp_path / "shortcut", "x") == names
    (tmp_path / "cache" / "blobs" / ".huggingface-shared-blobs").unlink()
    with pytest.raises(Mistake, match=r"^model\.safetensors in x is a link that leads out of that folder"):
        imports.files_of(snapshot, "x")


def test_links_within_a_folder_are_followed(tmp_path: Path) -> None:
    folder = config(tmp_path / "there")
    (folder / "model.safetensors").touch()
    (folder / "deep").mkdir()
    (folder / "deep" / "words").write_text("{}", encoding="utf-8")
    (folder / "tokenizer.json").symlink_to("deep/words")
    (folder / "vocab.txt").symlink_to(folder / "deep" / "words")
    assert imports.files_of(folder, "x") == ("config.json", "tokenizer.json", "vocab.txt", "model.safetensors")


@pytest.mark.parametrize("name", ["config.json", "vocab.txt", "model.safetensors.index.json", "model-1.safetensors"])
@pytest.mark.parametrize("by", ["relative", "absolute", "two steps", "a folder", "blobs"])
def test_a_link_out_of_the_folder_is_refused(tmp_path: Path, name: str, by: str) -> None:
    outside = tmp_path / "private" / "file"
    outside.parent.mkdir()
    outside.write_text('{"weight_map": {"a": "model-1.safetensors"}}', encoding="utf-8")
    folder = tmp_path / "cache" / "models--marca--x" / "snapshots" / "c"
    folder.mkdir(parents=True)
    for each in ("config.json", "vocab.txt", "model.safetensors.index.json", "model-1.safetensors"):
        (folder / each).write_bytes(outside.read_bytes())
    (folder / name).unlink()
    if by == "relative":
        (folder / name).symlink_to("../../../../private/file")
    elif by == "absolute":
        (folder / name).symlink_to(outside)
    elif by == "two steps":
        (folder / "step").symlink_to(outside)
        (folder / name).symlink_to("step")
    elif by == "a folder":
        (folder / "step").symlink_to(outside.parent)
        (folder / name).symlink_to("step/file")
    else:
        (folder.parents[1] / "blobs").symlink_to(outside.parent)
        (folder / name).symlink_to("../../blobs/file")
    with pytest.raises(Mistake) as raised:
        imports.files_of(folder, "x")
    assert str(raised.value) == f"{name} in x is a link that leads out of that folder; copy the file itself there."


# --- names and places ---


@pytest.mark.parametrize(
    ("source", "chosen", "name"),
    [("marca/Senti-1.0", None, "Senti-1.0"), ("./a b/", None, "a-b"), ("x/y", "mio", "mio")],
)
def test_names(source: str, chosen: str | None, name: str) -> None:
    assert imports.name_for(source, chosen) == name


@pytest.mark.parametrize("chosen", ["", ".fetching", "../x", "a/b", "x" * 65, "ñ"])
def test_what_cannot_be_a_name(chosen: str) -> None:
    with pytest.raises(Mistake, match="choose one of letters"):
        imports.name_for("x/y", chosen)


def card(name: str = "mio") -> ImportedCard:
    return ImportedCard(
        name=name,
        made="2026-01-02",
        architecture="BertForSequenceClassification",
        inputs=("input_ids",),
        max_tokens=60,
        multi_label=False,
        labels=(("NEG", Sentiment.NEGATIVE), ("x", None)),
        files=tuple(CardFile(name=file, sha256="ab", size=2) for file in ("model.onnx", "tokenizer.json")),
        origin={"files": []},
        metrics={},
    )


def test_it_is_stored_whole_and_not_overwritten(tmp_path: Path) -> None:
    for content in ("one", "two"):
        with imports.workshop(tmp_path, "mio") as work:
            (work / "model.onnx").write_text(content, encoding="utf-8")
            if content == "two":
                with pytest.raises(Mistake, match="say --replace, or choose another name"):
                    imports.store(work, tmp_path, card(), replace=False)
            imports.store(work, tmp_path, card(), replace=True)
        assert (tmp_path / "mio" / "model.onnx").read_text(encoding="utf-8") == content
    assert [path.name for path in tmp_path.iterdir()] == ["mio"]


def test_what_is_no_imported_model_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "mio").mkdir()
    (tmp_path / "mio" / "card.json").write_text('{"kind": "areas"}', encoding="utf-8")
    with pytest.raises(Mistake, match="is no imported model, so it is not replaced"):
        imports.check_place(tmp_path, "mio", replace=True)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file", encoding="utf-8")
    with pytest.raises(Outage, match="cannot be written"), imports.workshop(tmp_path / "models", "mio"):
        pass


def test_nothing_is_left_of_what_failed(tmp_path: Path) -> None:
    work = imports.workshop(tmp_path, "mio")
    with pytest.raises(ZeroDivisionError), work as folder:
        (folder / "whole.onnx").write_text(str(1 // len(list(tmp_path.glob("none")))), encoding="utf-8")
    assert list(tmp_path.iterdir()) == []


# --- calibrating ---


class Fixed(Imported):
    """A model whose outputs are known."""

    def __init__(self, rows: dict[str, list[float]], labels: tuple[mapping.Ours, ...], *, multi_label: bool) -> None:
        named = tuple((f"L{number}", label) for number, label in enumerate(labels))
        changed = {**card().__dict__, "labels": named, "multi_label": multi_label}
        super().__init__(ImportedCard(**changed), tokenizer=None, session=None)
        self.rows = rows

    def outputs(self, texts: Any) -> Any:
        import numpy as np

        return np.array([self.rows[text] for text in texts])


def test_a_model_that_is_too_sure_is_cooled() -> None:
    """Always right 75 times in 100: the fitted probability must be 0.75."""
    model = Fixed({"a": [8.0, 0.0]}, (Sentiment.NEGATIVE, Sentiment.POSITIVE), multi_label=False)
    examples = [("a", (Sentiment.NEGATIVE,))] * 75 + [("a", (Sentiment.POSITIVE,))] * 25
    fit = imports.fit_temperature(model, examples)
    assert fit.temperature == pytest.approx(8.0 / 1.0986, rel=1e-3)  # e^(8/T) = 3
    assert fit.after < fit.before
    assert fit.after == pytest.approx(0.5623, abs=1e-3)  # the entropy of 3 in 4


def test_labels_that_hold_at_once_are_fitted_each_for_itself() -> None:
    model = Fixed({"a": [4.0, -4.0]}, (Signal.IRONY, Signal.TOXICITY), multi_label=True)
    examples = [("a", (Signal.IRONY,))] * 80 + [("a", (Signal.TOXICITY,))] * 20
    assert imports.fit_temperature(model, examples).temperature == pytest.approx(4.0 / 1.3863, rel=1e-3)


def test_what_cannot_be_calibrated_on() -> None:
    model = Fixed({"a": [1.0, 0.0]}, (Sentiment.NEGATIVE, Sentiment.POSITIVE), multi_label=False)
    with pytest.raises(Mistake, match="19 labelled texts are too few"):
        imports.fit_temperature(model, [("a", (Sentiment.NEGATIVE,))] * 19)
    with pytest.raises(Mistake, match="nothing that means neutral; label texts with: negative, positive"):
        imports.fit_temperature(model, [("a", (Sentiment.NEUTRAL,))] * 20)


# --- the whole way, with a real model ---


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch")
    from tests.listener.model.tiny import save

    return save(tmp_path_factory.mktemp("hub") / "tiny")


@pytest.mark.slow
def test_a_model_is_converted_measured_and_stored(tiny: Path, tmp_path: Path) -> None:
    from listener.model import imported
    from tests.listener.model.tiny import import_

    place = import_(tiny, tmp_path)
    stored = imported.load(place).card
    assert {path.name for path in place.iterdir()} == {"model.onnx", "tokenizer.json", "card.json"}
    assert all(file.sha256 == sha256(place / file.name) for file in stored.files)
    assert (place / "model.onnx").stat().st_size < (tiny / "model.safetensors").stat().st_size
    assert (stored.inputs, stored.max_tokens) == (("input_ids", "attention_mask", "token_type_ids"), 60)
    measured = stored.metrics["int8 against the original"]
    assert measured["texts"] == 24
    assert measured["same_top"] >= 0.95
    assert measured["mean_difference"] < 0.02
    assert measured["speed"] > 0 < measured["original_speed"]
    text = (place / "card.json").read_text(encoding="utf-8")
    assert json.loads(text)["calibration"]["state"] == "uncalibrated"
    assert str(tmp_path) not in text
    assert b"/work" not in (place / "model.onnx").read_bytes()


@pytest.mark.slow
def test_several_labels_at_once_and_texts_without_tokens(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from listener.model import imported
    from tests.listener.model.tiny import import_, save

    folder = save(tmp_path / "signals", labels=("toxic", "ironía"), multi_label=True, train=False, marked=False)
    model = imported.load(import_(folder, tmp_path / "models"))
    assert model.card.multi_label
    found, nothing, blank = model.scores(["fatal horrible", "\ud83d", ""])
    assert found is not None
    assert set(found.signals) == {Signal.TOXICITY, Signal.IRONY}
    assert found.sentiment == {}
    assert nothing is None
    assert blank is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        ("no head", r"lacks weights that it needs \(classifier\."),
        ("cut", r"cannot be loaded"),
        ("pickle", r"cannot be loaded"),
        ("tokenizer", r"The tokenizer of x cannot be loaded"),
        ("labels", r"has 2 outputs|cannot be loaded|lacks weights"),
    ],
)
def test_a_broken_model_is_refused_in_a_sentence(tiny: Path, tmp_path: Path, break_it: str, said: str) -> None:
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(tiny, tmp_path / "tiny"))
    weights = folder / "model.safetensors"
    if break_it == "no head":
        tensors = {name: each for name, each in load_file(weights).items() if not name.startswith("classifier")}
        save_file(tensors, weights, metadata={"format": "pt"})
    elif break_it == "cut":
        weights.write_bytes(weights.read_bytes()[:5000])
    elif break_it == "pickle":
        weights.rename(folder / "pytorch_model.bin")
    elif break_it == "tokenizer":
        (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    else:
        settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        settings["id2label"] = {"0": "NEG", "1": "POS"}
        (folder / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    with pytest.raises(Mistake, match=said) as raised:
        Original(folder, read_outline(folder, "x"), "x")
    assert "\n" not in str(raised.value)


@pytest.mark.slow
@pytest.mark.parametrize("length", ["many", [60], 0, -5, float("nan")])
def test_a_length_that_is_none_is_refused(tiny: Path, tmp_path: Path, length: Any) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "tiny"))
    settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"model_max_length": length}), encoding="utf-8")
    with pytest.raises(Mistake, match=r"model_max_length in tokenizer_config\.json of x is no number of tokens"):
        Original(folder, read_outline(folder, "x"), "x")


@pytest.mark.slow
def test_a_model_that_is_too_large_is_refused(tiny: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "tiny"))
    with (folder / "model-2.safetensors").open("wb") as hole:
        hole.truncate(2_100_000_000)  # takes no room on the disk
    with pytest.raises(Mistake, match=r"has 2\.1 GB of weights, and 2 GB is the most"):
        Original(folder, read_outline(folder, "x"), "x")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("vocab_size", 2_000_000, "is 2,000,000, but nothing of that size is in model.safetensors: they do not belong"),
        ("max_position_embeddings", 9000, "is 9,000, but nothing of that size is in model.safetensors"),
        ("num_hidden_layers", 200, "is 200, but there are only 41 tensors in model.safetensors"),
        ("decoy", {"num_hidden_layers": 200}, "is 200, but there are only 41 tensors in model.safetensors"),
    ],
)
def test_settings_that_ask_for_more_than_the_weights_are_refused(
    tiny: Path, tmp_path: Path, key: str, value: Any, said: str
) -> None:
    """Weights that are missing would be made up, as many as the settings say."""
    folder = Path(shutil.copytree(tiny, tmp_path / "tiny"))
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(settings | {key: value}), encoding="utf-8")
    with pytest.raises(Mistake, match=rf"^{key}\S* in config\.json of x {said}") as raised:
        Original(folder, read_outline(folder, "x"), "x")
    assert "\n" not in str(raised.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("bert", {"hidden_size": 40_000, "intermediate_size": 40_000}),  # too many numbers
        (  # too many parts, each of them small
            "albert",
            {
                "num_hidden_groups": 256,
                "inner_group_num": 256,
                "hidden_size": 8,
                "intermediate_size": 8,
                "num_attention_heads": 1,
            },
        ),
        ("funnel", {"block_sizes": [10**9], "block_repeats": [1]}),  # a name that no bound knows
    ],
)
def test_what_is_built_without_end_is_ended(tmp_path: Path, kind: str, more: dict[str, Any]) -> None:
    pytest.importorskip("torch")
    name = f"{kind.capitalize()}ForSequenceClassification"
    folder = config(tmp_path, model_type=kind, architectures=[name], **more)
    with pytest.raises(Mistake, match=r"asks for a model beyond 500 million weights; choose a smaller one"):
        Original(folder, read_outline(folder, "x"), "x")
