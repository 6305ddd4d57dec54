"""Cases become one and two again: merge, unmerge, split, and the last of these taken back.

Nothing is lost by any of them: mentions and drafts go where the case goes, each case keeps its events, and the
reference of a merged one finds what it is a part of. Cases of two customers never become one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from listener.desk import cases as desk
from listener.desk import clocks, customers, incident_cases
from listener.desk.clocks import Moved
from listener.errors import AlreadyDone, Mistake
from listener.store import Transaction, incidents, mentions, steps
from listener.store import cases as store
from listener.store.cases import Case, Event
from listener.store.customers import Customer
from listener.store.mentions import Mention
from listener.types import CasePlan, CaseState, Clock

Plan = Callable[[Mention], CasePlan]  # the case that would be opened for a mention


def merge(tx: Transaction, case: Case, other: Case, *, by: str, now: datetime, one_person: bool = False) -> Case:
    """Makes `other` a part of `case`; gives that as it is then.

    `one_person`: somebody says that the cases' accounts are one person's, which no link says.
    Raises Mistake where they are two customers', two strangers', or one is over or has parts, AlreadyDone where it is.
    """
    case, other = _held(tx, case, other)
    _check(tx, case, other, one_person=one_person)
    went = [number for number, _, _ in store.mentions_in(tx, other)]
    inside = {number for number, _, _ in store.mentions_in(tx, case)}
    whys = {number: why for number, why, _ in store.mentions_in(tx, other)}
    became: dict[str, Any] = {"merged_into": case.id, "state": CaseState.CLOSED.value, "snoozed_until": None}
    sooner: dict[str, Any] = {}
    if other.state in store.LIVE:
        sooner = clocks.inherit(tx, case, other)
        became |= clocks.stop(tx, other, CaseState.CLOSED, now)
    told: dict[str, Any] = {
        "into": case.reference,
        "was": other.state.value,
        "mentions": went,
        "shared": [number for number in went if number in inside],
    }
    other = store.record(tx, other, "merged", by=by, now=now, became=became, **told)
    for number in went:
        store.detach(tx, other, number, why=f"merged into {case.reference}", by=by, now=now, merged=case.reference)
        store.attach(tx, case, number, why=whys[number], by=by, now=now, merged=other.reference)
    store.move_drafts(tx, other, case, went)
    case = store.by_id(tx, case.id)
    both = {**_of_both(case, other), **sooner}
    store.record(tx, case, "absorbed", by=by, now=now, became=both, other=other.reference, mentions=went)
    incident_cases.regrouped(tx, other, case, by=by, now=now)
    return store.by_id(tx, case.id)


def _held(tx: Transaction, one: Case, other: Case) -> tuple[Case, Case]:
    """Both, held in the order of their numbers, so that two people who merge them crosswise do not wait for ever."""
    held = {each: store.hold(tx, each) for each in sorted({one.id, other.id})}
    return held[one.id], held[other.id]


def _check(tx: Transaction, case: Case, other: Case, *, one_person: bool) -> None:
    if case.id == other.id:
        raise Mistake(f"{case.reference} cannot be merged with itself.")
    for each in (case, other):
        if each.merged_into is not None:
            raise AlreadyDone(f"{each.reference} is a part of {each.merged_reference} already.")
        if each.parent_id in (case.id, other.id):
            raise Mistake(f"{each.reference} is a part of the other; `escucha case parent {each.reference} --none`.")
    if case.state not in store.LIVE:
        raise Mistake(f"{case.reference} is {case.state}; reopen it first, or merge the other way round.")
    for each, part in ((case, other), (other, case)):
        if incident := incidents.of_case(tx, each.id):
            raise Mistake(
                f"{each.reference} is {incident.reference}'s own case, of everybody whom it hits; "
                f"`escucha case parent {part.reference} {each.reference}` makes {part.reference} a part of it."
            )
    if store.with_parts(tx, [other.id]):
        raise Mistake(f"{other.reference} has parts of its own; merge the other way round, or take them off it.")
    if None not in (case.customer_id, other.customer_id) and case.customer_id != other.customer_id:
        raise Mistake(
            f"{case.reference} is customer {case.customer_reference}'s, {other.reference} is "
            f"{other.customer_reference}'s: what one says must not come before the other."
        )
    known = case.customer_id is not None and case.customer_id == other.customer_id
    accounts = {case.account_id, other.account_id} - {None}
    if len(accounts) == 2 and not known and not one_person:
        raise Mistake(
            f"{case.reference} is @{case.handle}'s, {other.reference} is @{other.handle}'s, and nothing says that they "
            "are one person: link both to their customer, or say so with --one-person."
        )


def _of_both(case: Case, other: Case) -> dict[str, Any]:
    """What the case has of both then: the greater urgency and score, and the sooner place in the queue."""
    became: dict[str, Any] = {
        "urgency_rank": max(case.urgency.rank, other.urgency.rank),
        "score": max(case.score, other.score),
        "queue_at": min(case.queue_at, other.queue_at),
        "tags": list(dict.fromkeys([*case.tags, *other.tags])),
        "skills": list(dict.fromkeys([*case.skills, *other.skills])),
        "watchers": list(dict.fromkeys([*case.watchers, *other.watchers])),
        "customer_id": case.customer_id or other.customer_id,
        "account_id": case.account_id or other.account_id,
    }
    dues = [due for due in (case.due_at, other.due_at) if due is not None]
    became["due_at"] = min(dues, default=None)
    return became


def unmerge(tx: Transaction, case: Case, *, by: str, now: datetime, moved: Moved) -> Case:
    """Makes a merged case one of its own again, open if it was live, with what came from it; gives it as it is then.

    What moved on from where it went stays there. Raises Mistake where it is not merged.
    """
    whole_id = store.hold(tx, case.id).merged_into
    merged = store.last_event(tx, case, "merged")
    if whole_id is None or merged is None:
        raise Mistake(f"{case.reference} is merged into nothing.")
    case, whole = _held(tx, case, store.by_id(tx, whole_id))
    inside = {number for number, _, _ in store.mentions_in(tx, whole)}
    told = [event.detail for event in store.events_of(tx, case) if event.kind == "mention"]
    whys = {detail["mention"]: detail["why"] for detail in told}
    back = {number: whys[number] for number in merged.detail["mentions"] if number in inside}
    was = CaseState(merged.detail["was"])
    became: dict[str, Any] = {"merged_into": None, "state": was.value}
    if was in store.LIVE:
        became |= {"state": CaseState.OPEN.value, **clocks.run_on(tx, case, now=now, moved=moved)}
    case = store.record(tx, case, "unmerged", by=by, now=now, became=became, out_of=whole.reference)
    for number, why in back.items():
        if number not in merged.detail["shared"]:
            store.detach(tx, whole, number, why=f"back in {case.reference}", by=by, now=now, merged=case.reference)
        store.attach(tx, case, number, why=why, by=by, now=now, merged=whole.reference)
    store.move_drafts(tx, whole, case, list(back))
    store.event(tx, store.by_id(tx, whole.id), "gave_back", by, now, other=case.reference, mentions=list(back))
    incident_cases.regrouped(tx, store.by_id(tx, whole.id), case, by=by, now=now)
    return store.by_id(tx, case.id)


def split(
    tx: Transaction, case: Case, numbers: Sequence[int], *, plan: Plan, pattern: str, by: str, now: datetime
) -> Case:
    """Opens a case for these mentions of the case, of one person; gives the new one.

    Raises Mistake for one that is not in it, where none would be left, or they are several people's.
    """
    case = store.hold(tx, case.id)
    if case.merged_into is not None:
        raise Mistake(f"{case.reference} is a part of {case.merged_reference}; split that, or unmerge it first.")
    inside = {number for number, _, _ in store.mentions_in(tx, case)}
    chosen = [mentions.get(tx, number) for number in dict.fromkeys(numbers)]
    for mention in chosen:
        if mention.id not in inside:
            raise Mistake(f"M{mention.id} is not in {case.reference}; see `escucha case show {case.reference}`.")
    if len(chosen) == len(inside):
        raise Mistake(f"Nothing would be left in {case.reference}; leave one of its mentions there.")
    first = chosen[0]
    customer = customers.behind(tx, first.account_id, first.network, first.author.handle, now)
    if any(_whose(tx, mention, now) != _whose(tx, first, now) for mention in chosen):
        raise Mistake("These are several people's; split them one by one.")
    new = desk.open_case(
        tx,
        pattern=pattern,
        plan=plan(first),
        account_id=first.account_id,
        customer_id=_customer_of(case, first, customer),
        by=by,
        since=min(mention.heard_at for mention in chosen),
        now=now,
    )
    went = [mention.id for mention in chosen]
    for number in went:
        store.detach(tx, case, number, why=f"split into {new.reference}", by=by, now=now, split=new.reference)
        store.attach(tx, new, number, why=f"split from {case.reference}", by=by, now=now, split=case.reference)
    store.move_drafts(tx, case, new, went)
    store.event(tx, store.by_id(tx, case.id), "split", by, now, into=new.reference, mentions=went)
    new = store.by_id(tx, new.id)
    answered = store.first_answer(tx, went)
    if answered is not None:
        steps.withdraw(tx, new.id, Clock.FIRST_RESPONSE)
        told = {"out_of": case.reference, "mentions": went}
        store.record(tx, new, "split_from", by=by, now=now, became={"first_response_at": answered}, **told)
    else:
        store.event(tx, new, "split_from", by, now, out_of=case.reference, mentions=went)
    incident_cases.regrouped(tx, case, new, by=by, now=now)
    return store.by_id(tx, new.id)


def _customer_of(case: Case, mention: Mention, customer: Customer | None) -> int | None:
    """Whose the new case is: who is behind the account now, else, for the case's own account, whose the case was."""
    if customer is not None:
        return customer.id
    return case.customer_id if mention.account_id == case.account_id else None


def _whose(tx: Transaction, mention: Mention, now: datetime) -> tuple[str, int]:
    customer = customers.behind(tx, mention.account_id, mention.network, mention.author.handle, now)
    return ("customer", customer.id) if customer else ("account", mention.account_id)


# --- taking back -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Undone:
    """What was taken back, in sentences, with the cases as they are then."""

    words: tuple[str, ...]
    cases: tuple[Case, ...]


def undo(tx: Transaction, case: Case, *, plan: Plan, pattern: str, by: str, now: datetime, moved: Moved) -> Undone:
    """Takes back the last joining, merge or split of the case that still stands.

    A mention that joined goes into a case of its own, and where it had reopened this one, that is over again.
    Raises Mistake where there is nothing to take back.
    """
    case = store.hold(tx, case.id)
    events = store.events_of(tx, case)
    inside = {number for number, _, _ in store.mentions_in(tx, case)}
    first = next((event for event in events if event.kind == "mention"), None)
    for at in range(len(events) - 1, -1, -1):
        event = events[at]
        match event.kind:
            case "mention" if event is not first and len(inside) > 1 and _joined(event, inside):
                new = split(tx, case, [event.detail["mention"]], plan=plan, pattern=pattern, by=by, now=now)
                over = _over_again(tx, store.by_id(tx, case.id), events[:at], event, by=by, now=now, moved=moved)
                words = [f"M{event.detail['mention']} is out of {case.reference}, in {new.reference} of its own."]
                words += [f"{over.reference} is {over.state} again."] if over else []
                return Undone(words=tuple(words), cases=(new,))
            case "absorbed":
                other = store.get(tx, event.detail["other"])
                if other.merged_into == case.id:
                    other = unmerge(tx, other, by=by, now=now, moved=moved)
                    return Undone(words=(f"{other.reference} is a case of its own again.",), cases=(other,))
            case "split":
                new = store.get(tx, event.detail["into"])
                if new.merged_into is None and new.state in store.LIVE:
                    whole = merge(tx, case, new, by=by, now=now, one_person=True)
                    return Undone(words=(f"{new.reference} is back in {whole.reference}.",), cases=(whole,))
    raise Mistake(
        f"There is nothing to take back in {case.reference}: nothing joined it, and it was not merged or split."
    )


def _joined(event: Event, inside: Collection[int]) -> bool:
    """Whether a mention came in by itself or by a person's word, not with another case, and is still there."""
    return event.detail["mention"] in inside and not {"merged", "split"} & event.detail.keys()


def _over_again(
    tx: Transaction, case: Case, before: Sequence[Event], joined: Event, *, by: str, now: datetime, moved: Moved
) -> Case | None:
    """The case, over as it was before that mention reopened it; None where it did not, or more has happened since."""
    reopened = next((event for event in reversed(before) if event.at == joined.at and event.kind == "reopened"), None)
    was = CaseState(reopened.detail["was"]) if reopened else CaseState.OPEN
    if was in store.LIVE or case.state is not CaseState.OPEN:
        return None
    return desk.move(tx, case, was, by=by, now=now, moved=moved, note="what had reopened it was another matter")
