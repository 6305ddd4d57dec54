"""A policy file that cannot be used says why, with file and line, in a moment; whatever the file holds."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import policies
from listener.errors import PolicyProblem
from policies.rehearse import read_tests

GOOD = """name: small
language: es
teams: {care: {}}
default_team: care
templates: {hello: {es: "Hola"}}
rules:
  - name: all
    then: {reply: hello}
"""
PLACE = re.compile(r"p\.yaml:[1-9]\d*: .")


def problems(text: str, *, within: float = 1.0) -> list[str]:
    """The problems of a text that must have some."""
    start = time.process_time()
    with pytest.raises(PolicyProblem) as caught:
        policies.load_text(text, "p.yaml")
    assert time.process_time() - start < within
    assert caught.value.problems
    for sentence in caught.value.problems:
        assert PLACE.match(sentence), sentence
    return caught.value.problems


NASTY = {
    "empty": ("", 1, "mapping"),
    "only-a-comment": ("# nothing\n", 1, "mapping"),
    "a-list": ("- name\n", 1, "mapping"),
    "a-word": ("hello", 1, "mapping"),
    "anchor": (GOOD + "brand: &b {name: x}\n", 9, "anchor"),
    "alias": ("name: small\nbrand: *b\n", 2, "alias"),
    "merge": (GOOD + "<<: {name: x}\n", 9, "not known"),
    "tag": (GOOD + "brand: {name: !!python/object/apply:os.system [ls]}\n", 9, "tag"),
    "string-tag": ("name: !!str 5\n", 1, "tag"),
    "local-tag": ("name: ! small\n", 1, "tag"),
    "tab": ("name: small\nteams:\n\tcare: {}\n", 3, "tab"),
    "tab-in-text": ("name: 'a\tb'\n", 1, "tab"),
    "duplicate": (GOOD + "name: again\n", 9, "twice (first in line 1)"),
    "nested-duplicate": (GOOD + "brand:\n  name: a\n  name: b\n", 11, "twice"),
    "nul": ("name: sm\0all\n", 1, "U+0000"),
    "escape": ("name: small\n\nteams: \x1b[31m\n", 3, "U+001B"),
    "bidi-line-break": ("name: a\u2028b\n", 1, "U+2028"),
    "escaped-nul": ('name: "a\\0b"\n', 1, "U+0000"),
    "escaped-key": ('"na\\e": small\n', 1, "U+001B"),
    "bidi-override": ("name: a\u202eb\n", 1, "U+202E"),
    "surrogate": ("name: \ud800\n", 1, "U+D800"),
    "escaped-surrogate": ('name: small\n\nteams: {"\\ud800": {}}\n', 3, "character"),
    "escaped-pair": ('name: "\\ud83d\\ude00"\n', 1, "character"),
    "indentation": ("name: small\n  teams: {}\n", 2, "indentation"),
    "indentation-of-a-list": ("rules:\n  - name: a\n   then: {}\n", 3, "indentation"),
    "open-bracket": ("name: [small\n", 2, "quotes"),
    "open-quote": ("name: 'small\n", 2, "quotes"),
    "unquoted-template": (GOOD.replace('"Hola"', "{{ author.name }}"), 5, "quotes"),
    "two-documents": (GOOD + "---\nname: b\n", 9, "second document"),
    "list-as-key": ("? [a, b]\n: c\n", 1, "plain text"),
    "deep": ("a: " + "[" * 5000, 1, "nested"),
    "deep-mapping": ("".join(f"{' ' * n}a:\n" for n in range(500)), 31, "nested"),
    "too-large": ("# " + "x" * (1024 * 1024), 1, "1 MiB"),
    "too-many-parts": ("a: [" + "1," * 200_000 + "]", 1, "too long"),
    "nothing-required": ("name: small\n", 1, "missing"),
    "null-value": (GOOD.replace("default_team: care", "default_team:"), 4, "nothing after it"),
    "no-rules": (GOOD.split("rules:", maxsplit=1)[0], 1, "`rules` is missing"),
    "mode-typo": (GOOD + "mode: automatic\n", 9, "`auto`"),
    "key-typo": (GOOD + "guards: {}\n", 9, "did you mean `guard`?"),
    "team-typo": (GOOD.replace("default_team: care", "default_team: caer"), 4, "did you mean `care`?"),
    "template-typo": (GOOD.replace("reply: hello", "reply: helo"), 8, "did you mean `hello`?"),
    "escalate-typo": (GOOD.replace("reply: hello", "escalate: boss"), 8, "there is no team `boss`"),
    "risk-team-typo": (GOOD + "guard:\n  risk_teams: {press: boss}\n", 10, "there is no team `boss`"),
    "condition-typo": (GOOD + "  - name: b\n    when: {author.folowers: 1}\n    then: {tags: x}\n", 10,
                       "did you mean `author.followers`?"),
    "nested-condition-typo": (GOOD + "  - name: b\n    when:\n      any:\n        - intnts: praise\n"
                              "    then: {tags: x}\n", 12, "did you mean `intents`?"),
    "intent-typo": (GOOD + "  - name: b\n    when: {intents: [prase]}\n    then: {tags: x}\n", 10, "`praise`"),
    "comparison": (GOOD + "  - name: b\n    when: {author.followers: many}\n    then: {tags: x}\n", 10, ">= 10"),
    "comparison-of-age": (GOOD + "  - name: b\n    when: {age: 5}\n    then: {tags: x}\n", 10, "> 2d"),
    "empty-condition": (GOOD + "  - name: b\n    when: {intents: []}\n    then: {tags: x}\n", 10, "at least 1"),
    "empty-when": (GOOD.replace("    then", "    when:\n    then"), 8, "nothing after it"),
    "wordless-phrase": (GOOD + "  - name: b\n    when: {text.contains: '?!'}\n    then: {tags: x}\n", 10, "no word"),
    "star-inside": (GOOD + "  - name: b\n    when: {text.contains: 'a*b'}\n    then: {tags: x}\n", 10, "`*`"),
    "does-nothing": (GOOD.replace("{reply: hello}", "{}"), 8, "does nothing"),
    "ignore-and-reply": (GOOD.replace("{reply: hello}", "{reply: hello, ignore: x}"), 8, "`ignore`"),
    "ignore-and-continue": (GOOD.replace("{reply: hello}", "{ignore: x}\n    continue: true"), 7, "`continue`"),
    "yes": (GOOD + "  - name: b\n    when: {author.bot: yes}\n    then: {tags: x}\n", 10, "not `yes`"),
    "no-in-quotes": (GOOD + "  - name: b\n    when: {author.bot: 'no'}\n    then: {tags: x}\n", 10,
                     "`true` or `false`"),
    "one": (GOOD + "  - name: b\n    when: {case.exists: 1}\n    then: {tags: x}\n", 10, "not `1`"),
    "yes-it-continues": (GOOD + "    continue: yes\n", 9, "not `yes`"),
    "true-in-quotes": (GOOD + "    shadow: \"true\"\n", 9, "without quotes"),
    "yes-a-person": (GOOD.replace("{reply: hello}", "{person: yes}"), 8, "not `yes`"),
    "yes-a-case": (GOOD.replace("{reply: hello}", "{case: yes}"), 8, "there is no team `yes`"),
    "a-bot-in-a-test": (GOOD + "tests: [{name: a, mention: {text: x, author.bot: yes}, expect: {rule: all}}]\n", 9,
                        "not `yes`"),
    "a-guideline": (GOOD + "guidelines: {apologise_first: yes}\n", 9, "not `yes`"),
    "a-share-of-everything": (GOOD + "name2: x\ncases: {a: [b, 1]}\n", 10, "cannot be `{a: [b, 1]}`"),
    "no-calendar": (GOOD + "  - name: b\n    when: {time.within: office}\n    then: {tags: x}\n", 10,
                    "there is no calendar `office`; add it under `calendars:`"),
    "hours-that-overlap": (GOOD + "calendars:\n  a:\n    hours: {mon-fri: [\"13:00-15:00\", \"09:00-14:00\"]}\n", 11,
                           "09:00-14:00 and 13:00-15:00 overlap"),
    "hours-that-overlap-at-night": (GOOD + "calendars:\n  a:\n    hours: {sat: ['22:00-08:00', '23:00-24:00']}\n", 11,
                                    "overlap"),
    "holidays-of-no-part": (GOOD + "calendars:\n  a: {hours: {daily: '9:00-14:00'}, holidays: ES-XX}\n", 10,
                            "MC, MD, ML"),
    "holidays-of-a-name": (GOOD + "calendars:\n  a: {hours: {daily: '9:00-14:00'}, holidays: ES-Madrit}\n", 10,
                           "did you mean `MD`? its parts are"),
    "two-rules-of-one-name": (GOOD + "  - name: all\n    when: {language: es}\n    then: {tags: x}\n", 9, "two rules"),
    "urgency": (GOOD.replace("{reply: hello}", "{urgency: now}"), 8, "no urgency"),
    "duration": (GOOD + "service_levels: {high: {first_response: soon}}\n", 9, "15m, 4h, 2d"),
    "duration-order": (GOOD + "service_levels: {high: {first_response: 2d, resolution: 1h}}\n", 9, "longer than"),
    "looser-confidence": (GOOD + "guard: {min_confidence: 0.2}\n", 9, "at least 0.5"),
    "looser-age": (GOOD + "guard: {max_age: 30d}\n", 9, "7d at most"),
    "looser-cap": (GOOD + "guard: {per_author_per_day: 50}\n", 9, "at most 5"),
    "not-a-number": (GOOD + "guard: {min_confidence: nan}\n", 9, "number"),
    "language": (GOOD + "  - name: b\n    when: {language: spanish}\n    then: {tags: x}\n", 10, "`es`"),
    "template-without-the-language": (GOOD.replace("{es:", "{en:"), 5, "has no `es`"),
    "template-with-a-phone": (GOOD.replace('"Hola"', '"Llama al 900 100 200"'), 5, "contacts"),
    "case-that-may-not-open": (GOOD.replace('"Hola"', '"Caso {{ case.reference }}"').replace(
        "{reply: hello}", "{reply: hello, case: none}"), 8, "case.reference"),
    "test-key-typo": (GOOD + "tests:\n  - name: a\n    mention: {txt: x}\n    expect: {rule: all}\n", 11,
                      "did you mean `text`?"),
    "test-fact-typo": (GOOD + "tests:\n  - name: a\n    mention:\n      text: x\n      author.folowers: 3\n"
                       "    expect: {rule: all}\n", 13, "did you mean `author.followers`?"),
    "test-without-a-list": (GOOD + "tests: {name: a}\n", 9, "should be a list"),
    "test-that-expects-nothing": (GOOD + "tests:\n  - name: a\n    mention: x\n    expect: {}\n", 12, "expects"),
    "test-at-no-moment": (GOOD + "tests: [{name: a, mention: {text: x, now: 10:30}, expect: {rule: all}}]\n", 9,
                          "no moment with a time zone"),
    "test-before-all-time": (GOOD + "tests: [{name: a, mention: {text: x, now: '0001-01-01T00:00Z'}, expect: "
                             "{rule: all}}]\n", 9, "from 1970 to 2200"),
    "test-after-all-time": (GOOD + "tests: [{name: a, mention: {text: x, now: '9999-12-31T23:59-12:00'}, expect: "
                            "{rule: all}}]\n", 9, "from 1970 to 2200"),
    "test-in-anchors": (GOOD + "tests: [&a {name: a, mention: x, expect: {rule: all}}, *a]\n", 9, "anchor"),
    "too-many-tests": (GOOD + "tests:\n" + "- {name: a, mention: x, expect: {rule: b}}\n" * 1001, 9, "at most 1000"),
    "test-of-a-book": (GOOD + f"tests:\n  - name: a\n    mention: {'x' * 20_001}\n    expect: {{rule: b}}\n", 11,
                       "at most 20000"),
    "a-team-called-none": (GOOD.replace("{care: {}}", "{care: {}, none: {}}"), 3, "`none`"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "line", "part"), NASTY.values(), ids=NASTY.keys())
def test_a_nasty_file(text: str, line: int, part: str) -> None:
    found = problems(text)
    assert any(sentence.startswith(f"p.yaml:{line}: ") and part in sentence for sentence in found), found


def test_all_problems_come_at_once_in_the_order_of_the_file() -> None:
    found = problems(
        """name: many
mode: never
teams: {care: {}}
default_team: car
templates:
  hello:
    es: "{{ autor.name }}"
    en: ["{% for a in b %}{% endfor %}"]
rules:
  - name: a
    when: {intnts: [praise]}
    then: {reply: helo}
"""
    )
    assert [int(sentence.split(":")[1]) for sentence in found] == [2, 4, 7, 8, 11, 12]


def test_a_flood_of_problems_is_cut() -> None:
    found = problems(GOOD + "".join(f"key{n}: 1\n" for n in range(5000)))
    assert len(found) <= 101
    assert "more" in found[-1]


def test_values_that_only_yaml_would_twist_stay_as_they_are() -> None:
    text = GOOD.replace("language: es", "language: no").replace("{es:", "{no:") + "description: 10:30\n"
    policy = policies.load_text(text, "p.yaml")
    assert (policy.file.language, policy.file.description) == ("no", "10:30")


def test_line_ends_and_marks_of_other_systems_are_read() -> None:
    assert policies.load_text("\ufeff" + GOOD.replace("\n", "\r\n"), "p.yaml").file.name == "small"
    found = problems(GOOD.replace("\n", "\r\n") + "modee: auto\r\n")
    assert found[0].startswith("p.yaml:9: ")


# --- files -----------------------------------------------------------------------------------------------------------


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PolicyProblem, match="no such file"):
        policies.load(tmp_path / "none.yaml")


def test_a_folder_is_no_policy(tmp_path: Path) -> None:
    with pytest.raises(PolicyProblem, match="cannot be read"):
        policies.load(tmp_path)


def test_another_encoding_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes("name: a\ndescription: señal\n".encode("latin-1"))
    with pytest.raises(PolicyProblem, match=r"p\.yaml:2: the text is not UTF-8"):
        policies.load(path)


def test_a_large_file_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    with path.open("wb") as stream:
        stream.truncate(1 << 40)
    start = time.process_time()
    with pytest.raises(PolicyProblem, match="1 MiB"):
        policies.load(path)
    assert time.process_time() - start < 1


def test_a_path_with_a_nul_is_refused() -> None:
    with pytest.raises(PolicyProblem):
        policies.load("a\0b")


# --- anything at all -------------------------------------------------------------------------------------------------

YAMLISH = st.text(alphabet=st.sampled_from("abz:-[]{}&*!|>'\"#%@`?, \n\t\r\0é\u2028 .0~<="), max_size=300)
KEYS = st.sampled_from(
    ["name", "mode", "rules", "when", "then", "teams", "templates", "guard", "brand", "reply", "case", "any", "all",
     "text", "mention", "expect", "rule", "intents", "now", "author.followers", "customer.known"]
)  # fmt: skip
VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | KEYS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=10), inner, max_size=5),
    max_leaves=30,
)


def never_anything_else(text: str, read: Any = policies.load_text) -> None:
    start = time.process_time()
    try:
        read(text, "p.yaml")
    except PolicyProblem as error:
        for sentence in error.problems:
            assert PLACE.match(sentence), sentence
            assert "\n" not in sentence
    assert time.process_time() - start < 1


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(YAMLISH | st.text(max_size=200))
def test_any_text(text: str) -> None:
    never_anything_else(text)


TESTS = """\
tests:
  - name: one
    mention: {text: Nada, intents: [complaint], customer.tier: gold, now: 2026-03-01T09:30Z}
    expect: {rule: [a, b], tags: none}
"""


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=30) | YAMLISH, st.integers(0, len(TESTS)), st.integers(0, 30))
def test_a_good_file_of_tests_gone_bad(inserted: str, place: int, removed: int) -> None:
    never_anything_else(TESTS[:place] + inserted + TESTS[place + removed :], read_tests)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40) | YAMLISH, st.integers(0, 10_000), st.integers(0, 40))
def test_a_good_file_gone_bad(inserted: str, place: int, removed: int) -> None:
    whole = policies.default_path().read_text("utf-8")[:6000]
    place %= len(whole)
    never_anything_else(whole[:place] + inserted + whole[place + removed :])


@settings(max_examples=150, deadline=None)
@given(
    VALUES,
    st.sampled_from(
        ["name", "rules", "when", "then", "teams", "templates", "guard", "networks", "brand", "tests", "mention"]
    ),
)
def test_any_data_under_any_key(value: Any, key: str) -> None:
    import json

    try:
        written = json.dumps(value)
    except ValueError:
        return
    if key == "mention":
        never_anything_else(GOOD + f"tests:\n  - name: b\n    mention: {written}\n    expect: {written}\n")
    elif key in ("when", "then"):
        rule = {"when": "    when", "then": "    then"}[key]
        never_anything_else(GOOD + f"  - name: b\n{rule}: {written}\n")
    else:
        lines = [line for line in GOOD.split("\n") if not line.startswith(key)]
        never_anything_else("\n".join(lines) + f"\n{key}: {written}\n")


@pytest.mark.timeout(60)
def test_a_pipe_is_no_policy_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "policy.yaml")
    with pytest.raises(PolicyProblem, match="it is no file"):
        policies.load(tmp_path / "policy.yaml")


MONSTERS = """
import resource, sys, time
import policies
from listener.errors import PolicyProblem

MiB = 1024 * 1024
policies.load(policies.default_path())
laughs = "".join(f"l{n + 1}: &l{n + 1} [{', '.join([f'*l{n}'] * 10)}]\\n" for n in range(12))
monsters = [
    "l0: &l0 ha\\n" + laughs,
    "a: " + "[" * (MiB - 10),
    "[" * (MiB // 2) + "]" * (MiB // 2),
    "a: " + "{a: " * (MiB // 4 - 10),
    "- " * (MiB // 2),
    "? " * (MiB // 2),
    "a:\\n" * (MiB // 3 - 10),
    "a: " + "x" * (MiB - 10),
    'a: "' + "\\\\x41" * (MiB // 4 - 10) + '"',
    "a: |\\n" + " x\\n" * (MiB // 3 - 10),
    "a: [" + "," * (MiB - 10),
    "\\t\\n" * (MiB // 2),
    "\\u202e" * (MiB // 4),
    "a: " + "&a " * (MiB // 3 - 10),
    "a: " + "!" * (MiB - 10),
    "#" * (MiB - 10),
    "rules:\\n" + "- {name: a, then: {tags: x}, when: {languag: es}}\\n" * 1_500,
    "'" * (MiB - 10),
]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for number, text in enumerate(monsters):
    began = time.process_time()
    try:
        policies.load_text(text, "p.yaml")
    except PolicyProblem as error:
        assert error.problems and all(each.startswith("p.yaml:") for each in error.problems)
    else:
        sys.exit(f"monster {number} was taken for a policy")
    spent = time.process_time() - began
    if spent > 1:
        sys.exit(f"monster {number} took {spent:.1f} s")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.slow
def test_monsters_are_refused_in_a_moment_and_in_little_memory() -> None:
    done = subprocess.run([sys.executable, "-c", MONSTERS], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 200, "MiB more than a small policy takes"
