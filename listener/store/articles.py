"""Articles and their versions: what is known, written down once. What a version says never changes.

Search reads none of this but the `shelf` (shelf.py); who may write, accept and publish is decided in desk/knowledge.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, Select, func, insert, select, update

from listener.errors import AlreadyDone, NotFound
from listener.store import Transaction, audit
from listener.store import tables as t
from listener.types import VERSION_MOVES, Audience, VersionState


@dataclass(frozen=True, kw_only=True)
class ArticleText:
    """One language of a version. `answer` is what a reply made from it says; it may be empty."""

    title: str
    answer: str = ""
    body: str = ""


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a version says and whom it is for. `teams` and `roles`: who may read it; empty: all of them."""

    texts: Mapping[str, ArticleText]  # by language
    audience: Audience = Audience.INTERNAL
    teams: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    product: str = ""
    review_by: date | None = None


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version, with who did what to it. `id` is its row; people call it `K12@3`."""

    id: int
    article_id: int
    number: int
    state: VersionState
    written: Written
    written_by: str
    written_at: datetime
    why: str
    case_id: int | None
    case_reference: str | None
    reviewed_by: str | None
    reviewed_at: datetime | None
    note: str
    published_by: str | None
    published_at: datetime | None
    ended_by: str | None
    ended_at: datetime | None

    @property
    def name(self) -> str:
        """`K12@3`."""
        return f"K{self.article_id}@{self.number}"


@dataclass(frozen=True, kw_only=True)
class Article:
    """One article: the numbers of its newest and its published version, and whether anybody doubts it."""

    id: int
    newest: int
    published: int | None
    made_at: datetime
    looked_at: datetime
    looked_by: str
    doubt: str
    doubted_by: str | None
    doubted_at: datetime | None

    @property
    def name(self) -> str:
        """`K12`."""
        return f"K{self.id}"


# --- reading ---------------------------------------------------------------------------------------------------------


def get(tx: Transaction, article_id: int, *, lock: bool = False) -> Article:
    """The article of that number; with `lock`, nobody else adds to it before the transaction ends. Raises NotFound."""
    query = select(t.articles).where(t.articles.c.id == article_id)
    row = tx.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise NotFound(f"There is no article K{article_id}; see `escucha kb list`.")
    return _article(row)


def version(tx: Transaction, article: Article, number: int) -> Version:
    """That version of it. Raises NotFound."""
    found = _versions(tx, t.article_versions.c.article_id == article.id, t.article_versions.c.number == number)
    if not found:
        raise NotFound(f"{article.name} has no version {number}; see `escucha kb history {article.name}`.")
    return found[0]


def versions(tx: Transaction, article: Article) -> list[Version]:
    """All its versions, the oldest first."""
    return _versions(tx, t.article_versions.c.article_id == article.id)


def listing(
    tx: Transaction, *, states: Sequence[VersionState] = (), of: Iterable[int] | None = None
) -> list[tuple[Article, Version]]:
    """Articles, each with its newest version, the newest article first.

    `states`: only those one of whose versions, the published or the newest, is in one of them. `of`: only those.
    """
    columns, own = t.article_versions.c, t.articles.c
    standing = (columns.number == own.newest) | (columns.number == own.published)
    picked = select(own.id).join(t.article_versions, columns.article_id == own.id).where(standing)
    if states:
        picked = picked.where(columns.state.in_([state.value for state in states]))
    if of is not None:
        picked = picked.where(own.id.in_(list(of)))
    rows = tx.execute(select(t.articles).where(own.id.in_(picked)).order_by(own.id.desc())).all()
    found = [_article(row) for row in rows]
    joined = columns.article_id.in_(picked) & columns.number.in_(
        select(own.newest).where(own.id == columns.article_id).correlate(t.article_versions)
    )
    newest = {each.article_id: each for each in _versions(tx, joined)}
    return [(article, newest[article.id]) for article in found]


def published(tx: Transaction, of: Iterable[int] | None = None) -> dict[int, Version]:
    """The published version of each of those articles, or of all, by the article's number."""
    where = [t.article_versions.c.state == VersionState.PUBLISHED.value]
    if of is not None:
        where.append(t.article_versions.c.article_id.in_(list(of)))
    return {each.article_id: each for each in _versions(tx, *where)}


# --- writing ---------------------------------------------------------------------------------------------------------


def add(tx: Transaction, written: Written, *, why: str, case_id: int | None, by: str, now: datetime) -> Version:
    """A new article with its first version, a draft."""
    values = {"newest": 0, "made_at": now, "looked_at": now, "looked_by": by, "doubt": ""}
    article_id = int(tx.execute(insert(t.articles).values(**values).returning(t.articles.c.id)).scalar_one())
    return add_version(tx, get(tx, article_id), written, why=why, case_id=case_id, by=by, now=now)


def add_version(
    tx: Transaction, article: Article, written: Written, *, why: str, case_id: int | None = None, by: str, now: datetime
) -> Version:
    """Its next version, a draft. The article must have been read with `lock`, or made in this transaction."""
    number = article.newest + 1
    values = {
        "article_id": article.id,
        "number": number,
        "state": VersionState.DRAFT.value,
        "audience": written.audience.value,
        "teams": list(written.teams),
        "roles": list(written.roles),
        "product": written.product,
        "review_by": written.review_by,
        "written_by": by,
        "written_at": now,
        "why": why,
        "case_id": case_id,
        "note": "",
    }
    row = tx.execute(insert(t.article_versions).values(**values).returning(t.article_versions.c.id))
    version_id = int(row.scalar_one())
    texts = [
        {
            "article_version_id": version_id,
            "language": language,
            "title": text.title,
            "answer": text.answer,
            "body": text.body,
        }
        for language, text in written.texts.items()
    ]
    tx.execute(insert(t.article_texts), texts)
    tx.execute(update(t.articles).where(t.articles.c.id == article.id).values(newest=number))
    _record(tx, "written", f"K{article.id}@{number}", by, now, languages=sorted(written.texts))
    return version(tx, get(tx, article.id), number)


def move(tx: Transaction, found: Version, to: VersionState, *, by: str, now: datetime, **columns: Any) -> None:
    """One step of a version's life, won by whoever finds it still as they read it. Raises AlreadyDone."""
    if to not in VERSION_MOVES[found.state]:
        raise ValueError(f"a version does not go from {found.state} to {to}")
    where = (t.article_versions.c.id == found.id, t.article_versions.c.state == found.state.value)
    if not tx.execute(update(t.article_versions).where(*where).values(state=to.value, **columns)).rowcount:
        raise AlreadyDone(f"Somebody else was at {found.name} just now; see `escucha kb history K{found.article_id}`.")
    _record(tx, to.value, found.name, by, now)


def put_out(tx: Transaction, article: Article, number: int | None, *, by: str, now: datetime) -> None:
    """Says which version is out; publishing one says that it is true, so that nobody doubts it any more."""
    values: dict[str, Any] = {"published": number}
    if number is not None:
        values |= {"looked_at": now, "looked_by": by, "doubt": "", "doubted_by": None, "doubted_at": None}
    tx.execute(update(t.articles).where(t.articles.c.id == article.id).values(**values))


def looked(tx: Transaction, article: Article, *, by: str, now: datetime) -> None:
    """Somebody looked at it and found it true."""
    values = {"looked_at": now, "looked_by": by, "doubt": "", "doubted_by": None, "doubted_at": None}
    tx.execute(update(t.articles).where(t.articles.c.id == article.id).values(**values))
    _record(tx, "looked", article.name, by, now)


def doubt(tx: Transaction, article_ids: Sequence[int], *, why: str, by: str, now: datetime) -> None:
    """Somebody thinks that they may no longer be true."""
    values = {"doubt": why, "doubted_by": by, "doubted_at": now}
    tx.execute(update(t.articles).where(t.articles.c.id.in_(article_ids)).values(**values))
    for article_id in article_ids:
        _record(tx, "doubted", f"K{article_id}", by, now)


def about_product(tx: Transaction, product: str) -> list[int]:
    """The articles whose published version is about that product, whatever its capitals."""
    columns = t.article_versions.c
    same = func.lower(columns.product) == product.strip().lower()
    query = select(columns.article_id).where(columns.state == VersionState.PUBLISHED.value, same)
    return list(tx.scalars(query.order_by(columns.article_id)))


def products(tx: Transaction) -> list[str]:
    """What published articles are about."""
    columns = t.article_versions.c
    published_ones = (columns.state == VersionState.PUBLISHED.value, columns.product != "")
    return list(tx.scalars(select(columns.product).distinct().where(*published_ones).order_by(columns.product)))


def _record(tx: Transaction, what: str, name: str, by: str, now: datetime, **detail: Any) -> None:
    article, _, number = name.partition("@")
    numbered = {"version": int(number)} if number else {}
    audit.record(
        tx,
        at=now,
        by=by,
        action=f"article.{what}",
        subject=f"article {article.removeprefix('K')}",
        **numbered,
        **detail,
    )


# --- rows ------------------------------------------------------------------------------------------------------------


def _versions(tx: Transaction, *where: Any) -> list[Version]:
    query: Select[Any] = (
        select(t.article_versions, t.cases.c.reference.label("case_reference"))
        .outerjoin(t.cases, t.cases.c.id == t.article_versions.c.case_id)
        .where(*where)
        .order_by(t.article_versions.c.article_id, t.article_versions.c.number)
    )
    rows = tx.execute(query).all()
    if not rows:
        return []
    of = t.article_versions.c.id == t.article_texts.c.article_version_id
    inside = select(t.article_texts).join(t.article_versions, of).where(*where).order_by(t.article_texts.c.id)
    texts: dict[int, dict[str, ArticleText]] = {}
    for row in tx.execute(inside):
        own = texts.setdefault(row.article_version_id, {})
        own[row.language] = ArticleText(title=row.title, answer=row.answer, body=row.body)
    return [_version(row, texts.get(row.id, {})) for row in rows]


def _version(row: Row[Any], texts: Mapping[str, ArticleText]) -> Version:
    written = Written(
        texts=texts,
        audience=Audience(row.audience),
        teams=tuple(row.teams),
        roles=tuple(row.roles),
        product=row.product,
        review_by=row.review_by,
    )
    given: dict[str, Any] = {"state": VersionState(row.state), "written": written}
    return Version(**given, **{name: getattr(row, name) for name in Version.__dataclass_fields__ if name not in given})


def _article(row: Row[Any]) -> Article:
    return Article(**{name: getattr(row, name) for name in Article.__dataclass_fields__})
