"""Who drew for a share and fell on which side, and what became of both sides.

Both sides are alike but for the draw where nothing else kept a reply from going out alone: only those are compared.
What came of it is watched for a day from the decision, on both sides alike, whether or not anything was sent by then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from sqlalchemy import Join, Select, and_, case, exists, func, insert, select
from sqlalchemy.sql.elements import ColumnElement

from listener.store import Transaction
from listener.store import tables as t
from listener.types import CaseState, Decision, DraftState, Level, Mode, Sentiment

WATCHED = timedelta(days=1)
TIMED = 10_000  # of so many drafts that people decided, the newest, it is told how long that took

# What became of a draft: by its state, and whether a person changed its words.
FATES = ("sent_as_written", "sent_edited", "on_its_way", "rejected", "waiting", "expired", "failed", "unknown")
# What may come within a day: the author writes again, and complains; asks to be left alone; the case is opened again.
OUTCOMES = ("wrote_again", "complained_again", "asked_to_be_left_alone", "case_reopened")
_FATE_OF: Mapping[str, str] = {
    DraftState.PROPOSED: "waiting",
    DraftState.APPROVED: "on_its_way",
    DraftState.SENDING: "on_its_way",
    DraftState.REJECTED: "rejected",
    DraftState.EXPIRED: "expired",
    DraftState.FAILED: "failed",
    DraftState.UNKNOWN: "unknown",
}


@dataclass(kw_only=True)
class Side:
    """Those of one side that are compared. `watched`: those whose day is over; `came`: of these, by `OUTCOMES`.

    `seconds`: until a person decided, the half of them sooner; None where nobody did.
    """

    drafts: int = 0
    fates: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FATES, 0))
    watched: int = 0
    came: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    seconds: float | None = None


@dataclass(kw_only=True)
class Drawn:
    """All that drew for one share. `least` and `most`: the share in percent, as it was. `drew`: whatever else held."""

    level: Level
    name: str
    least: float
    most: float
    drew: int = 0
    alone: Side = field(default_factory=Side)
    suggested: Side = field(default_factory=Side)

    def side(self, alone: bool) -> Side:
        """Those that were within the share, or the others."""
        return self.alone if alone else self.suggested


def sides(decision: Decision, mention_id: int, *, now: datetime) -> list[dict[str, Any]]:
    """On which side a draft fell, for each share that it drew for: columns, but for the decision's number. Pure."""
    held = any(guard.holds or guard.forbids for guard in decision.guards)
    return [
        {
            "level": trace.level.value,
            "name": trace.name,
            "mention_id": mention_id,
            "share": trace.share,
            "alone": trace.mode is Mode.AUTO,
            "alone_but_for_this": not held
            and all(other.mode is Mode.AUTO for other in decision.modes if other is not trace),
            "at": now,
            "day_over_at": now + WATCHED,
        }
        for trace in decision.modes
        if trace.lot is not None
    ]


def keep(tx: Transaction, decision_id: int, mention_id: int, decision: Decision, *, now: datetime) -> None:
    """Keeps on which side a draft fell, for each share that it drew for."""
    for values in sides(decision, mention_id, now=now):
        tx.execute(insert(t.draws).values(decision_id=decision_id, **values))


def compared(tx: Transaction, *, since: datetime, now: datetime) -> list[Drawn]:
    """Every share that mentions decided at or after `since` drew for, widest level first. Each mention counts once, as
    it drew last.
    """
    found: dict[tuple[str, str], Drawn] = {}
    drew = t.draws.c
    counted = select(drew.level, drew.name, func.count(), func.min(drew.share), func.max(drew.share))
    for level, name, number, least, most in tx.execute(counted.where(*_counts(since)).group_by(drew.level, drew.name)):
        found[level, name] = Drawn(level=Level(level), name=name, least=least, most=most, drew=number)
    for level, name, alone, state, edited, number in tx.execute(_fates(since)):
        side = found[level, name].side(alone)
        fate = _FATE_OF.get(state, "sent_edited" if edited else "sent_as_written")
        side.drafts += number
        side.fates[fate] += number
    for level, name, alone, number, *came in tx.execute(_outcomes(since, now)):
        side = found[level, name].side(alone)
        side.watched = number
        side.came = {what: int(times or 0) for what, times in zip(OUTCOMES, came, strict=True)}
    for each in found.values():
        each.suggested.seconds = _half_within(tx, each, since)
    order = list(Level)
    return sorted(found.values(), key=lambda each: (order.index(each.level), each.name))


def _counts(since: datetime) -> list[ColumnElement[bool]]:
    """Since then, and the last time that this mention drew for it: what was answered draws no more."""
    drew, newer = t.draws.c, t.draws.alias("newer")
    same = (newer.c.mention_id == drew.mention_id, newer.c.level == drew.level, newer.c.name == drew.name)
    replaced = exists().where(*same, newer.c.decision_id > drew.decision_id)
    return [drew.at >= since, ~replaced]


def _with_drafts() -> Join:
    """Draws with the draft of the same decision; by the mention, for which drafts have an index."""
    drew, drafts = t.draws.c, t.drafts.c
    return t.draws.join(t.drafts, and_(drafts.mention_id == drew.mention_id, drafts.decision_id == drew.decision_id))


def _fates(since: datetime) -> Select[Any]:
    drew, drafts = t.draws.c, t.drafts.c
    edited = case((drafts.wording == "", True), else_=False)
    sides = (drew.level, drew.name, drew.alone, drafts.state, edited)
    query = select(*sides, func.count()).select_from(_with_drafts())
    return query.where(*_counts(since), drew.alone_but_for_this).group_by(*sides)


def _outcomes(since: datetime, now: datetime) -> Select[Any]:
    """How many of each side were watched for a day, and to how many of these each of `OUTCOMES` came."""
    drew, said, later, read = t.draws.c, t.mentions.c, t.mentions.alias("later"), t.understandings.c
    again = (
        later.c.account_id == said.account_id,
        later.c.id != said.id,
        later.c.posted_at > drew.at,
        later.c.posted_at <= drew.day_over_at,
    )
    negative = exists().where(
        read.mention_id == later.c.id,
        read.revision == later.c.revision,
        read.sentiment == Sentiment.NEGATIVE.value,
    )
    left = exists().where(
        t.accounts.c.id == said.account_id,
        t.accounts.c.left_alone_at > drew.at,
        t.accounts.c.left_alone_at <= drew.day_over_at,
    )
    happened = t.case_events.c
    reopened = exists().where(
        happened.case_id == t.drafts.c.case_id,
        happened.kind == "reopened",
        happened.detail["was"].as_string() != CaseState.PENDING.value,  # what waited for the author only goes on
        happened.at > drew.at,
        happened.at <= drew.day_over_at,
    )
    came = (exists().where(*again), exists().where(*again, negative), left, reopened)
    sides = (drew.level, drew.name, drew.alone)
    return (
        select(*sides, func.count(), *(func.sum(case((each, 1), else_=0)) for each in came))
        .select_from(_with_drafts().join(t.mentions, said.id == drew.mention_id))
        .where(*_counts(since), drew.alone_but_for_this, drew.day_over_at <= now)
        .group_by(*sides)
    )


def _half_within(tx: Transaction, each: Drawn, since: datetime) -> float | None:
    """Seconds within which people had decided half of the drafts that fell to them; None where they decided none."""
    drew, drafts = t.draws.c, t.drafts.c
    query = (
        select(drafts.proposed_at, drafts.decided_at)
        .select_from(_with_drafts())
        .where(*_counts(since), drew.level == each.level.value, drew.name == each.name)
        .where(drew.alone_but_for_this, ~drew.alone, ~drafts.automatic, drafts.decided_at.is_not(None))
        .where(drafts.state != DraftState.PROPOSED.value)
        .order_by(drew.decision_id.desc())
        .limit(TIMED)
    )
    took = [(row.decided_at - row.proposed_at).total_seconds() for row in tx.execute(query)]
    return median(took) if took else None
