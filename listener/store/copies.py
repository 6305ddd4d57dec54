"""The same text from several accounts: what campaigns and machines do."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta

from sqlalchemy import func, select

from listener.store import Transaction
from listener.store import tables as t

LEAST_WORDS = 4  # many people say “muchas gracias” in the same words
_VARIES = re.compile(r"https?://\S+|[@#]\S+")  # what copies of one text are given of their own
_WORD = re.compile(r"\w+")


def copy_key(text: str) -> str:
    """16 hex digits that texts share if they are the same but for capitals, signs, links, handles and hashtags.

    Empty for a text of fewer than four words, of which nobody is the author.
    """
    words = _WORD.findall(_VARIES.sub(" ", text).casefold())
    if len(words) < LEAST_WORDS:
        return ""
    return hashlib.sha256(" ".join(words).encode("utf-8", "replace")).hexdigest()[:16]


def by_others(
    tx: Transaction, *, account_id: int, network: str, text: str, around: datetime, within: timedelta, most: int = 100
) -> int:
    """How many other accounts wrote that text on the network so close to a moment; `most`: of so many, it is enough."""
    key, said = copy_key(text), t.mentions.c
    if not key:
        return 0
    same = (
        select(said.account_id)
        .where(said.copy_key == key, said.posted_at >= around - within, said.posted_at <= around + within)
        .where(said.network == network, said.account_id != account_id)
    )
    return int(tx.scalar(select(func.count()).select_from(same.distinct().limit(most).subquery())) or 0)
