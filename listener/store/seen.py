"""What a long run has met already, kept on disk so that memory stays the same however long it is."""

from __future__ import annotations

import sqlite3


class Seen:
    """Keys and where each was last met. A temporary file that nobody else sees and that ends with this object."""

    def __init__(self) -> None:
        self._link = sqlite3.connect("", isolation_level=None)
        self._link.execute("CREATE TABLE seen (key TEXT PRIMARY KEY, place INTEGER NOT NULL) WITHOUT ROWID")
        self._link.execute("BEGIN")

    def meet(self, key: str, place: int) -> int | None:
        """Where `key` was last met before now, None: never. From now on it was met at `place`."""
        if self._link.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (key, place)).rowcount:
            return None
        before: int = self._link.execute("SELECT place FROM seen WHERE key = ?", (key,)).fetchone()[0]
        self._link.execute("UPDATE seen SET place = ? WHERE key = ?", (place, key))
        return before

    def close(self) -> None:
        """Forgets everything."""
        self._link.close()
