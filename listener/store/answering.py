"""Everybody of an incident, with all that says whether they get an answer of a run, and one when their turn comes.

Reads in bulk: thousands of people cost some dozens of questions. Reads only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, and_, bindparam, cast, exists, func, or_, select

from listener.store import Transaction, decisions, identities, incident_holds, links
from listener.store import tables as t
from listener.store.answer_runs import Answer, others_held
from listener.store.cases import LIVE
from listener.types import DraftState, IncidentState, Intent, MentionState, PostKind, Sentiment, Understanding, Urgency

TOGETHER = 400  # mentions asked about in one question
LATELY = timedelta(days=7)  # for so long a person's word in a case counts as a conversation
SPOKEN = (DraftState.APPROVED.value, DraftState.SENDING.value, DraftState.SENT.value, DraftState.UNKNOWN.value)
OUT = SPOKEN[1:]
# Of a draft that is looked up by its mention. Without `|| ''` SQLite would go through all that was ever sent.
_SPOKEN = t.drafts.c.state.concat("").in_(SPOKEN)


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
    return and_(t.drafts.c.mention_id.in_(ids), _SPOKEN)


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
        .where(inside.case_id.in_(sorted(cases)), _SPOKEN, drafts.decided_at.is_not(None))
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
    found: dict[int, list[tuple[datetime, Heard]]] = defaultdict(list)
    for row in tx.execute(_wrote(sorted(accounts), since)):
        found[row.account_id].append((row.posted_at, _heard(row)))
    return found


def _wrote(accounts: Any, since: Any) -> Select[Any]:
    """What these accounts wrote after a moment, oldest first, with what was read in it."""
    said, read = t.mentions.c, t.understandings.c
    as_it_is = and_(read.mention_id == said.id, read.revision == said.revision)
    return (
        select(said.account_id, said.posted_at, said.text, read.intents, read.sentiment)
        .outerjoin(t.understandings, as_it_is)
        .where(said.account_id.in_(accounts), said.posted_at > since, said.state != MentionState.GONE.value)
        .order_by(said.posted_at, said.id)
    )


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
        .where(said.account_id.in_(sorted(accounts)), _SPOKEN)
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
    `urgent`: something critical of theirs came in later. `alone`: they asked to be left alone, from any account.
    """

    lasts: bool
    part: bool
    case_live: bool
    out: bool
    spoken: bool
    urgent: bool
    alone: bool
    later: tuple[Heard, ...]


def turn(tx: Transaction, answer: Answer) -> Turn:
    """What there is to know before it is claimed, read in the transaction that claims it."""
    said = tx.execute(_SAID, {"mention": answer.mention_id}).one()
    accounts = _theirs(tx, answer)
    known = {
        "incident": answer.incident_id,
        "mention": answer.mention_id,
        "answer": answer.id,
        "customer": answer.customer_id,
        "accounts": accounts,
        "network": said.network,
        "post": said.external_id,
        "posted_at": said.posted_at,
        "heard_at": said.heard_at,
    }
    found = tx.execute(_TURN, known).one()
    later = tx.execute(_LATER, {"accounts": accounts, "since": said.posted_at}).all()
    return Turn(
        lasts=found.lasts,
        part=found.part,
        case_live=found.case_state is None or found.case_state in LIVE,
        out=found.out,
        spoken=found.spoken or found.by_hand,
        urgent=found.urgent,
        alone=found.alone,
        later=tuple(_heard(row) for row in later),
    )


def still_said(tx: Transaction, run_id: int, wording: str) -> bool:
    """Whether the run's incident still says that."""
    return bool(tx.scalar(select(incident_holds.still_said(run_id, wording))))


def _theirs(tx: Transaction, answer: Answer) -> tuple[int, ...]:
    """The accounts of that person, as we know them now; their record is locked, so that no two answer at once."""
    customer = tx.scalar(_WHOSE, {"account": answer.account_id}) or answer.customer_id
    if customer is None:
        return (answer.account_id,)
    tx.execute(select(t.customers.c.id).where(t.customers.c.id == customer).with_for_update())
    linked = t.links.c
    theirs = select(linked.account_id).where(linked.customer_id == customer, linked.unlinked_at.is_(None))
    return tuple(sorted({answer.account_id, *tx.scalars(theirs)}))


# The questions below are asked for each answer of thousands, so they are put together once.


def _asked() -> Select[Any]:
    """Everything about one answer that is a yes or no, and the state of its case."""
    incident: Any = bindparam("incident")
    mention: Any = bindparam("mention")
    accounts: Any = bindparam("accounts", expanding=True)
    lasting = [state.value for state in IncidentState if state.active]
    lasts = exists().where(t.incidents.c.id == incident, t.incidents.c.state.in_(lasting))
    of = t.incident_mentions.c
    part = exists().where(of.incident_id == incident, of.mention_id == mention, of.undone_at.is_(None))
    inside = t.case_mentions.c
    case_state = (
        select(t.cases.c.state)
        .join(t.case_mentions, inside.case_id == t.cases.c.id)
        .where(inside.mention_id == mention)
        .order_by(t.cases.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    answers = t.answers.c
    another = and_(answers.incident_id == incident, answers.id != bindparam("answer"))
    theirs = and_(another, answers.account_id.in_(accounts))  # each by its own index, which `or` would keep from both
    customers = and_(another, answers.customer_id == bindparam("customer"))
    return select(
        lasts.label("lasts"),
        part.label("part"),
        case_state.label("case_state"),
        or_(others_held(theirs), others_held(customers)).label("out"),
        _spoken(incident, mention, accounts).label("spoken"),
        _by_hand().label("by_hand"),
        _urgent(accounts).label("urgent"),
        _alone(accounts).label("alone"),
    )


def _spoken(incident: Any, mention: Any, accounts: Any) -> ColumnElement[bool]:
    """Whether we spoke to that person about this since they wrote, other than by a run of answers."""
    drafts, heard = t.drafts.c, t.mentions.alias()
    part, inside, same_case = t.incident_mentions.alias(), t.case_mentions.alias(), t.case_mentions.alias()
    by_itself = (func.coalesce(drafts.answer_run_id, 0) == 0, _SPOKEN)
    here = exists().where(
        heard.c.account_id.in_(accounts),
        *(part.c.mention_id == heard.c.id, part.c.incident_id == incident, part.c.undone_at.is_(None)),
        *(drafts.mention_id == heard.c.id, *by_itself),
    )
    there = exists().where(
        *(same_case.c.mention_id == mention, inside.c.case_id == same_case.c.case_id),
        *(drafts.mention_id == inside.c.mention_id, *by_itself),
        drafts.decided_at >= bindparam("heard_at", type_=_MOMENT),
    )
    return or_(here, there)


def _by_hand() -> ColumnElement[bool]:
    """Whether one of our accounts was heard answering the post."""
    heard, who = t.mentions.alias(), t.accounts.alias()
    ours = select(t.identities.c.external_id).where(t.identities.c.network == bindparam("network"))
    answered = (heard.c.network == bindparam("network"), heard.c.parent_id == bindparam("post"))
    return exists().where(*answered, who.c.id == heard.c.account_id, who.c.external_id.in_(ours))


def _alone(accounts: Any) -> ColumnElement[bool]:
    """Whether that person asked us, or all machines, not to answer them."""
    who = t.accounts.alias()
    return exists().where(who.c.id.in_(accounts), or_(who.c.opted_out, who.c.left_alone_at.is_not(None)))


def _urgent(accounts: Any) -> ColumnElement[bool]:
    """Whether something critical of theirs was posted later."""
    said, made = t.mentions.alias(), t.decisions.alias()
    later = (said.c.account_id.in_(accounts), said.c.posted_at > bindparam("posted_at", type_=_MOMENT))
    as_it_is = (made.c.mention_id == said.c.id, made.c.revision == said.c.revision)
    return exists().where(*later, *as_it_is, made.c.urgency == Urgency.CRITICAL.value)


_MOMENT = t.mentions.c.posted_at.type
_SAID = select(t.mentions.c.network, t.mentions.c.external_id, t.mentions.c.posted_at, t.mentions.c.heard_at).where(
    t.mentions.c.id == bindparam("mention")
)
_WHOSE = (
    select(t.links.c.customer_id)
    .where(t.links.c.account_id == bindparam("account"), t.links.c.unlinked_at.is_(None))
    .limit(1)
)
_TURN = _asked()
_LATER = _wrote(bindparam("accounts", expanding=True), bindparam("since", type_=_MOMENT))
