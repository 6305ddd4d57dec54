"""The model is away: what addresses us goes to people, the rest waits, and all is read once it is back."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from listener.errors import NoModel
from listener.flow.pipeline import Pipeline
from listener.store import cases, daemons, decisions, inbox, mentions, waiting
from listener.store.mentions import Mention
from listener.types import NOBODY, DraftState, MentionState, Understanding
from tests.listener.flow.world import AUTO, Escucha, Keywords

ROUTED = AUTO.replace("cases: every", "cases: routed")


class Broken:
    """What stands for a model's files and memory: `error` is raised while it is there."""

    def __init__(self, escucha: Escucha) -> None:
        self.error: Exception | None = NoModel("The model's file x.onnx is damaged.")
        self.breaks: Exception | None = None  # at whatever the model reads
        self.loads = 0
        self.pipeline: Pipeline = escucha.pipeline()
        reader = self.pipeline.reader
        reader._load = self.load
        escucha.main = self.pipeline

    def load(self) -> Reading:
        self.loads += 1
        if self.error:
            raise self.error
        return Reading(self)


class Reading(Keywords):
    def __init__(self, broken: Broken) -> None:
        self.broken = broken

    def classify(self, texts: Sequence[str]) -> list[Understanding]:
        if self.broken.breaks:
            raise self.broken.breaks
        return super().classify(texts)


def only(escucha: Escucha) -> Mention:
    with escucha.store.read() as tx:
        (found,) = mentions.recent(tx, limit=2)
    return found


@pytest.fixture
def broken(escucha: Escucha) -> Broken:
    return Broken(escucha)


def test_what_addresses_us_goes_to_people_after_a_minute_and_nothing_goes_out(escucha: Escucha, broken: Broken) -> None:
    escucha.says("@marca ¿a qué hora abren?")
    escucha.round()
    assert only(escucha).state is MentionState.NEW
    assert "x.onnx is damaged" in broken.pipeline.reader.trouble
    escucha.round(seconds=61)
    found = only(escucha)
    assert found.state is MentionState.DECIDED
    with escucha.store.read() as tx:
        (decision,) = decisions.decisions_of(tx, found.id)
        case = cases.of_mention(tx, found.id)
    assert decision.model_version == NOBODY
    assert case is not None
    assert escucha.answers() == []


def test_where_people_route_they_are_shown_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    escucha = Escucha(tmp_path_factory.mktemp("routed"), policy=ROUTED)
    Broken(escucha)
    escucha.says("@marca ¿a qué hora abren?")
    escucha.round()
    escucha.round(seconds=61)
    with escucha.store.read() as tx:
        assert [each.mention_id for each in waiting.to_route(tx)] == [only(escucha).id]
    escucha.close()


def test_a_rule_that_needs_no_reading_still_sends_nothing_by_itself(tmp_path_factory: pytest.TempPathFactory) -> None:
    always = AUTO.replace("when: {intents: [question]}", 'when: {text.contains: ["abren"]}')
    escucha = Escucha(tmp_path_factory.mktemp("always"), policy=always)
    broken = Broken(escucha)
    escucha.says("@marca ¿a qué hora abren?")
    escucha.round()
    escucha.round(seconds=61)
    assert (escucha.draft().state, escucha.answers()) == (DraftState.PROPOSED, [])
    with escucha.store.read() as tx:
        (decision,) = decisions.decisions_of(tx, only(escucha).id)
    assert [each["guard"] for each in decision.trace["guards"] if each["holds"]][:1] == ["unread"]
    broken.error = None
    escucha.round(minutes=10)
    assert len(escucha.answers()) == 1, "read after all, and sent as the rule says"
    escucha.close()


def test_it_comes_back_by_itself_and_what_nobody_took_up_is_read_then(escucha: Escucha, broken: Broken) -> None:
    escucha.says("@marca ¿a qué hora abren?")
    escucha.round()
    escucha.round(seconds=61)
    broken.error = None
    escucha.round(minutes=10)
    assert broken.pipeline.reader.trouble == ""
    assert len(escucha.answers()) == 1
    with escucha.store.read() as tx:
        read = decisions.understanding_of(tx, only(escucha).id)
        made = decisions.decisions_of(tx, only(escucha).id)
    assert read is not None
    assert read.model_version == "keywords-1"
    assert [each.model_version for each in made] == ["keywords-1", NOBODY]
    assert len({draft.case_reference for draft in escucha.drafts()}) == 1


def test_what_a_person_took_up_stays_theirs(tmp_path_factory: pytest.TempPathFactory) -> None:
    always = AUTO.replace("when: {intents: [question]}", 'when: {text.contains: ["abren"]}')
    escucha = Escucha(tmp_path_factory.mktemp("theirs"), policy=always)
    broken = Broken(escucha)
    escucha.says("@marca ¿a qué hora abren?")
    escucha.round()
    escucha.round(seconds=61)
    escucha.approve(escucha.draft())
    escucha.round(seconds=1)
    broken.error = None
    escucha.round(minutes=10)
    assert len(escucha.answers()) == 1
    assert escucha.draft().state is DraftState.SENT
    with escucha.store.read() as tx:
        assert len(decisions.decisions_of(tx, only(escucha).id)) == 1
    escucha.close()


def test_what_only_mentions_us_waits_for_the_model(tmp_path_factory: pytest.TempPathFactory) -> None:
    escucha = Escucha(tmp_path_factory.mktemp("found"), queries=("marca",))
    broken = Broken(escucha)
    escucha.says("la marca esa")
    escucha.round()
    escucha.round(seconds=61)
    assert only(escucha).state is MentionState.NEW
    broken.error = None
    escucha.round(minutes=10)
    assert only(escucha).state is MentionState.DECIDED
    escucha.close()


def test_no_memory_in_the_middle_sets_nothing_aside(escucha: Escucha, broken: Broken) -> None:
    broken.error = None
    escucha.says("@marca ¿a qué hora abren?")
    broken.breaks = MemoryError()
    escucha.round()
    found = only(escucha)
    assert (found.state, found.trouble) == (MentionState.NEW, None)
    assert "MemoryError" in broken.pipeline.reader.trouble
    broken.breaks = None
    escucha.round(minutes=1)
    assert broken.loads == 2, "loaded anew"
    assert len(escucha.answers()) == 1


def test_a_model_that_is_away_is_not_loaded_at_each_turn(escucha: Escucha, broken: Broken) -> None:
    escucha.says("@marca ¿a qué hora abren?")
    for _ in range(30):
        escucha.clock.forward(seconds=1)
        escucha.main.digest()
    assert broken.loads <= 3


def test_another_process_that_reads_keeps_people_from_getting_it(escucha: Escucha, broken: Broken) -> None:
    escucha.says("@marca ¿a qué hora abren?")
    escucha.round()
    escucha.clock.forward(seconds=61)
    with escucha.store.write() as tx:
        now = escucha.clock()
        daemons.alive(tx, name="other:1", version="1", started_at=now, now=now, reads=True)
    escucha.main.digest()
    assert only(escucha).state is MentionState.NEW
    escucha.clock.forward(seconds=31)  # it has died
    escucha.main.digest()
    assert only(escucha).state is not MentionState.NEW


def test_a_draft_that_a_person_rejected_is_not_proposed_again(tmp_path_factory: pytest.TempPathFactory) -> None:
    always = AUTO.replace("when: {intents: [question]}", 'when: {text.contains: ["abren"]}')
    escucha = Escucha(tmp_path_factory.mktemp("no"), policy=always)
    broken = Broken(escucha)
    escucha.says("@marca ¿a qué hora abren?")
    escucha.round()
    escucha.round(seconds=61)
    with escucha.store.write() as tx:
        inbox.reject(tx, escucha.draft(), by="mod", reason="no", now=escucha.clock())
    broken.error = None
    escucha.round(minutes=10)
    assert escucha.draft().state is DraftState.REJECTED
    escucha.close()


def test_a_draft_that_a_person_edited_stays_theirs(tmp_path_factory: pytest.TempPathFactory) -> None:
    always = AUTO.replace("when: {intents: [question]}", 'when: {text.contains: ["abren"]}')
    escucha = Escucha(tmp_path_factory.mktemp("edited"), policy=always)
    broken = Broken(escucha)
    escucha.says("@marca ¿a qué hora abren?")
    escucha.round()
    escucha.round(seconds=61)
    with escucha.store.write() as tx:
        inbox.edit(tx, escucha.draft(), text="Abrimos a las 9.", length=16, by="mod", now=escucha.clock())
    broken.error = None
    escucha.round(minutes=10)
    assert (escucha.draft().state, escucha.draft().text) == (DraftState.PROPOSED, "Abrimos a las 9.")
    assert escucha.answers() == []
    escucha.close()
