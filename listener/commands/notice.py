"""`escucha notice`: marketing's messages to everybody, from the first draft until the last network has them."""

from __future__ import annotations

import click

from listener.commands import (
    notice_amend,
    notice_answer,
    notice_correct,
    notice_draft,
    notice_held,
    notice_preview,
    notice_publish,
    notice_schedule,
    notice_status,
)


@click.group()
def notice() -> None:
    """Messages to everybody: draft, preview, approve, publish.

    One person writes, another approves, and nothing goes out before somebody says `publish` or its time comes
    (`schedule`). From then on a running daemon goes on with it too, should the command be stopped half-way.
    """


for command in (
    notice_draft.draft,
    notice_preview.preview,
    notice_preview.approve,
    notice_schedule.schedule,
    notice_schedule.unschedule,
    notice_publish.publish,
    notice_status.list_,
    notice_status.status,
    notice_held.held_,
    notice_publish.withdraw,
    notice_publish.retry,
    notice_publish.settle,
    notice_answer.answer,
    notice_correct.correct,
    notice_correct.follow_up,
    notice_amend.pin,
    notice_amend.unpin,
    notice_amend.delete,
):
    notice.add_command(command)
