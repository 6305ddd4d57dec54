"""X's posts as ours: an answer's `data` joined with its `includes`. Pure.

Shapes: docs.x.com/x-api/fundamentals/data-dictionary (August 2026). An id carries its own time (a "snowflake": the
milliseconds since November 2010 in its upper bits). An edit is a new post; the ids of all versions stand in
`edit_history_tweet_ids`, oldest first. So the first of them names the post for us, whatever version came, and the time
in the last is when it was edited.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from connectors import faults
from connectors.profiles import contacts_in, together
from connectors.x_text import same_words, to_text
from listener.errors import OutcomeUnknown
from listener.types import Author, Contact, Garbled, Media, Post, Posted, PostKind

TWEET_FIELDS = [
    *("attachments", "author_id", "conversation_id", "created_at", "edit_history_tweet_ids", "entities"),
    *("in_reply_to_user_id", "lang", "note_tweet", "referenced_tweets", "reply_settings"),
]
USER_FIELDS = ["created_at", "description", "entities", "public_metrics", "verified"]
MEDIA_FIELDS = ["alt_text", "preview_image_url", "type", "url"]
EXPANSIONS = ["author_id", "attachments.media_keys", "referenced_tweets.id"]

_ID = re.compile(r"[0-9]{1,19}")
_OWN_PICTURE = re.compile(r"/status/\d+/(?:photo|video)/\d+$")
_EPOCH = 1288834974657  # milliseconds; when X began to count its ids
_WHO = {
    "following": "only those whom its author follows may answer",
    "mentionedusers": "only those whom its author mentioned may answer",
    "subscribers": "only its author's subscribers may answer",
    "verified": "only verified accounts may answer",
}


class Unreadable(ValueError):
    """A post without what makes it one."""


@dataclass(frozen=True, kw_only=True)
class Us:
    """Our own account; `anyone`: our contract lets us answer whoever answered us, summoned or not."""

    id: str
    handle: str
    anyone: bool = False


@dataclass(frozen=True, kw_only=True)
class Joined:
    """What came along with posts, by id."""

    users: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    posts: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    media: Mapping[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Joined:
        """The `includes` of an answer, whatever they are."""
        includes = body.get("includes")
        includes = includes if isinstance(includes, dict) else {}
        return cls(
            users={str(each.get("id")): each for each in dicts(includes, "users")},
            posts={str(each.get("id")): each for each in dicts(includes, "tweets")},
            media={str(each.get("media_key")): each for each in dicts(includes, "media")},
        )


def dicts(entity: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects of the list under that name; none where there is no such list."""
    value = entity.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def is_id(value: object) -> bool:
    """Whether this may be an id."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def time_of(post_id: str) -> datetime:
    """When the post of that id was made. Never raises for an id."""
    return datetime.fromtimestamp(((int(post_id) >> 22) + _EPOCH) / 1000, UTC)


def id_at(moment: datetime) -> str:
    """The smallest id that a post of that moment may have."""
    return str(max(0, int(moment.timestamp() * 1000) - _EPOCH) << 22)


def versions(post: Mapping[str, Any]) -> list[str]:
    """The ids of all versions of the post, oldest first; its own id alone where X does not say."""
    history = post.get("edit_history_tweet_ids")
    ids = [each for each in history if is_id(each)] if isinstance(history, list) else []
    return sorted(set(ids), key=int) or [_read_id(post)]


def is_retweet(post: Mapping[str, Any]) -> bool:
    """Whether it only repeats another post and says nothing of its own."""
    return any(each.get("type") == "retweeted" for each in dicts(post, "referenced_tweets"))


def parent_of(post: Mapping[str, Any], joined: Joined) -> str | None:
    """The first id of what a post answers, None when it answers nothing."""
    return _referenced(post, "replied_to", joined)


def to_author(user: Mapping[str, Any]) -> Author:
    """A user as Author; `handle` is the name without @."""
    metrics = user.get("public_metrics")
    followers = metrics.get("followers_count") if isinstance(metrics, dict) else None
    handle = _text(user, "username")
    return Author(
        external_id=_read_id(user),
        handle=handle or _read_id(user),
        display_name=_text(user, "name"),
        url=f"https://x.com/{handle}" if handle else None,
        followers=followers if type(followers) is int and followers >= 0 else None,
        created_at=_read_time(user.get("created_at")),
        verified=verified if isinstance(verified := user.get("verified"), bool) else None,
        contacts=_contacts(user),
    )


def _contacts(user: Mapping[str, Any]) -> tuple[Contact, ...] | None:
    """What the profile names, its shortened addresses as they are behind t.co."""
    if "description" not in user:
        return None
    entities = user.get("entities")
    parts = [entities.get(name) for name in ("url", "description")] if isinstance(entities, dict) else []
    shown = [each for part in parts if isinstance(part, dict) for each in dicts(part, "urls")]
    sites = " ".join(str(each["expanded_url"])[:500] for each in shown if isinstance(each.get("expanded_url"), str))
    said = [each for each in contacts_in(_text(user, "description")) if not each.value.startswith("t.co/")]
    return together(said, contacts_in(sites))


def to_post(post: Mapping[str, Any], joined: Joined, us: Us | None) -> Post:
    """The post as it is in this version; `us` None: we have no account, so nothing is addressed to us."""
    own, ids = _read_id(post), versions(post)
    author_id = _read_id(post, "author_id")
    author = to_author(joined.users.get(author_id, {"id": author_id}))
    mentioned = us is not None and any(
        str(each.get("id")) == us.id or _text(each, "username").lower() == us.handle.lower()
        for each in _entities(post, "mentions")
    )
    edited = len(ids) > 1
    return Post(
        external_id=ids[0],
        author=author,
        text=_full_text(post),
        posted_at=time_of(ids[0]) if edited else _read_time(post.get("created_at")) or time_of(own),
        kind=_kind(post, joined, us, mentioned),
        url=f"https://x.com/{author.handle}/status/{own}",
        unanswerable="" if mentioned else _WHO.get(_text(post, "reply_settings").lower(), ""),
        language=_language(post),
        edited_at=time_of(own) if edited else None,
        parent_id=parent_of(post, joined),
        thread_id=_text(post, "conversation_id") or None,
        media=tuple(_media(post, joined)),
        raw=dict(post),
    )


def to_posts(posts: Iterable[Mapping[str, Any]], joined: Joined, us: Us | None) -> tuple[list[Post], list[Garbled]]:
    """The posts that say something of their own, and those that could not be read."""
    return faults.read_each(
        posts, lambda post: None if is_retweet(post) else to_post(post, joined, us), _read_id, (Unreadable,)
    )


def to_posted(post: Mapping[str, Any], handle: str) -> Posted:
    """A post of ours as what is now on the network."""
    own = _read_id(post)
    return Posted(
        external_id=versions(post)[0],
        url=f"https://x.com/{handle or 'i'}/status/{own}",
        posted_at=_read_time(post.get("created_at")) or time_of(own),
    )


def find_ours(
    posts: Iterable[Mapping[str, Any]], us: Us, *, text: str, parents: Sequence[str], since: datetime | None
) -> Posted | None:
    """Which of our posts says `text` in answer to one of `parents` (none: in answer to nothing).

    OutcomeUnknown where one of them was edited, or cannot be read, so that it may be the one.
    """
    edited = False
    for post in posts:
        try:
            parent, ids = _answered(post), versions(post)
            if (parent not in parents) if parents else (parent is not None):
                continue
            if since and time_of(ids[0]) < since - faults.CLOCKS_DIFFER:
                continue
            if same_words(text, _full_text(post)):
                return to_posted(post, us.handle)
        except Unreadable as error:
            raise OutcomeUnknown("A post of ours from that time cannot be read; it may be the one") from error
        edited = edited or len(ids) > 1
    if edited:
        raise OutcomeUnknown("A post of ours from that time was edited since; it may be the one")
    return None


def all_ours(posts: Iterable[Mapping[str, Any]], us: Us, *, parents: Sequence[str]) -> list[Posted]:
    """Those of our posts that answer one of `parents`, whatever they say. OutcomeUnknown where one cannot be read."""
    try:
        return [to_posted(post, us.handle) for post in posts if _answered(post) in parents]
    except Unreadable as error:
        raise OutcomeUnknown("A post of ours from that time cannot be read; it may be the one") from error


def _answered(post: Mapping[str, Any]) -> str | None:
    """The id of what a post answers, as it stands there."""
    for each in dicts(post, "referenced_tweets"):
        if each.get("type") == "replied_to":
            return _read_id(each)
    return None


def _kind(post: Mapping[str, Any], joined: Joined, us: Us | None, mentioned: bool) -> PostKind:
    if us is None:
        return PostKind.FOUND
    quotes = next((each for each in dicts(post, "referenced_tweets") if each.get("type") == "quoted"), {})
    quoted = joined.posts.get(str(quotes.get("id")), {})
    answers_us = str(post.get("in_reply_to_user_id")) == us.id
    if mentioned or quoted.get("author_id") == us.id or (answers_us and us.anyone):
        return PostKind.REPLY if answers_us else PostKind.MENTION
    return PostKind.FOUND


def _referenced(post: Mapping[str, Any], kind: str, joined: Joined) -> str | None:
    for each in dicts(post, "referenced_tweets"):
        if each.get("type") == kind:
            found = _read_id(each)
            return versions(joined.posts.get(found, {"id": found}))[0]
    return None


def _full_text(post: Mapping[str, Any]) -> str:
    note = post.get("note_tweet")
    long = _text(note, "text") if isinstance(note, dict) else ""
    links = {}
    for each in _entities(post, "urls"):
        short, address = _text(each, "url"), _text(each, "unwound_url") or _text(each, "expanded_url")
        if short:
            links[short] = "" if each.get("media_key") or _OWN_PICTURE.search(address) else address or short
    return to_text(long or _text(post, "text"), links)


def _entities(post: Mapping[str, Any], name: str) -> Iterator[dict[str, Any]]:
    """The entities of the post and, where it is a long one, of its whole text."""
    note = post.get("note_tweet")
    for holder in (post, note if isinstance(note, dict) else {}):
        entities = holder.get("entities")
        if isinstance(entities, dict):
            yield from dicts(entities, name)


def _media(post: Mapping[str, Any], joined: Joined) -> Iterator[Media]:
    attachments = post.get("attachments")
    keys = attachments.get("media_keys") if isinstance(attachments, dict) else None
    for key in keys if isinstance(keys, list) else []:
        media = joined.media.get(str(key))
        if media is not None:
            yield Media(
                kind=_text(media, "type") or "unknown",
                url=_text(media, "url") or _text(media, "preview_image_url"),
                alt=_text(media, "alt_text"),
            )


def _language(post: Mapping[str, Any]) -> str | None:
    """What X takes the language for; it has codes of its own for posts without one (`und`, `qme`, `zxx` …)."""
    language = _text(post, "lang").lower()
    return None if language in ("", "und", "zxx") or re.fullmatch(r"q[a-z]{2}", language) else language


def _read_id(entity: Mapping[str, Any], name: str = "id") -> str:
    value = entity.get(name)
    if type(value) is int and value >= 0:
        value = str(value)
    if not isinstance(value, str) or not is_id(value):
        raise Unreadable(f"no usable {name}")
    return value


def _read_time(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _text(entity: Mapping[str, Any], name: str) -> str:
    value = entity.get(name)
    return value if isinstance(value, str) else ""
