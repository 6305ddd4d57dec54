"""Which case a mention belongs to, and why: one case for each matter, not for each post and not for each person.

In this order: the case that it is in already; one that it quotes by its reference; one whose conversation it goes on
with; one of the same person, on whatever network, about the same. A case that is over counts for as long as it may be
reopened. Otherwise the mention is a new matter.

Whoever is not known to be the same person joins nobody's case in public: a reference can be read there by anyone, and
strangers answer in threads. In private (a mail, a direct message) the conversation or its reference is enough, unless
both are customers of ours and not the same one. But references can be guessed, so whoever gets in that way without
being known to be its person changes nothing of the case, and joins none that is over.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from listener.store.matters import Answers, Around
from listener.types import Intent

SOON = timedelta(minutes=30)  # who writes again so soon goes on about the same, unless it has another area
TELLING = 4  # words from which a text says by itself what it is about; fewer only go on
ALIKE = 2  # words in common that make it the same matter
LETTERS = 6  # of a word that count, so that its endings do not
UNPROVEN = "from an account not known to be theirs, so it wakes and hurries nothing"
PASSING = frozenset({Intent.PRAISE, Intent.OFF_TOPIC})  # what wants nothing done, and reopens nothing
SELLING = frozenset({Intent.PURCHASE_INTEREST})


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What of a mention says which matter it is about. `quotes`: references of cases in its text."""

    account_id: int
    customer_id: int | None
    network: str
    private: bool
    text: str
    posted_at: datetime
    quotes: tuple[str, ...] = ()
    areas: frozenset[str] = frozenset()
    intents: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Joins:
    """The case that it joins, None: a new one; `why` in a few words of ours that name nobody and quote nothing.

    `reopens`: whether it opens the case again, if that is not open. `known`: whether it is known to be from the person
    whose case it is; nobody's case is everybody's.
    """

    around: Around | None
    why: str
    reopens: bool = True
    known: bool = True


def which(heard: Heard, cases: Sequence[Around], *, reopen: timedelta, now: datetime) -> Joins:
    """Which of the cases (the newest first) the mention joins."""
    reopens = bool(heard.intents - PASSING) or not heard.intents
    against: list[str] = []
    for around in cases:
        if around.mention_in:
            again = reopens and _lasts(around, reopen, now)
            return Joins(around=around, why="it is in it already", reopens=again, known=_is_known(heard, around))
    for around in cases:
        why = _bond(heard, around)
        if not why:
            continue
        if refusal := _refusal(heard, around, reopen, now):
            against.append(f"{why}, but {refusal}")
            continue
        known = _is_known(heard, around)
        return Joins(around=around, why=why if known else f"{why}, {UNPROVEN}", reopens=reopens, known=known)
    theirs = [each for each in cases if is_same_person(heard, each) and _lasts(each, reopen, now)]
    alike = [(rank, each, why) for each in theirs for rank, why in [_likeness(heard, each)] if rank]
    if alike:
        _, around, why = max(alike, key=lambda found: found[0])
        return Joins(around=around, why=_with_channel(heard, around, why), reopens=reopens)
    if against:
        return Joins(around=None, why=against[0])
    other = ", ".join(each.case.reference for each in theirs[:3])
    return Joins(around=None, why=f"it is about something else than {other}" if other else "nothing of theirs is open")


def is_same_person(heard: Heard, around: Around) -> bool:
    """Whether it is the case of the account, or of the customer whose account it is."""
    if _are_two(heard, around):
        return False
    same_customer = heard.customer_id is not None and heard.customer_id == around.case.customer_id
    return same_customer or heard.account_id == around.case.account_id


def _is_known(heard: Heard, around: Around) -> bool:
    """Whether what it says may count for the case: it is nobody's yet, or that person's."""
    is_nobodys = around.case.account_id is None and around.case.customer_id is None
    return is_nobodys or is_same_person(heard, around)


def _are_two(heard: Heard, around: Around) -> bool:
    return None not in (heard.customer_id, around.case.customer_id) and heard.customer_id != around.case.customer_id


def _lasts(around: Around, reopen: timedelta, now: datetime) -> bool:
    """Whether the case is live, or not over for too long."""
    return around.over_since is None or around.over_since + reopen > now


def _bond(heard: Heard, around: Around) -> str:
    """What binds it to the case, whatever it is about; "" nothing does."""
    if around.case.reference in heard.quotes:
        return f"it quotes {around.case.reference}"
    if around.answers is Answers.THREAD and not (heard.private or is_same_person(heard, around)):
        return ""  # a thread in public has many people with a matter of their own
    return {
        Answers.THEIRS: "it goes on with what was said in it",
        Answers.OURS: "it answers what we said in it",
        Answers.THREAD: "it stands in the same conversation",
        Answers.NOTHING: "",
    }[around.answers]


def _refusal(heard: Heard, around: Around, reopen: timedelta, now: datetime) -> str:
    """Why that does not make it join all the same; "" where it does."""
    if _are_two(heard, around):
        return f"{around.case.reference} is another customer's"
    if not heard.private and not is_same_person(heard, around):
        return f"{around.case.reference} is somebody else's, as far as we know"
    if not _lasts(around, reopen, now):
        return f"{around.case.reference} ended more than {reopen.days} days ago"
    if around.over_since is not None and not _is_known(heard, around):
        return f"{around.case.reference} is over, and somebody else's, as far as we know"
    return ""


def _likeness(heard: Heard, around: Around) -> tuple[int, str]:
    """How much it is about the same (0 for not at all) as that case of the same person, and why."""
    shared = heard.areas & around.areas
    words, theirs = told(heard.text), frozenset[str]().union(*map(told, around.texts))
    buys, bought = ({bool(intents <= SELLING)} if intents else set() for intents in (heard.intents, around.intents))
    soon = around.said_last_at is not None and abs(heard.posted_at - around.said_last_at) <= SOON
    rules = (
        (bool(shared), 5, f"the same person, about {min(shared, default='')} too"),
        (bool(heard.areas and around.areas), 0, ""),  # each is about something, and not the same
        (len(words & theirs) >= ALIKE, 4, "the same person, in much the same words"),
        (bool(heard.intents) and heard.intents <= PASSING, 1, "the same person, and it wants nothing new"),
        (bool(buys and bought) and buys != bought, 0, ""),
        (len(words) < TELLING, 3, "the same person, with nothing in it that is another matter"),
        (around.over_since is not None, 0, ""),
        (soon, 2, "the same person, within half an hour"),
        (bool(heard.intents & around.intents), 2, "the same person, who wants the like, while their case is open"),
    )
    return next(((rank, why) for holds, rank, why in rules if holds), (0, ""))


def _with_channel(heard: Heard, around: Around, why: str) -> str:
    if around.networks and heard.network not in around.networks:
        return f"{why}, now on {heard.network}"
    return why


# --- words -----------------------------------------------------------------------------------------------------------

_NO_WORDS = re.compile(r"https?://\S+|[@#]\S+")
_DIGIT = re.compile(r"\d")
_FIRST_MARK = "\u0300"  # before it stands no sign that goes on another
_WORD = re.compile(r"[^\W\d_]{4,}")
_OF_ALL_DAYS = """
    about again also been before buenas buenos cada como cuando cuanto cual desde donde dias does doing ellos entre esta
    estan estas este esto estos from gracias hace hacer hasta have hola just like mucho muy nada need nobody nunca otra
    otro over para pero please podeis pueden puede porque quien quiero that their them then there they this todo todavia
    todos una usted ustedes very want well what when where which while with would your sigo sigue siguen still algo
    alguien nadie tengo tiene tienen hello thanks saludos tardes noches soy estoy estamos somos sois ahora hoy ayer
    today yesterday tomorrow
"""
_EVERYBODYS = frozenset(_OF_ALL_DAYS.split())


@lru_cache(maxsize=4096)  # what somebody said before is compared with each thing that they say
def told(text: str) -> frozenset[str]:
    """The beginnings of the words by which a text says what it is about: no names of accounts, no everyday words."""
    pieces = " ".join(piece for piece in text[:5000].split() if not _DIGIT.search(piece))
    bare = unicodedata.normalize("NFKD", _NO_WORDS.sub(" ", pieces).casefold())
    if not bare.isascii():
        bare = "".join([sign for sign in bare if sign < _FIRST_MARK or not unicodedata.combining(sign)])
    return frozenset(word[:LETTERS] for word in _WORD.findall(bare) if word not in _EVERYBODYS)
