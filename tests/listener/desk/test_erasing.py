"""A person is erased: nothing of them is found, in any table or byte, and nothing of anybody else is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from listener.desk import cases as desk_cases
from listener.desk import crm_records, erasing
from listener.desk import customers as desk_customers
from listener.desk import records as desk_records
from listener.errors import AlreadyDone, Mistake, NotFound
from listener.store import (
    audit,
    cases,
    corrections,
    customers,
    holds,
    mentions,
    rebuilding,
    verifying,
)
from listener.store import tables as t
from listener.store.customers import Edit
from listener.types import CrmRecord, DraftState, LinkBasis
from tests import databases
from tests.listener.commands.desk_world import DeskWorld

ROOT = Path(__file__).parents[3]


class Person:
    """Somebody whose every word and name holds their own bird, so that it is told at once whose a byte is."""

    def __init__(self, world: DeskWorld, bird: str) -> None:
        self.world, self.bird = world, bird
        self.handle, self.reference = f"{bird}-77", f"C-{bird}-1"
        self.said: list[int] = []
        self.last = ""  # sentence that they wrote
        values: dict[str, Any] = {
            "name": f"Ana {bird.title()}",
            "email": f"{bird}@mail.example",
            "phone": "+56 9 8888 7777" if bird == "zorzal" else "+56 9 1111 2222",
            "language": "es",
            "tier": "gold",
            "tags": [bird],
            "fields": {"rut": f"12.345.678-{bird}"},
            "since": None,
        }
        with world.store.write() as tx:
            edit = Edit(reference=self.reference, values=values, changed=())
            customers.write(tx, added=[edit], changed=[], by="test", now=world.clock(), source="test")

    def sentence(self) -> str:
        return f"El {self.bird} número {self.world.count} sigue sin internet en su casa desde el lunes"

    def says(self, *, quoted: str = "", about: str = "") -> int:
        self.last = self.sentence()
        words = f"{self.last}. Ñandú. {about}"
        number = self.world.hears(
            words,
            who=self.handle,
            name=f"Ana {self.bird.title()}",
            quoted=quoted,
            url=f"https://sandbox.example/{self.bird}/{self.world.count}",
            external_id=f"post-of-{self.bird}-{self.world.count}",
        )
        with self.world.store.write() as tx:
            raw = {"account": {"acct": self.handle, "note": words}, "mentions": [{"acct": about.removeprefix("@")}]}
            tx.execute(update(t.mentions).where(t.mentions.c.id == number).values(raw=raw))
        self.said.append(number)
        return number

    def link(self) -> None:
        with self.world.store.write() as tx:
            found = customers.get(tx, self.reference)
            desk_customers.link(
                tx,
                found,
                network="sandbox",
                handle=self.handle,
                basis=LinkBasis.VERIFIED,
                evidence=f"a letter of {self.bird}",
                linkable=True,
                by="eva",
                now=self.world.clock(),
            )

    def case(self) -> cases.Case:
        with self.world.store.read() as tx:
            found = cases.of_mention(tx, self.said[0])
        assert found is not None
        return found


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DeskWorld]:
    made = DeskWorld(tmp_path)
    yield made
    made.close()


def people(world: DeskWorld) -> tuple[Person, Person]:
    """Two, each with a post, a case and a link."""
    both = Person(world, "zorzal"), Person(world, "tucan")
    for person in both:
        draft = world.decides(person.says(), reply=f"Hola {person.bird}, lo vemos.", open_case=True)
        assert draft is not None
        world.put(draft, DraftState.SENT, sent_at=world.clock(), posted_id=f"answer-{draft.id}")
        person.link()
    return both


def erase(world: DeskWorld, asked: str, **how: Any) -> erasing.Proof:
    erasure = erasing.begin(world.store, asked, by="eva", reason="asked for it", now=world.clock())
    return erasing.finish(world.store, erasure, files=how.get("files", ()), now=world.clock())


def rows_of(world: DeskWorld, person: Person) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that is about somebody: records, accounts, mentions, drafts, cases and what was noted."""
    found = {}
    with world.store.read() as tx:
        theirs = erasing.persons.find(tx, person.reference).person
        for name, held in erasing.forgetting.HELD.items():
            if held.whose is not None:
                table = t.metadata.tables[name]
                found[name] = [tuple(row) for row in tx.execute(select(table).where(held.whose(theirs)))]
    return found


def check_whole(world: DeskWorld) -> None:
    """The audit log is a chain still, cases are what their events say, and no row points at one that is gone."""
    with world.store.read() as tx:
        assert verifying.verify(tx, keys={}).fault is None
        assert rebuilding.differences(tx, limit=5) == []
    assert world.store.problems() == []


def test_nothing_is_left_of_one_and_all_of_the_other(world: DeskWorld) -> None:
    ana, luis = people(world)
    assert b"zorzal" in databases.content(world.folder)
    before = rows_of(world, luis)
    proof = erase(world, ana.reference)
    assert proof.left == ()
    assert proof.sought > 5
    assert b"zorzal" not in databases.content(world.folder).lower()
    assert rows_of(world, luis) == before
    check_whole(world)
    with world.store.read() as tx:
        mention = mentions.get(tx, ana.said[0])
        assert (mention.text, mention.author.handle, mention.author.external_id[:7]) == ("", "(erased)", "erased:")
        case = cases.of_mention(tx, ana.said[0])
        assert case is not None
        assert (case.title, case.customer_id, case.team) == ("(erased)", None, "network")
        with pytest.raises(NotFound):
            customers.get(tx, ana.reference)
    assert "Erased here" in world.run("show", f"M{ana.said[0]}").output


def test_what_others_say_of_them_is_masked_and_their_own_words_stay(world: DeskWorld) -> None:
    ana, luis = people(world)
    answer = luis.says(quoted=ana.last, about=f"@{ana.handle}")
    with world.store.write() as tx:
        tx.execute(
            update(t.mentions)
            .where(t.mentions.c.id == answer)
            .values(parent_id=_external_id(tx, ana.said[0]), thread_id=_external_id(tx, ana.said[0]))
        )
        note = f"Llamó por lo de @{ana.handle} ({ana.bird}@mail.example)"
        desk_cases.note(tx, luis.case(), note, by="eva", now=world.clock())
    proof = erase(world, ana.reference)
    assert proof.left == ()
    assert proof.masked >= 2
    with world.store.read() as tx:
        mention = mentions.get(tx, answer)
        assert mention.text.endswith("Ñandú. (erased)")
        assert luis.bird in mention.text
        assert mention.parent_id == _external_id(tx, ana.said[0])
        assert cases.events_of(tx, luis.case())[-1].detail["text"] == "Llamó por lo de (erased) ((erased))"
    assert b"zorzal" not in databases.content(world.folder).lower()
    check_whole(world)


def _external_id(tx: Any, number: int) -> str:
    return str(tx.scalar(select(t.mentions.c.external_id).where(t.mentions.c.id == number)))


def test_a_sentence_that_others_wrote_too_stays_theirs(world: DeskWorld) -> None:
    ana, luis = people(world)
    chorus = "Queremos que vuelva la señal de una buena vez."
    for person in (ana, luis):
        world.hears(chorus, who=person.handle)
    proof = erase(world, ana.reference)
    assert proof.said_by_others == 1
    with world.store.read() as tx:
        texts = tx.scalars(select(t.mentions.c.text).where(t.mentions.c.text == chorus)).all()
    assert len(texts) == 1
    assert b"zorzal" not in databases.content(world.folder).lower()


def test_who_writes_again_is_somebody_new_and_old_posts_stay_erased(world: DeskWorld) -> None:
    ana, _ = people(world)
    said = world.count - 1
    erase(world, ana.reference)
    again = world.hears("Hola de nuevo", who=ana.handle, external_id="post-new")
    with world.store.write() as tx:
        new, old = mentions.get(tx, again), mentions.get(tx, ana.said[0])
        assert new.account_id != old.account_id
        post = _post(world, ana, f"post-of-{ana.bird}-{said - 1}")
        saved = mentions.save(tx, source_id=world.source_id, network="sandbox", posts=[post], now=world.clock())
        assert (saved.new, saved.edited, saved.repeated) == ((), (), 1)


def _post(world: DeskWorld, person: Person, external_id: str) -> Any:
    from listener.types import Author, Post

    author = Author(external_id=f"id-{person.handle}", handle=person.handle)
    return Post(external_id=external_id, author=author, text=person.sentence(), posted_at=world.clock())


def test_what_stands_in_our_own_words_and_files_is_told(world: DeskWorld) -> None:
    ana, _ = people(world)
    with world.store.write() as tx:
        tx.execute(update(t.sources).values(query=f"from:@{ana.handle}"))
    policy = world.folder / "policy.yaml"
    policy.write_text(f"areas: {{lines: {{examples: ['{ana.last}']}}}}\n")
    proof = erase(world, ana.reference, files=[policy, world.folder / "escucha.toml"])
    assert [(place.where, place.what) for place in proof.left] == [
        ("sources 1, query", "handle"),
        (str(policy), "words"),
    ]


def test_a_hold_stands_against_it_and_so_does_an_answer_on_its_way(world: DeskWorld) -> None:
    ana, _ = people(world)
    with world.store.write() as tx:
        found = customers.get(tx, ana.reference)
        holds.put(tx, found, reason="lawsuit 12", by="eva", now=world.clock())
    with pytest.raises(Mistake, match=r"lawsuit 12.*customer release"):
        erase(world, ana.reference)
    with world.store.write() as tx:
        holds.end(tx, found, reason="over", by="eva", now=world.clock())
    draft = world.decides(ana.says())
    assert draft is not None
    world.put(draft, DraftState.SENDING, sending_since=world.clock())
    with pytest.raises(Mistake, match=f"D{draft.id} is on its way"):
        erase(world, ana.reference)
    world.put(draft, DraftState.SENT, sent_at=world.clock())
    assert erase(world, ana.reference).left == ()
    with pytest.raises(AlreadyDone, match="was erased on 2026-03-04"):
        erase(world, ana.reference)
    with pytest.raises(NotFound):
        erase(world, "C-nobody")


def test_an_account_of_nobody_can_be_erased_too(world: DeskWorld) -> None:
    number = world.hears("El zorzal del vecino canta muy fuerte por la noche", who="zorzal-9")
    with pytest.raises(NotFound):
        erase(world, "sandbox:@zorzal")
    assert erase(world, "sandbox:@zorzal-9").left == ()
    assert b"zorzal" not in databases.content(world.folder).lower()
    with world.store.read() as tx:
        assert mentions.get(tx, number).text == ""


def test_the_record_keeps_who_did_what_when_and_no_words(world: DeskWorld) -> None:
    ana, _ = people(world)
    with world.store.write() as tx:
        audit.record(
            tx, at=world.clock(), by="eva", action="looked", subject=f"customer {ana.reference}", reason="zorzal"
        )
        before = [
            (entry.number, entry.at, entry.by, entry.action) for entry in audit.about(tx, f"customer {ana.reference}")
        ]
    erase(world, ana.reference)
    with world.store.read() as tx:
        assert audit.about(tx, f"customer {ana.reference}") == []
        after = audit.about(tx, "erasure 1")
        kept = [(entry.number, entry.at, entry.by, entry.action) for entry in after]
        assert kept[: len(before) - 1] == before[:-1]
        assert {entry.action for entry in after} >= {"looked", "customer.erased", "audit.emptied"}
        assert all(entry.detail == {} for entry in after[: len(before)])


STORY: dict[str, Callable[[DeskWorld, Person, Person], object]] = {
    "says": lambda world, one, other: one.says(),
    "answers": lambda world, one, other: one.says(quoted=other.last, about=f"@{other.handle}"),
    "is answered": lambda world, one, other: world.decides(one.says(), reply=f"Hola @{one.handle}"),
    "opens a case": lambda world, one, other: world.decides(one.says(), open_case=True),
    "is noted": lambda world, one, other: noted(world, one, f"{one.bird} llamó, molesto con @{other.handle}"),
    "is noted on record": lambda world, one, other: on_record(world, one),
    "is corrected": lambda world, one, other: corrected(world, one),
    "deletes": lambda world, one, other: deletes(world, one),
    "edits": lambda world, one, other: edits(world, one),
    "waits": lambda world, one, other: world.clock.forward(minutes=7),
}


def noted(world: DeskWorld, person: Person, words: str) -> None:
    with world.store.write() as tx:
        desk_cases.note(tx, person.case(), words, by="eva", now=world.clock())


def on_record(world: DeskWorld, person: Person) -> None:
    with world.store.write() as tx:
        found = customers.get(tx, person.reference)
        desk_records.note(tx, found, f"{person.bird} prefiere que se le escriba", by="eva", now=world.clock())


def deletes(world: DeskWorld, person: Person) -> None:
    """A post that nobody quoted: words that are gone already cannot be recognised in somebody else's."""
    before = person.last
    world.is_deleted(person.says())
    person.last = before


def corrected(world: DeskWorld, person: Person) -> None:
    number = person.says()
    with world.store.write() as tx:
        mention = mentions.get(tx, number)
        corrections.record(tx, mention, what="areas", was=[], becomes=["lines"], by="eva", now=world.clock())


def edits(world: DeskWorld, person: Person) -> None:
    number = person.says()
    with world.store.read() as tx:
        external_id = _external_id(tx, number)
    world.clock.forward(minutes=1)
    url = f"https://sandbox.example/{person.bird}/{world.count}"
    better = f"{person.sentence()}, dicho mejor"
    again = world.hears(better, who=person.handle, external_id=external_id, url=url)
    assert again == number


@pytest.mark.slow
@settings(max_examples=8)
@given(story=st.lists(st.tuples(st.sampled_from(sorted(STORY)), st.booleans()), max_size=10))
def test_whatever_happened_before(story: list[tuple[str, bool]]) -> None:
    """Random histories of two people: of the erased one nothing is found, of the other nothing is lost."""
    with tempfile.TemporaryDirectory() as folder:
        world = DeskWorld(Path(folder))
        try:
            ana, luis = people(world)
            for what, is_ana in story:
                STORY[what](world, *((ana, luis) if is_ana else (luis, ana)))
            before = rows_of(world, luis)
            proof = erase(world, ana.reference)
            assert proof.left == ()
            assert b"zorzal" not in databases.content(world.folder).lower()
            after = rows_of(world, luis)
            assert {name: len(rows) for name, rows in after.items()} == {
                name: len(rows) for name, rows in before.items()
            }
            for name, rows in before.items():
                for row, now in zip(rows, after[name], strict=True):
                    if "zorzal" not in repr(row).lower():
                        assert now == row, name
            check_whole(world)
        finally:
            world.close()


@pytest.mark.slow
def test_killed_in_the_middle_it_is_finished_by_the_next_call(world: DeskWorld) -> None:
    """kill -9 as soon as it began, three times over; the rest is done by whoever calls it again."""
    ana, luis = people(world)
    for _ in range(150):
        luis.says(quoted=ana.last, about=f"@{ana.handle}")
    before = rows_of(world, luis)
    command = [sys.executable, "-m", "cli", "--config", str(world.folder / "escucha.toml")]
    command += ["customer", "erase", ana.reference, "--reason", "asked for it", "--yes", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ESCUCHA_ACTOR": "eva"}
    for seconds in (0.0, 1.6, 2.2):
        running = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        time.sleep(seconds)
        while running.poll() is None and not _has_begun(world):
            time.sleep(0.005)
        running.send_signal(signal.SIGKILL)
        running.wait()
        assert seconds or not _is_done(world)
    while not _is_done(world):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert b"zorzal" not in databases.content(world.folder).lower()
    assert {name: len(rows) for name, rows in rows_of(world, luis).items()} == {
        name: len(rows) for name, rows in before.items()
    }
    check_whole(world)
    with world.store.read() as tx:
        assert tx.scalar(select(func.count()).select_from(t.erasures)) == 1


def _has_begun(world: DeskWorld) -> bool:
    with world.store.read() as tx:
        return bool(tx.scalar(select(func.count()).select_from(t.erasures)))


def _is_done(world: DeskWorld) -> bool:
    with world.store.read() as tx:
        return bool(tx.scalar(select(func.count()).where(t.erasures.c.done_at.is_not(None))))


def test_no_import_brings_them_back_in_silence(world: DeskWorld) -> None:
    ana, luis = people(world)
    erase(world, ana.reference)
    (world.folder / "all.csv").write_text(
        "reference,name,email\n"
        f"{ana.reference},Ana,other@mail.example\n"
        f"C-9,Ana,{ana.bird.upper()}@mail.example\n"
        f"{luis.reference},Luis,luis@mail.example\n"
    )
    done = world.run("customer", "import", str(world.folder / "all.csv"))
    assert done.exit_code == 3
    assert "2 rejected" in done.output
    assert (
        f"they were erased on 2026-03-04; if they are a customer again: escucha customer add {ana.reference}"
        in done.output
    )
    assert world.run("customer", "add", ana.reference, "--name", "Ana").exit_code == 2
    assert world.run("customer", "add", ana.reference, "--name", "Ana", "--again").exit_code == 0
    with world.store.read() as tx:
        assert customers.get(tx, ana.reference).email is None


def test_the_command_says_what_it_will_do_and_proves_what_it_did(world: DeskWorld) -> None:
    ana, _ = people(world)
    planned = world.run("customer", "erase", ana.reference, "--dry-run")
    assert planned.exit_code == 0
    assert "Nothing was changed." in planned.output
    assert world.run("customer", "erase", ana.reference).exit_code == 2
    assert world.run("customer", "erase", ana.reference, "--reason", "asked").exit_code == 2
    done = world.run("customer", "erase", ana.reference, "--reason", f"asked by {ana.bird}@mail.example", "--yes")
    assert (done.exit_code, "nothing" in done.output) == (0, True), done.output
    assert b"zorzal" not in databases.content(world.folder).lower()


def test_records_that_were_merged_go_together(world: DeskWorld) -> None:
    ana, luis = people(world)
    added = world.run("customer", "add", "C-zorzal-2", "--name", "Ana Zorzal", "--email", "zorzal@otro.example")
    assert added.exit_code == 0
    merged = world.run("customer", "merge", ana.reference, "C-zorzal-2")
    assert merged.exit_code == 0, merged.output
    before = rows_of(world, luis)
    assert erase(world, "C-zorzal-2").left == ()  # whichever of the two is named
    assert b"zorzal" not in databases.content(world.folder).lower()
    assert rows_of(world, luis) == before
    check_whole(world)


def test_what_it_does_not_reach_is_told(world: DeskWorld) -> None:
    ana, _ = people(world)
    corrected(world, ana)
    with world.store.write() as tx:
        tx.execute(update(t.corrections).values(accepted=True))
        tx.execute(update(t.accounts).values(left_alone_at=world.clock()))
        values = {"system": "salesforce", "record": "003xx-zorzal", "digest": "x"}
        customer_id = customers.get(tx, ana.reference).id
        columns = {column.name for column in t.crm_records.columns}
        moments = {name: world.clock() for name in columns if name.endswith("_at")}
        tx.execute(t.crm_records.insert().values(customer_id=customer_id, **values, **moments))
    proof = erase(world, ana.reference)
    beyond = [] if world.store.is_sqlite else ["PostgreSQL overwrites deleted rows when it vacuums, and keeps logs"]
    assert [note.split(":")[0].split(" stays")[0].split(" and archives")[0] for note in proof.notes] == [
        "The CRM salesforce keeps its own record of them",
        "What was learned from 1 of their posts",
        "They had asked not to be answered",
        *beyond,
    ]
    assert b"zorzal" not in databases.content(world.folder).lower()


def test_a_case_that_is_somebody_elses_stays_theirs_whoever_wrote_first(world: DeskWorld) -> None:
    ana, luis = people(world)
    case = ana.case()
    with world.store.write() as tx:
        other = customers.get(tx, luis.reference)
        cases.set_customer(tx, cases.by_id(tx, case.id), other.id, by="eva", now=world.clock())
    erase(world, ana.reference)
    with world.store.read() as tx:
        after = cases.by_id(tx, case.id)
        assert (after.title, after.customer_reference) == ("Outage", luis.reference)
    assert b"zorzal" not in databases.content(world.folder).lower()
    check_whole(world)


def test_what_a_household_shares_stays_with_who_is_left(world: DeskWorld) -> None:
    ana, luis = people(world)
    shared = {"name": f"Ana {ana.bird.title()}", "email": "casa@mail.example", "phone": "+56 2 2222 3333"}
    with world.store.write() as tx:
        for person in (ana, luis):
            found = customers.get(tx, person.reference)
            desk_records.edit(tx, found, columns=shared, fields={}, by="eva", now=world.clock())
    assert erase(world, ana.reference).left == ()
    with world.store.read() as tx:
        left = customers.get(tx, luis.reference)
    assert (left.name, left.email, left.phone) == tuple(shared.values())


def test_no_crm_brings_them_back_in_silence(world: DeskWorld) -> None:
    ana, _ = people(world)
    erase(world, ana.reference)
    naming = {"Id": "reference", "Name": "name", "Email": "email"}
    known = [
        CrmRecord(id="1", values={"Id": ana.reference, "Name": "Ana"}),
        CrmRecord(id="2", values={"Id": "C-9", "Name": "Ana", "Email": f"{ana.bird}@mail.example"}),
        CrmRecord(id="3", values={"Id": "C-10", "Name": "Eva"}),
    ]
    with world.store.write() as tx:
        taken = crm_records.take(tx, "salesforce", naming, known, by="crm", now=world.clock())
    assert (taken.added, taken.unusable) == (1, 2)
    assert f"escucha customer add {ana.reference} --again" in taken.problems["1"]
