"""`escucha case`: the work items, from the queue to their end."""

from __future__ import annotations

import click

from listener.commands import (
    case_asking,
    case_assignment,
    case_continue,
    case_list,
    case_marks,
    case_merge,
    case_open,
    case_show,
    case_work,
)


@click.group()
def case() -> None:
    """Cases: the queue, one case in full, and what people do with it.

    REF is a case's reference in any form: ES-26-000123-7, es26 123 7, 261237.
    """


for command in (
    case_list.list_,
    case_show.show_,
    case_open.open_,
    case_work.assign,
    case_assignment.take,
    case_assignment.give_back,
    case_work.note,
    case_work.pending,
    case_work.resolve,
    case_work.reopen,
    case_merge.merge,
    case_merge.unmerge,
    case_merge.split,
    case_merge.undo,
    case_merge.parent,
    case_merge.children,
    case_marks.step,
    case_marks.due,
    case_marks.snooze,
    case_marks.wake,
    case_marks.watch,
    case_marks.unwatch,
    case_marks.tag,
    case_marks.untag,
    case_asking.ask_for_information,
    case_asking.inform,
    case_continue.continue_,
):
    case.add_command(command)
