"""Who stands behind the numbers by which the public stream knows people: looked up together, kept, and done without.

A profile that cannot be had is no failure: the post then stands under its author's DID.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from connectors.bluesky_wire import FAILURES, Wire
from connectors.plain import read_json

_TOGETHER = 25
_KEPT_FOR = timedelta(hours=6)
_REST = timedelta(minutes=1)  # after a failed look-up, so that a dead server does not slow the stream
_AS_IN_POSTS = (
    "did",
    "handle",
    "displayName",
    "createdAt",
    "labels",
    "description",
)  # what a post's view says of its author


class Profiles:
    """Profiles of DIDs, from a server that shows them without an account; at most `most` are remembered."""

    def __init__(self, wire: Wire, now: Callable[[], datetime], *, most: int = 10_000) -> None:
        self._wire = wire
        self._now = now
        self._most = most
        self._known: OrderedDict[str, tuple[dict[str, Any], datetime]] = OrderedDict()
        self._resting_until: datetime | None = None

    def __call__(self, dids: Sequence[str]) -> Mapping[str, dict[str, Any]]:
        """As much as is known of each: at least its DID. Never raises."""
        now = self._now()
        unknown = [did for did in dids if did not in self._known or now - self._known[did][1] > _KEPT_FOR]
        if self._resting_until is None or now >= self._resting_until:
            for start in range(0, len(unknown), _TOGETHER):
                if not self._look_up(unknown[start : start + _TOGETHER], now):
                    self._resting_until = now + _REST
                    break
        found = {did: self._known[did][0] if did in self._known else {"did": did} for did in dids}
        while len(self._known) > self._most:
            self._known.popitem(last=False)
        return found

    def _look_up(self, dids: Sequence[str], now: datetime) -> bool:
        try:
            answer = self._wire.get("app.bsky.actor.getProfiles", {"actors": list(dids)})
        except FAILURES:
            return False
        body = read_json(answer.body) if answer.status == 200 else None
        profiles = body.get("profiles") if isinstance(body, dict) else None
        if not isinstance(profiles, list):
            return False
        shown = {str(each.get("did")): each for each in profiles if isinstance(each, dict)}
        for did in dids:
            profile = {name: shown[did][name] for name in _AS_IN_POSTS if name in shown[did]} if did in shown else {}
            self._known[did] = ({**profile, "did": did}, now)
            self._known.move_to_end(did)
        return True
