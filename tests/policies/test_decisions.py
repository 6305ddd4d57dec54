"""What the policies that come with Escucha decide, one row per mention."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

import policies
from listener.types import CaseView, CustomerView, Mode, PostKind, RuleOutcome, Signal, Urgency
from tests.policies.situations import FACTS, GOLD, situation

OPEN = CaseView(reference="ES-26-000777-1", exists=True, team="billing", urgency=Urgency.HIGH)
FOUND = PostKind.FOUND


@dataclass(frozen=True, kw_only=True)
class Row:
    """One mention, and what is expected: the template, the team ("" no case, "?" a person routes), the urgency."""

    id: str
    text: str
    intents: tuple[str, ...]
    template: str = ""
    team: str = ""
    urgency: str = "normal"
    ignored: bool = False
    tags: tuple[str, ...] = ()
    given: dict[str, Any] = field(default_factory=dict)


def check(policy: policies.Guarded, row: Row) -> None:
    decision = policy.decide(situation(row.text, *row.intents, **row.given))
    assert (decision.reply.template if decision.reply else "") == row.template
    assert (decision.case.team if decision.case else "?" if decision.needs_routing else "") == row.team
    assert decision.urgency == row.urgency
    assert bool(decision.ignored) is row.ignored
    assert set(row.tags) <= set(decision.tags) | set(decision.case.tags if decision.case else ())
    assert len(decision.rules) == len(policy.file.rules)
    assert len(decision.guards) == 29
    if decision.reply and decision.case:
        assert decision.reply.length <= decision.reply.limit


NEG, POS = {"sentiment": "negative"}, {"sentiment": "positive"}

# fmt: off
DEFAULT = [
    Row(id="outage-es", text="No tengo señal desde ayer", intents=("outage_report",), given=NEG, template="outage",
        team="technical", urgency="high", tags=("outage",)),
    Row(id="outage-en", text="No signal since yesterday", intents=("outage_report",),
        given={**NEG, "language": "en"}, template="outage", team="technical", urgency="high"),
    Row(id="billing-by-words", text="Me COBRARON dos veces", intents=("complaint",), given=NEG, template="billing",
        team="billing", tags=("billing",)),
    Row(id="billing-question-en", text="Why is my bill so high?", intents=("question",), given={"language": "en"},
        template="question", team="billing"),
    Row(id="billing-question-upset", text="¿Por qué me cobráis dos veces?", intents=("question",), given=NEG,
        template="billing", team="billing"),
    Row(id="a-price-is-no-bill", text="¿Alguien sabe si marca tiene tarifa para estudiantes?", intents=("question",),
        template="question", team="care"),
    Row(id="ways-to-pay-are-no-bill", text="¿Qué formas de pago tenéis?", intents=("question",), template="question",
        team="care"),
    Row(id="billing-words-without-a-matter", text="Ya pagué la factura", intents=(), team="care"),
    Row(id="complaint", text="Llevo una hora esperando", intents=("complaint",), given=NEG, template="complaint",
        team="care", tags=("complaint",)),
    Row(id="a-stranger-who-asks-for-a-price", text="Thinking about switching to you, how much is it?",
        intents=("purchase_interest", "cancellation_threat"), given={"language": "en"}, template="sales",
        team="sales"),
    Row(id="a-customer-who-looks-around", text="Si no me igualan la oferta, contrato otra",
        intents=("purchase_interest", "cancellation_threat"), given={"customer": GOLD}, template="cancellation",
        team="retention", urgency="critical", tags=("churn",)),
    Row(id="leaving-for-a-rival", text="Me cambio a algo más barato",
        intents=("purchase_interest", "cancellation_threat"), given={"understanding__signals": (Signal.CHURN,)},
        template="cancellation", team="retention", urgency="high", tags=("churn",)),
    Row(id="cancellation-beats-complaint", text="Me voy a la competencia",
        intents=("complaint", "cancellation_threat"), given=NEG, template="cancellation", team="retention",
        urgency="high", tags=("churn",)),
    Row(id="vip-complaint-is-raised", text="Esto no funciona", intents=("complaint",),
        given={**NEG, "customer": GOLD}, template="complaint", team="care", urgency="high", tags=("vip",)),
    Row(id="vip-cancellation-is-raised-on-top", text="Me doy de baja", intents=("cancellation_threat",),
        given={**NEG, "customer": GOLD}, template="cancellation", team="retention", urgency="critical"),
    Row(id="insistent", text="Sigo igual", intents=("complaint",), given={**NEG, "author__mentions_last_7_days": 3},
        template="complaint", team="care", urgency="high", tags=("insistent",)),
    Row(id="unsolved", text="Sigo igual", intents=("complaint",),
        given={**NEG, "customer": CustomerView(reference="C", name="Ana", open_cases=1)}, template="complaint",
        team="care", urgency="high", tags=("unsolved",)),
    Row(id="danger-is-critical", text="Huele a gas", intents=("outage_report",),
        given={"understanding__signals": (Signal.SAFETY,)}, template="outage", team="technical", urgency="critical",
        tags=("danger",)),
    Row(id="the-press-is-seen-soon", text="Preparo un artículo, ¿quién me atiende?", intents=("question",),
        given={"understanding__signals": (Signal.PRESS,)}, template="question", team="care", urgency="high",
        tags=("look",)),
    Row(id="open-case-goes-on-with-its-team", text="¿Alguna novedad?", intents=("question",), given={"case": OPEN},
        template="follow_up", team="billing"),
    Row(id="question", text="¿A qué hora abren?", intents=("question",), template="question", team="care"),
    Row(id="request", text="Necesito un duplicado", intents=("request",), template="question", team="care"),
    Row(id="purchase", text="Quiero contratar fibra", intents=("purchase_interest",), template="sales", team="sales"),
    Row(id="suggestion", text="Estaría bien un modo oscuro", intents=("suggestion",), template="suggestion",
        team="care", urgency="low"),
    Row(id="plain-praise", text="¡Me encanta!", intents=("praise",), given=POS, template="thanks", urgency="low",
        tags=("praise",)),
    Row(id="praise-with-a-but", text="Muy bien, pero tarde", intents=("praise",), given=POS, template="thanks",
        urgency="low"),
    Row(id="off-topic-found", text="Qué calor", intents=("off_topic",), given={"kind": FOUND}, urgency="low",
        ignored=True),
    Row(id="off-topic-addressed-to-us", text="Qué calor", intents=("off_topic",), team="care"),
    Row(id="bot", text="Oferta", intents=("complaint",), given={"author__bot": True}, urgency="low", ignored=True),
    Row(id="spam", text="CRYPTO giveaway!!", intents=("off_topic",), urgency="low", ignored=True),
    Row(id="troll", text="Sois unos payasos 🤡", intents=("off_topic",), given=NEG, urgency="low", ignored=True,
        tags=("troll",)),
    Row(id="insult-with-a-matter", text="Payasos, no tengo servicio", intents=("complaint",), given=NEG,
        template="complaint", team="care"),
    Row(id="nothing-understood", text="...", intents=(), given={"language": "und"}, team="care"),
    Row(id="another-language-falls-back", text="Ich habe eine Frage", intents=("question",),
        given={"language": "de"}, template="question", team="care"),
    Row(id="danger-beats-ignore", text="Payasos, os voy a quemar", intents=("off_topic",), given=NEG,
        team="supervisors", urgency="critical", tags=("risk:violence",)),
]

AIRLINE = [
    Row(id="praise-is-answered", text="¡Gran vuelo!", intents=("praise",), given=POS, template="thanks", urgency="low"),
    Row(id="rant-is-left-alone", text="La peor aerolínea del mundo", intents=("complaint",), given=NEG,
        urgency="low", ignored=True, tags=("rant",)),
    Row(id="rant-with-a-booking-problem", text="¡Mi reserva no aparece!", intents=("complaint",), given=NEG,
        team="bookings", urgency="high", tags=("booking",)),
    Row(id="lost-baggage", text="Perdieron mi MALETA", intents=("complaint",), given=NEG, template="baggage",
        team="baggage", urgency="high"),
    Row(id="booking-question", text="Can I change my seat?", intents=("question",), given={"language": "en"},
        template="booking_question", team="bookings"),
    Row(id="question-is-routed-by-a-person", text="¿Tienen wifi?", intents=("question",), template="question",
        team="?"),
    Row(id="mail-opens-a-case", text="¿Tienen wifi?", intents=("question",), given={"network": "mail"},
        template="question", team="desk"),
    Row(id="nothing-said-is-routed", text="mmm", intents=(), team="?"),
    Row(id="open-case-needs-no-routing", text="¿Y bien?", intents=("question",), given={"case": OPEN},
        template="question", team="billing"),
]

TELECOM = [
    Row(id="complaint-gets-a-reference", text="Pésimo servicio", intents=("complaint",), given=NEG,
        template="complaint", team="care"),
    Row(id="praise-is-only-tagged", text="¡Genial!", intents=("praise",), given=POS, urgency="low", tags=("praise",)),
    Row(id="signal-by-words", text="Sin COBERTURA en el centro", intents=("complaint",), given=NEG,
        template="signal", team="signal"),
    Row(id="outage-in-other-words", text="Todo muerto", intents=("outage_report",), given=NEG, template="signal",
        team="signal", urgency="high"),
    Row(id="billing-by-words", text="You overcharged me", intents=("complaint",), given={**NEG, "language": "en"},
        template="complaint", team="billing"),
    Row(id="handset-by-words", text="La pantalla llegó rota", intents=("complaint",), given=NEG,
        template="complaint", team="handsets"),
    Row(id="many-are-listening", text="Pésimo", intents=("complaint",), given={**NEG, "author__followers": 20000},
        template="complaint", team="care", urgency="high", tags=("reach",)),
    Row(id="exclusive-by-tag", text="Pésimo", intents=("complaint",),
        given={**NEG, "customer": CustomerView(reference="C", name="Ana", tags=("Exclusive",))},
        template="complaint", team="care", urgency="high"),
    Row(id="leaving", text="Me doy de baja", intents=("cancellation_threat",), given=NEG, template="leaving",
        team="retention", urgency="high"),
]

# fmt: on


def rows(table: list[Row]) -> Any:
    return pytest.mark.parametrize("row", table, ids=[row.id for row in table])


@pytest.fixture(scope="module")
def default() -> policies.Guarded:
    return policies.load(policies.default_path())


@pytest.fixture(scope="module")
def examples() -> dict[str, policies.Guarded]:
    return {name: policies.load(path) for name, path in policies.examples().items()}


@rows(DEFAULT)
def test_default(default: policies.Guarded, row: Row) -> None:
    check(default, row)


@rows(AIRLINE)
def test_airline(examples: dict[str, policies.Guarded], row: Row) -> None:
    check(examples["airline"], row)


@rows(TELECOM)
def test_telecom(examples: dict[str, policies.Guarded], row: Row) -> None:
    check(examples["telecom"], row)


def test_an_unanswered_rant_says_why(examples: dict[str, policies.Guarded]) -> None:
    left = examples["airline"].decide(situation("Horrible", "complaint", sentiment="negative"))
    assert "not answered" in left.ignored
    helped = examples["airline"].decide(situation("Mi reserva falla", "complaint", sentiment="negative"))
    matched = next(rule for rule in helped.rules if rule.outcome is RuleOutcome.MATCHED)
    assert "not answered in public" in matched.wanted


def test_a_case_carries_its_service_level_and_quotes_nobody(default: policies.Guarded) -> None:
    decision = default.decide(situation("Soy Ana y no tengo señal", "outage_report"))
    assert decision.case is not None
    assert decision.case.first_response == timedelta(hours=1)
    assert decision.case.resolution == timedelta(days=1)
    assert decision.case.title == "Outage report on mastodon"


def test_every_rule_is_traced(default: policies.Guarded) -> None:
    decision = default.decide(situation("Me cobraron dos veces", "complaint", customer=GOLD))
    by_name = {rule.rule: rule for rule in decision.rules}
    assert [rule.name for rule in default.file.rules] == [rule.rule for rule in decision.rules]
    assert by_name["valued customer"].outcome is RuleOutcome.MATCHED
    failed = by_name["wants to leave"]
    assert (failed.outcome, failed.condition, failed.wanted, failed.saw) == (
        RuleOutcome.FAILED, "intents", "cancellation_threat", "complaint",
    )  # fmt: skip
    assert by_name["billing"].outcome is RuleOutcome.MATCHED
    assert by_name["plain praise"].outcome is RuleOutcome.NOT_REACHED


def test_only_plain_praise_goes_out_alone_once_the_owner_allows_it() -> None:
    policy = policies.load(policies.default_path(), mode=Mode.AUTO)
    modes = {}
    for row in DEFAULT:
        decision = policy.decide(situation(row.text, *row.intents, **row.given))
        if decision.reply:
            modes[row.id] = decision.reply.mode
    assert [row for row, mode in modes.items() if mode is Mode.AUTO] == ["plain-praise"]


@pytest.mark.parametrize(
    ("written", "mode", "modes", "expected"),
    [
        ("mode: manual", None, {}, Mode.MANUAL),
        ("mode: auto", None, {}, Mode.AUTO),
        ("mode: auto\nnetworks: {mastodon: {mode: manual}}", None, {}, Mode.MANUAL),
        ("mode: manual\nnetworks: {mastodon: {mode: auto}}", None, {}, Mode.AUTO),
        ("mode: manual\nnetworks: {mastodon: {mode: auto}}", Mode.MANUAL, {}, Mode.MANUAL),
        ("mode: auto\nnetworks: {mastodon: {mode: manual}}", Mode.AUTO, {}, Mode.MANUAL),
        ("mode: manual", Mode.AUTO, {}, Mode.AUTO),
        ("mode: manual", Mode.MANUAL, {"mastodon": Mode.AUTO}, Mode.AUTO),
        ("mode: auto", Mode.AUTO, {"mastodon": Mode.MANUAL}, Mode.MANUAL),
        ("mode: auto", None, {"x": Mode.MANUAL}, Mode.AUTO),
    ],
)
def test_who_decides_the_mode(written: str, mode: Mode | None, modes: dict[str, Mode], expected: Mode) -> None:
    text = f"{written}\n{SMALL}"
    policy = policies.load_text(text, "p.yaml", mode=mode, modes=modes)
    assert policy.mode_on("mastodon") is expected
    reply = policy.decide(situation("Hola", "question")).reply
    assert reply is not None
    assert reply.mode is expected


SMALL = """name: small
language: es
teams: {care: {}, boss: {}}
default_team: care
templates: {hello: {es: "Hola, {{ author.name }}"}}
rules:
  - name: all
    then: {reply: hello}
"""


def test_the_version_is_the_text_and_what_the_settings_change() -> None:
    plain = policies.load_text(SMALL, "p.yaml").version
    assert len(plain) == 12
    assert policies.load_text(SMALL, "other.yaml").version == plain
    assert policies.load_text(SMALL, "p.yaml", mode=Mode.MANUAL).version == plain, "manual is what it says already"
    assert policies.load_text(SMALL, "p.yaml", mode=Mode.AUTO).version != plain
    assert policies.load_text(SMALL, "p.yaml", modes={"x": Mode.AUTO}).version != plain
    assert policies.load_text(SMALL + "# more\n", "p.yaml").version != plain
    assert policies.load_text(SMALL, "p.yaml").text == SMALL


# --- what becomes of a case -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cases", "then", "team", "routed", "escalate"),
    [
        ("every", "{tags: [a]}", "care", False, ""),
        ("every", "{case: boss}", "boss", False, ""),
        ("every", "{case: {}}", "care", False, ""),
        ("every", "{case: true}", "care", False, ""),
        ("every", "{case: none}", "", False, ""),
        ("every", "{case: false}", "", False, ""),
        ("every", "{ignore: no matter}", "", False, ""),
        ("every", "{escalate: boss}", "boss", False, "boss"),
        ("every", "{case: care, escalate: boss}", "care", False, "boss"),
        ("every", "{case: none, escalate: boss}", "boss", False, "boss"),
        ("routed", "{tags: [a]}", "", True, ""),
        ("routed", "{case: boss}", "boss", False, ""),
        ("routed", "{case: {}}", "care", False, ""),
        ("routed", "{case: none}", "", False, ""),
        ("routed", "{ignore: no matter}", "", False, ""),
        ("routed", "{escalate: boss}", "boss", False, "boss"),
    ],
)
def test_case_or_none_or_a_person(cases: str, then: str, team: str, routed: bool, escalate: str) -> None:
    text = SMALL.replace("{reply: hello}", then) + f"cases: {cases}\n"
    decision = policies.load_text(text, "p.yaml").decide(situation())
    assert (decision.case.team if decision.case else "") == team
    assert decision.needs_routing is routed
    assert decision.escalate_to == escalate


@pytest.mark.parametrize(
    ("cases", "networks", "then", "team", "routed"),
    [
        ("every", "{}", "{tags: [a]}", "care", False),
        ("routed", "{}", "{tags: [a]}", "care", False),
        ("routed", "{mail: {mode: manual}}", "{tags: [a]}", "care", False),
        ("routed", "{mail: {cases: every}}", "{tags: [a]}", "care", False),
        ("every", "{mail: {cases: routed}}", "{tags: [a]}", "", True),
        ("routed", "{x: {cases: routed}}", "{tags: [a]}", "care", False),
        ("routed", "{}", "{case: none}", "", False),
        ("routed", "{}", "{ignore: no matter}", "", False),
        ("routed", "{}", "{case: boss}", "boss", False),
        ("routed", "{}", "{escalate: boss}", "boss", False),
    ],
)
def test_every_mail_opens_a_case_unless_the_policy_says_otherwise(
    cases: str, networks: str, then: str, team: str, routed: bool
) -> None:
    text = SMALL.replace("{reply: hello}", then) + f"cases: {cases}\nnetworks: {networks}\n"
    mail = situation(network="mail", facts=replace(FACTS, network="mail", opens_case=True))
    decision = policies.load_text(text, "p.yaml").decide(mail)
    assert (decision.case.team if decision.case else "") == team
    assert decision.needs_routing is routed


def test_a_mail_that_no_rule_speaks_of_opens_a_case() -> None:
    text = SMALL.replace("    then: {reply: hello}", "    when: {intents: [praise]}\n    then: {reply: hello}")
    mail = situation(facts=replace(FACTS, opens_case=True))
    decision = policies.load_text(text + "cases: routed\n", "p.yaml").decide(mail)
    assert decision.case is not None
    assert decision.case.team == "care"


def test_rules_that_go_on_add_up() -> None:
    text = SMALL.replace(
        "  - name: all\n",
        """  - name: first
    then: {case: {team: boss, tags: [one]}, urgency: low, tags: [two]}
    continue: true
  - name: second
    then: {case: {team: care, urgency: high}, urgency: "+1", tags: [two, three]}
    continue: true
  - name: all
""",
    )
    decision = policies.load_text(text, "p.yaml").decide(situation())
    assert decision.case is not None
    assert decision.case.team == "boss", "what an earlier rule said stays"
    assert decision.urgency is Urgency.CRITICAL, "the highest that was said, and one step"
    assert decision.tags == ("two", "three")
    assert decision.case.tags == ("one", "two", "three")
    assert decision.reply is not None


def test_what_was_escalated_is_not_ignored() -> None:
    text = SMALL.replace(
        "  - name: all\n    then: {reply: hello}",
        "  - name: call\n    then: {escalate: boss}\n    continue: true\n  - name: all\n    then: {ignore: nothing}",
    )
    decision = policies.load_text(text, "p.yaml").decide(situation())
    assert (decision.ignored, decision.escalate_to) == ("", "boss")
    assert decision.case is not None


def test_an_open_case_is_never_made_less_urgent() -> None:
    case = CaseView(reference="ES-26-000777-1", exists=True, team="boss", urgency=Urgency.CRITICAL)
    decision = policies.load_text(SMALL, "p.yaml").decide(situation(case=case))
    assert decision.case is not None
    assert (decision.case.team, decision.case.urgency) == ("boss", Urgency.CRITICAL)


@pytest.mark.parametrize(
    ("given", "counts"),
    [
        ({}, False),
        ({"customer": GOLD}, True),
        ({"understanding__signals": (Signal.CHURN,)}, True),
    ],
)
def test_a_stranger_who_asks_for_a_price_is_not_about_to_leave(given: dict[str, Any], counts: bool) -> None:
    seen = situation("¿Cuánto cuesta cambiarme?", "purchase_interest", "cancellation_threat", **given)
    decision = policies.load(policies.default_path()).decide(seen)
    assert ("about to leave" in [part.name for part in decision.contributions]) is counts


def test_who_only_threatens_is_about_to_leave() -> None:
    decision = policies.load(policies.default_path()).decide(situation("Me doy de baja", "cancellation_threat"))
    assert "about to leave" in [part.name for part in decision.contributions]
