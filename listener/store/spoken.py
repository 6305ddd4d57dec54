"""What was said to whom so far, around many mentions at once: what `inbox.sends` tells of one, in a few questions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Select, and_, bindparam, case, func, select

from listener.store import Transaction
from listener.store import tables as t
from listener.store.inbox import REMEMBERED, SPOKEN, Sends
from listener.store.mentions import Mention
from listener.types import DraftState


@dataclass(frozen=True, slots=True)
class _Said:
    """One reply that was approved or sent. `place`: the newest has the highest. `lately`: within a day; `by_run`: the
    same, let out by a run.
    """

    place: int
    mention_id: int
    account_id: int
    network: str
    thread_id: str | None
    rule: str
    wording: str
    lately: bool
    automatic: bool
    by_run: bool
    sent_at: datetime | None  # None where it is yet on its way


@dataclass(slots=True)
class _Group:
    """What one rule said in one wording on a network within a day, and to how many people."""

    said: int = 0
    in_hour: int = 0
    people: int = 0


class Spoken:
    """The counts for the guard's caps around each of these mentions, and what is let out meanwhile."""

    def __init__(self, tx: Transaction, batch: Sequence[Mention], *, now: datetime) -> None:
        self._of_account: dict[int, list[_Said]] = defaultdict(list)
        self._in_thread: dict[tuple[str, str], list[_Said]] = defaultdict(list)
        self._groups: dict[str, dict[tuple[str, str], _Group]] = defaultdict(lambda: defaultdict(_Group))
        self._newest = 2**62  # after every draft that there is
        for network in {each.network for each in batch}:
            times = {"day": now - timedelta(days=1), "hour": now - timedelta(hours=1)}
            for row in tx.execute(_day(), {"network": network, **times}):
                self._groups[network][row.rule, row.wording] = _Group(row.said, row.in_hour, row.people)
        day = {"day": now - timedelta(days=1)}
        accounts = {"accounts": list({each.account_id for each in batch})}
        for row in tx.execute(_to_accounts(), accounts | day):
            self._of_account[row.account_id].append(_said(row))
        threads = {"threads": list({each.thread_id for each in batch if each.thread_id is not None})}
        for row in tx.execute(_in_threads(), threads | day):
            self._in_thread[row.network, row.thread_id].append(_said(row))

    def around(self, mention: Mention) -> Sends:
        """What `inbox.sends` would give of it now."""
        theirs = self._of_account.get(mention.account_id, [])
        thread = self._in_thread.get((mention.network, mention.thread_id or ""), [])
        lately = [each for each in theirs if each.lately]
        to_them = {(each.rule, each.wording) for each in lately}
        rules: dict[str, int] = {}
        wordings: dict[str, int] = {}
        groups = self._groups[mention.network]
        for (rule, wording), group in groups.items():
            rules[rule] = rules.get(rule, 0) + group.said
            wordings[wording] = wordings.get(wording, 0) + group.people - ((rule, wording) in to_them)
        both = {each.place: each for each in (*theirs, *thread)}
        told = [both[place] for place in sorted(both, reverse=True)]
        return Sends(
            to_author_last_day=len(lately) + sum(each.by_run for each in theirs),
            automatic_to_author_last_day=sum(each.automatic for each in lately),
            in_thread=len(thread),
            last_hour=sum(group.in_hour for group in groups.values()),
            last_day=sum(group.said for group in groups.values()),
            this_mention=sum(each.mention_id == mention.id for each in told),
            by_rule_last_day={rule: said for rule, said in sorted(rules.items()) if rule},
            by_wording_last_day={wording: others for wording, others in sorted(wordings.items()) if wording},
            wordings_before=tuple(dict.fromkeys(each.wording for each in told if each.wording))[:REMEMBERED],
        )

    def last_sent(self, mention: Mention) -> datetime | None:
        """When we last sent something in its thread before it was posted."""
        there = self._in_thread.get((mention.network, mention.thread_id or ""), ())
        before = [each.sent_at for each in there if each.sent_at is not None and each.sent_at < mention.posted_at]
        return max(before, default=None)

    def let_out(self, mention: Mention, *, rule: str, wording: str) -> None:
        """Counts one more, that goes out by itself from now on."""
        theirs = self._of_account[mention.account_id]
        known = any(each.lately and (each.rule, each.wording) == (rule, wording) for each in theirs)
        self._newest += 1
        said = _Said(
            place=self._newest,
            mention_id=mention.id,
            account_id=mention.account_id,
            network=mention.network,
            thread_id=mention.thread_id,
            rule=rule,
            wording=wording,
            lately=True,
            automatic=True,
            by_run=False,
            sent_at=None,
        )
        theirs.append(said)
        if mention.thread_id is not None:
            self._in_thread[mention.network, mention.thread_id].append(said)
        group = self._groups[mention.network][rule, wording]
        group.said += 1
        group.in_hour += 1
        group.people += not known


def _said(row: Any) -> _Said:
    return _Said(
        place=row.id,
        mention_id=row.mention_id,
        account_id=row.account_id,
        network=row.network,
        thread_id=row.thread_id,
        rule=row.rule,
        wording=row.wording,
        lately=bool(row.lately),
        automatic=bool(row.automatic),
        by_run=bool(row.by_run),
        sent_at=row.sent_at if row.state == DraftState.SENT.value else None,
    )


@cache
def _day() -> Select[Any]:
    """What was said on a network within a day, by rule and wording."""
    drafts, heard = t.drafts.c, t.mentions.c
    # `|| ''` keeps SQLite from walking the indexes of the state and the network, which hold all that was ever said.
    here = and_(drafts.state.concat("").in_(SPOKEN), heard.network.concat("") == bindparam("network"))
    return (
        select(
            drafts.rule,
            drafts.wording,
            func.count().label("said"),
            func.sum(case((drafts.said_at >= bindparam("hour"), 1), else_=0)).label("in_hour"),
            func.count(func.distinct(heard.account_id)).label("people"),
        )
        .select_from(t.drafts.join(t.mentions, heard.id == drafts.mention_id))
        .where(drafts.said_at >= bindparam("day"), here)
        .group_by(drafts.rule, drafts.wording)
    )


def _ever() -> Select[Any]:
    drafts, heard = t.drafts.c, t.mentions.c
    by_run = and_(drafts.answer_run_id.is_not(None), drafts.decided_at >= bindparam("day"))
    return (
        select(
            drafts.id,
            drafts.mention_id,
            heard.account_id,
            heard.network,
            heard.thread_id,
            drafts.rule,
            drafts.wording,
            drafts.automatic,
            drafts.state,
            drafts.sent_at,
            case((drafts.said_at >= bindparam("day"), 1), else_=0).label("lately"),
            case((by_run, 1), else_=0).label("by_run"),
        )
        .select_from(t.drafts.join(t.mentions, heard.id == drafts.mention_id))
        .where(drafts.state.concat("").in_(SPOKEN))
    )


@cache
def _to_accounts() -> Select[Any]:
    return _ever().where(t.mentions.c.account_id.in_(bindparam("accounts", expanding=True)))


@cache
def _in_threads() -> Select[Any]:
    return _ever().where(t.mentions.c.thread_id.in_(bindparam("threads", expanding=True)))
