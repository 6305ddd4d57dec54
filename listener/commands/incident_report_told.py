"""What came of an incident in words and tables, for the screen, Markdown and a page alike. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf
from typing import Any

from listener.commands import incident_told
from listener.commands.output import spell
from listener.insight.before_after import Estimate
from listener.insight.incident_report import Answered, Change, Phase, Report
from listener.store.incident_facts import Said

MOST = 15  # networks, areas or places that are told; the others are counted together
LONGEST = 280  # characters of a quote
FEW = 10  # mentions; a share of fewer is no share
# Addresses are looked for from their beginning only: tried at each letter, one long text would take minutes.
_ADDRESS = re.compile(r"(?<![\w.+\-@])@?[\w.+\-]+(?:@[\w.+\-]+)+")
_BLANKED = re.compile(r"@[\w.\-]+|\+?\d[\d \-./]{4,}\d")


@dataclass(frozen=True, kw_only=True)
class Section:
    """One part under its title. `plot`: the drawing that belongs to it; `wide`: the column that takes what is left."""

    title: str
    sentences: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    wide: str = ""
    plot: str = ""


@dataclass(frozen=True, kw_only=True)
class Told:
    """The whole report: what it is about, what matters most, and its parts."""

    title: str
    about: tuple[tuple[str, str], ...]
    summary: tuple[str, ...]
    sections: tuple[Section, ...]


def told(report: Report, *, quotes: Sequence[Said] = (), names: bool = False) -> Told:
    """The report in words. `quotes`: mentions to be quoted; without `names`, who is named in them is blanked."""
    incident = report.facts.incident
    length = spell(report.until - report.since)
    about = (
        ("state", incident.state.value),
        ("owner", incident.owner or "nobody"),
        ("lasted", f"{moment(report.since)} to {moment(report.until)} ({length})")
        if report.over
        else ("since", f"{moment(report.since)} ({length} until now)"),
        ("opened", f"{moment(incident.opened_at)} by {incident.opened_by}"),
        ("case", incident.case_reference or "none"),
        ("as of", moment(report.now)),
    )
    sections = (
        _time_line(report),
        _volume(report),
        *_parts(report),
        _sentiment(report),
        _reach(report),
        _answers(report),
        _notices(report),
        _cases(report),
        _cost(report),
        *_quotes(quotes, names=names),
    )
    title = f"{incident.reference}: {incident.title}"
    return Told(title=title, about=about, summary=tuple(_summary(report)), sections=sections)


def _summary(report: Report) -> Iterator[str]:
    answered, reach = report.answered, report.reach
    if not answered.mentions:
        yield "No mention is attached to it, so there is nothing to count."
        return
    on = counted(len(report.networks), "network")
    yield f"{counted(answered.mentions, 'mention')} by {people(reach.people)} on {on}."
    peak = max(report.bars, key=lambda bar: bar.mentions)
    yield f"The busiest {spell(report.step)} began {moment(peak.at)}: {counted(peak.mentions, 'mention')}."
    share = percent(answered.people_answered / answered.people)
    said = f"{answered.people_answered:,} of {people(answered.people)} were answered ({share})"
    if answered.median is not None and answered.ninetieth is not None:
        said += f", half of the answers within {took(answered.median)}, nine in ten within {took(answered.ninetieth)}"
    yield f"{said}."
    if report.facts.notices:
        posts = sum(notice.posts for notice in report.facts.notices)
        first = report.facts.notices[0].first_at
        after = f"{took(first - report.since)} after it began" if first >= report.since else "before it began"
        notices = counted(len(report.facts.notices), "notice")
        yield f"{notices} went out in {counted(posts, 'post')}, the first {after}."
    else:
        yield "No notice went out."


# --- the parts ------------------------------------------------------------------------------------------------------


def _time_line(report: Report) -> Section:
    entries: list[tuple[datetime, str]] = []
    for event in report.facts.events:
        if event.kind not in incident_told.QUIET:
            said = incident_told.sentence(event)
            public = "; ".join(f"{language}: {text}" for language, text in event.detail.get("public", {}).items())
            words = ". ".join(filter(None, (event.text.rstrip("."), public)))
            entries.append((event.at, f"{said}{f' — {words}' if words else ''}"))
    entries += incident_told.notices(report.facts.notices, report.facts.amended)
    for switched in report.facts.switched:
        why = f": {switched.reason}" if switched.reason else ""
        done = "paused" if switched.paused else "let go on"
        entries.append((switched.at, f"sending ({switched.scope}) was {done} by {switched.by}{why}"))
    entries.sort(key=lambda entry: entry[0])
    return Section(
        title="Time line",
        headers=("when (UTC)", "what"),
        rows=tuple((f"{at:%Y-%m-%d %H:%M}", words) for at, words in entries),
        wide="what",
    )


def _volume(report: Report) -> Section:
    sentence = (
        f"Mentions that were attached, in steps of {spell(report.step)}; those that were deleted are not counted."
    )
    return Section(title="Volume", sentences=(sentence,), plot="volume")


def _parts(report: Report) -> Iterator[Section]:
    for name, found in (("network", report.networks), ("area", report.areas), ("place", report.places)):
        if not found or (name == "network" and len(found) == 1):
            continue
        rows: list[tuple[Any, ...]] = [(part.name, part.mentions, part.people) for part in found[:MOST]]
        if rest := found[MOST:]:
            rows.append((f"{len(rest)} more", sum(part.mentions for part in rest), ""))
        several = "" if name == "network" else f" A mention may name several {name}s, or none."
        yield Section(
            title=f"By {name}",
            sentences=(several.strip(),) if several else (),
            headers=(name, "mentions", "people"),
            rows=tuple(rows),
        )


def _sentiment(report: Report) -> Section:
    areas = report.facts.incident.affected.get("areas", ())
    networks = report.facts.incident.affected.get("networks", ())
    about = f" about {', '.join(areas)}" if areas else ""
    where = f" on {', '.join(networks)}" if networks else ""
    rows = tuple(
        (
            phase.name,
            f"{phase.since:%m-%d %H:%M} – {phase.until:%m-%d %H:%M}",
            phase.mentions,
            *(percent(number / phase.read) if phase.read else "" for number in sounds(phase)),
        )
        for phase in report.phases
    )
    return Section(
        title="Sentiment before, during and after",
        sentences=(f"All that was said{about}{where}, whether it was attached or not; shares of what the model read.",),
        headers=("", "when (UTC)", "mentions", "negative", "neutral", "positive"),
        rows=rows,
        plot="sentiment",
    )


def _reach(report: Report) -> Section:
    reach = report.reach
    if reach.told:
        said = (
            f"The {counted(reach.told, 'account')} whose followers are known have {reach.followers:,} together. Each "
            "account counts once, however often it wrote. Who follows several counts several times, and not everybody "
            "who follows sees it: at most so many could have read it from them."
        )
        rest = reach.accounts - reach.told
        unknown = f"{counted(rest, 'account')} more wrote, whose followers no network told us." if rest else ""
        return Section(title="Reach", sentences=tuple(filter(None, (said, unknown))))
    return Section(title="Reach", sentences=("No network told how many followers those who wrote have.",))


def _answers(report: Report) -> Section:
    found = report.answered
    unanswered = found.mentions - found.answered
    sentences = [
        f"{counted(found.answered, 'mention')} of {found.mentions:,} were answered, {unanswered:,} were not. An answer "
        "counts for the mention that it answers; times are from the post to the first answer."
    ]
    rows: list[tuple[Any, ...]] = [
        ("by a rule", found.by.get("rule", 0)),
        ("by an answer to everybody", found.by.get("run", 0)),
        ("by a person", found.by.get("person", 0)),
        ("half within", took(found.median) if found.median is not None else ""),
        ("nine in ten within", took(found.ninetieth) if found.ninetieth is not None else ""),
        *_promised(found),
    ]
    return Section(
        title="Answers", sentences=tuple(sentences), headers=("answered", ""), rows=tuple(rows), plot="answers"
    )


def _promised(found: Answered) -> Iterator[tuple[str, str]]:
    clocks = found.within + found.late
    if clocks:
        yield "cases answered as promised", f"{found.within} of {clocks} ({percent(found.within / clocks)})"
    if found.running:
        yield "cases whose time still runs", str(found.running)


def _notices(report: Report) -> Section:
    if not report.facts.notices:
        return Section(title="Before and after each notice", sentences=("No notice went out.",))
    sentences = [
        "The same length of time before and after the first post of each notice. This is what changed, not what the "
        "notice changed: whatever else happened then is in it too. Earlier: as long again before that, to show what "
        "rose or fell already. In brackets: where the change lies with 95 % certainty, bursts allowed for."
    ]
    for notice in report.uncompared:
        sentences.append(f"N{notice.number} has too little beside it to compare: another notice, or too little time.")
    rows: list[tuple[Any, ...]] = []
    for change in report.changes:
        rows.extend(_changed(change))
    headers = ("notice", "", "earlier", "before", "after", "change")
    return Section(
        title="Before and after each notice",
        sentences=tuple(sentences),
        headers=headers,
        rows=tuple(rows),
        wide="change",
    )


def _changed(change: Change) -> Iterator[tuple[Any, ...]]:
    number = f"N{change.notice.number}"
    earlier = "" if change.earlier is None else change.earlier
    rate = _rate(change.rate) if change.rate else "nobody wrote before"
    yield f"{number} (± {took(change.length)})", "people who wrote", earlier, change.before, change.after, rate
    for what, before, after, estimate in (
        ("negative", change.negative_before, change.negative_after, change.negative),
        ("complaints", change.complaints_before, change.complaints_after, change.complaints),
    ):
        shares = [f"{percent(hits / of)} of {of}" if of else "none" for hits, of in (before, after)]
        few = min(before[1], after[1]) < FEW
        yield "", what, "", *shares, ("too few to tell" if few else _points(estimate)) if estimate else ""


def _rate(estimate: Estimate) -> str:
    return _interval(estimate, lambda value: signed(value * 100, "%"))


def _points(estimate: Estimate) -> str:
    return _interval(estimate, lambda value: signed(value * 100, "points"))


def _interval(estimate: Estimate, write: Callable[[float], str]) -> str:
    between = f"({write(estimate.low)} to {write(estimate.high)})"
    told = f"{write(estimate.value)} {between}"
    return told if estimate.sure else f"{told}: may be chance"


def _cases(report: Report) -> Section:
    cases = report.cases
    if not cases.parts:
        return Section(title="Cases", sentences=("No case is a part of it.",))
    rows: list[tuple[Any, ...]] = [
        ("parts of its case", cases.parts),
        ("opened since it began", cases.opened),
        ("resolved", cases.resolved),
        ("reopened", cases.reopened),
    ]
    if cases.median is not None:
        rows.append(("half resolved within", took(cases.median)))
    return Section(title="Cases", headers=("cases", ""), rows=tuple(rows))


def _cost(report: Report) -> Section:
    since, until = report.since, report.until
    days = f"on {since:%Y-%m-%d}" if since.date() == until.date() else f"from {since:%Y-%m-%d} to {until:%Y-%m-%d}"
    if not report.facts.spent:
        return Section(title="Cost", sentences=(f"The networks' calls cost nothing {days} (UTC).",))
    said = f"All that the networks' calls cost {days}, whole UTC days, whatever they were for: USD {report.usd:,.2f}."
    rows = tuple(
        (account, charge.call, f"{charge.units:,}", f"{charge.usd:,.2f}") for account, charge in report.facts.spent
    )
    return Section(title="Cost", sentences=(said,), headers=("account", "call", "units", "USD"), rows=rows)


def _quotes(quotes: Sequence[Said], *, names: bool) -> Iterator[Section]:
    if not quotes:
        return
    said = "" if names else "Names that begin with @, addresses and long numbers are blanked."
    rows = tuple(
        (f"{each.at:%m-%d %H:%M}", each.network, each.sentiment, quoted(each.text, names=names)) for each in quotes
    )
    yield Section(
        title="In their words",
        sentences=tuple(filter(None, (said,))),
        headers=("when", "network", "sounds", "said"),
        rows=rows,
        wide="said",
    )


def quoted(text: str, *, names: bool) -> str:
    """The words in one line, no longer than `LONGEST`; without `names`, nobody is addressed in them."""
    line = " ".join(text.split())
    line = line if names else _BLANKED.sub("…", _ADDRESS.sub("…", line))
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1].rstrip()}…"


# --- words ------------------------------------------------------------------------------------------------------------


def sounds(phase: Phase) -> tuple[int, int, int]:
    """Negative, neutral, positive."""
    return phase.negative, phase.neutral, phase.positive


def moment(at: datetime) -> str:
    """`2026-03-04 17:30 UTC`."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def counted(number: int, thing: str) -> str:
    """`1 mention`, `10,000 mentions`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def people(number: int) -> str:
    """`1 person`, `2 people`."""
    return f"{number:,} {'person' if number == 1 else 'people'}"


def percent(share: float) -> str:
    """`0 %` and `100 %` are all or nothing; between them never."""
    whole = round(share * 100)
    if 0 < share < 1:
        whole = min(99, max(1, whole))
    return f"{whole} %"


def signed(value: float, unit: str) -> str:
    """`+12 %`, `−3 points`, `more than tenfold`."""
    if value == inf or (unit == "%" and value >= 900):
        return "more than tenfold"
    return f"{'+' if value > 0 else '−' if round(value) else '±'}{abs(round(value))} {unit}"


def took(length: timedelta) -> str:
    """`40 s`, `12 min`, `1 h 5 min`, `2 days 3 h`."""
    minutes = int(length.total_seconds() // 60)
    if minutes < 1:
        return spell(length)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} days {hours} h" if hours else f"{days} days"
