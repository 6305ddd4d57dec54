"""The policy's guidelines stand below a draft that does not keep them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from listener.store import policies
from policies import load_text
from tests.listener.commands.desk_world import DeskWorld

POLICY = """name: tone
language: es
teams: {care: {}}
default_team: care
guidelines:
  no_promises: {hold: true}
  greet_by_name: true
templates: {hello: {es: "Hola."}}
rules: [{name: all, then: {reply: hello}}]
"""
RULES = load_text(POLICY).version


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[DeskWorld]:
    """A desk whose policy has guidelines."""
    desk = DeskWorld(tmp_path)
    (desk.folder / "policy.yaml").write_text(POLICY, encoding="utf-8")
    settings = desk.folder / "escucha.toml"
    settings.write_text(settings.read_text("utf-8") + '\n[policy]\nfile = "policy.yaml"\n', encoding="utf-8")
    with desk.store.write() as tx:
        policies.activate(tx, version=RULES, text=POLICY, by="boss", now=desk.clock())
    yield desk
    desk.close()


def test_show_names_what_a_draft_does_not_keep(strict: DeskWorld) -> None:
    strict.draft("Te prometemos que mañana tendrás luz.", policy=RULES)
    told = strict.run("show", "D1").stdout
    assert "The reply promises something (“prometemos”)." in told
    assert json.loads(strict.run("show", "D1", "--json").stdout)["tone"][0].startswith("The reply promises")
    assert strict.run("approve", "D1").exit_code == 0, "a guideline advises; the person decides"


def test_nothing_stands_below_a_draft_that_keeps_them_or_without_a_policy(strict: DeskWorld) -> None:
    name = "Ana"
    strict.draft(f"Hola, {name}: lo miramos ahora.", policy=RULES)
    assert "promises" not in strict.run("show", "D1").stdout
    with strict.store.write() as tx:
        policies.activate(tx, version="p9", text="nonsense", by="boss", now=strict.clock())
    told = strict.run("show", "D1", "--json")
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["tone"] == []
