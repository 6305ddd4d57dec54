"""What the labels of a model that is being imported mean in ours: as said, as answered, or as their names suggest."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from listener.commands.asking import ask
from listener.commands.output import clip, complain, say
from listener.errors import Mistake

if TYPE_CHECKING:
    from listener.model.mapping import Ours


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What the person said about labels and questions."""

    labels: tuple[str, ...]
    multi_label: bool
    yes: bool
    as_json: bool

    @property
    def may_ask(self) -> bool:
        """Whether somebody is there to answer."""
        return not self.yes and not self.as_json and sys.stdin.isatty()


def mapped(theirs: Sequence[str], wishes: Wishes) -> dict[str, Ours]:
    """What each label of theirs means: as said, as answered, or, with --yes, as guessed.

    Raises Mistake, naming what is missing, where nobody is there to answer.
    """
    from listener.model import mapping

    said = mapping.given(wishes.labels, theirs)
    guesses = mapping.propose(theirs)
    open_ = [label for label in theirs if label not in said]
    if wishes.yes:
        said |= {label: guesses[label] for label in open_ if label in guesses}
        for label in (label for label in open_ if label in guesses):
            complain(f"{label} is taken for {mapping.spell(guesses[label])}.")
        open_ = [label for label in open_ if label not in guesses]
    elif wishes.may_ask and open_:
        say(f"Its labels, and what they mean in ours: {', '.join(mapping.EVERY)}.")
        for label in open_:
            default = mapping.spell(guesses[label]) if label in guesses else None
            answer = ask(f"  {clip(label, 60)} means", _read_label, default=default)
            said[label] = mapping.read(answer)
        open_ = []
    if open_:
        options = [f"--label {shlex.quote(label)}={_guess(guesses, label)}" for label in open_]
        raise Mistake(
            f"Say what its labels mean in ours, with {' '.join(options)} (ours are: {', '.join(mapping.EVERY)})"
            + (", or take the guesses with --yes." if all(label in guesses for label in open_) else ".")
        )
    return {label: said[label] for label in theirs}


def _read_label(answer: str) -> str:
    from listener.model import mapping

    return mapping.spell(mapping.read(answer))


def _guess(guesses: Mapping[str, Ours], label: str) -> str:
    from listener.model import mapping

    return mapping.spell(guesses[label]) if label in guesses else "…"
