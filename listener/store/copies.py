"""The same text from several accounts: what campaigns and machines do."""

from __future__ import annotations

import hashlib
import re

LEAST_WORDS = 4  # many people say “muchas gracias” in the same words
_VARIES = re.compile(r"https?://\S+|[@#]\S+")  # what copies of one text are given of their own
_WORD = re.compile(r"\w+")


def copy_key(text: str) -> str:
    """16 hex digits that texts share if they are the same but for capitals, signs, links, handles and hashtags.

    Empty for a text of fewer than four words, of which nobody is the author.
    """
    words = _WORD.findall(_VARIES.sub(" ", text).casefold())
    if len(words) < LEAST_WORDS:
        return ""
    return hashlib.sha256(" ".join(words).encode("utf-8", "replace")).hexdigest()[:16]
