"""The tests of a policy, run: what was expected, what came, and why the rule that was expected did not match."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import ValidationError

from listener.errors import Mistake, PolicyProblem
from listener.types import CasePlan, Decision, Facts, Level, Mode, Promise, RuleOutcome, Understanding
from policies import document as documents
from policies.alerts import targets
from policies.amounts import spoken
from policies.document import Document
from policies.fields import NONE
from policies.guard import Guarded, guard_names
from policies.personal import personal_data
from policies.problems import in_order, schema_problems
from policies.sample import Expected, Placed, Sample, Samples, situation, understood
from policies.twice import keys_that_stand_twice
from policies.words import shown, suggestion

Read = Callable[[Sequence[str]], Sequence[Understanding]]
FactsOf = Callable[[str], Facts | None]
_INCIDENT = re.compile(r"incident I[0-9]+")  # what an incident's answer is called where a template's name may stand
_NO_TESTS = "a file of tests is a mapping with a list under `tests:`; see docs/policies.md"


def beside(path: Path) -> Path:
    """Where the tests lie that do not stand in the policy file itself: `policy.tests.yaml` beside `policy.yaml`."""
    return path.with_name(f"{path.stem}.tests{path.suffix}")


def samples_of(policy: Guarded, path: Path | None = None) -> list[Placed]:
    """The tests in the policy's own text, then those in the file beside `path`, where the policy was read from.

    Raises PolicyProblem with every problem of that file at once.
    """
    found = []
    if policy.file.tests:
        own = documents.parse(policy.text, str(path or "policy"))
        found += _placed(policy.file.tests, own)
    if path is not None and (other := beside(path)).exists():
        found += read_tests(documents.read_file(other), str(other))
    return found


def read_tests(text: str, name: str) -> list[Placed]:
    """The tests in the text of a file of tests. Raises PolicyProblem, `name:line: sentence` each."""
    document = documents.parse(text, name, otherwise=_NO_TESTS)
    try:
        samples = Samples.model_validate(document.data)
    except ValidationError as error:
        raise PolicyProblem(in_order(schema_problems(error, document))) from None
    if twice := keys_that_stand_twice(document, Samples):
        raise PolicyProblem(in_order(twice))
    return _placed(samples.tests, document)


def _placed(samples: Sequence[Sample], document: Document) -> list[Placed]:
    def at(index: int) -> Callable[[str, str], str]:
        return lambda key, sentence: document.problem(("tests", index, *key.split("/")), sentence)

    return [Placed(sample=sample, problem=at(index)) for index, sample in enumerate(samples)]


def run_tests(
    policy: Guarded, path: Path | None = None, *, read: Read | None = None, facts: FactsOf | None = None
) -> list[str]:
    """Every test of `samples_of` that the policy does not pass, `file:line: sentence` each; empty when all is well.

    `read` is the model, asked once for all texts whose test says nothing of intents, sentiment, signals and areas;
    without it these tests fail. `facts`: what is true of a network; None, or None from it, for one that takes anything.
    Raises PolicyProblem for a file of tests that cannot be read.
    """
    tests = samples_of(policy, path)
    unread = [test for test in tests if test.sample.mention.is_read_by_the_model]
    readings: dict[int, Understanding] = {}
    no_model = "there is no model to read it; give `intents` and `sentiment`"
    if unread and read is not None:
        try:
            found = read([_whole_text(test.sample) for test in unread])
            readings = {id(test): one for test, one in zip(unread, found, strict=True)}
        except Mistake as mistake:
            no_model = f"the model cannot read it ({shown(str(mistake), 200)})"
    failures: list[str] = []
    names: set[str] = set()
    for test in tests:
        sample = test.sample
        called = f"test `{shown(sample.name)}`"
        if sample.name in names:
            failures.append(test.problem("name", f"there are two tests `{shown(sample.name)}`; rename one"))
        names.add(sample.name)
        if kinds := personal_data(_whole_text(sample), policy.file.brand.contacts):
            failures.append(test.problem("mention/text", f"{called} holds {' and '.join(kinds)}; take that out"))
        if unknown := list(_unknown(sample.expect, policy)):
            failures += [test.problem(f"expect/{key}", f"{called}: {sentence}") for key, sentence in unknown]
            continue
        understanding = readings.get(id(test))
        if sample.mention.is_read_by_the_model and understanding is None:
            failures.append(test.problem("mention", f"{called}: {no_model}"))
            continue
        unmet = try_one(policy, sample, understanding, facts)
        if unmet:
            failures.append(test.problem(f"expect/{unmet[0][0]}", f"{called}: {'; '.join(why for _, why in unmet)}"))
    return failures


def try_one(
    policy: Guarded, sample: Sample, understanding: Understanding | None = None, facts: FactsOf | None = None
) -> list[tuple[str, str]]:
    """What the policy makes of it that is not as expected: the key of `expect`, and expected and come in words."""
    return list(_unmet(sample.expect, decide(policy, sample, understanding, facts)))


def decide(
    policy: Guarded, sample: Sample, understanding: Understanding | None = None, facts: FactsOf | None = None
) -> Decision:
    """What the policy decides about the mention of a test."""
    said = sample.mention
    read = understanding or understood(said, policy.file.language)
    return policy.decide(situation(said, read, facts(said.network) if facts else None))


def _whole_text(sample: Sample) -> str:
    warning, text = sample.mention.content_warning, sample.mention.text
    return f"{warning}\n{text}" if warning else text


def _unknown(expect: Expected, policy: Guarded) -> Iterator[tuple[str, str]]:
    """Names in `expect` that the policy does not have."""
    file = policy.file
    known = {
        "rule": [rule.name for rule in file.rules],
        "reply": list(file.templates),
        "team": list(file.teams),
        "escalate": list(file.teams),
        "guard": list(guard_names()),
        "alert": [named.target for named in targets(policy)] if expect.alert else [],
        "kept_by": [level.value for level in Level],
    }
    for key, names in known.items():
        wanted = getattr(expect, key)
        for name in (wanted,) if isinstance(wanted, str) else wanted or ():
            if name != NONE and name not in names and not (key == "reply" and _INCIDENT.fullmatch(name)):
                words = {"escalate": "team", "reply": "template", "alert": "target of an alert", "kept_by": "level"}
                what = words.get(key, key)
                yield key, f"there is no {what} `{shown(name)}`{suggestion(name, names)}"


def _unmet(expect: Expected, decision: Decision) -> Iterator[tuple[str, str]]:
    matched = [trace.rule for trace in decision.rules if trace.outcome is RuleOutcome.MATCHED]
    stops = [trace for trace in decision.guards if trace.holds or trace.forbids]
    stopped = [trace.guard for trace in stops]
    why = "; ".join(f"guard `{trace.guard}`: {trace.reason}" for trace in stops)
    kept = "; ".join(trace.said for trace in decision.modes if trace.mode is Mode.MANUAL)
    case, reply = decision.case, decision.reply
    tags = list(dict.fromkeys([*decision.tags, *(case.tags if case else ())]))
    if sentence := _differ("rule", expect.rule, matched):
        yield "rule", sentence + "".join(_why_not(name, decision, matched) for name in expect.rule or ())
    for key, wanted, came, because in (
        ("reply", expect.reply, reply.template if reply else NONE, "" if reply else why),
        ("mode", expect.mode, reply.mode if reply else "no reply", why or kept),
        ("team", expect.team, case.team if case else NONE, case.because if case else ""),
        ("urgency", expect.urgency, decision.urgency, ""),
        ("escalate", expect.escalate, decision.escalate_to or NONE, ""),
    ):
        if wanted is not None and wanted != came:
            yield key, f"expected {key} `{wanted}`, came `{came}`{f' ({because})' if because else ''}"
    yield from _unkept(expect, case)
    keeping = [trace for trace in decision.modes if trace.mode is Mode.MANUAL]
    if sentence := _differ("kept_by", expect.kept_by, list(dict.fromkeys(trace.level.value for trace in keeping))):
        said = "; ".join(trace.said for trace in keeping)
        yield "kept_by", sentence + (f" ({said})" if said else "")
    if sentence := _differ("tags", expect.tags, tags):
        yield "tags", sentence
    skills = case.skills if case else ()
    wanted_skills = None if expect.skills is None else tuple(skill.casefold() for skill in expect.skills)
    if sentence := _differ("skills", wanted_skills, skills):
        yield "skills", sentence
    if expect.score is not None and not expect.score.holds(decision.score):
        parts = ", ".join(f"{part.points:+d} {shown(part.name)}" for part in decision.contributions)
        yield "score", f"expected score {expect.score.text}, came {decision.score} ({parts})"
    if sentence := _differ("guard", expect.guard, stopped):
        yield "guard", sentence + (f" ({why})" if why else "")
    if sentence := _differ("alert", expect.alert, [plan.target for plan in decision.alerts]):
        yield "alert", sentence
    if expect.ignored is not None and expect.ignored != bool(decision.ignored):
        wanted = "that it is ignored" if expect.ignored else "that it is not ignored"
        yield "ignored", f"expected {wanted}, which it is{'' if decision.ignored else ' not'}"


def _unkept(expect: Expected, case: CasePlan | None) -> Iterator[tuple[str, str]]:
    """Where something else is promised than expected."""
    promise = case.promise if case else Promise()
    for key in ("first_response", "resolution"):
        wanted, came = getattr(expect, key), getattr(promise, key) or NONE
        if wanted is not None and wanted != came:
            says, said = (spoken(each) if isinstance(each, timedelta) else NONE for each in (wanted, came))
            level = f" (level: {shown(promise.level, 200)})" if promise.level else ""
            yield key, f"expected {key} `{says}`, came `{said}`{level}"
        due, comes = getattr(expect, f"{key}_due"), getattr(promise, f"{key}_due")
        if due is not None and due != comes:
            on = f" on `{shown(promise.calendar)}`" if promise.calendar else ""
            yield f"{key}_due", f"expected {key}_due `{_utc(due)}`, came `{_utc(comes) if comes else NONE}`{on}"


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}".replace(":00Z", "Z")


def _differ(key: str, wanted: Sequence[str] | None, came: Sequence[str]) -> str:
    """In words, where not all that is wanted came, or something came where nothing is wanted."""
    if wanted is None:
        return ""
    if NONE not in wanted and all(name in came for name in wanted):
        return ""
    if NONE in wanted and not came:
        return ""
    return f"expected {key} {_quoted(wanted)}, came {_quoted(came) if came else '`none`'}"


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"`{shown(name)}`" for name in names)


def _why_not(name: str, decision: Decision, matched: Sequence[str]) -> str:
    trace = next((trace for trace in decision.rules if trace.rule == name), None)
    if trace is None or trace.outcome is RuleOutcome.MATCHED:
        return ""
    if trace.outcome is RuleOutcome.NOT_REACHED:
        return f"; `{shown(name)}` is not reached, for `{shown(matched[-1])}` above it ends the reading"
    differed = f"wanted {shown(trace.wanted, 200)}, saw {shown(trace.saw, 200)}"
    return f"; `{shown(name)}` fails at `{trace.condition}`: {differed}"
