"""The company's own areas: a few sentences teach them, what is about something else is none of them."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listener.errors import Mistake
from listener.model import fewshot, regression, teaching
from listener.model.fewshot import Areas
from listener.model.teaching import DOUBTFUL, LIKELY, Lesson
from tests.listener.model.by_vectors import SIZE, ByVectors

ROAMING = [
    "roaming en Chile sin datos",
    "no tengo roaming en el viaje",
    "roaming does not work abroad",
    "activar roaming para viaje",
    "roaming abroad is expensive",
    "cuánto cuesta roaming viaje Chile",
]
BILLING = [
    "la factura viene doble",
    "factura con cargo equivocado",
    "my invoice shows a double charge",
    "quiero la factura del cargo",
    "invoice charge is wrong",
    "cargo doble en la factura de marzo",
]
ROUTER = [
    "el router parpadea rojo",
    "router light blinks red",
    "luz del router en rojo",
    "router reinicia solo y parpadea",
    "the router reboots with red light",
]
EXAMPLES = {"roaming": ROAMING, "billing": BILLING, "router": ROUTER}
VECTORS = ByVectors()


def taught(examples: dict[str, list[str]] | None = None, strays: Sequence[str] = ()) -> Lesson:
    return teaching.teach(examples or EXAMPLES, VECTORS.embed, reader="r1", strays=strays)


@pytest.fixture(scope="module")
def lesson() -> Lesson:
    return taught()


@pytest.mark.parametrize(
    ("text", "area"),
    [
        ("no funciona el roaming en mi viaje", ("roaming",)),
        ("otra factura con cargo doble", ("billing",)),
        ("router en rojo, parpadea", ("router",)),
        ("qué bonito partido anoche", ()),
        ("", ()),
    ],
)
def test_a_text_is_read_as_its_area_or_as_none(lesson: Lesson, text: str, area: tuple[str, ...]) -> None:
    ((found, scores),) = lesson.areas.read(VECTORS.embed([text]))
    assert found == area
    assert set(scores) == set(EXAMPLES)
    assert all(0 <= score <= 1 for score in scores.values())
    assert all(scores[name] >= lesson.areas.threshold for name in area)


def test_a_second_area_counts_from_a_quarter_of_the_whole_on() -> None:
    areas = Areas(
        names=("a", "b"),
        reader="r1",
        digest="0",
        slopes=np.eye(2, 3),  # a text's two numbers are the areas' outputs; that of elsewhere is 0
        offsets=np.zeros(3),
        middles=np.eye(2),
        sureness=np.array([1.0, 0.0, 5.0]),
        threshold=np.array(0.5),
    )
    read = areas.read(np.array([[4.5, 5.0], [5.0, 3.0], [3.0, -9.0], [-9.0, -9.0]]))
    assert [found for found, _ in read] == [("b", "a"), ("a",), ("a",), ()]
    assert read[1][1]["b"] > 0.5  # sure enough, but beside another area it is too little


def test_several_texts_are_read_in_order(lesson: Lesson) -> None:
    texts = ["factura con cargo", "viaje con roaming en Chile", "feliz lunes"]
    assert [areas for areas, _ in lesson.areas.read(VECTORS.embed(texts))] == [("billing",), ("roaming",), ()]
    assert lesson.areas.read(VECTORS.embed([])) == []
    assert lesson.areas.scores(VECTORS.embed(texts)).shape == (3, 3)


def test_quality_is_what_examples_said_that_were_left_out(lesson: Lesson) -> None:
    quality = lesson.quality
    assert [each.area for each in quality.areas] == ["billing", "roaming", "router"]
    assert [each.examples for each in quality.areas] == [6, 6, 5]
    assert quality.right > 0.8
    assert quality.elsewhere > 0.9
    assert quality.untaught is not None
    assert quality.poor == ()


def test_what_is_confused_is_named_with_its_sentences() -> None:
    odd = "la factura viene doble otra vez, factura con cargo"
    quality = taught({**EXAMPLES, "router": [*ROUTER, odd]}).quality
    (confusion,) = [each for each in quality.confusions if odd in each.sentences]
    assert (confusion.area, confusion.taken_for) == ("router", "billing")
    assert quality.confusions[0].taken_for


def test_areas_that_cannot_be_told_apart_are_poor() -> None:
    same = [f"factura con cargo {letter}" for letter in "abcdefghijkl"]  # short words say nothing to this reader
    quality = taught({"one": same[:6], "two": same[6:]}).quality
    assert quality.poor
    assert "of 10 examples that were left out" in quality.poor[0]


def test_where_areas_lie_close_a_lower_score_counts_too(lesson: Lesson) -> None:
    assert float(lesson.areas.threshold) == LIKELY
    close = [text.replace("factura", "recibo") for text in BILLING]
    assert DOUBTFUL < float(taught({**EXAMPLES, "receipts": close}).areas.threshold) < LIKELY


def test_one_area_alone_is_told_from_everything_else() -> None:
    lesson = taught({"roaming": ROAMING})
    assert lesson.quality.untaught is None
    assert [areas for areas, _ in lesson.areas.read(VECTORS.embed(["roaming en el viaje", "hola"]))] == [
        ("roaming",),
        (),
    ]


def test_a_stray_is_none_of_them_from_then_on(lesson: Lesson) -> None:
    stray = "roaming lions abroad in the savannah"
    before, after = (each.areas.scores(VECTORS.embed([stray]))[0].max() for each in (lesson, taught(strays=[stray])))
    assert after < before


def test_the_order_of_the_file_changes_nothing(lesson: Lesson) -> None:
    turned = {name: list(reversed(EXAMPLES[name])) for name in reversed(EXAMPLES)}
    again = taught(turned)
    assert again.areas.version == lesson.areas.version
    assert np.array_equal(again.areas.slopes, lesson.areas.slopes)
    assert again.quality == lesson.quality


def test_another_example_model_or_stray_is_another_version(lesson: Lesson) -> None:
    versions = {
        lesson.areas.version,
        taught({**EXAMPLES, "roaming": [*ROAMING, "roaming"]}).areas.version,
        taught(strays=["hola"]).areas.version,
        teaching.teach(EXAMPLES, VECTORS.embed, reader="r2").areas.version,
    }
    assert len(versions) == 4


@pytest.mark.parametrize("examples", [{}, {"few": ROAMING[:4]}])
def test_too_few_examples_are_refused(examples: dict[str, list[str]]) -> None:
    with pytest.raises(Mistake, match=r"area|5"):
        teaching.teach(examples, VECTORS.embed, reader="r1")


def test_a_line_from_elsewhere_that_is_an_area_here_is_left_aside() -> None:
    weather = [line for line in teaching.elsewhere() if "rain" in line.casefold() or "cold" in line.casefold()]
    examples = {"weather": [*weather, "raining umbrella", "freezing outside today", "forgot umbrella again", "raining"]}
    (found, _), *_ = taught(examples).areas.read(VECTORS.embed(["Raining again and I forgot my umbrella"]))
    assert found == ("weather",)
    material = teaching._Material.of(("weather",), examples, VECTORS.embed, ())
    assert len(material.others) < len(teaching.elsewhere())


# --- the file ---


def test_what_was_learned_is_read_back(lesson: Lesson, tmp_path: Path) -> None:
    path = tmp_path / "models" / "areas.npz"
    lesson.areas.save(path)
    back = Areas.load(path, reader="r1")
    texts = VECTORS.embed(["factura doble", "nada que ver"])
    assert back.names == lesson.areas.names
    assert back.version == lesson.areas.version
    assert [areas for areas, _ in back.read(texts)] == [areas for areas, _ in lesson.areas.read(texts)]
    assert np.allclose(back.scores(texts), lesson.areas.scores(texts), atol=1e-5)
    assert [entry.name for entry in path.parent.iterdir()] == ["areas.npz"]
    assert fewshot.learned_from(path) == (lesson.areas.digest, "r1")


def test_no_sentence_is_kept(lesson: Lesson, tmp_path: Path) -> None:
    lesson.areas.save(tmp_path / "areas.npz")
    with np.load(tmp_path / "areas.npz") as file:
        assert sorted(file) == ["facts", "middles", "offsets", "slopes", "sureness", "threshold"]
        facts = bytes(file["facts"]).decode()
        assert file["middles"].shape == (3, SIZE)
    assert not any(text in facts for texts in EXAMPLES.values() for text in texts)


def test_another_model_s_areas_are_refused(lesson: Lesson, tmp_path: Path) -> None:
    lesson.areas.save(tmp_path / "areas.npz")
    with pytest.raises(Mistake, match=r"learned for the model r1, and r1-fast reads now.*escucha model train"):
        Areas.load(tmp_path / "areas.npz", reader="r1-fast")


def test_nothing_learned_is_no_mistake(tmp_path: Path) -> None:
    assert fewshot.learned_from(tmp_path / "areas.npz") is None


@pytest.mark.parametrize(
    "harm",
    ["cut", "empty", "text", "pickle", "shape", "nan", "lone", "bomb", "vast", "changed", "locked", "deep", "names"],
)
def test_a_damaged_file_is_a_sentence(lesson: Lesson, tmp_path: Path, harm: str) -> None:
    path = tmp_path / "areas.npz"
    lesson.areas.save(path)
    whole = path.read_bytes()
    with np.load(path) as file:
        arrays = dict(file)
    match harm:
        case "cut":
            path.write_bytes(whole[: len(whole) // 2])
        case "empty":
            path.write_bytes(b"")
        case "text":
            path.write_text("areas", encoding="utf-8")
        case "pickle":
            np.savez(path, **(arrays | {"slopes": np.array([{"a": 1}], object)}))
        case "shape":
            np.savez(path, **(arrays | {"offsets": np.zeros(9)}))
        case "nan":
            np.savez(path, **(arrays | {"offsets": np.full(4, np.nan)}))
        case "lone":
            np.save(path.with_suffix(".npy"), arrays["slopes"])
            path.with_suffix(".npy").rename(path)
        case "bomb":
            np.savez_compressed(path, **(arrays | {"more": np.zeros(10_000_000)}))
        case "vast":  # a header that asks for petabytes
            np.savez(path, **{name: array for name, array in arrays.items() if name != "offsets"})
            text = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000,)}\n"
            with zipfile.ZipFile(path, "a") as parts:
                parts.writestr("offsets.npy", b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)
        case "changed":
            np.savez_compressed(path, **arrays)
            packed = path.read_bytes()
            path.write_bytes(bytes(each ^ 0x55 if 900 < at < 2000 else each for at, each in enumerate(packed)))
        case "locked":
            at = whole.index(b"PK\x01\x02") + 8
            path.write_bytes(whole[:6] + b"\x01" + whole[7:at] + b"\x01" + whole[at + 1 :])
        case "deep":
            np.savez(path, **(arrays | {"facts": np.frombuffer(b"[" * 100_000, np.uint8)}))
        case "names":
            facts = json.dumps(json.loads(bytes(arrays["facts"])) | {"names": [["a"], ["b"], ["c"]]})
            np.savez(path, **(arrays | {"facts": np.frombuffer(facts.encode(), np.uint8)}))
    with pytest.raises(Mistake, match=r"cannot be read; teach them again"):
        Areas.load(path, reader="r1")


@given(st.binary(max_size=200))
@settings(max_examples=50)
def test_any_file_is_read_or_refused_in_a_sentence(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "areas.npz"
    path.write_bytes(content)
    with pytest.raises(Mistake):
        Areas.load(path, reader="r1")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_a_sentence(lesson: Lesson, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(Mistake, match="make room, or the folder writable"):
        lesson.areas.save(tmp_path / "areas.npz")


def test_a_file_in_place_of_the_folder_is_a_sentence(lesson: Lesson, tmp_path: Path) -> None:
    (tmp_path / "models").write_text("", encoding="utf-8")
    with pytest.raises(Mistake, match="make room, or the folder writable"):
        lesson.areas.save(tmp_path / "models" / "areas.npz")


# --- the regressions ---


def test_the_regression_finds_where_its_slope_is_zero() -> None:
    chance = np.random.default_rng(1)
    vectors, labels = chance.normal(size=(60, 5)), chance.integers(0, 3, 60)
    weights, towards = chance.uniform(0.5, 2, 60), chance.normal(size=(5, 3))
    slopes, offsets = regression.multinomial(vectors, labels, weights, towards=towards, strength=2.0)
    shares = regression.softmax(vectors @ slopes + offsets)
    off = (shares - np.eye(3)[labels]) * weights[:, None]
    assert np.abs(vectors.T @ off + (slopes - towards) / 2.0).max() < 0.1
    assert np.abs(off.sum(axis=0)).max() < 0.1


def test_a_calibrated_score_is_the_share_of_what_is_true() -> None:
    chance = np.random.default_rng(2)
    features = chance.normal(size=(4000, 2))
    truth = (chance.random(4000) < regression.logistic(features @ [2.0, -1.0] + 0.5)).astype(float)
    slopes, offset = regression.binary(features, truth, np.ones(4000))
    assert np.allclose(slopes, [2.0, -1.0], atol=0.25)
    assert offset == pytest.approx(0.5, abs=0.15)


def test_one_feature_that_never_changes_does_no_harm() -> None:
    slopes, offset = regression.binary(np.ones((10, 2)), np.array([1.0] * 5 + [0.0] * 5), np.ones(10))
    assert np.isfinite([*slopes, offset]).all()


# --- the lines from elsewhere ---


def test_the_lines_from_elsewhere_are_in_both_languages_and_stand_once() -> None:
    lines = teaching.elsewhere()
    assert len(lines) >= 150
    assert len({line.casefold() for line in lines}) == len(lines)
    assert any("ñ" in line for line in lines)
    assert any(" the " in line for line in lines)


def test_a_full_disk_leaves_nothing_behind(lesson: Lesson, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "models" / "areas.npz"
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Mistake, match="No space left on device"):
        lesson.areas.save(path)
    assert list(path.parent.iterdir()) == []
