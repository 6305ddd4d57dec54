"""How replies should sound: the policy's guidelines, checked on a text.

A guideline looks for words, not for meaning: it reminds the person who approves, and proves nothing. In a language for
which neither Escucha nor the policy has phrases it says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from listener.types import Intent, Understanding, Visibility
from policies import schema_drafts
from policies.names import first_name, safe_name
from policies.words import fold, found, phrase_pattern

_UPSET = (Intent.COMPLAINT, Intent.OUTAGE_REPORT, Intent.CANCELLATION_THREAT)
_APOLOGIES = {
    "es": ("lo sentimos", "lo siento", "sentimos", "lamentamos", "lamento", "perdon*", "disculp*"),
    "en": ("sorry", "apolog*", "we regret", "i regret"),
}
_CHANNELS = {
    "es": (
        *("mensaje privado", "mensaje directo", "mensajes directos", "en privado", "por privado", "por interno", "dm"),
        *("md", "inbox", "escribenos", "escribinos", "escribanos", "escribidnos", "llamanos", "llamenos"),
        *("contactanos", "contactenos", "mandanos un mensaje", "envianos un mensaje"),
    ),
    "en": (
        *("direct message", "private message", "in private", "dm", "dms", "message us", "write to us", "email us"),
        *("call us", "contact us", "reach us", "get in touch"),
    ),
}
_PROMISES = {
    "es": (
        *("promet*", "garantiz*", "te aseguro", "le aseguro", "te aseguramos", "le aseguramos", "os aseguramos"),
        *("sin falta", "hoy mismo", "manana mismo", "no volvera a pasar", "no volvera a ocurrir", "no se repetira"),
        *("nunca mas", "con toda seguridad"),
    ),
    "en": (
        *("promis*", "guarantee*", "assure you", "definitely", "for sure", "never happen again", "won't happen again"),
        *("will not happen again", "by tomorrow", "within the hour", "without fail"),
    ),
}
_SENTENCE_END = re.compile(r"[.!?…\n]+")

_Patterns = Mapping[str, re.Pattern[str]]


@dataclass(frozen=True, kw_only=True)
class Broken:
    """A guideline that a text does not keep, as the start of a sentence; `hold`: it must not go out by itself."""

    sentence: str
    hold: bool


class Guidelines:
    """A policy's guidelines, compiled once."""

    def __init__(self, written: schema_drafts.Guidelines, *, contacts: Sequence[str] = ()) -> None:
        """`contacts`: our own addresses and numbers; naming one offers a direct channel."""
        self._written = written
        self._contacts = tuple(contacts)
        self._apologies = _patterns(_APOLOGIES, written.apologise_first)
        self._channels = _patterns(_CHANNELS, written.offer_direct_channel)
        self._promises = _patterns(_PROMISES, written.no_promises)
        self._own = [(one, _compiled(one.required), _compiled(one.forbidden)) for one in written.own]

    def broken(
        self, text: str, language: str, understanding: Understanding | None, *, name: str, visibility: Visibility
    ) -> tuple[Broken, ...]:
        """The guidelines that a reply in `language` does not keep, in the order of the documentation.

        `understanding`: what it answers, None where nobody knows. `name`: the author's, as the network shows it.
        """
        if not self._written.model_fields_set:
            return ()
        intents = set(understanding.intents) if understanding else set()
        words, opening = fold(text), fold(_opening(text))
        return (
            *self._apology(opening, language, intents),
            *self._channel(text, words, language, intents, visibility),
            *self._promise(words, language, intents),
            *self._greeting(opening, intents, name),
            *self._ours(words, language, intents),
        )

    def _apology(self, opening: str, language: str, intents: set[Intent]) -> tuple[Broken, ...]:
        asked, pattern = self._written.apologise_first, self._apologies.get(language)
        if not asked or not pattern or not _concerns(asked.to or _UPSET, intents) or found(pattern, opening):
            return ()
        return (Broken(sentence="the reply does not say sorry first", hold=asked.hold),)

    def _channel(
        self, text: str, words: str, language: str, intents: set[Intent], visibility: Visibility
    ) -> tuple[Broken, ...]:
        asked, pattern = self._written.offer_direct_channel, self._channels.get(language)
        if not asked or not pattern or visibility is Visibility.DIRECT:
            return ()
        offered = found(pattern, words) or any(contact in text for contact in self._contacts)
        if offered or not _concerns(asked.to or (*_UPSET, Intent.REQUEST), intents):
            return ()
        return (Broken(sentence="the reply offers no direct channel", hold=asked.hold),)

    def _promise(self, words: str, language: str, intents: set[Intent]) -> tuple[Broken, ...]:
        asked, pattern = self._written.no_promises, self._promises.get(language)
        if not asked or not pattern or (asked.to and not _concerns(asked.to, intents)):
            return ()
        said = found(pattern, words)
        return (Broken(sentence=f"the reply promises something (“{said}”)", hold=asked.hold),) if said else ()

    def _greeting(self, opening: str, intents: set[Intent], name: str) -> tuple[Broken, ...]:
        asked, called = self._written.greet_by_name, fold(first_name(safe_name(name))).strip()
        if not asked or not called or (asked.to and not _concerns(asked.to, intents)) or f" {called} " in opening:
            return ()
        return (Broken(sentence="the reply does not greet its author by name", hold=asked.hold),)

    def _ours(self, words: str, language: str, intents: set[Intent]) -> tuple[Broken, ...]:
        broken = []
        for asked, required, forbidden in self._own:
            if asked.to and not _concerns(asked.to, intents):
                continue
            if (pattern := required.get(language)) and not found(pattern, words):
                wanted = ", ".join(f"“{phrase}”" for phrase in asked.required[language][:5])
                broken.append(Broken(sentence=f"{asked.name}: the reply holds none of {wanted}", hold=asked.hold))
            if (pattern := forbidden.get(language)) and (said := found(pattern, words)):
                broken.append(Broken(sentence=f"{asked.name}: the reply says “{said}”", hold=asked.hold))
        return tuple(broken)


def _patterns(known: Mapping[str, Sequence[str]], written: schema_drafts.Guideline | None) -> _Patterns:
    """By language: the built-in phrases and the policy's own."""
    if written is None:
        return {}
    languages = {*known, *written.phrases}
    return {code: phrase_pattern([*known.get(code, ()), *written.phrases.get(code, ())]) for code in languages}


def _compiled(phrases: Mapping[str, Sequence[str]]) -> _Patterns:
    return {code: phrase_pattern(some) for code, some in phrases.items()}


def _concerns(wanted: Sequence[Intent], intents: set[Intent]) -> bool:
    return not intents.isdisjoint(wanted)


def _opening(text: str) -> str:
    """The first two sentences: a greeting may stand before what comes first."""
    parts = [part for part in _SENTENCE_END.split(text) if part.strip()]
    return ". ".join(parts[:2])
