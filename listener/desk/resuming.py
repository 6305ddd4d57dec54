"""What became stale while sending was paused, and what a person wants done with it before it goes on.

An answer may be right when it is approved and wrong hours later. What `resume` would let go is looked through: what
is stale is sent, dropped or put before people again as somebody says; what nobody decided about goes back to people.
Nothing stale goes out by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from listener.desk import scheduling
from listener.desk.stopping import Scope
from listener.errors import OtherPolicy
from listener.errors import Stale as Changed
from listener.store import Transaction, amendments, answer_runs, inbox, mentions, notices, scheduled, switch
from listener.store.amendments import Amendment
from listener.store.answer_runs import Run
from listener.store.inbox import Draft
from listener.store.notices import Delivery, Notice
from listener.store.switch import Pause
from listener.types import DeliveryState, DraftState, NoticeState, RunState, SendKind

# How long each kind may be held until a person should look at it again; the shortest of what something is counts.
# What went to all belongs to a moment; an answer to one person who waits is worth more than none for longer.
KEEPS = {
    SendKind.NOTICE: timedelta(minutes=30),
    SendKind.MASS: timedelta(hours=1),
    SendKind.AMENDMENT: timedelta(hours=4),
    SendKind.AUTOMATIC: timedelta(hours=4),
    SendKind.REPLY: timedelta(hours=4),
}


class Fate(StrEnum):
    """What becomes of something stale."""

    SEND = "send"
    DROP = "drop"
    REVIEW = "review"  # a person sees it again


@dataclass(frozen=True, kw_only=True)
class Stale:
    """One thing that would go out now and perhaps should not. `number`: `D7`, `N2`, `N2 edit`, `I3 answers`.

    `since`: held since then.
    """

    number: str
    kinds: tuple[SendKind, ...]
    accounts: tuple[str, ...]
    since: datetime
    why: str


@dataclass(frozen=True, kw_only=True)
class Resumed:
    """What letting go came to. `done`: what became of each stale one; `free`: how many replies go out from now on."""

    lifted: tuple[Scope, ...]
    still: tuple[Pause, ...]
    done: tuple[tuple[Stale, Fate], ...]
    free: int


def why_stale(
    kinds: Sequence[SendKind], *, due: datetime, held_since: datetime, until: datetime | None = None, now: datetime
) -> str:
    """Why it should not just go out, empty where it may. `due`: when it should have; `until`: later not by itself."""
    if SendKind.AUTOMATIC in kinds and until is not None and now > until:
        return f"a rule let it go out until {until:%Y-%m-%d %H:%M} UTC; what it answers is too old by now"
    if SendKind.SCHEDULED in kinds and held_since <= due <= now:
        return f"it was to go out at {due:%Y-%m-%d %H:%M} UTC"
    longest = min((KEEPS[kind] for kind in kinds if kind in KEEPS), default=None)
    if longest is not None and now - max(due, held_since) > longest:
        return f"it is held for longer than {_spell(longest)}"
    return ""


def _spell(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} minutes"


@dataclass(frozen=True, kw_only=True)
class _Held:
    """What would go out once the scopes are let go."""

    drafts: tuple[Draft, ...]
    runs: tuple[tuple[Run, tuple[Draft, ...]], ...]  # with their answers that have not gone out
    posts: tuple[tuple[Notice, tuple[Delivery, ...]], ...]
    corrections: Mapping[str, tuple[Amendment, ...]]  # by what they are called: `N2 edit`
    lifting: tuple[Pause, ...]

    def since(self, network: str, kinds: Sequence[SendKind]) -> datetime:
        return min(pause.at for pause in self.lifting if pause.holds(network, kinds))


def _missed(notice: Notice, now: datetime) -> bool:
    """Whether it was to go out by itself and did not in time."""
    return notice.state is NoticeState.APPROVED and scheduling.stale(notice, now)


def _held(tx: Transaction, scopes: Sequence[Scope], now: datetime) -> _Held:
    stops = switch.pauses(tx)
    lifting = tuple(pause for pause in stops if any(scope.is_of(pause) for scope in scopes))
    staying = [pause for pause in stops if pause not in lifting]

    def freed(network: str, kinds: Sequence[SendKind]) -> bool:
        still_held = any(pause.holds(network, kinds) for pause in staying)
        return not still_held and any(pause.holds(network, kinds) for pause in lifting)

    approved = inbox.waiting(tx, states=(DraftState.APPROVED,)) if lifting else []
    free = [draft for draft in approved if freed(draft.network, draft.kinds)]
    runs = [(run, tuple(draft for draft in free if draft.answer_run_id == run.id)) for run in answer_runs.running(tx)]
    posts = []
    for notice in notices.listing(tx) if lifting else ():
        waiting = [each for each in notice.deliveries if each.state is DeliveryState.WAITING]
        mine = tuple(each for each in waiting if freed(each.network, each.kinds))
        goes = notice.state is NoticeState.PUBLISHING or _came_meanwhile(notice, lifting, now)
        if mine and (goes or _missed(notice, now)):
            posts.append((notice, mine))
    corrections: dict[str, tuple[Amendment, ...]] = {}
    for amendment in amendments.waiting(tx) if lifting else ():
        if freed(amendment.network, amendment.kinds):
            name = f"N{amendment.notice_id} {amendment.kind}"
            corrections[name] = (*corrections.get(name, ()), amendment)
    return _Held(
        corrections=corrections,
        drafts=tuple(draft for draft in free if draft.answer_run_id is None),
        runs=tuple((run, mine) for run, mine in runs if mine),
        posts=tuple(posts),
        lifting=lifting,
    )


def _came_meanwhile(notice: Notice, lifting: Sequence[Pause], now: datetime) -> bool:
    """Whether it would go out by itself now, as its hour came while it was held."""
    if notice.state is not NoticeState.APPROVED or notice.due_at is None:
        return False
    return min(pause.at for pause in lifting) <= notice.due_at <= now


def stale(tx: Transaction, scopes: Sequence[Scope], *, now: datetime) -> list[Stale]:
    """What became stale of what letting those scopes go would send."""
    return _stale(_held(tx, scopes, now), now)


def _stale(held: _Held, now: datetime) -> list[Stale]:
    found: list[Stale] = []

    def look(
        number: str,
        of: Sequence[Draft | Delivery | Amendment],
        due: datetime | None,
        until: datetime | None = None,
    ) -> None:
        kinds = of[0].kinds
        held_since = min(held.since(each.network, kinds) for each in of)
        due = due or held_since
        if why := why_stale(kinds, due=due, held_since=held_since, until=until, now=now):
            accounts = tuple(dict.fromkeys(each.account for each in of))
            found.append(Stale(number=number, kinds=kinds, accounts=accounts, since=max(due, held_since), why=why))

    for draft in held.drafts:
        look(f"D{draft.id}", (draft,), draft.not_before or draft.decided_at, draft.alone_until)
    for run, answers in held.runs:
        look(_name(run), answers, run.started_at)
    for notice, posts in held.posts:
        look(f"N{notice.id}", posts, notice.due_at or notice.publishing_since)
    for name, corrections in held.corrections.items():
        look(name, corrections, max(each.approved_at or each.written_at for each in corrections))
    return found


def resume(tx: Transaction, scopes: Sequence[Scope], *, fates: Mapping[str, Fate], by: str, now: datetime) -> Resumed:
    """Does with what is stale what `fates` says, by its number, then lets the scopes go.

    What became stale since somebody was asked goes back to people.
    """
    held = _held(tx, scopes, now)
    found = _stale(held, now)
    drafts = {f"D{draft.id}": draft for draft in held.drafts}
    posts = {f"N{notice.id}": notice for notice, _ in held.posts}
    runs = {_name(run): run for run, _ in held.runs}
    done = []
    for each in found:
        fate = fates.get(each.number, Fate.REVIEW)
        if each.number in drafts:
            fate = _decide_draft(tx, drafts[each.number], fate, by=by, now=now, why=each.why)
        elif each.number in runs:
            _decide_run(tx, runs[each.number], fate, by=by, now=now)
        elif each.number in held.corrections:
            fate = _decide_correction(tx, held.corrections[each.number], fate, by=by, now=now)
        else:
            _decide_notice(tx, posts[each.number], fate, by=by, now=now)
        done.append((each, fate))
    counted = {f"stale_{fate.value}": sum(one is fate for _, one in done) for fate in Fate} if done else {}
    lifted = tuple(
        scope
        for scope in dict.fromkeys(scopes)
        if switch.resume(tx, network=scope.network, kind=scope.kind, by=by, now=now, **counted)
    )
    kept = {each.number for each, fate in done if fate is not Fate.SEND}
    going = sum(f"D{draft.id}" not in kept for draft in held.drafts)
    going += sum(len(answers) for run, answers in held.runs if _name(run) not in kept)
    return Resumed(lifted=lifted, still=tuple(switch.pauses(tx)), done=tuple(done), free=going)


def _name(run: Run) -> str:
    """What the answers to everybody of an incident are called here."""
    return f"I{run.incident_id} answers"


def _decide_draft(tx: Transaction, draft: Draft, fate: Fate, *, by: str, now: datetime, why: str) -> Fate:
    """What became of it: what no longer stands as it was approved goes back to people, whatever was said."""
    if fate is Fate.DROP:
        inbox.reject(tx, draft, by=by, reason=f"it was paused, and {why}", now=now)
    elif fate is Fate.REVIEW:
        inbox.take_back(tx, draft, by=by, now=now)
    elif draft.automatic:
        shown = inbox.take_back(tx, draft, by=by, now=now)
        try:
            inbox.approve(tx, shown, by=by, now=now)  # now it is a person who lets it go out
        except (Changed, OtherPolicy):
            return Fate.REVIEW
    return fate


def _decide_run(tx: Transaction, run: Run, fate: Fate, *, by: str, now: datetime) -> None:
    """A run goes on as a whole, is given up, or stops until a person has it go on."""
    why = "it was paused for long"
    if fate is Fate.REVIEW:
        answer_runs.move(tx, run, RunState.STOPPED, by=by, now=now, reason=why)
    elif fate is Fate.DROP:
        run = answer_runs.move(tx, run, RunState.DROPPED, by=by, now=now, ended_at=now, reason=why)
        answer_runs.forget_words(tx, run)
        while lost := answer_runs.expire(tx, run, reason=why, now=now):
            for mention_id in lost:
                mentions.decide_again(tx, mention_id)


def _decide_notice(tx: Transaction, notice: Notice, fate: Fate, *, by: str, now: datetime) -> None:
    if fate is Fate.DROP:
        notices.withdraw(tx, notice, by=by, now=now)
    elif fate is Fate.REVIEW and notice.state is NoticeState.PUBLISHING:
        notices.hold_back(tx, notice, by=by, now=now)
    elif fate is Fate.REVIEW:
        if not scheduling.stale(notice, now):  # else it waits for a person already
            scheduled.unschedule(tx, notice, by=by, now=now)
    elif notice.state is NoticeState.PUBLISHING:
        notices.go_on(tx, notice, by=by, now=now)
    else:
        notices.publish(tx, notice, by=by, now=now)


def _decide_correction(
    tx: Transaction, corrections: Sequence[Amendment], fate: Fate, *, by: str, now: datetime
) -> Fate:
    """What became of it: whoever looks at it again orders it anew, from what the notice says by then."""
    if fate is Fate.SEND:
        return fate
    amendments.drop(tx, corrections[0].notice_id, only=[each.id for each in corrections], by=by, now=now)
    return Fate.DROP


def all_at_once(found: Iterable[Stale], fate: Fate) -> dict[str, Fate]:
    """The same for each of them."""
    return {each.number: fate for each in found}
