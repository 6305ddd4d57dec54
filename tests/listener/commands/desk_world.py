"""An inbox to decide about: mentions, drafts, cases and customers laid down with the store's own functions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from click.testing import CliRunner, Result
from sqlalchemy import insert

import cli
import connectors
import policies as policy_files
from connectors.sandbox import FACTS
from listener import store as stores
from listener.commands.app import App
from listener.contract import Classifier
from listener.desk import cases as desk
from listener.store import Store, Transaction, cases, decisions, erasing, inbox, mentions, policies, sources, tables
from listener.store.inbox import Draft
from listener.store.sources import Wanted
from listener.types import (
    Author,
    CasePlan,
    Contribution,
    Decision,
    DraftState,
    GuardTrace,
    Intent,
    LinkBasis,
    Media,
    MentionState,
    Mode,
    ModeTrace,
    Post,
    PostKind,
    Promise,
    ReplyPlan,
    RuleOutcome,
    RuleTrace,
    Sentiment,
    Understanding,
    Urgency,
)
from tests import databases
from tests.listener.model.by_words import ByWords

SETTINGS = """
[database]
url = "sqlite:///escucha.db"

[accounts.care]
network = "sandbox"
world = "world.db"
"""
SAID = "Sigo sin internet desde el lunes y nadie me contesta. ¿Hasta cuándo? Quiero hablar con una persona."
REPLY = "Hola Ana, sentimos la interrupción. Lo está viendo el equipo de red en el caso ES-26-000001-8."
RULES = (
    RuleTrace(rule="robots", outcome=RuleOutcome.FAILED, condition="author.bot", wanted="yes", saw="no"),
    RuleTrace(rule="outage", outcome=RuleOutcome.MATCHED, wanted="who has no service waits for nobody"),
    RuleTrace(rule="anything-else", outcome=RuleOutcome.NOT_REACHED),
)
GUARDS = (
    GuardTrace(guard="own_post"),
    GuardTrace(guard="age", holds=True, reason="it is three days old, and two days is the limit"),
    GuardTrace(guard="length"),
)
DEFAULT = policy_files.default_path().read_text(encoding="utf-8")
DANGER = GuardTrace(guard="risk", holds=True, reason="it holds words of danger: legal action (“abogado”)")


@dataclass
class Clock:
    """Time that passes only when a test lets it."""

    moment: datetime = field(default_factory=lambda: datetime(2026, 3, 4, 17, 30, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, **span: float) -> None:
        self.moment += timedelta(**span)


def promised(now: datetime, hours: int) -> Promise:
    """A first answer within so many hours, round the clock."""
    span = timedelta(hours=hours)
    return Promise(level="normal", first_response=span, first_response_due=now + span)


def on_and_on(moment: datetime, /, *, calendar: str, since: datetime, until: datetime) -> datetime:
    """A clock that stands still at no time."""
    assert not calendar
    return moment + (until - since)


class DeskWorld:
    """One company's desk in a folder. `run("approve", "D1", actor="ana")` is the command line."""

    def __init__(self, folder: Path, *, clock: Clock | None = None) -> None:
        self.folder = folder
        self.clock = clock or Clock()
        self.classifier: Classifier = ByWords()
        (folder / "escucha.toml").write_text(SETTINGS, encoding="utf-8")
        self.store: Store = stores.open(databases.at(folder))
        wanted = Wanted(name="tag", account="care", network="sandbox", query="#marca", every=timedelta(minutes=1))
        with self.store.write() as tx:
            sources.sync(tx, [wanted], self.clock())
            self.source_id = sources.get(tx, "tag").id
            policies.activate(tx, version="p1", text=DEFAULT, by="test", now=self.clock())
        self.count = 0

    def close(self) -> None:
        self.store.close()

    # --- what there is ---

    def hears(
        self,
        text: str = SAID,
        *,
        who: str = "ana",
        name: str = "Ana García",
        thread: str | None = None,
        minutes_ago: float = 12,
        kind: PostKind = PostKind.MENTION,
        media: tuple[Media, ...] = (),
        warning: str = "",
        quoted: str = "",
        unanswerable: str = "",
        external_id: str | None = None,
        url: str | None = "https://sandbox.example/p/1",
    ) -> int:
        """A mention as a poll brings it; gives its number."""
        self.count += 1
        post = Post(
            external_id=external_id or f"p{self.count}",
            author=Author(external_id=f"id-{who}", handle=who, display_name=name),
            text=text,
            posted_at=self.clock() - timedelta(minutes=minutes_ago),
            edited_at=self.clock() if external_id else None,
            kind=kind,
            thread_id=thread,
            media=media,
            content_warning=warning,
            quoted=quoted,
            unanswerable=unanswerable,
            url=url,
        )
        with self.store.write() as tx:
            saved = mentions.save(tx, source_id=self.source_id, network="sandbox", posts=[post], now=self.clock())
        return (saved.new or saved.edited)[0]

    def decides(
        self,
        mention_id: int,
        *,
        reply: str | None = REPLY,
        urgency: Urgency = Urgency.HIGH,
        template: str = "apology",
        policy: str = "p1",
        needs_routing: bool = False,
        ignored: str = "",
        rules: Sequence[RuleTrace] = RULES,
        guards: Sequence[GuardTrace] = GUARDS,
        modes: Sequence[ModeTrace] = (),
        open_case: bool = False,
    ) -> Draft | None:
        """What understanding and policy make of the mention; gives the draft."""
        with self.store.write() as tx:
            mention = mentions.get(tx, mention_id)
            mentions.advance(tx, mention, MentionState.UNDERSTOOD)
            decisions.understood(tx, mention, _understanding(), self.clock())
            mention = mentions.get(tx, mention_id)
            mentions.advance(tx, mention, MentionState.DECIDED)
            decision = Decision(
                policy_version=policy,
                reply=None,
                case=None,
                urgency=urgency,
                needs_routing=needs_routing,
                ignored=ignored,
                rules=tuple(rules),
                guards=tuple(guards),
                score=urgency.points,
                contributions=(Contribution(name=f"urgency {urgency}", points=urgency.points),),
                modes=tuple(modes),
            )
            trace = {
                "rules": [asdict(rule) for rule in rules],
                "guards": [asdict(guard) for guard in guards],
                "contributions": [asdict(part) for part in decision.contributions],
                "modes": [asdict(each) for each in modes],
                "saw": {"author": {"handle": mention.author.handle, "bot": False}, "paused": False, "kind": "mention"},
            }
            decision_id = decisions.decided(tx, mention, decision, trace=trace, model_version="m1", now=self.clock())
            case_id = self._open_case(tx, mention, urgency) if open_case else None
            if reply is None:
                return None
            draft_id = inbox.propose(
                tx,
                mention_id=mention_id,
                revision=mention.revision,
                account="care",
                decision_id=decision_id,
                case_id=case_id,
                plan=ReplyPlan(
                    template=template,
                    text=reply,
                    language="es",
                    mode=Mode.MANUAL,
                    length=FACTS.count(FACTS.address(reply, mention.author.handle)),
                    limit=FACTS.limit,
                ),
                urgency_rank=urgency.rank,
                score=decision.score,
                queue_at=mention.heard_at - decision.head_start,
                policy_version=policy,
                now=self.clock(),
            )
            return inbox.get(tx, draft_id)

    def _open_case(self, tx: Transaction, mention: mentions.Mention, urgency: Urgency) -> int:
        plan = CasePlan(
            team="network",
            urgency=urgency,
            title="Outage",
            promise=promised(self.clock(), 2),
            score=urgency.points,
        )
        case = desk.open_case(
            tx,
            pattern="ES",
            plan=plan,
            account_id=mention.account_id,
            customer_id=None,
            by="policy",
            since=mention.heard_at,
            now=self.clock(),
        )
        cases.attach(tx, case, mention.id, why="it opened the case", by="policy", now=self.clock())
        return case.id

    def draft(self, text: str = REPLY, *, said: str = SAID, who: str = "ana", **decided: object) -> Draft:
        """A mention with a draft that waits."""
        made = self.decides(self.hears(said, who=who), reply=text, **decided)  # type: ignore[arg-type]
        assert made is not None
        return made

    def knows(self, who: str, *, tier: str = "gold", reference: str = "C-0042") -> None:
        """The account belongs to a customer of that tier."""
        now = self.clock()
        with self.store.write() as tx:
            customer_id = tx.execute(
                insert(tables.customers)
                .values(
                    reference=reference, name="Ana García", tier=tier, tags=[], fields={}, added_at=now, changed_at=now
                )
                .returning(tables.customers.c.id)
            ).scalar_one()
            account_id = tx.execute(tables.accounts.select().where(tables.accounts.c.handle == who)).one().id
            tx.execute(
                insert(tables.links).values(
                    account_id=account_id,
                    customer_id=customer_id,
                    basis=LinkBasis.VERIFIED.value,
                    evidence="",
                    linked_by="test",
                    linked_at=now,
                )
            )

    def assign_all(self, agent: str) -> None:
        """Every case is that person's."""
        with self.store.write() as tx:
            for case in cases.listing(tx):
                desk.assign(tx, case, team=None, agent=agent, by="test", now=self.clock())

    def is_deleted(self, mention_id: int) -> None:
        """The author deletes the post."""
        with self.store.write() as tx:
            gone = mentions.get(tx, mention_id).external_id
            erasing.erase(tx, network="sandbox", external_ids=[gone], now=self.clock())

    def new_policy(self, version: str = "p2") -> None:
        with self.store.write() as tx:
            policies.activate(tx, version=version, text=f"{DEFAULT}# {version}\n", by="test", now=self.clock())

    def put(self, draft: Draft, state: DraftState, **columns: object) -> None:
        """The draft as a sender would have left it."""
        with self.store.write() as tx:
            tx.execute(
                tables.drafts.update().where(tables.drafts.c.id == draft.id).values(state=state.value, **columns)
            )

    # --- what came of it ---

    def now_is(self, draft: Draft) -> Draft:
        with self.store.read() as tx:
            return inbox.get(tx, draft.id)

    def view(self, draft: Draft, actor: str = "ana") -> inbox.View | None:
        with self.store.read() as tx:
            return inbox.view_of(tx, draft.id, actor)

    def all_states(self) -> list[str]:
        """The state of every draft, oldest first."""
        with self.store.read() as tx:
            return [row.state for row in tx.execute(tables.drafts.select().order_by(tables.drafts.c.id))]

    def states(self) -> set[str]:
        return set(self.all_states())

    # --- the command line ---

    def run(
        self, *args: str, actor: str = "ana", input: str | None = None, environment: Mapping[str, str] | None = None
    ) -> Result:
        """One command, as that person."""
        app = App(
            connectors=connectors,
            policies=policy_files,
            config_path=self.folder / "escucha.toml",
            now=self.clock,
        )
        app.__dict__["classifier"] = self.classifier
        app.__dict__["reader"] = lambda **_: self.classifier
        app.__dict__["reader_version"] = getattr(self.classifier, "reader_version", self.classifier.version)
        ours = {"ESCUCHA_ACTOR": actor, "COLUMNS": "80", "XDG_STATE_HOME": str(self.folder / "state")}
        return CliRunner(env={**ours, **(environment or {})}).invoke(cli.escucha, args, input=input, obj=app)


def _understanding() -> Understanding:
    return Understanding(
        model_version="m1",
        language="es",
        language_score=0.99,
        sentiment=Sentiment.NEGATIVE,
        sentiment_scores={"negative": 0.88, "neutral": 0.1, "positive": 0.02},
        intents=(Intent.OUTAGE_REPORT, Intent.COMPLAINT),
        intent_scores={"outage_report": 0.91, "complaint": 0.64, "question": 0.05},
    )


# What a terminal must never be sent from outside: commands, and signs that hide or turn text around.
DANGEROUS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
