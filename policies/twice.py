"""Keys of a file that mean the same, like `Mastodon` and `mastodon`: one would silently take the other's place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, TypeAdapter, ValidationError

from policies.document import Document, Location
from policies.words import shown


def keys_that_stand_twice(document: Document, kind: type[BaseModel]) -> list[str]:
    """A problem for each key that a validator of `kind` reads as one above it. Works beside other problems."""
    found = _twice(document.data, kind, ())
    return [
        document.problem(
            (*place, later),
            f"`{shown(later)}` stands here twice (first in line {document.line((*place, first))}, as "
            f"`{shown(first)}`); keep one",
        )
        for place, first, later in found
    ]


def _twice(data: object, kind: Any, place: Location) -> Iterator[tuple[Location, str, str]]:
    for option in _options(kind):
        origin = get_origin(option)
        if isinstance(option, type) and issubclass(option, BaseModel) and isinstance(data, dict):
            yield from _in_block(data, option, place)
        elif origin in (dict, Mapping) and isinstance(data, dict):
            key, value = get_args(option)
            yield from _same(data, key, place)
            for name, inside in data.items():
                yield from _twice(inside, value, (*place, name))
        elif origin in (tuple, list):
            entries = list(enumerate(data)) if isinstance(data, list) else [(None, data)]  # one alone may stand there
            for index, inside in entries:
                yield from _twice(inside, get_args(option)[0], place if index is None else (*place, index))


def _in_block(data: Mapping[str, Any], kind: type[BaseModel], place: Location) -> Iterator[tuple[Location, str, str]]:
    fields = {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
    for name, inside in data.items():
        if name in fields:
            yield from _twice(inside, fields[name], (*place, name))
    if kind.model_config.get("extra") == "allow":
        more = {name: inside for name, inside in data.items() if name not in fields}
        yield from _twice(more, _hints(kind)["__pydantic_extra__"], place)


def _same(data: Mapping[str, Any], kind: Any, place: Location) -> Iterator[tuple[Location, str, str]]:
    first: dict[object, str] = {}
    for name in data:
        try:
            means = _reader(kind).validate_python(name)
        except ValidationError:
            continue  # told as what it is
        if first.setdefault(means, name) != name:
            yield place, first[means], name


def _options(kind: Any) -> Iterator[Any]:
    if get_origin(kind) is Annotated:
        yield from _options(get_args(kind)[0])
    elif get_origin(kind) in (Union, UnionType):
        for option in get_args(kind):
            yield from _options(option)
    else:
        yield kind


@cache
def _reader(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


@cache
def _hints(kind: type[BaseModel]) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)
