"""What is held about a person, as it is handed to them: kind by kind, their own words and ours, nobody else's.

What other people wrote (in the same thread, quoted, in raw answers of a network) is theirs and stays here; so do notes
of work on a case, which may repeat it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Select, and_, or_, select

from listener.store import Transaction
from listener.store import tables as t
from listener.store.personal import Person
from listener.types import DraftState

LEFT_OUT = {  # tables with rows about a person that are not handed over, and why
    "decisions": "how urgent a post was is told with the post; the rules' trace may quote others",
    "revisions": "told with the posts, as earlier versions",
    "views": "which of our people looked at which of our drafts is about them",
    "draws": "which draft drew for a share says nothing of the person",
    "looks": "how an answer of ours was looked for on its network; where it stands is told with the answers",
    "draft_quotes": "which posts an answer repeats stands in the answer",
    "answers": "what was sent to them is told with the answers",
    "expected_links": "told with the accounts",
    "links": "told with the accounts",
    "link_codes": "codes are kept nowhere; what one linked is told with the accounts",
    "link_tries": "what one linked is told with the accounts",
    "link_suggestions": "a guess about whose an account is may be about somebody else",
    "moves": "how records were joined; what they hold is told",
    "moved_rows": "how records were joined; what they hold is told",
    "case_mentions": "told with the posts",
    "case_events": "notes of work on a case may repeat what others wrote",
    "case_steps": "when our own people are reminded",
    "incident_mentions": "which posts were counted together is our own work on what hit many",
    "spike_mentions": "which posts came when far more people than normal wrote is our own work",
    "corrections": "labels that teach the model; what is read in a post is told with it",
    "alerts": "messages among our own people",
    "article_quotes": "which case an article was drafted from; the article holds what solves a problem, not who had it",
    "holds": "a claim or lawsuit that is prepared",
    "crm_deliveries": "what changed here, on its way to the company's other system",
}


def rows(tx: Transaction, kind: str, person: Person) -> Iterator[dict[str, Any]]:
    """The rows of one kind, oldest first, by the names of their columns."""
    for row in tx.execute(KINDS[kind](person)).mappings():
        yield dict(row)


def pictures(tx: Transaction, person: Person) -> Iterator[tuple[int, str, bytes]]:
    """The pictures that went out with answers to them: the answer's number, the picture's name and its bytes."""
    columns = t.attachments.c
    sent = select(t.drafts.c.id).where(_answered(person))
    query = select(columns.draft_id, columns.name, columns.data).where(columns.draft_id.in_(sent)).order_by(columns.id)
    for row in tx.execute(query):
        yield row.draft_id, row.name, bytes(row.data)


def _of(table: Any, *names: str) -> Any:
    columns = [table.c[name] for name in names]

    def query(person: Person) -> Select[Any]:
        order = table.c.id if "id" in table.c else table.c.customer_id
        return select(*columns).where(table.c.customer_id.in_(person.customers)).order_by(order)

    return query


def _record(person: Person) -> Select[Any]:
    names = ("reference", "name", "email", "phone", "language", "tier", "tags", "fields", "since", "added_at")
    return select(*(t.customers.c[name] for name in names)).where(t.customers.c.id.in_(person.customers))


def _accounts(person: Person) -> Select[Any]:
    names = ("network", "handle", "display_name", "url", "followers", "first_seen_at", "left_alone_at")
    links = t.links.c
    current = and_(links.account_id == t.accounts.c.id, links.unlinked_at.is_(None))
    told = [links.basis.label("how_we_know"), links.linked_at]
    joined = t.accounts.outerjoin(t.links, current)
    query = select(*(t.accounts.c[name] for name in names), *told).select_from(joined)
    return query.where(t.accounts.c.id.in_(person.accounts)).order_by(t.accounts.c.id)


def _posts(person: Person) -> Select[Any]:
    names = ("id", "network", "posted_at", "url", "kind", "visibility", "text", "content_warning", "media", "gone_at")
    return select(*(t.mentions.c[name] for name in names)).where(_wrote(person)).order_by(t.mentions.c.id)


def _wrote(person: Person) -> Any:
    return t.mentions.c.account_id.in_(person.accounts)


def _earlier(person: Person) -> Select[Any]:
    columns = t.revisions.c
    told = [columns.mention_id.label("post"), columns.revision, columns.text, columns.content_warning]
    return select(*told, columns.replaced_at).where(columns.mention_id.in_(person.mentions)).order_by(columns.id)


def _readings(person: Person) -> Select[Any]:
    columns, decided = t.understandings.c, t.decisions.c
    joined = t.understandings.outerjoin(
        t.decisions, and_(decided.mention_id == columns.mention_id, decided.revision == columns.revision)
    )
    told = [columns.mention_id.label("post"), columns.language, columns.sentiment, columns.intents, columns.signals]
    told += [columns.areas, columns.model_version, columns.at, decided.urgency, decided.ignored.label("left_because")]
    return select(*told).select_from(joined).where(columns.mention_id.in_(person.mentions)).order_by(columns.id)


def _answered(person: Person) -> Any:
    return and_(t.drafts.c.mention_id.in_(person.mentions), t.drafts.c.state == DraftState.SENT.value)


def _answers(person: Person) -> Select[Any]:
    names = ("id", "channel", "recipient", "subject", "text", "sent_at", "posted_url", "automatic")
    columns = [t.drafts.c[name] for name in names]
    return select(t.drafts.c.mention_id.label("post"), *columns).where(_answered(person)).order_by(t.drafts.c.id)


def _cases(person: Person) -> Select[Any]:
    names = ("reference", "state", "title", "team", "tags", "opened_at", "first_response_at", "resolved_at")
    return select(*(t.cases.c[name] for name in names)).where(t.cases.c.id.in_(person.cases)).order_by(t.cases.c.id)


def _incidents(person: Person) -> Select[Any]:
    """What hit them, as far as they stand on a list of those whom it hit."""
    listed, incidents = t.incident_customers, t.incidents.c
    told = [incidents.title, incidents.began_at, incidents.ended_at, listed.c.added_at]
    query = select(*told).select_from(listed.join(t.incidents, incidents.id == listed.c.incident_id))
    return query.where(listed.c.customer_id.in_(person.customers)).order_by(listed.c.id)


def _log(person: Person) -> Select[Any]:
    """What was done to the record, and each look at it; not by whom, for that is about our people."""
    columns = t.audit.c
    named = select("customer " + t.customers.c.reference).where(t.customers.c.id.in_(person.customers))
    return select(columns.at, columns.action).where(or_(columns.subject.in_(named))).order_by(columns.id)


KINDS = {
    "record": _record,
    "contact_points": _of(t.contact_points, "kind", "written", "preferred", "do_not_use", "verified_at", "added_at"),
    "consents": _of(t.consents, "channel", "purpose", "given", "at", "source"),
    "notes": _of(t.customer_notes, "text", "at"),
    "contracts": _of(t.contracts, "reference", "product", "begins_on", "ends_on"),
    "products": _of(t.products, "name"),
    "payments": _of(t.payments, "last_on", "last_amount", "arrears", "arrears_since", "currency"),
    "other_systems": _of(t.crm_records, "system", "record"),
    "accounts": _accounts,
    "posts": _posts,
    "earlier_versions": _earlier,
    "readings": _readings,
    "answers": _answers,
    "cases": _cases,
    "incidents": _incidents,
    "log": _log,
}
TABLES = {  # which tables the kinds above are made of
    "customers", "contact_points", "consents", "customer_notes", "contracts", "products", "payments", "crm_records",
    "accounts", "mentions", "understandings", "drafts", "attachments", "cases", "incident_customers",
}  # fmt: skip
