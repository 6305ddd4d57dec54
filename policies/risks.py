"""Words of danger in Spanish and English: harm to oneself or others, health, minors, the law, the press.

They make sure that a person looks, soon; they prove nothing. A false alarm costs a glance, so the lists lean towards
finding. Everyday exaggeration that means nothing ("me muero de risa", "esto es la bomba") is kept out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from listener.terms.folding import tags_apart
from policies.words import HEAD, Phrases, beginning_and_end, fold, found, heads, latin

# In order of gravity: the first that is found names the team.
RISKS: Mapping[str, tuple[str, ...]] = {
    "self_harm": (
        *(
            "suicid*",
            "quiero morir",
            "quiero morirme",
            "pegarme un tiro",
            "me pego un tiro",
            "me quiero matar",
            "quiero matarme",
            "me voy a matar",
        ),
        *("voy a matarme", "no quiero vivir", "no quiero seguir viviendo", "quitarme la vida", "hacerme dano"),
        *("autolesion*", "cortarme las venas", "acabar con mi vida", "terminar con mi vida"),
        *("kill myself", "killing myself", "end my life", "ending my life", "take my own life", "want to die"),
        *("wanna die", "don't want to live", "no reason to live", "better off dead", "self harm", "self-harm"),
        *("hurt myself", "hurting myself", "harm myself", "harming myself"),
    ),
    "violence": (
        *("te voy a matar", "os voy a matar", "los voy a matar", "las voy a matar", "lo voy a matar", "voy a mataros"),
        *("voy a matarte", "voy a matarlos", "voy a matarlo", "voy a pegarle", "pegarle un tiro", "pegarte un tiro"),
        *("pegarles un tiro", "pegaros un tiro", "voy a quemar", "os voy a quemar", "les voy a quemar"),
        *("prender fuego", "prenderle fuego", "poner una bomba", "hay una bomba", "una bomba en", "amenaza de bomba"),
        *("amenaza de muerte", "amenazas de muerte", "se donde vives", "se donde viven", "sabemos donde vives"),
        *("apunal*", "romperle la cara", "romperos la cara", "romperles la cara", "partirle la cara"),
        *("partiros la cara", "va a correr sangre", "me han pegado", "me pego un empleado", "agresion sexual"),
        *("kill you", "kill them", "kill him", "kill her", "kill you all", "kill someone", "kill everyone"),
        *("shoot you", "shoot them", "shoot up", "mass shooting", "burn down", "burn your", "burn it down"),
        *(
            "blow up your",
            "blow up the",
            "bomb threat",
            "a bomb in",
            "a bomb on",
            "there is a bomb",
            "there's a bomb",
            "stab you",
            "stab them",
        ),
        *(
            "stab someone",
            "death threat*",
            "know where you live",
            "beat you up",
            "sexual assault",
            "sexually assaulted",
        ),
    ),
    "health": (
        *("llamen a una ambulancia", "llamad a una ambulancia", "manden una ambulancia", "necesito una ambulancia"),
        *("estoy en el hospital", "estamos en el hospital", "acabe en el hospital", "termine en el hospital"),
        *("acabamos en el hospital", "terminamos en el hospital", "estoy en urgencias", "acabe en urgencias"),
        *("acabamos en urgencias", "acabamos todos en urgencias", "terminamos en urgencias", "hospitalizad*"),
        *("terapia intensiva", "en la uci", "urgencia medica", "reaccion alergica", "choque anafilactico"),
        *("shock anafilactico", "anafilaxia", "intoxicacion", "intoxicad*", "me intoxique", "se intoxico"),
        *("nos intoxicamos", "envenenad*", "envenenamiento", "no puede respirar", "no puedo respirar bien"),
        *("me dio un infarto", "le dio un infarto", "sufrio un infarto", "un ictus", "paro cardiaco", "convulsion*"),
        *("sobredosis", "se desmayo", "me desmaye", "perdio el conocimiento", "perdi el conocimiento"),
        *("quemaduras de", "se electrocuto", "me dio una descarga", "le dio una descarga", "oxigeno en casa"),
        *("concentrador de oxigeno", "maquina de dialisis", "equipo de dialisis", "electrodependiente*"),
        "monoxido de carbono",
        *("call an ambulance", "send an ambulance", "need an ambulance", "i'm in hospital", "i am in hospital"),
        *("i'm in the hospital", "we're in hospital", "we are in hospital", "ended up in hospital"),
        *("ended up in the hospital", "ended up in the er", "hospitalised", "hospitalized", "intensive care"),
        *("in the icu", "allergic reaction", "severe allergy", "anaphyla*", "food poisoning", "was poisoned"),
        *("been poisoned", "can't breathe", "cannot breathe", "had a heart attack", "having a heart attack"),
        *("had a stroke", "having a stroke", "cardiac arrest", "a seizure", "overdos*", "passed out"),
        *("lost consciousness", "electrocuted", "oxygen concentrator", "dialysis machine", "on dialysis"),
        *("carbon monoxide", "on life support"),
    ),
    "minors": (
        *("soy menor", "es menor de edad", "son menores de edad", "soy menor de edad", "menor no acompanad*"),
        *("abuso de menores", "abuso infantil", "abuso sexual", "pornografia infantil", "acoso a un menor"),
        *("i'm a minor", "i am a minor", "i'm underage", "i am underage", "unaccompanied minor", "child abuse"),
        *("child porn*", "child exploitation", "grooming a child", "groomed"),
    ),
    "legal_threat": (
        *("mi abogad*", "mis abogad*", "un abogado", "una abogada", "nuestro abogado", "los voy a demandar"),
        *(
            "les voy a demandar",
            "os voy a demandar",
            "voy a demandar*",
            "vamos a demandar*",
            "una demanda",
            "demandarlos",
        ),
        *("demandarles", "demandaros", "voy a denunciar*", "vamos a denunciar*", "os voy a denunciar"),
        *("los voy a denunciar", "les voy a denunciar", "he denunciado", "una denuncia", "denuncia ante", "querella*"),
        *("defensa del consumidor", "defensa al consumidor", "proteccion al consumidor", "oficina del consumidor"),
        *("organizacion de consumidores", "facua", "ocu", "omic", "profeco", "indecopi", "sernac", "juzgado*"),
        *("tribunal*", "acciones legales", "medidas legales", "accion legal", "via judicial", "via legal", "burofax"),
        *("carta documento", "nos vemos en los tribunales", "ir a juicio", "llevar a juicio", "arbitraje de consumo"),
        *("my lawyer*", "my attorney*", "my solicitor*", "a lawyer", "an attorney", "a solicitor", "our lawyer*"),
        *(
            "sue you",
            "sue them",
            "suing",
            "lawsuit",
            "legal action",
            "legal proceedings",
            "small claims",
            "take you to court",
        ),
        *("see you in court", "class action", "ombudsman", "trading standards", "consumer protection", "court order"),
    ),
    "press": (
        *("periodista*", "soy reportero", "soy reportera", "la prensa", "reportaje", "medios de comunicacion"),
        *("para un articulo", "redaccion de", "gabinete de prensa", "contactar con prensa", "programa de television"),
        *("journalist*", "i'm a reporter", "i am a reporter", "press inquiry", "press enquiry", "press request"),
        *("press office", "media inquiry", "media enquiry", "media request", "writing a story", "writing an article"),
        *(
            "for a story",
            "request for comment",
            "for the newspaper",
            "to the press",
            "for the press",
            "go to the press",
            "to the media",
        ),
    ),
}

# A young age as people state it. "Tengo 15 años de cliente" is somebody else.
_YOUNG = re.compile(
    r" (?:tengo (?:[5-9]|1[0-7]) anos(?! (?:de|con|como|en|siendo|pagando|esperando|usando|aqui))"
    r"|i (?:m|am) (?:[5-9]|1[0-7]) (?:years old|year old|yrs old|yo|anos))(?= )"
)
_YEARS = frozenset(word[:HEAD] for word in ("anos", "years", "year", "yrs", "yo"))  # one of them is said with it


@dataclass(frozen=True, kw_only=True)
class Risk:
    """One danger that was found: its kind, as in `RISKS`, and the words that gave it away."""

    kind: str
    words: str

    @property
    def label(self) -> str:
        """The kind as people read it."""
        return self.kind.replace("_", " ")


class RiskWords:
    """The built-in words and the policy's own, compiled once."""

    def __init__(self, more: Mapping[str, Sequence[str]]) -> None:
        self._phrases = [(kind, Phrases([*words, *more.get(kind, ())])) for kind, words in RISKS.items()]
        self._heads = _YEARS.union(*(phrases.heads for _, phrases in self._phrases))

    def find(self, text: str) -> tuple[Risk, ...]:
        """Every kind of danger in a text, gravest first.

        Hashtags are read as they stand and split (`#MeQuieroMatar`), and look-alikes from other alphabets as Latin.
        """
        said = beginning_and_end(text)
        folded = [fold(each) for each in dict.fromkeys([said, tags_apart(said)])]
        readings = dict.fromkeys([*folded, *map(latin, folded)])
        if all(self._heads.isdisjoint(heads(reading)) for reading in readings):
            return ()
        risks = []
        for kind, phrases in self._phrases:
            words = _first(phrases.find, readings)
            if kind == "minors":
                words = words or _first(_young, readings)
            if words:
                risks.append(Risk(kind=kind, words=words))
        return tuple(risks)


def _first(find: Callable[[str], str], readings: Iterable[str]) -> str:
    return next(filter(None, map(find, readings)), "")


def _young(folded: str) -> str:
    return found(_YOUNG, folded)
