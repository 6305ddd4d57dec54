"""`escucha customer show`: one customer, with all that is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from listener.commands import crm_standing, looking
from listener.commands.app import App, pass_app
from listener.commands.customer_contact import print_ways, way_plain
from listener.commands.customer_plain import as_plain, find
from listener.commands.customer_suggestions import as_plain as suggestion_plain
from listener.commands.customer_suggestions import print_them
from listener.commands.output import clip, fields, heading, json_option, plain, print_json, say, styled, table
from listener.errors import PolicyProblem

if TYPE_CHECKING:
    from listener.desk.standing import Standing
    from listener.store import Transaction
    from listener.store.customers import Customer
    from listener.store.holdings import Payments
    from listener.store.links import Link
    from listener.types import Offer

LAST_MENTIONS = 5


@click.command("show")
@click.argument("ref")
@json_option
@pass_app
def show(app: App, *, ref: str, as_json: bool) -> None:
    """One customer: record, accounts, cases, and what they said last."""
    from listener.commands.case_plain import as_plain as case_plain
    from listener.desk import standing
    from listener.store import cases, customers, links, mentions, suggestions
    from listener.types import CaseState

    now = app.now()
    with app.store.read() as tx:
        found = find(tx, ref)
        stands = standing.of(tx, found, now)
        fitting = _offers(app, tx, found)
        theirs = links.of(tx, found)
        open_or_not = cases.listing(tx, states=list(CaseState), customer_id=found.id)
        may_be = suggestions.waiting(tx, customer_id=found.id, limit=LAST_MENTIONS)
        said = [mentions.get(tx, number) for number in customers.recent_mentions(tx, found, LAST_MENTIONS)]
        elsewhere = crm_standing.of_customer(tx, found.id, now)
        elsewhere_plain = crm_standing.of_customer_plain(tx, found.id)
    looking.at(app, [f"customer {found.reference}"])
    found, stands = looking.masked(app, found), looking.masked_standing(app, stands)
    fitting, may_be = looking.masked_offers(app, fitting), looking.masked_suggestions(app, may_be)
    theirs = looking.masked_links(app, theirs)
    if as_json:
        last = [{"mention": each.id, "network": each.network, "at": each.posted_at, "text": each.text} for each in said]
        print_json(
            as_plain(found)
            | {
                "links": [_link_plain(link) for link in theirs],
                "cases": [case_plain(case, now) for case in open_or_not],
                "mentions": last,
                "suggestions": [suggestion_plain(each) for each in may_be],
                **standing_plain(stands),
                "offers": plain(fitting),
                "crm": plain(elsewhere_plain),
            }
        )
        return
    heading(f"{found.reference}  {found.name}")
    fields(
        [
            ("language", found.language),
            ("tier", found.tier),
            ("tags", found.tags),
            ("customer since", since_in_words(stands)),
            ("owes", owed_in_words(stands.payments)),
            ("paid last", paid_in_words(stands.payments)),
            ("products", stands.products),
            *((styled(name).plain, value) for name, value in found.fields.items()),
            *elsewhere,
        ]
    )
    if fitting:
        say()
        say("What may be offered, never sent by itself:")
        fields([(styled(each.name).plain, f"{each.text} ({each.because})") for each in fitting])
    say()
    print_ways(list(stands.contacts))
    _print_said(stands)
    say()
    table(
        ("network", "account", "heard", "how we know", "evidence"),
        [
            (
                link.network,
                f"@{link.handle}",
                "not yet" if link.account_id is None else "yes",
                link.basis,
                f"{link.linked_by}: {link.evidence}" if link.evidence else link.linked_by,
            )
            for link in theirs
        ],
        empty=f"No account is linked; `escucha customer link {found.reference} NETWORK @…`.",
        wide="evidence",
    )
    if may_be:
        say()
        print_them(may_be)
    say()
    table(
        ("case", "state", "urgency", "title"),
        [(case.reference, case.state, case.urgency, case.title) for case in open_or_not],
        empty="No case.",
        wide="title",
    )
    if said:
        say()
        table(
            ("mention", "network", "when", "text"),
            [(f"M{each.id}", each.network, each.posted_at, clip(each.text, 200)) for each in said],
            empty="",
            wide="text",
        )


def _link_plain(link: Link) -> dict[str, Any]:
    values: dict[str, Any] = plain(link)
    return {name: value for name, value in values.items() if name != "account_id"} | {
        "heard": link.account_id is not None
    }


def _offers(app: App, tx: Transaction, customer: Customer) -> tuple[Offer, ...]:
    """What fits the customer; nothing while the policy cannot be read, for which nobody should go without a record."""
    from listener.desk import offers

    if looking.masks(app):  # the reason of an offer would tell what is hidden from them
        return ()
    try:
        return offers.for_customer(tx, app.policy, customer, app.now())
    except PolicyProblem:
        return ()


def _print_said(stands: Standing) -> None:
    """Consents, contracts and notes, where there are any."""
    if stands.consents:
        say()
        rows = [
            (
                each.purpose,
                each.channel,
                "given" if each.given else "withdrawn",
                each.at.date().isoformat(),
                each.source,
            )
            for each in stands.consents
        ]
        table(("consent for", "by", "said", "on", "source"), rows, empty="", wide="source")
    if stands.contracts:
        say()
        rows_of = [
            (
                each.reference,
                each.product,
                each.begins_on.isoformat() if each.begins_on else "",
                each.ends_on.isoformat() if each.ends_on else "",
                "yes" if each in stands.open_contracts else "no",
            )
            for each in stands.contracts
        ]
        table(("contract", "product", "from", "until", "runs"), rows_of, empty="", wide="product")
    if stands.notes:
        say()
        rows_said = [(each.at, each.by, clip(each.text, 300)) for each in stands.notes]
        table(("noted", "by", "note"), rows_said, empty="", wide="note")


def standing_plain(stands: Standing) -> dict[str, Any]:
    """How a customer stands, for programs; these keys stay."""
    return {
        "tenure_days": stands.tenure_days,
        "payments": plain(stands.payments),
        "contracts": [plain(each) | {"open": each in stands.open_contracts} for each in stands.contracts],
        "products": plain(stands.products),
        "contacts": [way_plain(way) for way in stands.contacts],
        "consents": plain(stands.consents),
        "notes": plain(stands.notes),
    }


def since_in_words(stands: Standing) -> str:
    """`2019-05-31 (6 years)`."""
    if stands.tenure_days is None:
        return ""
    years = stands.tenure_days // 365
    length = f"{years} year{'s' * (years != 1)}" if years else f"{stands.tenure_days} days"
    return f"{stands.customer.since.isoformat()} ({length})" if stands.customer.since else length


def owed_in_words(payments: Payments | None) -> str:
    """`42.50 EUR since 2026-01-31`; "" where nothing is owed, or known."""
    if payments is None or not payments.arrears:
        return ""
    since = f" since {payments.arrears_since.isoformat()}" if payments.arrears_since else ""
    return f"{payments.arrears:f} {payments.currency}".strip() + since


def paid_in_words(payments: Payments | None) -> str:
    """`12.00 EUR on 2026-02-01`."""
    if payments is None or (payments.last_on is None and payments.last_amount is None):
        return ""
    amount = "" if payments.last_amount is None else f"{payments.last_amount:f} {payments.currency}".strip()
    return " ".join(filter(None, (amount, f"on {payments.last_on.isoformat()}" if payments.last_on else "")))
