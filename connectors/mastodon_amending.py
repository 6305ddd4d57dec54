"""What becomes of a post of ours on a Mastodon server after it went out: edited, deleted, pinned to the profile.

    edit    PUT /api/v1/statuses/:id. What is left out of it is lost: pictures, content warning, the mark “sensitive”.
            So the post is read first, and all of that is sent along. Those who boosted it are told. Since Mastodon 3.5
    delete  DELETE /api/v1/statuses/:id. Answers to it stay, without what they answered
    pin     POST /api/v1/statuses/:id/pin, up to five by default, public and unlisted ones. Repeated it is a 422, so the
            post is read first. Needs the scope write:accounts

The text is compared as `GET /api/v1/statuses/:id/source` gives it: word for word as it was written.

Sources: docs.joinmastodon.org/methods/statuses (edit, delete, pin, source), read July 2026; that an edit drops what it
does not name: app/services/update_status_service.rb of Mastodon 4.6. The shape of the answer: an edit on 4.6.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connectors.mastodon_posts import own_id
from connectors.plain import clean, same_text
from listener.contract import Deletes, Edits, Pins
from listener.errors import AuthFailed, OutcomeUnknown, Rejected, Unavailable
from listener.types import EditRequest


class Amending(Edits, Deletes, Pins):
    """The part of the connector that changes what is out already."""

    _ask: Callable[..., Any]
    _api: Any
    _host: str
    _token: str | None

    def edit(self, request: EditRequest) -> None:
        own = self._own(request.external_id)
        status = self._read(own)
        if status is None:
            raise Rejected(f"The post is not on {self._host} any more")
        if self._says(own, request.text):
            return
        media = status.get("media_attachments")
        pictures = [str(each["id"]) for each in media if isinstance(each, dict) and "id" in each] if media else None
        language = request.language or status.get("language")
        self._change(
            self._api.status_update,
            own,
            clean(request.text).strip(),
            extra={"language": str(language)} if language and language != "und" else None,  # the library knows none
            media_ids=pictures,
            sensitive=status.get("sensitive") is True,
            spoiler_text=str(status.get("spoiler_text") or "") or None,
        )

    def is_edited(self, request: EditRequest) -> bool:
        return self._says(self._own(request.external_id), request.text)

    def delete(self, external_id: str) -> None:
        self._change(self._api.status_delete, self._own(external_id), missing=True)

    def is_deleted(self, external_id: str) -> bool:
        return self._read(self._own(external_id)) is None

    def pin(self, external_id: str) -> None:
        own = self._own(external_id)
        status = self._read(own)
        if status is None:
            raise Rejected(f"The post is not on {self._host} any more")
        if status.get("pinned") is not True:
            self._change(self._api.status_pin, own)

    def unpin(self, external_id: str) -> None:
        self._change(self._api.status_unpin, self._own(external_id), missing=True)

    def is_pinned(self, external_id: str) -> bool:
        status = self._read(self._own(external_id))
        return status is not None and status.get("pinned") is True

    def _change(self, call: Callable[..., Any], own: str, *what: str, **more: Any) -> None:
        """Asks for it. An answer that is not the post itself may come from anywhere, and proves nothing."""
        status = self._ask(call, own, *what, want=dict, writing=True, **more)
        if status is not None and str(status.get("id")) != own:
            raise OutcomeUnknown(f"{self._host} answered something that is not Mastodon's")

    def _own(self, external_id: str) -> str:
        if self._token is None:
            raise AuthFailed(f"This needs an account at {self._host}: access_token is missing")
        own = own_id(self._host, external_id)
        if own is None:
            raise Rejected(f"The post is not one of {self._host}, where this account is")
        return own

    def _read(self, own: str) -> dict[str, Any] | None:
        status: dict[str, Any] | None = self._ask(self._api.status, own, want=dict, missing=True)
        return status

    def _says(self, own: str, text: str) -> bool:
        source = self._ask(self._api.status_source, own, want=dict, missing=True)
        if source is None:
            return False
        if not isinstance(source.get("text"), str):
            raise Unavailable(f"{self._host} answered something that is not Mastodon's")
        return same_text(source["text"], text)
