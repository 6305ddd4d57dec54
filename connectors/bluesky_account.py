"""One account at one Bluesky server, or a stranger: every call, its session, and what went wrong as one of our errors.

The server says what is wrong by a name in the body (`error`) rather than by its status: a token that has run out is a
400, an account taken down a 401 like a wrong password. So names come first here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from connectors import faults
from connectors.bluesky_posts import POST, is_did
from connectors.bluesky_session import Session, Sessions, read_session
from connectors.bluesky_settings import Settings
from connectors.bluesky_wire import FAILURES, Params, Wire
from connectors.plain import read_json
from connectors.wire import Answer
from listener.errors import AuthFailed, NetworkError, OutcomeUnknown, Rejected, Unavailable

GETS_POSTS = 25  # as many as one call gives

_WORN_OUT = frozenset({"ExpiredToken", "InvalidToken"})
_NOT_THERE = frozenset({"RecordNotFound", "RepoNotFound", "RepoTakendown", "RepoDeactivated", "RepoSuspended"})
_FOR_A_PERSON = {
    "AccountTakedown": "the account has been taken down; write to Bluesky's support",
    "AccountSuspended": "the account is suspended; write to Bluesky's support",
    "AccountDeactivated": "the account is deactivated; activate it again in the app",
    "AuthFactorTokenRequired": "it wants a code sent by mail: use an app password instead of the account's own",
}


class Account:
    """Calls in the account's name, or without one where settings have none: then only what all may see can be asked.

    Every call raises one of the five errors and nothing else.
    """

    def __init__(self, settings: Settings, wire: Wire, now: Callable[[], datetime]) -> None:
        self._wire = wire
        self._now = now
        self.host = urlsplit(settings.service if settings.handle else settings.appview).netloc
        self._handle = settings.handle or ""
        self._password = settings.app_password.get_secret_value() if settings.app_password else ""
        self.sessions = Sessions(
            settings.session_file,
            account=f"{self._handle} at {settings.service}",
            login=self._log_in,
            renew=self._renew,
            now=now,
        )

    @property
    def did(self) -> str:
        """Our account's permanent name."""
        return self.sessions.get().did

    @property
    def pause(self) -> float | None:
        """How long to wait because the last answer was the last one allowed."""
        last = self._wire.last
        return faults.pause_after(last.headers, now=self._now()) if last else None

    # --- calls ---

    def ask(self, call: str, params: Params) -> dict[str, Any]:
        """A query's answer."""
        answer = self._sent(lambda token: self._wire.get(call, params, token=token), writing=False)
        return self._body(answer, writing=False)

    def posts(self, uris: Sequence[str]) -> list[Any]:
        """Those posts that we may see, as views; at most `GETS_POSTS` are asked for."""
        views = self.ask("app.bsky.feed.getPosts", {"uris": list(uris)}).get("posts")
        if not isinstance(views, list):
            raise self._nonsense(writing=False)
        return views

    def own_posts(self, cursor: str | None) -> tuple[list[Any], str | None]:
        """A page of what the network shows of us, answers too, newest first, as views; and where the next begins."""
        params: dict[str, Any] = {"actor": self.did, "filter": "posts_with_replies", "limit": 100}
        body = self.ask("app.bsky.feed.getAuthorFeed", params | ({"cursor": cursor} if cursor else {}))
        feed, after = body.get("feed"), body.get("cursor")
        if not isinstance(feed, list):
            raise self._nonsense(writing=False)
        views = [each["post"] for each in feed if isinstance(each, dict) and isinstance(each.get("post"), dict)]
        return views, after if isinstance(after, str) and after else None

    def record(self, did: str, key: str, collection: str = POST) -> dict[str, Any] | None:
        """A record from where it is kept, at once and not by what search knows; None when it is not there."""
        params = {"repo": did, "collection": collection, "rkey": key}
        answer = self._sent(
            lambda token: self._wire.get("com.atproto.repo.getRecord", params, token=token), writing=False
        )
        if _named(answer) in _NOT_THERE and answer.status in (400, 404):
            return None
        body = self._body(answer, writing=False)
        if not isinstance(body.get("uri"), str) or not isinstance(body.get("value"), dict):
            raise self._nonsense(writing=False)
        return body

    def resolve(self, handle: str) -> str | None:
        """The DID of a handle; None where nobody has it."""
        try:
            did = self.ask("com.atproto.identity.resolveHandle", {"handle": handle}).get("did")
        except Rejected:
            return None
        return did if is_did(did) else None

    def create(self, record: dict[str, Any], key: str) -> str | None:
        """Writes the post under that key, once; its address, or None when the server failed and may have written it."""
        body = {"repo": self.did, "collection": POST, "rkey": key, "record": record}
        answer = self._write("com.atproto.repo.createRecord", body)
        if answer.status >= 500 and _named(answer):
            return None
        uri = self._body(answer, writing=True).get("uri")
        if not isinstance(uri, str):
            raise self._nonsense(writing=True)
        return uri

    def put(self, collection: str, key: str, record: dict[str, Any], *, instead_of: str | None) -> None:
        """Writes the record under that key in the place of the one with that hash; None: where there is none.

        Unavailable where another stands there by now.
        """
        body = {"repo": self.did, "collection": collection, "rkey": key, "record": record, "swapRecord": instead_of}
        answer = self._write("com.atproto.repo.putRecord", body)
        if _named(answer) == "InvalidSwap":
            raise Unavailable(f"{self.host} has another record there since we looked; it is read again")
        if not isinstance(self._body(answer, writing=True).get("uri"), str):
            raise self._nonsense(writing=True)

    def delete(self, key: str) -> None:
        """Our post under that key is not there any more, be it that it never was.

        The answer names the commit, or nothing at all; anything else may come from anywhere, and proves nothing.
        """
        body = {"repo": self.did, "collection": POST, "rkey": key}
        told = self._body(self._write("com.atproto.repo.deleteRecord", body), writing=True)
        if told and not isinstance(told.get("commit"), dict):
            raise self._nonsense(writing=True)

    def _write(self, call: str, body: dict[str, Any]) -> Answer:
        data = json.dumps(body).encode()
        return self._sent(lambda token: self._wire.post(call, data, token=token), writing=True)

    def upload(self, data: bytes, content_type: str) -> dict[str, Any]:
        """A picture for a post to come; as long as none carries it, it is nothing."""
        answer = self._sent(
            lambda token: self._wire.post("com.atproto.repo.uploadBlob", data, content_type=content_type, token=token),
            writing=False,
        )
        if answer.status == 403 and _named(answer):
            shown = faults.one_line(_said(answer), secrets=self._secrets())
            raise Rejected(f"{self.host} does not take the picture: “{shown}”")
        blob = self._body(answer, writing=False).get("blob")
        if not isinstance(blob, dict):
            raise self._nonsense(writing=False)
        return blob

    # --- what stands behind a call ---

    def _sent(self, send: Callable[[str | None], Answer], *, writing: bool) -> Answer:
        """The answer to a call with our token; refused for the token alone it took no effect, and goes out again."""
        if not self._handle:
            return self._answer(lambda: send(None), writing=writing)
        session = self.sessions.get()
        for last in (False, False, True):
            answer = self._answer(lambda session=session: send(session.access), writing=writing)  # type: ignore[misc]
            if last or _named(answer) not in _WORN_OUT:
                break
            session = self.sessions.replace(session)
        return answer

    def _answer(self, call: Callable[[], Answer], *, writing: bool) -> Answer:
        try:
            return call()
        except FAILURES as error:
            raise faults.of_failure(error, where=self.host, writing=writing) from error

    def _body(self, answer: Answer, *, writing: bool) -> dict[str, Any]:
        body = read_json(answer.body)
        if 200 <= answer.status < 300 and isinstance(body, dict):
            return body
        raise self._error(answer, writing=writing)

    def _error(self, answer: Answer, *, writing: bool) -> NetworkError:
        name = _named(answer)
        if name in _FOR_A_PERSON:
            return AuthFailed(f"{self.host} does not let {self._handle} in: {_FOR_A_PERSON[name]}")
        if name in _WORN_OUT:
            return AuthFailed(f"{self.host} does not accept our session ({name}); check handle and app_password")
        return faults.of_status(
            answer.status,
            answer.headers,
            where=self.host,
            writing=writing,
            now=self._now(),
            said=_said(answer),
            secrets=self._secrets(),
        )

    def _secrets(self) -> list[str]:
        """What no error may show, though the server may repeat it."""
        known = self.sessions.known
        return [self._password, *([known.access, known.refresh] if known else [])]

    def _nonsense(self, *, writing: bool) -> NetworkError:
        kind = OutcomeUnknown if writing else Unavailable
        return kind(f"{self.host} answered something that is not Bluesky's")

    def _log_in(self) -> Session:
        body = json.dumps({"identifier": self._handle, "password": self._password}).encode()
        answer = self._answer(lambda: self._wire.post("com.atproto.server.createSession", body), writing=False)
        if answer.status in (400, 401, 403) and _named(answer) not in {"", *_FOR_A_PERSON}:
            named = faults.one_line(_named(answer), limit=60, secrets=self._secrets())
            raise AuthFailed(
                f"{self.host} does not let {self._handle} in ({named}): check handle and app_password, "
                "or make a new app password"
            )
        return self._session(self._body(answer, writing=False))

    def _renew(self, refresh: str) -> Session | None:
        answer = self._answer(
            lambda: self._wire.post("com.atproto.server.refreshSession", b"", content_type="", token=refresh),
            writing=False,
        )
        if answer.status in (400, 401) and _named(answer) and _named(answer) not in _FOR_A_PERSON:
            return None
        return self._session(self._body(answer, writing=False))

    def _session(self, body: dict[str, Any]) -> Session:
        entry = {"did": body.get("did"), "handle": body.get("handle")}
        session = read_session({**entry, "access": body.get("accessJwt"), "refresh": body.get("refreshJwt")})
        if session is None or not is_did(session.did):
            raise self._nonsense(writing=False)
        return session


def _named(answer: Answer) -> str:
    """The name that the server gives to what went wrong; empty when it is no answer of its own."""
    body = read_json(answer.body) if not 200 <= answer.status < 300 else None
    name = body.get("error") if isinstance(body, dict) else None
    return name if isinstance(name, str) else ""


def _said(answer: Answer) -> str:
    """What went wrong in the server's own words."""
    body = read_json(answer.body)
    message = body.get("message") if isinstance(body, dict) else None
    return message if isinstance(message, str) and message else _named(answer)
