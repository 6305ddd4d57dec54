"""`escucha run`, `status`: the daemon, and how things stand."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from listener import log
from listener.commands import crm_standing, db_copy, lessons, output, pausing, roles, telling, versions, watched
from listener.commands.actor import DAEMON
from listener.commands.app import App, pass_app
from listener.errors import Mistake, NoModel, Outage
from listener.log import logger
from listener.types import Duty

if TYPE_CHECKING:
    from listener.store.case_counts import Pressing
    from listener.store.daemons import Running
    from listener.store.inbox import Draft
    from listener.store.sources import Source
    from listener.store.stats import Counts

LATE_AFTER = timedelta(minutes=5)  # an approved draft goes out within seconds; later something is in its way


@click.command()
@click.option(
    "--once",
    is_flag=True,
    help="One round: poll, read, decide, send what is approved; then end. A terminal is told what came of it, and of "
    "the log only warnings, unless daemon.log_level or daemon.log_format is set.",
)
@click.option(
    "--role",
    "named",
    multiple=True,
    type=click.Choice(roles.CHOICES),
    help="Share the work with other processes, on PostgreSQL: listen, read and decide, or send. May be said again.",
)
@pass_app
def run(app: App, once: bool, named: tuple[str, ...]) -> None:
    """Listen, and send what is approved, until stopped (Ctrl-C, or SIGTERM).

    Without --role one process does everything. With it, as many as there are share the work, on any number of machines,
    and what one had in hand that died is done by another.
    """
    app.actor = DAEMON  # whoever started it
    if not app.config.sources:
        raise Mistake(f"{app.config_path} names no source: add one with `escucha source add`.")
    if once and named:
        raise Mistake("--once does everything itself; leave --role out.")
    if once and sys.stderr.isatty() and not app.config.daemon.model_fields_set & {"log_format", "log_level"}:
        log.start(level="warning")  # who looks on reads the summary
    shared = roles.duties(app, named)
    if shared != {Duty.WORK}:  # who only reads and decides asks no network, and needs no secret
        app.demand_secrets()
        telling.demand(app)
        crm_standing.demand(app)
    pipeline = app.pipeline
    cluster = roles.cluster(app, shared)
    with suppress(NoModel):  # people read then, and the reader says so
        _ = app.classifier  # areas of another model are said now, before a new policy rules
    pipeline.start(app.wanted if Duty.POLL in (shared or Duty) else None, by=DAEMON)
    _tell_of_the_policy(app)
    if once:
        _one_round(app)
        return
    from listener.daemon import Daemon
    from listener.reception import Reception

    receives = Duty.POLL in (shared or Duty) and any(system.receives for system in app.systems.values())
    beside: list[AbstractContextManager[object]] = []
    if receives:
        beside.append(Reception(app.config.daemon.listen, pipeline.receive))
    daemon = Daemon(pipeline, tick=app.config.daemon.tick, version=_version(), beside=beside, crew=cluster)
    beside += watched.beside(app, version=_version(), health=daemon.health, roles=roles.named(shared))
    beside += [cluster] if cluster else []
    daemon.run()


def _tell_of_the_policy(app: App) -> None:
    """Says where the settings' policy file is not what rules."""
    from listener.commands import ruling_policy

    if said := ruling_policy.differs(app, app.ruling()):
        logger(__name__).warning(said, action="policy_differs")


def _one_round(app: App) -> None:
    """Looks at every source that is not paused, be it due or not, and says what came of it."""
    from listener.store import sources, stats

    with app.store.read() as tx:
        listening = [source.name for source in sources.list_all(tx) if not source.paused]
    done = app.pipeline.once(listening)
    failed = 0
    for name in listening:
        pages = [page for page in done.heard if page.source == name]
        error = next((page.error or page.waits for page in pages if page.error or page.waits), None)
        failed += any(page.error for page in pages)
        new, edited, gone = (
            sum(len(getattr(page.saved, kind)) for page in pages) for kind in ("new", "edited", "gone")
        )
        busy = "another process is looking at it now"
        output.say(f"{name}: {error or (f'{new} new, {edited} edited, {gone} gone' if pages else busy)}")
    with app.store.read() as tx:
        waiting = stats.counts(tx).drafts["proposed"]
    wait, was = "waits" if waiting == 1 else "wait", "was" if done.sent == 1 else "were"
    output.say(f"{stats.told_of(waiting, 'draft')} {wait} in `escucha inbox`; {done.sent} {was} sent now.")
    if app.pipeline.ruler.trouble:
        raise output.SomeFailed(f"Nothing was decided: {app.pipeline.ruler.trouble}")
    if failed == len(listening) > 0:
        raise Outage("No source could be read; look at `escucha status`.")
    if failed:
        raise output.SomeFailed(f"{output.counted(failed, 'source')} could not be read; look at `escucha status`.")


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("escucha")
    except PackageNotFoundError:
        return "not installed"


@click.command()
@output.json_option
@pass_app
def status(app: App, as_json: bool) -> None:
    """How things stand: what is paused, failing, late, waiting."""
    from listener.commands import incident_spikes, incident_whom, money, notice_due, put_back, ruling_policy, unknown
    from listener.flow import pressure
    from listener.store import (
        alerts,
        backlog,
        case_counts,
        daemons,
        garbled,
        inbox,
        lives,
        mentions,
        rests,
        sources,
        stats,
        switch,
        unknowns,
        upgrading,
    )
    from listener.types import DraftState

    now, known = app.now(), incident_whom.known_places(app)
    with app.store.read() as tx:
        seen: dict[str, Any] = {
            "daemons": daemons.running(tx),
            "tables": upgrading.standing(tx),
            "pauses": switch.pauses(tx),
            "put_back": lives.lost(tx, now - put_back.TOLD),
            "sources": sources.list_all(tx),
            "gaps": sources.gaps(tx, now - timedelta(days=7)),
            "counts": stats.counts(tx),
            "pressing": case_counts.pressing(tx, now),
            "oldest_waiting": stats.oldest_waiting(tx),
            "backlog": backlog.waiting(tx),
            "garbled": garbled.how_many(tx),
            "money": money.standings(app, tx),
            "unwatched": mentions.unwatched(tx, list(app.config.accounts)),
            "alerts": alerts.standing(tx, now),
            "crm": crm_standing.standings(app, tx),
            "spikes": incident_spikes.live_lines(tx, now),
            "lost": incident_whom.lost_lines(tx, known),
            "notices": notice_due.troubles(tx, now),
            "copy": db_copy.underway(tx),
        }
        seen["hung"] = roles.hung(tx, list(app.config.accounts), seen["daemons"], now)
        awaited, resting = unknowns.awaited(tx), rests.until(tx)
        approved = inbox.waiting(tx, states=(DraftState.APPROVED,))
    now = app.now()  # what others wrote until the rows were read is past
    seen["unlooked"] = unknown.overdue(app, awaited, resting, now)
    seen["told_apart"] = unknown.how_many_late(awaited, now)
    seen["slowed"] = pressure.ratio(seen["oldest_waiting"], now)
    seen["room"] = app.store.short_of_room()
    seen["areas"] = lessons.hint(app)
    seen["policy"] = ruling_policy.standing(app)
    polling = (not daemon.roles or Duty.POLL in daemon.roles for daemon in _alive(seen, now))
    if not any(polling):  # what whoever listened left behind says nothing any more
        nothing = {"streaming_since": None, "stream_down_since": None, "stream_error": None}
        seen["sources"] = [replace(source, **nothing) for source in seen["sources"]]
    broke = [trouble for standing in seen["money"] if (trouble := money.trouble(app, standing))]
    orphans = unwatched(app, seen["unwatched"])
    policy = seen["policy"]
    lacking = telling.missing(app, seen["alerts"])
    troubles = [
        *(f"{each.said} {each.step}" for each in lacking),
        *broke,
        *_troubles(seen, now),
        *([policy.differs] if policy and policy.unusable else ()),
        *orphans,
        *_stuck(app, {draft.account for draft in approved}),
        *_late(app, approved, now),
        *seen["notices"],
        *telling.troubles(app, seen["alerts"], now, told=[each.target for each in lacking]),
        *(trouble for each in seen["crm"] for trouble in crm_standing.troubles(app, each, now)),
        *_mourned(seen, now),
        *([seen["copy"]] if seen["copy"] else ()),
    ]
    if as_json:
        output.print_json(_as_json(seen, troubles))
    else:
        _print(app, seen, troubles, now)


def _mourned(seen: dict[str, Any], now: datetime) -> list[str]:
    alive = _alive(seen, now)
    silent = [daemon for daemon in seen["daemons"] if daemon not in alive]
    return roles.mourned(alive, silent, now, seen["hung"])


def _troubles(seen: dict[str, Any], now: datetime) -> list[str]:
    """What a person should act on, most pressing first."""
    from listener.store import stats

    counts: Counts = seen["counts"]
    found = [seen["room"]] if seen["room"] else []
    areas: lessons.Behind | None = seen["areas"]
    bar = areas.why if areas and areas.stops_run else ""
    alive = _alive(seen, now)
    silent = [daemon for daemon in seen["daemons"] if daemon not in alive]
    if not alive and silent:
        found.append(roles.nobody_left(silent, now))
    elif not alive and seen["room"]:
        found.append("No daemon is running, or none can say so: see to the disk first, then `escucha run`.")
    elif not alive and bar:
        found.append(f"No daemon is running, and `escucha run` does not start: {bar}")
    elif not alive:
        found.append("No daemon is running: start one with `escucha run`.")
    if bar and (alive or silent or seen["room"]):
        found.append(f"The next `escucha run` does not start: {bar}")
    found += roles.troubles(alive, silent, now, seen["hung"])
    found += versions.troubles(seen["tables"].step, alive)
    alone = [daemon for daemon in alive if not daemon.roles]
    if len(alone) > 1:
        names = ", ".join(daemon.name for daemon in alone)
        found.append(f"{len(alone)} daemons run on this database ({names}): harmless, but one is enough.")
    found += [f"The daemon {daemon.name} decides nothing. {daemon.trouble}" for daemon in alive if daemon.trouble]
    found += [
        f"The daemon {daemon.name} goes on without something. {hurt}" for daemon in alive for hurt in daemon.hurts
    ]
    found += [
        f"Sending is paused ({hold.scope}) by {hold.by}{f': {hold.reason}' if hold.reason else ''}: "
        f"`{pausing.lifting(hold)}`."
        for hold in seen["pauses"]
    ]
    found += _behind(seen, now)
    found += seen["spikes"] + seen["lost"]
    found += _untended(seen)
    for source in seen["sources"]:
        if source.paused:
            why = source.paused.rstrip(".")
            found.append(
                f"{source.name} is paused: {why}. Mend that (a new token in the environment, or a new query, needs a "
                f"restart of the daemon), then: `escucha source resume {source.name}`."
            )
        elif source.failing_since:
            since = output.spell(now - source.failing_since)
            found.append(f"{source.name} has been failing for {since}: {(source.last_error or '').rstrip('.')}.")
    found += _unsent(counts, seen["told_apart"]) + seen["unlooked"]
    if counts.troubled:
        broken = stats.told_of(counts.troubled, "mention")
        found.append(f"{broken} set aside because a stage broke: `escucha mention set-aside`.")
    if seen["garbled"]:
        posts = output.counted(seen["garbled"], "post")
        found.append(f"{posts} could not be read or stored: `escucha mention set-aside`.")
    found += [f"{name} may have missed posts: {reason}" for name, _at, reason in seen["gaps"]]
    return found


def _behind(seen: dict[str, Any], now: datetime) -> list[str]:
    """That more is heard than can be read, and what that slows."""
    if seen["slowed"] <= 1:
        return []
    waits = now - min(seen["oldest_waiting"].values())
    ours = sum(number for (_, addressed), number in seen["backlog"].items() if addressed)
    others = sum(number for (_, addressed), number in seen["backlog"].items() if not addressed)
    return [
        f"More is heard than can be read: {output.counted(ours + others, 'mention')} waiting, the oldest for "
        f"{output.spell(waits)}; {ours} of them address us and come first. Sources that only find are polled "
        f"{seen['slowed']:.1f} times less often until it is caught up; nothing is dropped."
    ]


def _unsent(counts: Counts, told_apart: int) -> list[str]:
    """What the networks refused, or of which nobody knows.

    `told_apart`: so many of the sends of unknown outcome have a sentence of their own.
    """
    from listener.store import stats

    found: list[str] = []
    unknown = counts.drafts["unknown"] + counts.deliveries["unknown"]
    others = unknown - told_apart
    if others > 0:
        more = "other send" if told_apart else "send"
        found.append(
            f"{stats.told_of(others, more)} of unknown outcome: `escucha inbox --unknown` tells "
            "what looking for them found."
        )
    changes = counts.amendments["failed"] + counts.amendments["unknown"]
    if changes:
        found.append(
            f"{stats.told_of(changes, 'change')} of notices that are out refused, or of unknown outcome: "
            "`escucha notice status N1` says which, and its command again tries once more."
        )
    failed = counts.drafts["failed"] + counts.deliveries["failed"]
    if failed:
        found.append(
            f"{stats.told_of(failed, 'send')} refused: `escucha inbox --state failed`, `escucha notice status`."
        )
    return found


def unwatched(app: App, counted: dict[tuple[str, str], int]) -> list[str]:
    """The posts whose deletion their network wants followed, and that no account of ours can look up any more."""
    from listener.commands.money import demands_looks

    return [
        f"{output.counted(number, 'post')} heard through the account {account} can be looked up no more, as "
        f"{app.config_path} does not name it, and {network} demands that what is deleted there goes here too: "
        "name the account again."
        for (account, network), number in sorted(counted.items())
        if demands_looks(app, network)
    ]


def _stuck(app: App, accounts: set[str]) -> list[str]:
    """The accounts through which nothing approved can go out, and why."""
    found = []
    for name in sorted(accounts):
        if name not in app.config.accounts:
            found.append(
                f"Approved drafts wait for the account {name}, which {app.config_path} no longer names: name it there "
                "again, or reject them (`escucha inbox --state approved`)."
            )
        elif not app.unasked(name).speaks:
            found.append(app.why_mute(name))
    return found


def _late(app: App, approved: list[Draft], now: datetime) -> list[str]:
    """The accounts through which something approved should have gone out and has not, and what stood in its way."""
    from listener.commands import money

    due = [draft for draft in approved if draft.decided_at and (draft.not_before is None or draft.not_before <= now)]
    found = []
    for account in sorted({draft.account for draft in due} & set(app.config.accounts)):
        waiting = [draft for draft in due if draft.account == account]
        since = min(draft.decided_at for draft in waiting if draft.decided_at)
        reason = money.why_broke(app, account) or next(
            (draft.reason for draft in reversed(waiting) if draft.reason), ""
        )
        if not reason and now - since <= LATE_AFTER:
            continue
        why = f": {reason.rstrip('.')}" if reason else ""
        have = "has" if len(waiting) == 1 else "have"
        drafts = output.counted(len(waiting), "approved draft")
        found.append(f"{drafts} of the account {account} {have} waited for {output.spell(now - since)} to go out{why}.")
    return found


def _untended(seen: dict[str, Any]) -> list[str]:
    """The people who wait for one of ours."""
    pressing: Pressing = seen["pressing"]
    late, critical, unrouted = pressing.overdue, pressing.unattended, seen["counts"].unrouted
    found = []
    if critical:
        have = "has" if critical == 1 else "have"
        found.append(
            f"{output.counted(critical, 'critical case')} {have} no agent: `escucha case list` begins with them, "
            "`escucha case assign REF --agent NAME` gives one away."
        )
    if late:
        past = "is past its" if late == 1 else "are past their"
        found.append(f"{output.counted(late, 'case')} {past} promised first answer: `escucha case list --late`.")
    if unsolved := pressing.solutions_overdue:
        past = "is past its" if unsolved == 1 else "are past their"
        found.append(f"{output.counted(unsolved, 'case')} {past} promised solution: `escucha case list --late`.")
    if warned := pressing.warned:
        become = "becomes" if warned == 1 else "become"
        found.append(f"{output.counted(warned, 'case')} {become} late soon: `escucha case list --late`.")
    if unrouted:
        wait = "waits" if unrouted == 1 else "wait"
        found.append(f"{output.counted(unrouted, 'mention')} {wait} to be routed: `escucha inbox`.")
    return found


def _alive(seen: dict[str, Any], now: datetime) -> list[Running]:
    from listener.store.daemons import SILENT

    return [daemon for daemon in seen["daemons"] if abs(now - daemon.seen_at) < SILENT]


def _stream(source: Source, now: datetime) -> str:
    """How its stream is; empty where there is none."""
    if source.streaming_since:
        return f"open for {output.spell(now - source.streaming_since)}"
    if source.stream_down_since:
        why = (source.stream_error or "").rstrip(".")
        return f"down for {output.spell(now - source.stream_down_since)}: {why}; polled meanwhile"
    return ""


def _print(app: App, seen: dict[str, Any], troubles: list[str], now: datetime) -> None:
    from listener.commands import money, put_back, ruling_policy
    from listener.store import named, stats

    def states(counted: Mapping[str, int]) -> str:
        return ", ".join(f"{stats.told(number)} {state}" for state, number in counted.items() if number) or "none"

    if troubles:
        output.heading("Needs a person")
        for trouble in troubles:
            output.block(f"• {trouble}", style="yellow")
    else:
        output.show(output.styled("All is well.", "green"))
    output.say()
    roles.table(seen["daemons"], _alive(seen, now), now, step=seen["tables"].step, hung=seen["hung"])
    output.table(
        ["source", "network", "query", "health", "last heard", "next", "first here"],
        [
            [
                source.name,
                source.network,
                source.query,
                source.health(now),
                output.ago(source.succeeded_at, now),
                output.ago(source.next_poll_at, now) if not source.paused else "",
                source.mentions_total,
            ]
            for source in seen["sources"]
        ],
        empty="No source was listened to yet: `escucha run` begins."
        if app.config.sources
        else f"No sources yet: `escucha source add` writes one into {app.config_path}.",
        wide="query",
    )
    output.say()
    counts: Counts = seen["counts"]
    areas: lessons.Behind | None = seen["areas"]
    for standing in seen["money"]:
        output.fields([(f"money of {standing.account}", money.row(standing, now))])
    output.fields(
        [
            *((f"stream of {source.name}", _stream(source, now)) for source in seen["sources"]),
            ("areas", areas.why if areas and not areas.stops_run else ""),
            ("policy", ruling_policy.row(seen["policy"], now)),
            ("database", named(app.store.url)),
            ("put back", put_back.row(seen["put_back"])),
            ("tables", f"step {seen['tables'].step}, for versions of step {seen['tables'].works_with} and later"),
            ("mentions", states(counts.mentions)),
            ("drafts", states(counts.drafts)),
            ("cases", states(counts.cases)),
            ("asked", _asked(seen["pressing"].asked)),
            *((f"crm {each.system}", crm_standing.row(each, now)) for each in seen["crm"]),
            ("notices", states(counts.deliveries)),
            *(
                (f"{stage} since", output.ago(moment, now))
                for stage, moment in seen["oldest_waiting"].items()
                if now - moment > timedelta(minutes=1)
            ),
        ]
    )


def _asked(cases: int) -> str:
    waits = "waits" if cases == 1 else "wait"
    return f"{output.counted(cases, 'case')} {waits} for another team's information" if cases else ""


def _as_json(seen: dict[str, Any], troubles: list[str]) -> dict[str, Any]:
    from listener.commands import money

    return {
        "troubles": troubles,
        "policy": seen["policy"],
        "daemons": seen["daemons"],
        "tables": seen["tables"],
        "pauses": seen["pauses"],
        "put_back": seen["put_back"],
        "sources": [
            {key: value for key, value in asdict(source).items() if key not in ("id", "cursor")}
            for source in seen["sources"]
        ],
        "gaps": [{"source": name, "at": at, "reason": reason} for name, at, reason in seen["gaps"]],
        "counts": seen["counts"],
        "cases_overdue": seen["pressing"].overdue,
        "solutions_overdue": seen["pressing"].solutions_overdue,
        "cases_warned": seen["pressing"].warned,
        "waiting_for_information": seen["pressing"].asked,
        "critical_without_agent": seen["pressing"].unattended,
        "oldest_waiting": seen["oldest_waiting"],
        "backlog": [
            {"state": state, "addresses_us": addressed, "mentions": number}
            for (state, addressed), number in seen["backlog"].items()
        ],
        "slowed": seen["slowed"],
        "unreadable_posts": seen["garbled"],
        "areas": seen["areas"],
        "alerts": seen["alerts"],
        "crm": [crm_standing.as_json(each) for each in seen["crm"]],
        "money": [money.as_json(standing) for standing in seen["money"]],
        "unwatched": [
            {"account": account, "network": network, "mentions": number}
            for (account, network), number in sorted(seen["unwatched"].items())
        ],
    }
