"""The networks that a policy names. A misspelt one is never heard of, so that what is said of it holds for nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from policies import document as documents
from policies.document import Document, Location
from policies.words import shown, suggestion

if TYPE_CHECKING:
    from policies.guard import Guarded
    from policies.schema import PolicyFile, When


def unknown_networks(policy: Guarded, known: Collection[str], path: Path | str = "policy") -> list[str]:
    """What the policy says of networks that there are not, `file:line: sentence` each, in the order of the file."""
    document = documents.parse(policy.text, str(path))
    names = {name.casefold() for name in known}
    found = {
        (document.line(_as_written(document, place)), name)
        for place, name in _named(policy.file)
        if name.casefold() not in names
    }
    return [
        f"{path}:{line}: there is no network `{shown(name)}`{suggestion(name, names)}" for line, name in sorted(found)
    ]


def _named(file: PolicyFile) -> Iterator[tuple[Location, str]]:
    for name in file.networks:
        yield ("networks", name), name
    for name in file.guard.colleagues:
        yield ("guard", "colleagues", name), name
    for template, wordings in file.templates.items():
        for name in wordings.networks:
            yield ("templates", template, "networks", name), name
    for index, only in enumerate(file.service_levels.only):
        for number, name in enumerate(only.network or ()):
            yield ("service_levels", "only", index, "network", number), name
    for index, rule in enumerate(file.rules):
        yield from _conditions(rule.when, ("rules", index, "when"))
    for index, part in enumerate(file.score.contributions):
        yield from _conditions(part.when, ("score", "contributions", index, "when"))


def _conditions(when: When, place: Location) -> Iterator[tuple[Location, str]]:
    for number, name in enumerate(when.network or ()):
        yield (*place, "network", number), name
    for key, blocks in (("all", when.all), ("any", when.any), ("none", when.none)):
        for index, block in enumerate(blocks):
            yield from _conditions(block, (*place, key, index))


def _as_written(document: Document, place: Location) -> Location:
    """The place with its last key as the file spells it: names of networks are read without regard to case."""
    data: object = document.data
    for key in place[:-1]:
        if not isinstance(data, Mapping):
            return place
        data = data.get(key)
    keys = data if isinstance(data, Mapping) else ()
    wanted = str(place[-1])
    return (*place[:-1], next((key for key in keys if str(key).strip().casefold() == wanted), place[-1]))
