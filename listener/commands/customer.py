"""`escucha customer`: the company's records of people, and the accounts that are theirs."""

from __future__ import annotations

import click

from listener.commands import (
    customer_code,
    customer_contact,
    customer_import,
    customer_links,
    customer_list,
    customer_merging,
    customer_privacy,
    customer_record,
    customer_show,
    customer_suggestions,
)


@click.group()
def customer() -> None:
    """Customers: their records, how they are reached, what they allowed, and the accounts that are theirs.

    REF is the reference by which the company knows the customer.
    """


for command in (
    customer_import.import_,
    customer_record.add,
    customer_record.edit,
    customer_record.note,
    customer_record.field,
    customer_contact.contact,
    customer_contact.consent,
    customer_list.list_,
    customer_list.csv_,
    customer_show.show,
    customer_code.code,
    customer_privacy.export,
    customer_privacy.erase,
    customer_privacy.hold,
    customer_privacy.release,
    customer_links.link,
    customer_links.unlink,
    customer_links.relink,
    customer_suggestions.suggestions_,
    customer_suggestions.accept,
    customer_suggestions.refuse,
    customer_merging.merge,
    customer_merging.unmerge,
):
    customer.add_command(command)
