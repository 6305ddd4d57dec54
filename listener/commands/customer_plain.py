"""What the commands about customers share: finding one, and what programs are given of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from listener.commands.app import App
from listener.commands.output import plain
from listener.errors import Mistake, NotFound
from listener.types import LinkBasis

if TYPE_CHECKING:
    from listener.store import Transaction
    from listener.store.customers import Customer

BASES = [basis.value for basis in LinkBasis if basis is not LinkBasis.FORBIDDEN]
basis_help = "How we know: they told us, we verified it, or it is public."


def as_plain(customer: Customer) -> dict[str, Any]:
    """A customer for programs; these keys stay."""
    return {name: value for name, value in plain(customer).items() if name != "id"}


def find(tx: Transaction, reference: str) -> Customer:
    """The customer of that reference, or the one it was merged into. Raises NotFound, with those who come near."""
    from listener.store import customers

    return customers.ruling(tx, find_as_it_is(tx, reference))


def find_as_it_is(tx: Transaction, reference: str) -> Customer:
    """The very record of that reference, merged or not. Raises NotFound, with those who come near."""
    from listener.store import customers

    try:
        return customers.get(tx, reference.strip())
    except NotFound:
        near = customers.listing(tx, search=reference.strip(), reached=False, limit=3) if reference.strip() else []
        if not near:
            raise
        meant = " or ".join(each.reference for each in near)
        raise NotFound(f"There is no customer {reference!r}. Did you mean {meant}?") from None


def known_network(app: App, name: str) -> str:
    """The network of that name. Raises Mistake."""
    known = list(app.connectors.available())
    if name.casefold() not in known:
        raise Mistake(f"There is no network {name!r}; there are: {', '.join(known)}.")
    return name.casefold()
