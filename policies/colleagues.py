"""Who works with us, by the handles that the policy lists under `guard: colleagues:`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from listener.types import Situation

Colleagues = Mapping[str, Sequence[str]]  # network in small letters → handles; `*…` names all that end so


def is_colleague(handle: str, network: str, colleagues: Colleagues) -> bool:
    """Whether that handle is one of theirs on that network."""
    name = handle.removeprefix("@").casefold()
    for pattern in colleagues.get(network.casefold(), ()):
        wanted = pattern.casefold()
        if name.endswith(wanted[1:]) if wanted.startswith("*") else name == wanted.removeprefix("@"):
            return True
    return False


def who_answered(situation: Situation, colleagues: Colleagues) -> str:
    """The handle of the first of them who was heard answering the mention from an account of their own, or ""."""
    return next((who for who in situation.thread.repliers if is_colleague(who, situation.network, colleagues)), "")


def recognised(situation: Situation, colleagues: Colleagues) -> Situation:
    """The situation as the policy knows it: answered by a colleague also where it was from an account of their own."""
    if situation.thread.answered_by_colleague or not who_answered(situation, colleagues):
        return situation
    return replace(situation, thread=replace(situation.thread, answered_by_colleague=True))
