"""The words with which a conversation goes on elsewhere, in Spanish and English, and whom we may write to. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from listener.desk.recap import Recap
from listener.store.mentions import Mention
from listener.types import Answerable, Channel, Facts, MentionState, PostKind, Visibility

LANGUAGES = ("es", "en")
ALONE = Visibility.DIRECT  # whom mails and messages are seen by

_OFFERS: Mapping[tuple[Channel, bool], Mapping[str, str]] = {  # by channel, and whether we can reach them there
    (Channel.MAIL, True): {
        "es": "Para hablarlo en privado seguimos por correo (caso {reference}).{mailbox}",
        "en": "To talk about this in private we go on by mail (case {reference}).{mailbox}",
    },
    (Channel.MAIL, False): {
        "es": "Para hablarlo en privado, escríbenos a {address} con la referencia {reference} en el asunto. No hace "
        "falta que repitas nada.",
        "en": "To talk about this in private, write to {address} with the reference {reference} in the subject. There "
        "is no need to repeat anything.",
    },
    (Channel.DM, True): {
        "es": "Te escribimos por mensaje directo para hablarlo en privado (caso {reference}).",
        "en": "We have sent you a direct message to talk about this in private (case {reference}).",
    },
    (Channel.PHONE, False): {
        "es": "¿Lo vemos por teléfono? Escríbenos a {address} a qué número y a qué hora, con la referencia "
        "{reference}; no lo publiques aquí.",
        "en": "Shall we talk by phone? Write to {address} which number and when, with the reference {reference}; "
        "please do not post it here.",
    },
}
_MAILBOX = {
    "es": " Si no te llega nada, escríbenos a {address} con esa referencia en el asunto.",
    "en": " If nothing arrives, write to {address} with that reference in the subject.",
}
_SUBJECT = {"es": "Tu caso {reference}", "en": "Your case {reference}"}
_MAIL = {
    "es": "Hola{name}:\n\nSeguimos por correo con tu caso {reference}.{more}{told}\n\nContesta a este correo sin "
    "cambiar el asunto y seguimos donde lo dejamos.",
    "en": "Hello{name},\n\nWe go on by mail with your case {reference}.{more}{told}\n\nAnswer this mail without "
    "changing its subject, and we go on from there.",
}
_MESSAGE = {
    "es": "Hola. Seguimos aquí, en privado, con tu caso {reference}.{more}{told}",
    "en": "Hello. We go on here, in private, with your case {reference}.{more}{told}",
}
_TOLD = {
    "es": "\n\nNo hace falta que repitas nada; esto es lo que hemos hablado:\n\n{recap}",
    "en": "\n\nThere is no need to repeat anything; this is what was said:\n\n{recap}",
}


def language_for(*known: str) -> str:
    """The first of these languages that we have words in, else English."""
    bare = (each.partition("-")[0].casefold() for each in known)
    return next((each for each in bare if each in LANGUAGES), "en")


def offer(channel: Channel, language: str, *, reference: str, reached: bool, address: str = "") -> str:
    """What we say in public, with nobody's data in it; empty where there is nothing to say.

    `reached`: we know how to reach them there. `address`: our own mailbox, where it may stand in public.
    """
    words = _OFFERS.get((channel, reached))
    if words is None or (not address and "{address}" in words[language]):
        return ""
    mailbox = _MAILBOX[language].format(address=address) if address else ""
    return words[language].format(reference=reference, address=address, mailbox=mailbox)


def subject(language: str, reference: str) -> str:
    """The subject of the mail: by the reference in it the answer is known."""
    return _SUBJECT[language].format(reference=reference)


def opening(channel: Channel, language: str, *, reference: str, recap: Recap, name: str = "", more: str = "") -> str:
    """The first mail or message. `more`: what is to be said this time, in our own words."""
    told = _TOLD[language].format(recap=recap.text) if recap.text else ""
    words = _MAIL if channel is Channel.MAIL else _MESSAGE
    fills = {"name": f" {name}" if name else "", "more": f"\n\n{more}" if more else "", "told": told}
    return words[language].format(reference=reference, **fills)


def why_not_answered(mention: Mention, facts: Facts) -> str:
    """Why nothing may be said to them where they wrote, as the end of a sentence; empty where it may."""
    if why := _why_left_alone(mention):
        return why
    if mention.unanswerable:
        return f"{facts.network} takes no answer there: {mention.unanswerable}"
    if facts.answerable is Answerable.NOBODY:
        return f"{facts.network} lets us answer nobody"
    if facts.answerable is Answerable.ADDRESSED and mention.kind is PostKind.FOUND:
        return f"{facts.network} lets us answer only those who addressed us, and this was found by a search"
    return ""


def why_not_messaged(mention: Mention, facts: Facts) -> str:
    """Why they must not be written to alone on their network, as a sentence without its end; empty where they may."""
    if not facts.direct_messages:
        return facts.no_messages
    if why := _why_left_alone(mention):
        return f"A direct message is not allowed: {why}"
    if mention.kind is PostKind.FOUND:
        return f"They never addressed us on {facts.network}, and a message from nowhere is not what they asked for"
    return ""


def _why_left_alone(mention: Mention) -> str:
    if mention.state is MentionState.GONE:
        return "what they said was deleted"
    if mention.left_alone_at:
        return "they asked to be left alone"
    if mention.author.bot:
        return "the account is automatic, and answering it can start a loop"
    return "they ask automatic accounts to keep away" if mention.author.opted_out else ""


def is_public(mention: Mention) -> bool:
    """Whether others read it too, so that an answer there is read by them."""
    return mention.visibility is not Visibility.DIRECT
