"""`escucha incident say` and its answers, and where agents read what to say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from listener.store import attached, inbox, incidents
from listener.store.incidents import Incident
from listener.types import Attached, IncidentState, wording_key
from tests.listener.commands.desk_world import DeskWorld as Desk

ES = "Lo sabemos, {{ author.first_name }}: {{ case.reference }}."


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.close()


@pytest.fixture
def incident(desk: Desk) -> Incident:
    with desk.store.write() as tx:
        return incidents.open(tx, title="Corte en Vic", by="ana", now=desk.clock(), began_at=desk.clock())


def plain(desk: Desk, *args: str, actor: str = "ana") -> Any:
    result = desk.run(*args, "--json", actor=actor)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def refused(desk: Desk, *args: str, actor: str = "ana") -> str:
    result = desk.run(*args, actor=actor)
    assert result.exit_code == 2, result.output
    return str(result.stderr)


def test_an_answer_is_written_by_one_and_approved_by_another(desk: Desk, incident: Incident) -> None:
    said = desk.run("incident", "say", "I1", "--text", f"es={ES}", "--text", "EN=We know.")
    assert "A1, A2 of I1 are written down. Somebody else approves" in said.stdout
    assert "A2 does not name the case" in said.stderr
    assert "somebody else must approve" in refused(desk, "incident", "approve-answer", "I1", "--yes")
    assert "then say --yes" in refused(desk, "incident", "approve-answer", "I1", actor="eva")
    told = plain(desk, "incident", "approve-answer", "I1", "A1", "--yes", actor="eva")
    assert [(each["answer"], each["language"], each["state"]) for each in told["answers"]] == [
        ("A1", "es", "approved"),
        ("A2", "en", "proposed"),
    ]
    assert told["answers"][0]["approved_by"] == "eva"
    assert "A1 is approved already" in refused(desk, "incident", "approve-answer", "I1", "A1", "--yes", actor="luis")
    assert plain(desk, "incident", "withdraw-answer", "I1", "A1")["stopped"] == 0
    assert "withdrawn by ana" in desk.run("incident", "say", "I1").stdout
    kinds = [each["kind"] for each in plain(desk, "incident", "show", "I1")["timeline"]]
    assert kinds == ["opened", "answers_proposed", "answers_approved", "answers_withdrawn"]


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--text", "Lo sabemos"], 'begin with its language, like --text "es=Lo sabemos."'),
        (["--text", "es="], "an answer has 1 to 2,000 characters"),
        (["--text", "es={{ nothing }}"], "The variable `nothing` is not known"),
        (["--text", "es=Llama al 612 345 678"], "This answer holds a phone number"),
        (["--text", "es=Hola", "--text", "ES=Hola"], "Two of the answers are the same"),
        (["--text", "es=Vuelve HOY mismo", "--avoid", "hoy mismo"], "This answer says “hoy mismo”"),
        (["--avoid", "*"], "holds no word to look for"),
        (["--line", "x" * 301], "300"),
    ],
)
def test_what_cannot_be_said_is_refused_and_nothing_is_written(
    desk: Desk, incident: Incident, args: list[str], told: str
) -> None:
    assert told in refused(desk, "incident", "say", "I1", *args)
    shown = plain(desk, "incident", "say", "I1")
    assert (shown["answers"], shown["say"], shown["avoid"]) == ([], "", [])


def test_what_stands_there_may_not_be_said_by_a_later_answer(desk: Desk, incident: Incident) -> None:
    desk.run("incident", "say", "I1", "--avoid", "hoy mismo")
    assert "hoy mismo" in refused(desk, "incident", "say", "I1", "--text", "es=Vuelve hoy mismo.")
    assert "There is no incident I7" in refused(desk, "incident", "say", "I7")
    with desk.store.write() as tx:
        became = {"state": IncidentState.RESOLVED.value}
        incidents.record(tx, incidents.get(tx, 1), "resolved", by="ana", now=desk.clock(), became=became)
    assert "nothing is said for it any more" in refused(desk, "incident", "say", "I1", "--text", "es=Hola")


def test_agents_read_it_wherever_they_work(desk: Desk, incident: Incident) -> None:
    draft = desk.draft(text="Hola Ana, vuelve en una hora.")
    with desk.store.write() as tx:
        attached.attach(tx, incident, draft.mention_id, how=Attached.HAND, why="so", by="ana", now=desk.clock())
    plain(desk, "incident", "say", "I1", "--line", " Lo  sabemos ", "--avoid", "en una hora", "--avoid", "hoy")
    line = "say “Lo sabemos”; not: “en una hora”, “hoy”"
    assert line in desk.run("inbox").stdout
    shown = " ".join(desk.run("show", f"D{draft.id}").stdout.split())
    assert f"I1 Corte en Vic, investigating {line}" in shown
    assert "The reply says “en una hora”, which nobody should say while I1 lasts." in shown
    told = plain(desk, "show", f"D{draft.id}")
    assert told["incident"] == plain(desk, "inbox")["incidents"][0]
    assert (told["incident"]["say"], told["incident"]["avoid"]) == ("Lo sabemos", ["en una hora", "hoy"])
    plain(desk, "incident", "say", "I1", "--line", "", "--avoid", "")
    assert plain(desk, "show", f"D{draft.id}")["tone"] == []


def test_a_draft_whose_answer_was_withdrawn_is_shown_as_outdated_and_not_approved(
    desk: Desk, incident: Incident
) -> None:
    draft = desk.draft(text="Lo sabemos, Ana.")
    plain(desk, "incident", "say", "I1", "--text", f"es={ES}")
    plain(desk, "incident", "approve-answer", "I1", "--yes", actor="eva")
    desk.put(draft, draft.state, incident_id=1, wording=wording_key(ES))
    assert plain(desk, "show", f"D{draft.id}")["outdated"] is None
    plain(desk, "incident", "withdraw-answer", "I1", "A1")
    assert plain(desk, "show", f"D{draft.id}")["outdated"] == "the answer of I1 that it was made from was withdrawn"
    assert "outdated: the answer of I1" in " ".join(desk.run("show", f"D{draft.id}").stdout.split())
    assert "is outdated" in desk.run("approve", f"D{draft.id}").stderr
    with desk.store.read() as tx:
        assert inbox.get(tx, draft.id).state is draft.state


def test_case_show_says_it_too(desk: Desk) -> None:
    draft = desk.draft(open_case=True)
    assert draft.case_reference
    with desk.store.write() as tx:
        from listener.store import cases

        case = cases.get(tx, draft.case_reference)
        made = incidents.open(
            tx, title="Corte", by="ana", now=desk.clock(), began_at=desk.clock(), say="Lo sabemos", avoid=["hoy"]
        )
        incidents.record(tx, made, "case", by="ana", now=desk.clock(), became={"case_id": case.id})
    shown = " ".join(desk.run("case", "show", draft.case_reference).stdout.split())
    assert "I1 Corte, investigating" in shown
    assert "say “Lo sabemos”; not: “hoy”" in shown
    assert plain(desk, "case", "show", draft.case_reference)["incident"]["incident"] == "I1"
