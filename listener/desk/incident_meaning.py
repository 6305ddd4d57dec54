"""How near a mention is in meaning to what is said of an incident.

    what we wrote that people say, and what the mentions said that people attached | the model's vectors | the nearest

It costs something only while an incident lasts of which there is something to compare with; and it is worked out
before the transaction in which something follows from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from listener.store import Store, Transaction, attached, incidents, mentions
from listener.store.incidents import Incident
from listener.types import Attached, MentionState

if TYPE_CHECKING:
    from listener.desk.shelving import Embed

MOST = 20  # mentions attached by a person, the newest, that an incident is compared with beside what we wrote
LONGEST = 2_000  # characters of a text that are read

Near = Mapping[int, float]  # by incident, the likeness to the nearest of its examples: -1 to 1


def examples(tx: Transaction, incident: Incident) -> tuple[str, ...]:
    """What is said by those whom it hits: in our words, and in theirs where a person said that they are."""
    found = attached.newest_of(tx, incident.id, hows=(Attached.HAND, Attached.SPIKE), limit=MOST)
    theirs = [mention.text for mention in mentions.several(tx, found)]
    return tuple(text[:LONGEST] for text in (*incident.meaning.splitlines(), *theirs) if text.strip())


def of_active(tx: Transaction) -> dict[int, tuple[str, ...]]:
    """The examples of each incident that lasts and has any."""
    return {each.id: found for each in incidents.active(tx) if (found := examples(tx, each))}


def nearness(embed: Embed, texts: Sequence[str], compared: Mapping[int, Sequence[str]]) -> list[dict[int, float]]:
    """How near each text is to each incident, in the order of the texts; nothing of a text without words."""
    if not compared or not texts:
        return [{} for _ in texts]
    there = [number for number, text in enumerate(texts) if text.strip()]
    vectors = np.asarray(embed([texts[number][:LONGEST] for number in there]), np.float32) if there else None
    found: list[dict[int, float]] = [{} for _ in texts]
    for incident_id, said in compared.items():
        if vectors is None:
            break
        best = (vectors @ np.asarray(embed(list(said)), np.float32).T).max(axis=1)
        for number, likeness in zip(there, best.tolist(), strict=True):
            found[number][incident_id] = likeness
    return found


def awaiting(
    store: Store, embed: Callable[[], Embed | None], *, limit: int, ids: Sequence[int] | None = None
) -> dict[tuple[int, int], dict[int, float]]:
    """The same of the mentions that are next to be decided, by mention and revision; empty where nothing lasts.

    `ids`: of these only.

    The model is asked for only where there is something to compare.
    """
    with store.read() as tx:
        compared = of_active(tx)
        batch = mentions.awaiting(tx, MentionState.UNDERSTOOD, limit, ids=ids) if compared else []
    reads = embed() if batch else None
    return of_batch(reads, batch, compared) if reads else {}


def of_batch(embed: Embed, batch: Sequence[Any], compared: Mapping[int, Sequence[str]]) -> dict[Any, dict[int, float]]:
    """How near each of these mentions is, by its number and revision."""
    texts = [f"{each.content_warning}\n{each.text}" if each.content_warning else each.text for each in batch]
    near = nearness(embed, texts, compared)
    return {(each.id, each.revision): one for each, one in zip(batch, near, strict=True)}
