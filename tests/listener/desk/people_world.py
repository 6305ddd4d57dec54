"""Records of people and the accounts that are theirs, over a whole Escucha, with what must hold of them at any time."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from sqlalchemy import ColumnElement, select

from listener.desk import case_merging, erasing, merging, unlinking
from listener.desk import cases as desk
from listener.desk import customers as rules
from listener.errors import AlreadyDone, Mistake, NotFound
from listener.store import cases, contacts, customers, links, merges, rebuilding
from listener.store import tables as t
from listener.store.customers import Customer, Edit
from listener.types import CasePlan, CaseState, DraftState, LinkBasis, MentionState, Urgency
from tests.listener.flow.world import AUTO, Escucha

POLICY = AUTO.replace(  # what is said names the person
    "Hola, lo", "Hola {% if customer.known %}{{ customer.name }}{% endif %}, lo"
)
PLAN = CasePlan(team="care", urgency=Urgency.NORMAL, title="T")
REFUSED = (AlreadyDone, Mistake, NotFound)


class PeopleWorld(Escucha):
    """`customers` are references, `accounts` handles on the sandbox network."""

    def __init__(self, folder: Path, *, url: str | None = None) -> None:
        super().__init__(folder, policy=POLICY, url=url)

    def adds(self, *references: str, **columns: object) -> None:
        values = {"email": None, "phone": None, "language": "", "tier": "", "tags": [], "fields": {}, **columns}
        edits = [Edit(reference=each, values={"name": f"Name of {each}", **values}, changed=()) for each in references]
        with self.store.write() as tx:
            customers.write(tx, added=edits, changed=[], by="test", now=self.clock(), source="test")

    def links_(self, reference: str, handle: str) -> None:
        with self.store.write() as tx:
            rules.link(
                tx,
                customers.get(tx, reference),
                network="sandbox",
                handle=handle,
                basis=LinkBasis.VERIFIED,
                evidence="a letter",
                linkable=True,
                by="eva",
                now=self.clock(),
            )

    def unlinks(self, reference: str, handle: str) -> unlinking.Unlinked:
        with self.store.write() as tx:
            customer = customers.get(tx, reference)
            how = {"network": "sandbox", "handle": handle, "pattern": "ES"}
            return unlinking.unlink(tx, customer, by="eva", now=self.clock(), **how)

    def relinks(self, reference: str, handle: str) -> unlinking.Relinked:
        with self.store.write() as tx:
            customer = customers.get(tx, reference)
            how = {"network": "sandbox", "handle": handle, "pattern": "ES"}
            return unlinking.relink(tx, customer, by="eva", now=self.clock(), **how)

    def merges(self, one: str, other: str) -> None:
        with self.store.write() as tx:
            merging.merge(tx, customers.get(tx, one), customers.get(tx, other), by="eva", now=self.clock())

    def unmerges(self, other: str) -> merging.Unmerged:
        with self.store.write() as tx:
            return merging.unmerge(tx, customers.get(tx, other), pattern="ES", by="eva", now=self.clock())

    def changes(self, reference: str, tier: str | None = None, **columns: object) -> None:
        """Somebody changes the record."""
        with self.store.write() as tx:
            known = customers.get(tx, reference)
            columns |= {} if tier is None else {"tier": tier}
            names = ("name", "email", "phone", "language", "tier", "tags", "fields")
            values = {name: getattr(known, name) for name in names} | {"tags": list(known.tags)} | columns
            edit = Edit(reference=reference, values=values, changed=tuple(columns))
            customers.write(tx, added=[], changed=[edit], by="test", now=self.clock(), source="test")

    def reached(self, reference: str) -> list[str]:
        """The contact points of that record, as people write them."""
        with self.store.read() as tx:
            return [point.written for point in contacts.of(tx, customers.get(tx, reference).id)]

    def resolves(self, number: int) -> None:
        """The case of that place among all is solved."""
        with self.store.write() as tx:
            case = cases.by_id(tx, number + 1)
            desk.move(tx, case, CaseState.RESOLVED, by="eva", now=self.clock(), moved=self.policy.promises.moved)

    def joins_cases(self, one: int, other: int) -> None:
        """Somebody says that two cases are one matter."""
        with self.store.write() as tx:
            case, into = cases.by_id(tx, other + 1), cases.by_id(tx, one + 1)
            case_merging.merge(tx, into, case, by="eva", now=self.clock())

    def splits(self, number: int, which: int) -> None:
        """Somebody says that one mention of a case is another matter."""
        with self.store.write() as tx:
            case = cases.by_id(tx, number + 1)
            inside = [mention for mention, _, _ in cases.mentions_in(tx, case)]
            told = [inside[which % len(inside)]] if inside else []
            case_merging.split(tx, case, told, plan=lambda _: PLAN, pattern="ES", by="eva", now=self.clock())

    def undoes(self, number: int) -> None:
        """Somebody takes back what was joined, merged or split last."""
        with self.store.write() as tx:
            case = cases.by_id(tx, number + 1)
            moved = self.policy.promises.moved
            case_merging.undo(tx, case, plan=lambda _: PLAN, pattern="ES", by="eva", now=self.clock(), moved=moved)

    def parts_cases(self, number: int) -> None:
        with self.store.write() as tx:
            case = cases.by_id(tx, number + 1)
            case_merging.unmerge(tx, case, by="eva", now=self.clock(), moved=self.policy.promises.moved)

    def erases(self, reference: str) -> None:
        """Somebody asks to be forgotten: what is theirs goes at once; who else names them is looked at later."""
        erasing.begin(self.store, reference, by="eva", reason="asked for it", now=self.clock())

    def reopens(self, number: int) -> None:
        with self.store.write() as tx:
            case = cases.by_id(tx, number + 1)
            desk.move(tx, case, CaseState.OPEN, by="eva", now=self.clock(), moved=self.policy.promises.moved)

    def notes(self, number: int, text: str) -> None:
        with self.store.write() as tx:
            desk.note(tx, cases.by_id(tx, number + 1), text, by="eva", now=self.clock())

    def tries(self, what: str, *args: str) -> bool:
        """The same, whether it may be done or not; gives whether it was."""
        with suppress(*REFUSED):
            getattr(self, what)(*args)
            return True
        return False

    def hears(self, who: str, text: str = "@marca ¿horario?") -> None:
        """Somebody writes, and it is decided."""
        self.says(text, who=who)
        self.clock.forward(seconds=11)
        self.main.poll()
        self.main.digest()

    # --- what there is ---

    def customer(self, reference: str) -> Customer:
        with self.store.read() as tx:
            return customers.get(tx, reference)

    def handles(self, reference: str) -> list[str]:
        with self.store.read() as tx:
            return [link.handle for link in links.of(tx, customers.get(tx, reference))]

    def linked(self) -> list[tuple[str, str]]:
        """Which accounts are whose now, as (reference, handle)."""
        return self._links(t.links.c.unlinked_at.is_(None))

    def unlinked(self) -> list[tuple[str, str]]:
        """Which accounts were once taken from whom."""
        return self._links(t.links.c.unlinked_at.is_not(None))

    def _links(self, which: ColumnElement[bool]) -> list[tuple[str, str]]:
        query = select(t.customers.c.reference, t.accounts.c.handle).select_from(
            t.links.join(t.accounts).join(t.customers, t.customers.c.id == t.links.c.customer_id)
        )
        with self.store.read() as tx:
            return [(row.reference, row.handle) for row in tx.execute(query.where(which).order_by(t.links.c.id))]

    def merged(self) -> list[str]:
        """Records that were merged into another."""
        query = select(t.customers.c.reference).where(t.customers.c.merged_into_id.is_not(None))
        with self.store.read() as tx:
            return list(tx.scalars(query.order_by(t.customers.c.id)))

    def cases(self) -> list[tuple[str | None, str | None, set[str]]]:
        """Each case's customer, who opened it, and the handles of those whose mentions are in it, oldest case first."""
        query = (
            select(t.cases.c.id, t.accounts.c.handle)
            .outerjoin(t.case_mentions, t.case_mentions.c.case_id == t.cases.c.id)
            .outerjoin(t.mentions, t.mentions.c.id == t.case_mentions.c.mention_id)
            .outerjoin(t.accounts, t.accounts.c.id == t.mentions.c.account_id)
        )
        with self.store.read() as tx:
            inside: dict[int, set[str]] = {}
            for row in tx.execute(query):
                inside.setdefault(row.id, set()).update([row.handle] if row.handle else [])
            found = [(cases.by_id(tx, number), handles) for number, handles in sorted(inside.items())]
        return [(case.customer_reference, case.handle, handles) for case, handles in found]

    # --- what must hold ---

    def lost(self) -> list[int]:
        """Decided mentions that are in no case."""
        inside = select(t.case_mentions.c.mention_id)
        with self.store.read() as tx:
            decided = t.mentions.c.state == MentionState.DECIDED.value
            return list(tx.scalars(select(t.mentions.c.id).where(decided, t.mentions.c.id.not_in(inside))))

    def mixed(self) -> list[str]:
        """Where one person's mentions, record or name stand in another's case, decision or unsent words."""
        with self.store.read() as tx:
            whose = links.whose(tx, tx.scalars(select(t.accounts.c.id)).all())
            inside = select(t.cases.c.reference, t.cases.c.customer_id, t.cases.c.account_id)
            inside = inside.add_columns(t.mentions.c.id, t.mentions.c.account_id.label("who")).select_from(
                t.cases.join(t.case_mentions).join(t.mentions)
            )
            inside = inside.where(t.mentions.c.state != MentionState.GONE.value)  # what was erased shows nothing
            found = [
                f"{row.reference} of {row.customer_id} holds M{row.id}"
                for row in tx.execute(inside)
                if (row.who != row.account_id if row.customer_id is None else whose.get(row.who) != row.customer_id)
            ]
            families = {
                account_id: {each.reference for each in merges.family(tx, customers.by_id(tx, customer_id))}
                for account_id, customer_id in whose.items()
            }
            decided = select(t.decisions.c.saw, t.mentions.c.id, t.mentions.c.account_id).join(t.mentions)
            for row in tx.execute(decided):
                seen = ((row.saw or {}).get("customer") or {}).get("reference")
                if seen and seen not in families.get(row.account_id, ()):
                    found.append(f"what was decided on M{row.id} saw {seen}")
            unsent = [DraftState.PROPOSED, DraftState.APPROVED, DraftState.EXPIRED, DraftState.REJECTED]
            drafts = select(t.drafts.c.text, t.mentions.c.id, t.mentions.c.account_id).join(t.mentions)
            for row in tx.execute(drafts.where(t.drafts.c.state.in_([state.value for state in unsent]))):
                named = set(re.findall(r"Name of (\w+)", row.text))
                if not named <= families.get(row.account_id, set()):
                    found.append(f"a draft for M{row.id} names {named}")
        return found

    def untold(self) -> list[str]:
        """Cases that are not what their events say."""
        with self.store.read() as tx:
            return rebuilding.differences(tx, limit=10)

    def holds(self) -> None:
        """What must hold at any time."""
        assert not (wrong := self.lost()), wrong
        assert not (wrong := self.mixed()), wrong
        assert not (wrong := self.untold()), wrong
