"""Everything an agent should have in front of them, put together for one screen. Reads only, in a few questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from listener.desk import likeness, standing
from listener.desk.standing import Standing
from listener.desk.suggesting import Suggestion
from listener.store import (
    Transaction,
    cases,
    continuing,
    customers,
    decisions,
    inbox,
    lately,
    links,
    mentions,
    suggestions,
)
from listener.store.cases import Case
from listener.store.customers import Customer
from listener.store.inbox import Draft
from listener.store.lately import Account, Mood, Passed, Solved
from listener.store.links import Link
from listener.store.mentions import Mention
from listener.store.suggestions import Suggestion as MayBe
from listener.types import Offer, Sentiment, Understanding

CONTACTS = 12  # things that passed between us that are told; a screen may have room for fewer
MOODS = 24  # mentions whose mood is drawn
LAST_MOODS = 5  # of them, by which we say how they feel now
OPEN = 5  # open matters that are named
SOLVED = 3  # solved cases that are shown
MAY_BE = 3  # suggestions of who is whom
SUGGESTED = 3  # answers that wait, of one case
NEWEST = 50  # mentions of a case whose answers are looked at


@dataclass(frozen=True, kw_only=True)
class Context:
    """One person at one moment, around one mention or case.

    `standing` is None where nobody knows which customer they are; `may_be`: who may be whom. `open` are their live
    cases, the newest first, `more_open` how many more there are. `passed`: the last contacts on every channel, the
    newest first. `moods`: oldest first. `alike`: solved cases like this matter, the likest first. `about`: the words
    that it is about, in that `language`; whoever has a model adds the `articles` for it, whoever has the policy the
    `offers`. Of a case, `suggested` are the answers that wait, `inside` its mentions by number and why each is in it,
    `strangers` those of them by accounts that are not known to be its person's.
    """

    accounts: tuple[Account, ...] = ()
    links: tuple[Link, ...] = ()
    standing: Standing | None = None
    may_be: tuple[MayBe, ...] = ()
    open: tuple[Case, ...] = ()
    more_open: int = 0
    passed: tuple[Passed, ...] = ()
    moods: tuple[Mood, ...] = ()
    alike: tuple[Solved, ...] = ()
    suggested: tuple[Draft, ...] = ()
    about: str = ""
    language: str = ""
    articles: tuple[Suggestion, ...] = ()
    offers: tuple[Offer, ...] = ()
    inside: Mapping[int, str] = field(default_factory=dict)
    strangers: frozenset[int] = frozenset()

    def beside(self, case: Case) -> Context:
        """The same without what the case itself tells: itself, its own mentions, answers and events."""
        others = [each for each in self.passed if each.mention not in self.inside and each.case != case.reference]
        live = [each for each in self.open if each.id != case.id]
        return replace(self, open=tuple(live), passed=tuple(others))

    @property
    def lately_negative(self) -> tuple[int, int]:
        """How many of their last mentions were negative, and of how many we know."""
        known = [mood for mood in self.moods if mood.sentiment is not None][-LAST_MOODS:]
        return sum(mood.sentiment is Sentiment.NEGATIVE for mood in known), len(known)


def of_mention(tx: Transaction, mention: Mention, *, case: Case | None, now: datetime) -> Context:
    """What is known around a mention, which is not told once more; `case` is the one that it is in."""
    customer = customers.behind(tx, mention.account_id)
    found = _of(tx, account_id=mention.account_id, customer=customer, about=mention, case=case, now=now)
    others = tuple(each for each in found.passed if each.kind != "said" or each.number != mention.id)
    return replace(found, passed=others, open=tuple(each for each in found.open if case is None or each.id != case.id))


def of_case(tx: Transaction, case: Case, *, now: datetime) -> Context:
    """What is known around a case."""
    inside = {number: why for number, why, _ in cases.mentions_in(tx, case)}
    about = mentions.get(tx, next(iter(inside))) if inside else None
    customer = customers.by_id(tx, case.customer_id) if case.customer_id is not None else None
    found = _of(tx, account_id=case.account_id, customer=customer, about=about, case=case, now=now)
    waiting = [draft for draft in inbox.of_mentions(tx, list(inside)[-NEWEST:]) if draft.state in inbox.OPEN]
    return replace(found, suggested=tuple(waiting[:SUGGESTED]), inside=inside, strangers=continuing.strangers(tx, case))


def _of(
    tx: Transaction,
    *,
    account_id: int | None,
    customer: Customer | None,
    about: Mention | None,
    case: Case | None,
    now: datetime,
) -> Context:
    customer_id = customer.id if customer else None
    theirs = lately.accounts(tx, account_id=account_id, customer_id=customer_id)
    ids = [account.id for account in theirs]
    every = lately.cases_of(tx, account_ids=ids, customer_id=customer_id)
    live = [each for each in every if each.state in cases.LIVE]
    understood = decisions.understanding_of(tx, about.id) if about else None
    return Context(
        about=about.text if about else "",
        language=understood.language if understood else "",
        accounts=tuple(theirs),
        links=tuple(links.of(tx, customer)) if customer else (),
        standing=standing.of(tx, customer, now) if customer else None,
        may_be=tuple(_may_be(tx, account_id=account_id, customer_id=customer_id)),
        open=tuple(live[:OPEN]),
        more_open=len(live[OPEN:]),
        passed=tuple(_passed(tx, ids, every)),
        moods=tuple(lately.moods(tx, ids, limit=MOODS)),
        alike=tuple(_alike(tx, about, understood, case)),
    )


def _passed(tx: Transaction, account_ids: Sequence[int], every: Sequence[Case]) -> list[Passed]:
    """All channels in one time line, the newest first."""
    found = lately.said(tx, account_ids, limit=CONTACTS)
    found += lately.answered(tx, account_ids, limit=CONTACTS)
    found += lately.happened(tx, every, limit=CONTACTS)
    return sorted(found, key=lambda each: each.at, reverse=True)[:CONTACTS]


def _may_be(tx: Transaction, *, account_id: int | None, customer_id: int | None) -> list[MayBe]:
    """What waits for a person to say who is whom."""
    if customer_id is not None:
        return suggestions.waiting(tx, customer_id=customer_id, limit=MAY_BE)
    return suggestions.waiting(tx, account_id=account_id, limit=MAY_BE) if account_id is not None else []


def _alike(tx: Transaction, about: Mention | None, understood: Understanding | None, case: Case | None) -> list[Solved]:
    """Solved cases of the same team like this one, with what was noted as their solution."""
    if about is None or case is None or not about.text.strip():
        return []
    chosen = likeness.alike(
        lately.solved(tx, team=case.team, but=[case.id]),
        text=about.text,
        intents=understood.intents if understood else (),
        areas=understood.areas if understood else (),
        tags=case.tags,
        limit=SOLVED,
    )
    noted = lately.solutions(tx, [each.case_id for each in chosen]) if chosen else {}
    return [replace(each, solution=noted.get(each.case_id, "")) for each in chosen]
