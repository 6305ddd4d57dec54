"""What changes from one policy to another: nothing goes unsaid, and people can read it."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import policies
from listener.types import Mode
from policies.differences import Difference
from policies.spelling import tree
from tests.policies.test_language_properties import files
from tests.policies.test_properties import texts

OLD: dict[str, Any] = {
    "name": "Ours",
    "mode": "manual",
    "language": "es",
    "teams": {"care": {"what": "everything"}, "press": {"what": "journalists", "languages": ["es"]}},
    "default_team": "care",
    "service_levels": {"critical": {"first_response": "15m", "resolution": "4h"}},
    "guard": {"max_age": "1d12h", "risk_words": {"press": ["el faro"]}},
    "networks": {"mail": {"cases": "every"}},
    "templates": {
        "thanks": {"es": ["¡Gracias!", "Muchas gracias"], "en": "Thanks!"},
        "sorry": {"es": "Lo sentimos", "networks": {"x": {"es": "¡Perdón!"}}},
    },
    "rules": [
        {"name": "vip", "when": {"customer.tier": ["gold"]}, "then": {"urgency": "+1"}, "continue": True},
        {"name": "praise", "when": {"intents": ["praise"]}, "then": {"reply": "thanks", "case": "none"}},
        {
            "name": "angry",
            "because": "They leave.",
            "when": {"intents": ["complaint"], "any": [{"sentiment": "negative"}, {"author.followers": ">= 10k"}]},
            "then": {"reply": {"template": "sorry", "mode": "manual"}, "case": {"team": "care", "urgency": "high"}},
        },
        {"name": "rest", "then": {"tags": ["rest"]}},
    ],
}


def load(data: dict[str, Any], **more: Any) -> policies.Guarded:
    return policies.load_text(json.dumps(data, ensure_ascii=False), **more)


def changed(**places: Any) -> dict[str, Any]:
    """The policy with other values; `a__b` stands for the key `b` of `a`."""
    copy: dict[str, Any] = json.loads(json.dumps(OLD))
    for place, value in places.items():
        *way, last = place.split("__")
        inner: Any = copy
        for key in way:
            inner = inner[int(key)] if isinstance(inner, list) else inner[key]
        if value is None:
            del inner[int(last) if isinstance(inner, list) else last]
        else:
            inner[int(last) if isinstance(inner, list) else last] = value
    return copy


def said(new: dict[str, Any], old: dict[str, Any] | None = None) -> list[str]:
    return [each.sentence for each in policies.differences(load(old or OLD), load(new))]


@pytest.mark.parametrize(
    ("new", "sentences"),
    [
        pytest.param(
            changed(mode="auto"),
            [
                "On every other network, replies that pass every guard go out alone (auto); until now a person sees "
                "every reply first (manual).",
                "On mail, replies that pass every guard go out alone (auto); until now a person sees every reply first "
                "(manual).",
            ],
            id="mode",
        ),
        pytest.param(
            changed(networks={"x": {"mode": "auto"}, "mail": {"cases": "routed"}}),
            [
                "On x, replies that pass every guard go out alone (auto); until now a person sees every reply first "
                "(manual).",
                "`networks.mail.cases` is now routed; it was every.",
            ],
            id="one network",
        ),
        pytest.param(
            changed(networks__mail={"cases": "every", "mode": "manual"}),
            ["`networks.mail.mode` is now manual; it was not set; how replies go out does not change by that."],
            id="a mode that changes nothing",
        ),
        pytest.param(
            changed(rules__1__name="thanking"), ["Rule “thanking” was called “praise” before."], id="a rule renamed"
        ),
        pytest.param(
            changed(rules=[OLD["rules"][0], OLD["rules"][2], OLD["rules"][1], OLD["rules"][3]]),
            ["Rule “angry” is now read before “praise”."],
            id="a rule moved",
        ),
        pytest.param(
            changed(rules=[OLD["rules"][2], OLD["rules"][0], OLD["rules"][1], OLD["rules"][3]]),
            ["Rule “angry” is now read before “vip” and “praise”."],
            id="a rule moved up",
        ),
        pytest.param(
            changed(rules__1=None),
            ["Rule “praise” is gone; it said: when intents: [praise]; then reply: thanks, case: none."],
            id="a rule removed",
        ),
        pytest.param(
            changed(rules=[{"name": "new", "when": {"age": "> 1d"}, "then": {"ignore": "too old"}}, *OLD["rules"]]),
            ["Rule “new” is new, read before all others: when age: > 1d; then ignore: “too old”."],
            id="a rule added",
        ),
        pytest.param(
            changed(rules=[*OLD["rules"][:3], {"name": "n", "then": {"tags": "n"}, "continue": True}, OLD["rules"][3]]),
            ["Rule “n” is new, read after “angry”: when always; then tags: [n]; continue: true."],
            id="a rule added that goes on",
        ),
        pytest.param(
            changed(rules__2__when={"intents": ["complaint", "question"], "language": "es"}),
            [
                "Rule “angry”: `intents` gains question.",
                "Rule “angry” no longer needs any: [{sentiment: [negative]}, {author.followers: >= 10k}].",
                "Rule “angry” now also needs language: [es].",
            ],
            id="conditions",
        ),
        pytest.param(
            changed(rules__0__when=None),
            ["Rule “vip” now matches whatever reaches it; until now it needed customer.tier: [gold]."],
            id="a rule without conditions",
        ),
        pytest.param(
            changed(
                rules__2__then={"reply": {"template": "thanks", "mode": "manual"}, "escalate": "press"},
                rules__0__continue=None,
                rules__2__because="They are many.",
            ),
            [
                "Rule “vip” now ends the reading where it matches.",
                "Rule “angry” gives another reason: “They are many.”; it was “They leave.”.",
                "Rule “angry”: `reply.template` is now thanks; it was sorry.",
                "Rule “angry” no longer does case: {team: care, urgency: high}.",
                "Rule “angry” now also does escalate: press.",
            ],
            id="actions",
        ),
        pytest.param(
            changed(
                templates__thanks__es=["¡Gracias!", "Mil gracias"],
                templates__sorry__networks__x__es="¡Lo sentimos!",
                templates__hello={"es": "Hola"},
            ),
            [
                "Template “thanks”: `es` gains “Mil gracias” and loses “Muchas gracias”.",
                "Template “sorry”: `networks.x.es` gains “¡Lo sentimos!” and loses “¡Perdón!”.",
                "Template “hello” is new: es: [Hola].",
            ],
            id="templates",
        ),
        pytest.param(
            changed(templates__thanks__es=["Muchas gracias", "¡Gracias!"]),
            ["Template “thanks”: `es` stands in another order: [“Muchas gracias”, “¡Gracias!”]."],
            id="wordings that change places",
        ),
        pytest.param(
            changed(teams__press=None, teams__care__languages=["es"], teams__boss={}),
            [
                "Team “care”: `languages` gains es.",
                "Team “press” is gone; it said: what: journalists, languages: [es].",
                "Team “boss” is new.",
            ],
            id="teams",
        ),
        pytest.param(
            changed(guard={"max_age": "1d", "per_hour": 5}),
            [
                "Guard: `max_age` is now 1d; it was 1d12h.",
                "Guard: `per_hour` is now 5; it was 30.",
                "Guard: `risk_words.press` loses “el faro”.",
            ],
            id="guard",
        ),
        pytest.param(
            changed(service_levels={"critical": {"first_response": "10m"}, "low": {"resolution": "7d"}}),
            [
                "Service levels: `low.resolution` is now 7d; it was not set.",
                "Service levels: `critical.first_response` is now 10m; it was 15m.",
                "Service levels: `critical.resolution` is no longer set; it was 4h.",
            ],
            id="service levels",
        ),
        pytest.param(
            changed(
                rules__3={"name": "rest", "then": {"tags": ["rest"], "person": True}, "shadow": True},
                rules__1__then={"reply": {"template": "thanks", "mode": {"auto": "12.5%"}}, "case": "none"},
                rules__0__when={"customer.tier": ["gold"], "customer.fields": {"arrears": "> 0"}, "author.new": True},
            ),
            [
                "Rule “vip” now also needs customer.fields.arrears: > 0.",
                "Rule “vip” now also needs author.new: true.",
                "Rule “praise” now also does reply.mode: {auto: 12.5%}.",
                "Rule “rest” now also does person: true.",
                "Rule “rest” now only records what it would have done.",
            ],
            id="records, shares and the shadow",
        ),
        pytest.param(
            changed(
                calendars={"office": {"hours": {"mon-fri": ["09:00-14:00", "22:00-02:30"]}, "holidays": "ES-MD"}},
                guidelines={"apologise_first": True},
                tests=[{"name": "a", "mention": {"text": "Hola", "intents": []}, "expect": {"rule": "rest"}}],
            ),
            [
                "Calendar “office” is new: hours: {mon-fri: [09:00-14:00, 22:00-02:30]}, holidays: [ES-MD].",
                "Guidelines: `apologise_first.hold` is now false; it was not set.",
                "Test “a” is new: mention: {text: Hola, network: mastodon, source: test, kind: mention, visibility: "
                "public, has_media: false, paused: false, code: none, now: 2026-01-14 12:00:00+00:00, age: 10m, "
                "sentiment: neutral}, expect: {rule: [rest]}.",
            ],
            id="calendars, guidelines and tests",
        ),
    ],
)
def test_what_changes_is_said(new: dict[str, Any], sentences: list[str]) -> None:
    assert sorted(said(new)) == sorted(sentences)


GOLD = {"tier": ["gold"], "team": "care", "first_response": "30m", "warn": "80%"}
ON_X = {"network": ["x", "mail"], "first_response": "1h"}


@pytest.mark.parametrize(
    ("before", "after", "sentences"),
    [
        (
            [GOLD],
            [ON_X],
            [
                "Service level “team care, tier gold” is gone; it said: first_response: 30m, warn: 80%.",
                "Service level “network x or mail” is new: first_response: 1h.",
            ],
        ),
        (
            [GOLD, ON_X],
            [GOLD | {"first_response": "20m", "warn": None, "resolution": "4h"}, ON_X],
            [
                "Service level “team care, tier gold”: `first_response` is now 20m; it was 30m.",
                "Service level “team care, tier gold”: `resolution` is now 4h; it was not set.",
                "Service level “team care, tier gold”: `warn` is no longer set; it was 80%.",
            ],
        ),
        (
            [GOLD, ON_X],
            [ON_X, GOLD],
            [
                "Service levels: those of `only` are read in this order now, and the first that fits counts: “network "
                "x or mail”, then “team care, tier gold”."
            ],
        ),
        ([GOLD], [GOLD, ON_X], ["Service level “network x or mail” is new: first_response: 1h."]),
        (
            [GOLD],
            [ON_X, GOLD],
            [
                "Service level “network x or mail” is new: first_response: 1h.",
                "Service levels: those of `only` are read in this order now, and the first that fits counts: “network "
                "x or mail”, then “team care, tier gold”.",
            ],
        ),
        (
            [GOLD, GOLD | {"first_response": "1h"}],
            [GOLD],
            ["Service levels: `only` loses {first_response: 1h, warn: 80%, team: [care], tier: [gold]}."],
        ),
    ],
)
def test_what_only_some_are_promised_is_said_by_whom_it_is_for(
    before: list[dict[str, Any]], after: list[dict[str, Any]], sentences: list[str]
) -> None:
    def only(levels: list[dict[str, Any]]) -> dict[str, Any]:
        said = [{key: each for key, each in level.items() if each is not None} for level in levels]
        return changed(service_levels__only=said)

    assert sorted(said(only(after), only(before))) == sorted(sentences)


def test_what_the_settings_change_is_said_too() -> None:
    quiet, loud = load(OLD), load(OLD, modes={"X": Mode.AUTO})
    (only,) = policies.differences(quiet, loud)
    assert (only.part, only.name, only.kind) == ("modes", "x", "changed")
    kept = policies.differences(load(OLD, mode=Mode.MANUAL), load(changed(mode="auto"), mode=Mode.MANUAL))
    assert [each.sentence for each in kept] == [
        "`mode` is now auto; it was manual; how replies go out does not change by that."
    ]


def test_comments_and_order_of_keys_change_nothing() -> None:
    text = json.dumps(OLD)
    assert policies.differences(policies.load_text(text), policies.load_text(f"# a comment\n{text}")) == ()
    assert said({key: OLD[key] for key in sorted(OLD)}) == []


@pytest.mark.slow
@settings(max_examples=50)
@given(texts(), texts())
def test_nothing_is_said_of_equals_and_something_of_all_others(first: str, second: str) -> None:
    old, new = policies.load_text(first), policies.load_text(second)
    assert policies.differences(old, old) == ()
    assert (policies.differences(old, new) == ()) == (tree(old.file) == tree(new.file))


@pytest.mark.slow
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(files(), files())
def test_whatever_a_policy_holds_is_compared(first: dict[str, Any], second: dict[str, Any]) -> None:
    old, new = load(first), load(second)
    assert policies.differences(old, old) == ()
    assert (policies.differences(old, new) == ()) == (tree(old.file) == tree(new.file))


@pytest.mark.slow
@settings(max_examples=50)
@given(texts(), st.randoms(use_true_random=False))
def test_rules_that_only_change_places_are_only_moved(text: str, dice: random.Random) -> None:
    data = json.loads(text)
    rules = data["rules"] = [rule | {"continue": True} for rule in data["rules"] if "ignore" not in rule["then"]]
    shuffled = json.loads(json.dumps(data))
    dice.shuffle(shuffled["rules"])
    found: tuple[Difference, ...] = policies.differences(load(data), load(shuffled))
    assert {each.kind.value for each in found} <= {"moved"}
    assert bool(found) == (shuffled["rules"] != rules)
    assert len(found) < max(1, len(rules))


def test_a_key_in_something_with_a_name_changes_that_and_adds_nothing() -> None:
    """Who counts the differences counts things: a team with a mode is no new team."""
    more = changed(
        teams__care={"what": "everything", "mode": "manual"}, networks__mail={"cases": "every", "mode": "auto"}
    )
    for old, new in ((OLD, more), (more, OLD)):
        found = policies.differences(load(old), load(new))
        (team,) = [each for each in found if each.part == "teams"]
        assert (team.kind, team.name) == ("changed", "care")
        assert policies.in_brief(found) == "1 team changed"
    fewer = {"press": OLD["teams"]["press"]}
    (gone,) = [
        each
        for each in policies.differences(
            load(OLD), load(changed(teams=fewer, default_team="press", rules=OLD["rules"][:2]))
        )
        if each.part == "teams"
    ]
    assert (gone.kind, gone.name) == ("removed", "care")
    found = policies.differences(
        load(OLD), load(changed(networks={"mail": {"cases": "every"}, "x": {"cases": "every"}}))
    )
    assert [(each.kind, each.part, each.name) for each in found] == [("added", "networks", "x")]
    assert policies.in_brief(found) == "1 network new"
