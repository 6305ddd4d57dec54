"""`escucha policy shares`: what became of those answered alone, beside those that a person saw."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from listener.commands import output, replays
from listener.commands.app import App, pass_app

if TYPE_CHECKING:
    from listener.store.draws import Drawn, Side

RARE = 0.05  # what chance gives less often than one time in twenty
_FATES = {
    "sent_as_written": "sent as written",
    "sent_edited": "sent, edited",
    "on_its_way": "approved, on its way",
    "rejected": "rejected",
    "waiting": "waiting for a person",
    "expired": "expired",
    "failed": "failed",
    "unknown": "outcome unknown",
}
_OUTCOMES = {
    "wrote_again": "wrote again",
    "complained_again": "wrote again, and sounds negative",
    "asked_to_be_left_alone": "asked to be left alone",
    "case_reopened": "case opened again",
}


@click.command()
@click.option("--since", metavar="7d", default="7d", help="What was decided since then: 12h, 7d, 4w, or 2026-03-01.")
@output.json_option
@pass_app
def shares(app: App, since: str, as_json: bool) -> None:
    """What became of the replies that a share let out alone, beside those that waited for a person.

    Compared are those that nothing but the draw kept from going out alone. What came within a day of the decision is
    told with how much of the difference may be chance.
    """
    from listener.store import draws

    now = app.now()
    begin = replays.moment(since, now)
    with app.store.read() as tx:
        found = draws.compared(tx, since=begin, now=now)
    report = _report(found)
    if as_json:
        output.print_json({"since": begin, "until": now, "shares": report})
        return
    _show(report, begin)


def _report(found: list[Drawn]) -> list[dict[str, Any]]:
    compared = sum(1 for each in found for _ in _OUTCOMES if each.alone.watched and each.suggested.watched)
    return [
        {
            "level": each.level,
            "name": each.name,
            "share": {"least": each.least, "most": each.most},
            "drew": each.drew,
            "compared": each.alone.drafts + each.suggested.drafts,
            "alone": _side(each.alone),
            "suggested": _side(each.suggested),
            "within_a_day": [_outcome(each, what, compared) for what in _OUTCOMES],
        }
        for each in found
    ]


def _side(side: Side) -> dict[str, Any]:
    return {"drafts": side.drafts, **side.fates, "half_decided_within_seconds": side.seconds, "watched": side.watched}


def _outcome(each: Drawn, what: str, compared: int) -> dict[str, Any]:
    """One thing that may come within a day, on both sides. `compared`: of how many such differences this is one."""
    from listener.desk import chance

    sides = {"alone": each.alone, "suggested": each.suggested}
    told: dict[str, Any] = {"what": what}
    for name, side in sides.items():
        hits, of = side.came[what], side.watched
        low, high = chance.interval(hits, of)
        told[name] = {"count": hits, "of": of, "low": round(low, 4), "high": round(high, 4)}
    if not (each.alone.watched and each.suggested.watched):
        return {**told, "by_chance": None, "verdict": "too early to tell"}
    odds = chance.by_chance(
        each.alone.came[what], each.alone.watched, each.suggested.came[what], each.suggested.watched
    )
    return {**told, "by_chance": round(odds, 6), "verdict": _verdict(odds, compared)}


def _verdict(odds: float, compared: int) -> str:
    """In words; of many differences some are rare by chance, so that one of several must be so much rarer."""
    if odds >= RARE:
        return "can be chance"
    return "hardly chance" if odds < RARE / compared else "may be chance, for several are compared"


# --- for people ------------------------------------------------------------------------------------------------------


def _show(report: list[dict[str, Any]], since: datetime) -> None:
    if not report:
        output.say(f"No reply drew for a share since {since:%Y-%m-%d %H:%M} UTC.")
        output.say("A policy shares with `mode: {auto: 10%}`; docs/policies.md tells more.")
        return
    for number, each in enumerate(report):
        if number:
            output.say()
        _show_one(each)
    output.say()
    output.block(
        "“Can be chance” does not say that there is no difference: more replies may show one. Chance gives two sides "
        "that differ so much or more as often as the last column says (Fisher's exact test); in brackets, between what "
        "the share is likely to be (Wilson, 95 %).",
        indent=0,
        style="dim",
    )


def _show_one(each: dict[str, Any]) -> None:
    least, most = (f"{each['share'][key]:.4g}%" for key in ("least", "most"))
    share = least if least == most else f"{least} to {most}"
    who = f"{each['level']} {each['name']}" if each["name"] else f"the {each['level']}"
    output.heading(f"{who[0].upper()}{who[1:]}: {share} alone")
    others = each["drew"] - each["compared"]
    kept = f"; {others} more had to wait for a person for other reasons" if others else ""
    drew = output.counted(each["compared"], "reply") if each["compared"] == 1 else f"{each['compared']} replies"
    output.block(f"{drew} compared{kept}.", indent=0)
    if not each["compared"]:
        return
    output.table(("what", "alone", "by a person"), list(_fates(each)), empty="")
    output.say()
    rows = [_row(outcome) for outcome in each["within_a_day"]]
    output.table(("within a day", "alone", "by a person", "chance"), rows, empty="")


def _fates(each: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    yield "replies", each["alone"]["drafts"], each["suggested"]["drafts"]
    for key, words in _FATES.items():
        if each["alone"][key] or each["suggested"][key]:
            yield words, each["alone"][key], each["suggested"][key]
    seconds = each["suggested"]["half_decided_within_seconds"]
    if seconds is not None:
        yield "half of them decided within", "", output.spell(timedelta(seconds=seconds))


def _row(outcome: dict[str, Any]) -> tuple[str, str, str, str]:
    odds = outcome["by_chance"]
    told = outcome["verdict"] if odds is None else f"{outcome['verdict']} ({_odds(odds)})"
    return _OUTCOMES[outcome["what"]], _rate(outcome["alone"]), _rate(outcome["suggested"]), told


def _odds(odds: float) -> str:
    return "under 0.1%" if odds < 0.001 else f"{odds:.1%}" if odds < 0.1 else f"{odds:.0%}"


def _rate(side: dict[str, Any]) -> str:
    """`12 of 90 (8–22%)`."""
    if not side["of"]:
        return "none yet"
    return f"{side['count']} of {side['of']} ({side['low'] * 100:.0f}–{side['high'] * 100:.0f}%)"
