"""A text that is too long, as a thread: whole, in order, cut only where a reader would."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import sandbox
from connectors.x import count as x_count
from listener.desk import notice_pages, notices
from listener.desk.notices import Outlet
from listener.desk.threads import thread
from listener.errors import Mistake

NEWS = (
    "Hay un corte de luz en Lleida desde las 18 h que afecta a unas 12 000 personas. El Sr. López, de la central, dice "
    "que se trabaja en ello. Calles sin servicio: Mayor, Nueva, la plaza y la avenida de Madrid; también el polígono. "
    "Llame al 600 123 456 o mire https://marca.example/corte/2026/lleida?x=1,2 para saber más.\n\n"
    "Núm. 5 de la calle Mayor tiene ya servicio. ¿Qué hacer? Desenchufe los aparatos. El abono será de 1.234,56 €."
)


def test_sentences_and_paragraphs_stay_whole_where_they_can() -> None:
    assert thread([NEWS], count=len, limit=100) == [
        "Hay un corte de luz en Lleida desde las 18 h que afecta a unas 12 000 personas.",
        "El Sr. López, de la central, dice que se trabaja en ello.",
        "Calles sin servicio: Mayor, Nueva, la plaza y la avenida de Madrid; también el polígono.",
        "Llame al 600 123 456 o mire https://marca.example/corte/2026/lleida?x=1,2 para saber más.",
        "Núm. 5 de la calle Mayor tiene ya servicio. ¿Qué hacer? Desenchufe los aparatos.",
        "El abono será de 1.234,56 €.",
    ]


def test_numbers_stand_behind_each_part_and_count() -> None:
    parts = thread([NEWS], count=len, limit=140, numbered=True)
    assert [part[-6:] for part in parts] == [f" ({at}/{len(parts)})" for at in range(1, len(parts) + 1)]
    assert all(len(part) <= 140 for part in parts)
    long = thread(["uno dos tres cuatro cinco seis " * 40], count=len, limit=60, numbered=True)
    assert len(long) > 9
    assert long[0].endswith(f" (1/{len(long)})")
    assert all(len(part) <= 60 for part in long)


def test_what_fits_is_left_alone_even_where_numbers_are_wanted() -> None:
    assert thread(["Hay un corte."], count=len, limit=13, numbered=True) == ["Hay un corte."]


def test_parts_made_by_hand_stay_parts() -> None:
    assert thread(["Uno.", "Dos. " * 5 + "Fin.", "Tres."], count=len, limit=20, numbered=False) == [
        "Uno.",
        "Dos. Dos. Dos.",
        "Dos. Dos. Fin.",
        "Tres.",
    ]


LINK = st.sampled_from(["https://marca.example/a/b?c=1,2", "http://b.example/x_y;z", "https://ñ.example/é"])
NUMBER = st.sampled_from(["12 000", "600 123 456", "1.234,56 €", "18 h", "30 %", "$ 12", "5 km/h"])
WORD = st.sampled_from(
    ["corte", "de", "luz", "Lleida.", "¿Qué?", "servicio,", "@marca", "#corte", "López;", "ñandú…", "🙂"]
)
GAP = st.sampled_from([" ", " ", " ", "\n", "\n\n", ". ", "  "])


@settings(max_examples=60)
@given(
    pieces=st.lists(st.tuples(WORD | WORD | WORD | NUMBER | LINK, GAP), min_size=1, max_size=70),
    limit=st.integers(60, 200),
    numbered=st.booleans(),
    x=st.booleans(),
)
def test_nothing_is_lost_cut_through_or_too_long(
    pieces: list[tuple[str, str]], limit: int, numbered: bool, x: bool
) -> None:
    count = x_count if x else len
    text = "".join(piece + gap for piece, gap in pieces).strip()
    parts = thread([text], count=count, limit=limit, numbered=numbered)
    bare = [re.sub(r" \(\d+/\d+\)$", "", part) for part in parts] if numbered and len(parts) > 1 else parts
    assert "".join("".join(bare).split()) == "".join(text.split())
    assert all(part and part == part.strip() for part in bare)
    assert (len(parts) == 1) == (count(text) <= limit) or not re.search(r"\s", text)
    told = [piece for piece, _ in pieces if re.search(r"\d", piece) or "://" in piece]
    assert sum(part.count(piece) for part in bare for piece in set(told)) == sum(
        text.count(piece) for piece in set(told)
    )
    assert {word for part in bare for word in part.split()} <= set(text.split())
    if all(count(piece) + 12 <= limit - 30 for piece, _ in pieces):
        assert all(count(part) <= limit for part in parts)


@settings(max_examples=60)
@given(pieces=st.lists(st.sampled_from(["corte", "luz"]) | NUMBER | LINK, min_size=30, max_size=60))
def test_where_nothing_ends_it_is_cut_between_words_and_never_in_a_number(pieces: list[str]) -> None:
    parts = thread([" ".join(pieces)], count=len, limit=60)
    for piece in set(pieces) - {"corte", "luz"}:
        assert sum(part.count(piece) for part in parts) == " ".join(pieces).count(piece), piece


def outlet(**more: object) -> Outlet:
    return Outlet(account="care", facts=replace(sandbox.FACTS, limit=100, **more))  # type: ignore[arg-type]


def test_a_notice_goes_on_as_a_thread_only_when_its_writer_says_so() -> None:
    with pytest.raises(Mistake, match="say --thread to make 6 posts of it, or give sandbox its own text"):
        notices.plan(notice_pages.from_options("T", [f"es={NEWS}"], [], []), [outlet()])
    for numbered in (False, True):
        written = notice_pages.from_options("T", [f"es={NEWS}"], [], [], threads=True, numbered=numbered)
        planned = notices.plan(written, [outlet()])
        assert [each.part for each in planned] == list(range(1, len(planned) + 1))
        assert all(each.length == len(each.text) <= 100 for each in planned)
        assert planned[0].text.endswith("(1/6)") is numbered


def test_where_there_are_no_threads_or_no_end_of_them_another_text_is_asked_for() -> None:
    written = notice_pages.from_options("T", [f"es={NEWS}"], [], [], threads=True)
    with pytest.raises(Mistake, match=r"327 too long \(427 of 100\); shorten it, or give") as mistake:
        notices.plan(written, [outlet(threads=False)])
    assert "--thread" not in str(mistake.value)
    endless = notice_pages.from_options("T", [f"es={'Nada. ' * 1000}"], [], [], threads=True)
    with pytest.raises(Mistake, match=r"too long \(5999 of 100\); shorten it, or give"):
        notices.plan(endless, [outlet()])


@pytest.mark.parametrize(
    ("said", "threads", "numbered"), [("yes", True, False), ("numbered", True, True), ("no", False, False)]
)
def test_a_page_and_a_yaml_file_may_ask_for_it(said: str, threads: bool, numbered: bool) -> None:
    page = notice_pages.from_markdown(f"# T\n\nthread: {said}\n\n## es\nHola", "p.md")
    yaml = notice_pages.from_yaml(f"title: T\nthread: {said}\ntexts:\n  es: Hola", "p.yaml")
    assert (page.threads, page.numbered) == (yaml.threads, yaml.numbered)
    assert (page.threads, page.numbered, page.problems) == (threads, numbered, ())


def test_what_is_neither_yes_nor_no_is_named() -> None:
    assert notice_pages.from_markdown("# T\nthread: maybe\n## es\nHola", "p.md").problems == (
        "p.md:2: thread should be yes, no or numbered.",
    )
