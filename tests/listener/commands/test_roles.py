"""`escucha run --role`, and what `status` says of those who share the work."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from listener.commands import roles
from listener.store.daemons import Running
from listener.types import Duty
from tests.listener.commands.test_running import LISTENING, Escucha

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def process(name: str, *named: str, silent: float = 0) -> Running:
    """One that said `silent` minutes ago that it lives."""
    seen = NOW - timedelta(minutes=silent)
    return Running(name=name, started_at=NOW - timedelta(hours=2), seen_at=seen, version="1", roles=named)


@pytest.mark.parametrize(
    ("alive", "silent", "said"),
    [
        pytest.param([process("a")], [process("b", silent=3)], [], id="nobody shares anything"),
        pytest.param([process("a", "poll", "work", "send")], [], [], id="one does all of it"),
        pytest.param([process("a", "poll", "work")], [], ["Nobody sends"], id="nobody sends"),
        pytest.param([process("a", "send")], [], ["Nobody listens", "Nobody reads"], id="one of three"),
        pytest.param([process("a", "send"), process("b")], [], [], id="one beside them does everything"),
        pytest.param(
            [process("a", "poll", "work", "send")],
            [process("b", "work", silent=3)],
            ["b (work) was last heard 3 min ago: it died or hangs, and others have its work"],
            id="one of two died",
        ),
        pytest.param(
            [process("a", "poll", "send")],
            [process("b", "work", silent=3)],
            ["Nobody reads", "it died or hangs. See its log"],
            id="the only one died",
        ),
        pytest.param([process("a", "poll", "work", "send")], [process("b", "work", silent=61)], [], id="long dead"),
    ],
)
def test_what_nobody_does_is_said(alive: list[Running], silent: list[Running], said: list[str]) -> None:
    found = roles.troubles(alive, silent, NOW)
    assert len(found) == len(said)
    for sentence, words in zip(found, said, strict=True):
        assert words in sentence


def test_roles_as_metrics_name_them() -> None:
    assert roles.named(frozenset()) == "all"
    assert roles.named(frozenset({Duty.WORK, Duty.POLL})) == "poll,work"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        pytest.param(("--role", "work"), "takes PostgreSQL", id="on SQLite"),
        pytest.param(("--role", "nobody"), "'nobody' is not one of 'poll', 'work', 'send', 'all'", id="no such role"),
        pytest.param(("--role", "work", "--once"), "leave --role out", id="once"),
    ],
)
def test_what_cannot_be_shared_is_refused(escucha: Escucha, arguments: tuple[str, ...], why: str) -> None:
    Path("escucha.toml").write_text(LISTENING, encoding="utf-8")
    refused = escucha("run", *arguments)
    assert refused.exit_code == 2
    assert why in refused.stderr
    assert not Path("escucha.db").exists(), "nothing was made"
