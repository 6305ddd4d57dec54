"""Each condition: when it holds, and what it says when it does not."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import policies
from listener.types import (
    CaseView,
    CustomerView,
    IncidentState,
    IncidentView,
    LinkCode,
    PostKind,
    RuleOutcome,
    Signal,
    Speaker,
    TeamsView,
    Visibility,
)
from policies.amounts import duration, duration_comparison, number_comparison, spoken
from policies.schema import When
from policies.words import fold, found, phrase_pattern
from tests.policies.situations import GOLD, NOW, situation

RECORD = CustomerView(
    reference="C",
    name="Ana",
    fields={"Plan": "fibre 600", "arrears": "30,50", "Customer since": "2019-03-31", "consent": "true", "note": ""},
)

STANDS = CustomerView(
    reference="C",
    name="Ana",
    consent=("mail:marketing", "marketing"),
    refused=("phone:marketing",),
    arrears=42.5,
    arrears_days=10,
    tenure_days=800,
    contracts=2,
    products=("Fibre", "tv"),
    fields={"balance": "120.50 EUR", "code": "200", "since": "2019-03-31", "roaming": True, "calls": 7, "plan": "Gold"},
    types={
        **{
            "balance": "money",
            "code": "text",
            "since": "date",
            "roaming": "yes_no",
            "calls": "number",
            "plan": "choice",
        }
    },
)

OVER_THERE = IncidentView(number=3, title="Caída en Vic", state=IncidentState.FIXING, since=NOW)

# when, the situation, whether it holds, what it saw otherwise
CONDITIONS: list[tuple[str, dict[str, Any], bool, str]] = [
    ("intents: praise", {}, True, ""),
    ("intents: [complaint, question]", {}, True, ""),
    ("intents: [complaint]", {}, False, "praise, question"),
    ("main_intent: praise", {}, True, ""),
    ("main_intent: question", {}, False, "praise"),
    ("sentiment: [negative, positive]", {"sentiment": "positive"}, True, ""),
    ("sentiment: negative", {"sentiment": None}, False, "unknown"),
    ("signals: [safety, press]", {"understanding__signals": (Signal.CHURN, Signal.PRESS)}, True, ""),
    ("signals: safety", {"understanding__signals": (Signal.CHURN,)}, False, "churn"),
    ("signals: [irony]", {}, False, "none"),
    ("areas: roaming", {"understanding__areas": ("billing", "roaming")}, True, ""),
    ("areas: [roaming]", {"understanding__areas": ("billing",)}, False, "billing"),
    ("areas: roaming", {}, False, "none"),
    ("none: {areas: [roaming, billing]}", {}, True, ""),
    ('confidence: ">= 0.9"', {}, True, ""),
    ('confidence: ">= 90%"', {"score": 0.7}, False, "0.70"),
    ("language: [es, pt]", {}, True, ""),
    ("language: ES", {"language": "es-AR"}, True, ""),
    ("language: en", {}, False, "es"),
    ("network: Mastodon", {}, True, ""),
    ("network: x", {}, False, "mastodon"),
    ("source: brand-mentions", {}, True, ""),
    ("kind: [mention, reply]", {}, True, ""),
    ("kind: found", {}, False, "mention"),
    ("visibility: direct", {"visibility": Visibility.DIRECT}, True, ""),
    ('age: "> 2h"', {"posted_at": NOW - timedelta(hours=3)}, True, ""),
    ('age: "> 2h"', {}, False, "10m"),
    ("has_media: true", {"has_media": True}, True, ""),
    ("has_media: true", {}, False, "false"),
    ("has_media: false", {}, True, ""),
    ("text.contains: SENAL", {}, True, ""),
    ("text.contains: [nada, 'sin señal']", {}, True, ""),
    ("text.contains: 'señal sin'", {}, False, "none of these words"),
    ("text.contains: seña", {}, False, "none of these words"),
    ("text.contains: 'sen*'", {}, True, ""),
    ("text.contains: aviso", {"content_warning": "¡Aviso!"}, True, ""),
    ("text.contains_all: [senal, estoy]", {}, True, ""),
    ("text.contains_all: [senal, fibra]", {}, False, "without fibra"),
    ("author.handle: ana", {}, True, ""),
    ('author.followers: ">= 100"', {}, True, ""),
    ('author.followers: ">= 10k"', {}, False, "120"),
    ("author.followers: 120", {}, True, ""),
    ('author.followers: "< 5"', {"author__followers": None}, False, "unknown"),
    ("author.bot: false", {}, True, ""),
    ('author.account_age_days: "< 7"', {"author__account_age_days": 3}, True, ""),
    ('author.mentions_last_7_days: "> 3"', {"author__mentions_last_7_days": 3}, False, "3"),
    ("customer.known: false", {}, True, ""),
    ("customer.known: true", {"customer": GOLD}, True, ""),
    ("customer.tier: [Gold, platinum]", {"customer": GOLD}, True, ""),
    ("customer.tier: gold", {}, False, "unknown"),
    ("customer.tags: a", {"customer": CustomerView(reference="C", name="A", tags=("b", "A"))}, True, ""),
    ("customer.tags: a", {"customer": GOLD}, False, "none"),
    ('customer.open_cases: ">= 1"', {"customer": GOLD}, False, "0"),
    ('customer.open_cases: "< 1"', {}, False, "unknown"),
    ("customer.consent: [sms, marketing]", {"customer": STANDS}, True, ""),
    ("customer.consent: phone:marketing", {"customer": STANDS}, False, "mail:marketing, marketing"),
    ("customer.consent: marketing", {"customer": GOLD}, False, "none"),
    ("customer.refused: phone:marketing", {"customer": STANDS}, True, ""),
    ("customer.refused: marketing", {}, False, "unknown"),
    ('customer.arrears: "> 42"', {"customer": STANDS}, True, ""),
    ('customer.arrears: "< 42"', {"customer": STANDS}, False, "42.5"),
    ('customer.arrears: ">= 0"', {"customer": GOLD}, False, "unknown"),
    ('customer.arrears_days: ">= 10"', {"customer": STANDS}, True, ""),
    ('customer.tenure_days: ">= 730"', {"customer": STANDS}, True, ""),
    ('customer.tenure_days: ">= 730"', {"customer": GOLD}, False, "unknown"),
    ('customer.contracts: "> 1"', {"customer": STANDS}, True, ""),
    ('customer.contracts: "> 1"', {"customer": GOLD}, False, "0"),
    ("customer.products: [FIBRE]", {"customer": STANDS}, True, ""),
    ("customer.products: mobile", {"customer": STANDS}, False, "Fibre, tv"),
    ('customer.fields: {balance: "> 100"}', {"customer": STANDS}, True, ""),
    ('customer.fields: {balance: "> 100 EUR"}', {"customer": STANDS}, True, ""),
    ('customer.fields: {balance: "> 100 USD"}', {"customer": STANDS}, False, "120.50 EUR"),
    ("customer.fields: {balance: 120.5 EUR}", {"customer": STANDS}, True, ""),
    ('customer.fields: {balance: "> 2019-01-01"}', {"customer": STANDS}, False, "120.50 EUR"),
    ('customer.fields: {code: "> 100"}', {"customer": STANDS}, False, "200"),
    ("customer.fields: {code: 200}", {"customer": STANDS}, True, ""),
    ('customer.fields: {since: "< 2020-01-01"}', {"customer": STANDS}, True, ""),
    ('customer.fields: {since: "> 5"}', {"customer": STANDS}, False, "2019-03-31"),
    ("customer.fields: {roaming: yes}", {"customer": STANDS}, True, ""),
    ("customer.fields: {roaming: 'sí'}", {"customer": STANDS}, True, ""),
    ("customer.fields: {roaming: no}", {"customer": STANDS}, False, "true"),
    ('customer.fields: {calls: ">= 7"}', {"customer": STANDS}, True, ""),
    ("customer.fields: {calls: '7.0'}", {"customer": STANDS}, True, ""),
    ("customer.fields: {plan: gold}", {"customer": STANDS}, True, ""),
    ("thread.is_reply_to_us: true", {"thread__is_reply_to_us": True}, True, ""),
    ('thread.our_replies: ">= 1"', {}, False, "0"),
    ("case.exists: true", {"case": CaseView(reference="R", exists=True)}, True, ""),
    ('scores: {praise: ">= 0.9"}', {}, True, ""),
    ('scores: {praise: ">= 90%", question: "< 0.8"}', {}, False, "0.90"),
    ('scores: {complaint: "< 0.5"}', {}, False, "unknown"),
    ('scores: {neutral: "> 0.8"}', {}, True, ""),
    ('scores: {press: ">= 0.3"}', {"understanding__signal_scores": {"press": 0.35}}, True, ""),
    ('scores: {roaming: ">= 0.3"}', {"understanding__area_scores": {"roaming": 0.2}}, False, "0.20"),
    ("author.verified: true", {"author__verified": True}, True, ""),
    ("author.verified: false", {}, False, "unknown"),
    ("author.verified: true", {"author__verified": False}, False, "false"),
    ("author.new: true", {"author__account_age_days": 29}, True, ""),
    ("author.new: true", {"author__account_age_days": 30}, False, "false"),
    ("author.new: false", {}, False, "unknown"),
    ('author.unsolved_complaints: ">= 2"', {"author__unsolved_complaints": 2}, True, ""),
    ('author.unsolved_complaints: ">= 2"', {}, False, "0"),
    ('author.complaints_last_30_days: ">= 3"', {"author__complaints_last_30_days": 3}, True, ""),
    ('author.complaints_last_30_days: ">= 3"', {"author__complaints_last_30_days": 2}, False, "2"),
    ('author.complaints_last_30_days: ">= 3"', {}, False, "0"),
    (
        'author.bot_likeness: ">= 0.7"',
        {"author__bot": True},
        True,
        "bot-likeness 1.00 (+1.00 says that it is automatic)",
    ),
    ('author.bot_likeness: ">= 0.7"', {}, False, "0.00"),
    (
        'author.bot_likeness: ">= 0.7"',
        {"author__same_text_last_day": 3, "author__account_age_days": 2},
        False,
        "0.60 (+0.20 under 30 days old, +0.40 the same text 3 times in a day)",
    ),
    ("terms: [outage, iberia express]", {"terms": ('"Iberia  Express"',)}, True, ""),
    ("terms: '#Iberia'", {"terms": ("#iberia", "iberia")}, True, ""),
    ("terms: '#iberia'", {"terms": ("iberia",)}, False, "iberia"),
    ("terms: iberia", {}, False, "none"),
    ("customer.language: [es]", {"customer": replace(GOLD, language="ES")}, True, ""),
    ("customer.language: es", {"customer": GOLD}, False, "unknown"),
    ("customer.fields: {plan: [fibre, 'Fibre 600']}", {"customer": RECORD}, True, ""),
    ("customer.fields: {PLAN: gold}", {"customer": RECORD}, False, "fibre 600"),
    ('customer.fields: {arrears: "> 30"}', {"customer": RECORD}, True, ""),
    ('customer.fields: {arrears: "> 31"}', {"customer": RECORD}, False, "30,50"),
    ('customer.fields: {Customer since: "< 2020-01-01"}', {"customer": RECORD}, True, ""),
    ('customer.fields: {customer since: ">= 2020-01-01"}', {"customer": RECORD}, False, "2019-03-31"),
    ('customer.fields: {plan: "> 3"}', {"customer": RECORD}, False, "fibre 600"),
    ("customer.fields: {consent: true}", {"customer": RECORD}, True, ""),
    ("customer.fields: {note: x}", {"customer": RECORD}, False, "unknown"),
    ("customer.fields: {plan: gold}", {}, False, "unknown"),
    ("thread.last_speaker: [us, colleague]", {"thread__last_speaker": Speaker.COLLEAGUE}, True, ""),
    ("thread.last_speaker: us", {}, False, "nobody"),
    ("code: linked", {"code": LinkCode.LINKED}, True, ""),
    ("code: [wrong, expired]", {}, False, "none"),
    ("thread.answered_by_colleague: true", {"thread__answered_by_colleague": True}, True, ""),
    ("thread.answered_by_colleague: true", {}, False, "false"),
    ("incident.active: true", {"incidents": (OVER_THERE,)}, True, ""),
    ("incident.active: true", {}, False, "false"),
    ("incident.active: false", {}, True, ""),
    ("incident.here: true", {"incident": OVER_THERE}, True, ""),
    ("incident.here: true", {"incident": replace(OVER_THERE, state=IncidentState.RESOLVED)}, False, "false"),
    ("incident.here: false", {"incidents": (OVER_THERE,)}, True, ""),
    ("incident.state: [fixing, resolved]", {"incident": OVER_THERE}, True, ""),
    ("incident.state: resolved", {"incident": OVER_THERE}, False, "fixing"),
    ("incident.state: fixing", {"incidents": (OVER_THERE,)}, False, "unknown"),
    ("incident.number: i3", {"incident": OVER_THERE}, True, ""),
    ("incident.number: [I4]", {"incident": OVER_THERE}, False, "I3"),
    ("incident.title: [corte*, caida]", {"incident": OVER_THERE}, True, ""),
    ("incident.title: vi", {"incident": OVER_THERE}, False, "Caída en Vic"),
    ("incident.title: vic", {}, False, "unknown"),
    ('teams.on_duty: {care: ">= 1"}', {"teams": TeamsView(on_duty={"care": 2})}, True, ""),
    ('teams.on_duty: {care: "< 1"}', {"teams": TeamsView(on_duty={})}, True, ""),
    ('teams.on_duty: {care: ">= 1"}', {"teams": TeamsView(on_duty={"billing": 2})}, False, "0"),
    ('teams.on_duty: {care: "< 1"}', {}, False, "unknown"),
    ("time.within: office", {}, True, ""),
    ("time.within: [night, office]", {}, True, ""),
    ("time.within: night", {}, False, "Fri 20 Nov 09:00"),
    ("time.outside: [night]", {}, True, ""),
    ("time.outside: [night, office]", {}, False, "Fri 20 Nov 09:00"),
    ("time.holiday: office", {"now": datetime(2026, 12, 25, 20, tzinfo=UTC)}, True, ""),
    ("time.holiday: office", {}, False, "Fri 20 Nov 13:00"),
    ("time.weekday: [mon-tue, fri]", {}, True, ""),
    ("time.weekday: [sat, sun]", {}, False, "Fri 20 Nov 09:00"),
    ("{intents: praise, language: es}", {}, True, ""),
    ("all: [{intents: praise}, {language: es}]", {}, True, ""),
    ("all: [{intents: praise}, {language: en}]", {}, False, "language: wanted en, saw es"),
    ("any: [{language: en}, {network: mastodon}]", {}, True, ""),
    ("any: [{language: en}, {network: x}]", {}, False, "language: wanted en, saw es; network: wanted x, saw mastodon"),
    ("none: [{language: en}, {network: x}]", {}, True, ""),
    ("none: {language: es}", {}, False, "language: es"),
    ("none: {language: es, network: x}", {}, True, ""),
    ("any: [{none: {language: es}}, {all: {language: es, any: {network: mastodon}}}]", {}, True, ""),
]


@pytest.mark.parametrize(
    ("when", "given", "holds", "saw"), CONDITIONS, ids=[f"{row[0]}-{number}" for number, row in enumerate(CONDITIONS)]
)
def test_a_condition(when: str, given: dict[str, Any], holds: bool, saw: str) -> None:
    block = when if when.startswith("{") else "{" + when + "}"
    text = f"""name: one
teams: {{care: {{}}}}
default_team: care
time_zone: America/Argentina/Buenos_Aires
calendars:
  office: {{time_zone: Europe/Madrid, hours: {{mon-fri: "09:00-18:00"}}, holidays: ES}}
  night: {{hours: {{daily: "22:00-08:00"}}}}
areas:
  roaming: {{examples: [sin datos fuera, abroad without data, roaming caro, no signal in Chile, cómo lo activo]}}
  billing: {{examples: [factura doble, charged twice, no entiendo el cargo, wrong invoice, me cobraron de más]}}
rules:
  - name: it
    when: {block}
    then: {{tags: x}}
"""
    given = {"kind": PostKind.MENTION, **given}
    decision = policies.load_text(text, "p.yaml").decide(situation("¡Estoy SIN señal!", "praise", "question", **given))
    (trace,) = decision.rules
    assert (trace.outcome is RuleOutcome.MATCHED) is holds
    assert trace.saw == saw
    if not holds:
        assert trace.condition
        assert trace.wanted


def test_every_condition_has_a_row_here() -> None:
    keys = {field.alias or name for name, field in When.model_fields.items()}
    assert [key for key in keys if not any(f"{key}:" in row[0] for row in CONDITIONS)] == []


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("¡No tengo SEÑAL!", " no tengo senal "),
        ("don't", " don t "),
        ("mal😡mal", " mal 😡 mal "),
        ("a\u200bb", " ab "),
        ("Ⓐ STRASSE straße", " a strasse strasse "),
        ("", "  "),
    ],
)
def test_fold(text: str, folded: str) -> None:
    assert fold(text) == folded


def test_phrases_are_whole_words() -> None:
    pattern = phrase_pattern(["no signal", "factur*", "😡"])
    assert found(pattern, fold("there is No Signal!")) == "no signal"
    assert found(pattern, fold("mis FACTURAS")) == "facturas"
    assert found(pattern, fold("grr 😡😡")) == "😡"
    assert found(pattern, fold("no signals, refactura")) == ""


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("15m", timedelta(minutes=15)),
        ("4h", timedelta(hours=4)),
        ("2d", timedelta(days=2)),
        ("1h30m", timedelta(minutes=90)),
        ("1w 2d", timedelta(days=9)),
        ("45S", timedelta(seconds=45)),
    ],
)
def test_duration(text: str, span: timedelta) -> None:
    assert duration(text) == span


@pytest.mark.parametrize("value", ["", "4", "h", "-4h", "0m", "4 hours", "999999d", 4, None, True])
def test_no_duration(value: object) -> None:
    with pytest.raises(ValueError, match="time span"):
        duration(value)


@pytest.mark.parametrize("value", ["", ">", "many", ">= x", "1e9", True, None, [1]])
def test_no_comparison(value: object) -> None:
    with pytest.raises(ValueError, match="comparison"):
        number_comparison(value)


def test_comparisons_say_what_was_written() -> None:
    assert number_comparison(">=10k").holds(10_000)
    assert not number_comparison("< 5").holds(5)
    assert number_comparison(3).text == "= 3"
    assert duration_comparison("> 2d").holds(200_000)
    assert spoken(timedelta(days=2, hours=4, minutes=3)) == "2d 4h"
    assert spoken(timedelta(seconds=-5)) == "0s"


@pytest.mark.parametrize(
    "text", ["ﷺ" * 50_000, "a" + "\u0300\u0316" * 25_000, "a " * 25_000], ids=["ligatures", "heaped marks", "words"]
)
def test_folding_takes_a_moment_whatever_was_posted(text: str) -> None:
    began = time.process_time()
    for _ in range(10):
        fold(text)
    assert time.process_time() - began < 5


def test_a_very_long_text_is_read_at_its_beginning_and_at_its_end() -> None:
    words = fold("avería " + "bla " * 20_000 + "fraude")
    assert words.startswith(" averia bla ")
    assert words.endswith(" bla fraude ")
