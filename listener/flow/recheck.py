"""recheck: look known posts up again, so that an edit is re-read and what is deleted there disappears here.

What a network lets nobody keep for longer is emptied here too, looked up or not.
"""

from __future__ import annotations

from datetime import datetime

from listener import budget
from listener.budget import Use
from listener.contract import Connector, Rechecks
from listener.desk.purse import Purse
from listener.log import logger
from listener.store import Store, erasing, mentions
from listener.store.mentions import Saved
from listener.types import Facts

log = logger(__name__)

REQUESTS = 40  # in one round on one account; listening lives on the same allowance
OLD = 200  # posts emptied in one transaction for their age


def recheck(
    store: Store, connector: Connector, account: str, network: str, *, now: datetime, purse: Purse
) -> Saved | None:
    """Looks up one batch of the account's posts that are due for it; None where nothing is, or no money for it is left.

    Raises the NetworkError where nothing could be looked up.
    Where the network's own rules ask for these looks, they may use the last of the money; usual ones stop with reading.
    """
    if not isinstance(connector, Rechecks):
        return None
    facts = connector.facts
    turns = facts.rechecks or budget.RECHECKS
    with store.read() as tx:
        due = mentions.to_recheck(tx, account, due=turns, now=now, limit=max(facts.looks_at_once, REQUESTS))
    if not due or purse.refusal(Use.FOLLOWING if facts.rechecks else Use.READING):
        return None
    try:
        answer = connector.recheck(due)
    finally:
        purse.pay(connector)
    with store.write() as tx:
        saved = mentions.rechecked(tx, network=network, external_ids=due, answer=answer, due=turns, now=now)
        store.carry(tx, saved.edited)
    if saved.edited or saved.gone:
        log.info(
            "Changed meanwhile.", action="rechecked", account=account, edited=len(saved.edited), gone=len(saved.gone)
        )
    return saved


def batches(facts: Facts) -> int:
    """How many batches one round may look up, so that it costs about `REQUESTS` requests."""
    return max(1, REQUESTS // -(-max(facts.looks_at_once, REQUESTS) // max(1, facts.looks_at_once)))


def forget(store: Store, account: str, network: str, facts: Facts, *, now: datetime) -> int:
    """Empties one batch of what the account heard and the network lets nobody keep for so long; gives how many."""
    if facts.keep is None:
        return 0
    with store.write() as tx:
        old = erasing.erase_old(tx, account=account, network=network, older_than=now - facts.keep, limit=OLD, now=now)
    if old:
        log.info("Kept no longer than the network allows.", action="forgotten", account=account, mentions=len(old))
    return len(old)
