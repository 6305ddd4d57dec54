"""No stranger's text makes a pattern try for ever: each is run over the worst that patterns are known to meet.

Only as each is used: a pattern that is matched from the start alone is not searched with.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import regex

import connectors
import listener.desk
import listener.escapes
import listener.model.text
import listener.terms
import policies

LENGTH = 3_000
SECONDS = 0.4  # of processor time for one pattern over one text: the square of the length takes a tenth of that
PIECES = (
    *(" ", "\t", "\n", "a", "á", "A", "aA", "1", "1 ", "1.", "a.", "a-", "a_", "-", "_", "=", "*", "> ", "> *", "<"),
    *(
        "@",
        "@a",
        "@a.",
        "a@",
        "a@a.",
        "#",
        "#a",
        '"',
        "'",
        "“",
        "&",
        "&a",
        "/",
        ":",
        "a:",
        ";",
        '="',
        "(",
        "(1",
        "[",
        "!",
    ),
    *(
        "mas ",
        "nunca mas ",
        "por favor ",
        "no me ",
        "ya ",
        "re: ",
        "http://",
        "http://a",
        "www.",
        "a://",
        "=?a?b?",
        "<a ",
    ),
    *("u/a", "r/a+", "token", "token ", "'token", "12-", "AB12", "1d", "😀", "\u200d", "ﷺ", "\u0301", "owner-", "<a "),
)
ENDS = ("\0", "x")

# Those that may take longer, and why no stranger can make them.
BOUNDED = {
    "policies.names._LINK": "a name is cut to 400 characters first",
    "connectors.x_query._TAG": "a person's own terms, whose tags have 100 characters at most",
}


def modules() -> Iterator[ModuleType]:
    for package in (policies, connectors, listener.terms, listener.desk):
        yield package
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            yield importlib.import_module(found.name)
    yield from (listener.model.text, listener.escapes)


def patterns(value: object, depth: int = 0) -> Iterator[Any]:
    """The patterns that something is, or holds."""
    if isinstance(value, (re.Pattern, regex.Pattern)):
        yield value
    elif depth < 3 and isinstance(value, (tuple, list, set, frozenset, dict)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from patterns(each, depth + 1)


def ways(name: str, module: ModuleType) -> frozenset[str]:
    """How the code uses the pattern, its own module where it is private; in every way where that cannot be told."""
    own = Path(str(module.__file__))
    files = [own] if name.startswith("_") else own.parent.rglob("*.py")
    used = re.compile(rf"\b{name}\.(search|match|fullmatch|finditer|findall|sub|subn|split)\b")
    found = {way for path in files for way in used.findall(path.read_text("utf-8"))}
    searching = {"finditer"} if found - {"match", "fullmatch"} else set()
    return frozenset((found & {"match", "fullmatch"}) | searching) or frozenset({"match", "fullmatch", "finditer"})


def collected() -> dict[str, tuple[Any, frozenset[str]]]:
    found: dict[str, tuple[Any, frozenset[str]]] = {}
    known: set[int] = set()
    for module in modules():
        for name, value in vars(module).items():
            for number, pattern in enumerate(patterns(value) if not name.startswith("__") else ()):
                if id(pattern) not in known:
                    known.add(id(pattern))
                    found[f"{module.__name__}.{name}" + (f"[{number}]" if number else "")] = pattern, ways(name, module)
    return found


PATTERNS = collected()


@pytest.fixture(autouse=True)
def impatient() -> Iterator[None]:
    def give_up(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGVTALRM, give_up)
    yield
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.signal(signal.SIGVTALRM, before)


def loses_patience(pattern: Any, how: str, text: str | bytes) -> bool:
    limit = {"timeout": 20 * SECONDS} if isinstance(pattern, regex.Pattern) else {}  # that one heeds no signal
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        found = getattr(pattern, how)(text, **limit)
        if how == "finditer":
            for _ in found:
                pass
    except TimeoutError:
        return True
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return False


def test_the_patterns_are_found() -> None:
    assert len(PATTERNS) > 100
    assert "policies.optouts._ASKS" in PATTERNS
    assert "connectors.mail_quotes._WROTE[1]" in PATTERNS
    assert set(BOUNDED) <= set(PATTERNS)


def test_a_pattern_that_tries_everything_is_caught() -> None:
    assert loses_patience(re.compile("(?:a|aa)+b"), "match", "a" * LENGTH)
    assert loses_patience(re.compile(r"\s*\s*\s*x"), "match", " " * LENGTH)
    assert not loses_patience(re.compile("(?:a|b)+c"), "match", "a" * LENGTH)


@pytest.mark.parametrize("name", sorted(set(PATTERNS) - set(BOUNDED)))
def test_no_text_makes_a_pattern_try_for_ever(name: str) -> None:
    pattern, how = PATTERNS[name]
    endless = []
    for piece in PIECES:
        for end in ENDS:
            text = (piece * LENGTH)[:LENGTH] + end
            given = text.encode("utf-8") if isinstance(pattern.pattern, bytes) else text
            endless += [(piece, end, way) for way in how if loses_patience(pattern, way, given)]
        assert not endless
