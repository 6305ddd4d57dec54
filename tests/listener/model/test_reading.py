"""The bundled model itself: what it makes of plain cases, and that nothing strange upsets it."""

from __future__ import annotations

import dataclasses
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from listener.contract import Classifier
from listener.errors import Mistake
from listener.model import card as cards
from listener.model.reading import BUNDLED, REMEMBERED, Model, load
from listener.types import Intent, Sentiment, Signal

PLAIN_CASES = [
    ("Llevo tres días esperando el técnico y nadie responde, es una vergüenza.", "negative", "complaint"),
    ("Your delivery was late again and nobody answers the phone. Terrible service.", "negative", "complaint"),
    ("Gracias por la ayuda, Ana me resolvió todo en cinco minutos. Excelente atención.", "positive", "praise"),
    ("Thank you so much, Ana fixed everything in five minutes. Excellent service!", "positive", "praise"),
    ("Se cayó internet en todo el barrio, no anda nada desde las siete.", None, "outage_report"),
    ("Internet is down in the whole neighbourhood since seven, nothing works.", None, "outage_report"),
    ("¿A qué hora abre la sucursal del centro los sábados?", "neutral", "question"),
    ("What time does the branch in the city centre open on Saturdays?", "neutral", "question"),
    ("Si esto sigue así me cambio de compañía el mes que viene.", "negative", "cancellation_threat"),
    ("If this goes on I am switching to another provider next month.", None, "cancellation_threat"),
]
STRANGE = [
    "",
    " \n\t ",
    "\x00",
    "a\x00b",
    "\ud800\udfff\ud800",
    "😡😡😡",
    "👨‍👩‍👧",
    "\u202e\u202dשלום עולם مرحبا",
    "\u0301" * 5_000,
    "ﷺ" * 5_000,
    "x" * 1_000_000,
    "palabra " * 125_000,
    "@" * 100_000,
    "#" * 100_000,
    "[CLS] [SEP] [MASK] [PAD]",
    "{{7*7}} <script>alert(1)</script> '; DROP TABLE mentions;--",
]


def test_is_a_classifier(model: Model) -> None:
    classifier: Classifier = model
    assert classifier.version == model.card.version


@pytest.mark.parametrize(("text", "sentiment", "intent"), PLAIN_CASES, ids=[case[0][:24] for case in PLAIN_CASES])
def test_plain_cases(model: Model, text: str, sentiment: str | None, intent: str) -> None:
    (understanding,) = model.classify([text])
    assert max(understanding.intent_scores, key=understanding.intent_scores.__getitem__) == intent
    if sentiment:
        assert max(understanding.sentiment_scores, key=understanding.sentiment_scores.__getitem__) == sentiment


def test_scores_are_probabilities_for_every_label(model: Model) -> None:
    for understanding in model.classify([text for text, *_ in PLAIN_CASES]):
        assert set(understanding.sentiment_scores) == {label.value for label in Sentiment}
        assert set(understanding.intent_scores) == {label.value for label in Intent}
        assert set(understanding.signal_scores) == {label.value for label in Signal}
        assert all(0 <= score <= 1 for score in understanding.signal_scores.values())
        assert sum(understanding.sentiment_scores.values()) == pytest.approx(1)
        assert all(0 <= score <= 1 for score in understanding.intent_scores.values())
        assert list(understanding.intents) == sorted(
            understanding.intents, key=lambda intent: -understanding.intent_scores[intent]
        )


SIGNALLING = [
    ("There is a strong smell of gas in our kitchen and the kids are coughing", Signal.SAFETY),
    ("Huele muchísimo a gas en la cocina y los niños están tosiendo", Signal.SAFETY),
    ("You will hear from my lawyer, see you in court", Signal.LEGAL_THREAT),
    ("Ya puse la denuncia en Consumo y mi abogado los va a demandar", Signal.LEGAL_THREAT),
    ("I'm a reporter and would like a statement from your press office before tonight's programme", Signal.PRESS),
    ("Soy periodista, ¿con quién de prensa puedo hablar para una nota sobre los cortes?", Signal.PRESS),
    ("Last chance, otherwise I'm moving to the competition, never again with you", Signal.CHURN),
    ("Mi madre tiene 87 años y depende del respirador, lleva horas sin luz", Signal.VULNERABLE_PERSON),
    ("My mother is 87, on oxygen at home and has had no power for hours", Signal.VULNERABLE_PERSON),
]


@pytest.mark.parametrize(("text", "signal"), SIGNALLING, ids=[case[0][:24] for case in SIGNALLING])
def test_plain_signals(model: Model, text: str, signal: Signal) -> None:
    (understanding,) = model.classify([text])
    assert signal in understanding.signals


@pytest.mark.parametrize(
    "text", ["What time do you open on Sundays?", "Gracias, todo perfecto", "This deal is fire", "La batería dura años"]
)
def test_nothing_to_signal(model: Model, text: str) -> None:
    (understanding,) = model.classify([text])
    assert understanding.signals == ()


def test_the_same_text_again_is_not_worked_on_again(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = load()
    asked: list[int] = []
    run = fresh._memory._graph.run

    def counting(texts: list[str]) -> object:
        asked.append(len(texts))
        return run(texts)

    monkeypatch.setattr(fresh._memory._graph, "run", counting)
    reposts = ["No anda nada @ExampleTel https://example.com/a", "No anda nada @ExampleTel https://example.com/b"]
    first = fresh.classify([*reposts, "otra cosa"])
    assert asked == [2]
    assert fresh.classify(reposts) == first[:2] == model.classify(reposts)
    assert sum(asked) == 2


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = load()
    monkeypatch.setattr("listener.model.reading.REMEMBERED", 4)
    fresh.classify([f"texto número {number}" for number in range(10)])
    assert len(fresh._memory._known) == 4 < REMEMBERED
    kept = set(fresh._memory._known)
    fresh.classify(["texto número 9", "texto número 8", "texto nuevo"])
    assert len(kept & set(fresh._memory._known)) == 3
    fresh.classify(["texto otro", "texto aparte", "texto distinto"])
    assert not kept & set(fresh._memory._known), "what was said longest ago is forgotten first"


def test_the_fast_profile_says_so_and_reads_too(model: Model) -> None:
    fast = load(profile="fast")
    assert fast.version == f"{model.version}-fast"
    texts = [text for text, *_ in PLAIN_CASES]
    agreed = [a.sentiment_scores for a in fast.classify(texts)], [b.sentiment_scores for b in model.classify(texts)]
    same = sum(max(a, key=a.__getitem__) == max(b, key=b.__getitem__) for a, b in zip(*agreed, strict=True))
    assert same >= 7
    assert not np.allclose(fast.embed(texts), model.embed(texts))


def test_a_language_it_never_learned_is_not_guessed_at(model: Model) -> None:
    (understanding,) = model.classify(["Je n'ai plus de connexion depuis ce matin, c'est vraiment inadmissible"])
    assert understanding.language == "fr"
    assert understanding.sentiment is None
    assert understanding.intents == ()


@pytest.mark.parametrize("text", STRANGE, ids=lambda text: ascii(text[:12]))
def test_strange_text_alone(model: Model, text: str) -> None:
    (understanding,) = model.classify([text])
    assert all(np.isfinite(score) for score in understanding.intent_scores.values())


def test_strange_texts_together(model: Model) -> None:
    assert len(model.classify(STRANGE)) == len(STRANGE)
    assert model.classify([]) == []


@pytest.mark.parametrize("text", ["", "\x00", "12 34", "👨‍👩‍👧"], ids=ascii)
def test_without_words_it_knows_nothing(model: Model, text: str) -> None:
    (understanding,) = model.classify([text])
    assert understanding.language == "und"
    assert understanding.sentiment is None
    assert understanding.intents == ()


def test_meanings_are_close_across_languages(model: Model) -> None:
    spanish, english, other = model.embed(
        ["¿Cuánto cuesta el envío?", "How much is the shipping?", "My dog ate the whole cake"]
    )
    assert np.linalg.norm(spanish) == pytest.approx(1, abs=1e-3)
    assert spanish @ english > spanish @ other + 0.2


def test_threads_share_one_model(model: Model) -> None:
    texts = [text for text, *_ in PLAIN_CASES]
    expected = [(u.sentiment, u.intents) for u in model.classify(texts)]
    found: list[list[tuple[Sentiment | None, tuple[Intent, ...]]]] = []
    threads = [
        threading.Thread(target=lambda: found.append([(u.sentiment, u.intents) for u in model.classify(texts)]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


def test_no_network_is_touched(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    again = load()
    assert again.classify(["hola"]) == model.classify(["hola"])


@pytest.mark.slow
def test_loading_is_silent_and_needs_no_torch() -> None:
    program = (
        "import sys; from listener.model.reading import load; load().classify(['hola']);"
        "assert 'torch' not in sys.modules and 'sklearn' not in sys.modules"
    )
    result = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_importing_the_module_loads_nothing_heavy() -> None:
    program = (
        "import sys; import listener.model.reading;"
        "print([name for name in ('onnxruntime', 'transformers', 'tokenizers', 'fasttext') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BUNDLED, tmp_path / "copy"))


def test_a_missing_card_is_said_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match=r"card .*card\.json cannot be read"):
        load(tmp_path)


def test_a_damaged_card_is_said_in_one_sentence(copy: Path) -> None:
    (copy / "card.json").write_text('{"version": "x"}')
    with pytest.raises(Mistake, match="is damaged") as caught:
        load(copy)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["full.onnx", "fast.onnx", "weights.bin", "tokenizer.json"])
def test_a_missing_file_is_said_in_one_sentence(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(Mistake, match=f"{name} cannot be read"):
        load(copy)


@pytest.mark.parametrize("name", ["full.onnx", "fast.onnx", "weights.bin", "tokenizer.json"])
def test_a_changed_file_is_said_in_one_sentence(copy: Path, name: str) -> None:
    with (copy / name).open("r+b") as file:
        file.seek(200)
        file.write(b"\x00\x01\x02")
    with pytest.raises(Mistake, match=f"{name} is damaged") as caught:
        load(copy)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_model_are_said_in_one_sentence(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (copy / "full.onnx").write_bytes(b"not a model")
    card = cards.read(copy)
    honest = [dataclasses.replace(file, sha256=cards.sha256(copy / file.name)) for file in card.files]
    monkeypatch.setattr(cards, "read", lambda _: dataclasses.replace(card, files=tuple(honest)))
    with pytest.raises(Mistake, match="cannot be used"):
        load(copy)
