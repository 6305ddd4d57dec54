"""The life of an article: written, read by somebody else, published, looked at again, retired.

draft | accepted by somebody other than its authors | published | replaced by the next, or retired
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from listener.desk.readers import Reader
from listener.errors import AlreadyDone, Mistake, NotFound, Stale
from listener.escapes import visible
from listener.store import Transaction, articles, made_from, ratings, shelf, users
from listener.store.articles import Article, ArticleText, Version, Written
from listener.store.ratings import Ratings
from listener.types import VersionState

if TYPE_CHECKING:
    from listener.desk.shelving import Embed

LONGEST = {"title": 200, "answer": 10_000, "body": 50_000}  # characters
MOST_LANGUAGES, MOST_NAMES = 20, 50
LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z]{2,4})?")
FEW_RATINGS = 3  # from so many on, an article can be called badly rated
BAD = 0.5  # below this share of people who found it useful, it is
UNPUBLISHED = (VersionState.DRAFT, VersionState.ACCEPTED, VersionState.RETURNED)


def find(tx: Transaction, typed: str, reader: Reader | None, *, lock: bool = False) -> tuple[Article, int | None]:
    """The article that `K12` or `K12@3` names, and the version where one was named.

    Raises Mistake for what is no name, NotFound where there is none, or none for this reader.
    """
    found = re.fullmatch(r"\s*K?0*([0-9]{1,18})(?:@0*([0-9]{1,9}))?\s*", typed, re.IGNORECASE)
    if not found:
        raise Mistake(f"{visible(typed[:40])} is no article; they look like K12, or K12@3 for its third version.")
    article = articles.get(tx, int(found[1]), lock=lock)
    read(tx, article, article.published or article.newest, reader)
    return article, int(found[2]) if found[2] else None


def read(tx: Transaction, article: Article, number: int, reader: Reader | None) -> Version:
    """That version of it, for a reader: each says for itself who may read it, and who wrote it may.

    Raises NotFound.
    """
    version = articles.version(tx, article, number)
    if reader is None or reader.may_read(version.written) or users.same_person(reader.name, version.written_by):
        return version
    raise NotFound(f"There is no article {version.name} for you; see `escucha kb list`.")


# --- writing ---------------------------------------------------------------------------------------------------------


def write(
    tx: Transaction, written: Written, *, why: str, case_id: int | None = None, by: str, now: datetime
) -> Version:
    """A new article as a draft. Raises Mistake with every reason why it cannot be one."""
    return articles.add(tx, checked(written), why=why, case_id=case_id, by=by, now=now)


def rewrite(
    tx: Transaction, article: Article, written: Written, *, based_on: int, why: str, by: str, now: datetime
) -> Version:
    """Its next version, a draft; an earlier one that was not published is dropped.

    Raises Stale where `based_on` is no longer its newest, Mistake where nothing was changed or it cannot be so.
    """
    article = articles.get(tx, article.id, lock=True)
    newest = articles.version(tx, article, article.newest)
    if newest.number != based_on:
        raise Stale(
            f"{newest.written_by} wrote {newest.name} meanwhile; read it, and edit that: escucha kb show {newest.name}"
        )
    written = checked(written)
    if written == newest.written and newest.state is not VersionState.RETIRED:
        raise Mistake(f"{newest.name} says exactly that already.")
    if newest.state in UNPUBLISHED:
        articles.move(tx, newest, VersionState.DROPPED, by=by, now=now)
    return articles.add_version(tx, article, written, why=why, by=by, now=now)


def changed(
    written: Written, texts: Mapping[str, ArticleText], *, without: Iterable[str] = (), **columns: Any
) -> Written:
    """What was written with other texts in some languages, without those of others, and with other values; None: as
    it is."""
    kept = {code: text for code, text in {**written.texts, **texts}.items() if code not in set(without)}
    return replace(written, texts=kept, **{name: value for name, value in columns.items() if value is not None})


def checked(written: Written) -> Written:
    """The same without blanks around its texts. Raises Mistake with every reason why it cannot be kept."""
    texts = {
        code: ArticleText(title=" ".join(text.title.split()), answer=text.answer.strip(), body=_tidy(text.body))
        for code, text in written.texts.items()
    }
    problems = [] if texts else ["It says nothing yet; give it a title and a body in a language."]
    if len(texts) > MOST_LANGUAGES:
        problems.append(f"It has {len(texts)} languages, and {MOST_LANGUAGES} are the most.")
    for code, text in texts.items():
        problems += _problems(code, text)
    for name, values in (("team", written.teams), ("role", written.roles), ("product", (written.product,))):
        if len(values) > MOST_NAMES or any(len(each) > 100 or visible(each) != each for each in values):
            problems.append(f"A {name} is a name of at most 100 characters that can all be seen.")
    if problems:
        raise Mistake("\n".join(problems))
    return replace(written, texts=dict(sorted(texts.items())))


def _problems(code: str, text: ArticleText) -> list[str]:
    where = visible(code[:20])
    found = [] if LANGUAGE.fullmatch(code) else [f"{where!r} is no language; write es or en."]
    if not text.title:
        found.append(f"The text in {where} has no title; give it the question that it answers.")
    if not text.body and not text.answer:
        found.append(f"The text in {where} says nothing; give it a body.")
    for name, longest in LONGEST.items():
        value = getattr(text, name)
        if len(value) > longest:
            found.append(f"The {name} in {where} has {len(value):,} characters, and {longest:,} are the most.")
        if visible(value, lines=True) != value.expandtabs(4):
            found.append(f"The {name} in {where} holds characters that nobody can see; take them out.")
    return found


def _tidy(text: str) -> str:
    lines = text.replace("\r\n", "\n").expandtabs(4).split("\n")
    return "\n".join(line.rstrip() for line in lines).strip("\n")


# --- deciding --------------------------------------------------------------------------------------------------------


def accept(tx: Transaction, article: Article, number: int, *, note: str, by: str, now: datetime) -> Version:
    """Somebody other than its authors agrees to it. Raises Mistake, Stale or AlreadyDone where that cannot be."""
    found = _waiting(tx, article, number)
    if any(users.same_person(by, author) for author in authors(tx, article, up_to=number)):
        raise Mistake(f"You wrote {found.name}, or a part of it; somebody else must read it before it is published.")
    if found.state is VersionState.ACCEPTED:
        raise AlreadyDone(f"{found.name} was accepted by {found.reviewed_by} already.")
    articles.move(tx, found, VersionState.ACCEPTED, by=by, now=now, reviewed_by=by, reviewed_at=now, note=note)
    return articles.version(tx, article, number)


def send_back(tx: Transaction, article: Article, number: int, *, note: str, by: str, now: datetime) -> Version:
    """A reviewer wants it otherwise, and says why."""
    found = _waiting(tx, article, number)
    articles.move(tx, found, VersionState.RETURNED, by=by, now=now, reviewed_by=by, reviewed_at=now, note=note)
    return articles.version(tx, article, number)


def publish(tx: Transaction, article: Article, *, model: str, embed: Embed | None, by: str, now: datetime) -> Version:
    """Puts its accepted version out; the one before is replaced, and replies made from that are put before people.

    Raises Mistake or AlreadyDone where nothing was accepted.
    """
    from listener.desk import shelving

    article = articles.get(tx, article.id, lock=True)
    found = articles.version(tx, article, article.newest)
    if found.state is VersionState.PUBLISHED:
        raise AlreadyDone(f"{found.name} is published already, by {found.published_by}.")
    if found.state is not VersionState.ACCEPTED:
        raise Mistake(
            f"{found.name} is not accepted; somebody other than {found.written_by} must read it first: "
            f"escucha kb review {found.name}"
        )
    if article.published is not None:
        _end(tx, article, VersionState.REPLACED, by=by, now=now)
    articles.move(tx, found, VersionState.PUBLISHED, by=by, now=now, published_by=by, published_at=now)
    articles.put_out(tx, article, found.number, by=by, now=now)
    out = articles.version(tx, article, found.number)
    shelving.shelve(tx, [out], model=model, embed=embed)
    return out


def retire(tx: Transaction, article: Article, *, why: str, by: str, now: datetime) -> Version:
    """Takes its published version back: it is no longer found, and replies made from it are put before people."""
    article = articles.get(tx, article.id, lock=True)
    if article.published is None:
        raise AlreadyDone(f"{article.name} is not published.")
    ended = _end(tx, article, VersionState.RETIRED, by=by, now=now, note=why)
    articles.put_out(tx, article, None, by=by, now=now)
    shelf.take_away(tx, [article.id])
    return ended


def authors(tx: Transaction, article: Article, *, up_to: int | None = None) -> frozenset[str]:
    """Who wrote at what is not published yet, up to that version."""
    since = article.published or 0
    last = up_to or article.newest
    return frozenset(each.written_by for each in articles.versions(tx, article) if since < each.number <= last)


def _waiting(tx: Transaction, article: Article, number: int) -> Version:
    article = articles.get(tx, article.id, lock=True)
    found = articles.version(tx, article, number)
    if number != article.newest:
        raise Stale(
            f"{found.name} is not its newest version; read that: escucha kb review {article.name}@{article.newest}"
        )
    if found.state not in (VersionState.DRAFT, VersionState.ACCEPTED):
        raise AlreadyDone(f"{found.name} is {found.state} already.")
    return found


def _end(
    tx: Transaction, article: Article, to: VersionState, *, by: str, now: datetime, note: str | None = None
) -> Version:
    assert article.published is not None
    old = articles.version(tx, article, article.published)
    said = {} if note is None else {"note": note}
    articles.move(tx, old, to, by=by, now=now, ended_by=by, ended_at=now, **said)
    made_from.put_back(tx, article.id, old.number, why=f"{old.name}, from which it was made, is {to}", now=now)
    return old


# --- looking again ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Concern:
    """Why somebody should look at an article; `what` is one of `doubted`, `due`, `stale`, `badly_rated`, `returned`."""

    what: str
    words: str


def concerns(
    article: Article, version: Version, rated: Ratings, *, newest: Version, stale_after: timedelta, now: datetime
) -> list[Concern]:
    """Why somebody should look at the article again; none: all is well. `version`: its published one, or the newest."""
    found = []
    if article.doubt:
        found.append(Concern(what="doubted", words=f"{article.doubted_by} doubts it: {article.doubt}"))
    due = version.written.review_by
    if article.published is not None and due is not None and due <= now.date() and looked_on(article) < due:
        found.append(Concern(what="due", words=f"to be looked at by {due}"))
    age = now - article.looked_at
    if article.published is not None and age >= stale_after:
        found.append(Concern(what="stale", words=f"nobody looked at it for {age.days} days"))
    if article.published is not None and rated.many >= FEW_RATINGS and rated.share < BAD:
        found.append(Concern(what="badly_rated", words=f"useful to {rated.useful} of {rated.many}"))
    if newest.state is VersionState.RETURNED:
        note = f": {newest.note}" if newest.note else ""
        found.append(Concern(what="returned", words=f"{newest.reviewed_by} sent {newest.name} back{note}"))
    return found


def looked_on(article: Article) -> date:
    """The day on which somebody last said that it is true."""
    return article.looked_at.date()


def rate(tx: Transaction, article: Article, *, useful: bool, reason: str, by: str, now: datetime) -> Version:
    """What somebody who used its published version thinks of it. Raises Mistake where there is none."""
    if article.published is None:
        raise Mistake(f"{article.name} is not published, so nobody can have used it.")
    if not useful and not reason.strip():
        raise Mistake("Say in a few words what is wrong with it: --reason '…'.")
    ratings.rate(tx, article.id, article.published, useful=useful, reason=reason, by=by, now=now)
    return articles.version(tx, article, article.published)


def names(concerned: Sequence[Concern]) -> str:
    """`badly rated, stale`."""
    return ", ".join(each.what.replace("_", " ") for each in concerned)
