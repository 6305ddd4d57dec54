"""What an approval of a notice is of, in 64 characters: every word and picture, and where each goes."""

from __future__ import annotations

import hashlib
import json

from sqlalchemy import select

from listener.store import Transaction
from listener.store import tables as t


def of(tx: Transaction, notice_id: int) -> str:
    """The same for the same texts, parts, accounts, languages, pictures and descriptions, in their order."""
    deliveries, attachments = t.deliveries.c, t.attachments.c
    columns = (deliveries.account, deliveries.network, deliveries.language, deliveries.part, deliveries.below_id)
    texts = tx.execute(
        select(*columns, deliveries.text, deliveries.images)
        .where(deliveries.notice_id == notice_id)
        .order_by(deliveries.id)
    )
    pictures = tx.execute(
        select(attachments.name, attachments.content_type, attachments.data, attachments.alt)
        .where(attachments.notice_id == notice_id)
        .order_by(attachments.id)
    )
    said = [
        [list(row) for row in texts],
        [[row.name, row.content_type, hashlib.sha256(row.data).hexdigest(), row.alt] for row in pictures],
    ]
    return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
