"""Files that only their owner may read: what is in them quotes people."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from listener.errors import Mistake


@contextmanager
def written(path: Path) -> Iterator[TextIO]:
    """A new file, open for writing; once it is whole, it takes the place of a file or link that stood there.

    Raises Mistake where it cannot be written.
    """
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # 0600 from its beginning
        try:
            with open(descriptor, "w", encoding="utf-8") as stream:
                yield stream
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise Mistake(f"{path} cannot be written ({error.strerror}); name another file.") from error
