"""What an agent sees and touches of other teams' cases, and a moderator of what customers owe, by every way in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from listener.desk import suggestions
from listener.store import cases, lately, mentions, tables, waiting
from listener.store.sight import Sight
from listener.types import DraftState
from tests.listener.commands.test_users import Desk, refused

SECRET = "Mi tarjeta termina en 4242 y nadie debe saberlo."
OURS = "Su tarjeta 4242 queda bloqueada."


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    made.joins("luis", "--role", "agent", "--team", "billing")
    yield made
    made.close()


def away_from(desk: Desk, mention_id: int, *, private: bool = True) -> str:
    """The mention's case belongs to a team that is not Luis's; gives its reference."""
    with desk.store.write() as tx:
        if private:
            tx.execute(tables.mentions.update().where(tables.mentions.c.id == mention_id).values(visibility="direct"))
        case = cases.of_mention(tx, mention_id)
    reference = (
        case.reference
        if case
        else json.loads(desk.by("", "case", "open", f"M{mention_id}", "--json").stdout)["reference"]
    )
    assert desk.by("", "case", "assign", reference, "--agent", "ana", "--team", "technical").exit_code == 0
    return str(reference)


def test_no_command_about_a_draft_touches_what_others_have_in_private(desk: Desk) -> None:
    draft = desk.draft("Hola.", said=SECRET, who="eva", open_case=True)
    away_from(desk, draft.mention_id)
    for state, *command in (
        (DraftState.PROPOSED, "reject", "--reason", "porque sí"),
        (DraftState.PROPOSED, "edit", "--text", "Otra cosa."),
        (DraftState.UNKNOWN, "settle", "--sent"),
        (DraftState.FAILED, "retry"),
    ):
        desk.put(draft, state)
        for typed in (f"D{draft.id}", str(draft.id)):
            refused(desk.by("luis", command[0], typed, *command[1:]), "in private", "ask a supervisor")
        assert desk.now_is(draft).state is state
        assert desk.now_is(draft).text == "Hola."
    refused(desk.by("luis", "reject", f"M{draft.mention_id}", "--reason", "x"), "in private")


def test_what_others_were_told_in_private_stands_in_no_list_and_no_time_line(desk: Desk) -> None:
    desk.by("", "customer", "add", "C-1", "--name", "Eva")
    desk.by("", "customer", "link", "C-1", "sandbox", "@eva", "--basis", "verified")
    answered = desk.draft(OURS, said=SECRET, who="eva", open_case=True)
    quiet = desk.hears(SECRET, who="eva", thread="t1")
    public = desk.hears("¿Y bien?", who="eva", thread="t1", minutes_ago=1)
    for number in (answered.mention_id, quiet):
        away_from(desk, number)
    desk.put(answered, DraftState.SENT, sent_at=desk.clock())
    ways = (
        ("show", f"M{public}", "--json"),
        ("show", f"M{public}"),
        ("customer", "show", "C-1", "--json"),
        ("inbox", "--all", "--json"),
        ("explain", f"M{public}", "--json", "--no-words"),
    )
    for way in ways:
        told = desk.by("luis", *way)
        assert told.exit_code == 0, told.output
        assert "4242" not in told.output, way
        assert "4242" in desk.by("", *way).output or way[0] == "explain", way


def test_the_two_ways_of_asking_what_is_seen_agree(desk: Desk) -> None:
    """In the database and in Python, also where no team was asked: NULL must not let anybody in, or keep them out."""
    numbers = {}
    for name, team, asked in (("theirs", "billing", None), ("others", "technical", None), ("asked", "care", "billing")):
        numbers[name] = desk.draft("Hola.", said=SECRET, who=name, open_case=True).mention_id
        reference = away_from(desk, numbers[name])
        with desk.store.write() as tx:
            known = tables.cases.c.reference == reference
            tx.execute(tables.cases.update().where(known).values(team=team, asked_team=asked))
    numbers["free"] = desk.draft("Hola.", said=SECRET, who="free").mention_id
    desk.store.sight = Sight(agent="luis", teams=("billing",))
    with desk.store.read() as tx:
        listed = {each.draft.mention_id for each in waiting.drafts(tx)}
        for name, number in numbers.items():
            author = mentions.get(tx, number).account_id
            seen = name != "others"
            assert (number in listed) is seen, name
            assert bool(lately.said(tx, [author], limit=5)) is seen, name
            assert bool(lately.moods(tx, [author], limit=5)) is seen, name
            case = cases.of_mention(tx, number)
            assert case is None or desk.store.sight.sees_case(case) is seen


def test_a_direct_message_of_ours_about_a_public_post_is_private_too(desk: Desk) -> None:
    draft = desk.draft(OURS, said="¿Hola?", who="eva", open_case=True)
    away_from(desk, draft.mention_id, private=False)
    desk.put(draft, DraftState.PROPOSED, channel="dm", through="sandbox")
    for command in (("show", f"D{draft.id}"), ("reject", f"D{draft.id}", "--reason", "x")):
        refused(desk.by("luis", *command), "in private")
    told = desk.by("luis", "show", f"M{draft.mention_id}", "--json")
    assert told.exit_code == 0
    assert "4242" not in told.stdout
    assert "4242" not in desk.by("luis", "inbox", "--all", "--json").stdout
    assert "4242" in desk.by("", "show", f"M{draft.mention_id}", "--json").stdout


def test_a_case_of_ones_own_that_went_into_anothers_is_no_door_to_it(desk: Desk) -> None:
    mine, other = (desk.draft("Hola.", who="eva", open_case=True) for _ in range(2))
    whole = away_from(desk, other.mention_id)
    with desk.store.read() as tx:
        part = cases.of_mention(tx, mine.mention_id)
    assert part is not None
    assert desk.by("", "case", "merge", whole, part.reference).exit_code == 0
    for command in (("case", "show"), ("case", "unmerge"), ("case", "resolve"), ("show",)):
        refused(desk.by("luis", *command, part.reference), "whose cases you do not see")
    assert desk.by("", "case", "unmerge", part.reference).exit_code == 0


def test_whoever_solves_a_case_with_its_parts_solves_only_those_they_see(desk: Desk) -> None:
    with desk.store.read():
        parent, hidden, shown = (desk.draft("Hola.", who=who, open_case=True) for who in ("a", "b", "c"))
    named = {}
    with desk.store.read() as tx:
        for name, draft in (("parent", parent), ("hidden", hidden), ("shown", shown)):
            found = cases.of_mention(tx, draft.mention_id)
            assert found is not None
            named[name] = found.reference
    for name in ("hidden", "shown"):
        assert desk.by("", "case", "parent", named[name], named["parent"]).exit_code == 0
    away_from(desk, hidden.mention_id)
    told = json.loads(desk.by("luis", "case", "show", named["parent"], "--json").stdout)
    assert told["children"] == [named["shown"]]
    listed = json.loads(desk.by("luis", "case", "children", named["parent"], "--json").stdout)["children"]
    assert [each["reference"] for each in listed] == [named["shown"]]
    assert desk.by("luis", "case", "resolve", named["parent"], "--with-children").exit_code == 0
    with desk.store.read() as tx:
        states = {name: str(cases.get(tx, reference).state) for name, reference in named.items()}
    assert states == {"parent": "resolved", "shown": "resolved", "hidden": "open"}


def test_who_puts_a_mention_into_a_case_of_others_reads_nothing_of_it(desk: Desk) -> None:
    desk.by("", "customer", "add", "C-1", "--name", "Eva Ruiz")
    desk.by("", "customer", "link", "C-1", "sandbox", "@eva", "--basis", "verified")
    first = desk.hears(who="eva")
    desk.by("", "case", "open", f"M{first}", "--title", "Deuda impagada")
    reference = away_from(desk, first, private=False)
    told = desk.by("luis", "case", "open", f"M{desk.hears(who='eva')}", "--json")
    assert json.loads(told.stdout) == {"reference": reference, "team": "technical", "opened": False}
    words = desk.by("luis", "case", "open", f"M{desk.hears(who='eva')}").stdout
    assert reference in words
    assert "Eva" not in words
    assert "Deuda" not in words


def test_nobody_counts_to_an_incident_what_others_have_in_private(desk: Desk) -> None:
    desk.joins("marga", "--role", "marketing")
    private, public = (desk.draft("Hola.", said=said, who="eva", open_case=True) for said in (SECRET, "Sin línea"))
    away_from(desk, private.mention_id)
    away_from(desk, public.mention_id, private=False)
    desk.by("", "incident", "open", "Avería")
    for who in ("luis", "marga"):
        refused(desk.by(who, "incident", "attach", "I1", f"M{private.mention_id}"), "in private", "ask a supervisor")
    assert desk.by("luis", "incident", "attach", "I1", f"M{public.mention_id}").exit_code == 0
    assert desk.by("", "incident", "attach", "I1", f"M{private.mention_id}").exit_code == 0
    for who in ("luis", "marga"):
        refused(desk.by(who, "incident", "detach", "I1", f"M{private.mention_id}"), "in private", "ask a supervisor")
        refused(desk.by(who, "incident", "detach", "I1", "M99"), "no mention M99")


# --- what customers owe, and how they are reached ---


def test_a_moderator_gets_the_records_neither_as_a_file_nor_by_guessing(desk: Desk) -> None:
    desk.joins("marta", "--role", "moderator")
    desk.by("", "customer", "add", "C-1", "--name", "Eva", "--email", "eva@example.org", "--phone", "600123123")
    refused(desk.by("marta", "customer", "csv"), "supervisor or admin")
    for words in ("eva@example", "600123"):
        assert json.loads(desk.by("marta", "customer", "list", "--search", words, "--json").stdout)["total"] == 0
        assert json.loads(desk.by("luis", "customer", "list", "--search", words, "--json").stdout)["total"] == 1
        assert "C-1" not in desk.by("marta", "customer", "show", words).output
    assert json.loads(desk.by("marta", "customer", "list", "--search", "eva", "--json").stdout)["total"] == 1


def test_no_list_of_an_incident_tells_a_moderator_whose_address_or_number_something_is(desk: Desk) -> None:
    desk.joins("marta", "--role", "moderator")
    desk.joins("sofia", "--role", "supervisor")
    for name in ("C-1", "C-2"):
        desk.by("", "customer", "add", name, "--name", "Eva", "--email", f"{name}@example.org", "--phone", "600123123")
    guesses = desk.folder / "guesses.csv"
    guesses.write_text("email\nC-1@example.org\n")
    open_it = ("incident", "open", "Factura", "--customers", str(guesses))
    refused(desk.by("marta", *open_it), "no column reference", "supervisor")
    guesses.write_text("reference,email\nC-2,C-1@example.org\nnobody,C-1@example.org\n")
    assert "On its list: 1 customer. 1 of 2 lines are no customer's" in desk.by("marta", *open_it).output
    assert "On its list: 2 customers." in desk.by("sofia", *open_it).output


@pytest.mark.parametrize(
    "command",
    [
        "edit C-1 --tier gold --json",
        "note C-1 Llamar --json",
        "contact C-1 phone 600123124",
        "consent C-1",
    ],
)
def test_whatever_shows_a_record_counts_as_a_look(desk: Desk, command: str) -> None:
    desk.by("", "customer", "add", "C-1", "--name", "Eva", "--email", "eva@example.org")
    shown = desk.by("luis", "customer", *command.split())
    assert shown.exit_code == 0, shown.output
    assert [entry.by for entry in desk.about("customer C-1") if entry.action == "looked"] == ["luis"]


def test_explain_is_a_look_and_tells_a_moderator_nothing_of_what_they_owe(desk: Desk) -> None:
    desk.joins("marta", "--role", "moderator")
    draft = desk.draft("Hola.", who="eva")
    desk.knows("eva", reference="C-1")
    with desk.store.write() as tx:
        row = tx.execute(tables.decisions.select()).one()
        customer = {"reference": "C-1", "tier": "gold", "arrears": 142.5, "contracts": 0, "fields": {"iban": "ES7921"}}
        rules = [
            {"rule": "debt", "outcome": "failed", "condition": "customer.arrears", "wanted": "> 900", "saw": "142.5"},
            {"rule": "any", "outcome": "failed", "condition": "any", "saw": "customer.fields.iban ES7921"},
            {"rule": "tier", "outcome": "failed", "condition": "customer.tier", "wanted": "silver", "saw": "gold"},
        ]
        saw = {**row.saw, "customer": customer}
        tx.execute(tables.decisions.update().values(saw=saw, trace={**row.trace, "rules": rules}))
    for extra in (("--json",), ("--all",)):
        told = desk.by("marta", "explain", f"D{draft.id}", "--no-words", *extra).stdout
        assert "142.5" not in told
        assert "ES7921" not in told
        assert "gold" in told
        everything = desk.by("luis", "explain", f"D{draft.id}", "--no-words", *extra).stdout
        assert "142.5" in everything
        assert "ES7921" in everything
    looks = [entry.by for entry in desk.about("customer C-1") if entry.action == "looked"]
    assert sorted(looks) == ["luis", "luis", "marta", "marta"]
    refused(desk.by("marta", "policy", "record", f"M{draft.mention_id}", "--to", "t.yaml", "--yes"), "ask a supervisor")


def test_a_moderator_sees_who_may_be_whom_without_the_number_that_says_so(desk: Desk) -> None:
    desk.joins("marta", "--role", "moderator")
    for reference in ("C-1", "C-2"):
        desk.by("", "customer", "add", reference, "--name", reference, "--email", "eva@example.org")
    with desk.store.write() as tx:
        assert suggestions.step(tx, networks=["sandbox"], linkable=lambda _: True, now=desk.clock()) == 1
    for command in (["customer", "suggestions"], ["customer", "show", "C-1"]):
        for extra in ([], ["--json"]):
            told = desk.by("marta", *command, *extra).stdout
            assert "both records have the address" in " ".join(told.split())
            assert "eva@example.org" not in told
            assert "eva@example.org" in desk.by("luis", *command, *extra).stdout
