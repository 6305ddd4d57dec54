"""Which mentions are of an incident, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from listener.desk import incidents as desk
from listener.desk import places
from listener.desk.incidents import ALIKE, Affected, Seen
from listener.errors import AlreadyDone, Mistake
from listener.store.incidents import Incident
from listener.types import INCIDENT_MOVES, Attached, IncidentState

BEGAN = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)
PLACES = {"Lleida": ("Lérida", "el Segrià"), "Vic": ()}


def incident(number: int = 3, **said: Any) -> Incident:
    row = {
        "id": number,
        "title": "Double charge",
        "state": IncidentState.INVESTIGATING,
        "opened_by": "ana",
        "opened_at": BEGAN,
        "began_at": BEGAN,
        "ended_at": None,
        "owner": None,
        "case_id": 1,
        "case_reference": "ES-26-000001-9",
        "meaning": "",
        "say": "",
        "avoid": (),
        "holds_replies": True,
        "holds_cheer": True,
        "swept_to": None,
        "revision": 1,
        "changed_at": BEGAN,
    }
    columns = {name: said.pop(name) for name in list(said) if name in row}
    return Incident(**{**row, **columns}, affected=desk.written(Affected(**said)))


SEEN = Seen(
    network="x",
    posted_at=BEGAN + timedelta(hours=1),
    text="Otra vez un COBRO DOBLE en la factura, aquí en Lerida",
    areas=("billing",),
    intents=("complaint",),
    places=places.named("Otra vez un COBRO DOBLE en la factura, aquí en Lerida", PLACES),
    tier="gold",
    lists=frozenset({3}),
)
STRANGER = replace(SEEN, tier=None, lists=None)


@pytest.mark.parametrize(
    ("whom", "seen", "likeness", "why"),
    [
        ({}, SEEN, 0.99, "it means what is said of I3 (0.99)"),
        ({}, SEEN, None, None),
        ({"networks": ("x",)}, SEEN, None, None),  # a network alone would take everybody
        ({"areas": ("billing",)}, SEEN, None, "its area is billing"),
        ({"areas": ("outage",)}, SEEN, None, None),
        ({"areas": ("outage", "billing"), "intents": ("praise",)}, SEEN, None, None),
        ({"words": ("duplicado OR \"cobro doble\"",)}, SEEN, None, "it says “cobro doble”"),
        ({"words": ("factura -cobro",)}, SEEN, None, None),
        ({"areas": ("outage",)}, SEEN, ALIKE, f"it means what is said of I3 ({ALIKE:.2f})"),
        ({"areas": ("outage",)}, SEEN, ALIKE - 0.001, None),
        ({"areas": ("outage",), "networks": ("reddit",)}, SEEN, 0.99, None),  # its meaning does not change where it is
        ({"places": ("Lleida", "Vic")}, SEEN, None, "it names Lleida"),
        ({"places": ("Vic",)}, SEEN, None, None),
        ({"tiers": ("gold",)}, SEEN, None, "its author's plan is gold"),
        ({"tiers": ("gold",)}, STRANGER, None, None),
        ({"listed": True}, SEEN, None, "its author is on the list"),
        ({"listed": True}, STRANGER, None, None),
        ({"listed": True, "areas": ("billing",)}, STRANGER, None, "its area is billing"),
        ({"listed": True, "areas": ("billing",)}, replace(SEEN, lists=frozenset({4})), None, None),
        ({"listed": True, "areas": ("outage",)}, SEEN, None, None),
        ({"listed": True, "meaning": "me cobran dos veces"}, SEEN, 0.1, None),
        (
            {"areas": ("billing",), "networks": ("x",), "tiers": ("gold",)}, SEEN, None,
            "its area is billing, it is on x and its author's plan is gold",
        ),
        ({"areas": ("billing",)}, replace(SEEN, posted_at=BEGAN - timedelta(seconds=1)), None, None),
        ({"areas": ("billing",), "ended_at": BEGAN + timedelta(minutes=59)}, SEEN, None, None),
    ],
)  # fmt: skip
def test_what_is_asked_for_must_hold(whom: dict[str, Any], seen: Seen, likeness: float | None, why: str | None) -> None:
    found = desk.match(incident(**whom), seen, likeness=likeness)
    assert (found and found.why) == why
    if found:
        assert (found.how is Attached.MEANING) is ("means" in found.why) is (found.score is not None)


def test_of_two_incidents_that_match_the_one_that_says_more() -> None:
    wide, narrow = incident(3, areas=("billing",)), incident(2, areas=("billing",), words=("cobro",))
    alike = incident(9, areas=("outage",))
    found = [(each, desk.match(each, SEEN, likeness=0.95)) for each in (alike, wide, narrow)]
    best = desk.best([(each, match) for each, match in found if match])
    assert best is not None
    assert best[0] is narrow
    assert best[1].why == "its area is billing and it says “cobro”; I3 and I9 match too, less well"
    assert desk.best([]) is None


def test_whom_it_hits_is_kept_as_it_was_said() -> None:
    whom = Affected(areas=("billing",), words=('"cobro doble"',), listed=True)
    assert desk.read(desk.written(whom)) == whom
    assert desk.read({**desk.written(whom), "later": 1}) == whom, "what a newer version wrote does no harm"


@pytest.mark.parametrize("state", list(IncidentState))
@pytest.mark.parametrize("to", list(IncidentState))
def test_states_move_as_declared_and_say_where_to(state: IncidentState, to: IncidentState) -> None:
    there = incident(state=state)
    if to in INCIDENT_MOVES[state]:
        desk.check_move(there, to)
    else:
        with pytest.raises(AlreadyDone if to is state else Mistake, match="I3 is"):
            desk.check_move(there, to)


@pytest.mark.parametrize("typed", ["I3", "i3", " 3 ", "I0003"])
def test_a_number_in_every_form(typed: str) -> None:
    assert desk.number(typed) == 3


@pytest.mark.parametrize("typed", ["", "N3", "I", "I-3", "tres", "I" + "9" * 30])
def test_what_is_no_number_says_where_they_are(typed: str) -> None:
    with pytest.raises(Mistake, match="incident list"):
        desk.number(typed)


def test_places_by_whole_words() -> None:
    assert places.named("en EL SEGRIÀ no va", PLACES) == {"Lleida"}
    assert places.named("en vicente no", PLACES) == frozenset()
    assert places.named("lo que sea", {}) == frozenset()
