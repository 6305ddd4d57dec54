"""A process that tells one target what waits, and ends: `python -m tests.listener.flow.teller DATABASE WEBHOOK`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from connectors.webhooks import Webhook
from listener import log
from listener import store as stores
from listener.flow.alert import Target, alert


def main(database: str, webhook: str) -> None:
    """Says `ready` once it could begin, waits for a line, tells, and says how many."""
    log.start(form="lines", level="warning")
    store = stores.open(database)
    target = Target(reach=lambda: Webhook(webhook), hourly=1000)
    print("ready", flush=True)
    sys.stdin.readline()
    print(alert(store, "ops", target, clock=lambda: datetime.now(UTC)).sent, flush=True)
    store.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
