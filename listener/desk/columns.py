"""Which column of a customer file is what: by its name, by a mapping file, or by what a person answered."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from listener.desk.field_values import UNSAID, Habits
from listener.desk.repairs import Rejects
from listener.errors import Mistake
from listener.escapes import visible
from listener.reach import KINDS
from listener.store.customers import COLUMNS
from listener.store.field_types import FieldType

MAX_COLUMNS = 500

Target = tuple[str, str]  # what a column holds: ("name", ""), ("account", "mastodon"), ("field", "Sucursal"), ("", "")

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
    "products": ("products", "productos"),
    "payment:last_on": ("last payment", "last payment date", "ultimo pago", "fecha ultimo pago"),
    "payment:last_amount": ("last payment amount", "importe ultimo pago", "monto ultimo pago"),
    "payment:arrears": ("arrears", "deuda", "saldo deudor", "importe en mora"),
    "payment:arrears_since": ("arrears since", "en mora desde", "deuda desde"),
    "payment:currency": ("currency", "moneda"),
    "contract": ("contract", "contrato", "numero de contrato"),
    "contract:product": ("contract product", "producto del contrato"),
    "contract:from": ("contract from", "inicio del contrato"),
    "contract:until": ("contract until", "fin del contrato"),
}
NETWORK_NAMES = {"twitter": "x"}
IGNORE = "ignore"


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What each column holds, by its place. `types`: of the fields that have one, by their names as written."""

    columns: tuple[Target, ...]
    notes: tuple[str, ...] = ()
    types: Mapping[str, FieldType] = field(default_factory=dict)
    habits: Habits = UNSAID

    @property
    def has_names(self) -> bool:
        """Whether a line can make a customer; without a name, only those who are there already are changed."""
        return ("name", "") in self.columns

    @property
    def only_contracts(self) -> bool:
        """Whether a line is a contract, so that a customer may stand on several of them."""
        kinds = {kind for kind, _ in self.columns}
        return "contract" in kinds and kinds <= {"", "reference", "contract"}


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a file is to be read. `columns`: what each is, by its name as compared; `types`: of fields it declares."""

    columns: Mapping[str, Target] = field(default_factory=dict)
    types: tuple[FieldType, ...] = ()
    sheet: str = ""
    encoding: str = ""
    delimiter: str = ""
    habits: Habits = UNSAID


AS_IT_IS = Reading()


def fold(header: str) -> str:
    """A column's name as it is compared: no accents, no capitals, no signs between its words."""
    plain = unicodedata.normalize("NFKD", header[:200]).casefold()
    plain = "".join(character for character in plain if not unicodedata.combining(character))
    return " ".join(re.split(r"[\s_\-.]+", plain)).strip()


def knows(networks: Collection[str], reading: Reading = AS_IT_IS) -> Callable[[str], bool]:
    """Whether a column's name means something to us."""
    ours = {name for names in NAMES.values() for name in names} | set(reading.columns)

    def known(header: str) -> bool:
        try:
            return fold(header) in ours or said_by(header, networks) is not None
        except Mistake:
            return False

    return known


def target(text: str, networks: Collection[str], *, called: str = "") -> Target:
    """What somebody says that a column is: `name`, `account:x`, `consent:mail:marketing`, `field`, `ignore`.

    `called`: the column's own name, for a `field` without another. Raises Mistake.
    """
    said = text.strip()
    kind, _, rest = said.partition(":")
    kind, rest = kind.strip().casefold(), rest.strip()
    if kind == IGNORE and not rest:
        return "", ""
    if kind == "field":
        name = " ".join(visible(rest or called).split())[:100]
        if name:
            return "field", name
    elif f"{kind}:{rest.casefold()}" in NAMES:
        return kind, rest.casefold()
    elif kind in NAMES and not rest:
        return kind, ""
    else:
        found = _prefixed(kind, rest, networks)
        if found is not None:
            return found
    plain = [*COLUMNS, "reference", "products", "contract"]
    known = ", ".join([*sorted(name for name in plain if name != "fields"), "field", "account:NETWORK", "contact:KIND"])
    raise Mistake(
        f"{visible(said)[:60]!r} is nothing that a column can be; there are: {known}, consent:CHANNEL:PURPOSE, "
        f"{', '.join(name for name in NAMES if ':' in name)}, ignore."
    )


def said_by(header: str, networks: Collection[str]) -> Target | None:
    """What a column's name says by itself, beside the names above; raises Mistake for a network that there is not."""
    kind, colon, rest = header.partition(":")
    if colon:
        kind = {
            "cuenta": "account",
            "contacto": "contact",
            "consentimiento": "consent",
            "pago": "payment",
            "campo": "field",
        }.get(fold(kind), fold(kind))
        found = _prefixed(kind, rest.strip(), networks)
        if found is None and kind == "account":
            raise Mistake(
                f"The column {visible(header)[:60]!r} names no network; there are: {', '.join(sorted(networks))}."
            )
        return found
    name = NETWORK_NAMES.get(fold(header), fold(header))
    return ("account", name) if name in networks else None


def _prefixed(kind: str, rest: str, networks: Collection[str]) -> Target | None:
    name = "_".join(rest.split()).casefold()
    if kind == "field":
        return ("field", " ".join(visible(rest).split())[:100]) if rest else None
    if kind == "account":
        name = NETWORK_NAMES.get(name, name)
        return ("account", name) if name in networks else None
    if kind == "contact":
        return ("contact", name) if name in KINDS else None
    if kind == "consent":
        channel, colon, purpose = name.partition(":")
        well = channel and (purpose or not colon) and ":" not in purpose and len(name) <= 100
        return ("consent", f"{channel}:{purpose}" if colon else f"any:{channel}") if well else None
    return (kind, name) if f"{kind}:{name}" in NAMES else None


def layout(
    header: Sequence[str],
    networks: Collection[str],
    reading: Reading = AS_IT_IS,
    types: Mapping[str, FieldType] | None = None,
) -> Layout:
    """What the columns hold; `types`: the declared ones, by name in small letters.

    Raises Mistake, in one sentence, where a customer file lacks or repeats a column.
    """
    check(header)
    columns: list[Target] = [("", "")] * len(header)
    folded = [fold(name) for name in header]
    said = {number: reading.columns[name] for number, name in enumerate(folded) if name in reading.columns}
    notes = [f"The mapping speaks of {name!r}, which is no column." for name in reading.columns if name not in folded]
    for number, found in said.items():
        columns[number] = found
    for column, names in NAMES.items():
        kind, _, name = column.partition(":")
        there = [folded.index(each) for each in names if each in folded and folded.index(each) not in said]
        if (kind, name) in columns:
            continue
        if there:
            columns[there[0]] = (kind, name)
        for more in there[1:]:
            notes.append(f"{column} is read from {header[there[0]]!r}; {header[more]!r} is kept as a further field.")
    for number, name in enumerate(header):
        if number in said or columns[number][0] or not name or name in Rejects.COLUMNS:
            continue
        columns[number] = said_by(name, networks) or ("field", " ".join(visible(name).split())[:100])
    _check_whole(header, columns)
    declared = {**(types or {}), **{each.name.casefold(): each for each in reading.types}}
    fields = {
        name: declared[name.casefold()] for kind, name in columns if kind == "field" and name.casefold() in declared
    }
    return Layout(columns=tuple(columns), notes=tuple(notes), types=fields, habits=reading.habits)


def check(header: Sequence[str]) -> None:
    """Raises Mistake where a header has too many columns, or two of one name."""
    if len(header) > MAX_COLUMNS:
        raise Mistake(f"The header has {len(header):,} columns, more than {MAX_COLUMNS}; is this a customer file?")
    folded = [fold(name) for name in header]
    for name, number in [(name, n) for n, name in enumerate(folded) if name and folded.index(name) != n]:
        raise Mistake(f"The columns {folded.index(name) + 1} and {number + 1} are both called {header[number]!r}.")


def _check_whole(header: Sequence[str], columns: Sequence[Target]) -> None:
    once = [column for column in columns if column[0] and column[0] not in ("field", "account", "contact")]
    for kind, name in once:
        if once.count((kind, name)) > 1:
            raise Mistake(f"Two columns are said to be {f'{kind}:{name}' if name else kind}; let one be it.")
    kinds = {kind for kind, _ in columns}
    if "contract" in kinds and ("contract", "") not in columns:
        raise Mistake("The file speaks of contracts and has no column for their references; name one 'contract'.")
    for column in ("reference", "name"):
        if (column, "") not in columns and not (column == "name" and "contract" in kinds):
            raise Mistake(
                f"There is no column for the {column}: name one of {_listed(header)} "
                f"{column!r} (or {', '.join(NAMES[column][1:])}), or say with --ask or --mapping which it is."
            )


def _listed(header: Sequence[str]) -> str:
    names = [repr(visible(name)[:30]) for name in header[:12]]
    return ", ".join(names) + (", …" if len(header) > 12 else "")
