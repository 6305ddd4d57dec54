"""The lines that could not be used, in a file to mend and bring again."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from listener.desk.spreadsheet import Record, Sheet, neutralise, restore
from listener.errors import Mistake


class Rejects:
    """The lines that could not be used, in a file beside the sheet, for repair and another try.

    Made when the first one comes, readable by its owner alone, never over a file that is there already: somebody may be
    mending it. In front of each line's cells stand why and where it was; reading the file again passes over those two.
    """

    COLUMNS = ("rejected_reason", "rejected_line")

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._file: IO[str] | None = None
        self.path: Path | None = None

    def add(self, record: Record, reason: str) -> None:
        """Writes one line. Raises Mistake where nothing can be written."""
        try:
            if self._file is None:
                self._file = self._make()
                self._write((*self.COLUMNS, *self._sheet.header))
            self._write((reason, str(record.first_line), *map(restore, record.cells)))
        except OSError as error:
            raise Mistake(
                f"The rejected lines cannot be written beside {self._sheet.path}: {error.strerror or error}."
            ) from error

    def flush(self) -> None:
        """Puts on disk what was written so far."""
        if self._file:
            self._file.flush()

    def close(self) -> None:
        """Ends the file, if there is one."""
        if self._file:
            self._file.close()

    def _write(self, cells: Sequence[str]) -> None:
        assert self._file is not None
        csv.writer(self._file, delimiter=self._sheet.delimiter).writerow([neutralise(cell) for cell in cells])

    def _make(self) -> IO[str]:
        stem = self._sheet.path.with_suffix("")
        for number in range(1, 10_000):
            path = Path(f"{stem}.rejected{'' if number == 1 else f'.{number}'}.csv")
            try:
                handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                continue
            self.path = path
            return os.fdopen(handle, "w", encoding="utf-8-sig", errors="surrogateescape", newline="")
        raise Mistake(f"There are too many files named {stem.name}.rejected….csv; clear them away.")
