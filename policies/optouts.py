"""Words by which people ask not to be answered any more, in Spanish and English.

What is missed here is answered against somebody's will, and what is found wrongly leaves a customer without an answer.
So a whole sentence must ask for it: "no me contestes más" does, "es increíble que no me contesten", "no me contestes
con plantillas" and "stop charging me" do not. Words that mean it only when they are all that is said ("stop", "baja")
count only then. What comes near is told apart: a person sees it, and nobody is left alone for it.
"""

from __future__ import annotations

import re
from functools import lru_cache

from policies.words import beginning_and_end, fold, latin


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
    r"|molest(?:es|e|eis|en)|arrob(?:es|e|eis|en)"
    r"|etiquet(?:es|e|eis|en)|habl(?:es|e|eis|en)|contact(?:es|e|eis|en)"
    r"|(?:mand(?:es|e|eis|en)|envi(?:es|e|eis|en)) (?:mas )?(?:mensajes|respuestas|nada|avisos))"
)
_DOING = (
    r"(?:contestar|responder|escribir|mencionar|etiquetar|arrobar|hablar|contactar|molestar)(?:me|nos)"
    r"|(?:mandar|enviar)(?:me|nos) (?:mas )?(?:mensajes|respuestas|avisos)"
)
_TO_DO = (
    r"(?:contestar|responder|escribir|mencionar|etiquetar|arrobar|hablar|contactar|molestar"
    r"|(?:mandar|enviar) (?:mas )?(?:mensajes|respuestas|nada|avisos))"
)
_AT_IT = (  # going on with it
    r"(?:contestando|respondiendo|escribiendo|mencionando|etiquetando|arrobando|hablando|contactando|molestando"
    r"|(?:mandando|enviando) (?:mas )?(?:mensajes|respuestas|avisos))"
)
_AGAIN, _GO_ON = "vuelv(?:as|a|an)|volvais", "sig(?:as|a|ais|an)|continu(?:es|e|eis|en)"
_LEAVE_OFF = (
    "(?:deja|dejad|deje|dejen|para|parad|pare|paren|cesa|cesad|cese|cesen|termina|terminen|basta|basta ya)(?: ya)? de"
)
_TAKE = (
    "(?:saca|sacad|saque|saquen|quita|quitad|quite|quiten|borra|borrad|borre|borren|elimina|eliminad|elimine|eliminen)"
)
_ANSWERING = (
    r"(?:repl(?:ying|y)|respond(?:ing)?|answer(?:ing)?|writ(?:ing|e)|talk(?:ing)?|contact(?:ing)?|messag(?:ing|e)"
    r"|tagg?(?:ing)?|mention(?:ing)?|email(?:ing)?|bother(?:ing)?|text(?:ing)?|dm(?:ing)?)"
)

# The whole sentence, but for what may stand around it.
_WHOLE = _of(
    rf"no (?:me|nos) {_DO_NOT}",
    rf"no quiero que (?:me|nos) {_DO_NOT}",
    rf"(?:nunca|jamas)(?: mas)? (?:me|nos) {_DO_NOT}",
    rf"(?:no|nunca(?: mas)?|jamas) (?:me|nos) (?:{_AGAIN}) a {_TO_DO}",
    rf"(?:no|nunca(?: mas)?|jamas) (?:{_AGAIN}) a (?:{_DOING})",
    rf"no (?:me|nos) (?:{_GO_ON}) {_AT_IT}",
    rf"no (?:{_GO_ON}) {_AT_IT}(?:me|nos)",
    r"no molest(?:es|e|eis|en)",
    rf"{_TAKE}(?:me|nos) de (?:tu|tus|su|sus|la|las|esta|estas|vuestra|vuestras) listas?"
    r"(?: de (?:correos?|envios?|difusion|distribucion|mensajes|contactos?))?",
    rf"{_LEAVE_OFF} molestar",
    r"no mas (?:mensajes|respuestas|avisos|contestaciones)(?: (?:automatic[ao]s|de bots?|vuestr[ao]s|suy[ao]s))?",
    r"no (?:quiero|deseo) ser contactad[ao]",
    r"no more (?:messages|replies|answers|texts|dms|emails|notifications)(?: from you)?",
    r"i (?:don t|do not|dont) (?:want|wish) to be "
    r"(?:contacted|messaged|texted|emailed|tagged|mentioned|bothered|answered|replied to)(?: by you)?",
    rf"i (?:don t|do not|dont) want you to {_ANSWERING}(?: (?:to )?(?:me|us))?",
    r"i (?:don t|do not|dont) want (?:any )?(?:more )?(?:messages|replies|answers|texts|dms|emails)(?: from you)?",
    r"(?:stop|quit) "
    r"(?:texting|messaging|contacting|writing|emailing|dming|replying|responding|bothering|tagging|answering)",
    r"no quiero (?:mas )?(?:respuestas|mensajes|contestaciones)(?: (?:automatic[ao]s|de bots?|vuestr[ao]s|suy[ao]s))?",
    rf"(?:don t|do not|dont|never)(?: you)?(?: dare(?: to)?)?(?: ever)? {_ANSWERING}"
    r"(?: (?:to )?(?:me|us|this|these|it))?(?: (?:post|posts|message|messages|thread))?",
    r"(?:unsubscribe|opt) me(?: out)?",
    r"i (?:want|would like|d like) to (?:opt out|unsubscribe)",
)
# The beginning of a sentence, whatever follows.
_BEGINNING = _of(
    rf"{_LEAVE_OFF} (?:{_DOING})",
    r"(?:deja|dejad|deje|dejen)(?:me|nos) en paz|dejame en paz|dejadme en paz|dejenme en paz",
    r"no quiero recibir (?:mas )?(?:respuestas|mensajes|avisos|notificaciones)",
    r"(?:quiero )?dar(?:me|nos) de baja de (?:est[ao]s|vuestr[ao]s|sus|tus|l[ao]s) "
    r"(?:mensajes|respuestas|avisos|notificaciones)",
    r"(?:dame|denme|dadme|deme) de baja de (?:est[ao]s|vuestr[ao]s|sus|tus|l[ao]s) "
    r"(?:mensajes|respuestas|avisos|notificaciones)",
    rf"(?:stop|quit) {_ANSWERING} (?:to )?(?:me|us)",
    r"leave (?:me|us) alone",
    r"(?:remove|take) me (?:from|off) (?:this|your|the) list",
)
# Near enough that a person should see it: a request with more behind it ("no me contestes con plantillas"), one inside
# of a sentence, one that may mean a contract ("dame de baja") or a call.
_NEAR = re.compile(
    rf"^ (?:(?:{_BEFORE}) )*?(?:{_WHOLE}) "
    r"| (?:pido|pedi|pedido|ruego|dicho|dije|quiero|exijo|solicito|deseo) que (?:ya )?(?:no|nunca)(?: mas)? "
    rf"(?:me|nos) {_DO_NOT} "
    rf"|(?<! no) {_LEAVE_OFF} (?:{_DOING}|molestar|insistir|llamar(?:me|nos)|spamear(?:me|nos)) "
    rf"| (?:{_TAKE})(?:me|nos) de | (?:da|de|den|dad)(?:me|nos) de baja | ni un mensaje mas "
    rf"| (?:no|nunca) (?:me|nos) (?:{_AGAIN}) a {_TO_DO} "
    r"| (?:asked|told|want|need|beg|begging|begged|asking|telling) you to (?:stop|leave) "
    r"| (?:stop|quit) (?:texting|messaging|contacting|emailing|dming|bothering|tagging|spamming|calling) "
    r"| (?:don t|do not|dont) at (?:me|us) | (?:stop|quit) at ing (?:me|us) "
    rf"| {_TAKE}(?:me|nos)(?: (?:{_AFTER}))* $"
    rf"|^ (?:(?:{_BEFORE}) )*?no (?:contest(?:es|e|eis|en)|respond(?:as|a|ais|an)|coment(?:es|e|eis|en)) (?:mas )?"
    r"(?:a|en) (?:mis|nuestr[ao]s) (?:tuits?|tweets?|mensajes|publicaciones|posts?|comentarios|hilos?) "
    rf"|^ (?:(?:{_BEFORE}) )*?(?:don t|do not|dont|stop|quit) {_ANSWERING} (?:to |on )?(?:my|our) "
    r"(?:tweets?|posts?|threads?) "
    r"| (?:unsubscribe me|opt me out|remove me from|take me off|delete me from) "
    r"| i (?:don t|do not|dont) (?:want|wish) to be (?:contacted|messaged|texted|emailed) "
)
_ALONE = frozenset({"stop", "baja", "unsubscribe", "opt out", "optout", "stop it", "stop replying", "stop answering"})

_AT_SOMEBODY = re.compile(  # `do not @ me`, `stop @ing us`, but no account of such a name
    r"\b(not|don['’]?t)\s+[@＠]\s?(?=(?:me|us)\b)|\b(stop|quit)\s+[@＠]\s?(?=ing (?:me|us)\b)", re.IGNORECASE
)
_NAMES = re.compile(r"https?://\S+|[@＠][\w.]+(?:@[\w.-]+)?")
_LETTER = re.compile(r"[^\W_]")  # or digit
_ENDS = re.compile(r"[.,;:!?¡¿…\n()\"“”«»—–|/]+")
_AROUND = re.compile(rf"^ (?:(?:{_BEFORE}) )*|(?: (?:{_AFTER}))* $")
_ASKS = re.compile(
    rf"^ (?:(?:{_BEFORE}) )*?(?P<words>(?:{_WHOLE})(?=(?: (?:{_AFTER}))* $)|(?:{_BEGINNING})(?= ))",
)
_LONGEST = 2_000  # characters of a sentence, or of all that is said; nobody asks for it at greater length


@lru_cache(maxsize=8)  # two guards ask about the same text
def asks_to_be_left_alone(text: str) -> str:
    """The words that ask for it, as they are compared (no accents, no capitals); empty where none do."""
    number, bare = _sentences(text)
    for sentence in bare:
        if found := _ASKS.match(sentence):
            return found["words"]
    all_said = " ".join("".join(bare).split())
    if len(bare) < number or len(all_said) > _LONGEST:
        return ""
    said = _AROUND.sub(" ", f" {all_said} ").strip()
    if len(words := set(said.split())) == 1:  # `stop stop stop`
        (said,) = words
    return said if said in _ALONE else ""


@lru_cache(maxsize=8)
def may_ask_to_be_left_alone(text: str) -> str:
    """The words that come near to asking for it, and may mean something else; empty where none do."""
    return next((found.group().strip() for each in _sentences(text)[1] if (found := _NEAR.search(each))), "")


@lru_cache(maxsize=8)  # asked for it, and for what comes near
def _sentences(text: str) -> tuple[int, tuple[str, ...]]:
    """How many there are, and those that are read, as bare words."""
    sentences = _ENDS.split(_NAMES.sub(" ", _AT_SOMEBODY.sub(r"\1\2 at ", beginning_and_end(text))))
    return len(sentences), tuple(_bare(each) for each in sentences if len(each) <= _LONGEST)


def _bare(sentence: str) -> str:
    """Its words between single spaces, emoji left out."""
    words = [word for word in latin(fold(sentence)).split() if word.isalnum() or _LETTER.search(word)]
    return f" {' '.join(words)} "
