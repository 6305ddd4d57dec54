"""`escucha policy`: check the response policy, show the one that rules, list those that ruled."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol, cast

import click

from listener.commands import (
    lessons,
    output,
    policy_versions,
    policy_warnings,
    recording,
    rehearsing,
    replays,
    ruling_policy,
    sharing,
    telling,
)
from listener.commands.app import App, pass_app
from listener.errors import EscuchaError, PolicyProblem


class Readable(Protocol):
    """What a policy offers to those who show it."""

    file: Any  # the policy as it was understood

    @property
    def version(self) -> str:
        """Names it."""

    @property
    def longest_overtaking(self) -> timedelta:
        """What begins to wait so much later than something never comes before it in a queue."""

    @property
    def text(self) -> str:
        """As it was read."""

    @property
    def shares(self) -> Sequence[tuple[str, str, Any]]:
        """Every share in it: what has it, by level and name, and the share, which says itself `in_words()`."""

    def mode_on(self, network: str) -> object:
        """How replies go out on that network, settings included: a mode, or a share, in words as text."""


class Published(Protocol):
    """What `policies` offers besides loading."""

    def json_schema(self) -> dict[str, Any]:
        """What may stand in a policy file."""


@click.group()
def policy() -> None:
    """The response policy: what we answer, what we leave, who gets it."""


policy.add_command(recording.record)


@policy.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--schema", is_flag=True, help="Print the JSON Schema of a policy file, for editors, and end.")
@output.json_option
@click.pass_context
@pass_app
def check(app: App, ctx: click.Context, file: Path | None, schema: bool, as_json: bool) -> None:
    """Say what is wrong with a policy file, with the line; else what it says, in short.

    Runs its tests too, those in it and those in the file beside it (policy.tests.yaml), and warns of what it provably
    says in vain. Without FILE: the one that the settings name. Ends with 2 where something is wrong or a test fails.
    """
    if schema:
        output.print_json(cast(Published, app.policies).json_schema())
        return
    path = file or _path(app)
    try:
        found = _load(app, path)
        tests, failed = rehearsing.run(app, found, path)
        failed += telling.unknown(app, found, path)
        if failed:
            raise PolicyProblem(failed)
    except PolicyProblem as problem:
        if not as_json:
            raise
        output.print_json({"file": path, "problems": problem.problems})
        ctx.exit(2)
    warnings = policy_warnings.all_of(app, found, path)
    if path.resolve() == _path(app).resolve() and (behind := _behind(app, found)):
        warnings.append(behind)
    if as_json:
        output.print_json({"file": path, "problems": [], "warnings": warnings, "tests": tests} | _summary(app, found))
        return
    output.say(f"{path}: {policy_warnings.verdict(warnings)}.")
    _print_summary(app, found)
    output.fields([("tests", f"{tests}, all passed" if tests else "none; see `escucha policy record`")])
    for warning in warnings:
        output.say(f"• {warning}")


@policy.command()
@click.option("--text", "only_text", is_flag=True, help="Print its text alone.")
@output.json_option
@pass_app
def show(app: App, only_text: bool, as_json: bool) -> None:
    """Show the policy that rules: its version, where it is from, how replies go out, and its text."""
    stored = app.ruling()
    text = stored.text if stored else app.policy.text
    if only_text:
        output.say(text.rstrip("\n"))
        return
    found, differs = cast(Readable, app.policy), ruling_policy.differs(app, stored)
    if as_json:
        version = stored.version if stored else found.version
        named = {"version": version, "file": _path(app), "differs": differs, "modes": _modes(app, found)}
        output.print_json({**named, "text": text})
        return
    output.fields([("file", "" if differs else _path(app))])
    _print_summary(app, found)
    if differs:
        output.say(differs)
    output.say()
    output.say(text.rstrip("\n"))


for _command in (
    policy_versions.activate,
    policy_versions.back,
    policy_versions.diff,
    policy_versions.history,
    replays.replay,
    sharing.shares,
):
    policy.add_command(_command)


def _path(app: App) -> Path:
    return app.policy_path


def _load(app: App, path: Path) -> Readable:
    settings = app.config_or_default.policy
    return cast(Readable, app.policies.load(path, mode=settings.mode, modes=settings.modes))


def _modes(app: App, found: Readable) -> dict[str, str]:
    """How replies go out, by network; "" stands for every network not named."""
    settings = app.config_or_default
    connected = {account.network for account in settings.accounts.values()}
    networks = sorted(connected | set(settings.policy.modes) | set(found.file.networks))
    return {network: str(found.mode_on(network)) for network in ("", *networks)}


def _summary(app: App, found: Readable) -> dict[str, Any]:
    file = found.file
    return {
        "name": file.name,
        "version": found.version,
        "modes": _modes(app, found),
        "cases": file.cases,
        "rules": [rule.name for rule in file.rules],
        "templates": {name: sorted(template.wordings()[""]) for name, template in file.templates.items()},
        "teams": list(file.teams),
        "shares": [{"level": level, "name": name, "share": share.in_words()} for level, name, share in found.shares],
        "shadow": [rule.name for rule in file.rules if rule.shadow],
        "calendars": list(file.calendars),
        "score": {
            "minutes_per_point": file.score.minutes_per_point,
            "contributions": {part.name: part.points for part in file.score.contributions},
            "longest_overtaking": found.longest_overtaking,
        },
    }


def _queues(found: Readable) -> str:
    score = found.file.score
    parts = f", {output.counted(len(score.contributions), 'contribution')}" if score.contributions else ""
    never = f"nothing is overtaken by what comes {output.spell(found.longest_overtaking)} later"
    return f"by urgency{parts}; a point is worth {score.minutes_per_point} minutes of waiting, {never}"


def _print_summary(app: App, found: Readable) -> None:
    file = found.file
    everywhere, *others = _modes(app, found).items()
    different = "".join(f", {network}: {mode}" for network, mode in others if mode != everywhere[1])
    languages = sorted({language for template in file.templates.values() for language in template.wordings()[""]})
    replies = sum(1 for rule in file.rules if rule.then.reply and not rule.then.reply.is_silence)
    output.fields(
        [
            ("policy", file.name),
            ("version", found.version),
            ("replies", f"{everywhere[1]}{different}"),
            ("cases", file.cases),
            ("rules", f"{len(file.rules)}, {replies} of them answer"),
            ("templates", f"{len(file.templates)} in {', '.join(languages)}" if languages else "none"),
            ("teams", ", ".join(file.teams)),
            ("calendars", ", ".join(file.calendars)),
            ("queues", _queues(found)),
        ]
    )
    for notice in policy_warnings.notices(found, app.now()):
        output.say(f"• {notice}")


def _behind(app: App, found: Readable) -> str | None:
    """Why mentions are not read by its areas; it may be well where the database, or what was learned, is not.

    None where another policy rules: what is learned is what that one says.
    """
    try:
        behind = lessons.untaught(app) if app.policy.text == found.text else None
    except EscuchaError as error:
        return f"Whether its areas were learned cannot be told: {error}"
    if behind is None:
        return None
    return f"`escucha run` does not start: {behind.why}" if behind.stops_run else behind.why
