"""A mailbox: read by IMAP, answered by SMTP.

Queries: `mentions` (every mail that comes into the INBOX), `in:FOLDER` (every mail in another folder), and either with
terms behind it, or terms alone (the INBOX's mails that match them).

    paging         done: by UID, oldest first; a mailbox that is numbered anew (UIDVALIDITY) is read again by date
    gaps           done: the last UIDs are looked at again, since some servers show a mail behind a later one; a mail
                   that cannot be read is counted in Page.gap
    rate limits    done: IMAP's response codes LIMIT, OVERQUOTA, INUSE; SMTP's 4.7.x and used-up sending allowances
    edits          exempt: a mail does not change
    deletions      exempt: a mail that is gone from the mailbox was moved or deleted by whoever works there, not by its
                   author; nothing is taken for a deletion
    language       done: what the mail's program claims (Content-Language)
    threads        done: by References and In-Reply-To; the first reference is the conversation
    media          done: attachments by name, type and size; they stay in the mailbox. Answers may carry pictures
    auth failure   done: a refused login, or a sender's address that the server does not let us use
    length         done: ours, 50,000 characters; mail has no limit of its own
    terms of use   done: machines are never answered, and our mails ask machines not to answer. Mails are not marked as
                   read, moved or deleted. SPF, DKIM and DMARC are for a person to arrange

**What happens once.** SMTP knows no key: a mail whose fate is unknown cannot be sent again harmlessly, and looking
tells only half. It is found where the server files what it sends (we look into the Sent folder by our own Message-ID)
or where somebody has answered it; that it is in neither proves nothing. So no look is conclusive (`settle_after` is
None): what is not found waits for a person. When that person has it sent again it carries the same Message-ID, by which
many servers and mail programs show it once.

Sources: RFC 3501 and 9051 (IMAP), 2177 (IDLE), 5530 (response codes), 5321 (SMTP), 5322, 2045-2047, 2231, 3676, 3834
(automatic mail), 3464 (bounces), 8314 (TLS); read November 2026. IMAPClient 4.1 and smtplib make the connections.
"""

from __future__ import annotations

import imaplib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, cast

from imapclient import SEEN
from imapclient.imapclient import SENT
from pydantic import BaseModel

from connectors import faults, mail_alerts
from connectors.mail_posts import LONGEST_TEXT, message_id, to_post
from connectors.mail_reading import Suspects, read_on
from connectors.mail_sending import (
    build,
    build_first,
    hand_over,
    our_message_id,
    parent_message_id,
    reachable,
    recipient,
)
from connectors.mail_settings import Settings
from connectors.mail_text import parse as read_mail
from connectors.mail_wire import READ_TIMEOUT, Imap, reading, sending
from listener.contract import BEAT, Alerts, Connector, Messages, Replies, Streams
from listener.errors import AuthFailed, Mistake, NetworkError, OutcomeUnknown, Rejected, Unavailable
from listener.terms import Terms, parse
from listener.types import (
    AlertMessage,
    Answerable,
    Author,
    Cursor,
    Facts,
    Images,
    MessageRequest,
    Page,
    Posted,
    ReplyRequest,
)

__all__ = ["ADVICE", "ALSO_CALLED", "FACTS", "QUERIES", "MailConnector", "Settings", "connect"]

ALSO_CALLED = ("email", "e-mail", "imap")
QUERIES = "mentions (every mail in the INBOX), in:FOLDER, or terms that a mail must match"

ADVICE = (
    "Let your domain's SPF and DKIM name the server that sends, or answers end up among spam.",
    "Turn off the mailbox's own automatic answers: two machines would greet the same person, or each other.",
    "Give Escucha a mailbox of its own, or an app password that can be taken back; it leaves mails unread, in place.",
    "A sender's address proves nothing: link a mail address to a customer's record only once you are sure.",
)

FACTS = Facts(
    network="mail",
    limit=LONGEST_TEXT,
    count=len,
    address=lambda text, _handle: text,
    answerable=Answerable.ADDRESSED,
    linkable=True,
    direct_messages=True,
    keyed_writes=False,
    deletions_visible=False,
    settle_after=None,
    finds=dict.fromkeys(
        ("reply", "message"), "in the folder of sent mail by its Message-ID, then in the inbox for an answer to it"
    ),
    images=Images(
        count=5, types=("image/png", "image/jpeg", "image/gif", "image/webp"), bytes=5 * 1024 * 1024, alt=1_000
    ),
    opens_case=True,
    as_of="2026-11",
    source="https://www.rfc-editor.org/rfc/rfc5321 and https://www.rfc-editor.org/rfc/rfc3834",
)

REIDLE = 240.0  # seconds; RFC 2177 asks for less than 29 minutes, and a dead line is to be noticed sooner
_FOLDER = re.compile(r'in:(?:"([^"\x00-\x1f]{1,200})"|([^\s"]{1,200}))\s*', re.IGNORECASE)


def connect(settings: BaseModel) -> Connector:
    """The connector for one mailbox. Asks the network nothing yet."""
    return MailConnector(cast(Settings, settings))


class MailConnector(Connector, Replies, Messages, Streams, Alerts):
    """One mailbox. Each look is a connection of its own, so that none is found dead."""

    facts = FACTS

    def __init__(
        self,
        settings: Settings,
        *,
        now: Callable[[], datetime] | None = None,
        beat: float = BEAT,
        reidle: float = REIDLE,
        patience: float = READ_TIMEOUT,
    ) -> None:
        """`beat`, `reidle`, `patience`: seconds between a stream's pages, between IDLEs, and for the server's word."""
        self.speaks = settings.smtp_host is not None
        self._settings = settings
        self._now = now or (lambda: datetime.now(UTC))
        self._beat, self._reidle, self._patience = beat, reidle, patience
        self._suspects: Suspects = {}
        self._proved = False
        self._tried_sending = not self.speaks

    # --- reading ---

    def whoami(self) -> Author | None:
        """Our address. The first time, both servers are asked whether they let us in."""
        if not self._proved:
            with reading(self._settings) as client:
                client.select_folder("INBOX", readonly=True)
            self._proved = True
        if not self._tried_sending:
            self._tried_sending = True  # once: a server that cannot send now must not keep us from reading
            with sending(self._settings):
                pass
        address = self._settings.address
        return Author(external_id=address.lower(), handle=address, display_name=self._settings.name)

    def explain_query(self, query: str) -> str:
        """What will be read for `query`; Mistake when it cannot be."""
        folder, terms = read_query(query)
        where = "the INBOX" if folder == "INBOX" else f"the folder {folder}"
        if terms is None:
            return f"Every mail that comes into {where} of {self._settings.address}; mails stay unread."
        return f"Every mail that comes into {where} of {self._settings.address} is read, and those that match are kept."

    def terms(self, query: str) -> Terms | None:
        return read_query(query)[1]

    def poll(self, query: str, cursor: Cursor | None) -> Page:
        """The next mails; the cursor covers no more than what this page returns."""
        folder, terms = self._read_query(query)
        with reading(self._settings) as client:
            _check_folder(client, folder)
            found = read_on(client, folder, cursor, now=self._now(), suspects=self._suspects)
        read, broken = faults.read_each(
            found.mails,
            lambda mail: to_post(
                mail, ours=self._settings.address, folder=folder, checked_by=self._settings.checked_by
            ),
            lambda mail: f"{folder} uid {mail.uid}",
            (ValueError, LookupError, TypeError, AttributeError, RecursionError),
        )
        posts = [
            post
            for post in read
            if terms is None or terms.matches(post.text, language=post.language, author=post.author.handle)
        ]
        unreadable = found.unreadable + len(broken)
        gap = f"{unreadable} mails in {folder} could not be read" if unreadable else None
        return Page(posts=tuple(posts), cursor=found.cursor, more=found.more, gap=gap, garbled=tuple(broken))

    def streams(self, query: str) -> bool:
        """Whether the query makes sense; only the server can tell whether it offers IDLE."""
        try:
            read_query(query)
        except Mistake:
            return False
        return True

    def stream(self, query: str, cursor: Cursor | None) -> Iterator[Page]:
        """Wakes the poll whenever the server says that something came; reads no mail itself."""
        del cursor  # nothing is read here
        folder, _ = self._read_query(query)
        with reading(self._settings, deadline=None) as client:
            if not client.has_capability("IDLE"):
                raise Rejected(f"{self._settings.imap_host} offers no IDLE; mails are polled for")
            _check_folder(client, folder)
            client.select_folder(folder, readonly=True)
            yield Page(posts=(), cursor=None, more=True)  # what came before we listened
            while True:
                yield from self._listen(client)

    def _listen(self, client: Imap) -> Iterator[Page]:
        """One IDLE, ended when something came or the server's word is due that it is still there."""
        client.listen(self._patience)
        began = time.monotonic()
        came = False
        while not came and time.monotonic() - began < self._reidle:
            came = client.waits(min(self._beat, self._reidle))
            if not came:
                yield Page(posts=(), cursor=None)
        said = client.settle(self._patience)  # waits for the server's word, so a line that died is noticed here
        yield Page(posts=(), cursor=None, more=any(_tells_of_mail(each) for each in said))

    # --- answering ---

    def reply(self, request: ReplyRequest) -> Posted:
        """Answer in the conversation, from our address; a copy goes into Sent where the server keeps none."""
        self._must_speak()
        to = recipient(request, self._settings)
        return self._send(request.key, to, lambda: build(request, self._settings, to, self._now()))

    def message(self, request: MessageRequest) -> Posted:
        """A mail of its own, from our address; its answer names it by its Message-ID, which is made of the key."""
        self._must_speak()
        to = reachable(request.to.handle, self._settings)
        return self._send(request.key, to, lambda: build_first(request, self._settings, to, self._now()))

    def _must_speak(self) -> None:
        if not self.speaks:
            raise AuthFailed(f"{self._settings.address} is only read: smtp_host is missing")

    def _send(self, key: str, to: str, write: Callable[[], bytes]) -> Posted:
        try:
            mail = write()
        except (ValueError, LookupError, TypeError) as error:  # the library refuses what cannot stand in a mail
            raise Rejected("The answer cannot be written as a mail") from error
        hand_over(self._settings, to, mail)
        own = our_message_id(key, self._settings.address)
        with suppress(NetworkError):  # it is sent; that no copy could be kept must not make it look unsent
            self._keep_copy(own, mail)
        return Posted(external_id=own, posted_at=self._now())

    def alert(self, message: AlertMessage) -> str:
        """Writes to colleagues, from our address; the Message-ID is the key's at every attempt."""
        self._must_speak()
        return mail_alerts.send(self._settings, message, self._now())

    def find_reply(self, request: ReplyRequest, since: datetime) -> Posted | None:
        """Looks for our Message-ID in Sent, then for mails in the INBOX that refer to it. None proves nothing here."""
        del since  # the id is of this answer alone, whenever it went out
        return self._find(request.key)

    def find_replies(self, request: ReplyRequest, since: datetime) -> Sequence[Posted]:
        """Looks in Sent for what answers that mail. None proves nothing here."""
        del since  # whatever answers it came later
        parent = parent_message_id(request)
        if not parent:
            raise OutcomeUnknown("the mail has no Message-ID by which an answer to it could name it")
        with reading(self._settings) as client:
            sent = self._sent_folder(client)
            found = _having(client, sent, "IN-REPLY-TO", parent) if sent is not None else []
            told = client.fetch(found, [_ID_OF]) if found else {}
        heads = (value for each in told.values() for key, value in each.items() if key.startswith(b"BODY["))
        known = (message_id(read_mail(head)) for head in heads if isinstance(head, bytes))
        return [Posted(external_id=each) for each in known if each]

    def find_message(self, request: MessageRequest, since: datetime) -> Posted | None:
        """Looks for our Message-ID as `find_reply` does."""
        del since
        return self._find(request.key)

    def _find(self, key: str) -> Posted | None:
        own = our_message_id(key, self._settings.address)
        with reading(self._settings) as client:
            sent = self._sent_folder(client)
            if sent is not None and _has(client, sent, "MESSAGE-ID", own):
                return Posted(external_id=own)
            if any(_has(client, "INBOX", name, own) for name in ("REFERENCES", "IN-REPLY-TO", "MESSAGE-ID")):
                return Posted(external_id=own)
        return None

    def _keep_copy(self, own: str, mail: bytes) -> None:
        with reading(self._settings) as client:
            sent = self._sent_folder(client)
            if sent is not None and not _has(client, sent, "MESSAGE-ID", own):
                client.append(sent, mail, flags=(SEEN,), msg_time=self._now())

    def _sent_folder(self, client: Imap) -> str | None:
        return self._settings.sent_folder or cast("str | None", client.find_special_folder(SENT))

    def _read_query(self, query: str) -> tuple[str, Terms | None]:
        try:
            return read_query(query)
        except Mistake as mistake:
            raise Rejected(str(mistake)) from mistake


def read_query(query: str) -> tuple[str, Terms | None]:
    """The folder, and the terms that a mail there must match (None: every mail). Raises Mistake."""
    query, folder = query.strip(), "INBOX"
    if query.lower() == "mentions":
        return folder, None
    if query.lower().startswith("in:"):
        found = _FOLDER.match(query)
        if found is None:
            raise Mistake(f'{query!r} names no folder: write in:Name, or in:"Two words".')
        folder, query = found[1] or found[2], query[found.end() :]
        folder = "INBOX" if folder.upper() == "INBOX" else folder
        if not query:
            return folder, None
    if not query:
        raise Mistake(
            "Say what to read: mentions (every mail in the INBOX), in:FOLDER, or terms that a mail must match."
        )
    return folder, parse(query)


def _check_folder(client: Imap, folder: str) -> None:
    """Raises Rejected where there is no such folder, so that a person hears of it."""
    if folder != "INBOX" and not client.folder_exists(folder):
        raise Rejected(f"There is no folder {folder!r} in the mailbox; look at its name in your mail program")


_ID_OF = "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"


def _has(client: Imap, folder: str, header: str, own: str) -> bool:
    return bool(_having(client, folder, header, own))


def _having(client: Imap, folder: str, header: str, own: str) -> list[int]:
    """The numbers of the mails there whose header names that Message-ID."""
    try:
        client.select_folder(folder, readonly=True)
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error as error:
        raise Unavailable(f"The folder {folder!r} cannot be opened now") from error
    return list(client.search(["HEADER", header, f"<{own}>"], charset=None))


def _tells_of_mail(said: Any) -> bool:
    return isinstance(said, tuple) and len(said) > 1 and said[1] in (b"EXISTS", b"RECENT")
