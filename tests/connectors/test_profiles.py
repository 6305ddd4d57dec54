"""What a profile names: found in what people write there, and nothing else kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import mastodon_posts, x_posts
from connectors.profiles import MOST, contacts_in, site_of
from listener.types import Contact, ContactKind


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Escríbeme a Ana.Lopez@Correo.example 😀", ["mail ana.lopez@correo.example"]),
        ("mi web: https://www.Ana.example/blog/ y ana.example", ["site ana.example/blog", "site ana.example"]),
        ("tel. +34 911 22 23 33", ["phone +34911222333"]),
        ("(+54) 9 11 2345-6789", ["phone +5491123456789"]),
        ("911 22 23 33", []),
        ("nacida en 1990, 12.5 km, v1.2.3", []),
        ("fin.Y luego", []),
        ("@ana@masto.example", []),
        ("", []),
    ],
)
def test_what_a_profile_names(text: str, found: list[str]) -> None:
    got = [f"{each.kind} {each.value}" for each in contacts_in(text)]
    if text == "fin.Y luego":
        assert all(each.startswith("site") for each in got)
    else:
        assert got == found


@given(st.text(max_size=300))
def test_any_profile_can_be_read(text: str) -> None:
    assert len(contacts_in(text)) <= MOST
    assert all(each.value for each in contacts_in(text))


def test_a_site_is_compared_without_what_does_not_matter() -> None:
    assert {site_of(each) for each in ("https://www.a.example/", "http://A.example", "a.example")} == {"a.example"}
    assert site_of("http://[") == ""


def test_mastodon_says_which_site_it_has_checked() -> None:
    account = {
        "id": "1",
        "acct": "ana",
        "note": "<p>Hola, ana@a.example</p>",
        "fields": [
            {
                "name": "web",
                "value": '<a href="https://a.example">a.example</a>',
                "verified_at": "2026-01-01T00:00:00Z",
            },
            {"name": "otra", "value": "b.example", "verified_at": None},
        ],
    }
    assert mastodon_posts.to_author(account, "m.example").contacts == (
        Contact(kind=ContactKind.MAIL, value="ana@a.example"),
        Contact(kind=ContactKind.SITE, value="a.example", proven=True),
        Contact(kind=ContactKind.SITE, value="b.example"),
    )
    assert mastodon_posts.to_author({"id": "1", "acct": "ana"}, "m.example").contacts is None


@pytest.mark.parametrize(
    "value",
    [
        '<a href="https://evil.example">victim.example</a>',
        '<a href="https://evil.example">evil.example</a> ana@victim.example +34911222333 victim.example',
        '<a href="https://victim.example">victim.example</a> <a href="https://evil.example">evil.example</a>',
    ],
)
def test_mastodon_has_checked_where_a_link_leads_and_nothing_that_stands_around_it(value: str) -> None:
    fields = [{"name": "web", "value": value, "verified_at": "2026-01-01T00:00:00Z"}]
    account = {"id": "1", "acct": "mallory", "note": "", "fields": fields}
    found = mastodon_posts.to_author(account, "m.example").contacts
    assert found
    assert [each.value for each in found if each.proven] in ([], ["evil.example"])


def test_x_tells_addresses_behind_its_short_ones() -> None:
    user = {
        "id": "1",
        "username": "ana",
        "description": "Ana, ana@a.example https://t.co/abc",
        "entities": {
            "url": {"urls": [{"expanded_url": "https://a.example"}]},
            "description": {"urls": [{"expanded_url": "https://b.example/x"}]},
        },
    }
    named = x_posts.to_author(user).contacts
    assert named is not None
    assert [each.value for each in named] == ["ana@a.example", "a.example", "b.example/x"]
    assert x_posts.to_author({"id": "1", "username": "ana"}).contacts is None
