"""`escucha incident say`, `approve-answer` and `withdraw-answer`: what is said while it lasts, and what is not."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from listener.commands.app import App, pass_app
from listener.commands.case_typed import typed
from listener.commands.incident_plain import as_plain
from listener.commands.output import (
    ago,
    block,
    clip,
    complain,
    counted,
    flowing,
    json_option,
    print_json,
    say,
    show,
    styled,
)
from listener.errors import Mistake

if TYPE_CHECKING:
    from collections.abc import Sequence

    from listener.store import Transaction
    from listener.store.incident_answers import Answer
    from listener.store.incidents import Incident

LONGEST_LINE = 300
LONGEST_PHRASE = 120
MOST = 50  # phrases, or variants that are written at once
LONGEST = 2000  # characters of one answer


@click.command("say")
@click.argument("number", metavar="I3")
@click.option("--line", help="What agents say, in one line; “” for nothing.")
@click.option("--avoid", "avoid", multiple=True, metavar="PHRASE", help="What nobody says; repeat it. “” for nothing.")
@click.option("--text", "texts", multiple=True, metavar="LANGUAGE=TEXT", help="An answer, one of several; repeat it.")
@json_option
@pass_app
def say_(
    app: App, number: str, *, line: str | None, avoid: tuple[str, ...], texts: tuple[str, ...], as_json: bool
) -> None:
    """What is said while an incident lasts: show it, or write it down.

    --line and --avoid are for agents: they stand beside every mention and case of the incident, and a reply that says
    what is not to be said is marked. All --avoid of a call take the place of those before.

    --text is the short answer to those whom it hits, best in several variants of each language, which take turns. It
    takes what templates of the policy take: {{ author.first_name }}, {{ case.reference }}. It is used once somebody
    else has approved it: `incident approve-answer`.
    """
    from listener.desk import incidents as desk
    from listener.store import incident_answers, incidents

    two_people = app.policy.incident_rules.two_people
    answers = _read(app, texts)
    became: dict[str, Any] = {}
    if line is not None:
        became["say"] = _one_line(line)
    if avoid:
        became["avoid"] = _phrases(app, avoid)
    now = app.now()
    if not became and not answers:
        with app.store.read() as tx:
            _show(tx, app, incidents.get(tx, desk.number(number)), as_json=as_json)
        return
    with app.store.write() as tx:
        found = incidents.hold(tx, desk.number(number))
        _refuse_avoided(app, found, became.get("avoid", found.avoid), answers)
        if became:
            found = incidents.record(tx, found, "line", by=app.actor, now=now, became=became)
        if answers:
            made = incident_answers.propose(tx, found, answers, by=app.actor, now=now, two_people=two_people)
        found = incidents.get(tx, found.id)
        if as_json:
            _show(tx, app, found, as_json=True)
            return
    if became:
        show(flowing(f"{found.reference}: {_line(found)}"))
    if answers:
        named = ", ".join(each.reference for each in made)
        if two_people:
            then = f"escucha incident approve-answer {found.reference}"
            say(f"{named} of {found.reference} {_are(made)} written down. Somebody else approves: {then}")
        else:
            say(f"{named} of {found.reference} may be said from now on.")
        for warning in _warnings(app, made):
            complain(warning)


@click.command("approve-answer")
@click.argument("number", metavar="I3")
@click.argument("which", nargs=-1, metavar="[A4]...")
@click.option("--yes", is_flag=True, help="Ask nothing: they were read with `incident say`.")
@json_option
@pass_app
def approve_answer(app: App, number: str, *, which: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Let an incident's answers be said: those named, or all that somebody else wrote."""
    from listener.desk import incidents as desk
    from listener.store import incident_answers, incidents, users

    two_people = app.policy.incident_rules.two_people
    with app.store.read() as tx:
        found = incidents.get(tx, desk.number(number))
        waiting = [each for each in incident_answers.of(tx, found.id) if each.state == "proposed"]
        chosen = _chosen(tx, found, which) if which else waiting
    if not which and two_people:
        chosen = [each for each in waiting if not users.same_person(app.actor, each.proposed_by)]
    if not chosen:
        own = " what you wrote yourself somebody else must approve (`incidents: two_people:` of the policy)."
        own = own if waiting else ""
        raise Mistake(f"No answer of {found.reference} waits for you;{own or ' `escucha incident say` writes one.'}")
    if not yes:
        if as_json or not sys.stdin.isatty():
            raise Mistake(f"Read them with `escucha incident say {found.reference}`, then say --yes.")
        for each in chosen:
            _print_answer(app, each)
        if not click.confirm(f"Let {counted(len(chosen), 'answer')} be said to those whom {found.reference} hits?"):
            say("Nothing was approved.")
            return
    with app.store.write() as tx:
        incident_answers.approve(tx, found, chosen, by=app.actor, now=app.now(), two_people=two_people)
        if as_json:
            _show(tx, app, incidents.get(tx, found.id), as_json=True)
            return
    say(f"{', '.join(each.reference for each in chosen)} may be said from now on, while {found.reference} lasts.")


@click.command("withdraw-answer")
@click.argument("number", metavar="I3")
@click.argument("which", nargs=-1, required=True, metavar="A4...")
@json_option
@pass_app
def withdraw_answer(app: App, number: str, *, which: tuple[str, ...], as_json: bool) -> None:
    """Stop the use of an incident's answers at once.

    What was to go out with them alone does not; what a person has not touched is decided anew.
    """
    from listener.desk import incidents as desk
    from listener.store import incident_answers, incidents

    with app.store.write() as tx:
        found = incidents.get(tx, desk.number(number))
        chosen = _chosen(tx, found, which)
        stopped = incident_answers.withdraw(tx, found, chosen, by=app.actor, now=app.now())
        if as_json:
            _show(tx, app, incidents.get(tx, found.id), as_json=True, stopped=stopped)
            return
    named = ", ".join(each.reference for each in chosen)
    left = "no reply was" if not stopped else "1 reply was" if stopped == 1 else f"{stopped:,} replies were"
    say(f"{named} of {found.reference} {_are(chosen)} said no more; {left} stopped.")


# --- reading what was typed ------------------------------------------------------------------------------------------


def _read(app: App, texts: Sequence[str]) -> list[tuple[str, str]]:
    """The answers as (language, text). Raises Mistake with every problem at once."""
    if len(texts) > MOST:
        raise Mistake(f"That are {len(texts)} answers; write at most {MOST} at once.")
    found, problems = list[tuple[str, str]](), list[str]()
    for number, written in enumerate(texts, 1):
        language, sign, text = written.partition("=")
        language, text = language.strip().lower(), text.strip().encode("utf-8", "replace").decode()
        if not sign or not language.isascii() or not language.isalpha() or not 2 <= len(language) <= 3:
            problems.append(f'--text {number}: begin with its language, like --text "es=Lo sabemos."')
        elif not text or len(text) > LONGEST:
            problems.append(f"--text {number}: an answer has 1 to {LONGEST:,} characters.")
        else:
            problems += [f"--text {number}: {problem}" for problem in app.policy.check_answer(text)]
            found.append((language, text))
    if len(set(found)) < len(found):
        problems.append("Two of the answers are the same; say it in other words.")
    if problems:
        raise Mistake("\n".join(problems))
    return found


def _are(answers: Sequence[Answer]) -> str:
    return "is" if len(answers) == 1 else "are"


def _one_line(line: str) -> str:
    written = " ".join(line.split())
    return typed(written, "line", LONGEST_LINE) if written else ""


def _phrases(app: App, avoid: Sequence[str]) -> list[str]:
    if len(avoid) > MOST:
        raise Mistake(f"That are {len(avoid)} phrases; name at most {MOST}.")
    phrases = [" ".join(phrase.split()) for phrase in avoid]
    if phrases == [""]:
        return []
    for phrase in phrases:
        typed(phrase, "phrase", LONGEST_PHRASE)
        if problem := app.policy.check_avoided(phrase):
            raise Mistake(f"{problem[0].upper()}{problem[1:]}.")
    return list(dict.fromkeys(phrases))


def _refuse_avoided(app: App, incident: Incident, avoid: Sequence[str], answers: Sequence[tuple[str, str]]) -> None:
    """Raises Mistake where an answer would say what nobody is to say."""
    for _, text in answers:
        if said := app.policy.avoided(text, tuple(avoid)):
            raise Mistake(
                f"This answer says “{said}”, which nobody should say while {incident.reference} lasts: {text}"
            )


def _chosen(tx: Transaction, incident: Incident, which: Sequence[str]) -> list[Answer]:
    from listener.store import incident_answers

    chosen: list[Answer] = []
    for name in dict.fromkeys(which):
        digits = name.strip().upper().removeprefix("A")
        if not digits.isascii() or not digits.isdigit() or len(digits) > 18:
            raise Mistake(f"{clip(name[:400], 40)} is no answer; they look like A4, see `escucha incident say`.")
        answer = incident_answers.get(tx, int(digits))
        if answer.incident_id != incident.id:
            raise Mistake(f"{answer.reference} is an answer of I{answer.incident_id}, not of {incident.reference}.")
        chosen.append(answer)
    return chosen


# --- showing ---------------------------------------------------------------------------------------------------------


def answer_plain(answer: Answer) -> dict[str, Any]:
    """An answer for programs; these keys stay."""
    return {
        "answer": answer.reference,
        "language": answer.language,
        "state": answer.state,
        "text": answer.text,
        "written_by": answer.proposed_by,
        "written_at": answer.proposed_at,
        "approved_by": answer.approved_by,
        "approved_at": answer.approved_at,
        "withdrawn_by": answer.withdrawn_by,
        "withdrawn_at": answer.withdrawn_at,
    }


def _show(tx: Transaction, app: App, incident: Incident, *, as_json: bool, **more: Any) -> None:
    from listener.store import incident_answers

    answers = incident_answers.of(tx, incident.id)
    if as_json:
        print_json({**as_plain(incident), "answers": [answer_plain(each) for each in answers], **more})
        return
    show(flowing(f"{incident.reference} {incident.title}: {_line(incident)}"))
    if not answers:
        say(f'There is no answer yet: escucha incident say {incident.reference} --text "es=…" --text "en=…"')
    for each in answers:
        _print_answer(app, each)


def _line(incident: Incident) -> str:
    told = [f"say “{incident.say}”"] if incident.say else []
    told += [f"do not say {', '.join(f'“{phrase}”' for phrase in incident.avoid)}"] if incident.avoid else []
    return "; ".join(told) or "agents are told nothing"


def _print_answer(app: App, answer: Answer) -> None:
    now = app.now()
    match answer.state:
        case "proposed":
            how = f"written by {answer.proposed_by} {ago(answer.proposed_at, now)}, not approved"
        case "approved":
            how = f"approved by {answer.approved_by} {ago(answer.approved_at, now)}"
        case _:
            how = f"withdrawn by {answer.withdrawn_by} {ago(answer.withdrawn_at, now)}"
    show(styled(f"{answer.reference} {answer.language}: {how}", "bold" if answer.state != "withdrawn" else "dim"))
    block(answer.text)
    networks = sorted({account.network for account in app.config.accounts.values()})
    if answer.state == "proposed" and "{{" in answer.text and networks:
        block(f"such as: {app.policy.answer_example(answer.text, app.facts(networks[0]))[0]}", style="dim")


def _warnings(app: App, answers: Sequence[Answer]) -> list[str]:
    """What may be wrong with them all the same: too long for a network of ours, without the number of the case."""
    warnings = []
    networks = sorted({account.network for account in app.config.accounts.values()})
    for answer in answers:
        over = []
        for network in networks:
            facts = app.facts(network)
            length = app.policy.answer_example(answer.text, facts)[1]
            over += [f"{network} ({length} of {facts.limit})"] if length > facts.limit else []
        if over:
            warnings.append(f"{answer.reference} is too long for {', '.join(over)}, where a shorter variant is said.")
        if "case.reference" not in answer.text:
            warnings.append(f"{answer.reference} does not name the case; {{{{ case.reference }}}} does.")
    return warnings
