"""How many mentions a second go from a network to a decision, with the case and the draft that follow from it.

    python -m benchmarks.throughput [--mentions 20000] [--texts 2048] [--rounds 3] [--no-model] [--no-postgres]

Two questions, each with what it is compared with in the same run:

stages   ingest, understand (by a stub that costs nothing) and decide by the default policy, one after the other in
         one process, on SQLite and on PostgreSQL: microseconds of this process's CPU for a mention, and mentions a
         second by the clock. Beside it, what storing alone costs: the rows that ingest writes, put into an empty table
         by sqlite3's `executemany`, and by SQLAlchemy Core; and the same history decided one by one. How many bare
         rows go in while one mention goes all the way is told by the clock, where both wait for the same disk, and by
         CPU, which other work on the machine changes less: so a slow machine is compared with itself.
model    from the sandbox network to the decision with the bundled model, as the daemon does it: polled and stored, then
         read while the batch before is decided. Beside it, in turns, the same texts through the model alone
         (`classify`, as every mention is read) and through its bare graph (tokens made before).

Two kinds of talk: `care` is what people write to a company, of whom nearly all want something; `hashtag` is what a
search finds, of which one in five does. A third of the people write more than once, a fifth of the posts answer others.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog

import policies
from benchmarks import results, speed
from benchmarks.results import Aim, Table
from connectors import sandbox
from listener import store as stores
from listener.flow.decide import Company, decide
from listener.flow.digest import BATCH
from listener.flow.ingest import ingest
from listener.flow.pipeline import Pipeline
from listener.flow.understand import understand
from listener.model import card as cards
from listener.model import onnx, reading
from listener.store import Store, sources
from listener.store import policies as ruled
from listener.store import tables as t
from listener.store.sources import Wanted
from listener.types import Author, Intent, Page, Post, PostKind, Sentiment, Understanding

PAGE = 200
BARE = "sqlite3 executemany"
ONE_IN = 40  # rows that are inserted alone, one mention was to go all the way: 5,000 a second where those are 200,000
LONGEST = 600  # seconds in which everything is decided, or something is wrong
WANTED = Wanted(name="all", account="care", network="sandbox", query="marca", every=timedelta(hours=1))
Kind = tuple[str, Sentiment, str, tuple[str, ...]]
ASKING: tuple[Kind, ...] = (
    ("complaint", Sentiment.NEGATIVE, "no funciona la línea desde ayer y nadie contesta", ("network",)),
    ("question", Sentiment.NEUTRAL, "cómo puedo cambiar mi tarifa de móvil por favor", ("mobile",)),
    ("request", Sentiment.NEUTRAL, "quiero dar de alta la fibra en mi casa nueva", ("fiber",)),
    ("outage_report", Sentiment.NEGATIVE, "se ha caído internet en todo el barrio otra vez", ("network",)),
    ("praise", Sentiment.POSITIVE, "muchas gracias por la atención tan rápida de hoy", ()),
)
PASSING: tuple[Kind, ...] = (
    ("off_topic", Sentiment.NEUTRAL, "hoy hace un día estupendo para pasear por el parque", ()),
    ("off_topic", Sentiment.POSITIVE, "qué partido el de anoche, menuda remontada", ()),
)
SHARES = {"care": 0.85, "hashtag": 0.2}  # of the posts, that want something


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What one way took for each mention: microseconds of CPU, and of the clock."""

    cpu: float
    clock: float

    @property
    def rate(self) -> int:
        """Mentions a second by the clock."""
        return round(1e6 / self.clock)


@contextmanager
def spent(mentions: int, into: dict[str, Spent], name: str) -> Iterator[None]:
    """Puts down what the block took."""
    cpu, clock = time.process_time(), time.perf_counter()
    yield
    cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
    into[name] = Spent(cpu=cpu / mentions * 1e6, clock=clock / mentions * 1e6)


class Stub:
    """Understands at once what it was told of every text."""

    version = "stub"

    def __init__(self, told: Mapping[str, Understanding]) -> None:
        self._told = told

    def classify(self, texts: Sequence[str]) -> list[Understanding]:
        """What it was told."""
        return [self._told[text] for text in texts]


def talk(kind: str, count: int, now: datetime) -> tuple[list[Post], dict[str, Understanding]]:
    """That many posts, and how each text is understood; the same for the same kind and number."""
    dice = random.Random(5)
    posts: list[Post] = []
    told: dict[str, Understanding] = {}
    for number in range(count):
        wish, feeling, words, areas = dice.choice(ASKING if dice.random() < SHARES[kind] else PASSING)
        text = f"@marca {words} {number}"
        told[text] = Understanding(
            model_version="stub",
            language="es",
            language_score=0.99,
            sentiment=feeling,
            sentiment_scores={feeling.value: 0.9},
            intents=(Intent(wish),),
            intent_scores={wish: 0.9},
            areas=areas,
            area_scores=dict.fromkeys(areas, 0.9),
        )
        parent = dice.choice(posts[-500:]) if posts and dice.random() < 0.2 else None
        who = dice.randrange(int(count * 0.7) + 1)
        posts.append(
            Post(
                external_id=f"p{number}",
                author=Author(
                    external_id=f"a{who}",
                    handle=f"user{who}",
                    display_name=f"User {who}",
                    followers=dice.randrange(5000),
                    url=f"https://social.example/@user{who}",
                ),
                text=text,
                posted_at=now - timedelta(seconds=count - number),
                kind=PostKind.REPLY if parent else PostKind.MENTION if kind == "care" else PostKind.FOUND,
                parent_id=parent.external_id if parent else None,
                thread_id=(parent.thread_id or parent.external_id) if parent else None,
                url=f"https://social.example/p{number}",
                language="es",
                raw={"id": number, "text": text, "user": f"user{who}"},
            )
        )
    return posts, told


# --- the stages -------------------------------------------------------------------------------------------------------


def stages(url: str, kind: str, count: int, *, at_once: int = BATCH) -> tuple[dict[str, Spent], dict[str, int]]:
    """What each stage takes on the database at `url`, and how many rows of some tables came of it."""
    now = datetime.now(UTC)
    posts, told = talk(kind, count, now)
    policy, store = policies.load(policies.default_path()), stores.open(url)
    taken: dict[str, Spent] = {}
    try:
        source = _begin(store, policy, now)
        with spent(count, taken, "ingest"):
            for first in range(0, count, PAGE):
                page = Page(posts=tuple(posts[first : first + PAGE]), cursor=None)
                ingest(store, source, page, me=None, now=now)
        with spent(count, taken, "understand"):
            while understand(store, Stub(told), limit=at_once, now=now):
                pass
        company = Company(case_pattern="ES")
        with spent(count, taken, "decide"):
            while decide(
                store, policy, company=company, facts=lambda _network, _account: sandbox.FACTS, limit=at_once, now=now
            ):
                pass
        with store.read() as tx:
            names = ("decisions", "cases", "drafts", "case_events", "audit")
            made = {name: tx.scalar(sa.text(f"SELECT count(*) FROM {name}")) or 0 for name in names}
        assert made["decisions"] == count, made
    finally:
        store.close()
    taken["all"] = Spent(cpu=sum(each.cpu for each in taken.values()), clock=sum(each.clock for each in taken.values()))
    return taken, made


def _begin(store: Store, policy: Any, now: datetime) -> Any:
    with store.write() as tx:
        sources.sync(tx, [WANTED], now)
        ruled.activate(tx, version=policy.version, text=policy.text, by="benchmark", now=now)
        return sources.get(tx, WANTED.name)


def storing_alone(folder: Path, count: int) -> dict[str, Spent]:
    """What the rows of the mentions alone take, a page to a transaction, as the product opens SQLite."""
    now = datetime.now(UTC)
    url = f"sqlite:///{folder / 'rows.db'}"
    store = stores.open(url)
    posts, _ = talk("care", min(count, 2000), now)
    source = _begin(store, policies.load(policies.default_path()), now)
    ingest(store, source, Page(posts=tuple(posts), cursor=None), me=None, now=now)
    with store.read() as tx:
        rows = [dict(row) for row in tx.execute(sa.select(t.mentions)).mappings()]
    store.close()
    with sqlite3.connect(folder / "rows.db") as link:
        plain = link.execute("SELECT * FROM mentions").fetchall()
    rows, plain = rows * (count // len(rows) + 1), plain * (count // len(plain) + 1)
    taken: dict[str, Spent] = {}
    link = sqlite3.connect(folder / "bare.db", isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        link.execute(f"PRAGMA {pragma}")
    names = ", ".join(column.name for column in t.mentions.columns)
    link.execute(f"CREATE TABLE mentions ({names})")
    marks = ", ".join("?" for _ in t.mentions.columns)
    with spent(count, taken, BARE):
        for first in range(0, count, PAGE):
            link.execute("BEGIN IMMEDIATE")
            link.executemany(f"INSERT INTO mentions VALUES ({marks})", plain[first : first + PAGE])
            link.execute("COMMIT")
    link.close()
    engine = sa.create_engine(f"sqlite:///{folder / 'core.db'}")
    bare = sa.Table("mentions", sa.MetaData(), *(sa.Column(column.name, column.type) for column in t.mentions.columns))
    bare.create(engine)
    with engine.connect() as core:
        core.exec_driver_sql("PRAGMA journal_mode=WAL")
        with spent(count, taken, "SQLAlchemy Core"):
            for first in range(0, count, PAGE):
                core.execute(sa.insert(bare), rows[first : first + PAGE])
                core.commit()
    engine.dispose()
    return taken


# --- with the model ---------------------------------------------------------------------------------------------------


def through(folder: Path, texts: Sequence[str], model: reading.Model) -> float:
    """Mentions a second by the clock, from the network to the decision."""
    now = datetime.now(UTC)
    world = sandbox.World(folder / "world.db")
    with world.writing():
        for number, text in enumerate(texts):
            world.person(f"user{number % 1500}", f"User {number % 1500}")
            world.post(f"user{number % 1500}", f"{text} @marca", at=now - timedelta(seconds=len(texts) - number))
    store = stores.open(f"sqlite:///{folder / 'escucha.db'}")
    policy = policies.load(policies.default_path())
    pipeline = Pipeline(
        store,
        accounts={"care": "sandbox"},
        connect=lambda _account: sandbox.connect(sandbox.Settings(world=folder / "world.db")),
        network_facts=lambda _network: sandbox.FACTS,
        classifier=lambda: model,
        policy=policy,
        company=Company(case_pattern="ES"),
    )
    wanted = Wanted(name="all", account="care", network="sandbox", query="mentions", every=timedelta(seconds=1))
    pipeline.start([wanted], by="benchmark")
    began = time.perf_counter()
    poller = threading.Thread(target=_poll_all, args=(pipeline, len(texts)))
    poller.start()
    decided = 0
    while decided < len(texts) and time.perf_counter() - began < LONGEST:
        decided += pipeline.digest()
    poller.join()
    took = time.perf_counter() - began
    assert decided == len(texts), (decided, len(texts))
    store.close()
    world.close()
    return len(texts) / took


def _poll_all(pipeline: Pipeline, count: int) -> None:
    """Polls page after page, as the daemon does beside the other stages."""
    heard = 0
    while heard < count:
        for page in pipeline.poll(["all"]):
            assert page.error is None, page.error
            heard += len(page.saved.new)


def with_model(texts: Sequence[str], rounds: int) -> dict[str, list[float]]:
    """Texts a second by way and round: the bare graph, the model, and the whole way. All ways in each round."""
    card = cards.read(reading.BUNDLED)
    graph = onnx.Graph(reading.BUNDLED, profile="full", max_tokens=card.max_tokens)
    by_name = speed.ways(graph, card, "full", [f"{text} @marca" for text in texts])

    def clocked(way: Callable[[], None]) -> float:
        began = time.perf_counter()
        way()
        return len(texts) / (time.perf_counter() - began)

    rates: dict[str, list[float]] = {"bare": [], "read": [], "decided": []}
    for number in range(rounds + 1):
        with tempfile.TemporaryDirectory() as folder:
            fresh = reading.Model(card=card, profile="full", graph=graph, language=speed.LanguageReader())
            found = {
                "bare": clocked(by_name["bare"]),
                "read": clocked(by_name["read"]),
                "decided": through(Path(folder), texts, fresh),
            }
        for name, rate in found.items() if number else ():  # the first warms up
            rates[name].append(rate)
    return rates


# --- telling ----------------------------------------------------------------------------------------------------------


def measured(asked: argparse.Namespace, found: Found) -> None:
    """Fills in what the stages take, and what storing alone does."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found.alone = storing_alone(folder, asked.mentions)
        for kind in SHARES:
            found.stages[kind], found.made[kind] = stages(f"sqlite:///{folder / f'{kind}.db'}", kind, asked.mentions)
        few = min(asked.mentions, 1500)
        found.stages["one by one"], _ = stages(f"sqlite:///{folder / 'one.db'}", "care", few, at_once=1)
        if not asked.no_postgres:
            from tests import postgres

            with postgres.server() as url:
                for kind in SHARES:
                    postgres.empty(url)
                    found.stages[f"{kind}, PostgreSQL"], _ = stages(url, kind, asked.mentions)
    if not asked.no_model:
        found.rates = with_model(speed.lines_of(None, asked.texts), asked.rounds)


@dataclass
class Found:
    """Everything that was measured: by kind of talk and stage; rows alone by way; texts a second by way and round."""

    alone: dict[str, Spent] = field(default_factory=dict)
    stages: dict[str, dict[str, Spent]] = field(default_factory=dict)
    made: dict[str, dict[str, int]] = field(default_factory=dict)
    rates: dict[str, list[float]] = field(default_factory=dict)

    def share(self, way: str) -> float:
        """How much of what that way reads in a second is decided in one; the median of the rounds."""
        pairs = zip(self.rates["decided"], self.rates[way], strict=True)
        return statistics.median(own / other for own, other in pairs)

    def one_in(self) -> tuple[float, float]:
        """How many bare rows are inserted while one mention of `care` goes all the way on SQLite: by clock, by CPU."""
        bare, whole = self.alone[BARE], self.stages["care"]["all"]
        return whole.clock / bare.clock, whole.cpu / bare.cpu

    def tables(self) -> list[Table]:
        """What people read."""
        rows: list[list[object]] = [
            [way, "rows alone", round(each.cpu, 1), each.rate] for way, each in self.alone.items()
        ]
        for name, ways in self.stages.items():
            rows += [[name, stage, round(each.cpu, 1), each.rate] for stage, each in ways.items()]
        made = [Table(title="Stages", columns=["what", "stage", "microseconds of CPU", "a second"], rows=rows)]
        if self.rates:
            medians = {way: statistics.median(rates) for way, rates in self.rates.items()}
            shares = [[way, round(rate), round(rate / medians["bare"], 2)] for way, rate in medians.items()]
            columns = ["way", "texts a second", "of the bare graph"]
            made.append(Table(title="From the network to the decision", columns=columns, rows=shares))
        return made

    def aims(self) -> list[Aim]:
        """What was to be reached."""
        rate = self.stages["care"]["all"].rate
        what = "ingest and decide on SQLite, understanding stubbed"
        made = [Aim(what=what, aim="5,000 a second", reached=f"{rate:,}", met=rate >= 5000)]
        clock, cpu = self.one_in()
        reached = f"one in {clock:,.0f} by the clock, in {cpu:,.0f} by CPU"
        what = "the same, of the bare rows that `executemany` inserts in the same run"
        made.append(Aim(what=what, aim=f"one in {ONE_IN}", reached=reached, met=max(clock, cpu) <= ONE_IN))
        if self.rates:
            share = self.share("read")
            reached = f"{share:.0%} (of the bare graph {self.share('bare'):.0%})"
            what = "from the network to the decision, of what the model alone reads"
            made.append(Aim(what=what, aim="85 %", reached=reached, met=share >= 0.85))
        return made

    def figures(self) -> dict[str, Any]:
        """All of it, as JSON knows it."""
        ways = self.stages | {"storing alone": self.alone}
        stages_ = {name: {stage: vars(each) for stage, each in found.items()} for name, found in ways.items()}
        return {"stages": stages_, "rows": self.made, "texts_a_second": self.rates}


def main() -> None:
    """Prints what was found, and keeps it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput")
    parser.add_argument("--mentions", type=int, default=20_000)
    parser.add_argument("--texts", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-model", action="store_true")
    parser.add_argument("--no-postgres", action="store_true")
    parser.add_argument("--no-keep", action="store_true", help="only print; else docs/benchmarks.md shows it next")
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    found = Found()
    measured(asked, found)
    for table in found.tables():
        print(table.title)
        for row in table.rows:
            print("  " + "  ".join(f"{each!s:>22}" for each in row))
    for aim in found.aims():
        print(f"{aim.what}: {aim.reached}, aimed at {aim.aim}")
    if not asked.no_keep:
        parameters = {"mentions": asked.mentions, "texts": asked.texts, "rounds": asked.rounds, "batch": BATCH}
        results.keep("throughput", found.figures(), parameters=parameters, aims=found.aims(), tables=found.tables())


if __name__ == "__main__":
    main()
