"""Logs: readable or JSON, without secrets, without what people wrote, without control characters."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from listener import log


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(log, "_hidden", set())
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_json_where_nobody_reads(capsys: pytest.CaptureFixture[str]) -> None:
    log.start()
    structlog.get_logger().info("A source works again.", source="tag-marca", mentions=3)
    out, err = capsys.readouterr()
    line = json.loads(err)
    assert out == ""
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "A source works again.", "level": "info", "source": "tag-marca", "mentions": 3}


def test_lines_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    log.start()
    structlog.get_logger().warning("The network is away.", network="mastodon")
    assert "The network is away." in terminal.getvalue()
    assert "mastodon" in terminal.getvalue()


def test_lines_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    log.start(form="lines")
    structlog.get_logger().info("Started.", tick=5)
    assert "Started." in (err := capsys.readouterr().err)
    assert "\x1b" not in err


def test_what_another_thread_hides_meanwhile_stands_in_nobodys_way() -> None:
    class Slow(str):
        """A text in which looking for a secret takes so long that another thread hides one more."""

        def __contains__(self, secret: str) -> bool:
            other = threading.Thread(target=log.hide, args=([f"{secret}-{secret}"],))
            other.start()
            other.join()
            return super().__contains__(secret)

    log.hide(["hunter2", "tr0ub4dor"])
    assert log.masked(Slow("It is hunter2.")) == "It is •••."
    assert log.masked(Slow("hunter2-hunter2")) == "•••", "from then on"


def test_secrets_are_masked_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    log.hide(["hunter2hunter2", "abc"])
    log.start(level="debug")
    logger = structlog.get_logger()
    logger.info("Asking with hunter2hunter2.", url="https://x/?t=hunter2hunter2", deep={"a": ["hunter2hunter2"]})
    try:
        raise ValueError("bad token hunter2hunter2")
    except ValueError:
        logger.exception("It failed.")
    err = capsys.readouterr().err
    assert "hunter2" not in err
    assert err.count(log.MASK) >= 4
    assert log.masked("abc stays") == "abc stays"


def test_a_longer_secret_that_holds_a_shorter_one_goes_whole() -> None:
    log.hide(["token", "token-of-care"])
    assert log.masked("x token-of-care y") == f"x {log.MASK} y"


def test_what_people_wrote_stays_out_above_debug(capsys: pytest.CaptureFixture[str]) -> None:
    log.start(level="debug")
    logger = structlog.get_logger()
    logger.info("Heard.", text="my private story")
    logger.debug("Heard.", text="my private story")
    loud, quiet = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert loud["text"] == "(16 characters)"
    assert quiet["text"] == "my private story"


def test_debug_is_silent_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    log.start()
    structlog.get_logger().debug("Heard.", text="my private story")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("form", ["lines", "json"])
def test_no_value_steers_the_terminal(capsys: pytest.CaptureFixture[str], form: Any) -> None:
    log.start(form=form)
    structlog.get_logger().info("By \x1b]0;evil\x07.", handle="\u202eevil\nFAKE LINE", who=object())
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert not set(err) & set("\x1b\x07\u202e")


def test_libraries_speak_through_us_from_warning_on(capsys: pytest.CaptureFixture[str]) -> None:
    log.hide(["hunter2hunter2"])
    log.start()
    log.start()
    logging.getLogger("urllib3").info("GET hunter2hunter2")
    logging.getLogger("urllib3").warning("Retrying %s", "hunter2hunter2")
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["event"] == f"Retrying {log.MASK}"
    assert json.loads(line)["library"] == "urllib3"


@pytest.mark.parametrize(
    ("name", "value", "hidden"),
    [
        ("HF_TOKEN", "hf_0123456789", ["hf_0123456789"]),
        ("ESCUCHA_TOKEN", "esc_0123456789", ["esc_0123456789"]),
        ("ESCUCHA_AUDIT__KEY", "0123456789abcdef", ["0123456789abcdef"]),
        ("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Bearer%20t0ken-of-ours,x-key=k3y-of-ours",
         ["t0ken-of-ours", "k3y-of-ours", "Bearer%20t0ken-of-ours"]),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x-key=k3y-of-ours", ["k3y-of-ours"]),
        ("ESCUCHA_BRAND__NAME", "Telefónica", []),
        ("HF_ENDPOINT", "https://hub.example", []),
    ],
)  # fmt: skip
def test_secrets_of_the_environment_are_hidden(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, hidden: list[str]
) -> None:
    monkeypatch.setattr(log, "_hidden", set())
    monkeypatch.setenv(name, value)
    log.hide_environment()
    for secret in hidden:
        assert secret not in log.masked(f"It said {secret}.")
    if not hidden:
        assert log.masked(value) == value
    assert log.masked("Bearer and Authorization are words.") == "Bearer and Authorization are words."
