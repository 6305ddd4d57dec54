"""A whole Escucha on a sandbox network in a folder: real store, real policy, real stages; only time is ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import policies
from connectors import sandbox
from connectors.sandbox import Fault, World
from listener import store as stores
from listener.contract import Policy, Streams
from listener.errors import Unavailable
from listener.flow.decide import Company
from listener.flow.pipeline import Pipeline
from listener.store import Store, inbox
from listener.store import policies as ruled
from listener.store.inbox import Draft
from listener.store.sources import Wanted
from listener.types import Cursor, DraftState, Intent, Page, Sentiment, Understanding
from tests import databases

AUTO = """
name: Test
mode: auto
cases: every
language: es
default_team: care
teams: {care: {what: everything}}
guard: {per_author_per_day: 5, per_thread: 5, per_hour: 120}
templates:
  answer:
    es: ["Hola, lo vemos en {{ case.reference }}."]
    en: ["Hello, we look into {{ case.reference }}."]
rules:
  - name: complaint
    when: {intents: [complaint]}
    then: {reply: {template: answer, mode: manual}, case: {urgency: high}}
  - name: question
    when: {intents: [question]}
    then: {reply: answer, case: {}}
"""


class Keywords:
    """Reads by single words, so that a test can say what will be understood."""

    version = "keywords-1"

    def classify(self, texts: Sequence[str]) -> list[Understanding]:
        return [self._read(text) for text in texts]

    def _read(self, text: str) -> Understanding:
        if "poison" in text:
            raise RuntimeError("this text breaks the classifier")
        words = {"mal": Intent.COMPLAINT, "gracias": Intent.PRAISE}
        intent = next((intent for word, intent in words.items() if word in text), Intent.QUESTION)
        return Understanding(
            model_version=self.version,
            language="es",
            language_score=0.99,
            sentiment=Sentiment.NEGATIVE if "fatal" in text else Sentiment.NEUTRAL,
            sentiment_scores={"negative" if "fatal" in text else "neutral": 0.95},
            intents=(intent,),
            intent_scores={intent.value: 0.95},
        )


@dataclass
class Clock:
    """Time that passes only when a test lets it."""

    moment: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, **span: float) -> None:
        self.moment += timedelta(**span)


class Overheard(sandbox.Sandbox, Streams):
    """The sandbox network with a stream of what it would tell a poll; every other page says where it is."""

    def streams(self, query: str) -> bool:
        return bool(query)

    def stream(self, query: str, cursor: Cursor | None) -> Iterator[Page]:
        yield Page(posts=(), cursor=None)
        for number in range(1, 5):
            page = self.poll(query, cursor)
            cursor = page.cursor
            yield page if number % 2 else replace(page, cursor=None)
        raise Unavailable("the stream broke")


class Escucha:
    """One company listening to the sandbox. `pipeline()` gives a further process's worth of stages."""

    def __init__(
        self, folder: Path, *, policy: str = AUTO, queries: Sequence[str] = ("mentions",), url: str | None = None
    ) -> None:
        self.folder = folder
        self.clock = Clock()
        self.network = World(folder / "world.db")
        self.store: Store = stores.open(url or databases.at(folder))
        self.policy: Policy = policies.load_text(policy)
        self.queries = queries
        self.main = self.pipeline()

    def pipeline(
        self,
        *,
        policy: Policy | None = None,
        clock: Callable[[], datetime] | None = None,
        connector: type[sandbox.Sandbox] = sandbox.Sandbox,
    ) -> Pipeline:
        made = Pipeline(
            self.store,
            accounts={"care": "sandbox"},
            connect=lambda _: connector(sandbox.Settings(world=self.folder / "world.db")),
            network_facts=lambda _: sandbox.FACTS,
            classifier=Keywords,
            policy=policy or self.policy,
            read_policy=policies.load_text,
            company=Company(case_pattern="ES", own_handles=frozenset({"@oficial@sandbox.example"})),
            clock=clock or self.clock,
        )
        wanted = [
            Wanted(name=f"source-{n}", account="care", network="sandbox", query=query, every=timedelta(seconds=10))
            for n, query in enumerate(self.queries)
        ]
        made.start(wanted, by="test")
        self.activate(policy or self.policy)
        return made

    def activate(self, policy: Policy) -> None:
        """Somebody makes that policy rule."""
        with self.store.write() as tx:
            ruled.activate(tx, version=policy.version, text=policy.text, by="boss", now=self.clock())

    def says(self, text: str, *, who: str = "ana", parent: str | None = None) -> str:
        """Somebody posts; gives the post's id."""
        self.network.person(who)
        return self.network.post(who, text, parent=parent, at=self.clock())

    def forgets_keys(self) -> None:
        """From now on the network would take the same reply twice."""
        self.network.fail("reply", Fault.KEY_FORGOTTEN, times=10_000)
        self.network.fail("message", Fault.KEY_FORGOTTEN, times=10_000)
        self.network.fail("publish", Fault.KEY_FORGOTTEN, times=10_000)

    def round(self, **later: float) -> None:
        """Time passes, then everything due is done."""
        self.clock.forward(**(later or {"seconds": 11}))
        self.main.once()

    def drafts(self, *states: DraftState) -> list[Draft]:
        with self.store.read() as tx:
            return inbox.waiting(tx, states=states or tuple(DraftState))

    def draft(self) -> Draft:
        """The only draft there is."""
        (only,) = self.drafts()
        return only

    def approve(self, draft: Draft, *, by: str = "mod") -> None:
        with self.store.write() as tx:
            inbox.approve(tx, draft, by=by, now=self.clock())

    def answers(self) -> list[tuple[str, str]]:
        """What we said on the network as (parent id, text), deleted or not."""
        return [(str(row["parent"]), row["text"]) for row in self.network.posts_by("marca")]

    def close(self) -> None:
        self.store.close()
        self.network.close()
