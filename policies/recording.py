"""A stored decision as a test: what the policy may have looked at, without the person, and what came of it.

Tests are added at the end of a file, as text; nothing that stands there is written again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from listener.errors import Mistake, PolicyProblem
from listener.types import Decision, Promise
from policies import document as documents
from policies.anonymous import anonymous, still_personal
from policies.coarse import coarser
from policies.colleagues import is_colleague
from policies.fields import NONE
from policies.guard import Guarded
from policies.problems import schema_problems
from policies.proofs import BLOCKS
from policies.rehearse import FactsOf, decide, read_tests, try_one
from policies.sample import LONGEST, Sample
from policies.schema import When

# What says nothing about who it was; a key that is not named here is left out. Numbers of the author and the customer
# are kept only where a rule compares them.
_KEPT = frozenset(
    [
        "text",
        "content_warning",
        "network",
        "kind",
        "visibility",
        "has_media",
        "unanswerable",
        "paused",
        "stranger",
        "same_text_by_others",
        "code",
        "now",
        "age",
        "language",
        "intents",
        "sentiment",
        "signals",
        "areas",
        "confidence",
        "author.bot",
        "author.opted_out",
        "author.left_alone",
        "author.is_us",
        "author.mentions_last_7_days",
        "author.mentions_last_10_minutes",
        "author.same_text_last_day",
        "author.quick_replies_last_day",
        "thread.our_replies",
        "thread.is_reply_to_us",
        "thread.answered",
        "thread.answered_by_colleague",
        "thread.last_speaker",
        "sends.to_author_last_day",
        "sends.in_thread",
        "sends.last_hour",
        "sends.automatic_to_author_last_day",
        "sends.last_day",
        "case.exists",
        "case.team",
        "case.urgency",
        "customer.known",
        "incident.here",
        "incident.number",
        "incident.title",
        "incident.state",
        "incident.answers",
        "incident.avoid",
        "incident.holds_replies",
    ]
)
_IN_WORDS = (
    "source",
    "terms",
    "customer.tier",
    "customer.tags",
    "customer.language",
    "customer.consent",
    "customer.refused",
    "customer.products",
)  # kept as far as a rule names the very words
_MADE_OF: dict[str, tuple[str, ...]] = {
    "author.new": ("author.account_age_days",),
    "author.bot_likeness": ("author.account_age_days", "author.followers"),
}
_NAMES = ("author.handle", "author.display_name", "customer.name", "customer.reference")
# Digests of the policy's own words, and what we say ourselves.
_OUR_WORDS = ("sends.by_wording_last_day", "incident.answers", "incident.title", "incident.avoid")
_TRUE_IF_LEFT_OUT = ("incident.here", "incident.holds_replies")
_FIRST = ["text", "content_warning", "network", "source", "kind", "visibility", "language", "intents", "sentiment"]


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A test as it will stand in the file; `unlike`: where the policy makes something else of it, in words."""

    name: str
    text: str
    unlike: tuple[str, ...]


def record(
    policy: Guarded,
    facts: Mapping[str, Any],
    expect: Mapping[str, Any],
    *,
    name: str,
    taken: Iterable[str] = (),
    hide: Iterable[str] = (),
    names: Iterable[str] = (),
    facts_of: FactsOf | None = None,
) -> Recorded:
    """What was decided about a mention as a test of the policy.

    `facts`: the keys of a test's `mention`, as they were, with names and all; `expect`: the keys of `expect`; `taken`:
    names of tests that there are. Raises Mistake where personal data would stay, with the kind of it.
    """
    if any(len(str(facts.get(key) or "")) > LONGEST for key in ("text", "content_warning")):
        raise Mistake(f"It is longer than {LONGEST:,} characters; a test is a mention that people can read.")
    hide, known = tuple(hide), [*names, *(str(facts.get(key) or "") for key in _NAMES)]
    mention = dict(_kept(policy, facts))
    for key in ("text", "content_warning"):
        mention[key] = anonymous(str(facts.get(key) or ""), names=known, hide=hide)
    if not mention["content_warning"]:
        del mention["content_warning"]
    title = _free(name, set(taken))
    kinds = still_personal(f"{mention.get('content_warning', '')}\n{mention['text']}", names=known)
    kinds += still_personal(title, names=known)
    kinds += tuple(
        f"{kind} in `{key}`"
        for key, value in [*mention.items(), *expect.items()]
        if key not in ("text", "content_warning", *_OUR_WORDS)
        for kind in still_personal("\n".join(_strings(value)))
    )
    if kinds:
        raise Mistake(
            f"It still holds {' and '.join(dict.fromkeys(kinds))} and was not recorded; name what must go with --hide."
        )

    def sample(mention: Mapping[str, Any]) -> Sample:
        return _sample({"name": title, "mention": dict(mention), "expect": dict(expect)})

    said = _outcome(decide(policy, sample(mention), facts=facts_of))
    mention = coarser(
        mention, policy.file, lambda other: _outcome(decide(policy, sample(other), facts=facts_of)) == said
    )
    data: dict[str, Any] = {"name": title, "mention": mention, "expect": dict(expect)}
    unlike = tuple(sentence for _, sentence in try_one(policy, sample(mention), facts=facts_of))
    if not unlike:  # nobody wrote down how the reply would go out and to whom the case; the policy still knows
        data["expect"] |= _further(decide(policy, sample(mention), facts=facts_of))
    text = "".join(_written(data))
    read_tests(f"tests:\n{text}", "the test")
    return Recorded(name=title, text=text, unlike=unlike)


def _sample(data: Mapping[str, Any]) -> Sample:
    """Raises Mistake where it cannot be one."""
    try:
        return Sample.model_validate(data)
    except ValidationError as error:
        document = documents.Document(name="the test", data={}, lines={})
        raise Mistake("\n".join(schema_problems(error, document))) from error


def _outcome(decision: Decision) -> object:
    """All that the policy says, but for the numbers and moments in its reasons, and the choice among wordings."""
    reply, case = decision.reply, decision.case
    return replace(
        decision,
        reply=reply and replace(reply, text="", length=0, wording="", alone_until=None),
        case=case and replace(case, title="", promise=_timeless(case.promise)),
        modes=tuple(replace(trace, said="", share=None) for trace in decision.modes),
        rules=tuple(replace(trace, wanted="", saw="") for trace in decision.rules),
        guards=tuple(replace(trace, reason="") for trace in decision.guards),
    )


def _timeless(promise: Promise) -> Promise:
    """What is promised, but not by when."""
    return Promise(
        level=promise.level,
        calendar=promise.calendar,
        first_response=promise.first_response,
        resolution=promise.resolution,
    )


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple | Mapping):
        for each in value:
            yield from _strings(each)


def _further(decision: Decision) -> dict[str, str]:
    mode = {"mode": decision.reply.mode.value} if decision.reply else {}
    return mode | {"team": decision.case.team if decision.case else NONE}


def _kept(policy: Guarded, facts: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What a rule or a guard looks at and tells nothing about the person."""
    asked = _asked(policy)
    for key, value in facts.items():
        if key == "teams.live_cases":
            limited = {name: value[name] for name, team in policy.file.teams.items() if team.capacity and name in value}
            if limited:
                yield key, limited
            continue
        if key == "teams.on_duty":
            if value is not None and key in asked:
                yield key, {name: value.get(name, 0) for name in sorted(asked[key])}
            continue
        words = asked.get(key)
        compared = words is not None and isinstance(value, bool | int | float)  # 0 is not what nobody knows
        of_a_reply = key == "thread.is_reply_to_us" and facts.get("kind") == "reply"
        if not value and not compared and not of_a_reply and key not in _TRUE_IF_LEFT_OUT:
            continue
        if key in _IN_WORDS:
            kept = [each for each in ([value] if isinstance(value, str) else value) if each.casefold() in (words or ())]
            if kept:
                yield key, kept[0] if isinstance(value, str) else kept
        elif key in _KEPT or compared:
            yield key, value
    guard, network = policy.file.guard, str(facts.get("network", ""))
    if any(is_colleague(who, network, guard.colleagues) for who in facts.get("thread.repliers") or ()):
        yield "thread.answered_by_colleague", True  # not who of them
    for key, cap in (
        ("sends.by_rule_last_day", guard.per_rule_per_day),
        ("sends.by_wording_last_day", guard.per_wording_per_day),
    ):
        if full := {name: cap for name, sent in (facts.get(key) or {}).items() if cap and sent >= cap}:
            yield key, full


def _asked(policy: Guarded) -> dict[str, frozenset[str]]:
    """Every condition that a rule names, with the words that it names."""
    found: dict[str, set[str]] = {}

    def look(when: When) -> None:
        for name, field in type(when).model_fields.items():
            if name not in when.model_fields_set:
                continue
            value = getattr(when, name)
            if name in BLOCKS:
                for block in value:
                    look(block)
            else:
                words = found.setdefault(field.alias or name, set())
                words |= {str(each).casefold() for each in value} if isinstance(value, tuple) else set()
                words |= {*value} if name == "teams_on_duty" else set()

    for rule in policy.file.rules:
        look(rule.when)
    for part in policy.file.score.contributions:
        look(part.when)
    for whole, parts in _MADE_OF.items():
        if whole in found:
            for piece in parts:
                found.setdefault(piece, set())
    return {key: frozenset(words) for key, words in found.items()}


def _free(name: str, taken: set[str]) -> str:
    name = " ".join("".join(sign if sign.isprintable() else " " for sign in name).split())[:70].strip()
    others = (f"{name} {number}" for number in range(2, len(taken) + 3))
    return next(each for each in (name, *others) if each not in taken)


# --- as text ---------------------------------------------------------------------------------------------------------


def _written(data: Mapping[str, Any]) -> Iterator[str]:
    """The test as an entry of a list in YAML, its dash in the first column."""
    yield f"- name: {_scalar(data['name'])}\n"
    for block in ("mention", "expect"):
        yield f"  {block}:\n"
        values = data[block]
        for key in sorted(values, key=lambda key: _FIRST.index(key) if key in _FIRST else len(_FIRST)):
            yield f"    {key}: {_value(values[key])}\n"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        entries = (f"{json.dumps(str(key), ensure_ascii=False)}: {_value(each)}" for key, each in value.items())
        return f"{{{', '.join(entries)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_scalar, value))}]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    text = str(value)
    if re.fullmatch(r"[a-z][a-z_]*", text) and text not in ("true", "false", "null", "yes", "no", "on", "off"):
        return text
    return json.dumps(text, ensure_ascii=False)


def text_of(path: Path) -> str:
    """The text of the file, "" where there is none yet. Raises PolicyProblem where it cannot be read."""
    return documents.read_file(path) if path.exists() else ""


def names_in(text: str, name: str) -> list[str]:
    """The names of the tests in a file's text. Raises PolicyProblem where it cannot be read."""
    tests = _data(text, name).get("tests") if text.strip() else None
    listed = tests if isinstance(tests, list) else []
    return [str(each["name"]) for each in listed if isinstance(each, dict) and "name" in each]


def added(text: str, entry: str, name: str) -> str:
    """What must be written at the end of the file that holds `text`, so that the test stands in it.

    Raises PolicyProblem where the file cannot be read, where its tests are not its last part, or not a list with
    dashes; `name` stands for the file.
    """
    before = _data(text, name) if text.strip() else {}
    gap = "" if text.endswith("\n") or not text else "\n"
    if "tests" not in before:
        more = f"{gap}{chr(10) if text.strip() else ''}tests:\n{_set_in(entry, 2)}"
    else:
        more = gap + _set_in(entry, _column(text, before, name))
    after = _data(text + more, name)
    tests = after.get("tests")
    if (
        not isinstance(tests, list)
        or tests[:-1] != (before.get("tests") or [])
        or {key: value for key, value in after.items() if key != "tests"}
        != {key: value for key, value in before.items() if key != "tests"}
    ):
        why = "a test cannot be added at the end of this file; put its tests in a file beside it"
        raise PolicyProblem([f"{name}:1: {why}"])
    try:
        Sample.model_validate(tests[-1])
    except ValidationError as error:
        lost = documents.Document(name=name, data={}, lines={})
        raise PolicyProblem(schema_problems(error, lost)) from None
    return more


def _data(text: str, name: str) -> dict[str, Any]:
    return documents.parse(text, name, otherwise="a file of tests is a mapping with a list under `tests:`").data


def _column(text: str, data: Mapping[str, Any], name: str) -> int:
    """How far the dashes of the list under `tests:` are set in; `text` was read well."""
    line = documents.parse(text, name).line(("tests",))
    if list(data)[-1] != "tests":
        raise PolicyProblem([f"{name}:{line}: `tests` is not the last part of this file; move it to the end"])
    tests = data["tests"]
    node = yaml.compose(text.removeprefix("\ufeff"), Loader=yaml.SafeLoader) if tests else None
    if not isinstance(node, yaml.MappingNode):
        raise PolicyProblem([f"{name}:{line}: `tests` has nothing after it; remove that line, it is written anew"])
    found = next(value for key, value in node.value if key.value == "tests")
    if not isinstance(found, yaml.SequenceNode) or found.flow_style:
        raise PolicyProblem([f"{name}:{line}: `tests` is no list with a dash before each test; write it as one"])
    return int(found.start_mark.column)


def _set_in(entry: str, columns: int) -> str:
    return "".join(f"{' ' * columns}{line}" for line in entry.splitlines(keepends=True))
