"""Traces: one for each mention, its steps in it whoever did them, and nothing of what people wrote."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from listener import tracing
from listener.correlation import correlation

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ID = correlation("sandbox", "1")


class Collector:
    """What takes traces, on loopback."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.proofs: list[str | None] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.proofs.append(self.headers["Authorization"])
                if outer.status == 200:
                    outer.bodies.append(body)
                self.send_response(outer.status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1/traces"

    def spans(self) -> list[Any]:
        found = []
        for body in self.bodies:
            request = ExportTraceServiceRequest()
            request.ParseFromString(body)
            found += [span for each in request.resource_spans for scope in each.scope_spans for span in scope.spans]
        return found

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    tracing.stop()
    made.close()


def say(name: str, *, error: str = "", **about: object) -> None:
    tracing.span(name, ID, began=NOW, ended=NOW + timedelta(seconds=2), error=error, about=about)


def test_every_step_hangs_in_the_trace_of_its_mention_whatever_process_did_it(collector: Collector) -> None:
    tracing.start(collector.url, version="1", roles="poll")
    say("heard", network="sandbox", mention=7)
    tracing.start(collector.url, version="1", roles="send")  # as another process would
    say("read")
    say("sent", error="it was refused")
    tracing.stop()
    heard, read, sent = sorted(collector.spans(), key=lambda span: ["heard", "read", "sent"].index(span.name))
    assert {span.trace_id.hex() for span in (heard, read, sent)} == {ID}
    assert heard.parent_span_id == b""
    assert read.parent_span_id == sent.parent_span_id == heard.span_id
    assert len({heard.span_id, read.span_id, sent.span_id}) == 3
    assert heard.end_time_unix_nano - heard.start_time_unix_nano == 2_000_000_000
    assert heard.start_time_unix_nano == int(NOW.timestamp()) * 10**9
    assert {each.key: each.value.int_value or each.value.string_value for each in heard.attributes} == {
        "escucha.network": "sandbox",
        "escucha.mention": 7,
    }
    assert (sent.status.code, sent.status.message) == (2, "it was refused")


def test_a_share_of_mentions_is_traced_whole_or_not_at_all(collector: Collector) -> None:
    tracing.start(collector.url, version="1", share=0.25)
    ids = [correlation("sandbox", str(number)) for number in range(400)]
    for each in ids:
        for name in ("heard", "read"):
            tracing.span(name, each, began=NOW, ended=NOW, about={})
    tracing.stop()
    traced: dict[bytes, int] = {}
    for span in collector.spans():
        traced[span.trace_id] = traced.get(span.trace_id, 0) + 1
    assert set(traced.values()) == {2}
    assert 60 <= len(traced) <= 140


def test_off_costs_nothing_and_keeps_nothing(collector: Collector) -> None:
    say("heard")
    assert not tracing.on()
    tracing.start(collector.url, version="1", share=0)
    say("heard")
    tracing.stop()
    assert collector.bodies == []


def test_a_collector_that_is_away_is_said_once_and_stops_nobody(
    collector: Collector, capsys: pytest.CaptureFixture[str]
) -> None:
    collector.status = 400
    tracing.start(collector.url, version="1")
    for _ in range(3):
        say("heard")
        assert tracing._on is not None
        tracing._on.provider.force_flush(5000)
    collector.status = 200
    say("heard")
    tracing.stop()
    said = "".join(capsys.readouterr())
    assert said.count("its spans are let go") == 1
    assert said.count("The collector of traces is back.") == 1
    assert "opentelemetry" not in said
    assert len(collector.spans()) == 1


def test_what_a_collector_is_told_nobody_else_is(collector: Collector) -> None:
    other = Collector()
    collector.status, collector.headers = 307, {"Location": other.url}
    tracing.start(collector.url, version="1")
    say("heard")
    tracing.stop()
    assert other.bodies == []
    other.close()


def test_no_login_of_this_machine_takes_the_place_of_our_token(
    collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login me password hunter2\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    for headers in ("Authorization=Bearer%20ours", ""):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", headers)
        tracing.start(collector.url, version="1")
        say("heard")
        tracing.stop()
    assert collector.proofs == ["Bearer ours", None]
