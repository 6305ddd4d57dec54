"""What an agent may offer: whom it fits, in which language, until when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

import policies
from listener.errors import PolicyProblem
from listener.types import CustomerView, Offer

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ANA = CustomerView(reference="C1", name="Ana", tier="gold", language="en", tenure_days=800, arrears=0.0)
FIBRE = {"text": {"es": "Fibra", "en": "Fibre"}, "because": "long with us"}


def offered(customer: CustomerView = ANA, now: datetime = NOW, **offers: Any) -> tuple[Offer, ...]:
    head = {"name": "small", "language": "es", "teams": {"care": {}}, "default_team": "care", "rules": []}
    policy = policies.load_text(yaml.safe_dump(head | {"offers": offers}, sort_keys=False))
    return policy.offers(customer, now)


@pytest.mark.parametrize(
    ("when", "fits"),
    [
        ({}, True),
        ({"customer.tier": "gold", "customer.tenure_days": ">= 730"}, True),
        ({"customer.tenure_days": ">= 1000"}, False),
        ({"none": {"customer.arrears": "> 0"}}, True),
        ({"customer.contracts": ">= 1"}, False),
        ({"any": [{"customer.tier": "iron"}, {"customer.language": "en"}]}, True),
        ({"time.weekday": "mon"}, True),
        ({"time.weekday": "tue"}, False),
    ],
)
def test_an_offer_is_for_whom_its_conditions_hold(when: dict[str, Any], fits: bool) -> None:
    assert bool(offered(fibre={**FIBRE, **({"when": when} if when else {})})) is fits


def test_it_is_said_in_their_language_or_in_ours() -> None:
    assert offered(fibre=FIBRE) == (Offer(name="fibre", text="Fibre", because="long with us"),)
    assert [each.text for each in offered(replace(ANA, language="pt"), fibre=FIBRE)] == ["Fibra"]
    assert [each.text for each in offered(fibre={"text": {"fr": "Fibre optique"}})] == ["Fibre optique"]


def test_the_reason_names_the_conditions_where_nobody_wrote_one() -> None:
    (made,) = offered(fibre={"text": {"es": "F"}, "when": {"customer.tier": "gold"}})
    assert made.because == "customer.tier gold"


def test_its_last_day_counts_whole() -> None:
    assert offered(now=NOW, fibre={**FIBRE, "until": "2026-11-23"})
    assert not offered(now=NOW, fibre={**FIBRE, "until": "2026-11-22"})


def test_offers_keep_the_order_of_the_file() -> None:
    assert [each.name for each in offered(b=FIBRE, a={"text": {"es": "TV"}})] == ["b", "a"]


@pytest.mark.parametrize(
    ("offer", "said"),
    [
        ({**FIBRE, "when": {"intents": "praise"}}, "`intents` is of a mention, and an offer is for a customer"),
        ({**FIBRE, "when": {"any": [{"author.bot": True}]}}, "`author.bot` is of a mention"),
        ({**FIBRE, "until": "soon"}, "soon"),
        ({"text": {}}, "text"),
        ({**FIBRE, "colour": "red"}, "colour"),
    ],
)
def test_an_offer_that_makes_no_sense_says_why(offer: dict[str, Any], said: str) -> None:
    with pytest.raises(PolicyProblem) as caught:
        offered(fibre=offer)
    assert said in str(caught.value)
