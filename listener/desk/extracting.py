"""What a solved case teaches: the sentences that say the problem, and those that say what helped. Pure.

Nothing is put in other words. Sentences without matter (greetings, thanks, excuses, invitations to write in private)
are left out, and so are those in which somebody says who they are. Of the others those are taken whose words come up
most across the case, after the idea that what many sentences share is what they are about (LexRank; Erkan and Radev,
2004). They stay in the order in which they were said.
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
    r"|caso \(reference\)|sorry|apolog\w*|thank\w*|regards|have a (?:nice|good)|send us a (?:dm|message)|in private"
    r"|direct message|reach out|glad to hear|at your disposal|case \(reference\))\b",
    re.IGNORECASE,
)
_OF_THEMSELVES = re.compile(
    r"\b(?:me llamo|mi nombre|soy|vivo en|mi (?:direcci[oó]n|tel[eé]fono|n[uú]mero|dni|correo|hij\w+|marid\w+|mujer)"
    r"|my (?:name|address|phone number|number|mail|email|wife|husband|son|daughter)|i(?: a|['’])m [A-Z]|i live)\b",
    re.IGNORECASE,
)
_TAKEN_OUT = re.compile(r"\((?:mail|link|number|date|reference)\)|@someone|\bsomeone\b|…")


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
    """The article that a case suggests; None where it says no problem or no answer. `anonymous` hides who it is."""
    said = _sentences([piece for piece in pieces if not piece.ours], anonymous)
    told = _sentences([piece for piece in pieces if piece.ours], anonymous)
    weights = _weights([*said, *told], language)
    problem = _best(said, weights, language, PROBLEM)
    solution = _best(told, weights, language, SOLUTION)
    if not problem or not solution:
        return None
    title, asked = _title(problem)
    sent = [each for each in solution if each.draft_id is not None]
    last = [each.words for each in sent if each.draft_id == sent[-1].draft_id]
    answer = _within(last[:ANSWER], LONGEST_ANSWER)
    what, how = HEADINGS.get(language, HEADINGS["en"])
    body = "\n".join([what, *(each.words for each in problem), "", how, *(each.words for each in solution)])
    return Extract(text=ArticleText(title=title, answer=answer, body=body), taken=(*problem, *solution, *asked))


def _sentences(pieces: Sequence[Piece], anonymous: Callable[[str], str]) -> list[Taken]:
    """Each sentence with matter, once, without who it is of or about."""
    found: dict[str, Taken] = {}
    for piece in pieces:
        for match in _SENTENCE.finditer(anonymous(piece.text)):
            words = " ".join(_GREETING.sub("", match[0]).split())
            if words and not _EMPTY.search(words) and not _OF_THEMSELVES.search(words):
                words = words[:1].upper() + words[1:]
                taken = Taken(words=words, mention_id=piece.mention_id, ours=piece.ours, draft_id=piece.draft_id)
                found.setdefault(words, taken)
    return list(found.values())


def _weights(sentences: Sequence[Taken], language: str) -> Counter[str]:
    """In how many sentences each stem stands."""
    return Counter(stem for each in sentences for stem in _stems(each.words, language))


def _stems(words: str, language: str) -> set[str]:
    return set(stems.stems(_TAKEN_OUT.sub(" ", words), language))


def _best(sentences: Sequence[Taken], weights: Counter[str], language: str, most: int) -> list[Taken]:
    scored = []
    for at, each in enumerate(sentences):
        own = _stems(each.words, language)
        if len(own) >= FEWEST:
            scored.append((sum(weights[stem] for stem in own) / len(own) ** 0.5, at))
    chosen = sorted(at for _, at in sorted(scored, key=lambda one: (-one[0], one[1]))[:most])
    return [sentences[at] for at in chosen]


def _title(problem: Sequence[Taken]) -> tuple[str, list[Taken]]:
    """A question where they asked one, else the first sentence; and, where it had to be cut, what is left of it."""
    chosen = next((each for each in problem if each.words.endswith("?")), problem[0])
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
