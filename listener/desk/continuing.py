"""A case goes on elsewhere: by mail, by direct message, by phone or chat, and takes its history along.

What we write is drafted here and goes the way of every reply: a person approves it, it is sent once, and its answer
joins the case. A call is written down with what came of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from listener import reach
from listener.contract import Policy
from listener.desk import cases as desk
from listener.desk import elsewhere, records
from listener.desk.clocks import Moved
from listener.desk.recap import Recap, recap
from listener.errors import AlreadyDone, Mistake
from listener.store import (
    Transaction,
    cases,
    consents,
    contacts,
    continuing,
    customers,
    decisions,
    erasing,
    inbox,
    mentions,
)
from listener.store import policies as ruled
from listener.store.cases import Case
from listener.store.continuing import Word
from listener.store.customers import Customer
from listener.store.inbox import Draft, Elsewhere
from listener.store.mentions import Mention
from listener.types import CallOutcome, CaseState, Channel, Facts, Mode, ReplyPlan

TEMPLATE = "continue elsewhere"  # what a draft says it is made from


@dataclass(frozen=True, kw_only=True)
class Start:
    """A case with what is needed to go on: what its person said last, and all that was said, oldest first.

    `language`: in which we write to them, one of those we have words in.
    """

    case: Case
    customer: Customer | None
    mention: Mention
    words: tuple[Word, ...]
    language: str

    def recap(self, room: int = 10_000) -> Recap:
        """What was said, for whoever goes on."""
        return recap(self.words, self.language, room=room)


@dataclass(frozen=True, kw_only=True)
class Way:
    """An account of ours, and what is true of its network. `address`: its own, where it is a mailbox."""

    account: str
    facts: Facts
    address: str = ""


@dataclass(frozen=True, kw_only=True)
class Continued:
    """What came of it: the draft that goes to them alone, the one that says so in public, and why there is none."""

    alone: Draft | None = None
    offer: Draft | None = None
    no_offer: str = ""


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call, a chat or a video call that took place, or did not. `at`: when it began."""

    channel: Channel
    outcome: CallOutcome
    at: datetime
    minutes: int | None = None
    note: str = ""


def start(tx: Transaction, case: Case) -> Start:
    """What there is to go on with. Raises Mistake where nothing is known that its person said."""
    number = continuing.newest(tx, case)
    if number is None:
        raise Mistake(
            f"{case.reference} holds nothing that its person wrote, so there is nothing to go on with; "
            f"`escucha case note {case.reference}` writes down what you do."
        )
    understood = decisions.understanding_of(tx, number)
    customer = customers.by_id(tx, case.customer_id) if case.customer_id else None
    spoken = (understood.language if understood else "", customer.language if customer else "")
    return Start(
        case=case,
        customer=customer,
        mention=mentions.get(tx, number),
        words=tuple(continuing.words(tx, case)),
        language=elsewhere.language_for(*spoken),
    )


def where(tx: Transaction, begun: Start, kind: str, given: str = "") -> str:
    """The mail address or phone number (`kind`: mail, phone) under which they are to be reached; empty: nobody knows.

    `given`: the one that they gave us. Else the address that they wrote to us from, in the case first; else what the
    record holds and may be used. Raises Mistake for one of which the record says that it must not be.
    """
    ways = _ways(tx, begun.customer) if begun.customer else []
    known = {way.point.value: way for way in ways if way.point.kind == kind}
    value = reach.compared(kind, given, country=contacts.country(tx)) if given else ""
    if value in known and (why_not := known[value].why_not):
        raise Mistake(f"{given} stands on the record of {begun.case.customer_reference}: {why_not}.")
    if given or kind != reach.MAIL:
        return given or next((way.point.written for way in known.values() if not way.why_not), "")
    wrote = continuing.newest(tx, begun.case, network="mail")
    used = mentions.get(tx, wrote).author.handle if wrote else continuing.linked_address(tx, begun.case)
    refused = {value for value, way in known.items() if way.why_not}
    if used and reach.compared(kind, used) not in refused:
        return used
    return next((way.point.written for way in known.values() if not way.why_not), "")


def _ways(tx: Transaction, customer: Customer) -> list[records.Way]:
    return records.ways(contacts.of(tx, customer.id), consents.current(tx, customer.id))


def answered(tx: Transaction, mention: Mention) -> Case | None:
    """The live case that goes on with this mention: it answers what we sent to its author alone.

    Whoever has that message may answer it, from whatever address. A new mail goes on with a case only where we wrote
    to its sender in it; the reference in the subject says which, where there are several.
    """
    raw = mentions.raw(tx, mention.id) if mention.network == "mail" else {}
    told = raw.get("references")
    answers = [mention.parent_id, *(told if isinstance(told, list) else ())]
    found = continuing.cases_we_wrote_in(
        tx,
        mention.network,
        posted_ids=[each for each in answers if isinstance(each, str)],
        address=mention.author.handle if mention.network == "mail" else "",
    )
    if not found:
        return None
    subject = _bare(str(raw.get("subject", "")))
    possible = [cases.by_id(tx, number) for number in dict.fromkeys(number for number, _ in found)]
    named = [case for case in possible if _bare(case.reference) in subject]
    case = cases.hold(tx, (possible[0] if found[0][1] or not named else named[0]).id)
    return case if case.state in cases.LIVE else None


def _bare(text: str) -> str:
    return "".join(character for character in text[:1000].casefold() if character.isalnum())


def write(
    tx: Transaction,
    begun: Start,
    channel: Channel,
    *,
    way: Way,
    to: str,
    offer_by: Way | None,
    more: str = "",
    policy: Policy,
    by: str,
    now: datetime,
) -> Continued:
    """Drafts what goes to them alone and, unless `offer_by` is None, what says so where they wrote in public.

    `to`: the address, where the channel has one; without one only the offer is drafted, which asks for it. `way`: our
    account that writes; `offer_by`: the one that they wrote to.
    Raises Mistake where the network or the policy forbids what must be said.
    """
    _check_live(begun.case)
    alone = None
    if channel is Channel.DM or to:
        alone = _draft_alone(tx, begun, channel, way=way, to=to, more=more, policy=policy, by=by, now=now)
    made = _with_offer(tx, begun, channel, alone, mailbox=way.address, way=offer_by, policy=policy, by=by, now=now)
    if made.alone is None and made.offer is None:
        raise Mistake(
            f"Nobody knows how to reach them by {channel}, and they cannot be asked in public: {made.no_offer}. Give "
            "the address that they gave you with --to."
        )
    return made


def ask(
    tx: Transaction, begun: Start, channel: Channel, *, mailbox: str, way: Way, policy: Policy, by: str, now: datetime
) -> Continued:
    """Drafts what asks them, where they wrote in public, to tell us in private how to reach them there."""
    _check_live(begun.case)
    return _with_offer(tx, begun, channel, None, mailbox=mailbox, way=way, policy=policy, by=by, now=now)


def _with_offer(
    tx: Transaction,
    begun: Start,
    channel: Channel,
    alone: Draft | None,
    *,
    mailbox: str,
    way: Way | None,
    policy: Policy,
    by: str,
    now: datetime,
) -> Continued:
    offered, why = _draft_offer(
        tx, begun, channel, reached=alone is not None, mailbox=mailbox, way=way, policy=policy, by=by, now=now
    )
    if alone or offered:
        drafts = {"draft": alone.id if alone else None, "offer": offered.id if offered else None}
        cases.event(tx, begun.case, "continued", by, now, channel=channel.value, **drafts)
    return Continued(alone=alone, offer=offered, no_offer=why)


def _draft_alone(
    tx: Transaction,
    begun: Start,
    channel: Channel,
    *,
    way: Way,
    to: str,
    more: str,
    policy: Policy,
    by: str,
    now: datetime,
) -> Draft:
    mention, reference, facts = begun.mention, begun.case.reference, way.facts
    if channel is Channel.DM and (refused := elsewhere.why_not_messaged(mention, facts)):
        raise Mistake(f"{refused}; `escucha case continue {reference} --by mail` goes on by mail.")
    if mention.left_alone_at:
        raise Mistake(f"They asked to be left alone; `escucha leave-alone M{mention.id} --lift` takes that back.")
    underway = [draft for draft in inbox.of_mention(tx, mention.id) if draft.state in inbox.OPEN]
    if same := next((draft for draft in underway if (draft.channel, draft.recipient) == (channel, to)), None):
        raise AlreadyDone(f"D{same.id} goes there already ({same.state}); edit, approve or reject that one.")
    name = _name_for(tx, begun, to)
    handle = to or mention.author.handle

    def worded(told: Recap) -> str:
        words = elsewhere.opening(channel, begun.language, reference=reference, recap=told, name=name, more=more)
        return words.strip()

    told = begun.recap()
    room = facts.limit
    while told.text and facts.count(facts.address(worded(told), handle)) > facts.limit:
        room = min(room, len(told.text)) - 1
        told = begun.recap(room)
    text = worded(told)
    _check(policy.review(text, facts, handle, visibility=elsewhere.ALONE))
    return _propose(
        tx,
        begun,
        text=text,
        handle=handle,
        way=way,
        policy=policy,
        by=by,
        now=now,
        goes=Elsewhere(
            channel=channel,
            through=facts.network,
            recipient=to,
            subject=elsewhere.subject(begun.language, reference) if channel is Channel.MAIL else "",
            quotes=told.quotes,
        ),
    )


def _name_for(tx: Transaction, begun: Start, address: str) -> str:
    """The name on the record, for an address on it only: to any other it would tell whose the account is."""
    if begun.customer is None or not address:
        return ""
    values = {way.point.value for way in _ways(tx, begun.customer)}
    return begun.customer.name if reach.compared(reach.MAIL, address) in values else ""


def _draft_offer(
    tx: Transaction,
    begun: Start,
    channel: Channel,
    *,
    reached: bool,
    mailbox: str,
    way: Way | None,
    policy: Policy,
    by: str,
    now: datetime,
) -> tuple[Draft | None, str]:
    """The public draft, or why there is none. It takes the place of what waits to be said there."""
    mention = begun.mention
    if way is None:
        return None, "it was not wanted"
    if not elsewhere.is_public(mention):
        return None, "they wrote to us alone"
    if why := elsewhere.why_not_answered(mention, way.facts):
        return None, why
    handle, wordings = mention.author.handle, []
    for address in dict.fromkeys([mailbox, ""]):  # an address of ours that the policy does not know stays unsaid
        words = elsewhere.offer(
            channel, begun.language, reference=begun.case.reference, reached=reached, address=address
        )
        wordings += [words] if words else []
    forbidden = [policy.review(words, way.facts, handle, visibility=mention.visibility) for words in wordings]
    text = next((words for words, why_not in zip(wordings, forbidden, strict=True) if not why_not), "")
    if not text:
        listed = "" if not mailbox else f"; `brand: contacts:` in the policy must name {mailbox} before we may say it"
        return None, "there is nothing that may be said in public" + listed
    why = f"{by} goes on by {channel}"
    erasing.withdraw(tx, mention.id, reason=why, now=now, answers_only=True)
    return _propose(tx, begun, text=text, handle=handle, way=way, policy=policy, by=by, now=now, goes=None), ""


def _propose(
    tx: Transaction,
    begun: Start,
    *,
    text: str,
    handle: str,
    way: Way,
    policy: Policy,
    by: str,
    now: datetime,
    goes: Elsewhere | None,
) -> Draft:
    case, facts = begun.case, way.facts
    number = inbox.propose(
        tx,
        mention_id=begun.mention.id,
        revision=begun.mention.revision,
        account=way.account,
        decision_id=None,
        case_id=case.id,
        plan=ReplyPlan(
            template=TEMPLATE,
            text=text,
            language=begun.language,
            mode=Mode.MANUAL,
            length=facts.count(facts.address(text, handle)),
            limit=facts.limit,
        ),
        urgency_rank=case.urgency.rank,
        score=case.score,
        queue_at=case.queue_at,
        policy_version=ruled.active(tx) or policy.version,
        now=now,
        by=by,
        elsewhere=goes,
    )
    return inbox.get(tx, number)


def call(
    tx: Transaction, case: Case, made: Call, *, mention_id: int | None, by: str, now: datetime, moved: Moved
) -> Case:
    """Writes a call down; whoever was reached has had their answer, and what was solved is solved.

    `mention_id`: what its person wrote last, None where that is nothing. `moved`: see `clocks`.
    """
    _check_live(case)
    detail: dict[str, Any] = {"channel": made.channel.value, "outcome": made.outcome.value}
    detail["began"] = made.at.isoformat()
    detail |= {"minutes": made.minutes} if made.minutes is not None else {}
    detail |= {"text": made.note} if made.note else {}
    cases.event(tx, case, "call", by, now, **detail)
    if made.outcome is not CallOutcome.NO_ANSWER and mention_id is not None:
        desk.answered(tx, mention_id, now)
    if made.outcome is CallOutcome.SOLVED:
        return desk.move(tx, cases.by_id(tx, case.id), CaseState.RESOLVED, by=by, now=now, moved=moved)
    return cases.by_id(tx, case.id)


def _check_live(case: Case) -> None:
    if case.state not in cases.LIVE:
        raise Mistake(f"{case.reference} is {case.state}; `escucha case reopen {case.reference}` first.")


def _check(forbidden: tuple[str, ...]) -> None:
    if forbidden:
        raise Mistake("\n".join(forbidden))
