"""review: articles beside a draft, and what one key does with them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from listener.types import DraftState
from tests.listener.commands.desk_world import Clock, DeskWorld
from tests.listener.commands.test_kb import ROUTER, published, said
from tests.listener.commands.test_review import Moderator
from tests.listener.model.by_vectors import ByVectors

pytestmark = pytest.mark.slow
SAID = "Mi router parpadea con una luz roja"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DeskWorld]:
    monkeypatch.chdir(tmp_path)
    world = DeskWorld(tmp_path, clock=Clock(datetime.now(UTC)))
    world.classifier = ByVectors()
    yield world
    world.close()


def test_k_puts_the_answer_of_an_article_in_place_of_the_reply(desk: DeskWorld) -> None:
    published(desk)
    draft = desk.draft(said=SAID)
    moderator = Moderator(desk)
    card = moderator.card("known")
    assert "K1@1" in card
    moderator.press("k")
    moderator.sees("The answer of which article", "1 K1@1")
    moderator.press("9")
    moderator.sees("Nothing was changed")
    moderator.press("k")
    moderator.sees("The answer of which article")
    moderator.press("1")
    moderator.card("Reinicie", "from K1@1 in es", then="It says what K1@1 says")
    moderator.press("a")
    moderator.sees("Nothing more waits")
    moderator.press("q")
    moderator.leaves()
    fresh = desk.now_is(draft)
    assert (fresh.text, fresh.state) == ("Reinicie el router y espere dos minutos.", DraftState.APPROVED)


def test_a_reply_from_a_replaced_article_wants_a_second_press(desk: DeskWorld) -> None:
    published(desk)
    draft = desk.draft(said=SAID)
    said(desk, "edit", f"D{draft.id}", "--from-article", "K1")
    said(desk, "kb", "retire", "K1", "--reason=wrong")
    moderator = Moderator(desk)
    moderator.card("K1@1 is retired")
    moderator.press("a")
    moderator.sees("press a once more")
    assert desk.now_is(draft).state is DraftState.PROPOSED
    moderator.press("q")
    moderator.leaves()


def test_an_internal_article_is_named_and_makes_no_reply(desk: DeskWorld) -> None:
    published(desk, *ROUTER)
    desk.draft(said=SAID)
    moderator = Moderator(desk)
    moderator.card("K1@1", "no reply from it")
    moderator.press("k")
    moderator.sees("No article beside it has an answer for everybody")
    moderator.press("q")
    moderator.leaves()
