"""`escucha customer`, as people type it."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest
from openpyxl.workbook import Workbook

from listener.desk import codes, suggestions
from listener.store import audit, policies
from tests.listener.commands.desk_world import DANGEROUS, DeskWorld

ROOT = Path(__file__).parents[3]
HOSTILE = "[red]x[/red] \u202egnp.exe pay\u200bpal"
KEYS = {"reference", "name", "email", "phone", "language", "tier", "tags", "fields", "since", "added_at", "changed_at"}
STANDING = {"tenure_days", "payments", "contracts", "products", "contacts", "consents", "notes", "offers"}


SUGGESTION_KEYS = {
    *("number", "customer", "network", "handle", "other", "reasons", "strength", "state"),
    *("found_at", "decided_by", "decided_at"),
}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DeskWorld]:
    monkeypatch.chdir(tmp_path)
    made = DeskWorld(tmp_path)
    yield made
    made.close()


def ask(world: DeskWorld, *args: str, code: int = 0) -> Any:
    """The JSON that a command prints."""
    result = world.run("customer", *args, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def printed(world: DeskWorld, *args: str) -> str:
    result = world.run("customer", *args)
    assert result.exit_code == 0, result.output
    assert max((len(line) for line in result.stdout.splitlines()), default=0) <= 80
    assert not DANGEROUS.search(result.stdout), repr(result.stdout)
    return result.stdout


def refused(world: DeskWorld, *args: str) -> str:
    result = world.run("customer", *args)
    assert result.exit_code == 2, result.output
    assert len(result.stderr.strip().splitlines()) == 1
    return result.stderr.strip()


def file(content: str, name: str = "people.csv") -> str:
    Path(name).write_text(content, encoding="utf-8")
    return name


# --- importing ---


def test_a_clean_file_is_imported_without_ado(world: DeskWorld) -> None:
    result = world.run("customer", "import", file("Legajo;Nombre;Nivel\nC1;Ana;gold\nC2;Luis;\n"))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "2 lines read: 2 added, 0 changed, 0 unchanged.\n"
    assert [each["tier"] for each in ask(world, "list")["customers"]] == ["gold", ""]


def test_bad_lines_are_named_and_the_code_is_three(world: DeskWorld) -> None:
    result = world.run("customer", "import", file("reference,name,email\nC1,Ana,\nC2,,x\n"))
    assert result.exit_code == 3
    assert "2 lines read: 1 added, 0 changed, 0 unchanged, 1 rejected." in result.stdout
    assert result.stderr.splitlines() == [
        "line 3: The name is empty; 'x' is no e-mail address",
        "1 line of people.csv cannot be used as written; it stands in people.rejected.csv: mend it there and "
        "import that file.",
    ]
    assert "C2" in Path("people.rejected.csv").read_text("utf-8")


def test_the_json_summary_counts_every_line(world: DeskWorld) -> None:
    told = ask(world, "import", file("reference,name,reddit\nC1,Ana,ana\nC1,Eva,\nC2,,\n"), code=3)
    assert {name: told[name] for name in ("read", "added", "changed", "unchanged", "repeated", "rejected")} == {
        "read": 3,
        "added": 1,
        "changed": 0,
        "unchanged": 0,
        "repeated": 1,
        "rejected": 1,
    }
    assert set(told["links"]) == {"made", "expected", "refused"}
    assert told["rejected_file"] == "people.rejected.csv"
    assert {problem["line"] for problem in told["problems"]} == {3, 4}
    assert told["problems_left_out"] == 0


def test_a_dry_run_says_what_would_be(world: DeskWorld) -> None:
    told = printed(world, "import", file("reference,name,sandbox\nC1,Ana,@ana\n"), "--dry-run")
    assert "1 line read: 1 would be added" in told
    assert "Nothing was stored." in told
    assert ask(world, "list") == {"customers": [], "total": 0}


def test_what_was_guessed_about_the_file_is_said(world: DeskWorld) -> None:
    Path("old.csv").write_bytes("id;legajo;nombre\n1;C1;Íñigo\n".encode("cp1252"))
    result = world.run("customer", "import", "old.csv")
    assert "read as Windows-1252" in result.stderr
    assert "reference is read from 'legajo'" in result.stderr
    assert ask(world, "show", "C1")["name"] == "Íñigo"


def test_a_flood_of_bad_lines_does_not_drown_the_screen(world: DeskWorld) -> None:
    content = "reference,name\n" + ",\n" + "C,\n" * 300
    result = world.run("customer", "import", file(content))
    assert result.exit_code == 3
    assert len(result.stderr.splitlines()) == 102
    assert len(Path("people.rejected.csv").read_text("utf-8").splitlines()) == 301
    assert len(world.run("customer", "import", "people.csv", "--dry-run").stderr.splitlines()) == 301


@pytest.mark.parametrize("name", ["nowhere.csv", "."])
def test_no_file_is_one_sentence(world: DeskWorld, name: str) -> None:
    assert "is not a file" in refused(world, "import", name)


def test_a_dry_run_names_the_columns_that_would_change(world: DeskWorld) -> None:
    ask(world, "import", file("ref,name,tier,city\nC1,Ana,gold,Lugo\nC2,Luis,,\n"))
    other = file("ref,name,tier,city\nC1,Ana,iron,Vigo\nC2,Luis,,\nC3,Eva,,\n")
    shown = printed(world, "import", other, "--dry-run")
    assert "3 lines read: 1 would be added, 1 would be changed, 1 unchanged." in shown
    assert "Columns that would change: tier (1), fields.city (1)." in shown
    assert "C1: tier, fields.city" in shown
    told = ask(world, "import", other, "--dry-run")
    assert told["columns"] == {"tier": 1, "fields.city": 1}
    assert told["changes"] == [{"customer": "C1", "columns": ["tier", "fields.city"]}]
    assert ask(world, "show", "C1")["tier"] == "gold"


def test_a_mapping_file_and_a_sheet_are_named(world: DeskWorld) -> None:
    book = Workbook()
    for title, who in (("One", "Ana"), ("Two", "Luis")):
        sheet = book.create_sheet(title)
        sheet.append(["Nro", "Quien"])
        sheet.append([1, who])
    book.save("people.xlsx")
    Path("map.toml").write_text('[columns]\nNro = "reference"\nQuien = "name"\n', encoding="utf-8")
    assert "no column for the reference" in refused(world, "import", "people.xlsx", "--sheet", "Two")
    told = ask(world, "import", "people.xlsx", "--sheet", "Two", "--mapping", "map.toml")
    assert (told["added"], ask(world, "show", "1")["name"]) == (1, "Luis")
    assert "cannot be read" in refused(world, "import", "people.xlsx", "--mapping", "nowhere.toml")
    assert "somebody at a terminal" in refused(world, "import", "people.xlsx", "--ask")


def test_which_column_is_what_is_asked_on_a_terminal(world: DeskWorld) -> None:
    file("Nro;Quien;Mail;Saldo\nC1;Ana;ana@x.example;12,50\n")
    child = pexpect.spawn(
        sys.executable,
        [str(ROOT / "cli.py"), "customer", "import", "people.csv", "--ask"],
        cwd=str(world.folder),
        env={**os.environ, "ESCUCHA_ACTOR": "ana", "PYTHONPATH": str(ROOT)},
        encoding="utf-8",
        timeout=60,
        dimensions=(40, 80),
    )
    for asked, answer in [
        ("Nro.*such as: C1.*is .field.:", "referenz"),
        ("nothing that a column can be.*is .field.:", "reference"),
        ("Quien.*is .field.:", "name"),
        ("Mail.*is .email.:", ""),
        ("Saldo.*is .field.:", "field:balance"),
        ("holds .*:", "money EUR"),
        ("Write this mapping to a file.*:", "map.toml"),
    ]:
        child.expect(f"(?s){asked}")
        child.sendline(answer)
    child.expect("1 line read: 1 added")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    told = ask(world, "show", "C1")
    assert (told["email"], told["fields"]) == ("ana@x.example", {"balance": "12.50 EUR"})
    assert ask(world, "import", "people.csv", "--mapping", "map.toml")["unchanged"] == 1


def test_what_is_written_as_csv_is_no_formula_and_is_read_again(world: DeskWorld) -> None:
    ask(world, "import", file('ref,name,tags,=f,tier\nC1,=cmd|x,"a, b",\'\'+1,@t\nC2,Ñandú,,"two\nlines",\n'))
    result = world.run("customer", "csv")
    cells = [cell for row in csv.reader(io.StringIO(result.stdout, newline="")) for cell in row]
    assert not [cell for cell in cells if cell[:1] in tuple("=+-@")]
    assert ask(world, "import", file(result.stdout, "again.csv"))["unchanged"] == 2
    for word in ("C2", "nandu", "ÑANDÚ"):
        assert world.run("customer", "csv", "--search", word).stdout.count("Ñandú") == 1
    with world.store.read() as tx:
        looked = [entry.detail["reason"] for entry in audit.about(tx, "customer C1") if entry.action == "looked"]
    assert looked == ["csv"]


# --- records ---


def test_a_customer_is_added_once(world: DeskWorld) -> None:
    made = ask(world, "add", "C1", "--name", "Ana", "--language", "Español", "--tags", "vip,norte")
    assert set(made) == KEYS
    assert (made["language"], made["tags"]) == ("es", ["vip", "norte"])
    assert "already" in refused(world, "add", "C1", "--name", "Eva")
    assert "no e-mail address" in refused(world, "add", "C2", "--name", "Eva", "--email", "x")
    assert "The name is empty" in refused(world, "add", "C2", "--name", " ")
    with world.store.read() as tx:
        assert [(entry.action, entry.by) for entry in audit.about(tx, "customer C1")] == [("customer.added", "ana")]


def test_customers_are_found_by_words(world: DeskWorld) -> None:
    world.run("customer", "import", file("ref,name,email\nC1,Ana Pérez,ana@x.example\nC2,Luis 100%,l@x.example\n"))
    assert [each["reference"] for each in ask(world, "list", "--search", "ana pér")["customers"]] == ["C1"]
    assert [each["reference"] for each in ask(world, "list", "--search", "ANA PEREZ")["customers"]] == ["C1"]
    assert [each["reference"] for each in ask(world, "list", "--search", "100%")["customers"]] == ["C2"]
    assert ask(world, "list", "--search", "_%_")["total"] == 0
    assert ask(world, "list", "--limit", "1")["total"] == 2
    assert "1 more" in printed(world, "list", "--limit", "1")
    assert "Nobody is found." in printed(world, "list", "--search", "zzz")


def test_a_reference_nearly_right_is_helped(world: DeskWorld) -> None:
    world.run("customer", "add", "C-0042", "--name", "Ana")
    assert "Did you mean C-0042?" in refused(world, "show", "0042")
    assert "escucha customer list" in refused(world, "show", "nobody")


def test_everything_about_a_customer_stands_together(world: DeskWorld) -> None:
    number = world.hears(f"Hola {HOSTILE}")
    world.decides(number, open_case=True)
    world.run("customer", "import", file(f'ref,name,city,sandbox\nC1,Ana {HOSTILE},Lugo,"ana,luis"\n'))
    shown = printed(world, "show", "C1")
    for part in ("Lugo", "@ana", "@luis", "not yet", "public_evidence", "ES-26-000001", f"M{number}"):
        assert part in shown
    told = ask(world, "show", "C1")
    assert set(told) == {*KEYS, *STANDING, "links", "cases", "mentions", "suggestions", "crm"}
    assert {link["handle"]: link["heard"] for link in told["links"]} == {"ana": True, "luis": False}
    assert told["fields"] == {"city": "Lugo"}
    assert told["mentions"][0]["mention"] == number
    assert told["cases"][0]["customer"]["reference"] == "C1"


# --- a record by hand ---


def test_a_record_is_edited_piece_by_piece(world: DeskWorld) -> None:
    world.run("customer", "add", "C1", "--name", "Ana", "--email", "ana@x.example", "--tier", "gold")
    ask(world, "field", "Saldo", "money", "--currency", "EUR")
    told = ask(world, "edit", "C1", "--email", "", "--since", "2019-05-31", "--set", "Saldo=1.200,50")
    assert told["changed"] == ["email", "since", "fields.Saldo"]
    assert (told["email"], told["tier"], told["since"]) == (None, "gold", "2019-05-31")
    assert told["fields"] == {"Saldo": "1200.50 EUR"}
    assert "is like that already" in printed(world, "edit", "C1", "--tier", "gold")
    assert "Nothing is named" in refused(world, "edit", "C1")
    assert "'often' is no amount of money" in refused(world, "edit", "C1", "--set", "saldo=often")
    assert "names no field" in refused(world, "edit", "C1", "--set", "saldo")
    assert "The name is empty" in refused(world, "edit", "C1", "--name", " ")


def test_fields_are_declared_and_listed(world: DeskWorld) -> None:
    assert "No field has a type" in printed(world, "field")
    told = ask(world, "field", "Plan", "choice", "--choice", "Fibra", "--choice", "ADSL")
    assert told == {"fields": [{"name": "plan", "kind": "choice", "currency": "", "choices": ["Fibra", "ADSL"]}]}
    assert "Fibra, ADSL" in printed(world, "field")
    assert "Say what 'Plan' holds" in refused(world, "field", "Plan")
    assert "needs its choices" in refused(world, "field", "Plan", "choice")


def test_contact_points_are_added_marked_and_taken_away(world: DeskWorld) -> None:
    world.run("customer", "add", "C1", "--name", f"Ana {HOSTILE}", "--email", "ana@x.example")
    told = ask(world, "contact", "C1", "phone", "+34 911 222 333", "--preferred")
    assert [(each["kind"], each["value"], each["usable"]) for each in told["contacts"]] == [
        ("phone", "+34911222333", True),
        ("mail", "ana@x.example", True),
    ]
    assert set(told["contacts"][0]) == {
        *("kind", "value", "written", "of_record", "preferred", "do_not_use", "verified_at", "usable", "why_not")
    }
    shown = printed(world, "contact", "C1", "mail", "ANA@x.example", "--do-not-use")
    assert "must not be used" in shown
    assert "already" in refused(world, "contact", "C1", "phone", "+34911222333")
    assert "no phone number" in refused(world, "contact", "C1", "phone", "call me")
    assert "is the record's own" in refused(world, "contact", "C1", "mail", "ana@x.example", "--remove")
    assert "There is no mail" in refused(world, "contact", "C1", "mail", "b@x.example", "--remove")
    assert "Name the contact point" in refused(world, "contact", "C1", "mail")
    assert "Name the contact point" in refused(world, "contact", "C1", "--verified")
    assert "cannot be preferred" in refused(
        world, "contact", "C1", "mail", "a@x.example", "--preferred", "--do-not-use"
    )
    assert len(ask(world, "contact", "C1", "phone", "+34911222333", "--remove")["contacts"]) == 1


def test_consent_is_noted_and_shown(world: DeskWorld) -> None:
    world.run("customer", "add", "C1", "--name", "Ana", "--email", "ana@x.example")
    assert "Nobody asked them yet" in printed(world, "consent", "C1")
    assert "nobody allowed marketing" in printed(world, "contact", "C1", "--purpose", "marketing")
    told = ask(world, "consent", "C1", "marketing", "--given", "--channel", "mail", "--source", f"form {HOSTILE}")
    assert [(each["purpose"], each["channel"], each["given"]) for each in told["consents"]] == [
        ("marketing", "mail", True)
    ]
    assert ask(world, "contact", "C1", "--purpose", "marketing")["contacts"][0]["usable"]
    world.clock.forward(days=1)
    assert "withdrawn" in printed(world, "consent", "C1", "marketing", "--withdrawn")
    assert "was withdrawn" in printed(world, "contact", "C1", "--purpose", "marketing")
    assert "is what the record says" in refused(world, "consent", "C1", "marketing", "--withdrawn")
    assert "still to come" in refused(world, "consent", "C1", "marketing", "--given", "--on", "2099-01-01")
    assert "Name the purpose" in refused(world, "consent", "C1", "marketing")


def test_what_may_be_offered_is_shown_in_full(world: DeskWorld) -> None:
    text = "Fibra 1 Gb al precio de 600 durante un año, sin permanencia y con router nuevo"
    head = "name: s\nlanguage: es\nteams: {care: {}}\ndefault_team: care\nrules: []\n"
    with world.store.write() as tx:
        rules = f"{head}offers: {{fibra: {{text: {{es: '{text}'}}, when: {{customer.tier: gold}}}}}}\n"
        policies.activate(tx, version="p2", text=rules, by="test", now=world.clock())
    world.run("customer", "add", "C1", "--name", "Ana", "--tier", "gold")
    assert ask(world, "show", "C1")["offers"] == [{"name": "fibra", "text": text, "because": "customer.tier gold"}]
    shown = " ".join(printed(world, "show", "C1").split())
    assert f"fibra {text} (customer.tier gold)" in shown
    assert ask(world, "show", "C1")["products"] == []


def test_notes_stand_with_the_record(world: DeskWorld) -> None:
    world.run("customer", "add", "C1", "--name", "Ana")
    assert "Noted on C1" in printed(world, "note", "C1", f"Rings in the evening {HOSTILE}")
    assert "Rings in the evening" in printed(world, "show", "C1")
    assert ask(world, "note", "C1", "two")["notes"][0]["by"] == "ana"
    assert "between 1 and" in refused(world, "note", "C1", " ")


# --- links ---


def test_linking_and_unlinking_say_what_they_did(world: DeskWorld) -> None:
    world.run("customer", "add", "C1", "--name", "Ana")
    world.decides(world.hears(), open_case=True)
    told = printed(world, "link", "C1", "sandbox", "@ana", "--basis", "verified", "--evidence", "a call")
    assert "@ana on sandbox is C1's (Ana), now." in told
    assert "Theirs now: ES-26-000001" in told
    assert "as soon as it is heard" in printed(world, "link", "C1", "sandbox", "@luis", "--basis", "verified")
    assert "C1's already" in refused(world, "link", "C1", "sandbox", "ANA", "--basis", "verified")
    told = printed(world, "unlink", "C1", "sandbox", "@ana")
    assert "no longer C1's" in told
    assert "the account's own: ES-26-000001" in told
    assert "not linked to C1" in refused(world, "unlink", "C1", "sandbox", "@ana")
    told = printed(world, "relink", "C1", "sandbox", "@ana")
    assert "C1's again (verified)" in told
    assert "Theirs again: ES-26-000001" in told
    assert "Still open in their name: ES-26-000001" in printed(world, "unlink", "C1", "sandbox", "ana", "--keep-cases")


def test_a_wrong_network_or_handle_is_one_sentence(world: DeskWorld) -> None:
    world.run("customer", "add", "C1", "--name", "Ana")
    assert "no network 'nowhere'" in refused(world, "link", "C1", "nowhere", "@ana", "--basis", "verified")
    assert "is no handle" in refused(world, "link", "C1", "sandbox", "a b", "--basis", "verified")
    assert "forbidden" in world.run("customer", "link", "C1", "sandbox", "@a", "--basis", "forbidden").stderr


# --- codes, and two records of one person ---


def test_a_code_is_shown_once_and_can_be_taken_back(world: DeskWorld) -> None:
    world.run("customer", "add", "C1", "--name", "Ana")
    told = printed(world, "code", "C1", "--valid", "1h")
    assert codes.is_code(told.splitlines()[0])
    assert "until 2026-03-04 18:30 UTC" in told
    made = ask(world, "code", "C1", "--channel", "mail")
    assert set(made) == {"customer", "code", "network", "expires_at"}
    assert (made["network"], codes.is_code(made["code"])) == ("mail", True)
    assert made["code"] not in (world.run("audit", "show", "--json").stdout)
    assert "2 codes of C1 taken back" in printed(world, "code", "C1", "--withdraw")
    assert "30 days at most" in refused(world, "code", "C1", "--valid", "90d")
    assert "is not a duration" in refused(world, "code", "C1", "--valid", "soon")
    assert "no network 'fax'" in refused(world, "code", "C1", "--channel", "fax")


def test_merging_and_unmerging_say_what_they_did(world: DeskWorld) -> None:
    world.run("customer", "add", "C1", "--name", "Ana")
    world.run("customer", "add", "C7", "--name", "Ana G.", "--email", "ana@a.example", "--tier", "gold")
    world.run("customer", "link", "C7", "sandbox", "@ana", "--basis", "verified")
    told = printed(world, "merge", "C1", "C7")
    assert "C7 (Ana G.) is C1 (Ana) from now on." in told
    assert "Filled in C1's record: email, tier." in told
    assert [each["reference"] for each in ask(world, "list")["customers"]] == ["C1"]
    assert ask(world, "show", "C7")["reference"] == "C1"
    assert "C7 was merged into C1 already" in refused(world, "merge", "C1", "C7")
    told = ask(world, "unmerge", "C7")
    assert (told["customer"], told["was_merged_into"], told["not_put_back"]) == ("C7", "C1", [])
    shown = ask(world, "show", "C7")
    assert ([link["handle"] for link in shown["links"]], shown["email"]) == (["ana"], "ana@a.example")
    assert ask(world, "show", "C1")["email"] is None
    assert "merged into no other" in refused(world, "unmerge", "C7")


def test_suggestions_are_listed_accepted_and_refused(world: DeskWorld) -> None:
    for number, mail in (("C1", "a@a.example"), ("C2", "a@a.example"), ("C3", "c@a.example"), ("C4", "c@a.example")):
        world.run("customer", "add", number, "--name", "Ana", "--email", mail)
    assert "Nothing is suggested." in printed(world, "suggestions")
    with world.store.write() as tx:
        suggestions.step(tx, networks=["sandbox"], linkable=lambda _: True, now=world.clock())
    told = ask(world, "suggestions")
    assert told["waiting"] == 2
    assert set(told["suggestions"][0]) == SUGGESTION_KEYS
    assert "a@a.example" in printed(world, "suggestions", "C1")
    assert ask(world, "show", "C2")["suggestions"][0]["customer"] == "C1"
    assert "C2 is C1 from now on." in printed(world, "accept", "1")
    assert "was accepted by ana already" in refused(world, "refuse", "1")
    assert "customer C4 is not C3" in printed(world, "refuse", "2")
    assert "Nothing is suggested." in printed(world, "suggestions")
    assert [each["state"] for each in ask(world, "suggestions", "--all")["suggestions"]] == ["accepted", "refused"]
    assert "no suggestion 9" in refused(world, "accept", "9")
    assert "Say which" in refused(world, "refuse")
