"""A person taken out of every table, by what `personal.py` declares; a skeleton of ids, times and states stays.

`forget` does what is theirs, in one transaction. What other people's rows say of them is `searching.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, func, or_, select, update

from listener.errors import Mistake
from listener.store import Transaction, audit, cases, chain, erasing, erasures, persons, verifying
from listener.store import tables as t
from listener.store.erasures import Erasure
from listener.store.personal import ERASED, HELD, Person
from listener.types import CaseState, DraftState, Urgency

REASON = "its author was erased"
TYPED = frozenset({"reason", "note", "text", "because", "evidence", "title", "why"})  # by people, into the audit log
PLAIN = frozenset({"became", "team", "state", "urgency", "agent", "clock", "occasion", "level", "calendar", "kind"})
OTHER_CASES = frozenset({"into", "other", "out_of", "merged", "split", "parent", "part"})  # by their references
LEVELS = frozenset({*CaseState, *Urgency})
STRUCTURE = frozenset(t.cases.columns.keys()) - {"title", "customer_id"}


def counts(tx: Transaction, person: Person) -> dict[str, int]:
    """How many rows are about the person, by table; only those that have any."""
    found = {}
    for name, held in HELD.items():
        if held.whose is not None:
            table = t.metadata.tables[name]
            found[name] = int(tx.scalar(select(func.count()).select_from(table).where(held.whose(person))) or 0)
    return {name: count for name, count in found.items() if count}


def own_rows(tx: Transaction, person: Person) -> dict[str, frozenset[tuple[Any, ...]]]:
    """The keys of the rows that are about the person, by table."""
    found = {}
    for name, held in HELD.items():
        if held.whose is not None:
            table = t.metadata.tables[name]
            keys = select(*table.primary_key.columns).where(held.whose(person))
            found[name] = frozenset(tuple(row) for row in tx.execute(keys))
    return found


def systems(tx: Transaction, person: Person) -> list[str]:
    """The CRMs that know the person."""
    columns = t.crm_records.c
    return sorted(set(tx.scalars(select(columns.system).where(columns.customer_id.in_(person.customers)))))


def learned(tx: Transaction, person: Person) -> int:
    """From how many of their posts the areas may have been learned."""
    columns = t.corrections.c
    where = (columns.mention_id.in_(person.mentions), columns.accepted.is_(True), columns.what == "areas")
    return int(tx.scalar(select(func.count()).select_from(t.corrections).where(*where)) or 0)


def left_alone(tx: Transaction, person: Person) -> bool:
    """Whether they asked not to be answered."""
    columns = t.accounts.c
    asked = (columns.id.in_(person.accounts), columns.left_alone_at.is_not(None))
    return tx.scalar(select(columns.id).where(*asked).limit(1)) is not None


def hold_still(tx: Transaction, person: Person) -> None:
    """Lets nobody add to them until the transaction ends. Raises Mistake while an answer to them is on its way."""
    tx.execute(select(t.customers.c.id).where(t.customers.c.id.in_(person.customers)).with_for_update())
    accounts = t.accounts.c
    tx.execute(select(accounts.id).where(accounts.id.in_(person.accounts)).order_by(accounts.id).with_for_update())
    on_their_way = (DraftState.SENDING.value, DraftState.UNKNOWN.value)
    quoting = select(t.draft_quotes.c.draft_id).where(t.draft_quotes.c.mention_id.in_(person.mentions))
    theirs = or_(t.drafts.c.mention_id.in_(person.mentions), t.drafts.c.id.in_(quoting))
    where = (theirs, t.drafts.c.state.in_(on_their_way))
    if draft := tx.scalar(select(t.drafts.c.id).where(*where).order_by(t.drafts.c.id).limit(1)):
        raise Mistake(
            f"The answer D{draft} is on its way, or nobody knows whether it went out: wait, or settle it "
            f"(`escucha settle D{draft}`), and erase then."
        )


def forget(tx: Transaction, erasure: Erasure, person: Person, told: Iterable[tuple[str, str]], now: datetime) -> None:
    """Empties or deletes every row that is about the person; their numbers, times and states stay."""
    references = list(tx.scalars(select(t.customers.c.reference).where(t.customers.c.id.in_(person.customers))))
    references += [value for kind, value in told if kind == "reference"]
    _forget_words_of_the_record(tx, erasure, person, references, now)
    mentions = list(tx.scalars(person.mentions))
    for some in persons.batched(mentions, persons.AT_ONCE):
        erasing.empty(tx, some, reason=REASON, now=now)
        _rename_posts(tx, some)
    for case_id in person.cases:
        empty_case(tx, case_id, by=erasure.by, now=now)
    records_last = sorted(reversed(t.metadata.sorted_tables), key=lambda table: table is t.customers)
    for table in records_last:  # some are found by what the record is called
        held = HELD[table.name]
        if held.whose is not None and held.gone:
            tx.execute(delete(table).where(held.whose(person)))
        elif held.whose is not None and held.emptied:
            tx.execute(update(table).where(held.whose(person)).values(**held.emptied))
    for account_id in person.accounts:
        nobody: dict[str, Any] = {
            "external_id": f"{erasures.POST}{account_id}",
            "handle": ERASED,
            "folded": ERASED,
            "display_name": "",
        }
        nobody |= {"url": None, "followers": None, "verified": None, "created_at": None, "contacts": []}
        tx.execute(update(t.accounts).where(t.accounts.c.id == account_id).values(**nobody))
    erasures.suppress(tx, erasure, told)
    audit.record(tx, at=now, by=erasure.by, action="customer.erased", subject=f"erasure {erasure.id}")


def _rename_posts(tx: Transaction, mention_ids: Sequence[int]) -> None:
    """Takes the ids of their posts away, there and where others answered them; the post itself is known again."""
    columns = t.mentions.c
    rows = tx.execute(select(columns.id, columns.network, columns.external_id).where(columns.id.in_(mention_ids))).all()
    for network in sorted({row.network for row in rows}):
        ids = [
            row.external_id for row in rows if row.network == network and not row.external_id.startswith(erasures.POST)
        ]
        renamed = [{"of": of, "to": to} for of, to in erasures.post_ids(tx, network, ids).items()]
        for column in (columns.external_id, columns.parent_id, columns.thread_id) if renamed else ():
            where = (columns.network == network, column == bindparam("of"))
            tx.execute(update(t.mentions).where(*where).values({column.name: bindparam("to")}), renamed)


# --- cases ---


def empty_case(tx: Transaction, case_id: int, *, by: str, now: datetime, keeps_customer: bool = False) -> None:
    """Takes every word out of a case and its events; what became of it, when and by whom stays.

    `keeps_customer`: whose it is stays too.
    """
    case = cases.hold(tx, case_id)
    became = {"title": ERASED} if keeps_customer else {"title": ERASED, "customer_id": None}
    cases.record(tx, case, "erased", by=by, now=now, became=became)
    events = t.case_events.c
    emptied = [
        {"of": row.id, "to": skeleton(row.detail, keeps_customer=keeps_customer)}
        for row in tx.execute(select(events.id, events.detail).where(events.case_id == case_id))
    ]
    columns = {"detail": bindparam("to", type_=t.case_events.c.detail.type)}
    tx.execute(update(t.case_events).where(events.id == bindparam("of")).values(columns), emptied)
    tx.execute(update(t.case_mentions).where(t.case_mentions.c.case_id == case_id).values(why=""))


def skeleton(detail: Mapping[str, Any], *, keeps_customer: bool = False) -> dict[str, Any]:
    """An event's detail without anything that somebody typed: numbers, moments, states, teams and people of ours."""
    kept: dict[str, Any] = {}
    for name, value in detail.items():
        if name == "became":
            kept[name] = {column: inner for column, inner in value.items() if column in STRUCTURE}
            kept[name] |= {"title": ERASED} if "title" in value else {}
            if "customer_id" in value:
                kept[name]["customer_id"] = value["customer_id"] if keeps_customer else None
        elif _is_plain(name, value):
            kept[name] = value
        elif isinstance(value, str):
            kept[name] = ""
    return kept


def _is_plain(name: str, value: object) -> bool:
    """Whether nobody typed that: other cases by their references, mentions by their numbers, how things stood."""
    if name in PLAIN or name in OTHER_CASES:
        return True
    if isinstance(value, list):
        return all(isinstance(each, int) for each in value)
    return not isinstance(value, str | dict) or (name == "was" and value in LEVELS)


# --- the audit log ---


def _forget_words_of_the_record(
    tx: Transaction, erasure: Erasure, person: Person, references: Sequence[str], now: datetime
) -> None:
    """Empties entries about the record, and what people typed about the rest; the chain stays whole."""
    columns = t.audit.c
    about = {f"customer {reference}" for reference in references}
    theirs: list[str] = [f"mention {number}" for number in tx.scalars(person.mentions)]
    theirs += [f"draft {number}" for number in tx.scalars(person.drafts)]
    references_of_cases = select(t.cases.c.reference).where(t.cases.c.id.in_(person.cases))
    theirs += [f"case {reference}" for reference in tx.scalars(references_of_cases)]
    found: list[int] = []
    for asked in persons.batched([*sorted(about), *theirs], persons.AT_ONCE):
        query = select(columns.id, columns.subject, columns.by, columns.detail).where(columns.subject.in_(asked))
        found += [
            row.id
            for row in tx.execute(query.where(columns.salt != ""))
            if row.subject in about or (row.by != "daemon" and not TYPED.isdisjoint(row.detail))
        ]
    empty_entries(tx, found, erasure, now=now)


def empty_entries(tx: Transaction, found: Sequence[int], erasure: Erasure, *, now: datetime) -> None:
    """Takes the words out of those entries of the audit log, and says so in another one."""
    emptied: list[int] = []
    for asked in persons.batched(sorted(found), persons.AT_ONCE):
        rows = tx.execute(select(t.audit).where(t.audit.c.id.in_(asked), t.audit.c.salt != "")).all()
        values = [
            {"of": row.id, "kept": chain.digest(row.salt, row.subject, row.detail), "about": f"erasure {erasure.id}"}
            for row in rows
        ]
        columns = {"digest": bindparam("kept"), "subject": bindparam("about"), "salt": "", "detail": {}}
        if values:
            tx.execute(update(t.audit).where(t.audit.c.id == bindparam("of")).values(columns), values)
        emptied += [row.id for row in rows]
    if emptied:
        told = verifying.spans(emptied)
        audit.record(tx, at=now, by=erasure.by, action=verifying.EMPTIED, subject=f"erasure {erasure.id}", entries=told)
