"""`model`: what reads mentions; each command has a file of its own."""

from __future__ import annotations

import click

from listener.commands.correcting import correct
from listener.commands.describing import info
from listener.commands.examples import examples
from listener.commands.importing import import_
from listener.commands.measuring import eval_
from listener.commands.teaching import train


@click.group()
def model() -> None:
    """What reads mentions: describe it, measure it, teach it, import another."""


model.add_command(import_)
model.add_command(info)
model.add_command(eval_)
model.add_command(train)
model.add_command(correct)
model.add_command(examples)
