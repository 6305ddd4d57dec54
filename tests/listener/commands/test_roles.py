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
            [],
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


def test_where_nobody_is_left_one_sentence_says_what_nobody_does_and_who_did() -> None:
    fell = [process("a", "poll", silent=1.0), process("b", "work", silent=1.2), process("c", "send", silent=1.5)]
    assert roles.nobody_left([*fell, process("long ago", "send", silent=9)], NOW) == (
        "No process lives: nobody listens, reads and decides, or sends. Last heard 1 min ago: a (poll), b (work), "
        "c (send); they died, hang, or cannot write the database. See their logs and `escucha doctor`, then "
        "`escucha run --role poll`, `escucha run --role work`, `escucha run --role send`."
    )
    many = [process(f"p{number}", "work", silent=1) for number in range(7)]
    assert "p4 (work) and 2 more; they died" in roles.nobody_left(many, NOW)
    assert roles.nobody_left([process("a", silent=1)], NOW).startswith("The daemon a was last heard 1 min ago: it died")


SHARED = [process("a", "poll", "work", "send")]


@pytest.mark.parametrize(
    ("alive", "silent", "said"),
    [
        pytest.param(SHARED, [], [], id="nobody"),
        pytest.param(
            SHARED,
            [process("b", "work", silent=3)],
            ["1 process fell silent within the hour; others have its work."],
            id="one",
        ),
        pytest.param(
            SHARED,
            [process(f"b{minutes}", "work", silent=minutes) for minutes in range(3, 11)],
            ["8 processes fell silent within the hour; others have their work."],
            id="several",
        ),
        pytest.param(SHARED, [process("b", "work", silent=61)], [], id="long ago"),
        pytest.param([process("a", "poll")], [process("b", "work", silent=3)], [], id="nobody has its work"),
        pytest.param([process("a")], [process("b", silent=3)], [], id="nobody shares anything"),
    ],
)
def test_who_died_without_harm_is_one_sentence(alive: list[Running], silent: list[Running], said: list[str]) -> None:
    assert roles.mourned(alive, silent, NOW) == said


def test_who_hangs_in_a_send_is_named_with_what_to_do_and_counted_once() -> None:
    hangs = process("b", "send", silent=3)
    hung = [roles.Hung(account="care", processes=[hangs])]
    (said,) = roles.troubles(SHARED, [hangs], NOW, hung)
    assert "Nothing goes out on care" in said
    assert "(`kill -9`), and others go on: b, last heard 3 min ago." in said
    assert roles.mourned(SHARED, [hangs], NOW, hung) == []


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
