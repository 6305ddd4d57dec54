"""Our own people are told: what they get, when it is tried again, and that nothing is lost or in another's words."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import policies
from connectors.webhooks import Webhook
from listener.flow.alert import Target, compose
from listener.store import Transaction, alerts, alerts_out, mentions, switch
from listener.store.alerts import Alert
from listener.store.alerts_out import PATIENCE
from listener.types import AlertState, MentionState
from tests.listener.flow.world import AUTO, Escucha
from tests.servers.webhook import Receiver

RULES = AUTO.replace(
    "rules:\n",
    "rules:\n  - name: tell\n    because: They asked for it.\n    when: {intents: [complaint]}\n"
    "    then: {alert: ops}\n    continue: true\n",
)
ROOT = Path(__file__).parents[3]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def world(escucha: Escucha, receiver: Receiver) -> Escucha:
    """Rules that tell `ops` of every complaint."""
    escucha.policy = policies.load_text(RULES)
    escucha.main = escucha.pipeline()
    escucha.main.targets["ops"] = Target(reach=lambda: Webhook(receiver.url), hourly=3)
    return escucha


def put(escucha: Escucha, *keys: str, to: str = "ops") -> None:
    with escucha.store.write() as tx:
        for key in keys:
            _put(tx, escucha, key, to)


def _put(tx: Transaction, escucha: Escucha, key: str, to: str) -> None:
    now = escucha.clock()
    told = {"kind": "case_late", "subject": f"Case {key}", "why": "late", "mention_id": None, "case_id": None}
    alerts.add(tx, to=to, key=key, now=now, **told)  # type: ignore[arg-type]


def listed(escucha: Escucha) -> list[Alert]:
    """The oldest first."""
    with escucha.store.read() as tx:
        return alerts.listing(tx)[::-1]


def states(escucha: Escucha) -> list[str]:
    return [alert.state.value for alert in listed(escucha)]


def bodies(receiver: Receiver) -> list[dict[str, Any]]:
    return [json.loads(came.body) for came in receiver.came]


def test_a_rule_tells_what_it_is_about_and_nothing_in_anybodys_words(world: Escucha, receiver: Receiver) -> None:
    post = world.says("@marca esto va muy mal <script>", who="ana_perez")
    world.says("@marca gracias por todo", who="luis")
    world.round()
    (body,) = bodies(receiver)
    assert body["subject"] == f"M{body['mention']['id']} on sandbox: tell, high"
    assert (body["kind"], body["target"], body["rule"], body["urgency"]) == ("rule", "ops", "tell", "high")
    assert body["why"] == "They asked for it."
    assert body["case"]["team"] == "care"
    assert body["case"]["reference"].startswith("ES-")
    assert body["mention"]["network"] == "sandbox"
    assert (body["version"], body["stands_for"], body["key"]) == (1, 1, receiver.keys[0])
    assert "mal" not in receiver.came[0].body.decode().replace(body["mention"]["url"] or "", "")
    assert "ana" not in receiver.came[0].body.decode().replace(body["mention"]["url"] or "", "")
    assert [alert.state for alert in listed(world)] == [AlertState.SENT]
    assert world.answers() == [], "nothing of it is said on the network"
    assert post


def test_who_was_told_hears_it_again_only_of_other_words(world: Escucha, receiver: Receiver) -> None:
    post = world.says("@marca esto va mal")
    world.round()
    other = policies.load_text(RULES.replace("They asked", "We asked"))
    world.main = world.pipeline(policy=other)
    world.main.targets["ops"] = Target(reach=lambda: Webhook(receiver.url), hourly=3)
    with world.store.write() as tx:
        found = mentions.by_external_id(tx, "sandbox", post)
        assert found is not None
        mentions.advance(tx, found, MentionState.UNDERSTOOD)
    world.round()
    assert len(receiver.came) == 1
    world.network.edit(post, "@marca esto va mal, muy mal", at=world.clock())
    world.round(minutes=11)
    world.round(minutes=11)
    assert len(receiver.came) == 2
    assert len(set(receiver.keys)) == 2


def test_what_is_deleted_meanwhile_leaves_no_link(world: Escucha, receiver: Receiver) -> None:
    receiver.answers = [(500, {})]
    post = world.says("@marca esto va mal")
    world.round()
    world.network.delete(post)
    world.round(minutes=11)
    world.round(minutes=11)
    first, *_, last = bodies(receiver)
    assert last["mention"] == {**first["mention"], "url": None}
    assert len(set(receiver.keys)) == 1


def test_what_fails_is_tried_again_under_its_key(world: Escucha, receiver: Receiver) -> None:
    receiver.answers = [(500, {}), (503, {"Retry-After": "90"})]
    put(world, "a")
    world.main.alert()
    world.main.alert()
    assert len(receiver.came) == 1, "the target rests"
    with world.store.read() as tx:
        (stands,) = alerts.standing(tx, world.clock())
    assert (stands.waiting, stands.failures) == (1, 1)
    assert stands.last_error == "localhost answered 500"
    world.clock.forward(seconds=21)
    world.main.alert()
    assert len(receiver.came) == 2
    world.clock.forward(seconds=89)
    world.main.alert()
    assert len(receiver.came) == 2, "it asked for 90 seconds"
    world.clock.forward(seconds=2)
    world.main.alert()
    assert len(receiver.came) == 3
    assert len(set(receiver.keys)) == 1
    with world.store.read() as tx:
        assert alerts.standing(tx, world.clock()) == []


def test_after_a_day_it_is_given_up_and_a_person_may_have_it_tried_again(world: Escucha, receiver: Receiver) -> None:
    receiver.answers = [(500, {})] * 10_000
    put(world, "a", "b", "c")
    start = world.clock()
    while "waiting" in states(world):
        world.main.alert()
        for one in listed(world):
            ends = one.first_tried_at and one.first_tried_at + PATIENCE
            assert ends is None or one.state is not AlertState.WAITING or one.next_try_at <= ends
        world.clock.forward(minutes=5)
    took = world.clock() - start
    assert PATIENCE <= took <= PATIENCE + timedelta(hours=1)
    assert set(states(world)) == {"failed"}
    assert listed(world)[0].reason == "Tried for a day. localhost answered 500"
    assert len(receiver.came) < 250
    receiver.answers = []
    with world.store.write() as tx:
        assert alerts.retry(tx, by="ana", now=world.clock()) == [1, 2, 3]
    keys = set(receiver.keys)
    world.main.alert()
    assert set(states(world)) == {"sent"}
    assert set(receiver.keys) >= keys


def test_what_the_receiver_refuses_for_good_holds_up_nothing(world: Escucha, receiver: Receiver) -> None:
    receiver.answers = [(400, {})]
    put(world, "a", "b")
    world.main.alert()
    world.clock.forward(seconds=11)
    world.main.alert()
    assert states(world) == ["failed", "sent"]
    assert listed(world)[0].reason == "localhost answered 400"


def test_one_that_always_fails_holds_up_no_other(world: Escucha, receiver: Receiver) -> None:
    put(world, "bad")
    for number in range(20):
        bad = receiver.keys[:1]
        receiver.meanwhile = lambda bad=bad: (  # type: ignore[misc]
            receiver.answers.insert(0, (500, {})) if not bad or receiver.keys[-1] == bad[0] else None
        )
        world.main.alert()
        put(world, f"good {number}")
        for _ in range(3):
            world.clock.forward(minutes=5)
            world.main.alert()
        assert states(world).count("waiting") <= 2, "the bad one and the newest"
    assert states(world).count("sent") == 20
    assert states(world)[0] == "waiting"


def test_a_flood_is_gathered_and_nothing_of_it_lost(world: Escucha, receiver: Receiver) -> None:
    put(world, *map(str, range(60)))
    world.main.alert()
    assert [body["kind"] for body in bodies(receiver)] == ["case_late"] * 3
    world.clock.forward(minutes=6)
    world.main.alert()
    *_, digest = bodies(receiver)
    assert (digest["kind"], digest["stands_for"], digest["subject"]) == ("digest", 57, "57 alerts")
    assert len(digest["alerts"]) == 20
    assert digest["text"].endswith(f"and 37 more: escucha alert list --digest {digest['id']}")
    with world.store.read() as tx:
        gathered = alerts.listing(tx, digest_id=digest["id"])
    assert len(gathered) == 57
    assert len(receiver.came) == 4


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("M1 on x: a < b & c > d, high", "M1 on x: a &lt; b &amp; c &gt; d, high"),
        ("<!channel> <https://evil.example|bank>", "&lt;!channel&gt; &lt;https://evil.example|bank&gt;"),
        ("@channel, _@here and @ana", "@\u2060channel, _@\u2060here and @\u2060ana"),
        ("ana@example.org asked for it", "ana@example.org asked for it"),
        ("https://social.example/@ana/1?a=b&c=d", "https://social.example/@ana/1?a=b&amp;c=d"),
        ("https://e.example/@channel/x,@All.@HERE_", "https://e.example/%40channel/x,%40All.%40HERE_"),
        ("https://e.example/@allan/@channels", "https://e.example/@allan/@channels"),
    ],
)
def test_a_chat_program_shows_the_text_as_it_is_and_calls_nobody(world: Escucha, said: str, shown: str) -> None:
    one = replace(Alert.of_a_test("ops", by="ana", send_key="k", now=world.clock()), subject=said, url=said)
    made = compose(one)
    lines = made.fields["text"].splitlines()
    assert (lines[0], lines[2]) == (shown, shown)
    assert made.text.splitlines()[0] == made.fields["subject"] == said, "only chat programs read it so"


def test_a_pause_holds_no_alert(world: Escucha, receiver: Receiver) -> None:
    with world.store.write() as tx:
        switch.pause(tx, network=None, by="ana", reason="", now=world.clock())
    world.says("@marca esto va mal")
    world.round()
    assert len(receiver.came) == 1


def test_a_bug_is_no_end(world: Escucha, receiver: Receiver) -> None:
    def broken() -> Any:
        raise RuntimeError("nobody thought of this")

    fine = world.main.targets["ops"]
    world.main.targets["ops"] = Target(reach=broken, hourly=3)
    put(world, "a")
    world.main.alert()
    assert listed(world)[0].reason == "a bug: RuntimeError"
    world.main.targets["ops"] = fine
    world.clock.forward(seconds=30)
    world.main.alert()
    assert states(world) == ["sent"]


def test_what_waits_for_nobody_is_given_up_after_a_day(world: Escucha) -> None:
    put(world, "a", to="gone")
    put(world, "b")
    world.main.alert()
    assert world.main.strand_alerts() == 0
    world.clock.forward(hours=25)
    assert world.main.strand_alerts() == 1
    assert [(alert.target, alert.state.value, alert.reason) for alert in listed(world)] == [
        ("gone", "failed", "the settings name no such target"),
        ("ops", "sent", ""),
    ]


# --- processes ------------------------------------------------------------------------------------------------------


def teller(escucha: Escucha, receiver: Receiver) -> subprocess.Popen[str]:
    """Another process that is ready to tell."""
    url = escucha.store.url.render_as_string(hide_password=False)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.listener.flow.teller", url, receiver.url],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.mark.slow
def test_who_is_killed_between_sending_and_writing_it_down_leaves_it_to_the_next(
    world: Escucha, receiver: Receiver
) -> None:
    put(world, "a")
    with teller(world, receiver) as process:
        receiver.meanwhile = lambda: os.kill(process.pid, signal.SIGKILL)
        go(process)
        assert process.wait(30) == -signal.SIGKILL
    assert states(world) == ["sending"]
    receiver.meanwhile = lambda: None
    world.main.alert()
    assert len(receiver.came) == 1, "nobody knows yet that it died"
    world.clock.forward(seconds=2 * alerts_out.LEASE.total_seconds() - 30)
    world.main.alert()
    assert states(world) == ["sent"]
    assert len(receiver.came) == 2
    assert len(set(receiver.keys)) == 1, "the receiver can tell that it is the same"


@pytest.mark.slow
def test_of_two_that_tell_at_once_each_message_goes_by_one(world: Escucha, receiver: Receiver) -> None:
    put(world, *map(str, range(40)))
    with teller(world, receiver) as one, teller(world, receiver) as other:
        go(one)
        go(other)
        told = [int(process.communicate(timeout=60)[0]) for process in (one, other)]
    assert sum(told) == len(receiver.keys) == len(set(receiver.keys)) == 40
    assert set(states(world)) == {"sent"}
