"""A stored decision as a test: what the policy may have looked at, without the person, and what came of it.

Tests are added at the end of a file, as text; nothing that stands there is written again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from listener.errors import Mistake, PolicyProblem
from listener.types import Decision
from policies import document as documents
from policies.anonymous import anonymous, still_personal
from policies.fields import NONE
from policies.guard import Guarded
from policies.problems import schema_problems
from policies.proofs import BLOCKS
from policies.rehearse import FactsOf, decide, try_one
from policies.sample import LONGEST, Sample
from policies.schema import When

# What says nothing about who it was. Anything else about a person is kept only where a rule asks for it.
_KEPT = re.compile(
    r"author\.(?:bot|opted_out|left_alone|is_us|mentions_last_7_days)|thread\.\w+|sends\.\w+"
    r"|case\.(?:exists|team|urgency)|customer\.known"
)
_IN_WORDS = ("source", "customer.tier", "customer.tags")  # kept as far as a rule names the very words
_NAMES = ("author.handle", "author.display_name", "customer.name", "customer.reference")
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
    hide, known = tuple(hide), [*names, *(str(facts.get(key) or "") for key in _NAMES)]
    mention = dict(_kept(policy, facts))
    for key in ("text", "content_warning"):
        mention[key] = anonymous(str(facts.get(key) or ""), names=known, hide=hide)
    if len(mention["text"]) > LONGEST:
        raise Mistake(f"It is longer than {LONGEST:,} characters; a test is a mention that people can read.")
    if not mention["content_warning"]:
        del mention["content_warning"]
    title = _free(name, set(taken))
    data: dict[str, Any] = {"name": title, "mention": mention, "expect": dict(expect)}
    kinds = still_personal(f"{mention.get('content_warning', '')}\n{mention['text']}", names=known)
    kinds += still_personal(title, names=known)
    if kinds:
        raise Mistake(
            f"It still holds {' and '.join(dict.fromkeys(kinds))} and was not recorded; name what must go with --hide."
        )
    try:
        sample = Sample.model_validate(data)
    except ValidationError as error:
        document = documents.Document(name="the test", data={}, lines={})
        raise Mistake("\n".join(schema_problems(error, document))) from error
    unlike = tuple(sentence for _, sentence in try_one(policy, sample, facts=facts_of))
    if not unlike:  # nobody wrote down how the reply would go out and to whom the case; the policy still knows
        data["expect"] |= _further(decide(policy, sample, facts=facts_of))
    return Recorded(name=title, text="".join(_written(data)), unlike=unlike)


def _further(decision: Decision) -> dict[str, str]:
    mode = {"mode": decision.reply.mode.value} if decision.reply else {}
    return mode | {"team": decision.case.team if decision.case else NONE}


def _kept(policy: Guarded, facts: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What a rule or a guard looks at and tells nothing about the person."""
    asked = _asked(policy)
    for key, value in facts.items():
        if not value and not (key == "thread.is_reply_to_us" and facts.get("kind") == "reply"):
            continue
        if key == "teams.live_cases":
            limited = {name: value[name] for name, team in policy.file.teams.items() if team.capacity and name in value}
            if limited:
                yield key, limited
            continue
        words = asked.get(key)
        if key in _IN_WORDS:
            kept = [each for each in ([value] if isinstance(value, str) else value) if each.casefold() in (words or ())]
            if kept:
                yield key, kept[0] if isinstance(value, str) else kept
        elif "." not in key or _KEPT.fullmatch(key) or (words is not None and isinstance(value, bool | int | float)):
            yield key, value


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

    for rule in policy.file.rules:
        look(rule.when)
    for part in policy.file.score.contributions:
        look(part.when)
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
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_scalar, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_scalar(key)}: {_scalar(each)}' for key, each in value.items())}}}"
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
