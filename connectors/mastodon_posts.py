"""Mastodon's entities as ours: an account as Author, a status as Post. Pure.

Entities: docs.joinmastodon.org/entities/{Account,Status,Poll,MediaAttachment} (July 2026). Servers that are not
Mastodon leave out half of it, so everything but id, author and time may be missing; without those it is `Unreadable`.

An id is unique on its own server only. So what leaves the connector says whose it is, `mastodon.social/114999`
(`full_id`), and what comes in is split again (`own_id`); before the server, and in cursors, ids stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from connectors import faults
from connectors.mastodon_text import URL_LENGTH, same_words, to_text
from connectors.plain import clean
from connectors.profiles import contacts_in, together
from listener.errors import OutcomeUnknown
from listener.types import Author, Contact, Garbled, Media, Post, Posted, PostKind, Visibility

USUAL_LIMIT = 500

_ID = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9_.~-]{0,127}")
_HREF = re.compile(r'href="(https?://[^"\s]{1,500})"')
_NO_BOTS = re.compile(r"#nobots?\b", re.IGNORECASE)

# Names in the API, widest first; whatever a server adds of its own is taken for followers only.
_VISIBILITY = {
    "public": Visibility.PUBLIC,
    "unlisted": Visibility.UNLISTED,
    "local": Visibility.UNLISTED,
    "private": Visibility.FOLLOWERS,
    "direct": Visibility.DIRECT,
}
_NAMES = {
    Visibility.PUBLIC: "public",
    Visibility.UNLISTED: "unlisted",
    Visibility.FOLLOWERS: "private",
    Visibility.DIRECT: "direct",
}


class Unreadable(ValueError):
    """An entity without what makes it one."""


def visibility_name(visibility: Visibility) -> str:
    """The API's word for it."""
    return _NAMES[visibility]


def is_id(value: object) -> bool:
    """Whether this may be an id: opaque, but never something that leads elsewhere when put into a path."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None and ".." not in value


def read_id(entity: Mapping[str, Any], name: str = "id") -> str:
    """The id under that name, as an opaque string."""
    value = entity.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not is_id(value):
        raise Unreadable(f"no usable {name}")
    return value


def full_id(host: str, own: str) -> str:
    """The id as everybody but that server knows it."""
    return f"{host}/{own}"


def own_id(host: str, full: str) -> str | None:
    """The id as that server knows it; None where it is another server's, or no id."""
    whose, _, own = full.rpartition("/")
    return own if whose == host and is_id(own) else None


def read_time(value: object) -> datetime | None:
    """An ISO 8601 time in UTC; None when there is none."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def parent_of(status: Mapping[str, Any]) -> str:
    """The id of what a status answers, empty when it answers nothing."""
    return str(status.get("in_reply_to_id") or "")


def to_author(account: Mapping[str, Any], host: str) -> Author:
    """The account as Author. `handle` is `acct`: user, or user@host, as the server writes it."""
    followers = account.get("followers_count")
    return Author(
        external_id=full_id(host, read_id(account)),
        handle=_text(account, "acct") or _text(account, "username"),
        display_name=_text(account, "display_name"),
        url=_text(account, "url") or None,
        followers=followers if isinstance(followers, int) and followers >= 0 else None,
        bot=account.get("bot") is True,
        created_at=read_time(account.get("created_at")),
        opted_out=_opted_out(account),
        contacts=_contacts(account),
    )


def to_post(status: Mapping[str, Any], host: str, our_id: str | None) -> Post:
    """The status as Post; `our_id` (None: we have no account) decides whether it addresses us."""
    account, posted_at = status.get("account"), read_time(status.get("created_at"))
    if not isinstance(account, dict) or posted_at is None:
        raise Unreadable("no author or no time")
    visibility = _VISIBILITY.get(_text(status, "visibility") or "public", Visibility.FOLLOWERS)
    mentions = _dicts(status, "mentions")
    return Post(
        external_id=full_id(host, read_id(status)),
        author=to_author(account, host),
        text=_full_text(status, mentions),
        posted_at=posted_at,
        kind=_kind(status, mentions, visibility, our_id),
        visibility=visibility,
        url=_text(status, "url") or _text(status, "uri") or None,
        content_warning=_text(status, "spoiler_text"),
        language=_text(status, "language").lower() or None,
        edited_at=read_time(status.get("edited_at")),
        parent_id=full_id(host, read_id(status, "in_reply_to_id")) if status.get("in_reply_to_id") else None,
        media=tuple(_media(each) for each in _dicts(status, "media_attachments")),
        raw=status,
    )


def to_posts(statuses: Iterable[Any], host: str, our_id: str | None) -> tuple[list[Post], list[Garbled]]:
    """The posts, and those that could not be read."""
    return faults.read_each(
        statuses, lambda status: to_post(status, host, our_id), lambda status: full_id(host, read_id(status))
    )


def to_posted(status: Mapping[str, Any], host: str) -> Posted:
    """A status of ours as what is now on the network."""
    url = status.get("url")
    return Posted(
        external_id=full_id(host, read_id(status)),
        url=url if isinstance(url, str) else None,
        posted_at=read_time(status.get("created_at")),
    )


def find_ours(
    candidates: Iterable[Mapping[str, Any]], host: str, our_id: str, text: str, since: datetime | None
) -> Posted | None:
    """Which of these is ours and says `text`. OutcomeUnknown where one was edited, so that it may have said it."""
    edited = False
    for status in candidates:
        account, posted_at = status.get("account"), read_time(status.get("created_at"))
        if not isinstance(account, dict) or str(account.get("id")) != our_id:
            continue
        if posted_at is None or (since and posted_at < since - faults.CLOCKS_DIFFER):
            continue
        if same_words(to_text(str(status.get("content"))), text):
            return to_posted(status, host)
        edited = edited or bool(status.get("edited_at"))
    if edited:
        raise OutcomeUnknown("A post of ours from that time was edited since; it may be the one")
    return None


def all_ours(candidates: Iterable[Mapping[str, Any]], host: str, our_id: str, parent: str) -> list[Posted]:
    """Those of these that are ours and answer that post, whatever they say, each once."""
    found: dict[str, Posted] = {}
    for status in candidates:
        account = status.get("account")
        ours = isinstance(account, dict) and str(account.get("id")) == our_id
        if ours and parent_of(status) == parent:
            posted = to_posted(status, host)
            found[posted.external_id] = posted
    return list(found.values())


def read_limits(instance: Mapping[str, Any]) -> tuple[int, int]:
    """The longest status and what a URL counts there. Older servers say `max_toot_chars` or nothing."""
    configuration = instance.get("configuration")
    statuses = configuration.get("statuses") if isinstance(configuration, dict) else None
    told = statuses if isinstance(statuses, dict) else {}
    limits = [told.get("max_characters"), instance.get("max_toot_chars"), USUAL_LIMIT]
    lengths = [told.get("characters_reserved_per_url"), URL_LENGTH]
    limit, url_length = (next(n for n in each if type(n) is int and 0 < n <= 1_000_000) for each in (limits, lengths))
    return limit, url_length


def _kind(
    status: Mapping[str, Any], mentions: list[dict[str, Any]], visibility: Visibility, our_id: str | None
) -> PostKind:
    answers_us = our_id is not None and str(status.get("in_reply_to_account_id")) == our_id
    names_us = our_id is not None and any(str(each.get("id")) == our_id for each in mentions)
    if visibility is Visibility.DIRECT and (names_us or answers_us):
        return PostKind.DIRECT
    if answers_us:
        return PostKind.REPLY
    return PostKind.MENTION if names_us else PostKind.FOUND


def _full_text(status: Mapping[str, Any], mentions: list[dict[str, Any]]) -> str:
    """What the post says, with the options of its poll as a list below."""
    text = to_text(_text(status, "content"), mentions)
    poll = status.get("poll")
    if isinstance(poll, dict):
        box = "☐" if poll.get("multiple") is True else "○"
        options = [f"{box} {title}" for each in _dicts(poll, "options") if (title := _text(each, "title"))]
        text = "\n\n".join(part for part in (text, "\n".join(options)) if part)
    return text


def _media(attachment: Mapping[str, Any]) -> Media:
    return Media(
        kind=_text(attachment, "type") or "unknown",
        url=_text(attachment, "url") or _text(attachment, "remote_url") or _text(attachment, "preview_url"),
        alt=_text(attachment, "description"),
    )


def _opted_out(account: Mapping[str, Any]) -> bool:
    parts = [_text(account, "note")]
    for field in _dicts(account, "fields"):
        parts += [_text(field, "name"), _text(field, "value")]
    return any(_NO_BOTS.search(to_text(part)) for part in parts if "nobot" in part.lower())


def _contacts(account: Mapping[str, Any]) -> tuple[Contact, ...] | None:
    """What the profile names; a site whose page links back (`rel="me"`, `verified_at`) is proven to be theirs.

    Proven is where the link of such a field leads, and where it has but one: the words around it may name anything.
    """
    if not isinstance(account.get("note"), str):
        return None
    fields = [(_text(field, "value"), bool(field.get("verified_at"))) for field in _dicts(account, "fields")]
    named = [contacts_in(to_text(value)) for value, _ in fields]
    for value, proven in fields:
        links = _HREF.findall(value)
        named.append(contacts_in(" ".join(links), proven=proven and len(links) == 1))
    return together(contacts_in(to_text(_text(account, "note"))), *named)


def _text(entity: Mapping[str, Any], name: str) -> str:
    value = entity.get(name)
    return clean(value) if isinstance(value, str) else ""


def _dicts(entity: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    value = entity.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
