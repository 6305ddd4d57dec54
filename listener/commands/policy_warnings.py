"""What a policy says that is allowed and yet may be an oversight: one sentence each, for `check` and `activate`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from listener.commands import output, rehearsing
from listener.commands.app import App


def all_of(app: App, found: Any, path: Path | str) -> list[str]:
    """What it says in vain, with file and line, and what it may have forgotten."""
    return [*rehearsing.in_vain(app, found, Path(path)), *_forgotten(found.file)]


def verdict(warnings: list[str]) -> str:
    """`all is well`, or `readable, 2 warnings`."""
    return f"readable, {output.counted(len(warnings), 'warning')}" if warnings else "all is well"


def notices(file: Any) -> list[str]:
    """The rules that answer alone for a share only, and those in the shadow."""
    sharing = [
        f"Rule {rule.name!r} may answer alone {rule.then.reply.mode.in_words()}; the others wait for a person."
        for rule in sharing_rules(file)
    ]
    shadow = [
        f"Rule {rule.name!r} is in the shadow: it only records what it would have done."
        for rule in file.rules
        if rule.shadow
    ]
    return sharing + shadow


def sharing_rules(file: Any) -> list[Any]:
    """The rules that answer alone only for a share of what they match."""
    heard = [rule for rule in file.rules if rule.then.reply and not rule.shadow]
    return [rule for rule in heard if hasattr(rule.then.reply.mode, "in_words")]


def _forgotten(file: Any) -> Iterator[str]:
    """What is allowed and yet may be an oversight, one sentence each."""
    thens = [rule.then for rule in file.rules]
    used = {then.reply.template for then in thens if then.reply}
    used |= {template for then in thens for template in (then.ask_for or {}).values()}
    for name in file.templates:
        if name not in used:
            yield f"Template {name!r} is used by no rule; remove it, or let a rule reply with it."
    risk_teams = {getattr(file.guard.risk_teams, kind) for kind in type(file.guard.risk_teams).model_fields}
    busy = {file.default_team} | risk_teams
    busy |= {then.case.team for then in thens if then.case} | {then.escalate for then in thens}
    for name in file.teams:
        if name not in busy:
            yield f"Team {name!r} gets nothing from any rule; people can still give it cases."
    spoken = {language for template in file.templates.values() for language in template.wordings()[""]}
    for name, template in file.templates.items():
        missing = sorted(spoken - set(template.wordings()[""]))
        if name in used and missing:
            yield f"Template {name!r} has no wording in {', '.join(missing)}; those people get it in {file.language}."
    if not file.rules:
        yield "It has no rule, so nothing is ever answered."
