"""A customer file into the database: batch by batch, every line accounted for.

    read | check | (rejected lines beside the file) | merge with what is stored | write | link

A batch is one transaction. Whatever happens in the middle, importing the same file again ends in the same records:
the reference says who is who, and a record that is already as the file has it is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from listener import garbage
from listener.desk import belongings, columns, jsonlines, people, spreadsheet, workbook
from listener.desk import customers as rules
from listener.desk.belongings import More
from listener.desk.columns import AS_IT_IS, Layout, Reading
from listener.desk.import_task import Finding, Tally, Task
from listener.desk.people import Person
from listener.desk.repairs import Rejects
from listener.desk.spreadsheet import Record, Sheet
from listener.store import Store, Transaction, audit, customers, erasures, field_types, handles, holdings, links
from listener.store.customers import Customer, Edit
from listener.store.field_types import FieldType
from listener.store.links import Claim
from listener.store.seen import Seen

BATCH = 5_000
KEPT = 10_000  # changes that are told one by one
HANDLES = 5_000  # that are asked for at once


@dataclass(kw_only=True)
class Import:
    """One file on its way in. `tally` and `rejects` say at any moment how far it came."""

    sheet: Sheet
    layout: Layout
    task: Task
    report: Callable[[Finding], None]
    types: tuple[FieldType, ...] = ()  # that the mapping declares
    tally: Tally = field(default_factory=Tally)
    found: int = 0  # how many findings were reported
    rejects: Rejects = field(init=False)
    _seen: Seen = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.rejects = Rejects(self.sheet)

    def run(self, store: Store, progress: Callable[[int], None]) -> None:
        """Imports every line; `progress` hears how much of the file is done."""
        self._seen = Seen()
        read_one = people.reader(self.layout)
        put = self._put_contracts if self.layout.only_contracts else self._put
        with closing(self._seen), closing(self.rejects):
            if self.types and self.task.write:
                with store.write() as tx:
                    field_types.declare(tx, self.types, by=self.task.by, now=self.task.now)
            records = self.sheet.records()
            while batch := list(islice(records, BATCH)):
                with garbage.put_off():
                    good = self._good(batch, read_one)
                    self.rejects.flush()
                    with store.write() if self.task.write else store.read() as tx:
                        put(tx, good)
                self.rejects.flush()
                progress(batch[-1].end)

    def _good(
        self, batch: Sequence[Record], read_one: Callable[[Sequence[str]], Person | str]
    ) -> list[tuple[Record, Person]]:
        self.tally.read += len(batch)
        good = []
        for record in batch:
            read = record.trouble or read_one(record.cells)
            if isinstance(read, str):
                self.tally.rejected += 1
                self._reject(record, read)
            else:
                good.append((record, read))
        return good

    def _reject(self, record: Record, reason: str) -> None:
        if self.task.write:
            self.rejects.add(record, reason)
        self._say(Finding(line=record.first_line, text=reason))

    def _say(self, finding: Finding) -> None:
        self.found += 1
        self.report(finding)

    def _put(self, tx: Transaction, good: Sequence[tuple[Record, Person]]) -> None:
        """Writes one batch. Of several lines with one reference the last wins."""
        if any(person.handles for _, person in good):
            links.alone(tx)
        latest, again, contracts = self._latest(good)
        stored = customers.as_imported(tx, latest, lock=self.task.write)
        if not self.layout.has_names:
            latest = self._of_known(latest, stored)
        latest = self._without_erased(tx, latest, stored)
        doubtful = {
            reference: person
            for reference, (_, person) in latest.items()
            if reference in stored and stored[reference][1] != person.digest
        }
        known = customers.known(tx, doubtful, lock=self.task.write) if doubtful else {}
        belong = {known[name].id: each.more for name, each in doubtful.items() if each.more}
        differ = belongings.differences(tx, belong) if belong else {}
        added = [people.merged(person, None) for reference, (_, person) in latest.items() if reference not in stored]
        merged = [people.merged(person, known[name]) for name, person in doubtful.items()]
        merged = [edit._replace(changed=(*edit.changed, *differ.get(known[edit.reference].id, ()))) for edit in merged]
        changed = [edit for edit in merged if edit.changed]
        if self.task.write:
            self._write(tx, latest, added, changed)
            same = {known[edit.reference].id: edit.digest for edit in merged if not edit.changed}
            customers.mark_imported(tx, same)
            self._put_all_contracts(tx, [each for each in contracts if each.reference in latest])
        self._count(added, changed, len(latest), again)
        self._link(tx, [each for each in latest.values() if each[1].handles])

    def _latest(
        self, good: Sequence[tuple[Record, Person]]
    ) -> tuple[dict[str, tuple[Record, Person]], set[str], list[Person]]:
        """The last line of each reference, the references that an earlier batch had, and lines with contracts."""
        again: set[str] = set()
        latest: dict[str, tuple[Record, Person]] = {}
        contracts = [person for _, person in good if person.more and person.more.contract]
        for record, person in good:
            before = self._seen.meet(person.reference, record.first_line)
            if before is not None:
                text = f"it repeats {person.reference!r} of line {before}; the later line counts"
                self._say(Finding(line=record.first_line, text=text, rejected=False))
                self.tally.repeated += 1
                if person.reference not in latest:
                    again.add(person.reference)
            latest[person.reference] = record, person
        return latest, again, contracts

    def _of_known(
        self, latest: Mapping[str, tuple[Record, Person]], stored: Collection[str]
    ) -> dict[str, tuple[Record, Person]]:
        """Those lines whose customer is there; the others are rejected, for without a name nobody is added."""
        kept = {}
        for reference, (record, person) in latest.items():
            if reference in stored:
                kept[reference] = record, person
            else:
                self.tally.rejected += 1
                self._reject(record, f"there is no customer {reference!r}, and the file has no names to add one")
        return kept

    def _without_erased(
        self, tx: Transaction, latest: Mapping[str, tuple[Record, Person]], stored: Collection[str]
    ) -> dict[str, tuple[Record, Person]]:
        """Those lines that bring back nobody who was erased; the others are rejected, for a person to say."""
        told = {
            reference: erasures.names_of(reference, person.values.get("email"))
            for reference, (_, person) in latest.items()
            if reference not in stored
        }
        erased = erasures.suppressed(tx, [each for some in told.values() for each in some]) if told else {}
        kept = {}
        for reference, (record, person) in latest.items():
            since = next((erased[each] for each in told.get(reference, ()) if each in erased), None)
            if since is None:
                kept[reference] = record, person
            else:
                self.tally.rejected += 1
                self._reject(record, f"{people.erased(since)}: escucha customer add {reference} --again")
        return kept

    def _write(
        self,
        tx: Transaction,
        latest: Mapping[str, tuple[Record, Person]],
        added: Sequence[Edit],
        changed: Sequence[Edit],
    ) -> None:
        task, source = self.task, self.sheet.path.name
        ids = customers.write(tx, added=added, changed=changed, by=task.by, now=task.now, source=source)
        told = {
            ids[edit.reference]: (edit.reference, more)
            for edit in (*added, *changed)
            if (more := latest[edit.reference][1].more)
        }
        if told:
            told = self._ruled(tx, told)
            belongings.put(tx, told, source=source, by=task.by, now=task.now)

    def _ruled(self, tx: Transaction, told: Mapping[int, tuple[str, More]]) -> dict[int, tuple[str, More]]:
        """The same, for the records that rule: what comes for one that was merged is the other's."""
        merged = customers.merged_among(tx, set(told))
        found = {}
        for number, each in told.items():
            ruling = customers.ruling(tx, customers.by_id(tx, number)) if number in merged else None
            found[ruling.id if ruling else number] = (ruling.reference, each[1]) if ruling else each
        return found

    def _put_contracts(self, tx: Transaction, good: Sequence[tuple[Record, Person]]) -> None:
        """Writes a batch of lines that are contracts each; a customer may stand on several."""
        stored = self._ruling_ids(tx, {person.reference for _, person in good})
        had = holdings.contracts_among(tx, list(stored.values()))
        fresh: list[Person] = []
        for record, person in good:
            contract = person.more.contract if person.more else None
            number = stored.get(person.reference)
            if contract is None or number is None:
                self.tally.rejected += 1
                self._reject(record, "it has no contract" if number else f"there is no customer {person.reference!r}")
            elif had.get((number, contract.reference)) == contract:
                self.tally.unchanged += 1
            else:
                had[number, contract.reference] = contract
                fresh.append(person)
                self.tally.changed += 1
                self._note_change(person.reference, ("contract",))
        if self.task.write:
            self._put_all_contracts(tx, fresh)
            self._record_contracts(tx, fresh)

    def _ruling_ids(self, tx: Transaction, references: Collection[str]) -> dict[str, int]:
        """The records to which what comes for those references goes: of one that was merged, the other."""
        found = customers.ids(tx, references)
        merged = customers.merged_among(tx, set(found.values()))
        return {
            reference: customers.ruling(tx, customers.by_id(tx, number)).id if number in merged else number
            for reference, number in found.items()
        }

    def _put_all_contracts(self, tx: Transaction, told: Sequence[Person]) -> None:
        if told:
            ids = self._ruling_ids(tx, {person.reference for person in told})
            holdings.put_contracts(
                tx,
                [(ids[each.reference], each.more.contract) for each in told if each.more and each.more.contract],
                now=self.task.now,
            )

    def _record_contracts(self, tx: Transaction, told: Sequence[Person]) -> None:
        entries = [
            audit.Entry(
                at=self.task.now,
                by=self.task.by,
                action="customer.changed",
                subject=f"customer {reference}",
                detail={"source": self.sheet.path.name, "columns": ["contract"]},
            )
            for reference in dict.fromkeys(person.reference for person in told)
        ]
        audit.record_all(tx, entries)

    def _count(self, added: Sequence[Edit], changed: Sequence[Edit], lines: int, again: set[str]) -> None:
        fresh = sum(edit.reference not in again for edit in added)
        other = sum(edit.reference not in again for edit in changed)
        self.tally.added += fresh
        self.tally.changed += other
        self.tally.unchanged += lines - len(again) - fresh - other
        for edit in changed:
            self._note_change(edit.reference, edit.changed)

    def _note_change(self, reference: str, columns: tuple[str, ...]) -> None:
        self.tally.columns.update(columns)
        if len(self.tally.changes) < KEPT:
            self.tally.changes.append((reference, columns))

    def _link(self, tx: Transaction, batch: Sequence[tuple[Record, Person]]) -> None:
        wanted: dict[str, list[str]] = {}
        for _, person in batch:
            for network, handle in person.handles:
                wanted.setdefault(network, []).append(handle)
        claims: dict[str, dict[str, Claim]] = {network: {} for network in wanted}
        for network, told in wanted.items():
            for first in range(0, len(told), HANDLES):
                claims[network] |= links.claims(tx, network, told[first : first + HANDLES])
        allowed: list[tuple[str, Claim, str]] = []
        stored = customers.known(tx, {person.reference for _, person in batch}, lock=self.task.write)
        merged = customers.merged_among(tx, {each.id for each in stored.values()}) if stored else set()
        rule = {each.reference: customers.ruling(tx, each).reference for each in stored.values() if each.id in merged}
        for record, person in batch:
            refused = []
            owner = rule.get(person.reference, person.reference)
            for network, handle in person.handles:
                claim = claims[network][handles.fold(handle)]
                if claim.owner == owner:
                    continue
                if reason := self._refusal(claim, network, owner):
                    refused.append(f"@{handle} on {network} was not linked: {reason}")
                    continue
                allowed.append((network, claim, person.reference))
                self.tally.linked += claim.account_id is not None
                self.tally.expected += claim.account_id is None
                claims[network][handles.fold(handle)] = _taken(claim, owner)
            if refused:
                self.tally.not_linked += len(refused)
                self._reject(record, "; ".join(refused))
        if self.task.write:
            self._tie(tx, allowed, stored)

    def _tie(self, tx: Transaction, allowed: Sequence[tuple[str, Claim, str]], stored: Mapping[str, Customer]) -> None:
        task = self.task
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

    def _refusal(self, claim: Claim, network: str, owner: str) -> str:
        if owner in claim.taken_back_from:
            return "a person unlinked it; use `escucha customer link` if it is theirs after all"
        return rules.refusal(
            claim,
            network=network,
            linkable=self.task.linkable(network),
            basis=self.task.basis,
            reference=owner,
        )


def _taken(claim: Claim, owner: str) -> Claim:
    return Claim(handle=claim.handle, account_id=claim.account_id, owner=owner, expected=claim.account_id is None)


def begin(
    path: Path,
    *,
    networks: Collection[str],
    task: Task,
    report: Callable[[Finding], None],
    reading: Reading = AS_IT_IS,
    types: Mapping[str, FieldType] | None = None,
) -> Import:
    """The import of the file at `path`, ready to run; `types`: of declared fields, by name in small letters.

    Raises Mistake for what is no customer file.
    """
    sheet = opened(path, networks=networks, reading=reading)
    shape = columns.layout(sheet.header, networks, reading, types)
    return Import(sheet=sheet, layout=shape, task=task, report=report, types=reading.types)


def opened(path: Path, *, networks: Collection[str], reading: Reading = AS_IT_IS) -> Sheet:
    """The file's header and records: a workbook, JSON lines, or a spreadsheet saved as text. Raises Mistake."""
    knows = columns.knows(networks, reading)
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError:
        head = b""  # `spreadsheet.read` says what is wrong with it
    if workbook.is_workbook(head):
        return workbook.read(path, knows=knows, sheet=reading.sheet, decimal=reading.habits.decimal)
    if jsonlines.is_json_lines(head):
        return jsonlines.read(path)
    return spreadsheet.read(path, knows=knows, encoding=reading.encoding, delimiter=reading.delimiter)
