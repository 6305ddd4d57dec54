"""Whose an account is, and what a customer file may hold."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from listener import store as stores
from listener.desk import columns, importing, people, spreadsheet, unlinking
from listener.desk import customers as desk
from listener.desk.import_task import Finding, Task
from listener.desk.importing import Import
from listener.errors import AlreadyDone, Mistake, NotFound
from listener.store import Store, audit, cases, customers, handles, links, mentions
from listener.store.customers import Customer, Edit
from listener.types import LinkBasis
from tests import databases
from tests.listener.commands.desk_world import Clock, DeskWorld

NETWORKS = ("mail", "mastodon", "reddit", "sandbox", "x")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DeskWorld]:
    made = DeskWorld(tmp_path)
    yield made
    made.close()


def add(world: DeskWorld, *references: str) -> list[Customer]:
    values = {"name": "Ana", "email": None, "phone": None, "language": "", "tier": "", "tags": [], "fields": {}}
    edits = [Edit(reference=reference, values=values, changed=()) for reference in references]
    with world.store.write() as tx:
        customers.write(tx, added=edits, changed=[], by="test", now=world.clock(), source="test")
        return [customers.get(tx, reference) for reference in references]


def link(world: DeskWorld, customer: Customer, handle: str = "@ana", **how: Any) -> desk.Linked:
    chosen: dict[str, Any] = {"network": "sandbox", "basis": LinkBasis.VERIFIED, "linkable": True, "by": "eva"} | how
    with world.store.write() as tx:
        return desk.link(tx, customer, handle=handle, evidence="a letter", now=world.clock(), **chosen)


def unlink(world: DeskWorld, customer: Customer, handle: str = "@ana", **how: Any) -> unlinking.Unlinked:
    chosen: dict[str, Any] = {"network": "sandbox", "pattern": "ES", "by": "eva"} | how
    with world.store.write() as tx:
        return unlinking.unlink(tx, customer, handle=handle, now=world.clock(), **chosen)


def behind(world: DeskWorld, number: int) -> str | None:
    with world.store.write() as tx:
        mention = mentions.get(tx, number)
        author = mention.author.handle
        found = desk.behind(tx, mention.account_id, mention.network, author, world.clock())
        return found.reference if found else None


# --- links ---


def test_a_link_gives_the_customer_the_open_cases_of_the_account(world: DeskWorld) -> None:
    (ana,) = add(world, "C1")
    number = world.hears()
    world.decides(number, open_case=True)
    linked = link(world, ana)
    assert linked.heard
    with world.store.read() as tx:
        (case,) = cases.listing(tx)
        assert [given.reference for given in linked.cases] == [case.reference]
        assert case.customer_reference == "C1"
        assert cases.events_of(tx, case)[-1].kind == "customer"
        assert [entry.action for entry in audit.about(tx, "customer C1")] == ["customer.added", "customer.linked"]
    assert behind(world, number) == "C1"


def test_unlinking_gives_the_account_its_cases_back(world: DeskWorld) -> None:
    ana, _ = add(world, "C1", "C2")
    number = world.hears()
    world.decides(number, open_case=True)
    (given,) = link(world, ana).cases
    assert [case.reference for case in unlink(world, ana).returned] == [given.reference]
    assert behind(world, number) is None
    with world.store.read() as tx:
        assert cases.get(tx, given.reference).customer_reference is None
        assert links.of(tx, ana) == []
        assert audit.about(tx, "customer C1")[-1].action == "customer.unlinked"
    with pytest.raises(NotFound, match="not linked to C1"):
        unlink(world, ana)


def test_unlinking_what_was_right_until_now_leaves_cases_and_says_which(world: DeskWorld) -> None:
    (ana,) = add(world, "C1")
    number = world.hears()
    world.decides(number, open_case=True)
    (given,) = link(world, ana).cases
    assert [case.reference for case in unlink(world, ana, keep_cases=True).still_theirs] == [given.reference]
    assert behind(world, number) is None
    with world.store.read() as tx:
        assert cases.get(tx, given.reference).customer_reference == "C1"


def test_an_account_not_heard_yet_is_linked_when_it_is(world: DeskWorld) -> None:
    (ana,) = add(world, "C1")
    assert link(world, ana, "@ANA") == desk.Linked(heard=False)
    number = world.hears(who="Ana")
    with world.store.read() as tx:
        assert [each.account_id for each in links.of(tx, ana)] == [None]
    assert [behind(world, number), behind(world, number)] == ["C1", "C1"]
    with world.store.read() as tx:
        (real,) = links.of(tx, ana)
        assert (real.handle, real.basis, real.evidence, real.linked_by) == ("Ana", "verified", "a letter", "eva")
        assert real.account_id is not None
        last = audit.about(tx, "customer C1")[-1]
        assert (last.action, last.by, last.detail["said_by"]) == ("customer.linked", "daemon", "eva")


def test_a_later_account_of_that_name_is_not_linked_again(world: DeskWorld) -> None:
    (ana,) = add(world, "C1")
    link(world, ana)
    assert behind(world, world.hears()) == "C1"
    unlink(world, ana)
    assert behind(world, world.hears()) is None


def test_an_expectation_can_be_taken_back(world: DeskWorld) -> None:
    (ana,) = add(world, "C1")
    link(world, ana)
    unlink(world, ana)
    assert behind(world, world.hears()) is None


@pytest.mark.parametrize("heard", [True, False], ids=["heard", "not heard yet"])
def test_an_account_is_one_customers(world: DeskWorld, heard: bool) -> None:
    ana, luis = add(world, "C1", "C2")
    if heard:
        world.hears()
    link(world, ana)
    with pytest.raises(AlreadyDone, match="customer C1's; unlink it there first"):
        link(world, luis)
    with pytest.raises(AlreadyDone, match="is C1's already"):
        link(world, ana, "ANA")
    unlink(world, ana)
    link(world, luis)


@pytest.mark.parametrize(
    ("linkable", "basis", "allowed"),
    [
        (True, LinkBasis.SELF_DECLARED, True),
        (True, LinkBasis.VERIFIED, True),
        (True, LinkBasis.PUBLIC_EVIDENCE, True),
        (True, LinkBasis.FORBIDDEN, False),
        (False, LinkBasis.SELF_DECLARED, True),
        (False, LinkBasis.VERIFIED, False),
        (False, LinkBasis.PUBLIC_EVIDENCE, False),
        (False, LinkBasis.FORBIDDEN, False),
    ],
)
def test_where_a_network_forbids_it_only_their_own_word_counts(
    world: DeskWorld, linkable: bool, basis: LinkBasis, allowed: bool
) -> None:
    (ana,) = add(world, "C1")
    if allowed:
        link(world, ana, basis=basis, linkable=linkable)
        return
    with pytest.raises(Mistake, match="forbidden"):
        link(world, ana, basis=basis, linkable=linkable)
    with world.store.read() as tx:
        assert links.of(tx, ana) == []


@pytest.mark.parametrize(
    ("told", "heard", "url"),
    [
        ("@ana@masto.host", "ana", "https://masto.host/@ana"),  # a server calls its own people by the bare name
        ("ana@Masto.Host", "ana@masto.host", "https://masto.host/@ana"),
        ("ana", "ana", None),
        ("ana", "ana", "http://[broken"),
    ],
)
def test_a_handle_is_recognised_as_people_write_it(told: str, heard: str, url: str | None) -> None:
    assert handles.fold(told) in handles.names(heard, url)


@pytest.mark.parametrize("handle", ["", "@", "two words", "a\u202eb", "a\x1b[31m", "x" * 301, "a\u200bb"])
def test_what_is_no_handle_is_refused(handle: str) -> None:
    with pytest.raises(Mistake):
        desk.check_handle(handle)


# --- formulas ---


@given(st.text())
@example("=1+1")
@example("'=1+1")
@example("''@x")
@example("\t=x")
@example(" +54 11")
@example("-5")
@example("＝x")
def test_neutralising_a_cell_can_be_undone(cell: str) -> None:
    safe = spreadsheet.neutralise(cell)
    assert spreadsheet.restore(safe) == cell
    assert (
        safe.lstrip("\ufeff")[:1] not in {"=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"}
        or safe[:1] == "\ufeff"
    )


# --- one line ---


def layout(*header: str) -> columns.Layout:
    return columns.layout(header, NETWORKS)


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (("reference", "name"), (("reference", ""), ("name", ""))),
        (("LEGAJO", "Nombre"), (("reference", ""), ("name", ""))),
        (("Id", "nombre", "Correo electrónico"), (("reference", ""), ("name", ""), ("email", ""))),
        (("referencia", "nombre", "Teléfono"), (("reference", ""), ("name", ""), ("phone", ""))),
        (("ref", "name", "Categoría", "Etiquetas"), (("reference", ""), ("name", ""), ("tier", ""), ("tags", ""))),
        (("ref", "name", "Mastodon"), (("reference", ""), ("name", ""), ("account", "mastodon"))),
        (("ref", "name", "account: X"), (("reference", ""), ("name", ""), ("account", "x"))),
        (("ref", "name", "cuenta:reddit"), (("reference", ""), ("name", ""), ("account", "reddit"))),
        (("ref", "name", "Twitter"), (("reference", ""), ("name", ""), ("account", "x"))),
        (("ref", "name", "mail"), (("reference", ""), ("name", ""), ("email", ""))),
        (("ref", "name", "account:mail"), (("reference", ""), ("name", ""), ("account", "mail"))),
        (("ref", "name", "Sucursal"), (("reference", ""), ("name", ""), ("field", "Sucursal"))),
        (("rejected_reason", "rejected_line", "ref", "name"), (("", ""), ("", ""), ("reference", ""), ("name", ""))),
        (("ref", "name", ""), (("reference", ""), ("name", ""), ("", ""))),
    ],
    ids=lambda value: ",".join(str(each) for each in value) if isinstance(value, tuple) else None,
)
def test_columns_are_known_by_their_names(header: tuple[str, ...], told: tuple[tuple[str, str], ...]) -> None:
    assert layout(*header).columns == told


def test_of_two_columns_for_one_thing_the_first_rules_and_it_is_said() -> None:
    shape = layout("id", "legajo", "nombre")
    assert shape.columns == (("field", "id"), ("reference", ""), ("name", ""))
    assert shape.notes == ("reference is read from 'legajo'; 'id' is kept as a further field.",)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (("nombre",), "no column for the reference"),
        (("ref",), "no column for the name"),
        (("ref", "name", "Name"), "both called"),
        (("ref", "name", "account:nowhere"), "names no network"),
        (tuple(f"c{n}" for n in range(501)), "501 columns"),
    ],
)
def test_a_header_that_cannot_be_used_is_one_sentence(header: tuple[str, ...], said: str) -> None:
    with pytest.raises(Mistake, match=said) as caught:
        layout(*header)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("column", "cell", "value"),
    [
        ("name", "  Ana \n Pérez ", "Ana Pérez"),
        ("email", "ana@x.example", "ana@x.example"),
        ("email", "", None),
        ("phone", "'+54 (11) 4444-5555", "+54 (11) 4444-5555"),
        ("phone", "011 4444 ext. 12", "011 4444 ext. 12"),
        ("language", "es-AR", "es"),
        ("language", "Español", "es"),
        ("language", "", ""),
        ("tags", "vip, norte; vip|sur", ("vip", "norte", "sur")),
    ],
)
def test_cells_are_read_as_they_are_meant(column: str, cell: str, value: object) -> None:
    header = ("ref", "name") if column == "name" else ("ref", "name", column)
    cells = ["C1", cell] if column == "name" else ["C1", "Ana", cell]
    person = people.read(layout(*header), cells)
    assert not isinstance(person, str), person
    assert person.values[column] == value


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("email", "ana at x", "no e-mail address"),
        ("email", "a@b, c@d", "no e-mail address"),
        ("phone", "5,49E+11", "format the column as text"),
        ("phone", "call me", "no phone number"),
        ("language", "Klingon", "no language"),
        ("tier", "g\u202eold", "hidden"),
        ("mastodon", "a\u200bb", "no handle"),
        ("Notes", "x\x1b[2Jy", "control character \\x1b"),
        ("Notes", "a\x00b", "control character \\x00"),
        ("Notes", "x" * 10_001, "10,001 characters long"),
        ("tags", ",".join(map(str, range(60))), "more than 50 tags"),
        ("x", " ".join(map(str, range(60))), "60 accounts, more than 20"),
    ],
)
def test_a_cell_that_cannot_be_used_says_why(column: str, cell: str, said: str) -> None:
    reasons = people.read(layout("ref", "name", column), ["C1", "Ana", cell])
    assert isinstance(reasons, str)
    assert said in reasons


def test_every_reason_is_told_at_once() -> None:
    assert people.read(layout("ref", "name", "email"), ["", "", "x"]) == (
        "The reference is empty; The name is empty; 'x' is no e-mail address"
    )
    assert people.read(layout("ref", "name"), ["C1"]) == "it has 1 cells where the header has 2"
    assert people.read(layout("ref", "name"), ["C1", "Ana", "more"]) == "it has 3 cells where the header has 2"
    assert isinstance(people.read(layout("ref", "name"), ["C1", "Ana", " "]), people.Person)


def test_what_the_file_has_no_column_for_stays(world: DeskWorld) -> None:
    (ana,) = add(world, "C1")
    before = Customer(**{**vars(ana), "email": "a@x.example", "fields": {"city": "Lugo", "shoe": "38"}})
    person = people.read(layout("ref", "name", "tier", "shoe"), ["C1", "Ana", "gold", ""])
    assert isinstance(person, people.Person)
    edit = people.merged(person, before)
    assert edit.values["email"] == "a@x.example"
    assert edit.values["fields"] == {"city": "Lugo"}
    assert edit.changed == ("tier", "fields.shoe")
    assert people.merged(person, Customer(**{**vars(before), "tier": "gold", "fields": {}})).changed == ()


# --- whole files ---


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Store]:
    made = stores.open(databases.at(tmp_path))
    yield made
    made.close()


class Importer:
    """Imports what it is given and remembers what was said."""

    def __init__(self, store: Store, folder: Path, world: Callable[[], Any]) -> None:
        self.store, self.folder, self.now = store, folder, world
        self.said: list[Finding] = []

    def __call__(
        self, content: str | bytes | Path, *, basis: LinkBasis = LinkBasis.VERIFIED, write: bool = True
    ) -> Import:
        path = content if isinstance(content, Path) else self.folder / "people.csv"
        if not isinstance(content, Path):
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        task = Task(
            basis=basis,
            evidence="file",
            linkable=lambda network: network != "reddit",
            by="eva",
            now=self.now(),
            write=write,
        )
        self.said = []
        running = importing.begin(path, networks=NETWORKS, task=task, report=self.said.append)
        running.run(self.store, lambda _done: None)
        tally = running.tally
        assert tally.read == tally.added + tally.changed + tally.unchanged + tally.repeated + tally.rejected
        return running

    def names(self) -> dict[str, str]:
        with self.store.read() as tx:
            return {each.reference: each.name for each in customers.listing(tx)}

    def links(self, reference: str) -> list[str]:
        with self.store.read() as tx:
            return [f"{each.network}:{each.handle}" for each in links.of(tx, customers.get(tx, reference))]

    def lines(self) -> list[int]:
        return [finding.line for finding in self.said]


@pytest.fixture
def bring(database: Store, tmp_path: Path) -> Importer:
    return Importer(database, tmp_path, Clock())


def rejected(running: Import) -> list[dict[str | None, Any]]:
    assert running.rejects.path is not None
    text = running.rejects.path.read_bytes().decode("utf-8-sig", "surrogateescape")
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=running.sheet.delimiter))


def test_importing_again_changes_only_what_changed(bring: Importer) -> None:
    first = bring("reference,name,tier,tags,city\nC1,Ana,gold,a;b,Lugo\nC2,Luis,,,\n").tally
    assert (first.added, first.changed, first.unchanged) == (2, 0, 0)
    again = bring("reference,name,tier,tags,city\nC1,Ana,gold,a;b,Lugo\nC2,Luis,silver,,\nC3,Eva,,,\n").tally
    assert (again.added, again.changed, again.unchanged) == (1, 1, 1)
    with bring.store.read() as tx:
        changed = audit.about(tx, "customer C2")
        assert [(entry.action, entry.by) for entry in changed] == [
            ("customer.added", "eva"),
            ("customer.changed", "eva"),
        ]
        assert changed[-1].detail == {"source": "people.csv", "columns": ["tier"]}
        assert len(audit.about(tx, "customer C1")) == 1


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("reference,name\nC1,Ñandú\n".encode(), "utf-8"),
        ("reference,name\nC1,Ñandú\n".encode("utf-8-sig"), "utf-8"),
        ("reference,name\nC1,Ñandú\n".encode("cp1252"), "cp1252"),
        ("reference,name\nC1,Ñandú\nC2,\x81\n".encode("latin-1"), "latin-1"),
    ],
    ids=["utf-8", "with a mark", "windows", "latin-1"],
)
def test_encodings_are_found_out_and_said(bring: Importer, content: bytes, encoding: str) -> None:
    running = bring(content)
    assert bring.names()["C1"] == "Ñandú"
    assert running.sheet.encoding == encoding
    assert bool(running.sheet.notes) == (encoding != "utf-8")


def test_one_broken_byte_does_not_spoil_a_file(bring: Importer) -> None:
    running = bring("reference,name\nC1,Ñandú\nC2,Íñigo\nC3,Lu".encode() + b"\xed" + "s\nC4,Óscar\n".encode())
    assert bring.names() == {"C1": "Ñandú", "C2": "Íñigo", "C4": "Óscar"}
    assert bring.lines() == [4]
    assert running.rejects.path is not None
    assert b"Lu\xeds" in running.rejects.path.read_bytes()


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("said", ["", "sep="])
def test_delimiters_are_found_out(bring: Importer, delimiter: str, end: str, said: str) -> None:
    rows = [["reference", "name", "city, country; more"], ["C1", "Ana", "Lugo"]]
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=end).writerows(rows)
    running = bring((f"sep={delimiter}{end}" if said else "") + out.getvalue())
    assert running.sheet.delimiter == delimiter
    assert bring.names() == {"C1": "Ana"}


def test_line_numbers_are_those_of_the_file(bring: Importer) -> None:
    bring('reference,name,notes\nC1,Ana,"one\ntwo\nthree"\n\nC2,,x\n,,\nC3,"Lu\nis",\nC4,Eva\n')
    assert bring.lines() == [6, 10]
    assert bring.names() == {"C1": "Ana", "C3": "Lu is"}


def test_of_lines_with_one_reference_the_last_wins(bring: Importer) -> None:
    many = "".join(f"R{n},x\n" for n in range(600))
    tally = bring(f"reference,name\nC1,one\nC1,two\nC2,eva\n{many}C1,three\n").tally
    assert bring.names()["C1"] == "three"
    assert (tally.added, tally.repeated) == (602, 2)
    assert [(each.line, each.rejected) for each in bring.said] == [(3, False), (605, False)]
    assert "of line 2;" in bring.said[0].text
    assert "of line 3;" in bring.said[1].text


@pytest.mark.parametrize(
    ("content", "good", "bad"),
    [
        ('reference,name\nC1,"Ana\nC2,Luis\nC3,Eva\n', ["C2", "C3"], [2]),
        ('reference,name\nC1,"Ana\nC2,Luis\nC3,"Eva, x"\nC4,Zoe\n', ["C2", "C3", "C4"], [2]),
        ('reference,name\nC1,"Juan "Pepe" Gómez"\nC2,Luis\n', ["C2"], [2]),
        ('reference,name\nC1,"Juan ""Pepe"" Gómez"\nC2,Lu"is\n', ["C1", "C2"], []),
        ("reference,name\nC1,A\x00na\nC2,Luis\n", ["C2"], [2]),
        ("reference,name\nC1,A\rna\nC2,Luis\n", ["C2"], [2]),
        ("reference,name\nC1,a,b\nC2,Luis\nC3\n", ["C2"], [2, 4]),
        ('reference,name\nC1,"two\nlines",more\nC2,Luis\n', ["C2"], [2]),
        ("reference,name\nC1,\x1b[31mAna\nC2,Lu\u202eis\nC3,Eva", ["C2", "C3"], [2]),
        ('reference,name\nC1,Ana\n"', ["C1"], [3]),
    ],
    ids=[
        "a quote never closed",
        "a quote closed by the next one",
        "quotes not doubled",
        "quotes doubled",
        "NUL",
        "lone carriage return",
        "too many and too few cells",
        "too many cells after a line break",
        "escapes and direction",
        "only a quote",
    ],
)
def test_bad_lines_are_reported_and_the_others_imported(
    bring: Importer, content: str, good: list[str], bad: list[int]
) -> None:
    running = bring(content)
    assert sorted(bring.names()) == good
    assert bring.lines() == bad
    if bad:
        assert [int(row["rejected_line"]) for row in rejected(running)] == bad
        assert all(row["rejected_reason"] for row in rejected(running))


def test_rejected_lines_can_be_mended_and_brought_again(bring: Importer) -> None:
    running = bring("reference;name;email;=Formula\nC1;Ana;broken;=1+1\nC2;;;'=x\nC3;Eva;;\n")
    rows = rejected(running)
    assert [row["'=Formula"] for row in rows] == ["'=1+1", "'=x"]
    path = running.rejects.path
    assert path is not None
    assert path.name == "people.rejected.csv"
    assert path.stat().st_mode & 0o077 == 0
    path.write_text(path.read_text("utf-8-sig").replace("broken", "ana@x.example").replace("C2;;", "C2;Luis;"), "utf-8")
    assert bring(path).tally.added == 2
    with bring.store.read() as tx:
        assert customers.get(tx, "C1").fields == {"=Formula": "=1+1"}
        assert customers.get(tx, "C2").fields == {"=Formula": "=x"}
        assert customers.get(tx, "C1").email == "ana@x.example"


def test_a_file_of_rejected_lines_is_never_written_over(bring: Importer) -> None:
    bring("reference,name\nC1,\n")
    again = bring("reference,name\nC2,\n").rejects.path
    assert again is not None
    assert again.name == "people.rejected.2.csv"
    assert "C1" in (again.parent / "people.rejected.csv").read_text("utf-8")


def test_a_dry_run_leaves_no_trace(bring: Importer) -> None:
    running = bring("reference,name,mastodon\nC1,Ana,@ana@m.example\nC2,,\n", write=False)
    assert (running.tally.added, running.tally.expected, running.tally.rejected) == (1, 1, 1)
    assert bring.names() == {}
    assert [path.name for path in bring.folder.glob("*.csv")] == ["people.csv"]


def test_accounts_in_the_file_become_links(world: DeskWorld, tmp_path: Path) -> None:
    bring = Importer(world.store, tmp_path, world.clock)
    number = world.hears(who="Ana")
    world.decides(number, open_case=True)
    tally = bring('reference,name,sandbox,x\nC1,Ana,@ana,"luis2, luis3"\nC2,Eva,,@luis2\n').tally
    assert (tally.linked, tally.expected, tally.not_linked) == (1, 2, 1)
    assert bring.links("C1") == ["sandbox:Ana", "x:luis2", "x:luis3"]
    assert "expected to be customer C1's" in bring.said[0].text
    assert bring.names() == {"C1": "Ana", "C2": "Eva"}
    with world.store.read() as tx:
        assert cases.listing(tx)[0].customer_reference == "C1"
    again = bring('reference,name,sandbox,x\nC1,Ana,@ana,"luis2, luis3"\n').tally
    assert (again.linked, again.expected, again.not_linked, again.unchanged) == (0, 0, 0, 1)


def test_what_a_person_unlinked_is_not_linked_by_a_file(world: DeskWorld, tmp_path: Path) -> None:
    bring = Importer(world.store, tmp_path, world.clock)
    world.hears()
    file = "reference,name,sandbox\nC1,Ana,ana eva\n"
    assert (bring(file).tally.linked, bring(file).tally.linked) == (1, 0)
    with world.store.read() as tx:
        ana = customers.get(tx, "C1")
    unlink(world, ana)
    unlink(world, ana, "eva")
    assert bring(file).tally.not_linked == 2
    assert "a person unlinked it" in bring.said[0].text


@pytest.mark.parametrize(("basis", "linked"), [(LinkBasis.VERIFIED, []), (LinkBasis.SELF_DECLARED, ["reddit:ana"])])
def test_reddit_accounts_are_linked_only_on_their_own_word(
    bring: Importer, basis: LinkBasis, linked: list[str]
) -> None:
    running = bring("reference,name,reddit\nC1,Ana,ana\n", basis=basis)
    assert bring.names() == {"C1": "Ana"}
    assert bring.links("C1") == linked
    assert running.tally.not_linked == 1 - len(linked)
    if not linked:
        assert "forbidden" in rejected(running)[0]["rejected_reason"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"\n\n  \n", "is empty"),
        (b"PK\x03\x04rest", "workbook"),
        ("reference,name\n".encode("utf-16"), "UTF-16"),
        (bytes(range(256)) * 40, "no text"),
        (b"reference,name\rC1,Ana\r", "Macintosh"),
        (b"name,email\nAna,\n", "no column for the reference"),
        (b'"reference,name\nC1,Ana\n', "header"),
        (b"just some words\nand more\n", "no column for the reference"),
    ],
    ids=["empty", "only a mark", "blank", "workbook", "utf-16", "binary", "mac", "no reference", "header", "prose"],
)
def test_what_is_no_customer_file_is_one_sentence(bring: Importer, content: bytes, said: str) -> None:
    with pytest.raises(Mistake, match=said) as caught:
        bring(content)
    assert "\n" not in str(caught.value)


def test_only_a_header_is_nothing_to_do(bring: Importer) -> None:
    assert bring("reference,name\n").tally.read == 0


def test_a_missing_file_and_a_folder_are_one_sentence(bring: Importer, tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.csv", tmp_path):
        with pytest.raises(Mistake, match="is not a file"):
            bring(path)


@pytest.mark.parametrize("size", [5 * 1024**2, 20 * 1024**2], ids=["5 MB", "20 MB"])
@pytest.mark.parametrize("lines", [False, True], ids=["one line", "many lines"])
def test_a_huge_cell_is_one_bad_line(bring: Importer, size: int, lines: bool) -> None:
    cell = ('"' + "word\n" * (size // 5) + '"') if lines else "x" * size
    running = bring(f"reference,name\nC1,{cell}\nC2,Eva\n")
    assert bring.names() == {"C2": "Eva"}
    assert bring.lines() == [2]
    assert running.tally.rejected == 1


@pytest.mark.slow
def test_a_huge_cell_that_never_closes_costs_one_line(bring: Importer) -> None:
    running = bring('reference,name,notes\nC1,"Ana,\n' + "".join(f"N{n},Eva,{'x' * 900}\n" for n in range(10_000)))
    assert running.tally.rejected == 1
    assert running.tally.added == 10_000


@settings(deadline=None)
@given(st.binary(max_size=300))
@example(b'reference,name\n"""\n"",\n')
@example(b"\xff")
def test_no_file_breaks_the_reader(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.csv"
        path.write_bytes(b"reference,name\n" + content)
        try:
            sheet = spreadsheet.read(path, knows=columns.knows(NETWORKS))
        except Mistake:
            return
        told = list(sheet.records())
        assert [record.first_line for record in told] == sorted({record.first_line for record in told})
        assert all(record.end <= sheet.size for record in told)


CELLS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20)


@settings(deadline=None)
@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=8), st.sampled_from(",;\t"))
def test_every_well_made_file_is_read_as_it_was_written(rows: list[list[str]], delimiter: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL)
            writer.writerows([["reference", "name"], *rows])
        sheet = spreadsheet.read(path, knows=columns.knows(NETWORKS))
        told = [list(record.cells) for record in sheet.records()]
        assert told == [row for row in rows if any(cell.strip() for cell in row)]


@pytest.mark.slow
def test_the_same_on_postgresql(tmp_path: Path) -> None:
    with databases.one() as url:
        database = stores.open(url)
        bring = Importer(database, tmp_path, Clock())
        file = "reference,name,x,tags\nC1,Ana,@ANA,a\nC2,Luis,@ana eva,\nC1,Zoe,@ana,b\nC3,,\n"
        first = bring(file).tally
        assert (first.added, first.repeated, first.rejected, first.expected, first.not_linked) == (2, 1, 1, 2, 1)
        again = bring(file.replace("Luis", "Lu")).tally
        assert (again.changed, again.unchanged, again.expected) == (1, 1, 0)
        assert bring.links("C1") == ["x:ana"]
        with database.read() as tx:
            assert [each.name for each in customers.listing(tx, search="LU C2")] == ["Lu"]
        with database.write() as tx:
            how = {"network": "x", "handle": "Ana", "pattern": "ES"}
            unlinking.unlink(tx, customers.get(tx, "C1"), by="eva", now=bring.now(), **how)
        assert bring(file).tally.not_linked == 1
        database.close()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    code = """
import json, resource, sys
from datetime import UTC, datetime
from pathlib import Path
from listener import store
from listener.desk import import_task, importing
from listener.types import LinkBasis
path = Path(sys.argv[1])
task = import_task.Task(basis=LinkBasis.VERIFIED, evidence="", linkable=lambda _: True, by="t", now=datetime.now(UTC))
running = importing.begin(path, networks=("x",), task=task, report=lambda finding: None)
running.run(store.open(sys.argv[2]), lambda done: None)
print(json.dumps([running.tally.added, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""
    peaks = []
    for size in (5_000, 200_000):
        path = tmp_path / f"{size}.csv"
        folder = tmp_path / f"{size}"
        folder.mkdir()
        with path.open("w", encoding="utf-8") as file:
            file.write("reference,name,email,city\n")
            file.writelines(f"R{n},Name {n},p{n}@x.example,Town {n % 99}\n" for n in range(size))
        done = subprocess.run(
            [sys.executable, "-c", code, str(path), databases.at(folder)],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[3],
        )
        added, peak = json.loads(done.stdout)
        assert added == size
        peaks.append(peak)
    assert peaks[1] < peaks[0] * 1.25
