"""`escucha incident`: what hits many at once, from the first sign to the last answer."""

from __future__ import annotations

import click

from listener.commands import (
    incident_attach,
    incident_end,
    incident_open,
    incident_report,
    incident_say,
    incident_show,
    incident_spikes,
    incident_work,
)


@click.group()
def incident() -> None:
    """What hits many at once: open it, say whom it hits, keep everybody told, end it.

    Mentions that match are attached, present and future ones, and their cases become parts of the incident's own.
    """


for command in (
    incident_open.open_,
    incident_show.list_,
    incident_show.show_,
    incident_show.mentions,
    incident_report.report,
    incident_work.accept,
    incident_work.describe,
    incident_attach.attach,
    incident_attach.detach,
    incident_work.update,
    incident_work.owner,
    incident_work.identify,
    incident_work.fix,
    incident_end.resolve,
    incident_end.reopen,
    incident_end.close,
    incident_end.dismiss,
    incident_work.gather,
    incident_say.say_,
    incident_say.approve_answer,
    incident_say.withdraw_answer,
    incident_spikes.spikes_,
    incident_spikes.spike_,
    incident_spikes.dismiss_spike,
):
    incident.add_command(command)
