"""What was said so far, in their words and ours, for a conversation that goes on elsewhere. Pure.

Nothing is put in other words: each line is a piece of what was written, `[…]` where something is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from listener.escapes import visible
from listener.store.continuing import Word

FIRST = 2  # things said at the beginning that are always told
MOST = 10  # things said that are told in all
LONGEST = 400  # characters of each
CUT = "[…]"

_ES = "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
_EN = "January February March April May June July August September October November December"
_MONTHS: Mapping[str, Sequence[str]] = {"es": tuple(_ES.split()), "en": tuple(_EN.split())}
_WHEN = {"es": "{day} de {month}", "en": "{day} {month}"}
_THEM = {"es": "tú, {where}", "en": "you, {where}"}
_US = {"es": "nosotros, {where}", "en": "us, {where}"}
_WHERE = {"es": "en {network}", "en": "on {network}"}
_BY_MAIL = {"es": "por correo", "en": "by mail"}
_NAMES = {"x": "X"}
_MENTION = re.compile(r"(?<![\w.])@(?=\w)")
_SENTENCE_END = re.compile(r"[.!?…](?=\s)")


@dataclass(frozen=True, kw_only=True)
class Recap:
    """Some lines, and the numbers of the mentions whose words stand in them."""

    text: str
    quotes: tuple[int, ...]


def recap(words: Sequence[Word], language: str, *, room: int = 10_000) -> Recap:
    """What was said, oldest first, in at most `room` characters; where not all of it fits, the newest of it.

    `language`: es or en.
    """
    lines = [(word, _line(word, language)) for word in words]
    lines = [(word, line) for word, line in lines if line]
    chosen = lines if len(lines) <= MOST else [*lines[:FIRST], (None, CUT), *lines[-(MOST - FIRST) :]]
    while chosen and len("\n".join(line for _, line in chosen)) > room:
        chosen = chosen[1:]
    while chosen and chosen[0][0] is None:
        chosen = chosen[1:]
    quotes = dict.fromkeys(word.mention for word, _ in chosen if word is not None)
    return Recap(text="\n".join(line for _, line in chosen), quotes=tuple(quotes))


def _line(word: Word, language: str) -> str:
    said = excerpt(word.text, LONGEST)
    return f"- {on_day(word.at, language)}, {speaker(word, language)}: “{said}”" if said else ""


def on_day(moment: datetime, language: str) -> str:
    """`3 de marzo`, `3 March`, in UTC."""
    return _WHEN[language].format(day=moment.day, month=_MONTHS[language][moment.month - 1])


def speaker(word: Word, language: str) -> str:
    """`tú, en Mastodon`, `us, by mail`."""
    return (_US if word.ours else _THEM)[language].format(where=where(word.network, language))


def where(network: str, language: str) -> str:
    """`en Mastodon`, `by mail`."""
    name = _NAMES.get(network, network.capitalize())
    return _BY_MAIL[language] if network == "mail" else _WHERE[language].format(network=name)


def excerpt(text: str, room: int) -> str:
    """A piece of the text in one line, whole sentences where they fit, `[…]` where something is missing.

    Names are not called again (`@ana` is `ana`), and what nobody can see is left out.
    """
    begins = text[: 20 * room]
    seen = "".join(each for each in begins if each.isspace() or visible(each) == each)
    line = " ".join(_MENTION.sub("", seen).split())
    if len(line) <= room and text == begins:
        return line
    cut = line[: max(room - len(CUT) - 1, 0)]
    ends = [match.end() for match in _SENTENCE_END.finditer(cut)]
    at = ends[-1] if ends and ends[-1] >= len(cut) // 2 else cut.rfind(" ")
    return f"{cut[:at] if at > 0 else cut} {CUT}"
