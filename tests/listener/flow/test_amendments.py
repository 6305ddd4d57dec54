"""A notice that is out is corrected, deleted and pinned once, whatever happens on the way."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from connectors.sandbox import Fault
from listener.errors import AlreadyDone, Mistake
from listener.store import amendments, notices, switch, underway
from listener.store.amendments import Amendment, Change
from listener.store.notices import Notice, Variant
from listener.types import AmendmentKind, AmendmentState, FollowUp, SendKind
from tests.listener.flow.world import Escucha

EDIT, DELETE, PIN, UNPIN = AmendmentKind.EDIT, AmendmentKind.DELETE, AmendmentKind.PIN, AmendmentKind.UNPIN


def published(escucha: Escucha, *texts: str) -> Notice:
    """A notice that is out, each text a part of its thread."""
    variants = [
        Variant(account="care", network="sandbox", language="es", text=text, length=len(text), limit=500, part=part)
        for part, text in enumerate(texts or ("Corte hasta las 17 h.",), 1)
    ]
    with escucha.store.write() as tx:
        made = notices.draft(tx, title="Corte", variants=variants, by="marta", now=escucha.clock())
        made = notices.approve(tx, made, by="luis", now=escucha.clock())
        notices.publish(tx, made, by="marta", now=escucha.clock())
    escucha.main.act()
    return notice(escucha, made.id)


def notice(escucha: Escucha, number: int = 1) -> Notice:
    with escucha.store.read() as tx:
        return notices.get(tx, number)


def change(escucha: Escucha, *changes: Change, by: str = "marta", proposed: bool = False) -> list[Amendment]:
    with escucha.store.write() as tx:
        return amendments.order(tx, 1, changes, proposed=proposed, by=by, now=escucha.clock())


def says(escucha: Escucha, text: str, part: int = 1) -> Change:
    return Change(delivery=notice(escucha).deliveries[part - 1], kind=EDIT, text=text, length=len(text))


def states(escucha: Escucha) -> list[tuple[str, str]]:
    with escucha.store.read() as tx:
        return [(each.kind.value, each.state.value) for each in amendments.of_notice(tx, 1)]


def there(escucha: Escucha) -> list[str]:
    return [row["text"] for row in escucha.network.posts_by("@marca") if row["deleted_at"] is None]


def act(escucha: Escucha, times: int = 1, **later: float) -> None:
    for _ in range(times):
        escucha.clock.forward(**later or {"seconds": 40})
        escucha.main.act()


def test_a_correction_changes_the_post_and_keeps_what_it_said(escucha: Escucha) -> None:
    published(escucha)
    change(escucha, says(escucha, "Corte hasta las 18 h."))
    act(escucha)
    assert there(escucha) == ["Corte hasta las 18 h."]
    (delivery,) = notice(escucha).deliveries
    assert (delivery.text, delivery.length) == ("Corte hasta las 18 h.", 21)
    with escucha.store.read() as tx:
        (done,) = amendments.of_notice(tx, 1)
    assert (done.before, done.text, done.state) == ("Corte hasta las 17 h.", delivery.text, AmendmentState.DONE)
    assert done.done_at is not None


@pytest.mark.parametrize("kind", [EDIT, DELETE, PIN, UNPIN])
@pytest.mark.parametrize("fault", [Fault.ANSWER_LOST, Fault.NEVER_ARRIVED, Fault.UNAVAILABLE, Fault.RATE_LIMITED])
def test_whatever_happens_to_the_call_it_is_done_in_the_end(
    escucha: Escucha, kind: AmendmentKind, fault: Fault
) -> None:
    posted = published(escucha).deliveries[0]
    escucha.network.pin(str(posted.posted_id), up=kind is UNPIN)
    escucha.network.fail(kind.value, fault, seconds=5)
    wanted = says(escucha, "Corte hasta las 18 h.") if kind is EDIT else Change(delivery=posted, kind=kind)
    change(escucha, wanted)
    act(escucha)
    unknown = fault in (Fault.ANSWER_LOST, Fault.NEVER_ARRIVED)
    assert states(escucha) == [(kind.value, "unknown" if unknown else "waiting")]
    if fault is Fault.ANSWER_LOST:
        escucha.network.fail(kind.value, Fault.REJECTED)  # a look tells: it is not asked for a second time
    act(escucha, 4, minutes=20)
    assert states(escucha) == [(kind.value, "done")]
    assert there(escucha) == {EDIT: ["Corte hasta las 18 h."], DELETE: []}.get(kind, ["Corte hasta las 17 h."])
    assert escucha.network.pinned() == ({posted.posted_id} if kind is PIN else set())


def test_what_the_network_refuses_is_told_and_asked_for_again_by_a_person(escucha: Escucha) -> None:
    published(escucha)
    escucha.network.fail("edit", Fault.REJECTED)
    change(escucha, says(escucha, "Corte hasta las 18 h."))
    act(escucha, 3)
    assert states(escucha) == [("edit", "failed")]
    change(escucha, says(escucha, "Corte hasta las 18 h."))
    act(escucha)
    assert states(escucha) == [("edit", "dropped"), ("edit", "done")]


def test_a_second_correction_waits_for_one_of_unknown_outcome(escucha: Escucha) -> None:
    published(escucha)
    escucha.network.fail("edit", Fault.NEVER_ARRIVED)
    change(escucha, says(escucha, "Corte hasta las 18 h."))
    act(escucha)
    change(escucha, says(escucha, "Corte hasta las 19 h."))
    escucha.network.fail("is_edited", Fault.UNAVAILABLE, times=3)
    act(escucha)
    assert states(escucha) == [("edit", "unknown"), ("edit", "waiting")]
    assert there(escucha) == ["Corte hasta las 17 h."]
    escucha.network.heal()
    act(escucha, 4, minutes=20)
    assert there(escucha) == ["Corte hasta las 19 h."]
    assert notice(escucha).deliveries[0].text == "Corte hasta las 19 h."


def test_a_new_correction_takes_the_place_of_one_that_waits_and_a_deletion_that_of_all(escucha: Escucha) -> None:
    (posted,) = published(escucha).deliveries
    change(escucha, says(escucha, "Corte hasta las 18 h."), Change(delivery=posted, kind=PIN))
    change(escucha, says(escucha, "Corte hasta las 19 h."), by="ana")
    change(escucha, Change(delivery=posted, kind=UNPIN))
    assert states(escucha) == [("edit", "dropped"), ("pin", "dropped"), ("edit", "waiting"), ("unpin", "waiting")]
    change(escucha, says(escucha, "Corte hasta las 19 h."))
    assert len(states(escucha)) == 4, "what waits just so goes on"
    change(escucha, Change(delivery=posted, kind=DELETE))
    act(escucha)
    assert [state for _, state in states(escucha)] == ["dropped"] * 4 + ["done"]
    assert there(escucha) == []


def test_a_thread_is_deleted_from_its_end(escucha: Escucha) -> None:
    parts = published(escucha, "uno", "dos", "tres").deliveries
    escucha.network.fail("delete", Fault.REJECTED)
    change(escucha, *(Change(delivery=each, kind=DELETE) for each in parts))
    act(escucha, 3)
    assert states(escucha) == [("delete", "waiting"), ("delete", "waiting"), ("delete", "failed")]
    assert there(escucha) == ["uno", "dos", "tres"], "what stands above is not taken away from under it"
    change(escucha, *(Change(delivery=each, kind=DELETE) for each in parts))
    gone: list[Sequence[str]] = []
    for _ in range(3):
        act(escucha)
        gone.append(there(escucha))
    assert gone == [["uno", "dos"], ["uno"], []]


def test_the_switch_holds_what_was_ordered_before_it(escucha: Escucha) -> None:
    published(escucha)
    change(escucha, says(escucha, "Corte hasta las 18 h."))
    with escucha.store.write() as tx:
        switch.pause(tx, network=None, by="ana", reason="", now=escucha.clock())
        (waiting,) = amendments.of_notice(tx, 1)
    act(escucha)
    with escucha.store.write() as tx:
        assert not amendments.claim(tx, waiting, escucha.clock())
    assert (there(escucha), states(escucha)) == (["Corte hasta las 17 h."], [("edit", "waiting")])


def test_whoever_pauses_waits_for_the_change_that_is_being_made(escucha: Escucha) -> None:
    published(escucha)
    (waiting,) = change(escucha, says(escucha, "Corte hasta las 18 h."))
    with escucha.store.write() as tx:
        assert amendments.claim(tx, waiting, escucha.clock())
    with escucha.store.write() as tx:
        switch.pause(tx, network=None, kind=SendKind.AMENDMENT, by="ana", reason="", now=escucha.clock())
        (going,) = underway.sending(tx, switch.pauses(tx), died_is_an_end=True)
        assert (going.what, going.id, going.account) == ("amendment", waiting.id, "care")
        assert underway.still(tx, [going], died_is_an_end=True) == [going]
        amendments.failed(tx, waiting, "no", escucha.clock())
        assert underway.still(tx, [going], died_is_an_end=True) == []


def test_a_proposed_correction_waits_for_somebody_else(escucha: Escucha) -> None:
    published(escucha)
    change(escucha, says(escucha, "Corte hasta las 18 h."), proposed=True)
    act(escucha)
    assert there(escucha) == ["Corte hasta las 17 h."]
    with escucha.store.read() as tx:
        seen = amendments.proposed(tx, 1)
    with escucha.store.write() as tx, pytest.raises(Mistake, match="somebody else"):
        amendments.approve(tx, seen, by="Marta", now=escucha.clock())
    change(escucha, says(escucha, "Corte hasta las 19 h."), proposed=True)
    with escucha.store.write() as tx, pytest.raises(AlreadyDone, match="changed since"):
        amendments.approve(tx, seen, by="luis", now=escucha.clock())
    with escucha.store.write() as tx:
        amendments.approve(tx, amendments.proposed(tx, 1), by="luis", now=escucha.clock())
    act(escucha)
    assert there(escucha) == ["Corte hasta las 19 h."]


@pytest.mark.parametrize("deleted", [False, True])
def test_a_follow_up_goes_below_the_first_while_that_is_there(escucha: Escucha, deleted: bool) -> None:
    (posted,) = published(escucha).deliveries
    if deleted:
        change(escucha, Change(delivery=posted, kind=DELETE))
        act(escucha)
    text = "Resuelto."
    variant = Variant(
        account="care", network="sandbox", language="es", text=text, length=9, limit=500, below_id=posted.id
    )
    with escucha.store.write() as tx:
        made = notices.draft(
            tx, title="Corte", variants=[variant], follows=(1, FollowUp.RESOLVED), by="marta", now=escucha.clock()
        )
        made = notices.approve(tx, made, by="luis", now=escucha.clock())
        notices.publish(tx, made, by="marta", now=escucha.clock())
        assert [each.id for each in notices.following(tx, 1)] == [made.id]
    act(escucha)
    row = escucha.network.posts_by("@marca")[-1]
    assert (row["text"], row["parent"]) == (text, None if deleted else int(str(posted.posted_id)))
