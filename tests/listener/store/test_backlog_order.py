"""What waits to be read or decided is taken up in its order, however much there is (PostgreSQL: test_plans)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from listener import store as stores
from listener.store import mentions
from listener.types import MentionState


@pytest.mark.parametrize("state", [MentionState.NEW, MentionState.UNDERSTOOD])
def test_an_index_keeps_the_order_and_nothing_is_sorted(tmp_path: Path, state: MentionState) -> None:
    store = stores.open(f"sqlite:///{tmp_path / 'a.db'}")
    plan: list[str] = []

    def explain(_tx: Any, cursor: Any, statement: str, values: Any, *_more: Any) -> None:
        plan.extend(row[3] for row in cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", values))

    with store.write() as tx:
        event.listen(tx.engine, "before_cursor_execute", explain)
        try:
            assert mentions.awaiting(tx, state, 250, alone=True) == []
        finally:
            event.remove(tx.engine, "before_cursor_execute", explain)
    store.close()
    assert "SEARCH mentions USING INDEX ix_mentions_waiting (state=?)" in plan
    assert not [step for step in plan if "TEMP B-TREE" in step]
