"""`escucha policy activate`, `back`, `diff`, `history`: which policy rules, and what changes with another one."""

from __future__ import annotations

import shlex
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import click

from listener.commands import lessons, output, policy_warnings, rehearsing, replays, ruling_policy, telling
from listener.commands.app import App, pass_app
from listener.errors import EscuchaError, Mistake, PolicyProblem
from listener.escapes import visible

if TYPE_CHECKING:
    from listener.contract import Policy
    from listener.store.policies import Stored

LONGEST = 500  # characters of a reason
MOMENT = "%Y-%m-%d %H:%M"

because_option = click.option("--because", required=True, help="Why, for the history.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


class Compared(Protocol):
    """What `policies` offers besides loading."""

    def differences(self, old: Any, new: Any) -> tuple[Any, ...]:
        """What changes from one policy to the other, as sentences."""

    def in_brief(self, found: Any) -> str:
        """Those, counted."""

    def dangers(self, old: Any, new: Any, found: Any) -> list[str]:
        """What deserves a second look, one sentence each."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@because_option
@yes_option
@pass_app
def activate(app: App, file: Path, because: str, yes: bool) -> None:
    """Make a policy file rule, after showing in brief what changes; `escucha policy diff` shows all of it.

    Its tests are run first, as by `escucha policy check`; where one fails, nothing changes. Its text is kept with its
    version, your name and the reason. A running daemon decides by it from its next batch on;
    approved drafts that have not gone out are put before people again.
    """
    because = _reason(because)
    settings = app.config.policy
    found = app.policies.load(file, mode=settings.mode, modes=settings.modes)
    _, failed = rehearsing.run(app, found, file)
    if failed:
        raise PolicyProblem(failed)
    _make_rule(app, found, file, str(file), because=because, yes=yes)


@click.command()
@click.argument("version", required=False)
@because_option
@yes_option
@pass_app
def back(app: App, version: str | None, because: str, yes: bool) -> None:
    """Make the policy rule again that ruled before, or the one with that VERSION.

    A VERSION may be cut short. Called twice without one, it ends where it began.
    """
    from listener.desk import ruling
    from listener.store import policies

    because = _reason(because)
    with app.store.read() as tx:
        stored = policies.find(tx, version) if version else policies.before(tx)
    if stored is None:
        raise Mistake("No other policy ruled here before; `escucha policy activate FILE` makes one rule.")
    found = ruling.read(stored, app.read_policy)
    if found.version != stored.version:
        output.say(f"The settings give other modes now than then: {stored.version} comes back as {found.version}.")
    _make_rule(app, found, stored.version, f"policy {stored.version}", because=because, yes=yes)


@click.command()
@click.argument("a")
@click.argument("b")
@click.option("--replay", "over", is_flag=True, help="Also say which stored mentions come out otherwise, and why.")
@click.option(
    "--changes", type=click.Path(path_type=Path), help="Write each mention that changes to this file, as JSON Lines."
)
@replays.window_options
@output.json_option
@pass_app
def diff(
    app: App,
    /,
    a: str,
    b: str,
    *,
    over: bool,
    page: Path | None,
    changes: Path | None,
    as_json: bool,
    **window: Any,
) -> None:
    """Say in words what changes from policy A to policy B.

    Each is a file, a version that ruled here (it may be cut short), or `active` for the one that rules. With --replay
    the stored mentions are decided by both, and nothing is sent or written; the other options say which mentions.
    """
    if not over and (page or changes or any(window.values())):
        raise Mistake("Which mentions are taken, and what is told of them, go with --replay; add it.")
    from listener.commands import choosing

    old, new = choosing.choose(app, a)[1], choosing.choose(app, b)[1]
    found = cast(Compared, app.policies).differences(old, new)
    titles = [cast(Any, each).file.name for each in (old, new)]
    ends = {
        "a": {"name": a, "version": old.version, "title": titles[0]},
        "b": {"name": b, "version": new.version, "title": titles[1]},
    }
    said = {**ends, "same_text": old.text == new.text, "differences": found}
    if not as_json:
        _print_differences(old, new, found)
    elif not over:
        output.print_json(said)
    if over:
        if not as_json:
            output.say()
        replays.replayed(app, a, b, page=page, changes=changes, as_json=as_json, beside=said, **window)


@click.command()
@output.json_option
@pass_app
def history(app: App, as_json: bool) -> None:
    """Every time that a policy was made to rule here, by whom and why, the newest first."""
    from listener.store import policies

    with app.store.read() as tx:
        ruled = policies.history(tx)
    if as_json:
        output.print_json(ruled)
        return
    if not ruled:
        output.say("No policy has ruled here yet; `escucha run` starts with the one that the settings name.")
    for each in ruled:
        until = f"until {each.until:{MOMENT}}" if each.until else "rules now"
        output.say(f"{each.version}  {each.since:{MOMENT}} UTC by {visible(each.by)}; {until}")
        output.block(visible(each.because), indent=4)


def _reason(text: str) -> str:
    """The reason in one line. Raises Mistake where there is none, or too much of it."""
    line = " ".join(text.encode("utf-8", "replace").decode().replace("\x00", "").split())
    if not line or len(line) > LONGEST:
        problem = f"is longer than {LONGEST} characters" if line else "is empty"
        raise Mistake(f"The reason {problem}: say in a sentence why this policy is to rule (--because).")
    return line


def _make_rule(app: App, found: Policy, named: Path | str, name: str, *, because: str, yes: bool) -> None:
    """Shows what changes, asks, and makes that policy rule, unless another one was made to meanwhile.

    `named`: as `escucha policy diff` takes it.
    """
    from listener.store import inbox, policies
    from listener.types import DraftState

    if unknown := telling.unknown(app, found, name):
        raise PolicyProblem(unknown)
    with app.store.read() as tx:
        ruled = policies.ruling(tx)
        waiting = len(inbox.waiting(tx, states=(DraftState.APPROVED,)))
    if ruled and ruled.version == found.version:
        output.say(f"{name} is {found.version}, which rules already; nothing was changed.")
        return
    warnings = policy_warnings.all_of(app, found, named)
    dangers = _show_change(app, ruled, found, named, f"{name}: {policy_warnings.verdict(warnings)}")
    if ruled and waiting:
        drafts, they = output.counted(waiting, "approved draft"), "it is" if waiting == 1 else "they are"
        output.say(f"{drafts} would not go out before {they} read and approved again.")
    lost = policy_warnings.lost_calendars(app, found)
    for sentence in (*warnings, *policy_warnings.notices(found, app.now()), *lost, *dangers):
        output.block(f"• {sentence}", indent=0)
    if not yes:
        click.confirm(f"Let {found.version} rule?", abort=True)
    with app.store.write() as tx:
        policies.expect(tx, ruled.version if ruled else None)
        policies.activate(
            tx,
            version=found.version,
            text=found.text,
            overrides=found.overrides,
            by=app.actor,
            now=app.now(),
            because=because,
        )
    output.say(f"{found.version} rules from now on; a running daemon decides by it from its next batch on.")
    _say_what_is_left(app, found)


def _show_change(app: App, ruled: Stored | None, found: Policy, named: Path | str, name: str) -> list[str]:
    """Says in brief what changes; gives what deserves a second look, to be said last."""
    from listener.commands import choosing

    compared = cast(Compared, app.policies)
    if ruled is None:
        output.say(f"{name}: {found.version}. No policy ruled here yet.")
        return compared.dangers(None, found, ())
    output.say(f"{name}: {found.version}. Now {ruled.version} rules.")
    try:
        old = choosing.as_it_ruled(app, ruled)
    except PolicyProblem as problem:
        output.say(f"What changes cannot be told. {problem}")
        return compared.dangers(None, found, ())
    differences = compared.differences(old, found)
    if not differences:
        _print_differences(old, found, differences)
        return []
    if brief := compared.in_brief(differences):
        output.block(f"What changes: {brief}.", indent=0)
    output.block(f"All of it in words: `escucha policy diff active {shlex.quote(str(named))}`", indent=0)
    return compared.dangers(old, found, differences)


def _print_differences(old: Policy, new: Policy, found: tuple[Any, ...]) -> None:
    for each in found:
        output.block(f"• {each.sentence}", indent=0)
    if not found:
        same = old.text == new.text
        output.say("They are the same." if same else "They say the same; only comments or layout differ.")


def _say_what_is_left(app: App, found: Policy) -> None:
    """What a person must do yet, now that this policy rules."""
    app.__dict__["policy"] = found
    with suppress(EscuchaError):  # what was learned cannot be read: `escucha doctor` says so
        if untaught := lessons.untaught(app):
            output.say(f"`escucha run` does not start: {untaught.why}" if untaught.stops_run else untaught.why)
    if left := ruling_policy.left_to_do(app, app.ruling()):
        output.say(left)
