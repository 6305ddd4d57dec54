"""A situation as a decision keeps it, and back again. Pure.

What the mention and its understanding still tell (`ELSEWHERE`) is not kept twice; everything else is, whatever fields
its parts get one day. What is true of a network (`Facts`) is alike for thousands of decisions and is kept once, under
its own digest. What a network computes (`Facts.count` and its like) cannot be kept: how it answered a few probes is, so
that a network that counts otherwise today is noticed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, from_json

from listener.types import Decision, Facts, GuardTrace, RuleTrace, Situation, Understanding

ELSEWHERE = frozenset(
    {"now", "mention_id", "revision", "network", "posted_at", "text", "content_warning", "understanding", "facts"}
)
_PROBES = ("Hola 👩‍👩‍👧 ñandú https://example.com/a/rather/long/address?that=no_network&counts=whole y más", "")
_TRACES = {"rules", "guards"}
_WRITTEN: dict[int, tuple[RuleTrace | GuardTrace, bytes, str]] = {}
_ROWS: dict[tuple[int, ...], _Row] = {}
_LATER = frozenset({"stranger", "incident"})  # guards that came after the first decisions were kept
_MOST, _MOST_ROWS = 10_000, 1_000  # remembered
_HANDLES = ("ana", "ana@example.social")


class Unfit(ValueError):
    """What was kept does not make a situation of this version of Escucha; the message names what is wrong."""


@cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def kept(situation: Situation) -> dict[str, Any]:
    """What has to be kept beside the mention and its understanding, as JSON knows it."""
    return dict(_adapter(Situation).dump_python(situation, mode="json", exclude=set(ELSEWHERE), warnings=False))


def kept_as_json(situation: Situation) -> str:
    """The same, written down."""
    adapter = _adapter(Situation)
    try:
        return adapter.dump_json(situation, exclude=set(ELSEWHERE), warnings=False).decode()
    except PydanticSerializationError:  # half a character, which UTF-8 has no bytes for
        return json.dumps(kept(situation))


def rebuilt(
    saw: str | bytes,
    *,
    now: datetime,
    mention_id: int,
    revision: int,
    network: str,
    posted_at: datetime,
    text: str,
    content_warning: str,
    understanding: Understanding,
    facts: Facts,
) -> Situation:
    """The situation again, from the JSON of what was `kept` and what stands elsewhere. Raises Unfit."""
    try:
        values = from_json(saw)
        if not isinstance(values, dict):
            raise Unfit("it is no mapping")
        values |= {
            "now": now,
            "mention_id": mention_id,
            "revision": revision,
            "network": network,
            "posted_at": posted_at,
            "text": text,
            "content_warning": content_warning,
            "understanding": understanding,
            "facts": facts,
        }
        situation: Situation = _adapter(Situation).validate_python(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise Unfit(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except ValueError as error:
        raise Unfit(str(error)) from error
    return situation


def kept_facts(facts: Facts) -> dict[str, Any]:
    """What is true of the network, as JSON knows it, with its answers to the probes."""
    values: dict[str, Any] = _adapter(Facts).dump_python(
        facts, mode="json", exclude=set(_computed(facts)), warnings=False
    )
    return {**values, "probes": _probed(facts)}


def digest_of(values: Mapping[str, Any]) -> str:
    """64 hex digits that are the same for the same values."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def rebuilt_facts(values: Mapping[str, Any], network: Facts) -> Facts | None:
    """What was true then, computing as `network` does now; None where it computes otherwise than it did then.

    Raises Unfit.
    """
    if dict(values).get("probes") != _probed(network):
        return None
    kept_values = {key: value for key, value in values.items() if key != "probes"}
    try:
        facts: Facts = _adapter(Facts).validate_python({**kept_values, **_computed(network)})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise Unfit(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    return facts


def fingerprint(decision: Decision) -> str:
    """64 hex digits that two decisions share only if they say the same, word by word, with the same trace.

    Fields at their default do not count, nor do guards of `_LATER` that let it pass: what is added later changes no
    fingerprint.
    """
    adapter, exclude = _adapter(Decision), _TRACES
    try:
        said = adapter.dump_json(decision, exclude=exclude, exclude_defaults=True, warnings=False)
    except PydanticSerializationError:  # half a character, which UTF-8 has no bytes for
        values = adapter.dump_python(decision, mode="json", exclude=exclude, exclude_defaults=True, warnings=False)
        said = digest_of(values).encode()
    rules, guards = _row(decision.rules).counted, _row(decision.guards).counted
    return hashlib.sha256(b"\n".join([said, *rules, b"|", *guards])).hexdigest()


def written(traces: Sequence[RuleTrace | GuardTrace]) -> str:
    """Traces as JSON, a list of objects with every field."""
    return _row(traces).whole


@dataclass(frozen=True, slots=True)
class _Row:
    """All rules' traces of a decision, or all guards', written down: as a list, and each of those that count."""

    traces: Sequence[RuleTrace | GuardTrace]  # kept, so that no others can take their places in memory
    whole: str
    counted: tuple[bytes, ...]


def _row(traces: Sequence[RuleTrace | GuardTrace]) -> _Row:
    """The row. Policies hand out the same objects again and again, in rows that are mostly alike."""
    places = tuple(map(id, traces))
    known = _ROWS.get(places)
    if known is None:
        if len(_ROWS) >= _MOST_ROWS:
            _ROWS.clear()
        pieces = [_WRITTEN.get(id(trace)) or _write(trace) for trace in traces]
        known = _ROWS[places] = _Row(
            traces=traces,
            whole=f"[{', '.join(whole for _, _, whole in pieces)}]",
            counted=tuple(said for trace, said, _ in pieces if _counts(trace)),
        )
    return known


def _counts(trace: RuleTrace | GuardTrace) -> bool:
    if isinstance(trace, RuleTrace) or trace.guard not in _LATER:
        return True
    return bool(trace.holds or trace.forbids or trace.reason)


def _write(trace: RuleTrace | GuardTrace) -> tuple[RuleTrace | GuardTrace, bytes, str]:
    """The trace, and its JSON without and with what is at its default; each is written once."""
    if len(_WRITTEN) >= _MOST:
        _WRITTEN.clear()
    adapter = _adapter(RuleTrace if isinstance(trace, RuleTrace) else GuardTrace)
    try:
        said = adapter.dump_json(trace, exclude_defaults=True, warnings=False)
    except PydanticSerializationError:
        values = adapter.dump_python(trace, mode="json", exclude_defaults=True, warnings=False)
        said = digest_of(values).encode()
    known = _WRITTEN[id(trace)] = (trace, said, json.dumps(asdict(trace)))  # kept with it, as in `_Row`
    return known


def _computed(facts: Facts) -> dict[str, Any]:
    values = {field.name: getattr(facts, field.name) for field in fields(facts)}
    return {name: value for name, value in values.items() if callable(value)}


def _probed(facts: Facts) -> list[Any]:
    """How the network counts and addresses a few texts."""
    return [
        [facts.count(text), *(spoken for handle in _HANDLES for spoken in [facts.address(text, handle)])]
        for text in _PROBES
    ]
