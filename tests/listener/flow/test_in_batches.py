"""Whether mentions are decided one by one or many at once changes nothing: the same history leaves the same rows."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

import listener.flow.decide as stage
import policies
from connectors import sandbox
from listener import store as stores
from listener.contract import Policy
from listener.desk import cases as desk
from listener.desk import incident_life as life
from listener.desk import marks
from listener.desk.incidents import Affected
from listener.flow.decide import Company, decide
from listener.flow.ingest import ingest
from listener.store import cases, customers, decisions, identities, inbox, incidents, links, mentions, optouts, sources
from listener.store import policies as ruled
from listener.store import tables as t
from listener.store.customers import Edit
from listener.store.ledger import Ledger
from listener.store.mentions import Mention
from listener.store.sources import Wanted
from listener.types import (
    CASE_MOVES,
    Author,
    CasePlan,
    CaseState,
    Decision,
    DraftState,
    Facts,
    Intent,
    LinkBasis,
    MentionState,
    Page,
    Post,
    PostKind,
    Sentiment,
    Signal,
    Understanding,
    Urgency,
    Visibility,
)
from tests import postgres
from tests.listener.flow.world import Clock

CHANCE = {"send_key", "salt", "hash"}  # columns that are drawn
TABLES = [table for table in t.metadata.sorted_tables if table.name not in {"audit_head", "table_steps"}]  # of mentions
COMPANY = Company(case_pattern="ES", own_handles=frozenset({"@marca"}))
PEOPLE = 9
TEXTS = (
    "no funciona la línea desde ayer y nadie contesta",
    "cómo puedo cambiar mi tarifa de móvil por favor",
    "muchas gracias por la atención tan rápida de hoy",
    "otra vez",
    "se ha caído internet en todo el barrio",
    "dejadme en paz, no quiero que me escribáis más",
    "mi código es {code}",
    "os escribo por {case} que nadie resuelve",
    "voy a llamar a mi abogado por el cobro doble",
    "hoy hace un día estupendo para pasear",
)
POLICY = """
name: Many
mode: auto
cases: every
language: es
default_team: care
teams: {care: {what: everything, capacity: 6, overflow: second}, second: {what: more}, boss: {what: danger}}
guard: {per_author_per_day: 2, per_thread: 2, per_hour: 9}
service_levels:
  high: {first_response: 1h, resolution: 1d}
  normal: {first_response: 4h, resolution: 3d}
score: {contributions: [{name: again, points: 20, when: {author.complaints_last_30_days: ">= 2"}}]}
templates:
  answer:
    es: ["Hola, lo vemos en {{ case.reference }}.", "Buenas, lo miramos en {{ case.reference }}."]
    en: ["Hello, we look into {{ case.reference }}."]
  thanks: {es: ["¡Gracias!"], en: ["Thanks!"]}
rules:
  - name: known
    when: {customer.open_cases: ">= 1"}
    then: {urgency: "+1", tags: [known]}
    continue: true
  - name: danger
    when: {signals: [safety]}
    then: {escalate: boss, urgency: critical, alert: ops}
  - name: praise
    when: {intents: [praise]}
    then: {reply: thanks, case: none}
  - name: busy
    when: {author.mentions_last_7_days: ">= 4", thread.our_replies: 0}
    then: {reply: answer, case: {urgency: high}, tags: [busy]}
  - name: complaint
    when: {intents: [complaint]}
    then: {reply: {template: answer, mode: manual}, case: {}}
  - name: question
    when: {intents: [question]}
    then: {reply: {template: answer, mode: {auto: 60%}}, case: {}}
  - name: rest
    then: {ignore: Nothing to do., }
"""


def _understanding(dice: random.Random) -> Understanding:
    intent = dice.choice([Intent.COMPLAINT, Intent.QUESTION, Intent.PRAISE, Intent.OFF_TOPIC, Intent.COMPLAINT])
    areas = tuple(dice.sample(["network", "billing"], dice.choice([0, 0, 1])))
    signals = (Signal.SAFETY,) if dice.random() < 0.04 else ()
    return Understanding(
        model_version="m1",
        language="es",
        language_score=0.99,
        sentiment=dice.choice(list(Sentiment)),
        sentiment_scores={"neutral": 0.9},
        intents=(intent,),
        intent_scores={intent.value: 0.95},
        signals=signals,
        signal_scores={each.value: 0.9 for each in signals},
        areas=areas,
        area_scores=dict.fromkeys(areas, 0.9),
    )


def _posts(dice: random.Random, begun: int, count: int, now: datetime, cases: Sequence[str]) -> list[Post]:
    made = []
    for number in range(begun, begun + count):
        parent = f"p{dice.randrange(max(1, number - 25), number)}" if number > 1 and dice.random() < 0.45 else None
        who = "us" if dice.random() < 0.03 else f"a{dice.randrange(PEOPLE)}"
        case = dice.choice(cases) if cases else "ES-26-000001-1"
        text = dice.choice(TEXTS).format(code="9MJ34-45EX2", case=case)
        made.append(
            Post(
                external_id=f"p{number}",
                author=Author(external_id=who, handle=f"@{who}", display_name=who, url=f"https://s.example/@{who}"),
                text=f"{text} {number}" if dice.random() < 0.5 else text,
                posted_at=now - timedelta(minutes=dice.randrange(90)),
                kind=PostKind.REPLY if parent else dice.choice([PostKind.MENTION, PostKind.FOUND]),
                visibility=dice.choice([Visibility.PUBLIC, Visibility.PUBLIC, Visibility.DIRECT]),
                parent_id=parent,
                thread_id=f"p{int(parent[1:]) // 7 * 7}" if parent else None,
                url=f"https://s.example/p{number}",
            )
        )
    return made


def _facts(_network: str, _account: str) -> Facts:
    return sandbox.FACTS


class World:
    """One database on the way through a history."""

    def __init__(self, url: str, policy: Policy) -> None:
        self.store, self.policy = stores.open(url), policy

    def begin(self, now: datetime) -> None:
        with self.store.write() as tx:
            wanted = Wanted(name="m", account="care", network="sandbox", query="x", every=timedelta(hours=1))
            sources.sync(tx, [wanted], now)
            ruled.activate(tx, version=self.policy.version, text=self.policy.text, by="boss", now=now)
            us = Author(external_id="us", handle="@us")
            identities.remember(tx, account="care", network="sandbox", me=us, now=now)
            people = [Edit(f"C{n}", {"name": f"Name {n}", "tier": "gold" if n % 2 else ""}, ()) for n in range(4)]
            customers.write(tx, added=people, changed=[], by="boss", now=now, source="x")
            told = [("sandbox", f"a{n}", customers.get(tx, f"C{n // 2}")) for n in range(4)]
            basis = LinkBasis.SELF_DECLARED
            links.expect(tx, told, basis=basis, evidence="told", by="boss", now=now)

    def hear(self, dice: random.Random, posts: Sequence[Post], now: datetime) -> None:
        """Some of them known already, which are edits; all are understood."""
        with self.store.read() as tx:
            source = sources.get(tx, "m")
        ingest(self.store, source, Page(posts=tuple(posts), cursor=None), me=None, now=now)
        with self.store.write() as tx:
            new = mentions.awaiting(tx, MentionState.NEW, 10_000)
            mentions.advance_all(tx, new, MentionState.UNDERSTOOD)
            read = [(mention, _understanding(dice)) for mention in new]
            decisions.understood_all(tx, read, now)

    def happen(self, dice: random.Random, now: datetime) -> None:
        """What people and the sender do meanwhile: cases end, wait and sleep, replies go out."""
        with self.store.write() as tx:
            for number in tx.scalars(select(t.cases.c.id).order_by(t.cases.c.id)).all():
                case, to = cases.by_id(tx, number), dice.choice(list(CaseState))
                if to in CASE_MOVES[case.state] and dice.random() < 0.5:
                    desk.move(tx, case, to, by="boss", now=now, moved=self.policy.promises.moved)
                elif case.state in cases.LIVE and dice.random() < 0.2:
                    marks.snooze(tx, case, until=now + timedelta(days=1), by="boss", now=now)
            for draft in inbox.waiting(tx, states=[DraftState.APPROVED]):
                sent = {"state": "sent", "sent_at": now, "posted_id": f"p{dice.randrange(200)}"}
                if dice.random() < 0.6:
                    tx.execute(update(t.drafts).where(t.drafts.c.id == draft.id).values(**sent))
            if not incidents.there_are(tx):
                hits = Affected(words=("internet",))
                told = life.Description(title="Corte", affected=hits, began_at=now - timedelta(hours=2))
                plan = CasePlan(team="boss", urgency=Urgency.HIGH, title="Corte")
                life.open_incident(tx, told, plan=plan, pattern="ES", by="boss", now=now)
            if dice.random() < 0.5:
                optouts.leave_alone(tx, mentions.get(tx, 1), by="boss", now=now)

    def references(self) -> list[str]:
        with self.store.read() as tx:
            return list(tx.scalars(select(t.cases.c.reference).order_by(t.cases.c.id)))

    def decide(self, limit: int, now: datetime) -> int:
        done = 0
        while more := decide(self.store, self.policy, company=COMPANY, facts=_facts, limit=limit, now=now):
            done += more
        return done

    def rows(self) -> Rows:
        with self.store.read() as tx:
            return {table.name: _rows(tx, table) for table in TABLES}


def _rows(tx: stores.Transaction, table: Any) -> list[dict[str, Any]]:
    found = tx.execute(select(table).order_by(*table.primary_key.columns)).mappings()
    # A step that is withdrawn in the same batch is never written, so later ones have lower numbers, in the same order.
    left_out = CHANCE | ({"id"} if table is t.case_steps else set())
    return [{name: value for name, value in row.items() if name not in left_out} for row in found]


Rows = dict[str, list[dict[str, Any]]]


def lived(url: str, *, seed: int, limit: int, begun: datetime) -> list[Rows]:
    """Three rounds of talk with all that can befall it, decided `limit` at once; every row after each of them."""
    dice, now, said = random.Random(seed), begun, 1
    world = World(url, policies.load_text(POLICY))
    world.begin(now)
    found = []
    for turn in range(3):
        now += timedelta(hours=1)
        posts = _posts(dice, said, 40, now, world.references())
        said += 40
        known = [replace(post, text=f"{post.text}, y más") for post in _posts(dice, 3, 4, now, ())] if turn else []
        edited = [replace(post, edited_at=now) for post in known]
        world.hear(dice, [*posts, *edited], now)
        if turn:
            world.happen(dice, now)
        assert world.decide(limit, now) >= 40
        found.append(world.rows())
        assert world.store.problems() == []
    world.store.close()
    return found


def same(one_by_one: Sequence[Rows], at_once: Sequence[Rows]) -> None:
    """Every row of every table is the same after every round."""
    for rows, others in zip(one_by_one, at_once, strict=True):
        for name in rows:
            for one, two in zip(rows[name], others[name], strict=True):
                assert one == two, name


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of those that were decided the quick way."""
    numbers: list[int] = []
    decided_one = Ledger.decided

    def counted(self: Ledger, mention: Mention, decision: Decision, **told: Any) -> int:
        numbers.append(mention.id)
        return decided_one(self, mention, decision, **told)

    monkeypatch.setattr(Ledger, "decided", counted)
    return numbers


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)])
def test_the_same_history_in_batches_of_one_and_of_many(
    tmp_path: Path, seed: int, together: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = Clock().moment
    monkeypatch.setattr(stage, "BREAKS", 0)  # each by itself
    alone = lived(f"sqlite:///{tmp_path}/1.db", seed=seed, limit=1, begun=begun)
    assert not together
    monkeypatch.setattr(stage, "BREAKS", 1000)  # in so crowded a history half of the mentions break a batch off
    same(alone, lived(f"sqlite:///{tmp_path}/2.db", seed=seed, limit=64, begun=begun))
    rows = alone[-1]
    names = ("cases", "case_events", "drafts", "draws", "alerts", "links", "link_tries", "incident_mentions")
    assert not [name for name in names if not rows[name]]
    assert [row for row in rows["drafts"] if row["automatic"]], "or no limit was counted"
    assert len(together) > 50, "or too few went the quick way"


@pytest.mark.slow
def test_the_same_on_postgresql(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = Clock().moment
    with postgres.server() as url:
        monkeypatch.setattr(stage, "BREAKS", 0)
        alone = lived(url, seed=4, limit=1, begun=begun)
        postgres.empty(url)
        monkeypatch.setattr(stage, "BREAKS", 1000)
        same(alone, lived(url, seed=4, limit=64, begun=begun))
