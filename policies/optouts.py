"""Words by which people ask not to be answered any more, in Spanish and English.

What is missed here is answered against somebody's will, and what is found wrongly leaves a customer without an answer.
So a whole sentence must ask for it: "no me contestes más" does, "es increíble que no me contesten", "no me contestes
con plantillas" and "stop charging me" do not. Words that mean it only when they are all that is said ("stop", "baja")
count only then.
"""

from __future__ import annotations

import re
from functools import lru_cache

from policies.words import HEAD, SHORT, beginning_and_end, fold, heads


def _of(*texts: str) -> str:
    """Any of these, each a folded text in which `|` in brackets gives a choice."""
    return "|".join(texts)


# Said around it, before and after, without changing what is asked.
_BEFORE = _of(
    *("por favor", "please", "pls", "ya", "y", "pero", "oye", "oigan", "oid", "hola", "hey", "mira", "ok", "vale"),
    *("bueno", "que", "asi que", "and", "so", "just", "but", "ey", "gracias", "thanks", "bot", "robot", "no no"),
    r"(?:te|os|le|les) (?:pido|ruego|he dicho|he pedido) que",
    *("(?:can|could|would|will) you", "i said", "i told you to", "i want you to", "you need to"),
)
# None is made of others ("nunca mas" is "nunca" and "mas"): what can be read in two ways is tried in 2 ** n ways.
_AFTER = _of(
    *("por favor", "please", "pls", "ya", "mas", "nunca", "jamas", "nada", "otra vez", "de nuevo", "gracias", "again"),
    *("ever", "any more", "anymore", "thanks", "thank you", "bot", "robot", "de una vez", "vale", "ok", "now", "here"),
    *("aqui", "por aqui"),
)
# The verbs of being answered: contestar, responder, escribir, mandar mensajes, mencionar, etiquetar, hablar, contactar.
_DO_NOT = (
    r"(?:contest(?:es|e|eis|en)|respond(?:as|a|ais|an)|escrib(?:as|a|ais|an)|mencion(?:es|e|eis|en)"
    r"|etiquet(?:es|e|eis|en)|habl(?:es|e|eis|en)|contact(?:es|e|eis|en)"
    r"|(?:mand(?:es|e|eis|en)|envi(?:es|e|eis|en)) (?:mas )?(?:mensajes|respuestas|nada|avisos))"
)
_DOING = (
    r"(?:contestar|responder|escribir|mencionar|etiquetar|hablar|contactar|molestar)(?:me|nos)"
    r"|(?:mandar|enviar)(?:me|nos) (?:mas )?(?:mensajes|respuestas|avisos)"
)
_ANSWERING = (
    r"(?:repl(?:ying|y)|respond(?:ing)?|answer(?:ing)?|writ(?:ing|e)|talk(?:ing)?|contact(?:ing)?|messag(?:ing|e)"
    r"|tagg?(?:ing)?|mention(?:ing)?|email(?:ing)?|bother(?:ing)?|text(?:ing)?|dm(?:ing)?)"
)

# The whole sentence, but for what may stand around it.
_WHOLE = _of(
    rf"no (?:me|nos) {_DO_NOT}",
    rf"no quiero que (?:me|nos) {_DO_NOT}",
    r"no quiero (?:mas )?(?:respuestas|mensajes|contestaciones)(?: (?:automatic[ao]s|de bots?|vuestr[ao]s|suy[ao]s))?",
    rf"(?:don t|do not|dont|never) {_ANSWERING}(?: (?:to )?(?:me|us))?",
    r"(?:unsubscribe|opt) me(?: out)?",
    r"i (?:want|would like|d like) to (?:opt out|unsubscribe)",
)
# The beginning of a sentence, whatever follows.
_BEGINNING = _of(
    rf"(?:deja|dejad|deje|dejen) (?:ya )?de (?:{_DOING})",
    r"(?:deja|dejad|deje|dejen)(?:me|nos) en paz|dejame en paz|dejadme en paz|dejenme en paz",
    r"no quiero recibir (?:mas )?(?:respuestas|mensajes|avisos|notificaciones)",
    r"(?:quiero )?dar(?:me|nos) de baja de (?:est[ao]s|vuestr[ao]s|sus|tus|l[ao]s) "
    r"(?:mensajes|respuestas|avisos|notificaciones)",
    r"(?:dame|denme|dadme|deme) de baja de (?:est[ao]s|vuestr[ao]s|sus|tus|l[ao]s) "
    r"(?:mensajes|respuestas|avisos|notificaciones)",
    rf"stop {_ANSWERING} (?:to )?(?:me|us)",
    r"leave (?:me|us) alone",
    r"(?:remove|take) me (?:from|off) (?:this|your|the) list",
)
_ALONE = frozenset({"stop", "baja", "unsubscribe", "opt out", "optout", "stop it", "stop replying", "stop answering"})

# In whatever is looked for above, one word at least begins as one of these.
_WORDS = (
    *("contestes", "contactes", "respondas", "respuestas", "escribas", "menciones", "etiquetes", "hables", "mandes"),
    *("envies", "mensajes", "recibir", "deja", "dejad", "dejame", "dejanos", "deje", "dejen", "dejeme", "baja"),
    *("reply", "respond", "answer", "write", "writing", "talk", "talking", "contact", "message", "mention", "email"),
    *("tag", "tagg", "taging", "tagging", "bother", "text", "texting", "dm", "dming", "unsubscribe", "opt", "optout"),
    *("stop", "leave", "list"),
)
_HEADS = frozenset(word[:HEAD] for word in _WORDS)
_ALONE_HEADS = frozenset(words.split()[0][:HEAD] for words in _ALONE)

_NAMES = re.compile(r"https?://\S+|[@＠][\w.]+(?:@[\w.-]+)?")
_ENDS = re.compile(r"[.,;:!?¡¿…\n()\"“”«»—–|/]+")
_AROUND = re.compile(rf"^ (?:(?:{_BEFORE}) )*|(?: (?:{_AFTER}))* $")
_ASKS = re.compile(
    rf"^ (?:(?:{_BEFORE}) )*?(?P<words>(?:{_WHOLE})(?=(?: (?:{_AFTER}))* $)|(?:{_BEGINNING})(?= ))",
)
_LONGEST = 2_000  # characters of a sentence, or of all that is said; nobody asks for it at greater length


@lru_cache(maxsize=8)  # two guards ask about the same text
def asks_to_be_left_alone(text: str) -> str:
    """The words that ask for it, as they are compared (no accents, no capitals); empty where none do."""
    said = beginning_and_end(text)
    said = _NAMES.sub(" ", said) if "@" in said or "＠" in said or "://" in said else said
    if len(said) <= SHORT and _HEADS.isdisjoint(heads(fold(said))):
        return ""
    sentences = _ENDS.split(said)
    bare = [_bare(each) for each in sentences if len(each) <= _LONGEST]
    for sentence in bare:
        if not _HEADS.isdisjoint(heads(sentence)) and (found := _ASKS.match(sentence)):
            return found["words"]
    all_said = " ".join("".join(bare).split())
    if len(bare) < len(sentences) or len(all_said) > _LONGEST or _ALONE_HEADS.isdisjoint(heads(all_said)):
        return ""
    bare_said = _AROUND.sub(" ", f" {all_said} ").strip()
    return bare_said if bare_said in _ALONE else ""


def _bare(sentence: str) -> str:
    """Its words between single spaces, emoji left out."""
    words = [word for word in fold(sentence).split() if word.isalnum() or any(char.isalnum() for char in word)]
    return f" {' '.join(words)} "
