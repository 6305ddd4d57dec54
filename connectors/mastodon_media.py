"""Pictures on their way to a Mastodon server: handed over before the post, and waited for until it may carry them.

Handing a picture over says nothing to anybody: a server forgets what no post carries. So no failure here is a write of
unknown outcome, and a post that has to be tried again need not hand its pictures over again.

docs.joinmastodon.org/methods/media and /entities/V1_Instance, /entities/Instance (July 2026). A server answers 202 and
no address while it still works on a picture (GoToSocial always does), and 206 when asked too early.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mastodon import Mastodon

from connectors.mastodon_posts import Unreadable, read_id
from connectors.plain import read_json
from connectors.wire import Wire
from listener.errors import AuthFailed, Rejected, Unavailable
from listener.types import Attachment, Images

USUAL_IMAGES = Images(
    count=4,
    types=("image/jpeg", "image/png", "image/gif", "image/webp"),
    bytes=16 * 1024 * 1024,
    alt=1500,
)

WAITS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)  # seconds between two looks whether a picture is ready
SLOWEST = 256 * 1024  # bytes a second that we wait for
KEPT = 3600.0  # seconds for which a picture that was handed over is there to be used; servers keep it a day
MOST = 100  # pictures remembered


def read_images(instance: Mapping[str, Any]) -> Images | None:
    """Which pictures a post may carry there; the usual ones for what the server does not say, None where none."""
    configuration = instance.get("configuration")
    told = configuration if isinstance(configuration, dict) else {}
    media, statuses = _block(told, "media_attachments"), _block(told, "statuses")
    types = media.get("supported_mime_types")
    known = [kind for kind in USUAL_IMAGES.types if kind in types] if isinstance(types, list) else USUAL_IMAGES.types
    count = _number(statuses.get("max_media_attachments"), USUAL_IMAGES.count)
    if not known or not count:
        return None
    return Images(
        count=count,
        types=tuple(known),
        bytes=_number(media.get("image_size_limit"), USUAL_IMAGES.bytes),
        alt=_number(media.get("description_limit"), USUAL_IMAGES.alt),
    )


def _block(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = told.get(name)
    return found if isinstance(found, dict) else {}


def _number(value: object, usual: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 10**10 else usual


class Uploads:
    """The pictures that one account has handed over. `ask` makes a request as the connector does."""

    def __init__(
        self,
        ask: Callable[..., Any],
        api: Mastodon,
        wire: Wire,
        *,
        host: str,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._ask = ask
        self._api = api
        self._wire = wire
        self._host = host
        self._sleep = sleep
        self._given: dict[tuple[str, int], tuple[str, float]] = {}  # by key of the post and place: id, when
        self._ready: set[str] = set()

    def ids(self, key: str, media: Sequence[Attachment]) -> list[str] | None:
        """The ids under which the post with that key may carry them; None where it carries nothing.

        Raises RateLimited, Unavailable, AuthFailed or Rejected, never OutcomeUnknown.
        """
        return [self._one((key, at), each) for at, each in enumerate(media)] or None

    def forget(self, key: str) -> None:
        """Hand the pictures of that post over again, should it be tried again."""
        for place in [place for place in self._given if place[0] == key]:
            del self._given[place]

    def _one(self, place: tuple[str, int], picture: Attachment) -> str:
        own, at = self._given.get(place, ("", 0.0))
        if not own or time.monotonic() - at > KEPT:
            own = self._hand_over(picture)
            self._given[place] = own, time.monotonic()
            for old in list(self._given)[:-MOST]:
                self._ready.discard(self._given.pop(old)[0])
        if own not in self._ready:
            self._wait_for(own)
        return own

    def _hand_over(self, picture: Attachment) -> str:
        """Without its name: what a file is called is for those alone who named it."""
        try:
            entity = self._ask(
                self._api.media_post,
                picture.data,
                want=dict,
                patience=len(picture.data) / SLOWEST,
                mime_type=picture.content_type,
                description=picture.alt,
            )
        except AuthFailed as error:
            if self._status() == 403:
                raise Rejected(
                    f"{self._host} lets our account post no pictures: make an access token with the scope write:media"
                ) from error
            raise
        except Unavailable as error:
            if self._status() == 500 and self._said():  # Mastodon's answer to a picture that it cannot make smaller
                raise Rejected(
                    f"{self._host} cannot process this picture; save it once more, or leave it out"
                ) from error
            raise
        try:
            own = read_id(entity)
        except Unreadable as error:
            raise Unavailable(f"{self._host} took the picture and answered something that is none") from error
        if self._status() == 200 and entity.get("url"):
            self._ready.add(own)
        return own

    def _wait_for(self, own: str) -> None:
        for wait in (0.0, *WAITS):
            if wait:
                self._sleep(wait)
            self._ask(self._api.media, own, want=dict)
            if self._status() != 206:
                self._ready.add(own)
                return
        raise Rejected(f"{self._host} did not get the picture ready in {sum(WAITS):.0f} s; try it again later")

    def _status(self) -> int:
        return self._wire.answer.status if self._wire.answer else 0

    def _said(self) -> bool:
        body = read_json(self._wire.answer.body) if self._wire.answer else None
        return isinstance(body, dict) and isinstance(body.get("error"), str)
