"""A picture that was approved arrives with its words, once; one that cannot be handed over is no unknown outcome."""

from __future__ import annotations

import pytest

from connectors.sandbox import Fault
from listener.store import attachments, inbox
from listener.store.attachments import NewImage
from listener.store.inbox import Draft
from listener.types import DraftState
from tests.listener.flow.world import Escucha

PICTURE = NewImage(name="luz.png", content_type="image/png", data=b"\x89PNG\x00\xff", alt={"es": "una luz verde"})


def approved(escucha: Escucha) -> Draft:
    """A reply with a picture, approved."""
    escucha.says("@marca todo mal")
    escucha.round()
    draft = escucha.draft()
    with escucha.store.write() as tx:
        inbox.edit(tx, draft, text="Debe verse así.", length=15, by="mod", now=escucha.clock(), images=[PICTURE])
    escucha.approve(escucha.draft())
    return escucha.draft()


def sent(escucha: Escucha) -> list[tuple[str, bytes, str]]:
    rows = escucha.network.posts_by("marca")
    return [
        (each.content_type, each.data, each.alt) for row in rows for each in escucha.network.pictures(str(row["id"]))
    ]


def test_what_was_approved_arrives_with_its_picture(escucha: Escucha) -> None:
    approved(escucha)
    escucha.round()
    assert escucha.draft().state is DraftState.SENT
    assert sent(escucha) == [("image/png", PICTURE.data, "una luz verde")]


@pytest.mark.parametrize("fault", [Fault.NEVER_ARRIVED, Fault.ANSWER_LOST, Fault.UNAVAILABLE, Fault.RATE_LIMITED])
def test_a_picture_that_is_lost_on_the_way_is_tried_again(escucha: Escucha, fault: Fault) -> None:
    approved(escucha)
    escucha.network.fail("upload", fault, seconds=1)
    escucha.round()
    assert (escucha.draft().state, escucha.answers()) == (DraftState.APPROVED, [])
    escucha.round(minutes=10)
    assert escucha.draft().state is DraftState.SENT
    assert len(sent(escucha)) == 1


def test_a_picture_that_the_network_refuses_is_a_refusal(escucha: Escucha) -> None:
    approved(escucha)
    escucha.network.fail("upload", Fault.REJECTED)
    escucha.round()
    assert (escucha.draft().state, escucha.answers()) == (DraftState.FAILED, [])


@pytest.mark.parametrize("fault", [Fault.ANSWER_LOST, Fault.NEVER_ARRIVED])
def test_a_reply_of_unknown_outcome_is_settled_and_arrives_once_with_its_picture(
    escucha: Escucha, fault: Fault
) -> None:
    approved(escucha)
    escucha.network.fail("reply", fault)
    escucha.forgets_keys()
    for _ in range(4):
        escucha.round(seconds=5)
    assert escucha.draft().state is DraftState.SENT
    assert len(sent(escucha)) == 1


def test_a_swapped_picture_unmakes_the_approval(escucha: Escucha) -> None:
    draft = approved(escucha)
    with escucha.store.write() as tx:
        inbox.edit(tx, draft, text=draft.text, length=draft.length, by="otro", now=escucha.clock(), images=[])
    escucha.round()
    assert (escucha.draft().state, escucha.answers()) == (DraftState.PROPOSED, [])
    with escucha.store.read() as tx:
        assert attachments.of_draft(tx, draft.id) == ()
