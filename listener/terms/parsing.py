"""Terms as people write them -> an expression. Every mistake names the column and the next step.

either   = both { OR both }
both     = one { [AND] one }
one      = ( NOT | - ) one | ( either ) | "phrase" | #tag | @handle | lang:es,en | from:handle | word
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import regex

from listener.errors import TermsProblem
from listener.terms import folding
from listener.terms.expression import (
    Expression,
    From,
    Handle,
    Language,
    Not,
    Phrase,
    Tag,
    Word,
    both,
    either,
    is_endless,
)

MAX_LENGTH = 100_000  # characters
MAX_DEPTH = 30

_CLOSING = {'"': '"', "“": '”"', "„": '“”"', "«": "»", "”": '”"'}
_QUOTES = regex.compile('["“”„«»]')
_MINUS = "-−–"
_OPERATORS = ("AND", "OR", "NOT")
_FIELDS = ("lang", "from")
_LANGUAGE = regex.compile(r"[a-z]{2,3}(?:-[a-z0-9]{2,8})*")
_TAG = regex.compile(folding.TAG)
_HANDLE = regex.compile(rf"{folding.HANDLE}(?:@{folding.HANDLE})?")
_BARE = regex.compile(r'[^\s()"“”„«»]+')
_FIELD = regex.compile(r"([A-Za-z_]+):(.*)", regex.DOTALL)


@dataclass(frozen=True)
class _Token:
    """`kind` is `(`, `)`, `-`, `phrase`, `word` or `end`; `column` counts from 1."""

    kind: str
    text: str
    column: int


def read(text: str) -> Expression:
    """The expression that `text` says. Raises TermsProblem."""
    if len(text) > MAX_LENGTH:
        raise TermsProblem(
            f"The terms are {len(text):,} characters long; keep them under {MAX_LENGTH:,}, or make two sources.",
            text=text[:80],
            column=1,
        )
    if not text.strip():
        raise TermsProblem(
            'Nothing is said to look for; write words, "a phrase", #tags or @handles.', text=text, column=1
        )
    reader = _Reader(text)
    expression = reader.either(0)
    left = reader.next()
    if left.kind != "end":
        raise reader.problem(left, "this ) closes nothing; remove it, or add the ( that is missing.")
    if is_endless(expression):
        raise TermsProblem(
            "There is nothing to look for: these terms would match almost every post; add a word, a "
            "#tag or an @handle that must be there.",
            text=text,
            column=1,
        )
    return expression


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = self._tokens()
        self.at = 0

    def peek(self) -> _Token:
        return self.tokens[self.at]

    def next(self) -> _Token:
        token = self.tokens[self.at]
        self.at += token.kind != "end"
        return token

    def problem(self, token: _Token, sentence: str) -> TermsProblem:
        before = self.text[: token.column - 1]
        where = f"Column {token.column - before.rfind(chr(10)) - 1}"
        if "\n" in self.text.strip():
            where = f"Line {before.count(chr(10)) + 1}, c{where[1:]}"
        return TermsProblem(f"{where}: {sentence}", text=self.text, column=token.column)

    # --- the grammar ---

    def either(self, depth: int) -> Expression:
        parts = [self.both(depth)]
        while self._is(self.peek(), "OR"):
            self.next()
            parts.append(self.both(depth))
        return either(parts)

    def both(self, depth: int) -> Expression:
        parts: list[Expression] = []
        while True:
            token = self.peek()
            if self._is(token, "AND"):
                if not parts:
                    raise self._missing(token)
                self.next()
            elif parts and (token.kind in (")", "end") or self._is(token, "OR")):
                return both(parts)
            part = self.one(depth)
            for kind, other in ((Language, "language"), (From, "author")):
                if isinstance(part, kind) and any(isinstance(each, kind) for each in parts):
                    field = str(part).partition(":")[0]
                    raise self.problem(
                        token, f"a post has one {other}; for a choice of them write {field}:a,b with a comma."
                    )
            parts.append(part)

    def one(self, depth: int) -> Expression:
        token = self.next()
        if depth > MAX_DEPTH:
            raise self.problem(token, f"more than {MAX_DEPTH} parentheses or NOTs inside each other; write it flatter.")
        if token.kind == "-" or self._is(token, "NOT"):
            part = self.one(depth + 1)
            return part.part if isinstance(part, Not) else Not(part)
        if token.kind == "(":
            inside = self.either(depth + 1)
            if self.next().kind != ")":
                raise self.problem(token, "this ( is never closed; add the ) that is missing.")
            return inside
        if token.kind in (")", "end") or self._is(token, "OR"):
            raise self._missing(token)
        return self._phrase(token) if token.kind == "phrase" else self._leaf(token)

    def _missing(self, token: _Token) -> TermsProblem:
        """What to say of a token that stands where something to look for should."""
        before = next((each for each in reversed(self.tokens) if each.column < token.column), None)
        if before is None or (before.kind == "(" and token.kind == "word"):
            return self.problem(token, f"nothing stands before {token.text}; remove it, or add what is missing.")
        if before.kind == "(" and token.kind == ")":
            return self.problem(before, "there is nothing between these parentheses; fill or remove them.")
        if before.kind == "(":
            return self.problem(before, "this ( is never closed; add the ) that is missing.")
        return self.problem(before, f"nothing follows {before.text}; remove it, or add what is missing.")

    # --- leaves ---

    def _phrase(self, token: _Token) -> Expression:
        text = " ".join(_QUOTES.sub(" ", token.text).split())
        if not folding.words(text):
            raise self.problem(token, "there is no letter or digit between these quotes; fill or remove them.")
        return Phrase(text)

    def _leaf(self, token: _Token) -> Expression:
        text = token.text
        if text[0] in "#＃":
            if not _TAG.fullmatch(text[1:]):
                raise self.problem(token, f"{text} is no hashtag; write # and letters, digits or underscores.")
            return Tag(text[1:])
        if text[0] in "@＠":
            return Handle(self._handle(token, text[1:]))
        field = _FIELD.fullmatch(text)
        if field is not None:
            return self._field(token, field[1].lower(), field[2])
        if "*" in text:
            raise self.problem(token, "there are no wildcards; write each form of the word, with OR between them.")
        if text.upper() in _OPERATORS:
            raise self.problem(
                token, f'write {text.upper()} in capitals if that is meant, or "{text}" in quotes for the word.'
            )
        if not folding.words(text):
            hint = "write OR for one or the other" if text.strip("|") == "" else "remove it"
            raise self.problem(token, f"{text} has no letter or digit to look for; {hint}.")
        return Word(text)

    def _field(self, token: _Token, name: str, value: str) -> Expression:
        if name not in _FIELDS:
            close = difflib.get_close_matches(name, _FIELDS, n=1)
            hint = f"did you mean {close[0]}:?" if close else "there are lang: and from:."
            raise self.problem(
                token, f'{name[:30]}: is nothing we know; {hint} Text with a colon, such as a link, goes "in quotes".'
            )
        values = [each.strip() for each in value.split(",") if each.strip()]
        if not values:
            example = "lang:es" if name == "lang" else "from:handle"
            raise self.problem(token, f"nothing follows {name}:; write it without a space, as in {example}.")
        if name == "from":
            return either([From(self._handle(token, each.removeprefix("@"))) for each in values])
        for each in values:
            if not _LANGUAGE.fullmatch(each.lower()):
                raise self.problem(token, f"{each[:30]} is no language; write its two letters, as in lang:es.")
        return either([Language(each.lower()) for each in values])

    def _handle(self, token: _Token, text: str) -> str:
        if not _HANDLE.fullmatch(text):
            raise self.problem(
                token, f"{token.text[:60]} is no handle; write it as in @name, @name@host or @name.example.com."
            )
        return text

    # --- tokens ---

    def _is(self, token: _Token, operator: str) -> bool:
        return token.kind == "word" and token.text == operator

    def _tokens(self) -> list[_Token]:
        text, at, tokens = self.text, 0, list[_Token]()
        while at < len(text):
            character, column = text[at], at + 1
            if character.isspace():
                at += 1
            elif character in "()":
                tokens.append(_Token(character, character, column))
                at += 1
            elif character in _MINUS:
                token = _Token("-", character, column)
                if at + 1 == len(text) or text[at + 1].isspace() or text[at + 1] == ")":
                    raise self.problem(token, "a - stands directly before what it excludes, as in -word.")
                tokens.append(token)
                at += 1
            elif character in _CLOSING:
                end = next((i for i in range(at + 1, len(text)) if text[i] in _CLOSING[character]), None)
                if end is None:
                    raise self.problem(
                        _Token("", character, column),
                        f"this {character} is never closed; add the quote that is missing.",
                    )
                tokens.append(_Token("phrase", text[at + 1 : end], column))
                at = end + 1
            elif (bare := _BARE.match(text, at)) is not None:
                tokens.append(_Token("word", bare[0], column))
                at = bare.end()
            else:
                raise self.problem(_Token("", character, column), f"this {character} opens nothing; remove it.")
        return [*tokens, _Token("end", "", len(text) + 1)]
