"""Imported models at work: what they say of our labels, and how that is laid over what the bundled model says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.errors import Mistake
from listener.model import imported, mapping
from listener.model.card import CardFile
from listener.model.imported import Scores, gathered, laid_over, prepared, probabilities
from listener.model.imported_card import ImportedCard, read_card
from listener.types import Intent, Sentiment, Signal, Understanding

NEGATIVE, NEUTRAL, POSITIVE = Sentiment


def below(**more: object) -> Understanding:
    known: dict[str, object] = {
        "model_version": "ours-1",
        "language": "es",
        "language_score": 0.99,
        "sentiment": NEGATIVE,
        "sentiment_scores": {"negative": 0.8, "neutral": 0.15, "positive": 0.05},
        "intents": (Intent.COMPLAINT, Intent.QUESTION),
        "intent_scores": {"complaint": 0.9, "question": 0.6, "praise": 0.1},
        "signals": (Signal.CHURN,),
        "signal_scores": {"churn": 0.7, "irony": 0.2},
    }
    return Understanding(**(known | more))  # type: ignore[arg-type]


def scores(**more: object) -> Scores:
    nothing: dict[str, object] = {"sentiment": {}, "held": 0.0, "intents": {}, "signals": {}}
    return Scores(**(nothing | more))  # type: ignore[arg-type]


class Ours:
    """A bundled model that finds the same in everything."""

    version = "ours-1"

    def classify(self, texts: Sequence[str]) -> list[Understanding]:
        return [below() for _ in texts]

    def embed(self, texts: Sequence[str]) -> str:
        return f"meanings of {len(texts)}"


# --- laying over ---


@pytest.mark.parametrize(
    ("found", "held", "wanted"),
    [
        ({NEGATIVE: 0.1, NEUTRAL: 0.2, POSITIVE: 0.7}, 1.0, POSITIVE),
        ({NEGATIVE: 0.4, NEUTRAL: 0.3, POSITIVE: 0.3}, 1.0, None),  # none of them is likely enough
        ({NEGATIVE: 0.2, NEUTRAL: 0.0, POSITIVE: 0.8}, 0.3, None),  # most of its belief lies on what we do not know
        ({NEGATIVE: 0.5, NEUTRAL: 0.0, POSITIVE: 0.5}, 0.5, NEGATIVE),
    ],
)
def test_sentiment_is_said_where_it_is_likely(found: dict[Sentiment, float], held: float, wanted: object) -> None:
    over = laid_over(below(), scores(sentiment=found, held=held), 0.5)
    assert over.sentiment is wanted
    assert over.sentiment_scores == {label.value: score for label, score in found.items()}
    assert over.intents == below().intents


def test_a_model_that_knows_no_sentiment_leaves_it() -> None:
    over = laid_over(below(), scores(signals={Signal.IRONY: 0.9}), 0.5)
    assert (over.sentiment, over.sentiment_scores) == (NEGATIVE, below().sentiment_scores)


def test_what_it_knows_is_replaced_and_sorted() -> None:
    over = laid_over(
        below(),
        scores(intents={Intent.COMPLAINT: 0.3, Intent.PRAISE: 0.95}, signals={Signal.IRONY: 0.8, Signal.TOXICITY: 0.4}),
        0.5,
    )
    assert over.intents == (Intent.PRAISE, Intent.QUESTION)
    assert over.intent_scores == {"complaint": 0.3, "question": 0.6, "praise": 0.95}
    assert over.signals == (Signal.IRONY, Signal.CHURN)
    assert over.signal_scores == {"churn": 0.7, "irony": 0.8, "toxicity": 0.4}


# --- scores ---


def test_labels_that_exclude_each_other_add_up() -> None:
    theirs = np.array([0.2, 0.3, 0.1, 0.4])
    ours = [POSITIVE, POSITIVE, None, NEGATIVE]
    assert gathered(theirs, ours, multi_label=False) == {POSITIVE: 0.5, NEGATIVE: 0.4}
    assert gathered(theirs, ours, multi_label=True) == {POSITIVE: 0.3, NEGATIVE: 0.4}
    assert gathered(theirs[::-1], ours[::-1], multi_label=True) == {POSITIVE: 0.3, NEGATIVE: 0.4}


@given(
    st.lists(st.lists(st.floats(-1e4, 1e4), min_size=3, max_size=3), min_size=1, max_size=4),
    st.floats(0.05, 20),
    st.booleans(),
)
def test_probabilities_are_probabilities(outputs: list[list[float]], temperature: float, multi_label: bool) -> None:
    found = probabilities(np.array(outputs), temperature, multi_label=multi_label)
    assert ((found >= 0) & (found <= 1)).all()
    if not multi_label:
        assert np.allclose(found.sum(1), 1)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("@Marca_Oficial mira esto https://t.co/abc?x=1 YA", "@user mira esto http YA"),
        ("@ana@mastodon.example hola", "@user hola"),
        ("escribe a ana@correo.example", "escribe a ana@correo.example"),
        ("¡Síííí! 😡👩‍👩‍👧 #Fibra", "¡Síííí! 😡👩‍👩‍👧 #Fibra"),
        ("roto \ud83d", "roto "),
    ],
)
def test_the_text_stays_as_it_is_but_for_handles_and_links(text: str, wanted: str) -> None:
    assert prepared(text) == wanted


# --- a real one ---


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of models with a small one in it, `tiny`, which knows sentiment."""
    pytest.importorskip("torch")
    from tests.listener.model.tiny import import_, save

    folder = tmp_path_factory.mktemp("models")
    import_(save(tmp_path_factory.mktemp("hub") / "tiny"), folder)
    return folder


@pytest.mark.slow
def test_it_knows_what_it_learned(stored: Path) -> None:
    model = imported.load(stored / "tiny")
    found = model.scores(["fatal horrible lento", "gracias genial encanta", " \n", "reunión jueves tienda"])
    best = [max(each.sentiment, key=each.sentiment.__getitem__) if each else None for each in found]
    assert best == [NEGATIVE, POSITIVE, None, NEUTRAL]
    assert all(sum(each.sentiment.values()) == pytest.approx(1) for each in found if each)


@pytest.mark.slow
def test_a_text_is_read_the_same_alone_and_among_others_and_by_many_at_once(stored: Path) -> None:
    model = imported.load(stored / "tiny")
    texts = ["fatal", "gracias " * 300, "", "\ud83d", "x" * 50_000, "😡\x00", "reunión jueves"]
    together = model.outputs(texts)
    assert together.shape == (7, 3)
    assert [model.outputs([text])[0].tolist() for text in texts] == together.tolist()
    with ThreadPoolExecutor(8) as threads:
        assert all((found == together).all() for found in threads.map(model.outputs, [texts] * 16))


@pytest.mark.slow
def test_it_is_a_classifier_with_the_bundled_one(stored: Path) -> None:
    joined = imported.join(Ours(), stored, ["tiny"])
    tiny = imported.load(stored / "tiny")
    assert joined.version == f"ours-1+{tiny.version}"
    good, blank = joined.classify(["genial, gracias", ""])
    assert (good.model_version, good.sentiment, good.intents) == (joined.version, POSITIVE, below().intents)
    assert (blank.model_version, blank.sentiment) == (joined.version, NEGATIVE)
    assert joined.classify([]) == []
    assert joined.embed(["a", "b"]) == "meanings of 2"  # type: ignore[attr-defined]
    assert imported.known(stored) == ("tiny",)


def test_without_names_the_bundled_one_is_alone(tmp_path: Path) -> None:
    ours = Ours()
    assert imported.join(ours, tmp_path, []) is ours


@pytest.mark.parametrize("name", ["other", "../models", ""])
def test_a_name_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(Mistake, match=r"There is no imported model '.*' in .*; there is: none\. Import it with"):
        imported.join(Ours(), tmp_path, [name])


@pytest.mark.slow
@pytest.mark.parametrize("file", ["model.onnx", "tokenizer.json"])
def test_a_changed_file_is_told(stored: Path, tmp_path: Path, file: str) -> None:
    import shutil

    folder = Path(shutil.copytree(stored / "tiny", tmp_path / "tiny"))
    with (folder / file).open("ab") as changed:
        changed.write(b" ")
    with pytest.raises(Mistake, match="is not the one its card names; import it again with --replace"):
        imported.load(folder)
    (folder / file).unlink()
    with pytest.raises(Mistake, match=f"{file} cannot be read"):
        imported.load(folder)


@pytest.mark.slow
def test_the_version_is_another_one_for_another_calibration(stored: Path, tmp_path: Path) -> None:
    import shutil

    folder = Path(shutil.copytree(stored / "tiny", tmp_path / "tiny"))
    before = imported.load(folder).version
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    assert card["version"] == before
    card["calibration"]["temperature"] = 2.0
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    assert imported.load(folder).version != before


@pytest.mark.parametrize(
    "card",
    ["", "[]", "{}", '{"kind": "imported model"}', '{"kind": "bundled"}', '{"kind": "imported model", "labels": 7}'],
)
def test_a_damaged_card_is_told_in_a_sentence(tmp_path: Path, card: str) -> None:
    (tmp_path / "card.json").write_text(card, encoding="utf-8")
    with pytest.raises(Mistake, match="is damaged"):
        imported.load(tmp_path)


def a_card(**more: object) -> str:
    """A card as an import writes it, but for `more`."""
    made = ImportedCard(
        name="tiny",
        made="2026-11-22",
        architecture="BertForSequenceClassification",
        inputs=("input_ids",),
        max_tokens=64,
        multi_label=False,
        labels=(("NEG", Sentiment.NEGATIVE), ("POS", Sentiment.POSITIVE)),
        files=tuple(CardFile(name=name, sha256="ab" * 32, size=1) for name in ("model.onnx", "tokenizer.json")),
        origin={},
        metrics={},
    )
    return json.dumps(made.as_json() | more)


@pytest.mark.parametrize(
    "harm",
    [
        {"max_tokens": float("inf")},
        {"calibration": {"temperature": 1e-300, "texts": 0}},
        {"name": ["tiny"]},
        {"name": "tiny\x1b]0;owned\x07"},
        {"name": "a" * 300},
        {"labels": [{"theirs": "a\nb", "ours": "none"}]},
        {"labels": []},
        {"inputs": ["secrets"]},
        {"inputs": []},
        {"files": []},
        {"files": [{"name": "/dev/zero", "sha256": "", "size": 0}]},
        {"files": [{"name": name, "sha256": "", "size": "1"} for name in ("model.onnx", "tokenizer.json")]},
        {"origin": "elsewhere"},
    ],
)
def test_a_card_from_elsewhere_holds_only_what_an_import_writes(tmp_path: Path, harm: dict[str, object]) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "card.json").write_text(a_card(), encoding="utf-8")
    assert imported.known(tmp_path) == ("tiny",)
    (tmp_path / "tiny" / "card.json").write_text(a_card(**harm), encoding="utf-8")
    assert imported.known(tmp_path) == ()
    with pytest.raises(Mistake, match="is damaged"):
        imported.load(tmp_path / "tiny")


def test_what_an_import_left_behind_is_no_model(tmp_path: Path) -> None:
    (tmp_path / ".old-tiny-7").mkdir()
    (tmp_path / ".old-tiny-7" / "card.json").write_text(a_card(), encoding="utf-8")
    assert imported.known(tmp_path) == ()


@pytest.mark.slow
def test_a_graph_that_is_not_the_card_s_is_not_used(stored: Path, tmp_path: Path) -> None:
    import shutil

    folder = Path(shutil.copytree(stored / "tiny", tmp_path / "tiny"))
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    card["labels"] = card["labels"][:1]
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(Mistake, match="does not give one number for each of its labels"):
        imported.load(folder)


@pytest.mark.filterwarnings("error")
def test_outputs_that_are_no_numbers_do_no_harm(tmp_path: Path) -> None:
    class Strange:
        """A tokenizer and a graph that gives what a broken one may."""

        encode = staticmethod(lambda _text: SimpleNamespace(ids=[1]))

        def run(self, _names: object, _inputs: object) -> Any:
            return [np.array([[np.nan, np.inf]])]

    (tmp_path / "card.json").write_text(a_card(), encoding="utf-8")
    model = imported.Imported(read_card(tmp_path), tokenizer=Strange(), session=Strange())
    (found,) = model.scores(["hola"])
    assert found is not None
    assert found.sentiment[Sentiment.POSITIVE] == 1.0


def test_a_text_on_which_its_tokenizer_gives_up_is_left_to_the_bundled_one(tmp_path: Path) -> None:
    """A search that tries every way ends with a panic of the library, which is no Exception."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("(a+)+$"), "isolated")
    session = SimpleNamespace(run=lambda _names, _inputs: [np.array([[0.0, 3.0]])])
    (tmp_path / "card.json").write_text(a_card(), encoding="utf-8")
    model = imported.Imported(read_card(tmp_path), tokenizer=tokenizer, session=session)
    strange, usual = model.scores(["a" * 200 + "!", "hola"])
    assert strange is None
    assert usual is not None
    assert model.outputs(["a" * 200 + "!", "hola"]).tolist() == [[0.0, 0.0], [0.0, 3.0]]
    assert model.outputs([]).shape == (0, 2)


def test_a_token_that_the_graph_does_not_know_is_no_end(tmp_path: Path) -> None:
    def run(_names: object, inputs: Any) -> Any:
        if inputs["input_ids"].max() > 1:
            raise RuntimeError("indices element out of data bounds")
        return [np.array([[0.0, 3.0]])]

    tokenizer = SimpleNamespace(encode=lambda text: SimpleNamespace(ids=[len(text)]))
    (tmp_path / "card.json").write_text(a_card(), encoding="utf-8")
    model = imported.Imported(read_card(tmp_path), tokenizer=tokenizer, session=SimpleNamespace(run=run))
    assert [each is None for each in model.scores(["a", "ab", " "])] == [False, True, True]


# --- labels ---


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("Negative", "negative"),
        ("NEG", "negative"),
        ("muy_positivo", "positive"),
        ("5 stars", "positive"),
        ("joy", "positive"),
        ("Tristeza", "negative"),
        ("toxic", "signal:toxicity"),
        ("hateSpeech", "signal:toxicity"),
        ("not_hate", "none"),
        ("irony", "signal:irony"),
        ("non_irony", "none"),
        ("ironía", "signal:irony"),
        ("Queja", "intent:complaint"),
        ("outage_report", "intent:outage_report"),
        ("legal_threat", "signal:legal_threat"),
        ("neutral", "neutral"),
    ],
)
def test_names_are_guessed(theirs: str, ours: str) -> None:
    assert mapping.spell(mapping.propose([theirs])[theirs]) == ours


@pytest.mark.parametrize("theirs", ["LABEL_0", "1", "", "日本", "class a"])
def test_a_name_that_says_nothing_is_not_guessed(theirs: str) -> None:
    assert mapping.propose([theirs]) == {}


@pytest.mark.parametrize("name", list(mapping.EVERY))
def test_every_label_of_ours_can_be_written_and_read(name: str) -> None:
    assert mapping.spell(mapping.read(f" {name.upper()} ")) == name
    assert mapping.read(name.partition(":")[2] or name) is mapping.EVERY[name]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["LABEL_0"], "lacks a ="),
        (["LABEL_9=negative"], "The model has no label 'LABEL_9'; it has: LABEL_0, a=b"),
        (["LABEL_0=negatve"], r"'negatve' is no label of ours; did you mean negative\?"),
        (["LABEL_0=42"], "write one of: negative, neutral"),
        (["LABEL_0=negative", "label_0=positive"], "says twice"),
    ],
)
def test_what_cannot_be_meant(options: list[str], said: str) -> None:
    with pytest.raises(Mistake, match=said):
        mapping.given(options, ["LABEL_0", "a=b"])


def test_a_label_may_hold_an_equals_sign() -> None:
    assert mapping.given(["a=b=complaint"], ["LABEL_0", "a=b"]) == {"a=b": Intent.COMPLAINT}


@pytest.mark.parametrize(
    ("meant", "said"),
    [({"a": None, "b": None}, "nothing to import"), ({"a": NEGATIVE, "b": None}, "Only negative has a label")],
)
def test_a_mapping_that_tells_nothing(meant: dict[str, mapping.Ours], said: str) -> None:
    with pytest.raises(Mistake, match=said):
        mapping.check(meant)
