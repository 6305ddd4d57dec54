"""`model`: what reads mentions; each command has a file of its own."""

from __future__ import annotations

import click


@click.group()
def model() -> None:
    """What reads mentions: describe it, measure it, teach it, import another."""
