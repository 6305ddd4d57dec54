"""What a policy says that is allowed and yet may be an oversight: one sentence each, for `check` and `activate`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

from listener.commands import output, rehearsing, telling
from listener.commands.app import App
from listener.types import Mode


def all_of(app: App, found: Any, path: Path | str) -> list[str]:
    """What it says in vain, with file and line, and what it may have forgotten."""
    warnings = [*_networks(app, found, path), *rehearsing.in_vain(app, found, Path(path))]
    warnings += [*_forgotten(found.file), *telling.unchecked(app, found)]
    if found.shares and not found.shares_at_work:
        modes = [found.mode_on(network) for network in ("", *found.file.networks, *app.config_or_default.policy.modes)]
        everywhere = all(mode is Mode.MANUAL for mode in modes)
        why = "replies are manual on every network" if everywhere else "all that has one is manual on another level"
        warnings.append(f"Its shares let nothing go out alone, for {why}; see `mode:`.")
    return warnings


def _networks(app: App, found: Any, path: Path | str) -> list[str]:
    """What it says of networks that there are not here, `file:line: sentence` each."""
    return cast("list[str]", cast(Any, app.policies).unknown_networks(found, app.connectors.available(), path))


def verdict(warnings: list[str]) -> str:
    """`all is well`, or `readable, 2 warnings`."""
    return f"readable, {output.counted(len(warnings), 'warning')}" if warnings else "all is well"


def lost_calendars(app: App, found: Any) -> list[str]:
    """Which calendars, by which open cases were promised something, it does not have."""
    from listener.store import case_counts

    with app.store.read() as tx:
        used = case_counts.calendars(tx)
    return [
        f"It has no calendar {name!r}, by which {output.counted(count, 'open case')} {'was' if count == 1 else 'were'} "
        "promised something: from now on all time counts as open for them, where a clock stands still and where "
        "another team is asked."
        for name, count in used.items()
        if name not in found.file.calendars
    ]


def notices(found: Any, now: datetime) -> list[str]:
    """Who answers alone for a share only, and how large it is by now; and the rules in the shadow."""
    sharing = []
    at_work = found.shares_at_work
    for level, name, share in found.shares:
        who = f"{level.capitalize()} {name!r}" if name else f"The {level}"
        if (level, name) not in at_work:
            if at_work:  # where none is, `all_of` says so
                sharing.append(f"{who} has a share and yet lets nothing go out alone; see `mode:` on the other levels.")
            continue
        today = share.by_now(now, ZoneInfo(found.file.time_zone))
        said = f"{share.in_words()} ({today})" if today else share.in_words()
        sharing.append(f"{who} may answer alone {said}; the others wait for a person.")
    shadow = [
        f"Rule {rule.name!r} is in the shadow: it only records what it would have done."
        for rule in found.file.rules
        if rule.shadow
    ]
    return sharing + shadow


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
    busy |= {step.team for _, steps in file.escalation.steps() for step in steps}
    busy |= {area.team for area in file.areas.values()} | {team.overflow for team in file.teams.values()}
    for name in file.teams:
        if name not in busy:
            yield f"Team {name!r} gets nothing by any rule or step of escalation; people can still give it cases."
    spoken = {language for template in file.templates.values() for language in template.wordings()[""]}
    for name, template in file.templates.items():
        missing = sorted(spoken - set(template.wordings()[""]))
        if name in used and missing:
            yield f"Template {name!r} has no wording in {', '.join(missing)}; those people get it in {file.language}."
    if not file.rules:
        yield "It has no rule, so nothing is ever answered."
