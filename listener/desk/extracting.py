"""What a solved case teaches: the sentences that say the problem, and those that say what helped. Pure.

Nothing is put in other words. Sentences without matter (greetings, thanks, excuses, invitations to write in private)
are left out, and so are those in which somebody says who they are. Of the others those are taken whose words come up
most across the case, after the idea that what many sentences share is what they are about (LexRank; Erkan and Radev,
2004). They stay in the order in which they were said, those of the answer that solved it before all others of ours.

A case may hold two matters. The article is about the one of the answer that solved it: what was said in other mentions
is taken only where it shares words with that one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from listener.desk import stems
from listener.store.articles import ArticleText

PROBLEM, SOLUTION, ANSWER = 3, 5, 3  # sentences at most
LONGEST_TITLE, LONGEST_ANSWER = 150, 280  # characters
FEWEST = 3  # words with matter that a sentence needs
FEWEST_SAID, FEWEST_TOLD = 1, 2  # where none has so many: `No tengo internet`, `Reinicia el router`
SAME_MATTER = 2  # words that a question shares with another mention when it is about the same

HEADINGS = {"es": ("Qué pasa", "Qué hacer"), "en": ("What happens", "What to do")}

_SENTENCE = re.compile(r"[^.!?…\n]+(?:[.!?…]+(?!\w)|\n|$)|[^\n]+")
_GREETING = re.compile(
    r"^\W*(?:hola|buenas(?: tardes| noches)?|buenos d[ií]as|estimad[oa]s?|querid[oa]s?|hi|hello|hey|dear"
    r"|good (?:morning|afternoon|evening))\b[^,.:!?\n]{0,40}[,.:!]?\s*",
    re.IGNORECASE,
)
_EMPTY = re.compile(
    r"\b(?:(?:lo )?sent(?:imos|ir)|lo siento|lament(?:amos|o)|disculp\w*|perd[oó]n\w*|gracias|agradec\w*|un saludo"
    r"|saludos|atentamente|feliz d[ií]a|quedamos a tu|a tu disposici[oó]n|(?:por|mensaje|un) (?:privado|dm|md)"
    r"|sorry|apolog\w*|thank\w*|regards|have a (?:nice|good)|send us a (?:dm|message)|in private"
    r"|direct message|reach out|glad to hear|at your disposal)\b",
    re.IGNORECASE,
)
_OF_THEMSELVES = re.compile(
    r"\b(?:me llamo|mi nombre|soy|vivo en|mi (?:direcci[oó]n|tel[eé]fono|n[uú]mero|dni|correo|hij\w+|marid\w+|mujer)"
    r"|my (?:name|address|phone number|number|mail|email|wife|husband|son|daughter)|i(?: a|['’])m [A-Z]|i live)\b",
    re.IGNORECASE,
)
_HOLDING = re.compile(
    r"\b(?:te|le|os|les) (?:responde\w*|respondemos|escrib\w+|contamos|contaremos|decimos|diremos|avisamos|avisaremos)"
    r"|\bl[oae]s? (?:mira(?:mos)?|consultamos|revisamos)\b|\bestamos (?:mirando|viendo|revisando)\b"
    r"|\bvamos a (?:revisar|mirar|ver)\b"
    r"|\blet (?:you know|us look)\b|\bin touch\b|\b(?:come|get) back to you\b|\bfind out\b"
    r"|\bwe(?:['’]ll| will| are going to) (?:check|look)\b",
    re.IGNORECASE,
)
_TAKEN_OUT = re.compile(
    r"\((?:mail|link|number|date|reference|correo|enlace|número|fecha|referencia)\)|@?\b(?:someone|alguien)\b|…"
)
_REFERENCE = r"\((?:reference|referencia)\)"
_IN_PASSING = re.compile(rf",\s*{_REFERENCE}\s*,?")  # `your case, (reference), and`
_CALLED = re.compile(
    r"^\W*(?:@(?:someone|alguien)\b[\s,:]*)+|^(?:someone|alguien)\s*[,.:!]\s*"
    r"|,\s*@?(?:someone|alguien)\b(?=\s*(?:[.,;:!?…]|$))"
)
_CLAUSE = re.compile(rf"\s*[;:](?!\S)\s*(?!{_REFERENCE})")
_FIRST_LETTER = re.compile(r"^[¿¡\"'«(]*[^\W\d_]")


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One thing that was said in a case. `ours`: an answer that was sent, `draft_id`, or a note of what solved it;
    else their own words, in the mention."""

    text: str
    mention_id: int
    ours: bool = False
    draft_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A sentence as it stands in the article, and where it came from."""

    words: str
    mention_id: int
    ours: bool
    draft_id: int | None


@dataclass(frozen=True, kw_only=True)
class Extract:
    """The draft of an article, and every sentence of the case in it."""

    text: ArticleText
    taken: tuple[Taken, ...]


def extract(pieces: Sequence[Piece], language: str, *, anonymous: Callable[[str], str]) -> Extract | None:
    """The article that a case suggests; None where it says no problem or no answer. `anonymous` hides who it is.

    `pieces`: answers in the order in which they were sent.
    """
    said = _sentences([piece for piece in pieces if not piece.ours], anonymous)
    told = _sentences([piece for piece in pieces if piece.ours], anonymous)
    solving = _solving(said, told, language)
    helped = [each for each in told if solving and each.draft_id == solving.draft_id]
    if solving:
        matter = [*helped, *(each for each in said if each.mention_id == solving.mention_id)]
        said, told = (_about(matter, each, language) for each in (said, told))
    weights = _weights([*said, *told], language)
    own = _best(helped, weights, language, most=ANSWER, fewest=FEWEST_TOLD)
    solution = list(own)
    for others in (
        [each for each in told if each.draft_id is None],
        [each for each in told if each.draft_id is not None and each not in helped],
    ):
        known = {each.words for each in solution}
        new = [each for each in others if each.words not in known]
        solution += _best(new, weights, language, most=SOLUTION - len(solution), fewest=FEWEST_TOLD)
    asked = _asked(said, helped, solving, language)
    if asked is None or not solution:
        return None
    problem = _best(said, weights, language, most=PROBLEM, fewest=FEWEST_SAID, always=asked)
    title, left = _title(asked)
    answer = _within([each.words for each in own], LONGEST_ANSWER)
    what, how = HEADINGS.get(language, HEADINGS["en"])
    body = "\n".join([what, *(each.words for each in problem), "", how, *(each.words for each in solution)])
    return Extract(text=ArticleText(title=title, answer=answer, body=body), taken=(*problem, *solution, *left))


def _sentences(pieces: Sequence[Piece], anonymous: Callable[[str], str]) -> list[Taken]:
    """Each sentence with matter, once in each piece, without who it is of or about."""
    found: dict[tuple[int, int | None, str], Taken] = {}
    for piece in pieces:
        for match in _SENTENCE.finditer(anonymous(piece.text)):
            words = _CALLED.sub("", _without_tags(_GREETING.sub("", match[0]).split()))
            words = "" if _OF_THEMSELVES.search(words) else _with_matter(words, ours=piece.ours)
            if words:
                words = _FIRST_LETTER.sub(lambda first: first[0].upper(), words)
                taken = Taken(words=words, mention_id=piece.mention_id, ours=piece.ours, draft_id=piece.draft_id)
                found.setdefault((piece.mention_id, piece.draft_id, words), taken)
    return list(found.values())


def _without_tags(words: list[str]) -> str:
    """The words as a line, without the hashtags at its end."""
    last = len(words)
    while last and words[last - 1].startswith("#"):
        last -= 1
    return " ".join(words[:last])


def _with_matter(words: str, *, ours: bool) -> str:
    """The sentence without those parts of it that excuse, thank or, where it is `ours`, give a reference."""
    if ours:
        words = _IN_PASSING.sub("", words)
    if not _is_empty(words, ours=ours):
        return words
    kept = []
    for clause in _CLAUSE.split(words):
        parts = clause.split(", ")
        ends = next((at for at, part in enumerate(parts) if _is_empty(part, ours=ours)), len(parts))
        kept += [", ".join(parts[:ends])] if ends else []
    whole = "; ".join(kept).rstrip()
    return f"{whole}." if whole and whole[-1].isalnum() else whole


def _is_empty(words: str, *, ours: bool) -> bool:
    return bool(_EMPTY.search(words) or (ours and re.search(_REFERENCE, words)))


def _solving(said: Sequence[Taken], told: Sequence[Taken], language: str) -> Taken | None:
    """A sentence of the answer that solved it: the last that was sent to a mention with matter, rather one that does
    more than promise another; None where none was sent."""
    matters = {each.mention_id for each in said if len(_stems(each.words, language)) >= FEWEST}
    sent = [
        (each.mention_id in matters, not _HOLDING.search(each.words), at)
        for at, each in enumerate(told)
        if each.draft_id is not None and len(_stems(each.words, language)) >= FEWEST_TOLD
    ]
    return told[max(sent)[2]] if sent else None


def _about(matter: Sequence[Taken], sentences: Sequence[Taken], language: str) -> list[Taken]:
    """Those of the sentences that are of the matter or share a word with it, and every note."""
    own = set(matter)
    shared = {stem for each in own for stem in _stems(each.words, language)}
    return [
        each
        for each in sentences
        if each in own or (each.ours and each.draft_id is None) or shared & _stems(each.words, language)
    ]


def _weights(sentences: Sequence[Taken], language: str) -> Counter[str]:
    """In how many sentences each stem stands."""
    return Counter(stem for each in sentences for stem in _stems(each.words, language))


def _stems(words: str, language: str) -> set[str]:
    return set(stems.stems(_TAKEN_OUT.sub(" ", words), language))


def _best(
    sentences: Sequence[Taken],
    weights: Counter[str],
    language: str,
    *,
    most: int,
    fewest: int,
    always: Taken | None = None,
) -> list[Taken]:
    """At most so many, in their order. `fewest`: words with matter, where none has FEWEST. `always`: one that must be
    among them."""
    places = {each: at for at, each in enumerate(sentences)}
    scored: dict[str, tuple[bool, float, int]] = {}
    for each in _enough(sentences, language, fewest):
        own = _stems(each.words, language)
        score = sum(weights[stem] for stem in own) / len(own) ** 0.5
        if each is always or each.words not in scored:
            scored[each.words] = (each is not always, -score, places[each])
    return [sentences[at] for at in sorted(at for *_, at in sorted(scored.values())[:most])]


def _enough(sentences: Sequence[Taken], language: str, fewest: int) -> list[Taken]:
    """Those with enough words that have matter."""
    many = [(len(_stems(each.words, language)), each) for each in sentences]
    return [each for own, each in many if own >= FEWEST] or [each for own, each in many if own >= fewest]


def _asked(said: Sequence[Taken], helped: Sequence[Taken], solving: Taken | None, language: str) -> Taken | None:
    """What the answer answers: a question in its mention, else one of another about the same, else the sentence there
    that shares most with the answer. Without an answer the first question, else the first sentence."""
    said = _enough(said, language, FEWEST_SAID)
    asked = [each for each in said if each.words.endswith("?")]
    own = [each for each in said if solving and each.mention_id == solving.mention_id]
    if not own:
        return next(iter([*asked, *said]), None)
    about = {stem for each in [*own, *helped] for stem in _stems(each.words, language)}
    others = [each for each in asked if len(about & _stems(each.words, language)) >= SAME_MATTER]
    if questions := [each for each in own if each in asked] or others:
        return questions[0]
    did = [each for each in helped if not _HOLDING.search(each.words)]
    answered = {stem for each in did for stem in _stems(each.words, language)}
    return max(own, key=lambda each: len(answered & _stems(each.words, language)))


def _title(chosen: Taken) -> tuple[str, list[Taken]]:
    """The sentence as a title; and, where it had to be cut, what is left of it."""
    if len(chosen.words) <= LONGEST_TITLE:
        return chosen.words, []
    cut = chosen.words[: LONGEST_TITLE - 1].rsplit(" ", 1)[0]
    return f"{cut}…", [replace(chosen, words=cut)]


def _within(sentences: Sequence[str], most: int) -> str:
    """As many of the first sentences as there is room for, one at least where there is one."""
    kept = "".join(sentences[:1])
    for sentence in sentences[1:]:
        if len(kept) + 1 + len(sentence) > most:
            break
        kept = f"{kept} {sentence}"
    return kept
