"""`escucha policy`: what is wrong with a file and where, what rules now."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

import policies

Run = Callable[..., Result]

GOOD = """\
name: Small
default_team: care
teams: {care: {}, lost: {}}
language: es
rules:
  - name: thanks
    when: {main_intent: praise}
    then: {reply: thanks}
templates:
  thanks: {es: ¡Gracias!, en: Thanks!}
  sorry: {es: Lo sentimos.}
"""
BAD = """\
name: Small
default_team: nobody
teams: {care: {}}
rule: 1
mode: atuo
rules: []
"""


def test_a_good_policy_is_summed_up_with_what_may_be_an_oversight(escucha: Run, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(GOOD, encoding="utf-8")
    result = escucha("policy", "check", "p.yaml")
    assert result.exit_code == 0
    for part in (
        "p.yaml: readable, 2 warnings.",
        "Small",
        "1, 1 of them answer",
        "Template 'sorry' is used by no rule",
    ):
        assert part in result.stdout
    assert "Team 'lost' gets nothing" in result.stdout


def test_a_team_that_escalation_hands_cases_to_gets_something(escucha: Run, tmp_path: Path) -> None:
    promises = "service_levels: {high: {first_response: 1h}}\n"
    for more in ("on_breach: [{after: 1h, team: lost}]", "teams: {care: {on_information_needed: {team: lost}}}"):
        text = f"{promises}escalation: {{{more}}}\n{GOOD}"
        (tmp_path / "p.yaml").write_text(text, encoding="utf-8")
        result = escucha("policy", "check", "p.yaml")
        assert result.exit_code == 0
        assert "gets nothing" not in result.stdout


def test_every_problem_names_file_and_line(escucha: Run, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(BAD, encoding="utf-8")
    result = escucha("policy", "check", "p.yaml")
    assert result.exit_code == 2
    assert [line.split(": ")[0] for line in result.stderr.splitlines()] == ["p.yaml:2", "p.yaml:4", "p.yaml:5"]
    as_json = escucha("policy", "check", "p.yaml", "--json")
    assert as_json.exit_code == 2
    assert json.loads(as_json.stdout)["problems"] == result.stderr.splitlines()


def test_without_a_file_it_checks_the_one_of_the_settings(escucha: Run, tmp_path: Path) -> None:
    assert "default.yaml: all is well" in escucha("policy", "check").stdout
    (tmp_path / "p.yaml").write_text(BAD, encoding="utf-8")
    (tmp_path / "escucha.toml").write_text('[policy]\nfile = "p.yaml"\n', encoding="utf-8")
    assert escucha("policy", "check").exit_code == 2


def test_a_missing_file_is_a_mistake(escucha: Run) -> None:
    result = escucha("policy", "check", "none.yaml")
    assert result.exit_code == 2
    assert "no such file" in result.stderr


@pytest.mark.parametrize("path", [policies.default_path(), *policies.examples().values()], ids=lambda path: path.stem)
def test_the_policies_that_come_with_it_have_no_warnings(escucha: Run, path: Path) -> None:
    found = json.loads(escucha("policy", "check", str(path), "--json").stdout)
    assert found["problems"] == found["warnings"] == []
    assert found["rules"]


@pytest.mark.parametrize(
    ("more", "line", "why"),
    [
        ("mode: manual\n", "care: {mode: {auto: 30%}}", "replies are manual on every network"),
        ("mode: auto\n", "care: {mode: manual}", "all that has one is manual on another level"),
    ],
)
def test_no_share_is_claimed_that_lets_nothing_go_out_alone(
    escucha: Run, tmp_path: Path, more: str, line: str, why: str
) -> None:
    then = "{reply: {template: thanks, mode: {auto: 20%}}, case: care}"
    text = (more + GOOD).replace("care: {}, lost: {}", line).replace("{reply: thanks}", then)
    (tmp_path / "p.yaml").write_text(text, encoding="utf-8")
    said = " ".join(escucha("policy", "check", "p.yaml").stdout.split())
    assert f"Its shares let nothing go out alone, for {why}; see `mode:`." in said
    assert "may answer alone" not in said


def test_of_two_shares_only_the_one_at_work_is_claimed(escucha: Run, tmp_path: Path) -> None:
    more = "  sorry: {es: Lo sentimos., mode: {auto: 40%}}"
    text = "mode: {auto: 30%}\n" + GOOD.replace("  sorry: {es: Lo sentimos.}", more)
    (tmp_path / "p.yaml").write_text(text, encoding="utf-8")
    said = " ".join(escucha("policy", "check", "p.yaml").stdout.split())
    assert said.count("may answer alone") == 1
    assert "The policy may answer alone for 30% of its mentions" in said
    assert "Template 'sorry' has a share and yet lets nothing go out alone" in said


def test_the_schema_is_printed(escucha: Run) -> None:
    assert json.loads(escucha("policy", "check", "--schema").stdout) == policies.json_schema()


def test_show_gives_the_default_policy_without_any_settings(escucha: Run) -> None:
    assert escucha("policy", "show", "--text").stdout == policies.default_path().read_text(encoding="utf-8")
    shown = escucha("policy", "show").stdout
    assert policies.load(policies.default_path()).version in shown
    assert "default.yaml" in shown


def test_modes_show_what_the_settings_change(escucha: Run, tmp_path: Path) -> None:
    (tmp_path / "escucha.toml").write_text('[policy]\nmodes = {sandbox = "auto"}\n', encoding="utf-8")
    found = json.loads(escucha("policy", "show", "--json").stdout)
    assert found["modes"] == {"": "manual", "sandbox": "auto"}


def test_shares_and_the_shadow_are_said_in_words(escucha: Run, tmp_path: Path) -> None:
    ramp = "{from: 10%, to: 100%, over: 14d, starting: 2026-12-01}"
    then = f"{{reply: {{template: thanks, mode: {{ramp: {ramp}}}}}, ask_for: {{customer: sorry}}}}"
    shared = "mode: auto\n" + GOOD.replace("{reply: thanks}", then)
    tried = "  - {name: bold, shadow: true, then: {reply: {template: thanks, mode: {auto: 50%}}}}\n"
    (tmp_path / "p.yaml").write_text(shared.replace("templates:", f"{tried}templates:"), encoding="utf-8")
    said = " ".join(escucha("policy", "check", "p.yaml").stdout.split())
    grows = "for 10% of its mentions, growing to 100% within 14d from 2026-12-01"
    assert re.search(
        rf"Rule 'thanks' may answer alone {grows} \(today \d+.*?%.*?\); the others wait for a person\.", said
    )
    assert "Rule 'bold' is in the shadow: it only records what it would have done." in said
    assert "50%" not in said
    assert "is used by no rule" not in said
    found = json.loads(escucha("policy", "check", "p.yaml", "--json").stdout)
    assert (found["shares"], found["shadow"]) == ([{"level": "rule", "name": "thanks", "share": grows}], ["bold"])
