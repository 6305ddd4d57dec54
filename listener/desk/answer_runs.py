"""A run of answers from its first draft until the last is out. Who gets what is decided in `answering.py`.

    draft | (a person reads all, or a sample) | approve | go | the daemon sends, evenly | done

Everything in bulk goes in bounded transactions and can be done again after a crash: a run is drafted anew as a whole,
and becomes drafts of the outbox piece by piece.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from listener.contract import Policy
from listener.desk import answering as pure
from listener.desk.answering import Left
from listener.errors import AlreadyDone, Mistake
from listener.store import Store, Transaction, answer_runs, answering, inbox, mentions, outbox, policies, users
from listener.store.answer_runs import Answer, Run
from listener.store.inbox import Draft
from listener.store.incidents import Incident
from listener.types import DraftState, Facts, LeftOut, RunState

TOGETHER = 500  # answers kept in one transaction
PASSED = 100  # that pass another policy between two transactions
AT_ONCE = 20  # answers looked up on the network together before they are sent


def draft(
    store: Store,
    policy: Policy,
    incident: Incident,
    *,
    answers: Mapping[str, Sequence[str]],
    facts: Callable[[str, str], Facts],
    per_hour: int,
    seed: int,
    by: str,
    now: datetime,
) -> Run:
    """Works out who of the incident's people gets which words; nothing goes out. A run not yet approved is made anew.

    `answers`: the approved wordings by language. Raises Mistake where the incident is over, or several people would be
    told the same words one after the other; AlreadyDone where a run of it is approved or under way.
    """
    _must_last(incident)
    with store.write() as tx:
        there = answer_runs.open_run(tx, incident.id)
        if there and there.state not in (RunState.DRAFTING, RunState.REVIEWING):
            raise AlreadyDone(_under_way(incident, there))
        answer_runs.release(tx, incident.id)
        if there:
            answer_runs.clear(tx, there)
    with store.read() as tx:
        found = list(answering.candidates(tx, incident.id, now))
    planned = pure.plan(
        found,
        answer=lambda situation, turn, after: policy.answer_many(situation, answers, turn=turn, after=after),
        facts=facts,
        now=now,
    )
    if alike := pure.too_few(planned):
        people = ", ".join(f"{number} in {language}" for language, number in sorted(alike.items()))
        raise Mistake(
            f"There is one wording only for several people ({people}), who would all be told the same: approve another "
            f"one with `escucha incident say {incident.reference}`."
        )
    with store.write() as tx:
        run = answer_runs.begin(
            tx,
            incident_id=incident.id,
            by=by,
            now=now,
            per_hour=per_hour,
            policy_version=policy.version,
            seed=seed,
        )
    for first in range(0, len(planned), TOGETHER):
        with store.write() as tx:
            answer_runs.put(tx, run, planned[first : first + TOGETHER], first=first)
    with store.write() as tx:
        return answer_runs.move(tx, run, RunState.REVIEWING, by=by, now=now, reason=None)


def _must_last(incident: Incident) -> None:
    if not incident.lasts:
        raise Mistake(
            f"{incident.reference} is {incident.state}: what was to be said while it lasts is no longer true."
        )


def _under_way(incident: Incident, run: Run) -> str:
    what = {
        RunState.APPROVED: f"`escucha notice answer {incident.reference} --go` sends them",
        RunState.RUNNING: f"`escucha notice answer {incident.reference} --stop` stops them",
        RunState.STOPPED: "`--resume` goes on with them, `--drop` gives up what has not gone out",
    }
    return (
        f"The answers of {incident.reference} are {run.state} since {run.approved_by} approved them; {what[run.state]}."
    )


def approve(store: Store, policy: Policy, run: Run, *, sample: int, by: str, now: datetime) -> Run:
    """Lets the answers go out as they stand in `run`, once somebody says so; what else was proposed gives way.

    `sample`: how many of them were read. Raises Stale when a text changed since, Mistake where nobody is answered or
    the policy wants somebody else than who drafted them.
    """
    if policy.incident_rules.two_people:
        check_second(run, by)
    with store.write() as tx:
        if not answer_runs.counts(tx, run.id).get("drafted"):
            raise Mistake("Nobody would be answered, so there is nothing to approve.")
        run = answer_runs.move(
            tx, run, RunState.APPROVED, by=by, now=now, approved_by=by, approved_at=now, sample=sample
        )
    _place(store, run, now)
    return run


def check_second(run: Run, by: str) -> None:
    """Raises Mistake where `by` drafted the answers, and so cannot approve them."""
    if users.same_person(run.by, by):
        raise Mistake(
            f"{run.by} drafted these answers, and the policy wants a second person to approve them; "
            "`incidents: two_people:` says so."
        )


def _place(store: Store, run: Run, now: datetime) -> None:
    while True:
        with store.write() as tx:
            if not answer_runs.place(tx, run, now=now):
                return


def go(store: Store, incident: Incident, run: Run, *, by: str, now: datetime) -> Run:
    """Lets an approved run send, from the next round of whoever sends. Raises Mistake where it may not."""
    _must_last(incident)
    if run.state is RunState.RUNNING:
        raise AlreadyDone(_under_way(incident, run))
    if run.state in (RunState.DONE, RunState.DROPPED):
        raise AlreadyDone(f"These answers of {incident.reference} are {run.state}.")
    if run.state is not RunState.APPROVED:
        step = "--resume" if run.state is RunState.STOPPED else "--review"
        raise Mistake(
            f"The answers of {incident.reference} are {run.state}; `escucha notice answer {incident.reference} {step}`."
        )
    _place(store, run, now)
    with store.write() as tx:
        return answer_runs.move(tx, run, RunState.RUNNING, by=by, now=now, started_at=now)


def stop(store: Store, run: Run, *, by: str, now: datetime, reason: str = "") -> Run:
    """Nothing more of it is begun from here on, by any process. Raises Mistake where nothing of it runs."""
    with store.write() as tx:
        if run.state not in (RunState.RUNNING, RunState.APPROVED):
            raise Mistake(f"These answers are {run.state}; nothing of them goes out.")
        return answer_runs.move(tx, run, RunState.STOPPED, by=by, now=now, reason=reason or f"stopped by {by}")


def resume(
    store: Store,
    policy: Policy,
    incident: Incident,
    run: Run,
    *,
    facts: Callable[[str, str], Facts],
    by: str,
    now: datetime,
) -> Run:
    """Lets a stopped run go on. Where another policy rules since, each waiting text passes it first, or is left out."""
    _must_last(incident)
    if run.state is not RunState.STOPPED:
        raise Mistake(f"These answers are {run.state}; only stopped ones go on.")
    _place(store, run, now)
    other = run.policy_version != policy.version
    if other:
        _pass(store, policy, run, facts, now)
    with store.write() as tx:
        if other:
            answer_runs.bound_anew(tx, run, policy.version)
        return answer_runs.move(
            tx, run, RunState.RUNNING, by=by, now=now, started_at=run.started_at or now, reason=None
        )


def _pass(store: Store, policy: Policy, run: Run, facts: Callable[[str, str], Facts], now: datetime) -> None:
    """Leaves out whose waiting text the policy refuses. It is asked outside of any transaction that writes: thousands
    of texts take their time, in which others go on, and the run stands still."""
    with store.read() as tx:
        waiting = [each for each in answer_runs.answers_of(tx, run.id) if each.draft is DraftState.APPROVED]
    for first in range(0, len(waiting), PASSED):
        with store.read() as tx:
            told = [(each, _refused(tx, policy, each, facts)) for each in waiting[first : first + PASSED]]
        refused = [(each, why) for each, why in told if why]
        if refused:
            with store.write() as tx:
                for answer, why in refused:
                    draft = inbox.get(tx, answer.draft_id or 0)
                    if draft.state is DraftState.APPROVED:
                        _give_up(tx, draft, answer, Left(reason=LeftOut.WORDS, why=why), now)


def _refused(tx: Transaction, policy: Policy, answer: Answer, facts: Callable[[str, str], Facts]) -> str:
    said = mentions.get(tx, answer.mention_id)
    found = policy.review(
        answer.text, facts(answer.network, answer.account), said.author.handle, visibility=said.visibility
    )
    return found[0] if found else ""


def drop(store: Store, run: Run, *, by: str, now: datetime, reason: str = "") -> Run:
    """Gives up what has not gone out; those people are put before the policy again. Raises Mistake once it is done."""
    if run.state in (RunState.DONE, RunState.DROPPED):
        raise Mistake(f"These answers are {run.state}; there is nothing to give up.")
    with store.write() as tx:
        run = answer_runs.move(
            tx, run, RunState.DROPPED, by=by, now=now, ended_at=now, reason=reason or f"dropped by {by}"
        )
        answer_runs.forget_words(tx, run)
    while True:
        with store.write() as tx:
            lost = answer_runs.expire(tx, run, reason="the answers to everybody were dropped", now=now)
            for mention_id in lost:
                mentions.decide_again(tx, mention_id)
        if not lost:
            return run


def reword(
    store: Store, policy: Policy, run: Run, answer: Answer, text: str, *, facts: Facts, by: str, now: datetime
) -> Run:
    """Other words for one person of a run that is being reviewed. Raises Mistake where they must not be sent."""
    with store.write() as tx:
        said = mentions.get(tx, answer.mention_id)
        if problems := policy.review(text, facts, said.author.handle, visibility=said.visibility):
            raise Mistake(" ".join(problems))
        length = facts.count(facts.address(text, said.author.handle))
        return answer_runs.reword(tx, run, answer, text=text, length=length, by=by, now=now)


# --- on their way out -------------------------------------------------------------------------------------------------


def due(tx: Transaction, account: str, network: str, now: datetime) -> list[Draft]:
    """The answers that may go out on that account now, evenly over the hour, no two neighbours with the same words."""
    for run in answer_runs.running(tx):
        last, in_last_hour = outbox.pace(tx, network, now)
        room = pure.room(per_hour=run.per_hour, last=last, in_last_hour=in_last_hour, now=now)
        found = outbox.next_of_run(tx, account, run.id, limit=min(room, AT_ONCE)) if room else []
        if found:
            by_id = {item.id: item for item in found}
            wordings = outbox.wordings(tx, list(by_id))
            order = pure.apart(
                [(item.id, wordings.get(item.id, "")) for item in found], outbox.last_wording(tx, account)
            )
            return [by_id[number] for number in order]
    return []


def claim(tx: Transaction, draft: Draft, now: datetime) -> bool:
    """Claims one of a run's drafts, unless its person needs it no more or the run must not go on."""
    answer = answer_runs.of_draft(tx, draft.id)
    run = answer_runs.get(tx, draft.answer_run_id or 0)
    if answer is None or run.state is not RunState.RUNNING:
        return False
    turn = answering.turn(tx, answer)
    if why := _must_stop(tx, run, draft, lasts=turn.lasts):
        answer_runs.move(tx, run, RunState.STOPPED, by="daemon", now=now, reason=why)
        return False
    if left := pure.still_due(turn):
        _give_up(tx, draft, answer, left, now)
        return False
    return outbox.claim(tx, draft, now)


def _must_stop(tx: Transaction, run: Run, draft: Draft, *, lasts: bool) -> str:
    """Why nothing more of the run may go out until a person says so; empty where it may."""
    if not lasts:
        return "the incident is over"
    if not answering.still_said(tx, run.id, draft.wording):
        return "the answer that it says was withdrawn: drop it, and draft it anew"
    active = policies.active(tx)
    if active and active != run.policy_version:
        return f"policy {active} rules since; `--resume` has each answer pass it"
    return ""


def _give_up(tx: Transaction, draft: Draft, answer: Answer, left: Left, now: datetime) -> None:
    """One person's answer does not go out; where it was taken off the incident, the policy decides anew."""
    outbox.give_up(tx, draft, left_out=left.reason, why=left.why, now=now)
    if left.reason is LeftOut.OTHER:
        mentions.decide_again(tx, answer.mention_id)


def look_after(store: Store, network: str, now: datetime) -> None:
    """What there is to do where nothing is due: runs that have nothing left to send are done.

    Where the clock was set back, what went out before counts as earlier by as much: nothing waits for the old time.
    """
    with store.read() as tx:
        if not answer_runs.running(tx):
            return
        last, _ = outbox.pace(tx, network, now)
    if last is not None and last > now:
        with store.write() as tx:
            outbox.set_pace_back(tx, network, now)
    end(store, now)


def end(store: Store, now: datetime) -> None:
    """Runs that have nothing left to send are done."""
    with store.read() as tx:
        over = [run for run in answer_runs.running(tx) if not answer_runs.undecided(tx, run.id)]
    for run in over:
        with store.write() as tx:
            current = answer_runs.get(tx, run.id)
            if current.state is RunState.RUNNING and not answer_runs.undecided(tx, run.id):
                answer_runs.move(tx, current, RunState.DONE, by="daemon", now=now, ended_at=now)
