"""Asking for what is missing: which data, by which template, and what a policy asks of a customer's record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator, Field

from listener.types import CustomerView
from policies.fields import Reference, sentences
from policies.records import field_of
from policies.words import shown, suggestion

if TYPE_CHECKING:
    from policies.schema import PolicyFile, When

FIELD = "customer.fields."
# What a decision sees of a customer only where a rule asks for it, so that nothing more stands in its trace.
OF_A_STANDING = frozenset(
    f"customer.{name}"
    for name in ("consent", "refused", "arrears", "arrears_days", "tenure_days", "contracts", "products")
)
DATA = ("customer", "customer.name", "customer.tier", "customer.language")


def _data(value: object) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if text in DATA or (text.startswith(FIELD) and len(text) > len(FIELD) and text.isprintable() and len(text) < 120):
        return text
    raise ValueError(f"`{shown(value)}` is nothing to ask for{suggestion(text, (*DATA, FIELD + 'NAME'))}")


AskFor = Annotated[
    dict[Annotated[str, BeforeValidator(sentences(_data), json_schema_input_type=str)], Reference],
    Field(min_length=1, max_length=20),
]


def is_missing(data: str, customer: CustomerView | None) -> bool:
    """Whether that piece of data, one of `DATA` or an imported field, is not known."""
    if customer is None:
        return True
    if data.startswith(FIELD):
        return field_of(customer.fields, data.removeprefix(FIELD)) is None
    column = data.partition(".")[2]
    return bool(column) and not getattr(customer, column)


def blocks(when: When) -> Iterator[When]:
    """The block and every one inside it."""
    yield when
    for inner in (*when.all, *when.any, *when.none):
        yield from blocks(inner)


def fields_asked(file: PolicyFile) -> frozenset[str]:
    """The imported fields that the policy asks about, in small letters; and of `OF_A_STANDING` what it asks about."""
    whens = [*(rule.when for rule in file.rules), *(part.when for part in file.score.contributions)]
    named = [name for when in whens for block in blocks(when) for name in block.customer_fields or ()]
    named += [
        name
        for when in whens
        for block in blocks(when)
        for key in block.model_fields_set
        if (name := type(block).model_fields[key].alias or key) in OF_A_STANDING
    ]
    named += [
        data.removeprefix(FIELD) for rule in file.rules for data in rule.then.ask_for or () if data.startswith(FIELD)
    ]
    return frozenset(name.casefold() for name in named)
