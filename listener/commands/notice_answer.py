"""`escucha notice answer`: one reply for each person of an incident, drafted, read, sent evenly and stopped."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import click

from listener.commands import notice_answer_screen as screen
from listener.commands import output
from listener.commands.app import App, pass_app
from listener.errors import Mistake
from listener.types import RunState

if TYPE_CHECKING:
    from listener.store.answer_runs import Run
    from listener.store.incidents import Incident
    from listener.types import Facts

FRESH = (RunState.DRAFTING, RunState.REVIEWING)
SEEDS = 1_000_000


@click.command()
@click.argument("incident")
@click.option("--review", metavar="HOW", help="Read them: `all`, `sample` (as many as the policy wants) or a number.")
@click.option("--seed", type=click.IntRange(0, SEEDS), help="Which ones are drawn for the sample.")
@click.option("--go", is_flag=True, help="Send what was approved, from now on.")
@click.option("--stop", "halt", is_flag=True, help="Send nothing more of it, from now on.")
@click.option("--resume", is_flag=True, help="Go on with what was stopped.")
@click.option("--drop", is_flag=True, help="Give up what has not gone out.")
@click.option("--anew", is_flag=True, help="Draft them anew: with those who wrote since, and other words.")
@click.option("--per-hour", type=click.IntRange(min=1), help="Slower than the policy lets them go out.")
@output.json_option
@pass_app
def answer(
    app: App,
    *,
    incident: str,
    review: str | None,
    seed: int | None,
    go: bool,
    halt: bool,
    resume: bool,
    drop: bool,
    anew: bool,
    per_hour: int | None,
    as_json: bool,
) -> None:
    """Answer everybody of an incident, each once: in their language, by name, with their reference.

    Without options it works out who gets which of the incident's approved answers, and shows what that takes. Nothing
    goes out before somebody has read them (--review) and says --go; then they go out evenly, up to the policy's
    number an hour on each network, and --stop stops them. Who has an answer, said thanks, or needs a person is left
    out, and everybody is answered once, however often this is run.
    """
    if (go, halt, resume, drop, anew, review is not None).count(True) > 1:
        raise Mistake("Say one of --review, --go, --stop, --resume, --drop and --anew at a time.")
    case = _Case.of(app, incident)
    if halt:
        _stop(case, as_json)
    elif drop:
        _drop(case, as_json)
    elif go or resume:
        _go(case, resume=resume, as_json=as_json)
    else:
        _plan(case, review=review, seed=seed, anew=anew, per_hour=per_hour, as_json=as_json)


@dataclass(frozen=True, kw_only=True)
class _Case:
    """The incident that is spoken of, and the run of it that has not ended."""

    app: App
    incident: Incident
    open_run: Run | None

    @classmethod
    def of(cls, app: App, name: str) -> _Case:
        from listener.desk import incidents as desk
        from listener.store import answer_runs, incidents

        with app.store.read() as tx:
            found = incidents.get(tx, desk.number(name))
            return cls(app=app, incident=found, open_run=answer_runs.open_run(tx, found.id))

    @property
    def run(self) -> Run:
        """The run. Raises Mistake where there is none."""
        if self.open_run is None:
            raise Mistake(
                f"Nothing is under way for {self.incident.reference}; "
                f"`escucha notice answer {self.incident.reference}` drafts answers for everybody."
            )
        return self.open_run

    @property
    def facts(self) -> Callable[[str, str], Facts]:
        """What is true of a network, as one of our accounts there sees it."""
        return lambda network, _account: self.app.facts(network)


def _stop(case: _Case, as_json: bool) -> None:
    from listener.commands import notice_answer_going as going
    from listener.desk import answer_runs as desk

    run = desk.stop(case.app.store, case.run, by=case.app.actor, now=case.app.now())
    over = going.wait_for_what_was_begun(case.app, run)
    screen.told(case.app, case.incident, run, as_json=as_json)
    if not over:
        raise output.SomeFailed("One answer was being sent when it stopped, and may still go out; nothing else does.")


def _drop(case: _Case, as_json: bool) -> None:
    from listener.desk import answer_runs as desk

    run = desk.drop(case.app.store, case.run, by=case.app.actor, now=case.app.now())
    screen.told(case.app, case.incident, run, as_json=as_json)


def _go(case: _Case, *, resume: bool, as_json: bool) -> None:
    from listener.commands import notice_answer_going as going
    from listener.desk import answer_runs as desk

    app, run = case.app, case.run
    if resume:
        run = desk.resume(app.store, app.policy, case.incident, run, facts=case.facts, by=app.actor, now=app.now())
    elif run.state is not RunState.RUNNING:
        run = desk.go(app.store, case.incident, run, by=app.actor, now=app.now())
    if not as_json and sys.stdout.isatty():
        run = going.follow(app, case.incident, run)
    screen.told(app, case.incident, run, as_json=as_json)


def _plan(
    case: _Case, *, review: str | None, seed: int | None, anew: bool, per_hour: int | None, as_json: bool
) -> None:
    run = case.open_run
    if run is not None and run.state not in FRESH:
        if review is not None or anew or per_hour:
            raise Mistake(
                f"The answers of {case.incident.reference} are {run.state} since {run.approved_by} approved them; "
                "--drop gives up what has not gone out."
            )
        screen.told(case.app, case.incident, run, as_json=as_json)
        return
    if run is None or run.state is RunState.DRAFTING or anew or per_hour:
        run = _draft(case, per_hour=per_hour)
    if review is None:
        screen.planned(case.app, case.incident, run, facts=case.facts, as_json=as_json)
        return
    from listener.commands import notice_answer_review as reviewing

    if as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Mistake("--review reads single keys and needs a terminal; --json without it prints every answer.")
    reviewing.review(
        case.app, case.incident, run, how=review, seed=run.seed if seed is None else seed, facts=case.facts
    )


def _draft(case: _Case, *, per_hour: int | None) -> Run:
    from listener.desk import answer_runs as desk
    from listener.store import incident_answers

    app, incident = case.app, case.incident
    with app.store.read() as tx:
        answers: Mapping[str, tuple[str, ...]] = incident_answers.approved(tx, [incident.id]).get(incident.id, {})
    if not answers:
        raise Mistake(
            f"{incident.reference} has no approved answer; `escucha incident say {incident.reference}` writes one, and "
            "somebody else approves it."
        )
    most = app.policy.incident_rules.answers_per_hour
    if per_hour and per_hour > most:
        raise Mistake(f"The policy lets {most} go out in an hour (`incidents: answers_per_hour:`); say fewer.")
    return desk.draft(
        app.store,
        app.policy,
        incident,
        answers=answers,
        facts=partial(_facts, case),
        per_hour=per_hour or most,
        seed=random.randrange(SEEDS),  # noqa: S311 - no secret
        by=app.actor,
        now=app.now(),
    )


def _facts(case: _Case, network: str, account: str) -> Facts:
    return case.facts(network, account)
