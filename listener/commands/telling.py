"""Whom of us the policy tells and whether the settings say how: for `policy check`, `run`, `status` and `doctor`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from listener.commands import output
from listener.commands.app import App
from listener.errors import ConfigProblem, EscuchaError, PolicyProblem

if TYPE_CHECKING:
    from listener.store.alerts import Standing

LATE = timedelta(minutes=10)  # an alert goes out within seconds; later something is in its way
MOST_LINES = 3  # of the policy that are named for one target


def unknown(app: App, policy: Any, path: Path | str) -> list[str]:
    """The targets that the policy names and the settings do not, `file:line: sentence` each; none without settings."""
    if not app.config_path.exists():
        return []
    return cast("list[str]", cast(Any, app.policies).unknown_targets(policy, list(app.config.alerts), path))


def unchecked(app: App, policy: Any) -> list[str]:
    """That nobody can tell yet whether the targets are known: there are no settings."""
    names = dict.fromkeys(named.target for named in cast(Any, app.policies).targets(policy))
    if app.config_path.exists() or not names:
        return []
    return [f"It alerts {', '.join(names)}; without {app.config_path} nobody can tell whether that reaches anybody."]


def demand(app: App) -> None:
    """Raises PolicyProblem or ConfigProblem where an alert of the policy that rules could reach nobody."""
    try:
        policy = app.policy
    except PolicyProblem:
        return  # nothing is decided, and the pipeline says why
    if problems := unknown(app, policy, _name(app)):
        raise PolicyProblem(problems)
    if lacking := [sentence for name in app.config.alerts for sentence in unreachable(app, name)]:
        raise ConfigProblem(lacking)


def unreachable(app: App, name: str) -> list[str]:
    """Why that target of the settings cannot be told anything, one sentence each; nothing is asked."""
    try:
        app.reach(name)
    except ConfigProblem as problem:
        return problem.problems
    except EscuchaError as error:
        return [str(error)]
    return []


def _name(app: App) -> str:
    """What stands for the file of the policy that rules, in problems."""
    stored = app.ruling()
    return f"policy {stored.version}" if stored else str(app.policy_path)


@dataclass(frozen=True, kw_only=True)
class Missing:
    """A target that the policy which rules tells and the settings lack: why nothing starts, and what to do."""

    target: str
    said: str
    step: str


def missing(app: App, standings: Sequence[Standing] = ()) -> list[Missing]:
    """One for each such target, in the order of the policy; none where that cannot be read, which others say.

    `standings` say how many alerts wait for each.
    """
    try:
        policy, name, known = app.policy, _name(app), list(app.config.alerts)
    except EscuchaError:
        return []
    lines: dict[str, list[int]] = {}
    for named in cast(Any, app.policies).targets(policy):
        if named.target not in known and named.line not in lines.setdefault(named.target, []):
            lines[named.target].append(named.line)
    waiting = {each.target: each.waiting for each in standings}
    return [_missing(app, target, name, lines[target], waiting.get(target, 0)) for target in lines]


def _missing(app: App, target: str, policy: str, lines: list[int], waiting: int) -> Missing:
    listed = f"line{'s' if len(lines) > 1 else ''} {', '.join(map(str, lines[:MOST_LINES]))}"
    more = f" and {len(lines) - MOST_LINES} more" if len(lines) > MOST_LINES else ""
    waits = f"; {output.counted(waiting, 'alert')} {'waits' if waiting == 1 else 'wait'} for it" if waiting else ""
    close = get_close_matches(target, list(app.config.alerts), n=1)
    meant = f" (did you mean {close[0]}?)" if close else ""
    return Missing(
        target=target,
        said=f"`escucha run` does not start: {app.config_path} has no [alerts.{target}], which {policy} names "
        f"({listed}{more}){waits}.",
        step=f"Write [alerts.{target}] there, or take {target} out of the policy{meant}.",
    )


def troubles(app: App, standings: list[Standing], now: datetime, *, told: Collection[str] = ()) -> list[str]:
    """What a person should act on, a line for each target. Of those in `told` it is said already that they lack."""
    found = []
    for each in standings:
        alerts = output.counted(each.waiting, "alert")
        if each.waiting and each.target in told:
            pass
        elif each.waiting and each.target not in app.config.alerts:
            found.append(
                f"{alerts} for {each.target}, which {app.config_path} does not name: write [alerts.{each.target}], or "
                "take it out of the policy."
            )
        elif each.failures and each.failing_since:
            since = output.spell(now - each.failing_since)
            waits = f", {each.waiting} wait" if each.waiting else ""
            found.append(
                f"Alerts to {each.target} have been failing for {since}{waits}: {each.last_error.rstrip('.')}. See "
                f"`escucha alert list --to {each.target}`, try `escucha alert test {each.target}`."
            )
        elif each.oldest and now - each.oldest > LATE:
            found.append(f"{alerts} for {each.target} should have gone out since {output.spell(now - each.oldest)}.")
        if each.given_up:
            were = "was" if each.given_up == 1 else "were"
            given_up = output.counted(each.given_up, "alert")
            found.append(
                f"{given_up} for {each.target} {were} given up: `escucha alert list --failed`, then `escucha alert "
                f"retry --to {each.target}`."
            )
    return found
