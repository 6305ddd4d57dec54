"""Who is told of it beside the networks, our own people and a CRM, and what they make of what comes.

Both know by its id what came already, and drop it (docs/alerts.md, docs/crm.md). So whoever dies between their answer
and our commit may say the same again, but under the same id; what came under another one they could not unite.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import func, select

from listener.store import Transaction
from listener.store import tables as t
from listener.types import AlertState
from tests.servers.webhook import Delivered, Receiver

KEY = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="  # what both are signed with: 32 times the letter k
SETTINGS = """
[alerts.ops]
webhook = "{url}/alerts"
hourly = 1000
[crm.erp]
system = "webhook"
url = "{url}/crm"
sends = ["cases"]
"""
SECRETS = {"ESCUCHA_ALERTS__OPS__SECRET": KEY, "ESCUCHA_CRM__ERP__SECRET": KEY}


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What they were told. `told`: by its id; `again`: how often something came again under the id that it had.

    `lost`: what they never heard of, `doubled`: what they heard under two ids, or under one in two wordings.
    """

    told: int
    again: int
    lost: tuple[str, ...]
    doubled: tuple[str, ...]


@contextmanager
def listening(seed: int, slow: float) -> Iterator[Receiver]:
    """Both of them. They take up to `slow` seconds over an answer: who dies meanwhile was heard without knowing."""
    chance = random.Random(f"{seed} tells")
    with Receiver() as receiver:
        receiver.meanwhile = lambda: time.sleep(chance.uniform(0, slow))
        yield receiver


def open_ends(tx: Transaction) -> int:
    """How much waits to be told."""
    going = (AlertState.WAITING.value, AlertState.SENDING.value)
    counts = [
        select(func.count()).select_from(table).where(table.c.state.in_(going))
        for table in (t.alerts, t.crm_deliveries)
    ]
    return sum(tx.scalar(count) or 0 for count in counts)


def heard(tx: Transaction, came: Sequence[Delivered]) -> Heard:
    """Counts what came by the ids, and holds it against what was to be told."""
    wordings: dict[str, set[bytes]] = defaultdict(set)
    said: dict[str, dict[str, object]] = {}
    for each in came:
        number = f"{each.path.rpartition('/')[2]} {each.headers['webhook-id']}"
        said[number] = json.loads(each.body)
        wordings[number].add(each.body)
    alerts = Counter(str(words["id"]) for number, words in said.items() if number.startswith("alerts "))
    news: Counter[str] = Counter()  # how many events of each case, over all ids
    for number, words in said.items():
        if number.startswith("crm "):
            news[f"case {words['reference']}"] += len(words["events"])  # type: ignore[arg-type]
    alone = t.alerts.c.state != AlertState.GATHERED.value  # the others are told by a digest, which is an alert itself
    wanted = {str(number) for number in tx.scalars(select(t.alerts.c.id).where(alone))}
    subject = t.crm_deliveries.c.subject
    happened = {row[0]: int(row[1]) for row in tx.execute(select(subject, func.count()).group_by(subject))}
    return Heard(
        told=len(said),
        again=len(came) - len(said),
        lost=(
            *(f"alert {number}" for number in sorted(wanted - alerts.keys())),
            *(f"{of}: {news[of]} of {number}" for of, number in happened.items() if news[of] < number),
        ),
        doubled=(
            *(f"alert {number}" for number, times in alerts.items() if times > 1 or number not in wanted),
            *(f"{of}: {news[of]} of {happened.get(of, 0)}" for of in news if news[of] > happened.get(of, 0)),
            *(number for number, words in wordings.items() if number.startswith("crm ") and len(words) > 1),
        ),
    )
