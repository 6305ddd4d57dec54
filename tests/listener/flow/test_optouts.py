"""Who asks to be left alone is left alone: at once, by everybody, until a person takes it back."""

from __future__ import annotations

import pytest

from listener.errors import Stale
from listener.store import audit, cases, inbox, mentions, optouts
from listener.store.mentions import Mention
from listener.types import DraftState
from tests.listener.flow.world import Escucha


def mention_of(escucha: Escucha, external_id: str) -> Mention:
    with escucha.store.read() as tx:
        mention = mentions.by_external_id(tx, "sandbox", external_id)
    assert mention is not None
    return mention


def answered(escucha: Escucha) -> set[str]:
    """The posts that have an answer."""
    return {parent for parent, _ in escucha.answers()}


def test_what_waits_is_withdrawn_and_nothing_more_is_said(escucha: Escucha) -> None:
    first = escucha.says("@marca todo mal")
    other = escucha.says("@marca lo mío también mal", who="beto")
    escucha.round()
    for draft in escucha.drafts(DraftState.PROPOSED):
        escucha.approve(draft)
    asked = escucha.says("@marca No me contestéis más.")
    escucha.round()
    assert answered(escucha) == {other}
    (withdrawn,) = escucha.drafts(DraftState.EXPIRED)
    assert withdrawn.mention_id == mention_of(escucha, first).id
    assert withdrawn.reason == "its author asked to be left alone"
    later = escucha.says("@marca ¿horario?")
    escucha.round()
    escucha.round()
    assert answered(escucha) == {other}
    assert mention_of(escucha, later).left_alone_at is not None
    with escucha.store.read() as tx:
        assert len(cases.listing(tx)) == 2, "their case goes on"
        done = [entry.action for entry in audit.about(tx, f"mention {mention_of(escucha, asked).id}")]
    assert "author.left_alone" in done


def test_a_person_takes_it_back(escucha: Escucha) -> None:
    asked = escucha.says("@marca deja de escribirme")
    escucha.round()
    mention = mention_of(escucha, asked)
    with escucha.store.write() as tx:
        assert optouts.answer_again(tx, mention, by="mod", now=escucha.clock())
        assert not optouts.answer_again(tx, mention, by="mod", now=escucha.clock())
    later = escucha.says("@marca ¿horario?")
    escucha.round()
    escucha.round()
    assert answered(escucha) == {later}


def test_the_profile_says_nothing_about_it(escucha: Escucha) -> None:
    asked = escucha.says("@marca stop")
    escucha.round()
    escucha.says("@marca todo mal")  # the author is stored anew with every post
    escucha.round()
    assert mention_of(escucha, asked).left_alone_at is not None


def test_a_draft_that_comes_back_cannot_be_approved(escucha: Escucha) -> None:
    post = escucha.says("@marca todo mal")
    escucha.round()
    with escucha.store.write() as tx:
        inbox.reject(tx, escucha.draft(), by="mod", reason="no", now=escucha.clock())
    with escucha.store.write() as tx:
        assert optouts.leave_alone(tx, mention_of(escucha, post), by="mod", now=escucha.clock())
        assert not optouts.leave_alone(tx, mention_of(escucha, post), by="mod", now=escucha.clock())
        inbox.take_back(tx, escucha.draft(), by="mod", now=escucha.clock())
    with pytest.raises(Stale, match="asked to be left alone"):
        escucha.approve(escucha.draft())
