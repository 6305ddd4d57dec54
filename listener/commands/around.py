"""How a person's context looks: who they are, what is open, what passed between us, how they feel, what helped before.

Rows that have nothing to say are not there. Everything is drawn for the width it is given, each part in one line or a
few, so that the whole stands on one screen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from rich.console import Console, Group, RenderableType
from rich.segment import SegmentLines
from rich.table import Table
from rich.text import Text

from listener.commands import case_clocks, case_continue, looking, suggested
from listener.commands.app import App
from listener.commands.customer_show import owed_in_words, paid_in_words, since_in_words
from listener.commands.customer_suggestions import who
from listener.commands.drawing import STRANGER, articles_of, standing
from listener.commands.lines import WIDEST, label, name_of
from listener.commands.output import ago, clip, counted, show, spell
from listener.desk.context import Context
from listener.errors import PolicyProblem
from listener.store.cases import Case
from listener.store.lately import Mood, Passed
from listener.types import Clock

LABEL = 6  # columns of a row's name
BARS = "▁▂▃▄▅▆▇█"
LINKS = 4  # accounts that are named
OFFERS = 3  # of what may be offered
WIDE = 116  # columns from which the context stands beside the card
NARROWEST = 48  # columns of the context there
WIDEST_CARD = 64
FEWEST = 3  # contacts that are shown however small the screen is
USUAL = 8  # contacts that are shown where nobody knows how high the screen is
WAYS = {"said": "", "answered": "we", "mail": "we, mail", "dm": "we, dm"}


def rows(context: Context, *, now: datetime, width: int, contacts: int = USUAL) -> list[tuple[str, list[Text]]]:
    """Each part with its name, in the order in which they are read. `width`: columns beside the names."""
    found = [
        ("person", _person(context, now, width)),
        ("maybe", _may_be(context, width)),
        ("reply", _suggested(context, now, width)),
        ("known", articles_of(context.articles, width)),
        ("open", _open(context, now, width)),
        ("mood", _mood(context, width)),
        ("lately", _lately(context, now, width, contacts)),
        ("alike", _alike(context, now, width)),
        ("offer", _offers(context, width)),
    ]
    return [(name, lines) for name, lines in found if lines]


def draw(context: Context, *, now: datetime, width: int, contacts: int = USUAL) -> Table | None:
    """The whole in `width` columns; None where nothing is known."""
    parts = rows(context, now=now, width=width - LABEL - 2, contacts=contacts)
    if not parts:
        return None
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=LABEL, style="dim", no_wrap=True)
    grid.add_column(width=width - LABEL - 2, overflow="fold")
    for name, lines in parts:
        for number, line in enumerate(lines):
            grid.add_row("" if number else name, line)
    return grid


def beside(
    screen: Console, card: Callable[[int], RenderableType], context: Context, *, now: datetime, more: int = 0
) -> None:
    """Prints a card and what is known around it: beside it on a wide screen, below it on others.

    `card(width)` draws the card. `more`: lines that are printed afterwards; on a terminal the time line is as long as
    the rest leaves room.
    """
    wide = screen.width >= WIDE
    left = min(screen.width - NARROWEST - 2, WIDEST_CARD) if wide else min(screen.width, WIDEST)
    # Drawn once: its lines are counted, and then printed.
    drawn = SegmentLines(screen.render_lines(card(left), screen.options.update_width(left), pad=False), new_lines=True)
    right = min(screen.width - left - 2, WIDEST) if wide else left
    above = len(drawn.lines)
    used = sum(len(lines) for name, lines in rows(context, now=now, width=right) if name != "lately")
    room = screen.height - more - used - (0 if wide else above + 1)
    found = draw(context, now=now, width=right, contacts=room if screen.is_terminal else USUAL)
    if found is None:
        screen.print(drawn)
    elif wide:
        both = Table.grid(padding=(0, 2, 0, 0))
        both.add_column(width=left)
        both.add_column(width=right)
        both.add_row(drawn, found)
        show(both)
    else:
        show(Group(drawn, Text(), found))


def seen_by(app: App, context: Context) -> Context:
    """The context as whoever acts may see it."""
    if context.standing is None:
        return context
    return replace(
        context,
        standing=looking.masked_standing(app, context.standing),
        links=tuple(looking.masked_links(app, context.links)),
        offers=looking.masked_offers(app, context.offers),
    )


def _person(context: Context, now: datetime, width: int) -> list[Text]:
    stands = context.standing
    if stands is None:
        first = context.accounts[0] if context.accounts else None
        known = f"no customer that we know; first heard {ago(first.first_seen_at, now)}" if first else ""
        return [Text(clip(known, width), style="dim")] if known else []
    customer = stands.customer
    parts = [customer.name, customer.reference, customer.tier, customer.language]
    since = since_in_words(stands)
    parts.append(f"since {since}" if since else "")
    lines = [Text(clip(" · ".join(part for part in parts if part), width), style="bold")]
    if owed := owed_in_words(stands.payments):
        lines.append(Text(clip(f"owes {owed}", width), style="bold red"))
    if paid := paid_in_words(stands.payments):
        lines.append(Text(clip(f"paid last {paid}", width), style="dim"))
    if stands.products or stands.open_contracts:
        runs = f" · {counted(len(stands.open_contracts), 'contract')} running" if stands.open_contracts else ""
        lines.append(Text(clip("has " + (", ".join(stands.products) or "nothing named") + runs, width)))
    refused = [f"{way.point.kind} {way.point.written}: {way.why_not}" for way in stands.contacts if way.why_not]
    if refused:
        lines.append(Text(clip("not by " + "; ".join(refused), width), style="yellow"))
    if context.links:
        named = [
            f"{name_of(link.handle, link.network)} on {link.network} ({link.basis.replace('_', ' ')})"
            for link in context.links
        ]
        more = f" and {len(named) - LINKS} more" if len(named) > LINKS else ""
        lines.append(Text(clip("accounts " + ", ".join(named[:LINKS]) + more, width), style="dim"))
    return lines


def _open(context: Context, now: datetime, width: int) -> list[Text]:
    lines = [_case_line(case, now, width) for case in context.open]
    if context.more_open:
        lines.append(Text(f"and {context.more_open} more", style="dim"))
    return lines


def _case_line(case: Case, now: datetime, width: int) -> Text:
    who = f"{case.team}, {case.agent}" if case.agent else case.team
    clocks = (Clock.FIRST_RESPONSE, Clock.RESOLUTION)
    late = [case_clocks.NAMES[clock] for clock in clocks if case_clocks.is_late(case, clock, now)]
    parts = [f"{case.reference} {case.state}", who, *(f"{each} LATE" for each in late), case.title]
    return Text(clip(" · ".join(parts), width), style="red" if late else "")


def _may_be(context: Context, width: int) -> list[Text]:
    """Who may be whom, for a person to say."""
    lines = []
    for each in context.may_be:
        why = "; ".join(reason.text for reason in each.reasons)
        told = f"{who(each)} may be {each.customer} ({each.strength}: {why}) · customer accept {each.id}"
        lines.append(Text(clip(told[:2000], 2 * width - 4), style="yellow", overflow="fold"))
    return lines


def _suggested(context: Context, now: datetime, width: int) -> list[Text]:
    """The answers that wait in a case, each in three lines at most."""
    lines = []
    for draft in context.suggested:
        lines += [Text(clip(f"D{draft.id} {standing(draft, now)}", width), style="bold")]
        if draft.mention_id in context.strangers:
            lines += [
                Text(clip(f"answers M{draft.mention_id}, {STRANGER}", 2 * width), style="yellow", overflow="fold")
            ]
        lines += [Text(clip(draft.text[:2000], 2 * width), overflow="fold")]
    return lines


def _offers(context: Context, width: int) -> list[Text]:
    """What the agent may offer; nothing of it is ever sent by itself."""
    lines = []
    for each in context.offers[:OFFERS]:
        because = f" ({each.because})" if each.because else ""
        lines.append(Text(clip(f"{each.text}{because}", 2 * width - 4), overflow="fold"))
    return lines


def with_offers(app: App, context: Context) -> Context:
    """The context with what the policy would have an agent offer; nothing while the policy cannot be read."""
    from listener.desk import offers

    if context.standing is None:
        return context
    with suppress(PolicyProblem), app.store.read() as tx:
        return replace(context, offers=offers.for_customer(tx, app.policy, context.standing.customer, app.now()))
    return context


def with_articles(app: App, context: Context) -> Context:
    """The context with the articles that may help. Loads the model where any are published."""
    return replace(context, articles=suggested.beside(app, context.about, language=context.language))


def _mood(context: Context, width: int) -> list[Text]:
    negative, known = context.lately_negative
    if len(context.moods) < 2 or not known:
        return []
    told = f"  {negative} of the last {known} negative"
    line = Text(sparkline(context.moods[-max(width - len(told), 1) :]), style="bold")
    return [line.append(told, "red" if negative * 2 > known else "dim")]


def sparkline(moods: Sequence[Mood]) -> str:
    """One sign for each mention, oldest first: the lowest is wholly negative, the highest wholly positive."""
    last = len(BARS) - 1
    return "".join(BARS[max(0, min(last, round((mood.value + 1) / 2 * last)))] for mood in moods)


def _lately(context: Context, now: datetime, width: int, contacts: int) -> list[Text]:
    shown = context.passed[: max(contacts, FEWEST)]
    return [_contact(each, now, width) for each in shown]


def _contact(passed: Passed, now: datetime, width: int) -> Text:
    lead = f"{spell(max(now - passed.at, timedelta(0))):>7}  "
    match passed.kind:
        case "said":
            words = "(deleted by its author)" if passed.gone else passed.text
            line = Text(f"{lead}M{passed.number} {label(passed.network)}: ")
            line.append(clip(words[:2000], max(width - line.cell_len, 10)), "dim italic" if passed.gone else "")
        case "answered" | "mail" | "dm":
            line = Text(f"{lead}{WAYS[passed.kind]}, D{passed.number} {label(passed.network)}: ", style="dim")
            words = "(erased)" if passed.gone else passed.text
            line.append(clip(words[:2000], max(width - line.cell_len, 10)))
        case _:
            line = Text(lead + clip(f"{passed.case} {_event(passed)}", max(width - len(lead), 10)), style="cyan")
    return line


def _event(passed: Passed) -> str:
    detail, kind, by = passed.detail or {}, passed.kind, passed.by
    told = case_continue.sentence(kind, by, detail) or case_clocks.sentence(kind, by, detail)
    said = f": {passed.text}" if passed.text else ""
    return f"{told or f'{kind} by {by}'}{said}"


def _alike(context: Context, now: datetime, width: int) -> list[Text]:
    lines = []
    for each in context.alike:
        lines.append(Text(clip(f"{each.reference} solved {ago(each.resolved_at, now)} · {each.title}", width)))
        if each.solution:
            lines.append(Text(clip(f"  {each.solution[:2000]}", 2 * width - 4), style="dim", overflow="fold"))
    return lines
