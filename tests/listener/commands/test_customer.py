"""`escucha customer`, as people type it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from listener.store import audit
from tests.listener.commands.desk_world import DANGEROUS, DeskWorld

HOSTILE = "[red]x[/red] \u202egnp.exe pay\u200bpal"
KEYS = {"reference", "name", "email", "phone", "language", "tier", "tags", "fields", "added_at", "changed_at"}


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
        "1 line of people.csv cannot be used as written; they stand in people.rejected.csv: mend them there and "
        "import it.",
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
    assert set(told) == {*KEYS, "links", "cases", "mentions"}
    assert {link["handle"]: link["heard"] for link in told["links"]} == {"ana": True, "luis": False}
    assert told["fields"] == {"city": "Lugo"}
    assert told["mentions"][0]["mention"] == number
    assert told["cases"][0]["customer"]["reference"] == "C1"


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
