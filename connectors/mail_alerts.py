"""Alerts to colleagues as mails: from our address, to all of a target at once, asking no machine for an answer."""

from __future__ import annotations

from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime

from connectors.mail_sending import POLICY, hand_over, named, one_line, our_message_id, words
from connectors.mail_settings import Settings
from connectors.plain import clean
from listener.errors import OutcomeUnknown, Rejected, Unavailable
from listener.types import AlertMessage

MARK = "[Escucha]"  # begins every subject, for filters
LONGEST_SUBJECT = 200


def send(settings: Settings, message: AlertMessage, now: datetime) -> str:
    """Hands the mail over; gives the addresses' refusals, where others took it. Raises as `Alerts.alert` does."""
    try:
        mail = build(settings, message, now)
    except (ValueError, LookupError, TypeError) as error:  # the library refuses what cannot stand in a mail
        raise Rejected("The alert cannot be written as a mail") from error
    try:
        return "; ".join(str(refused) for refused in hand_over(settings, message.to, mail))
    except OutcomeUnknown as error:  # once more does no harm: it carries the same Message-ID
        raise Unavailable(str(error)) from error


def build(settings: Settings, message: AlertMessage, now: datetime) -> bytes:
    """The mail, its headers in ASCII and in lines of their own whatever the subject holds."""
    headers = {
        "From": named(settings.name, settings.address),
        "To": ",\r\n ".join(message.to),
        "Subject": words(f"{MARK} {one_line(message.subject)[:LONGEST_SUBJECT]}"),
        "Date": format_datetime(now),
        "Message-ID": f"<{our_message_id(f'alert-{message.key}', settings.address)}>",
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    body = EmailMessage(policy=POLICY)
    body.set_content(clean(message.text), charset="utf-8", cte="quoted-printable")
    return head.encode("ascii") + body.as_bytes()
