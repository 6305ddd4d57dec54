"""What counts as an edit: words, and what stands beside them; not what a network merely says in another way."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from listener.store import mentions, sources
from listener.store.mentions import Mention, Saved
from listener.types import Author, DraftState, Media, MentionState, Post, PostKind
from tests.listener.flow.world import Escucha

FIRST = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
SUNSET = Media(kind="image", url="https://files.example/a/1.png?sig=1&expires=5", alt="a sunset")
SIGNED_ANEW = replace(SUNSET, url="https://files.example/a/1.png?sig=2&expires=9")
MOVED = replace(SUNSET, url="https://cache.example/z/1.png")
OTHER = Media(kind="image", url="https://files.example/a/2.png", alt="something else")


def look(escucha: Escucha, post: Post, *, source: str | None = None) -> tuple[Saved, Mention]:
    """The post as a look at it shows it later, or as a source brings it."""
    escucha.clock.forward(seconds=60)
    with escucha.store.write() as tx:
        source_id = sources.get(tx, source).id if source else None
        saved = mentions.save(tx, source_id=source_id, network="sandbox", posts=[post], now=escucha.clock())
        found = mentions.by_external_id(tx, "sandbox", post.external_id)
    assert found
    return saved, found


def approved(escucha: Escucha, **given: Any) -> Post:
    """Praise with a picture, and an answer to it that a person approved."""
    post = Post(
        external_id="77",
        author=Author(external_id="ana", handle="ana"),
        text="@marca mal no: gracias",
        posted_at=escucha.clock(),
        kind=PostKind.MENTION,
        media=(SUNSET,),
    )
    post = replace(post, **given)
    look(escucha, post, source="source-0")
    escucha.main.understand()
    escucha.main.decide()
    escucha.approve(escucha.draft())
    return post


SWAPPED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "another picture": ({}, {"media": (replace(OTHER, alt=SUNSET.alt),), "edited_at": LATER}),
    "another picture, once more": ({"edited_at": FIRST}, {"media": (OTHER,), "edited_at": LATER}),
    "another description": ({}, {"media": (replace(SUNSET, alt="a threat"),), "edited_at": LATER}),
    "another description, no time told": ({}, {"media": (replace(SUNSET, alt="a threat"),)}),
    "another description, same time": ({"edited_at": FIRST}, {"media": (replace(SUNSET, alt="a threat"),)}),
    "one picture more": ({}, {"media": (SUNSET, replace(OTHER, alt=""))}),
    "one picture less": ({}, {"media": ()}),
    "another quoted post": ({"quoted": "@eva: bravo"}, {"quoted": "@eva: a threat"}),
    "a quoted post where there was none": ({}, {"quoted": "@eva: a threat", "edited_at": LATER}),
    "another warning": ({}, {"content_warning": "a threat"}),
}


@pytest.mark.parametrize(("at_first", "then"), list(SWAPPED.values()), ids=list(SWAPPED))
def test_what_stands_beside_the_words_cannot_be_swapped_under_an_approved_answer(
    escucha: Escucha, at_first: dict[str, Any], then: dict[str, Any]
) -> None:
    post = approved(escucha, **at_first)
    saved, mention = look(escucha, replace(post, **then))
    assert saved.edited == (mention.id,)
    assert (mention.revision, mention.state) == (2, MentionState.NEW)
    assert escucha.draft().state is DraftState.EXPIRED
    escucha.main.once()
    assert escucha.answers() == []
    assert [draft.revision for draft in escucha.drafts()] == [1, 2], "it was read and decided anew"


SAME: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "signed anew": ({}, {"media": (SIGNED_ANEW,)}),
    "signed anew after an edit": ({"edited_at": FIRST}, {"media": (SIGNED_ANEW,)}),
    "signed anew with an edit of nothing": ({}, {"media": (SIGNED_ANEW,), "edited_at": LATER}),
    "moved": ({}, {"media": (MOVED,)}),
    "moved after an edit": ({"edited_at": FIRST}, {"media": (MOVED,)}),
    "what it quotes, which the stream did not bring": ({}, {"quoted": "@eva: bravo"}),
    "what it quotes was deleted": ({"quoted": "@eva: bravo"}, {"quoted": ""}),
}


@pytest.mark.parametrize(("at_first", "then"), list(SAME.values()), ids=list(SAME))
def test_what_the_network_merely_says_in_another_way_is_no_edit(
    escucha: Escucha, at_first: dict[str, Any], then: dict[str, Any]
) -> None:
    post = approved(escucha, **at_first)
    now = replace(post, **then)
    for _ in range(3):
        saved, mention = look(escucha, now)
        assert (saved.edited, saved.repeated, mention.revision) == ((), 1, 1)
        assert (mention.media, mention.quoted) == (now.media, now.quoted), "it is shown as it is now"
    assert escucha.draft().state is DraftState.APPROVED


def test_an_older_version_changes_nothing_beside_the_words_either(escucha: Escucha) -> None:
    post = approved(escucha, edited_at=LATER, quoted="@eva: bravo")
    for edited_at in (FIRST, None):
        saved, mention = look(escucha, replace(post, media=(OTHER,), quoted="@eva: a threat", edited_at=edited_at))
        assert saved.edited == ()
        assert (mention.media, mention.quoted) == ((SUNSET,), "@eva: bravo")


def test_only_a_look_at_a_post_tells_that_it_quotes_nothing_any_more(escucha: Escucha) -> None:
    post = approved(escucha, quoted="@eva: bravo")
    _, mention = look(escucha, replace(post, quoted=""), source="source-0")
    assert mention.quoted == "@eva: bravo", "a stream does not bring what a post quotes"


def test_addresses_that_moved_before_an_edit_of_something_else_are_not_taken_for_it(escucha: Escucha) -> None:
    post = approved(escucha)
    look(escucha, replace(post, edited_at=LATER))
    saved, _ = look(escucha, replace(post, edited_at=LATER, media=(MOVED,)))
    assert saved.edited == ()
