"""What becomes of a post or comment of ours on Reddit after it went out: edited, deleted, pinned.

    edit    POST /api/editusertext: a comment's text, or what stands below a post's title. No title can be changed, and
            a notice's first line is its title. The text is marked as edited. Needs the scope edit
    delete  POST /api/del. What was answered below it stays. Needs the scope edit
    pin     POST /api/set_subreddit_sticky, for posts. Where our account moderates the subreddit it goes to its top (two
            fit, the second gives way), with the scope modposts; else to the top of our profile (`to_profile`, four
            fit). Repeated it is a 409, so the post is read first

Sources: reddit.com/dev/api (editusertext, del, set_subreddit_sticky), read March 2026; praw 8.0, which tells of the 409
and of the profile's places. That a post pinned to the profile says `pinned` is not in Reddit's pages: where an answer
of ours was lost, the look for such a pin goes by it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from connectors.plain import clean, same_text
from connectors.reddit_posts import Thing, is_comment, is_fullname, is_gone, text_of
from connectors.reddit_refusals import nothing_posted
from connectors.reddit_settings import Settings
from connectors.reddit_text import address, title_and_body
from connectors.reddit_wire import Login, needs_account
from listener.contract import Deletes, Edits, Pins
from listener.errors import NetworkError, OutcomeUnknown, Rejected
from listener.types import EditRequest

GONE = "It is not on Reddit any more"


def no_edit(says: str, shall_say: str) -> str:
    """Why a notice that says the one cannot be made to say the other: its first line is a title."""
    if title_and_body(says)[0] == title_and_body(shall_say)[0]:
        return ""
    return "Reddit lets nobody change a title, which a notice's first line is"


class Amending(Edits, Deletes, Pins):
    """The part of the connector that changes what is out already."""

    _settings: Settings
    speaks: bool

    @abstractmethod
    def _info(self, names: Sequence[str], *, login: Login | None = None) -> tuple[dict[str, Thing], list[str]]:
        """Things by fullname, and which of them are not there any more."""

    @abstractmethod
    def _write(self, path: str, **data: str | bool) -> dict[str, Any]:
        """What stands in the answer to something that we write."""

    def edit(self, request: EditRequest) -> None:
        thing = self._there(request.external_id)
        if thing is None:
            raise Rejected(GONE)
        title, text = self._shall_say(request)
        if title is not None and not same_text(text_of(thing, "title"), title):
            raise Rejected(f"Reddit refuses this: {no_edit('', title)}")
        if not self._says(thing, text):
            data = self._write("api/editusertext/", thing_id=request.external_id, text=text).get("data")
            if not isinstance(data, dict) or not isinstance(data.get("things"), list) or not data["things"]:
                raise nothing_posted()

    def is_edited(self, request: EditRequest) -> bool:
        thing = self._there(request.external_id)
        title, text = self._shall_say(request)
        titled = title is None or (thing is not None and same_text(text_of(thing, "title"), title))
        return thing is not None and titled and self._says(thing, text)

    def delete(self, external_id: str) -> None:
        self._check(external_id)
        self._write("api/del/", id=external_id)

    def is_deleted(self, external_id: str) -> bool:
        return self._there(external_id) is None

    def pin(self, external_id: str) -> None:
        thing = self._there(external_id)
        if thing is None:
            raise Rejected(GONE)
        if not _is_up(thing):
            self._stick(thing, external_id, up=True)

    def unpin(self, external_id: str) -> None:
        thing = self._there(external_id)
        if thing is not None and _is_up(thing):
            self._stick(thing, external_id, up=False)

    def is_pinned(self, external_id: str) -> bool:
        thing = self._there(external_id)
        return thing is not None and _is_up(thing)

    def _stick(self, thing: Thing, external_id: str, *, up: bool) -> None:
        if is_comment(external_id):
            raise Rejected("Reddit pins posts, no comments")
        where: dict[str, bool] = {} if _in_subreddit(thing, up=up) else {"to_profile": True}
        try:
            self._write("api/set_subreddit_sticky/", id=external_id, state=up, **where)
        except Rejected as refusal:  # among others a 409: it is so already
            if not self._is_so(external_id, up=up):
                raise refusal

    def _is_so(self, external_id: str, *, up: bool) -> bool:
        """Whether it is pinned or not, as wished; not being able to look changes nothing."""
        try:
            return self.is_pinned(external_id) is up
        except NetworkError:
            return False

    def _shall_say(self, request: EditRequest) -> tuple[str | None, str]:
        """The title (None for a comment) and the text, with what stands below all that we say."""
        title, text = (None, request.text) if is_comment(request.external_id) else title_and_body(request.text)
        return title, address(text, "", footer=self._settings.footer)

    def _says(self, thing: Thing, text: str) -> bool:
        field = "body" if is_comment(str(thing.get("name"))) else "selftext"
        return same_text(text_of(thing, field), clean(text))

    def _there(self, external_id: str) -> Thing | None:
        """It as it is now; None where it is gone."""
        self._check(external_id)
        found, missing = self._info([external_id])
        thing = found.get(external_id)
        if thing is None and external_id not in missing:
            raise OutcomeUnknown("Reddit shows it neither as there nor as gone")
        return None if thing is None or is_gone(thing) else thing

    def _check(self, external_id: str) -> None:
        if not self.speaks:
            raise needs_account()
        if not is_fullname(external_id):
            raise Rejected("It is no comment or post of Reddit")


def _is_up(thing: Thing) -> bool:
    return thing.get("stickied") is True or thing.get("pinned") is True


def _in_subreddit(thing: Thing, *, up: bool) -> bool:
    """Whether it is the top of the subreddit that it goes to, or comes from."""
    return thing.get("can_mod_post") is True if up else thing.get("stickied") is True
