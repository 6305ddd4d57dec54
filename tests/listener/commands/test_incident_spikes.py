"""What people see of spikes, and what they say of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result

import policies
from listener.desk import spiking
from listener.store import attached, incidents, sight, spikes
from listener.store import tables as t
from listener.types import IncidentRules, IncidentState, SpikeState
from tests.listener.flow.test_spot import POLICY
from tests.listener.flow.traffic import Word, Writer
from tests.listener.flow.world import Escucha

Run = Callable[..., Result]
SETTINGS = """
[policy]
file = "policy.yaml"
[database]
url = "sqlite:///escucha.db"
[accounts.care]
network = "sandbox"
world = "world.db"
[[sources]]
name = "source-0"
account = "care"
query = "mentions"
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Escucha]:
    """A spike of ten people that goes on, one of whom wrote what should not reach a terminal; nothing is proposed."""
    (tmp_path / "escucha.toml").write_text(SETTINGS, encoding="utf-8")
    (tmp_path / "policy.yaml").write_text(POLICY, encoding="utf-8")
    made = Escucha(tmp_path, policy=POLICY)
    now = made.clock()
    said = [Word(at=now - timedelta(minutes=9 - n), who=f"n-{n}", text=f"la fibra {n} falla") for n in range(9)]
    evil = Word(at=now, who="evil", text="la fibra \x1b[2J falla \u202e[red]otra[/red] vez")
    ids = Writer(made.store).write([*said, evil])
    label = ("fibre", "outage_report", "", "sandbox")
    cause = spikes.Cause(kind="area", name="fibre", people=10, expected=0.2)
    found = spikes.Found(
        label=label,
        labels=(label, ("fibre", "", "", "sandbox")),
        since=now - timedelta(minutes=9),
        at=now,
        people=10,
        expected=0.2,
        chance=1e-7,
        days=20.0,
        causes=(cause,),
        words=(spikes.Said(word="fibra", people=10),),
        mentions=ids,
    )
    with made.store.write() as tx:
        spikes.begin(tx, found, now=now)
    yield made
    made.close()


@pytest.mark.usefixtures("world")
def test_a_spike_is_listed_shown_and_named_by_status(escucha: Run) -> None:
    listed = escucha("incident", "spikes").output
    assert "S1" in listed
    assert "10 people in 9 min, where fewer than 1 is normal" in " ".join(listed.split())
    shown = escucha("incident", "spike", "s1")
    assert shown.exit_code == 0, shown.output
    assert "\\x1b[2J" in shown.output
    assert "\x1b" not in shown.output
    assert "[red]otra[/red]" in shown.output
    assert "1 in 10,000,000" in shown.output
    assert all(len(line) <= 80 for line in (listed + shown.output).splitlines())
    assert "S1: fibre, outage report" in escucha("status").output


@pytest.mark.usefixtures("world")
def test_programs_get_the_same_and_wrong_numbers_one_sentence(escucha: Run) -> None:
    (plain,) = json.loads(escucha("incident", "spikes", "--json").output)["spikes"]
    assert (plain["spike"], plain["state"], plain["live"], plain["place"]) == ("S1", "seen", True, None)
    assert plain["keys"][1] == {"area": "fibre", "intent": None, "place": None, "network": "sandbox"}
    assert len(plain["curve"]) == 24
    one = json.loads(escucha("incident", "spike", "S1", "--samples", "2", "--json").output)
    assert [each["author"] for each in one["samples"]] == ["evil", "n-8"]
    for wrong in ("S9", "spike"):
        refused = escucha("incident", "spike", wrong)
        assert refused.exit_code == 2
        assert "escucha incident spikes" in refused.output


def test_dismissing_takes_the_proposed_incident_along_and_happens_once(escucha: Run, world: Escucha) -> None:
    now = world.clock()
    with world.store.write() as tx:
        proposed = incidents.open(tx, title="Fibre", by="daemon", now=now, began_at=now, state=IncidentState.PROPOSED)
        spikes.belongs(tx, spikes.get(tx, 1), proposed.id)
    assert escucha("incident", "dismiss-spike", "S1", "--because", " ").exit_code == 2
    done = escucha("incident", "dismiss-spike", "S1", "--because", "a drill")
    assert done.output == "S1 is dismissed. So is I1, proposed for it.\n"
    again = escucha("incident", "dismiss-spike", "S1", "--because", "a drill")
    assert (again.exit_code, "dismissed by" in again.output) == (2, True)
    assert "S1" not in escucha("incident", "spikes").output
    assert "a drill" in escucha("incident", "spike", "S1").output
    assert "spike.dismissed" in escucha("audit", "show", "--json").output
    with world.store.read() as tx:
        assert incidents.get(tx, proposed.id).state is IncidentState.DISMISSED


@pytest.mark.parametrize("proposed", [False, True])
def test_an_incident_is_opened_from_a_spike_with_its_mentions(escucha: Run, world: Escucha, proposed: bool) -> None:
    now = world.clock()
    if proposed:
        rules = IncidentRules()
        with world.store.write() as tx:
            spiking.attend(tx, spikes.get(tx, 1), rules, pattern="ES", now=now)
    opened = escucha("incident", "open", "--from", "S1", "--json")
    assert opened.exit_code == 0, opened.output
    incident = json.loads(opened.output)
    assert (incident["incident"], incident["state"]) == ("I1", "investigating")
    assert incident["title"] == "Fibre, outage report"
    assert incident["affected"] == {"areas": ["fibre"], "intents": ["outage_report"]}
    assert incident["case"]
    with world.store.read() as tx:
        assert len(attached.mentions_of(tx, 1)) == 10
        spike = spikes.get(tx, 1)
        assert (spike.state, spike.incident_id) == (SpikeState.OPENED, 1)
        assert incidents.get(tx, 1).began_at == spike.onset
    again = escucha("incident", "open", "Another", "--from", "S1")
    assert (again.exit_code, "S1 is of I1 already" in again.output) == (2, True)
    assert escucha("incident", "dismiss-spike", "S1", "--because", "late").exit_code == 2


def test_what_a_person_says_of_it_goes_before_what_the_spike_shows(escucha: Run, world: Escucha) -> None:
    opened = escucha("incident", "open", "All of Lleida", "--from", "S1", "--place", "lleida", "--json")
    assert json.loads(opened.output)["affected"]["places"] == ["Lleida"]
    assert escucha("incident", "open").exit_code == 2
    assert world.clock() > json_moment(json.loads(opened.output)["began_at"])


def json_moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def test_what_was_written_in_private_is_shown_to_who_may_see_it(world: Escucha) -> None:
    with world.store.write() as tx:
        tx.execute(t.mentions.update().where(t.mentions.c.id == 10).values(visibility="direct"))
        now = world.clock()
        case = {
            "reference": "ES-26-000001-8", "state": "open", "title": "x", "team": "vip", "agent": "eva",
            "urgency_rank": 1, "tags": [], "opened_at": now, "opened_by": "x", "changed_at": now, "promise": {},
            "skills": [], "minutes_per_point": 60, "queue_at": now,
        }  # fmt: skip
        case_id = tx.execute(t.cases.insert().values(**case).returning(t.cases.c.id)).scalar_one()
        tx.execute(t.case_mentions.insert().values(case_id=case_id, mention_id=10, why="", at=now))
    with world.store.read() as tx:
        assert [each.id for each in spikes.samples(tx, 1, limit=1)] == [10]
    world.store.sight = sight.Sight(agent="leo", teams=("care",))
    with world.store.read() as tx:
        assert [each.id for each in spikes.samples(tx, 1, limit=1)] == [9]


def test_status_names_an_incident_whose_place_the_policy_has_no_more(escucha: Run, world: Escucha) -> None:
    assert escucha("incident", "open", "Fibre", "--place", "lleida").exit_code == 0
    assert "finds nobody" not in escucha("status").output
    world.activate(policies.load_text(POLICY.replace("Lleida", "Girona")))
    told = " ".join(escucha("status").output.split())
    assert "I1 finds nobody by Lleida: the policy has no such place any more." in told
