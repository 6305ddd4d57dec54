"""Bluesky's texts: length, facets by bytes, record keys; nothing here asks anybody."""

from __future__ import annotations

import re
from typing import Any

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from connectors.bluesky_posts import record_key, split_address, to_address
from connectors.bluesky_text import address, count, first_link, to_card, to_facets, to_text
from tests.connectors.conformance import HOSTILE

FAMILY = "👩‍👩‍👧‍👦"


def marked(text: str, known: dict[str, str] | None = None) -> list[tuple[str, str]]:
    """What the facets of a text mark, and as what."""
    found = []
    for facet in to_facets(text, (known or {}).get):
        index, (feature,) = facet["index"], facet["features"]
        part = text.encode()[index["byteStart"] : index["byteEnd"]].decode()
        kind = feature["$type"].removeprefix("app.bsky.richtext.facet#")
        found.append((part, f"{kind} {feature.get('uri') or feature.get('did') or feature.get('tag')}"))
    return found


# --- length ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("", 0),
        ("hola", 4),
        ("más", 3),
        ("ma\u0301s", 3),
        ("a\r\nb", 3),
        (FAMILY, 3),  # one grapheme, but 25 bytes of the 3,000
        ("🇪🇸", 1),
        (FAMILY * 120, 300),
        ("Z" + "\u0301" * 2000, 401),
        ("漢" * 300, 300),
    ],
)
def test_one_number_says_both_limits(text: str, length: int) -> None:
    assert count(text) == length


@given(st.text() | st.text(alphabet="é👩\u200d🇪\u0301a", min_size=250, max_size=900))
def test_what_counts_300_fits_both_limits(text: str) -> None:
    fits = len(regex.findall(r"\X", text)) <= 300 and len(text.encode()) <= 3000
    assert (count(text) <= 300) is fits


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_reply_stands_as_it_is(text: str) -> None:
    once = address(text, "ana.test")
    assert address(once, "ana.test") == once
    assert "@ana.test" not in once


# --- facets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("sin nada", []),
        ("https://example.com", [("https://example.com", "link https://example.com")]),
        ("á 🙏 https://example.com/á?q=1#x.", [("https://example.com/á?q=1#x", "link https://example.com/á?q=1#x")]),
        ("(https://example.com/a_(b))", [("https://example.com/a_(b)", "link https://example.com/a_(b)")]),
        ("mire http://127.0.0.1:80/x, ya", [("http://127.0.0.1:80/x", "link http://127.0.0.1:80/x")]),
        ("https:// y http://", []),
        ("https://[::1", []),
        ("javascript://x ftp://y", []),
        (f"{FAMILY} #Avería.", [("#Avería", "tag Avería")]),
        ("#1 #2026 #5G x#b", [("#5G", "tag 5G")]),
        ("#" + "x" * 65, [("#" + "x" * 64, "tag " + "x" * 64)]),
        ("@ana.test y @Nadie.test", [("@ana.test", "mention did:plc:ana")]),
        ("hola,@ana.test: correo a@ana.test", [("@ana.test", "mention did:plc:ana")]),
        (
            "https://example.com/@ana.test#tag",
            [("https://example.com/@ana.test#tag", "link https://example.com/@ana.test#tag")],
        ),
        ("@ana", []),
    ],
)
def test_links_mentions_and_tags_are_marked_by_bytes(text: str, found: list[tuple[str, str]]) -> None:
    assert marked(text, {"ana.test": "did:plc:ana"}) == found


@given(st.text(alphabet="a @#.:/hтtpsé👩‍👧(){}\u0301\u200d\n-1", max_size=80))
def test_facets_lie_in_the_text_and_never_overlap(text: str) -> None:
    end = 0
    for facet in to_facets(text, lambda handle: f"did:web:{handle}"):
        assert end <= facet["index"]["byteStart"] < facet["index"]["byteEnd"] <= len(text.encode())
        end = facet["index"]["byteEnd"]
        text.encode()[facet["index"]["byteStart"] : end].decode()


def test_only_some_mentions_are_looked_up() -> None:
    asked: list[str] = []
    to_facets(" ".join(f"@p{n}.test" for n in range(30)), asked.append)  # type: ignore[func-returns-value]
    assert len(asked) == 10


def test_a_card_is_made_of_the_address_alone() -> None:
    facets = to_facets("mira https://www.example.com/estado/?zona=1 y https://b.example", lambda _: None)
    link = first_link(facets)
    assert link == "https://www.example.com/estado/?zona=1"
    assert to_card(link)["external"] == {"uri": link, "title": "example.com/estado", "description": ""}
    assert len(to_card("https://user:pw@example.com/" + "a" * 500)["external"]["title"]) == 100
    assert "pw" not in to_card("https://user:pw@example.com/")["external"]["title"]


# --- reading --------------------------------------------------------------------------------------------------------


def linked(text: str, part: str, uri: str) -> dict[str, Any]:
    start = len(text[: text.index(part)].encode())
    index = {"byteStart": start, "byteEnd": start + len(part.encode())}
    return {
        "text": text,
        "facets": [{"index": index, "features": [{"$type": "app.bsky.richtext.facet#link", "uri": uri}]}],
    }


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (
            linked("á: example.com/very-lo... ya", "example.com/very-lo...", "https://example.com/very-long"),
            "á: https://example.com/very-long ya",
        ),
        (linked("example.com", "example.com", "https://www.example.com/"), "example.com"),
        (linked("banco.example", "banco.example", "https://evil.example"), "banco.example (https://evil.example)"),
        (linked("aquí", "aquí", "https://example.com"), "aquí (https://example.com)"),
        ({"text": "hola", "tags": ["uno", 2, "dos"]}, "hola\n\n#uno #dos"),
        ({"text": None}, ""),
        ({"text": "x", "facets": [{"index": {"byteStart": 0, "byteEnd": 99}, "features": []}]}, "x"),
        ({"text": "a\x00b\ud83d"}, "ab"),
        ({}, ""),
    ],
)
def test_what_a_post_says_to_its_reader(record: dict[str, Any], text: str) -> None:
    assert to_text(record) == text


@given(
    st.text(max_size=20),
    st.lists(st.tuples(st.integers(-3, 30), st.integers(-3, 30), st.text(max_size=5)), max_size=4),
)
def test_no_facets_are_a_bug(text: str, facets: list[tuple[int, int, str]]) -> None:
    made = [
        {"index": {"byteStart": a, "byteEnd": b}, "features": [{"$type": "app.bsky.richtext.facet#link", "uri": uri}]}
        for a, b, uri in facets
    ]
    to_text({"text": text, "facets": made}).encode()


# --- names ----------------------------------------------------------------------------------------------------------


@given(st.text(min_size=1, max_size=64))
def test_a_record_key_is_a_tid_of_the_past_and_the_same_each_time(key: str) -> None:
    name = record_key(key)
    assert re.fullmatch("[234567abcdefghij][234567a-z]{12}", name)
    assert record_key(key) == name
    number = 0
    for char in name:
        number = number * 32 + "234567abcdefghijklmnopqrstuvwxyz".index(char)
    assert 2010 <= 1970 + (number >> 10) / 1e6 / 31_556_952 < 2020.01


def test_different_keys_give_different_names() -> None:
    assert len({record_key(f"draft-{n}") for n in range(10_000)}) == 10_000


@pytest.mark.parametrize(
    "address_",
    [
        "",
        "at://ana.test/app.bsky.feed.post/3k",
        "at://did:plc:a/app.bsky.feed.like/3k",
        "at://did:plc:a/app.bsky.feed.post/3k/x",
        "at://did:plc:a/app.bsky.feed.post/",
        "at://did:plc:a/app.bsky.feed.post/3k\n",
        "https://bsky.app/profile/did:plc:a/post/3k",
        None,
    ],
)
def test_what_is_no_address_of_a_post_is_none(address_: Any) -> None:
    assert split_address(address_) is None


def test_an_address_goes_out_and_comes_back() -> None:
    assert split_address(to_address("did:web:example.com", "3k")) == ("did:web:example.com", "3k")
