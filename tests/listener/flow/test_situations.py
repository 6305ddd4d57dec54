"""What a policy is told about the thread, the author and the customer, and what it leaves in the trace."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import policies
from listener.desk import cases as desk_cases
from listener.desk import customers as desk_customers
from listener.store import cases, consents, customers, decisions, holdings, mentions
from listener.store.customers import Edit
from listener.types import CaseState, LinkBasis
from tests.listener.flow.world import AUTO, Escucha

RECORD = {"name": "Ana", "email": None, "phone": None, "language": "es", "tier": "gold", "tags": []}


def saw(escucha: Escucha, post: str) -> dict[str, Any]:
    """What the policy knew of the post with that id when it was decided last."""
    with escucha.store.read() as tx:
        mention = mentions.by_external_id(tx, "sandbox", post)
        assert mention is not None
        known: dict[str, Any] = decisions.decisions_of(tx, mention.id)[0].trace["saw"]
        return known


def test_who_spoke_last(escucha: Escucha) -> None:
    first = escucha.says("@marca ¿horario?")
    escucha.round()
    escucha.round()
    assert len(escucha.answers()) == 1
    escucha.clock.forward(hours=1)  # the network's own clock, which dates our answer, is not ours
    again = escucha.says("@marca ¿y los domingos?", parent=first)
    escucha.round()
    escucha.clock.forward(seconds=5)
    other = escucha.says("@marca eso, ¿y los domingos?", who="beto", parent=again)
    escucha.round(seconds=30)
    speakers = [saw(escucha, post)["thread"]["last_speaker"] for post in (first, again, other)]
    assert speakers == ["nobody", "us", "other"]


def test_a_stranger_and_the_author_speak_too(escucha: Escucha) -> None:
    first = escucha.says("@marca todo mal")
    escucha.clock.forward(seconds=5)
    second = escucha.says("@marca y peor, mal", parent=first)
    escucha.clock.forward(seconds=5)
    third = escucha.says("@marca mal, igual que yo", who="beto", parent=second)
    escucha.round()
    speakers = [saw(escucha, post)["thread"]["last_speaker"] for post in (first, second, third)]
    assert speakers == ["nobody", "author", "other"]


def test_a_colleague_who_answered_by_hand_is_told_from_us(escucha: Escucha) -> None:
    escucha.queries = ("mentions", "#marca")
    escucha.main = escucha.pipeline()
    first = escucha.says("@marca todo mal")
    escucha.clock.forward(seconds=5)
    escucha.network.post("marca", "Lo miramos #marca", parent=first, at=escucha.clock())
    escucha.clock.forward(seconds=5)
    second = escucha.says("@marca sigue mal", parent=first)
    escucha.round()
    assert saw(escucha, first)["thread"]["answered_by_colleague"] is True
    assert saw(escucha, second)["thread"]["answered_by_colleague"] is False
    assert saw(escucha, second)["thread"]["last_speaker"] == "colleague"


def test_complaints_that_ended_unsolved_are_counted(escucha: Escucha) -> None:
    for text, ends in (
        ("@marca todo mal", CaseState.CLOSED),
        ("@marca peor, mal", CaseState.RESOLVED),
        ("@marca ¿horario?", CaseState.CLOSED),
        ("@marca otra vez mal", CaseState.CLOSED),
    ):
        escucha.clock.forward(days=15)  # so that each is a case of its own: sooner, the one before would open again
        escucha.says(text)
        escucha.round()
        with escucha.store.write() as tx:
            (case,) = cases.listing(tx)
            desk_cases.move(tx, case, ends, by="marta", now=escucha.clock(), moved=escucha.policy.promises.moved)
    escucha.clock.forward(days=15)
    last = escucha.says("@marca ¿alguien lee esto?")
    stranger = escucha.says("@marca ¿hola?", who="beto")
    escucha.round()
    assert saw(escucha, last)["author"]["unsolved_complaints"] == 2
    assert saw(escucha, stranger)["author"]["unsolved_complaints"] == 0


def test_only_the_fields_that_the_policy_asks_about_reach_it_and_the_trace(escucha: Escucha) -> None:
    rule = """rules:
  - name: gold
    when: {customer.fields: {PLAN: gold, arrears: "> 100"}}
    then: {tags: [arrears]}
    continue: true
"""
    escucha.main = escucha.pipeline(policy=policies.load_text(AUTO.replace("rules:\n", rule)))
    fields = {"Plan": "Gold", "arrears": "120,50", "address": "Calle Mayor 1"}
    with escucha.store.write() as tx:
        edit = Edit(reference="C1", values={**RECORD, "fields": fields}, changed=())
        customers.write(tx, added=[edit], changed=[], by="test", now=escucha.clock(), source="test")
        desk_customers.link(
            tx,
            customers.get(tx, "C1"),
            network="sandbox",
            handle="ana",
            linkable=True,
            basis=LinkBasis.SELF_DECLARED,
            evidence="",
            by="test",
            now=escucha.clock(),
        )
    post = escucha.says("@marca todo mal")
    escucha.round()
    assert saw(escucha, post)["customer"]["fields"] == {"Plan": "Gold", "arrears": "120,50"}
    assert saw(escucha, post)["customer"]["products"] == []
    with escucha.store.read() as tx:
        mention = mentions.by_external_id(tx, "sandbox", post)
        assert mention is not None
        (decision,) = decisions.decisions_of(tx, mention.id)
    assert decision.tags == ("arrears",)
    assert "Calle Mayor" not in str(decision.trace)


def test_how_a_customer_stands_is_seen_by_a_policy_that_asks(escucha: Escucha) -> None:
    rule = """rules:
  - name: owes
    when: {customer.arrears: "> 40", customer.refused: marketing}
    then: {tags: [owes]}
    continue: true
"""
    escucha.main = escucha.pipeline(policy=policies.load_text(AUTO.replace("rules:\n", rule)))
    with escucha.store.write() as tx:
        now = escucha.clock()
        edit = Edit(reference="C1", values=RECORD, changed=())
        ids = customers.write(tx, added=[edit], changed=[], by="test", now=now, source="test")
        holdings.put_payments(tx, [(ids["C1"], {"arrears": Decimal("42.50")})], now=now)
        holdings.put_products(tx, {ids["C1"]: ["tv"]}, now=now)
        said = consents.Consent(channel="any", purpose="marketing", given=False, at=now, source="", noted_by="eva")
        consents.note(tx, [(ids["C1"], "C1", said)], now=now)
        desk_customers.link(
            tx,
            customers.get(tx, "C1"),
            network="sandbox",
            handle="ana",
            linkable=True,
            basis=LinkBasis.SELF_DECLARED,
            evidence="",
            by="test",
            now=now,
        )
    post = escucha.says("@marca todo mal")
    escucha.round()
    seen = saw(escucha, post)["customer"]
    assert (seen["arrears"], "marketing" in seen["refused"], seen["products"]) == (42.5, True, [])
    with escucha.store.read() as tx:
        mention = mentions.by_external_id(tx, "sandbox", post)
        assert mention is not None
        (decision,) = decisions.decisions_of(tx, mention.id)
    assert decision.tags == ("owes",)


def test_complaints_of_a_month_are_counted_on_all_accounts_of_a_customer(escucha: Escucha) -> None:
    for text, who, days in (("mal", "ana", 20), ("mal", "ana", 8), ("¿horario?", "ana", 4), ("fatal mal", "beto", 2)):
        escucha.says(f"@marca {text}", who=who)
        escucha.round()
        escucha.clock.forward(days=days)
    with escucha.store.write() as tx:
        edit = Edit(reference="C1", values={**RECORD, "fields": {}}, changed=())
        customers.write(tx, added=[edit], changed=[], by="test", now=escucha.clock(), source="test")
        for handle in ("ana", "beto"):
            desk_customers.link(
                tx,
                customers.get(tx, "C1"),
                network="sandbox",
                handle=handle,
                linkable=True,
                basis=LinkBasis.SELF_DECLARED,
                evidence="",
                by="test",
                now=escucha.clock(),
            )
    last = escucha.says("@marca otra vez mal")
    stranger = escucha.says("@marca ¿hola?", who="carla")
    escucha.round()
    assert saw(escucha, last)["author"]["complaints_last_30_days"] == 3, "one of hers is older than a month"
    assert saw(escucha, stranger)["author"]["complaints_last_30_days"] == 0


def test_the_terms_that_found_a_mention_are_kept_and_reach_the_policy(escucha: Escucha) -> None:
    escucha.queries = ("mentions", '(horario OR "no abren" OR from:ana) -empleo', "#marca")
    escucha.main = escucha.pipeline()
    addressed = escucha.says("@marca no abren", who="beto")
    found = escucha.says("dicen que #marca no abren a su horario")
    escucha.round()
    escucha.round()
    assert sorted(saw(escucha, found)["terms"]) == ['"no abren"', "#marca", "from:ana", "horario"]
    assert saw(escucha, addressed)["terms"] in (['"no abren"'], [])
    escucha.network.edit(found, "dicen que #marca abre", at=escucha.clock())
    escucha.round()
    assert "#marca" in saw(escucha, found)["terms"]
    escucha.network.delete(found)
    escucha.round()
    with escucha.store.read() as tx:
        gone = mentions.by_external_id(tx, "sandbox", found)
    assert gone is not None
    assert gone.terms == ()


def test_copies_of_a_text_by_others_are_counted(escucha: Escucha) -> None:
    for number in range(3):
        escucha.says(f"@marca ¡Devolved el dinero a TODOS! https://x.example/{number} #t{number}", who=f"p{number}")
    first = escucha.says("@marca devolved el dinero a todos", who="p0")
    short = escucha.says("@marca muchas gracias a", who="p1")
    escucha.says("@marca muchas gracias a", who="p2")
    escucha.round()
    assert saw(escucha, first)["same_text_by_others"] == 2, "not those of its own author"
    assert saw(escucha, short)["same_text_by_others"] == 0, "so few words are anybody's"
    escucha.clock.forward(hours=2)
    later = escucha.says("@marca devolved el dinero a todos", who="late")
    escucha.round()
    assert saw(escucha, later)["same_text_by_others"] == 0


def test_copies_count_by_when_they_were_heard_whatever_they_say(escucha: Escucha) -> None:
    said = []
    for number in range(9):
        escucha.network.person(f"p{number}")
        at = escucha.clock() - timedelta(hours=2 * number)
        said.append(escucha.network.post(f"p{number}", "@marca gracias por esta estafa tan enorme", at=at))
    escucha.network.person("old")
    at = escucha.clock() - timedelta(days=8)
    old = escucha.network.post("old", "@marca gracias por esta estafa tan enorme", at=at)
    escucha.round()
    assert {saw(escucha, each)["same_text_by_others"] for each in said} == {8}, "not what claims to be so old"
    assert saw(escucha, old)["same_text_by_others"] == 9


def test_copies_heard_with_a_mention_count_however_late_it_is_decided(escucha: Escucha) -> None:
    said = [escucha.says("@marca devolved el dinero a todos", who=f"p{number}") for number in range(6)]
    escucha.clock.forward(seconds=20)
    escucha.main.poll()
    escucha.clock.forward(hours=3)
    escucha.main.digest()
    assert {saw(escucha, each)["same_text_by_others"] for each in said} == {5}


def test_copies_heard_long_before_the_decision_and_long_after_the_mention_do_not_count(escucha: Escucha) -> None:
    first = escucha.says("@marca devolved el dinero a todos", who="p0")
    escucha.clock.forward(seconds=20)
    escucha.main.poll()
    escucha.clock.forward(hours=3)
    between = escucha.says("@marca devolved el dinero a todos", who="p1")
    escucha.clock.forward(seconds=20)
    escucha.main.poll()
    escucha.clock.forward(hours=3)
    last = escucha.says("@marca devolved el dinero a todos", who="p2")
    escucha.round()
    counted = [saw(escucha, each)["same_text_by_others"] for each in (first, between, last)]
    assert counted == [1, 1, 0], "only the last was heard near to the decision"
