"""Many mentions that are decided together: what is known around all of them is read at once, what is decided of them is
written at once, and each sees what was decided of those before it.

Most mentions are plain: somebody writes, for the first time of this, and what follows is a case that is opened or goes
on, and a draft. Of those everything is known here. What is rarer (a one-time code, a mail, a post that was edited or is
of an incident, a case that wakes) goes the way of a single mention, after this book is settled; then another is begun.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from listener.desk import cases as desk
from listener.desk import clocks, codes, incident_matching, joining, standing
from listener.desk.incident_matching import Watched
from listener.desk.joining import Found
from listener.store import (
    Transaction,
    attached,
    case_counts,
    cases,
    crowd,
    customers,
    decisions,
    identities,
    links,
    matters,
    mentions,
    switch,
)
from listener.store.cases import LIVE, Case
from listener.store.customers import Customer
from listener.store.ledger import PROVISIONAL, Ledger
from listener.store.matters import MOST, READ, Answers, Around
from listener.store.mentions import Mention
from listener.store.spoken import Spoken
from listener.store.threads import Said
from listener.types import CasePlan, CaseState, CustomerView, Decision, SendKind, Understanding, Visibility


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    """What was said in a case in this very batch, as `matters.py` reads it."""

    case_id: int
    mention_id: int
    network: str
    text: str
    posted_at: datetime
    areas: Sequence[str]
    intents: Sequence[str]


class Batch:
    """The mentions, in their order, and the book of what is decided of them. `pattern`, `reopen`: see `joining.find`;
    `quick`: see `authors.habits`.
    """

    def __init__(
        self,
        tx: Transaction,
        batch: Sequence[Mention],
        *,
        watched: Watched,
        pattern: str,
        reopen: timedelta,
        quick: timedelta,
        now: datetime,
    ) -> None:
        self._tx, self._now, self._reopen, self._watched = tx, now, reopen, watched
        self.ledger = Ledger(tx, pattern=pattern, now=now)
        self.spoken = Spoken(tx, batch, now=now)
        numbers = [each.id for each in batch]
        accounts = {each.account_id: (each.network, each.author.handle, each.author.url) for each in batch}
        networks = {each.network for each in batch}
        self._read = decisions.understandings_of(tx, numbers)
        self.known = crowd.around(tx, batch, since=now - reopen, quick=quick, now=now)
        self._patterns = joining.patterns(tx, pattern)
        self.ours = {network: identities.ours(tx, network) for network in networks}
        self.paused = {network: switch.is_paused(tx, network, SendKind.AUTOMATIC) for network in networks}
        self._customers = customers.behind_all(tx, accounts)
        unknown = {number: known for number, known in accounts.items() if number not in self._customers}
        self._expected = links.expected_among(tx, unknown)
        self._touched = attached.ever(tx, numbers) if watched.any else set()
        self._views: dict[int, CustomerView] = {}
        self._live_now: dict[int, int] = defaultdict(int)  # by customer: live cases more than the view says
        self._counts: dict[tuple[int, int], int] = {}  # unsolved complaints, by account and customer
        self._read_cases()

    def _read_cases(self) -> None:
        owned = {each.id for each in self._customers.values()}
        self._live = case_counts.open_counts(self._tx, owned)
        self._unsolved = case_counts.with_unsolved(self._tx, owned)
        self._of_customer = cases.recent_of(self._tx, owned, since=self._now - self._reopen)
        wanted = {number for known in self.known.values() for number in (*known.by_account, *known.theirs, *known.ours)}
        wanted |= {number for known in self.known.values() for number in known.thread}
        wanted |= {number for each in self._of_customer.values() for number in each}
        self._cases = {case.id: case for case in cases.by_ids(self._tx, wanted)}
        self._said = matters.said_in(self._tx, wanted)
        self._over = matters.over_since(self._tx, [each for each in self._cases.values() if each.state not in LIVE])
        self._opened_by: dict[int, list[int]] = defaultdict(list)  # in this batch, by account
        self._opened_for: dict[int, list[int]] = defaultdict(list)  # by customer
        self._joined_thread: dict[tuple[str, str], set[int]] = defaultdict(set)
        self._joined_by: dict[tuple[str, str], set[int]] = defaultdict(set)  # by post: the cases it is in now

    # --- reading ------------------------------------------------------------------------------------------------------

    def understanding(self, mention: Mention) -> Understanding | None:
        """What the model made of it as it stands."""
        return self._read.get(mention.id)

    def customer(self, mention: Mention) -> Customer | None:
        """Whose account wrote it."""
        return self._customers.get(mention.account_id)

    def is_plain(self, mention: Mention, *, ours: bool) -> bool:
        """Whether all that matters about it is known here. `ours`: one of us wrote it."""
        known = self.known.get(mention.id)
        if known is None or mention.id not in self._read or known.before or known.answers_alone:
            return False
        if mention.network == "mail" or mention.account_id in self._expected or mention.id in self._touched:
            return False
        if joining.may_quote(mention.text) and joining.quoted(mention.text, self._patterns):
            return False
        if not ours and codes.codes_in(mention.text):
            return False
        return ours or not self._watched.active or self._is_of_none(mention)

    def _is_of_none(self, mention: Mention) -> bool:
        """Whether no incident that lasts hits whoever wrote it, by its own words."""
        customer = self.customer(mention)
        seen = incident_matching.seen_in(self._tx, self._watched, mention, self._read[mention.id], customer)
        near = self._watched.near.get((mention.id, mention.revision), {})
        return not incident_matching.fitting(self._watched.active, seen, near)

    def found(self, mention: Mention) -> Found | None:
        """The case that it joins, and why; None where that must be looked up for it alone."""
        understanding, customer = self._read[mention.id], self.customer(mention)
        around = self._around(mention, customer)
        if any(each.case.merged_into is not None for each in around):
            return None
        heard = joining.heard_in(mention, understanding, customer, ())
        found = joining.among(heard, around, reopen=self._reopen, now=self._now)
        follows = found.case is not None and found.known and found.case.parent_id is not None and self._watched.active
        return None if follows else found

    def _around(self, mention: Mention, customer: Customer | None) -> list[Around]:
        known = self.known[mention.id]
        theirs = {*known.by_account, *self._opened_by.get(mention.account_id, ())}
        if customer is not None:
            theirs |= {*self._of_customer.get(customer.id, ()), *self._opened_for.get(customer.id, ())}
        answers: dict[int, Answers] = dict.fromkeys(known.thread, Answers.THREAD)
        if mention.thread_id is not None:
            beside: Iterable[int] = self._joined_thread.get((mention.network, mention.thread_id), ())
            if mention.visibility is not Visibility.DIRECT:  # in public nobody joins those of others there
                beside = [number for number in beside if self._is_theirs(self._cases[number], mention, customer)]
            answers |= dict.fromkeys(beside, Answers.THREAD)
        answers |= dict.fromkeys(known.ours, Answers.OURS)
        answers |= dict.fromkeys(known.theirs, Answers.THEIRS)
        if mention.parent_id is not None:
            answers |= dict.fromkeys(self._joined_by.get((mention.network, mention.parent_id), ()), Answers.THEIRS)
        numbers = sorted({*sorted(theirs, reverse=True)[:MOST], *answers}, reverse=True)
        said = {number: self._said.get(number, []) for number in numbers}
        if sum(map(len, said.values())) > READ:
            newest = {row.mention_id for row in sorted(_rows(said), key=_place, reverse=True)[:READ]}
            said = {number: [row for row in rows if row.mention_id in newest] for number, rows in said.items()}
        return [
            matters.made(
                self._cases[number],
                said[number],
                mention,
                over_since=self._over.get(number),
                answers=answers.get(number, Answers.NOTHING),
            )
            for number in numbers
            if number in self._cases
        ]

    def _is_theirs(self, case: Case, mention: Mention, customer: Customer | None) -> bool:
        return case.account_id == mention.account_id or (customer is not None and case.customer_id == customer.id)

    def view(self, customer: Customer, *, fields: frozenset[str]) -> CustomerView:
        """The customer as a policy sees them at this moment."""
        if customer.id not in self._views:
            live = self._live.get(customer.id, 0)
            self._views[customer.id] = standing.view(self._tx, customer, self._now, fields=fields, open_cases=live)
        view = self._views[customer.id]
        return replace(view, open_cases=view.open_cases + self._live_now[customer.id])

    def complaints(self, mention: Mention) -> tuple[int, int]:
        """How many complaints its person posted within 30 days, and how many of their cases were left unsolved."""
        customer, known = self.customer(mention), self.known[mention.id]
        if customer is None or not (known.unsolved or customer.id in self._unsolved):
            return known.complaints, known.unsolved
        asked = mention.account_id, customer.id
        if asked not in self._counts:
            self._counts[asked] = case_counts.unsolved_complaints(
                self._tx, account_id=mention.account_id, customer_id=customer.id
            )
        return known.complaints, self._counts[asked]

    def last_said(self, mention: Mention) -> tuple[Said | None, bool]:
        """What was said last in its thread before it, as `threads.last_said` has it; whether Escucha said it."""
        heard, sent = self.known[mention.id].heard_last, self.spoken.last_sent(mention)
        if sent is not None and (heard is None or heard.at <= sent):
            return Said(external_id=None, author=None), True
        return (None, False) if heard is None else (heard.said, heard.is_ours)

    def repliers(self, mention: Mention, *, is_colleague: Callable[[str, str], bool]) -> tuple[str, ...]:
        """Whom we heard answering it; see `mentions.repliers`."""
        return mentions.first_of(self.known[mention.id].repliers, ahead=partial(is_colleague, mention.network))

    # --- writing ------------------------------------------------------------------------------------------------------

    def may_join(self, case: Case, decision: Decision) -> bool:
        """Whether the mention only adds to the case: nothing wakes, and nobody is called in."""
        awake = case.state is CaseState.OPEN and case.snoozed_until is None
        return awake and decision.escalate_to in ("", case.team)

    def join(self, mention: Mention, found: Found, plan: CasePlan, *, by: str) -> Case:
        """As `desk.cases.join` of a case that it `may_join`, and puts the mention in."""
        assert found.case is not None
        case = found.case
        if found.known:
            sooner, renewed = clocks.hurried(case, plan)
            for clock, planned in renewed.items():
                self.ledger.renew(case, clock, planned)
            for kind, became, told in desk.presses(case, plan, sooner=sooner):
                case = self.ledger.record(case, kind, by=by, became=became, **told)
        return self._attach(mention, case, why=found.why, by=by)

    def open(self, mention: Mention, found: Found, plan: CasePlan, *, by: str) -> Case:
        """Opens a case for the mention, and puts it in."""
        customer = self.customer(mention)
        whose = (customer.id, customer.reference, customer.name) if customer else None
        case = self.ledger.open(plan, mention, customer=whose, by=by)
        self._opened_by[mention.account_id].append(case.id)
        if customer:
            self._opened_for[customer.id].append(case.id)
            self._live_now[customer.id] += 1
        return self._attach(mention, case, why=f"it opened the case: {found.why}", by=by)

    def _attach(self, mention: Mention, case: Case, *, why: str, by: str) -> Case:
        case = self._cases[case.id] = self.ledger.attach(case, mention.id, why=why, by=by)
        read = self._read[mention.id]
        row = _Row(
            case_id=case.id,
            mention_id=mention.id,
            network=mention.network,
            text=mention.text,
            posted_at=mention.posted_at,
            areas=read.areas,
            intents=[intent.value for intent in read.intents],
        )
        self._said.setdefault(case.id, []).append(row)
        if mention.thread_id is not None:
            self._joined_thread[mention.network, mention.thread_id].add(case.id)
        self._joined_by[mention.network, mention.external_id].add(case.id)
        return case

    def settle(self) -> None:
        """Writes down all that was decided; nothing of this batch is to be asked afterwards."""
        self.ledger.settle()

    def settled(self, found: Found) -> Found:
        """The same after `settle`: a case that this batch opened bears its number."""
        case = found.case
        if case is None or case.id < PROVISIONAL:
            return found
        return replace(found, case=replace(case, id=self.ledger.real[case.id]))


def _rows(said: Mapping[int, Sequence[Any]]) -> list[Any]:
    return [row for rows in said.values() for row in rows]


def _place(row: Any) -> int:
    return int(row.mention_id)
