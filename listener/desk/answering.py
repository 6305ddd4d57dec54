"""Who of an incident's people gets an answer of a run, which words, in which order, and how fast they go out. Pure.

Of one person, whatever accounts they have, one mention is answered: the newest that addresses us, else the newest.
What should make somebody look, in any of their mentions, leaves all of them to a person.
"""

from __future__ import annotations

import math
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from listener import situations
from listener.store.answer_runs import NewAnswer
from listener.store.answering import Candidate, Heard, Turn
from listener.types import (
    CaseView,
    Facts,
    Intent,
    LeftOut,
    MassReply,
    MentionState,
    PostKind,
    Sentiment,
    Situation,
)

SPELL = timedelta(seconds=10)  # what falls due within so long may go out in a row; more would be a burst
WORDS = 30  # words that a thank-you has at most: what is longer wants something too

# By guard of the policy, what a person is left out for; any other wants a person.
_STOPS: Mapping[str, LeftOut] = {
    "own_post": LeftOut.ALONE,
    "colleague": LeftOut.ALONE,
    "author": LeftOut.ALONE,
    "opted_out": LeftOut.ALONE,
    "loop": LeftOut.ALONE,
    "answerable": LeftOut.NETWORK,
    "answered": LeftOut.ANSWERED,
    "colleague_answered": LeftOut.ANSWERED,
    "stranger": LeftOut.STRANGER,
    "per_author_per_day": LeftOut.LIMITS,
    "per_thread": LeftOut.LIMITS,
    "language": LeftOut.LANGUAGE,
    "length": LeftOut.WORDS,
    "personal_data": LeftOut.WORDS,
    "tone": LeftOut.WORDS,
}
# What is true of the person and not of one mention: nothing of theirs is answered by a run.
_OF_THE_PERSON = frozenset(
    {LeftOut.EARLIER, LeftOut.ANSWERED, LeftOut.THANKED, LeftOut.TALKING, LeftOut.DANGER, LeftOut.ALONE}
    | {LeftOut.STRANGER, LeftOut.LIMITS}
)
_SETTLED = frozenset({Intent.PRAISE, Intent.OFF_TOPIC, Intent.SUGGESTION})  # what a thank-you may be besides
_THANKS = re.compile(
    r"\b(?:gracias|gr[àa]cies|grazas|eskerrik asko"
    r"|thank you|thanks|thx|ty|cheers|obrigad[oa]|merci|danke|grazie|solucionado|resuelto|ya (?:me )?funciona"
    r"|ya (?:est[áa]|va) (?:bien|arreglado|solucionado)|solved|works? (?:again|now)|all good now|it'?s fixed)\b",
    re.IGNORECASE,
)
_IRONY = re.compile(
    r"por nada|para nada|de nada sirve|for nothing|no thanks|no,? gracias|thanks but|gracias pero|a (?:lot|bunch) for",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Left:
    """Why somebody gets no answer of a run."""

    reason: LeftOut
    why: str


def thanks(heard: Heard) -> bool:
    """Whether somebody said no more than that it is well now, or thank you; what may be irony is none."""
    if not _THANKS.search(heard.text) or _IRONY.search(heard.text) or "?" in heard.text:
        return False
    if len(heard.text.split()) > WORDS or heard.sentiment is Sentiment.NEGATIVE:
        return False
    return heard.intents is None or set(heard.intents) <= _SETTLED


# --- who is answered, and with what -----------------------------------------------------------------------------------


def plan(
    candidates: Iterable[Candidate],
    *,
    answer: Callable[[Situation, int, str], MassReply],
    facts: Callable[[str, str], Facts],
    now: datetime,
) -> list[NewAnswer]:
    """An answer for each person, in the order in which they go out, and why others get none, behind them.

    `answer(situation, turn, after)`: the policy's words for one of them, see `Policy.answer_many`. Whoever wrote first
    is answered first; on one account no two neighbours have the same words.
    """
    people: dict[tuple[str, int], list[Candidate]] = defaultdict(list)
    for each in candidates:
        people[("customer", each.customer_id) if each.customer_id else ("account", each.account_id)].append(each)
    chosen: list[NewAnswer] = []
    left: list[NewAnswer] = []
    queues: dict[str, _Queue] = defaultdict(_Queue)
    for theirs in sorted(people.values(), key=lambda theirs: min((each.posted_at, each.mention_id) for each in theirs)):
        answered, others = _one(theirs, answer=answer, facts=facts, queues=queues, now=now)
        chosen += answered
        left += others
    return [*chosen, *left]


class _Queue:
    """What goes out on one account: how many in each language, and the words of the last."""

    def __init__(self) -> None:
        self.turns: dict[str, int] = defaultdict(int)
        self.last = ""


def _one(
    theirs: Sequence[Candidate],
    *,
    answer: Callable[[Situation, int, str], MassReply],
    facts: Callable[[str, str], Facts],
    queues: Mapping[str, _Queue],
    now: datetime,
) -> tuple[list[NewAnswer], list[NewAnswer]]:
    """The answer for one person, none or one, and what is left out of theirs."""
    ahead = sorted(theirs, key=lambda each: (each.kind is not PostKind.FOUND, each.posted_at, each.mention_id))
    reasons: dict[int, Left] = {}
    replies: dict[int, MassReply] = {}
    for each in reversed(ahead):
        situation = None
        found = left_out(each) or _unread(each)
        if found is None and (situation := _situation(each, facts(each.network, each.account), now)) is None:
            found = Left(reason=LeftOut.UNREAD, why="what was read in it was erased; it is read again first")
        if situation is not None:
            queue = queues[each.account]
            spoken = situation.understanding.language
            replies[each.mention_id] = reply = answer(situation, queue.turns[spoken], queue.last)
            if reply.plan is None:
                found = Left(reason=_STOPS.get(reply.guard, LeftOut.DANGER), why=reply.reason)
        if found is not None:
            reasons[each.mention_id] = found
    barred = next((found for found in reasons.values() if found.reason in _OF_THE_PERSON), None)
    if barred is not None:
        return [], [_new(each, left=reasons.get(each.mention_id, barred)) for each in theirs]
    best = next((each for each in reversed(ahead) if each.mention_id not in reasons), None)
    if best is None:
        return [], [_new(each, left=reasons[each.mention_id]) for each in theirs]
    reply = replies[best.mention_id]
    queue, spoken = queues[best.account], best.understanding.language if best.understanding else ""
    queue.turns[spoken] += 1
    queue.last = reply.plan.wording if reply.plan else ""
    another = Left(reason=LeftOut.OTHER, why=f"they are answered at M{best.mention_id}")
    rest = [_new(each, left=reasons.get(each.mention_id, another)) for each in theirs if each is not best]
    return [_new(best, reply=reply)], rest


def left_out(each: Candidate) -> Left | None:
    """Why this mention is not answered by a run whatever the policy says; None where it may be."""
    case = each.case
    reasons = (
        (each.state is MentionState.GONE, LeftOut.GONE, "its author deleted it"),
        (each.earlier is not None, LeftOut.EARLIER, "an earlier run answers, or answered, its author"),
        (
            each.answered or each.by_hand or (case is not None and case.answered),
            LeftOut.ANSWERED,
            "they have an answer of ours, or one is on its way",
        ),
        (_says_thanks(each), LeftOut.THANKED, "they said that it is well, or thank you"),
        (
            case is not None and bool(case.talking),
            LeftOut.TALKING,
            f"{case.talking} talks with them in {case.reference}" if case else "",
        ),
        (case is not None and not case.live, LeftOut.OVER, f"{case.reference} is over" if case else ""),
    )
    return _first(reasons)


def _first(reasons: Sequence[tuple[bool, LeftOut, str]]) -> Left | None:
    return next((Left(reason=reason, why=why) for holds, reason, why in reasons if holds), None)


def _says_thanks(each: Candidate) -> bool:
    """Whether the last that they said, this or later, is thanks."""
    read = each.understanding
    own = Heard(text=each.text, intents=read.intents if read else None, sentiment=read.sentiment if read else None)
    return any(thanks(heard) for heard in each.later) or (read is not None and thanks(own))


def _unread(each: Candidate) -> Left | None:
    if each.saw is None or each.understanding is None:
        return Left(reason=LeftOut.UNREAD, why="it is new, or was just edited, and is read first")
    return None


def _situation(each: Candidate, facts: Facts, now: datetime) -> Situation | None:
    """The mention's situation as it was decided, with what is otherwise by now; None where it cannot be told."""
    if each.saw is None or each.understanding is None:
        return None
    try:
        saw = situations.rebuilt(
            each.saw,
            now=now,
            mention_id=each.mention_id,
            revision=each.revision,
            network=each.network,
            posted_at=each.posted_at,
            text=each.text,
            content_warning=each.content_warning,
            understanding=each.understanding,
            facts=facts,
        )
    except situations.Unfit:
        return None
    case = CaseView(reference="")
    if each.case:
        case = CaseView(reference=each.case.reference, exists=True, team=each.case.team, urgency=each.case.urgency)
    return replace(
        saw,
        kind=each.kind,
        unanswerable=each.unanswerable,
        author=replace(
            saw.author,
            handle=each.handle,
            display_name=each.display_name,
            bot=each.bot,
            opted_out=each.opted_out,
            left_alone=each.left_alone,
        ),
        thread=replace(
            saw.thread,
            our_replies=each.told_here,
            answered=False,
            answered_by_colleague=False,
            repliers=tuple(dict.fromkeys([*saw.thread.repliers, *each.repliers])),
        ),
        case=case,
        sends=replace(saw.sends, to_author_last_day=each.told_today, in_thread=each.told_here),
    )


def _new(each: Candidate, *, reply: MassReply | None = None, left: Left | None = None) -> NewAnswer:
    told = reply.plan if reply else None
    return NewAnswer(
        mention_id=each.mention_id,
        revision=each.revision,
        account=each.account,
        network=each.network,
        account_id=each.account_id,
        customer_id=each.customer_id,
        language=told.language if told else (each.understanding.language if each.understanding else ""),
        wording=told.wording if told else "",
        text=told.text if told else "",
        length=told.length if told else 0,
        length_limit=told.limit if told else 0,
        left_out=left.reason if left else None,
        why=left.why if left else "",
    )


def too_few(answers: Iterable[NewAnswer]) -> dict[str, int]:
    """The languages in which several people would be told the same words one after the other, and how many people."""
    wordings: dict[str, set[str]] = defaultdict(set)
    people: dict[str, int] = defaultdict(int)
    for each in answers:
        if each.left_out is None:
            wordings[each.language].add(each.wording)
            people[each.language] += 1
    return {language: number for language, number in people.items() if number > 1 and len(wordings[language]) == 1}


def sample(answers: Sequence[tuple[int, str]], *, size: int, seed: int) -> list[int]:
    """That many of the answers (number, wording) drawn by chance, each wording among them where there is room.

    The same for the same seed.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    drawn = chance.sample(sorted(answers), len(answers))
    first = {wording: number for number, wording in reversed(drawn)}
    ahead = [number for number, wording in drawn if first[wording] == number]
    rest = [number for number, wording in drawn if first[wording] != number]
    return [*ahead, *rest][:size]


def least_sample(people: int, percent: float) -> int:
    """How many of that many answers a person reads at least; `percent` as the policy has it."""
    return min(people, max(1, math.ceil(people * percent / 100)))


# --- when their turn comes --------------------------------------------------------------------------------------------


def still_due(turn: Turn) -> Left | None:
    """Why an answer whose turn has come is not sent after all; None where it is."""
    thanked = any(thanks(heard) for heard in turn.later)
    return _first(
        (
            (not turn.part, LeftOut.OTHER, "it is no longer counted to the incident"),
            (turn.out, LeftOut.EARLIER, "this person was answered at another account of theirs"),
            (turn.alone, LeftOut.ALONE, "they asked meanwhile not to be answered"),
            (turn.spoken, LeftOut.ANSWERED, "somebody answered them meanwhile"),
            (thanked, LeftOut.THANKED, "they said that it is well, or thank you, meanwhile"),
            (turn.urgent, LeftOut.DANGER, "they wrote something meanwhile that a person must answer"),
            (not turn.case_live, LeftOut.OVER, "their case is over"),
        )
    )


def room(*, per_hour: int, last: datetime | None, in_last_hour: int, now: datetime) -> int:
    """How many may go out now: evenly over the hour, whatever the clock did; what was missed is not made up for.

    `last`: when the last one began; one that seems to lie ahead, by a clock set back, counts as just now.
    """
    left = max(0, per_hour - in_last_hour)
    if last is None:
        return min(1, left)
    since = min(max(now - last, timedelta(0)), SPELL)
    apart = timedelta(hours=1) / per_hour
    if now - last >= apart:
        return min(max(1, since // apart), left)
    return 0


def lasts(waiting: Mapping[str, int], *, per_hour: int) -> timedelta:
    """How long what waits on each network takes at least, at that many an hour on each."""
    return max((timedelta(hours=1) / per_hour * number for number in waiting.values()), default=timedelta(0))


def apart(waiting: Sequence[tuple[int, str]], last: str) -> list[int]:
    """Answers (number, wording) in their order, but that none has the words of the one before it, where that can be."""
    left, order = list(waiting), []
    while left:
        at = next((place for place, (_, wording) in enumerate(left) if wording != last or not wording), 0)
        number, last = left.pop(at)
        order.append(number)
    return order
