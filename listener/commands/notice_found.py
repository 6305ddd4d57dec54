"""The notice that somebody names by its number, and what the policy says of notices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from listener.commands.app import App
from listener.errors import PolicyProblem
from listener.types import NoticeRules

if TYPE_CHECKING:
    from listener.store import Transaction
    from listener.store.notices import Notice


def found_notice(app: App, number: str) -> Notice:
    """The notice in `N3`, `n3` or `3`. Raises Mistake or NotFound."""
    with app.store.read() as tx:
        return notice_in(tx, number)


def notice_in(tx: Transaction, number: str) -> Notice:
    """The same, within a transaction."""
    from listener.desk import notices as desk
    from listener.store import notices

    return notices.get(tx, desk.number(number))


def notice_rules(app: App) -> NoticeRules:
    """What the policy says of notices; the strictest, and UTC, while it cannot be read: people must be told all the
    same."""
    try:
        return app.policy.notice_rules
    except PolicyProblem:
        return NoticeRules()
