"""alert: tell our own people what they must know. Nothing of it is in the words of others.

For each target, by whoever claims the message first:

    claim one | hand it over | write down what came of it

At least once: a message whose fate nobody knows is handed over again under the same key, for up to a day. Pauses do not
hold alerts: they are no answers, and nothing of them is said on a network.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from listener import budget
from listener.contract import Alerts
from listener.desk import handing_over
from listener.errors import EscuchaError, Outage
from listener.log import logger
from listener.store import Store, alerts, alerts_out
from listener.store.alerts import Alert
from listener.store.alerts_out import PATIENCE
from listener.types import AlertMessage

log = logger(__name__)

VERSION = 1  # of the fields that programs get; it changes where one of them goes or means something else
NAMED = 20  # alerts that a digest tells one by one
_LINK_OR_AT = re.compile(r"(https?://\S+)|(?<![^\W_])@", re.IGNORECASE)
_EVERYBODY = re.compile(r"@(?=(?:all|channel|everyone|group|here)(?![^\W_]))", re.IGNORECASE)  # whom chat programs call


@dataclass(frozen=True, kw_only=True)
class Target:
    """Whom of us to tell, and how. `hourly`: messages that go out one by one; `to`: mail addresses, or none.

    `reach` gives what tells them, and is asked for each message. Raises Mistake where a person must act first.
    """

    reach: Callable[[], Alerts]
    hourly: int
    to: tuple[str, ...] = ()


@dataclass(kw_only=True)
class Told:
    """What one round for one target did."""

    target: str
    sent: int = 0
    failed: int = 0


def alert(
    store: Store,
    name: str,
    target: Target,
    *,
    clock: Callable[[], datetime],
    stopping: Callable[[], bool] = lambda: False,
) -> Told:
    """Tells the target what waits for it, until nothing is due, it must rest, or `stopping()`."""
    done = Told(target=name)
    while not stopping() and (message := _claim(store, name, target, clock())):
        claimed, gathered = message
        try:
            remark = target.reach().alert(compose(claimed, gathered, to=target.to))
        except Outage:
            raise
        except EscuchaError as error:
            _failed(store, claimed, error, clock())
        except Exception as error:
            log.exception("Alerting broke.", action="alert_bug", target=name)
            _failed(store, claimed, error, clock())
        else:
            with store.write() as tx:
                recovered = alerts_out.sent(tx, claimed, remark=remark, now=clock())
            if recovered:
                log.info("Alerts arrive again.", action="alert_up", target=name)
            done.sent += 1
            continue
        done.failed += 1
        break
    return done


def _claim(store: Store, name: str, target: Target, now: datetime) -> tuple[Alert, Sequence[Alert]] | None:
    with store.read() as tx:
        if name not in alerts_out.due(tx, longest_rest=budget.CEILING, now=now):
            return None
    with store.write() as tx:
        claimed = alerts_out.claim(tx, name, hourly=target.hourly, longest_rest=budget.CEILING, now=now)
        if claimed is None:
            return None
        gathered = alerts.listing(tx, digest_id=claimed.id, limit=NAMED) if claimed.kind == alerts.DIGEST else []
        return claimed, gathered


def _failed(store: Store, alert: Alert, error: Exception, now: datetime) -> None:
    with store.write() as tx:
        failures, since = alerts_out.failed(tx, alert.target, error=handing_over.told(error), now=now)
        then = handing_over.after(
            error,
            failures=failures,
            attempts=alert.attempts,
            first_tried_at=alert.first_tried_at,
            patience=PATIENCE,
            for_so_long="a day",
            now=now,
        )
        alerts_out.rest(tx, alert.target, until=then.rests_until)
        if then.again is None:
            alerts_out.given_up(tx, alert, reason=then.reason, now=now)
        else:
            alerts_out.not_sent(tx, alert, reason=then.reason, again=then.again)
        if since <= now - PATIENCE:
            late = f"Tried for a day. {handing_over.told(error)}"
            alerts_out.give_up_all(tx, alert.target, since=now - PATIENCE, reason=late, now=now)
    if failures == 1:
        log.warning("An alert did not arrive.", action="alert_down", target=alert.target, reason=then.reason)


def strand(store: Store, known: Sequence[str], *, now: datetime) -> int:
    """Gives up what waited a day for a target that the settings do not name; gives how many."""
    reason = "the settings name no such target"
    given_up = 0
    with store.read() as tx:
        stranded = [name for name in alerts_out.open_targets(tx) if name not in known]
    for name in stranded:
        with store.write() as tx:
            given_up += alerts_out.give_up_all(tx, name, since=now - PATIENCE, reason=reason, now=now)
    return given_up


# --- what is said -------------------------------------------------------------------------------------------------


def compose(alert: Alert, gathered: Sequence[Alert] = (), *, to: tuple[str, ...] = ()) -> AlertMessage:
    """The alert as people and as programs read it; `gathered` are the first of those that a digest tells."""
    lines = [alert.subject, alert.why, *_lines(alert)]
    if gathered:
        lines += ["", *(each.subject for each in gathered)]
        if (more := alert.stands_for - len(gathered)) > 0:
            lines.append(f"and {more:,} more: escucha alert list --digest {alert.id}")
    text = "\n".join(line for line in lines if line is not None)
    fields = {"version": VERSION, **_fields(alert), "text": for_chat(text), "stands_for": alert.stands_for}
    if alert.kind == alerts.DIGEST:
        fields["alerts"] = [_fields(each) for each in gathered]
    return AlertMessage(key=alert.send_key, subject=alert.subject, text=text, fields=fields, to=to)


def for_chat(text: str) -> str:
    """The text as chat programs that read it as Slack does show it whole: no link with other words, nobody called.

    A link keeps its `@` but where a word behind it calls everybody, as some servers know no page by `%40`.
    """
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _LINK_OR_AT.sub(lambda found: _EVERYBODY.sub("%40", found[1]) if found[1] else "@\u2060", text)


def _lines(alert: Alert) -> list[str]:
    found = [f"Case {alert.case}, {alert.team}"] if alert.case else []
    found += [alert.url] if alert.url else []
    found += [f"escucha show M{alert.mention_id}"] if alert.mention_id is not None else []
    return found


def _fields(alert: Alert) -> dict[str, Any]:
    mention = {"id": alert.mention_id, "network": alert.network, "url": alert.url}
    return {
        "id": alert.id,
        "key": alert.send_key,
        "kind": alert.kind,
        "target": alert.target,
        "subject": alert.subject,
        "why": alert.why,
        "rule": alert.rule or None,
        "urgency": alert.urgency or None,
        "mention": mention if alert.mention_id is not None else None,
        "case": {"reference": alert.case, "team": alert.team} if alert.case else None,
        "made_at": alert.made_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
    }
