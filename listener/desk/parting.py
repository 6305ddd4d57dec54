"""One case, one person: mentions of somebody else in a case move into a case of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from listener.desk import case_merging, incident_cases
from listener.desk import cases as desk
from listener.store import Transaction, cases, erasing, inbox, links, mentions, moves, steps
from listener.store.cases import Case
from listener.store.mentions import Mention
from listener.types import CasePlan, CaseState


@dataclass(frozen=True, kw_only=True)
class Parted:
    """Mentions that left a case for another one. `worked_on`: people wrote into the case they left."""

    mentions: tuple[int, ...]
    came_from: Case
    now_in: Case
    worked_on: bool


def part(
    tx: Transaction, found: Iterable[int], *, pattern: str, move_id: int | None, why: str, by: str, now: datetime
) -> tuple[Parted, ...]:
    """Looks through those cases; what is of somebody else than the case gets a case of its own, in the same state.

    `move_id`: the move by which it can be put back, None where there is nothing to put back to.
    """
    found = set(found)
    parted: list[Parted] = []
    for case in cases.merged_around(tx, found):
        whole = cases.whole(tx, case)
        if _person(case) != _person(whole):
            case_merging.unmerge(tx, case, by=by, now=now, moved=_never_asked)
            found |= {case.id, whole.id}
    for case_id in sorted(found):
        case = cases.by_id(tx, case_id)
        for theirs in _of_others(tx, case):
            new = _open(tx, case, theirs, pattern=pattern, by=by, now=now)
            for mention in theirs:
                cases.move_mention(tx, mention.id, case, new, why=why, by=by, now=now)
                if move_id is not None:
                    key = {"case_id": new.id, "mention_id": mention.id}
                    moves.keep(tx, move_id, "case_mentions", key, was={"case_id": case.id}, becomes={"case_id": new.id})
            _decide_again(tx, new, theirs, now)
            incident_cases.regrouped(tx, cases.by_id(tx, case.id), cases.by_id(tx, new.id), by=by, now=now)
            new = _as_far(tx, case, cases.by_id(tx, new.id), theirs, by=by, now=now)
            numbers = tuple(mention.id for mention in theirs)
            parted.append(Parted(mentions=numbers, came_from=case, now_in=new, worked_on=_worked_on(tx, case)))
    return tuple(parted)


def _decide_again(tx: Transaction, new: Case, theirs: Sequence[Mention], now: datetime) -> None:
    """Drafts that may name the old case are withdrawn, and made anew where somebody still works on the matter."""
    for mention in theirs:
        waiting = [draft for draft in inbox.of_mention(tx, mention.id) if draft.state in inbox.OPEN]
        if waiting:
            erasing.withdraw(tx, mention.id, reason=f"it is in {new.reference} now", now=now)
            mentions.decide_again(tx, mention.id)


def close_empty(tx: Transaction, case: Case, *, why: str, by: str, now: datetime) -> None:
    """Closes a live case that nothing is in any more."""
    if case.state in cases.LIVE and not cases.mentions_in(tx, case):
        desk.move(tx, case, CaseState.CLOSED, by=by, now=now, moved=_never_asked, note=why)


def _person(case: Case) -> tuple[str, int | None]:
    """Whose the case is: a customer's, else an account's."""
    return ("account", case.account_id) if case.customer_id is None else ("customer", case.customer_id)


def _of_others(tx: Transaction, case: Case) -> Sequence[Sequence[Mention]]:
    """The mentions in the case that are not of the case's person, those of one person together."""
    if case.customer_id is None and case.account_id is None:
        return ()  # nobody's case, be it an incident's: it has no person that others could be told from
    inside = [mentions.get(tx, number) for number, _, _ in cases.mentions_in(tx, case)]
    whose = links.whose(tx, {mention.account_id for mention in inside})
    others: dict[tuple[str, int], list[Mention]] = {}
    for mention in inside:
        customer_id = whose.get(mention.account_id)
        own = case.account_id == mention.account_id if case.customer_id is None else case.customer_id == customer_id
        if not own:
            person = ("account", mention.account_id) if customer_id is None else ("customer", customer_id)
            others.setdefault(person, []).append(mention)
    return list(others.values())


def _open(tx: Transaction, case: Case, theirs: Sequence[Mention], *, pattern: str, by: str, now: datetime) -> Case:
    first = theirs[0]
    plan = CasePlan(
        team=case.team,
        urgency=case.urgency,
        title=case.title,
        tags=case.tags,
        skills=case.skills,
        score=case.score,
        minutes_per_point=case.minutes_per_point,
        checklist=tuple(replace(item, done=False) for item in case.checklist),
    )
    new = desk.open_case(
        tx,
        pattern=pattern,
        plan=plan,
        account_id=first.account_id,
        customer_id=links.whose(tx, [first.account_id]).get(first.account_id),
        by=by,
        since=min(mention.heard_at for mention in theirs),
        now=now,
    )
    promised = {
        "first_response_due": case.first_response_due,
        "resolution_due": case.resolution_due,
        "promise": case.promise,
    }
    steps.plan(tx, new.id, [planned.step for planned in steps.of(tx, case.id) if planned.at is not None])
    return cases.record(tx, new, "promised", by=by, now=now, became=promised, why=f"as in {case.reference}")


def _as_far(tx: Transaction, case: Case, new: Case, theirs: Sequence[Mention], *, by: str, now: datetime) -> Case:
    """The new case as far on as the old one: answered where its mentions were, and over where that is."""
    sent = [draft for mention in theirs for draft in inbox.of_mention(tx, mention.id) if draft.sent_at is not None]
    for draft in sent[:1]:
        desk.answered(tx, draft.mention_id, draft.sent_at or now)
    new = cases.by_id(tx, new.id)
    if case.state is not CaseState.OPEN:
        new = desk.move(tx, new, case.state, by=by, now=now, moved=_never_asked)
    return new


def _never_asked(moment: datetime, /, *, calendar: str, since: datetime, until: datetime) -> datetime:  # noqa: ARG001
    """How far a clock has moved that stood still: not at all, for what is parted waited all the time."""
    return moment


def _worked_on(tx: Transaction, case: Case) -> bool:
    return any(event.kind == "note" for event in cases.events_of(tx, case))
