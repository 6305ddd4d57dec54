"""Lengths as X counts them, and what a post says."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.x_text import LIMIT, address, count, has_link, same_words, sendable, to_text
from tests.servers.x import weight

LENGTHS: list[tuple[str, str, int]] = [
    ("empty", "", 0),
    ("latin", "hola", 4),
    ("accents", "avería año", 10),
    ("decomposed", "avería an\u0303o", 10),
    ("cyrillic", "привет", 6),
    ("arabic", "مرحبا", 5),
    ("georgian, the last of the light ones", "\u10ff", 1),
    ("hangul jamo, the first of the heavy ones", "\u1100", 2),
    ("cjk", "日本語", 6),
    ("hangul", "한국", 4),
    ("decomposed hangul", "\u1112\u1161\u11ab", 2),
    ("full width", "ａｂ", 4),
    ("general punctuation that is light", "“sí” — no", 9),
    ("primes", "5′ 6″", 5),
    ("ellipsis", "…", 2),
    ("euro", "9 €", 4),
    ("zero width joiner alone", "a\u200db", 3),
    ("combining, of which one composes", "Z\u0301\u0327", 2),
    ("emoji", "😀", 2),
    ("emoji in text style", "❤", 2),
    ("emoji in emoji style", "❤️", 2),
    ("copyright", "©", 2),
    ("skin tone", "👍🏽", 2),
    ("skin tone on what has none", "🍕🏽", 4),
    ("family", "👩‍👩‍👧‍👦", 2),
    ("couple", "👩🏽‍❤️‍💋‍👨🏿", 2),
    ("farmer", "🧑🏻‍🌾", 2),
    ("pilot", "👩‍✈️", 2),
    ("woman shrugging", "🤷🏽‍♀️", 2),
    ("people holding hands", "🧑‍🤝‍🧑", 2),
    ("rainbow flag", "🏳️‍🌈", 2),
    ("flag", "🇪🇸", 2),
    ("two flags", "🇪🇸🇵🇹", 4),
    ("no flag", "🇽🇽", 4),
    ("England", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", 2),
    ("keycap", "1️⃣", 2),
    ("digits", "12", 2),
    ("joined in a way that nobody knows", "👩‍🍕", 5),
    ("url", "https://example.com", 23),
    ("short url", "http://a.es", 23),
    ("long url", "https://example.com/" + "a" * 300, 23),
    ("url in parentheses", "(https://example.com/estado)", 25),
    ("url with a stop behind", "https://example.com/estado.", 24),
    ("url with a query", "https://example.com/?a=1&b=%20x", 23),
    ("url behind a word", "mira https://example.com ya", 31),
    ("url with parentheses inside: as long as X may find it", "https://es.wikipedia.org/wiki/Madrid_(b)", 26),
    ("two urls", "https://a.com https://b.com", 47),
    ("url against ideographs", "https://example.com日本", 27),
    ("url of a host that is none", "http://localhost/" + "a" * 30, 59),
    ("url of an unknown end", "https://a.unknownend/" + "a" * 30, 63),
    ("host with a known end in its middle", "example.com.Gracias", 31),
    ("host with www", "www.example.com", 23),
    ("domain against ideographs", "見てexample.com日本", 31),
    ("domain of an end in ideographs", "example.みんな", 29),
    ("bare domain", "example.com", 23),
    ("bare domain with a path", "example.com/a", 23),
    ("bare domain with a long path", "example.com/" + "a" * 30, 42),
    ("bare country domain", "elpais.es", 23),
    ("a space that is missing", "señal.Gracias", 23),
    ("abbreviations", "p.ej. EE.UU. a.m. 3.50", 22),
    ("mail address", "ana.lopez@example.com", 21),
    ("handle with a dot", "@ana.com", 8),
    ("hashtag with a dot", "#ana.com", 8),
    ("ideographs against a url", "見てhttps://example.com", 27),
]


@pytest.mark.parametrize(("text", "length"), [row[1:] for row in LENGTHS], ids=[row[0] for row in LENGTHS])
def test_a_length(text: str, length: int) -> None:
    assert count(text) == length


PIECES = st.one_of(
    st.text(max_size=20),
    st.sampled_from([row[1] for row in LENGTHS]),
    st.sampled_from(
        ["http://", "www.", ".com", "/", "(", ")", "@", "#", "\u200d", "\ufe0f", "👩", "🏽", "🇪", "\u20e3"]
    ),
)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_a_length_is_never_less_than_x_counts(text: str) -> None:
    assert count(text) >= weight(text)


@given(st.lists(PIECES, max_size=12).map("".join), st.sampled_from(["ana", "ANA_1", "", "@ana"]))
def test_addressing_is_done_once(text: str, handle: str) -> None:
    once = address(text, handle)
    assert address(once, handle) == once


@pytest.mark.parametrize(
    "text", ["a." * 20_000, "a-" * 20_000, "http://" * 5_000, "👩\u200d" * 10_000, "@a " * 15_000, "1\ufe0f" * 10_000]
)
def test_a_hostile_length_takes_no_longer_than_it_must(text: str) -> None:
    began = time.process_time()
    count(text)
    same_words(text, text)
    address(text, "ana")
    assert time.process_time() - began < 20


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("mira https://example.com", True),
        ("mira example.com", True),
        ("(elpais.es)", True),
        ("a las 3.50 p.m.", False),
        ("ana@example.com", False),
        ("señal.Gracias", False),
    ],
)
def test_a_link_that_makes_a_post_dear_is_seen(text: str, found: bool) -> None:
    assert has_link(text) is found


@pytest.mark.parametrize(
    ("text", "handle", "posted"),
    [
        ("Lo miramos.", "ana", "Lo miramos."),
        ("@ana Lo miramos.", "ana", "Lo miramos."),
        ("@Ana, @ana: lo miramos.", "ana", "lo miramos."),
        ("@anabel lo miramos.", "ana", "@anabel lo miramos."),
        ("Lo miramos, @ana.", "ana", "Lo miramos, @ana."),
        ("  Lo miramos.\r\n", "ana", "Lo miramos."),
        ("Lo miramos.", "no es un nombre", "Lo miramos."),
    ],
)
def test_the_mention_that_x_adds_itself_is_not_written(text: str, handle: str, posted: str) -> None:
    assert address(text, handle) == posted


def test_the_mention_that_x_adds_does_not_count() -> None:
    assert count(address("@ana " + "a" * LIMIT, "ana")) == LIMIT


def test_a_text_is_read_as_it_was_written() -> None:
    links = {"https://t.co/aaa": "https://example.com/estado?a=1&b=2", "https://t.co/bbb": ""}
    text = "1 &lt; 2 &amp;&amp; 3 &gt; 2 &amp;lt; https://t.co/aaa https://t.co/bbb"
    assert to_text(text, links) == "1 < 2 && 3 > 2 &lt; https://example.com/estado?a=1&b=2"


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        ("Lo miramos.", "@ana Lo miramos.", True),
        ("Lo miramos.", "@ana @luis  lo  MIRAMOS", True),
        ("Lo miramos.", "@ana Ya está.", False),
        ("Mira example.com", "Mira http://example.com", True),
        ("Mira https://example.com/a", "Mira https://example.com/b", False),
        ("Mira https://example.com/a", "Mira https://t.co/aB3", True),
        ("Mira https://example.com/a", "Oye https://t.co/aB3", False),
        ("🙏", "🙏", True),
        ("🙏", "😡", False),
        ("", "", True),
    ],
)
def test_our_own_words_are_known_again(ours: str, theirs: str, same: bool) -> None:
    assert same_words(ours, theirs) is same


def test_what_no_text_holds_is_left_out() -> None:
    assert sendable("a\x00b\ufeffc\ud800d\r\ne\x1b") == "abcd\ne"
