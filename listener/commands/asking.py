"""Questions that are asked again after an answer that makes no sense, and what to say of a secret that is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from listener.errors import EscuchaError, Mistake

if TYPE_CHECKING:
    from pydantic import BaseModel


UNREACHED = "Check the address and your connection; it may also be their trouble."


def ask(question: str, read: Callable[[str], str] = str.strip, **more: Any) -> str:
    """The answer as `read` understands it; where it raises Mistake, that is said and the question comes again."""

    def understood(answer: str) -> str:
        try:
            return read(answer)
        except Mistake as mistake:
            raise click.UsageError(str(mistake)) from mistake

    answer: str = click.prompt(question, value_proc=understood, **more)
    return answer


def named(what: str) -> Callable[[str], str]:
    """A `read` that takes anything but nothing."""

    def read(answer: str) -> str:
        if not answer.strip():
            raise Mistake(f"Say {what}.")
        return answer.strip()

    return read


def fitting(model: type[BaseModel], key: str, *, or_empty: bool = False) -> Callable[[str], str]:
    """A `read` that takes what that setting takes; with `or_empty` also nothing."""
    from pydantic import ValidationError

    def read(answer: str) -> str:
        if or_empty and not answer.strip():
            return ""
        try:
            model.model_validate({key: answer.strip()})
        except ValidationError as error:
            for problem in error.errors(include_url=False):
                if problem["loc"][:1] == (key,):
                    said = problem["msg"].removeprefix("Value error, ")
                    raise Mistake(f"{said[:1].upper()}{said[1:]}.") from None
        return answer.strip()

    return read


def where_from(account: str, settings: BaseModel, said: str) -> str:
    """Which variable holds the secret that `said` finds missing; empty where it speaks of none."""
    from listener.config import env_name, is_secret

    model = type(settings)
    missing = [
        key for key in model.model_fields if is_secret(model, key) and getattr(settings, key) is None and key in said
    ]
    return " ".join(
        f"{key} comes from the environment, never from the file: set {name} or {name}_FILE."
        for key in missing
        for name in (env_name("accounts", account, key),)
    )


def completed(error: EscuchaError, account: str, settings: BaseModel) -> EscuchaError:
    """The same error, naming also the variable of the secret that it finds missing."""
    where = where_from(account, settings, str(error))
    if where:
        error.args = (f"{str(error).rstrip('.')}. {where}",)
    return error
