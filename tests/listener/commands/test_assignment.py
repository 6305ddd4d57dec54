"""Taking, giving and giving back cases at the command line, and why somebody has one, or nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from listener.store import cases, users
from listener.store.users import Profile
from listener.types import Role
from tests.listener.commands.test_users import Desk, refused

ROOT = Path(__file__).parents[3]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Ana is an admin; Luis and Marta are agents of care."""
    made = Desk(tmp_path)
    for name in ("luis", "marta"):
        made.joins(name, "--team", "care", "--capacity", "5")
    yield made
    made.close()


def opened(desk: Desk, *, who: str = "eva", team: str = "care") -> str:
    number = desk.hears(who=who)
    told = desk.by("", "case", "open", f"M{number}", "--team", team, "--json")
    return str(json.loads(told.stdout)["reference"])


def shown(desk: Desk, reference: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(desk.by("", "case", "show", reference, "--json").stdout)
    return told


def test_somebody_takes_a_case_and_gives_it_back(desk: Desk) -> None:
    reference = opened(desk)
    assert desk.by("luis", "case", "take", reference).stdout == f"{reference} is yours now.\n"
    refused(desk.by("luis", "case", "take", reference), "yours already")
    refused(desk.by("marta", "case", "give-back", reference), "luis's")
    refused(desk.by("marta", "case", "take", reference), "luis has", "--take-over")
    assert desk.by("luis", "case", "give-back", reference, "--note", "no sé de fibra").exit_code == 0
    refused(desk.by("luis", "case", "give-back", reference), "nobody's")
    told = desk.by("", "case", "show", reference).stdout
    assert "taken by luis" in told
    assert "given back to care by luis" in told
    assert "no sé de fibra" in told
    assert shown(desk, reference)["agent"] is None


def test_the_agent_must_be_a_user(desk: Desk) -> None:
    reference = opened(desk)
    refused(desk.by("", "case", "assign", reference, "--agent", "nadie"), "no user 'nadie'")
    desk.by("", "user", "disable", "marta")
    refused(desk.by("", "case", "assign", reference, "--agent", "marta"), "disabled")
    told = desk.by("", "case", "assign", reference, "--agent", "LUIS")
    assert told.stdout == f"{reference} is luis's now.\n"


def test_by_itself_it_goes_to_whoever_should_have_it_and_says_why(desk: Desk) -> None:
    first, second = opened(desk, who="eva"), opened(desk, who="pepe")
    told = desk.by("", "case", "assign", first, "--auto").stdout
    assert told.startswith(f"{first} is luis's now: of care, had 0 of 5 cases, before marta:")
    desk.by("", "case", "assign", second, "--auto")
    assignment = shown(desk, second)["assignment"]
    assert (assignment["agent"], assignment["by"]) == ("marta", "ana")
    assert assignment["passed"] == {"luis": "marta has less to do (0 of 5 cases, not 1 of 5 cases)"}
    assert "marta since" in desk.by("", "case", "show", second).stdout
    refused(desk.by("", "case", "assign", second, "--auto"), "marta has")
    refused(desk.by("", "case", "assign", second, "--auto", "--agent", "luis"), "leave the others out")


def test_explain_says_who_has_the_case_and_why(desk: Desk) -> None:
    draft = desk.draft(open_case=True)

    def explained() -> str:
        return " ".join(desk.by("", "explain", f"D{draft.id}", "--no-words").stdout.split())

    assert "who has it nobody yet: nobody is of the team network" in explained()
    with desk.store.write() as tx:
        case = cases.of_mention(tx, draft.mention_id)
        assert case is not None
        users.change(tx, "luis", Profile(roles=(Role.AGENT,), teams=("network",)), by="ana", now=desk.clock())
    assert "who has it nobody yet: luis is next: of network" in explained()
    desk.by("", "case", "assign", case.reference, "--auto")
    assert "who has it luis since 2026-03-04 17:30 UTC: of network" in explained()


def test_where_nobody_can_have_it_the_reason_is_said(desk: Desk) -> None:
    reference = opened(desk)
    desk.by("luis", "user", "away")
    desk.by("", "user", "edit", "marta", "--capacity", "0")
    why = "nobody of care can have it now: 1 away, 1 full"
    refused(desk.by("", "case", "assign", reference, "--auto"), why)
    told = shown(desk, reference)["assignment"]
    assert (told["agent"], told["why"], told["passed"]) == (None, why, {"luis": "away", "marta": "full"})
    assert f"nobody yet: {why}" in " ".join(desk.by("", "case", "show", reference).stdout.split())


def test_whoever_is_disabled_or_goes_away_keeps_no_open_case(desk: Desk) -> None:
    first, second = opened(desk, who="eva"), opened(desk, who="pepe")
    desk.by("luis", "case", "take", first)
    desk.by("marta", "case", "take", second)
    told = desk.by("luis", "user", "away", "--until", "2026-03-20").stdout
    assert f"Their teams have again: {first}." in told
    assert shown(desk, first)["agent"] is None
    assert second in desk.by("", "user", "disable", "marta").stdout
    assert "marta works here no more" in desk.by("", "case", "show", second).stdout


def test_where_people_assign_an_absence_takes_nothing_away(desk: Desk) -> None:
    settings = desk.folder / "escucha.toml"
    settings.write_text(settings.read_text() + '\n[cases]\nassign = "manual"\n')
    reference = opened(desk)
    desk.by("luis", "case", "take", reference)
    desk.by("luis", "user", "away")
    assert shown(desk, reference)["agent"] == "luis"


def test_before_there_are_users_any_name_may_have_a_case(tmp_path: Path) -> None:
    from tests.listener.commands.desk_world import DeskWorld

    world = DeskWorld(tmp_path)
    number = world.hears()
    reference = json.loads(world.run("case", "open", f"M{number}", "--json").stdout)["reference"]
    assert world.run("case", "assign", reference, "--agent", "quien sea").exit_code == 0
    assert world.run("case", "assign", reference, "--team", "care", "--take-over").exit_code == 0
    assert world.run("case", "take", reference, actor="pepe").exit_code == 0
    assert world.run("case", "give-back", reference, actor="pepe").exit_code == 0
    refused(world.run("case", "assign", reference, "--auto"), "nobody is of the team care")
    world.close()


def test_the_list_of_users_says_how_many_cases_each_has(desk: Desk) -> None:
    desk.by("luis", "case", "take", opened(desk))
    listed = json.loads(desk.by("", "user", "list", "--json").stdout)["users"]
    assert {each["name"]: each["live_cases"] for each in listed} == {"ana": 0, "luis": 1, "marta": 0}
    assert "1 of 5" in desk.by("", "user", "list").stdout


def test_doctor_names_whoever_no_longer_fits_the_policy(desk: Desk) -> None:
    with desk.store.write() as tx:
        strange = Profile(roles=(Role.AGENT,), teams=("care", "fibre"), duty="office")
        users.change(tx, "luis", strange, by="ana", now=desk.clock())
    told = json.loads(desk.by("", "doctor", "--offline", "--json").stdout)["checks"]
    said = " ".join(check["detail"] for check in told if check["name"] == "users")
    assert "luis is of the team fibre, which the policy does not have" in said
    assert "by the calendar office" in said
    assert "No agent is of the team technical, billing, retention, sales, supervisors" in said
    assert "marta" not in said
    stale = desk.run("doctor", "--offline", "--json", actor="", environment={"ESCUCHA_TOKEN": "esc_old"})
    (you,) = [check for check in json.loads(stale.stdout)["checks"] if check["name"] == "you"]
    assert "ESCUCHA_TOKEN is nobody's token" in you["detail"]


@pytest.mark.slow
def test_of_two_processes_that_take_at_once_one_gets_it(desk: Desk) -> None:
    reference = opened(desk)
    command = [sys.executable, str(ROOT / "cli.py"), "case", "take", reference]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    both = [
        subprocess.Popen(
            command,
            cwd=desk.folder,
            env={**environment, "ESCUCHA_TOKEN": desk.tokens[name]},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("luis", "marta")
    ]
    told = [each.communicate(timeout=120) for each in both]
    assert sorted(each.returncode for each in both) == [0, 2], told
    assert shown(desk, reference)["agent"] == ("luis" if both[0].returncode == 0 else "marta")
