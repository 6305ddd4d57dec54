"""What changed in the database since the last look, for the demo's screen: decided mentions, and what happened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from listener.commands.output import spell
from listener.store import Store, Transaction, cases, customers, decisions, inbox, mentions, notices, stats
from listener.store.cases import Case
from listener.store.inbox import Draft
from listener.store.mentions import Mention
from listener.store.stats import Counts
from listener.types import CaseState, DeliveryState, DraftState, MentionState, RuleOutcome

ALL = 100_000  # more than any demo brings


@dataclass(frozen=True, kw_only=True)
class Row:
    """One mention as it was understood and decided. `badge`: the tier of the customer behind it, or `edited`."""

    at: datetime
    mention: int
    network: str
    author: str
    badge: str
    text: str
    sentiment: str
    intents: tuple[str, ...]
    rule: str


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that happened. `kind` chooses its colour, `word` stands in front."""

    at: datetime
    kind: str
    word: str
    text: str


@dataclass(frozen=True, kw_only=True)
class News:
    """Since the last look, each list oldest first."""

    rows: tuple[Row, ...]
    events: tuple[Event, ...]
    counts: Counts


class Watch:
    """Remembers what it has seen, and tells the rest."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._mentions: dict[int, tuple[int, MentionState]] = {}
        self._drafts: dict[int, tuple[DraftState, int]] = {}
        self._cases: dict[str, CaseState] = {}
        self._deliveries: dict[int, DeliveryState] = {}

    def look(self, now: datetime) -> News:
        """What is new."""
        rows: list[Row] = []
        events: list[Event] = []
        with self.store.read() as tx:
            heard = mentions.recent(tx, limit=ALL)[::-1]
            for mention in heard:
                seen = (mention.revision, mention.state)
                if self._mentions.get(mention.id) == seen:
                    continue
                self._mentions[mention.id] = seen
                if mention.state is MentionState.DECIDED:
                    rows.append(_row(tx, mention, now))
                elif mention.state is MentionState.GONE:
                    text = f"@{mention.author.handle} took M{mention.id} back: it is erased here too"
                    events.append(Event(at=now, kind="gone", word="deleted", text=text))
            listed = cases.listing(tx, states=tuple(CaseState))
            events += [self._case(case, now) for case in listed if case.reference not in self._cases]
            self._cases = {case.reference: case.state for case in listed}
            by_id = {mention.id: mention for mention in heard}
            drafts = sorted(inbox.waiting(tx, states=tuple(DraftState)), key=lambda draft: draft.id)
            for draft in drafts:
                events += self._draft(draft, by_id[draft.mention_id].author.handle, now)
            deliveries = [each for notice in notices.listing(tx)[::-1] for each in notice.deliveries]
            for delivery in deliveries:
                if delivery.state is DeliveryState.SENT is not self._deliveries.get(delivery.id):
                    text = f"notice N{delivery.notice_id} in {delivery.language} is out on {delivery.network}"
                    events.append(Event(at=now, kind="sent", word="published", text=text))
                self._deliveries[delivery.id] = delivery.state
            counted = stats.counts(tx)
        return News(rows=tuple(rows), events=tuple(events), counts=counted)

    @staticmethod
    def _case(case: Case, now: datetime) -> Event:
        due = f", due in {spell(case.first_response_due - case.opened_at)}" if case.first_response_due else ""
        who = case.customer_name or (f"@{case.handle}" if case.handle else "nobody")
        text = f"{case.reference} {who} → {case.team}, {case.urgency.value}{due}"
        return Event(at=now, kind="case", word="case", text=text)

    def _draft(self, draft: Draft, handle: str, now: datetime) -> list[Event]:
        before, edit = self._drafts.get(draft.id, (None, 0))
        self._drafts[draft.id] = (draft.state, draft.edit)
        if before is draft.state and edit == draft.edit:
            return []
        name, reason = f"D{draft.id}", f": {draft.reason}" if draft.reason else ""
        told: list[tuple[str, str, str]] = []
        if before is None:
            told.append(("draft", "draft", f"{name} for @{handle} ({draft.template}): {draft.text}"))
        silent = (DraftState.PROPOSED, DraftState.REJECTED, DraftState.EXPIRED)
        if before in (None, DraftState.PROPOSED) and draft.state not in silent:
            told.append(("person", "approved", f"{name} by {draft.decided_by}"))
        match draft.state:
            case DraftState.APPROVED if before is DraftState.UNKNOWN:
                told.append(("trouble", "settled", f"{name} is not on the network: it may be sent again"))
            case DraftState.REJECTED:
                told.append(("person", "rejected", f"{name} by {draft.decided_by}{reason}"))
            case DraftState.SENT if before is DraftState.UNKNOWN:
                told.append(("sent", "settled", f"{name} had reached @{handle}: it is not said twice"))
            case DraftState.SENT:
                told.append(("sent", "sent", f"{name} to @{handle}"))
            case DraftState.UNKNOWN:
                told.append(("trouble", "unknown", f"{name}: the answer was lost; looking before anything is repeated"))
            case DraftState.FAILED:
                told.append(("trouble", "refused", f"{name}{reason}"))
            case DraftState.EXPIRED:
                told.append(("gone", "withdrawn", f"{name}{reason}"))
        return [Event(at=now, kind=kind, word=word, text=text) for kind, word, text in told]


def _row(tx: Transaction, mention: Mention, now: datetime) -> Row:
    understanding = decisions.understanding_of(tx, mention.id)
    decision = decisions.decisions_of(tx, mention.id)[0]
    rules = [rule["rule"] for rule in decision.trace["rules"] if rule["outcome"] == RuleOutcome.MATCHED]
    held = [guard["guard"] for guard in decision.trace["guards"] if guard["forbids"]]
    customer = customers.behind(tx, mention.account_id)
    return Row(
        at=now,
        mention=mention.id,
        network=mention.network,
        author=f"@{mention.author.handle}",
        badge="edited" if mention.revision > 1 else customer.tier if customer else "",
        text=mention.text,
        sentiment=understanding.sentiment.value if understanding and understanding.sentiment else "unsure",
        intents=tuple(intent.value.replace("_", " ") for intent in understanding.intents) if understanding else (),
        rule=" + ".join(rules[-1:] + rules[:-1]) or (f"guard: {held[0]}" if held else "no rule"),
    )
