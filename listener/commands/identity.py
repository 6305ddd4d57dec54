"""Who is at the command line: a user, by a token or by the name on this machine.

Before anybody was added, whoever sits there may do everything, under the name that they give.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from listener.commands.actor import chosen_name, system_user, who_acts
from listener.errors import Mistake
from listener.escapes import visible

if TYPE_CHECKING:
    from listener.store import Transaction
    from listener.store.users import User

TOKEN = "ESCUCHA_TOKEN"  # noqa: S105 the name of a variable
LONGEST_TOKEN = 200  # characters


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who acts. `name` stands in the audit log; `user` is None where nobody was added yet, and for a stranger.

    `token`: the number of the token that showed it, None where the machine did. `only`: the commands that this token
    is for; None: all that the user may call.
    """

    name: str
    user: User | None = None
    token: int | None = None
    only: tuple[str, ...] | None = None
    stranger: bool = False

    @property
    def anybody(self) -> bool:
        """Whether nobody was added yet, so that everybody may do everything."""
        return self.user is None and not self.stranger


def of(tx: Transaction, now: datetime) -> Identity:
    """Who acts on this database. Raises Mistake for a token that is nobody's, and for who says to be somebody else."""
    from listener.store import tokens, users

    if not users.there_are(tx):
        return Identity(name=who_acts())
    machine, words, token = system_user(), _token(), None
    if words is None:
        user = users.on_machine(tx, machine)
    else:
        owner = tokens.owner(tx, words, now)
        if owner is None:
            raise Mistake(
                f"{TOKEN} is nobody's token, was taken back, or has run out; an admin makes another with "
                "`escucha user token`."
            )
        user, token = owner
    claimed = chosen_name()
    if claimed and (user is None or not users.same_person(claimed, user.name)):
        whose = "nobody" if user is None else user.name
        raise Mistake(
            f"ESCUCHA_ACTOR={visible(claimed)[:80]} makes nobody somebody else: this is {whose} here; unset it, or set "
            f"{TOKEN} to a token of {visible(claimed)[:80]}."
        )
    if user is None:
        return Identity(name=f"uid {os.getuid()} ({machine})"[:100], stranger=True)
    if not user.enabled:
        raise Mistake(f"{user.name} is disabled; an admin lets them in again with `escucha user enable {user.name}`.")
    return Identity(name=user.name, user=user, token=token.id if token else None, only=token.only if token else None)


def _token() -> str | None:
    """The token in the environment, or in the file that it names."""
    from listener import log

    words, file = os.environ.get(TOKEN, "").strip(), os.environ.get(f"{TOKEN}_FILE", "").strip()
    if words and file:
        raise Mistake(f"{TOKEN} and {TOKEN}_FILE are both set; unset one of them.")
    if file:
        try:
            words = Path(file).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise Mistake(f"{TOKEN}_FILE={visible(file)[:200]} cannot be read ({reason}).") from error
        if not words:
            raise Mistake(f"{TOKEN}_FILE={visible(file)[:200]} is empty.")
    if not words:
        return None
    log.hide([words])
    if len(words) > LONGEST_TOKEN:
        raise Mistake(f"{TOKEN} is no token: it is too long.")
    return words
