"""What the commands about customers share: finding one, and what programs are given of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from listener.commands.output import plain
from listener.errors import NotFound
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
    """The customer of that reference. Raises NotFound, with those who come near."""
    from listener.store import customers

    try:
        return customers.get(tx, reference.strip())
    except NotFound:
        near = customers.listing(tx, search=reference.strip(), limit=3) if reference.strip() else []
        if not near:
            raise
        meant = " or ".join(each.reference for each in near)
        raise NotFound(f"There is no customer {reference!r}. Did you mean {meant}?") from None
