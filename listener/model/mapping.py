"""What another model's labels mean in ours: guessed from their names, said by a person, never taken for granted.

proposals = propose(["joy", "anger", "LABEL_2"])   # joy: positive, anger: negative, LABEL_2: nobody can tell
mapping = given(["LABEL_2=signal:irony"], labels)
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Mapping, Sequence

from listener.errors import Mistake
from listener.types import Intent, Sentiment, Signal

Ours = Sentiment | Intent | Signal | None  # None: it means nothing to us

NOTHING = "none"


def spell(ours: Ours) -> str:
    """A label of ours as one writes it: `negative`, `intent:complaint`, `signal:irony`, `none`."""
    match ours:
        case None:
            return NOTHING
        case Intent():
            return f"intent:{ours.value}"
        case Signal():
            return f"signal:{ours.value}"
    return ours.value


EVERY: Mapping[str, Ours] = {spell(ours): ours for ours in (*Sentiment, *Intent, *Signal, None)}


def read(written: str) -> Ours:
    """The label of ours that is written so; `complaint` does for `intent:complaint`.

    Raises Mistake, naming what is close.
    """
    word = written.strip().lower().replace(" ", "_").replace("-", "_").removeprefix("sentiment:")
    if word in EVERY:
        return EVERY[word]
    for name, ours in EVERY.items():
        if name.partition(":")[2] == word:
            return ours
    close = difflib.get_close_matches(word, EVERY, n=1, cutoff=0.5)
    meant = f"did you mean {close[0]}" if close else f"write one of: {', '.join(EVERY)}"
    raise Mistake(f"{written.strip()!r} is no label of ours; {meant}{'?' if close else '.'}")


def given(options: Sequence[str], labels: Sequence[str]) -> dict[str, Ours]:
    """What `THEIRS=OURS` says, by their label. Raises Mistake for a label that the model or we do not have."""
    found: dict[str, Ours] = {}
    exact = {label.strip().casefold(): label for label in labels}
    for option in options:
        theirs, equals, ours = option.rpartition("=")
        if not equals:
            raise Mistake(f"--label {option!r} lacks a =; write --label THEIRS=OURS, such as --label LABEL_0=negative.")
        label = theirs if theirs in labels else exact.get(theirs.strip().casefold())
        if label is None:
            raise Mistake(f"The model has no label {theirs!r}; it has: {', '.join(labels)}.")
        if label in found:
            raise Mistake(f"--label says twice what {label!r} means; say it once.")
        found[label] = read(ours)
    return found


def check(mapping: Mapping[str, Ours]) -> None:
    """Raises Mistake for a mapping that nothing could be read from."""
    meant = {ours for ours in mapping.values() if ours is not None}
    if not meant:
        raise Mistake("None of the model's labels means anything to us, so there is nothing to import.")
    feelings = [ours for ours in meant if isinstance(ours, Sentiment)]
    if len(feelings) == 1:
        raise Mistake(
            f"Only {feelings[0].value} has a label, and of one sentiment alone nothing can be told: "
            "map another label to another sentiment, or map none to any."
        )


def propose(labels: Sequence[str]) -> dict[str, Ours]:
    """What their names suggest; a label whose name says nothing (`LABEL_0`) is left out."""
    return {label: WORDS[key] for label in labels for key in (plain(label),) if key in WORDS}


def plain(name: str) -> str:
    """A name in small letters, without accents, its words apart; one without any Latin letter as it is."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    bare = "".join(c for c in unicodedata.normalize("NFD", apart.casefold()) if not unicodedata.combining(c))
    return " ".join(re.findall(r"[a-z0-9]+", bare)) or bare.strip()


def understood(written: str) -> Ours:
    """What a label means by its usual name, or as we write it. Raises Mistake where neither says anything."""
    key = plain(written)
    return WORDS[key] if key in WORDS else read(written)


def _words() -> dict[str, Ours]:
    """Every name we recognise, English and Spanish, as `plain` writes it."""
    words: dict[str, Ours] = {}
    for ours, names in _NAMES.items():
        words.update(dict.fromkeys(names.split(", "), ours))
    for label in (*Sentiment, *Intent, *Signal):
        words[plain(label.value)] = words[plain(spell(label))] = label
    return words


_NAMES: Mapping[Ours, str] = {
    Sentiment.NEGATIVE: (
        "neg, negativo, negativa, very negative, muy negativo, muy negativa, bad, malo, 1 star, 2 stars, 1 estrella, "
        "2 estrellas, anger, annoyance, disappointment, disapproval, disgust, embarrassment, fear, grief, nervousness, "
        "remorse, sadness, pessimism, frustration, angry, sad, ira, enfado, enojo, rabia, tristeza, miedo, asco, "
        "decepcion, frustracion"
    ),
    Sentiment.NEUTRAL: "neu, neutro, neutra, 3 stars, 3 estrellas, mixed, mixto",
    Sentiment.POSITIVE: (
        "pos, positivo, positiva, very positive, muy positivo, muy positiva, good, bueno, 4 stars, 5 stars, "
        "4 estrellas, 5 estrellas, joy, happiness, happy, love, admiration, amusement, approval, caring, excitement, "
        "gratitude, optimism, pride, relief, trust, alegria, felicidad, amor, gratitud, optimismo, orgullo, alivio"
    ),
    Intent.COMPLAINT: "queja, reclamo, reclamacion, complain",
    Intent.QUESTION: "pregunta, consulta, query, inquiry",
    Intent.REQUEST: "peticion, solicitud, pedido de ayuda",
    Intent.OUTAGE_REPORT: "outage, averia, incidencia, corte de servicio",
    Intent.PRAISE: "compliment, elogio, felicitacion, agradecimiento",
    Intent.PURCHASE_INTEREST: "purchase, buying intent, intencion de compra, compra",
    Intent.CANCELLATION_THREAT: "cancellation, cancel, cancelacion, baja",
    Intent.SUGGESTION: "sugerencia, propuesta",
    Intent.OFF_TOPIC: "offtopic, spam, irrelevant, irrelevante, fuera de tema",
    Signal.IRONY: "ironic, ironia, ironico, ironica, sarcasm, sarcastic, sarcasmo, sarcastico",
    Signal.TOXICITY: (
        "toxic, toxico, toxica, toxicidad, severe toxic, severe toxicity, hate, hateful, hate speech, odio, "
        "discurso de odio, offensive, ofensivo, ofensiva, insult, insulto, obscene, obsceno, abusive, abuse, "
        "identity attack, identity hate, aggressive, agresivo, threat, amenaza"
    ),
    Signal.SAFETY: "emergency, emergencia, danger, peligro",
    Signal.LEGAL_THREAT: "legal, amenaza legal",
    Signal.PRESS: "journalist, prensa, periodista",
    Signal.VULNERABLE_PERSON: "vulnerable, suicide, self harm, suicidio",
    None: (
        "none, not toxic, non toxic, no toxico, not hate, non hate, not hateful, no odio, nothate, nohate, "
        "not offensive, non offensive, no ofensivo, neither, not irony, non irony, not ironic, non ironic, no irony, "
        "no ironico, no ironia, not sarcastic, no sarcasmo, surprise, sorpresa, confusion, curiosity, realization, "
        "desire, targeted, other, others, otro, otros, ninguno, ninguna"
    ),
}
WORDS: Mapping[str, Ours] = _words()
