"""A run of answers on the screen and as JSON: whom it answers, what that takes, who is left out, how far it is."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from listener.commands import output
from listener.commands.output import clip, counted, spell
from listener.types import DraftState, LeftOut, RunState

if TYPE_CHECKING:
    from listener.commands.app import App
    from listener.store.answer_runs import Answer, Run
    from listener.store.incidents import Incident
    from listener.types import Facts


@dataclass(frozen=True, kw_only=True)
class Share:
    """What goes out on one account in one language. `usd` 0 where it costs nothing."""

    network: str
    account: str
    language: str
    people: int
    wordings: int
    usd: float


def shares(answers: Sequence[Answer], facts: Callable[[str, str], Facts]) -> list[Share]:
    """What goes out where, the most first."""
    found: dict[tuple[str, str, str], list[Answer]] = defaultdict(list)
    for each in answers:
        if each.left_out is None:
            found[each.network, each.account, each.language].append(each)
    made = []
    for (network, account, language), some in found.items():
        price = facts(network, account).reply_price
        made.append(
            Share(
                network=network,
                account=account,
                language=language,
                people=len(some),
                wordings=len({each.wording for each in some}),
                usd=sum(price(each.text) for each in some) if price else 0.0,
            )
        )
    return sorted(made, key=lambda share: (-share.people, share.network, share.account, share.language))


def takes(run: Run, found: Sequence[Share]) -> timedelta:
    """How long it lasts at least, at the run's pace on each network."""
    from listener.desk import answering

    waiting: Counter[str] = Counter()
    for share in found:
        waiting[share.network] += share.people
    return answering.lasts(waiting, per_hour=run.per_hour)


def planned(app: App, incident: Incident, run: Run, *, facts: Callable[[str, str], Facts], as_json: bool) -> None:
    """Whom the run would answer, what it takes, and who is left out."""
    from listener.store import answer_runs

    with app.store.read() as tx:
        answers = answer_runs.answers_of(tx, run.id)
    found = shares(answers, facts)
    if as_json:
        output.print_json(as_plain(app, incident, run, answers, found))
        return
    people = sum(share.people for share in found)
    left = Counter(each.left_out for each in answers if each.left_out)
    output.say(
        f"{incident.reference}: {people} {'person' if people == 1 else 'people'} would get one answer each, "
        f"{counted(sum(left.values()), 'mention')} left out. Nothing goes out yet."
    )
    output.say()
    output.table(
        ["network", "account", "language", "people", "wordings", "cost"],
        [[each.network, each.account, each.language, each.people, each.wordings, _usd(each.usd)] for each in found],
        empty="Nobody is left to answer.",
    )
    if left:
        output.say()
        why = {each.left_out: each.why for each in answers}
        output.table(
            ["left out", "mentions", "such as"],
            [[reason.value, number, clip(why[reason], 60)] for reason, number in left.most_common()],
            empty="",
            wide="such as",
        )
    if unread := left[LeftOut.UNREAD]:
        them = "is 1 mention that is" if unread == 1 else f"are {unread:,} mentions that are"
        output.say(f"\nAmong them {them} read first: by a running daemon, or `escucha run --once`.")
        output.say(f"Then `escucha notice answer {incident.reference}` drafts for them too.")
    if not people:
        return
    output.say()
    output.say(
        f"At {run.per_hour} an hour on each network it takes {_long(takes(run, found))}"
        f"{_cost(sum(share.usd for share in found))}."
    )
    wanted = least(app, people)
    output.say(f"Somebody reads them: `escucha notice answer {incident.reference} --review sample` shows")
    output.say(f"{wanted} drawn by chance, `--review all` every one.")


def least(app: App, people: int) -> int:
    """How many of them the policy wants read."""
    from listener.desk import answering

    return answering.least_sample(people, app.policy.incident_rules.review_sample)


def _usd(usd: float) -> str:
    return f"{usd:.2f} USD" if usd else "-"


def _cost(usd: float) -> str:
    return f" and costs {usd:.2f} USD" if usd else ""


def _long(length: timedelta) -> str:
    hours = length / timedelta(hours=1)
    return f"{hours:.1f} h" if timedelta(hours=1) <= length < timedelta(days=2) else spell(length)


def told(app: App, incident: Incident, run: Run, *, as_json: bool) -> None:
    """How far a run is, and what there is to do next."""
    from listener.store import answer_runs, daemons

    with app.store.read() as tx:
        counts = answer_runs.counts(tx, run.id)
        running = daemons.running(tx)
        if as_json:
            answers = answer_runs.answers_of(tx, run.id)
    if as_json:
        output.print_json(as_plain(app, incident, run, answers, shares(answers, lambda network, _: app.facts(network))))
        return
    why = f" ({run.reason})" if run.reason else ""
    output.say(f"The answers of {incident.reference} are {run.state}{why}: {in_words(counts)}.")
    for sentence in _next(incident, run, counts, alive=bool(running)):
        output.say(sentence)


def in_words(counts: dict[str, int]) -> str:
    """`120 sent, 3,692 wait`, for people."""
    words = {
        DraftState.SENT.value: "sent",
        DraftState.APPROVED.value: "wait",
        "drafted": "wait",
        DraftState.SENDING.value: "on their way",
        DraftState.UNKNOWN.value: "of unknown outcome",
        DraftState.FAILED.value: "refused by the network",
        DraftState.PROPOSED.value: "with a person",
        DraftState.EXPIRED.value: "no longer needed",
        DraftState.REJECTED.value: "rejected",
        "left out": "left out",
    }
    told: Counter[str] = Counter()
    for name, word in words.items():
        told[word] += counts.get(name, 0)
    return ", ".join(f"{number} {word}" for word, number in told.items() if number) or "nobody is answered"


def _next(incident: Incident, run: Run, counts: dict[str, int], *, alive: bool) -> list[str]:
    command = f"escucha notice answer {incident.reference}"
    steps = {
        RunState.REVIEWING: [f"Read them: `{command} --review sample`."],
        RunState.APPROVED: [f"`{command} --go` sends them."],
        RunState.RUNNING: [f"`{command} --stop` stops them."],
        RunState.STOPPED: [f"`{command} --resume` goes on, `--drop` gives up what has not gone out."],
    }
    found = list(steps.get(run.state, []))
    if run.state is RunState.RUNNING and not alive:
        found.append("No daemon is running; `escucha run` sends them, and so does this command on a terminal.")
    if counts.get(DraftState.UNKNOWN.value):
        found.append("Nobody knows whether some went out: escucha inbox --unknown")
    return found


def as_plain(
    app: App, incident: Incident, run: Run, answers: Sequence[Answer], found: Sequence[Share]
) -> dict[str, Any]:
    """The same for programs; the keys are listed in docs/incidents.md."""
    waiting = [each for each in answers if each.left_out is None]
    left = Counter(each.left_out.value for each in answers if each.left_out)
    states = Counter(each.draft.value if each.draft else "drafted" for each in waiting)
    return {
        "incident": incident.reference,
        "run": run.id,
        "state": run.state,
        "by": run.by,
        "at": run.at,
        "approved_by": run.approved_by,
        "approved_at": run.approved_at,
        "per_hour": run.per_hour,
        "seed": run.seed,
        "sample": run.sample,
        "sample_wanted": least(app, len(waiting)) if waiting else 0,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "reason": run.reason,
        "people": len(waiting),
        "states": dict(states),
        "left_out": dict(left),
        "shares": [vars(share) for share in found],
        "takes": takes(run, found),
        "usd": round(sum(share.usd for share in found), 6),
        "answers": [
            {
                "mention": f"M{each.mention_id}",
                "network": each.network,
                "account": each.account,
                "language": each.language,
                "wording": each.wording,
                "text": each.text,
                "draft": f"D{each.draft_id}" if each.draft_id else None,
                "state": each.draft or (None if each.left_out else "drafted"),
                "left_out": each.left_out,
                "why": each.why,
            }
            for each in answers
        ],
    }
