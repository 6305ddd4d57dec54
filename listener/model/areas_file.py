"""Where the learned areas lie, for who only asks whether there are any: `fewshot.py` reads them, and loads numpy."""

from __future__ import annotations

from pathlib import Path

from listener.errors import Mistake

FILE = "areas.npz"


def there(path: Path) -> bool:
    """Whether there is such a file. Raises Mistake where nobody may look."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise Mistake(f"{path} cannot be read ({error.strerror}); let Escucha read it, or move it away.") from error
    return True
