"""What customers allowed, and what they took back. Nothing is changed or deleted: the newest word counts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select

from listener.store import Transaction, audit
from listener.store import tables as t

ANY = "any"


@dataclass(frozen=True, kw_only=True)
class Consent:
    """What was said about one channel ("any": all of them) and purpose, in small letters. `at`: when they said so."""

    channel: str
    purpose: str
    given: bool
    at: datetime
    source: str
    noted_by: str


def history(tx: Transaction, customer_id: int) -> list[Consent]:
    """All that was ever said, the oldest first."""
    c = t.consents.c
    rows = tx.execute(select(t.consents).where(c.customer_id == customer_id).order_by(c.at, c.id))
    return [
        Consent(
            channel=row.channel,
            purpose=row.purpose,
            given=row.given,
            at=row.at,
            source=row.source,
            noted_by=row.noted_by,
        )
        for row in rows
    ]


def current(tx: Transaction, customer_id: int) -> list[Consent]:
    """The newest word for each channel and purpose, by purpose and channel."""
    newest = {(each.purpose, each.channel): each for each in history(tx, customer_id)}
    return [newest[name] for name in sorted(newest)]


def current_among(tx: Transaction, customer_ids: Collection[int]) -> dict[tuple[int, str, str], bool]:
    """What those customers said last, by customer id, channel and purpose."""
    c = t.consents.c
    rows = tx.execute(select(t.consents).where(c.customer_id.in_(customer_ids)).order_by(c.at, c.id))
    return {(row.customer_id, row.channel, row.purpose): row.given for row in rows}


def allows(said: Sequence[Consent], *, channel: str, purpose: str) -> bool | None:
    """Whether contact on that channel for that purpose is allowed; None where nobody asked them.

    Of a word about this channel and one about all of them the newer counts. Pure.
    """
    about = [each for each in said if each.purpose == purpose and each.channel in (channel, ANY)]
    return max(about, key=lambda each: each.at).given if about else None


def note(
    tx: Transaction,
    told: Sequence[tuple[int, str, Consent]],
    *,
    now: datetime,
) -> None:
    """Adds what (customer id, reference) said; the audit log hears of channel and purpose."""
    if not told:
        return
    tx.execute(
        insert(t.consents),
        [
            {
                "customer_id": customer_id,
                "channel": each.channel,
                "purpose": each.purpose,
                "given": each.given,
                "at": each.at,
                "source": each.source,
                "noted_by": each.noted_by,
                "noted_at": now,
            }
            for customer_id, _, each in told
        ],
    )
    audit.record_all(
        tx,
        [
            audit.Entry(
                at=now,
                by=each.noted_by,
                action="customer.consent_given" if each.given else "customer.consent_withdrawn",
                subject=f"customer {reference}",
                detail={"channel": each.channel, "purpose": each.purpose},
            )
            for _, reference, each in told
        ],
    )
