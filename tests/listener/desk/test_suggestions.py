"""Who may be whom: what is suggested, how sure it is, and that nobody is joined by it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from listener import reach
from listener.desk import codes, suggestions
from listener.errors import AlreadyDone
from listener.store import contacts, customers, links, mentions, sources
from listener.store import suggestions as store
from listener.store.suggestions import Suggestion
from listener.types import Author, Contact, ContactKind, Post
from tests.listener.desk.people_world import PeopleWorld

NETWORKS = ("mail", "mastodon", "reddit", "sandbox", "x")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[PeopleWorld]:
    made = PeopleWorld(tmp_path)
    made.adds("C1", email="Ana@A.example", phone="+34 911 22 23 33")
    made.adds("C2")
    yield made
    made.close()


def heard(
    world: PeopleWorld, network: str, handle: str, *named: str, proven: bool = False, sender: bool | None = None
) -> None:
    """An account as its profile has it: `mail ana@a.example`, `site a.example`, …"""
    found = tuple(
        Contact(kind=ContactKind(kind), value=value, proven=proven) for kind, value in (each.split() for each in named)
    )
    post = Post(
        external_id=f"{network}-{handle}-{world.clock()}",
        author=Author(external_id=f"{network}-{handle}", handle=handle, contacts=found),
        text="Hola",
        posted_at=world.clock(),
        sender_proven=sender,
    )
    with world.store.write() as tx:
        source = sources.get(tx, "source-0")
        mentions.save(tx, source_id=source.id, network=network, posts=[post], now=world.clock())


def compare(world: PeopleWorld) -> list[Suggestion]:
    """What waits for a person after one step."""
    with world.store.write() as tx:
        suggestions.step(tx, networks=NETWORKS, linkable=lambda name: name != "reddit", now=world.clock())
    return waiting(world)


def waiting(world: PeopleWorld) -> list[Suggestion]:
    with world.store.read() as tx:
        return store.waiting(tx)


def has(world: PeopleWorld, reference: str, kind: str, written: str, *, verified: bool = False) -> None:
    with world.store.write() as tx:
        found = customers.get(tx, reference)
        how = {"customer_id": found.id, "reference": reference, "by": "eva", "now": world.clock()}
        point = contacts.put(tx, kind=kind, written=written, **how)
        if verified:
            contacts.mark(tx, point, verified=True, **how)


@pytest.mark.parametrize(
    ("network", "handle", "named", "proven", "strength", "words"),
    [
        ("mastodon", "ana", "mail ana@a.example", False, "fair", "anybody may write that there"),
        ("x", "ana", "phone +34911222333", False, "fair", "the number on file"),
        ("mastodon", "ana", "site ana.example/blog", False, "fair", "the site on file"),
        ("mastodon", "ana", "site ana.example/blog", True, "strong", "mastodon has checked"),
        ("mail", "ana@a.example", "", False, "fair", "nothing proves who sent"),
    ],
)
def test_an_account_that_names_what_is_on_file_is_suggested(
    world: PeopleWorld, network: str, handle: str, named: str, proven: bool, strength: str, words: str
) -> None:
    has(world, "C1", reach.SITE, "https://www.ana.example/blog/")
    heard(world, network, handle, *([named] if named else []), proven=proven, sender=False)
    (found,) = compare(world)
    assert (found.customer, found.network, found.handle, found.strength) == ("C1", network, handle, strength)
    assert words in found.reasons[0].text
    assert world.handles("C1") == [], "nobody is joined by it"


def test_on_a_network_that_forbids_it_nobody_is_compared(world: PeopleWorld) -> None:
    heard(world, "reddit", "ana", "mail ana@a.example")
    assert compare(world) == []


def test_the_same_handle_elsewhere_is_weak_and_says_so(world: PeopleWorld) -> None:
    heard(world, "x", "ana_l")
    world.links_("C2", "ana_l")
    heard(world, "sandbox", "ana_l")
    with world.store.write() as tx:
        from listener.desk import customers as rules

        rules.behind(tx, 2, "sandbox", "ana_l", world.clock())
    (found,) = compare(world)
    assert (found.customer, found.network, found.strength) == ("C2", "x", "weak")
    assert "anybody may take that" in found.reasons[0].text


def test_a_refused_pair_is_not_suggested_again_whatever_else_speaks_for_it(world: PeopleWorld) -> None:
    heard(world, "mastodon", "ana", "mail ana@a.example")
    (found,) = compare(world)
    with world.store.write() as tx:
        suggestions.refuse(tx, found.id, by="eva", now=world.clock())
    world.clock.forward(days=2)
    heard(world, "mastodon", "ana", "mail ana@a.example", "phone +34911222333")
    assert compare(world) == []
    with world.store.write() as tx, pytest.raises(AlreadyDone, match="refused by eva"):
        suggestions.accept(tx, found.id, linkable=lambda _: True, by="luis", now=world.clock())


def test_what_a_person_took_back_is_not_suggested_either(world: PeopleWorld) -> None:
    heard(world, "sandbox", "ana", "mail ana@a.example")
    world.links_("C1", "ana")
    world.unlinks("C1", "ana")
    assert compare(world) == []


def test_accepting_links_with_the_reasons_as_evidence(world: PeopleWorld) -> None:
    heard(world, "mastodon", "ana", "mail ana@a.example")
    (found,) = compare(world)
    with world.store.write() as tx:
        suggestions.accept(tx, found.id, linkable=lambda _: True, by="eva", now=world.clock())
        (link,) = links.of(tx, customers.get(tx, "C1"))
    assert (link.basis, link.linked_by) == ("public_evidence", "eva")
    assert "ana@a.example" in link.evidence
    assert waiting(world) == []


def test_two_records_with_one_address_are_suggested_and_merged_by_a_person_only(world: PeopleWorld) -> None:
    has(world, "C2", reach.MAIL, "ana@a.example")
    (found,) = compare(world)
    assert (found.customer, found.other, found.strength) == ("C1", "C2", "fair")
    assert world.merged() == []
    with world.store.write() as tx:
        suggestions.accept(tx, found.id, linkable=lambda _: True, by="eva", now=world.clock())
    assert world.merged() == ["C2"]
    world.unmerges("C2")
    assert compare(world) == []


def test_an_address_that_many_share_tells_nothing(world: PeopleWorld) -> None:
    world.adds("C3", "C4", "C5", email="ana@a.example")
    heard(world, "mastodon", "ana", "mail ana@a.example")
    assert compare(world) == []


@pytest.mark.parametrize(
    ("verified", "sender", "linked"), [(True, True, True), (False, True, False), (True, False, False)]
)
def test_only_a_proven_mail_from_a_verified_address_is_linked(
    world: PeopleWorld, verified: bool, sender: bool, linked: bool
) -> None:
    has(world, "C1", reach.MAIL, "ana@a.example", verified=verified)
    heard(world, "mail", "Ana@a.example", sender=sender)
    found = compare(world)
    assert world.handles("C1") == (["Ana@a.example"] if linked else [])
    assert [each.strength for each in found] == ([] if linked else ["strong" if sender else "fair"])


def test_an_account_comes_again_when_its_profile_says_something_new_or_a_day_later(world: PeopleWorld) -> None:
    heard(world, "mastodon", "ana")
    assert compare(world) == []
    world.clock.forward(minutes=1)
    heard(world, "mastodon", "ana", "mail ana@a.example")
    assert len(compare(world)) == 1
    heard(world, "mastodon", "eva")
    compare(world)
    has(world, "C2", reach.ACCOUNT, "mastodon:eva")
    assert len(compare(world)) == 1
    world.clock.forward(days=1, minutes=1)
    assert len(compare(world)) == 2


def test_whoever_writes_a_code_that_was_used_is_put_before_a_person(world: PeopleWorld) -> None:
    code = codes.new_code()
    with world.store.write() as tx:
        codes.issue(tx, customers.get(tx, "C1"), code, network="", valid=codes.USUAL, by="eva", now=world.clock())
    world.hears("ana", f"@marca {code}")
    world.hears("mallory", f"@marca {code}")
    (found,) = waiting(world)
    assert (found.handle, found.strength) == ("mallory", "weak")
    assert "who copied it?" in found.reasons[0].text


def test_a_step_takes_so_many_and_the_round_goes_on(world: PeopleWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suggestions, "ACCOUNTS", 1)
    monkeypatch.setattr(suggestions, "RECORDS", 1)
    for handle in ("a", "b", "c"):
        heard(world, "mastodon", handle, "mail ana@a.example")
    has(world, "C2", reach.PHONE, "+34911222333")
    counts = [len(compare(world)) for _ in range(4)]
    assert counts == [2, 3, 4, 4]
    assert world.main.compare() == 0


@pytest.mark.parametrize("theirs", ["ana@faß.example", "ana@FAẞ.example", "anａ@fass.example", "ana@faſs.example"])
def test_a_proven_mail_from_a_domain_that_only_looks_alike_is_nobodys(world: PeopleWorld, theirs: str) -> None:
    """`ß` is `ss` where capitals do not matter, but not in names of domains: each has its owner."""
    has(world, "C2", reach.MAIL, "ana@fass.example", verified=True)
    has(world, "C2", reach.SITE, "https://fass.example")
    heard(world, "mail", theirs, "site faß.example", proven=True, sender=True)
    assert compare(world) == []
    assert world.handles("C2") == []
