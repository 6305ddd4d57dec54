"""Several things done at one moment, as people and processes do them."""

from __future__ import annotations

import threading
from collections.abc import Callable

from listener.errors import Mistake


def at_once(*doings: Callable[[], object]) -> list[object]:
    """What came of each, all begun at one moment: its result, or the mistake that it was."""
    came: list[object] = [None] * len(doings)
    gate = threading.Barrier(len(doings))

    def run(number: int) -> None:
        gate.wait()
        try:
            came[number] = doings[number]()
        except Mistake as mistake:
            came[number] = mistake

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(doings))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return came
