"""Thousands of people with one complaint, on a Mastodon server of their own, and the processes that answer them.

    python -m tests.system.complainers FOLDER URL LATER  sends as a daemon does, LATER seconds ahead, until it is killed

What was said is counted in the server's own record. The server forgets idempotency keys: only what Escucha wrote down,
and what it finds by looking, keeps it from repeating itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, update

import connectors
import policies
from connectors.mastodon_posts import full_id
from listener import log, references, situations
from listener import store as stores
from listener.desk import answer_runs as desk
from listener.flow.act import act
from listener.flow.decide import first_contact
from listener.store import Store, answer_runs, decisions, incident_answers, incidents, mentions, sources
from listener.store import tables as t
from listener.store.answer_runs import Run
from listener.store.incidents import Incident
from listener.store.sources import Wanted
from listener.types import (
    Author,
    Facts,
    Intent,
    MentionState,
    Post,
    PostKind,
    Sentiment,
    Understanding,
)
from tests import databases
from tests.listener.flow.world import AUTO
from tests.servers.mastodon import BRAND, TOKEN, MastodonServer

POLICY = AUTO + "incidents: {two_people: false, answers_per_hour: 100000}\n"
ANSWERS = (
    ("es", "Hola, {{ author.first_name }}: sabemos que hay cobros dobles y lo estamos arreglando."),
    ("es", "{{ author.first_name }}, el cobro doble es un error nuestro y se devuelve solo."),
    ("es", "Lo sentimos, {{ author.first_name }}: el cobro doble se corrige esta semana."),
    ("en", "Hi {{ author.first_name }}: we know of the double charges and are fixing them."),
    ("en", "{{ author.first_name }}, the double charge is our mistake and comes back by itself."),
)
TOGETHER = 500
READ = {
    language: Understanding(
        model_version="by hand",
        language=language,
        language_score=0.99,
        sentiment=Sentiment.NEUTRAL,
        sentiment_scores={"neutral": 0.9},
        intents=(Intent.COMPLAINT,),
        intent_scores={"complaint": 0.95},
    )
    for language in ("es", "en")
}


@dataclass(kw_only=True)
class Complainers:
    """Where it all is. `url` is the server's."""

    folder: Path
    url: str
    store: Store
    incident: Incident

    @property
    def state(self) -> Path:
        return self.folder / "mastodon.jsonl"

    def run(self, *, per_hour: int = 1_000_000) -> Run:
        """A run that answers everybody, under way."""
        policy, now = policies.load_text(POLICY), datetime.now(UTC)
        with self.store.read() as tx:
            answers = incident_answers.approved(tx, [self.incident.id])[self.incident.id]
        run = desk.draft(
            self.store,
            policy,
            self.incident,
            answers=answers,
            facts=facts,
            per_hour=per_hour,
            seed=1,
            by="ana",
            now=now,
        )
        run = desk.approve(self.store, policy, run, sample=1, by="beto", now=now)
        return desk.go(self.store, self.incident, run, by="beto", now=now)

    def said(self) -> Counter[str]:
        """How often the brand answered which post, as the server's own record has it."""
        found: Counter[str] = Counter()
        seen: set[str] = set()
        for line in self.state.read_text(encoding="utf-8").splitlines():
            if f'"{BRAND}"' not in line:  # most lines; reading all of them takes longer than sending
                continue
            kind, row = json.loads(line)
            if kind == "status" and row["acct"] == BRAND and row["id"] not in seen:
                seen.add(row["id"])
                found[row["in_reply_to_id"]] += 1
        return found

    def sender(self, *, later: int = 0) -> subprocess.Popen[str]:
        """One more process that sends; it ends when it can do nothing more."""
        command = [sys.executable, "-m", "tests.system.complainers", str(self.folder), self.url, str(later)]
        return subprocess.Popen(command, text=True)

    def until(self, number: int, *, patience: float = 300) -> None:
        """Waits until so many answers stand on the server."""
        ends = time.monotonic() + patience
        while self.said().total() < number:
            assert time.monotonic() < ends, f"only {self.said().total()} of {number} answers came"
            time.sleep(0.2)

    def killed_twice(self, people: int) -> None:
        """A run whose sender is killed -9 at a third; then two at once, both killed at two thirds; then one ends it."""
        self.run()
        alone = self.sender()
        self.until(people // 3)
        alone.kill()
        alone.wait()
        both = [self.sender(), self.sender()]
        self.until(2 * people // 3)
        for each in both:
            each.kill()
            each.wait()
        for later in (0, 600, 2400):  # what nobody knows of is certain a while after
            assert self.sender(later=later).wait(timeout=600) == 0


@cache
def facts(_network: str, _account: str) -> Facts:
    """What is true of Mastodon."""
    found: Facts = connectors.load("mastodon").FACTS
    return found


@contextmanager
def complainers(folder: Path, people: int) -> Iterator[Complainers]:
    """So many people who complained, each once, one in four in English; every mention read, decided and in a case."""
    state = folder / "mastodon.jsonl"
    with MastodonServer(state=state, forget_keys=True) as server:
        posts = [
            (number, server.person(f"p{number}").post(f"@{BRAND} cobro doble {number}")) for number in range(people)
        ]
        port, host = server._http.server_address[1], server.host
    command = [sys.executable, "-m", "tests.servers.mastodon", "--port", str(port), "--state", str(state)]
    process = subprocess.Popen([*command, "--forget-keys"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        url = process.stdout.readline().strip()
        store = stores.open(databases.at(folder))
        incident = _heard(store, [(number, full_id(host, each)) for number, each in posts])
        yield Complainers(folder=folder, url=url, store=store, incident=incident)
        store.close()
    finally:
        process.kill()
        process.communicate()


def _heard(store: Store, posts: list[tuple[int, str]]) -> Incident:
    """Puts everybody's mention where the stages would have put it, and counts all to one incident."""
    now = datetime.now(UTC)
    with store.write() as tx:
        wanted = Wanted(name="m", account="care", network="mastodon", query="mentions", every=timedelta(hours=1))
        sources.sync(tx, [wanted], now)
        source = sources.list_all(tx)[0]
        incident = incidents.open(tx, title="Cobros dobles", by="ana", now=now, began_at=now - timedelta(hours=3))
        incident_answers.propose(tx, incident, ANSWERS, by="ana", now=now, two_people=False)
        incident = incidents.get(tx, incident.id)
        tx.execute(insert(t.model_versions).values(version="by hand", first_used_at=now))
        kept = decisions.keep_facts(tx, facts("", ""))
    for first in range(0, len(posts), TOGETHER):
        with store.write() as tx:
            _some(tx, posts[first : first + TOGETHER], source.id, incident, kept, now)
    return incident


def _some(tx: Any, posts: list[tuple[int, str]], source_id: int, incident: Incident, kept: str, now: datetime) -> None:
    written = [_post(number, external_id, now) for number, external_id in posts]
    saved = mentions.save(tx, source_id=source_id, network="mastodon", posts=written, now=now)
    tx.execute(update(t.mentions).values(state=MentionState.DECIDED.value))
    rows = tx.execute(select(t.mentions).where(t.mentions.c.id.in_(saved.new))).all()
    language = {row.id: "en" if row.id % 4 == 0 else "es" for row in rows}
    saw = {code: situations.kept(_situation(code, now)) for code in READ}
    tx.execute(insert(t.understandings), [_read(row.id, language[row.id], now) for row in rows])
    decided = {"revision": 1, "policy_version": "x", "model_version": "by hand", "urgency": "normal", "trace": {}}
    decided |= {"needs_routing": False, "escalate_to": "", "ignored": "", "tags": [], "alerts": [], "facts": kept}
    decided |= {"at": now, "score": 0, "queue_at": now}
    tx.execute(insert(t.decisions), [{"mention_id": row.id, "saw": saw[language[row.id]], **decided} for row in rows])
    case = {"state": "open", "title": "Cobro doble", "team": "care", "urgency_rank": 1, "completeness": 0, "tags": []}
    case |= {"opened_at": now, "opened_by": "test", "changed_at": now, "promise": {}, "skills": [], "score": 0}
    case |= {"minutes_per_point": 10, "queue_at": now, "revision": 1, "watchers": [], "checklist": []}
    cases = [
        {"id": row.id, "reference": references.reference("ES", 2026, row.id), "account_id": row.account_id, **case}
        for row in rows
    ]
    tx.execute(insert(t.cases), cases)
    inside = [{"case_id": row.id, "mention_id": row.id, "why": "it opened it", "at": now} for row in rows]
    tx.execute(insert(t.case_mentions), inside)
    part = {"incident_id": incident.id, "how": "rule", "why": "billing", "at": now, "by": "daemon"}
    tx.execute(insert(t.incident_mentions), [{"mention_id": row.id, **part} for row in rows])


def _post(number: int, external_id: str, now: datetime) -> Post:
    author = Author(external_id=f"a{number}", handle=f"p{number}", display_name=f"Ana {number}")
    text = f"@{BRAND} cobro doble {number}"
    return Post(external_id=external_id, author=author, text=text, posted_at=now, kind=PostKind.MENTION)


def _situation(language: str, now: datetime) -> Any:
    post = _post(0, "0", now)
    return first_contact(post, READ[language], now=now, source="m", facts=facts("", ""), case_pattern="ES")


def _read(mention_id: int, language: str, now: datetime) -> dict[str, Any]:
    read = asdict(READ[language]) | {"sentiment": Sentiment.NEUTRAL.value, "intents": ["complaint"], "signals": []}
    return {**read, "areas": [], "mention_id": mention_id, "revision": 1, "at": now}


def send(folder: Path, url: str, later: int) -> None:
    """Sends what is due, round after round, as a daemon does, until nothing is left but what nobody knows of."""
    log.start(form="json", level="error")
    network = connectors.load("mastodon")
    connector = network.connect(network.Settings.model_validate({"instance": url, "access_token": TOKEN}))
    store = stores.open(databases.at(folder))
    while True:
        done = act(store, connector, "care", clock=lambda: datetime.now(UTC) + timedelta(seconds=later))
        with store.read() as tx:
            counts = {run.id: answer_runs.counts(tx, run.id) for run in answer_runs.running(tx)}
        left = sum(each.get("approved", 0) + each.get("sending", 0) for each in counts.values())
        if not left and not (done.sent or done.settled):
            break
        time.sleep(0.05)
    store.close()


if __name__ == "__main__":
    send(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
