"""The kill matrix: real daemons die by kill -9 at random instants while people write, edit, delete; the networks count.

    with matrix(folder, Plan(seed=1, networks=("mastodon", "x"), posts=100, kills=40)) as played:
        outcome = played.run()

Every post asks something in words of its own, and the policy answers each with the reference of its case: by itself as
often as the guard lets it, else a moderator approves at once. The
local servers run here, outside of what dies, and take the same answer as often as it comes: they forget idempotency
keys, and refuse no doubles. So what counts is their own record: posts without an answer or that the store does not
know (lost), answers to one post beyond the first (doubled), answers whose case is not that post's (wrong thread).
Of each post our own people and a CRM are told as well, see `kill_receiver.py`.

The same seed gives the same posts, the same waits and the same victims; what a process was about at that moment is
chance, as it is in life.
"""

from __future__ import annotations

import itertools
import os
import random
import re
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from listener import store as stores
from listener.errors import Mistake, Outage
from listener.store import Store, inbox
from listener.store import tables as t
from tests import postgres
from tests.connectors.conformance import World
from tests.connectors.test_mastodon import MastodonWorld
from tests.connectors.test_reddit import RedditWorld, settings_for
from tests.connectors.test_x import XWorld
from tests.servers.mastodon import TOKEN, MastodonServer
from tests.servers.reddit import RedditServer
from tests.servers.webhook import Receiver
from tests.servers.x import KEYS, XServer
from tests.system.company import Brood, account, brood, policy, settle
from tests.system.kill_receiver import SECRETS, SETTINGS, Heard, heard, listening, open_ends

POLICY = policy(when="{intents: [question]}", then="{reply: answer, case: {}, alert: [ops]}")
WORDS = ("fibra", "luz", "agua", "gas", "tren", "móvil", "router", "cita", "tienda", "envío", "cuota", "cable", "bono")
CASE = re.compile(r"ES-\d+-\d+-\d")
BEGUN = 30.0  # seconds within which the first answer comes; only then somebody dies
WATCHED = 1.5  # seconds for which somebody who says something is waited for
STEADY = 3.0  # seconds in which nothing changes once everything is done
SEED = 20261123


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is played. `kills`: more, while somebody waits for an answer, until one died in mid-send. `processes`: the
    roles of each daemon, empty for one that does everything; `pause` and `pace`: seconds from one death, and from one
    post of a network, to the next, on average. `edited`, `deleted`: the shares of posts. `hurry`: seconds instead of
    minutes for what waits after a death, see `brood.py`; None: as in life. `restarts`: how often the database server
    is killed too (PostgreSQL).
    """

    seed: int = SEED
    networks: tuple[str, ...] = ("mastodon", "x", "reddit")
    database: str = "sqlite"
    processes: tuple[tuple[str, ...], ...] = ((), ())
    posts: int = 100  # of each network
    kills: int = 40
    restarts: int = 0
    pause: float = 0.6
    pace: float = 0.15
    edited: float = 0.1
    deleted: float = 0.1
    aimed: float = 0.5  # the share of deaths that hit a process while it says something
    hurry: float | None = 2.0
    slow: float = 0.25  # seconds, at most, that a network takes over a write; who dies meanwhile has written it
    patience: float = 120.0  # seconds without any progress, once nobody dies any more


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the networks, who was told, and the store say at the end; the first three must be empty.

    `unsure`: what is of unknown outcome at the end. `settled`: how many of unknown outcome were settled, by what was
    found. `answered`: how many posts have their one answer, of `posts` that were not deleted.
    """

    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    wrong_thread: tuple[str, ...]
    heard: Heard
    unsure: int
    settled: dict[str, int]
    posts: int
    answered: int
    edits: int
    deletions: int
    kills: int
    in_mid_send: int  # deaths while something said `sending`
    restarts: int
    ended: int  # processes that ended by themselves, as where the database is away when they start
    seconds: float

    @property
    def clean(self) -> bool:
        """Whether nothing was lost, doubled or said in the wrong place, and nothing is left open."""
        wrong = self.lost or self.doubled or self.wrong_thread or self.heard.lost or self.heard.doubled
        return not (wrong or self.unsure)


@dataclass
class Said:
    """One post of somebody's, as the harness made it."""

    id: str
    network: str
    deleted: bool = False


@dataclass
class Matrix:
    """One played matrix: `run` it once."""

    plan: Plan
    folder: Path
    worlds: dict[str, World]
    settings: dict[str, dict[str, str]]
    url: str
    receiver: Receiver
    _born: Brood
    said: list[Said] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    _over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> Outcome:
        """People write while daemons die; then everybody may finish."""
        began = time.monotonic()
        self._prepare()
        store = stores.open(self.url)
        chance = random.Random(self.plan.seed)
        self.pids = [self._start(roles) for roles in self.plan.processes]
        people = [
            threading.Thread(target=self._write, args=(name, random.Random(f"{self.plan.seed} {name}")))
            for name in self.worlds
        ]
        moderator = threading.Thread(target=self._moderate)
        for each in [*people, moderator]:
            each.start()
        restarts = set(chance.sample(range(self.plan.kills), self.plan.restarts))
        ends = time.monotonic() + BEGUN
        while not self._answers() and time.monotonic() < ends:
            time.sleep(0.05)
        for number in itertools.count():
            if number >= self.plan.kills and (self.counts["in_mid_send"] or not self._unanswered()):
                break
            time.sleep(chance.uniform(0, 2 * self.plan.pause))
            victim = chance.randrange(len(self.pids))
            if chance.random() < self.plan.aimed or number >= self.plan.kills:
                victim = self._sender(store, chance.uniform(0, self.plan.slow), otherwise=victim)
            self._kill(victim, store)
            if number in restarts:
                postgres.restart(self.url)
                self.counts["restarts"] += 1
        for each in people:
            each.join()
        self._wait_until_done(store)
        self._over.set()
        moderator.join()
        outcome = self._count(store, time.monotonic() - began)
        store.close()
        return outcome

    # --- what dies ---

    def _prepare(self) -> None:
        told = f'[database]\nurl = "{self.url}"\n' + SETTINGS.format(url=self.receiver.url)
        accounts = [account(name, name) for name in self.worlds]
        settle(self.folder, POLICY, told, *accounts, daemon='listen = "127.0.0.1:0"\n')

    def _start(self, roles: Sequence[str]) -> int:
        environment = {
            f"ESCUCHA_ACCOUNTS__{name.upper()}__{key.upper()}": value
            for name, given in self.settings.items()
            for key, value in given.items()
        }
        environment |= SECRETS
        arguments = ["run", *(part for role in roles for part in ("--role", role))]
        return self._born.escucha(self.folder, *arguments, environment=environment).pid

    def _sender(self, store: Store, later: float, *, otherwise: int) -> int:
        """Which process is saying something, so many seconds after it began; `otherwise` where none begins soon."""
        ends = time.monotonic() + WATCHED
        saying = select(t.drafts.c.sender).where(t.drafts.c.state == "sending", t.drafts.c.sender.is_not(None))
        while time.monotonic() < ends:
            with suppress(Outage), store.read() as tx:
                pids = [int(sender.rsplit(":", 3)[1]) for sender in tx.scalars(saying)]
                if found := [self.pids.index(pid) for pid in pids if pid in self.pids]:
                    time.sleep(later)
                    return found[0]
            time.sleep(0.02)
        return otherwise

    def _kill(self, victim: int, store: Store) -> None:
        """One of them dies; another takes its place at once."""
        try:
            os.kill(self.pids[victim], signal.SIGKILL)
            self.counts["kills"] += 1
            with suppress(Outage), store.read() as tx:
                sending = select(func.count()).select_from(t.drafts).where(t.drafts.c.state == "sending")
                self.counts["in_mid_send"] += bool(tx.scalar(sending))
        except ProcessLookupError:
            self.counts["ended by themselves"] += 1
        self.pids[victim] = self._start(self.plan.processes[victim])

    # --- what people do ---

    def _write(self, network: str, chance: random.Random) -> None:
        world = self.worlds[network]
        later: list[tuple[float, Callable[[], None]]] = []
        for number in range(self.plan.posts):
            text = f"¿cuánto cuesta {' '.join(chance.sample(WORDS, 4))} número {number}?"
            said = Said(id=world.post(f"p{number}", text, to_us=True), network=network)
            self.said.append(said)
            fate, after = chance.random(), time.monotonic() + chance.uniform(0, 3)
            if fate < self.plan.edited and world.edits_visible:
                later.append((after, lambda said=said, text=text: self._edit(world, said, text)))  # type: ignore[misc]
            elif fate > 1 - self.plan.deleted:
                later.append((after, lambda said=said: self._delete(world, said)))  # type: ignore[misc]
            time.sleep(chance.uniform(0, 2 * self.plan.pace))
            for each in [each for each in later if each[0] < time.monotonic()]:
                later.remove(each)
                each[1]()
        for _, act in later:
            act()

    def _edit(self, world: World, said: Said, text: str) -> None:
        us = "u/marca" if said.network == "reddit" else "@marca"
        world.edit(said.id, f"{us} {text} Gracias de antemano, y un saludo a todos")
        self.counts["edits"] += 1

    def _delete(self, world: World, said: Said) -> None:
        said.deleted = True
        world.delete(said.id)
        self.counts["deletions"] += 1

    def _moderate(self) -> None:
        """Approves what waits for a person, as it stands."""
        store = stores.open(self.url)
        while not self._over.wait(0.3):
            with suppress(Outage), store.read() as tx:
                for draft in inbox.waiting(tx):
                    with suppress(Outage, Mistake), store.write() as writing:
                        inbox.approve(writing, draft, by="mod", now=datetime.now(UTC))
                        self.counts["approved"] += 1
        store.close()

    # --- how it ends ---

    def _wait_until_done(self, store: Store) -> None:
        """Until every post has its answer and nothing is on its way, or nothing comes forward any more."""
        forward = steady = time.monotonic()
        before: object = None
        least = sys.maxsize
        while time.monotonic() - forward < self.plan.patience:
            for number, pid in enumerate(self.pids):
                try:
                    os.kill(pid, 0)
                except ProcessLookupError:
                    self.counts["ended by themselves"] += 1
                    self.pids[number] = self._start(self.plan.processes[number])
            now = (self._open(store), tuple(self._unanswered()))
            left = now[0] + len(now[1])
            if now[0] >= 0 and left < least:
                least, forward = left, time.monotonic()
            if now != before:
                before, steady = now, time.monotonic()
            elif now == (0, ()) and time.monotonic() - steady > STEADY:
                return
            time.sleep(0.3)

    def _open(self, store: Store) -> int:
        """How much is on its way, or of unknown outcome; -1 while the database does not answer."""
        going = t.drafts.c.state.in_(("proposed", "approved", "sending", "unknown"))
        waits = t.mentions.c.state.in_(("new", "understood"))
        try:
            with store.read() as tx:
                drafts = tx.scalar(select(func.count()).select_from(t.drafts).where(going)) or 0
                posts = tx.scalar(select(func.count()).select_from(t.mentions).where(waits)) or 0
                return drafts + posts + open_ends(tx)
        except Outage:
            return -1

    def _answers(self) -> dict[str, list[str]]:
        """What we said there, by the post that it answers; "" where that is gone."""
        found: dict[str, list[str]] = {}
        for world in self.worlds.values():
            for ours in world.ours():
                parent = ours.parent_id or ""
                if parent and isinstance(world, XWorld):  # each edit there is a post of its own
                    parent = world.server.posts[parent]["history"][0]
                found.setdefault(parent, []).append(ours.text)
        return found

    def _unanswered(self) -> list[str]:
        answered = self._answers()
        return [said.id for said in self.said if not said.deleted and said.id not in answered]

    def _count(self, store: Store, seconds: float) -> Outcome:
        with store.read() as tx:
            joined = t.drafts.join(t.mentions, t.mentions.c.id == t.drafts.c.mention_id)
            joined = joined.join(t.cases, t.cases.c.id == t.drafts.c.case_id)
            rows = tx.execute(select(t.mentions.c.external_id, t.cases.c.reference).select_from(joined)).all()
            stored = set(tx.scalars(select(t.mentions.c.external_id)))
            unsure = tx.scalar(select(func.count()).select_from(t.drafts).where(t.drafts.c.state == "unknown")) or 0
            looked = tx.execute(select(t.looks.c.found, func.count()).group_by(t.looks.c.found)).all()
            beside = heard(tx, self.receiver.came)
        found = told(self._answers(), {row.reference: row.external_id for row in rows}, self.said)
        kept = [said.id for said in self.said if not said.deleted]
        return Outcome(
            lost=tuple(post for post in kept if post not in stored or post not in found.times),
            doubled=tuple(post for post, times in found.times.items() if times > 1),
            wrong_thread=found.misplaced,
            heard=beside,
            unsure=int(unsure),
            settled={row[0]: row[1] for row in looked},
            posts=len(kept),
            answered=sum(found.times[post] == 1 for post in kept),
            edits=self.counts["edits"],
            deletions=self.counts["deletions"],
            kills=self.counts["kills"],
            in_mid_send=self.counts["in_mid_send"],
            restarts=self.counts["restarts"],
            ended=self.counts["ended by themselves"],
            seconds=round(seconds, 1),
        )


@dataclass(frozen=True, kw_only=True)
class Told:
    """How often each post was answered, and the answers that stand where they do not belong."""

    times: Counter[str]
    misplaced: tuple[str, ...]


def told(answers: Mapping[str, Sequence[str]], post_of: Mapping[str, str], said: Sequence[Said]) -> Told:
    """Counts answers by the post that they stand below, or, where that is gone, by the case that they name.

    `post_of`: by a case's reference, the post that it is about.
    """
    gone = {each.id for each in said if each.deleted}
    known = {each.id for each in said}
    times: Counter[str] = Counter()
    misplaced = []
    for parent, texts in answers.items():
        for text in texts:
            case = CASE.search(text)
            meant = post_of.get(case[0], "") if case else ""
            if meant in known and (meant == parent or (not parent and meant in gone)):
                times[meant] += 1
            else:
                misplaced.append(f"{text!r} below {parent or 'nothing'}")
    return Told(times=times, misplaced=tuple(misplaced))


@contextmanager
def matrix(folder: Path, plan: Plan) -> Iterator[Matrix]:
    """The networks of the plan with nobody on them yet, its database, and nobody running."""
    with ExitStack() as stack:
        worlds, settings = {}, {}
        for name in plan.networks:
            slow = random.Random(f"{plan.seed} {name} is slow")
            worlds[name], settings[name] = stack.enter_context(NETWORKS[name](partial(slow.uniform, 0, plan.slow)))
        url = f"sqlite:///{folder / 'escucha.db'}"
        if plan.database == "postgresql":
            url = stack.enter_context(postgres.server())
        receiver = stack.enter_context(listening(plan.seed, plan.slow / 10))
        born = stack.enter_context(brood(hurry=plan.hurry))
        yield Matrix(plan, folder, worlds, settings, url, receiver, born)


Wait = Callable[[], float]  # seconds that the next write takes


@contextmanager
def _mastodon(wait: Wait) -> Iterator[tuple[World, dict[str, str]]]:
    with MastodonServer(forget_keys=True) as server:
        _slow_down(server, "/api/v1/statuses", wait)
        yield MastodonWorld(server), {"instance": server.url, "access_token": TOKEN}


@contextmanager
def _x(wait: Wait) -> Iterator[tuple[World, dict[str, str]]]:
    with XServer(duplicates=False) as server:
        _slow_down(server, "/2/tweets", wait)
        yield XWorld(server), KEYS | {"api": server.url}


@contextmanager
def _reddit(wait: Wait) -> Iterator[tuple[World, dict[str, str]]]:
    with RedditServer() as server:
        _slow_down(server, "/api/comment", wait)
        yield RedditWorld(server), {name: str(value) for name, value in settings_for(server).items()}


def _slow_down(server: Any, where: str, wait: Wait) -> None:
    """Lets the server, which has the whole request by then, think about each write there before it does it."""
    fault_for = server.fault_for

    def slowly(method: str, path: str) -> Any:
        if method == "POST" and path.rstrip("/") == where:
            time.sleep(wait())
        return fault_for(method, path)

    server.fault_for = slowly


NETWORKS: dict[str, Any] = {"mastodon": _mastodon, "x": _x, "reddit": _reddit}
