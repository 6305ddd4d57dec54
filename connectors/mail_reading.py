"""Reading a mailbox on: by UID, oldest first, without touching it.

The cursor: `validity`, the mailbox's UIDVALIDITY; `uid`, up to which it was read; `seen`, the UIDs among the last ones
that were read, since a server with many hands may show a mail behind a later one; `floor`, below which nothing is
wanted; `read`, when the last look was (unix seconds). While a range of days is read, at a first look or after the
server has numbered the mailbox anew, `since` holds its first day, `uid` how far that reading has come.

What has a large body is fetched in parts: its structure, its headers, and of its texts as much as is read. A mail at
which the conversation broke several times is passed over and told of, unless nothing else can be fetched either: then
it is the server that is in trouble.
"""

from __future__ import annotations

import email.policy
import imaplib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.message import Message
from typing import Any

from connectors.mail_posts import Mail
from connectors.mail_text import parse
from connectors.mail_wire import Imap
from listener.errors import Unavailable
from listener.types import Cursor

PAGE = 25
WHOLE = 512 * 1024  # bytes up to which a mail is fetched as it is
PART = 256 * 1024  # bytes that are fetched of one text
ENVELOPE = 1024 * 1024  # and of a winmail.dat
BACK = 20  # UIDs that are looked at again
FIRST_LOOK = timedelta(days=1)
RENUMBERED = timedelta(days=2)  # how much further back than the last look, when the mailbox is numbered anew
_RANGE = 50_000  # UIDs asked for at once
_MOST_LEAVES = 40
_MOST_BYTES = 1_500_000  # that are fetched of one mail's parts
_TRIES = 3

Suspects = dict[tuple[str, int, int], int]  # folder, UIDVALIDITY, UID -> how often the conversation broke at that mail


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What was read, oldest first, and where to read on. `unreadable`: how many could not be fetched."""

    mails: tuple[Mail, ...]
    cursor: Cursor
    more: bool
    unreadable: int = 0


def read_on(
    client: Imap, folder: str, cursor: Cursor | None, *, now: datetime, suspects: Suspects | None = None
) -> Reading:
    """The next mails of that folder. Selects it read-only: nothing in it changes, unread stays unread."""
    selected = client.select_folder(folder, readonly=True)
    validity, next_uid = _number(selected, b"UIDVALIDITY"), _number(selected, b"UIDNEXT")
    if not validity:
        raise Unavailable("the mail server numbers its mails in no way that lasts (no UIDVALIDITY)")
    known = dict(cursor) if cursor is not None else {}
    if known.get("validity") != validity:
        back = RENUMBERED if cursor is not None else timedelta(0)
        last = datetime.fromtimestamp(float(known["read"]), UTC) if cursor is not None else now - FIRST_LOOK
        known = {"validity": validity, "uid": 0, "floor": 0, "seen": [], "since": (last - back).date().isoformat()}
    top = max(next_uid - 1, known["uid"])
    if "since" in known:
        if not next_uid:
            top = max([known["uid"], *_search(client, 1, None)])
        wanted = _search(client, known["uid"] + 1, None, since=date.fromisoformat(known["since"]))
    else:
        low = max(known["uid"] - BACK, known["floor"])
        top = min(top, low + _RANGE) if next_uid else known["uid"]
        far = next_uid - 1 > top
        seen = set(known["seen"])
        wanted = [uid for uid in _search(client, low + 1, top if far else None) if uid not in seen]
    now_read, later = wanted[:PAGE], wanted[PAGE:]
    mails, unreadable = _fetch(client, now_read, (folder, validity), {} if suspects is None else suspects)
    after = {**known, "read": now.timestamp()}
    if later:
        after["uid"] = max(known["uid"], now_read[-1])
    else:
        after["uid"] = max([top, known["uid"], *now_read])
    if "since" in known and not later:
        del after["since"]
        after["floor"] = after["uid"]
    seen_now = [*known["seen"], *now_read]
    after["seen"] = sorted({uid for uid in seen_now if uid > after["uid"] - BACK and uid > after["floor"]})
    more = bool(later) or ("since" not in after and next_uid - 1 > after["uid"])
    return Reading(mails=tuple(mails), cursor=after, more=more, unreadable=unreadable)


def _number(selected: dict[bytes, Any], name: bytes) -> int:
    value = selected.get(name)
    return value if isinstance(value, int) and 0 < value < 2**32 else 0


def _search(client: Imap, low: int, high: int | None, *, since: date | None = None) -> list[int]:
    """The UIDs from `low` to `high` (None: to the last), ascending. A range beyond the last would give the last."""
    criteria: list[Any] = ["UID", f"{low}:{'*' if high is None else high}"]
    if since is not None:
        criteria += ["SINCE", since]
    found = client.search(criteria, charset=None)
    return sorted(
        {uid for uid in found if isinstance(uid, int) and low <= uid < 2**32 and (high is None or uid <= high)}
    )


def _fetch(client: Imap, uids: Sequence[int], where: tuple[str, int], suspects: Suspects) -> tuple[list[Mail], int]:
    """These mails in order, as far as they are still there; and how many the server could not give."""
    told = client.fetch(list(uids), ["RFC822.SIZE", "INTERNALDATE"]) if uids else {}
    mails: list[Mail] = []
    refusal: BaseException | None = None
    unreadable = 0
    for uid in uids:
        if uid not in told:
            continue  # deleted or moved in between
        size, arrived = told[uid].get(b"RFC822.SIZE"), told[uid].get(b"INTERNALDATE")
        size = size if isinstance(size, int) and size >= 0 else 0
        arrived_at = arrived.astimezone(UTC) if isinstance(arrived, datetime) and arrived.tzinfo else datetime.now(UTC)
        data, suspect = None, (*where, uid)
        try:
            if suspects.get(suspect, 0) >= _TRIES:
                raise imaplib.IMAP4.error("the conversation broke at that mail, again and again")
            suspects[suspect] = suspects.get(suspect, 0) + 1
            data = _section(client, uid, "", WHOLE) if size <= WHOLE else _Parts(client, uid).fetch()
            del suspects[suspect]
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            refusal = error
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            pass  # a structure that the library cannot read: this mail's trouble alone
        if data is None:
            unreadable += 1
        else:
            mails.append(Mail(uid=uid, data=data, size=size, arrived_at=arrived_at))
    if refusal is not None and not mails:
        raise refusal  # one mail that a server cannot give is passed over, but not while it gives none
    return mails, unreadable


def _section(client: Imap, uid: int, name: str, most: int) -> bytes | None:
    """So many bytes of that part, without marking the mail as read."""
    answer = client.fetch([uid], [f"BODY.PEEK[{name}]<0.{most}>"]).get(uid, {})
    found = (value for key, value in answer.items() if key.startswith(f"BODY[{name}]".encode()))
    data = next(found, None)
    return data if isinstance(data, bytes) else None


# --- mails too large to be fetched whole ----------------------------------------------------------------------------


class _Parts:
    """A mail put together again from its headers and texts; the files in it keep their names and lose their bytes."""

    def __init__(self, client: Imap, uid: int) -> None:
        self._client = client
        self._uid = uid
        self._bytes = _MOST_BYTES
        self._leaves = _MOST_LEAVES

    def fetch(self) -> Message | None:
        structure = self._client.fetch([self._uid], ["BODYSTRUCTURE"]).get(self._uid, {}).get(b"BODYSTRUCTURE")
        head = self._section("HEADER", PART)
        if head is None:
            return None
        message = parse(head)
        if isinstance(structure, tuple) and isinstance(structure[0], list):
            self._attach(message, structure, "")
        elif isinstance(structure, tuple):
            self._fill(message, structure, "1")
        return message

    def _section(self, name: str, most: int) -> bytes | None:
        if self._bytes <= 0:
            return b""
        data = _section(self._client, self._uid, name, min(most, self._bytes))
        self._bytes -= len(data or b"")
        return data

    def _attach(self, into: Message, structure: Any, path: str) -> None:
        into.set_payload([])
        for number, child in enumerate(structure[0], start=1):
            self._leaves -= 1
            if self._leaves < 0:
                return
            where = f"{path}.{number}" if path else str(number)
            if isinstance(child[0], list):
                part = Message(policy=email.policy.compat32)
                part.add_header("Content-Type", f"multipart/{_text(child[1])}")
                self._attach(part, child, where)
            else:
                head = self._section(f"{where}.MIME", PART) or b""
                part = parse(head)
                self._fill(part, child, where)
            into.attach(part)

    def _fill(self, part: Message, structure: Any, where: str) -> None:
        """The part's bytes where they are text; else a note that they were left out."""
        kind = f"{_text(structure[0])}/{_text(structure[1])}"
        attached = str(part.get("Content-Disposition", "")).lower().startswith("attachment")
        envelope = kind in ("application/ms-tnef", "application/vnd.ms-tnef")
        if (kind in ("text/plain", "text/html") and not attached) or envelope:
            data = self._section(where, ENVELOPE if envelope else PART) or b""
            part.set_payload(data.decode("ascii", "surrogateescape"))
            return
        if kind.startswith("message/") and "Content-Type" in part:  # so large that it is only told of
            part.set_type("application/octet-stream")
        part["X-Escucha-Left-Out"] = "yes"
        part.set_payload("")


def _text(value: object) -> str:
    return value.decode("ascii", "replace").lower() if isinstance(value, bytes) else ""
