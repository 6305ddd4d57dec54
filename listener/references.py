"""Case references: how a company writes them, and how one is read however it was typed.

A pattern such as `ES-{yy}-{number:06}-{check}` has each of `{yy}` or `{yyyy}`, `{number}` and `{check}` once, and else
letters and `- . / _`. The check digit is Damm's over the year's last two digits and the number, in every pattern alike:
it shows every single wrong digit and every swap of neighbours (Damm, "Totally anti-symmetric quasigroups", 2004).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache

from stdnum import damm

from listener.errors import Mistake

STANDARD = "-{yy}-{number:06}-{check}"  # what follows the letters that a company chose
LEAST = 6  # digits of a number, over which the check digit is made
LONGEST = 40  # characters of a pattern
_FIELD = re.compile(r"\{(yyyy|yy|number|check)(?::0?([1-9]))?\}")
_GAP = "[\\s\\-\u2010-\u2015\u2212_./]*"  # also the dashes that programs put for hyphens
_DIGIT = "[0-9OoIl]"  # also the letters that are taken for digits
_AS_DIGITS = str.maketrans("OoIl", "0011")
_TYPED_AS = {"O": "[O0]", "I": "[I1L]", "L": "[L1I]"}


def checked(pattern: str) -> str:
    """The pattern. Raises ValueError, as the end of a sentence, where it is none."""
    fields = [found[1].replace("yyyy", "yy") for found in _FIELD.finditer(pattern)]
    if sorted(fields) != ["check", "number", "yy"]:
        raise ValueError('needs {yy} or {yyyy}, {number} and {check}, each once; write "ES-{yy}-{number:06}-{check}"')
    if any(found[2] and found[1] != "number" for found in _FIELD.finditer(pattern)):
        raise ValueError("has a width at something that has one already; only {number:06} takes one")
    if not re.fullmatch(r"[A-Z\-./_]*", _FIELD.sub("", pattern)) or len(pattern) > LONGEST:
        raise ValueError(f"may have capital letters and - . / _ beside its fields, and {LONGEST} characters at most")
    return pattern


def written_by(pattern: str) -> str:
    """The whole pattern: letters alone stand before the standard one."""
    return pattern if "{" in pattern else pattern + STANDARD


@lru_cache(maxsize=64)  # a case's is asked before it is opened
def reference(pattern: str, year: int, number: int) -> str:
    """A reference such as `ES-26-000123-7`. `pattern`: a whole one, or the letters that stand first."""
    digits = f"{year % 100:02d}{number:0{LEAST}d}"
    return write(pattern, digits + damm.calc_check_digit(digits))


def write(pattern: str, digits: str) -> str:
    """The reference that those digits (year, number, check) make."""
    values = {"yy": digits[:2], "yyyy": f"20{digits[:2]}", "check": digits[-1]}

    def fill(found: re.Match[str]) -> str:
        return values[found[1]] if found[1] in values else f"{int(digits[2:-1]):0{found[2] or 1}d}"

    return _FIELD.sub(fill, written_by(pattern))


def parse_reference(text: str, pattern: str) -> str:
    """The reference however it was typed: lower case, other gaps or none, O for 0, without leading zeros or letters.

    Raises Mistake when it cannot be one, or when its check digit shows a slip.
    """
    digits = digits_of(text, pattern)
    if not fits(digits):
        raise Mistake(f"{text!r} has a slip in it: the check digit does not fit. Compare it with the original.")
    return write(pattern, digits)


def digits_of(text: str, pattern: str) -> str:
    """Year, number and check digit as they were typed, the number filled up to six digits. Raises Mistake."""
    plain = unicodedata.normalize("NFKC", text[:100])  # also digits of full width
    found = re.fullmatch(rf"\s*{_shape(pattern)}\s*", plain, re.IGNORECASE)
    if not found or len(text) > 100:
        raise Mistake(f"{text[:60]!r} is no case reference; they look like {reference(pattern, 26, 123)}.")
    year, number, check = (found[name].translate(_AS_DIGITS) for name in ("year", "number", "check"))
    if LEAST < len(number) <= _width(pattern):
        number = str(int(number))
    return f"{year}{number:0>{LEAST}}{check}"


def quoted_in(text: str, pattern: str) -> list[str]:
    """The references that a text quotes, as `write` gives them: with their letters where the pattern begins with some.

    Only such whose check digit fits; of a text a hundred thousand characters are read.
    """
    plain = unicodedata.normalize("NFKC", text[:100_000])
    quoted: dict[str, None] = {}
    for each in _quoting(pattern).finditer(plain):
        try:
            quoted[parse_reference(each[0], pattern)] = None
        except Mistake:
            continue
    return list(quoted)


@cache
def _quoting(pattern: str) -> re.Pattern[str]:
    """What finds references in a text."""
    ends = r"(?![\-./_]?[0-9A-Za-z])"
    return re.compile(rf"(?<![0-9A-Za-z]){_shape(pattern, bare=False)}{ends}", re.IGNORECASE)


def _shape(pattern: str, *, bare: bool = True) -> str:
    """What matches a reference as people type it. `bare`: also without the letters."""
    return _GAP.join(_parts(written_by(pattern), bare=bare))


def _parts(pattern: str, *, bare: bool) -> Iterator[str]:
    ends = 0
    for found in [*_FIELD.finditer(pattern), None]:
        for letters in re.findall("[A-Z]+", pattern[ends : found.start() if found else len(pattern)]):
            typed = "".join(_TYPED_AS.get(letter, letter) for letter in letters)
            yield f"(?:{typed})?" if bare else typed
        if found:
            ends = found.end()
            yield {
                "yy": f"(?P<year>{_DIGIT}{{2}})",
                "yyyy": f"(?:2[0O])?(?P<year>{_DIGIT}{{2}})",
                "number": f"(?P<number>{_DIGIT}{{1,12}}{'?' if bare else ''})",  # the check digit may follow at once
                "check": f"(?P<check>{_DIGIT})",
            }[found[1]]


def _width(pattern: str) -> int:
    widths = [int(found[2] or 1) for found in _FIELD.finditer(written_by(pattern)) if found[1] == "number"]
    return widths[0] if widths else LEAST


def fits(digits: str) -> bool:
    """Whether that is how a reference is written. A longer number has no zero in front: one was swapped there."""
    return damm.is_valid(digits) and (len(digits) == LEAST + 3 or digits[2] != "0")


def one_slip_away(digits: str) -> list[str]:
    """Every valid reference (its digits) that differs by one digit or by one swap of neighbours."""
    slips = {digits[:at] + digit + digits[at + 1 :] for at in range(len(digits)) for digit in "0123456789"}
    slips |= {digits[:at] + digits[at + 1] + digits[at] + digits[at + 2 :] for at in range(len(digits) - 1)}
    return sorted(slip for slip in slips - {digits} if fits(slip))
