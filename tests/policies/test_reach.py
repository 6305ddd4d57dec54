"""What a policy says in vain is found, and only that: no situation proves a finding wrong."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import policies
from listener.types import (
    Answerable,
    CustomerView,
    Decision,
    Facts,
    IncidentState,
    IncidentView,
    Intent,
    LinkCode,
    PostKind,
    Sentiment,
    Signal,
    Situation,
    Speaker,
    TeamsView,
    Visibility,
)
from policies.calendars import Hours
from policies.conditions import Seen, compile_when
from policies.proofs import Effort, Line, contradicts, finds, formula, impossible, lines_of
from policies.reach import _read, findings
from policies.schema import PolicyFile, When
from policies.words import fold, found, phrase_pattern
from tests.policies.situations import FACTS, NOW, situation, understanding

BASE: dict[str, Any] = {
    "name": "small",
    "language": "es",
    "teams": {"care": {}, "boss": {}},
    "default_team": "care",
    "calendars": {
        "office": {"hours": {"mon-fri": ["09:00-18:00"]}, "holidays": "AR"},
        "night": {"hours": {"daily": "22:00-08:00"}},
    },
    "areas": {"roaming": {"examples": [f"sin datos en el viaje {place}" for place in "abcde"]}},
    "templates": {
        "hello": {"es": "Hola"},
        "long": {"es": "h" * 300},
        "feed": {"es": "x", "networks": {"blog": {"es": "y"}}},
    },
}
HOURS = Hours.of(PolicyFile.model_validate(BASE | {"rules": []}).calendars, time_zone="UTC")


def file(*rules: dict[str, Any]) -> PolicyFile:
    named = [{"name": f"r{number}", "then": {"tags": "x"}, **rule} for number, rule in enumerate(rules)]
    return policies.load_text(json.dumps(BASE | {"rules": named}, ensure_ascii=False), "p.yaml").file


def said(*rules: dict[str, Any], facts: Any = None) -> list[str]:
    return [f"{'.'.join(map(str, place))}: {sentence}" for place, sentence in findings(file(*rules), facts)]


GO = {"continue": True}
IMPOSSIBLE: dict[str, tuple[dict[str, Any], str]] = {
    "intents-and-none-of-them": ({"intents": "praise", "none": {"intents": ["praise", "question"]}}, "intents"),
    "main-among-none": ({"main_intent": "praise", "none": {"intents": "praise"}}, "main_intent"),
    "sentiment-twice": ({"sentiment": "negative", "all": {"sentiment": ["positive", "neutral"]}}, "sentiment"),
    "range-empty": ({"author.followers": "> 10", "all": {"author.followers": "< 5"}}, "author.followers"),
    "whole-numbers": ({"thread.our_replies": "> 1", "all": {"thread.our_replies": "< 2"}}, "thread.our_replies"),
    "not-below-nothing": ({"thread.our_replies": "< 0"}, "thread.our_replies"),
    "surer-than-sure": ({"confidence": ">= 80"}, "confidence"),
    "age": ({"age": "> 2d", "none": {"age": "> 1h"}}, "age"),
    "stranger-with-a-tier": ({"customer.known": False, "customer.tier": "gold"}, "customer.known"),
    "stranger-with-cases": ({"none": {"customer.known": True}, "customer.open_cases": ">= 1"}, "customer.open_cases"),
    "every-kind-refused": ({"none": [{"kind": ["mention", "reply"]}, {"kind": ["direct", "found"]}]}, "none"),
    "any-of-nothing-left": ({"language": "es", "any": [{"language": "en"}, {"language": "de"}]}, "language"),
    "words": ({"text.contains_all": ["mi factura", "hola"], "none": {"text.contains": "factur*"}}, "text.contains_all"),
    "yes-and-no": ({"author.bot": True, "all": {"author.bot": False}}, "author.bot"),
    "open-and-closed": ({"time.within": "office", "time.outside": ["night", "office"]}, "time.within"),
    "two-days": ({"all": [{"time.weekday": "sat"}, {"time.weekday": "mon-fri"}]}, "all"),
    "every-day-refused": ({"none": [{"time.weekday": "mon-fri"}, {"time.weekday": "sat, sun"}]}, "none"),
    "no-such-holiday": ({"time.holiday": "office", "none": {"time.holiday": ["office", "night"]}}, "time.holiday"),
    "verified-and-not": ({"all": [{"author.verified": True}, {"author.verified": False}]}, "all"),
    "verified-and-not-so": ({"author.verified": True, "none": {"author.verified": True}}, "author.verified"),
    "new-and-not": ({"author.new": True, "all": {"author.new": False}}, "author.new"),
    "new-and-old": ({"author.new": True, "author.account_age_days": ">= 30"}, "author.account_age_days"),
    "two-languages": ({"customer.language": "es", "all": {"customer.language": "en"}}, "customer.language"),
    "stranger-with-a-language": ({"customer.known": False, "customer.language": "es"}, "customer.known"),
    "deep": ({"all": {"any": [{"language": "es"}, {"language": "en"}]}, "none": {"language": ["en", "es"]}}, "all"),
}  # fmt: skip


@pytest.mark.parametrize(("when", "key"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_a_when_that_never_holds_is_found(when: dict[str, Any], key: str) -> None:
    (only,) = said({"when": when})
    assert only.startswith(f"rules.0.when.{key}: rule `r0` can never match: ")


POSSIBLE: dict[str, dict[str, Any]] = {
    "several-intents": {"intents": "praise", "none": {"intents": "question"}},
    "main-and-another": {"main_intent": "praise", "intents": "question"},
    "a-number-nobody-knows": {"none": [{"author.followers": "> 10"}, {"author.followers": "<= 10"}]},
    "verified-nobody-knows": {"none": [{"author.verified": True}, {"author.verified": False}]},
    "age-nobody-knows": {"none": [{"author.new": True}, {"author.new": False}]},
    "another-calendar": {"time.within": ["office", "night"], "time.outside": "office"},
    "a-holiday-night": {"time.within": "office", "time.holiday": "office"},
    "two-days-of-three": {"time.weekday": "mon-wed", "all": {"time.weekday": "wed-fri"}},
    "no-sentiment": {"none": {"sentiment": ["negative", "neutral", "positive"]}},
    "known-without-tier": {"customer.known": True, "none": {"customer.tier": "gold"}},
    "between": {"author.followers": ">= 5", "all": {"author.followers": "<= 5"}},
    "other-words": {"text.contains": ["factura", "hola"], "none": {"text.contains": "factur*"}},
    "a-longer-word": {"text.contains": "factur*", "none": {"text.contains": "factura"}},
    "words-in-another-order": {"text.contains": "la factura", "none": {"text.contains": "factura la"}},
}


@pytest.mark.parametrize("when", POSSIBLE.values(), ids=POSSIBLE)
def test_a_when_that_may_hold_is_left_alone(when: dict[str, Any]) -> None:
    assert said({"when": when}) == []


UNREACHED: dict[str, tuple[list[dict[str, Any]], str]] = {
    "narrower": ([{"intents": ["complaint", "question"]}, {"intents": "complaint", "language": "es"}], "`r0` above"),
    "main-intent": ([{"intents": "complaint"}, {"main_intent": "complaint"}], "`r0` above"),
    "tier-is-known": ([{"customer.known": True}, {"customer.tier": "gold"}], "`r0` above"),
    "numbers": ([{"author.followers": ">= 5"}, {"author.followers": "> 4"}], "`r0` above"),
    "phrases": ([{"text.contains": "factur*"}, {"text.contains": ["mi factura", "facturas*"]}], "`r0` above"),
    "one-of-several": ([{"any": [{"language": "es"}, {"language": "en"}]}, {"language": "en"}], "`r0` above"),
    "two-together": ([{"case.exists": True}, {"case.exists": False}, {"language": "en"}], "`r0` and `r1` above"),
    "anything": ([{}, {"language": "es"}], "`r0` above"),
    "open-or-closed": ([{"time.within": "office"}, {"time.outside": "office"}, {"case.exists": True}], "`r0` and `r1`"),
    "a-day-of-several": ([{"time.weekday": "mon-fri"}, {"time.weekday": "tue"}], "`r0` above"),
    "not-none": ([{"none": {"author.bot": True}}, {"author.bot": False, "kind": "reply"}], "`r0` above"),
}


@pytest.mark.parametrize(("whens", "part"), UNREACHED.values(), ids=UNREACHED)
def test_a_rule_that_is_never_reached_is_found(whens: list[dict[str, Any]], part: str) -> None:
    found = said(*({"when": when} for when in whens))
    assert [part in each and "is never reached" in each for each in found] == [True], found
    assert found[0].startswith(f"rules.{len(whens) - 1}.when: ")


def test_a_rule_above_that_goes_on_hides_nothing() -> None:
    assert said({"when": {"language": "es"}, **GO}, {"when": {"language": "es"}, "then": {"tags": "y"}}) == []


def test_a_rule_in_the_shadow_hides_nothing_and_is_not_idle_for_it() -> None:
    spanish = {"when": {"language": "es"}, "then": {"tags": "x"}}
    for shadow, how_many in ((True, 0), (False, 1)):
        both = said({**spanish, "shadow": shadow}, {"when": {"language": "es"}, "then": {"tags": "y"}})
        assert len(both) == how_many
    assert said({**spanish, **GO}, {**spanish, **GO, "shadow": True}, {"then": {"tags": "z"}}) == []
    assert said({**spanish, **GO, "shadow": True}, {**spanish, **GO}, {"then": {"tags": "z"}}) == []
    assert len(said({**spanish, **GO}, {**spanish, **GO}, {"then": {"tags": "z"}})) == 1


def test_an_answer_that_is_not_sure_leaves_room_for_another() -> None:
    asks = {"then": {"tags": "x", "ask_for": {"customer.tier": "long"}}, **GO}
    answers = {"then": {"tags": "x", "reply": "hello"}, **GO}
    last = {"then": {"tags": "z"}}
    assert said(asks, answers, last) == []
    (only,) = said(answers, asks, last)
    assert only.startswith("rules.1.then: rule `r1` changes nothing")
    person = {"then": {"tags": "x", "person": True}, **GO}
    assert said(answers, person, last) == []
    assert len(said(person, person, last)) == 1


def test_a_rule_that_adds_nothing_is_found() -> None:
    first = {"when": {"customer.known": True}, "then": {"tags": ["a", "b"], "urgency": "high", "case": "boss"}, **GO}
    then = {"tags": "b", "urgency": "normal", "case": {"team": "care", "urgency": "high"}}
    (only,) = said(first, {"when": {"customer.tier": "gold"}, "then": then, **GO})
    assert only.startswith("rules.1.then: rule `r1` changes nothing")
    for more in (
        {"urgency": "+1"},
        {"urgency": "critical"},
        {"tags": "c"},
        {"reply": "hello"},
        {"escalate": "boss"},
        {"alert": "ops"},
    ):
        assert said(first, {"when": {"customer.tier": "gold"}, "then": then | more, **GO}) == []
    ends = {"when": {"customer.tier": "gold"}, "then": then}
    assert said(first, ends, {"then": {"tags": "z"}}) == [], "it ends the reading"
    assert len(said(first, ends)) == 1


def test_parts_that_never_hold_are_found_in_a_rule_that_may() -> None:
    found = said(
        {"when": {"language": "es", "any": [{"language": "en"}, {"kind": "reply"}], "none": {"language": "de"}}}
    )
    assert [each.split(": ")[0] for each in found] == ["rules.0.when.any.0", "rules.0.when.none.0"]
    assert "alternative" in found[0]
    assert "excludes nothing" in found[1]


BLOG = replace(FACTS, network="blog", answerable=Answerable.NOBODY)
SHY = replace(FACTS, network="shy", answerable=Answerable.ADDRESSED)


def network(name: str) -> Facts | None:
    return {"mastodon": FACTS, "blog": BLOG, "shy": SHY}.get(name)


@pytest.mark.parametrize(
    ("when", "template", "part"),
    [
        ({"network": "blog"}, "hello", "blog lets us answer nobody"),
        ({"any": [{"network": "blog"}, {"network": "shy", "kind": "found"}]}, "hello", "only those who addressed us"),
        ({"network": "Mastodon"}, "long", "no wording fits into the 280 characters"),
        ({"network": ["blog", "mastodon"]}, "hello", ""),
        ({"network": "shy"}, "hello", ""),
        ({"network": "elsewhere"}, "long", ""),
        ({"kind": "found"}, "hello", ""),
    ],
)
def test_a_reply_that_its_network_does_not_take_is_found(when: dict[str, Any], template: str, part: str) -> None:
    found = [each for each in said({"when": when, "then": {"reply": template}}, facts=network) if "rules.0" in each]
    assert [part in each and each.startswith("rules.0.then.reply: ") for each in found] == ([True] if part else [])


def test_wordings_for_a_network_that_takes_no_answer_are_found() -> None:
    assert any(each.startswith("templates.feed.networks.blog: ") for each in said({}, facts=network))


@pytest.mark.parametrize("path", [policies.default_path(), *policies.examples().values()], ids=lambda path: path.stem)
def test_the_policies_that_come_with_it_say_nothing_in_vain(path: Any) -> None:
    assert list(findings(policies.load(path).file, network)) == []


def test_a_policy_with_many_rules_is_thought_through_in_bounded_steps() -> None:
    when = {"any": [{"text.contains": [f"w{n}*" for n in range(10)], "sentiment": "negative"}] * 3}
    made = [{"name": f"r{n}", "when": when | {"source": f"s{n % 20}"}, "then": {"tags": "x"}} for n in range(60)]
    assert len(list(findings(PolicyFile.model_validate(BASE | {"rules": made})))) == 40


@pytest.mark.slow
def test_hundreds_of_phrases_in_many_rules_are_thought_through_in_seconds() -> None:
    made = [
        {"name": f"r{n}", "when": {"text.contains": [f"no {n}x{k} va" for k in range(500)]}, "then": {"tags": "x"}}
        for n in range(30)
    ]
    made.append({"name": "late", "when": {"text.contains": "no 7x33 va nada"}, "then": {"tags": "x"}})
    start = time.process_time()
    assert [sentence for _, sentence in findings(PolicyFile.model_validate(BASE | {"rules": made}))] == [
        "rule `late` is never reached: `r7` above it matches whatever it would; move it up, or give that rule more "
        "conditions or `continue: true`"
    ]
    assert time.process_time() - start < 20  # it took more than a minute


def test_every_glance_at_another_rule_is_counted() -> None:
    rules = [{"name": f"r{n}", "when": {"source": "s"}, "then": {"tags": "x"}} for n in range(2)]
    one, other = (_read(n, rule, Effort(100)) for n, rule in enumerate(file(*rules).rules))
    effort = Effort(2)
    assert [one.may_follow_from(other, effort) for _ in range(3)] == [True, True, False]


def test_phrases_that_all_begin_alike_take_no_longer() -> None:
    seekers = [" ".join(f"{'a' * ((n >> 4 * at) % 16)}*" for at in range(3)) + " b" for n in range(1, 4096)]
    line = lines_of(When.model_validate({"text.contains": seekers[:500]}))["text.contains"]
    assert isinstance(line, Line)
    assert not contradicts([replace(line, value=frozenset({((("a" * 100), False),) * 60})), replace(line, holds=False)])


def test_without_effort_nothing_is_claimed() -> None:
    never = formula(When.model_validate({"all": [{"sentiment": "negative"}, {"sentiment": "positive"}]}))
    assert impossible([never], Effort(100))
    assert not impossible([never], Effort(0))


# --- nothing that is claimed is ever wrong ---------------------------------------------------------------------------

PHRASES = ["factur*", "factura", "mi factura", "don't", "don t*", "🙄", "mi*", "MÍ", "hola mi factura"]
VALUES: dict[str, list[Any]] = {
    "intents": ["complaint", ["complaint", "praise"], "praise", [intent.value for intent in Intent]],
    "main_intent": ["complaint", ["praise", "complaint"], [intent.value for intent in Intent]],
    "sentiment": ["negative", ["negative", "neutral"], "positive"],
    "signals": ["safety", ["safety", "press"]],
    "areas": ["roaming", ["Roaming", "bills"]],
    "confidence": [">= 0.7", "< 0.7", "0.9", "<= 1", "> 1", ">= 0"],
    "language": ["es", ["es", "en"], "de"],
    "network": ["mastodon", ["x", "Mastodon"]],
    "source": ["a", ["A", "b"]],
    "kind": ["mention", ["reply", "mention"], ["direct", "found"], "found"],
    "visibility": ["public", ["unlisted", "followers", "direct"]],
    "age": ["> 1h", "<= 1h", "< 2h"],
    "has_media": [True, False],
    "text.contains": [*PHRASES, PHRASES[:2]],
    "text.contains_all": [*PHRASES, PHRASES[1:4]],
    "author.handle": ["ana", ["Ana", "luis"]],
    "author.followers": [">= 10", "< 10", "> 9", "10", "<= 5"],
    "author.bot": [True, False],
    "author.account_age_days": ["< 3", ">= 3"],
    "author.mentions_last_7_days": [">= 3", "< 3", "2"],
    "customer.known": [True, False],
    "customer.tier": ["gold", ["gold", "silver"]],
    "customer.tags": ["press", ["press", "vip"]],
    "customer.open_cases": [">= 1", "0", "< 1"],
    "customer.consent": ["marketing", ["marketing", "mail:care"]],
    "customer.refused": ["marketing", ["marketing", "mail:care"]],
    "customer.arrears": ["> 0", "0", ">= 10.5", "< 10.5"],
    "customer.arrears_days": [">= 30", "< 30", "0"],
    "customer.tenure_days": [">= 730", "< 730", "0"],
    "customer.contracts": [">= 1", "0", "< 1"],
    "customer.products": ["fibre", ["fibre", "tv"]],
    "thread.is_reply_to_us": [True, False],
    "thread.our_replies": [">= 1", "< 1", "1", "> 0"],
    "case.exists": [True, False],
    "scores": [{"complaint": ">= 0.6"}, {"complaint": "< 0.6", "roaming": "> 0.1"}, {"complaint": "< 0.6"}],
    "author.verified": [True, False],
    "author.new": [True, False],
    "author.unsolved_complaints": [">= 1", "< 1", "> 0", "2"],
    "author.bot_likeness": [">= 0.7", "< 0.7", ">= 0", "> 1", "0.4"],
    "author.complaints_last_30_days": [">= 3", "< 3", "> 2", "0"],
    "terms": ["iberia", ["#Iberia", "iberia"]],
    "customer.language": ["es", ["es", "en"]],
    "customer.fields": [{"plan": "gold"}, {"Plan": "Gold"}, {"plan": ["gold", "x"], "arrears": "> 3"}],
    "code": ["linked", ["wrong", "expired", "used"], ["none", "taken"]],
    "thread.last_speaker": ["us", ["us", "colleague"], ["author", "other", "nobody", "colleague"]],
    "thread.answered_by_colleague": [True, False],
    "incident.active": [True, False],
    "incident.here": [True, False],
    "incident.state": ["fixing", ["fixing", "resolved"], ["investigating", "identified", "fixing"], "closed"],
    "incident.number": ["I3", ["i3", "I4"]],
    "incident.title": ["corte*", ["Corte", "caída"]],
    "teams.on_duty": [{"care": ">= 1"}, {"care": "< 1", "boss": "> 2"}],
    "time.within": ["office", ["office", "night"]],
    "time.outside": ["office", ["office", "night"]],
    "time.holiday": ["office"],
    "time.weekday": ["mon-fri", ["sat", "sun"], "daily", "wed"],
}  # fmt: skip


def test_every_condition_is_tried() -> None:
    assert set(VALUES) == {field.alias or key for key, field in When.model_fields.items()} - {"all", "any", "none"}


def _blocks(keys: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    flat = st.lists(st.sampled_from(keys), min_size=1, max_size=2, unique=True).flatmap(
        lambda chosen: st.fixed_dictionaries({key: st.sampled_from(VALUES[key]) for key in chosen})
    )
    deep = st.fixed_dictionaries(
        {},
        optional={
            "any": st.lists(flat, min_size=1, max_size=3),
            "all": flat,
            "none": flat | st.lists(flat, min_size=1, max_size=3),
        },
    )
    return st.builds(lambda one, other: {**one, **other}, flat, deep)


FAMILIES = [  # conditions that know something about each other, so that much is implied and excluded
    ["intents", "main_intent", "confidence"],
    ["customer.known", "customer.tier", "customer.tags", "customer.open_cases"],
    ["customer.known", "customer.consent", "customer.refused", "customer.products", "customer.contracts"],
    ["customer.known", "customer.arrears", "customer.arrears_days", "customer.tenure_days"],
    ["text.contains", "text.contains_all"],
    ["kind", "visibility", "author.bot"],
    ["author.followers", "author.mentions_last_7_days", "thread.our_replies"],
    ["sentiment", "language", "case.exists"],
    ["customer.known", "customer.language", "customer.fields"],
    ["author.verified", "author.new", "author.account_age_days", "author.complaints_last_30_days"],
    ["thread.last_speaker", "thread.answered_by_colleague", "thread.our_replies"],
    ["author.bot", "author.bot_likeness", "author.complaints_last_30_days", "terms"],
    ["time.within", "time.outside", "time.holiday", "time.weekday"],
    ["scores", "intents", "confidence"],
    list(VALUES),
]
thens = st.one_of(
    st.just({"ignore": "no matter"}),
    st.fixed_dictionaries(
        {"tags": st.sampled_from(["a", "b", ["a", "b"]])},
        optional={
            "reply": st.sampled_from(["hello", "none", {"template": "long", "mode": {"auto": "40%"}}]),
            "case": st.sampled_from(["care", "none", {}, {"team": "boss", "urgency": "high", "tags": "c"}]),
            "urgency": st.sampled_from(["low", "normal", "high", "+1"]),
            "escalate": st.just("boss"),
            "alert": st.sampled_from(["ops", ["press", "ops"]]),
            "person": st.just(True),
            "ask_for": st.just({"customer.tier": "long"}),
        },
    ).filter(lambda then: not ("ask_for" in then and then.get("reply") == "none")),
)


@st.composite
def rules(draw: st.DrawFn) -> list[dict[str, Any]]:
    family = _blocks(draw(st.sampled_from(FAMILIES)))
    made = []
    for number in range(draw(st.integers(2, 6))):
        then = draw(thens)
        goes_on = draw(st.booleans()) and "ignore" not in then
        made.append({"name": f"r{number}", "when": draw(family), "then": then, "continue": goes_on})
        if draw(st.integers(0, 3)) == 0:
            made[-1]["shadow"] = draw(st.booleans())
    return made


INCIDENTS = tuple(
    IncidentView(number=number, title=title, state=IncidentState(state), since=NOW)
    for number, title, state in [(3, "Corte en Vic", "fixing"), (4, "Caída", "identified"), (3, "Corte", "resolved")]
)


def anything(dice: random.Random) -> Situation:
    """A situation that many of the conditions above hold for."""
    now = NOW + timedelta(hours=dice.choice([0, 0, dice.randrange(9000)]))
    customer = CustomerView(
        reference="C",
        name="",
        tier=dice.choice(["", "gold", "silver"]),
        tags=tuple(dice.sample(["press", "vip", "x"], dice.randrange(3))),
        open_cases=dice.randrange(3),
        consent=tuple(dice.sample(["marketing", "mail:care", "x"], dice.randrange(3))),
        refused=tuple(dice.sample(["marketing", "mail:care", "x"], dice.randrange(3))),
        arrears=dice.choice([None, 0.0, 10.4, 10.5, 11.0, -3.0]),
        arrears_days=dice.choice([None, 0, 29, 30]),
        tenure_days=dice.choice([None, 0, 729, 730]),
        contracts=dice.randrange(3),
        products=tuple(dice.sample(["fibre", "tv", "x"], dice.randrange(3))),
        language=dice.choice(["", "es", "en"]),
        fields=dice.choice([{}, {"plan": "gold"}, {"PLAN": "x", "arrears": "7"}, {"plan": "", "arrears": "2,5"}]),
    )
    read = understanding(
        *dice.sample(["complaint", "praise", "question"], dice.randrange(4)),
        sentiment=dice.choice([None, *Sentiment]),
        language=dice.choice(["es", "en", "und", "es-AR"]),
        score=dice.choice([0.0, 0.7, 0.75, 0.9, 1.0]),
    )
    read = replace(
        read,
        signals=tuple(dice.sample([Signal.SAFETY, Signal.PRESS, Signal.IRONY], dice.randrange(3))),
        areas=tuple(dice.sample(["roaming", "bills", "x"], dice.randrange(3))),
    )
    said_words = dice.choices(["mi", "factura", "facturas", "hola", "Don't", "don", "🙄"], k=dice.randrange(5))
    return situation(
        " ".join(said_words),
        understanding=read,
        network=dice.choice(["mastodon", "x", "mail"]),
        source=dice.choice(["a", "b", "c"]),
        kind=dice.choice(list(PostKind)),
        visibility=dice.choice(list(Visibility)),
        now=now,
        posted_at=now - timedelta(minutes=dice.choice([-1, 10, 60, 90, 300])),
        has_media=dice.random() < 0.5,
        customer=dice.choice([None, customer]),
        author__handle=dice.choice(["ana", "@Luis", ""]),
        author__followers=dice.choice([None, 4, 5, 9, 10, 11]),
        author__bot=dice.random() < 0.5,
        author__account_age_days=dice.choice([None, 2, 3, 4, 60]),
        author__mentions_last_7_days=dice.randrange(1, 5),
        thread__is_reply_to_us=dice.random() < 0.5,
        thread__our_replies=dice.randrange(3),
        thread__last_speaker=dice.choice(list(Speaker)),
        code=dice.choice(list(LinkCode)),
        thread__answered_by_colleague=dice.random() < 0.5,
        author__verified=dice.choice([None, True, False]),
        author__unsolved_complaints=dice.randrange(3),
        author__complaints_last_30_days=dice.randrange(5),
        author__same_text_last_day=dice.randrange(1, 5),
        author__quick_replies_last_day=dice.randrange(3),
        terms=tuple(dice.sample(["iberia", "#iberia", '"iberia express"'], dice.randrange(3))),
        case__exists=dice.random() < 0.5,
        incident=dice.choice([None, *INCIDENTS]),
        incidents=dice.choice([(), INCIDENTS[:1], INCIDENTS[:2]]),
        teams=TeamsView(on_duty=dice.choice([None, {}, {"care": 2}])),
    )


def many(number: int, seed: int) -> list[Situation]:
    dice = random.Random(seed)
    return [anything(dice) for _ in range(number)]


SEEN = many(300, seed=1)  # for every example; each adds some of its own
seeds = st.integers(0, 2**32)


@pytest.mark.slow
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(rules(), seeds)
def test_no_situation_proves_a_finding_wrong(made: list[dict[str, Any]], seed: int) -> None:
    policy = PolicyFile.model_validate(BASE | {"rules": made})
    claims = list(findings(policy))
    if not claims:
        return
    seen = [*SEEN, *many(100, seed)]
    whens = [compile_when(rule.when, HOURS) for rule in policy.rules]
    held = [[when.failure(one) is None for when in whens] for one in map(Seen.of, seen)]
    for place, sentence in claims:
        index = int(place[1])
        if "changes nothing" in sentence:
            whole, without = (
                policies.load_text(json.dumps(BASE | {"rules": some}, ensure_ascii=False), "p.yaml")
                for some in (made, made[:index] + made[index + 1 :])
            )
            matching = [one for one, holds in zip(seen, held, strict=True) if holds[index]]
            for one in matching[:60]:
                assert what(whole.decide(one)) == what(without.decide(one))
        elif "never reached" in sentence:
            above = [n for n in range(index) if not (policy.rules[n].goes_on or policy.rules[n].shadow)]
            assert all(any(holds[number] for number in above) for holds in held if holds[index])
        elif "never match" in sentence:
            assert not any(holds[index] for holds in held)
        else:
            _assert_part_is_idle(made[index]["when"], str(place[3]), int(place[4]), seen)


def what(decision: Decision) -> Any:
    """All that a decision does."""
    return replace(decision, policy_version="", rules=())


def _assert_part_is_idle(written: dict[str, Any], key: str, number: int, seen: Iterable[Situation]) -> None:
    block = compile_when(getattr(When.model_validate(written), key)[number], HOURS)
    others = {name: value for name, value in written.items() if key == "any" or name != "none"}
    rest = compile_when(When.model_validate(others), HOURS)
    for one in map(Seen.of, seen):
        assert rest.failure(one) is not None or block.failure(one) is not None


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.sampled_from(FAMILIES).flatmap(_blocks), seeds)
def test_no_situation_holds_what_is_said_to_be_impossible(block: dict[str, Any], seed: int) -> None:
    when = When.model_validate(block)
    lines = [line for line in lines_of(when).values() if isinstance(line, Line)]
    if impossible([formula(when)], Effort(2000)) or contradicts(lines):
        compiled = compile_when(when, HOURS)
        assert all(compiled.failure(Seen.of(one)) is not None for one in [*SEEN, *many(100, seed)])


words = st.lists(st.sampled_from(["mi", "factura", "fact", "don't", "🙄", "a-b", "É"]), min_size=1, max_size=3).flatmap(
    lambda chosen: st.tuples(*(st.sampled_from([word, word + "*"]) for word in chosen)).map(" ".join)
)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(words, words, st.text(alphabet="mifactursdon'tab é🙄-", max_size=40))
@example("factur*", "mi facturas*", "hola mi facturasss")
def test_a_phrase_within_another_is_found_wherever_that_is(seeker: str, other: str, text: str) -> None:
    inside, outside = (
        next(iter(lines_of(When.model_validate({"text.contains": each})).values())) for each in (seeker, other)
    )
    assert isinstance(inside, Line)
    assert isinstance(outside, Line)
    if finds(next(iter(inside.value)), next(iter(outside.value))):
        for said_text in (text, f"{text} {other.replace('*', '')} {text}", other.replace("*", "s")):
            if found(phrase_pattern([other]), fold(said_text)):
                assert found(phrase_pattern([seeker]), fold(said_text))


def test_networks_that_there_are_not_are_named_with_their_lines() -> None:
    policy = policies.load_text(
        """name: p
default_team: care
teams: {care: {}}
networks:
  Mastodn: {mode: manual}
guard:
  colleagues:
    mastodon: [ana]
    redit: [eva]
service_levels:
  only:
    - {network: [mail, mial], first_response: 1h}
score:
  contributions:
    - {name: far, points: 5, when: {network: twitter}}
templates:
  hello: {en: Hello, networks: {bluesk: {en: Hi}}}
rules:
  - name: a
    when:
      any:
        - network: Mastodon
        - none: [{network: mastodonn}]
    then: {reply: hello}
""",
        "p.yaml",
    )
    known = ["bluesky", "mail", "mastodon", "reddit", "x"]
    assert policies.unknown_networks(policy, known, "q.yaml") == [
        "q.yaml:5: there is no network `mastodn`; did you mean `mastodon`?",
        "q.yaml:9: there is no network `redit`; did you mean `reddit`?",
        "q.yaml:12: there is no network `mial`; did you mean `mail`?",
        "q.yaml:15: there is no network `twitter`; use one of `bluesky`, `mail`, `mastodon`, `reddit`, `x`",
        "q.yaml:17: there is no network `bluesk`; did you mean `bluesky`?",
        "q.yaml:23: there is no network `mastodonn`; did you mean `mastodon`?",
    ]
    assert (
        policies.unknown_networks(policy, [*known, "Mastodn", "redit", "mial", "twitter", "bluesk", "mastodonn"]) == []
    )
