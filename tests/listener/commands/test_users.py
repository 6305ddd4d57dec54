"""Users at the command line: who acts, what they may, what they see, and what stands in the audit log of it."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import text

from listener.commands import permitted
from listener.commands.app import App
from listener.store import Store, audit, cases, customers, tables, users
from listener.store import audit as audit_log
from listener.types import Role
from tests import databases
from tests.listener.commands.desk_world import DANGEROUS, DeskWorld

ME = pwd.getpwuid(os.getuid()).pw_name


class Desk(DeskWorld):
    """The desk, where the tests' own name on the machine is Ana, an admin; others act by tokens."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.tokens: dict[str, str] = {}
        assert self.by("", "user", "add", "ana", "--role", "admin").exit_code == 0

    def by(self, name: str, *args: str, input: str | None = None) -> Result:
        """One command as that person; "" and `ana` are whoever the machine knows."""
        environment = {"ESCUCHA_TOKEN": self.tokens.get(name, "")}
        return self.run(*args, actor="", environment=environment, input=input)

    def joins(self, name: str, *said: str) -> str:
        """Somebody new, with a token."""
        assert self.by("", "user", "add", name, *said).exit_code == 0
        made = self.by("", "user", "token", name, "--json")
        self.tokens[name] = json.loads(made.stdout)["token"]
        return name

    def about(self, *subjects: str) -> list[audit.Entry]:
        with self.store.read() as tx:
            return audit_log.about(tx, *subjects)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.close()


def refused(result: Result, *words: str) -> None:
    """Exit code 2, and one sentence that holds those words."""
    assert result.exit_code == 2, result.output
    assert len(result.stderr.strip().splitlines()) == 1
    assert not result.stdout
    assert not DANGEROUS.search(result.stderr)
    for word in words:
        assert word in result.stderr


# --- who acts ---


def test_before_anybody_is_added_everybody_may_everything(tmp_path: Path) -> None:
    world = DeskWorld(tmp_path)
    told = json.loads(world.run("user", "me", "--json", actor="marta").stdout)
    assert told == {"name": "marta", "user": None}
    assert world.run("resume", actor="marta").exit_code == 0
    refused(world.run("user", "add", "ana", actor=""), "first user must be an admin", "--role admin")
    world.close()


def test_the_first_user_is_whoever_typed_it(desk: Desk) -> None:
    told = json.loads(desk.by("", "user", "me", "--json").stdout)
    assert (told["name"], told["os_user"], told["roles"]) == ("ana", ME, ["admin"])


def test_a_token_says_who_acts_from_the_variable_or_a_file(desk: Desk) -> None:
    desk.joins("luis")
    assert json.loads(desk.by("luis", "user", "me", "--json").stdout)["name"] == "luis"
    (desk.folder / "token").write_text(desk.tokens["luis"] + "\n")
    by_file = {"ESCUCHA_TOKEN_FILE": str(desk.folder / "token")}
    told = desk.run("user", "me", "--json", actor="", environment=by_file)
    assert json.loads(told.stdout)["name"] == "luis"


@pytest.mark.parametrize(
    "environment",
    [
        {"ESCUCHA_TOKEN": "esc_nonsense"},
        {"ESCUCHA_TOKEN": "\x1b[31m"},
        {"ESCUCHA_TOKEN": "x" * 5000},
        {"ESCUCHA_TOKEN": "x", "ESCUCHA_TOKEN_FILE": "y"},
        {"ESCUCHA_TOKEN_FILE": "/nowhere/at/all"},
        {"ESCUCHA_TOKEN_FILE": "escucha.db"},
    ],
)
def test_a_token_that_is_nobodys_is_one_sentence_and_no_way_back_to_the_machines_name(
    desk: Desk, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(desk.folder)
    refused(desk.run("customer", "list", actor="", environment=environment), "ESCUCHA_TOKEN")


def test_a_name_that_one_gives_oneself_makes_nobody_somebody_else(desk: Desk) -> None:
    desk.joins("luis", "--role", "supervisor")
    refused(desk.run("customer", "list", actor="luis"), "ESCUCHA_ACTOR=luis", "this is ana")
    assert desk.run("customer", "list", actor="ANA").exit_code == 0
    as_luis = {"ESCUCHA_TOKEN": desk.tokens["luis"]}
    refused(desk.run("customer", "list", actor="ana", environment=as_luis), "this is luis")
    assert desk.run("customer", "list", actor="luis", environment=as_luis).exit_code == 0


def test_the_machines_name_stands_beside_whom_a_token_showed(desk: Desk) -> None:
    desk.joins("luis", "--role", "agent")
    desk.by("luis", "customer", "add", "C-1", "--name", "Eva")
    (entry,) = desk.about("customer C-1")
    assert (entry.by, entry.detail["os_user"]) == ("luis", ME)


def test_a_stranger_to_the_machine_may_only_what_the_machine_needs(desk: Desk) -> None:
    desk.joins("marta", "--role", "admin")
    assert desk.by("", "user", "edit", "ana", "--os-user", "somebody-else").exit_code == 0
    refused(desk.by("", "customer", "list"), f"uid {os.getuid()} ({ME})", "no user here")
    refused(desk.by("", "user", "me"), "no user here")
    assert desk.by("", "status").exit_code == 0
    assert desk.by("", "pause").exit_code == 0
    paused = desk.about("all")
    assert [entry.by for entry in paused] == [f"uid {os.getuid()} ({ME})"]
    assert desk.by("marta", "resume").exit_code == 0


@pytest.mark.parametrize(
    "name", ["daemon", "rule x", "@ana", "mar\u200bta", "m\u0430rta", "a" * 81, "", "uid 0", "ﷺ" * 60]
)
def test_a_name_that_could_be_taken_for_anothers_is_refused(desk: Desk, name: str) -> None:
    refused(desk.by("", "user", "add", name))


@pytest.mark.parametrize("name", ["Ana Ruíz", "李雷", "o'neill", "Мария", "luis@marca.example", "Jean-Luc"])
def test_people_are_added_under_their_names(desk: Desk, name: str) -> None:
    desk.joins(name)
    assert json.loads(desk.by(name, "user", "me", "--json").stdout)["name"] == name


# --- what they may ---


@pytest.mark.parametrize(
    ("role", "may", "may_not"),
    [
        (
            "agent",
            ["case list", "customer list", "inbox"],
            ["source pause tag", "notice draft", "customer import x.csv"],
        ),
        ("moderator", ["inbox", "case list", "customer list"], ["user add x", "alert list"]),
        ("marketing", ["notice status", "source list"], ["case list", "customer list", "inbox", "audit show"]),
        ("supervisor", ["alert list", "case list", "audit show"], ["user add x", "user disable ana"]),
    ],
)
def test_each_role_may_what_is_its_own(desk: Desk, role: str, may: list[str], may_not: list[str]) -> None:
    desk.joins("luis", "--role", role)
    for command in may:
        assert desk.by("luis", *command.split()).exit_code == 0, command
    for command in may_not:
        path = " ".join(command.split()[:2])
        path = path if path in permitted.PERMITTED else command.split()[0]
        refused(desk.by("luis", *command.split()), f"`escucha {path}` is for", f"luis is {role}.")


@pytest.mark.parametrize("command", ["db backup", "db copy", "db restored"])
def test_what_the_machines_keeper_may_is_of_users_for_supervisors_alone(desk: Desk, command: str) -> None:
    for role in ("agent", "moderator", "marketing"):
        desk.joins(role, "--role", role)
        refused(desk.by(role, *command.split()), f"`escucha {command}` is for supervisor or admin")
    assert permitted.PERMITTED[command] == {"supervisor", "admin", "machine"}


def test_a_stranger_at_the_machine_may_this_and_nothing_else() -> None:
    strangers = {path for path, roles in permitted.PERMITTED.items() if permitted.NO_USER in roles}
    assert strangers == {
        *("init", "doctor", "config show", "source check", "policy check", "demo", "try", "run", "pause", "status"),
        *("db backup", "db check", "db copy", "db restored", "db upgrade", "audit anchor", "audit verify", "kb index"),
        *("model eval", "model import", "model info"),
    }


def test_a_refusal_names_who_may_and_stands_in_the_audit_log(desk: Desk) -> None:
    desk.joins("luis", "--role", "agent")
    told = desk.by("luis", "source", "pause", "tag").stderr
    assert told == "`escucha source pause` is for supervisor or admin; luis is agent.\n"
    (entry,) = desk.about("command source pause")
    assert (entry.by, entry.action) == ("luis", "refused")


def test_admins_may_everything_and_supervisors_what_those_they_lead_may() -> None:
    for path, roles in permitted.PERMITTED.items():
        assert Role.ADMIN in roles, path
        assert roles == permitted.ADMIN or Role.SUPERVISOR in roles, path


@pytest.mark.parametrize("command", ["customer list", "customer add C-1 --name Eva"])
def test_no_other_way_of_writing_the_databases_address_makes_everybody_free(desk: Desk, command: str) -> None:
    desk.joins("marta", "--role", "admin")
    desk.by("", "user", "edit", "ana", "--os-user", "somebody-else")
    url = databases.at(desk.folder)
    more = "&connect_timeout=5" if "?" in url else "?timeout=5"
    address = {"ESCUCHA_DATABASE__URL": url + more}
    refused(desk.run(*command.split(), actor="", environment=address))
    with desk.store.read() as tx:
        assert customers.listing(tx) == []


def test_help_needs_nobody(desk: Desk) -> None:
    assert desk.run("case", "list", "--help", actor="", environment={"ESCUCHA_TOKEN": "nonsense"}).exit_code == 0


def test_only_an_admin_gives_roles(desk: Desk) -> None:
    desk.joins("luis", "--role", "supervisor")
    refused(desk.by("luis", "user", "edit", "luis", "--role", "admin"), "Only an admin")
    refused(desk.by("luis", "user", "edit", "luis", "--os-user", ME), "Only an admin")
    assert desk.by("luis", "user", "edit", "luis", "--skill", "roaming").exit_code == 0


@pytest.mark.parametrize("command", ["token ana", "tokens ana", "password ana --stdin", "away ana", "back ana"])
def test_nobody_shows_for_another_who_they_are(desk: Desk, command: str) -> None:
    desk.joins("luis", "--role", "agent")
    refused(desk.by("luis", "user", *command.split(), input="una frase muy larga\n"), "of yourself alone")


def test_nobody_takes_back_anothers_token_but_an_admin(desk: Desk) -> None:
    desk.joins("luis", "--role", "agent")
    desk.joins("marta", "--role", "agent")
    refused(desk.by("luis", "user", "revoke", "2"), "of yourself alone")
    assert desk.by("", "user", "revoke", "2").exit_code == 0
    refused(desk.by("marta", "user", "me"), "taken back")


def test_whoever_is_disabled_in_the_middle_changes_nothing_more(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.joins("luis", "--role", "agent")
    now = App.acting.func

    def disabled_just_after(app: App) -> Any:
        acting = now(app)
        if acting.name == "luis":
            with desk.store.write() as tx:
                users.disable(tx, "luis", by="ana", now=desk.clock())
        return acting

    monkeypatch.setattr(App.acting, "func", disabled_just_after)
    refused(desk.by("luis", "customer", "add", "C-1", "--name", "Eva"), "luis was disabled a moment ago")
    with desk.store.read() as tx:
        assert customers.listing(tx) == []
    monkeypatch.undo()
    refused(desk.by("luis", "customer", "list"), "luis is disabled")


def test_whoever_loses_the_role_or_the_token_in_the_middle_changes_nothing_more(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.joins("luis", "--role", "supervisor")
    now = App.acting.func
    meanwhile: list[tuple[str, ...]] = [("user", "edit", "luis", "--role", "agent"), ("user", "revoke", "1")]

    def changed_just_after(app: App) -> Any:
        acting = now(app)
        if acting.name == "luis":
            monkeypatch.setattr(App.acting, "func", now)
            assert desk.by("", *meanwhile.pop(0)).exit_code == 0
        return acting

    monkeypatch.setattr(App.acting, "func", changed_just_after)
    refused(desk.by("luis", "resume"), "no longer one")
    desk.by("", "user", "edit", "luis", "--role", "supervisor")
    monkeypatch.setattr(App.acting, "func", changed_just_after)
    refused(desk.by("luis", "resume"), "taken back")


def test_whom_the_machine_no_longer_knows_in_the_middle_changes_nothing_more(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.joins("marta", "--role", "admin")
    now = App.acting.func

    def moved_just_after(app: App) -> Any:
        acting = now(app)
        monkeypatch.setattr(App.acting, "func", now)
        assert desk.by("marta", "user", "edit", "ana", "--os-user", "somebody-else").exit_code == 0
        return acting

    monkeypatch.setattr(App.acting, "func", moved_just_after)
    refused(desk.by("", "customer", "add", "C-1", "--name", "Eva"), "no longer knows ana")
    with desk.store.read() as tx:
        assert customers.listing(tx) == []


@pytest.mark.parametrize(
    ("was", "why"),
    [(("edit", "--role", "marketing"), "works on no cases"), (("disable",), "is disabled"), (("away",), "is away")],
)
def test_a_case_is_given_to_nobody_who_cannot_work_on_it(desk: Desk, was: tuple[str, ...], why: str) -> None:
    desk.joins("luis", "--role", "agent")
    assert desk.by("", "user", was[0], "luis", *was[1:]).exit_code == 0
    opened = json.loads(desk.by("", "case", "open", f"M{desk.hears()}", "--json").stdout)
    refused(desk.by("", "case", "assign", opened["reference"], "--agent", "luis"), f"luis {why}")


def test_an_edit_keeps_what_somebody_else_changed_meanwhile(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A supervisor who edits skills must not give back the role that an admin just took."""
    desk.joins("luis", "--role", "supervisor")
    desk.joins("marta", "--role", "admin")
    write = Store.write
    began: list[bool] = []

    def changed_just_before(store: Store) -> Any:
        if not began:
            began.append(True)
            assert desk.by("", "user", "edit", "luis", "--role", "agent").exit_code == 0
        return write(store)

    monkeypatch.setattr(Store, "write", changed_just_before)
    assert desk.by("marta", "user", "edit", "luis", "--skill", "roaming").exit_code == 0
    told = json.loads(desk.by("", "user", "show", "luis", "--json").stdout)
    assert (told["roles"], told["skills"]) == (["agent"], ["roaming"])


@pytest.mark.about_sqlite
def test_a_copy_of_everything_is_for_whoever_keeps_the_machine(desk: Desk) -> None:
    """It holds every customer and every direct message, which an agent's token must not open."""
    copy = desk.folder / "copy.db"
    for role in ("agent", "moderator", "marketing"):
        refused(desk.by(desk.joins(role, "--role", role), "db", "backup", str(copy)), "for supervisor or admin")
    assert not copy.exists()
    assert desk.by("", "db", "backup", str(copy)).exit_code == 0
    copy.unlink()
    desk.joins("marta", "--role", "admin")
    assert desk.by("", "user", "edit", "ana", "--os-user", "somebody-else").exit_code == 0
    assert desk.by("", "db", "backup", str(copy)).exit_code == 0  # no user here: the machine's own timer
    copy.unlink()
    with desk.store.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    assert desk.by("", "db", "backup", str(copy)).exit_code == 0  # before an upgrade nobody can be known


def test_passwords_are_set_and_checked(desk: Desk) -> None:
    desk.joins("luis", "--role", "agent")
    words = "una frase bastante larga\n"
    assert desk.by("luis", "user", "password", "--stdin", input=words).exit_code == 0
    assert desk.by("", "user", "sign-in", "LUIS", "--stdin", input=words).stdout == "That is luis's password.\n"
    refused(desk.by("", "user", "sign-in", "luis", "--stdin", input="otra\n"), "not the password")
    asked = desk.by("luis", "user", "password", input="otra frase bastante larga\n" * 2)
    assert asked.exit_code == 0
    assert "frase" not in asked.output


# --- what they see ---


def test_an_agent_sees_the_cases_of_their_teams_their_own_and_those_nobody_has(desk: Desk) -> None:
    desk.joins("luis", "--role", "agent", "--team", "billing")
    desk.joins("marta", "--role", "moderator")
    references = {}
    for name, team in (("theirs", "billing"), ("free", "care"), ("others", "care"), ("asked", "care"), ("own", "care")):
        number = desk.hears(who=name)
        opened = desk.by("", "case", "open", f"M{number}", "--team", team, "--json")
        references[name] = json.loads(opened.stdout)["reference"]
    for name, agent in (("others", "ana"), ("asked", "ana"), ("own", "luis"), ("theirs", "ana")):
        assert desk.by("", "case", "assign", references[name], "--agent", agent).exit_code == 0
    desk.by("", "case", "ask-for-information", references["asked"], "¿Qué pasó?", "--from", "billing")

    def seen(name: str) -> set[str]:
        listed = json.loads(desk.by(name, "case", "list", "--json").stdout)["cases"]
        return {key for key, reference in references.items() if reference in {each["reference"] for each in listed}}

    assert seen("luis") == {"theirs", "free", "asked", "own"}
    assert seen("ana") == seen("marta") == set(references)
    refused(desk.by("luis", "case", "show", references["others"]), "whose cases you do not see")
    refused(desk.by("luis", "case", "note", references["others"], "x"), "whose cases you do not see")
    refused(desk.by("luis", "show", references["others"]), "whose cases you do not see")
    assert desk.by("luis", "case", "show", references["own"]).exit_code == 0


def test_what_was_written_in_private_is_seen_by_whoever_sees_its_case(desk: Desk) -> None:
    desk.joins("luis", "--role", "agent", "--team", "billing")
    desk.joins("marta", "--role", "agent", "--team", "technical")
    public, private = desk.draft("Hola.", who="eva", open_case=True), desk.draft("Hola.", who="pepe", open_case=True)
    with desk.store.write() as tx:
        tx.execute(
            tables.mentions.update().where(tables.mentions.c.id == private.mention_id).values(visibility="direct")
        )

    def listed(name: str) -> list[int]:
        return [each["draft"] for each in json.loads(desk.by(name, "inbox", "--json").stdout)["drafts"]]

    assert len(listed("luis")) == 2  # nobody has them yet
    for draft in (public, private):
        with desk.store.read() as tx:
            case = cases.of_mention(tx, draft.mention_id)
        assert case is not None
        given = desk.by("", "case", "assign", case.reference, "--agent", "ana", "--team", "technical")
        assert given.exit_code == 0
    assert len(listed("luis")) == 1
    assert len(listed("marta")) == len(listed("ana")) == 2
    assert desk.by("luis", "show", f"M{public.mention_id}").exit_code == 0
    for command in ("show", "explain"):
        refused(desk.by("luis", command, f"D{private.id}"), "in private", "ask a supervisor")
    refused(desk.by("luis", "approve", f"D{private.id}"), "in private")
    assert desk.by("marta", "show", f"D{private.id}").exit_code == 0


def test_the_daemon_acts_as_the_daemon_whoever_starts_it(desk: Desk) -> None:
    settings = desk.folder / "escucha.toml"
    source = '\n[[sources]]\nname = "tag"\naccount = "care"\nquery = "#marca"\n'
    settings.write_text(settings.read_text() + source)
    desk.joins("marta", "--role", "admin")
    desk.by("", "user", "edit", "ana", "--os-user", "somebody-else")
    with desk.store.read() as tx:
        before = len(tx.execute(tables.audit.select()).all())
    started = desk.run("run", "--once", actor="care-desk")
    assert started.exit_code == 0, started.output
    with desk.store.read() as tx:
        since = tx.execute(tables.audit.select().order_by(tables.audit.c.id)).all()[before:]
    assert {row.by for row in since} == {"daemon"}


def test_a_mention_joins_its_persons_case_also_where_whoever_routes_it_may_not_see_it(desk: Desk) -> None:
    desk.joins("luis", "--role", "agent", "--team", "billing")
    first, second = desk.hears(who="eva"), desk.hears(who="eva")
    reference = json.loads(desk.by("", "case", "open", f"M{first}", "--team", "care", "--json").stdout)["reference"]
    desk.by("", "case", "assign", reference, "--agent", "ana")
    desk.by("luis", "case", "open", f"M{second}")
    with desk.store.read() as tx:
        assert cases.of_mention(tx, second) == cases.get(tx, reference)


def test_every_look_at_a_customer_is_in_the_audit_log(desk: Desk) -> None:
    desk.joins("luis", "--role", "agent")
    for number in ("C-1", "C-2"):
        desk.by("", "customer", "add", number, "--name", "Eva", "--email", "eva@example.org")
    desk.by("luis", "customer", "show", "C-1")
    desk.by("luis", "customer", "list")
    mention = desk.hears(who="eva")
    desk.by("", "customer", "link", "C-2", "sandbox", "@eva", "--basis", "verified")
    reference = json.loads(desk.by("", "case", "open", f"M{mention}", "--json").stdout)["reference"]
    desk.by("luis", "case", "show", reference)
    desk.by("luis", "show", f"M{mention}")

    def looks(subject: str) -> list[tuple[str, str]]:
        entries = [entry for entry in desk.about(subject) if entry.action == "looked"]
        return [(entry.by, entry.detail.get("reason", "")) for entry in entries]

    assert looks("customer C-1") == [("luis", ""), ("luis", "a list")]
    expected = [("luis", "a list"), ("luis", f"case {reference}"), ("luis", f"mention {mention}")]
    assert looks("customer C-2") == expected


def test_whoever_need_not_see_it_sees_a_customer_without_what_is_personal(desk: Desk) -> None:
    desk.joins("luis", "--role", "agent")
    desk.joins("marta", "--role", "moderator")
    desk.by("", "customer", "add", "C-1", "--name", "Eva", "--email", "eva@example.org", "--phone", "600123123")
    assert "eva@example.org" in desk.by("luis", "customer", "show", "C-1").stdout
    for command in (("customer", "show", "C-1"), ("customer", "show", "C-1", "--json"), ("customer", "list", "--json")):
        told = desk.by("marta", *command).stdout
        assert "Eva" in told
        assert "eva@example.org" not in told
        assert "600" not in told


def test_users_are_listed_with_who_is_away(desk: Desk) -> None:
    desk.joins("luis", "--team", "care", "--skill", "Roaming,roaming", "--language", "ES", "--capacity", "3")
    assert desk.by("luis", "user", "away", "--until", "2026-03-05").exit_code == 0
    listed = json.loads(desk.by("", "user", "list", "--json").stdout)["users"]
    assert [(each["name"], each["away"]) for each in listed] == [("ana", False), ("luis", True)]
    assert (listed[1]["skills"], listed[1]["languages"], listed[1]["capacity"]) == (["roaming"], ["es"], 3)
    desk.clock.forward(days=2)
    assert not json.loads(desk.by("", "user", "list", "--json").stdout)["users"][1]["away"]


@pytest.mark.parametrize(
    "said",
    [
        ("--team", "nowhere"),
        ("--language", "español"),
        ("--capacity", "-1"),
        ("--capacity", "many"),
        ("--duty", "nunca"),
        ("--os-user", "a b"),
        ("--skill", "x" * 101),
        ("--skill", "\x1b[31m"),
    ],
)
def test_what_makes_no_sense_of_somebody_is_one_sentence(desk: Desk, said: tuple[str, str]) -> None:
    refused(desk.by("", "user", "add", "luis", *said))
    with desk.store.read() as tx:
        assert [each.name for each in users.listing(tx)] == ["ana"]
