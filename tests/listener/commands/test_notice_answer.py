"""`escucha notice answer` as it is typed: what it plans, what it refuses, how it is read, and what goes out."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pexpect
import pytest
from click.testing import Result
from rich.cells import cell_len
from rich.console import Console
from sqlalchemy import text

from listener.commands import notice_answer_review
from listener.commands.app import App
from listener.commands.keyboard import Keyboard
from listener.store import answer_runs, tables
from listener.store.sight import Sight
from listener.types import RunState
from tests.listener.desk.answering_world import POLICY, Desk, begun

Run = Callable[..., Result]
ROOT = Path(__file__).parents[3]
SETTINGS = """
[policy]
file = "policy.yaml"
[database]
url = "sqlite:///escucha.db"
[accounts.care]
network = "sandbox"
world = "world.db"
[[sources]]
name = "source-0"
account = "care"
query = "mentions"
"""


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Desk]:
    (tmp_path / "escucha.toml").write_text(SETTINGS, encoding="utf-8")
    (tmp_path / "policy.yaml").write_text(POLICY, encoding="utf-8")
    made = begun(tmp_path)
    made.complain("ana", "beto", "carla")
    made.escucha.says("@marca gracias, ya funciona", who="carla")
    made.escucha.round()
    made.attach()
    yield made
    made.escucha.close()


def test_the_plan_says_who_gets_what_and_who_does_not(here: Desk, escucha: Run) -> None:
    told = escucha("notice", "answer", "I1")
    assert told.exit_code == 0, told.output
    assert "2 people would get one answer each, 2 mentions left out. Nothing goes out yet." in told.output
    assert "thanked" in told.output
    assert "--review sample` shows 1 drawn by chance" in " ".join(told.output.split())
    assert all(cell_len(line) <= 80 for line in told.output.splitlines() if "Nothing goes out yet" not in line)
    plain = json.loads(escucha("notice", "answer", "I1", "--json").output)
    assert (plain["state"], plain["people"], plain["left_out"]) == ("reviewing", 2, {"thanked": 2})
    assert all("ES-26-" in each["text"] for each in plain["answers"] if not each["left_out"])
    assert not here.escucha.answers()


def test_whoever_is_not_read_yet_is_said_with_what_reads_them(here: Desk, escucha: Run) -> None:
    with here.escucha.store.write() as tx:
        tx.execute(text("UPDATE mentions SET state = 'new' WHERE id = 1"))
    told = " ".join(escucha("notice", "answer", "I1").output.split())
    assert "1 mention that is read first: by a running daemon, or `escucha run --once`." in told
    assert "Then `escucha notice answer I1` drafts for them too." in told


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["I9"], "no incident I9"),
        (["zzz"], "no incident"),
        (["I1", "--go", "--stop"], "Say one of"),
        (["I1", "--go"], "drafts answers for everybody"),
        (["I1", "--stop"], "drafts answers for everybody"),
        (["I1", "--review", "all"], "needs a terminal"),
        (["I1", "--per-hour", "99999"], "The policy lets 120"),
    ],
)
@pytest.mark.usefixtures("here")
def test_what_cannot_be_is_said_in_a_sentence(escucha: Run, typed: list[str], said: str) -> None:
    refused = escucha("notice", "answer", *typed)
    assert refused.exit_code == 2
    assert said in refused.output.replace("\n", " ")


def test_what_is_approved_goes_out_when_somebody_says_so(here: Desk, escucha: Run) -> None:
    here.approved()
    assert "approved: 2 wait" in escucha("notice", "answer", "I1").output
    went = json.loads(escucha("notice", "answer", "I1", "--go", "--json").output)
    assert (went["state"], went["states"]) == ("running", {"approved": 2})
    assert "No daemon is running" in escucha("notice", "answer", "I1").output
    here.send()
    stopped = escucha("notice", "answer", "I1", "--stop")
    assert "stopped" in stopped.output
    assert "1 sent, 1 wait" in stopped.output
    assert escucha("notice", "answer", "I1", "--go").exit_code == 2
    assert "running" in escucha("notice", "answer", "I1", "--resume").output
    assert "dropped" in escucha("notice", "answer", "I1", "--drop").output
    here.send_all(seconds=60)
    assert here.said_to().total() == 1


def test_who_reads_the_answers_reads_nobodys_private_words_without_their_case(here: Desk) -> None:
    store, shown = here.escucha.store, StringIO()
    run = here.draft()
    (answer, *_) = here.answers(run)
    with store.write() as tx:
        tx.execute(
            tables.mentions.update().where(tables.mentions.c.id == answer.mention_id).values(visibility="direct")
        )
        tx.execute(tables.cases.update().values(agent="ana", team="billing"))
    app = cast("App", SimpleNamespace(store=store))
    reading = notice_answer_review._Reading(
        app=app, incident=here.incident, run=run, keyboard=cast("Keyboard", None), everything=True, seed=1,
        facts=here.facts, screen=Console(file=shown, width=80),
    )  # fmt: skip
    reading._draw(answer, "1 of 2")
    assert "la factura está mal" in shown.getvalue()
    assert here.author(answer.mention_id) in shown.getvalue()
    shown.truncate(0)
    store.sight = Sight(agent="marga", teams=())
    reading._draw(answer, "1 of 2")
    told = shown.getvalue()
    assert "in private" in told
    assert "la factura" not in told
    assert f"@{here.author(answer.mention_id)}" not in told
    assert answer.text.split(".")[0][-20:] in " ".join(told.split())
    assert reading._address(answer) == notice_answer_review.HIDDEN


@pytest.mark.slow
def test_a_sample_is_read_key_by_key_and_one_rejected_stops_all(here: Desk, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "ESCUCHA_ACTOR": "beto"}
    command = ["-m", "cli", "notice", "answer", "I1", "--review"]

    def reading(how: str) -> pexpect.spawn[str]:
        child = pexpect.spawn(
            sys.executable, [*command, how], cwd=tmp_path, env=environment, encoding="utf-8", timeout=60
        )
        child.setwinsize(40, 80)
        child.expect("q quit")
        return child

    child = reading("1")
    child.send("r")
    child.expect("Why")
    child.send("2")
    child.expect("Stopped: none of these answers goes out")
    child.expect(pexpect.EOF)
    with here.escucha.store.read() as tx:
        (run,) = answer_runs.of_incident(tx, here.incident.id)
    assert run.state is RunState.DROPPED
    child = reading("all")
    child.delaybeforesend = 1.5  # long enough to be read
    child.send("a")
    child.expect("2 of 2")
    child.expect("q quit")
    child.send("a")
    child.expect("Type 2 and Enter")
    child.sendline("22")
    child.expect("That is not 2")
    child.sendline("2")
    child.expect("Approved")
    child.expect(pexpect.EOF)
    with here.escucha.store.read() as tx:
        run = answer_runs.of_incident(tx, here.incident.id)[-1]
    assert (run.state, run.sample, run.approved_by) == (RunState.APPROVED, 2, "beto")
