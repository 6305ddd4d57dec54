"""`escucha incident list`, `show` and `mentions`: what hits many, how many, and what is said of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from listener.commands import incident_plain, incident_told
from listener.commands.app import App, pass_app
from listener.commands.output import (
    ago,
    block,
    clip,
    fields,
    heading,
    json_option,
    print_json,
    say,
    show,
    styled,
    table,
)
from listener.errors import Mistake
from listener.types import Attached, IncidentState

if TYPE_CHECKING:
    from datetime import datetime

    from listener.store.attached import Numbers
    from listener.store.incidents import Event, Incident

LAST = 6  # entries of the time line that `show` tells
LIMIT = 50
_OVER = (IncidentState.CLOSED, IncidentState.DISMISSED)


@click.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that are closed or dismissed.")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in IncidentState]),
    help="Only these; may be repeated.",
)
@json_option
@pass_app
def list_(app: App, *, everything: bool, states: tuple[str, ...], as_json: bool) -> None:
    """What hits many at once, the newest first: what lasts, what is proposed, what is not closed yet."""
    from listener.store import attached, incidents

    if states and everything:
        raise Mistake("Give --state or --all, not both.")
    wanted = [IncidentState(each) for each in states] or [
        state for state in IncidentState if everything or state not in _OVER
    ]
    with app.store.read() as tx:
        found = incidents.listing(tx, wanted)
        counts = {each.id: attached.count(tx, each.id) for each in found}
    if as_json:
        plain = [{**incident_plain.as_plain(each), "mentions": counts[each.id]} for each in found]
        print_json({"incidents": plain})
        return
    rows = [
        (each.reference, each.state, each.title, each.owner or "nobody", counts[each.id], ago(each.began_at, app.now()))
        for each in found
    ]
    empty = "Nothing hits many now; `escucha incident open` opens one, --all shows old ones."
    table(("incident", "state", "title", "owner", "mentions", "began"), rows, empty=empty, wide="title")


@click.command("show")
@click.argument("number", metavar="I3")
@click.option("--all", "everything", is_flag=True, help="The whole time line.")
@json_option
@pass_app
def show_(app: App, *, number: str, everything: bool, as_json: bool) -> None:
    """One incident: how it stands, whom it hits and how many, what to say, and its time line."""
    from listener.desk import incidents as desk
    from listener.store import attached, incident_facts, incidents

    with app.store.read() as tx:
        found = incidents.get(tx, desk.number(number))
        numbers = attached.numbers(tx, found)
        events = incidents.events_of(tx, found.id)
        listed = incidents.listed(tx, found.id)
        out, amended = incident_facts.published(tx, found), incident_facts.amended(tx, found)
    if as_json:
        plain = incident_plain.as_plain(found)
        more = {
            "timeline": [incident_plain.event_plain(each) for each in events],
            "notices": [incident_plain.notice_plain(each) for each in out],
            "amended": [incident_plain.amended_plain(each) for each in amended],
        }
        print_json({**plain, "listed_customers": listed, "numbers": numbers, **more})
        return
    _print(found, numbers, listed, now=app.now())
    _print_time_line(found, events, incident_told.notices(out, amended), everything=everything)


def _print(incident: Incident, numbers: Numbers, listed: int, *, now: datetime) -> None:
    from listener.desk import incidents as desk

    heading(f"{incident.reference}  {incident.title}")
    until = f" until {incident.ended_at:%Y-%m-%d %H:%M}" if incident.ended_at else f" ({ago(incident.began_at, now)})"
    rows: list[tuple[str, Any]] = [
        ("state", incident.state),
        ("owner", incident.owner or f"nobody; `escucha incident owner {incident.reference} NAME`"),
        ("since", f"{incident.began_at:%Y-%m-%d %H:%M} UTC{until}"),
        ("opened", f"{incident.opened_at:%Y-%m-%d %H:%M} UTC by {incident.opened_by}"),
        ("case", incident.case_reference or ""),
    ]
    rows += desk.in_words(incident, listed)
    rows += incident_told.numbers(numbers)
    if incident.swept_to is not None and incident.lasts:
        rows.append(("still", "going through what was said before it was opened"))
    rows += [("say", incident.say), ("do not say", ", ".join(f"“{each}”" for each in incident.avoid))]
    fields(rows)


def _print_time_line(
    incident: Incident, events: list[Event], notices: list[tuple[datetime, str]], *, everything: bool
) -> None:
    told: list[tuple[datetime, str, Event | None]] = [(at, sentence, None) for at, sentence in notices]
    told += [(each.at, incident_told.sentence(each), each) for each in events if each.kind not in incident_told.QUIET]
    told.sort(key=lambda entry: entry[0])
    shown = told if everything else told[-LAST:]
    say()
    if len(shown) < len(told):
        show(styled(f"… {len(told) - len(shown)} earlier: escucha incident show {incident.reference} --all", "dim"))
    for at, sentence, event in shown:
        show(styled(f"{at:%Y-%m-%d %H:%M}  {sentence}", "dim"))
        if event is None:
            continue
        if event.text:
            block(event.text)
        for language, text in event.detail.get("public", {}).items():
            block(f"{language}: {text}")


@click.command("mentions")
@click.argument("number", metavar="I3")
@click.option("--how", "hows", multiple=True, type=click.Choice([how.value for how in Attached]), help="Only these.")
@click.option("--after", default="", metavar="M12", help="Only those that came to it after this one.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=LIMIT, show_default=True, help="How many at most.")
@json_option
@pass_app
def mentions(app: App, *, number: str, hows: tuple[str, ...], after: str, limit: int, as_json: bool) -> None:
    """The mentions of an incident, in the order in which they came to it, each with why.

    What was written in private is shown to who may see its case.
    """
    from listener.commands.case_open import mention_number
    from listener.desk import incidents as desk
    from listener.store import attached, incidents
    from listener.store import mentions as heard

    with app.store.read() as tx:
        found = incidents.get(tx, desk.number(number))
        start = attached.place_of(tx, found.id, mention_number(after)) if after else 0
        wanted = [Attached(how) for how in hows]
        listed = attached.mentions_of(tx, found.id, hows=wanted, after=start, limit=limit + 1)
        open_ids = attached.open_to_read(tx, [one.mention_id for one in listed[:limit]])
        texts = {each.id: each for each in heard.several(tx, sorted(open_ids))}
    last, more = listed[-2:-1], len(listed) > limit
    listed = [each for each in listed[:limit] if each.mention_id in texts]
    if as_json:
        plain = [
            {
                **incident_plain.attachment_plain(each),
                "network": texts[each.mention_id].network,
                "author": texts[each.mention_id].author.handle,
                "posted_at": texts[each.mention_id].posted_at,
                "text": texts[each.mention_id].text,
            }
            for each in listed
        ]
        print_json({"incident": found.reference, "mentions": plain, "more": more})
        return
    if not listed:
        say(f"{found.reference} has no mentions; `escucha incident attach {found.reference} M12` attaches one.")
    for each in listed:
        mention = texts[each.mention_id]
        who = f"@{mention.author.handle} on {mention.network}"
        say(clip(f"M{mention.id}  {who}: {mention.text}", 80))
        show(styled(f"  {each.how}: {each.why}", "dim"))
    if more:
        say(f"There are more: escucha incident mentions {found.reference} --after M{last[0].mention_id}")
