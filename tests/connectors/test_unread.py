"""A thing that cannot be read is passed over and named; a fault of ours passes nothing over."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors import faults
from connectors.bluesky_posts import to_posts as bluesky_posts
from connectors.mastodon_posts import to_posts as mastodon_posts
from connectors.x_posts import Joined
from connectors.x_posts import to_posts as x_posts
from listener.types import Author, Garbled, Post

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def read(thing: dict[str, Any]) -> Post | None:
    if thing.get("nothing"):
        return None
    if thing.get("bug"):
        raise ZeroDivisionError("secreto")
    if thing.get("bad"):
        raise ValueError("secreto")
    return Post(external_id=thing["id"], author=Author(external_id="a", handle="a"), text="hola", posted_at=NOW)


def each(*things: dict[str, Any]) -> tuple[list[str], list[str]]:
    posts, garbled = faults.read_each(things, read, lambda thing: str(thing["id"]))
    assert "secreto" not in str(garbled), "nothing of what it says"
    return [post.external_id for post in posts], [one.external_id for one in garbled]


def test_what_cannot_be_read_is_passed_over_and_named() -> None:
    assert each({"id": "1"}, {"id": "2", "bad": 1}, {"id": "3"}) == (["1", "3"], ["2"])
    assert each({"id": "1", "nothing": 1}) == ([], [])
    assert each({"id": "1", "bad": 1}, {"id": "2", "bad": 1}) == ([], ["1", "2"])
    assert each({"bad": 1}, {"id": "3"}) == (["3"], [""])


def test_one_that_breaks_the_reader_is_passed_over_too() -> None:
    assert each({"id": "1"}, {"id": "2", "bug": 1}) == (["1"], ["2"])
    assert each({"id": "2", "bug": 1}) == ([], ["2"])


def test_where_each_of_several_breaks_the_reader_nothing_is_passed_over() -> None:
    with pytest.raises(ZeroDivisionError):
        each({"id": "1", "bug": 1}, {"id": "2", "bug": 1})


def test_networks_name_what_they_could_not_read() -> None:
    reason = "it is not as such posts are written ({})"
    _, mastodon = mastodon_posts([{"id": "77", "content": "secreto"}], "m.example", None)
    assert mastodon == [Garbled(external_id="m.example/77", reason=reason.format("Unreadable"))]
    address = "at://did:plc:ana/app.bsky.feed.post/3kabc"
    _, bluesky = bluesky_posts([{"uri": address, "record": {"text": "secreto"}}], None)
    assert [one.external_id for one in bluesky] == [address]
    _, x = x_posts([{"id": "12", "text": "secreto"}], Joined.of({}), None)
    assert [one.external_id for one in x] == ["12"]
