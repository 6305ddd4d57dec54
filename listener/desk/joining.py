"""A mention finds its case: `matters.py` says which, from what is known here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from listener.desk import matters
from listener.desk.matters import Heard
from listener.references import quoted_in, written_by
from listener.store import Transaction, references
from listener.store import matters as store
from listener.store.cases import Case
from listener.store.customers import Customer
from listener.store.mentions import Mention
from listener.types import Understanding, Visibility

_MAY_QUOTE = re.compile(r"[0-9OoIl][^0-9]{0,3}[0-9OoIl]")


@dataclass(frozen=True, kw_only=True)
class Found:
    """The case that a mention joins, None: a new one; why, whether it reopens that, and whether it is that person's."""

    case: Case | None
    why: str
    reopens: bool = True
    known: bool = True


def find(
    tx: Transaction,
    mention: Mention,
    *,
    understanding: Understanding | None,
    customer: Customer | None,
    pattern: str,
    reopen: timedelta,
    now: datetime,
) -> Found:
    """Which case the mention belongs to, and why. Locks its author's row, so that nobody opens another meanwhile."""
    heard = heard_in(mention, understanding, customer, quotes(tx, mention.text, pattern))
    around = store.around(tx, mention, customer_id=heard.customer_id, quoted=heard.quotes, since=now - reopen)
    return among(heard, around, reopen=reopen, now=now)


def heard_in(
    mention: Mention, understanding: Understanding | None, customer: Customer | None, quoted: tuple[str, ...]
) -> Heard:
    """What of the mention says which matter it is about. Pure."""
    return Heard(
        account_id=mention.account_id,
        customer_id=customer.id if customer else None,
        network=mention.network,
        private=mention.visibility is Visibility.DIRECT,
        text=mention.text,
        posted_at=mention.posted_at,
        quotes=quoted,
        areas=frozenset(understanding.areas) if understanding else frozenset(),
        intents=frozenset(understanding.intents) if understanding else frozenset(),
    )


def among(heard: Heard, around: Sequence[store.Around], *, reopen: timedelta, now: datetime) -> Found:
    """Which of the cases (the newest first) it joins, and why. Pure."""
    joins = matters.which(heard, around, reopen=reopen, now=now)
    case = joins.around.case if joins.around else None
    return Found(case=case, why=joins.why, reopens=joins.reopens, known=joins.known)


def quotes(tx: Transaction, text: str, pattern: str) -> tuple[str, ...]:
    """The references in the text, by the pattern of now and by those of before."""
    if not may_quote(text):
        return ()
    return quoted(text, patterns(tx, pattern))


def patterns(tx: Transaction, pattern: str) -> tuple[str, ...]:
    """The pattern of now and those by which references were given before."""
    return tuple(dict.fromkeys([written_by(pattern), *references.patterns(tx)]))


def quoted(text: str, patterns: Sequence[str]) -> tuple[str, ...]:
    """The references by those patterns in the text. Pure."""
    return tuple(dict.fromkeys(each for pattern in patterns for each in quoted_in(text, pattern)))


def may_quote(text: str) -> bool:
    """Whether a reference could stand in the text: a quick look, wrong only in saying yes. Pure."""
    return _MAY_QUOTE.search(text) is not None
