"""Which policy rules, since when and why, and whether the settings' file says something else."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from listener.commands import output
from listener.commands.app import App
from listener.errors import PolicyProblem

if TYPE_CHECKING:
    from listener.store.policies import Stored


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The policy that rules. `differs`: what to do where the settings' file says something else; None: nothing.
    `unusable`: whether that is because the file cannot be used at all.
    """

    version: str
    since: datetime
    by: str
    because: str
    file: Path
    differs: str | None
    unusable: bool


def standing(app: App) -> Standing | None:
    """The policy that rules; None before any did."""
    from listener.store import policies

    stored = app.ruling()
    if stored is None:
        return None
    with app.store.read() as tx:
        newest = policies.history(tx)[0]
    told = differs(app, stored)
    return Standing(
        version=newest.version,
        since=newest.since,
        by=newest.by,
        because=newest.because,
        file=app.policy_path,
        differs=told,
        unusable=told is not None and _problem(app) is not None,
    )


def differs(app: App, stored: Stored | None) -> str | None:
    """Why the settings' policy file is not what rules, with the command that would let it rule; None: it is."""
    if stored is None:
        return None
    path, step = app.policy_path, activating(app.policy_path)
    named = f"The policy file of the settings ({path}"
    if problem := _problem(app):
        goes_on = f"{named}) cannot be used, and the policy {stored.version} goes on ruling"
        if not path.is_file():
            again = f"`escucha policy show --text > {shlex.quote(str(path))}` writes the policy that rules there"
            return f"{goes_on}: {'it is no file' if path.exists() else 'there is no such file'}. {again}."
        return f"{goes_on}: {problem}. When that is mended: {step}."
    written = app.written_policy
    if written.text != stored.text:
        if app.config_or_default.policy_file is None:
            named = f"The default policy that comes with Escucha ({path}"
        return f"{named}, {written.version}) is not the one that rules ({stored.version}); to let it rule: {step}."
    if written.version != stored.version:
        return (
            f"The settings give the policy other modes ({written.version}) than it rules with ({stored.version}); "
            f"to let them hold, start `escucha run` again, or: {step}."
        )
    return None


def _problem(app: App) -> str | None:
    """The first thing that is wrong with the settings' file; None where it can be read."""
    try:
        _ = app.written_policy
    except PolicyProblem as problem:
        return problem.problems[0]
    return None


def left_to_do(app: App, stored: Stored | None) -> str | None:
    """What is left to do in the settings when a policy was just made to rule: that they name it; None: nothing."""
    if stored is None or differs(app, stored) is None:
        return None
    problem = _problem(app)
    if problem is None and app.written_policy.text == stored.text:
        return differs(app, stored)
    now = "The settings name no policy file"
    if app.config_or_default.policy_file is not None:
        now = (
            f"The settings still name {app.policy_path}, which {'cannot be used' if problem else 'says something else'}"
        )
    return (
        f"{now}: name there the file of the one that rules now (under [policy], `file`), so that the two agree; "
        "`escucha policy show --text` prints it."
    )


def activating(path: Path) -> str:
    """The command that makes that file rule."""
    return f'`escucha policy activate {shlex.quote(str(path))} --because "…"`'


def row(found: Standing | None, now: datetime) -> str:
    """How `status` shows it; empty before any ruled."""
    if found is None:
        return ""
    why = f": {found.because}" if found.because else ""
    said = f"{found.version}, made to rule {output.ago(found.since, now)} by {found.by}{why}"
    if found.unusable:
        return f"{said}\nThe file of the settings cannot be used; see above."
    return f"{said}\n{found.differs}" if found.differs else said
