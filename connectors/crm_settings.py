"""What the settings of every kind of CRM have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

TAKES = ("cases", "customers")


def _words(value: object) -> object:
    """One, or several with commas between them, as the environment gives them."""
    return [each.strip() for each in value.split(",") if each.strip()] if isinstance(value, str) else value


def _known(value: tuple[str, ...]) -> tuple[str, ...]:
    if any(each not in TAKES for each in value):
        raise ValueError(f"knows {' and '.join(TAKES)} only.")
    return value


Sends = Annotated[tuple[str, ...], BeforeValidator(_words), AfterValidator(_known)]  # of what it is told
