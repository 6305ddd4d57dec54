"""A clean environment for every command, and a model that answers at once."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner, Result

import cli
import connectors
import policies
from listener import log
from listener.commands.app import App
from listener.types import Intent, Sentiment, Understanding
from tests import databases


@pytest.fixture(autouse=True)
def _nothing_left_behind(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = {name: value for name, value in os.environ.items() if name.startswith("ESCUCHA_")}
    for name in before.keys() - ({databases.SETTING} if databases.on_postgres() else set()):
        del os.environ[name]
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    monkeypatch.setattr(log, "_hidden", set())
    yield
    for name in [name for name in os.environ if name.startswith("ESCUCHA_")]:
        del os.environ[name]
    os.environ.update(before)
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


class Steady:
    """Finds a complaint in everything."""

    version = "steady"

    def classify(self, texts: Sequence[str]) -> list[Understanding]:
        return [
            Understanding(
                model_version=self.version,
                language="es",
                language_score=0.99,
                sentiment=Sentiment.NEGATIVE,
                sentiment_scores={"negative": 0.97, "neutral": 0.02, "positive": 0.01},
                intents=(Intent.COMPLAINT,),
                intent_scores={"complaint": 0.95},
            )
            for _ in texts
        ]


@pytest.fixture
def escucha(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs one command in an empty folder: `escucha("source", "list", input=…)`."""
    monkeypatch.chdir(tmp_path)

    def run(*args: str, input: str | None = None) -> Result:
        app = App(connectors=connectors, policies=policies, config_path=Path("escucha.toml"))
        app.__dict__["classifier"] = Steady()
        return CliRunner().invoke(cli.escucha, args, input=input, obj=app)

    return run
