"""Drafts: proposed, decided by a person or a rule, sent once.

What binds an approval is the draft's `edit` number (it grows with every change of text or state by a person), the
mention's revision and the policy version. `views` remembers what each moderator was last shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, case, false, func, insert, or_, select, update

from listener.errors import AlreadyDone, NotFound, OtherPolicy, Stale
from listener.store import Transaction, attachments, audit, incident_holds, looks, policies, upsert
from listener.store import tables as t
from listener.store.attachments import NewImage
from listener.store.erasing import erase_drafts
from listener.store.mentions import decide_again
from listener.types import (
    DRAFT_MOVES,
    Channel,
    DraftState,
    Finding,
    MentionState,
    ReplyPlan,
    SendKind,
    Sent,
    Visibility,
)

OPEN = (DraftState.PROPOSED, DraftState.APPROVED, DraftState.SENDING, DraftState.UNKNOWN, DraftState.FAILED)


@dataclass(frozen=True, kw_only=True)
class Draft:
    """One proposed reply. `edit`, `revision` and `policy_version` are what an approval binds.

    `images`: how many pictures go with it; they change only together with `edit`.
    """

    id: int
    mention_id: int
    case_reference: str | None
    send_key: str
    state: DraftState
    network: str
    account: str
    text: str
    language: str
    template: str
    length: int
    length_limit: int
    urgency_rank: int
    revision: int
    policy_version: str
    edit: int
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    automatic: bool
    reason: str | None
    not_before: datetime | None
    sending_since: datetime | None
    unknown_since: datetime | None
    looked_at: datetime | None
    sent_at: datetime | None
    posted_id: str | None
    posted_url: str | None
    images: int
    score: int
    alone_until: datetime | None = None  # of an automatic one: later it goes back to people
    channel: str = ""  # a `Channel` where it goes to its author alone, elsewhere; "": an answer where they wrote
    recipient: str = ""  # the address, where the channel has one
    subject: str = ""
    wording: str = ""  # which it is, of what it was made from; "" once a person changed it
    incident_id: int | None = None  # whose approved answer it was made from
    answer_run_id: int | None = None  # the run that lets it out, among many; None: it was decided by itself

    @property
    def kinds(self) -> tuple[SendKind, ...]:
        """What it is of what can be stopped apart."""
        decided = SendKind.AUTOMATIC if self.automatic else SendKind.MASS if self.answer_run_id else SendKind.REPLY
        return (decided, SendKind.MESSAGE) if self.channel else (decided,)

    def seen_by(self, answered: Visibility) -> Visibility:
        """Who will read it, of what is no wider than what it answers."""
        return Visibility.DIRECT if self.channel else answered


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """That a draft goes to one person alone, and how. `through`: the network; `recipient`: an address there.

    `quotes`: the numbers of the mentions whose words it repeats; where one is deleted or reworded, it must not go out.
    """

    channel: Channel
    through: str
    recipient: str = ""
    subject: str = ""
    quotes: tuple[int, ...] = ()


def propose(
    tx: Transaction,
    *,
    mention_id: int,
    revision: int,
    account: str,
    decision_id: int | None,
    case_id: int | None,
    plan: ReplyPlan,
    urgency_rank: int,
    score: int,
    queue_at: datetime,
    policy_version: str,
    now: datetime,
    by: str = "policy",
    elsewhere: Elsewhere | None = None,
) -> int:
    """Adds a draft for a person to decide on; gives its number. `queue_at`: its place, the earliest comes first."""
    values = {
        "mention_id": mention_id,
        "decision_id": decision_id,
        "case_id": case_id,
        "send_key": uuid4().hex,
        "state": DraftState.PROPOSED.value,
        "account": account,
        "text": plan.text,
        "language": plan.language,
        "template": plan.template,
        "length": plan.length,
        "length_limit": plan.limit,
        "urgency_rank": urgency_rank,
        "score": score,
        "queue_at": queue_at,
        "revision": revision,
        "policy_version": policy_version,
        "edit": 1,
        "proposed_at": now,
        "automatic": False,
        "rule": plan.rule,
        "wording": plan.wording,
        "alone_until": plan.alone_until,
        "incident_id": plan.incident or None,
    }
    if elsewhere:
        values |= {"channel": elsewhere.channel.value, "through": elsewhere.through}
        values |= {"recipient": elsewhere.recipient, "subject": elsewhere.subject}
    draft_id = int(tx.execute(insert(t.drafts).values(**values).returning(t.drafts.c.id)).scalar_one())
    if elsewhere and elsewhere.quotes:
        rows = [{"draft_id": draft_id, "mention_id": quoted} for quoted in sorted(set(elsewhere.quotes))]
        tx.execute(insert(t.draft_quotes), rows)
    audit.record(
        tx,
        at=now,
        by=by,
        action="draft.proposed",
        subject=f"draft {draft_id}",
        mention=mention_id,
        template=plan.template,
        policy=policy_version,
    )
    return draft_id


def get(tx: Transaction, draft_id: int) -> Draft:
    """The draft of that number. Raises NotFound."""
    row = tx.execute(_one(), {"draft": draft_id}).first()
    if row is None:
        raise NotFound(f"There is no draft D{draft_id}; see `escucha inbox`.")
    return from_row(row)


def of_mention(tx: Transaction, mention_id: int) -> list[Draft]:
    """Every draft for that mention, newest first."""
    query = joined().where(t.drafts.c.mention_id == mention_id).order_by(t.drafts.c.id.desc())
    return [from_row(row) for row in tx.execute(query)]


def of_mentions(tx: Transaction, mention_ids: Sequence[int]) -> list[Draft]:
    """Every draft for these mentions, newest first."""
    query = joined().where(t.drafts.c.mention_id.in_(list(mention_ids))).order_by(t.drafts.c.id.desc())
    return [from_row(row) for row in tx.execute(query)] if mention_ids else []


def waiting(
    tx: Transaction,
    *,
    states: Sequence[DraftState] = (DraftState.PROPOSED,),
    network: str | None = None,
    limit: int | None = None,
    after: int = 0,
) -> list[Draft]:
    """Drafts in those states, as the queue has them. `after` leaves out that many of the first."""
    query = joined().where(t.drafts.c.state.in_([state.value for state in states]))
    if network:
        query = query.where(t.mentions.c.network == network)
    query = query.order_by(t.drafts.c.queue_at, t.drafts.c.id).limit(limit).offset(after)
    return [from_row(row) for row in tx.execute(query)]


# --- what people do ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class View:
    """What was last shown to somebody."""

    actor: str
    edit: int
    policy_version: str
    text: str
    at: datetime


def shown(tx: Transaction, draft: Draft, *, to: str, now: datetime) -> None:
    """Remembers that `to` has this draft before their eyes, as it is now."""
    values = {"edit": draft.edit, "policy_version": draft.policy_version, "text": draft.text, "at": now}
    statement = upsert(tx, t.views).values(actor=to, draft_id=draft.id, **values)
    tx.execute(statement.on_conflict_do_update(index_elements=["actor", "draft_id"], set_=values))


def view_of(tx: Transaction, draft_id: int, actor: str) -> View | None:
    """What `actor` was last shown of the draft."""
    row = tx.execute(select(t.views).where(t.views.c.draft_id == draft_id, t.views.c.actor == actor)).first()
    return _view(row) if row else None


def looked_at_by_others(tx: Transaction, draft_id: int, *, actor: str, since: datetime) -> list[View]:
    """Who else has had it before their eyes since then, newest first."""
    query = select(t.views).where(t.views.c.draft_id == draft_id, t.views.c.actor != actor, t.views.c.at >= since)
    return [_view(row) for row in tx.execute(query.order_by(t.views.c.at.desc()))]


def looked_at(tx: Transaction, *, but_by: str, since: datetime) -> set[int]:
    """The numbers of all drafts that anybody else has had before their eyes since then."""
    query = select(t.views.c.draft_id).where(t.views.c.actor != but_by, t.views.c.at >= since)
    return set(tx.scalars(query))


def _view(row: Row[Any]) -> View:
    return View(actor=row.actor, edit=row.edit, policy_version=row.policy_version, text=row.text, at=row.at)


def approve(
    tx: Transaction,
    draft: Draft,
    *,
    by: str,
    now: datetime,
    automatic: bool = False,
    not_before: datetime | None = None,
) -> None:
    """Lets the draft go out exactly as `draft` has it.

    Raises Stale when its text, its mention or the policy changed since it was read, AlreadyDone when somebody else
    decided first.
    """
    if draft.state is not DraftState.PROPOSED:
        raise AlreadyDone(_already(draft))
    check_binding(tx, draft)
    if outdated_answer := incident_holds.outdated(tx, draft):
        raise Stale(f"D{draft.id} is outdated: {outdated_answer}; edit it, or reject it.")
    values = {"decided_by": by, "decided_at": now, "said_at": now, "automatic": automatic, "not_before": not_before}
    values |= {"reason": None, "answer_run_id": None}  # why it was shown again; from now on it goes out by itself
    move(tx, draft, DraftState.APPROVED, **values)
    audit.record(
        tx,
        at=now,
        by=by,
        action="draft.approved",
        subject=f"draft {draft.id}",
        edit=draft.edit,
        revision=draft.revision,
        policy=draft.policy_version,
        automatic=automatic,
    )


def check_binding(tx: Transaction, draft: Draft) -> None:
    """Raises Stale or AlreadyDone when the draft is no longer what was read, or answers what no longer stands."""
    current = get(tx, draft.id)
    if current.state is not draft.state:
        raise AlreadyDone(_already(current))
    if current.edit != draft.edit:
        raise Stale(f"D{draft.id} was changed by {current.decided_by or 'a colleague'} since you saw it.")
    mention = tx.execute(select(t.mentions).where(t.mentions.c.id == draft.mention_id)).one()
    if mention.state == MentionState.GONE:
        raise Stale(f"M{draft.mention_id} was deleted by its author; there is nothing to answer any more.")
    if mention.revision != draft.revision:
        raise Stale(f"M{draft.mention_id} was edited since D{draft.id} was written; a new draft is being made.")
    if tx.scalar(select(t.accounts.c.left_alone_at).where(t.accounts.c.id == mention.account_id)):
        raise Stale(
            f"The author of M{draft.mention_id} asked to be left alone; "
            f"`escucha leave-alone M{draft.mention_id} --lift` takes that back."
        )
    active = policies.active(tx)
    if active and draft.policy_version != active:
        raise OtherPolicy(f"D{draft.id} was drafted under policy {draft.policy_version}; now {active} rules.")


def rebind(tx: Transaction, draft: Draft, *, by: str, now: datetime) -> Draft:
    """Puts a draft that an older policy made before people again, under the policy that rules now.

    Whoever edited it while it waited is still named; whoever approved it has not approved it under this policy.
    """
    active = policies.active(tx) or draft.policy_version
    undone: dict[str, Any] = {"decided_by": None, "decided_at": None, "automatic": False}
    if draft.state is DraftState.PROPOSED:
        undone = {}
    move(tx, draft, DraftState.PROPOSED, policy_version=active, **undone)
    audit.record(
        tx,
        at=now,
        by=by,
        action="draft.shown_again",
        subject=f"draft {draft.id}",
        was=draft.policy_version,
        policy=active,
    )
    return get(tx, draft.id)


def too_late(tx: Transaction, draft: Draft, *, now: datetime) -> None:
    """Puts before people what a rule had approved and what did not go out in time: what it answers is old by now."""
    undone = {"decided_by": None, "decided_at": None, "automatic": False, "not_before": None}
    move(tx, draft, DraftState.PROPOSED, **undone)
    why = f"it was to go out alone until {draft.alone_until:%Y-%m-%d %H:%M} UTC; what it answers is too old by now"
    audit.record(tx, at=now, by="daemon", action="draft.shown_again", subject=f"draft {draft.id}", reason=why)


def held_back(tx: Transaction, draft: Draft, why: str, *, now: datetime) -> None:
    """Puts before people, with the reason, what was to go out while an incident keeps it from that."""
    undone = {"decided_by": None, "decided_at": None, "automatic": False, "not_before": None}
    move(tx, draft, DraftState.PROPOSED, reason=why, **undone)
    audit.record(tx, at=now, by="daemon", action="draft.shown_again", subject=f"draft {draft.id}", reason=why)


def handed_over(tx: Transaction, case_id: int, *, team: str, now: datetime) -> None:
    """Puts before people what was to go out alone in a case that another team has now; the old one had let it go."""
    columns = t.drafts.c
    inside = select(t.case_mentions.c.mention_id).where(t.case_mentions.c.case_id == case_id)
    ready = (columns.state == DraftState.APPROVED.value, columns.automatic.is_(True))
    undone = {"decided_by": None, "decided_at": None, "automatic": False, "not_before": None}
    stopped = tx.scalars(
        update(t.drafts)
        .where(or_(columns.case_id == case_id, columns.mention_id.in_(inside)), *ready)
        .values(state=DraftState.PROPOSED.value, edit=columns.edit + 1, **undone)
        .returning(columns.id)
    ).all()
    for draft_id in sorted(stopped):
        why = f"its case was given to {team} before it went out alone"
        audit.record(tx, at=now, by="daemon", action="draft.shown_again", subject=f"draft {draft_id}", reason=why)


def edit(
    tx: Transaction,
    draft: Draft,
    *,
    text: str,
    length: int,
    by: str,
    now: datetime,
    images: Sequence[NewImage] | None = None,
) -> Draft:
    """Changes the words of a draft that has not gone out, and its pictures unless `images` is None.

    It must be approved afterwards. Raises AlreadyDone or Stale like `approve`.
    """
    if draft.state not in (DraftState.PROPOSED, DraftState.APPROVED):
        raise AlreadyDone(_already(draft))
    own = {} if text == draft.text else {"wording": ""}
    move(
        tx, draft, DraftState.PROPOSED, text=text, length=length, decided_by=by, decided_at=now, automatic=False, **own
    )
    pictures = {} if images is None else {"images": len(images)}
    if images is not None:
        attachments.replace_of_draft(tx, draft.id, images)
    audit.record(tx, at=now, by=by, action="draft.edited", subject=f"draft {draft.id}", edit=draft.edit + 1, **pictures)
    return get(tx, draft.id)


def reject(tx: Transaction, draft: Draft, *, by: str, reason: str, now: datetime) -> None:
    """Decides that this will not be said. Raises AlreadyDone when somebody else decided first."""
    if draft.state not in (DraftState.PROPOSED, DraftState.APPROVED):
        raise AlreadyDone(_already(draft))
    move(tx, draft, DraftState.REJECTED, decided_by=by, decided_at=now, reason=reason)
    audit.record(tx, at=now, by=by, action="draft.rejected", subject=f"draft {draft.id}", reason=reason)


def take_back(tx: Transaction, draft: Draft, *, by: str, now: datetime) -> Draft:
    """Undoes an approval that has not gone out, or a rejection.

    Raises AlreadyDone when the sender or somebody else was first, Stale when there is nothing left to answer with it.
    """
    if draft.state not in (DraftState.APPROVED, DraftState.REJECTED):
        raise AlreadyDone(_already(draft))
    if draft.state is DraftState.REJECTED:
        _check_revivable(tx, draft)
    undone = {"decided_by": None, "decided_at": None, "automatic": False, "not_before": None, "reason": None}
    move(tx, draft, DraftState.PROPOSED, **undone)
    audit.record(tx, at=now, by=by, action="draft.taken_back", subject=f"draft {draft.id}", was=draft.state.value)
    return get(tx, draft.id)


def _check_revivable(tx: Transaction, draft: Draft) -> None:
    """Raises Stale when what a rejected draft answered has changed, is gone, or is answered by another draft."""
    mention = tx.execute(select(t.mentions).where(t.mentions.c.id == draft.mention_id)).one()
    if mention.state == MentionState.GONE or mention.revision != draft.revision or not draft.text:
        raise Stale(f"M{draft.mention_id} was edited or deleted since D{draft.id} was rejected.")
    others = [one for one in of_mention(tx, draft.mention_id) if one.id != draft.id and one.channel == draft.channel]
    if other := next((one for one in others if one.state in OPEN or one.state is DraftState.SENT), None):
        raise Stale(f"D{other.id} answers M{draft.mention_id} since D{draft.id} was rejected.")


def retry(tx: Transaction, draft: Draft, *, by: str, now: datetime) -> Draft:
    """Proposes again what the network had refused."""
    if draft.state is not DraftState.FAILED:
        raise AlreadyDone(_already(draft))
    move(tx, draft, DraftState.PROPOSED, decided_by=None, decided_at=None, reason=None, automatic=False)
    audit.record(tx, at=now, by=by, action="draft.retried", subject=f"draft {draft.id}")
    return get(tx, draft.id)


def settle_by_hand(tx: Transaction, draft: Draft, *, was_sent: bool, by: str, now: datetime) -> None:
    """A person looked at the network and says whether a reply of unknown outcome is there."""
    if draft.state is not DraftState.UNKNOWN:
        raise AlreadyDone(_already(draft))
    if was_sent:
        at = draft.sending_since
        move(tx, draft, DraftState.SENT, sent_at=at, said_at=at, reason=f"settled by {by}")
    else:
        move(tx, draft, DraftState.FAILED, reason=f"not on the network, says {by}")
        outdated(tx, draft)
    found = Finding.THERE if was_sent else Finding.MISSING
    looks.keep(tx, Sent.REPLY, draft.id, asked=looks.BY_EYE, found=found, at=now, by=by)
    erase_if_gone(tx, draft)
    audit.record(tx, at=now, by=by, action="draft.settled", subject=f"draft {draft.id}", was_sent=was_sent)


def outdated(tx: Transaction, draft: Draft) -> None:
    """A draft that will not go out answers an older wording: the newer one is put before the policy once more.

    While the draft was on its way the policy had to take the mention for answered.
    """
    if tx.scalar(select(t.mentions.c.revision).where(t.mentions.c.id == draft.mention_id)) != draft.revision:
        decide_again(tx, draft.mention_id)


def erase_if_gone(tx: Transaction, draft: Draft) -> None:
    """Empties a settled draft whose mention was deleted while it was on its way."""
    if tx.scalar(select(t.mentions.c.state).where(t.mentions.c.id == draft.mention_id)) == MentionState.GONE:
        erase_drafts(tx, draft.mention_id)


def _already(draft: Draft) -> str:
    who = f" by {draft.decided_by}" if draft.decided_by and draft.state is not DraftState.PROPOSED else ""
    why = f" ({draft.reason})" if draft.reason else ""
    return f"D{draft.id} is already {draft.state}{who}{why}."


def move(tx: Transaction, draft: Draft, to: DraftState, **values: Any) -> None:
    """One step of the draft's life, won by whoever finds it still as they read it."""
    if to is not draft.state and to not in DRAFT_MOVES[draft.state]:
        raise ValueError(f"a draft does not go from {draft.state} to {to}")
    columns = t.drafts.c
    won = tx.execute(
        update(t.drafts)
        .where(columns.id == draft.id, columns.state == draft.state.value, columns.edit == draft.edit)
        .values(state=to.value, edit=draft.edit + 1, **values)
    )
    if not won.rowcount:
        raise AlreadyDone(_already(get(tx, draft.id)))


# --- counts for the policy's caps ----------------------------------------------------------------------------------

REMEMBERED = 20  # wordings that were said to one author and in one thread
SPOKEN = (DraftState.APPROVED.value, DraftState.SENDING.value, DraftState.SENT.value, DraftState.UNKNOWN.value)


@dataclass(frozen=True, kw_only=True)
class Sends:
    """What was sent, or is about to be, around one mention; the counts of a day and an hour are those of its network.

    `by_wording_last_day`: to how many other people each wording went.
    """

    to_author_last_day: int
    automatic_to_author_last_day: int
    in_thread: int
    last_hour: int
    last_day: int
    this_mention: int
    by_rule_last_day: Mapping[str, int]
    by_wording_last_day: Mapping[str, int]
    wordings_before: tuple[str, ...]


def sends(
    tx: Transaction, *, mention_id: int, account_id: int, network: str, thread_id: str | None, now: datetime
) -> Sends:
    """Counts for the guard: approved and sent replies alike, so that a burst cannot slip under a cap.

    Two questions, each by an index: the network's last day, and all that this author and this thread were ever told.
    """
    drafts, heard = t.drafts.c, t.mentions.c
    joined_tables = t.drafts.join(t.mentions, heard.id == drafts.mention_id)
    spoken = drafts.state.concat("").in_(SPOKEN)
    theirs = heard.account_id == account_id
    columns = (
        drafts.rule,
        drafts.wording,
        func.count().label("said"),
        func.sum(case((drafts.said_at >= now - timedelta(hours=1), 1), else_=0)).label("in_hour"),
        func.sum(case((theirs, 1), else_=0)).label("to_author"),
        func.sum(case((and_(theirs, drafts.automatic), 1), else_=0)).label("automatic"),
        func.count(func.distinct(case((theirs, None), else_=heard.account_id))).label("others"),
    )
    # `|| ''` keeps SQLite from walking the indexes of the state and the network, which hold all that was ever said.
    here = and_(spoken, heard.network.concat("") == network)
    recent = and_(drafts.said_at >= now - timedelta(days=1), here)
    query = select(*columns).select_from(joined_tables).where(recent).group_by(drafts.rule, drafts.wording)
    day = tx.execute(query).all()
    rules: Counter[str] = Counter()
    wordings: Counter[str] = Counter()
    for row in day:
        rules[row.rule] += row.said
        wordings[row.wording] += row.others
    around = or_(theirs, and_(heard.network == network, heard.thread_id == thread_id) if thread_id else false())
    of_run = and_(theirs, drafts.answer_run_id.is_not(None), drafts.decided_at >= now - timedelta(days=1))
    by_runs = case((of_run, 1), else_=0).label("by_runs")  # which the day above leaves out: runs have caps of their own
    ever = select(drafts.mention_id, drafts.wording, heard.thread_id, by_runs).select_from(joined_tables)
    told = tx.execute(ever.where(spoken, around).order_by(drafts.id.desc())).all()
    return Sends(
        to_author_last_day=sum(row.to_author for row in day) + sum(row.by_runs for row in told),
        automatic_to_author_last_day=sum(row.automatic for row in day),
        in_thread=sum(thread_id is not None and row.thread_id == thread_id for row in told),
        last_hour=sum(row.in_hour for row in day),
        last_day=sum(row.said for row in day),
        this_mention=sum(row.mention_id == mention_id for row in told),
        by_rule_last_day={rule: said for rule, said in sorted(rules.items()) if rule},
        by_wording_last_day={wording: others for wording, others in sorted(wordings.items()) if wording},
        wordings_before=tuple(dict.fromkeys(row.wording for row in told if row.wording))[:REMEMBERED],
    )


@dataclass(frozen=True, kw_only=True)
class Spoken:
    """A draft that counts: to the author in question (`theirs`), in the conversation in question (`here`)."""

    number: int
    theirs: bool
    here: bool


def spoken(tx: Transaction, *, account_id: int, network: str, thread_id: str | None, now: datetime) -> list[Spoken]:
    """The drafts that `sends` counts for an author's day and for a thread, newest first."""
    when = func.coalesce(t.drafts.c.sent_at, t.drafts.c.decided_at)
    theirs = t.mentions.c.account_id == account_id
    thread = and_(t.mentions.c.network == network, t.mentions.c.thread_id == thread_id)
    query = (
        select(t.drafts.c.id, theirs.label("theirs"), thread.label("here"))
        .join(t.mentions, t.mentions.c.id == t.drafts.c.mention_id)
        .where(t.drafts.c.state.in_(SPOKEN), or_(and_(theirs, when >= now - timedelta(days=1)), thread))
        .order_by(t.drafts.c.id.desc())
    )
    return [Spoken(number=row.id, theirs=bool(row.theirs), here=bool(row.here)) for row in tx.execute(query)]


def is_ours(tx: Transaction, network: str, external_id: str | None) -> bool:
    """Whether we wrote that post."""
    if external_id is None:
        return False
    query = (
        select(t.drafts.c.id)
        .join(t.mentions, t.mentions.c.id == t.drafts.c.mention_id)
        .where(t.drafts.c.posted_id == external_id, sent_through() == network)
    )
    return tx.scalar(query.limit(1)) is not None


def sent_through() -> ColumnElement[str]:
    """The network that a draft goes through, of drafts joined to their mentions."""
    return func.coalesce(t.drafts.c.through, t.mentions.c.network)


def joined() -> Select[Any]:
    """Drafts with their network and case, for whoever reads them."""
    mine = t.attachments.c.draft_id == t.drafts.c.id
    images = select(func.count()).select_from(t.attachments).where(mine).scalar_subquery().label("images")
    query = select(t.drafts, sent_through().label("network"), t.cases.c.reference.label("case_reference"), images)
    return query.join(t.mentions, t.mentions.c.id == t.drafts.c.mention_id).outerjoin(
        t.cases, t.cases.c.id == t.drafts.c.case_id
    )


@cache
def _one() -> Select[Any]:
    """One of them by its number; asked so often that it is put together once."""
    return joined().where(t.drafts.c.id == bindparam("draft"))


def from_row(row: Row[Any]) -> Draft:
    """A row of `joined` as a Draft."""
    values = {name: getattr(row, name) for name in Draft.__dataclass_fields__}
    return Draft(**values | {"state": DraftState(row.state)})
