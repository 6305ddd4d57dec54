"""Customers from workbooks, JSON lines and files with a mapping; what lines say beside the record; after a stop."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from openpyxl.workbook import Workbook

from listener import store as stores
from listener.desk import columns, importing, mapping, merging, people, spreadsheet, workbook
from listener.desk.columns import AS_IT_IS, Layout, Reading
from listener.desk.import_task import Finding, Task
from listener.desk.importing import Import
from listener.errors import Mistake
from listener.store import Store, audit, consents, contacts, customers, field_types, holdings, links
from listener.store.customers import Customer
from listener.types import LinkBasis
from tests import databases
from tests.listener.commands.desk_world import Clock

NETWORKS = ("mail", "mastodon", "reddit", "sandbox", "x")


class Desk:
    """A database, a folder, and what was said of the last file."""

    def __init__(self, folder: Path, url: str = "") -> None:
        self.folder = folder
        self.store: Store = stores.open(url or databases.at(folder))
        self.now = Clock()
        self.said: list[Finding] = []

    def bring(self, path: Path | str, reading: Reading = AS_IT_IS, *, write: bool = True) -> Import:
        if isinstance(path, str):
            (self.folder / "people.csv").write_text(path, encoding="utf-8")
            path = self.folder / "people.csv"
        task = Task(
            basis=LinkBasis.VERIFIED, evidence="f", linkable=lambda _: True, by="eva", now=self.now(), write=write
        )
        self.said = []
        with self.store.read() as tx:
            types = field_types.all_of_them(tx)
        running = importing.begin(
            path, networks=NETWORKS, task=task, report=self.said.append, reading=reading, types=types
        )
        running.run(self.store, lambda _done: None)
        tally = running.tally
        assert tally.read == tally.added + tally.changed + tally.unchanged + tally.repeated + tally.rejected
        return running

    def book(self, *rows: list[Any], name: str = "people.xlsx", title: str = "Clientes") -> Path:
        book = Workbook()
        assert book.active is not None
        book.active.title = title
        for row in rows:
            book.active.append(row)
        book.save(self.folder / name)
        return self.folder / name

    def mapping(self, text: str) -> Reading:
        path = self.folder / "map.toml"
        path.write_text(text, encoding="utf-8")
        return mapping.load(path, networks=NETWORKS)

    def get(self, reference: str = "C1") -> Customer:
        with self.store.read() as tx:
            return customers.get(tx, reference)

    def names(self) -> dict[str, str]:
        with self.store.read() as tx:
            return {each.reference: each.name for each in customers.listing(tx)}

    def reasons(self) -> dict[int, str]:
        return {finding.line: finding.text for finding in self.said}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.store.close()


# --- workbooks ---


def test_a_workbook_is_read_as_people_see_it(desk: Desk) -> None:
    path = desk.book(
        ["Legajo", "Nombre", "Teléfono", "Alta", "Saldo", "Activo", None],
        [1001, "Íñigo  Núñez", 34911222333, date(2019, 5, 31), 12.5, True, None],
        [None, None, None],
        ["C2", "Luis", None, date(2020, 1, 1), 1.234, False],
        ["C3", ""],
    )
    reading = desk.mapping('[columns]\nalta = "since"\nsaldo = {field="saldo", type="money", currency="EUR"}\n')
    tally = desk.bring(path, reading).tally
    assert (tally.read, tally.added, tally.rejected) == (3, 2, 1)
    assert desk.reasons() == {5: "The name is empty"}
    ana = desk.get("1001")
    assert (ana.name, ana.phone, ana.since) == ("Íñigo Núñez", "34911222333", date(2019, 5, 31))
    assert ana.fields == {"saldo": "12.50 EUR", "Activo": "true"}
    assert desk.get("C2").fields["saldo"] == "1.234 EUR"
    assert (
        (desk.folder / "people.rejected.csv").read_text("utf-8-sig").splitlines()[1].startswith("The name is empty,5")
    )


def test_hidden_sheets_are_left_alone_and_another_can_be_named(desk: Desk) -> None:
    path = desk.book(["some", "notes"], ["a", "b"], title="Léeme")
    book = openpyxl.load_workbook(path)
    for title, who, state in (("Old", "Old", "hidden"), ("Clientes", "Ana", "visible")):
        sheet = book.create_sheet(title)
        sheet.append(["reference", "name"])
        sheet.append(["C1", who])
        sheet.sheet_state = state
    book.save(path)
    running = desk.bring(path)
    assert desk.names() == {"C1": "Ana"}
    assert "The sheet 'Clientes' is read." in running.sheet.notes
    assert "Hidden sheets are left alone: 'Old'." in running.sheet.notes
    desk.bring(path, Reading(sheet="Old"))
    assert desk.names() == {"C1": "Old"}
    with pytest.raises(Mistake, match="no sheet 'Nowhere'; there are: 'Léeme', 'Old', 'Clientes'"):
        desk.bring(path, Reading(sheet="Nowhere"))


def test_formulas_without_a_result_and_errors_are_bad_lines(desk: Desk) -> None:
    path = desk.book(["reference", "name", "balance"], ["C1", "Ana", "=1+1"], ["C2", "Luis", "#REF!"], ["C3", "Eva", 3])
    desk.bring(path)
    assert desk.names() == {"C3": "Eva"}
    assert "never calculated" in desk.reasons()[2]
    assert "the error #REF!" in desk.reasons()[3]


def test_a_value_far_beside_the_table_is_a_bad_line(desk: Desk) -> None:
    path = desk.book(["reference", "name"], ["C1", "Ana"], ["C2", "Luis"])
    book = openpyxl.load_workbook(path)
    book["Clientes"]["XFD2"] = "see below"
    book.save(path)
    desk.bring(path)
    assert desk.reasons() == {2: "it has 16384 cells where the header has 2"}
    assert desk.names() == {"C2": "Luis"}


def test_merged_cells_are_told(desk: Desk) -> None:
    path = desk.book(["reference", "name", "tier"], ["C1", "Ana", "gold"], ["C2", "Luis", "silver"])
    book = openpyxl.load_workbook(path)
    book["Clientes"].merge_cells("C2:C3")
    book.save(path)
    running = desk.bring(path)
    assert any("C2:C3" in note for note in running.sheet.notes)
    assert (desk.get("C1").tier, desk.get("C2").tier) == ("gold", "")


def _packed(path: Path, part: str, content: bytes) -> Path:
    """The workbook with one of its parts replaced."""
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, what in {**parts, part: content}.items():
            new.writestr(name, what)
    return path


LAUGHS = (
    '<!DOCTYPE x [<!ENTITY e0 "ha">'
    + "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    + "]><worksheet><sheetData><row><c t='inlineStr'><is><t>&e9;</t></is></c></row></sheetData></worksheet>"
).encode()


@pytest.mark.parametrize(
    ("part", "content", "said"),
    [
        ("xl/worksheets/sheet1.xml", b" " * (40 * 1024**2), "unpacks to"),
        ("xl/worksheets/sheet1.xml", b"<worksheet><sheetData><row><c", "cannot be read"),
        ("xl/worksheets/sheet1.xml", b"\x00\x01", "cannot be read"),
        ("xl/workbook.xml", b"<workbook/>", "no sheet with cells|cannot be read"),
        ("xl/worksheets/sheet1.xml", LAUGHS, "cannot be read"),
    ],
    ids=["bomb", "cut short", "no XML", "no sheets", "entities"],
)
def test_a_hostile_workbook_is_one_sentence(desk: Desk, part: str, content: bytes, said: str) -> None:
    path = _packed(desk.book(["reference", "name"], ["C1", "Ana"]), part, content)
    with pytest.raises(Mistake, match=said) as caught:
        desk.bring(path)
    assert "\n" not in str(caught.value)
    assert desk.names() == {}


MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def _cell(place: str, value: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (f'<row r="1000000000000">{_cell("A1", "C1")}</row>', "below row 50"),
        (f'<row r="2">{_cell("A2", "C1")}<c r="B2"><v>1e999</v></c></row>', "the number inf"),
    ],
    ids=["a row as far as numbers go", "a number without end"],
)
def test_a_hostile_cell_is_one_sentence(desk: Desk, monkeypatch: pytest.MonkeyPatch, row: str, said: str) -> None:
    monkeypatch.setattr(workbook, "MOST_ROWS", 50)
    head = f'<row r="1">{_cell("A1", "reference")}{_cell("B1", "name")}</row>'
    content = f'<worksheet xmlns="{MAIN}"><sheetData>{head}{row}</sheetData></worksheet>'.encode()
    path = _packed(desk.book(["reference", "name"], ["C1", "Ana"]), "xl/worksheets/sheet1.xml", content)
    with pytest.raises(Mistake, match=said):
        desk.bring(path)


def test_a_zip_that_lies_about_its_size_is_not_unpacked_beyond_it(desk: Desk) -> None:
    path = desk.book(["reference", "name"], *(["C1", "Ana"] for _ in range(2000)))
    raw = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as packed:
        sheet = packed.getinfo("xl/worksheets/sheet1.xml")
    at = raw.rindex(b"xl/worksheets/sheet1.xml") - 46  # the entry in the zip's directory, its name after 46 bytes
    assert int.from_bytes(raw[at + 24 : at + 28], "little") == sheet.file_size
    raw[at + 24 : at + 28] = (200).to_bytes(4, "little")
    path.write_bytes(raw)
    with pytest.raises(Mistake, match="cannot be read"):
        desk.bring(path)


@pytest.mark.parametrize("content", [b"PK\x03\x04rest", b"PK\x03\x04" + bytes(2000)])
def test_what_is_no_workbook_is_one_sentence(desk: Desk, content: bytes) -> None:
    path = desk.folder / "people.xlsx"
    path.write_bytes(content)
    with pytest.raises(Mistake, match="workbook"):
        desk.bring(path)


def test_a_huge_cell_and_control_characters_are_bad_lines(desk: Desk) -> None:
    path = desk.book(["reference", "name", "notes"], ["C1", "Ana", "x" * 20_000], ["C2", "a\u202eb", ""], ["C3", "Eva"])
    desk.bring(path)
    assert sorted(desk.names()) == ["C2", "C3"]
    assert "20,000 characters" in desk.reasons()[2]


def test_rejected_rows_of_a_workbook_are_mended_as_csv(desk: Desk) -> None:
    path = desk.book(["reference", "name", "tier"], ["C1", "Ana", "=1+1"], ["C2", None, "=cmd"])
    book = openpyxl.load_workbook(path)
    book["Clientes"]["C3"].data_type = "s"
    book.save(path)
    running = desk.bring(path)
    repair = running.rejects.path
    assert repair is not None
    text = repair.read_text("utf-8-sig")
    assert "'=cmd" in text
    repair.write_text(text.replace("C2,,", "C2,Luis,").replace("'=1+1", "two"), encoding="utf-8")
    assert desk.bring(repair).tally.added == 2
    assert [desk.get(reference).tier for reference in ("C1", "C2")] == ["two", "=cmd"]


# --- JSON lines ---


def test_json_lines_are_columns_by_their_keys(desk: Desk) -> None:
    path = desk.folder / "people.jsonl"
    path.write_text(
        '\ufeff{"ref": "C1", "name": "Ana", "tags": ["vip", "norte"], "x": "@ana", "balance": 1.234, "vip": true}\n'
        '\n{"name": "Luis", "ref": 2, "balance": null, "city": "Lugo"}\n'
        '{"ref": "C3", "name": "Eva", "address": {"city": "Lugo"}}\n'
        '{"ref": "C4", "ref": "C5", "name": "Zoe"}\n'
        '{"ref": "C6", "name": NaN}\n'
        '["C7"]\n'
        "{broken\n"
        '{"ref": "C8", "name": "\\ud800"}\n' + '{"a":' * 100_000 + "\n",
        encoding="utf-8",
    )
    tally = desk.bring(path).tally
    assert (tally.added, tally.rejected, tally.expected) == (2, 7, 1)
    ana = desk.get("C1")
    assert (ana.tags, ana.fields) == (("vip", "norte"), {"balance": "1.2340", "vip": "true"})
    assert desk.get("2").fields == {"city": "Lugo"}
    assert desk.reasons()[4] == "'address' holds an object where a cell can hold a value, or a list of them"
    assert "twice" in desk.reasons()[5]
    assert "no JSON object" in desk.reasons()[8]


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=200))
@example(b'{"reference": "C1", "name": "\x00"}')
def test_no_json_file_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    from listener.desk import jsonlines

    path = tmp_path_factory.mktemp("json") / "any.jsonl"
    path.write_bytes(b'{"reference": "C0", "name": "Ana"}\n' + content)
    sheet = jsonlines.read(path)
    told = list(sheet.records())
    assert told[0].cells[:2] == ("C0", "Ana")
    assert all(record.end <= sheet.size for record in told)


# --- pieces ---


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.sampled_from(["C1,Ana", 'C2,"two\nlines"', 'C3,"open', "C4,\x00", "C5,ñ", "", "C6,a\rb"]), max_size=12),
    st.integers(1, 40),
)
def test_where_a_piece_ends_makes_no_difference(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], piece: int
) -> None:
    path = tmp_path_factory.mktemp("pieces") / "any.csv"
    path.write_text("reference,name\n" + "\n".join(lines), encoding="utf-8", newline="")
    knows = columns.knows(NETWORKS)
    try:
        whole = list(spreadsheet.read(path, knows=knows).records())
    except Mistake:  # hardly anything but NULs
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spreadsheet, "PIECE", piece)
        assert list(spreadsheet.read(path, knows=knows).records()) == whole


ODD = ["", " ", "'=1", "ana@x.example", "+34 911 222 333", "es-AR", "gold", "a,b", "2020-01-01", "\x1f", "@a; b", "a,@"]
CELLS = st.one_of(st.text(max_size=12), st.sampled_from(ODD))


@settings(deadline=None, max_examples=400)
@given(st.lists(CELLS, min_size=8, max_size=11))
def test_the_short_way_reads_what_the_long_way_reads(cells: list[str]) -> None:
    shape = Layout(
        columns=(
            ("reference", ""),
            ("name", ""),
            ("email", ""),
            ("phone", ""),
            ("language", ""),
            ("since", ""),
            ("field", "city"),
            ("account", "x"),
        )
    )
    short, long = people.reader(shape)(tuple(cells)), people.read(shape, cells)
    assert (short if isinstance(short, str) else short._replace(digest="")) == long


# --- a mapping ---


def test_a_mapping_says_which_column_is_what(desk: Desk) -> None:
    reading = desk.mapping(
        """
        decimal = ","
        dates = "day"
        [columns]
        "Nro." = "reference"
        Titular = "name"
        "Tel. 2" = "contact:phone"
        Acepta = "consent:mail:marketing"
        Saldo = { field = "balance", type = "money", currency = "ARS" }
        Plan = { field = "plan", type = "choice", choices = ["Fibra", "ADSL"] }
        Alta = "since"
        Interno = "ignore"
        Mail = "field:mail of work"
        """
    )
    desk.bring(
        "Nro.;Titular;Tel. 2;Acepta;Saldo;Plan;Alta;Interno;Mail\n"
        "C1;Ana;+34 911 222 333|+34 922 333 444;sí;1.234,5;fibra;03/04/2019;x;a@x.example\n"
        "C2;Luis;;;;Otro;;;\n",
        reading,
    )
    ana = desk.get()
    assert ana.fields == {"balance": "1234.50 ARS", "plan": "Fibra", "mail of work": "a@x.example"}
    assert (ana.since, ana.email) == (date(2019, 4, 3), None)
    assert "'Otro' is none of the choices" in desk.reasons()[3]
    with desk.store.read() as tx:
        assert [point.value for point in contacts.of(tx, ana.id)] == ["+34911222333", "+34922333444"]
        assert [(each.channel, each.purpose, each.given) for each in consents.current(tx, ana.id)] == [
            ("mail", "marketing", True)
        ]
        assert set(field_types.all_of_them(tx)) == {"balance", "plan"}
    again = desk.bring("ref,name,balance\nC1,Ana,7\n")  # the type stays declared
    assert again.tally.columns == {"fields.balance": 1}
    assert desk.get().fields["balance"] == "7.00 ARS"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[columns]\nA = "colour"', "'A': 'colour' is nothing that a column can be"),
        ('[columns]\nA = "account:nowhere"', "nothing that a column can be"),
        ('[columns]\nA = {field = "a", kind = "x"}', "There is no 'kind'"),
        ('[columns]\nA = {field = "a", type = "money", currency = "euros"}', "three letters"),
        ('decimal = "x"', "decimal is a text"),
        ("colour = 1", "there is no 'colour'"),
        ("columns = 3", "is a table"),
        ("[columns", "is no TOML"),
    ],
)
def test_a_mapping_that_makes_no_sense_says_why(desk: Desk, text: str, said: str) -> None:
    with pytest.raises(Mistake) as caught:
        desk.mapping(text)
    assert said in str(caught.value)


def test_a_mapping_of_two_columns_to_one_is_refused(desk: Desk) -> None:
    with pytest.raises(Mistake, match="Two columns are said to be email"):
        desk.bring("ref,name,a,b\n", desk.mapping('[columns]\na = "email"\nb = "email"\n'))


def test_a_mapping_that_is_written_is_read_the_same(desk: Desk) -> None:
    reading = desk.mapping(
        'sheet = "a \\"b\\""\ndelimiter = "\\t"\n[columns]\n"x \\\\ y" = "name"\nz = "ignore"\n'
        'm = {field = "m", type = "choice", choices = ["A", "ñ"]}\nk = "consent:any:care"\n'
    )
    header = {"x \\ y": ("name", ""), "z": ("", ""), "m": ("field", "m"), "k": ("consent", "any:care")}
    assert desk.mapping(mapping.written(reading, header)) == reading


# --- what a line says beside the record ---

FULL = (
    "ref,name,products,arrears,arrears since,last payment,last payment amount,currency,contract,contract product,"
    "contract from,consent:marketing,contact:phone\n"
)


def test_payments_products_contracts_and_consent_come_with_the_line(desk: Desk) -> None:
    line = "C1,Ana,fibre;tv,42.50,2026-01-31,2026-02-01,12.00,eur,K1,Fibre 600,2019-01-01,yes,+34911222333\n"
    desk.bring(FULL + line)
    ana = desk.get()
    with desk.store.read() as tx:
        assert holdings.payments(tx, ana.id) == holdings.Payments(
            last_on=date(2026, 2, 1),
            last_amount=Decimal("12.00"),
            arrears=Decimal("42.50"),
            arrears_since=date(2026, 1, 31),
            currency="EUR",
        )
        assert holdings.products(tx, ana.id) == ("fibre", "tv")
        assert [(each.reference, each.product) for each in holdings.contracts(tx, ana.id)] == [("K1", "Fibre 600")]
        assert consents.allows(consents.current(tx, ana.id), channel="mail", purpose="marketing") is True
    assert desk.bring(FULL + line).tally.unchanged == 1
    other = line.replace("42.50", "0").replace("fibre;tv", "tv").replace("yes", "no").replace("Fibre 600", "Fibre 1G")
    tally = desk.bring(FULL + other, write=False).tally
    assert set(tally.columns) == {"payments.arrears", "products", "contract", "consent any:marketing"}
    assert tally.changes == [("C1", tuple(tally.changes[0][1]))]
    with desk.store.read() as tx:
        assert holdings.products(tx, ana.id) == ("fibre", "tv")
    desk.bring(FULL + other)
    with desk.store.read() as tx:
        assert holdings.products(tx, ana.id) == ("tv",)
        assert [each.given for each in consents.history(tx, ana.id)] == [True, False]
        changed = audit.about(tx, "customer C1")
        assert "42.50" not in str([entry.detail for entry in changed])
        assert "customer.changed" in [entry.action for entry in changed]
    assert desk.bring(FULL + other).tally.unchanged == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("C1,Ana,,free,,,,,,,,,\n", "payment:arrears: 'free' is no amount"),
        ("C1,Ana,,12 USD,,,,EUR,,,,,\n", "is in USD"),
        ("C1,Ana,,,,,,euros,,,,,\n", "no currency"),
        ("C1,Ana,,,,,,,,Fibre,,,\n", "contract: Its reference is empty"),
        ("C1,Ana,,,,,,,,,,maybe,\n", "neither yes nor no"),
        ("C1,Ana,,,,,,,,,,,nowhere\n", "no phone number"),
    ],
)
def test_what_a_line_says_wrongly_is_told(desk: Desk, line: str, said: str) -> None:
    desk.bring(FULL + line)
    assert said in desk.reasons()[2]
    assert desk.names() == {}


def test_a_file_of_contracts_has_several_lines_for_a_customer(desk: Desk) -> None:
    desk.bring("ref,name\nC1,Ana\nC2,Luis\n")
    file = "ref,contract,contract product,contract from,contract until\n"
    tally = desk.bring(
        f"{file}C1,K1,Fibre,2019-01-01,\nC1,K2,TV,,2020-01-01\nC9,K3,,,\nC2,K1,,2020-02-02,2020-01-01\n"
    ).tally
    assert (tally.changed, tally.rejected, tally.repeated) == (2, 2, 0)
    assert "there is no customer 'C9'" in desk.reasons()[4]
    assert "before it begins" in desk.reasons()[5]
    with desk.store.read() as tx:
        found = holdings.contracts(tx, desk.get().id)
        assert [(each.reference, each.is_open(date(2026, 1, 1))) for each in found] == [("K1", True), ("K2", False)]
    assert desk.bring(f"{file}C1,K1,Fibre,2019-01-01,\nC1,K2,TV,,2020-01-01\n").tally.unchanged == 2


def test_without_names_only_who_is_there_is_changed(desk: Desk) -> None:
    desk.bring("ref,name\nC1,Ana\n")
    tally = desk.bring("ref,tier,contract\nC1,gold,K1\nC9,gold,K9\n").tally
    assert (tally.changed, tally.rejected) == (1, 1)
    assert "there is no customer 'C9'" in desk.reasons()[3]
    assert (desk.get().tier, desk.get().name) == ("gold", "Ana")
    with desk.store.read() as tx:
        assert [each.reference for each in holdings.contracts(tx, desk.get().id)] == ["K1"]


def test_an_edit_by_hand_is_seen_by_the_next_import(desk: Desk) -> None:
    desk.bring("ref,name,tier\nC1,Ana,gold\n")
    with desk.store.write() as tx:
        edit = people.merged(people.Person("C1", {"tier": "iron"}), customers.get(tx, "C1"))
        customers.write(tx, added=[], changed=[edit], by="eva", now=desk.now(), source="hand")
    tally = desk.bring("ref,name,tier\nC1,Ana,gold\n").tally
    assert (tally.changed, desk.get().tier) == (1, "gold")


def test_what_comes_for_a_merged_record_is_the_other_ones(desk: Desk) -> None:
    desk.bring("ref,name\nC1,Ana\nC2,Ana L.\n")
    with desk.store.write() as tx:
        merging.merge(tx, customers.get(tx, "C1"), customers.get(tx, "C2"), by="eva", now=desk.now())
    line = "ref,name,x,products\nC2,Ana L.,@ana,tv\n"
    assert desk.bring(line).tally.expected == 1
    tally = desk.bring(line).tally
    assert (tally.expected, tally.not_linked) == (0, 0)
    with desk.store.read() as tx:
        ana = customers.get(tx, "C1")
        assert [each.handle for each in links.of(tx, ana)] == ["ana"]
        assert holdings.products(tx, ana.id) == ("tv",)
    desk.bring("ref,contract\nC2,K1\n")
    assert desk.bring("ref,contract\nC2,K1\n").tally.unchanged == 1
    with desk.store.read() as tx:
        assert [each.reference for each in holdings.contracts(tx, ana.id)] == ["K1"]


@pytest.mark.slow
def test_all_that_a_line_says_is_stored_on_postgresql(tmp_path: Path) -> None:
    line = "C1,Ana,fibre;tv,42.50,2026-01-31,2026-02-01,12.00,eur,K1,Fibre 600,2019-01-01,yes,+34911222333\n"
    with databases.one() as url:
        desk = Desk(tmp_path, url)
        assert desk.bring(FULL + line).tally.added == 1
        assert desk.bring(FULL + line).tally.unchanged == 1
        assert desk.bring(FULL + line.replace("42.50", "1").replace("fibre;", "")).tally.changed == 1
        ana = desk.get()
        with desk.store.read() as tx:
            paid = holdings.payments(tx, ana.id)
            assert paid is not None
            assert (paid.arrears, paid.last_amount, paid.currency) == (Decimal(1), Decimal("12.00"), "EUR")
            assert holdings.products(tx, ana.id) == ("tv",)
            assert [each.reference for each in holdings.contracts(tx, ana.id)] == ["K1"]
            assert contacts.whose(tx, "phone", "+34 911 222 333") == ["C1"]
        desk.store.close()


# --- going on after a stop ---

RUN = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from listener import store
from listener.desk import import_task, importing
from listener.types import LinkBasis
importing.BATCH = 200
path = Path(sys.argv[1])
now = datetime(2026, 1, 1, tzinfo=UTC)
task = import_task.Task(basis=LinkBasis.VERIFIED, evidence="", linkable=lambda _: True, by="t", now=now)
running = importing.begin(path, networks=("x",), task=task, report=lambda finding: None)
running.run(store.open(sys.argv[2]), lambda done: print(done, flush=True))
"""


def _all(url: str) -> list[list[Any]]:
    store = stores.open(url)
    with store.read() as tx:
        found = [[each.reference, each.name, each.tier] for each in customers.listing(tx)]
        found += [[r] for r in tx.exec_driver_sql("SELECT kind, value, of_record FROM contact_points ORDER BY value")]
        found += [[r] for r in tx.exec_driver_sql("SELECT network, handle FROM expected_links ORDER BY handle")]
        found += [[r] for r in tx.exec_driver_sql("SELECT action, subject FROM audit ORDER BY action, subject")]
    store.close()
    return found


@pytest.mark.slow
def test_a_kill_in_the_middle_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    rows = "".join(f"R{n},Name {n},p{n}@x.example,@h{n}\n" for n in range(6_000))
    path.write_text(f"reference,name,email,x\n{rows}", encoding="utf-8")
    root = Path(__file__).parents[3]
    for name in ("killed", "whole"):
        (tmp_path / name).mkdir()
    for stop_after in (1, 4):
        going = subprocess.Popen(
            [sys.executable, "-c", RUN, str(path), databases.at(tmp_path / "killed")],
            stdout=subprocess.PIPE,
            text=True,
            cwd=root,
        )
        assert going.stdout is not None
        for _ in range(stop_after):
            going.stdout.readline()
        time.sleep(0.01)
        going.send_signal(signal.SIGKILL)
        going.wait()
        going.stdout.close()
    for name in ("killed", "whole"):
        command = [sys.executable, "-c", RUN, str(path), databases.at(tmp_path / name)]
        subprocess.run(command, check=True, cwd=root, capture_output=True)
    assert _all(databases.at(tmp_path / "killed")) == _all(databases.at(tmp_path / "whole"))
