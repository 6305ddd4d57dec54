"""What `inbox` shows to people: the most urgent first, and on a terminal no more of it than stays in sight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.text import Text

from listener.commands import inbox_words, pausing
from listener.commands.lines import STYLES, in_one_line, label, name_of
from listener.commands.output import clip, spell, styled
from listener.commands.screenful import height
from listener.store import stats, switch
from listener.store.waiting import Heard, Undrafted, Waiting
from listener.types import DraftState, IncidentView, Media, SendKind, Urgency

MOST_NAMED = 5  # of a list that has but one line
AT_ONCE = 100  # drafts that one scrolls through, at most


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Everything `inbox` says. `total` counts the drafts in `drafts` without the limit, `totals` the other lists."""

    drafts: Sequence[Waiting]
    total: int
    limit: int | None
    to_route: Sequence[Heard]
    failed: Sequence[Waiting]
    unknown: Sequence[Waiting]
    set_aside: Sequence[Heard]
    undrafted: Sequence[Heard]
    unproposed: Undrafted
    totals: Mapping[str, int]
    elsewhere: int  # drafts that would wait without the filters
    policy: str | None
    pauses: Sequence[switch.Pause]
    broke: Sequence[str]  # why answers on an account wait for money
    lasting: Sequence[IncidentView]  # what hits many now


@dataclass(frozen=True, kw_only=True)
class _Beside:
    """A list below the drafts: under a title, or, where there is little room, in one line with their numbers."""

    title: str
    short: str
    names: Sequence[str]
    lines: Sequence[Text]
    total: int

    def in_full(self) -> list[Text]:
        left = [Text(f"{len(self.names):,} of {stats.told(self.total)} shown.")] if self.total > len(self.names) else []
        return [Text(), styled(self.title, "bold"), *self.lines, *left]

    def in_one_line(self, width: int) -> Text:
        named = ", ".join(self.names[:MOST_NAMED])
        left = self.total - min(len(self.names), MOST_NAMED)
        return styled(
            clip(f"{self.short}: {named}{f' and {stats.told(left)} more' if left > 0 else ''}", width), "bold"
        )


def drawn(listing: Listing, now: datetime, *, waiting_only: bool, width: int, room: int | None) -> list[Text]:
    """The lines to print. `room`: as many as there may be at most, though one draft stands in them in any case; where
    it is not enough, the drafts that come last and the lists below are told in a line each. None: all of it.
    """
    head = _head(listing, width)
    drafts = [_lines(waits, now, width) for waits in listing.drafts]
    beside = [each for each in _beside(listing, now, width) if each.names]
    unproposed = inbox_words.no_reply_proposed(listing.unproposed) if waiting_only else ""
    hint = "escucha review goes through them one by one; escucha show D… shows one." if drafts and waiting_only else ""
    last = [Text(said) for said in (unproposed, hint) if said]
    full = list(head)
    full += [line for lines in drafts for line in lines]
    if not drafts:
        full.append(Text(inbox_words.nothing_waits(listing.elsewhere) if waiting_only else "There is no such draft."))
    elif left := stats.left_out(listing.total, len(drafts), listing.limit):
        full += [Text(), Text(f"{left}; --limit shows more.")]
    full += [line for each in beside for line in each.in_full()]
    full += [line for said in last for line in (Text(), said)]
    if room is None or not drafts or height(full, width) <= room:
        return full
    below = [*(each.in_one_line(width) for each in beside), *last]
    fit = max(1, (room - height([*head, *below], width) - 1) // 2)
    shown = drafts[:fit]
    all_of_it = listing.total <= AT_ONCE
    ask = f"--limit {listing.total} shows all of them" if all_of_it else f"--limit {AT_ONCE} shows more"
    more = [Text(f"{len(shown):,} of {stats.told(listing.total)} shown; {ask}.")] if listing.total > len(shown) else []
    return [*head, *(line for lines in shown for line in lines), *more, *below]


def _head(listing: Listing, width: int) -> list[Text]:
    """What holds for all of it: what is paused, what money is spent, what hits many now."""
    found = []
    for pause in listing.pauses:
        what = f"Sending of {pausing.WORDS[SendKind(pause.kind)]}" if pause.kind else "Sending"
        what += f" on {pause.network}" if pause.network else ""
        why = f": {pause.reason}" if pause.reason else ""
        found.append(Text(clip(f"{what} is paused by {pause.by}{why}", width), style="yellow"))
    found += [Text(f"What is approved waits: {label(why)}", style="yellow") for why in listing.broke]
    for each in listing.lasting:
        lasts = f"{each.reference} {label(each.title)} is {each.state}: escucha incident show {each.reference}"
        found.append(Text(clip(lasts, width), style="cyan"))
        if told := in_one_line(each):
            found.append(Text(f"  {told}", style="bold cyan", overflow="fold"))
    return found


def _lines(waits: Waiting, now: datetime, width: int) -> tuple[Text, Text]:
    """One draft in two lines: whose and how urgent; what they said, and what we would say."""
    draft = waits.draft
    urgency = list(Urgency)[draft.urgency_rank]
    state = "" if draft.state is DraftState.PROPOSED else f" · {draft.state}"
    first = Text(no_wrap=True, overflow="ellipsis")
    first.append(f"{'D' + str(draft.id):<7}", "bold")
    first.append(f"{urgency:<10}", STYLES[urgency])
    first.append(f"{_age(waits.posted_at, now):<9}{clip(draft.network, 10):<11}")
    first.append(clip(name_of(waits.handle, draft.network), 28))
    if waits.customer_reference:
        first.append(" · " + clip(waits.customer_tier or "customer", 20), "cyan")
    first.append(state, "yellow")
    first.truncate(width, overflow="ellipsis")
    half = (width - 7 - 3) // 2
    said = "(deleted by its author)" if waits.gone else _marked(waits.mention_text, waits.mention_media)
    second = Text(" " * 7, no_wrap=True, overflow="ellipsis")
    second.append(clip(said, half), "dim")
    second.append(" → ", "dim")
    with_picture = "[picture] " if draft.images == 1 else f"[{draft.images} pictures] " if draft.images else ""
    alone = f"[{draft.channel}] " if draft.channel else ""
    second.append(clip(alone + with_picture + draft.text[:2000] or "(erased)", half))
    second.truncate(width, overflow="ellipsis")
    return first, second


def _marked(text: str, media: Sequence[Media]) -> str:
    """What they said, led by a mark for what they showed: `[image]`, `[video +2]`."""
    if not media:
        return text[:2000]
    more = f" +{len(media) - 1}" if len(media) > 1 else ""
    return f"[{label(media[0].kind)[:12]}{more}] {text[:2000]}"


def _beside(listing: Listing, now: datetime, width: int) -> list[_Beside]:
    """The lists below the drafts, also the empty ones."""

    def heard(title: str, short: str, name: str, listed: Sequence[Heard], *, apart: bool = False) -> _Beside:
        lines = [line for each in listed for line in _heard(each, now, width, apart=apart)]
        names = [f"M{each.mention_id}" for each in listed]
        return _Beside(title=title, short=short, names=names, lines=lines, total=listing.totals[name])

    def outcomes(title: str, short: str, name: str, listed: Sequence[Waiting]) -> _Beside:
        lines = [_outcome(each, now, width) for each in listed]
        names = [f"D{each.draft.id}" for each in listed]
        return _Beside(title=title, short=short, names=names, lines=lines, total=listing.totals[name])

    team, retry = "(escucha case open M…)", "(escucha mention retry M…)"
    return [
        heard(f"These need a team {team}", f"Need a team {team}", "to_route", listing.to_route),
        outcomes(
            "Nobody knows whether these went out (escucha inbox --unknown, escucha settle D…)",
            "Nobody knows whether out (escucha inbox --unknown)",
            "unknown",
            listing.unknown,
        ),
        outcomes(
            "The network refused these (escucha retry D…)", "Refused (escucha retry D…)", "failed", listing.failed
        ),
        heard(f"These could not be handled {retry}", f"Not handled {retry}", "set_aside", listing.set_aside),
        heard(
            "Heard, and no reply proposed",
            "Heard, and no reply proposed",
            "without_draft",
            listing.undrafted,
            apart=True,
        ),
    ]


def _heard(heard: Heard, now: datetime, width: int, *, apart: bool) -> list[Text]:
    """One mention in a line; `apart`: why it stands here on a line of its own."""
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(f"{'M' + str(heard.mention_id):<7}", "bold")
    line.append(f"{heard.urgency or '':<10}", STYLES[heard.urgency] if heard.urgency else "")
    line.append(f"{_age(heard.posted_at, now):<9}{clip(heard.network, 10):<11}")
    line.append(clip(name_of(heard.handle, heard.network), 20) + "  ")
    why = f" ({clip(heard.why[:500], 40)})" if heard.why and not apart else ""
    said = _marked(heard.text, heard.media) or "(deleted)"
    line.append(clip(said, max(width - line.cell_len - len(why), 12)), "dim")
    line.append(why, "dim")
    line.truncate(width, overflow="ellipsis")
    if not apart or not heard.why:
        return [line]
    return [line, Text(f"{' ' * 7}({clip(heard.why[:500], width - 9)})", style="dim")]


def _outcome(waits: Waiting, now: datetime, width: int) -> Text:
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(f"{'D' + str(waits.draft.id):<7}", "bold")
    since = waits.draft.sending_since or waits.draft.proposed_at
    line.append(f"{_age(since, now):<9}{clip(waits.draft.network, 10):<11}")
    line.append(clip(name_of(waits.handle, waits.draft.network), 20) + "  ")
    line.append(clip((waits.draft.reason or waits.draft.text)[:500], max(width - line.cell_len, 12)), "dim")
    return line


def _age(moment: datetime, now: datetime) -> str:
    return spell(max(now - moment, timedelta(0)))
