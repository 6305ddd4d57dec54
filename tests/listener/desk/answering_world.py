"""A company with an incident, its people on the sandbox network, and the verbs of those who answer everybody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, insert, select

from connectors import sandbox
from listener.contract import Policy
from listener.desk import answer_runs as desk
from listener.store import Store, answer_runs, incident_answers, incidents, mentions
from listener.store import tables as t
from listener.store.answer_runs import Answer, Run
from listener.store.incidents import Incident
from listener.types import Attached, Facts, LeftOut
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
        return {_bare(said.author.handle): why for said, why in found if why}

    def send(self, **later: float) -> None:
        """Time passes, then what is due goes out; nothing is heard."""
        self.escucha.clock.forward(**(later or {"seconds": 1}))
        self.escucha.main.act()

    def send_all(self, **later: float) -> None:
        """Until nothing more is due, or long enough."""
        for _ in range(12):
            self.send(**(later or {"seconds": 10}))

    @property
    def parts(self) -> tuple[Store, Policy, Incident]:
        """What most verbs of a run take first."""
        return self.escucha.store, self.escucha.policy, self.now_incident()

    def facts(self, network: str, account: str) -> Facts:
        return facts(network, account)

    def author(self, mention_id: int) -> str:
        """Who wrote it."""
        with self.escucha.store.read() as tx:
            return _bare(mentions.get(tx, mention_id).author.handle)

    def said_to(self) -> Counter[str]:
        """How often somebody was told one of the incident's answers, as the network has it."""
        rows = {str(row["id"]): row for row in self.escucha.network.rows([p for p, _ in self.escucha.answers()])}
        said = Counter[str]()
        for parent, text in self.escucha.answers():  # what was deleted is counted too
            if any(words in text for words in ("lo sabemos", "estamos en ello")):
                said[_bare(rows[parent]["handle"])] += 1
        return said

    def by_hand(self, who: str) -> None:
        """One of us answers their newest post on the network itself; we hear of it when we listen next."""
        post = self.escucha.network.posts_by(who)[-1]
        self.escucha.network.post("marca", "Te escribo yo.", parent=str(post["id"]), at=self.escucha.clock())

    def link(self, *who: str) -> None:
        """Those accounts turn out to be one customer's."""
        now = self.escucha.clock()
        with self.escucha.store.write() as tx:
            number = tx.scalar(select(func.count()).select_from(t.customers)) or 0
            row = {"reference": f"C-{number + 1}", "name": "Somebody", "tags": [], "fields": {}, "added_at": now}
            made = tx.execute(
                insert(t.customers).values(**row, changed_at=now).returning(t.customers.c.id)
            ).scalar_one()
            known = select(t.accounts.c.id).where(t.accounts.c.external_id.in_(who))
            for account in tx.scalars(known).all():
                told = {"basis": "verified", "linked_by": "ana", "linked_at": now}
                tx.execute(insert(t.links).values(account_id=account, customer_id=made, **told))


def _bare(handle: str) -> str:
    return handle.removeprefix("@").partition("@")[0]


def facts(_network: str, _account: str) -> Facts:
    return sandbox.FACTS


def begun(folder: Path, *, url: str | None = None, policy: str = POLICY) -> Desk:
    """A company whose incident has just begun, with an approved answer in two wordings."""
    escucha = Escucha(folder, policy=policy, url=url, queries=("mentions", "escribo"))
    with escucha.store.write() as tx:
        now = escucha.clock()
        incident = incidents.open(tx, title="Facturas", by="ana", now=now, began_at=now - timedelta(hours=1))
        texts = [(language, text) for language, said in ANSWERS.items() for text in said]
        incident_answers.propose(tx, incident, texts, by="ana", now=now, two_people=False)
        incident = incidents.get(tx, incident.id)
    return Desk(escucha, incident)
