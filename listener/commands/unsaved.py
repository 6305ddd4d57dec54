"""Words that were written in an editor for a draft and not saved in it: one file for each draft and person.

They outlive a terminal that is closed and a process that is killed. They go when they are saved, and when their draft
is done: what quotes a mention that was deleted must not stay.
"""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from listener.commands.app import App
from listener.errors import Mistake, NotFound
from listener.store import Transaction, inbox
from listener.store.inbox import Draft
from listener.types import DraftState

OPEN = (DraftState.PROPOSED, DraftState.APPROVED)  # what may still be edited


def file_of(app: App, number: int) -> Path:
    """Where this person's words for that draft lie, whether they do or not.

    Below $XDG_STATE_HOME, else ~/.local/state (XDG Base Directory Specification), apart by database.
    """
    return _folder(app) / f"D{number}-{_short(app.actor)}.txt"


def words(app: App, draft: Draft) -> str | None:
    """What was written for the draft and differs from it; None where nothing was."""
    try:
        written = tidy(file_of(app, draft.id).read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeError):
        return None
    return written if written != draft.text else None


def kept(app: App, draft: Draft) -> Path | None:
    """The file of words that differ from the draft; None where there are none."""
    return file_of(app, draft.id) if words(app, draft) is not None else None


def lay_down(app: App, draft: Draft, text: str) -> Path:
    """A file with that text, that nobody else may read, for an editor. Raises Mistake where it cannot be written."""
    path = file_of(app, draft.id)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            path.unlink()
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
            file.write(text if text.endswith("\n") else f"{text}\n")
    except OSError as error:
        raise Mistake(
            f"{path} cannot be written ({error.strerror}); set XDG_STATE_HOME to a folder of yours."
        ) from error
    return path


def forget(app: App, number: int) -> None:
    """Those words are saved, or nobody wants them."""
    with suppress(OSError):
        file_of(app, number).unlink()


def sweep(app: App) -> list[tuple[int, Path]]:
    """Removes the words whose draft is done; gives this person's that are left, with their drafts' numbers."""
    left = []
    for path in sorted(_folder(app).glob("D*-*.txt")):
        typed = path.name.partition("-")[0][1:]
        if not typed.isdigit():
            continue
        with app.store.read() as tx:
            draft = _draft(tx, int(typed[:18]))
        if draft is None or draft.state not in OPEN:
            with suppress(OSError):
                path.unlink()
        elif path == file_of(app, draft.id) and words(app, draft) is not None:
            left.append((draft.id, path))
    return left


def _draft(tx: Transaction, number: int) -> Draft | None:
    try:
        return inbox.get(tx, number)
    except NotFound:
        return None


def tidy(text: str) -> str:
    """What an editor gave back, without the line ends and blanks that no one meant."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").expandtabs(4).split("\n")
    return "\n".join(line.rstrip() for line in lines).strip("\n")


def _folder(app: App) -> Path:
    home = os.environ.get("XDG_STATE_HOME", "")
    state = Path(home) if home.startswith("/") else Path(os.path.expanduser("~/.local/state"))
    return state / "escucha" / _short(app.config.database.url)


def _short(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]
