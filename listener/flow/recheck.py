"""recheck: look known posts up again, so that an edit is re-read and what is deleted there disappears here."""

from __future__ import annotations

from datetime import datetime

import structlog

from listener import budget
from listener.contract import Connector, Rechecks
from listener.errors import NetworkError
from listener.store import Store, mentions
from listener.store.mentions import Saved

log = structlog.get_logger(__name__)


def recheck(store: Store, connector: Connector, account: str, network: str, *, now: datetime, limit: int) -> Saved:
    """Looks up whatever of the account's posts is due for it, at most `limit`. A failing network is tried later."""
    if not isinstance(connector, Rechecks):
        return Saved()
    schedule = connector.facts.rechecks or budget.RECHECKS
    with store.read() as tx:
        due = mentions.to_recheck(tx, account, due=schedule, now=now, limit=limit)
    if not due:
        return Saved()
    try:
        answer = connector.recheck(due)
    except NetworkError as error:
        log.debug("Could not look posts up again.", action="recheck_failed", account=account, reason=str(error))
        return Saved()
    with store.write() as tx:
        saved = mentions.rechecked(tx, network=network, external_ids=due, answer=answer, now=now)
    if saved.edited or saved.gone:
        log.info(
            "Changed meanwhile.", action="rechecked", account=account, edited=len(saved.edited), gone=len(saved.gone)
        )
    return saved
