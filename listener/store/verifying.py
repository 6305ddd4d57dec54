"""Whether the audit log is as it was written: the first entry that is not, and what happened to it.

What the chain can tell by itself: entries changed, removed, inserted or put in another order. That its newest entries
were cut off together with the head, or that somebody who has no key to fear wrote the whole chain anew, shows only
against an anchor kept elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select

from listener.errors import Mistake
from listener.store import Transaction, auditing, chain
from listener.store import tables as t

PRUNED = "audit.pruned"  # entries up to one are kept no longer; says with which hash they ended
EMPTIED = "audit.emptied"  # the words of some entries were erased; says of which
REKEYED = "audit.rekeyed"  # from here on another key seals

_ANCHOR = re.compile(r"escucha-audit:(\d{1,18}):([0-9a-f]{64})")


@dataclass(frozen=True, kw_only=True)
class Anchor:
    """The chain's newest entry at some moment, to be kept where nobody who can reach the database can."""

    number: int
    hash: str

    def __str__(self) -> str:
        return f"escucha-audit:{self.number}:{self.hash}"


def anchor(text: str) -> Anchor:
    """The anchor somewhere in that text, the last where there are several. Raises Mistake where there is none."""
    found = _ANCHOR.findall(text)
    if not found:
        raise Mistake("There is no anchor in it: it looks like escucha-audit:NUMBER:HASH, see `escucha audit anchor`.")
    number, hash_ = found[-1]
    return Anchor(number=int(number), hash=hash_)


def head(tx: Transaction) -> Anchor:
    """The chain's newest entry as an anchor; number 0 where there is none."""
    row = tx.execute(select(t.audit_head)).first()
    return Anchor(number=row.last, hash=row.hash) if row else Anchor(number=0, hash=chain.ORIGIN)


class Tampering(StrEnum):
    """What was done to an entry."""

    CHANGED = "changed"
    REMOVED = "removed"
    INSERTED = "inserted"
    REORDERED = "reordered"
    TRUNCATED = "truncated"  # the newest entries are gone
    REWRITTEN = "rewritten"  # another chain than the anchor was taken of
    EMPTIED = "emptied"  # its words are gone and no entry says why


@dataclass(frozen=True, kw_only=True)
class Fault:
    """The first entry that is not as it was written."""

    number: int
    kind: Tampering
    text: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was found. Counts are of the entries up to the fault, where there is one."""

    checked: int
    first: int
    last: int
    under_key: int
    """How many are sealed with a key, so that nobody without it could have made them."""
    unknown_key: int
    """How many are sealed with a key that was not given: only their place was checked."""
    emptied: int
    """How many keep no words, because they were erased."""
    pruned: int
    """How many older ones are kept no longer."""
    anchored: bool | None
    """Whether the anchor fits; None without one, or where it is of an entry that is kept no longer."""
    fault: Fault | None


@dataclass(kw_only=True)
class _Walk:
    """How far the chain was followed."""

    before: str
    number: int
    key: str = ""
    under_key: int = 0
    unknown_key: int = 0
    emptied: set[int] = field(default_factory=set)
    explained: set[int] = field(default_factory=set)


def verify(tx: Transaction, *, keys: Mapping[str, bytes], expected: Anchor | None = None) -> Verdict:
    """Follows the chain from its beginning, or from where older entries were let go, to its end.

    `keys`: what entries may be sealed with, by `chain.key_name`. Memory does not grow with the log.
    """
    newest = head(tx)
    columns = t.audit.c
    first = tx.scalar(select(func.min(columns.id))) or newest.number + 1
    start = _Walk(before=chain.ORIGIN, number=0)
    fault: Fault | None
    if first > 1:
        detail = _pruned(tx)
        if detail.get("up_to") != first - 1 or not isinstance(detail.get("hash"), str):
            until = f"1 to {first - 1} are" if first > 2 else "1 is"
            fault = Fault(number=1, kind=Tampering.REMOVED, text=f"{until} missing, and nothing says why")
            return _verdict(start, start, first, expected, fault)
        start = _Walk(before=detail["hash"], number=first - 1)
    walk = _Walk(before=start.before, number=start.number)
    try:
        fault = _follow(tx, walk, keys, newest, expected) or _end(tx, walk, newest, expected)
    except auditing.Unreadable as unreadable:
        fault = Fault(number=unreadable.number, kind=Tampering.CHANGED, text="it is no entry any more")
    unexplained = walk.emptied - walk.explained
    if unexplained and (fault is None or min(unexplained) < fault.number):
        text = "its words are gone, and no entry says that they were erased"
        fault = Fault(number=min(unexplained), kind=Tampering.EMPTIED, text=text)
    return _verdict(walk, start, first, expected, fault)


def _pruned(tx: Transaction) -> Mapping[str, Any]:
    """What the newest entry about older ones that were let go says; empty where it says nothing."""
    columns = t.audit.c
    said = select(columns.detail).where(columns.action == PRUNED).order_by(columns.id.desc()).limit(1)
    try:
        detail = tx.scalar(said)
    except ValueError:
        return {}
    return detail if isinstance(detail, dict) else {}


def _verdict(walk: _Walk, start: _Walk, first: int, expected: Anchor | None, fault: Fault | None) -> Verdict:
    too_old = expected is None or expected.number < first - 1
    return Verdict(
        checked=walk.number - start.number,
        first=first,
        last=walk.number,
        under_key=walk.under_key,
        unknown_key=walk.unknown_key,
        emptied=len(walk.emptied),
        pruned=start.number,
        anchored=None if too_old else fault is None,
        fault=fault,
    )


def _follow(
    tx: Transaction, walk: _Walk, keys: Mapping[str, bytes], newest: Anchor, expected: Anchor | None
) -> Fault | None:
    if fault := _against(walk, expected):
        return fault
    for row in auditing.rows(tx, after=walk.number, until=newest.number):
        if row.id != walk.number + 1:
            return _missing(walk.number + 1, row.id - 1)
        if row.key != walk.key and not _may_change_key(walk, row):
            return Fault(number=row.id, kind=Tampering.CHANGED, text="it is not sealed with the key of those before it")
        if row.key and row.key not in keys:
            walk.unknown_key += 1
        elif _hash(row, walk.before, row.id, keys) != row.hash:
            return _diagnose(tx, walk, row, keys, newest)
        walk.under_key += bool(row.key and row.key in keys)
        walk.before, walk.number, walk.key = row.hash, row.id, row.key
        if not row.salt:
            walk.emptied.add(row.id)
        elif row.action == EMPTIED:
            walk.explained.update(_explained(row))
        if fault := _against(walk, expected):
            return fault
    return None


def _explained(row: Any) -> list[int]:
    """Of which entries it says that their words were erased; its own hash needs not have been checked."""
    try:
        return numbers(row.detail["entries"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise auditing.Unreadable(row.id) from None


def _may_change_key(walk: _Walk, row: Any) -> bool:
    """Where there was none one may come, where there was one another by an entry that says so; none comes never."""
    return not walk.key or (row.action == REKEYED and bool(row.key))


def _against(walk: _Walk, expected: Anchor | None) -> Fault | None:
    if expected is None or expected.number != walk.number or expected.hash == walk.before:
        return None
    text = "it is another entry than the one that the anchor was taken of: the log was written anew"
    return Fault(number=walk.number, kind=Tampering.REWRITTEN, text=text)


def _end(tx: Transaction, walk: _Walk, newest: Anchor, expected: Anchor | None) -> Fault | None:
    """What is wrong behind the last entry that was followed."""
    if walk.number < newest.number:
        return _truncated(walk.number + 1, newest.number)
    if newest.hash != walk.before:
        text = "the chain's head knows it with another hash"
        return Fault(number=walk.number, kind=Tampering.CHANGED, text=text)
    # One statement sees one moment: whoever writes meanwhile moves the head together with the entries.
    both = select(func.max(t.audit.c.id), select(t.audit_head.c.last).scalar_subquery())
    there, told = tx.execute(both).one()
    if there is not None and there > (told or 0):
        text = "it stands behind the chain's end"
        return Fault(number=(told or 0) + 1, kind=Tampering.INSERTED, text=text)
    if expected is not None and expected.number > (told or 0):
        return _truncated((told or 0) + 1, expected.number)
    return None


def _missing(first: int, last: int) -> Fault:
    return Fault(number=first, kind=Tampering.REMOVED, text=_span(first, last, "missing"))


def _truncated(first: int, last: int) -> Fault:
    return Fault(number=first, kind=Tampering.TRUNCATED, text=_span(first, last, "gone from the end"))


def _span(first: int, last: int, what: str) -> str:
    return f"it is {what}" if first == last else f"{first} to {last} are {what}"


def _hash(row: Any, before: str, number: int, keys: Mapping[str, bytes]) -> str | None:
    """What the row's hash would be in that place; None where it holds what no entry can."""
    try:
        words = chain.digest(row.salt, row.subject, row.detail) if row.salt else row.digest or ""
        return chain.link(before, number, keys.get(row.key, b""), at=row.at, by=row.by, action=row.action, words=words)
    except (ValueError, TypeError, AttributeError):
        return None


def _diagnose(tx: Transaction, walk: _Walk, row: Any, keys: Mapping[str, bytes], newest: Anchor) -> Fault:
    """What happened at the first entry whose hash is not what it should be: looks for the one that belongs there."""
    number = row.id
    following = next(auditing.rows(tx, after=number, until=newest.number), None)
    for other in auditing.rows(tx, after=number, until=newest.number + 1):
        fits = _hash(other, walk.before, number, keys)
        if fits not in (other.hash, row.hash):
            continue
        exchanged = fits == row.hash or _hash(row, other.hash, other.id, keys) == row.hash
        if other.id == number + 1 and not exchanged:
            text = "it was never written; the entry that belongs there follows it"
            return Fault(number=number, kind=Tampering.INSERTED, text=text)
        text = f"the entry that belongs there stands at {other.id}"
        return Fault(number=number, kind=Tampering.REORDERED, text=text)
    shift = newest.number - (tx.scalar(select(func.max(t.audit.c.id))) or 0)
    if shift > 0 and following and _hash(following, row.hash, following.id + shift, keys) == following.hash:
        return _missing(number, number + shift - 1)
    return Fault(number=number, kind=Tampering.CHANGED, text="it is not what was written")


def spans(found: list[int]) -> str:
    """Numbers in few words: `3-5,9`."""
    parts: list[tuple[int, int]] = []
    for number in sorted(found):
        if parts and parts[-1][1] == number - 1:
            parts[-1] = parts[-1][0], number
        else:
            parts.append((number, number))
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def numbers(text: str) -> list[int]:
    """What `spans` wrote."""
    found: list[int] = []
    for part in text.split(",") if text else ():
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found
