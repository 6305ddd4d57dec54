"""What each imported field holds. A field that was never declared holds text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select

from listener.store import Transaction, audit, upsert
from listener.store import tables as t


class FieldKind(StrEnum):
    """What a field can hold."""

    TEXT = "text"
    NUMBER = "number"
    MONEY = "money"
    DATE = "date"
    YES_NO = "yes_no"
    CHOICE = "choice"


@dataclass(frozen=True, kw_only=True)
class FieldType:
    """A field's type. `currency`: three letters, of money that names none; `choices`: what a choice can be."""

    name: str
    kind: FieldKind
    currency: str = ""
    choices: tuple[str, ...] = ()


def all_of_them(tx: Transaction) -> dict[str, FieldType]:
    """Every declared type, by the field's name in small letters."""
    return {
        row.name: FieldType(name=row.name, kind=FieldKind(row.kind), currency=row.currency, choices=tuple(row.choices))
        for row in tx.execute(select(t.field_types).order_by(t.field_types.c.name))
    }


def declare(tx: Transaction, types: Iterable[FieldType], *, by: str, now: datetime) -> None:
    """Says what fields hold from now on. What stands in records already stays as it is."""
    known = all_of_them(tx)
    for each in types:
        name = each.name.casefold()
        if (before := known.get(name)) and (before.kind, before.currency, before.choices) == (
            each.kind,
            each.currency,
            each.choices,
        ):
            continue
        values = {
            "kind": each.kind.value,
            "currency": each.currency,
            "choices": list(each.choices),
            "declared_by": by,
            "declared_at": now,
        }
        new = upsert(tx, t.field_types).values(name=name, **values)
        tx.execute(new.on_conflict_do_update(index_elements=["name"], set_=values))
        audit.record(tx, at=now, by=by, action="field.declared", subject=f"field {name}"[:100], kind=each.kind.value)
