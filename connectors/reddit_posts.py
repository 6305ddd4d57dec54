"""Reddit's things as ours: a comment (t1) or submission (t3) as Post, an account as Author. Pure.

Shapes: reddit.com/dev/api and the answers of 2025; older ones leave fields out, so everything but fullname, author and
time may be missing. A fullname such as `t1_abc` is unique on the whole network and never used again.

*Gone* is what its author or a moderator took away: Reddit then keeps an empty shell with `[deleted]` or `[removed]`
where author or text were. Moderators (our account may be one) go on seeing the text of what they removed; that is not
gone, but takes no answer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connectors import faults
from connectors.plain import clean
from connectors.reddit_text import names, same_words
from listener.errors import OutcomeUnknown
from listener.types import Author, Media, Post, Posted, PostKind

_FULLNAME = re.compile(r"t[13]_[0-9a-z]{1,13}")
_ACCOUNT = re.compile(r"t2_[0-9a-z]{1,13}")
_GONE = ("[deleted]", "[removed]")
_GONE_BY_REDDIT = "[ removed by reddit"
_LATEST = 4_102_444_800  # the year 2100
_FROM_CONTEXT = re.compile(r"/comments/([0-9a-z]{1,13})/")
_INBOX_KINDS = {
    "username_mention": PostKind.MENTION,
    "comment_reply": PostKind.REPLY,
    "post_reply": PostKind.REPLY,
}

Thing = Mapping[str, Any]


class Unreadable(ValueError):
    """A thing without what makes it one."""


@dataclass(frozen=True, kw_only=True)
class Us:
    """Our account, where there is one."""

    id: str = ""  # t2_…
    name: str = ""

    def wrote(self, thing: Thing) -> bool:
        """Whether our account is its author."""
        return bool(self.name) and text_of(thing, "author").casefold() == self.name.casefold()


def is_fullname(value: object) -> bool:
    """Whether this names a comment or a submission."""
    return isinstance(value, str) and _FULLNAME.fullmatch(value) is not None


def is_comment(fullname: str) -> bool:
    """Whether it names a comment; else a submission."""
    return fullname.startswith("t1_")


def short_id(fullname: str) -> str:
    """The id without its kind, as addresses have it."""
    return fullname.partition("_")[2]


def fullname_of(thing: Thing, field: str = "name") -> str:
    """The fullname under that field. Unreadable when there is none."""
    value = thing.get(field)
    if not isinstance(value, str) or not is_fullname(value):
        raise Unreadable(f"no usable {field}")
    return value


def time_of(thing: Thing, field: str = "created_utc") -> datetime | None:
    """The time under that field in UTC; None when there is none."""
    value = thing.get(field)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not math.isfinite(value) or not 0 < value < _LATEST:
        return None
    return datetime.fromtimestamp(value, UTC)


def text_of(thing: Thing, field: str) -> str:
    """The text under that field, clean; empty when there is none."""
    value = thing.get(field)
    return clean(value) if isinstance(value, str) else ""


def link_of(thing: Thing) -> str | None:
    """The fullname of the submission that the thing stands under, or is."""
    for value in (thing.get("name"), thing.get("link_id"), thing.get("parent_id")):
        if isinstance(value, str) and value.startswith("t3_") and is_fullname(value):
            return value
    found = _FROM_CONTEXT.search(text_of(thing, "context"))
    return f"t3_{found[1]}" if found else None


def words_of(thing: Thing) -> str:
    """What it says: a comment's text, or a submission's title and text."""
    if is_comment(str(thing.get("name"))):
        return text_of(thing, "body")
    return "\n\n".join(part for part in (text_of(thing, "title").strip(), text_of(thing, "selftext").strip()) if part)


def is_gone(thing: Thing) -> bool:
    """Whether only a shell is left of it."""
    said = text_of(thing, "body" if is_comment(str(thing.get("name"))) else "selftext").strip().lower()
    if said in _GONE or said.startswith(_GONE_BY_REDDIT):
        return True
    if text_of(thing, "author").lower() in _GONE:
        return True
    return bool(thing.get("removed_by_category")) and not _seen_by_moderator(thing)


def is_hidden(thing: Thing) -> bool:
    """Whether a stranger sees that a moderator, a filter or Reddit took it away, and not its author."""
    said = text_of(thing, "body" if is_comment(str(thing.get("name"))) else "selftext").strip().lower()
    category = thing.get("removed_by_category")
    return said == "[removed]" or said.startswith(_GONE_BY_REDDIT) or bool(category and category != "deleted")


def to_author(thing: Thing, site: str) -> Author:
    """Who wrote it, by its own account of it."""
    name = text_of(thing, "author").strip()
    if not name:
        raise Unreadable("no author")
    account = thing.get("author_fullname")
    known = isinstance(account, str) and _ACCOUNT.fullmatch(account) is not None
    return Author(
        external_id=str(account) if known else f"u/{name.casefold()}",
        handle=name,
        url=f"{site}/user/{name}" if re.fullmatch(r"[\w-]+", name) else None,
    )


def to_post(thing: Thing, link: Thing | None, *, site: str, us: Us, kind: str = "") -> Post:
    """The thing as Post. `link`: the submission it stands under, where known. `kind`: how our inbox calls it."""
    fullname, posted_at = fullname_of(thing), time_of(thing)
    if posted_at is None:
        raise Unreadable("no time")
    permalink = text_of(thing, "permalink") or text_of(thing, "context")
    parent = thing.get("parent_id") if is_comment(fullname) else None
    return Post(
        external_id=fullname,
        author=to_author(thing, site),
        text=words_of(thing).strip(),
        posted_at=posted_at,
        kind=_INBOX_KINDS.get(kind) or _kind(thing, us),
        url=f"{site}{permalink.partition('?')[0]}" if permalink.startswith("/") else None,
        content_warning=_warning(thing, link),
        unanswerable=_unanswerable(thing, link),
        edited_at=time_of(thing, "edited"),
        parent_id=parent if is_fullname(parent) else None,
        thread_id=link_of(thing),
        media=tuple(_media(thing)),
        raw=thing,
    )


def to_posted(thing: Thing, site: str) -> Posted:
    """Something of ours as what is now on Reddit. Unreadable without a fullname."""
    where = text_of(thing, "permalink") or text_of(thing, "url")
    url = f"{site}{where}" if where.startswith("/") else where
    return Posted(external_id=fullname_of(thing), url=url or None, posted_at=time_of(thing))


def find_ours(
    candidates: Iterable[Thing],
    *,
    us: Us,
    parent: str | None,
    wanted: Mapping[str, str],
    since: datetime | None,
    site: str,
) -> Posted | None:
    """Which of these is ours, stands under `parent` and says in each field what is `wanted` there.

    OutcomeUnknown where one was edited since, so that it may have been the one.
    """
    edited = False
    for thing in candidates:
        posted_at = time_of(thing)
        if not us.wrote(thing) or posted_at is None or (since and posted_at < since - faults.CLOCKS_DIFFER):
            continue
        if parent is not None and thing.get("parent_id") != parent:
            continue
        if all(same_words(text_of(thing, field), text) for field, text in wanted.items()):
            return to_posted(thing, site)
        edited = edited or time_of(thing, "edited") is not None
    if edited:
        raise OutcomeUnknown("something of ours from that time was edited since; it may be the one")
    return None


def _kind(thing: Thing, us: Us) -> PostKind:
    """How it concerns us, as far as the thing itself tells: only our inbox knows of answers to our comments."""
    if not us.name or us.wrote(thing):
        return PostKind.FOUND
    parent = thing.get("parent_id")
    under_ours = text_of(thing, "link_author").casefold() == us.name.casefold()
    if under_ours and is_fullname(parent) and parent == thing.get("link_id"):
        return PostKind.REPLY
    return PostKind.MENTION if names(words_of(thing), us.name) else PostKind.FOUND


def _seen_by_moderator(thing: Thing) -> bool:
    """Whether our account moderates there, so that it sees what was removed."""
    return bool(thing.get("banned_by")) or thing.get("can_mod_post") is True


def _unanswerable(thing: Thing, link: Thing | None) -> str:
    """Why no answer to it is possible, as far as the payload tells."""
    for part, what in ((thing, "it"), (link or {}, "the thread")):
        if part.get("locked") is True:
            return f"{what} is locked"
        if part.get("archived") is True:
            return f"{what} is archived"
        if part.get("banned_by") or part.get("removed_by_category"):
            return f"{what} was removed by the moderators"
    if thing.get("author_is_blocked") is True:
        return "our account has blocked its author"
    return ""


def _warning(thing: Thing, link: Thing | None) -> str:
    found = {"NSFW": "over_18", "spoiler": "spoiler"}
    return ", ".join(word for word, field in found.items() if any(p and p.get(field) is True for p in (thing, link)))


def _media(thing: Thing) -> Iterable[Media]:
    """Pictures and video on it, else the page that it links to."""
    shown = list(_gallery(thing))
    video = _inside(thing, "media", "reddit_video") or _inside(thing, "secure_media", "reddit_video")
    if _address(video.get("fallback_url")):
        shown.append(Media(kind="video", url=_address(video.get("fallback_url"))))
    linked = _address(thing.get("url_overridden_by_dest")) or _address(thing.get("url"))
    if shown or is_comment(str(thing.get("name"))) or thing.get("is_self") is True or not linked:
        return shown
    if text_of(thing, "post_hint") == "image" or re.search(r"\.(?:jpe?g|png|gif|webp)$", linked, re.I):
        return [Media(kind="image", url=linked)]
    previews = _inside(thing, "preview").get("images")
    first = previews[0] if isinstance(previews, list) and previews and isinstance(previews[0], dict) else {}
    preview = _address(_inside(first, "source").get("url"))
    return [Media(kind="link", url=linked), *([Media(kind="image", url=preview)] if preview else [])]


def _gallery(thing: Thing) -> Iterable[Media]:
    """The pictures of a gallery or inside a text, in their order, with their captions."""
    known = thing.get("media_metadata")
    if not isinstance(known, dict):
        return
    items = _inside(thing, "gallery_data").get("items")
    ordered = [each for each in items if isinstance(each, dict)] if isinstance(items, list) else []
    captions = {str(each.get("media_id")): text_of(each, "caption") for each in ordered}
    for media_id in [*captions, *(each for each in known if each not in captions)]:
        source = _inside(known, media_id, "s")
        url = next((found for size in ("u", "gif", "mp4") if (found := _address(source.get(size)))), "")
        if url:
            kind = "image" if _inside(known, media_id).get("e") == "Image" else "video"
            yield Media(kind=kind, url=url, alt=captions.get(media_id, ""))


def _inside(thing: Thing, *path: str) -> dict[str, Any]:
    """What stands at that path; an empty one where anything is missing."""
    found: Any = thing
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _address(value: object) -> str:
    """The value if it is an address of the web, else nothing."""
    return value if isinstance(value, str) and re.match(r"https?://\S+$", value) else ""
