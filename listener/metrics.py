"""What is measured, as Prometheus reads it: how long, how many, how much waits.

    metrics.start(version=…, roles=…)      from now on the calls below are counted; before, they cost nothing
    metrics.stored(…) .decided(…) .sent(…) .model(…) .error(…)      said by the stages, a microsecond or two each
    metrics.text()                         everything, in Prometheus' own format

What only the database knows (what waits, how far each source is behind, what was spent) is asked of `standing` when
somebody looks; every process on one database gives the same numbers for it. Labels hold names from the settings, states
and kinds: never what people wrote, nor who they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from listener.errors import EscuchaError

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import GaugeMetricFamily

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
# Bounds in seconds. What waits for people takes hours, so these reach from a second to a week.
WAITS = (0.5, 1, 2.5, 5, 10, 20, 30, MINUTE, 2 * MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 4 * HOUR, DAY, 7 * DAY)
WORKS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, kw_only=True)
class SourceStanding:
    """One source. `lag`: seconds since it was last heard whole, 0 while its stream is open; None: never yet, or paused.

    `stream`: whether its stream is open; None where it has none.
    """

    name: str
    network: str
    lag: float | None
    failing: bool
    paused: bool
    stream: bool | None


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What the database knows at one moment.

    `waiting`: (state, whether it addresses us) -> how many mentions no stage has had yet. `oldest`: state -> for how
    many seconds the longest-waiting one has been here. `drafts`, `deliveries`: unfinished ones, by state. `spent`,
    `budgets`: (account, `day` or `month`) -> USD. `paused`: what is stopped.
    """

    waiting: dict[tuple[str, bool], int] = field(default_factory=dict)
    oldest: dict[str, float] = field(default_factory=dict)
    drafts: dict[str, int] = field(default_factory=dict)
    deliveries: dict[str, int] = field(default_factory=dict)
    set_aside: int = 0
    sources: Sequence[SourceStanding] = ()
    spent: dict[tuple[str, str], float] = field(default_factory=dict)
    budgets: dict[tuple[str, str], float] = field(default_factory=dict)
    paused: Sequence[str] = ()
    daemons: dict[str, int] = field(default_factory=dict)


class _Metrics:
    """Every metric there is, in a registry of its own."""

    def __init__(self, *, version: str, roles: str, standing: Callable[[], Standing | None]) -> None:
        from prometheus_client import (
            CollectorRegistry,
            Counter,
            Gauge,
            GCCollector,
            Histogram,
            Info,
            PlatformCollector,
            ProcessCollector,
            disable_created_metrics,
        )

        disable_created_metrics()  # type: ignore[no-untyped-call]  # when each counter began says nothing, and doubles what is scraped
        self.registry = CollectorRegistry()
        told: dict[str, Any] = {"namespace": "escucha", "registry": self.registry}
        waits, works = told | {"buckets": WAITS}, told | {"buckets": WORKS}
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        Info("build", "Which Escucha this process is, and what it does.", **told).info(
            {"version": version, "roles": roles}
        )
        self.post_to_stored = Histogram(
            "post_to_stored_seconds",
            "From the moment a post was made, by its network's clock, to the moment it was stored here.",
            ["network", "way"],
            **waits,
        )
        self.stored_to_decided = Histogram(
            "stored_to_decided_seconds",
            "From storing a mention to deciding what is done about it.",
            ["network"],
            **waits,
        )
        self.decided_to_sent = Histogram(
            "decided_to_sent_seconds",
            "From the decision to the moment its reply was out, people's time to approve it included.",
            ["network"],
            **waits,
        )
        self.approved_to_sent = Histogram(
            "approved_to_sent_seconds",
            "From the approval of what is sent to the moment it was out: our own part of the wait.",
            ["network", "kind"],
            **waits,
        )
        self.model_batch = Histogram(
            "model_batch_seconds", "How long the model took for one batch of mentions.", **works
        )
        self.model_mentions = Counter("model_mentions", "Mentions that the model has read.", **told)
        self.poll = Histogram("poll_seconds", "How long one poll of a network took.", ["network"], **works)
        self.stage = Histogram("stage_seconds", "How long one turn of a stage took.", ["stage"], **works)
        self.mentions = Counter(
            "mentions",
            "Mentions heard, by what that changed here: new, edited, gone, repeated.",
            ["network", "change"],
            **told,
        )
        self.decisions = Counter(
            "decisions",
            "Decisions, by urgency and by what is answered: auto, manual, none.",
            ["network", "urgency", "reply"],
            **told,
        )
        self.sends = Counter(
            "sends",
            "What was to go out, by what came of it: sent, failed (refused for good), unknown, settled (known later), "
            "not_sent (tried again later).",
            ["network", "kind", "outcome"],
            **told,
        )
        self.errors = Counter(
            "errors", "What went wrong, by the stage and the kind of error; `bug` is ours.", ["stage", "error"], **told
        )
        self.set_aside = Counter(
            "set_aside", "What a stage could not handle and was set aside, so that the rest goes on.", ["stage"], **told
        )
        self.streams_open = Gauge("streams_open", "Streams that this process has open.", **told)
        self.slowed = Gauge(
            "back_pressure_ratio",
            "By how much polls that only find are slowed because mentions wait to be read; 1: not at all.",
            **told,
        )
        self.slowed.set(1)
        self.model_ready = Gauge(
            "model_ready", "1 while the model reads; 0 while it cannot and people are handed what addresses us.", **told
        )
        self.model_ready.set(1)
        self.policy_ready = Gauge(
            "policy_ready", "1 while decisions are taken; 0 while the policy that rules cannot be read.", **told
        )
        self.policy_ready.set(1)
        self.registry.register(_FromDatabase(standing))


class _FromDatabase:
    """What only the database knows, asked for anew each time somebody looks."""

    def __init__(self, standing: Callable[[], Standing | None]) -> None:
        self._standing = standing

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """The same without numbers, so that registering asks no database."""
        return _families(None)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        return _families(self._standing())


def _families(seen: Standing | None) -> Iterator[GaugeMetricFamily]:
    from prometheus_client.core import GaugeMetricFamily

    def family(name: str, says: str, labels: Sequence[str], values: Iterable[tuple[Sequence[str], float]]) -> Any:
        made = GaugeMetricFamily(f"escucha_{name}", says, labels=labels)
        for label, value in values:
            made.add_metric(list(label), value)
        return made

    up = [((), float(seen is not None))]
    yield family("database_up", "1 where the database answered when this was asked for.", (), up)
    now = seen or Standing()
    waiting = [((state, "yes" if addressed else "no"), n) for (state, addressed), n in now.waiting.items()]
    yield family(
        "waiting_mentions",
        "Mentions that wait: `new` to be read, `understood` to be decided; counted up to 100,000 of each.",
        ("state", "addressed"),
        waiting,
    )
    oldest = [((state,), seconds) for state, seconds in now.oldest.items()]
    yield family(
        "oldest_waiting_seconds", "For how long the longest-waiting of them has been here.", ("state",), oldest
    )
    yield family("drafts", "Replies that are not out yet, by state.", ("state",), _by_one(now.drafts))
    yield family(
        "deliveries", "Messages of notices that are not out yet, by state.", ("state",), _by_one(now.deliveries)
    )
    aside = [((), float(now.set_aside))] if seen else []
    yield family("set_aside_mentions", "Mentions that are set aside because a stage broke on them.", (), aside)
    labels = ("source", "network")
    known = [((each.name, each.network), each) for each in now.sources]
    lags = [(label, each.lag) for label, each in known if each.lag is not None]
    yield family(
        "source_lag_seconds", "Since when a source was last heard whole; 0 while its stream is open.", labels, lags
    )
    failing = [(label, float(each.failing)) for label, each in known]
    yield family("source_failing", "1 while the source's network does not answer as it should.", labels, failing)
    paused = [(label, float(each.paused)) for label, each in known]
    yield family("source_paused", "1 while the source is paused until a person acts.", labels, paused)
    streams = [(label, float(each.stream)) for label, each in known if each.stream is not None]
    yield family("stream_open", "Of a source that has a stream: 1 while it is open in some process.", labels, streams)
    money = ("account", "period")
    yield family("spent_usd", "What the account has spent in this UTC day or month.", money, now.spent.items())
    yield family("budget_usd", "What it may spend in it, where the settings limit it.", money, now.budgets.items())
    stopped = [((scope,), 1.0) for scope in now.paused]
    yield family("sending_paused", "1 for each thing that people have stopped from being sent.", ("scope",), stopped)
    yield family("daemons", "Processes that were alive half a minute ago, by role.", ("role",), _by_one(now.daemons))


def _by_one(counted: dict[str, int]) -> list[tuple[tuple[str], float]]:
    return [((state,), float(number)) for state, number in counted.items()]


_on: _Metrics | None = None


def start(*, version: str, roles: str = "all", standing: Callable[[], Standing | None] = lambda: None) -> None:
    """Counts from now on, from zero. `standing()` gives what the database knows, None where it does not answer."""
    global _on  # noqa: PLW0603 - one process, one set of counters
    _on = _Metrics(version=version, roles=roles, standing=standing)
    _child.cache_clear()


def stop() -> None:
    """Counts no more."""
    global _on  # noqa: PLW0603
    _on = None
    _child.cache_clear()


def on() -> bool:
    """Whether anything is counted."""
    return _on is not None


def registry() -> CollectorRegistry:
    """Everything that is counted. Raises RuntimeError before `start`."""
    if _on is None:
        raise RuntimeError("metrics.start() comes first")
    return _on.registry


def text() -> bytes:
    """All of it in Prometheus' text format. Raises RuntimeError before `start`."""
    from prometheus_client import generate_latest

    return generate_latest(registry())


@cache
def _child(name: str, *labels: str) -> Any:
    """One metric with its labels, found once: names and labels are few, and looking them up costs more than adding."""
    return getattr(_on, name).labels(*labels)


def stored(
    network: str,
    *,
    way: str,
    posted: Sequence[datetime],
    now: datetime,
    edited: int = 0,
    gone: int = 0,
    repeated: int = 0,
    old: bool = False,
) -> None:
    """A page is stored. `posted`: when each of its new mentions was written. `way`: `poll` or `stream`.

    `old`: it is from before we listened, so its age says nothing about us.
    """
    if _on is None:
        return
    for change, number in (("new", len(posted)), ("edited", edited), ("gone", gone), ("repeated", repeated)):
        if number:
            _child("mentions", network, change).inc(number)
    if not old:
        observe = _child("post_to_stored", network, way).observe
        for moment in posted:
            observe(max(0.0, (now - moment).total_seconds()))


def model(mentions: int, seconds: float) -> None:
    """The model has read so many mentions in that time."""
    if _on is not None:
        _on.model_batch.observe(seconds)
        _on.model_mentions.inc(mentions)


def decided(network: str, *, stored_at: datetime, now: datetime, urgency: str, reply: str = "none") -> None:
    """A mention is decided. `reply`: `auto`, `manual` or `none`."""
    if _on is not None:
        _child("stored_to_decided", network).observe(max(0.0, (now - stored_at).total_seconds()))
        _child("decisions", network, urgency, reply).inc()


def sent(
    network: str,
    kind: str,
    outcome: str,
    *,
    decided_at: datetime | None = None,
    approved_at: datetime | None = None,
    now: datetime | None = None,
) -> None:
    """Something was to go out. `outcome`: `sent`, `failed`, `unknown`, `settled`, `not_sent`.

    `decided_at`: of a reply, when it was proposed; `approved_at`: since when it might go out, `now`: when it was out.
    """
    if _on is None:
        return
    _child("sends", network, kind, outcome).inc()
    if now is not None and decided_at is not None:
        _child("decided_to_sent", network).observe(max(0.0, (now - decided_at).total_seconds()))
    if now is not None and approved_at is not None:
        _child("approved_to_sent", network, kind).observe(max(0.0, (now - approved_at).total_seconds()))


def polled(network: str, seconds: float) -> None:
    """A poll of that network took so long, whatever came of it."""
    if _on is not None:
        _child("poll", network).observe(seconds)


def turn(stage: str, seconds: float) -> None:
    """One turn of a stage took so long. `stage`: its name without the account or source."""
    if _on is not None:
        _child("stage", stage).observe(seconds)


def error(stage: str, what: BaseException) -> None:
    """Something went wrong in a stage; what is none of our own errors counts as `bug`."""
    if _on is not None:
        _child("errors", stage, type(what).__name__ if isinstance(what, EscuchaError) else "bug").inc()


def set_aside(stage: str, number: int = 1) -> None:
    """A stage could not handle something, so it was set aside."""
    if _on is not None and number:
        _child("set_aside", stage).inc(number)


def streams(number: int) -> None:
    """So many streams are open in this process."""
    if _on is not None:
        _on.streams_open.set(number)


def slowed(ratio: float) -> None:
    """Polls that only find are slowed so many times; 1: not at all."""
    if _on is not None:
        _on.slowed.set(ratio)


def ready(*, model: bool | None = None, policy: bool | None = None) -> None:
    """Whether the model reads, and whether decisions are taken; None: as before."""
    if _on is not None:
        if model is not None:
            _on.model_ready.set(model)
        if policy is not None:
            _on.policy_ready.set(policy)
