"""Whether a post that is heard again was edited since. Pure.

Words and the content warning count, and so does what stands beside them, pictures with their descriptions and the post
it quotes: an answer that fits one picture may not fit another.

Networks sign the addresses of pictures anew, and move pictures from one machine to another. So addresses are compared
without what follows the `?`, and only where the network itself says that the post was edited since. Where it says
nothing of the kind (or nothing new), the descriptions count, and how many there are. A quoted post counts there once
its words were known and are others now: streams bring a post before what it quotes, and its own author may delete it.

A version older than the one we know, as its time of edit tells, never counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from listener.types import MentionState, Post


def is_edit(row: Row[Any], post: Post) -> bool:
    """Whether what the mention's row holds must give way to the post, as a new revision."""
    if row.state == MentionState.GONE or is_older(row, post):
        return False
    if (post.text, post.content_warning) != (row.text, row.content_warning):
        return True
    if post.edited_at is not None and (row.edited_at is None or post.edited_at > row.edited_at):
        return post.quoted != row.quoted or _seen(_media(post)) != _seen(row.media)
    swapped = bool(post.quoted and row.quoted) and post.quoted != row.quoted
    return swapped or _described(_media(post)) != _described(row.media)


def is_older(row: Row[Any], post: Post) -> bool:
    """Whether the post is an earlier version of what the row holds."""
    return row.edited_at is not None and (post.edited_at is None or post.edited_at < row.edited_at)


def _media(post: Post) -> list[dict[str, str]]:
    return [{"url": each.url, "alt": each.alt} for each in post.media]


def _seen(media: Sequence[Mapping[str, str]]) -> list[tuple[str, str]]:
    return [(each["url"].partition("?")[0], each["alt"]) for each in media]


def _described(media: Sequence[Mapping[str, str]]) -> list[str]:
    return [each["alt"] for each in media]
