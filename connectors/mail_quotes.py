"""What a mail says itself, apart from what it only repeats: quotations, signatures, disclaimers. Pure.

How mail programs introduce a quotation, in a dozen languages, is known to mail-parser-reply; its Spanish pattern can
match nothing (1.36), so Spanish, Portuguese and Catalan are ours. Its patterns are matched here line by line and with a
time limit, since strangers write the lines. What is cut away is kept, and never is everything cut away.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import regex
from mailparser_reply.constants import MAIL_LANGUAGES

_MOST_LINES = 3_000
_MOST_WINDOWS = 60
_LONGEST_SIGNATURE = 60  # lines, disclaimers included
_LONGEST_INTRODUCTION = 300
_SECONDS = 0.05

_OUR_INTRODUCTIONS = (
    r"(?:El|O|A|Em|No dia|Le)\s.{6,280}?(?:escribió|escribio|escreveu|va escriure|ha escrit)\s?:",
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.{3,200}?[<(]\S+@\S+[>)]\s?:",
    r"[^:]{2,100}[<(]\S+@\S+[>)] (?:escribió|escreveu|wrote|schrieb|a écrit|ha scritto)\b.{0,60}:",
)
_WROTE = tuple(
    regex.compile(pattern, regex.IGNORECASE)
    for pattern in (
        *_OUR_INTRODUCTIONS,
        *(known["wrote_header"] for code, known in MAIL_LANGUAGES.items() if code != "es" and "wrote_header" in known),
    )
)
_SEPARATOR = re.compile(
    r"\s*(?:[-_*=]{2,}\s*(?:original message|mensaje original|mensagem original|missatge original|message d'origine|"
    r"messaggio originale|ursprüngliche nachricht|oorspronkelijk bericht|forwarded message|mensaje reenviado|"
    r"mensagem encaminhada|missatge reenviat|begin forwarded message|inicio del mensaje reenviado)\s*:?\s*[-_*=]*"
    r"|(?:begin forwarded message|inicio del mensaje reenviado|início da mensagem encaminhada)\s*:)\s*",
    re.IGNORECASE,
)
_LABEL = re.compile(r"[\s>*]*([A-Za-zÀ-ÿ][A-Za-zÀ-ÿ ]{0,18}?)\s*\*?\s*:[\s*]*(\S?)")
_LABELS = {
    "from": "from de von da van fra från od",
    "sent": "sent date enviado fecha el data envoyé gesendet datum inviato verzonden enviada enviat",
    "to": "to para an à a aan per til till do",
    "subject": "subject asunto assunto assumpte objet betreff oggetto onderwerp",
}
_MEANING = {word: meaning for meaning, words in _LABELS.items() for word in words.split()}

_DELIMITER = re.compile(r"--\s?")
_THANKS = re.compile(r"thank|gracias|tak\b|děku|dank|谢谢|감사|고맙", re.IGNORECASE)


def _any_of(key: str, more: str) -> str:
    lists = (known.get(key) or [] for known in MAIL_LANGUAGES.values())
    return "|".join(
        [more, *(each for known in lists for each in ([known] if isinstance(known, str) else known) if each)]
    )


_SENT_FROM = regex.compile(
    rf"(?:{_any_of('sent_from', 'Enviado desde|Enviado do meu|Enviat des|Obtener Outlook|Sent with|Obtén')}).{{0,80}}",
    regex.IGNORECASE,
)
_SIGN_OFF = regex.compile(
    rf"(?:un cordial saludo|saludos(?: cordiales)?|un abrazo|atte|{_any_of('signatures', 'Regards')})[\s,.!]*",
    regex.IGNORECASE,
)
_DISCLAIMER = re.compile(
    r"[*_ ]*(?:aviso (?:legal|de confidencialidad)|confidentiality notice|este (?:mensaje|correo)(?: electrónico)?"
    r",? (?:y sus|y cualquier|incluidos|puede contener|contiene información)|this (?:e-?mail|message)(?:, including"
    r"| and any| may contain| is confidential| contains)|antes de imprimir)",
    re.IGNORECASE,
)


def split(text: str) -> tuple[str, str]:
    """The text's own words, and what was cut away (empty where nothing was)."""
    lines = text.split("\n")
    end, bodies = _where_history_begins(lines[:_MOST_LINES])
    if end is None:
        end = len(lines)
    own = [n for n in range(end) if n not in bodies and not lines[n].lstrip().startswith(">")]
    own = own[: _where_signature_begins([lines[n] for n in own])]
    said = _joined([lines[n] for n in own])
    if not said:
        return text.strip(), ""
    kept = set(own)
    return said, _joined([line for n, line in enumerate(lines) if n not in kept])


def _marker(line: str) -> str:
    """The line as a marker is looked for in it, its blanks single; empty where it is too long to be one."""
    return " ".join(line.split()) if len(line) <= _LONGEST_INTRODUCTION else ""


def _beginning(line: str) -> str:
    """How the line begins, its blanks single."""
    return " ".join(line[:_LONGEST_INTRODUCTION].split())


def _joined(lines: Sequence[str]) -> str:
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in lines)).strip()


def _where_history_begins(lines: Sequence[str]) -> tuple[int | None, set[int]]:
    """The line from which all is repeated, and the lines before it that only introduce a quotation that ends again."""
    introductions: set[int] = set()
    windows = 0
    for n, line in enumerate(lines):
        if _SEPARATOR.fullmatch(_marker(line)) or _is_outlook_block(lines, n):
            return n, introductions
        if not line.rstrip().endswith((":", "：")) or windows >= _MOST_WINDOWS:
            continue
        windows += 1
        first = _introduction(lines, n)
        if first is None:
            continue
        if _answers_below(lines, n + 1):
            introductions.update(range(first, n + 1))
        else:
            return first, introductions
    return None, introductions


def _introduction(lines: Sequence[str], last: int) -> int | None:
    """Where the introduction that ends in that line begins, since programs break it; None where it is none."""
    for first in range(last, max(-1, last - 4), -1):
        window = " ".join(line.strip("> \t*") for line in lines[first : last + 1])
        if len(window) > _LONGEST_INTRODUCTION or not lines[first].strip():
            return None
        if not any(char.isdigit() or char == "@" for char in window):
            continue
        try:
            if any(pattern.fullmatch(window, timeout=_SECONDS) for pattern in _WROTE):
                return first
        except TimeoutError:
            return None
    return None


def _answers_below(lines: Sequence[str], start: int) -> bool:
    """Whether a quotation marked with > begins there and the sender's own words come after it."""
    quoted = False
    for line in lines[start:]:
        if line.lstrip().startswith(">"):
            quoted = True
        elif line.strip():
            return quoted
    return False


def _is_outlook_block(lines: Sequence[str], at: int) -> bool:
    """Whether a repeated mail's head begins there: From, and two of Sent, To and Subject within the next lines."""
    found = _LABEL.match(_marker(lines[at]))
    if not found or _MEANING.get(found[1].lower()) != "from" or not found[2]:
        return False
    meanings = set()
    for line in lines[at + 1 : at + 8]:
        found = _LABEL.match(_marker(line))
        if found and (meaning := _MEANING.get(found[1].strip().lower())):
            meanings.add(meaning)
        elif not line.strip() and meanings:
            break
    return {"sent", "subject"} <= meanings or {"to", "subject"} <= meanings


def _where_signature_begins(lines: Sequence[str]) -> int:
    """The first line of what is only signed; the length where nothing is."""
    end = len(lines)
    for n in range(max(0, end - _LONGEST_SIGNATURE), end):
        line = lines[n]
        rest = [each for each in lines[n + 1 :] if each.strip()]
        short = len(rest) <= 6 and sum(len(each) for each in rest) <= 300
        before = any(each.strip() for each in lines[:n])
        if not before or not line.strip():
            continue
        if _DELIMITER.fullmatch(line) and len(rest) <= 25:
            return n
        if _DISCLAIMER.match(_beginning(line)) and (len(line) > 60 or rest):
            return n
        if short and len(line) <= 120 and _is_sign_off(line.strip()):
            return n
    return end


def _is_sign_off(line: str) -> bool:
    try:
        if _SENT_FROM.fullmatch(line, timeout=_SECONDS):
            return True
        return bool(_SIGN_OFF.fullmatch(line, timeout=_SECONDS)) and not _THANKS.match(line)
    except TimeoutError:
        return False
