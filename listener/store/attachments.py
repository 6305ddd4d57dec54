"""Pictures that go out with a draft or a notice, each described in the languages of its texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, select

from listener.store import Transaction
from listener.store import tables as t
from listener.types import Attachment


@dataclass(frozen=True, kw_only=True)
class Image:
    """A picture as people look it over, without its bytes. `size` in bytes; `alt` by language."""

    name: str
    content_type: str
    size: int
    alt: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class NewImage:
    """A picture to be kept, checked and cleaned already; `alt` by language."""

    name: str
    content_type: str
    data: bytes
    alt: Mapping[str, str]


def replace_of_draft(tx: Transaction, draft_id: int, images: Iterable[NewImage]) -> None:
    """Gives the draft these pictures in place of those it had."""
    erase_of_drafts(tx, [draft_id])
    _add(tx, images, draft_id=draft_id)


def add_to_notice(tx: Transaction, notice_id: int, images: Iterable[NewImage]) -> None:
    """Gives a new notice its pictures."""
    _add(tx, images, notice_id=notice_id)


def of_draft(tx: Transaction, draft_id: int) -> tuple[Image, ...]:
    """The draft's pictures, in order."""
    return _images(tx, t.attachments.c.draft_id == draft_id)


def of_notice(tx: Transaction, notice_id: int) -> tuple[Image, ...]:
    """The notice's pictures, in order."""
    return _images(tx, t.attachments.c.notice_id == notice_id)


def to_send(
    tx: Transaction, *, language: str, draft_id: int | None = None, notice_id: int | None = None
) -> tuple[Attachment, ...]:
    """The pictures of that draft or notice as a network is handed them, described in that language."""
    mine = t.attachments.c.draft_id == draft_id if draft_id is not None else t.attachments.c.notice_id == notice_id
    rows = tx.execute(select(t.attachments).where(mine).order_by(t.attachments.c.id))
    return tuple(
        Attachment(name=row.name, content_type=row.content_type, data=row.data, alt=_described(row.alt, language))
        for row in rows
    )


def erase_of_drafts(tx: Transaction, draft_ids: Sequence[int] | Any) -> None:
    """Forgets the pictures of these drafts: numbers, or a selection of them."""
    tx.execute(delete(t.attachments).where(t.attachments.c.draft_id.in_(draft_ids)))


def _add(tx: Transaction, images: Iterable[NewImage], **whose: int) -> None:
    for image in images:
        values = {"name": image.name, "content_type": image.content_type, "data": image.data, "alt": dict(image.alt)}
        tx.execute(insert(t.attachments).values(**values, **whose))


def _images(tx: Transaction, mine: ColumnElement[bool]) -> tuple[Image, ...]:
    columns = t.attachments.c
    size = func.length(columns.data).label("size")
    query = select(columns.name, columns.content_type, size, columns.alt).where(mine).order_by(columns.id)
    return tuple(
        Image(name=row.name, content_type=row.content_type, size=row.size, alt=row.alt) for row in tx.execute(query)
    )


def _described(alt: Mapping[str, str], language: str) -> str:
    """The description in that language; where there is none in it, the only or first one."""
    return alt.get(language) or next(iter(alt.values()), "")
