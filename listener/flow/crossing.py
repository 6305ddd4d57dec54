"""crossing: what two processes stood in each other's way in is done once more."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from listener.errors import Crossed

TRIES = 5

Result = TypeVar("Result")


def again(work: Callable[[], Result]) -> Result:
    """What `work` gives, done once more where another process stood in its way, `TRIES` times in all.

    Work that is done whole or not at all only. Raises Crossed where each time somebody did.
    """
    for left in reversed(range(TRIES)):
        try:
            return work()
        except Crossed:
            if not left:
                raise
            time.sleep(random.uniform(0, 0.2))  # noqa: S311  so that the two do not meet again
    raise AssertionError("no try was made")
