"""What may stand after a key of the policy file: names, words, languages, spans, comparisons, lists of them.

Each type turns what people write into what the program reads, and refuses the rest in a sentence.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from listener.types import IncidentState, Intent, LinkCode, PostKind, Sentiment, Signal, Speaker, Urgency, Visibility
from policies import amounts
from policies.templates import template_problem
from policies.words import phrase_pattern, shown

NONE = "none"
BRANCH = "\0"  # begins the names of branches, which no file has: where one of two forms may stand
MAX_EXAMPLE = 500  # characters; the model reads about as much of one text


def refuse(sentence: str) -> PydanticCustomError:
    """A validation error whose message is the sentence, braces and all."""
    return PydanticCustomError("policy", "{sentence}", {"sentence": sentence})


def sentences(convert: Any) -> Any:
    """`convert` as a validator: its ValueError becomes the sentence that people read."""

    def validate(value: object) -> object:
        try:
            return convert(value)
        except ValueError as error:
            raise refuse(str(error)) from None

    return validate


def listed(value: object) -> object:
    """One thing where a list may stand is a list of one."""
    return value if isinstance(value, list | tuple) else [value]


def _name(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 80 or not value.isprintable():
        raise ValueError(f"`{shown(value)}` is not a name; write one line of text, at most 80 characters")
    if value.strip() == NONE:
        raise ValueError("`none` means nothing and cannot be a name; choose another")
    return value.strip()


def language_code(value: object) -> str:
    """A language's code in small letters. Raises ValueError with a sentence."""
    if not isinstance(value, str) or not value.isascii() or not value.isalpha() or not 2 <= len(value) <= 3:
        raise ValueError(f"`{shown(value)}` is not a language; write its code, like `es` or `en`")
    return value.lower()


def _word(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip() or len(str(value)) > 120:
        raise ValueError(f"`{shown(value)}` is not a word or phrase; write one, in quotes where it needs them")
    return str(value).strip()


def _network(value: object) -> str:
    return _word(value).casefold()


def _phrase(value: object) -> str:
    phrase = _word(value)
    phrase_pattern([phrase])
    return phrase


def _example(value: object) -> str:
    """A sentence in one line; YAML may have folded it from several."""
    if not isinstance(value, str) or not any(map(str.isalpha, value)) or len(value) > MAX_EXAMPLE:
        raise ValueError(
            f"`{shown(value)}` is no example; write a sentence as people write it, at most {MAX_EXAMPLE} characters"
        )
    return " ".join(value.split())


def _wording(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"`{shown(value)}` is not a reply's text; write it in quotes")
    problem = template_problem(value)
    if problem:
        raise ValueError(problem)
    return value


def _span(value: object) -> object:
    return value if isinstance(value, timedelta) else amounts.duration(value)


def _urgency(value: object) -> str:
    text = f"+{value}" if isinstance(value, int) and not isinstance(value, bool) else str(value).strip().casefold()
    if text not in ("+1", "+2", *Urgency):
        raise ValueError(
            f'`{shown(value)}` is no urgency; write low, normal, high, critical, or "+1" to raise it a step'
        )
    return text


Text = Annotated[str, Field(max_length=400)]
Name = Annotated[str, BeforeValidator(sentences(_name), json_schema_input_type=str)]
Reference = Annotated[str, Field(min_length=1, max_length=80)]
Language = Annotated[str, BeforeValidator(sentences(language_code), json_schema_input_type=str)]
Word = Annotated[str, BeforeValidator(sentences(_word), json_schema_input_type=str | int)]
NetworkName = Annotated[str, BeforeValidator(sentences(_network), json_schema_input_type=str)]
Phrase = Annotated[str, BeforeValidator(sentences(_phrase), json_schema_input_type=str | int)]
Example = Annotated[str, BeforeValidator(sentences(_example), json_schema_input_type=str)]
Wording = Annotated[str, BeforeValidator(sentences(_wording), json_schema_input_type=str)]
Span = Annotated[timedelta, BeforeValidator(sentences(_span), json_schema_input_type=str)]
Number = Annotated[
    amounts.Comparison, BeforeValidator(sentences(amounts.number_comparison), json_schema_input_type=str | int | float)
]
Points = Annotated[
    amounts.Comparison, BeforeValidator(sentences(amounts.signed_comparison), json_schema_input_type=str | int)
]
Age = Annotated[amounts.Comparison, BeforeValidator(sentences(amounts.duration_comparison), json_schema_input_type=str)]
Raise = Annotated[str, BeforeValidator(sentences(_urgency), json_schema_input_type=str | int)]

_ONE = Field(min_length=1)
Words = Annotated[tuple[Word, ...], _ONE, BeforeValidator(listed, json_schema_input_type=Word | list[Word])]
Languages = Annotated[
    tuple[Language, ...], _ONE, BeforeValidator(listed, json_schema_input_type=Language | list[Language])
]
Phrases = Annotated[
    tuple[Phrase, ...],
    Field(min_length=1, max_length=500),
    BeforeValidator(listed, json_schema_input_type=Phrase | list[Phrase]),
]
Wordings = Annotated[
    tuple[Wording, ...],
    Field(min_length=1, max_length=50),
    BeforeValidator(listed, json_schema_input_type=Wording | list[Wording]),
]
Intents = Annotated[tuple[Intent, ...], _ONE, BeforeValidator(listed, json_schema_input_type=Intent | list[Intent])]
Signals = Annotated[tuple[Signal, ...], _ONE, BeforeValidator(listed, json_schema_input_type=Signal | list[Signal])]
Sentiments = Annotated[
    tuple[Sentiment, ...], _ONE, BeforeValidator(listed, json_schema_input_type=Sentiment | list[Sentiment])
]
Kinds = Annotated[tuple[PostKind, ...], _ONE, BeforeValidator(listed, json_schema_input_type=PostKind | list[PostKind])]
Visibilities = Annotated[
    tuple[Visibility, ...], _ONE, BeforeValidator(listed, json_schema_input_type=Visibility | list[Visibility])
]
Speakers = Annotated[tuple[Speaker, ...], _ONE, BeforeValidator(listed, json_schema_input_type=Speaker | list[Speaker])]
LinkCodes = Annotated[
    tuple[LinkCode, ...], _ONE, BeforeValidator(listed, json_schema_input_type=LinkCode | list[LinkCode])
]
IncidentStates = Annotated[
    tuple[IncidentState, ...], _ONE, BeforeValidator(listed, json_schema_input_type=IncidentState | list[IncidentState])
]
OnDuty = Annotated[dict[Reference, Number], Field(min_length=1, max_length=50)]
Scores = Annotated[dict[Word, Number], Field(min_length=1, max_length=50)]
