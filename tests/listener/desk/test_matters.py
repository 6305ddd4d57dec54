"""Which case a mention belongs to: a decision table, each row with the reason that is given."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from listener.desk import matters
from listener.desk.matters import Heard, told
from listener.store.cases import Case
from listener.store.matters import Answers, Around
from listener.types import CaseState, Intent, Urgency

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
REOPEN = timedelta(days=14)
LONG = "La factura de marzo viene con un recargo por mora que no corresponde"
OTHER = "Quisiera saber si abren la sucursal de Palermo durante el feriado largo"


def a_case(number: int = 1, *, account: int = 1, customer: int | None = None) -> Case:
    return Case(
        id=number,
        reference=f"ES-26-00000{number}-8",
        state=CaseState.OPEN,
        title="T",
        team="care",
        agent=None,
        urgency=Urgency.NORMAL,
        completeness=0,
        tags=(),
        customer_id=customer,
        customer_reference=f"C{customer}" if customer else None,
        customer_name=None,
        account_id=account,
        network="x",
        handle="ana",
        opened_at=NOW,
        opened_by="policy",
        changed_at=NOW,
        first_response_due=None,
        first_response_at=None,
        resolution_due=None,
        resolved_at=None,
        promise={},
        stands_since=None,
        asked_team=None,
        asked_by=None,
        asked_at=None,
        skills=(),
        score=0,
        minutes_per_point=10,
        queue_at=NOW,
        revision=1,
        merged_into=None,
        merged_reference=None,
        parent_id=None,
        parent_reference=None,
        snoozed_until=None,
        due_at=None,
        watchers=(),
        checklist=(),
    )


COMPLAINT, QUESTION, PRAISE = ({intent} for intent in (Intent.COMPLAINT, Intent.QUESTION, Intent.PRAISE))
HEARD = Heard(account_id=1, customer_id=None, network="x", private=False, text=OTHER, posted_at=NOW)
ALONE = Around(case=a_case(), texts=(LONG,), networks=frozenset({"x"}), said_last_at=NOW - timedelta(hours=3))
STRANGERS = replace(ALONE, case=a_case(account=2))
OVER, LONG_OVER = (replace(ALONE, over_since=NOW - timedelta(days=days)) for days in (3, 15))
QUOTING = replace(HEARD, quotes=("ES-26-000001-8",))
IN_PRIVATE = replace(QUOTING, private=True)
BILLING, NETWORK = frozenset({"billing"}), frozenset({"network"})


def about(heard: Heard, *, areas: frozenset[str] = frozenset(), intents: set[Intent] | None = None) -> Heard:
    return replace(heard, areas=areas, intents=frozenset(intents or ()))


@pytest.mark.parametrize(
    ("heard", "around", "joins", "why"),
    [
        pytest.param(QUOTING, ALONE, True, "it quotes ES-26-000001-8", id="quoted-by-the-same"),
        pytest.param(QUOTING, STRANGERS, False, "somebody else's", id="quoted-by-a-stranger-in-public"),
        pytest.param(IN_PRIVATE, STRANGERS, True, "it quotes", id="quoted-in-private"),
        pytest.param(
            IN_PRIVATE,
            replace(STRANGERS, over_since=NOW - timedelta(days=3)),
            False,
            "is over, and",
            id="stranger-over",
        ),
        pytest.param(
            replace(IN_PRIVATE, customer_id=5),
            replace(ALONE, case=a_case(account=2, customer=6)),
            False,
            "another customer's",
            id="quoted-by-another-customer",
        ),
        pytest.param(QUOTING, LONG_OVER, False, "ended more than 14 days ago", id="quoted-too-late"),
        pytest.param(HEARD, replace(ALONE, answers=Answers.OURS), True, "answers what we said", id="answers-us"),
        pytest.param(HEARD, replace(OVER, answers=Answers.THEIRS), True, "goes on", id="goes-on-when-over"),
        pytest.param(HEARD, replace(STRANGERS, answers=Answers.OURS), False, "somebody else's", id="stranger-answers"),
        pytest.param(HEARD, replace(STRANGERS, answers=Answers.THREAD), False, "nothing of theirs", id="public-thread"),
        pytest.param(
            replace(HEARD, private=True),
            replace(STRANGERS, answers=Answers.THREAD),
            True,
            "same conversation",
            id="mail-thread-from-another-address",
        ),
        pytest.param(
            about(HEARD, areas=BILLING), replace(ALONE, areas=BILLING), True, "about billing too", id="same-area"
        ),
        pytest.param(
            about(HEARD, areas=BILLING), replace(OVER, areas=BILLING), True, "about billing too", id="same-area-reopens"
        ),
        pytest.param(
            about(HEARD, areas=BILLING), replace(LONG_OVER, areas=BILLING), False, "nothing of theirs", id="too-late"
        ),
        pytest.param(
            about(HEARD, areas=BILLING),
            replace(ALONE, areas=NETWORK),
            False,
            "about something else than ES-26-000001-8",
            id="other-area",
        ),
        pytest.param(
            replace(HEARD, text="¿Y el recargo de la factura?"), OVER, True, "much the same words", id="same-words"
        ),
        pytest.param(replace(HEARD, text="¿y?"), OVER, True, "nothing in it that is another", id="a-few-words"),
        pytest.param(HEARD, OVER, False, "something else", id="other-words-when-over"),
        pytest.param(HEARD, ALONE, False, "something else", id="other-words-and-nothing-known"),
        pytest.param(
            about(HEARD, intents=QUESTION),
            replace(ALONE, intents=frozenset(QUESTION)),
            True,
            "wants the like",
            id="like-intent-while-live",
        ),
        pytest.param(
            HEARD, replace(ALONE, said_last_at=NOW - timedelta(minutes=9)), True, "within half an hour", id="soon"
        ),
        pytest.param(
            HEARD, replace(OVER, said_last_at=NOW - timedelta(minutes=9)), False, "something else", id="soon-when-over"
        ),
        pytest.param(
            about(HEARD, intents=QUESTION),
            replace(OVER, intents=frozenset(QUESTION)),
            False,
            "something else",
            id="like-intent-when-over",
        ),
        pytest.param(
            about(replace(HEARD, text="¿Cuánto sale?"), intents={Intent.PURCHASE_INTEREST}),
            replace(ALONE, intents=frozenset(COMPLAINT)),
            False,
            "something else",
            id="buying-is-another-matter",
        ),
        pytest.param(
            replace(HEARD, account_id=9, customer_id=5, network="mastodon", text="¿y?"),
            replace(ALONE, case=a_case(customer=5)),
            True,
            "now on mastodon",
            id="second-channel",
        ),
        pytest.param(replace(HEARD, text="¿y?"), STRANGERS, False, "nothing of theirs is open", id="a-stranger"),
        pytest.param(
            replace(HEARD, customer_id=5),
            replace(ALONE, case=a_case(customer=6), mention_in=True),
            True,
            "in it already",
            id="edited",
        ),
    ],
)
def test_the_case_of_a_matter(heard: Heard, around: Around, joins: bool, why: str) -> None:
    found = matters.which(heard, [around], reopen=REOPEN, now=NOW)
    assert (found.around is around) == joins, found.why
    assert why in found.why


@pytest.mark.parametrize(
    ("around", "known"),
    [
        pytest.param(ALONE, True, id="their-own"),
        pytest.param(STRANGERS, False, id="somebody-else's"),
        pytest.param(replace(STRANGERS, mention_in=True), False, id="in-it-already"),
        pytest.param(replace(ALONE, case=replace(a_case(), account_id=None)), True, id="nobody's-yet"),
        pytest.param(replace(ALONE, case=replace(a_case(customer=5), account_id=None)), False, id="a-customer's"),
    ],
)
def test_who_is_not_known_to_be_its_person_is_said_to_be_so(around: Around, known: bool) -> None:
    found = matters.which(IN_PRIVATE, [around], reopen=REOPEN, now=NOW)
    assert (found.around, found.known) == (around, known)
    assert (matters.UNPROVEN in found.why) == (not known and not around.mention_in)


def test_thanks_belong_to_the_case_and_reopen_nothing() -> None:
    thanks = about(replace(HEARD, text="Mil gracias, ya funciona perfecto todo"), intents=PRAISE)
    found = matters.which(thanks, [OVER], reopen=REOPEN, now=NOW)
    assert (found.around, found.reopens) == (OVER, False)


def test_the_likest_case_wins_not_the_newest() -> None:
    older = replace(ALONE, areas=BILLING)
    newer = replace(ALONE, case=a_case(2), areas=frozenset(), intents=frozenset(QUESTION))
    found = matters.which(about(HEARD, areas=BILLING, intents=QUESTION), [newer, older], reopen=REOPEN, now=NOW)
    assert found.around is older


def test_a_reference_outweighs_the_words() -> None:
    quoted = replace(ALONE, case=a_case(2), texts=("nada que ver",))
    heard = replace(HEARD, text=LONG, quotes=("ES-26-000002-8",))
    assert matters.which(heard, [ALONE, quoted], reopen=REOPEN, now=NOW).around is quoted


@pytest.mark.parametrize("text", [LONG, "https://x.example/secreto @ana", "Ñandú 12345678"])
def test_a_reason_holds_none_of_their_words(text: str) -> None:
    around = replace(ALONE, texts=(text,))
    why = matters.which(replace(HEARD, text=text), [around], reopen=REOPEN, now=NOW).why
    assert not [word for word in text.split() if len(word) > 4 and word in why]


@pytest.mark.parametrize("sign", ["e", "-", "http", "@e", "e1 "])
def test_texts_without_an_end_keep_nobody_waiting(sign: str) -> None:
    """A case holds two hundred texts of its author's, all read while the database is held for writing."""
    begins = time.perf_counter()
    for number in range(200):
        told((sign * 5000)[:4990] + f" {number}")
    assert time.perf_counter() - begins < 4, "once it took more than a minute"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("recargo factura", {"recarg", "factur"}),
        ("recargo@factura https://factura.example/recargo #factura", {"recarg"}),
        ("recargo1 factura2marzo marzo", {"marzo"}),
        ("mirahttps://factura.example recargo", {"mira", "recarg"}),
    ],
)
def test_names_links_and_numbers_are_no_words(text: str, said: set[str]) -> None:
    assert told(text) == said
