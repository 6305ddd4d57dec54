"""What is wrong with a policy file, as sentences with a line each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Union, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from listener.types import CaseMode
from policies import levels, routing, score
from policies.calendars import MOST_REGIONS, many_regions
from policies.conditions import LABELS
from policies.document import MAX_PROBLEMS, Document, Location
from policies.fields import BRANCH, NONE
from policies.personal import personal_data
from policies.schema import PolicyFile
from policies.schema_incidents import place_problems
from policies.spelling import written
from policies.templates import quotes_case
from policies.words import fold, shown, suggestion

_KINDS = {
    "bool_type": "`true` or `false`, without quotes",
    "bool_parsing": "`true` or `false`, without quotes",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number",
    "string_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a block of `key: value` lines",
    "model_type": "a block of `key: value` lines",
    "model_attributes_type": "a block of `key: value` lines",
}


def schema_problems(error: ValidationError, document: Document) -> list[str]:
    """A validation error as sentences, in the order of the file."""
    # A list whose entries all failed is reported as too short as well; that is no second mistake.
    details = [
        cast(ErrorDetails, {**e, "loc": tuple(part for part in e["loc"] if not str(part).startswith(BRANCH))})
        for e in error.errors(include_url=False)
        if e["type"] != "too_short" or not e["input"]
    ]
    found = [(document.line(tuple(e["loc"])), document.problem(tuple(e["loc"]), _sentence(e))) for e in details[:1000]]
    return [sentence for _, sentence in sorted(found, key=lambda item: item[0])]


def reference_problems(document: Document) -> list[str]:
    """Teams, templates, areas and such that are named but do not exist. Reads raw data: works beside other problems."""
    data = document.data
    known = {kind: _keys(data.get(f"{kind}s")) for kind in ("team", "template", "area", "calendar")}
    known["label or area"] = [*LABELS, *known["area"]]
    found: list[str] = []
    for location, kind, name in _references(data):
        if name not in known[kind]:
            instead = suggestion(name, known[kind]) if known[kind] else f"; add it under `{kind}s:`"
            what = f"there is no {kind} `{shown(name)}`{instead}"
            found.append(document.problem(location, what))
    return found


def meaning_problems(file: PolicyFile, document: Document) -> list[str]:
    """What is well-formed and yet cannot be meant: unreachable rules, replies that cannot keep their word."""
    return [document.problem(location, sentence) for location, sentence in _meaning(file)]


def in_order(problems: Iterable[str]) -> list[str]:
    """The sentences by line, at most 100 of them."""
    unique = list(dict.fromkeys(problems))
    unique.sort(key=lambda sentence: int(found.group(1)) if (found := re.search(r":(\d+): ", sentence)) else 0)
    if len(unique) > MAX_PROBLEMS:
        return [
            *unique[:MAX_PROBLEMS],
            f"{unique[0].split(': ', 1)[0]}: and {len(unique) - MAX_PROBLEMS} more problems",
        ]
    return unique


# --- sentences -------------------------------------------------------------------------------------------------------


def _sentence(error: ErrorDetails) -> str:
    location, kind, given = tuple(error["loc"]), error["type"], error["input"]
    key = shown(next((part for part in reversed(location) if isinstance(part, str)), "the policy"))
    if kind == "policy":
        return str(error["ctx"]["sentence"])
    if kind == "extra_forbidden":
        return f"`{key}` is not known here{suggestion(key, _keys_at(location[:-1]))}"
    if kind == "missing":
        return f"`{key}` is missing; add it"
    if given is None:
        return f"`{key}` has nothing after it; write its value or remove the line"
    return f"`{key}` {_expected(error)}"


def _expected(error: ErrorDetails) -> str:
    """What should stand there instead of what was given, as the end of a sentence."""
    kind, context, given = error["type"], error.get("ctx", {}), written(error["input"])
    if kind in ("enum", "literal_error"):
        return f"cannot be `{given}`{suggestion(str(error['input']), _quoted(str(context['expected'])))}"
    if kind in _KINDS:
        return f"should be {_KINDS[kind]}, not `{given}`"
    if kind in ("greater_than_equal", "less_than_equal"):
        bound = f"at least {context['ge']}" if "ge" in context else f"at most {context['le']}"
        return f"must be {bound}, not {given}; the guard can only be made stricter"
    if kind in ("string_too_long", "string_too_short", "too_long", "too_short"):
        bound = f"at most {context['max_length']}" if "max_length" in context else f"at least {context['min_length']}"
        return f"must have {bound} {'characters' if kind.startswith('string') else 'entries'}; change it"
    return f"cannot be used: {error['msg'][:1].lower()}{shown(error['msg'][1:], 120)}; change it"


def _quoted(expected: str) -> list[str]:
    return re.findall(r"'([^']*)'", expected)


def _keys_at(location: Location) -> list[str]:
    """The keys that may stand at a place of the file."""
    kind: Any = PolicyFile
    for part in location:
        kind = _inside(kind, part)
    models = [model for model in _options(kind) if isinstance(model, type) and issubclass(model, BaseModel)]
    return [field.alias or name for model in models for name, field in model.model_fields.items()]


def _inside(kind: Any, part: str | int) -> Any:
    for option in _options(kind):
        if isinstance(option, type) and issubclass(option, BaseModel):
            for name, field in option.model_fields.items():
                if part in (name, field.alias):
                    return field.annotation
        elif get_origin(option) is dict:
            return get_args(option)[1]
        elif get_origin(option) in (tuple, list):
            return get_args(option)[0]
    return None


def _options(kind: Any) -> Iterator[Any]:
    if get_origin(kind) is Annotated:
        yield from _options(get_args(kind)[0])
    elif get_origin(kind) in (Union, UnionType):
        for option in get_args(kind):
            yield from _options(option)
    else:
        yield kind


# --- references ------------------------------------------------------------------------------------------------------


def _keys(block: object) -> list[str]:
    return [key.strip() for key in block] if isinstance(block, dict) else []


def _references(data: Mapping[str, Any]) -> Iterator[tuple[Location, str, str]]:
    """Every name that refers to something: where it stands, whether it is a team, a template and so on, the name."""
    if isinstance(data.get("default_team"), str):
        yield ("default_team",), "team", data["default_team"]
    guard = data.get("guard")
    risk_teams = guard.get("risk_teams") if isinstance(guard, dict) else None
    for kind, team in risk_teams.items() if isinstance(risk_teams, dict) else ():
        if isinstance(team, str):
            yield ("guard", "risk_teams", kind), "team", team
    yield from levels.references(data)
    rules = data.get("rules")
    for index, rule in enumerate(rules) if isinstance(rules, list) else ():
        if isinstance(rule, dict):
            yield from _named_in(rule.get("when"), ("rules", index, "when"))
        then = rule.get("then") if isinstance(rule, dict) else None
        if not isinstance(then, dict):
            continue
        for key, inner, kind in (("reply", "template", "template"), ("case", "team", "team"), ("escalate", "", "team")):
            value = then.get(key)
            if isinstance(value, dict) and inner:
                value = value.get(inner)
            if isinstance(value, str) and value != NONE:
                yield ("rules", index, "then", key, inner), kind, value
        asked = then.get("ask_for")
        for data_name, value in asked.items() if isinstance(asked, dict) else ():
            if isinstance(value, str):
                yield ("rules", index, "then", "ask_for", data_name), "template", value
    yield from _of_teams_and_score(data)


def _of_teams_and_score(data: Mapping[str, Any]) -> Iterator[tuple[Location, str, str]]:
    """What teams, areas and contributions refer to."""
    for block, key in (("teams", "overflow"), ("areas", "team")):
        entries = data.get(block)
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            if isinstance(entry, dict) and isinstance(entry.get(key), str):
                yield (block, name, key), "team", entry[key]
    scores = data.get("score")
    parts = scores.get("contributions") if isinstance(scores, dict) else None
    for index, part in enumerate(parts) if isinstance(parts, list) else ():
        if isinstance(part, dict):
            yield from _named_in(part.get("when"), ("score", "contributions", index, "when"))


def _named_in(when: object, location: Location) -> Iterator[tuple[Location, str, str]]:
    """The areas, calendars and labels that a `when` and the blocks inside it speak of."""
    if not isinstance(when, dict):
        return
    lists = {"areas": "area", "time.within": "calendar", "time.outside": "calendar", "time.holiday": "calendar"}
    for key, kind in lists.items():
        for number, name in enumerate(_several(when.get(key))):
            if isinstance(name, str):
                yield (*location, key, number), kind, name.strip()
    on_duty = when.get("teams.on_duty")
    for name in on_duty if isinstance(on_duty, dict) else ():
        yield (*location, "teams.on_duty", name), "team", name.strip()
    scores = when.get("scores")
    for name in scores if isinstance(scores, dict) else ():
        yield (*location, "scores", name), "label or area", name.strip()
    for key in ("all", "any", "none"):
        for number, block in enumerate(_several(when.get(key))):
            yield from _named_in(block, (*location, key, number))


def _several(value: object) -> list[object]:
    """What stands in a list, or alone where one may stand."""
    return value if isinstance(value, list) else [value]


# --- meaning ---------------------------------------------------------------------------------------------------------


def _meaning(file: PolicyFile) -> Iterator[tuple[Location, str]]:
    yield from _rule_problems(file)
    yield from _area_problems(file)
    yield from levels.problems(file)
    yield from routing.problems(file)
    yield from score.problems(file)
    yield from _calendar_problems(file)
    yield from place_problems(file.places)
    for name, template in file.templates.items():
        for place, by_language in template.wordings().items():
            where: Location = ("templates", name, "networks", place) if place else ("templates", name)
            for language, wordings in by_language.items():
                for index, wording in enumerate(wordings):
                    kinds = personal_data(wording, file.brand.contacts)
                    if kinds:
                        yield (
                            (*where, language, index),
                            f"this reply holds {' and '.join(kinds)}; if it is the company's own, list it under "
                            "`brand: contacts:`, otherwise take it out",
                        )
        if file.language not in template.wordings()[""]:
            yield (
                ("templates", name),
                f"template `{name}` has no `{file.language}`, the policy's language; add a wording in it",
            )


def _calendar_problems(file: PolicyFile) -> Iterator[tuple[Location, str]]:
    if name := many_regions(file.calendars):
        yield (
            ("calendars", name, "holidays"),
            f"with this calendar the policy names the holidays of more than {MOST_REGIONS} countries and regions, and "
            "each is looked up at each decision; remove those where nobody works",
        )


def _rule_problems(file: PolicyFile) -> Iterator[tuple[Location, str]]:
    names: set[str] = set()
    for index, rule in enumerate(file.rules):
        if rule.name in names:
            yield ("rules", index, "name"), f"there are two rules `{rule.name}`; rename one, so that traces can be read"
        names.add(rule.name)
        reply = rule.then.reply
        replies = [("reply", reply.template)] if reply and not reply.is_silence else []
        replies += [("ask_for", name) for name in (rule.then.ask_for or {}).values()]
        for key, name in replies:
            if _may_lack_a_case(file, index) and _quotes_a_case(file, name):
                yield (
                    ("rules", index, "then", key),
                    f"rule `{rule.name}` may open no case, but its reply quotes `case.reference`; say `case:` in the "
                    "rule, or put the reference inside `{% if case.reference %}…{% endif %}`",
                )


def _quotes_a_case(file: PolicyFile, name: str) -> bool:
    """Whether every wording of that template in some language quotes a case."""
    template = file.templates.get(name)
    lists = (
        [texts for by_language in template.wordings().values() for texts in by_language.values()] if template else []
    )
    return any(all(map(quotes_case, wordings)) for wordings in lists)


def _area_problems(file: PolicyFile) -> Iterator[tuple[Location, str]]:
    names: dict[str, str] = {}
    seen: dict[str, str] = {}
    for name, area in file.areas.items():
        other = names.setdefault(name.casefold(), name)
        if other != name:
            yield ("areas", name), f"the areas `{other}` and `{name}` differ in capitals only; rename one, or join them"
        for index, example in enumerate(area.examples):
            where: Location = ("areas", name, "examples", index)
            key = fold(example)
            if seen.get(key, name) != name:
                yield (
                    where,
                    f"`{shown(example)}` is an example of `{seen[key]}` as well; leave it where it belongs, so that "
                    "the two can be told apart",
                )
            elif key in seen:
                yield where, f"`{shown(example)}` stands here twice; leave one"
            seen.setdefault(key, name)
            kinds = personal_data(example, file.brand.contacts)
            if kinds:
                yield where, f"this example holds {' and '.join(kinds)}; take that out, nothing is learned from it"


def _may_lack_a_case(file: PolicyFile, index: int) -> bool:
    then = file.rules[index].then
    if then.case is not None:
        return then.case.is_none
    routed = file.cases is CaseMode.ROUTED or any(n.cases is CaseMode.ROUTED for n in file.networks.values())
    return routed and then.escalate is None
