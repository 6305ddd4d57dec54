"""The company's own areas on the command line: taught, corrected, looked at, taught again."""

from __future__ import annotations

import csv
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pexpect
import pytest

import connectors
import policies
from listener.commands import lessons
from listener.commands.app import App
from listener.model.fewshot import Areas
from listener.store import audit, corrections, daemons, decisions, mentions, tables
from listener.types import DraftState
from tests.listener.commands.desk_world import DANGEROUS, SETTINGS, DeskWorld
from tests.listener.model.by_vectors import ByVectors
from tests.listener.model.test_fewshot import BILLING, EXAMPLES, ROAMING

ROOT = Path(__file__).parents[3]
HEAD = """name: small
language: es
teams: {care: {}}
default_team: care
rules: []
"""
MONTHS = ("enero", "febrero", "marzo", "abril", "mayo", "junio")
CONFUSED = {
    name: [f"factura con cargo {letter}" for letter in letters] for name, letters in [("a", "abcdef"), ("b", "ghijkl")]
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DeskWorld]:
    world = DeskWorld(tmp_path)
    world.classifier = ByVectors()
    (tmp_path / "escucha.toml").write_text(f'{SETTINGS}\n[policy]\nfile = "policy.yaml"\n', encoding="utf-8")
    write(world, EXAMPLES)
    no_policy_ruled_yet(world)
    yield world
    world.close()


def no_policy_ruled_yet(world: DeskWorld) -> None:
    """The one of the settings is it, as the file is now."""
    with world.store.write() as tx:
        tx.execute(tables.policy_versions.delete())


def write(world: DeskWorld, examples: dict[str, list[str]]) -> None:
    """The policy with those areas."""
    lines = [HEAD]
    if examples:
        lines.append("areas:")
    for name, texts in examples.items():
        lines += [f"  {name}:", "    examples:", *(f"      - {json.dumps(text, ensure_ascii=False)}" for text in texts)]
    (world.folder / "policy.yaml").write_text("\n".join(lines), encoding="utf-8")


def areas(world: DeskWorld) -> Areas:
    return Areas.load(world.folder / "models" / "areas.npz", reader="by-vectors")


def read(world: DeskWorld, text: str) -> tuple[str, ...]:
    ((found, _),) = areas(world).read(ByVectors().embed([text]))
    return found


# --- train ---


def test_train_learns_and_says_how_well(world: DeskWorld) -> None:
    done = world.run("model", "train")
    assert done.exit_code == 0, done.output
    assert "roaming" in done.output
    assert "PRECISION" in done.output
    assert "17 examples" in done.output
    assert "Out of scope" in done.output
    assert areas(world).version in done.output
    assert read(world, "otra factura con cargo doble") == ("billing",)
    assert read(world, "qué partido anoche") == ()


def test_train_as_json_says_everything(world: DeskWorld) -> None:
    done = world.run("model", "train", "--json")
    said = json.loads(done.output)
    assert done.exit_code == 0
    assert said["stored"] is True
    assert said["version"] == areas(world).version
    assert [each["area"] for each in said["areas"]] == ["billing", "roaming", "router"]
    assert {"precision", "recall", "f1", "examples"} <= set(said["areas"][0])
    assert said["out_of_scope_recall"] > 0.9
    assert all(set(each) == {"area", "taken_for", "sentences"} for each in said["confusions"])


def test_the_same_examples_teach_the_same(world: DeskWorld) -> None:
    world.run("model", "train")
    first = areas(world)
    world.run("model", "train")
    assert areas(world).version == first.version


def test_a_policy_without_areas_is_told_what_to_write(world: DeskWorld) -> None:
    write(world, {})
    done = world.run("model", "train")
    assert done.exit_code == 2
    assert "under `areas:`" in done.output
    assert "delete" not in done.output


def test_areas_the_policy_gave_up_can_be_forgotten(world: DeskWorld) -> None:
    world.run("model", "train")
    write(world, {})
    done = world.run("model", "train")
    assert done.exit_code == 2
    assert f"delete {world.folder / 'models' / 'areas.npz'}" in " ".join(done.output.split())


def test_poor_areas_are_kept_only_on_demand(world: DeskWorld) -> None:
    write(world, CONFUSED)
    refused = world.run("model", "train")
    assert refused.exit_code == 2
    assert "not good enough" in refused.output
    assert "taken for" in refused.output
    assert "factura con cargo" in refused.output
    assert not (world.folder / "models").exists()
    as_json = world.run("model", "train", "--json")
    assert as_json.exit_code == 2
    assert json.loads(as_json.output)["stored"] is False
    assert json.loads(as_json.output)["poor"]
    assert world.run("model", "train", "--yes").exit_code == 0
    assert areas(world).names == ("a", "b")


def test_examples_are_made_safe_for_the_terminal(world: DeskWorld) -> None:
    write(world, {**EXAMPLES, "router": [*EXAMPLES["router"], "la factura viene doble con cargo [bold]x[/bold]\u200b"]})
    done = world.run("model", "train", "--yes")
    assert done.exit_code == 0, done.output
    assert not DANGEROUS.search(done.output)
    assert "[bold]x[/bold]" in done.output


# --- correct ---


def test_a_mention_is_relabelled(world: DeskWorld) -> None:
    draft = world.draft(said="el roaming falló en mi viaje")
    done = world.run("model", "correct", f"M{draft.mention_id}", "--area", "roaming", "--intent", "question")
    assert done.exit_code == 0, done.output
    assert "areas none → roaming" in done.output
    assert "intents outage_report, complaint → question" in done.output
    waiting = json.loads(world.run("model", "examples", "--json").output)["waiting"]
    assert [(each["what"], each["becomes"], each["by"]) for each in waiting] == [
        ("intents", ["question"], "ana"),
        ("areas", ["roaming"], "ana"),
    ]
    assert waiting[0]["text"] == "el roaming falló en mi viaje"
    with world.store.read() as tx:
        assert audit.last(tx, f"mention {draft.mention_id}", "model.corrected") is not None


def test_a_draft_is_rejected_in_the_same_breath(world: DeskWorld) -> None:
    draft = world.draft(said="el roaming falló")
    done = world.run(
        "model", "correct", f"D{draft.id}", "--area", "roaming", "--reject", "about roaming, not an outage"
    )
    assert done.exit_code == 0, done.output
    assert world.now_is(draft).state is DraftState.REJECTED
    assert world.now_is(draft).reason == "about roaming, not an outage"
    assert len(json.loads(world.run("model", "examples", "--json").output)["waiting"]) == 1


def test_a_draft_decided_already_leaves_no_half(world: DeskWorld) -> None:
    draft = world.draft(said="el roaming falló")
    world.run("reject", f"D{draft.id}", "--reason", "no")
    done = world.run("model", "correct", f"D{draft.id}", "--area", "roaming", "--reject", "no")
    assert done.exit_code == 2
    assert json.loads(world.run("model", "examples", "--json").output)["waiting"] == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "Say what is right"),
        (["--area", "romaing"], "did you mean roaming?"),
        (["--area", "none"], "was read just so: areas none"),
        (["--sentiment", "negative"], "was read just so: sentiment negative"),
        (["--intent", "none", "--intent", "praise"], "stands alone"),
        (["--signal", "fire"], "fire"),
        (["--area", "roaming", "--reject", " "], "why"),
    ],
)
def test_what_cannot_be_meant_is_refused(world: DeskWorld, options: list[str], said: str) -> None:
    draft = world.draft()
    done = world.run("model", "correct", f"M{draft.mention_id}", *options)
    assert done.exit_code == 2
    assert said in done.output
    assert json.loads(world.run("model", "examples", "--json").output)["waiting"] == []


def test_what_was_read_rightly_beside_it_is_no_correction(world: DeskWorld) -> None:
    draft = world.draft(said="el roaming falló")
    done = world.run("model", "correct", f"D{draft.id}", "--area", "roaming", "--sentiment", "negative")
    assert done.exit_code == 0, done.output
    assert "sentiment negative, as it was read" in done.output
    waiting = json.loads(world.run("model", "examples", "--json").output)["waiting"]
    assert [each["what"] for each in waiting] == ["areas"]


def test_a_correction_accepted_by_mistake_is_taken_back(world: DeskWorld) -> None:
    corrected(world, "el roaming falló", "--area", "roaming")
    world.run("model", "examples", "--accept", "1")
    done = world.run("model", "correct", "M1", "--area", "none")
    assert done.exit_code == 0, done.output
    assert "1 of them" not in world.run("model", "train").output


def test_what_was_deleted_is_not_corrected(world: DeskWorld) -> None:
    draft = world.draft()
    world.is_deleted(draft.mention_id)
    done = world.run("model", "correct", f"M{draft.mention_id}", "--area", "roaming")
    assert done.exit_code == 2
    assert "edited or deleted" in done.output


# --- examples ---


def corrected(world: DeskWorld, text: str, *options: str, who: str = "ana") -> None:
    mention = world.draft(said=text, who=who).mention_id
    done = world.run("model", "correct", f"M{mention}", *options)
    assert done.exit_code == 0, done.output


def test_corrections_teach_once_somebody_looked(world: DeskWorld) -> None:
    world.run("model", "train")
    assert read(world, "sin cobertura fuera del país") == ()
    for number, where in enumerate(("Perú", "Brasil", "Italia", "Francia", "Uruguay"), start=1):
        corrected(world, f"sin cobertura fuera del país, en {where}", "--area", "roaming", who=f"p{number}")
    world.run("model", "train")
    assert read(world, "sin cobertura fuera del país") == ()
    listed = world.run("model", "examples")
    assert "none → roaming" in listed.output
    assert "en Uruguay" in listed.output
    done = world.run("model", "examples", "--accept", "1,2,3", "--accept", "4 5", actor="luis")
    assert done.exit_code == 0, done.output
    assert "escucha model train" in done.output
    trained = world.run("model", "train")
    assert "22 examples, 5 of them corrections" in trained.output
    assert read(world, "sin cobertura fuera del país") == ("roaming",)


def test_a_text_of_no_area_teaches_that(world: DeskWorld) -> None:
    text = "el router de la nave parpadea en rojo en la película"
    mention = world.hears(text)
    with world.store.write() as tx:
        read_as = replace(ByVectors().classify([text])[0], areas=("router",))
        decisions.understood(tx, mentions.get(tx, mention), read_as, world.clock())
    done = world.run("model", "correct", f"M{mention}", "--area", "none")
    assert "areas router → none" in done.output
    world.run("model", "examples", "--accept", "1")
    done = world.run("model", "train")
    assert "1 text of no area" in done.output
    assert json.loads(world.run("model", "train", "--json").output)["strays"] == 1


def test_of_the_same_words_the_later_correction_counts(world: DeskWorld) -> None:
    text = ROAMING[0]
    before = json.loads(world.run("model", "train", "--json").output)
    mention = world.hears(text)
    with world.store.write() as tx:
        read_as = replace(ByVectors().classify([text])[0], areas=("roaming",))
        decisions.understood(tx, mentions.get(tx, mention), read_as, world.clock())
    world.run("model", "correct", f"M{mention}", "--area", "none")
    world.run("model", "examples", "--accept", "1")
    without = json.loads(world.run("model", "train", "--json").output)
    assert without["strays"] == 1
    assert taught_with(without) == taught_with(before) | {"roaming": len(ROAMING) - 1}
    corrected(world, f" {text.upper()}", "--area", "billing", who="luis")
    world.run("model", "examples", "--accept", "2")
    moved = json.loads(world.run("model", "train", "--json").output)
    assert moved["strays"] == 0
    assert taught_with(moved) == taught_with(without) | {"billing": len(BILLING) + 1}


def taught_with(trained: dict[str, Any]) -> dict[str, int]:
    """How many examples each area had."""
    return {area["area"]: area["examples"] for area in trained["areas"]}


def test_what_is_dropped_teaches_nothing(world: DeskWorld) -> None:
    corrected(world, "sin cobertura", "--area", "roaming")
    assert world.run("model", "examples", "--drop", "1").exit_code == 0
    assert "No correction waits" in world.run("model", "examples").output
    assert json.loads(world.run("model", "train", "--json").output)["corrections"] == 0


def test_what_was_accepted_is_listed_with_who_and_when(world: DeskWorld) -> None:
    assert "No correction was accepted yet" in world.run("model", "examples", "--list").output
    corrected(world, "sin cobertura [bold]aquí[/bold]\u202e " + "y nada " * 30, "--area", "roaming")
    many = ["--intent", "purchase_interest", "--intent", "cancellation_threat", "--intent", "suggestion"]
    corrected(world, "no es nada", *many, "--sentiment", "neutral", who="luis")
    corrected(world, "otra cosa", "--area", "billing", who="eva")
    world.clock.forward(minutes=10)
    world.run("model", "examples", "--accept", "1,2,3", actor="luis")
    world.run("model", "examples", "--drop", "4", actor="luis")
    told = world.run("model", "examples", "--list").output
    assert max(map(len, told.splitlines())) <= 80
    assert not DANGEROUS.search(told)
    assert "1  M1  areas: none → roaming\n" in told
    assert "said by ana 2026-03-04 17:30, accepted by luis 2026-03-04 17:40 (UTC)" in told
    assert "outage_report, complaint → purchase_interest, cancellation_threat, suggestion" in " ".join(told.split())
    assert "3  M2  sentiment: negative → neutral\n" in told
    assert "sin cobertura [bold]aquí[/bold]\\u202e" in told
    assert "otra cosa" not in told
    assert "3 corrections" in told
    found = json.loads(world.run("model", "examples", "--list", "--json").output)
    assert set(found) == {"accepted", "outdated"}
    assert [(one["number"], one["mention"], one["what"]) for one in found["accepted"]] == [
        (1, "M1", "areas"),
        (2, "M2", "intents"),
        (3, "M2", "sentiment"),
    ]
    assert found["accepted"][0] | {"text": ""} == {
        "number": 1,
        "mention": "M1",
        "what": "areas",
        "was": [],
        "becomes": ["roaming"],
        "by": "ana",
        "at": "2026-03-04T17:30:00Z",
        "text": "",
        "accepted_by": "luis",
        "accepted_at": "2026-03-04T17:40:00Z",
    }
    of_one = json.loads(world.run("model", "examples", "--list", "--what", "sentiment", "--json").output)["accepted"]
    assert [one["number"] for one in of_one] == [3]


def test_numbers_that_are_none_are_refused(world: DeskWorld) -> None:
    corrected(world, "sin cobertura", "--area", "roaming")
    assert "no number of a correction" in world.run("model", "examples", "--accept", "D1").output
    assert "both" in world.run("model", "examples", "--accept", "1", "--drop", "1").output
    some = world.run("model", "examples", "--accept", "1,99")
    assert some.exit_code == 3
    assert "99" in some.output
    assert world.run("model", "examples", "--accept", "1").exit_code == 2
    assert world.run("model", "examples", "--each").exit_code == 2


def test_one_call_does_one_thing(world: DeskWorld) -> None:
    corrected(world, "sin cobertura", "--area", "roaming")
    accept = ["--accept", "1"]
    for options in ([*accept, "--each"], [*accept, "--export", "a.csv"], [*accept, "--list"], ["--each", "--json"]):
        done = world.run("model", "examples", *options)
        assert done.exit_code == 2
        assert "say one" in done.output
    assert "--export" in world.run("model", "examples", "--what", "areas").output
    assert len(json.loads(world.run("model", "examples", "--json").output)["waiting"]) == 1


@pytest.mark.slow
def test_one_key_decides_each(world: DeskWorld) -> None:
    for place in ("Perú", "Brasil", "Italia"):
        corrected(world, f"sin cobertura en {place}", "--area", "roaming", who=place)
    terminal = pexpect.spawn(
        sys.executable,
        [str(ROOT / "cli.py"), "model", "examples", "--each"],
        cwd=str(world.folder),
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "ESCUCHA_ACTOR": "luis"},
        dimensions=(24, 80),
        encoding="utf-8",
        timeout=20,
    )
    for place, key, said in (("Perú", "a", "Accepted"), ("Brasil", "zd", "Dropped"), ("Italia", "q", "escucha model")):
        terminal.expect(f"en {place}")
        terminal.expect("q quit")
        time.sleep(0.3)
        for each in key:
            terminal.send(each)
            time.sleep(0.5)
        terminal.expect(said)
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0
    with world.store.read() as tx:
        assert [one.id for one in corrections.accepted(tx, "areas")] == [1]
        assert [one.id for one in corrections.waiting(tx)] == [3]


def test_an_edited_mention_is_counted_and_not_used(world: DeskWorld) -> None:
    mention = world.hears("sin cobertura", external_id="p77")
    assert world.run("model", "correct", f"M{mention}", "--area", "roaming").exit_code == 0
    world.clock.forward(minutes=1)
    world.hears("sin cobertura, ya resuelto", external_id="p77")
    assert "edited since" in world.run("model", "examples").output


def test_accepted_intents_are_exported_to_measure_by(world: DeskWorld) -> None:
    corrected(world, '¿cuánto cuesta, con "todo"?', "--intent", "question", "--intent", "purchase_interest")
    corrected(world, "no es nada", "--intent", "none", who="luis")
    corrected(world, "sin cobertura", "--area", "roaming", who="eva")
    out = world.folder / "labels.csv"
    assert "Nothing of that was accepted" in world.run("model", "examples", "--export", str(out)).output
    world.run("model", "examples", "--accept", "1,2,3")
    assert "--what" in world.run("model", "examples", "--export", str(out)).output
    done = world.run("model", "examples", "--export", str(out), "--what", "intents")
    assert done.exit_code == 0, done.output
    with out.open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [
            ["text", "label"],
            ['¿cuánto cuesta, con "todo"?', "question|purchase_interest"],
            ["no es nada", "none"],
        ]
    assert "there already" in world.run("model", "examples", "--export", str(out), "--what", "intents").output
    taught = world.run("model", "examples", "--export", str(world.folder / "areas.csv"), "--what", "areas")
    assert "--head areas" in " ".join(taught.output.split())
    assert "these very texts" in taught.output


def test_no_spreadsheet_runs_what_is_exported(world: DeskWorld) -> None:
    from listener.model import labelled

    posts = ['=HYPERLINK("https://evil.example","ver")', "@marca ¿cuánto cuesta?", "'=1+1"]
    for place, text in enumerate(posts):
        corrected(world, text, "--intent", "question", who=f"who{place}")
    world.run("model", "examples", "--accept", "1,2,3")
    out = world.folder / "labels.csv"
    assert world.run("model", "examples", "--export", str(out)).exit_code == 0
    with out.open(encoding="utf-8", newline="") as file:
        assert [row[0] for row in csv.reader(file)] == ["text", *(f"'{text}" for text in posts)]
    read = labelled.examples(labelled.plan(out, head="intents"))
    assert [one.text for one in read if isinstance(one, labelled.Example)] == posts


def test_an_area_the_policy_lost_is_left_aside(world: DeskWorld) -> None:
    corrected(world, "sin cobertura", "--area", "roaming")
    world.run("model", "examples", "--accept", "1")
    write(world, {name: texts for name, texts in EXAMPLES.items() if name != "roaming"})
    assert "Left aside: 1 correction" in world.run("model", "train").output


# --- whether it must be taught again ---


def hint(world: DeskWorld) -> str | None:
    app = App(connectors=connectors, policies=policies, config_path=world.folder / "escucha.toml", now=world.clock)
    app.__dict__["reader_version"] = "by-vectors"
    try:
        behind = lessons.untaught(app)
    finally:
        app.close()
    assert behind is None or not behind.stops_run
    return behind.why if behind else None


def test_the_hint_says_when_to_train(world: DeskWorld) -> None:
    assert "3 areas, and none was learned yet" in (hint(world) or "")
    world.run("model", "train")
    assert hint(world) is None
    corrected(world, "sin cobertura", "--area", "roaming")
    assert hint(world) is None
    world.run("model", "examples", "--accept", "1")
    assert "changed since" in (hint(world) or "")
    world.run("model", "train")
    assert hint(world) is None
    world.is_deleted(1)
    assert "changed since" in (hint(world) or "")
    write(world, {})
    assert hint(world) is None


def test_the_hint_names_areas_that_were_never_learned(world: DeskWorld) -> None:
    world.run("model", "train")
    write(world, {**EXAMPLES, "moving house": [f"nos mudamos de casa en {month}" for month in MONTHS]})
    assert hint(world) == ("The policy has 1 area that was never learned (moving house); run `escucha model train`.")
    write(world, {name: texts for name, texts in EXAMPLES.items() if name != "roaming"})
    assert "changed since" in (hint(world) or "")


class Newer(ByVectors):
    """The model after an upgrade."""

    reader_version = "by-vectors-2"


REFUSED = "were learned for the model by-vectors, and by-vectors-2 reads now; teach them again: escucha model train."


def test_areas_of_another_model_are_told_before_run_refuses_them(world: DeskWorld) -> None:
    world.run("model", "train")
    world.classifier = Newer()
    file = world.folder / "models" / "areas.npz"
    status = json.loads(world.run("status", "--json").output)
    why = f"The areas in {file} {REFUSED}"
    assert status["areas"] == {"why": why, "stops_run": True}
    assert status["troubles"] == [f"No daemon is running, and `escucha run` does not start: {why}"]
    assert "".join(why.split()) in "".join(world.run("status").output.split())
    for path in ([], [str(world.folder / "policy.yaml")]):
        checked = world.run("policy", "check", *path, "--json")
        assert checked.exit_code == 0
        assert f"`escucha run` does not start: {why}" in json.loads(checked.output)["warnings"]
    looked = world.run("doctor", "--offline", "--json")
    checks = {check["name"]: check for check in json.loads(looked.output)["checks"]}
    assert looked.exit_code == 2
    assert (checks["areas"]["ok"], checks["areas"]["detail"]) == (False, why)
    assert checks["model"]["ok"] is True
    write(world, {})
    assert json.loads(world.run("status", "--json").output)["areas"]["stops_run"], "run refuses the file all the same"


def test_without_areas_what_another_model_learned_is_to_be_deleted(world: DeskWorld) -> None:
    world.run("model", "train")
    write(world, {})
    assert json.loads(world.run("status", "--json").output)["areas"] is None, "it is this model's: run starts"
    world.classifier = Newer()
    file = world.folder / "models" / "areas.npz"
    why = f"The policy has no areas, and what was learned before, {file}, is of another model; delete that file."
    assert json.loads(world.run("status", "--json").output)["areas"] == {"why": why, "stops_run": True}
    looked = json.loads(world.run("doctor", "--offline", "--json").output)["checks"]
    checks = {check["name"]: check for check in looked}
    assert (checks["areas"]["ok"], checks["areas"]["detail"], checks["model"]["ok"]) == (False, why, True)
    checked = json.loads(world.run("policy", "check", "--json").output)
    assert f"`escucha run` does not start: {why}" in checked["warnings"]
    assert world.run("model", "train").exit_code == 2
    file.write_bytes(b"damaged")
    told = json.loads(world.run("status", "--json").output)["areas"]["why"]
    assert told == why.replace("is of another model", "cannot be used")
    file.unlink()
    assert json.loads(world.run("status", "--json").output)["areas"] is None


def test_a_policy_that_cannot_be_read_hides_nothing_of_the_areas(world: DeskWorld) -> None:
    world.run("model", "train")
    world.classifier = Newer()
    (world.folder / "policy.yaml").write_text("oops", encoding="utf-8")
    looked = json.loads(world.run("doctor", "--offline", "--json").output)["checks"]
    checks = {check["name"]: check for check in looked}
    assert checks["model"]["ok"] is True
    assert checks["policy"]["ok"] is False
    assert checks["areas"]["detail"].endswith(REFUSED)


def test_a_daemon_that_runs_is_not_said_to_be_stopped(world: DeskWorld) -> None:
    world.run("model", "train")
    world.classifier = Newer()
    with world.store.write() as tx:
        daemons.alive(tx, name="host:1", version="1", started_at=world.clock(), now=world.clock())
    (told,) = json.loads(world.run("status", "--json").output)["troubles"]
    assert told.startswith("The next `escucha run` does not start: The areas in ")
    world.clock.forward(minutes=1)
    died, told = json.loads(world.run("status", "--json").output)["troubles"]
    assert died.startswith("The daemon host:1 was last heard")
    assert told.startswith("The next `escucha run` does not start")


def test_status_tells_what_was_never_learned_and_needs_nobody_for_it(world: DeskWorld) -> None:
    with world.store.write() as tx:
        daemons.alive(tx, name="host:1", version="1", started_at=world.clock(), now=world.clock())
    told = json.loads(world.run("status", "--json").output)
    assert told["troubles"] == []
    assert told["areas"]["stops_run"] is False
    assert "3 areas, and none was learned yet" in " ".join(world.run("status").output.split())
    world.run("model", "train")
    assert json.loads(world.run("status", "--json").output)["areas"] is None
    (world.folder / "policy.yaml").write_text("name: [", encoding="utf-8")
    assert json.loads(world.run("status", "--json").output)["areas"] is None


@pytest.mark.about_sqlite
def test_asking_whether_to_train_makes_no_database(tmp_path: Path) -> None:
    world = DeskWorld(tmp_path)
    (tmp_path / "escucha.toml").write_text(f'{SETTINGS}\n[policy]\nfile = "policy.yaml"\n', encoding="utf-8")
    write(world, EXAMPLES)
    world.close()
    for file in tmp_path.glob("escucha.db*"):
        file.unlink()
    done = world.run("policy", "check")
    assert done.exit_code == 0, done.output
    assert "none was learned yet" in done.output
    assert not (tmp_path / "escucha.db").exists()


def test_a_policy_is_well_where_what_was_learned_is_not(world: DeskWorld) -> None:
    (world.folder / "models").mkdir()
    (world.folder / "models" / "areas.npz").write_bytes(b"x")
    done = world.run("policy", "check")
    assert done.exit_code == 0, done.output
    assert "escucha model train" in " ".join(done.output.split())
