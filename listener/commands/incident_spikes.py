"""`escucha incident spikes`, `spike` and `dismiss-spike`: far more people than normal, and what to make of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from listener.commands.app import App, pass_app
from listener.commands.case_typed import typed
from listener.commands.output import (
    ago,
    block,
    counted,
    fields,
    heading,
    json_option,
    print_json,
    say,
    show,
    styled,
)
from listener.types import SpikeState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from listener.store import Transaction
    from listener.store.mentions import Mention
    from listener.store.spikes import Numbers, Spike

LIMIT = 50
SAMPLES = 5
SHOWN = timedelta(hours=6)  # of the curve
STEP = 3  # buckets of five minutes in one of its points
LONGEST_REASON = 500
_BARS = "▁▂▃▄▅▆▇█"
_KINDS = (("area", "areas"), ("intent", "intents"), ("place", "places"), ("network", "networks"))


@click.command("spikes")
@click.option("--all", "everything", is_flag=True, help="Also those that are over and settled.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=LIMIT, show_default=True, help="How many at most.")
@json_option
@pass_app
def spikes_(app: App, *, everything: bool, limit: int, as_json: bool) -> None:
    """Where far more people than normal say that something is wrong, the newest first.

    The curve is of the last six hours, or of those before it was over, a point for each quarter of an hour.
    """
    from listener.store import spikes

    now = app.now()
    with app.store.read() as tx:
        found = spikes.listing(tx, everything=everything, limit=limit + 1)
        listed = found[:limit]
        numbers = spikes.numbers(tx, [each.id for each in listed])
        curves = {each.id: _curve(tx, each, now) for each in listed}
    if as_json:
        plain = [as_plain(each, numbers[each.id], curves[each.id]) for each in listed]
        print_json({"spikes": plain, "more": len(found) > limit})
        return
    if not listed:
        say("Nothing is far above normal." if not everything else "Nothing was ever found far above normal.")
    for each in listed:
        show(styled(f"{each.reference}  {_bars(curves[each.id])}  {_standing(each)}, {ago(each.onset, now)}", "bold"))
        block(f"{_about(each)}: {_size(each)}; {_people(numbers[each.id])}", indent=4)
    if len(found) > limit:
        say(f"There are more; see them with --limit {limit * 4}.")


@click.command("spike")
@click.argument("number", metavar="S4")
@click.option("--samples", type=click.IntRange(0, 100), default=SAMPLES, show_default=True, help="Mentions to show.")
@json_option
@pass_app
def spike_(app: App, *, number: str, samples: int, as_json: bool) -> None:
    """One spike: what, where, since when, how many and how many are normal, what drives it, and what people say.

    What was written in private is shown to who may see its case; of each person, and of each text that many copy, one.
    """
    from listener.desk import spiking
    from listener.store import spikes

    now = app.now()
    with app.store.read() as tx:
        found = spikes.get(tx, spiking.number(number))
        numbers = spikes.numbers(tx, [found.id])[found.id]
        curve = _curve(tx, found, now)
        said = spikes.samples(tx, found.id, limit=samples)
    if as_json:
        plain = as_plain(found, numbers, curve)
        print_json({**plain, "samples": [_sample(each) for each in said]})
        return
    _print(found, numbers, curve, said, now)


@click.command("dismiss-spike")
@click.argument("number", metavar="S4")
@click.option("--because", required=True, metavar="TEXT", help="What it is: a joke, a campaign of ours, a match.")
@json_option
@pass_app
def dismiss_spike(app: App, *, number: str, because: str, as_json: bool) -> None:
    """Say that a spike is nothing: nobody hears of it again, also while it goes on.

    The incident that was proposed for it, if any, is dismissed with it.
    """
    from listener.desk import spiking
    from listener.store import spikes

    reason = typed(because, "reason", LONGEST_REASON)
    with app.store.write() as tx:
        spike = spikes.hold(tx, spiking.number(number))
        spike = spikes.dismiss(tx, spike, because=reason, by=app.actor, now=app.now())
        dropped = spiking.drop(tx, spike, by=app.actor, now=app.now())
        numbers = spikes.numbers(tx, [spike.id])[spike.id]
    if as_json:
        print_json(as_plain(spike, numbers, ()))
        return
    say(f"{spike.reference} is dismissed." + (f" So is {dropped.reference}, proposed for it." if dropped else ""))


# --- as words and as JSON -------------------------------------------------------------------------------------------


def as_plain(spike: Spike, numbers: Numbers, curve: Sequence[int]) -> dict[str, Any]:
    """A spike for programs; these keys stay."""
    return {
        "spike": spike.reference,
        "state": spike.state,
        "live": spike.ended_at is None,
        "incident": f"I{spike.incident_id}" if spike.incident_id is not None else None,
        **_key(spike.label),
        "onset": spike.onset,
        "found_at": spike.found_at,
        "seen_at": spike.seen_at,
        "ended_at": spike.ended_at,
        "people": spike.people,
        "expected": round(spike.expected, 2),
        "since": spike.since,
        "until": spike.peak_at,
        "chance": spike.chance,
        "days_learned": round(spike.days, 1),
        "people_in_all": numbers.people,
        "mentions": numbers.mentions,
        "gone": numbers.gone,
        "words": [{"word": each.word, "people": each.people} for each in spike.words],
        "drivers": [
            {"kind": each.kind, "name": each.name, "people": each.people, "expected": round(each.expected, 2)}
            for each in spike.causes
        ],
        "keys": [_key(label) for label in spike.labels],
        "curve": list(curve),
        "told_at": spike.told_at,
        "decided_by": spike.decided_by,
        "decided_at": spike.decided_at,
        "because": spike.because,
    }


def live_lines(tx: Transaction, now: datetime) -> list[str]:
    """What `status` says of spikes that nobody has settled and that go on, a line each; three at most."""
    from listener.desk import spiking
    from listener.store import spikes

    live = [each for each in spikes.running(tx) if each.state is SpikeState.SEEN]
    lines = [
        f"{each.reference}: {spiking.about(each.label)}: {spiking.size(each)}, since {ago(each.onset, now)}: "
        f"`escucha incident spike {each.reference}`."
        for each in live[:3]
    ]
    if len(live) > len(lines):
        lines.append(f"{counted(len(live) - len(lines), 'more spike')}: `escucha incident spikes`.")
    return lines


def _key(label: Sequence[str]) -> dict[str, str | None]:
    return {name: value or None for name, value in zip(("area", "intent", "place", "network"), label, strict=True)}


def _sample(mention: Mention) -> dict[str, Any]:
    return {
        "mention": f"M{mention.id}",
        "network": mention.network,
        "author": mention.author.handle,
        "posted_at": mention.posted_at,
        "text": mention.text,
        "url": mention.url,
    }


def _curve(tx: Transaction, spike: Spike, now: datetime) -> list[int]:
    from listener.store import volumes

    until = min(spike.ended_at or now, now)
    return volumes.series(tx, spike.label, until - SHOWN, until, step=STEP)


def _bars(curve: Sequence[int]) -> str:
    top = max(curve, default=0) or 1
    return "".join(_BARS[min(-(-each * (len(_BARS) - 1) // top), len(_BARS) - 1)] for each in curve)


def _about(spike: Spike) -> str:
    from listener.desk import spiking

    return spiking.about(spike.label)


def _size(spike: Spike) -> str:
    from listener.desk import spiking

    return spiking.size(spike)


def _people(numbers: Numbers) -> str:
    gone = f", {numbers.gone:,} deleted" if numbers.gone else ""
    people = "1 person" if numbers.people == 1 else f"{numbers.people:,} people"
    return f"{people} in all{gone}"


def _standing(spike: Spike) -> str:
    goes_on = "goes on" if spike.ended_at is None else "over"
    if spike.state is SpikeState.SEEN and spike.incident_id is not None:
        return f"{goes_on}, in I{spike.incident_id}"
    opened = f" (I{spike.incident_id})" if spike.state is SpikeState.OPENED else ""
    return goes_on if spike.state is SpikeState.SEEN else f"{goes_on}, {spike.state}{opened}"


def _print(spike: Spike, numbers: Numbers, curve: Sequence[int], said: Sequence[Mention], now: datetime) -> None:
    heading(f"{spike.reference}  {_about(spike)}")
    until = f"over since {spike.ended_at:%Y-%m-%d %H:%M} UTC" if spike.ended_at else "it goes on"
    chance = f"1 in {1 / spike.chance:,.0f}" if spike.chance > 1e-9 else "less than 1 in 1,000,000,000"
    rows: list[tuple[str, Any]] = [
        ("state", _standing(spike)),
        ("since", f"{spike.onset:%Y-%m-%d %H:%M} UTC ({ago(spike.onset, now)}); {until}"),
        ("how many", f"{_size(spike)}; {_people(numbers)}, {counted(numbers.mentions, 'mention')}"),
        ("by chance", f"{chance}, as far as {spike.days:.0f} days of listening tell"),
        ("six hours", _bars(curve)),
        ("words", ", ".join(f"{each.word} ({each.people})" for each in spike.words)),
        *((kinds, _driven(spike, kind)) for kind, kinds in _KINDS),
    ]
    if spike.incident_id is not None:
        rows.append(("incident", f"I{spike.incident_id}: escucha incident show I{spike.incident_id}"))
    rows.append(("told", f"{spike.told_at:%Y-%m-%d %H:%M} UTC" if spike.told_at else ""))
    if spike.decided_at is not None:
        because = f": {spike.because}" if spike.because else ""
        rows.append((str(spike.state), f"{spike.decided_at:%Y-%m-%d %H:%M} UTC by {spike.decided_by}{because}"))
    fields(rows)
    if said:
        say()
    for mention in said:
        show(
            styled(
                f"M{mention.id}  @{mention.author.handle} on {mention.network}, {ago(mention.posted_at, now)}", "dim"
            )
        )
        block(mention.text)
    if spike.state is SpikeState.SEEN:
        say()
        proposed = spike.incident_id is not None
        step = f"accept I{spike.incident_id}" if proposed else f"open --from {spike.reference}"
        say(f"escucha incident {step} · incident dismiss-spike {spike.reference} --because …")


def _driven(spike: Spike, kind: str) -> str:
    from listener.desk import spiking

    return ", ".join(
        f"{each.name.replace('_', ' ') if kind == 'intent' else each.name} ({each.people}, where "
        f"{spiking.usual(each.expected)} normal)"
        for each in spiking.causes_of(spike, kind)[:5]
    )
