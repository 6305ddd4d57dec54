"""Everybody of an incident, with all that says whether they get an answer of a run, and one when their turn comes.

Reads in bulk: thousands of people cost some dozens of questions. Reads only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, cast, func, or_, select

from listener.store import Transaction, decisions, identities, incident_holds, links
from listener.store import tables as t
from listener.store.answer_runs import Answer, others_held
from listener.store.cases import LIVE
from listener.types import DraftState, IncidentState, Intent, MentionState, PostKind, Sentiment, Understanding, Urgency

TOGETHER = 400  # mentions asked about in one question
LATELY = timedelta(days=7)  # for so long a person's word in a case counts as a conversation
SPOKEN = (DraftState.APPROVED.value, DraftState.SENDING.value, DraftState.SENT.value, DraftState.UNKNOWN.value)
OUT = SPOKEN[1:]


@dataclass(frozen=True, kw_only=True)
class Heard:
    """Something that somebody wrote after a mention of theirs, with what the model made of it, if it has yet."""

    text: str
    intents: tuple[Intent, ...] | None
    sentiment: Sentiment | None


@dataclass(frozen=True, kw_only=True)
class CaseOf:
    """The case that a mention is in. `answered`: we spoke in it since; `talking`: who of us did before, lately."""

    id: int
    reference: str
    team: str
    urgency: Urgency
    live: bool
    answered: bool = False
    talking: str = ""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One mention of an incident with its author.

    `saw`: what its decision saw, as JSON; None where it is not decided as it stands. `earlier`: the run that holds its
    author already. `answered`: we said something to it; `by_hand`: on the network itself. `repliers`: who else did.
    `told_today`, `told_here`: how often we spoke to its author within a day, and in this conversation.
    """

    mention_id: int
    revision: int
    state: MentionState
    network: str
    kind: PostKind
    account: str
    account_id: int
    customer_id: int | None
    handle: str
    display_name: str
    bot: bool
    opted_out: bool
    left_alone: bool
    text: str
    content_warning: str
    unanswerable: str
    posted_at: datetime
    saw: str | None
    understanding: Understanding | None
    case: CaseOf | None
    earlier: int | None
    answered: bool
    by_hand: bool
    repliers: tuple[str, ...]
    later: tuple[Heard, ...]
    told_today: int
    told_here: int


def candidates(tx: Transaction, incident_id: int, now: datetime) -> Iterator[Candidate]:
    """Every mention of the incident, oldest first; what its author deleted too."""
    columns = t.incident_mentions.c
    current = (columns.incident_id == incident_id, columns.undone_at.is_(None))
    ids = list(tx.scalars(select(columns.mention_id).where(*current).order_by(columns.mention_id)))
    earlier = _held(tx, incident_id)
    ours: dict[str, frozenset[str]] = {}
    for first in range(0, len(ids), TOGETHER):
        yield from _some(tx, ids[first : first + TOGETHER], earlier, ours, now)


def _held(tx: Transaction, incident_id: int) -> tuple[Mapping[int, int], Mapping[int, int]]:
    """By account and by customer: the run that holds them."""
    columns = t.answers.c
    held = (columns.incident_id == incident_id, columns.holds.is_(True))
    rows = tx.execute(select(columns.account_id, columns.customer_id, columns.answer_run_id).where(*held)).all()
    accounts = {row.account_id: row.answer_run_id for row in rows}
    customers = {row.customer_id: row.answer_run_id for row in rows if row.customer_id is not None}
    linked = _customers(tx, accounts)  # who became a customer since
    customers |= {customer: accounts[account] for account, customer in linked.items()}
    return accounts, customers


def _customers(tx: Transaction, accounts: Iterable[int]) -> dict[int, int]:
    """By account, whose it is."""
    wanted = sorted(accounts)
    found: dict[int, int] = {}
    for first in range(0, len(wanted), TOGETHER):
        found |= links.whose(tx, wanted[first : first + TOGETHER])
    return found


def _some(
    tx: Transaction,
    ids: Sequence[int],
    earlier: tuple[Mapping[int, int], Mapping[int, int]],
    ours: dict[str, frozenset[str]],
    now: datetime,
) -> Iterator[Candidate]:
    said, who = t.mentions.c, t.accounts.c
    query = (
        select(
            *(said.id, said.revision, said.state, said.network, said.kind, said.text, said.content_warning),
            *(said.unanswerable, said.posted_at, said.heard_at, said.external_id, said.thread_id, said.account_id),
            *(who.handle, who.display_name, who.bot, who.opted_out, who.left_alone_at, t.sources.c.account),
        )
        .join(t.accounts, who.id == said.account_id)
        .join(t.sources, t.sources.c.id == said.source_id)
        .where(said.id.in_(ids))
        .order_by(said.id)
    )
    rows = tx.execute(query).all()
    for row in rows:
        if row.network not in ours:
            ours[row.network] = identities.ours(tx, row.network)
    saw, read = _saw(tx, ids), decisions.understandings_of(tx, ids)
    cases = _cases(tx, {row.id: row.heard_at for row in rows}, now)
    answered = set(tx.scalars(select(t.drafts.c.mention_id).where(_answers(ids))))
    replies = _replies(tx, rows)
    accounts = {row.account_id for row in rows}
    later = _later(tx, accounts, min((row.posted_at for row in rows), default=now))
    customers = _customers(tx, accounts)
    today, here = _told(tx, accounts, now)
    by_account, by_customer = earlier
    for row in rows:
        customer = customers.get(row.account_id)
        decided = row.state == MentionState.DECIDED.value
        heard = [(author, handle) for author, handle in replies.get((row.network, row.external_id), ())]
        yield Candidate(
            mention_id=row.id,
            revision=row.revision,
            state=MentionState(row.state),
            network=row.network,
            kind=PostKind(row.kind),
            account=row.account,
            account_id=row.account_id,
            customer_id=customer,
            handle=row.handle,
            display_name=row.display_name,
            bot=row.bot,
            opted_out=row.opted_out,
            left_alone=row.left_alone_at is not None,
            text=row.text,
            content_warning=row.content_warning,
            unanswerable=row.unanswerable,
            posted_at=row.posted_at,
            saw=saw.get((row.id, row.revision)) if decided else None,
            understanding=read.get(row.id),
            case=cases.get(row.id),
            earlier=by_account.get(row.account_id) or by_customer.get(customer or 0),
            answered=row.id in answered,
            by_hand=any(author in ours[row.network] for author, _ in heard),
            repliers=tuple(handle for author, handle in heard if author not in ours[row.network]),
            later=tuple(each for at, each in later.get(row.account_id, ()) if at > row.posted_at),
            told_today=today.get(row.account_id, 0),
            told_here=here.get((row.account_id, row.thread_id), 0),
        )


def _saw(tx: Transaction, ids: Sequence[int]) -> dict[tuple[int, int], str]:
    """By mention and revision, what its newest decision saw."""
    made = t.decisions.c
    newest = select(func.max(made.id)).where(made.mention_id.in_(ids)).group_by(made.mention_id)
    query = select(made.mention_id, made.revision, cast(made.saw, Text).label("saw")).where(made.id.in_(newest))
    return {(row.mention_id, row.revision): row.saw for row in tx.execute(query) if row.saw}


def _answers(ids: Sequence[int]) -> Any:
    """Drafts that answer one of these mentions and went out, or will."""
    return and_(t.drafts.c.mention_id.in_(ids), t.drafts.c.state.in_(SPOKEN))


def _cases(tx: Transaction, since: Mapping[int, datetime], now: datetime) -> dict[int, CaseOf]:
    """By mention, the newest case it is in. `since`: when each was heard."""
    inside, columns = t.case_mentions.c, t.cases.c
    query = (
        select(inside.mention_id, columns.id, columns.reference, columns.team, columns.urgency_rank, columns.state)
        .join(t.cases, columns.id == inside.case_id)
        .where(inside.mention_id.in_(list(since)))
        .order_by(columns.id)
    )
    found = {row.mention_id: row for row in tx.execute(query)}
    spoken = _spoken_in(tx, {row.id for row in found.values()})
    made = {}
    for mention_id, row in found.items():
        words = spoken.get(row.id, ())
        heard = since[mention_id]
        talking = [by for at, by in words if by and at >= now - LATELY]
        made[mention_id] = CaseOf(
            id=row.id,
            reference=row.reference,
            team=row.team,
            urgency=list(Urgency)[row.urgency_rank],
            live=row.state in LIVE,
            answered=any(at >= heard for at, _ in words),
            talking=talking[-1] if talking else "",
        )
    return made


def _spoken_in(tx: Transaction, cases: Iterable[int]) -> dict[int, list[tuple[datetime, str]]]:
    """By case, when we spoke in it, and which person of ours let it out; "" for what went out alone or by a run."""
    drafts, inside = t.drafts.c, t.case_mentions.c
    query = (
        select(inside.case_id, drafts.decided_at, drafts.decided_by, drafts.automatic, drafts.answer_run_id)
        .join(t.drafts, drafts.mention_id == inside.mention_id)
        .where(inside.case_id.in_(sorted(cases)), drafts.state.in_(SPOKEN), drafts.decided_at.is_not(None))
        .order_by(drafts.decided_at)
    )
    found: dict[int, list[tuple[datetime, str]]] = defaultdict(list)
    for row in tx.execute(query):
        by_a_person = not row.automatic and row.answer_run_id is None
        found[row.case_id].append((row.decided_at, row.decided_by if by_a_person else ""))
    return found


def _replies(tx: Transaction, rows: Sequence[Any]) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """By network and id of a post, who was heard answering it: id there, and handle."""
    said, who = t.mentions.c, t.accounts.c
    found: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for network in {row.network for row in rows}:
        parents = [row.external_id for row in rows if row.network == network]
        query = (
            select(said.parent_id, who.external_id, who.handle)
            .join(t.accounts, who.id == said.account_id)
            .where(said.network == network, said.parent_id.in_(parents))
        )
        for row in tx.execute(query):
            found[network, row.parent_id].append((row.external_id, row.handle))
    return found


def _later(tx: Transaction, accounts: Iterable[int], since: datetime) -> dict[int, list[tuple[datetime, Heard]]]:
    """By account, what it wrote from then on, oldest first, with when."""
    said, read = t.mentions.c, t.understandings.c
    as_it_is = and_(read.mention_id == said.id, read.revision == said.revision)
    query = (
        select(said.account_id, said.posted_at, said.text, read.intents, read.sentiment)
        .outerjoin(t.understandings, as_it_is)
        .where(said.account_id.in_(sorted(accounts)), said.posted_at > since, said.state != MentionState.GONE.value)
        .order_by(said.posted_at, said.id)
    )
    found: dict[int, list[tuple[datetime, Heard]]] = defaultdict(list)
    for row in tx.execute(query):
        found[row.account_id].append((row.posted_at, _heard(row)))
    return found


def _heard(row: Any) -> Heard:
    intents = None if row.intents is None else tuple(Intent(name) for name in row.intents)
    return Heard(text=row.text, intents=intents, sentiment=Sentiment(row.sentiment) if row.sentiment else None)


def _told(
    tx: Transaction, accounts: Iterable[int], now: datetime
) -> tuple[dict[int, int], dict[tuple[int, str | None], int]]:
    """How often we spoke to each account within a day, and to each in a conversation, ever."""
    drafts, said = t.drafts.c, t.mentions.c
    query = (
        select(said.account_id, said.thread_id, func.coalesce(drafts.sent_at, drafts.decided_at).label("at"))
        .join(t.mentions, said.id == drafts.mention_id)
        .where(said.account_id.in_(sorted(accounts)), drafts.state.in_(SPOKEN))
    )
    today: dict[int, int] = defaultdict(int)
    here: dict[tuple[int, str | None], int] = defaultdict(int)
    for row in tx.execute(query):
        here[row.account_id, row.thread_id] += 1
        today[row.account_id] += bool(row.at and row.at >= now - timedelta(days=1))
    return today, here


# --- when their turn comes --------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One answer as its turn to go out comes: what changed since it was drafted. `lasts`: the incident does.

    `part`: the mention is of the incident still. `out`: this person was answered by a run. `spoken`: by us otherwise.
    `urgent`: something critical of theirs came in later.
    """

    lasts: bool
    part: bool
    case_live: bool
    out: bool
    spoken: bool
    urgent: bool
    later: tuple[Heard, ...]


def turn(tx: Transaction, answer: Answer) -> Turn:
    """What there is to know before it is claimed, read in the transaction that claims it."""
    said = tx.execute(select(t.mentions).where(t.mentions.c.id == answer.mention_id)).one()
    accounts = _theirs(tx, answer)
    return Turn(
        lasts=_lasts(tx, answer.incident_id),
        part=_is_part(tx, answer),
        case_live=_case_live(tx, answer.mention_id),
        out=_is_out(tx, answer, accounts),
        spoken=_is_spoken(tx, answer, accounts, said),
        urgent=_is_urgent(tx, accounts, said.posted_at),
        later=tuple(heard for each in _later(tx, accounts, said.posted_at).values() for _, heard in each),
    )


def still_said(tx: Transaction, run_id: int, wording: str) -> bool:
    """Whether the run's incident still says that."""
    return bool(tx.scalar(select(incident_holds.still_said(run_id, wording))))


def _theirs(tx: Transaction, answer: Answer) -> tuple[int, ...]:
    """The accounts of that person, as we know them now; their record is locked, so that no two answer at once."""
    customer = links.whose(tx, [answer.account_id]).get(answer.account_id) or answer.customer_id
    if customer is None:
        return (answer.account_id,)
    tx.execute(select(t.customers.c.id).where(t.customers.c.id == customer).with_for_update())
    linked = t.links.c
    theirs = select(linked.account_id).where(linked.customer_id == customer, linked.unlinked_at.is_(None))
    return tuple(sorted({answer.account_id, *tx.scalars(theirs)}))


def _lasts(tx: Transaction, incident_id: int) -> bool:
    state = tx.scalar(select(t.incidents.c.state).where(t.incidents.c.id == incident_id))
    return state is not None and IncidentState(state).active


def _is_part(tx: Transaction, answer: Answer) -> bool:
    columns = t.incident_mentions.c
    mine = (columns.incident_id == answer.incident_id, columns.mention_id == answer.mention_id)
    return tx.scalar(select(columns.mention_id).where(*mine, columns.undone_at.is_(None)).limit(1)) is not None


def _case_live(tx: Transaction, mention_id: int) -> bool:
    """Whether its case goes on; True where it is in none."""
    inside = t.case_mentions.c
    query = select(t.cases.c.state).join(t.case_mentions, inside.case_id == t.cases.c.id)
    state = tx.scalar(query.where(inside.mention_id == mention_id).order_by(t.cases.c.id.desc()).limit(1))
    return state is None or state in LIVE


def _is_out(tx: Transaction, answer: Answer, accounts: Sequence[int]) -> bool:
    columns = t.answers.c
    same: ColumnElement[bool] = columns.account_id.in_(accounts)
    if answer.customer_id is not None:
        same = or_(same, columns.customer_id == answer.customer_id)
    another = and_(columns.incident_id == answer.incident_id, columns.id != answer.id, same)
    return bool(tx.scalar(select(others_held(another))))


def _is_spoken(tx: Transaction, answer: Answer, accounts: Sequence[int], said: Any) -> bool:
    """Whether we spoke to that person about this since they wrote, other than by a run of answers."""
    drafts, heard, inside, part = t.drafts.c, t.mentions.c, t.case_mentions, t.incident_mentions.c
    theirs = select(heard.id).where(heard.account_id.in_(accounts))
    of_it = select(part.mention_id).where(part.incident_id == answer.incident_id, part.undone_at.is_(None))
    cases = select(inside.c.case_id).where(inside.c.mention_id == answer.mention_id)
    in_case = select(inside.c.mention_id).where(inside.c.case_id.in_(cases))
    about = or_(
        and_(drafts.mention_id.in_(theirs), drafts.mention_id.in_(of_it)),
        and_(drafts.mention_id.in_(in_case), drafts.decided_at >= said.heard_at),
    )
    another = (drafts.answer_run_id.is_(None), drafts.state.in_(SPOKEN))
    if tx.scalar(select(drafts.id).where(about, *another).limit(1)) is not None:
        return True
    ours = identities.ours(tx, said.network)
    by_hand = (
        select(heard.id)
        .join(t.accounts, t.accounts.c.id == heard.account_id)
        .where(heard.network == said.network, heard.parent_id == said.external_id)
        .where(t.accounts.c.external_id.in_(list(ours)))
    )
    return tx.scalar(by_hand.limit(1)) is not None


def _is_urgent(tx: Transaction, accounts: Sequence[int], since: datetime) -> bool:
    said, made = t.mentions.c, t.decisions.c
    query = (
        select(made.id)
        .join(t.mentions, and_(said.id == made.mention_id, said.revision == made.revision))
        .where(said.account_id.in_(accounts), said.posted_at > since, made.urgency == Urgency.CRITICAL.value)
    )
    return tx.scalar(query.limit(1)) is not None
