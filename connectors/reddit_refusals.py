"""What Reddit's answers mean when they are no plain success: one of our five errors, in words for people.

Reddit says no in three ways: with a status (403, 404, 429 …), with a 400 whose JSON names a `reason`, and with a 200
whose JSON lists `errors`, each as code, sentence and field. Codes and sentences: reddit.com/dev/api and the answers
that praw's users reported, read March 2026. A code that we do not know is a refusal too, told in Reddit's own words.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from connectors import faults
from connectors.reddit_text import seconds_told
from listener.errors import AuthFailed, NetworkError, OutcomeUnknown, RateLimited, Rejected, Unavailable

WHERE = "Reddit"

_TOO_FAST = frozenset({"RATELIMIT", "QUOTA_FILLED", "RATE_LIMIT"})
_OUR_ACCOUNT = frozenset({"USER_REQUIRED", "WRONG_PASSWORD", "IN_TIMEOUT", "ACCOUNT_SUSPENDED", "USER_SUSPENDED"})
_PLAIN = {
    "THREAD_LOCKED": "the thread is locked",
    "COMMENT_LOCKED": "the comment is locked",
    "DELETED_COMMENT": "the comment was deleted",
    "DELETED_LINK": "the post was deleted",
    "DELETED_THING": "it was deleted",
    "TOO_OLD": "the thread is archived: it is too old to be answered",
    "THREAD_ARCHIVED": "the thread is archived: it is too old to be answered",
    "TOO_MANY_COMMENTS": "there are already too many comments of ours there",
    "NOT_AUTHOR": "it is not ours",
    "SUBREDDIT_NOTALLOWED": "our account is not allowed to post in that subreddit",
    "SUBREDDIT_NOEXIST": "there is no such subreddit",
    "SUBREDDIT_REQUIRED": "no subreddit was named",
    "SUBREDDIT_OUTBOUND_LINKING_DISALLOWED": "that subreddit takes no links to others",
    "BANNED_FROM_SUBREDDIT": "the moderators have banned our account there",
    "USER_BLOCKED": "its author has blocked our account",
    "USER_BLOCKED_MESSAGE": "its author has blocked our account",
    "NOT_WHITELISTED_BY_USER_MESSAGE": "its author takes no messages from us",
    "NO_TEXT": "the text is empty",
    "TOO_LONG": "the text is too long",
    "NO_SELFS": "that subreddit takes no text posts",
    "NO_LINKS": "that subreddit takes no links",
    "SUBMIT_VALIDATION_FLAIR_REQUIRED": "that subreddit wants every post to carry a flair, which we cannot choose",
    "SUBMIT_VALIDATION_BODY_REQUIRED": "that subreddit wants a text below the title",
    "SUBMIT_VALIDATION_TITLE_BLACKLISTED_STRING": "the title holds a word that the subreddit forbids",
    "SUBMIT_VALIDATION_BODY_BLACKLISTED_STRING": "the text holds a word that the subreddit forbids",
    "DOMAIN_BANNED": "it links to a site that Reddit does not allow",
    "ALREADY_SUB": "that link was posted there already",
    "BAD_CAPTCHA": "Reddit wants a captcha from our account; a verified address and some karma end that",
    "VERIFIED_EMAIL_REQUIRED": "that subreddit wants accounts with a verified address",
}


def of_answer(
    status: int,
    headers: Mapping[str, str],
    body: Any,
    *,
    writing: bool,
    now: datetime,
    secrets: list[str],
) -> NetworkError:
    """The error for an answer with a status that is no success, or with a success that is not Reddit's JSON."""
    said = _said(body)
    code = str(body.get("reason") or "").upper() if isinstance(body, dict) else ""
    if status == 403 and "insufficient_scope" in str(headers.get("www-authenticate", "")):
        return AuthFailed("Reddit: our refresh_token does not reach so far; grant it anew with all the scopes it needs")
    if code and 400 <= status < 500 and status not in (401, 429) and (writing or code in _TOO_FAST):
        told = body.get("explanation")
        return of_code(code, told if isinstance(told, str) else "", secrets=secrets)
    if status == 404 and not writing and said:
        return Rejected(f"There is nothing of that name on Reddit (404): {faults.one_line(said, secrets=secrets)}")
    if status == 302 and not writing and "/search" in str(headers.get("location", "")):
        return Rejected("There is no such subreddit on Reddit: it sends us to its search instead")
    if status == 403 and writing and said:
        return Rejected(
            "Reddit does not let our account write there (403): banned, the place is private, or it takes posts only "
            "from those whom its moderators approved"
        )
    return faults.of_status(status, headers, where=WHERE, writing=writing, now=now, said=said, secrets=secrets)


def of_errors(answer: Mapping[str, Any], *, secrets: list[str]) -> NetworkError | None:
    """The error for the first of the `errors` inside a 200; None where it lists none."""
    inner = answer.get("json")
    errors = inner.get("errors") if isinstance(inner, dict) else None
    if not isinstance(errors, list) or not errors:
        return None
    first = errors[0] if isinstance(errors[0], list) else [errors[0]]
    parts = [str(part) for part in first[:2] if isinstance(part, str)]
    return of_code(parts[0].upper() if parts else "", parts[1] if len(parts) > 1 else "", secrets=secrets)


def of_code(code: str, said: str, *, secrets: list[str]) -> NetworkError:
    """The error for one of Reddit's codes, with the sentence beside it."""
    told = faults.one_line(said, secrets=secrets)
    if code in _TOO_FAST:
        seconds = seconds_told(said)
        wait = None if seconds is None else min(max(seconds, 1.0), faults.CEILING)
        return RateLimited(f"Reddit lets our account write only so often: “{told}”", retry_after=wait)
    if code in _OUR_ACCOUNT:
        return AuthFailed(f"Reddit does not take our account for logged in, or has suspended it: “{told}”")
    plain = _PLAIN.get(code) or (f"“{told}”" if told else "it does not say why")
    shown = faults.one_line(code, limit=60, secrets=secrets)
    return Rejected(f"Reddit refuses this: {plain}" + (f" ({shown})" if shown else ""))


def of_login(status: int, headers: Mapping[str, str], body: Any, *, now: datetime, secrets: list[str]) -> NetworkError:
    """The error for a login that gave no token."""
    error = body.get("error") if isinstance(body, dict) else None
    if error == "invalid_grant":
        return AuthFailed(
            "Reddit does not accept the username and password, or the refresh_token (invalid_grant); "
            "an account with two-factor login needs a refresh_token"
        )
    if error in ("unauthorized_client", "unsupported_grant_type"):
        said = faults.one_line(str(body.get("error_description") or error), secrets=secrets)
        return AuthFailed(f"Reddit does not let this app log in so: “{said}”; a password needs a “script” app")
    if status == 401:
        return AuthFailed("Reddit does not know the app: client_id or client_secret is wrong (401)")
    if 200 <= status < 300:
        return Unavailable("Reddit answered a login with something that is no token")
    return faults.of_status(status, headers, where=WHERE, writing=False, now=now, said=_said(body), secrets=secrets)


def nothing_posted() -> OutcomeUnknown:
    """For a 200 that names no errors and nothing that was posted."""
    return OutcomeUnknown("Reddit said yes and named nothing that was posted; we look whether it is there")


def _said(body: Any) -> str:
    """The reason in Reddit's own words; empty for an answer that is not its API's."""
    if not isinstance(body, dict):
        return ""
    told = [body.get(name) for name in ("explanation", "reason", "message")]
    words = [each for each in told if isinstance(each, str) and each]
    if words:
        return words[0]
    return str(body["error"]) if isinstance(body.get("error"), int | str) else ""
