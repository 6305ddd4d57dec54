"""What is held about a person, as files that they can read: one page, and each kind of thing as CSV and JSON.

The folder appears whole or not at all, readable for its owner alone, and never over one that is there.
"""

from __future__ import annotations

import csv
import html
import io
import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from listener.desk import dossier_words
from listener.desk.dossier_words import Words
from listener.desk.spreadsheet import neutralise
from listener.errors import Mistake, Outage
from listener.escapes import visible
from listener.store import Transaction, dossiers
from listener.store.personal import Person

_SAFE = re.compile(r"[^A-Za-z0-9._-]+")
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%;margin:.5rem 0 2rem}"
    "th,td{text-align:left;vertical-align:top;border-top:1px solid #bbb;padding:.3rem .6rem .3rem 0;"
    "overflow-wrap:anywhere}"
)


@dataclass(frozen=True, kw_only=True)
class Handed:
    """What was written: the folder, its files, and how many things of each kind."""

    folder: Path
    files: tuple[str, ...]
    counts: Mapping[str, int]


def hand_over(tx: Transaction, person: Person, folder: Path, *, language: str, company: str, now: datetime) -> Handed:
    """Writes everything into the folder. Raises Mistake where it is there already, Outage where nothing can be written.

    `language` is the person's, `company` what the company is called; the page names both day and company.
    """
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise Mistake(f"{folder} exists already; name a folder that is not there yet.")
    half = folder.with_name(folder.name + ".part")
    try:
        half.mkdir(mode=0o700)
    except FileExistsError:
        raise Mistake(f"{half} is left from an export that was interrupted; delete it, then do it again.") from None
    except OSError as error:
        raise Mistake(f"{half} cannot be made ({error.strerror}); name another folder.") from error
    try:
        words = dossier_words.of(language)
        intro = words.title.format(company=company), words.intro.format(company=company, day=f"{now:%Y-%m-%d}")
        handed = _write(tx, person, half, words, intro)
        if folder.exists():
            folder.rmdir()
        half.rename(folder)
    except OSError as error:
        shutil.rmtree(half, ignore_errors=True)
        raise Outage(f"Nothing was written to {folder}: {error.strerror or error}.") from error
    except BaseException:
        shutil.rmtree(half, ignore_errors=True)
        raise
    return Handed(folder=folder, files=handed.files, counts=handed.counts)


def _write(tx: Transaction, person: Person, folder: Path, words: Words, intro: tuple[str, str]) -> Handed:
    counts: dict[str, int] = {}
    files: list[str] = []
    parts: list[str] = []
    for kind in dossiers.KINDS:
        found = list(dossiers.rows(tx, kind, person))
        counts[kind] = len(found)
        parts.append(_part(words, kind, found))
        if found:
            _put(folder / f"{kind}.csv", _csv(found).encode("utf-8-sig"))
            _put(folder / f"{kind}.json", json.dumps(list(map(_plain, found)), ensure_ascii=False, indent=2).encode())
            files += [f"{kind}.csv", f"{kind}.json"]
    pictures = []
    for number, (draft, name, data) in enumerate(dossiers.pictures(tx, person), start=1):
        path = f"picture-{number}-answer-{draft}-{_SAFE.sub('-', name)[-80:]}"
        _put(folder / path, data)
        pictures.append(path)
    _put(folder / "index.html", _page(words, intro, parts, [*files, *pictures], pictures).encode())
    return Handed(folder=folder, files=("index.html", *files, *pictures), counts=counts | {"pictures": len(pictures)})


def _put(path: Path, content: bytes) -> None:
    file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
    with os.fdopen(file, "wb") as out:
        out.write(content)


def _csv(found: Iterable[Mapping[str, Any]]) -> str:
    """As a spreadsheet opens it; no cell can be taken for a formula."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    for number, row in enumerate(found):
        if number == 0:
            writer.writerow(row)
        writer.writerow([neutralise(_text(value)) for value in row.values()])
    return out.getvalue()


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in row.items()}


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M:%S UTC")
        case list():
            return ", ".join(map(_text, value))
        case dict():
            return "; ".join(f"{name}: {_text(inner)}" for name, inner in value.items() if inner not in (None, ""))
    return str(value)


# --- the page ---


def _page(
    words: Words, intro: tuple[str, str], parts: Iterable[str], files: Iterable[str], pictures: Iterable[str]
) -> str:
    title, said = map(_safe, intro)
    shown = "".join(f'<p><img src="{_safe(each)}" alt="" style="max-width:100%"></p>' for each in pictures)
    return (
        f'<!doctype html><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        f"<h1>{title}</h1><p>{said}</p><p>{_safe(words.left_out)}</p>{''.join(parts)}"
        + (f"<h2>{_safe(words.pictures)}</h2>{shown}" if shown else "")
        + f"<h2>{_safe(words.files)}</h2><ul>"
        + "".join(f'<li><a href="{_safe(each)}">{_safe(each)}</a>' for each in files)
        + "</ul>\n"
    )


def _part(words: Words, kind: str, found: list[dict[str, Any]]) -> str:
    heading = f"<h2>{_safe(words.kinds[kind])}</h2>"
    if not found:
        return f"{heading}<p>{_safe(words.nothing)}</p>"
    names = [name for name in found[0] if any(row[name] not in (None, "", [], {}) for row in found)]
    head = "".join(f"<th>{_safe(words.columns[name])}" for name in names)
    lines = "".join("<tr>" + "".join(f"<td>{_safe(_text(row[name]))}" for name in names) for row in found)
    return f"{heading}<table><tr>{head}{lines}</table>"


def _safe(text: str) -> str:
    return html.escape(visible(text, lines=True)).replace("\n", "<br>")
