"""Traces: each mention's way from the post to its answer, as OpenTelemetry has them; off unless the settings name
a place.

    heard      from the post to its being stored             the root of the trace
    read       the model looking at it, with its batch
    decided    from its being stored to the decision
    sent       from the claim of its reply to the network's answer

The trace's id is the mention's correlation, and the root's id follows from it: whatever process does a stage, its span
hangs in the same trace, and nobody must hand anything on. Spans hold names of networks and sources, numbers and states;
never what people wrote, nor who they are. Needs the extra `telemetry`; a collector that is away costs nothing but its
spans.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from datetime import datetime
from typing import TYPE_CHECKING, Any

from listener.errors import Mistake
from listener.log import logger

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

log = logger(__name__)

TIMEOUT = 5.0  # seconds for one hand-over to the collector
QUEUED = 8192  # spans that wait for it; what comes beyond is let go

_on: _Tracing | None = None


def start(endpoint: str, *, version: str, roles: str = "all", share: float = 1.0) -> None:
    """Traces from now on, of that share of mentions (0 to 1), to the collector at that address (OTLP over HTTP).

    Raises Mistake where the extra is not installed.
    """
    global _on  # noqa: PLW0603 - one process, one tracer
    stop()
    _on = _Tracing(endpoint, version=version, roles=roles, share=share)
    log.info("Mentions are traced.", action="traces", share=share)


def stop() -> None:
    """Hands over what is left, within a few seconds, and traces no more."""
    global _on
    before, _on = _on, None
    if before is not None:
        before.provider.shutdown()


def on() -> bool:
    """Whether anything is traced."""
    return _on is not None


def span(
    name: str, correlation: str, *, began: datetime, ended: datetime, about: Mapping[str, Any], error: str = ""
) -> None:
    """One step of that mention's way. `heard` is the root of its trace.

    `error`: the name of its error's class, if it failed; what a network says may hold people's words.
    """
    if _on is not None:
        _on.span(name, correlation, (began, ended), error, about)


class _Tracing:
    def __init__(self, endpoint: str, *, version: str, roles: str, share: float) -> None:
        try:
            import requests
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ModuleNotFoundError as error:
            raise Mistake("daemon.traces needs its library: pip install '.[telemetry]' in Escucha's folder.") from error
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # what is to be said, `_Told` says once
        self._ids = _ids()
        self._share = share
        session = requests.Session()
        session.max_redirects = 0  # what a collector is told, nobody else is
        session.auth = lambda request: request  # or a ~/.netrc would put its login in place of our token
        about = {
            "service.name": "escucha",
            "service.version": version,
            "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
            "escucha.roles": roles,
        }
        self.provider: TracerProvider = TracerProvider(
            resource=Resource.create(about), id_generator=self._ids, shutdown_on_exit=False
        )
        exporter = _told(OTLPSpanExporter(endpoint=endpoint, timeout=TIMEOUT, session=session))
        processor = BatchSpanProcessor(exporter, max_queue_size=QUEUED, export_timeout_millis=TIMEOUT * 1000)
        self.provider.add_span_processor(processor)
        self._tracer = self.provider.get_tracer("escucha", version)

    def span(
        self, name: str, correlation: str, times: tuple[datetime, datetime], error: str, about: Mapping[str, Any]
    ) -> None:
        if int(correlation[-8:], 16) >= self._share * 2**32:
            return
        from opentelemetry.trace import (
            NonRecordingSpan,
            SpanContext,
            Status,
            StatusCode,
            TraceFlags,
            set_span_in_context,
        )

        trace, root = int(correlation, 16), int(correlation[:16], 16) or 1
        is_root = name == "heard"
        self._ids.next = (trace, root) if is_root else None
        parent = SpanContext(trace, root, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
        context = None if is_root else set_span_in_context(NonRecordingSpan(parent))
        began, ended = map(_nanoseconds, times)
        values = {f"escucha.{key}": value for key, value in about.items() if value is not None}
        made = self._tracer.start_span(name, context=context, start_time=began, attributes=values)
        self._ids.next = None
        if error:
            made.set_status(Status(StatusCode.ERROR, error))
        made.end(end_time=max(ended, began))


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1000


def _ids() -> Any:
    """Ids at random, but for the root of a trace, whose ids are given."""
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class Ids(RandomIdGenerator):
        def __init__(self) -> None:
            self._own = threading.local()

        @property
        def next(self) -> tuple[int, int] | None:
            """The trace and the span that this thread makes next; None: at random."""
            found: tuple[int, int] | None = getattr(self._own, "next", None)
            return found

        @next.setter
        def next(self, ids: tuple[int, int] | None) -> None:
            self._own.next = ids

        def generate_trace_id(self) -> int:
            return self.next[0] if self.next else super().generate_trace_id()

        def generate_span_id(self) -> int:
            return self.next[1] if self.next else super().generate_span_id()

    return Ids()


def _told(exporter: SpanExporter) -> SpanExporter:
    """The same, saying once that the collector is away and once that it is back."""
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Told(SpanExporter):
        def __init__(self) -> None:
            self._away = False

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            try:
                result = exporter.export(spans)
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the thread that hands over
                result, why = SpanExportResult.FAILURE, type(error).__name__
            else:
                why = "it does not take them"
            away = result is not SpanExportResult.SUCCESS
            if away and not self._away:
                log.warning("The collector of traces is away; its spans are let go.", action="traces_down", reason=why)
            elif self._away and not away:
                log.info("The collector of traces is back.", action="traces_up")
            self._away = away
            return result

        def shutdown(self) -> None:
            exporter.shutdown()

        def force_flush(self, timeout_millis: int = 30000) -> bool:
            return exporter.force_flush(timeout_millis)

    return Told()
