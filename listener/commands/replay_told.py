"""A report of `policies.replay` as tables with titles, for the screen and for a page alike. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Sequence[Any]
_MONEY = ("USD if all went out", "USD alone")

_ANSWERS = ("in_time", "late", "never", "not_known")


@dataclass(frozen=True, kw_only=True)
class Part:
    """One table under its title. `wide`: the heading of the column that takes the room that is left."""

    title: str
    headers: tuple[str, ...]
    rows: tuple[Row, ...]
    wide: str = ""


@dataclass(frozen=True, kw_only=True)
class Example:
    """One mention to be read: where, what was said, what is said about it, and the texts with their names."""

    title: str
    said: str
    why: str = ""
    texts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Told:
    """A whole report: what it is about, what changes in the policy, then sentences, tables, mentions to be read."""

    title: str
    about: tuple[tuple[str, str], ...] = ()
    changes: tuple[str, ...] | None = None  # None: there is one policy only
    sentences: tuple[str, ...]
    parts: tuple[Part, ...]
    examples: tuple[Example, ...]


def of_one(report: Mapping[str, Any], *, name: str, about: Sequence[tuple[str, str]] = ()) -> Told:
    """What one policy would have done. `about`: over which time, made when, by names and values."""
    title = f"What {name} ({report['policy']}) would have done"
    if not report["mentions"]:
        return _nothing(report, title, about, None)
    replies, cases, stored = report["replies"], report["cases"], report["stored"]
    sentences = [
        f"{_n(report['mentions'], 'mention')} decided again; nothing was sent or written.",
        f"{_n(replies['automatic'], 'reply')} would have gone out alone, {replies['by_person']:,} by a person.",
        f"{_n(sum(cases['opened'].values()), 'case')} opened, {sum(cases['joined'].values()):,} mentions joined open "
        f"ones, {cases['routed_by_person']:,} were left for a person to route.",
    ]
    if stored["reproduced"] or stored["differing"]:
        sentences.append(
            f"Of the decisions that this very policy made, {stored['reproduced']:,} come out the same to the letter"
            + (f", and {stored['differing']:,} do not." if stored["differing"] else ".")
        )
    if never := report["never_matched"]:
        sentences.append(f"Never matched: {', '.join(never)}.")
    return Told(
        title=title,
        about=tuple(about),
        sentences=tuple(sentences),
        parts=tuple(part for part in _parts(report) if part.rows),
        examples=tuple(_replies(replies["examples"])),
    )


def of_two(
    report: Mapping[str, Any],
    *,
    old: str,
    new: str,
    about: Sequence[tuple[str, str]] = (),
    changes: Sequence[str] = (),
) -> Told:
    """Where two policies part. `about`: as `of_one`; `changes`: what changes in the policy, in sentences."""
    title = f"From {old} ({report['old']['policy']}) to {new} ({report['new']['policy']})"
    if not report["mentions"]:
        return _nothing(report, title, about, tuple(changes))
    replies = report["replies"]
    share = f" ({report['changed'] / report['mentions']:.1%})" if report["mentions"] else ""
    sentences = [
        f"{report['changed']:,} of {_n(report['mentions'], 'mention')}{share} come out otherwise; nothing was sent or "
        "written.",
        f"Replies: {replies['appear']:,} appear, {replies['vanish']:,} vanish, {replies['reworded']:,} have other "
        f"words; {replies['become_automatic']:,} would go out alone that did not, and "
        f"{replies['no_longer_automatic']:,} no longer would.",
    ]
    parts = [
        Part(title="Why: the first rule that differs", headers=("mentions", "rule"), rows=_pairs(report["why"])),
        Part(title="What changes", headers=("mentions", "what"), rows=_pairs(report["what"])),
        *_side_by_side(report["old"], report["new"]),
        Part(title="Not decided again", headers=("decisions", "because"), rows=_pairs(report["lost"]), wide="because"),
    ]
    return Told(
        title=title,
        about=tuple(about),
        changes=tuple(changes),
        sentences=tuple(sentences),
        parts=tuple(part for part in parts if part.rows),
        examples=tuple(_change(each) for each in report["examples"]),
    )


def _nothing(
    report: Mapping[str, Any], title: str, about: Sequence[tuple[str, str]], changes: tuple[str, ...] | None
) -> Told:
    """What is said where no mention could be decided again: no list may look like a verdict."""
    lost = sum(report["lost"].values())
    since = f" since {report['since'][:10]}" if report.get("since") else ""
    where = f" on {report['network']}" if report.get("network") else ""
    longer = " or take a longer --since" if since else ""
    said = (
        f"Of the {_n(lost, 'decision')} made here{where}{since}, none can be made again."
        if lost
        else f"Nothing has been decided here{where}{since}: run `escucha run`{longer}."
    )
    rows = _pairs(report["lost"])
    part = Part(title="Not decided again", headers=("decisions", "because"), rows=rows, wide="because")
    return Told(
        title=title,
        about=tuple(about),
        changes=changes,
        sentences=(said,),
        parts=(part,) if rows else (),
        examples=(),
    )


def _n(number: int, thing: str) -> str:
    many = f"{thing[:-1]}ies" if thing.endswith("y") else f"{thing}s"
    return f"{number:,} {thing if number == 1 else many}"


def _pairs(counts: Mapping[str, int]) -> tuple[Row, ...]:
    return tuple((f"{number:,}", key) for key, number in counts.items())


def _parts(report: Mapping[str, Any]) -> Iterator[Part]:
    replies, cases, guards = report["replies"], report["cases"], report["guards"]
    yield Part(title="Replies", headers=("mentions", "template"), rows=_pairs(replies["by_template"]))
    networks = sorted({*report["networks"]})
    yield Part(
        title="Networks",
        headers=("network", "mentions", "alone", "by a person", *(_MONEY if report["usd"] else ())),
        rows=tuple(_network(report, network) for network in networks),
    )
    teams = sorted({*cases["opened"], *cases["joined"]})
    yield Part(
        title="Cases",
        headers=("team", "opened", "joined"),
        rows=tuple((team, f"{cases['opened'].get(team, 0):,}", f"{cases['joined'].get(team, 0):,}") for team in teams),
    )
    timed = any(each["minutes"] is not None for each in report["work"].values())
    headers = ("team", "replies to review", "cases", *(("minutes",) if timed else ()))
    yield Part(title="Work", headers=headers, rows=_work(report["work"]))
    yield Part(title="Promised", headers=("cases", "service level"), rows=_pairs(report["service_levels"]))
    answers = report["first_answers"]
    yield Part(
        title="First answers, as they really came",
        headers=("team", "in time", "late", "never", "not known"),
        rows=tuple((team, *(f"{each[how]:,}" for how in _ANSWERS)) for team, each in answers.items()),
    )
    yield Part(title="Urgency", headers=("mentions", "urgency"), rows=_pairs(report["urgency"]))
    yield Part(title="Ignored", headers=("mentions", "reason"), rows=_pairs(report["ignored"]), wide="reason")
    yield Part(title="Called in", headers=("mentions", "team"), rows=_pairs(report["escalated"]))
    yield Part(title="Alerted", headers=("mentions", "target"), rows=_pairs(report["alerted"]))
    yield Part(title="Guards that forbade a reply", headers=("mentions", "guard"), rows=_pairs(guards["forbidden"]))
    yield Part(title="Guards that held a reply", headers=("mentions", "guard"), rows=_pairs(guards["held"]))
    yield Part(title="Rules, in order", headers=("matched", "rule"), rows=_pairs(report["rules"]))
    yield Part(title="In the shadow", headers=("would match", "rule"), rows=_pairs(report["in_the_shadow"]))
    yield Part(title="Not decided again", headers=("decisions", "because"), rows=_pairs(report["lost"]), wide="because")


def _network(report: Mapping[str, Any], network: str) -> Row:
    said = report["replies"]["by_network"].get(network, {"automatic": 0, "by_person": 0})
    usd = report["usd"].get(network)
    money = (f"{usd['all_replies']:.2f}", f"{usd['automatic']:.2f}") if usd else ("", "") if report["usd"] else ()
    return (network, f"{report['networks'][network]:,}", f"{said['automatic']:,}", f"{said['by_person']:,}", *money)


def _side_by_side(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Part]:
    headers = ("what", "before", "after", "difference")
    yield Part(
        title="Replies",
        headers=headers,
        rows=_two(
            {"alone": old["replies"]["automatic"], "by a person": old["replies"]["by_person"]},
            {"alone": new["replies"]["automatic"], "by a person": new["replies"]["by_person"]},
        ),
    )
    yield Part(title="Cases opened", headers=headers, rows=_two(old["cases"]["opened"], new["cases"]["opened"]))
    for title, of in (("Replies to review", "replies_to_review"), ("Minutes of work", "minutes")):
        yield Part(title=title, headers=headers, rows=_two(_each(old["work"], of), _each(new["work"], of)))
    yield Part(title="Promised", headers=headers, rows=_two(old["service_levels"], new["service_levels"]))
    yield Part(
        title="First answers in time, as they really came",
        headers=("team", "before", "after"),
        rows=_kept(old["first_answers"], new["first_answers"]),
    )
    yield Part(title="Urgency", headers=headers, rows=_two(old["urgency"], new["urgency"]))
    yield Part(title="Ignored", headers=headers, rows=_two(old["ignored"], new["ignored"]))
    yield Part(title="Alerted", headers=headers, rows=_two(old["alerted"], new["alerted"]))
    for title, key in (("Guards that forbade a reply", "forbidden"), ("Guards that held a reply", "held")):
        yield Part(title=title, headers=headers, rows=_two(old["guards"][key], new["guards"][key]))
    networks = sorted({*old["usd"], *new["usd"]})
    nothing = {"all_replies": 0.0}
    yield Part(
        title="USD, if every reply went out",
        headers=headers,
        rows=tuple(
            (network, f"{before:.2f}", f"{after:.2f}", f"{after - before:+.2f}")
            for network in networks
            for before, after in [
                (old["usd"].get(network, nothing)["all_replies"], new["usd"].get(network, nothing)["all_replies"])
            ]
        ),
    )


def _work(work: Mapping[str, Mapping[str, Any]]) -> tuple[Row, ...]:
    return tuple(
        (
            team,
            f"{each['replies_to_review']:,}",
            f"{each['cases_opened']:,}",
            *(() if each["minutes"] is None else (f"{each['minutes']:,.0f}",)),
        )
        for team, each in work.items()
    )


def _each(work: Mapping[str, Mapping[str, Any]], of: str) -> dict[str, int]:
    return {team: round(each[of] or 0) for team, each in work.items()}


def _kept(old: Mapping[str, Mapping[str, int]], new: Mapping[str, Mapping[str, int]]) -> tuple[Row, ...]:
    """By team: how many of the first answers that somebody waited for came in time."""
    teams = sorted({*old, *new})
    pairs = ((team, _share(old.get(team, {})), _share(new.get(team, {}))) for team in teams)
    return tuple((team, _in_time(*before), _in_time(*after)) for team, before, after in pairs)


def _share(answers: Mapping[str, int]) -> tuple[int, int]:
    known = sum(number for how, number in answers.items() if how != "not_known")
    return answers.get("in_time", 0), known


def _in_time(many: int, known: int) -> str:
    return f"{many:,} of {known:,} ({many / known:.0%})" if known else "not known"


def _two(old: Mapping[str, int], new: Mapping[str, int]) -> tuple[Row, ...]:
    """Only what is there on one side at least."""
    keys = dict.fromkeys([*old, *new])
    pairs = ((key, old.get(key, 0), new.get(key, 0)) for key in keys)
    return tuple(
        (key, f"{before:,}", f"{after:,}", f"{after - before:+,}" if after != before else "")
        for key, before, after in pairs
        if before or after
    )


def _replies(shown: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[Example]:
    for template, examples in sorted(shown.items()):
        for each in examples:
            how = "alone" if each["mode"] == "auto" else "by a person"
            yield Example(
                title=f"M{each['mention']} on {each['network']}: {template}, {how}",
                said=each["said"],
                texts=(("reply", each["text"]),),
            )


def _change(each: Mapping[str, Any]) -> Example:
    return Example(
        title=f"M{each['mention']} on {each['network']}: {_what(each)}",
        said=each["said"],
        why=each["why"],
        texts=(("before", _outcome(each["old"])), ("after", _outcome(each["new"]))),
    )


def _what(each: Mapping[str, Any]) -> str:
    """`the reply vanishes; case, urgency`: how it changes, and the parts that differ."""
    parts = ", ".join(each["what"])
    return parts if each["kind"] == parts else f"{each['kind']} ({parts})"


def _outcome(found: Mapping[str, Any]) -> str:
    """`apology by a person “Hola …”; case care; high`."""
    how = "alone" if found["mode"] == "auto" else "by a person"
    reply = f"{found['reply']} {how} “{found['text']}”" if found["reply"] else "no reply"
    case = f"case {found['team']}" if found["team"] else "routed by a person" if found["needs_routing"] else "no case"
    parts = [reply, case, found["urgency"]]
    parts += [f"calls in {found['escalate_to']}"] if found["escalate_to"] else []
    parts += [f"alerts {', '.join(found['alerts'])}"] if found["alerts"] else []
    parts += [f"ignored: {found['ignored']}"] if found["ignored"] else []
    parts += [f"tags {', '.join(found['tags'])}"] if found["tags"] else []
    return "; ".join(parts)
