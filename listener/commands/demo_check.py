"""Whether the demo lost or repeated anything: the sandbox's own rows against the database, counted anew.

The search is written a second time on purpose: a mistake in the connector's must not hide here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from listener.commands.demo_news import ALL
from listener.store import Store, inbox, mentions, notices
from listener.types import DeliveryState, DraftState, MentionState


@dataclass(frozen=True, kw_only=True)
class Check:
    """What does not agree, one sentence each. `lost`: said there, missing or wrong here. `duplicates`: said twice."""

    lost: tuple[str, ...]
    duplicates: tuple[str, ...]


def check(store: Store, world: Any, *, handle: str, queries: Iterable[str]) -> Check:
    """Compares every post of the world with what was heard, and everything of ours there with what was sent."""
    us = handle.removeprefix("@").casefold()
    rows = {str(row["id"]): row for row in _everything(world)}
    wanted = [row for row in rows.values() if any(_concerns(row, query, us) for query in queries)]
    with store.read() as tx:
        heard = {mention.external_id: mention for mention in mentions.recent(tx, limit=ALL)}
        drafts = inbox.waiting(tx, states=(DraftState.SENT,))
        deliveries = [each for notice in notices.listing(tx) for each in notice.deliveries]
    lost: list[str] = []
    for row in wanted:
        mention = heard.get(str(row["id"]))
        if mention is None:
            if row["deleted_at"] is None:
                lost.append(f"post {row['id']} of @{row['author']} was never heard")
        elif (mention.state is MentionState.GONE) is (row["deleted_at"] is None):
            lost.append(f"M{mention.id} does not know whether post {row['id']} was deleted")
        elif row["deleted_at"] is None and mention.text != row["text"]:
            lost.append(f"M{mention.id} does not have the newest words of post {row['id']}")
    said = Counter(draft.posted_id for draft in drafts)
    said.update(delivery.posted_id for delivery in deliveries if delivery.state is DeliveryState.SENT)
    ours = {post for post, row in rows.items() if row["author"] == us and row["deleted_at"] is None}
    lost += [f"what counts as sent is not there: post {post}" for post in said if post not in ours]
    duplicates = [f"post {post} of ours was sent without a draft of its own" for post in ours if post not in said]
    duplicates += [f"post {post} stands for {number} drafts" for post, number in said.items() if number > 1]
    return Check(lost=tuple(lost), duplicates=tuple(duplicates))


def _everything(world: Any) -> list[Any]:
    found: list[Any] = []
    while more := world.changes(found[-1]["change"] if found else 0):
        found += more
    return found


def _concerns(row: Any, query: str, us: str) -> bool:
    """Whether somebody else's words, as they read now, answer to the query."""
    text = row["text"].casefold()
    if row["author"] == us:
        return False
    if query == "mentions":
        return row["parent_author"] == us or f"@{us}" in text
    return row["visibility"] == "public" and all(word in text for word in query.casefold().split())
