"""Hard stops of what was said and what would be said. Each takes a `Case` and gives a `Stop`, as in `stops.py`."""

from __future__ import annotations

import re

from listener.types import Situation, Visibility
from policies.conditions import confidence as sureness
from policies.personal import personal_data as personal_data_in
from policies.stops import Case, Stop
from policies.words import fold

# Of a name, what joins its words; and words of one or two letters that stand in anybody's reply.
_JOINING = frozenset({"de", "del", "la", "las", "los", "el", "y", "e", "i", "da", "do", "dos", "van", "von", "der"})
_EVERYDAY = re.compile(
    r"[a-z]|a[lmnst]|b[ey]|d[aio]|e[hlns]|fe|go|h[aeio]|i[dfnrst]|l[aeo]|m[eiy]|n[io]|o[hknrs]|pm|s[eio]|t[eou]|u[nps]"
    r"|v[aei]|we|y[ao]"
)
_CAPITAL = re.compile(r"(?<=[^\W_] )[^\W\d_]{1,2}\b|(?<=[^\W_], )[^\W\d_]{1,2}\b")


def confidence(about: Case) -> Stop:
    """Unsure readings."""
    sure = sureness(about.situation)
    if sure is None or about.situation.understanding.sentiment is None:
        return "holds", "the model is not sure what it means"
    limit = about.settings.min_confidence
    if not sure >= limit:  # also true for a score that is not a number
        return "holds", f"the model is {sure:.0%} sure what it means, and {limit:.0%} is asked for"
    return None


def language(about: Case) -> Stop:
    """Unknown languages, and replies in another."""
    spoken = about.situation.understanding.language.split("-", maxsplit=1)[0].casefold()
    if spoken in ("", "und"):
        return "holds", "nobody can tell its language"
    if about.reply and about.reply.language != spoken:
        return "holds", f"it is written in {spoken}, and the reply is in {about.reply.language}"
    return None


def signals(about: Case) -> Stop:
    """Danger, law, press, somebody leaving or frail, irony, abuse, as the model sees them."""
    found = about.situation.understanding
    if not found.signals:
        return None
    signs = ", ".join(
        f"{signal.replace('_', ' ')} ({found.signal_scores.get(signal, 0.0):.0%})" for signal in found.signals
    )
    return "holds", f"the model sees {signs}, and a person should"


def risk(about: Case) -> Stop:
    """Words of danger."""
    if not about.risks:
        return None
    signs = ", ".join(f"{risk.label} (“{risk.words}”)" for risk in about.risks)
    return "holds", f"it holds words of danger: {signs}"


def length(about: Case) -> Stop:
    """Longer than the network takes."""
    sentence = too_long(about.reply.length, about.reply.limit) if about.reply else ""
    return ("holds", sentence) if sentence else None


def personal_data(about: Case) -> Stop:
    """Data that must not stand in public."""
    if about.reply is None:
        return None
    situation = about.situation
    sentence = shows_personal_data(about.reply.text, situation.visibility, about.contacts)
    if not sentence and situation.visibility is not Visibility.DIRECT and _unmasks(about.reply.text, situation):
        sentence = "the reply would tell everybody the customer's name, which the account does not show"
    return ("holds", sentence) if sentence else None


def tone(about: Case) -> Stop:
    """Guidelines that say `hold: true`."""
    return ("holds", "; ".join(about.tone)) if about.tone else None


def too_long(length: int, limit: int) -> str:
    """By how much it is too long, as the start of a sentence; empty when it is not."""
    over = length - limit
    return f"the reply is {over} longer than the network takes ({length} of {limit}); shorten it" if over > 0 else ""


def shows_personal_data(text: str, visibility: Visibility, contacts: tuple[str, ...]) -> str:
    """What a text would show to others, as the start of a sentence; empty when nothing."""
    kinds = () if visibility is Visibility.DIRECT else personal_data_in(text, contacts)
    return f"the reply would show {' and '.join(kinds)} in public; take it out or answer in private" if kinds else ""


def _unmasks(text: str, situation: Situation) -> bool:
    """Whether the reply says a word of the record's name that the account itself does not show."""
    if situation.customer is None:
        return False
    shown = set(fold(f"{situation.author.display_name} {situation.author.handle} {situation.text}").split())
    hidden = set(fold(situation.customer.name).split()) - shown - _JOINING
    if any(not _EVERYDAY.fullmatch(word) for word in hidden.intersection(fold(text).split())):
        return True
    # `He`, `Mi`, `A.`: a name where it has a capital and no sentence begins with it
    return any(fold(word).strip() in hidden for word in _CAPITAL.findall(text) if word[0].isupper())
