"""incident report: lengths, ranks and windows, without a database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from listener.insight.incident_report import Facts, lasted, quantile, report
from listener.store.incident_facts import NoticeFacts, Said
from listener.store.incidents import Incident
from listener.types import IncidentState

BEGAN = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def minutes(*many: int) -> list[timedelta]:
    return [timedelta(minutes=each) for each in many]


def incident(state: IncidentState, ended: int | None = None) -> Incident:
    return Incident(
        id=1, title="x", state=state, opened_by="ana", opened_at=BEGAN, began_at=BEGAN,
        ended_at=None if ended is None else BEGAN + timedelta(minutes=ended), owner=None, case_id=None,
        case_reference=None, affected={}, meaning="", say="", avoid=(), holds_replies=True, holds_cheer=True,
        swept_to=None, revision=1, changed_at=BEGAN,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("share", "of", "rank"),
    [(0.5, (1, 2), 1), (0.5, (1, 2, 3), 2), (0.5, (1, 2, 3, 4), 2), (0.9, range(1, 11), 9), (1.0, (1, 2), 2)],
)
def test_a_quantile_is_the_smallest_that_so_many_do_not_exceed(share: float, of: Sequence[int], rank: int) -> None:
    assert quantile(minutes(*of), share) == timedelta(minutes=rank)
    assert quantile([], share) is None


@pytest.mark.parametrize(
    ("state", "ended", "until", "over"),
    [
        (IncidentState.PROPOSED, None, 60, False),
        (IncidentState.FIXING, None, 60, False),
        (IncidentState.FIXING, 30, 30, True),  # it hits nobody any more, and is worked on still
        (IncidentState.FIXING, 90, 60, False),  # somebody said until when it will last
        (IncidentState.RESOLVED, 30, 30, True),
        (IncidentState.DISMISSED, 30, 30, True),
    ],
)
def test_it_lasts_until_it_hits_nobody_or_now(state: IncidentState, ended: int | None, until: int, over: bool) -> None:
    now = BEGAN + timedelta(minutes=60)
    assert lasted(incident(state, ended), now) == (BEGAN, BEGAN + timedelta(minutes=until), over)


def facts(said: Sequence[tuple[int, int]]) -> Facts:
    """What people wrote, each so many minutes after it began; a notice went out after an hour."""
    mentions = [
        Said(
            id=number, at=BEGAN + timedelta(minutes=minute), network="x", account=who, person=who, followers=None,
            sentiment="negative", intents=(), areas=(),
        )
        for number, (minute, who) in enumerate(sorted(said), 1)
    ]  # fmt: skip
    at = BEGAN + timedelta(hours=1)
    notice = NoticeFacts(number=1, title="x", first_at=at, last_at=at, posts=1, networks=("x",), follows_as="")
    return Facts(
        incident=incident(IncidentState.FIXING), events=(), mentions=tuple(mentions), around=(), answers=(), cases=(),
        notices=(notice,), amended=(), spent=(), switched=(), places={},
    )  # fmt: skip


def test_who_writes_often_is_one_before_and_after_a_notice() -> None:
    once = [(minute, minute) for minute in range(5, 115, 3)]
    often = once + [(minute, 5) for minute in range(6, 55)]
    now = BEGAN + timedelta(hours=2)
    (plain,), (loud,) = report(facts(once), now).changes, report(facts(often), now).changes
    assert (plain.before, plain.after, plain.rate) == (loud.before, loud.after, loud.rate)
    assert loud.negative_before[1] > plain.negative_before[1], "shares are of mentions"
