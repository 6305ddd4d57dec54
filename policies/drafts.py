"""Replies in words: a checked template, in the mention's language, with the author's name made safe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import jinja2

from listener.types import AuthorView, CustomerView, Facts, Situation, wording_key
from policies.names import first_name, safe_handle, safe_name
from policies.templates import (
    VARIABLES,
    compiled,
    nested,
    parsed,
    quotes_case,
    render,
    template_problem,
    variables_in,
)

# Where ("" or a network's name) → language → wordings.
Wordings = Mapping[str, Mapping[str, Sequence[str]]]


@dataclass(frozen=True, kw_only=True)
class _Variant:
    """One wording, compiled. `needs_case`: it quotes a reference whether or not there is one. `signs`: by itself.

    `key`: 12 hex digits that stand for its source. `reads`: what stands before the dot in its variables.
    """

    key: str
    template: jinja2.Template
    needs_case: bool
    signs: bool
    reads: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A reply in words: the language it is in, and its length as the network counts it with its address.

    `wording`: which of the template's wordings it is, the same for everybody.
    """

    text: str
    wording: str
    language: str
    length: int


class Templates:
    """The policy's templates, compiled once: `draft` picks the language and the wording and fills it in."""

    def __init__(self, templates: Mapping[str, Wordings], *, language: str, brand: Mapping[str, str]) -> None:
        self._templates = {
            name: {
                place: {code: _compile(texts) for code, texts in by_language.items()}
                for place, by_language in w.items()
            }
            for name, w in templates.items()
        }
        self._language = language
        self._brand = dict(brand)

    def draft(self, name: str, situation: Situation, *, team: str, urgency: str, has_case: bool) -> Draft | None:
        """The reply to this mention, or None when every wording quotes a case and there is none to quote.

        Language: the mention's own, else the policy's, else English. Wording: one that this author and this
        conversation were not told yet, else what they were told longest ago; of several, what went out least within a
        day; of several, by the mention's id. The same situation always gets the same one. Where that is too long for
        the network, the next that fits.
        """
        return self._said_best(self._templates[name], situation, team=team, urgency=urgency, has_case=has_case)

    def answer(
        self,
        answers: Mapping[str, Sequence[str]],
        situation: Situation,
        *,
        team: str,
        urgency: str,
        has_case: bool,
    ) -> Draft | None:
        """As `draft`, of an incident's answers by language; what does not work as a template is left out."""
        return self._said_best(_that_work(answers), situation, team=team, urgency=urgency, has_case=has_case)

    def example(self, text: str) -> str:
        """What a checked template says to somebody made up."""
        variant = _variant(text)
        return self._signed(render(variant.template, {**nested(VARIABLES), "brand": self._brand}), variant)

    def _said_best(
        self,
        places: Mapping[str, Mapping[str, Sequence[_Variant]]],
        situation: Situation,
        *,
        team: str,
        urgency: str,
        has_case: bool,
    ) -> Draft | None:
        has_case = has_case and bool(situation.case.reference)
        chosen = self._wordings(places, situation.network, situation.understanding.language, has_case)
        if chosen is None:
            return None
        language, variants = chosen
        first: Draft | None = None
        for variant in _in_turn(variants, situation):
            said = self._said(variant.reads, situation, language, team=team, urgency=urgency, has_case=has_case)
            text = self._signed(render(variant.template, said), variant)
            if not text:
                continue
            draft = Draft(
                text=text,
                wording=variant.key,
                language=language,
                length=addressed_length(text, situation.facts, situation.author.handle),
            )
            if draft.length <= situation.facts.limit:
                return draft
            first = first or draft
        return first

    def in_turn(
        self, answers: Mapping[str, Sequence[str]], situation: Situation, *, turn: int, after: str
    ) -> Draft | None:
        """As `answer`, to one of many who are told the same: wordings take turns by `turn`, none twice in a row.

        `after`: the wording that goes out before it. A reply that says no reference by itself ends with that of the
        mention's case. None when nothing is written in its language, nor in the policy's or English, that it can be
        told; too long for the network only where every wording is.
        """
        reference = situation.case.reference if situation.case.exists else ""
        chosen = self._wordings(
            _that_work(answers), situation.network, situation.understanding.language, bool(reference)
        )
        if chosen is None:
            return None
        language, variants = chosen
        begin = turn % len(variants)
        first: Draft | None = None
        for variant in sorted([*variants[begin:], *variants[:begin]], key=lambda variant: variant.key == after):
            draft = self._one_of_many(variant, situation, language, reference)
            if draft.text and draft.length <= situation.facts.limit:
                return draft
            first = first or (draft if draft.text else None)
        return first

    def _one_of_many(self, variant: _Variant, situation: Situation, language: str, reference: str) -> Draft:
        said = self._said(
            variant.reads, situation, language, team=situation.case.team, urgency="normal", has_case=bool(reference)
        )
        text = render(variant.template, said)
        if text and reference and reference not in text:
            text = f"{text} ({reference})"
        text = self._signed(text, variant)
        length = addressed_length(text, situation.facts, situation.author.handle)
        return Draft(text=text, wording=variant.key, language=language, length=length)

    def _wordings(
        self, places: Mapping[str, Mapping[str, Sequence[_Variant]]], network: str, spoken: str, has_case: bool
    ) -> tuple[str, Sequence[_Variant]] | None:
        for language in (spoken.split("-", maxsplit=1)[0].casefold(), self._language, "en"):
            for place in (network, ""):
                fit = [v for v in places.get(place, {}).get(language, ()) if has_case or not v.needs_case]
                if fit:
                    return language, fit
        return None

    def _signed(self, text: str, variant: _Variant) -> str:
        signature = self._brand.get("signature", "")
        return f"{text} {signature}" if text and signature and not variant.signs else text

    def _said(
        self, reads: frozenset[str], situation: Situation, language: str, *, team: str, urgency: str, has_case: bool
    ) -> dict[str, object]:
        """The variables, as far as the wording reads them."""
        said: dict[str, object] = {
            "brand": self._brand,
            "network": situation.network,
            "team": team,
            "language": language,
            "urgency": urgency,
        }
        if "author" in reads:
            said["author"] = _author(situation.author)
        if "customer" in reads:
            said["customer"] = _customer(situation.customer)
        if "case" in reads:
            case = situation.case
            said["case"] = {"exists": has_case and case.exists, "reference": case.reference if has_case else ""}
        return said


def _that_work(answers: Mapping[str, Sequence[str]]) -> Mapping[str, Mapping[str, Sequence[_Variant]]]:
    fit = {code: [text for text in texts if not template_problem(text)] for code, texts in answers.items()}
    return {"": {code: _compile(tuple(texts)) for code, texts in fit.items()}}


def _author(author: AuthorView) -> Mapping[str, str]:
    handle = safe_handle(author.handle)
    name = safe_name(author.display_name) or handle
    return {"name": name, "first_name": first_name(name) or handle or name, "handle": handle}


def _customer(customer: CustomerView | None) -> Mapping[str, str | bool]:
    name = safe_name(customer.name) if customer else ""
    return {"known": bool(name), "name": name, "first_name": first_name(name) or name}


def addressed_length(text: str, facts: Facts, handle: str) -> int:
    """How long the network counts the reply, with the address it will be posted with."""
    return facts.count(facts.address(text, handle))


def _in_turn(variants: Sequence[_Variant], situation: Situation) -> list[_Variant]:
    """The wordings in the order in which they are tried."""
    first = situation.mention_id % len(variants)
    told = situation.sends.wordings_before
    often = situation.sends.by_wording_last_day

    def worn(variant: _Variant) -> tuple[int, int]:
        newest = tuple(told).index(variant.key) if variant.key in told else len(told)
        return len(told) - newest, often.get(variant.key, 0)

    return sorted([*variants[first:], *variants[:first]], key=worn)


def _compile(sources: Sequence[str]) -> tuple[_Variant, ...]:
    return tuple(map(_variant, sources))


@lru_cache(maxsize=2048)  # an incident's answers come anew with each situation
def _variant(source: str) -> _Variant:
    return _Variant(
        key=wording_key(source),
        template=compiled(source),
        needs_case=quotes_case(source),
        signs="brand.signature" in variables_in(parsed(source)),
        reads=frozenset(path.partition(".")[0] for path in variables_in(parsed(source))),
    )
