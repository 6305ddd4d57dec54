"""The records of a CRM into ours: each is read like a line of an import, under the names that the settings give it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from listener.desk import belongings, columns, people
from listener.desk.columns import AS_IT_IS, Layout
from listener.desk.people import Person
from listener.errors import Mistake
from listener.escapes import visible
from listener.store import Transaction, audit, crm_in, customers, erasures, field_types
from listener.store.crm_in import Known
from listener.store.crm_out import ORIGIN
from listener.store.field_types import FieldType
from listener.types import CrmRecord

TOLD = 100  # problems that are told of one event or page
NEEDED = ("reference", "name")
AHEAD = timedelta(days=1)  # a clock may be wrong by so much; beyond, nothing that came after would ever count


@dataclass(kw_only=True)
class Taken:
    """What became of some records: each is counted in one of these. `problems`: by record, `TOLD` of them at most."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    deleted: int = 0
    older: int = 0  # than what was known of it
    unusable: int = 0
    problems: Mapping[str, str] = field(default_factory=dict)

    def plus(self, other: Taken) -> Taken:
        """Both together."""
        mine, theirs = self.counts(), other.counts()
        problems = _first({**self.problems, **other.problems})
        return Taken(**{name: mine[name] + theirs[name] for name in mine}, problems=problems)

    def counts(self) -> dict[str, int]:
        """The numbers by name, for programs."""
        names = ("added", "changed", "unchanged", "deleted", "older", "unusable")
        return {name: getattr(self, name) for name in names}


def _first(problems: Mapping[str, str]) -> dict[str, str]:
    return dict(islice(problems.items(), TOLD))


def check(naming: Mapping[str, str]) -> None:
    """Raises Mistake where no customer could come of a CRM's records under those names."""
    _layout(list(naming.values()), {})


def take(
    tx: Transaction, system: str, naming: Mapping[str, str], records: Sequence[CrmRecord], *, by: str, now: datetime
) -> Taken:
    """Writes the records that are news: those that say something else than they did last.

    Of one record the last counts. What cannot be used is left out and told.
    """
    done = Taken()
    known = crm_in.known(tx, system, {record.id for record in records})
    news: dict[str, tuple[CrmRecord, Person, str]] = {}  # by record
    types = field_types.all_of_them(tx)
    for record in records:
        if record.gone:
            news.pop(record.id, None)
            _lose(tx, system, known.get(record.id), done, by=by, now=now)
            continue
        was = known.get(record.id)
        if was and was.changed_at and record.changed_at and record.changed_at < was.changed_at:
            done.older += 1
            continue
        try:
            if record.changed_at and record.changed_at > now + AHEAD:
                raise Mistake(
                    f"It says that it was changed at {record.changed_at.isoformat()}, more than a day from now."
                )
            person, digest = read(naming, record, known=was, types=types)
        except Mistake as mistake:
            done.unusable += 1
            done.problems = _first({**done.problems, record.id: str(mistake)})
            continue
        if was and was.digest == digest:
            done.unchanged += 1
            continue
        if record.id in news:
            done.older += 1
        news[record.id] = record, person, digest
    _write(tx, system, list(news.values()), done, by=by, now=now)
    return done


def _lose(tx: Transaction, system: str, was: Known | None, done: Taken, *, by: str, now: datetime) -> None:
    """Keeps that it was deleted there. The customer stays: to erase them here is a person's decision."""
    if was is None or was.gone_at is not None:
        done.unchanged += 1
        return
    crm_in.mark_gone(tx, system, [was.record], now=now)
    audit.record(tx, at=now, by=by, action="crm.deleted", subject=f"customer {was.reference}", crm=system)
    done.deleted += 1


def _erased(tx: Transaction, fresh: Sequence[Person]) -> dict[str, datetime]:
    """Who of them was erased, and when: a CRM that still knows them brings nobody back in silence."""
    told = {each.reference: erasures.names_of(each.reference, each.values.get("email")) for each in fresh}
    found = erasures.suppressed(tx, [name for names in told.values() for name in names])
    return {reference: found[name] for reference, names in told.items() for name in names if name in found}


def _write(
    tx: Transaction,
    system: str,
    news: Sequence[tuple[CrmRecord, Person, str]],
    done: Taken,
    *,
    by: str,
    now: datetime,
) -> None:
    before = customers.known(tx, {person.reference for _, person, _ in news})
    erased = _erased(tx, [person for _, person, _ in news if person.reference not in before])
    usable = []
    for record, person, digest in news:
        trouble = "" if person.reference in before or person.values.get("name") else "The name is missing."
        if since := erased.get(person.reference):
            trouble = f"{people.erased(since)}: escucha customer add {person.reference} --again"
        if not trouble:
            usable.append((record, person, digest))
        else:
            done.unusable += 1
            done.problems = _first({**done.problems, record.id: trouble})
    persons = {person.reference: person for _, person, _ in usable}
    numbers = {reference: customer.id for reference, customer in before.items()}
    more = {numbers[name]: each.more for name, each in persons.items() if name in numbers and each.more}
    differ = belongings.differences(tx, more) if more else {}
    edits = [people.merged(person, before.get(name)) for name, person in persons.items()]
    added = [edit for edit in edits if edit.reference not in before]
    known = [edit for edit in edits if edit.reference in before]
    known = [edit._replace(changed=(*edit.changed, *differ.get(numbers[edit.reference], ()))) for edit in known]
    changed = [edit for edit in known if edit.changed]
    if added or changed:
        source = f"{ORIGIN}{system}"
        numbers |= customers.write(tx, added=added, changed=changed, by=by, now=now, source=source)
        told = {
            numbers[edit.reference]: (edit.reference, belong)
            for edit in (*added, *changed)
            if (belong := persons[edit.reference].more)
        }
        if told:
            belongings.put(tx, told, source=source, by=by, now=now)
    done.added += len(added)
    done.changed += len(changed)
    done.unchanged += len(usable) - len(added) - len(changed)
    crm_in.keep(
        tx,
        system,
        [
            {
                "record": record.id,
                "customer_id": numbers[person.reference],
                "digest": digest,
                "changed_at": record.changed_at,
                "seen_at": now,
            }
            for record, person, digest in usable
        ],
    )


# --- one record ---


def read(
    naming: Mapping[str, str], record: CrmRecord, *, known: Known | None, types: Mapping[str, FieldType]
) -> tuple[Person, str]:
    """Who the record is, and the digest of what it says. What it does not mention stays as it is.

    Who it is was settled when it first came: its customer keeps their reference. Raises Mistake where it is unusable.
    """
    said: list[tuple[str, str]] = []
    if naming:
        for path, ours in naming.items():
            there, value = _at(record.values, path)
            if there:
                said.append((ours, _cell(path, value)))
    else:
        said = [
            (name, _cell(name, value)) for name, value in record.values.items() if not isinstance(value, (dict, list))
        ]
    layout, without = _layout([ours for ours, _ in said], types)
    cells = [cell for _, cell in said]
    if "reference" in without:
        layout = replace(layout, columns=(*layout.columns, ("reference", "")))
        cells.append(known.reference if known else record.id)
    person = people.read(layout, cells)
    if isinstance(person, str):
        raise Mistake(f"{person[:300]}.")
    digest = hashlib.sha256(json.dumps(said, ensure_ascii=True).encode()).hexdigest()
    return (person._replace(reference=known.reference) if known else person), digest


def _layout(names: Sequence[str], types: Mapping[str, FieldType]) -> tuple[Layout, list[str]]:
    """What the columns hold, and which of those that a customer needs are not among them."""
    folded = [columns.fold(name) for name in names]
    without = [needed for needed in NEEDED if not any(name in columns.NAMES[needed] for name in folded)]
    layout = columns.layout([*names, *without], (), AS_IT_IS, types)
    return replace(layout, columns=layout.columns[: len(names)]), without


def _at(values: Mapping[str, Any], path: str) -> tuple[bool, Any]:
    """What stands at a path such as `Account.Name`, and whether anything does; below nothing there is nothing."""
    if path in values:
        return True, values[path]
    found: Any = values
    for part in path.split("."):
        if found is None:
            return True, None
        if not isinstance(found, Mapping) or part not in found:
            return False, None
        found = found[part]
    return True, found


def _cell(path: str, value: Any) -> str:
    """A value as an import's cell would hold it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (str, int, float)):
        return str(value)
    if isinstance(value, list) and all(isinstance(each, (str, int)) and not isinstance(each, bool) for each in value):
        return ", ".join(map(str, value))
    raise Mistake(f"{visible(path)[:80]} holds no value but an object or a list; name a field inside it.")
