"""Files that only their owner may read: what is in them quotes people."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from listener.errors import Mistake


@contextmanager
def written(path: Path) -> Iterator[TextIO]:
    """The file, empty and open for writing. Raises Mistake where it cannot be written."""
    try:
        number = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(number, "w", encoding="utf-8") as stream:
            yield stream
    except OSError as error:
        raise Mistake(f"{path} cannot be written ({error.strerror}); name another file.") from error
