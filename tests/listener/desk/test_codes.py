"""One-time codes: how they look, who may use them, and what a stranger can do with one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.desk import codes
from listener.errors import Mistake
from listener.store import audit, customers, links, tables
from listener.store import codes as store
from listener.types import LinkCode
from tests import databases
from tests.listener.desk.people_world import PeopleWorld

CODES = st.text(codes.SYMBOLS, min_size=codes.LENGTH - 1, max_size=codes.LENGTH - 1).map(
    lambda body: codes.written(body + codes._check(body))
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[PeopleWorld]:
    made = PeopleWorld(tmp_path)
    made.adds("C1", "C2")
    yield made
    made.holds()
    made.close()


def issue(world: PeopleWorld, reference: str = "C1", *, network: str = "", **valid: float) -> str:
    code = codes.new_code()
    span = timedelta(**(valid or {"days": 3}))
    with world.store.write() as tx:
        customer = customers.get(tx, reference)
        codes.issue(tx, customer, code, network=network, valid=span, by="eva", now=world.clock())
    return code


def came_of(world: PeopleWorld, mention: int) -> LinkCode | None:
    with world.store.read() as tx:
        tried = store.last_tried(tx, mention)
        return tried.outcome if tried else None


# --- how they look ---


def test_a_code_has_no_sign_that_is_taken_for_another() -> None:
    assert len(set(codes.SYMBOLS)) == len(codes.SYMBOLS) == 23
    for pair in ("0O", "0Q", "1I", "1L", "8B", "6G", "5S", "2Z", "UV"):
        assert len(set(pair) & set(codes.SYMBOLS)) <= 1
    for _ in range(50):
        made = codes.new_code()
        assert codes.is_code(made)
        assert codes.codes_in(made) == (made,)


@given(CODES, st.integers(0, 9), st.sampled_from(codes.SYMBOLS))
def test_every_single_slip_shows(code: str, place: int, symbol: str) -> None:
    bare = code.replace("-", "")
    slipped = bare[:place] + symbol + bare[place + 1 :]
    assert codes.is_code(slipped) is (slipped == bare)


@given(CODES, st.integers(0, 9), st.integers(0, 9))
def test_every_swap_shows(code: str, one: int, other: int) -> None:
    signs = list(code.replace("-", ""))
    signs[one], signs[other] = signs[other], signs[one]
    assert codes.is_code("".join(signs)) is ("".join(signs) == code.replace("-", ""))


CODE = codes.written("K7MPA4RTX" + codes._check("K7MPA4RTX"))
BARE = CODE.replace("-", "")


@pytest.mark.parametrize(
    "text",
    [
        CODE,
        f"Hola @marca, mi código es {CODE.lower()}.",
        f"({CODE})",
        f"@marca {CODE}",
        f"{CODE} marca2",
        BARE,
        CODE.replace("-", " "),
        CODE.replace("-", "\u2013"),
        CODE.replace("-", "- \n"),
        "".join(chr(ord(sign) + 0xFEE0) for sign in BARE),
        f"código:{CODE}\n#gracias",
    ],
)
def test_a_code_is_found_however_it_is_typed(text: str) -> None:
    found = codes.codes_in(text)
    assert found == (() if "\n" in text and "- " in text else (CODE,))


@pytest.mark.parametrize(
    "text", ["", "sin código", BARE + "A", "X" + BARE, CODE[:-1] + ("2" if CODE[-1] != "2" else "3"), "MARTE-CARTA"]
)
def test_what_is_no_code_is_not_taken_for_one(text: str) -> None:
    assert codes.codes_in(text) == ()


def test_what_is_read_for_another_sign_is_understood() -> None:
    for code in (codes.new_code() for _ in range(500)):
        misread = code.translate(str.maketrans("8652", "BGSZ"))
        assert codes.codes_in(misread) == (code,)


@given(st.text())
def test_any_text_can_be_looked_through(text: str) -> None:
    for code in codes.codes_in(text):
        assert codes.is_code(code)


# --- who may use them ---


def test_whoever_writes_the_code_is_linked_and_decided_about_with_the_record_in_view(world: PeopleWorld) -> None:
    code = issue(world)
    world.hears("ana", f"@marca soy yo: {code}")
    assert came_of(world, 1) is LinkCode.LINKED
    with world.store.read() as tx:
        (link,) = links.of(tx, customers.get(tx, "C1"))
        assert (link.handle, link.basis, link.linked_by) == ("ana", "self_declared", "daemon")
        assert "that eva issued on" in link.evidence
        assert "M1" in link.evidence
        saw = tx.execute(tables.decisions.select()).one().saw
        assert (saw["customer"]["reference"], saw["code"]) == ("C1", "linked")
        said = str([entry.detail for entry in audit.about(tx, "customer C1", "mention 1")])
    assert code not in said


def test_nothing_that_is_kept_tells_the_code(world: PeopleWorld) -> None:
    code = issue(world)
    raw = databases.content(world.folder)
    assert b"C1" in raw
    assert code.encode() not in raw
    assert code.replace("-", "").encode() not in raw


def test_the_first_who_writes_it_has_it(world: PeopleWorld) -> None:
    code = issue(world)
    world.hears("ana", f"@marca {code}")
    world.hears("mallory", f"@marca {code}")
    world.hears("ana", f"@marca otra vez {code}")
    assert [came_of(world, number) for number in (1, 2, 3)] == [LinkCode.LINKED, LinkCode.USED, LinkCode.LINKED]
    assert world.handles("C1") == ["ana"]


def test_whoever_guesses_is_soon_not_looked_at_any_more(world: PeopleWorld) -> None:
    code = issue(world)
    for _ in range(codes.TRIES):
        world.hears("mallory", f"@marca {codes.new_code()}")
    world.hears("mallory", f"@marca {code}")
    assert came_of(world, codes.TRIES) is LinkCode.WRONG
    assert came_of(world, codes.TRIES + 1) is LinkCode.TOO_MANY
    assert world.handles("C1") == []
    world.clock.forward(days=1, minutes=1)
    world.hears("mallory", f"@marca {code}")  # a day later nobody is taken for guessing any more
    assert came_of(world, codes.TRIES + 2) is LinkCode.LINKED


def test_a_flood_of_codes_from_ever_new_accounts_costs_only_so_much(
    world: PeopleWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A digest takes most of a tenth of a second of everybody's time, and a sender's address takes none to make up."""
    monkeypatch.setattr(codes, "FLOOD", 3)
    made: list[str] = []
    slow = codes.digest
    monkeypatch.setattr(codes, "digest", lambda code: made.append(code) or slow(code))
    world.hears("mallory0", f"@marca es {codes.new_code()}")  # “marca” alone may look like the beginning of one
    assert (came_of(world, 1), made) == (LinkCode.WRONG, []), "nobody was given a code, so there is nothing to compare"
    code = issue(world)
    made.clear()
    for number in range(2, 6):
        world.hears(f"mallory{number}", f"@marca es {codes.new_code()}")
    assert [came_of(world, number) for number in range(2, 6)] == [LinkCode.WRONG] * 2 + [LinkCode.TOO_MANY] * 2
    assert len(made) == 2
    world.clock.forward(hours=1, minutes=1)
    world.hears("ana", f"@marca {code}")
    assert came_of(world, 6) is LinkCode.LINKED


def test_of_many_codes_in_one_post_only_the_first_are_looked_at(world: PeopleWorld) -> None:
    code = issue(world)
    guesses = " ".join(codes.new_code() for _ in range(codes.IN_ONE))
    world.hears("mallory", f"@marca {guesses} {code}")
    assert (came_of(world, 1), world.handles("C1")) == (LinkCode.WRONG, [])


@pytest.mark.parametrize(
    ("why", "outcome"),
    [
        ("late", LinkCode.EXPIRED),
        ("withdrawn", LinkCode.EXPIRED),
        ("elsewhere", LinkCode.ELSEWHERE),
        ("taken", LinkCode.TAKEN),
        ("quoted", None),
    ],
)
def test_what_does_not_count(world: PeopleWorld, why: str, outcome: LinkCode | None) -> None:
    code = issue(world, network="mail" if why == "elsewhere" else "")
    if why == "late":
        world.clock.forward(days=4)
    if why == "withdrawn":
        with world.store.write() as tx:
            assert store.withdraw(tx, customers.get(tx, "C1"), by="eva", now=world.clock()) == 1
    if why == "taken":
        world.links_("C2", "ana")
    world.hears("ana", "@marca ¿horario?" if why == "quoted" else f"@marca {code}")
    assert came_of(world, 1) is outcome
    assert world.handles("C1") == []


def test_a_code_is_looked_at_once_however_often_the_mention_is_decided(world: PeopleWorld) -> None:
    code = issue(world)
    world.hears("ana", f"@marca {code}")
    world.unlinks("C1", "ana")
    world.main.digest()
    assert world.handles("C1") == [], "a person took it back"


def test_a_code_of_a_record_that_was_merged_links_to_the_one_that_rules(world: PeopleWorld) -> None:
    code = issue(world, "C2")
    world.merges("C1", "C2")
    world.hears("ana", f"@marca {code}")
    assert world.handles("C1") == ["ana"]


def test_only_so_many_codes_count_at_once_and_only_so_long(world: PeopleWorld) -> None:
    with pytest.raises(Mistake, match="30 days at most"):
        issue(world, days=31)
    for _ in range(codes.AT_ONCE):
        issue(world)
    with pytest.raises(Mistake, match="--withdraw"):
        issue(world)
