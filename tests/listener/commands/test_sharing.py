"""escucha policy shares: both sides of a share, side by side, and what chance has to do with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from listener.commands.sharing import _verdict
from listener.store import draws, tables
from listener.types import Decision, DraftState, GuardTrace, Level, Mode, ModeTrace, ReplyPlan, Urgency
from tests.listener.commands.desk_world import DeskWorld


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskWorld]:
    world = DeskWorld(tmp_path)
    yield world
    world.close()


def drew(desk: DeskWorld, who: str, *, alone: bool, held: bool = False, name: str = "thanks") -> int:
    """Somebody's mention with a draft that fell on that side; gives its number."""
    mention = desk.hears(who=who)
    draft = desk.decides(mention, guards=())
    assert draft is not None
    trace = ModeTrace(
        level=Level.RULE, name=name, mode=Mode.AUTO if alone else Mode.MANUAL, said="drew", share=10, lot=1.0
    )
    plan = ReplyPlan(template="t", text="x", language="es", mode=trace.mode, length=1, limit=9)
    decision = Decision(
        policy_version="p1",
        reply=plan,
        case=None,
        urgency=Urgency.LOW,
        guards=(GuardTrace(guard="age", holds=held, reason="old"),),
        modes=(trace,),
    )
    with desk.store.write() as tx:
        draws.keep(tx, mention, mention, decision, now=desk.clock())  # as many decisions as mentions
        if alone:
            sent = {"state": DraftState.SENT.value, "automatic": True, "wording": "w"}
            tx.execute(update(tables.drafts).where(tables.drafts.c.id == draft.id).values(**sent))
    return mention


def test_nothing_drew(desk: DeskWorld) -> None:
    told = desk.run("policy", "shares")
    assert told.exit_code == 0
    assert "No reply drew for a share since 2026-02-25 17:30 UTC." in told.stdout
    assert json.loads(desk.run("policy", "shares", "--json").stdout)["shares"] == []


def test_both_sides_stand_beside_each_other(desk: DeskWorld) -> None:
    for number in range(10):
        drew(desk, f"alone{number}", alone=True)
        drew(desk, f"person{number}", alone=False)
    drew(desk, "held", alone=True, held=True)
    early = desk.run("policy", "shares", environment={"COLUMNS": "120"}).stdout
    assert "Rule thanks: 10% alone" in early
    assert "20 replies compared; 1 more had to wait for a person for other reasons." in early
    assert "too early to tell" in early
    desk.clock.forward(hours=2)
    for number in range(10):
        desk.hears("Sigue igual", who=f"alone{number}", external_id=f"again{number}")
    desk.clock.forward(hours=23)
    (share,) = json.loads(desk.run("policy", "shares", "--since", "2d", "--json").stdout)["shares"]
    assert (share["level"], share["name"], share["drew"], share["compared"]) == ("rule", "thanks", 21, 20)
    assert share["share"] == {"least": 10, "most": 10}
    assert (share["alone"]["sent_as_written"], share["suggested"]["waiting"]) == (10, 10)
    again, complained, *_ = share["within_a_day"]
    assert (again["what"], again["alone"]["count"], again["suggested"]["count"]) == ("wrote_again", 10, 0)
    assert (again["alone"]["of"], again["by_chance"], again["verdict"]) == (10, 0.000011, "hardly chance")
    assert (complained["by_chance"], complained["verdict"]) == (1, "can be chance")
    told = desk.run("policy", "shares", environment={"COLUMNS": "120"}).stdout
    assert "10 of 10 (72–100%)" in told
    assert "0 of 10 (0–28%)" in told
    assert "hardly chance (under 0.1%)" in told
    assert json.loads(desk.run("policy", "shares", "--since", "1h", "--json").stdout)["shares"] == []


def test_a_name_from_outside_moves_no_cursor(desk: DeskWorld) -> None:
    drew(desk, "ana", alone=True, name="a\x1b[31mb")
    assert "\x1b" not in desk.run("policy", "shares").stdout


def test_a_time_that_is_none(desk: DeskWorld) -> None:
    told = desk.run("policy", "shares", "--since", "soon")
    assert told.exit_code == 2
    assert "write it like 12h" in told.stderr


@pytest.mark.parametrize(
    ("odds", "compared", "verdict"),
    [
        (0.3, 4, "can be chance"),
        (0.04, 1, "hardly chance"),
        (0.04, 4, "may be chance, for several are compared"),
        (0.001, 4, "hardly chance"),
    ],
)
def test_of_several_differences_one_must_be_rarer(odds: float, compared: int, verdict: str) -> None:
    assert _verdict(odds, compared) == verdict
