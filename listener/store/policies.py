"""Which policies ruled, and which rules now: their texts, who made them rule, when and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from listener.errors import Mistake, NotFound, Stale
from listener.store import Transaction, audit, upsert
from listener.store import tables as t

_ACTIVE = select(t.policy_versions.c.version).where(t.policy_versions.c.active_since.is_not(None))

NAMED = 5  # versions in one sentence


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A policy as it was when it was made to rule, kept for good. `active_since` is None where another one rules.

    `overrides` are the modes that the settings gave it then, by network, "" for everywhere.
    """

    version: str
    text: str
    overrides: Mapping[str, str]
    first_used_at: datetime
    active_since: datetime | None


@dataclass(frozen=True, kw_only=True)
class Ruled:
    """One time that a policy was made to rule. `until` is None for the one that rules now."""

    version: str
    since: datetime
    until: datetime | None
    by: str
    because: str


def activate(
    tx: Transaction,
    *,
    version: str,
    text: str,
    by: str,
    now: datetime,
    because: str = "",
    overrides: Mapping[str, str] | None = None,
) -> bool:
    """Makes that policy the one that rules, its text kept for good; False when it ruled already."""
    alone(tx)
    if active(tx) == version:
        return False
    tx.execute(update(t.policy_versions).values(active_since=None))
    given = {network: str(mode) for network, mode in (overrides or {}).items()}
    values = {"version": version, "text": text, "overrides": given, "first_used_at": now, "active_since": now}
    statement = upsert(tx, t.policy_versions).values(**values)
    again = {"active_since": now, "overrides": given}
    tx.execute(statement.on_conflict_do_update(index_elements=["version"], set_=again))
    audit.record(tx, at=now, by=by, action="policy.activated", subject=_subject(version), because=because)
    return True


def alone(tx: Transaction) -> None:
    """Keeps everybody else from making a policy rule, and from deciding, until this transaction ends.

    Two that rule at once would be left otherwise, and decisions by a policy that rules no more.
    """
    if tx.dialect.name == "postgresql":  # SQLite has one writer only
        tx.exec_driver_sql("LOCK TABLE policy_versions IN SHARE ROW EXCLUSIVE MODE")


def expect(tx: Transaction, version: str | None) -> None:
    """Raises Stale where another one rules than was looked at; where not, that stays so, as `alone` says."""
    alone(tx)
    now = active(tx)
    if now != version:
        raise Stale(f"{now} was made to rule since you looked: see `escucha policy history`, then try again.")


def hold(tx: Transaction) -> str | None:
    """The version that rules and, for those who decide, goes on ruling until this transaction ends; None before any."""
    if tx.dialect.name == "postgresql":
        tx.exec_driver_sql("LOCK TABLE policy_versions IN SHARE MODE")
    return active(tx)


def active(tx: Transaction) -> str | None:
    """The version that rules; None before any did."""
    return tx.scalar(_ACTIVE)


def ruling(tx: Transaction) -> Stored | None:
    """The policy that rules; None before any did."""
    row = tx.execute(select(t.policy_versions).where(t.policy_versions.c.active_since.is_not(None))).first()
    return Stored(**row._mapping) if row else None


def by_then(tx: Transaction, moment: datetime) -> Stored | None:
    """The policy that had last begun to rule by then; None where none had."""
    columns = t.policy_versions.c
    query = select(t.policy_versions).where(columns.first_used_at <= moment)
    row = tx.execute(query.order_by(columns.first_used_at.desc()).limit(1)).first()
    return Stored(**row._mapping) if row else None


def text_of(tx: Transaction, version: str) -> str | None:
    """The policy file as it was under that version; None where it never ruled here."""
    return tx.scalar(select(t.policy_versions.c.text).where(t.policy_versions.c.version == version))


def find(tx: Transaction, named: str) -> Stored:
    """The policy with that version, or the only one whose version begins so.

    Raises NotFound where none does, Mistake where several do.
    """
    column = t.policy_versions.c.version
    query = select(t.policy_versions).where(column.startswith(named, autoescape=True)).order_by(column)
    found = [Stored(**row._mapping) for row in tx.execute(query)] if named else []
    exact = [each for each in found if each.version == named]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if not found:
        raise NotFound(f"No policy {named[:60]!r} ever ruled here; `escucha policy history` lists those that did.")
    names = ", ".join(each.version for each in found[:NAMED]) + (" …" if len(found) > NAMED else "")
    raise Mistake(f"{len(found)} policies that ruled here begin with {named!r} ({names}): write more of the version.")


def before(tx: Transaction) -> Stored | None:
    """The policy that ruled before the one that rules; None where none did."""
    now = active(tx)
    former = next((each.version for each in history(tx) if each.version != now), None)
    return find(tx, former) if former else None


def history(tx: Transaction) -> list[Ruled]:
    """Every time that a policy was made to rule here, the newest first."""
    versions = tx.scalars(select(t.policy_versions.c.version)).all()
    entries = audit.about(tx, *map(_subject, versions))
    found: list[Ruled] = []
    until = None
    for entry in reversed([each for each in entries if each.action == "policy.activated"]):
        version, because = entry.subject.removeprefix(_subject("")), str(entry.detail.get("because", ""))
        found.append(Ruled(version=version, since=entry.at, until=until, by=entry.by, because=because))
        until = entry.at
    return found


def _subject(version: str) -> str:
    return f"policy {version}"
