"""What is known around many mentions at once: the same facts that are asked of one, in a few questions for a batch.

Each fact is a question of its own within one statement, by an index and with the limit that it has elsewhere, so that
nobody's long history and no crowded thread takes long. Cases are only numbered here; `matters.py` reads them.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    CTE,
    JSON,
    BigInteger,
    ColumnElement,
    DateTime,
    FromClause,
    ScalarSelect,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.types import TypeEngine

from listener.store import Transaction
from listener.store import tables as t
from listener.store.cases import LIVE
from listener.store.matters import MOST, READ
from listener.store.mentions import BELIEVED, Mention
from listener.store.threads import Said
from listener.types import Author, CaseState, DraftState, Intent, Visibility

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
COPIES = 100  # other accounts with the same text that are counted
COMPLAINED = 500  # of one person's newest posts, or of what is in their cases, that are looked at for complaints


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """What was heard last in a thread before a mention; `is_ours`: Escucha wrote it."""

    said: Said
    at: datetime
    is_ours: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What is known around one mention. Counts are those of its account alone, but `complaints` those of its person.

    `by_account`, `theirs`, `ours`, `thread`: numbers of cases: live or lately over of its author; that it answers;
    whose answer of ours it answers; in whose conversation it stands. `repliers`: the handles of others who answered it,
    whoever was heard first. `before`: it was decided or answered before, or is
    in a case already. `answers_alone`: it answers what we wrote to one person alone.
    """

    week: int
    ten_minutes: int
    same_text: int
    quick_replies: int
    complaints: int
    unsolved: int
    others_with_its_text: int
    by_account: tuple[int, ...]
    theirs: tuple[int, ...]
    ours: tuple[int, ...]
    thread: tuple[int, ...]
    before: bool
    is_ours: bool
    answers_us: bool
    answered: bool
    answered_by_hand: bool
    repliers: tuple[str, ...]
    answers_alone: bool
    heard_last: Heard | None


def around(
    tx: Transaction, batch: Sequence[Mention], *, since: datetime, quick: timedelta, now: datetime
) -> dict[int, Known]:
    """What is known around each of these mentions, by its number. `since`: cases that were over before do not count.

    `quick`: see `authors.habits`.
    """
    moment = t.mentions.c.heard_at.type.dialect_impl(tx.dialect).bind_processor(tx.dialect) or str

    def written(at: datetime) -> str:
        return str(moment(at))

    asked = [
        [
            each.id,
            written(each.heard_at - HOUR),
            written(each.heard_at + HOUR),
            written(each.heard_at - HOUR - BELIEVED),
        ]
        for each in batch
    ]
    times = {
        "week": now - timedelta(days=7),
        "week_believed": now - timedelta(days=7) - BELIEVED,
        "day": now - DAY,
        "day_believed": now - DAY - BELIEVED,
        "minutes": now - timedelta(minutes=10),
        "month": now - timedelta(days=30),
        "near_since": now - HOUR,
        "near_until": now + HOUR,
        "near_believed": now - HOUR - BELIEVED,
        "over_since": since,
    }
    rows = tx.execute(_question(tx.dialect.name), {"asked": json.dumps(asked), **times}).all()
    said = _said(tx, {row.heard_last for row in rows if row.heard_last is not None})
    repliers = _repliers(tx, [row.id for row in rows if row.has_repliers])
    hasty = _hasty(tx, {each.account_id for each in batch}, quick=quick, now=now)
    return {row.id: _known(row, said, hasty[row.account_id], repliers[row.id]) for row in rows}


def _known(row: Any, said: Mapping[int, Any], hasty: int, repliers: Sequence[str]) -> Known:
    week, minutes, same = _listed(row.counts)
    heard = said.get(row.heard_last)
    return Known(
        week=int(week or 0),
        ten_minutes=int(minutes or 0),
        same_text=int(same or 0),
        quick_replies=hasty,
        complaints=row.complaints,
        unsolved=row.unsolved,
        others_with_its_text=row.others,
        by_account=_listed(row.by_account),
        theirs=_listed(row.theirs),
        ours=_listed(row.ours),
        thread=(*_listed(row.conversation), *_listed(row.thread)),
        before=bool(row.before),
        is_ours=bool(row.is_ours),
        answers_us=bool(row.answers_us),
        answered=bool(row.answered),
        answered_by_hand=bool(row.by_hand),
        repliers=tuple(repliers),
        answers_alone=bool(row.answers_alone),
        heard_last=None
        if heard is None
        else Heard(
            said=Said(
                external_id=heard.external_id,
                author=Author(external_id=heard.who, handle=heard.handle, url=heard.url),
            ),
            at=heard.posted_at,
            is_ours=bool(heard.is_ours),
        ),
    )


def _listed(found: Any) -> tuple[Any, ...]:
    """A list that the database made, whether its driver has read it or not."""
    if not found or found == "[]":
        return ()
    return tuple(json.loads(found) if isinstance(found, str) else found)


# --- the question ----------------------------------------------------------------------------------------------------

_COMPLAINT = f'%"{Intent.COMPLAINT.value}"%'


def _asked(dialect: str) -> CTE:
    """The mentions that are asked about, one row each, with the times around their hearing."""
    given = bindparam("asked", type_=Text)
    if dialect == "postgresql":
        each = func.json_array_elements(cast(given, JSON)).table_valued("value", name="one")
        kinds: tuple[TypeEngine[Any], ...] = (BigInteger(), *(DateTime(timezone=True),) * 3)
        picked: list[ColumnElement[Any]] = [
            cast(literal_column(f"one.value ->> {place}"), kind) for place, kind in enumerate(kinds)
        ]
    else:
        each = func.json_each(given).table_valued("value", name="one")
        picked = [literal_column(f"json_extract(one.value, '$[{place}]')") for place in range(4)]
    names = ("id", "heard_since", "heard_until", "believed")
    query = select(*(pick.label(name) for pick, name in zip(picked, names, strict=True))).select_from(each)
    return query.cte("asked").prefix_with("MATERIALIZED")


@cache
def _question(dialect: str) -> Select[Any]:
    asked, me, whose = _asked(dialect), t.mentions.alias("me"), t.links.alias("whose")
    current = and_(whose.c.account_id == me.c.account_id, whose.c.unlinked_at.is_(None))
    gathered = func.json_agg if dialect == "postgresql" else func.json_group_array
    packed = func.json_build_array if dialect == "postgresql" else func.json_array

    def listed(query: Select[Any]) -> ScalarSelect[Any]:
        rows = query.correlate(me, asked, whose).subquery()
        return select(gathered(rows.c[0])).select_from(rows).scalar_subquery()

    said = t.mentions.alias("h")
    when = bindparam
    return select(
        me.c.id,
        me.c.account_id,
        select(
            packed(
                func.sum(case((said.c.heard_at >= when("week"), 1), else_=0)),
                func.sum(case((_lately(said, "minutes"), 1), else_=0)),
                func.sum(case((and_(_lately(said, "day"), said.c.text == me.c.text), 1), else_=0)),
            )
        )
        .where(said.c.account_id == me.c.account_id, said.c.posted_at >= when("week_believed"))
        .correlate(me)
        .scalar_subquery()
        .label("counts"),
        _complaints(me, whose).label("complaints"),
        _unsolved(me).label("unsolved"),
        _others(me, asked).label("others"),
        listed(_cases_of(me)).label("by_account"),
        listed(_theirs(me)).label("theirs"),
        listed(_ours(me)).label("ours"),
        listed(_conversation(me)).label("conversation"),
        listed(_own_in_thread(me, whose)).label("thread"),
        _before(me).label("before"),
        _we_wrote(me, me.c.external_id).label("is_ours"),
        _we_wrote(me, me.c.parent_id).label("answers_us"),
        _answered(me).label("answered"),
        _by_hand(me).label("by_hand"),
        _replied(me).label("has_repliers"),
        _alone(me).label("answers_alone"),
        _heard_last(me).label("heard_last"),
    ).select_from(asked.join(me, me.c.id == asked.c.id).outerjoin(whose, current))


def _hasty(tx: Transaction, accounts: Collection[int], *, quick: timedelta, now: datetime) -> Counter[int]:
    """How often each account answered us within a day so soon that it has hardly read what it answers."""
    day = now - DAY
    times = {"day": day, "day_believed": day - BELIEVED}
    rows = tx.execute(_answers_to_us(), {"accounts": list(accounts), **times})
    return Counter(row.account_id for row in rows if row.posted_at - row.sent_at <= quick)


@cache
def _answers_to_us() -> Select[Any]:
    said, drafts, answered = t.mentions.alias("h"), t.drafts.alias("d"), t.mentions.alias("o")
    lately = (said.c.heard_at >= bindparam("day"), said.c.posted_at >= bindparam("day_believed"))
    return (
        select(said.c.account_id, said.c.posted_at, drafts.c.sent_at)
        .join(drafts, drafts.c.posted_id == said.c.parent_id)
        .join(answered, and_(answered.c.id == drafts.c.mention_id, answered.c.network == said.c.network))
        .where(said.c.account_id.in_(bindparam("accounts", expanding=True)), *lately, drafts.c.sent_at.is_not(None))
    )


def _lately(said: FromClause, since: str) -> ColumnElement[bool]:
    day = and_(said.c.heard_at >= bindparam("day"), said.c.posted_at >= bindparam("day_believed"))
    return and_(said.c.heard_at >= bindparam(since), day)


def _complaints(me: FromClause, whose: FromClause) -> ColumnElement[int]:
    """Of its account; where that is a customer's, of all of theirs, of which it is one."""
    said = t.mentions.alias("h")
    alone = select(said.c.id).where(said.c.account_id == me.c.account_id)
    linked = t.links.alias("l")
    theirs = select(said.c.id).join(linked, linked.c.account_id == said.c.account_id)
    theirs = theirs.where(linked.c.customer_id == whose.c.customer_id, linked.c.unlinked_at.is_(None))
    of_account, of_customer = (_complaining(each, said, me, whose) for each in (alone, theirs))
    return case((whose.c.customer_id.is_(None), of_account), else_=of_customer)


def _complaining(posts: Select[Any], said: FromClause, me: FromClause, whose: FromClause) -> ScalarSelect[Any]:
    read = t.understandings.alias("u")
    newest = (
        posts.add_columns(cast(read.c.intents, Text).label("intents"))
        .join(read, and_(read.c.mention_id == said.c.id, read.c.revision == said.c.revision))
        .where(said.c.posted_at >= bindparam("month"))
        .order_by(said.c.posted_at.desc())
        .limit(COMPLAINED)
        .correlate(me, whose)
        .subquery()
    )
    complains = newest.c.intents.like(_COMPLAINT)
    return select(func.count(func.distinct(newest.c.id))).where(complains).scalar_subquery()


def _unsolved(me: FromClause) -> ScalarSelect[Any]:
    cases, inside, read = t.cases.alias("c"), t.case_mentions.alias("i"), t.understandings.alias("u")
    closed = (cases.c.state == CaseState.CLOSED.value, cases.c.resolved_at.is_(None))
    newest = (
        select(cases.c.id, cast(read.c.intents, Text).label("intents"))
        .join(inside, inside.c.case_id == cases.c.id)
        .join(read, read.c.mention_id == inside.c.mention_id)
        .where(cases.c.account_id == me.c.account_id, *closed)
        .order_by(cases.c.id.desc())
        .limit(COMPLAINED)
        .correlate(me)
        .subquery()
    )
    complains = newest.c.intents.like(_COMPLAINT)
    return select(func.count(func.distinct(newest.c.id))).where(complains).scalar_subquery()


def _others(me: FromClause, asked: FromClause) -> ColumnElement[int]:
    said = t.mentions.alias("h")
    heard = and_(
        said.c.heard_at.between(asked.c.heard_since, asked.c.heard_until), said.c.posted_at >= asked.c.believed
    )
    lately = and_(
        said.c.heard_at.between(bindparam("near_since"), bindparam("near_until")),
        said.c.posted_at >= bindparam("near_believed"),
    )
    same = (
        select(said.c.account_id)
        .where(said.c.copy_key == me.c.copy_key, or_(heard, lately))
        .where(said.c.network == me.c.network, said.c.account_id != me.c.account_id)
        .distinct()
        .limit(COPIES)
        .correlate(me, asked)
        .subquery()
    )
    count = select(func.count()).select_from(same).scalar_subquery()
    return case((me.c.copy_key == "", 0), else_=count)


def _recent(cases: FromClause) -> ColumnElement[bool]:
    live = [state.value for state in LIVE]
    return or_(cases.c.state.in_(live), cases.c.changed_at >= bindparam("over_since"))


def _cases_of(me: FromClause) -> Select[Any]:
    cases = t.cases.alias("c")
    whose = cases.c.account_id == me.c.account_id
    return select(cases.c.id).where(whose, _recent(cases)).order_by(cases.c.id.desc()).limit(MOST)


def _theirs(me: FromClause) -> Select[Any]:
    said, inside = t.mentions.alias("h"), t.case_mentions.alias("i")
    answered = (said.c.network == me.c.network, said.c.external_id == me.c.parent_id, said.c.id != me.c.id)
    return select(inside.c.case_id).join(said, said.c.id == inside.c.mention_id).where(*answered)


def _ours(me: FromClause) -> Select[Any]:
    said, inside, drafts = t.mentions.alias("h"), t.case_mentions.alias("i"), t.drafts.alias("d")
    return (
        select(inside.c.case_id)
        .join(drafts, drafts.c.mention_id == inside.c.mention_id)
        .join(said, said.c.id == drafts.c.mention_id)
        .where(drafts.c.posted_id == me.c.parent_id, said.c.network == me.c.network)
    )


def _conversation(me: FromClause) -> Select[Any]:
    """The cases of a private conversation, whosever they are."""
    said, inside = t.mentions.alias("h"), t.case_mentions.alias("i")
    beside = (said.c.network == me.c.network, said.c.thread_id == me.c.thread_id, said.c.id != me.c.id)
    query = select(inside.c.case_id).join(said, said.c.id == inside.c.mention_id)
    return query.where(me.c.visibility == Visibility.DIRECT.value, *beside).distinct().limit(READ)


def _own_in_thread(me: FromClause, whose: FromClause) -> Select[Any]:
    """Its person's cases that have something in its thread: in public nobody joins those of others in it."""
    said, inside, cases = t.mentions.alias("h"), t.case_mentions.alias("i"), t.cases.alias("c")
    theirs = or_(cases.c.account_id == me.c.account_id, cases.c.customer_id == whose.c.customer_id)
    beside = (said.c.network == me.c.network, said.c.thread_id == me.c.thread_id, said.c.id != me.c.id)
    there = exists().where(inside.c.case_id == cases.c.id, said.c.id == inside.c.mention_id, *beside)
    return select(cases.c.id).where(me.c.visibility != Visibility.DIRECT.value, theirs, there.correlate(cases, me))


def _before(me: FromClause) -> ColumnElement[bool]:
    return or_(
        exists().where(t.case_mentions.c.mention_id == me.c.id),
        exists().where(t.drafts.c.mention_id == me.c.id),
        exists().where(t.decisions.c.mention_id == me.c.id),
    )


def _we_wrote(me: FromClause, post: ColumnElement[Any]) -> ColumnElement[bool]:
    said, drafts = t.mentions.alias("h"), t.drafts.alias("d")
    through = func.coalesce(drafts.c.through, said.c.network)
    wrote = exists().where(drafts.c.posted_id == post, said.c.id == drafts.c.mention_id, through == me.c.network)
    return wrote.correlate(me)


def _us(me: FromClause, accounts: FromClause) -> ColumnElement[bool]:
    ours = select(t.identities.c.external_id).where(t.identities.c.network == me.c.network).correlate(me)
    return accounts.c.external_id.in_(ours)


def _answered(me: FromClause) -> ColumnElement[bool]:
    said, accounts = t.mentions.alias("h"), t.accounts.alias("a")
    answers = (said.c.network == me.c.network, said.c.parent_id == me.c.external_id)
    return exists().where(*answers, accounts.c.id == said.c.account_id, _us(me, accounts)).correlate(me)


def _by_hand(me: FromClause) -> ColumnElement[bool]:
    said, accounts = t.mentions.alias("h"), t.accounts.alias("a")
    drafts, answered = t.drafts.alias("d"), t.mentions.alias("o")
    sent = exists().where(
        drafts.c.posted_id == said.c.external_id,
        answered.c.id == drafts.c.mention_id,
        answered.c.network == said.c.network,
    )
    answers = (said.c.network == me.c.network, said.c.parent_id == me.c.external_id)
    by_us = (accounts.c.id == said.c.account_id, _us(me, accounts))
    return exists().where(*answers, *by_us, ~sent.correlate(said)).correlate(me)


def _replied(me: FromClause) -> ColumnElement[bool]:
    said = t.mentions.alias("h")
    return exists().where(said.c.network == me.c.network, said.c.parent_id == me.c.external_id).correlate(me)


def _alone(me: FromClause) -> ColumnElement[bool]:
    drafts = t.drafts.alias("d")
    sent = drafts.c.state.concat("") == DraftState.SENT.value
    return exists().where(drafts.c.posted_id == me.c.parent_id, drafts.c.channel != "", sent).correlate(me)


def _heard_last(me: FromClause) -> ScalarSelect[Any]:
    said = t.mentions.alias("h")
    thread = (said.c.network == me.c.network, said.c.thread_id == me.c.thread_id)
    before = (said.c.posted_at < me.c.posted_at, said.c.id != me.c.id)
    newest = select(said.c.id).where(*thread, *before).order_by(said.c.posted_at.desc(), said.c.id.desc())
    return newest.limit(1).correlate(me).scalar_subquery()


def _repliers(tx: Transaction, numbers: Sequence[int]) -> dict[int, list[str]]:
    """Whom we heard answering each of these, by handle, whoever was heard first; neither its author nor any of us."""
    found: dict[int, list[str]] = defaultdict(list)
    for number, handle in tx.execute(_who_replied(), {"numbers": list(numbers)}) if numbers else ():
        found[number].append(handle)
    return found


@cache
def _who_replied() -> Select[Any]:
    me, said, accounts = t.mentions.alias("me"), t.mentions.alias("h"), t.accounts.alias("a")
    answers = and_(said.c.network == me.c.network, said.c.parent_id == me.c.external_id)
    ours = select(t.identities.c.external_id).where(t.identities.c.network == me.c.network).correlate(me)
    return (
        select(me.c.id, accounts.c.handle)
        .select_from(me.join(said, answers).join(accounts, accounts.c.id == said.c.account_id))
        .where(me.c.id.in_(bindparam("numbers", expanding=True)), said.c.account_id != me.c.account_id)
        .where(accounts.c.external_id.not_in(ours))
        .group_by(me.c.id, accounts.c.handle)
        .order_by(func.min(said.c.id))
    )


def _said(tx: Transaction, numbers: Collection[int]) -> dict[int, Any]:
    """Those posts with who wrote them, and whether we did."""
    found = tx.execute(_posts(), {"numbers": list(numbers)}).all() if numbers else []
    return {row.id: row for row in found}


@cache
def _posts() -> Select[Any]:
    me = t.mentions.alias("me")
    who = (t.accounts.c.external_id.label("who"), t.accounts.c.handle, t.accounts.c.url)
    return (
        select(me.c.id, me.c.external_id, me.c.posted_at, *who, _we_wrote(me, me.c.external_id).label("is_ours"))
        .join(t.accounts, t.accounts.c.id == me.c.account_id)
        .where(me.c.id.in_(bindparam("numbers", expanding=True)))
    )
