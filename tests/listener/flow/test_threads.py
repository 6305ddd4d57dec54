"""A notice that is a thread goes out part by part, by whoever sends for the account."""

from __future__ import annotations

import pytest

from connectors.sandbox import Fault
from listener.store import notices
from listener.store.attachments import NewImage
from listener.store.notices import Variant
from tests.listener.flow.world import Escucha

PARTS = ("Hay un corte.", "Estas calles.", "Volveremos.")
PICTURE = NewImage(name="mapa.png", content_type="image/png", data=b"\x89PNG\x00", alt={"es": "un mapa", "en": "a map"})


def publish(escucha: Escucha) -> None:
    """A Spanish thread of three parts and one English message, on their way."""
    texts = [("es", part, text) for part, text in enumerate(PARTS, 1)] + [("en", 1, "Outage.")]
    variants = [
        Variant(
            account="care",
            network="sandbox",
            language=language,
            text=text,
            length=len(text),
            limit=500,
            part=part,
            images=part == 1,
        )
        for language, part, text in texts
    ]
    now = escucha.clock()
    with escucha.store.write() as tx:
        notice = notices.draft(tx, title="Corte", variants=variants, images=[PICTURE], by="marta", now=now)
        notices.publish(tx, notices.approve(tx, notice, by="luis", now=now), by="marta", now=now)


def stands(escucha: Escucha) -> list[tuple[str, bool, list[str]]]:
    """Every post of ours in order: its text, whether it is below the one before it, and what its pictures show."""
    rows = escucha.network.posts_by("marca")
    above = [None, *(row["id"] for row in rows)]
    return [
        (row["text"], row["parent"] == above[at] if at else False, [each.alt for each in pictures])
        for at, row in enumerate(rows)
        for pictures in [escucha.network.pictures(str(row["id"]))]
    ]


def states(escucha: Escucha) -> list[str]:
    with escucha.store.read() as tx:
        return [str(each.state) for each in notices.listing(tx)[0].deliveries]


WHOLE = [
    ("Hay un corte.", False, ["un mapa"]),
    ("Estas calles.", True, []),
    ("Volveremos.", True, []),
    ("Outage.", False, ["a map"]),
]


def test_a_round_brings_out_the_whole_thread(escucha: Escucha) -> None:
    publish(escucha)
    escucha.round()
    assert stands(escucha) == WHOLE
    with escucha.store.read() as tx:
        assert notices.listing(tx)[0].state == "published"


@pytest.mark.parametrize("fault", [Fault.RATE_LIMITED, Fault.UNAVAILABLE, Fault.AUTH_FAILED])
def test_a_part_that_has_to_wait_keeps_its_place(escucha: Escucha, fault: Fault) -> None:
    publish(escucha)
    escucha.network.fail("publish", Fault.SLOW, seconds=0)
    escucha.network.fail("publish", fault, seconds=1)
    escucha.round()
    assert stands(escucha) == WHOLE[:1]
    assert states(escucha) == ["sent", "waiting", "waiting", "waiting"]
    escucha.round(hours=1)
    assert stands(escucha) == WHOLE


@pytest.mark.parametrize("fault", [Fault.NEVER_ARRIVED, Fault.ANSWER_LOST])
def test_a_part_of_unknown_outcome_holds_those_behind_it_until_it_is_settled(escucha: Escucha, fault: Fault) -> None:
    publish(escucha)
    escucha.network.fail("find_published", Fault.UNAVAILABLE)
    escucha.network.fail("publish", Fault.SLOW, seconds=0)
    escucha.network.fail("publish", fault)
    escucha.forgets_keys()
    escucha.round()
    assert states(escucha) == ["sent", "unknown", "waiting", "sent"]
    for _ in range(4):
        escucha.round(seconds=40)
    assert states(escucha) == ["sent"] * 4
    rows = escucha.network.posts_by("marca")
    spanish = [row for row in rows if row["text"] != "Outage."]
    assert [row["text"] for row in spanish] == list(PARTS)
    assert [row["parent"] for row in spanish] == [None, spanish[0]["id"], spanish[1]["id"]]
    assert len(rows) == 4
