"""The columns of a file of labelled texts, known by their usual names, in English and Spanish."""

from __future__ import annotations

from collections.abc import Sequence

from listener.errors import Mistake
from listener.model.mapping import plain
from listener.model.rows import RowFile

AUTO = "auto"
SENTIMENT, INTENTS, SIGNALS, AREAS = "sentiment", "intents", "signals", "areas"
HEADS = (SENTIMENT, INTENTS, SIGNALS, AREAS)
NAMED = 12  # labels or columns named in a sentence

_TEXT = (
    "text, texto, full text, mensaje, message, tweet, tuit, post, publicacion, body, cuerpo, content, contenido, "
    "comment, comentario, review, resena, opinion, mention, mencion, utterance, sentence, frase, oracion"
)
TEXT = tuple(_TEXT.split(", "))
LABELS = {
    head: tuple(names.split(", "))
    for head, names in {
        SENTIMENT: "sentiment, sentimiento, polarity, polaridad, airline sentiment, emotion, emocion, stars, rating",
        AUTO: "label, labels, etiqueta, etiquetas, class, clase, category, categoria, target, gold, annotation",
        INTENTS: "intents, intent, intenciones, intencion",
        SIGNALS: "signals, signal, senales, senal",
        AREAS: "areas, area, department, departamento",
    }.items()
}
LANGUAGE = ("language", "lang", "idioma", "lengua")
KNOWN = frozenset((*TEXT, *LANGUAGE, *(name for names in LABELS.values() for name in names)))


def known(name: str) -> bool:
    """Whether a column of that name means something to us."""
    return plain(name) in KNOWN


def of_labels(head: str) -> list[str]:
    """The usual names of the column that holds a head's labels, the likeliest first; of every head's with `auto`."""
    heads = LABELS if head == AUTO else (head, AUTO)
    return [name for each in heads for name in LABELS[each]]


def head_of(column: str) -> str:
    """The head that a column of labels is about by its name, `auto` where the name does not tell."""
    return next((head for head, names in LABELS.items() if plain(column) in names), AUTO)


def there(file: RowFile, names: Sequence[str]) -> str | None:
    """The file's column with the first of those names that it has; None without any."""
    columns = {plain(column): column for column in reversed(file.columns)}
    return next((columns[name] for name in names if name in columns), None)


def find(file: RowFile, asked: str | None, usual: Sequence[str], *, what: str, step: str) -> str:
    """The column that was asked for, or the one with a usual name.

    Raises Mistake with the columns there are; `step` is what to do where none looks like it.
    """
    found = there(file, usual) if asked is None else asked if asked in file.columns else there(file, [plain(asked)])
    if found is not None:
        return found
    has = listed([column for column in file.columns if column]) or "none"
    if asked is not None:
        raise Mistake(f"{file.path} has no column {asked!r}; it has: {has}.")
    raise Mistake(f"{file.path}: no column looks like the {what}; {step}. It has: {has}.")


def listed(names: Sequence[str]) -> str:
    """The first of them, in a sentence."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(name[:40] for name in names[:NAMED]) + more
