"""What went wrong on the wire, told as one of our five errors. Pure: nothing here asks a network or a clock.

    an answer with a status   -> of_status      401 AuthFailed, 429 RateLimited, 422 Rejected, 5xx Unavailable …
    no answer at all          -> of_failure     Unavailable, or OutcomeUnknown where something may have been written
    rate-limit headers        -> seconds_to_wait, pause_after
    texts that people see     -> one_line, redact

The one rule behind them all: a write whose answer is not a clear yes or no is OutcomeUnknown, unless we know that it
never left. Libraries are told apart by the names of their exceptions, so that this file imports none of them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TypeVar

from listener.errors import AuthFailed, NetworkError, OutcomeUnknown, RateLimited, Rejected, Unavailable
from listener.types import Garbled, Post

Thing = TypeVar("Thing")

CLOCKS_DIFFER = timedelta(minutes=5)  # by so much, when we look among a network's posts for what we wrote
CEILING = 6 * 3600.0  # asking again after six hours is polite enough, whatever a header says

_NUMBER = re.compile(r"([+-]?\d{1,18}(?:\.\d{1,18})?)\s*s?")
_IETF_WINDOW = re.compile(r";\s*t\s*=\s*(\d{1,12})")
_SECRET = re.compile(
    r"""(?ix)
      (?P<scheme> \b (?:bearer|basic|token) \s+ ) [\w.~+/=-]{6,}
    | (?P<name> (?<![\w-]) [\w-]* (?:token|secret|password|passwd|api[_-]?key|authorization)
        ["']? \s* [:=] \s* ["']? (?: (?:bearer|basic) \s+ )? ) [^\s"'&,;]+
    | (?P<user> (?<!\w) \w+:// ) [^\s/@:]+ : [^\s/@]+ @
    """
)
_NEVER_SENT = frozenset(
    {
        # urllib3 and requests
        *("NewConnectionError", "NameResolutionError", "ConnectTimeoutError", "ConnectTimeout"),
        *("InvalidURL", "InvalidHeader", "InvalidSchema", "MissingSchema", "LocationParseError"),
        "Astray",  # our own: it was about to go elsewhere
        # httpx
        *("ConnectError", "UnsupportedProtocol", "PoolTimeout"),
        # the standard library
        *("ConnectionRefusedError", "gaierror", "SSLCertVerificationError"),
    }
)


# --- what cannot be read ----------------------------------------------------------------------------------------------


def read_each(
    things: Iterable[Thing],
    read: Callable[[Thing], Post | None],
    name: Callable[[Thing], str | None],
    known: tuple[type[Exception], ...] = (ValueError, AttributeError),
) -> tuple[list[Post], list[Garbled]]:
    """What `read` makes of each thing (None: nothing), and those that it cannot read, by their names.

    One that breaks it is passed over, so that the others are heard. Where each of several breaks it otherwise than with
    one of the `known` errors, the fault is most likely ours, and the first of them is raised: nothing is passed over.
    """
    posts: list[Post] = []
    garbled: list[Garbled] = []
    bugs: list[Exception] = []
    for thing in things:
        try:
            post = read(thing)
        except Exception as error:  # noqa: BLE001 - one of many things from outside
            bugs += [] if isinstance(error, known) else [error]
            garbled.append(unread(name, thing, error))
        else:
            posts += [] if post is None else [post]
    if len(bugs) > 1 and not posts:
        raise bugs[0]
    return posts, garbled


def unread(name: Callable[[Thing], str | None], thing: Thing, error: Exception) -> Garbled:
    """What is known of a thing that could not be read: its name, and the kind of what was wrong. Not what it says."""
    try:
        called = name(thing)
    except Exception:  # noqa: BLE001 - it is broken, and so may its name be
        called = None
    return Garbled(external_id=called or "", reason=f"it is not as such posts are written ({type(error).__name__})")


# --- how long to wait -----------------------------------------------------------------------------------------------


def seconds_to_wait(headers: Mapping[str, str], *, now: datetime, ceiling: float = CEILING) -> float | None:
    """How long a network that refused us wants us to wait, in seconds from 0 (excluded) to `ceiling`.

    `Retry-After` (seconds or a date) counts first; then the latest reset among the windows that are used up, in any of
    the formats in use: unix seconds or milliseconds, ISO 8601, seconds from now, with or without a fraction. A window
    that still has room is not what stopped us. None when nothing usable was said: the caller backs off as it likes.
    """
    lower = {name.lower(): str(value) for name, value in headers.items()}
    now = _server_time(lower, now)
    asked = _seconds(lower.get("retry-after", ""), now)
    if asked is None:
        asked = max(_resets(lower, now), default=None)
    return None if asked is None or asked <= 0 else min(asked, ceiling)


def pause_after(headers: Mapping[str, str], *, now: datetime, ceiling: float = CEILING) -> float | None:
    """After an answer that was fine: how long to wait because it was the last one allowed; None when there is room."""
    lower = {name.lower(): str(value) for name, value in headers.items()}
    if not any(_remaining(lower, name) == 0 for name in lower if name.endswith("reset")):
        return None
    return seconds_to_wait({n: v for n, v in lower.items() if n != "retry-after"}, now=now, ceiling=ceiling)


def _resets(headers: Mapping[str, str], now: datetime) -> Iterator[float]:
    for name, value in headers.items():
        if name.endswith("reset") and "limit" in name and not _remaining(headers, name):
            seconds = _seconds(value, now)
            if seconds is not None:
                yield seconds
        elif name in ("ratelimit", "x-ratelimit") and (window := _IETF_WINDOW.search(value)):
            yield float(window.group(1))


def _remaining(headers: Mapping[str, str], reset: str) -> float | None:
    """What is left of the window whose end the header `reset` names; None when it does not say."""
    found = _NUMBER.fullmatch(headers.get(reset.removesuffix("reset") + "remaining", "").strip())
    return max(0.0, float(found.group(1))) if found else None


def _seconds(value: str, now: datetime) -> float | None:
    value = value.strip()
    if found := _NUMBER.fullmatch(value):
        number = float(found.group(1))
        if number >= 1e12:
            number /= 1000
        return number - now.timestamp() if number >= 1e9 else number
    moment = _moment(value)
    return None if moment is None else (moment - now).total_seconds()


def _moment(value: str) -> datetime | None:
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = parse(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


def _server_time(headers: Mapping[str, str], now: datetime) -> datetime:
    """The network's own clock where it shows one, so that a wrong clock on either side does no harm."""
    return _moment(headers.get("date", "")) or now


def clock_ahead(headers: Mapping[str, str], *, now: datetime) -> timedelta:
    """How far our clock, which says `now`, is ahead of the network's `Date`; negative where it is behind.

    Nothing where the network shows no clock.
    """
    return now - _server_time({name.lower(): str(value) for name, value in headers.items()}, now)


# --- what people get to see -----------------------------------------------------------------------------------------


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without `secrets`, and without whatever looks like a token, a password or a login in a URL."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "[hidden]")
    return _SECRET.sub(
        lambda m: (m["scheme"] or m["name"] or m["user"]) + "[hidden]" + ("@" if m["user"] else ""), text
    )


def one_line(text: str, *, limit: int = 200, secrets: Iterable[str] = ()) -> str:
    """The text as one printable line of at most `limit` characters, redacted."""
    visible = "".join(" " if unicodedata.category(char).startswith(("C", "Z")) else char for char in text[: 20 * limit])
    line = " ".join(redact(visible, secrets).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


# --- which error ----------------------------------------------------------------------------------------------------


def of_status(  # noqa: PLR0911 - a table of statuses reads best as one
    status: int,
    headers: Mapping[str, str],
    *,
    where: str,
    writing: bool,
    now: datetime,
    said: str = "",
    secrets: Iterable[str] = (),
) -> NetworkError:
    """The error for an answer that is no success, or a success that makes no sense.

    `where` names the network to a person. `said` is the reason in the network's own words; empty when the answer did
    not come from its API at all (a proxy's page): then a 403 or 404 means nothing, and least of all that nothing was
    written.
    """
    reason = f": “{one_line(said, secrets=secrets)}”" if said else ""
    unclear = OutcomeUnknown if writing else Unavailable
    if status == 429:
        return RateLimited(f"{where} asks us to slow down", retry_after=seconds_to_wait(headers, now=now))
    if status in (401, 407):
        return AuthFailed(f"{where} does not accept our credentials ({status}){reason}")
    if status == 402:
        return AuthFailed(f"{where} wants to be paid before it answers (402){reason}")
    if status in (403, 404, 410) and not said:
        return unclear(f"{where} answered {status} with something that is not its API")
    if status == 403 and not writing:
        return AuthFailed(f"{where} does not let our account read this (403){reason}")
    if status in (301, 307, 308, 425):
        return Unavailable(f"{where} sends us elsewhere or asks us to come back ({status}), which we do not follow")
    if status == 503 and not writing:
        asked = {name: value for name, value in headers.items() if name.lower() in ("retry-after", "date")}
        return Unavailable(f"{where} is not available (503)", retry_after=seconds_to_wait(asked, now=now))
    if status == 408 or not 400 <= status < 500:
        return unclear(f"{where} gave no usable answer ({status})")
    return Rejected(f"{where} refuses this ({status}){reason}")


def of_failure(error: BaseException, *, where: str, writing: bool) -> NetworkError:
    """The error for a call that brought no answer. Its text never quotes the original, which may hold anything."""
    names = {name for part in _chain(error) for name in _names(part)}
    if "Astray" in names:
        story = "it names another host than its own, which is not asked"
    elif names & {"gaierror", "NameResolutionError"}:
        story = "its name cannot be found"
    elif any("Certificate" in name or "SSL" in name for name in names):
        story = "no secure connection to it is possible"
    elif "ConnectionRefusedError" in names:
        story = "nothing listens there, or it refuses"
    elif "NewConnectionError" in names:  # urllib3 counts it among those that took too long
        story = "it cannot be reached"
    elif any("Timeout" in name for name in names):
        story = "it did not answer in time"
    elif names & _NEVER_SENT:
        story = "it cannot be reached"
    else:
        story = "the connection broke"
    kind = OutcomeUnknown if writing and not never_sent(error) else Unavailable
    return kind(f"No answer from {where}: {story}")


def never_sent(error: BaseException) -> bool:
    """Whether this failure proves that the request did not leave: no connection was ever made."""
    return any(name in _NEVER_SENT for part in _chain(error) for name in _names(part))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was made from.

    `__context__` is left out on purpose: it also holds whatever else was being handled at the time, and that must not
    make a lost write look like one that never left.
    """
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting:
        part = waiting.pop()
        if id(part) in seen or len(seen) > 50:
            continue
        seen.add(id(part))
        yield part
        inner = (part.__cause__, getattr(part, "reason", None), getattr(part, "original_exception", None))
        waiting += [each for each in (*inner, *part.args) if isinstance(each, BaseException)]


def _names(error: BaseException) -> Iterator[str]:
    return (kind.__name__ for kind in type(error).__mro__)
