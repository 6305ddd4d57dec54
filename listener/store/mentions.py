"""Mentions and who wrote them: stored once, revised when edited, emptied when deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Row,
    Select,
    Text,
    Update,
    bindparam,
    case,
    cast,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from listener.correlation import correlation
from listener.errors import NotFound
from listener.store import Transaction, addresses, audit, copies, edits, erasing, erasures, handles, upsert
from listener.store import tables as t
from listener.types import (
    MENTION_MOVES,
    Author,
    Contact,
    Media,
    MentionState,
    Post,
    PostKind,
    Rechecked,
    Visibility,
)

_TOLD_EACH_TIME = (
    "handle",
    "folded",
    "display_name",
    "url",
    "followers",
    "bot",
    "opted_out",
    "verified",
)  # of an author
MAX_COUNT = 2_000_000_000  # as much as an integer column holds everywhere
AGAIN = timedelta(hours=1)  # until a post is looked up again of which a look told nothing
MOST_TERMS = 40  # kept with one mention, of all queries that found it
# Whoever posts says when, and can say anything: how often somebody wrote is counted by when we heard it. Only what says
# that it is so much older than the span is left out, lest a first poll's old posts count as written now. No policy
# answers by itself what is older (`guard: max_age:`), so that nobody gains by saying so.
BELIEVED = timedelta(days=7)
MOST_CONTACTS = 10  # kept of what a profile names
MAX_ID = 300  # characters of an id or a name, as wide as their columns
MAX_TEXT = 50_000  # characters kept of one post; longer than any network's limit, short of what would choke a terminal


@dataclass(frozen=True, kw_only=True)
class Mention:
    """One stored post with its author. `source` is the source's name."""

    id: int
    network: str
    external_id: str
    source: str
    account: str  # our account, through which it was heard
    account_id: int
    author: Author
    state: MentionState
    revision: int
    kind: PostKind
    visibility: Visibility
    text: str
    content_warning: str
    quoted: str
    unanswerable: str
    url: str | None
    parent_id: str | None
    thread_id: str | None
    media: tuple[Media, ...]
    posted_at: datetime
    edited_at: datetime | None
    heard_at: datetime
    checked_at: datetime
    gone_at: datetime | None
    trouble: str | None
    left_alone_at: datetime | None  # when its author asked us not to be answered any more
    sender_proven: bool | None = None  # whether it is proven that the author sent it; None: the network's account is
    terms: tuple[str, ...] = ()  # which of our queries' terms are in it

    @property
    def correlation(self) -> str:
        """What all that is done about it is known by, in logs and traces."""
        return correlation(self.network, self.external_id)


@dataclass(frozen=True, kw_only=True)
class Saved:
    """What a page brought: ids of mentions, and how many were known already.

    `heard`: what the network calls the new ones, then the edited ones, in the order of their ids here.
    """

    new: tuple[int, ...] = ()
    edited: tuple[int, ...] = ()
    repeated: int = 0
    gone: tuple[int, ...] = ()
    heard: tuple[str, ...] = ()


def save(tx: Transaction, *, source_id: int | None, network: str, posts: Sequence[Post], now: datetime) -> Saved:
    """Stores posts by (network, external id): new, edited since (a new revision), or known already.

    Without a source (a re-check), posts that were never heard are left alone.

    Late, repeated and out-of-order posts are harmless: an older version never replaces a newer one. An edit (what is
    one, `edits.py` says) sends the mention back to `new` and withdraws its unsent drafts.
    """
    edited: list[int] = []
    changed: list[str] = []
    repeated = 0
    posts = [_storable(post) for post in posts]
    ids = [post.external_id for post in posts]
    columns = t.mentions.c
    # Locked, so that an edit and a deletion heard at once cannot undo each other (on SQLite writers are alone anyway).
    erased = {kept: external_id for external_id, kept in erasures.post_ids(tx, network, ids).items()}
    locked = select(t.mentions).where(columns.network == network, columns.external_id.in_([*ids, *erased]))
    rows = tx.execute(locked.order_by(columns.id).with_for_update())
    known = {erased.get(row.external_id, row.external_id): row for row in rows}  # what was erased is heard no more
    fresh = {post.external_id: post for post in reversed(posts) if source_id and post.external_id not in known}
    added = _add(tx, source_id, network, list(reversed(fresh.values())), now) if source_id and fresh else {}
    new = [added[external_id] for external_id in dict.fromkeys(ids) if external_id in added]
    for post in posts:
        if fresh.get(post.external_id) is post:
            repeated += post.external_id not in added  # another process stored it in between
            continue
        row = known.get(post.external_id)
        if row is None and post.external_id in added:  # twice on one page
            row = tx.execute(select(t.mentions).where(columns.id == added[post.external_id])).one()
        if row is None:
            continue
        if edits.is_edit(row, post):
            _revise(tx, row, post, now)
            edited.append(row.id)
            changed.append(post.external_id)
            known[post.external_id] = tx.execute(select(t.mentions).where(columns.id == row.id)).one()
        else:
            repeated += 1
            _notice_again(tx, row, post, source_id, now)
    heard = [external_id for external_id in dict.fromkeys(ids) if external_id in added] + changed
    return Saved(new=tuple(new), edited=tuple(edited), repeated=repeated, heard=tuple(heard))


def _text(value: str) -> str:
    """Text that every database takes: no NUL, no lone surrogate, bounded."""
    return value[:MAX_TEXT].replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def _id(value: str | None) -> str | None:
    return _text(value)[:MAX_ID] if value is not None else None


def _storable(post: Post) -> Post:
    """The post with every text as a database takes it, and of its addresses those that `addresses` keeps.

    `raw` and `media` are kept as JSON, which escapes.
    """
    if _is_storable(post):
        return post
    author = replace(
        post.author,
        external_id=_text(post.author.external_id)[:MAX_ID],
        handle=_text(post.author.handle)[:MAX_ID],
        display_name=_text(post.author.display_name)[:MAX_ID],
        url=addresses.kept(post.author.url),
        followers=None if post.author.followers is None else min(max(post.author.followers, 0), MAX_COUNT),
        contacts=_contacts(post.author),
    )
    return replace(
        post,
        external_id=_text(post.external_id)[:MAX_ID],
        author=author,
        text=_text(post.text),
        content_warning=_text(post.content_warning),
        quoted=_text(post.quoted),
        unanswerable=_text(post.unanswerable)[:MAX_ID],
        url=addresses.kept(post.url),
        language=_text(post.language)[:35] if post.language else None,
        parent_id=_id(post.parent_id),
        thread_id=_id(post.thread_id),
        media=tuple(replace(each, url=addresses.kept(each.url) or "") for each in post.media),
    )


def _contacts(author: Author) -> tuple[Contact, ...] | None:
    if author.contacts is None:
        return None
    named = (replace(each, value=_text(each.value)) for each in author.contacts[:MOST_CONTACTS])
    return tuple(each for each in named if each.value and len(each.value) <= MAX_ID)


def _is_storable(post: Post) -> bool:
    """Whether the post can stay as it is, as nearly all do (a quick look, wrong only in saying no)."""
    author = post.author
    names = (author.external_id, author.handle, author.display_name, post.external_id, post.unanswerable)
    ids = (post.parent_id or "", post.thread_id or "", post.language or "")
    texts = (post.text, post.content_warning, post.quoted)
    links = (post.url, author.url, *(each.url or None for each in post.media))
    named = [each.value for each in author.contacts or ()]
    together = "".join((*names, *ids, *texts, *named))
    return (
        max(map(len, names)) <= MAX_ID
        and max(map(len, ids[:2])) <= MAX_ID
        and len(ids[2]) <= 35
        and len(named) <= MOST_CONTACTS
        and max(map(len, named), default=0) <= MAX_ID
        and len(together) <= MAX_TEXT
        and 0 <= (author.followers or 0) <= MAX_COUNT
        and all(link is None or addresses.kept(link) for link in links)
        and "\x00" not in together
        and (together.isascii() or together == together.encode("utf-8", "replace").decode("utf-8"))
    )


def _content(post: Post) -> dict[str, Any]:
    return {
        "text": post.text,
        "content_warning": post.content_warning,
        "quoted": post.quoted,
        "unanswerable": post.unanswerable,
        "sender_proven": post.sender_proven,
        "url": post.url,
        "claimed_language": post.language,
        "visibility": post.visibility.value,
        "media": [asdict(item) for item in post.media],
        "raw": dict(post.raw),
        "edited_at": post.edited_at,
        "copy_key": copies.copy_key(post.text),
    }


def _add(tx: Transaction, source_id: int, network: str, posts: Sequence[Post], now: datetime) -> dict[str, int]:
    """Adds posts that nobody has stored yet; gives their numbers by external id."""
    authors = _accounts(tx, network, [post.author for post in posts], now)
    rows = [
        _content(post)
        | {
            "network": network,
            "external_id": post.external_id,
            "source_id": source_id,
            "account_id": authors[post.author.external_id],
            "state": MentionState.NEW.value,
            "revision": 1,
            "kind": post.kind.value,
            "parent_id": post.parent_id,
            "thread_id": post.thread_id or post.parent_id or post.external_id,
            "posted_at": min(post.posted_at, now),  # a network's clock ahead of ours makes no mention young for ever
            "heard_at": now,
            "checked_at": now,
            "terms": list(post.terms),
        }
        for post in posts
    ]
    statement = upsert(tx, t.mentions).on_conflict_do_nothing()
    return {
        row.external_id: row.id
        for row in tx.execute(statement.returning(t.mentions.c.id, t.mentions.c.external_id), rows)
    }


def _accounts(tx: Transaction, network: str, authors: Sequence[Author], now: datetime) -> dict[str, int]:
    """Stores who they are, as we heard it last; gives their numbers by external id."""
    rows = [
        {
            "network": network,
            "external_id": author.external_id,
            "handle": author.handle,
            "folded": handles.fold(author.handle),
            "display_name": author.display_name,
            "url": author.url,
            "followers": author.followers,
            "bot": author.bot,
            "opted_out": author.opted_out,
            "verified": author.verified,
            "contacts": None if author.contacts is None else [asdict(contact) for contact in author.contacts],
            "created_at": author.created_at,
            "first_seen_at": now,
        }
        # in one order everywhere, so that two processes cannot wait for each other
        for _, author in sorted({author.external_id: author for author in authors}.items())
    ]
    statement = upsert(tx, t.accounts)
    newer: dict[str, Any] = {name: statement.excluded[name] for name in _TOLD_EACH_TIME}
    told, known = statement.excluded.contacts, t.accounts.c.contacts
    newer["contacts"] = case((told.is_(None), known), else_=told)
    same = or_(told.is_(None), cast(told, Text) == cast(known, Text))
    newer["compared_at"] = case((same, t.accounts.c.compared_at), else_=None)
    statement = statement.on_conflict_do_update(index_elements=["network", "external_id"], set_=newer)
    found = tx.execute(statement.returning(t.accounts.c.id, t.accounts.c.external_id), rows)
    return {row.external_id: row.id for row in found}


def _revise(tx: Transaction, row: Row[Any], post: Post, now: datetime) -> None:
    tx.execute(
        insert(t.revisions).values(
            mention_id=row.id,
            revision=row.revision,
            text=row.text,
            content_warning=row.content_warning,
            replaced_at=now,
        )
    )
    values = _content(post) | {
        "revision": row.revision + 1,
        "state": MentionState.NEW.value,
        "checked_at": now,
        "trouble": None,
        "terms": _together(row, post),
    }
    tx.execute(update(t.mentions).where(t.mentions.c.id == row.id).values(**values))
    _accounts(tx, row.network, [post.author], now)
    erasing.withdraw(tx, row.id, reason="the mention was edited", now=now)
    audit.record(
        tx, at=now, by="network", action="mention.edited", subject=f"mention {row.id}", revision=row.revision + 1
    )


def _notice_again(tx: Transaction, row: Row[Any], post: Post, source_id: int | None, now: datetime) -> None:
    """A post heard twice has been seen to be still there, and may turn out to address us after all.

    Then it belongs to the source, and so to the account, that it addresses, and is decided once more. Addresses of
    pictures are kept as they are now; what it quotes too, but that it quotes nothing only a look at itself can tell.
    """
    if row.state == MentionState.GONE:
        return
    columns = t.mentions.c
    as_it_is: dict[str, Any] = {"checked_at": now, "unanswerable": post.unanswerable}
    if not set(post.terms) <= set(row.terms):
        as_it_is["terms"] = _together(row, post)
    if not edits.is_older(row, post):
        as_it_is |= {"media": [asdict(item) for item in post.media], "edited_at": post.edited_at}
        as_it_is |= {"quoted": post.quoted} if post.quoted or source_id is None else {}
    tx.execute(update(t.mentions).where(columns.id == row.id).values(**as_it_is))
    if row.kind == PostKind.FOUND and post.kind is not PostKind.FOUND and source_id is not None:
        tx.execute(update(t.mentions).where(columns.id == row.id).values(kind=post.kind.value, source_id=source_id))
        erasing.withdraw(tx, row.id, reason="it turned out to address us", now=now)
        decide_again(tx, row.id)


def _together(row: Row[Any], post: Post) -> list[str]:
    """The terms by which any query found it, as many as one keeps."""
    return list(dict.fromkeys([*row.terms, *post.terms]))[:MOST_TERMS]


def decide_again(tx: Transaction, mention_id: int) -> None:
    """Puts a decided mention before the policy once more: what was decided no longer serves."""
    decided = (t.mentions.c.id == mention_id, t.mentions.c.state == MentionState.DECIDED.value)
    tx.execute(update(t.mentions).where(*decided).values(state=MentionState.UNDERSTOOD.value))


def awaiting(
    tx: Transaction, state: MentionState, limit: int, *, ids: Sequence[int] | None = None, alone: bool = False
) -> list[Mention]:
    """Up to `limit` mentions in that state that no trouble holds, those that address us first, then oldest first.

    `ids`: of these only. `alone`: without those that another process has in hand; until `tx` ends, nobody else has ours
    (PostgreSQL; on SQLite a writer is alone). One over which a process died (`suspects`) is for those who ask for it
    and no other.
    """
    asked = {"waits": state.value, "most": limit} | ({} if ids is None else {"numbers": list(ids)})
    by_name = ids is not None and len(ids) <= 1
    query = _awaiting(some=ids is not None, suspects=by_name, alone=alone)
    return [_mention(row) for row in tx.execute(query, asked)]


@cache
def _awaiting(*, some: bool, suspects: bool, alone: bool) -> Select[Any]:
    columns = t.mentions.c
    query = _joined().where(columns.state == bindparam("waits"), t.WAITING, columns.trouble.is_(None))
    if some:
        query = query.where(columns.id.in_(bindparam("numbers", expanding=True)))
    if not suspects:
        query = query.where(~exists().where(t.suspects.c.mention_id == columns.id))
    if alone:
        query = query.with_for_update(of=t.mentions, skip_locked=True, key_share=True)
    return query.order_by(t.FOUND, columns.id).limit(bindparam("most", type_=Integer))


def advance(tx: Transaction, mention: Mention, to: MentionState) -> bool:
    """Moves the mention on, if it is still as it was read; False when another process or an edit was first."""
    if to not in MENTION_MOVES[mention.state]:
        raise ValueError(f"a mention does not go from {mention.state} to {to}")
    columns = t.mentions.c
    won = tx.execute(
        update(t.mentions)
        .where(columns.id == mention.id, columns.state == mention.state.value, columns.revision == mention.revision)
        .values(state=to.value)
    )
    return bool(won.rowcount)


def advance_all(tx: Transaction, batch: Sequence[Mention], to: MentionState) -> set[int]:
    """Moves mentions of one state on; gives the numbers of those that were still as they were read.

    Nobody changes those until this transaction ends.
    """
    if not batch:
        return set()
    state = batch[0].state
    if to not in MENTION_MOVES[state]:
        raise ValueError(f"a mention does not go from {state} to {to}")
    found = tx.execute(_still(), {"numbers": [mention.id for mention in batch], "state": state.value})
    revisions = {number: revision for number, revision in found}
    moved = {mention.id for mention in batch if revisions.get(mention.id) == mention.revision}
    if moved:
        tx.execute(_moving(), {"numbers": sorted(moved), "to": to.value})
    return moved


@cache
def _still() -> Select[Any]:
    """Those of these mentions that are in that state, with their revisions, locked in their order."""
    columns = t.mentions.c
    numbers = columns.id.in_(bindparam("numbers", expanding=True))
    query = select(columns.id, columns.revision).where(numbers, columns.state == bindparam("state"))
    return query.order_by(columns.id).with_for_update()


@cache
def _moving() -> Update:
    numbers = t.mentions.c.id.in_(bindparam("numbers", expanding=True))
    return update(t.mentions).where(numbers).values(state=bindparam("to"))


def trouble(tx: Transaction, mention: Mention, *, stage: str, reason: str, now: datetime) -> None:
    """Sets a mention aside that a stage cannot handle, so that the rest goes on; it is shown until it is edited."""
    tx.execute(
        update(t.mentions)
        .where(t.mentions.c.id == mention.id, t.mentions.c.revision == mention.revision)
        .values(trouble=f"{stage}: {reason}"[:500])
    )
    audit.record(tx, at=now, by="daemon", action="mention.set_aside", subject=f"mention {mention.id}", stage=stage)


def get(tx: Transaction, mention_id: int) -> Mention:
    """The mention of that number. Raises NotFound."""
    row = tx.execute(_joined().where(t.mentions.c.id == mention_id)).first()
    if row is None:
        raise NotFound(f"There is no mention M{mention_id}; see `escucha inbox --all`.")
    return _mention(row)


def several(tx: Transaction, mention_ids: Sequence[int]) -> list[Mention]:
    """Those of these mentions that there are, by their numbers."""
    query = _joined().where(t.mentions.c.id.in_(list(mention_ids))).order_by(t.mentions.c.id)
    return [_mention(row) for row in tx.execute(query)] if mention_ids else []


def raw(tx: Transaction, mention_id: int) -> dict[str, Any]:
    """What the network said about it, as it was last stored; empty where there is no such mention any more."""
    return dict(tx.scalar(select(t.mentions.c.raw).where(t.mentions.c.id == mention_id)) or {})


def by_external_id(tx: Transaction, network: str, external_id: str) -> Mention | None:
    """The mention the network knows by that id, None where we never heard it."""
    where = (t.mentions.c.network == network, t.mentions.c.external_id == external_id)
    row = tx.execute(_joined().where(*where)).first()
    return _mention(row) if row else None


def thread(tx: Transaction, mention: Mention) -> list[Mention]:
    """What we heard of its thread, oldest first, itself included."""
    where = (t.mentions.c.network == mention.network, t.mentions.c.thread_id == mention.thread_id)
    return [_mention(row) for row in tx.execute(_joined().where(*where).order_by(t.mentions.c.posted_at))]


def earlier_texts(tx: Transaction, mention_id: int) -> list[tuple[int, str, datetime]]:
    """What it said before its edits: (revision, text, replaced at), oldest first."""
    query = select(t.revisions).where(t.revisions.c.mention_id == mention_id).order_by(t.revisions.c.revision)
    return [(row.revision, row.text, row.replaced_at) for row in tx.execute(query)]


def answered_by(tx: Transaction, network: str, external_id: str, ours: Iterable[str]) -> bool:
    """Whether one of our accounts was heard answering that post, be it by hand on the network itself."""
    query = (
        select(t.mentions.c.id)
        .join(t.accounts, t.accounts.c.id == t.mentions.c.account_id)
        .where(t.mentions.c.network == network, t.mentions.c.parent_id == external_id)
        .where(t.accounts.c.external_id.in_(list(ours)))
    )
    return tx.scalar(query.limit(1)) is not None


def repliers(
    tx: Transaction, network: str, external_id: str, *, but: Iterable[str], ahead: Callable[[str], bool]
) -> tuple[str, ...]:
    """The handles of those whom we heard answering that post, at most 50, in alphabetical order.

    Where there are more, those for whom `ahead` is true come before the rest, and then whoever was heard first: no
    crowd hides a colleague. `but`: external ids of ours to leave out.
    """
    query = (
        select(t.accounts.c.handle)
        .join(t.mentions, t.accounts.c.id == t.mentions.c.account_id)
        .where(t.mentions.c.network == network, t.mentions.c.parent_id == external_id)
        .where(t.accounts.c.external_id.not_in(list(but)))
        .group_by(t.accounts.c.handle)
        .order_by(func.min(t.mentions.c.id))
    )
    return first_of(list(tx.scalars(query)), ahead=ahead)


def first_of(handles: Sequence[str], *, ahead: Callable[[str], bool]) -> tuple[str, ...]:
    """Of those heard in that order the ones that `repliers` gives. Pure."""
    return tuple(sorted(sorted(handles, key=lambda handle: not ahead(handle))[:50]))


def by_account_since(tx: Transaction, account_id: int, since: datetime) -> int:
    """How often we heard the account since then; what claims to be much older (`BELIEVED`) does not count."""
    columns = t.mentions.c
    where = (columns.account_id == account_id, columns.heard_at >= since, columns.posted_at >= since - BELIEVED)
    return int(tx.scalar(select(func.count()).select_from(t.mentions).where(*where)) or 0)


def to_recheck(
    tx: Transaction, account: str, *, due: Sequence[tuple[timedelta, timedelta]], now: datetime, limit: int
) -> list[str]:
    """External ids whose turn it is to be looked up again, longest unseen first.

    `due` pairs an age with how often posts up to that age are looked up.
    """
    columns = t.mentions.c
    ours = select(t.sources.c.id).where(t.sources.c.account == account)
    turns: list[ColumnElement[bool]] = []
    youngest = now
    for age, every in due:
        turns.append(
            (columns.posted_at <= youngest) & (columns.posted_at > now - age) & (columns.checked_at <= now - every)
        )
        youngest = now - age
    found: list[tuple[datetime, str]] = []
    for turn in turns:  # one by one: each is a range of the index, together they would be a walk over everything
        query = (
            select(columns.checked_at, columns.external_id)
            .where(columns.source_id.in_(ours), columns.gone_at.is_(None), turn)
            .order_by(columns.checked_at)
            .limit(limit)
        )
        found += [(row.checked_at, row.external_id) for row in tx.execute(query)]
    return [external_id for _checked_at, external_id in sorted(found)[:limit]]


def unwatched(tx: Transaction, accounts: Sequence[str]) -> dict[tuple[str, str], int]:
    """How many posts with their text nobody looks up again: (account, network) -> number, for accounts not in
    `accounts`.
    """
    ours = t.sources.c.account, t.sources.c.network
    left = list(tx.scalars(select(t.sources.c.id).where(t.sources.c.account.not_in(list(accounts)))))
    if not left:
        return {}
    query = (
        select(*ours, func.count())
        .select_from(t.mentions.join(t.sources, t.sources.c.id == t.mentions.c.source_id))
        .where(t.mentions.c.source_id.in_(left), t.mentions.c.gone_at.is_(None))
        .group_by(*ours)
    )
    return {(account, network): int(number) for account, network, number in tx.execute(query)}


def rechecked(
    tx: Transaction,
    *,
    network: str,
    external_ids: Sequence[str],
    answer: Rechecked,
    due: Sequence[tuple[timedelta, timedelta]],
    now: datetime,
) -> Saved:
    """Stores what a look at these posts showed: edits, deletions, and that they were looked up.

    Of which it told nothing, those come again in an hour, or sooner where `due` has it so: not at once, lest they keep
    the others from their turn.
    """
    saved = save(tx, source_id=None, network=network, posts=answer.present, now=now)
    gone = erasing.erase(tx, network=network, external_ids=answer.gone, now=now)
    told = {post.external_id for post in answer.present} | set(answer.gone)
    columns = t.mentions.c
    seen = [each for each in external_ids if each in told]
    tx.execute(
        update(t.mentions).where(columns.network == network, columns.external_id.in_(seen)).values(checked_at=now)
    )
    untold = [each for each in external_ids if each not in told]
    youngest = None
    for age, every in due if untold else ():
        where = [columns.network == network, columns.external_id.in_(untold), columns.posted_at > now - age]
        where += [columns.posted_at <= youngest] if youngest else []
        checked_at = now - max(every - AGAIN, timedelta(0))
        tx.execute(update(t.mentions).where(*where).values(checked_at=checked_at))
        youngest = now - age
    return Saved(edited=saved.edited, repeated=saved.repeated, gone=gone)


def recent(tx: Transaction, *, limit: int, state: MentionState | None = None) -> list[Mention]:
    """The newest mentions."""
    query = _joined().order_by(t.mentions.c.id.desc()).limit(limit)
    if state:
        query = query.where(t.mentions.c.state == state.value)
    return [_mention(row) for row in tx.execute(query)]


def _joined() -> Select[Any]:
    author = [
        t.accounts.c.external_id.label("author_external_id"),
        t.accounts.c.handle,
        t.accounts.c.display_name,
        t.accounts.c.url.label("author_url"),
        t.accounts.c.followers,
        t.accounts.c.bot,
        t.accounts.c.opted_out,
        t.accounts.c.verified,
        t.accounts.c.left_alone_at,
        t.accounts.c.created_at,
    ]
    ours = [t.sources.c.name.label("source_name"), t.sources.c.account.label("our_account")]
    query = select(*(column for column in t.mentions.c if column.name != "raw"), *author, *ours)
    return query.join(t.accounts, t.accounts.c.id == t.mentions.c.account_id).join(
        t.sources, t.sources.c.id == t.mentions.c.source_id
    )


def _mention(row: Row[Any]) -> Mention:
    return Mention(
        id=row.id,
        network=row.network,
        external_id=row.external_id,
        source=row.source_name,
        account=row.our_account,
        account_id=row.account_id,
        author=Author(
            external_id=row.author_external_id,
            handle=row.handle,
            display_name=row.display_name,
            url=row.author_url,
            followers=row.followers,
            bot=row.bot,
            created_at=row.created_at,
            opted_out=row.opted_out,
            verified=row.verified,
        ),
        state=MentionState(row.state),
        revision=row.revision,
        kind=PostKind(row.kind),
        visibility=Visibility(row.visibility),
        text=row.text,
        content_warning=row.content_warning,
        quoted=row.quoted,
        unanswerable=row.unanswerable,
        url=row.url,
        parent_id=row.parent_id,
        thread_id=row.thread_id,
        media=tuple(Media(**item) for item in row.media),
        posted_at=row.posted_at,
        edited_at=row.edited_at,
        heard_at=row.heard_at,
        checked_at=row.checked_at,
        gone_at=row.gone_at,
        trouble=row.trouble,
        left_alone_at=row.left_alone_at,
        sender_proven=row.sender_proven,
        terms=tuple(row.terms),
    )
