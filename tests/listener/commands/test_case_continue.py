"""`escucha case continue`: what is drafted, for whom, what is refused, and what a call leaves behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result

from listener.store import cases, inbox, tables
from listener.store.inbox import Draft
from listener.types import DraftState, PostKind
from tests.listener.commands.desk_world import SETTINGS, DeskWorld

MAILBOX = """
[accounts.mailbox]
network = "mail"
address = "ayuda@marca.example"
imap_host = "imap.marca.example"
smtp_host = "smtp.marca.example"
"""
POLICY = """
name: Test
default_team: care
teams: {care: {what: everything}}
brand: {contacts: [ayuda@marca.example]}
rules: [{name: all, then: {case: {}}}]
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DeskWorld]:
    made = DeskWorld(tmp_path)
    (tmp_path / "escucha.toml").write_text(SETTINGS + MAILBOX, encoding="utf-8")
    yield made
    made.close()


def a_case(world: DeskWorld, **heard: object) -> tuple[str, int]:
    """A case with one mention and a draft that waits; its reference, and the mention's number."""
    number = world.hears(**heard)  # type: ignore[arg-type]
    draft = world.decides(number, open_case=True)
    assert draft is not None
    assert draft.case_reference
    return draft.case_reference, number


def proposed(world: DeskWorld) -> list[Draft]:
    with world.store.read() as tx:
        return inbox.waiting(tx)


def events(world: DeskWorld, reference: str) -> list[tuple[str, dict[str, object]]]:
    with world.store.read() as tx:
        return [(event.kind, event.detail) for event in cases.events_of(tx, cases.get(tx, reference))]


def refused(result: Result) -> str:
    assert result.exit_code == 2, result.output
    return result.output


def test_a_mail_carries_the_reference_and_what_was_said_and_the_public_is_told_nothing_of_it(world: DeskWorld) -> None:
    ref, _ = a_case(world, text="@marca No tengo señal desde el lunes.")
    result = world.run("case", "continue", ref, "--by", "mail", "--to", "ana@correo.example")
    assert result.exit_code == 0, result.output
    mail, offer = sorted(proposed(world), key=lambda draft: not draft.channel)
    assert (mail.channel, mail.network, mail.account) == ("mail", "mail", "mailbox")
    assert mail.recipient == "ana@correo.example"
    assert ref in mail.subject
    assert "“marca No tengo señal desde el lunes.”" in mail.text
    assert "No hace falta que repitas nada" in mail.text
    assert (offer.channel, offer.network, offer.account) == ("", "sandbox", "care")
    assert ref in offer.text
    assert "ana@correo.example" not in offer.text + result.output.replace("a mail to ana@correo.example", "")
    assert ("continued", {"channel": "mail", "draft": mail.id, "offer": offer.id}) in events(world, ref)


def test_what_the_policy_wanted_to_say_there_gives_way_to_the_offer(world: DeskWorld) -> None:
    ref, _ = a_case(world)
    before = proposed(world)[0]
    world.run("case", "continue", ref, "--by", "mail", "--to", "ana@correo.example")
    assert world.now_is(before).state is DraftState.EXPIRED


def test_without_an_address_they_are_asked_to_write_to_one_that_may_stand_in_public(
    world: DeskWorld, tmp_path: Path
) -> None:
    ref, _ = a_case(world)
    told = refused(world.run("case", "continue", ref, "--by", "mail"))
    assert "`brand: contacts:` in the policy must name ayuda@marca.example" in told
    assert "--to" in told
    (tmp_path / "policy.yaml").write_text(POLICY, encoding="utf-8")
    activated = world.run("policy", "activate", str(tmp_path / "policy.yaml"), "--because", "x", "--yes")
    assert activated.exit_code == 0, activated.output
    assert world.run("case", "continue", ref, "--by", "mail").exit_code == 0
    offer = next(draft for draft in proposed(world) if draft.template == "continue elsewhere")
    assert "ayuda@marca.example" in offer.text
    assert ref in offer.text


def test_nothing_is_said_in_public_where_the_network_forbids_it(world: DeskWorld) -> None:
    ref, _ = a_case(world, unanswerable="the thread is locked")
    result = world.run("case", "continue", ref, "--by", "mail", "--to", "ana@correo.example")
    assert "the thread is locked" in result.output
    assert [draft.channel for draft in proposed(world) if draft.template == "continue elsewhere"] == ["mail"]


def test_a_direct_message_goes_to_who_wrote_and_fits_the_network(world: DeskWorld) -> None:
    ref, _ = a_case(world, text="x" * 4000)
    result = world.run("case", "continue", ref, "--by", "dm", "--no-offer")
    assert result.exit_code == 0, result.output
    message = next(draft for draft in proposed(world) if draft.channel)
    assert (message.channel, message.network, message.account) == ("dm", "sandbox", "care")
    assert message.length <= message.length_limit


def test_the_same_is_not_drafted_twice(world: DeskWorld) -> None:
    ref, _ = a_case(world)
    world.run("case", "continue", ref, "--by", "dm")
    before = world.all_states()
    assert "goes there already (proposed)" in refused(world.run("case", "continue", ref, "--by", "dm"))
    assert world.all_states() == before


def test_whoever_asked_to_be_left_alone_is_written_to_nowhere(world: DeskWorld) -> None:
    ref, _ = a_case(world)
    with world.store.write() as tx:
        tx.execute(tables.accounts.update().values(left_alone_at=world.clock()))
    before = world.all_states()
    for args in (("--by", "dm"), ("--by", "mail", "--to", "ana@correo.example"), ("--by", "mail")):
        assert "left alone" in refused(world.run("case", "continue", ref, *args))
    assert world.all_states() == before


def test_why_a_person_goes_on_is_no_rule(world: DeskWorld) -> None:
    ref, _ = a_case(world)
    world.run("case", "continue", ref, "--by", "dm")
    message = next(draft for draft in proposed(world) if draft.channel)
    shown = world.run("show", f"D{message.id}").output
    assert "a person goes on with the case elsewhere" in shown
    assert "held for a person" not in shown
    assert world.run("explain", f"D{message.id}").exit_code == 0


def test_the_inbox_marks_what_goes_to_one_person_alone(world: DeskWorld) -> None:
    ref, _ = a_case(world)
    world.run("case", "continue", ref, "--by", "dm")
    shown = world.run("inbox").output
    assert shown.count("[dm] Hola. Seguimos aquí") == 1


def test_nobody_who_never_addressed_us_gets_a_message(world: DeskWorld) -> None:
    ref, _ = a_case(world, kind=PostKind.FOUND)
    told = refused(world.run("case", "continue", ref, "--by", "dm"))
    assert "They never addressed us on sandbox" in told
    assert "--by mail" in told


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--by", "mail", "--to", "not an address"), "is no e-mail address"),
        (("--by", "dm", "--to", "ana@correo.example"), "--to is for mail and phone"),
        (("--by", "mail", "--outcome", "reached"), "--outcome is for calls and chats"),
        (("--by", "phone", "--note", "hola"), "--outcome"),
        (("--by", "phone", "--outcome", "reached", "--began", "mañana"), "is no time"),
        (("--by", "phone", "--outcome", "reached", "--began", "23:59"), "still to come"),
        (("--by", "mail", "--to", "a@b.example", "--account", "care"), "is no mailbox"),
        (("--by", "phone", "--to", "no number"), "is no phone number"),
    ],
)
def test_a_slip_is_said_with_the_next_step_and_changes_nothing(
    world: DeskWorld, args: tuple[str, ...], said: str
) -> None:
    ref, _ = a_case(world)
    before = events(world, ref)
    assert said in refused(world.run("case", "continue", ref, *args))
    assert events(world, ref) == before


def test_the_agent_sees_what_to_know_before_a_call(world: DeskWorld) -> None:
    ref, _ = a_case(world, text="No tengo señal desde el lunes.")
    result = world.run("case", "continue", ref, "--by", "phone", "--to", "+34 600 123 123")
    assert "+34 600 123 123" in result.output
    assert "“No tengo señal desde el lunes.”" in result.output
    assert f"escucha case continue {ref} --by phone --outcome" in result.output.replace("\n", " ")


def test_a_call_is_written_down_and_answers_the_case(world: DeskWorld) -> None:
    ref, _ = a_case(world)
    done = world.run(
        "case", "continue", ref, "--by", "phone", "--outcome", "no_answer", "--began", "17:10", "--minutes", "1"
    )
    assert done.exit_code == 0, done.output
    assert case(world, ref)["first_response_at"] is None, "nobody was reached"
    world.run("case", "continue", ref, "--by", "phone", "--outcome", "reached", "--note", "Lo miran hoy")
    assert case(world, ref)["first_response_at"] is not None
    world.run("case", "continue", ref, "--by", "chat", "--outcome", "solved", "--minutes", "12")
    assert case(world, ref)["state"] == "resolved"
    calls = [detail for kind, detail in events(world, ref) if kind == "call"]
    assert [detail["outcome"] for detail in calls] == ["no_answer", "reached", "solved"]
    assert calls[0]["began"] == "2026-03-04T17:10:00+00:00"
    shown = world.run("case", "show", ref).output
    assert "a call without an answer, 17:10 UTC, 1 min, by ana" in shown
    assert "Lo miran hoy" in shown


def test_what_is_over_is_not_gone_on_with(world: DeskWorld) -> None:
    ref, _ = a_case(world)
    world.run("case", "resolve", ref)
    assert "reopen" in refused(world.run("case", "continue", ref, "--by", "mail", "--to", "a@b.example"))
    assert "reopen" in refused(world.run("case", "continue", ref, "--by", "phone", "--outcome", "reached"))


def test_nobody_elses_words_go_into_the_mail(world: DeskWorld) -> None:
    ref, _ = a_case(world, text="No tengo señal.")
    other = world.hears("Mi número de cliente es 998877", who="berta")
    with world.store.write() as tx:
        cases.attach(tx, cases.get(tx, ref), other, why="by mistake", by="ana", now=world.clock())
    world.run("case", "continue", ref, "--by", "mail", "--to", "ana@correo.example")
    mail = next(draft for draft in proposed(world) if draft.channel)
    assert "No tengo señal." in mail.text
    assert "998877" not in mail.text


def test_words_that_their_author_deletes_leave_the_mail_too(world: DeskWorld) -> None:
    ref, first = a_case(world, text="Primero dije esto.")
    second = world.hears("Y ahora esto otro.", minutes_ago=2)
    with world.store.write() as tx:
        cases.attach(tx, cases.get(tx, ref), second, why="the same person", by="policy", now=world.clock())
    world.run("case", "continue", ref, "--by", "mail", "--to", "ana@correo.example", "--no-offer")
    mail = next(draft for draft in proposed(world) if draft.channel)
    assert "Primero dije esto." in mail.text
    assert mail.mention_id == second
    world.is_deleted(first)
    assert world.now_is(mail).state is DraftState.EXPIRED
    assert world.now_is(mail).text == ""


def test_the_mail_is_looked_at_and_approved_like_any_reply(world: DeskWorld) -> None:
    ref, _ = a_case(world)
    world.run("case", "continue", ref, "--by", "mail", "--to", "ana@correo.example", "--no-offer")
    mail = next(draft for draft in proposed(world) if draft.channel)
    shown = world.run("show", f"D{mail.id}").output
    assert "mail to ana@correo.example" in shown
    told = json.loads(world.run("show", f"D{mail.id}", "--json").output)["draft"]
    assert (told["channel"], told["recipient"]) == ("mail", "ana@correo.example")
    assert world.run("edit", f"D{mail.id}", "--text", "Hola, te llamamos al 600 123 123.").exit_code == 0
    assert world.run("show", f"D{mail.id}").exit_code == 0
    result = world.run("approve", f"D{mail.id}")
    assert result.exit_code == 0, result.output
    assert world.now_is(mail).state is DraftState.APPROVED


def test_json_says_what_was_drafted(world: DeskWorld) -> None:
    ref, _ = a_case(world)
    told = json.loads(world.run("case", "continue", ref, "--by", "mail", "--to", "ana@correo.example", "--json").output)
    assert told["reference"] == ref
    assert told["draft"]["channel"] == "mail"
    assert told["offer"]["network"] == "sandbox"
    told = json.loads(world.run("case", "continue", ref, "--by", "phone", "--to", "600123123", "--json").output)
    assert told["phone"] == "600123123"
    assert "repitas" not in told["recap"]


def a_customer(world: DeskWorld) -> None:
    """The case is a customer's who has an address and a number on record."""
    added = world.run("customer", "add", "C-7", "--name", "Ana García", "--email", "Ana@hogar.example")
    assert added.exit_code == 0, added.output
    assert world.run("customer", "contact", "C-7", "phone", "+34 600 555 444").exit_code == 0
    linked = world.run("customer", "link", "C-7", "sandbox", "ana", "--basis", "verified")
    assert linked.exit_code == 0, linked.output


def test_the_mail_goes_to_the_address_on_record_with_the_name_that_belongs_to_it(world: DeskWorld) -> None:
    ref, _ = a_case(world)
    a_customer(world)
    assert world.run("case", "continue", ref, "--by", "mail", "--no-offer").exit_code == 0
    assert world.run("case", "continue", ref, "--by", "mail", "--no-offer", "--to", "b@b.example").exit_code == 0
    on_record, given = [draft for draft in proposed(world) if draft.channel]
    assert on_record.recipient == "Ana@hogar.example"
    assert on_record.text.startswith("Hola Ana García:")
    assert "García" not in given.text, "nobody says that this address is hers"


def test_an_address_that_must_not_be_used_is_not(world: DeskWorld) -> None:
    ref, _ = a_case(world)
    a_customer(world)
    world.run("customer", "consent", "C-7", "care", "--withdrawn", "--channel", "mail", "--source", "call")
    told = world.run("customer", "consent", "C-7", "--json").output
    assert "false" in told, told
    assert "--to" in refused(world.run("case", "continue", ref, "--by", "mail", "--no-offer"))
    told = refused(world.run("case", "continue", ref, "--by", "mail", "--to", "ana@hogar.example"))
    assert "consent for care was withdrawn" in told
    assert "+34 600 555 444" in world.run("case", "continue", ref, "--by", "phone").output
    world.run("customer", "contact", "C-7", "phone", "+34 600 555 444", "--do-not-use")
    told = world.run("case", "continue", ref, "--by", "phone").output
    assert "none that may be used is known" in told
    assert "600 555 444" not in told


def case(world: DeskWorld, reference: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(world.run("case", "show", reference, "--json").output)
    return found
