"""Everybody of an incident gets one answer, once, ever: whatever is done around the run, and in whichever order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from connectors import sandbox
from listener.desk import answer_runs as desk
from listener.store import answer_runs, incident_answers, incidents, mentions
from listener.store.answer_runs import Answer, Run
from listener.store.incidents import Incident
from listener.types import Attached, DraftState, Facts, LeftOut, RunState
from tests.listener.flow.world import AUTO, Escucha

ANSWERS: Mapping[str, Sequence[str]] = {
    "es": [
        "Hola {{ author.first_name }}, lo sabemos y lo estamos arreglando.",
        "{{ author.first_name }}: estamos en ello.",
    ],
}
POLICY = AUTO.replace("mode: auto", "mode: manual") + "incidents: {two_people: false}\n"


@dataclass
class Desk:
    """A company with an incident, and the verbs of those who answer everybody."""

    escucha: Escucha
    incident: Incident
    per_hour: int = 100_000

    def complain(self, *who: str, text: str = "@marca la factura está mal") -> None:
        """They write, and what they write is of the incident."""
        for each in who:
            self.escucha.says(text, who=each)
        self.escucha.round()
        self.attach()

    def attach(self) -> None:
        with self.escucha.store.write() as tx:
            known = {each.mention_id for each in incidents.mentions_of(tx, self.incident.id)}
            for number in tx.exec_driver_sql("SELECT id FROM mentions").scalars().all():
                if number not in known:
                    now = self.escucha.clock()
                    incidents.attach(tx, self.incident, number, how=Attached.HAND, why="by hand", by="ana", now=now)

    def draft(self, answers: Mapping[str, Sequence[str]] = ANSWERS, *, by: str = "ana") -> Run:
        return desk.draft(
            self.escucha.store,
            self.escucha.policy,
            self.now_incident(),
            answers=answers,
            facts=facts,
            per_hour=self.per_hour,
            seed=7,
            by=by,
            now=self.escucha.clock(),
        )

    def approved(self, run: Run | None = None) -> Run:
        run = run or self.draft()
        return desk.approve(self.escucha.store, self.escucha.policy, run, sample=1, by="beto", now=self.escucha.clock())

    def running(self, run: Run | None = None) -> Run:
        run = run or self.approved()
        return desk.go(self.escucha.store, self.now_incident(), run, by="beto", now=self.escucha.clock())

    def now_incident(self) -> Incident:
        with self.escucha.store.read() as tx:
            return incidents.get(tx, self.incident.id)

    def run(self, run: Run) -> Run:
        with self.escucha.store.read() as tx:
            return answer_runs.get(tx, run.id)

    def answers(self, run: Run) -> list[Answer]:
        with self.escucha.store.read() as tx:
            return answer_runs.answers_of(tx, run.id)

    def left_out(self, run: Run) -> dict[str, LeftOut]:
        """By who wrote it, why they get no answer."""
        with self.escucha.store.read() as tx:
            found = [(mentions.get(tx, each.mention_id), each.left_out) for each in answer_runs.answers_of(tx, run.id)]
        return {said.author.handle.removeprefix("@").partition("@")[0]: why for said, why in found if why}

    def send(self, **later: float) -> None:
        """Time passes, then what is due goes out; nothing is heard."""
        self.escucha.clock.forward(**(later or {"seconds": 1}))
        self.escucha.main.act()

    def said_to(self) -> Counter[str]:
        """How often we answered whom, as the network has it."""
        said = Counter[str]()
        for parent, _ in self.escucha.answers():
            said[self.escucha.network.post_by_id(parent)["author"]] += 1
        return said


def facts(_network: str, _account: str) -> Facts:
    return sandbox.FACTS


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Desk]:
    escucha = Escucha(tmp_path, policy=POLICY)
    with escucha.store.write() as tx:
        now = escucha.clock()
        incident = incidents.open(tx, title="Facturas", by="ana", now=now, began_at=now - timedelta(hours=1))
        texts = [(language, text) for language, said in ANSWERS.items() for text in said]
        incident_answers.propose(tx, incident, texts, by="ana", now=now, two_people=False)
        incident = incidents.get(tx, incident.id)
    yield Desk(escucha, incident)
    escucha.close()


def test_everybody_gets_one_answer_with_their_reference_in_turn(here: Desk) -> None:
    here.complain("ana", "beto", "carla", "david")
    assert len(here.escucha.drafts(DraftState.PROPOSED)) == 4
    run = here.draft()
    assert run.state is RunState.REVIEWING
    assert not here.escucha.answers()
    assert len(here.escucha.drafts(DraftState.PROPOSED)) == 4, "nothing gives way before it is approved"
    run = here.approved(run)
    assert [draft.reason for draft in here.escucha.drafts(DraftState.EXPIRED)] == ["a newer draft took its place"] * 4
    here.send()
    assert not here.escucha.answers(), "approved is not sent"
    run = here.running(run)
    for _ in range(5):
        here.send(seconds=10)
    said = [text for _, text in here.escucha.answers()]
    assert len(said) == 4
    assert all("ES-26-" in text for text in said)
    assert ["arreglando" in text for text in said] in ([True, False] * 2, [False, True] * 2)
    assert here.run(run).state is RunState.DONE
