"""Under which name somebody acts, for the audit log, while there are no users: what its owner says.

It keeps slips out, not somebody with a shell. Once there are users, `identity.py` says who it is.
"""

from __future__ import annotations

import os
import pwd
import re
import unicodedata

from listener.errors import Mistake
from listener.escapes import visible

LONGEST = 80  # characters
DAEMON = "daemon"  # as who what nobody typed is done
NOBODYS = frozenset({DAEMON, "network", "policy", "rule", "uid"})  # first words of names that the log itself uses
_BLANK = re.compile("[\u2800\ufe00-\ufe0f]")  # they print, as nothing


def who_acts() -> str:
    """ESCUCHA_ACTOR, else the name on this machine. Raises Mistake for a name that could be taken for another's."""
    if name := chosen_name():
        return name
    name = system_user()
    return f"uid {os.getuid()}" if problem_of(name) else name


def chosen_name() -> str:
    """ESCUCHA_ACTOR, "" where it is not set. Raises Mistake for a name that could be taken for another's."""
    name = os.environ.get("ESCUCHA_ACTOR", "").strip()
    if name and (problem := problem_of(name)):
        raise Mistake(f"ESCUCHA_ACTOR={visible(name[:LONGEST])} {problem}.")
    return name


def system_user() -> str:
    """The name on this machine, as the system knows it and no variable says it."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container whose user has no name
        return f"uid {os.getuid()}"


def problem_of(name: str) -> str:
    """Why nobody may act under that name; empty where they may."""
    if len(name) > LONGEST:
        return f"is longer than {LONGEST} characters; use the name that colleagues know you by"
    if not name.isprintable() or visible(name) != name or _BLANK.search(name):
        return "holds characters that nobody can see; write the name that colleagues know you by"
    word = re.match(r"\w*", unicodedata.normalize("NFKC", name).casefold())
    if not word or not word[0] or word[0] in NOBODYS:
        return "looks like what Escucha itself writes into the audit log; use the name that colleagues know you by"
    return ""
