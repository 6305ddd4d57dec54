"""The stages say what is measured, and every line about a mention carries its id."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from connectors.sandbox import Fault, Sandbox
from listener import log, metrics, tracing
from listener.correlation import correlation
from listener.errors import NetworkError, OutcomeUnknown, Rejected, Unavailable
from listener.store import mentions
from tests.listener.flow.world import Escucha
from tests.listener.test_metrics import value


@pytest.fixture(autouse=True)
def counting() -> Iterator[None]:
    metrics.start(version="1")
    yield
    metrics.stop()


def test_one_mention_from_hearing_to_its_answer_is_counted_once_by_each_stage(escucha: Escucha) -> None:
    escucha.round()  # from here on we listen
    escucha.says("@marca ¿a qué hora abren?")
    escucha.says("@marca todo mal", who="beto")
    escucha.round()
    assert value("mentions_total", network="sandbox", change="new") == 2
    assert value("post_to_stored_seconds_sum", network="sandbox", way="poll") == pytest.approx(22, abs=1)
    assert value("stored_to_decided_seconds_count", network="sandbox") == 2
    assert value("decisions_total", network="sandbox", urgency="normal", reply="auto") == 1
    assert value("decisions_total", network="sandbox", urgency="high", reply="manual") == 1
    assert value("model_mentions_total") == 2
    assert value("sends_total", network="sandbox", kind="reply", outcome="sent") == 1
    assert value("decided_to_sent_seconds_count", network="sandbox") == 1
    assert value("approved_to_sent_seconds_count", network="sandbox", kind="reply") == 1
    assert value("poll_seconds_count", network="sandbox") == 2


def test_what_goes_wrong_is_counted_where_it_went_wrong(escucha: Escucha) -> None:
    escucha.says("@marca ¿a qué hora abren?")
    escucha.says("@marca poison", who="beto")
    escucha.network.fail("reply", Fault.RATE_LIMITED)
    escucha.round()
    assert value("set_aside_total", stage="understand") == 1
    assert value("sends_total", network="sandbox", kind="reply", outcome="not_sent") == 1
    assert value("errors_total", stage="send reply", error="RateLimited") == 1
    escucha.network.fail("poll", Fault.UNAVAILABLE)
    escucha.round()
    assert value("errors_total", stage="poll", error="Unavailable") == 1


def test_one_id_runs_from_the_post_to_its_answer_through_every_line_about_it(
    escucha: Escucha, capfd: pytest.CaptureFixture[str]
) -> None:
    log.start(form="json")
    post = escucha.says("@marca ¿a qué hora abren?")
    escucha.says("@marca todo mal", who="beto")
    escucha.round()
    mine = correlation("sandbox", post)
    assert re.fullmatch(r"[0-9a-f]{32}", mine)
    lines = [line for line in capfd.readouterr().err.splitlines() if mine in line]
    actions = [re.search(r'"action": ?"(\w+)"', line) for line in lines]
    assert [found[1] for found in actions if found] == ["heard", "understood", "decided", "sent"]
    with escucha.store.read() as tx:
        stored = mentions.by_external_id(tx, "sandbox", post)
    assert stored is not None
    assert stored.correlation == mine
    assert correlation("mastodon", post) != mine


def test_a_mention_is_traced_from_its_post_to_its_answer(escucha: Escucha, monkeypatch: pytest.MonkeyPatch) -> None:
    spans: list[tuple[str, str]] = []
    words: list[str] = []

    def span(name: str, of: str, **more: object) -> None:
        spans.append((name, of))
        words.append(str(more))

    monkeypatch.setattr(tracing, "on", lambda: True)
    monkeypatch.setattr(tracing, "span", span)
    post = escucha.says("@marca ¿a qué hora abren?")
    escucha.round()
    assert spans == [(name, correlation("sandbox", post)) for name in ("heard", "read", "decided", "sent")]
    assert "abren" not in "".join(words)
    assert "ana" not in "".join(words)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Rejected("ana wrote: todo mal"), "Rejected"),
        (OutcomeUnknown("ana wrote: todo mal"), "OutcomeUnknown"),
        (Unavailable("ana wrote: todo mal"), "Unavailable"),
    ],
)
def test_a_trace_names_what_went_wrong_and_holds_no_words_of_a_network(
    escucha: Escucha, monkeypatch: pytest.MonkeyPatch, error: NetworkError, kind: str
) -> None:
    told: list[dict[str, object]] = []

    def span(name: str, _of: str, **more: object) -> None:
        if name == "sent":
            told.append(more)

    def refuses(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(tracing, "on", lambda: True)
    monkeypatch.setattr(tracing, "span", span)
    escucha.round()
    escucha.says("@marca ¿a qué hora abren?")
    monkeypatch.setattr(Sandbox, "reply", refuses)
    escucha.round()
    assert [each["error"] for each in told] == [kind]
    assert "todo mal" not in str(told)
