"""explain: every rule, every guard, the scores, and who did what when."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

import connectors
import policies
from listener.commands import explain, weighing
from listener.commands.app import App
from listener.errors import Mistake
from listener.model import card as cards
from listener.model.card import Card, CardFile
from listener.model.imported_card import ImportedCard
from listener.model.onnx import Profile
from listener.model.reading import BUNDLED, load, reader_version
from listener.model.teaching import teach
from listener.model.weighing import Kind, Label, weigh
from listener.store import tables
from listener.types import GuardTrace, Intent, Level, Mode, ModeTrace, RuleOutcome, RuleTrace, Sentiment, Understanding
from tests.listener.commands.desk_world import DANGER, DANGEROUS, GUARDS, RULES, SAID, DeskWorld
from tests.listener.model.by_vectors import ByVectors
from tests.listener.model.by_words import ByWords
from tests.listener.model.test_fewshot import EXAMPLES

ROOT = Path(__file__).parents[3]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskWorld]:
    world = DeskWorld(tmp_path)
    yield world
    world.close()


def test_it_names_every_rule_in_order_with_its_outcome(desk: DeskWorld) -> None:
    desk.draft()
    told = desk.run("explain", "D1").stdout
    places = [told.index(rule.rule) for rule in RULES]
    assert places == sorted(places)
    assert re.search(r"rule +why\b", told)
    assert re.search(r"✗ robots +author\.bot wanted yes; saw no", told)
    assert re.search(r"✓ outage +matched: who has no service", told)
    assert re.search(r"· anything-else +not reached", told)
    assert max(map(len, told.splitlines())) <= 80


LONG = RuleTrace(
    rule="somebody who wrote to us again and again this week",
    outcome=RuleOutcome.FAILED,
    condition="author.mentions_last_7_days",
    wanted="maleta or equipaje or valija or baggage or " + "suitcase" * 20,
    saw="none of these words, and \x1b[31mmore than one line",
)


@pytest.mark.parametrize("columns", [80, 120])
def test_the_table_of_rules_fits_the_screen_and_loses_nothing_that_failed(desk: DeskWorld, columns: int) -> None:
    desk.draft(rules=(*RULES, LONG))
    told = desk.run("explain", "M1", "--no-words", environment={"COLUMNS": str(columns)}).stdout
    rules = told[told.index("Rules, in order") :].partition("\n\n")[0]
    assert max(map(len, rules.splitlines())) <= columns
    for part in ("author.mentions_last_7_days", "maleta", "5 in all"):
        assert part in rules  # nothing is cut inside a word
    assert "baggage" not in rules
    assert not DANGEROUS.search(rules)
    assert all(word in rules.split() for word in LONG.rule.split())
    everything = desk.run("explain", "M1", "--no-words", "--all", environment={"COLUMNS": str(columns)}).stdout
    assert "suitcase" in re.sub(r"\s", "", everything)


def test_what_people_changed_is_told_in_time_order(desk: DeskWorld) -> None:
    desk.decides(desk.hears(), open_case=True)
    assert "What people changed" not in desk.run("explain", "M1", "--no-words").stdout
    desk.clock.forward(minutes=1)
    desk.run("edit", "D1", "--text", "Hola.", actor="luis")
    desk.clock.forward(minutes=1)
    assert desk.run("case", "assign", "ES-26-000001-9", "--agent", "eva", "--team", "care").exit_code == 0
    desk.clock.forward(minutes=1)
    assert desk.run("model", "correct", "M1", "--sentiment", "neutral", actor="luis").exit_code == 0
    desk.clock.forward(minutes=1)
    desk.run("reject", "D1", "--reason", "answered elsewhere", actor="eva")
    told = desk.run("explain", "M1", "--no-words").stdout
    changes = told[told.index("What people changed") :].partition("\n\n")[0]
    lines = [
        "luis wrote other words in D1",
        "ana gave ES-26-000001-9 to team care, agent eva",
        "luis read sentiment as neutral, not negative",
        "eva rejected D1: answered elsewhere",
    ]
    assert [line[23:] for line in changes.splitlines()[1:]] == lines
    plain = json.loads(desk.run("explain", "M1", "--no-words", "--json").stdout)["changed"]
    assert [each["what"] for each in plain] == ["edited", "reassigned", "relabelled", "rejected"]
    assert set(plain[0]) == {"at", "by", "what", "words"}


def test_it_names_every_guard_and_what_it_did(desk: DeskWorld) -> None:
    desk.draft(guards=(*GUARDS, DANGER))
    told = desk.run("explain", "M1", "--all").stdout
    assert re.search(r"! risk +held it for a person: it holds words of danger", told)
    assert len(re.findall(r"✓ \S+ +let it pass", told)) == sum(not guard.holds for guard in GUARDS)
    told = desk.run("explain", "M1").stdout
    assert "Guards  2 others let it pass" in told
    assert re.search(r"! risk +held it for a person: it holds words of danger", told)


def test_bars_grow_with_the_scores(desk: DeskWorld) -> None:
    desk.draft()
    told = desk.run("explain", "M1", "--all").stdout
    bars = [line.count("█") for line in told.splitlines() if re.match(r"  [✓·] \S.* 0\.\d\d  ", line)]
    assert bars == [17, 2, 0, 18, 12, 1]
    assert "language es, 0.99 sure; model m1" in told


# --- the scores beside what they needed -------------------------------------------------------------------------------


def card() -> Card:
    return cards.read(BUNDLED)


def read_by(desk: DeskWorld, version: str, **columns: object) -> None:
    """The understanding on record, as that model's."""
    with desk.store.write() as tx:
        tx.execute(tables.model_versions.insert().values(version=version, first_used_at=desk.clock()))
        tx.execute(tables.understandings.update().values(model_version=version, **columns))


def model_part(told: str) -> str:
    return told[told.index("\nModel\n") :].partition("\n\n")[0]


@pytest.mark.parametrize("profile", ["full", "fast"])
def test_each_score_stands_beside_the_one_it_needed(desk: DeskWorld, profile: Profile) -> None:
    desk.draft()
    version, scale = reader_version(card(), profile), card().profiles[profile].of("es")
    least = scale.intents["question"].threshold
    scores = {"outage_report": 0.91, "complaint": 0.64, "question": 0.2 * least, "praise": 0.001}
    read_by(desk, version, intent_scores=scores, signal_scores={"press": 0.001})
    told = model_part(desk.run("explain", "M1").stdout)
    assert re.search(rf"✓ outage report +0\.91 of {scale.intents['outage_report'].threshold:.2f}  █{{18}}", told)
    assert re.search(rf"✓ negative +0\.88 of {scale.sentiment.thresholds['negative']:.2f}  █", told)
    assert f"question {0.2 * least:.2f} of {least:.2f}" in told
    assert "praise" not in told
    assert "press" not in told
    assert "and 3 below a tenth of theirs" in " ".join(told.split())
    everything = desk.run("explain", "M1", "--all").stdout
    assert re.search(rf"· praise +0\.00 of {scale.intents['praise'].threshold:.2f} *\n", everything)
    assert re.search(rf"· press +0\.00 of {scale.signals['press'].threshold:.2f} *\n", everything)
    thresholds = json.loads(desk.run("explain", "M1", "--json").stdout)["understanding"]["thresholds"]
    assert thresholds == {
        "sentiment": dict(scale.sentiment.thresholds),
        "intents": {name: one.threshold for name, one in scale.intents.items()},
        "signals": {name: one.threshold for name, one in scale.signals.items()},
        "areas": {},
    }


def test_what_the_labels_of_a_model_that_is_gone_needed_is_not_guessed(desk: DeskWorld) -> None:
    desk.draft()
    for version in ("m1", f"{card().version}+gone@12345678"):
        if version != "m1":
            read_by(desk, version)
        told = model_part(desk.run("explain", "M1").stdout)
        assert re.search(r"✓ outage report +0\.91 +█", told)
        assert "question 0.05, and 1 below 0.05" in told
        assert "not here any more" in told
        assert " of 0" not in told
        assert json.loads(desk.run("explain", "M1", "--json").stdout)["understanding"]["thresholds"] is None


def test_an_imported_model_s_labels_need_what_it_says(desk: DeskWorld) -> None:
    desk.draft()
    folder = desk.folder / "models" / "mine"
    folder.mkdir(parents=True)
    imported = ImportedCard(
        name="mine",
        made="2026-03-04",
        architecture="tiny",
        inputs=("input_ids",),
        max_tokens=16,
        multi_label=True,
        labels=(("angry", Sentiment.NEGATIVE), ("glad", Sentiment.POSITIVE), ("broken", Intent.OUTAGE_REPORT)),
        files=tuple(CardFile(name=name, sha256="0" * 64, size=1) for name in ("model.onnx", "tokenizer.json")),
        origin={},
        metrics={},
        threshold=0.77,
    )
    (folder / "card.json").write_text(json.dumps(imported.as_json()), encoding="utf-8")
    read_by(desk, f"{card().version}+{imported.version}")
    found = json.loads(desk.run("explain", "M1", "--json").stdout)["understanding"]["thresholds"]
    assert set(found["sentiment"].values()) == {0.77}
    assert found["intents"]["outage_report"] == 0.77
    assert found["intents"]["complaint"] == card().profiles["full"].of("es").intents["complaint"].threshold
    given = {"language": "pt", "intents": ["outage_report"]}
    with desk.store.write() as tx:
        tx.execute(tables.understandings.update().values(sentiment=None, intent_scores={"outage_report": 0.9}, **given))
    assert why_not(desk) == ELSE, "it speaks whatever the language"
    with desk.store.write() as tx:
        tx.execute(tables.understandings.update().values(intent_scores={"outage_report": 0.9, "complaint": 0.99}))
    assert why_not(desk) == TAUGHT_PT.replace("no label", "no other label")


def test_areas_need_what_was_learned_while_it_is_that(desk: DeskWorld) -> None:
    desk.draft()
    lesson = teach(EXAMPLES, ByVectors().embed, reader=card().version)
    lesson.areas.save(desk.folder / "models" / "areas.npz")
    read_by(desk, f"{card().version}+{lesson.areas.version}", areas=["roaming"], area_scores={"roaming": 0.9})
    told = model_part(desk.run("explain", "M1").stdout)
    assert re.search(rf"✓ roaming +0\.90 of {float(lesson.areas.threshold):.2f}  █", told)
    other = {"language": "pt", "areas": [], "area_scores": {"roaming": 0.9, "billing": 0.8}}
    with desk.store.write() as tx:
        tx.execute(tables.understandings.update().values(sentiment=None, intents=[], intent_scores={}, **other))
    assert why_not(desk) == TAUGHT_PT
    with desk.store.write() as tx:
        tx.execute(tables.understandings.update().values(areas=["roaming"], sentiment="negative"))
    assert why_not(desk) is None, "a second area needs more than its score"
    read_by(desk, f"{card().version}+00000000")
    told = model_part(desk.run("explain", "M1").stdout)
    assert re.search(r"✓ roaming +0\.90 +█", told), "taught again since"
    assert re.search(r"✓ negative +0\.88 of 0", told)


# --- labels kept back -------------------------------------------------------------------------------------------------

AFAR = "Estou farto deste serviço, vou cancelar o contrato e mudar de operadora hoje mesmo!"
TAUGHT_PT = "It was not taught this language (pt), so no label is given."
NO_WORDS = "There are no words in it, so no label is given."
ELSE = "Something else than its score kept a label back."


def understood(found: Understanding, **changes: object) -> dict[str, object]:
    """An understanding as the table has it."""
    names = ("language", "sentiment", "sentiment_scores", "intents", "intent_scores", "signals", "signal_scores")
    return {**{name: getattr(found, name) for name in (*names, "areas", "area_scores")}, **changes}


def why_not(desk: DeskWorld) -> str | None:
    """What the JSON says, which people read in the model's part once, or not at all."""
    found: str | None = json.loads(desk.run("explain", "M1", "--json").stdout)["understanding"]["kept_back"]
    for options in ((), ("--all",)):
        told = " ".join(desk.run("explain", "M1", "--no-words", *options).stdout.split())
        assert told.count(found or "label is given") == (1 if found else 0)
        assert ELSE not in told or found == ELSE
    return found


@pytest.mark.parametrize(("text", "why"), [(AFAR, TAUGHT_PT), ("12345 !!", NO_WORDS), (SAID, None)])
def test_why_the_model_gives_no_label_although_the_score_is_there(desk: DeskWorld, text: str, why: str | None) -> None:
    desk.draft()
    model = load()
    (found,) = model.classify([text])
    assert bool(found.intents) == (why is None)
    with desk.store.write() as tx:
        tx.execute(tables.mentions.update().values(text=text))
    read_by(desk, model.version, **understood(found))
    assert why_not(desk) == why


def test_only_a_label_that_had_its_score_was_kept_back(desk: DeskWorld) -> None:
    desk.draft()
    scale = card().profiles["full"].of("pt")
    feelings, wishes = scale.sentiment.thresholds, {name: one.threshold for name, one in scale.intents.items()}
    nothing: dict[str, object] = {
        "sentiment": None,
        "intents": [],
        "intent_scores": {},
        "signals": [],
        "signal_scores": {},
    }
    read_by(desk, card().version, language="pt", sentiment_scores={}, **nothing)

    def now(**columns: object) -> str | None:
        with desk.store.write() as tx:
            tx.execute(tables.understandings.update().values(**{**nothing, "language": "pt", **columns}))
        return why_not(desk)

    least = wishes["complaint"]
    assert now(intent_scores={"complaint": least - 0.001}) is None
    assert now(intent_scores={"complaint": least}) == TAUGHT_PT
    assert now(intent_scores={"complaint": least}, language="de\x1b[2J") == TAUGHT_PT.replace("pt", "de\\x1b[2J")
    assert now(intent_scores={"complaint": least}, language="und") == ELSE
    assert now(intent_scores={"complaint": least}, intents=["complaint"]) is None
    likeliest = {"negative": feelings["negative"] - 0.01, "neutral": feelings["neutral"] - 0.01, "positive": 0.0}
    assert now(sentiment_scores=likeliest) is None
    assert now(sentiment_scores={"negative": 0.99, "neutral": 0.98}, sentiment="negative") is None
    assert now(sentiment_scores={"negative": 0.99, "neutral": 0.0}) == TAUGHT_PT


# --- in short, and everything -----------------------------------------------------------------------------------------


def many_rules() -> list[RuleTrace]:
    failed = [
        RuleTrace(rule=f"rule {n}", outcome=RuleOutcome.FAILED, condition="case.exists", wanted="true", saw="false")
        for n in range(11)
    ]
    matched = RuleTrace(rule="outage", outcome=RuleOutcome.MATCHED, wanted="who has no service waits for nobody")
    rest = [RuleTrace(rule=f"later {n}", outcome=RuleOutcome.NOT_REACHED) for n in range(9)]
    return [*failed, matched, *rest]


def test_a_usual_mention_fits_a_large_screen(desk: DeskWorld) -> None:
    guards = [GuardTrace(guard=f"guard_{n}") for n in range(17)]
    desk.draft(rules=many_rules(), guards=guards, open_case=True)
    low = {f"label_{n}": 0.001 for n in range(12)}
    read_by(desk, card().version, signal_scores=low)
    desk.classifier = Renamed(card().version)
    told = desk.run("explain", "M1").stdout
    assert len(told.splitlines()) <= 60
    assert len(re.findall(r"✗ rule \d+ +case\.exists wanted true; saw false *\n", told)) == 11
    assert re.search(r"✓ outage +matched: who has no service", told)
    assert len(re.findall(r"· later \d+ +not reached *\n", told)) == 9
    assert "Guards  17 let it pass" in told
    assert told.splitlines()[-1] == "Every rule in full, every guard and score: escucha explain D1 --all"
    assert max(map(len, told.splitlines())) <= 80
    everything = desk.run("explain", "M1", "--all").stdout
    assert len(re.findall(r"✗ rule \d+ +case\.exists wanted true; saw false", everything)) == 11
    assert len(re.findall(r"✓ guard_\d+ +let it pass", everything)) == 17
    assert len(re.findall(r"· label \d+ +0\.00", everything)) == 12
    assert "--all" not in everything
    assert max(map(len, everything.splitlines())) <= 80


def test_who_reviews_sees_everything(desk: DeskWorld) -> None:
    desk.draft(rules=many_rules())
    app = App(connectors=connectors, policies=policies, config_path=desk.folder / "escucha.toml", now=desk.clock)
    paper = io.StringIO()
    try:
        drawn = explain.draw(explain.gather(app, "D1"), app=app, width=80, everything=True)
    finally:
        app.close()
    Console(width=80, file=paper).print(drawn)
    assert len(re.findall(r"✗ rule \d+ +case\.exists", paper.getvalue())) == 11


def test_it_says_whether_the_policy_still_rules(desk: DeskWorld) -> None:
    desk.draft()
    assert "p1, in force" in desk.run("explain", "D1").stdout
    desk.new_policy("p2")
    assert "p1, no longer in force: p2 rules now" in desk.run("explain", "D1").stdout
    assert json.loads(desk.run("explain", "D1", "--json").stdout)["policy_in_force"] is False


def test_who_did_what_when_is_told_in_order(desk: DeskWorld) -> None:
    desk.decides(desk.hears(), open_case=True)
    desk.run("edit", "D1", "--text", "Hola.", actor="luis")
    desk.clock.forward(minutes=1)
    desk.run("reject", "D1", "--reason", "answered elsewhere", actor="eva")
    told = desk.run("explain", "D1").stdout
    history = told[told.index("Who did what") :]
    lines = [
        r"policy +opened +ES-26-000001-9",
        r"policy +proposed +D1",
        r"luis +edited +D1 +edit 2",
        r"eva +rejected +D1 +reason answered",
    ]
    assert re.search(".*".join(lines), history, re.DOTALL)


def test_a_deleted_mention_leaves_a_skeleton_with_a_sentence(desk: DeskWorld) -> None:
    secret = RuleTrace(rule="outage", outcome=RuleOutcome.FAILED, condition="text.contains", wanted="x", saw="a secret")
    mention = desk.hears()
    draft = desk.decides(mention, rules=(secret,))
    assert draft
    desk.is_deleted(mention)
    for what in (f"M{mention}", "D1"):
        told = desk.run("explain", what)
        assert told.exit_code == 0
        assert "Its author deleted it" in told.stdout
        assert "✗ outage" in told.stdout
        assert "held it for a person" in told.stdout
        for gone in ("a secret", SAID[:20], "Hola Ana", "0.91"):
            assert gone not in told.stdout
        assert "deleted" in desk.run("show", what).stdout.lower()
    plain = json.loads(desk.run("explain", "M1", "--json").stdout)
    assert plain["deleted"] is True
    assert plain["mention"]["text"] == ""
    assert plain["rules"] == [{"rule": "outage", "outcome": "failed"}]


def test_the_shadow_and_shares_are_told(desk: DeskWorld) -> None:
    rules = (
        RuleTrace(rule="bold", outcome=RuleOutcome.SHADOW, wanted="why", saw="reply with `hello` (auto)"),
        RuleTrace(rule="thanks", outcome=RuleOutcome.MATCHED, saw="drew 37.12 of 100"),
    )
    desk.decides(desk.hears(), rules=rules)
    told = desk.run("explain", "D1", environment={"COLUMNS": "120"}).stdout
    assert re.search(r"○ bold +in the shadow: why *\n +changes nothing; it would reply with `hello` \(auto\)", told)
    assert re.search(r"✓ thanks +matched *\n +drew 37\.12 of 100", told)


def test_the_service_level_that_was_applied_is_told(desk: DeskWorld) -> None:
    desk.draft()
    dues = {"first_response_due": "2026-03-05T09:00:00+00:00", "resolution_due": None}
    promise = {"level": "high, only tier gold", "calendar": "office", **dues}
    with desk.store.write() as tx:
        trace = tx.scalars(tables.decisions.select().with_only_columns(tables.decisions.c.trace)).one()
        tx.execute(tables.decisions.update().values(trace={**trace, "promise": promise}))
    shown = " ".join(desk.run("explain", "D1").stdout.split())
    assert "promised high, only tier gold, on office: first answer by Thu 5 Mar 09:00 (UTC)" in shown
    assert json.loads(desk.run("explain", "D1", "--json").stdout)["promise"] == promise


def test_who_left_a_reply_to_a_person_is_told(desk: DeskWorld) -> None:
    drew = "drew 42.10 of 100 for the share of 10% of network x: a person sees it"
    modes = (
        ModeTrace(level=Level.NETWORK, name="x", mode=Mode.MANUAL, said=drew, share=10, lot=42.1),
        ModeTrace(level=Level.TEAM, name="care", mode=Mode.AUTO, said="team care lets it go out alone"),
    )
    mention = desk.hears()
    desk.decides(mention, modes=modes)
    told = desk.run("explain", "D1", "--no-words", environment={"COLUMNS": "120"}).stdout
    assert "Alone or by a person" in told
    assert re.search(rf"! network x +{re.escape(drew)}", told)
    assert re.search(r"✓ team care +team care lets it go out alone", told)
    first, second = json.loads(desk.run("explain", "D1", "--no-words", "--json").stdout)["modes"]
    assert (first["level"], first["mode"], first["lot"], second["lot"]) == ("network", "manual", 42.1, None)
    desk.is_deleted(mention)
    erased = desk.run("explain", f"M{mention}", "--no-words").stdout
    assert re.search(r"! network +a person", erased)
    assert "42.10" not in erased


def test_everything_shows_a_long_cell_in_full(desk: DeskWorld) -> None:
    desk.draft(rules=(replace(LONG, wanted="word " * 300 + "end"),))
    for arguments, ends in (((), False), (("--all",), True)):
        told = desk.run("explain", "M1", "--no-words", *arguments).stdout
        rules = told[told.index("Rules, in order") :].partition("\n\n")[0]
        assert bool(re.search(r"\bend\b", rules)) is ends


def test_what_was_not_decided_yet_says_so(desk: DeskWorld) -> None:
    mention = desk.hears()
    told = desk.run("explain", f"M{mention}")
    assert told.exit_code == 0
    assert "has not spoken about it yet" in told.stdout


def test_an_earlier_decision_is_named(desk: DeskWorld) -> None:
    desk.decides(desk.hears("No anda", external_id="x1"))
    desk.clock.forward(seconds=5)
    mention = desk.hears("No anda nada", external_id="x1")
    desk.decides(mention)
    told = desk.run("explain", f"M{mention}").stdout
    assert "Decided before" in told
    assert "revision 1, policy p1" in told
    assert "revision 2, policy p1" in desk.run("explain", "D1").stdout  # D1 answered the first


@pytest.mark.parametrize(
    "trace",
    [
        {},
        {"rules": [{}], "guards": [{}]},
        {"rules": [{"rule": "r", "outcome": "strange"}], "saw": ["no", "mapping"]},
        {
            "rules": [{"rule": "r", "outcome": "failed"}],
            "guards": [],
            "saw": {"a": None, "b": [1, 2], "c": {"d": True}},
        },
    ],
)
def test_an_odd_trace_is_shown_as_far_as_it_goes(desk: DeskWorld, trace: dict[str, object]) -> None:
    desk.draft()
    with desk.store.write() as tx:
        tx.execute(tables.decisions.update().values(trace=trace))
    for command in ("explain", "show"):
        told = desk.run(command, "M1")
        assert told.exit_code == 0, told.exception


def test_the_score_is_a_sum_of_its_parts_and_the_team_has_a_reason(desk: DeskWorld) -> None:
    desk.draft()
    parts = [{"name": "urgency high", "points": 60}, {"name": "outage\x1b[2J", "points": 30}]
    parts += [{"name": "praise", "points": -10}]
    route = {"team": "care", "because": "rule “bill” names care; care is full (2 of 2)", "skills": ["sql", "lua"]}
    trace = {"rules": [], "guards": [], "contributions": parts, "route": route}
    with desk.store.write() as tx:
        tx.execute(tables.decisions.update().values(trace=trace, score=80))
    told = desk.run("explain", "M1").stdout
    assert not DANGEROUS.search(told)
    assert re.search(r"score +80: \+60 urgency high, \+30 outage\S*, −10 praise", told)
    assert "rule “bill” names care; care is full (2 of 2)" in " ".join(told.split())
    assert re.search(r"skills +sql, lua", told)
    summed = desk.run("explain", "M1", "--all").stdout.partition("Score\n")[2].splitlines()
    assert [line.split()[0] for line in summed[:4]] == ["+60", "+30", "−10", "80"]
    plain = json.loads(desk.run("explain", "M1", "--json").stdout)
    assert (plain["score"], plain["route"]) == (80, route)
    assert sum(part["points"] for part in plain["contributions"]) == 80


@pytest.mark.parametrize("command", ["explain", "show"])
def test_the_docs_name_every_key_of_the_json(desk: DeskWorld, command: str) -> None:
    desk.draft()
    page = (ROOT / "docs" / "moderators.md").read_text(encoding="utf-8")
    for key in json.loads(desk.run(command, "M1", "--json").stdout):
        assert f"`{key}`" in page, key


# --- which words -----------------------------------------------------------------------------------------------------

ANGRY = "Una vergüenza: el router no funciona. Gracias 😡"


def words_of(told: str) -> str:
    """The section of that name."""
    return told[told.index("Which words") :].partition("\n\n")[0]


def by_label(desk: DeskWorld, what: str = "M1") -> dict[str, dict[str, float]]:
    found = json.loads(desk.run("explain", what, "--json").stdout)["words"]
    for each in found["labels"]:
        for word in each["words"]:
            assert found["text"][word["start"] : word["end"]] == word["text"]
    return {
        each["label"]: {word["text"]: word["weight"] for word in each["words"] if word["weight"]}
        for each in found["labels"]
    }


def test_without_colour_marks_show_what_raised_and_what_lowered_a_label(desk: DeskWorld) -> None:
    desk.draft(said=ANGRY)
    told = words_of(desk.run("explain", "M1", "--all").stdout)
    assert "Una [[vergüenza]]: el router no funciona. ((Gracias)) [[😡]]" in told
    assert '+0.45 "vergüenza"  +0.20 "😡"  −0.12 "Gracias"' in told
    assert re.search(r"intent complaint 0\.90\n +Una vergüenza: el router \[\[no funciona\]\]", told)
    assert re.search(r"intent outage report 0\.20\n.*\n +no words decide it alone", told)
    assert "[[raised]] ((lowered))" in told
    assert max(map(len, told.splitlines())) <= 80


def test_in_short_the_weights_stand_beside_their_label(desk: DeskWorld) -> None:
    desk.draft(said=ANGRY)
    told = words_of(desk.run("explain", "M1").stdout)
    assert 'sentiment negative 0.73  +0.45 "vergüenza"  +0.20 "😡"  −0.12 "Gracias"\n' in told
    assert "Una [[vergüenza]]: el router no funciona. ((Gracias)) [[😡]]" in told
    assert re.search(r'intent complaint 0\.90  \+0\.80 "no funciona"\n +Una vergüenza: el router \[\[no fun', told)
    assert "intent outage report 0.20  no words decide it alone" in told
    assert max(map(cell_len, told.splitlines())) <= 80


def test_in_short_a_text_is_shown_around_its_strongest_words(desk: DeskWorld) -> None:
    desk.draft(said=f"Pésimo {'bla ' * 30}vergüenza {'bla ' * 30}")
    told = words_of(desk.run("explain", "M1").stdout)
    assert re.search(r"\[\[Pésimo\]\] bla bla bla … bla bla bla \[\[vergüenza\]\] bla bla bla …\n", told)
    assert told.count("bla") < 20
    assert words_of(desk.run("explain", "M1", "--all").stdout).count("bla") > 60


def test_on_a_terminal_colours_take_the_place_of_marks(desk: DeskWorld) -> None:
    desk.draft(said=ANGRY)
    colourful = {"FORCE_COLOR": "1", "TERM": "xterm-256color"}
    told = words_of(desk.run("explain", "M1", environment=colourful).stdout)
    assert "\x1b[1;30;42mvergüenza\x1b[0m" in told
    assert "\x1b[1;32m😡\x1b[0m" in told
    assert "\x1b[2;9;31mGracias\x1b[0m" in told
    assert "[[" not in told
    grey = words_of(desk.run("explain", "M1", environment={**colourful, "NO_COLOR": "1"}).stdout)
    assert "[[vergüenza]]" in grey


def test_programs_get_places_in_the_text_and_weights(desk: DeskWorld) -> None:
    desk.decides(desk.hears(ANGRY, warning="Aviso"))
    found = json.loads(desk.run("explain", "M1", "--json").stdout)["words"]
    assert found["text"] == f"Aviso\n{ANGRY}"
    assert (found["model_version"], found["note"], found["unknown"]) == ("by-words", "", [])
    assert found["counted"] == found["one_by_one"] == 9
    assert [(each["kind"], each["label"], each["score"]) for each in found["labels"]] == [
        ("sentiment", "negative", 0.73),
        ("intent", "outage_report", 0.2),
        ("intent", "complaint", 0.9),
    ]
    weights = by_label(desk)
    assert weights["negative"] == {"vergüenza": 0.45, "Gracias": -0.12, "😡": 0.2}
    assert weights["complaint"] == {"no funciona": 0.8}


def test_another_model_than_the_one_on_record_is_named(desk: DeskWorld) -> None:
    desk.draft(said=ANGRY)
    with desk.store.write() as tx:
        tx.execute(tables.understandings.update().values(areas=["billing", "old area"], area_scores={"old area": 0.9}))
    told = " ".join(words_of(desk.run("explain", "M1").stdout).split())
    assert "The labels on record are of model m1." in told
    assert "of the present model, by-words" in told
    assert "The present model knows no area old area." in told
    assert "area billing 0.00" in told
    plain = json.loads(desk.run("explain", "M1", "--json").stdout)["words"]
    assert plain["same_model"] is False
    assert plain["unknown"] == [{"kind": "area", "label": "old area"}]


def test_the_same_model_is_not_named(desk: DeskWorld) -> None:
    desk.draft(said=ANGRY)
    desk.classifier = Renamed("m1")
    assert "present model" not in desk.run("explain", "M1").stdout
    assert json.loads(desk.run("explain", "M1", "--json").stdout)["words"]["same_model"] is True


def test_nothing_is_weighed_of_what_was_deleted(desk: DeskWorld) -> None:
    desk.draft(said=ANGRY)
    desk.is_deleted(1)
    desk.classifier = reader = ByWords()
    assert "Which words" not in desk.run("explain", "M1").stdout
    words = json.loads(desk.run("explain", "M1", "--json").stdout)["words"]
    assert (words["labels"], words["text"]) == ([], "")
    assert "erased" in words["note"]
    assert reader.calls == 0


def test_what_was_not_read_yet_is_not_weighed(desk: DeskWorld) -> None:
    desk.hears(ANGRY)
    assert "Which words" not in desk.run("explain", "M1").stdout
    assert "not read it yet" in json.loads(desk.run("explain", "M1", "--json").stdout)["words"]["note"]


def test_where_the_model_was_sure_of_nothing_it_says_so(desk: DeskWorld) -> None:
    desk.draft(said=ANGRY)
    with desk.store.write() as tx:
        tx.execute(tables.understandings.update().values(sentiment=None, intents=[]))
    assert "was sure of nothing, so no word is weighed" in words_of(desk.run("explain", "M1").stdout)


def test_without_a_model_the_rest_still_stands(desk: DeskWorld) -> None:
    desk.draft(said=ANGRY)
    desk.classifier = Broken()
    told = desk.run("explain", "M1")
    assert told.exit_code == 0
    assert "The words cannot be weighed: The model is gone; install" in told.stdout
    assert "Who did what when" in told.stdout
    words = json.loads(desk.run("explain", "M1", "--json").stdout)["words"]
    assert words["model_version"] is None
    assert "install" in words["note"]


def test_words_may_be_left_out(desk: DeskWorld) -> None:
    desk.draft(said=ANGRY)
    desk.classifier = reader = ByWords()
    assert "Which words" not in desk.run("explain", "M1", "--no-words").stdout
    assert json.loads(desk.run("explain", "M1", "--no-words", "--json").stdout)["words"] is None
    assert reader.calls == 0


def test_of_a_long_text_only_what_lies_around_the_marks_is_shown(desk: DeskWorld) -> None:
    desk.draft(said="Pésimo " + "bla " * 500 + "vergüenza " + "bla " * 500)
    told = words_of(desk.run("explain", "M1").stdout)
    assert "[[Pésimo]] bla bla" in told
    assert "+0.45" in told
    assert " … " in told
    assert "The last 942 words were weighed in runs" in " ".join(told.split())
    assert len(told) < 4000


HOSTILE = (
    "\x1b[31mvergüenza\x1b[0m \u202egracias\u202c [[gracias]] ((vergüenza)) [bold]😡[/bold]\x07\r\n",
    "ver\u200bgüenza \ud800 \U000e0041 \u2066😡\u2069\t\x9b2J",
    "[[[[vergüenza]]]] +0.99 \"gracias\"  −0.99 'vergüenza'",
)


@pytest.mark.parametrize("said", HOSTILE)
@pytest.mark.parametrize("environment", [{}, {"FORCE_COLOR": "1", "TERM": "xterm-256color"}], ids=["marks", "colour"])
def test_what_hides_in_the_text_is_shown_and_sets_no_mark(
    desk: DeskWorld, said: str, environment: dict[str, str]
) -> None:
    desk.draft(said=said)
    told = words_of(desk.run("explain", "M1", "--all", environment=environment).stdout)
    short = words_of(desk.run("explain", "M1", environment=environment).stdout)
    for shown in (told, short):
        assert not DANGEROUS.search(re.sub(r"\x1b\[[\d;]*m", "", shown) if environment else shown)
        assert environment or "[[gracias]]" not in shown
    assert "vergüenza" in told.replace("\\u200b", "")
    raised = re.findall(r"\[\[(.*?)\]\]", told)
    if not environment:
        assert all(re.search("vergüenza|😡|raised|gracias", each.replace("\\u200b", "")) for each in raised)
        assert "[[gracias]]" not in told
    else:
        assert "\x1b[31m" not in told
    for label in by_label(desk).values():
        assert all(word in said for word in label)


@settings(max_examples=60, deadline=None)
@given(before=st.text(max_size=40), after=st.text(max_size=500))
def test_any_text_is_marked_where_it_should_be(before: str, after: str) -> None:
    said = f"{before}. vergüenza. {after}"
    negative = Label(kind=Kind.SENTIMENT, name="negative")
    found = weighing.Words(text=said, stored="by-words", weighing=weigh(ByWords(), said, [negative]))
    for marks, everything in product((True, False), repeat=2):
        paper = io.StringIO()
        Console(width=80, file=paper, markup=False, highlight=False, emoji=False).print(
            weighing.draw(found, width=80, marks=marks, everything=everything)
        )
        assert not DANGEROUS.search(paper.getvalue())
        assert '+0.45 "vergüenza"' in paper.getvalue()
        assert ("[[vergüenza]]" in paper.getvalue()) is marks


class Renamed(ByWords):
    def __init__(self, version: str) -> None:
        super().__init__()
        self.version = version


class Broken(ByWords):
    def classify(self, texts: Sequence[str]) -> list[Understanding]:
        raise Mistake("The model is gone; install Escucha again.")
