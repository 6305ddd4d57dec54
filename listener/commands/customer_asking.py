"""Asking a person which column of a customer file is what."""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from listener.commands.output import clip, complain
from listener.errors import Mistake
from listener.escapes import visible

if TYPE_CHECKING:
    from listener.desk.columns import Reading, Target
    from listener.desk.spreadsheet import Sheet
    from listener.store.field_types import FieldType

SAMPLES = 3


def asked(sheet: Sheet, networks: Collection[str], reading: Reading) -> Reading:
    """What the person says of every column; Enter takes what is guessed. Raises Mistake where nobody can be asked."""
    from listener.desk import columns, mapping

    if not sys.stdin.isatty():
        raise Mistake("--ask needs somebody at a terminal; say which column is what with --mapping.")
    columns.check(sheet.header)
    guessed = _guessed(sheet, networks, reading)
    samples = [record.cells for record in islice(sheet.records(), 200) if not record.trouble]
    complain(
        "For each column: reference, name, email, phone, language, tier, tags, since, products, contract,\n"
        "payment:arrears, contact:phone, consent:mail:marketing, account:mastodon, …\n"
        "field (kept with the record), or ignore. Enter takes what stands in brackets."
    )
    found: dict[str, Target] = {}
    types: list[FieldType] = list(reading.types)
    for number, name in enumerate(sheet.header):
        if not name:
            continue
        values = dict.fromkeys(cells[number] for cells in samples if number < len(cells) and cells[number].strip())
        shown = ", ".join(clip(value, 20) for value in islice(values, SAMPLES))
        complain(f"\n{clip(name, 40)}" + f"   such as: {shown}" * bool(shown))
        found[name] = _one(name, guessed[number], networks)
        if found[name][0] == "field" and (declared := _type(found[name][1], types)):
            types.append(declared)
    said = replace(reading, columns={columns.fold(name): each for name, each in found.items()}, types=tuple(types))
    columns.layout(sheet.header, networks, said)  # before anybody is asked where to write it
    place = click.prompt("\nWrite this mapping to a file? Its name, or Enter for none", default="", show_default=False)
    if place.strip():
        _save(Path(place.strip()), mapping.written(said, found))
    return said


def _guessed(sheet: Sheet, networks: Collection[str], reading: Reading) -> list[Target]:
    from listener.desk import columns

    try:
        return list(columns.layout(sheet.header, networks, reading).columns)
    except Mistake:
        known = {name: tuple(key.split(":", 1)) for key, names in columns.NAMES.items() for name in names}
        plain = [known.get(columns.fold(name), ("field", name)) for name in sheet.header]
        return [(each[0], each[1] if len(each) > 1 else "") for each in plain]


def _one(name: str, guess: Target, networks: Collection[str]) -> Target:
    from listener.desk import columns

    kind, of = guess
    default = "field" if kind == "field" else f"{kind}:{of}" if of else kind or columns.IGNORE
    while True:
        answer = click.prompt("  is", default=default)
        try:
            return columns.target(answer, networks, called=name)
        except Mistake as mistake:
            complain(f"  {mistake}")


def _type(name: str, known: list[FieldType]) -> FieldType | None:
    from listener.desk import field_values

    if any(each.name.casefold() == name.casefold() for each in known):
        return None
    while True:
        answer = click.prompt("  holds (text, number, money EUR, date, yes_no, choice A|B)", default="text")
        kind, _, rest = answer.strip().partition(" ")
        try:
            choices = tuple(rest.split("|")) if kind == "choice" else ()
            currency = rest if kind != "choice" else ""
            declared = field_values.declared(name, kind, currency=currency, choices=choices)
        except Mistake as mistake:
            complain(f"  {mistake}")
            continue
        return None if kind == "text" else declared


def _save(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise Mistake(f"{visible(str(path))} is there already; nothing was imported. Choose another name.") from None
    except OSError as error:
        raise Mistake(f"{visible(str(path))} cannot be written: {error.strerror or error}.") from error
    complain(f"Next time: --mapping {visible(str(path))}")
