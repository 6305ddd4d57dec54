"""A policy that is made to rule is taken up between two batches, by every process, and never in the middle of one."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest
import structlog.testing

import policies as written
from connectors import sandbox
from listener.contract import Policy
from listener.errors import Mistake, NotFound
from listener.flow.decide import Company
from listener.flow.pipeline import Pipeline
from listener.store import decisions, policies
from listener.store import tables as t
from listener.store.sources import Wanted
from listener.types import Decision, MentionState, Mode, Situation
from policies.guard import Guarded
from tests.listener.flow.test_incidents import BILL, attachments, opened
from tests.listener.flow.world import AUTO, Escucha, Keywords

NEWER = AUTO.replace("Hola, lo", "Buenas, lo")


@pytest.fixture(autouse=True)
def _a_batch_is_decided_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is."""
    monkeypatch.setattr(importlib.import_module("listener.flow.decide"), "LONGEST", 60.0)


def process(
    escucha: Escucha, policy: Policy | None, *, read: Callable[[str, str], Policy] = written.load_text
) -> Pipeline:
    """A process of the same company that starts with that policy in its settings."""
    made = Pipeline(
        escucha.store,
        accounts={"care": "sandbox"},
        connect=lambda _: sandbox.Sandbox(sandbox.Settings(world=escucha.folder / "world.db")),
        network_facts=lambda _: sandbox.FACTS,
        classifier=Keywords,
        policy=policy,
        read_policy=read,
        company=Company(case_pattern="ES"),
        clock=escucha.clock,
    )
    wanted = Wanted(name="source-0", account="care", network="sandbox", query="mentions", every=timedelta(seconds=10))
    made.start([wanted], by="test")
    return made


def hear(escucha: Escucha, *who: str) -> None:
    """Each of them asks something, and it is understood."""
    for name in who:
        escucha.says("@marca ¿horario?", who=name)
    escucha.clock.forward(seconds=11)
    escucha.main.poll()
    while escucha.main.understand():
        pass


def versions(escucha: Escucha) -> list[str]:
    """By which policy each mention was decided, oldest first."""
    with escucha.store.read() as tx:
        return list(tx.scalars(t.decisions.select().with_only_columns(t.decisions.c.policy_version)))


def active(escucha: Escucha) -> str | None:
    with escucha.store.read() as tx:
        return policies.active(tx)


def store_text(escucha: Escucha, version: str, text: str) -> None:
    with escucha.store.write() as tx:
        policies.activate(tx, version=version, text=text, by="boss", now=escucha.clock())


def test_a_new_policy_decides_from_the_next_batch_on_in_every_process(escucha: Escucha) -> None:
    other = process(escucha, escucha.policy)
    hear(escucha, "ana")
    assert escucha.main.decide() == 1
    newer = written.load_text(NEWER)
    escucha.activate(newer)
    hear(escucha, "beto", "carla")
    assert other.decide() == 2
    hear(escucha, "dora")
    with structlog.testing.capture_logs() as logged:
        assert escucha.main.decide() == 1
    assert versions(escucha) == [escucha.policy.version, *[newer.version] * 3]
    (line,) = [line for line in logged if line["action"] == "policy"]
    assert (line["version"], line["was"]) == (newer.version, escucha.policy.version)
    assert sum(draft.text.startswith("Buenas") for draft in escucha.drafts()) == 3


def test_whoever_activates_waits_for_the_batch_that_is_being_decided(escucha: Escucha) -> None:
    newer, waiting = written.load_text(NEWER), list[Future[None]]()

    class Interrupted(Guarded):
        """Somebody makes another policy rule while this one decides."""

        def decide(self, situation: Situation) -> Decision:
            if not waiting:
                waiting.append(boss.submit(escucha.activate, newer))
                with suppress(TimeoutError):
                    waiting[0].result(timeout=0.3)
                assert not waiting[0].done()
            return super().decide(situation)

    escucha.main.ruler.policy = Interrupted(written.load_text(AUTO)._rules)
    hear(escucha, "ana", "beto", "carla")
    with ThreadPoolExecutor(1) as boss:
        assert escucha.main.decide() == 3
        waiting[0].result(timeout=30)
    hear(escucha, "dora")
    assert escucha.main.decide() == 1
    assert versions(escucha) == [*[escucha.policy.version] * 3, newer.version]


def test_a_policy_that_cannot_be_read_decides_nothing_and_neither_does_the_one_before(escucha: Escucha) -> None:
    before = escucha.policy.version
    store_text(escucha, "from-the-future", AUTO + "telepathy: true\n")
    hear(escucha, "ana")
    with structlog.testing.capture_logs() as logged:
        assert [escucha.main.decide() for _ in range(3)] == [0, 0, 0]
    (line,) = [line for line in logged if line["log_level"] == "error"]
    assert (line["action"], line["version"]) == ("policy_refused", "from-the-future")
    assert "The policy from-the-future cannot be read by this version of Escucha: policy from-the-future:" in (
        escucha.main.ruler.trouble
    )
    assert "telepathy" in escucha.main.ruler.trouble
    assert versions(escucha) == []
    restarted = process(escucha, None)
    assert (restarted.decide(), bool(restarted.ruler.trouble)) == (0, True)
    assert active(escucha) == "from-the-future"
    escucha.activate(written.load_text(AUTO))
    assert escucha.main.decide() == 1
    assert escucha.main.ruler.trouble == ""
    assert versions(escucha) == [before]


def test_while_no_policy_can_be_read_no_incident_goes_through_anything(escucha: Escucha) -> None:
    """Without the policy's places mentions would be let go that belong there."""
    escucha.says(BILL)
    escucha.round()
    made = opened(escucha)
    store_text(escucha, "from-the-future", AUTO + "telepathy: true\n")
    assert escucha.main.decide() == 0
    assert not escucha.main.gather()
    assert attachments(escucha, made) == []
    escucha.activate(written.load_text(AUTO))
    escucha.main.decide()
    assert escucha.main.gather().attached == 1


def test_a_reader_with_a_bug_decides_nothing(escucha: Escucha) -> None:
    def broken(_text: str, _name: str) -> Policy:
        raise RecursionError

    other = process(escucha, escucha.policy, read=broken)
    escucha.activate(written.load_text(NEWER))
    hear(escucha, "ana")
    with structlog.testing.capture_logs():
        assert [other.decide(), other.decide()] == [0, 0]
    assert "broke (RecursionError)" in other.ruler.trouble
    assert escucha.main.decide() == 1


def test_settings_that_give_other_modes_decide_nothing_until_started_again(escucha: Escucha) -> None:
    def cautious(text: str, name: str) -> Policy:
        return written.load_text(text, name, mode=Mode.MANUAL)

    other = process(escucha, cautious(AUTO, "settings"), read=cautious)
    manual = active(escucha)
    assert manual == cautious(AUTO, "").version != escucha.policy.version
    hear(escucha, "ana")
    with structlog.testing.capture_logs():
        assert escucha.main.decide() == 0
    assert "other modes (everywhere: manual) than our settings give it (none)" in escucha.main.ruler.trouble
    assert other.decide() == 1
    assert escucha.draft().automatic is False
    process(escucha, escucha.policy)
    assert active(escucha) == escucha.policy.version
    with escucha.store.read() as tx:
        newest, older, *_ = policies.history(tx)
        assert newest.because == older.because == "the settings' modes changed"
        assert policies.find(tx, manual).overrides == {"": "manual"}


def test_a_process_that_starts_makes_its_file_rule_only_where_none_ever_did(escucha: Escucha) -> None:
    ruling = active(escucha)
    later = process(escucha, written.load_text(NEWER))
    assert active(escucha) == ruling
    hear(escucha, "ana")
    assert later.decide() == 1
    assert versions(escucha) == [ruling]
    with escucha.store.write() as tx:
        tx.execute(t.policy_versions.delete())
    process(escucha, written.load_text(NEWER))
    assert active(escucha) == written.load_text(NEWER).version


def test_what_a_process_without_a_policy_hears_waits(escucha: Escucha) -> None:
    nobody = process(escucha, None)
    with escucha.store.write() as tx:
        tx.execute(t.policy_versions.delete())
    hear(escucha, "ana")
    assert nobody.decide() == 0
    with escucha.store.read() as tx:
        assert decisions.decisions_of(tx, 1) == []
        assert tx.scalar(t.mentions.select().with_only_columns(t.mentions.c.state)) == MentionState.UNDERSTOOD


@pytest.mark.parametrize("named", ["", "nothing-like-it", "%", "v_"])
def test_a_version_that_never_ruled_is_named(escucha: Escucha, named: str) -> None:
    store_text(escucha, "v1x", "…")
    with escucha.store.read() as tx, pytest.raises(NotFound, match="ever ruled here"):
        policies.find(tx, named)


def test_versions_are_found_by_how_they_begin(escucha: Escucha) -> None:
    for version in ("v1", "v12", "v13"):
        store_text(escucha, version, f"text of {version}")
    with escucha.store.read() as tx:
        assert [policies.find(tx, name).text for name in ("v1", "v12", "v13")] == [
            f"text of {version}" for version in ("v1", "v12", "v13")
        ]
        assert policies.before(tx) == policies.find(tx, "v12")
        with pytest.raises(Mistake, match="3 policies that ruled here begin with 'v' \\(v1, v12, v13\\)"):
            policies.find(tx, "v")
