"""Text from outside made safe to print: what cannot be seen is shown as an escape.

Terminals obey control sequences (ECMA-48), and readers are deceived by characters that change direction or have no
width (Unicode Technical Report 36, "Trojan Source", CVE-2021-42574). Joiners inside emoji and scripts that need them
are left alone.
"""

from __future__ import annotations

import re

_JOINERS = "\u200c\u200d"
_HIDDEN = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # C0, delete, C1
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0"  # soft hyphen, fillers, separators
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f"  # zero width, direction, lines, invisible operators
    "\ufeff\ufff0-\ufffb\ufffe\uffff\ud800-\udfff"  # byte order mark, specials, lone surrogates
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"  # musical beams; tags that spell hidden ASCII
    "]"
)
_TAGGED_FLAG = re.compile("\U0001f3f4[\U000e0061-\U000e007a\U000e0030-\U000e0039]{2,6}\U000e007f")


def may_hide(text: str) -> bool:
    """Whether `visible` could show the text otherwise than it is; quick, for many texts of which hardly any does."""
    return _HIDDEN.search(text) is not None


def visible(text: str, *, lines: bool = False) -> str:
    """The text with every hidden or commanding character as an escape; `lines` keeps line breaks and tabs."""
    if text.isascii() and text.isprintable():
        return text  # as nearly all is
    if lines:
        text = text.replace("\r\n", "\n").expandtabs(4)
    in_a_flag = {at for match in _TAGGED_FLAG.finditer(text) for at in range(match.start() + 1, match.end())}

    def shown(match: re.Match[str]) -> str:
        character, at = match[0], match.start()
        if character == "\n" and lines:
            return character
        if character in _JOINERS and _joins(text, at):
            return character
        if at in in_a_flag:
            return character
        if character == "\u00ad":
            return ""  # a soft hyphen says only where a line may break
        return escape(character)

    return _HIDDEN.sub(shown, text)


def escape(character: str) -> str:
    r"""`\x1b`, `\u202e` or `\U000e0041`."""
    code = ord(character)
    if code < 0x100:
        return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _joins(text: str, at: int) -> bool:
    """Whether the joiner stands between two characters outside ASCII that it can join."""
    if at == 0 or at + 1 >= len(text):
        return False
    before, after = text[at - 1], text[at + 1]
    return before > "\u02ff" and after > "\u02ff" and before not in _JOINERS and after not in _JOINERS
