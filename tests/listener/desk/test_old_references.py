"""What a company once wrote to people is found for ever, though it writes its references otherwise now."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from listener import references
from listener.desk import cases as desk
from listener.errors import Mistake, NotFound
from listener.store import mentions
from listener.store.cases import Case
from listener.types import CasePlan, Urgency
from tests.listener.commands.desk_world import SETTINGS, DeskWorld, on_and_on

NEW = "SOL/{yyyy}/{number:04}/{check}"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DeskWorld]:
    made = DeskWorld(tmp_path)
    yield made
    made.close()


def opened(world: DeskWorld, pattern: str) -> Case:
    number = world.hears()
    with world.store.write() as tx:
        plan = CasePlan(team="care", urgency=Urgency.NORMAL, title="T")
        mention, now = mentions.get(tx, number), world.clock()
        case, _ = desk.route(tx, mention, pattern=pattern, plan=plan, another=True, by="mod", now=now, moved=on_and_on)
        return case


def test_both_are_found_after_the_pattern_changed(world: DeskWorld) -> None:
    old, new = opened(world, "ES"), opened(world, NEW)
    assert (old.reference, new.reference) == ("ES-26-000001-9", "SOL/2026/0002/4")
    with world.store.read() as tx:
        for typed in ("ES-26-000001-9", "es 26 1 9", "es26OOOOO19", "26.1.9"):
            assert desk.find(tx, typed, NEW).id == old.id, typed
        for typed in ("sol/2026/2/4", "SOL2O26OOO24", "sol 26 2 4", "26 2 4"):
            assert desk.find(tx, typed, NEW).id == new.id, typed
            assert desk.find(tx, typed, "ES").id == new.id, typed
        with pytest.raises(Mistake, match=r"slip.*Did you mean .*SOL/2026/0002/4"):
            desk.find(tx, "SOL/2026/0002/5", NEW)
        with pytest.raises(NotFound, match="no case SOL/2026/0777"):
            desk.find(tx, references.reference(NEW, 2026, 777), NEW)


def test_the_settings_say_how_references_are_written(world: DeskWorld) -> None:
    settings = f'{SETTINGS}\n[cases]\nprefix = "MX"\nreference = "{{prefix}}.{{yy}}.{{number}}.{{check}}"\n'
    (world.folder / "escucha.toml").write_text(settings, encoding="utf-8")
    number = world.hears()
    assert world.run("case", "open", f"M{number}").stdout.startswith("MX.26.1.9 is open")
    assert "MX.26.1.9" in world.run("case", "show", "mx26 000001 9").stdout


def test_a_pattern_that_gives_no_reference_is_refused_with_what_to_write(world: DeskWorld) -> None:
    settings = f'{SETTINGS}\n[cases]\nreference = "ES-{{number}}"\n'
    (world.folder / "escucha.toml").write_text(settings, encoding="utf-8")
    result = world.run("case", "list")
    assert result.exit_code == 2
    assert 'needs {yy} or {yyyy}, {number} and {check}, each once; write "ES-{yy}-{number:06}-{check}"' in result.stderr
