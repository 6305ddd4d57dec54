"""`escucha kb`: what is known, written down once."""

from __future__ import annotations

import click

from listener.commands import kb_deciding, kb_drafting, kb_looking, kb_writing


@click.group()
def kb() -> None:
    """Articles: what solves problems, written once, read by a second person, found when it is needed.

    K12 is an article, K12@3 its third version. A version never changes; an edit is a new one.
    """


for command in (
    kb_looking.list_,
    kb_looking.show,
    kb_looking.search,
    kb_looking.suggest,
    kb_looking.history,
    kb_writing.add,
    kb_writing.edit,
    kb_drafting.draft,
    kb_deciding.review,
    kb_deciding.publish,
    kb_deciding.retire,
    kb_deciding.rate,
    kb_deciding.look,
    kb_deciding.doubt,
    kb_deciding.index,
    kb_writing.import_,
    kb_writing.export,
):
    kb.add_command(command)
