"""pause and resume: what is held, what is waited for, and what is asked before things go on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from listener.store import (
    amendments,
    answer_runs,
    audit,
    incidents,
    notice_digest,
    notices,
    scheduled,
    tables,
)
from listener.store.amendments import Change
from listener.store.inbox import Draft
from listener.store.notices import Variant
from listener.types import AmendmentKind, DraftState, NoticeState
from tests.listener.commands.desk_world import DANGEROUS, DeskWorld


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskWorld]:
    made = DeskWorld(tmp_path)
    yield made
    made.close()


def fine(done: Result) -> str:
    """What it printed, in one line."""
    assert not DANGEROUS.search(done.output), repr(done.output)
    return " ".join(done.output.split())


def troubles(desk: DeskWorld) -> list[str]:
    told: list[str] = json.loads(desk.run("status", "--json").stdout)["troubles"]
    return [trouble for trouble in told if "paused" in trouble]


def approved(desk: DeskWorld, who: str = "ana", **columns: Any) -> Draft:
    """A draft that a person let go just now."""
    draft = desk.draft(who=who)
    desk.put(draft, DraftState.APPROVED, **({"decided_by": "mod", "decided_at": desk.clock()} | columns))
    return draft


def publishing(desk: DeskWorld, title: str = "Corte") -> int:
    """A notice that is going out; gives its number."""
    variant = Variant(account="care", network="sandbox", language="es", text=title, length=5, limit=500)
    with desk.store.write() as tx:
        made = notices.draft(tx, title=title, variants=[variant], by="eva", now=desk.clock())
        notices.approve(tx, made, by="leo", now=desk.clock())
        notices.publish(tx, made, by="leo", now=desk.clock())
    return made.id


def notice_state(desk: DeskWorld, number: int) -> NoticeState:
    with desk.store.read() as tx:
        return notices.get(tx, number).state


def test_pause_and_resume_say_what_holds(desk: DeskWorld) -> None:
    shown = fine(desk.run("pause", "--reason", "we said too much", actor="luis"))
    assert shown == "Paused: everything. Nothing is being sent. Go on with `escucha resume`."
    assert troubles(desk) == ["Sending is paused (all) by luis: we said too much: `escucha resume`."]
    desk.put(desk.draft(), DraftState.APPROVED)
    assert fine(desk.run("resume")) == "Sending again. 1 approved draft goes out when its turn comes."
    assert troubles(desk) == []
    assert fine(desk.run("resume")) == "Everything as a whole was not paused."


def test_one_network_can_be_held(desk: DeskWorld) -> None:
    assert "Paused: sandbox." in fine(desk.run("pause", "--network", "sandbox"))
    assert fine(desk.run("resume")) == "Everything as a whole was not paused. Still paused: network sandbox (by ana)."
    desk.run("pause")
    assert fine(desk.run("resume", "--network", "sandbox")) == "Still paused: all (by ana)."
    assert "Paused: sandbox." in fine(desk.run("pause", "--network", "sandbox"))
    desk.put(desk.draft(), DraftState.APPROVED)
    shown = fine(desk.run("resume"))
    assert shown.startswith("Still paused: network sandbox (by ana). Sending again. 0 approved drafts go out")
    assert fine(desk.run("resume", "--network", "sandbox")).startswith("Sending again. 1 approved draft goes out")


def test_a_kind_can_be_held_on_one_network_and_all_is_lifted_at_once(desk: DeskWorld) -> None:
    shown = fine(desk.run("pause", "--kind", "automatic", "--kind", "mass", "--network", "sandbox"))
    assert shown == (
        "Paused: automatic replies on sandbox. None of them is being sent. Go on with `escucha resume --network "
        "sandbox --kind automatic`. Paused: mass replies on sandbox. None of them is being sent. Go on with `escucha "
        "resume --network sandbox --kind mass`."
    )
    again = fine(desk.run("pause", "--kind", "mass", "--network", "sandbox", actor="eva"))
    assert again.startswith("Already paused: mass replies on sandbox (by ana, just now).")
    told = json.loads(desk.run("status", "--json").stdout)["pauses"]
    assert [(each["scope"], each["network"], each["kind"], each["by"]) for each in told] == [
        ("kind automatic on sandbox", "sandbox", "automatic", "ana"),
        ("kind mass on sandbox", "sandbox", "mass", "ana"),
    ]
    assert troubles(desk)[0].endswith("by ana: `escucha resume --network sandbox --kind automatic`.")
    assert "Sending of automatic replies on sandbox is paused by ana" in fine(desk.run("inbox"))
    assert fine(desk.run("resume", "--kind", "mass")).startswith(
        "Mass replies were not paused. Still paused: kind auto"
    )
    assert desk.run("resume", "--all", "--kind", "mass").exit_code == 2
    assert fine(desk.run("resume", "--all")).startswith("Sending again.")
    assert fine(desk.run("resume", "--all")) == "Nothing was paused."
    assert desk.run("pause", "--kind", "cheer").exit_code == 2


@pytest.mark.parametrize("reason", ["x" * 90_000, "\udcff\udcfe", "a\nb" * 500])
def test_no_reason_keeps_a_stop_from_being_one_or_fills_the_screen(desk: DeskWorld, reason: str) -> None:
    assert "Nothing is being sent." in fine(desk.run("pause", "--reason", reason))
    assert len(json.loads(desk.run("status", "--json").stdout)["pauses"][0]["reason"]) <= 300
    assert len(fine(desk.run("status"))) < 1500


def test_an_unknown_network_holds_nothing(desk: DeskWorld) -> None:
    done = desk.run("pause", "--network", "mastodn")
    assert done.exit_code == 2
    assert "is on 'mastodn'" in done.stderr
    assert troubles(desk) == []
    assert fine(desk.run("resume", "--network", "mastodn")) == "mastodn was not paused."


def test_a_send_under_way_is_waited_for(desk: DeskWorld) -> None:
    desk.put(desk.draft(), DraftState.SENDING, sending_since=desk.clock())
    desk.put(desk.draft(), DraftState.SENDING, sending_since=desk.clock())
    with desk.store.sole_sender("care") as free:
        assert free
        done = desk.run("pause", "--wait", "0.1")
        told = desk.run("pause", "--wait", "0.1", "--json")
    assert done.exit_code == told.exit_code == 3
    said = " ".join(done.stderr.split())
    assert said.startswith("2 replies are being sent on care; waiting for their end …")
    assert "Nothing new is sent any more, but after 0.1 s: 2 replies are being sent on care still." in said
    assert "Nothing is being sent" not in done.stdout
    assert "Sending is paused (all) by ana: `escucha resume`." in troubles(desk)
    plain = json.loads(told.stdout)
    assert (plain["complete"], len(plain["still_sending"]), plain["paused"][0]["already"]) == (False, 2, True)
    if not desk.store.is_sqlite:  # which only knows whom it lost: they may be in a call still, until that is too long
        assert "may hang" in " ".join(desk.run("pause", "--wait", "0.1").output.split())
        desk.clock.forward(minutes=16)
    assert fine(desk.run("pause")).endswith("Nothing is being sent. Go on with `escucha resume`."), "the sender died"


# --- what became stale ---


def held_for(desk: DeskWorld, **span: float) -> None:
    desk.run("pause")
    desk.clock.forward(**span)


def test_nothing_stale_is_let_go_unasked(desk: DeskWorld) -> None:
    old = approved(desk)
    number = publishing(desk)
    held_for(desk, hours=5)
    done = desk.run("resume", "--json")
    assert done.exit_code == 2
    assert "Still paused, for this became stale: D1, N1. Say what becomes of it with --stale send" in fine(done)
    told = json.loads(done.stdout)
    assert (told["lifted"], [each["became"] for each in told["stale"]]) == ([], [None, None])
    assert troubles(desk)
    asked = desk.run("resume", input="q\n")
    assert "2 things became stale while sending was paused:" in asked.output
    assert "D1 care 5 h it is held for longer than 4 h" in fine(asked)
    assert "N1 care 5 h it is held for longer than 30 minutes" in fine(asked)
    assert fine(asked).endswith("Still paused; nothing was changed.")
    assert troubles(desk)
    assert desk.now_is(old).state is DraftState.APPROVED
    assert notice_state(desk, number) is NoticeState.PUBLISHING


@pytest.mark.parametrize(
    ("fate", "draft_is", "notice_is", "said"),
    [
        ("send", DraftState.APPROVED, NoticeState.PUBLISHING, "To be sent: D1, N1. Sending again. 1 approved draft"),
        ("drop", DraftState.REJECTED, NoticeState.WITHDRAWN, "Dropped: D1, N1. Sending again. 0 approved drafts"),
        ("review", DraftState.PROPOSED, NoticeState.APPROVED, "Back with a person: D1, N1. Sending again. 0 approved"),
    ],
)
def test_what_is_stale_becomes_what_somebody_says(
    desk: DeskWorld, fate: str, draft_is: DraftState, notice_is: NoticeState, said: str
) -> None:
    old = approved(desk, automatic=True, alone_until=desk.clock() + timedelta(hours=1))
    number = publishing(desk)
    held_for(desk, hours=2)
    assert said in fine(desk.run("resume", "--stale", fate, actor="eva"))
    assert troubles(desk) == []
    draft = desk.now_is(old)
    assert draft.state is draft_is
    assert not draft.automatic or fate == "drop", "from now on it is a person who lets it go"
    assert draft.decided_by == ("eva" if fate != "review" else None)
    assert notice_state(desk, number) is notice_is
    with desk.store.read() as tx:
        entry = audit.about(tx, "all")[-1]
    assert (entry.action, entry.by, entry.detail[f"stale_{fate}"]) == ("resume", "eva", 2)


def test_a_notice_that_was_held_back_goes_on_when_somebody_says_publish(desk: DeskWorld) -> None:
    number = publishing(desk)
    held_for(desk, hours=1)
    desk.run("resume", "--stale", "review")
    with desk.store.read() as tx:
        held = notices.get(tx, number)
        assert notices.sendable(tx, "care", desk.clock()) == []
    assert (held.published_by, held.publishing_since, held.approved_by) == (None, None, "leo")
    with desk.store.write() as tx:
        notices.publish(tx, held, by="eva", now=desk.clock())
        assert len(notices.sendable(tx, "care", desk.clock())) == 1


def test_one_by_one_and_what_is_fresh_is_not_asked_about(desk: DeskWorld) -> None:
    drafts = [approved(desk, who=f"p{n}") for n in range(3)]
    held_for(desk, hours=5)
    drafts.append(approved(desk, who="p3"))  # let go a moment ago
    shown = fine(desk.run("resume", input="o\nx\nd\ns\np\n"))
    assert "Error: 'x' is not one of" in shown
    assert "D4" not in shown
    assert shown.endswith(
        "To be sent: D2. Dropped: D1. Back with a person: D3. Sending again. 2 approved drafts go out when their turn "
        "comes."
    )
    assert [desk.now_is(draft).state for draft in drafts] == [
        DraftState.REJECTED,
        DraftState.APPROVED,
        DraftState.PROPOSED,
        DraftState.APPROVED,
    ]


def test_what_another_pause_still_holds_is_not_asked_about(desk: DeskWorld) -> None:
    old = approved(desk)
    desk.run("pause", "--kind", "reply")
    held_for(desk, hours=5)
    assert "Still paused: kind reply (by ana). Sending again. 0 approved drafts" in fine(desk.run("resume"))
    assert desk.run("resume", "--kind", "reply").exit_code == 2, "now it would go"
    assert desk.now_is(old).state is DraftState.APPROVED


def test_what_changed_meanwhile_goes_back_to_people_whatever_is_said(desk: DeskWorld) -> None:
    """A person who says `send` approves what was approved; a newer policy, or an edited post, is something else."""
    old = approved(desk, automatic=True, alone_until=desk.clock() + timedelta(hours=1))
    desk.new_policy()
    held_for(desk, hours=2)
    assert "Back with a person: D1." in fine(desk.run("resume", "--stale", "send"))
    assert desk.now_is(old).state is DraftState.PROPOSED


def test_a_correction_that_was_held_for_long_is_asked_about(desk: DeskWorld) -> None:
    number = publishing(desk)
    with desk.store.write() as tx:
        tx.execute(tables.deliveries.update().values(state="sent", posted_id="p9"))
        (posted,) = notices.get(tx, number).deliveries
        for kind, text in ((AmendmentKind.EDIT, "Corte hasta las 18 h"), (AmendmentKind.PIN, "")):
            change = Change(delivery=posted, kind=kind, text=text, length=len(text))
            amendments.order(tx, number, [change], by="eva", now=desk.clock())
    held_for(desk, hours=5)
    shown = fine(desk.run("resume", input="o\np\ns\n"))
    assert "N1 edit care 5 h it is held for longer than 4 h" in shown
    assert "To be sent: N1 pin. Dropped: N1 edit." in shown
    with desk.store.read() as tx:
        assert [each.state for each in amendments.of_notice(tx, number)] == ["dropped", "waiting"]


@pytest.mark.parametrize(
    ("fate", "run_is", "draft_is"),
    [("send", "running", "approved"), ("drop", "dropped", "expired"), ("review", "stopped", "approved")],
)
def test_the_answers_to_everybody_are_decided_about_as_a_whole(
    desk: DeskWorld, fate: str, run_is: str, draft_is: str
) -> None:
    drafts = [approved(desk, who=f"p{n}") for n in range(3)]
    with desk.store.write() as tx:
        incident = incidents.open(tx, title="Corte", by="eva", now=desk.clock(), began_at=desk.clock())
        run = answer_runs.begin(
            tx, incident_id=incident.id, by="eva", now=desk.clock(), per_hour=9, policy_version="p1", seed=1
        )
        tx.execute(tables.answer_runs.update().values(state="running", started_at=desk.clock()))
        tx.execute(tables.drafts.update().values(answer_run_id=run.id))
    held_for(desk, minutes=59)
    assert fine(desk.run("resume")).startswith("Sending again. 3 approved drafts")
    held_for(desk, minutes=61)
    assert "I1 answers" in fine(desk.run("resume", "--stale", fate))
    with desk.store.read() as tx:
        assert answer_runs.get(tx, run.id).state == run_is
    assert [desk.now_is(draft).state for draft in drafts] == [draft_is] * 3


@pytest.mark.parametrize("begun", [False, True], ids=["its hour came", "it had begun"])
@pytest.mark.parametrize("fate", ["send", "drop", "review"])
def test_a_notice_whose_hour_came_while_it_was_held_is_asked_about(desk: DeskWorld, fate: str, begun: bool) -> None:
    """However short that was; and what goes back to people goes out at no hour by itself."""
    number = publishing(desk)
    hour = desk.clock() + timedelta(minutes=5)
    times = {"due_at": hour, "time_zone": "UTC", "late_after": hour + timedelta(hours=1)}
    unbegun = {} if begun else {"state": "approved", "publishing_since": None, "published_by": None}
    with desk.store.write() as tx:
        digest = notice_digest.of(tx, number)
        tx.execute(tables.notices.update().values(digest=digest, **times, **unbegun))
    held_for(desk, minutes=6)
    assert desk.run("resume").exit_code == 2
    desk.run("resume", "--stale", fate, actor="eva")
    with desk.store.write() as tx:
        found = notices.get(tx, number)
        due = [each.id for each in scheduled.due(tx, desk.clock())]
        goes = len(notices.sendable(tx, "care", desk.clock()))
    assert (found.state, goes, due) == {
        "send": (NoticeState.PUBLISHING, 1, []),
        "drop": (NoticeState.WITHDRAWN, 0, []),
        "review": (NoticeState.APPROVED, 0, []),
    }[fate]


def test_a_notice_whose_hour_is_to_come_is_not_asked_about(desk: DeskWorld) -> None:
    publishing(desk)
    hour = desk.clock() + timedelta(hours=3)
    with desk.store.write() as tx:
        tx.execute(tables.notices.update().values(state="approved", due_at=hour, late_after=hour, time_zone="UTC"))
    held_for(desk, hours=2)
    assert "Sending again." in fine(desk.run("resume"))


def test_where_nothing_can_be_written_the_other_way_is_told(desk: DeskWorld) -> None:
    with desk.store.write() as tx:
        tx.exec_driver_sql("DROP TABLE pauses")
    done = desk.run("pause")
    assert done.exit_code == 1
    assert "It may be that nothing is paused." in fine(done)
    assert "end every `escucha run`" in fine(done)
