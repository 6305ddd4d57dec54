"""Bluesky's entities as ours: an account as Author, a post as Post, a name of ours for each thing we write. Pure.

A post is known by its address `at://DID/app.bsky.feed.post/KEY`, which is unique everywhere; an account by its DID.
A post comes as a *view* (the AppView's: author with handle, embed with addresses, labels) or as a bare *record* from
the stream, which becomes the same shape here. `createdAt` is what the author's client claims; `indexedAt` is the
server's, and never later than now. Without address, author and time a view is `Unreadable`; all else may be missing.

Lexicons: app.bsky.feed.defs, app.bsky.embed.*, app.bsky.actor.defs, com.atproto.label.defs (April 2026).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors import faults
from connectors.bluesky_text import to_text
from connectors.plain import clean
from connectors.profiles import contacts_in
from listener.types import Author, Garbled, Media, Post, Posted, PostKind

POST = "app.bsky.feed.post"

_DID = re.compile(r"did:[a-z]+:[A-Za-z0-9._:%-]{1,200}")
_ADDRESS = re.compile(rf"at://({_DID.pattern})/({re.escape(POST)})/([A-Za-z0-9._:~-]{{1,100}})")
_PICTURES = "https://cdn.bsky.app/img/feed_fullsize/plain"
_SORTABLE = "234567abcdefghijklmnopqrstuvwxyz"
_BELIEVED = timedelta(minutes=15)
_YEARS = (1262304000, 1577836800)  # 2010 to 2020: before anybody posted here, so that no app has made such a key


class Unreadable(ValueError):
    """An entity without what makes it one."""


# --- names ----------------------------------------------------------------------------------------------------------


def is_did(value: object) -> bool:
    """Whether this may be an account's permanent name."""
    return isinstance(value, str) and _DID.fullmatch(value) is not None


def split_address(uri: object) -> tuple[str, str] | None:
    """Whose post it is and its key, or None where this is no post's address."""
    found = _ADDRESS.fullmatch(uri) if isinstance(uri, str) else None
    return (found[1], found[3]) if found else None


def to_address(did: str, key: str) -> str:
    """The address of that account's post."""
    return f"at://{did}/{POST}/{key}"


def web_address(uri: str) -> str | None:
    """Where a person reads the post."""
    parts = split_address(uri)
    return f"https://bsky.app/profile/{parts[0]}/post/{parts[1]}" if parts else None


def record_key(key: str) -> str:
    """The record key under which the thing with that key of ours is written: the same at every attempt.

    Posts demand a TID (atproto.com/specs/tid): 53 bits of microseconds and 10 bits that tell clocks apart, in base 32.
    Ours is a time between 2010 and 2020 drawn by hash, some 58 bits: never in the future, and of no post made in an
    app. Nothing is ordered by it: readers go by `createdAt`.
    """
    drawn = int.from_bytes(hashlib.sha256(f"escucha:{key}".encode()).digest()[:16], "big")
    first, last = (seconds * 1_000_000 << 10 for seconds in _YEARS)
    number = first + drawn % (last - first)
    return "".join(_SORTABLE[number >> 5 * place & 31] for place in range(12, -1, -1))


def read_time(value: object) -> datetime | None:
    """An ISO 8601 time in UTC; None when there is none."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def to_posted(uri: str, created_at: object = None) -> Posted:
    """A post of ours as what is now on the network."""
    return Posted(external_id=uri, url=web_address(uri), posted_at=read_time(created_at))


# --- views ----------------------------------------------------------------------------------------------------------


def to_author(view: Mapping[str, Any]) -> Author:
    """The account as Author; its handle is its DID where it has no valid one (any more)."""
    did = view.get("did")
    if not isinstance(did, str) or not is_did(did):
        raise Unreadable("no account")
    handle = _text(view, "handle")
    followers = view.get("followersCount")
    return Author(
        external_id=did,
        handle=handle if handle and handle != "handle.invalid" else did,
        display_name=_text(view, "displayName"),
        url=f"https://bsky.app/profile/{did}",
        followers=followers if type(followers) is int and followers >= 0 else None,
        bot="bot" in _labels(view.get("labels")),
        created_at=read_time(view.get("createdAt")),
        verified=_is_verified(view.get("verification")),
        contacts=tuple(contacts_in(_text(view, "description"))) if "description" in view else None,
    )


def _is_verified(state: object) -> bool | None:
    """Whether somebody whom Bluesky trusts vouches for the account; None where the view does not say."""
    if not isinstance(state, Mapping) or not isinstance(state.get("verifiedStatus"), str):
        return None
    return bool(state["verifiedStatus"] == "valid")


def to_post(view: Mapping[str, Any], our_did: str | None) -> Post:
    """The view as Post; `our_did` (None: we have no account) decides whether it addresses us."""
    uri, record = view.get("uri"), view.get("record")
    parts, seen_at = split_address(uri), read_time(view.get("indexedAt"))
    if parts is None or seen_at is None or not isinstance(record, dict) or not isinstance(view.get("author"), dict):
        raise Unreadable("no post")
    reply, embed = _dict(record, "reply"), _dict(view, "embed")
    languages = record.get("langs")
    labels = _labels(view.get("labels")) | _labels(_dict(record, "labels").get("values"))
    return Post(
        external_id=str(uri),
        author=to_author(view["author"]),
        text=to_text(record),
        posted_at=_posted_at(record, seen_at),
        kind=kind_of(record, our_did),
        url=web_address(str(uri)),
        content_warning=", ".join(sorted(label for label in labels if not label.startswith("!no-"))),
        quoted=_quoted(embed),
        unanswerable=_unanswerable(view),
        language=next((each.lower() for each in languages if isinstance(each, str) and each), None)
        if isinstance(languages, list)
        else None,
        parent_id=_address_in(reply, "parent"),
        thread_id=_address_in(reply, "root"),
        media=tuple(_media(embed)),
        raw=view,
    )


def to_posts(views: Iterable[Any], our_did: str | None) -> tuple[list[Post], list[Garbled]]:
    """The posts, and those that could not be read."""
    return faults.read_each(views, lambda view: to_post(view, our_did), _named)


def _named(view: Any) -> str | None:
    return str(view["uri"]) if split_address(view["uri"]) else None


def kind_of(record: Mapping[str, Any], our_did: str | None) -> PostKind:
    """How the post concerns us: it answers a post of ours, names our account or quotes us, or was only found."""
    if our_did is None:
        return PostKind.FOUND
    reply = record.get("reply")
    if isinstance(reply, dict) and _author_of(_address_in(reply, "parent")) == our_did:
        return PostKind.REPLY
    if our_did in _mentioned(record) or _author_of(_quoted_address(record)) == our_did:
        return PostKind.MENTION
    return PostKind.FOUND


def view_of_record(
    *, author: Mapping[str, Any], key: str, cid: str, record: Mapping[str, Any], seen_at: datetime
) -> dict[str, Any]:
    """A record from the stream in the shape of a view, as far as the stream tells."""
    did = str(author.get("did"))
    return {
        "uri": to_address(did, key),
        "cid": cid,
        "author": author,
        "record": record,
        "embed": _seen_embed(record.get("embed"), did),
        "indexedAt": seen_at.isoformat(),
    }


def reference(view: Mapping[str, Any]) -> dict[str, str]:
    """A post's address with the hash of what it says now, as a reply must give it."""
    uri, cid = view.get("uri"), view.get("cid")
    if split_address(uri) is None or not isinstance(cid, str) or not cid:
        raise Unreadable("no post to refer to")
    return {"uri": str(uri), "cid": cid}


def root_of(record: object) -> dict[str, str] | None:
    """The first post of the thread in which that record stands; None where it begins one."""
    reply = record.get("reply") if isinstance(record, dict) else None
    root = reply.get("root") if isinstance(reply, dict) else None
    return reference(root) if isinstance(root, dict) else None


# --- parts of a view ------------------------------------------------------------------------------------------------


def _posted_at(record: Mapping[str, Any], seen_at: datetime) -> datetime:
    """When its author says, where that is just before the network saw it; else when the network did."""
    claimed = read_time(record.get("createdAt"))
    return claimed if claimed and seen_at - _BELIEVED <= claimed <= seen_at else seen_at


def _unanswerable(view: Mapping[str, Any]) -> str:
    """Why an answer of ours would not stand below it."""
    viewer = view.get("viewer")
    if isinstance(viewer, dict) and viewer.get("replyDisabled") is True:
        return "its thread takes answers from some accounts only"
    author = view.get("author")
    seen = author.get("viewer") if isinstance(author, dict) else None
    if isinstance(seen, dict) and (seen.get("blockedBy") is True or seen.get("blocking")):
        return "its author and our account block each other"
    return ""


def _media(embed: Mapping[str, Any]) -> Iterable[Media]:
    if isinstance(embed.get("media"), dict):
        yield from _media(embed["media"])
    for image in _dicts(embed.get("images"))[:8]:
        yield Media(kind="image", url=_text(image, "fullsize") or _text(image, "thumb"), alt=_text(image, "alt"))
    if _text(embed, "playlist"):
        yield Media(kind="video", url=_text(embed, "playlist"), alt=_text(embed, "alt"))
    external = embed.get("external")
    if isinstance(external, dict) and _text(external, "uri"):
        yield Media(kind="link", url=_text(external, "uri"), alt=_text(external, "title"))


def _seen_embed(embed: object, did: str) -> dict[str, Any]:
    """A record's embed with addresses in the place of its pictures' hashes."""
    if not isinstance(embed, dict):
        return {}
    seen: dict[str, Any] = {name: embed[name] for name in ("alt", "external") if name in embed}
    if isinstance(embed.get("media"), dict):
        seen["media"] = _seen_embed({**embed["media"], "media": None}, did)
    if images := _dicts(embed.get("images")):
        seen["images"] = [
            {"fullsize": f"{_PICTURES}/{did}/{_hash(image.get('image'))}@jpeg", "alt": image.get("alt")}
            for image in images
        ]
    if video := _hash(embed.get("video")):
        seen["playlist"] = f"https://video.bsky.app/watch/{did}/{video}/playlist.m3u8"
    return seen


def _hash(blob: object) -> str:
    link = blob["ref"].get("$link") if isinstance(blob, dict) and isinstance(blob.get("ref"), dict) else None
    return link if isinstance(link, str) and link.isalnum() else ""


def _quoted(embed: Mapping[str, Any]) -> str:
    """What the quoted post says, with its author."""
    record = embed.get("record")
    if isinstance(record, dict) and isinstance(record.get("record"), dict):
        record = record["record"]
    if not isinstance(record, dict) or not isinstance(record.get("value"), dict):
        return ""
    text = to_text(record["value"])
    return f"@{_text(_dict(record, 'author'), 'handle')}: {text}" if text else ""


def _quoted_address(record: Mapping[str, Any]) -> str | None:
    embed = record.get("embed")
    quoted = embed.get("record") if isinstance(embed, dict) else None
    if isinstance(quoted, dict) and isinstance(quoted.get("record"), dict):
        quoted = quoted["record"]
    return str(quoted.get("uri")) if isinstance(quoted, dict) else None


def _mentioned(record: Mapping[str, Any]) -> set[str]:
    features = [feature for facet in _dicts(record.get("facets")) for feature in _dicts(facet.get("features"))]
    return {did for each in features if isinstance(did := each.get("did"), str)}


def _author_of(uri: str | None) -> str | None:
    parts = split_address(uri)
    return parts[0] if parts else None


def _address_in(reply: Mapping[str, Any], name: str) -> str | None:
    there = reply.get(name)
    uri = there.get("uri") if isinstance(there, dict) else None
    return uri if split_address(uri) else None


def _labels(labels: object) -> set[str]:
    """The values of the labels that hold, from the list that a view or a record carries."""
    values = {label.get("val") for label in _dicts(labels) if label.get("neg") is not True}
    return {clean(value) for value in values if isinstance(value, str) and value}


def _text(entity: Mapping[str, Any], name: str) -> str:
    value = entity.get(name)
    return clean(value) if isinstance(value, str) else ""


def _dict(entity: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = entity.get(name)
    return value if isinstance(value, dict) else {}


def _dicts(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
