"""The cases that a mention may belong to, with what it takes to say which one does: desk/matters.py."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, func, select

from listener.store import Transaction, cases
from listener.store import tables as t
from listener.store.cases import LIVE, Case
from listener.store.mentions import Mention
from listener.types import CaseState, MentionState

MOST = 20  # cases of one person that are looked at, the newest
READ = 200  # of their mentions, the newest


class Answers(StrEnum):
    """How a mention hangs together with what is in a case."""

    THEIRS = "theirs"  # it answers a mention that is in the case
    OURS = "ours"  # it answers what we answered there
    THREAD = "thread"  # it stands in the same thread or mail conversation
    NOTHING = ""


@dataclass(frozen=True, kw_only=True)
class Around:
    """A case with what is known of its matter: the areas, intents, networks and words of its mentions.

    `over_since`: None while it is live. `mention_in`: the mention is in it already.
    """

    case: Case
    areas: frozenset[str] = frozenset()
    intents: frozenset[str] = frozenset()
    networks: frozenset[str] = frozenset()
    texts: tuple[str, ...] = ()
    said_last_at: datetime | None = None
    over_since: datetime | None = None
    mention_in: bool = False
    answers: Answers = Answers.NOTHING


def around(
    tx: Transaction, mention: Mention, *, customer_id: int | None, quoted: Sequence[str], since: datetime
) -> list[Around]:
    """Cases of the mention's author or their customer that are live or ended after `since`, and those that it is in,
    answers or quotes, the newest first; a merged one is where it is a part of.

    Locks the account and the customer: see `cases.hold_person`.
    """
    cases.hold_person(tx, account_id=mention.account_id, customer_id=customer_id)
    columns = t.cases.c
    whose = columns.account_id == mention.account_id
    if customer_id is not None:
        whose = whose | (columns.customer_id == customer_id)
    recent = columns.state.in_([state.value for state in LIVE]) | (columns.changed_at >= since)
    ids = set(tx.scalars(select(columns.id).where(whose, recent).order_by(columns.id.desc()).limit(MOST)).all())
    inside = t.case_mentions.c
    own = set(tx.scalars(select(inside.case_id).where(inside.mention_id == mention.id)).all())
    answers = _answers(tx, mention)
    if quoted:
        ids |= set(tx.scalars(select(columns.id).where(columns.reference.in_(quoted))).all())
    found = {case.id: case for case in (cases.whole(tx, each) for each in cases.by_ids(tx, ids | own | set(answers)))}
    said = _said(tx, list(found))
    over = over_since(tx, [case for case in found.values() if case.state not in LIVE])
    return [
        made(
            case,
            said[case.id],
            mention,
            over_since=over.get(case.id),
            mention_in=case.id in own,
            answers=answers.get(case.id, Answers.NOTHING),
        )
        for case in sorted(found.values(), key=lambda case: -case.id)
    ]


def made(
    case: Case,
    said: Sequence[Any],
    mention: Mention,
    *,
    over_since: datetime | None = None,
    mention_in: bool = False,
    answers: Answers = Answers.NOTHING,
) -> Around:
    """A case beside that mention, of rows of what was said in it. Pure."""
    return Around(
        case=case,
        areas=frozenset(area for row in said for area in row.areas or ()),
        intents=frozenset(intent for row in said for intent in row.intents or ()),
        networks=frozenset(row.network for row in said),
        texts=tuple(row.text for row in said if row.mention_id != mention.id),
        said_last_at=max((row.posted_at for row in said), default=None),
        over_since=over_since,
        mention_in=mention_in,
        answers=answers,
    )


def _answers(tx: Transaction, mention: Mention) -> dict[int, Answers]:
    """The cases whose conversation the mention goes on with; the closest bond of each."""
    heard, inside, drafts = t.mentions.c, t.case_mentions.c, t.drafts.c
    of_case = select(inside.case_id).join(t.mentions, heard.id == inside.mention_id)
    others = (heard.network == mention.network, heard.id != mention.id)
    found: dict[int, Answers] = {}
    if mention.thread_id is not None:
        thread = of_case.where(*others, heard.thread_id == mention.thread_id).distinct().limit(READ)
        found |= dict.fromkeys(tx.scalars(thread), Answers.THREAD)
    if mention.parent_id is not None:
        ours = (
            select(inside.case_id)
            .join(t.drafts, drafts.mention_id == inside.mention_id)
            .join(t.mentions, heard.id == drafts.mention_id)
            .where(drafts.posted_id == mention.parent_id, heard.network == mention.network)
        )
        found |= dict.fromkeys(tx.scalars(ours), Answers.OURS)
        theirs = of_case.where(*others, heard.external_id == mention.parent_id)
        found |= dict.fromkeys(tx.scalars(theirs), Answers.THEIRS)
    return found


def _said(tx: Transaction, case_ids: Sequence[int]) -> Mapping[int, list[Any]]:
    """What was said in each of the cases and how it was understood, the newest first; nothing that was deleted."""
    read, heard, inside = t.understandings.c, t.mentions.c, t.case_mentions.c
    understood = (read.mention_id == heard.id) & (read.revision == heard.revision)
    query = (
        select(inside.case_id, inside.mention_id, heard.network, heard.text, heard.posted_at, read.areas, read.intents)
        .join(t.mentions, heard.id == inside.mention_id)
        .outerjoin(t.understandings, understood)
        .where(inside.case_id.in_(case_ids), heard.state != MentionState.GONE.value)
        .order_by(inside.mention_id.desc())
        .limit(READ)
    )
    said: dict[int, list[Any]] = defaultdict(list)
    for row in tx.execute(query) if case_ids else ():
        said[row.case_id].append(row)
    return said


def over_since(tx: Transaction, over: Collection[Case]) -> dict[int, datetime]:
    """Since when each of those cases is over."""
    if not over:
        return {}
    happened = t.case_events.c
    ends = (CaseState.RESOLVED.value, CaseState.CLOSED.value)
    query = (
        select(happened.case_id, func.max(happened.at).label("at"))
        .where(happened.case_id.in_([case.id for case in over]), happened.kind.in_(ends))
        .group_by(happened.case_id)
    )
    told = {row.case_id: row.at for row in tx.execute(query)}
    return {case.id: told.get(case.id) or case.resolved_at or case.changed_at for case in over}


def said_in(tx: Transaction, case_ids: Collection[int]) -> dict[int, list[Any]]:
    """What was said in each of many cases, as `around` reads it: of each the newest `READ`, the newest first."""
    said: dict[int, list[Any]] = defaultdict(list)
    for row in tx.execute(_newest_said(), {"cases": list(case_ids)}) if case_ids else ():
        said[row.case_id].append(row)
    return said


@cache
def _newest_said() -> Select[Any]:
    read, heard, inside = t.understandings.c, t.mentions.c, t.case_mentions.c
    these = t.cases.c.id.in_(bindparam("cases", expanding=True))
    older = t.case_mentions.alias("older")
    oldest = (
        select(older.c.mention_id)
        .where(older.c.case_id == t.cases.c.id)
        .order_by(older.c.mention_id.desc())
        .offset(READ - 1)
        .limit(1)
        .scalar_subquery()
    )
    first = select(t.cases.c.id, func.coalesce(oldest, 0).label("first")).where(these).cte("first")
    understood = (read.mention_id == heard.id) & (read.revision == heard.revision)
    columns = (inside.case_id, inside.mention_id, heard.network, heard.text, heard.posted_at, read.areas, read.intents)
    return (
        select(*columns)
        .join(first, (first.c.id == inside.case_id) & (inside.mention_id >= first.c.first))
        .join(t.mentions, heard.id == inside.mention_id)
        .outerjoin(t.understandings, understood)
        .where(heard.state != MentionState.GONE.value)
        .order_by(inside.mention_id.desc())
    )
