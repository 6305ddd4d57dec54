"""One line of a customer file: which column means what, and what a record may hold."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from listener.desk import field_values
from listener.desk.customers import check_handle
from listener.desk.spreadsheet import Rejects, restore
from listener.errors import Mistake
from listener.escapes import visible
from listener.store.customers import COLUMNS, Customer, Edit

MAX_REFERENCE = 80
MAX_CELL = 10_000
MAX_TAGS = 50
MAX_HANDLES = 20
MAX_COLUMNS = 500

# What a column may be called; where several are there, the first rules and the others go to the further fields.
NAMES: Mapping[str, tuple[str, ...]] = {
    "reference": ("reference", "ref", "referencia", "legajo", "customer id", "id cliente", "numero de cliente", "id"),
    "name": ("name", "full name", "nombre completo", "nombre y apellido", "nombre", "razon social"),
    "email": ("email", "e mail", "correo electronico", "correo", "mail"),
    "phone": ("phone", "telefono", "mobile", "movil", "celular", "tel"),
    "language": ("language", "idioma", "lang"),
    "tier": ("tier", "nivel", "categoria", "plan"),
    "tags": ("tags", "etiquetas"),
    "since": ("since", "customer since", "cliente desde", "fecha de alta"),
}
NETWORK_NAMES = {"twitter": "x"}
LANGUAGES = {"espanol": "es", "castellano": "es", "spanish": "es", "ingles": "en", "english": "en", "portugues": "pt"}
LANGUAGES |= {"portuguese": "pt", "frances": "fr", "french": "fr", "italiano": "it", "italian": "it", "aleman": "de"}
LANGUAGES |= {"german": "de", "catalan": "ca"}

_EMAIL = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")
_PHONE = re.compile(r"[+()\d\s.,/#*-]+(?:(?:ext|int)\.?\s*\d+)?", re.IGNORECASE)
_SCIENTIFIC = re.compile(r"\d+[.,]?\d*E\+?\d+", re.IGNORECASE)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What each column holds, by its place: `("name", "")`, `("account", "mastodon")`, `("field", "Sucursal")`."""

    columns: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Person:
    """One checked line. `values` and `fields` hold only what the file has columns for."""

    reference: str
    values: Mapping[str, Any]
    fields: Mapping[str, Any] = field(default_factory=dict)  # by their types
    handles: tuple[tuple[str, str], ...] = ()  # (network, handle)


def fold(header: str) -> str:
    """A column's name as it is compared: no accents, no capitals, no signs between its words."""
    plain = unicodedata.normalize("NFKD", header[:200]).casefold()
    plain = "".join(character for character in plain if not unicodedata.combining(character))
    return " ".join(re.split(r"[\s_\-.]+", plain)).strip()


def knows(networks: Collection[str]) -> Callable[[str], bool]:
    """Whether a column's name means something to us."""
    ours = {name for names in NAMES.values() for name in names}

    def known(header: str) -> bool:
        try:
            return fold(header) in ours or _network(header, networks) is not None
        except Mistake:
            return False

    return known


def _network(header: str, networks: Collection[str]) -> str | None:
    """The network whose accounts the column names; raises Mistake for one that there is not."""
    said = re.fullmatch(r"\s*(?:account|cuenta)\s*:\s*(.*?)\s*", header, re.IGNORECASE)
    name = said[1].casefold() if said else fold(header)
    name = NETWORK_NAMES.get(name, name)
    if name in networks:
        return name
    if said:
        raise Mistake(
            f"The column {visible(header)[:60]!r} names no network; there are: {', '.join(sorted(networks))}."
        )
    return None


def layout(header: Sequence[str], networks: Collection[str]) -> Layout:
    """What the columns hold. Raises Mistake, in one sentence, where a customer file lacks or repeats one."""
    if len(header) > MAX_COLUMNS:
        raise Mistake(f"The header has {len(header):,} columns, more than {MAX_COLUMNS}; is this a customer file?")
    columns: list[tuple[str, str]] = [("", "")] * len(header)
    folded = [fold(name) for name in header]
    for name, number in [(name, n) for n, name in enumerate(folded) if name and folded.index(name) != n]:
        raise Mistake(f"The columns {folded.index(name) + 1} and {number + 1} are both called {header[number]!r}.")
    notes = []
    for column, names in NAMES.items():
        there = [folded.index(name) for name in names if name in folded]
        if there:
            columns[there[0]] = (column, "")
        for more in there[1:]:
            notes.append(f"{column} is read from {header[there[0]]!r}; {header[more]!r} is kept as a further field.")
    for number, name in enumerate(header):
        if columns[number][0] or not name or name in Rejects.COLUMNS:
            continue
        network = _network(name, networks)
        columns[number] = ("account", network) if network else ("field", " ".join(visible(name).split())[:100])
    for column in ("reference", "name"):
        if (column, "") not in columns:
            raise Mistake(
                f"There is no column for the {column}: name one of {_listed(header)} "
                f"{column!r} (or {', '.join(NAMES[column][1:])})."
            )
    return Layout(columns=tuple(columns), notes=tuple(notes))


def _listed(header: Sequence[str]) -> str:
    names = [repr(visible(name)[:30]) for name in header[:12]]
    return ", ".join(names) + (", …" if len(header) > 12 else "")


def read(shape: Layout, cells: Sequence[str]) -> Person | str:
    """The person on one line, or everything that is wrong with it in one line of reasons."""
    if len(cells) < len(shape.columns) or any(cell.strip() for cell in cells[len(shape.columns) :]):
        return f"it has {len(cells)} cells where the header has {len(shape.columns)}"
    values: dict[str, Any] = {}
    fields: dict[str, str] = {}
    handles: list[tuple[str, str]] = []
    wrong: list[str] = []
    for (kind, name), raw in zip(shape.columns, cells, strict=False):
        if not kind:
            continue
        called = name or kind
        try:
            cell = unicodedata.normalize("NFC", restore(raw)).strip() if len(raw) <= MAX_CELL else raw
            check_text(called, cell)
            if kind == "field":
                fields[name] = cell
            elif kind == "account":
                handles += [(name, check_handle(handle)) for handle in re.split(r"[\s,;]+", cell) if handle]
            else:
                values[kind] = CHECKS[kind](cell)
        except Mistake as mistake:
            wrong.append(str(mistake).rstrip("."))
    if len(handles) > MAX_HANDLES:
        wrong.append(f"it has {len(handles)} accounts, more than {MAX_HANDLES}")
    if wrong:
        return "; ".join(wrong)
    reference = values.pop("reference")
    return Person(reference=reference, values=values, fields=fields, handles=tuple(dict.fromkeys(handles)))


# --- one check for each column; each gives the value as it is kept, or raises Mistake ---


def check_reference(text: str) -> str:
    """The reference by which the company knows the customer."""
    if not text:
        raise Mistake("The reference is empty.")
    if len(text) > MAX_REFERENCE or visible(text) != text:
        raise Mistake(
            f"The reference {visible(text)[:40]!r} has hidden characters or more than {MAX_REFERENCE} of them."
        )
    return text


def check_name(text: str) -> str:
    """The customer's name in one line."""
    name = " ".join(text.split())
    if not name:
        raise Mistake("The name is empty.")
    if len(name) > 300:
        raise Mistake("The name is longer than 300 characters.")
    return name


def check_email(text: str) -> str | None:
    """The address, None where there is none."""
    if text and (len(text) > 320 or not _EMAIL.fullmatch(text) or visible(text) != text):
        raise Mistake(f"{visible(text)[:60]!r} is no e-mail address.")
    return text or None


def check_phone(text: str) -> str | None:
    """The number as it was written, None where there is none."""
    if _SCIENTIFIC.fullmatch(text):
        raise Mistake(f"The spreadsheet program changed the phone number to {text!r}; format the column as text.")
    if text and (len(text) > 50 or not _PHONE.fullmatch(text) or sum(map(str.isdigit, text)) < 3):
        raise Mistake(f"{visible(text)[:60]!r} is no phone number.")
    return text or None


def check_language(text: str) -> str:
    """ISO 639-1: from `es`, `es-AR`, `Español`. "" where nobody knows."""
    plain = fold(text)
    code = LANGUAGES.get(plain) or plain.split(" ")[0]
    if text and not re.fullmatch("[a-z]{2}", code):
        raise Mistake(f"{visible(text)[:40]!r} is no language; write its two letters, such as es or en.")
    return code


def check_tier(text: str) -> str:
    """How the company ranks the customer, in its own words."""
    if len(text) > 50 or visible(text) != text:
        raise Mistake(f"The tier {visible(text)[:40]!r} has hidden characters or more than 50 of them.")
    return text


def check_tags(text: str) -> tuple[str, ...]:
    """Tags, from words between commas, semicolons or bars."""
    tags = dict.fromkeys(" ".join(tag.split()) for tag in re.split("[,;|]", text))
    tags.pop("", None)
    if len(tags) > MAX_TAGS or any(len(tag) > 50 or visible(tag) != tag for tag in tags):
        raise Mistake(f"There are more than {MAX_TAGS} tags, or one is too long or has hidden characters.")
    return tuple(tags)


def check_since(text: str) -> date | None:
    """The day they became a customer, None where nobody knows."""
    return field_values.day(text) if text else None


def check_text(called: str, text: str) -> None:
    """Raises Mistake where a cell is too long or holds control characters."""
    if len(text) > MAX_CELL:
        raise Mistake(f"{called} is {len(text):,} characters long, more than {MAX_CELL:,}.")
    if found := _CONTROL.search(text):
        raise Mistake(f"{called} holds the control character {visible(found[0])}.")


CHECKS: Mapping[str, Callable[[str], Any]] = {
    "reference": check_reference,
    "name": check_name,
    "email": check_email,
    "phone": check_phone,
    "language": check_language,
    "tier": check_tier,
    "tags": check_tags,
    "since": check_since,
}
EMPTY: Mapping[str, Any] = {name: empty for name, empty in COLUMNS.items() if name != "fields"}


def merged(person: Person, before: Customer | None) -> Edit:
    """The record as it is to be: what the file has columns for is as the file says, the rest as it was.

    A further field whose cell is empty is taken away.
    """
    was = {column: getattr(before, column) if before else empty for column, empty in EMPTY.items()}
    now = {**was, **person.values}
    old = dict(before.fields) if before else {}
    fields = {name: value for name, value in {**old, **person.fields}.items() if value != ""}
    changed = [column for column in EMPTY if now[column] != was[column]]
    changed += sorted(f"fields.{name}" for name in {*old, *fields} if old.get(name) != fields.get(name))
    values = {**now, "tags": list(now["tags"]), "fields": fields}
    return Edit(reference=person.reference, values=values, changed=tuple(changed))
