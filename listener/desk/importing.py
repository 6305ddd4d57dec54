"""A customer file into the database: batch by batch, every line accounted for.

    read | check | (rejected lines beside the file) | merge with what is stored | write | link

A batch is one transaction. Whatever happens in the middle, importing the same file again ends in the same records:
the reference says who is who, and a record that is already as the file has it is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path

from listener.desk import customers as rules
from listener.desk import people, spreadsheet
from listener.desk.people import Layout, Person
from listener.desk.spreadsheet import Record, Rejects, Sheet
from listener.store import Store, Transaction, customers, links
from listener.store.customers import Edit
from listener.store.links import Claim
from listener.store.seen import Seen
from listener.types import LinkBasis

BATCH = 500


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something to say about one line; `rejected`: it needs repair."""

    line: int
    text: str
    rejected: bool = True


@dataclass(kw_only=True)
class Tally:
    """What became of the lines: each that was read is counted in exactly one of the five below it."""

    read: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    repeated: int = 0  # a later line of the file, or this one over an earlier, gave the same reference
    rejected: int = 0
    linked: int = 0
    expected: int = 0  # links that wait for the account to be heard
    not_linked: int = 0


@dataclass(frozen=True, kw_only=True)
class Task:
    """How a file is to be imported. `linkable` asks a network's facts; without `write` nothing is stored."""

    basis: LinkBasis
    evidence: str
    linkable: Callable[[str], bool]
    by: str
    now: datetime
    write: bool = True


@dataclass(kw_only=True)
class Import:
    """One file on its way in. `tally` and `rejects` say at any moment how far it came."""

    sheet: Sheet
    layout: Layout
    task: Task
    report: Callable[[Finding], None]
    tally: Tally = field(default_factory=Tally)
    found: int = 0  # how many findings were reported
    rejects: Rejects = field(init=False)
    _seen: Seen = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.rejects = Rejects(self.sheet)

    def run(self, store: Store, progress: Callable[[int], None]) -> None:
        """Imports every line; `progress` hears how many bytes of the file are done."""
        self._seen = Seen()
        with closing(self._seen), closing(self.rejects):
            records = self.sheet.records()
            while batch := list(islice(records, BATCH)):
                good = list(self._good(batch))
                self.rejects.flush()
                if self.task.write:
                    with store.write() as tx:
                        self._put(tx, good)
                else:
                    with store.read() as tx:
                        self._put(tx, good)
                self.rejects.flush()
                progress(batch[-1].end)

    def _good(self, batch: Sequence[Record]) -> Iterator[tuple[Record, Person]]:
        for record in batch:
            self.tally.read += 1
            read = record.trouble or people.read(self.layout, record.cells)
            if isinstance(read, str):
                self.tally.rejected += 1
                self._reject(record, read)
            else:
                yield record, read

    def _reject(self, record: Record, reason: str) -> None:
        if self.task.write:
            self.rejects.add(record, reason)
        self._say(Finding(line=record.first_line, text=reason))

    def _say(self, finding: Finding) -> None:
        self.found += 1
        self.report(finding)

    def _put(self, tx: Transaction, good: Sequence[tuple[Record, Person]]) -> None:
        """Writes one batch. Of several lines with one reference the last wins."""
        again: set[str] = set()
        latest: dict[str, tuple[Record, Person]] = {}
        for record, person in good:
            before = self._seen.meet(person.reference, record.first_line)
            if before is not None:
                text = f"it repeats {person.reference!r} of line {before}; the later line counts"
                self._say(Finding(line=record.first_line, text=text, rejected=False))
                self.tally.repeated += 1
                if person.reference not in latest:
                    again.add(person.reference)
            latest[person.reference] = record, person
        known = customers.known(tx, latest)
        edits = [people.merged(person, known.get(reference)) for reference, (_, person) in latest.items()]
        added = [edit for edit in edits if edit.reference not in known]
        changed = [edit for edit in edits if edit.reference in known and edit.changed]
        if self.task.write:
            customers.write(
                tx, added=added, changed=changed, by=self.task.by, now=self.task.now, source=self.sheet.path.name
            )
        self._count(added, changed, edits, again)
        self._link(tx, list(latest.values()))

    def _count(self, added: Sequence[Edit], changed: Sequence[Edit], edits: Sequence[Edit], again: set[str]) -> None:
        fresh = sum(edit.reference not in again for edit in added)
        other = sum(edit.reference not in again for edit in changed)
        self.tally.added += fresh
        self.tally.changed += other
        self.tally.unchanged += len(edits) - len(again) - fresh - other

    def _link(self, tx: Transaction, batch: Sequence[tuple[Record, Person]]) -> None:
        wanted: dict[str, list[str]] = {}
        for _, person in batch:
            for network, handle in person.handles:
                wanted.setdefault(network, []).append(handle)
        claims = {network: links.claims(tx, network, handles) for network, handles in wanted.items()}
        allowed: list[tuple[str, Claim, str]] = []
        for record, person in batch:
            refused = []
            for network, handle in person.handles:
                claim = claims[network][links.fold(handle)]
                if claim.owner == person.reference:
                    continue
                if reason := self._refusal(claim, network, person):
                    refused.append(f"@{handle} on {network} was not linked: {reason}")
                    continue
                allowed.append((network, claim, person.reference))
                self.tally.linked += claim.account_id is not None
                self.tally.expected += claim.account_id is None
                claims[network][links.fold(handle)] = _taken(claim, person.reference)
            if refused:
                self.tally.not_linked += len(refused)
                self._reject(record, "; ".join(refused))
        if self.task.write:
            self._tie(tx, allowed)

    def _tie(self, tx: Transaction, allowed: Sequence[tuple[str, Claim, str]]) -> None:
        task = self.task
        stored = customers.known(tx, {reference for _, _, reference in allowed})
        told = []
        for network, claim, reference in allowed:
            if claim.account_id is None:
                told.append((network, claim.handle, stored[reference]))
                continue
            rules.tie(
                tx,
                stored[reference],
                claim,
                network=network,
                basis=task.basis,
                evidence=task.evidence,
                by=task.by,
                now=task.now,
            )
        if told:
            links.expect(tx, told, basis=task.basis, evidence=task.evidence, by=task.by, now=task.now)

    def _refusal(self, claim: Claim, network: str, person: Person) -> str:
        if person.reference in claim.taken_back_from:
            return "a person unlinked it; use `escucha customer link` if it is theirs after all"
        return rules.refusal(
            claim,
            network=network,
            linkable=self.task.linkable(network),
            basis=self.task.basis,
            reference=person.reference,
        )


def _taken(claim: Claim, owner: str) -> Claim:
    return Claim(handle=claim.handle, account_id=claim.account_id, owner=owner, expected=claim.account_id is None)


def begin(path: Path, *, networks: Sequence[str], task: Task, report: Callable[[Finding], None]) -> Import:
    """The import of the file at `path`, ready to run. Raises Mistake for what is no customer file."""
    sheet = spreadsheet.read(path, knows=people.knows(networks))
    return Import(sheet=sheet, layout=people.layout(sheet.header, networks), task=task, report=report)
