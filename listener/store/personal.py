"""What is held about people, column by column: where it stands, whose it is, and how it goes.

Every column that can hold words (text, JSON, bytes) is declared here, and a test fails for one that is not. So a new
table cannot forget to say what `customer erase` and `customer export` must do with it:

    words    may hold what a person wrote, or what says who they are
    clear    holds our own words, labels, names of settings, states, keys; it is searched all the same, and told of
    whose    which rows are about a person; None where no row is about one
    gone     those rows are deleted;  `emptied`: what their columns become;  neither: `forgetting.py` leaves a skeleton
    kept     other people's rows stay as they are, for what they have in common with the person is theirs too

Of other tables, what stands in other people's rows (`words` there) is masked where it names the person.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import JSON, Column, ColumnElement, LargeBinary, String, Table, false, literal, or_, select

from listener.store import tables as t

ERASED = "(erased)"  # what stands where a name or a title must


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody, by the numbers of their rows: records of them, accounts and cases."""

    customers: tuple[int, ...] = ()
    accounts: tuple[int, ...] = ()
    cases: tuple[int, ...] = ()

    @property
    def mentions(self) -> Any:
        """A selection of the numbers of what they wrote."""
        return select(t.mentions.c.id).where(t.mentions.c.account_id.in_(self.accounts))

    @property
    def drafts(self) -> Any:
        """A selection of the numbers of the answers to them."""
        return select(t.drafts.c.id).where(t.drafts.c.mention_id.in_(self.mentions))


Whose = Callable[[Person], ColumnElement[bool]]


@dataclass(frozen=True, kw_only=True)
class Held:
    """What one table holds; every column of it that can hold words stands in `words` or in `clear`."""

    words: tuple[str, ...] = ()
    clear: tuple[str, ...] = ()
    whose: Whose | None = None
    gone: bool = False
    kept: bool = False
    emptied: Mapping[str, Any] = field(default_factory=dict)


def verbal(table: Table) -> tuple[str, ...]:
    """The columns of a table that can hold words."""
    return tuple(column.name for column in table.columns if holds_words(column))


def holds_words(column: Column[Any]) -> bool:
    """Whether anything can be written into it."""
    return isinstance(column.type, String | JSON | LargeBinary)


def of_customer(table: Table) -> Whose:
    """Rows that name a record by `customer_id`."""
    return lambda person: table.c.customer_id.in_(person.customers) if person.customers else false()


def of_mention(table: Table) -> Whose:
    """Rows that name what they wrote by `mention_id`."""
    return lambda person: table.c.mention_id.in_(person.mentions)


def of_case(table: Table) -> Whose:
    """Rows that name a case of theirs by `case_id`."""
    return lambda person: table.c.case_id.in_(person.cases)


def _moved(person: Person) -> ColumnElement[bool]:
    moves = t.moves.c
    return or_(
        moves.customer_id.in_(person.customers),
        moves.other_id.in_(person.customers),
        moves.account_id.in_(person.accounts),
    )


def _called(kind: str, table: Table, numbers: tuple[int, ...]) -> Any:
    """A selection of what those rows are called where other tables speak of them."""
    return select(literal(kind) + table.c.reference).where(table.c.id.in_(numbers))


HELD: dict[str, Held] = {
    # --- listening ---
    "sources": Held(clear=("name", "account", "network", "query", "cursor", "last_error", "paused", "stream_error")),
    "gaps": Held(clear=("reason",)),
    "listening": Held(),
    "unheard": Held(),
    "spending": Held(clear=("account", "call")),
    "suspects": Held(clear=("stage",)),
    "garbled": Held(clear=("network", "external_id", "reason")),
    "identities": Held(clear=("account", "network", "external_id", "handle", "facts")),
    "accounts": Held(
        kept=True,
        words=("external_id", "handle", "folded", "display_name", "url", "contacts"),
        clear=("network",),
        whose=lambda person: t.accounts.c.id.in_(person.accounts),
    ),
    "mentions": Held(
        words=(
            "external_id", "text", "content_warning", "quoted", "unanswerable", "url", "parent_id", "thread_id",
            "media", "raw", "trouble", "terms",
        ),
        clear=("network", "state", "kind", "visibility", "claimed_language", "copy_key"),
        whose=lambda person: t.mentions.c.account_id.in_(person.accounts),
    ),
    "revisions": Held(words=("text", "content_warning"), whose=of_mention(t.revisions)),
    # --- understanding and deciding ---
    "model_versions": Held(clear=("version",)),
    "policy_versions": Held(clear=("version", "text", "overrides")),
    "understandings": Held(
        clear=(
            "model_version", "language", "sentiment", "sentiment_scores", "intents", "intent_scores", "signals",
            "signal_scores", "areas", "area_scores",
        ),
        whose=of_mention(t.understandings),
    ),
    "decisions": Held(
        words=("saw", "trace"),
        clear=(
            "ignored", "policy_version", "model_version", "urgency", "escalate_to", "tags", "alerts", "facts",
            "fingerprint",
        ),
        whose=of_mention(t.decisions),
    ),
    "facts": Held(clear=("digest", "facts")),
    "drafts": Held(
        words=("text", "reason", "posted_url", "recipient", "subject"),
        clear=(
            "channel", "through", "send_key", "state", "account", "language", "template", "policy_version",
            "decided_by", "posted_id", "rule", "wording", "sender",
        ),
        whose=of_mention(t.drafts),
        emptied={"reason": None, "posted_url": None, "recipient": "", "subject": ""},
    ),
    "draft_quotes": Held(whose=of_mention(t.draft_quotes)),
    "draws": Held(clear=("level", "name"), whose=of_mention(t.draws)),
    "views": Held(
        words=("text",),
        clear=("actor", "policy_version"),
        whose=lambda person: t.views.c.draft_id.in_(person.drafts),
    ),
    # --- who works here ---
    "users": Held(
        clear=("name", "folded", "roles", "teams", "skills", "languages", "duty", "os_user", "password"),
    ),
    "user_tokens": Held(clear=("label", "digest", "only")),
    "accesses": Held(clear=("name", "scopes", "digest", "made_by")),
    "absences": Held(clear=("reason", "noted_by")),
    # --- the desk ---
    "customers": Held(
        kept=True,
        words=("reference", "name", "email", "phone", "tags", "fields"),
        clear=("language", "tier", "imported"),
        whose=lambda person: t.customers.c.id.in_(person.customers),
        gone=True,
    ),
    "field_types": Held(clear=("name", "kind", "currency", "choices", "declared_by")),
    "contact_points": Held(
        kept=True,
        words=("value", "written"), clear=("kind",), whose=of_customer(t.contact_points), gone=True
    ),
    "consents": Held(
        kept=True,
        words=("source",), clear=("channel", "purpose", "noted_by"), whose=of_customer(t.consents), gone=True
    ),
    "customer_notes": Held(kept=True, words=("text",), clear=("by",), whose=of_customer(t.customer_notes), gone=True),
    "contracts": Held(kept=True, words=("reference",), clear=("product",), whose=of_customer(t.contracts), gone=True),
    "products": Held(clear=("name",), whose=of_customer(t.products), gone=True),
    "payments": Held(
        clear=("last_amount", "arrears", "currency"), whose=of_customer(t.payments), gone=True
    ),
    "links": Held(
        kept=True,
        words=("evidence",),
        clear=("basis", "linked_by", "unlinked_by"),
        whose=lambda person: or_(
            t.links.c.customer_id.in_(person.customers), t.links.c.account_id.in_(person.accounts)
        ),
        gone=True,
    ),
    "expected_links": Held(
        kept=True,
        words=("handle", "evidence"),
        clear=("network", "basis", "linked_by", "settled_by"),
        whose=of_customer(t.expected_links),
        gone=True,
    ),
    "link_codes": Held(clear=("digest", "network", "issued_by"), whose=of_customer(t.link_codes), gone=True),
    "link_tries": Held(
        clear=("outcome",),
        whose=lambda person: or_(
            t.link_tries.c.account_id.in_(person.accounts),
            t.link_tries.c.link_code_id.in_(
                select(t.link_codes.c.id).where(t.link_codes.c.customer_id.in_(person.customers))
            ),
        ),
        gone=True,
    ),
    "link_suggestions": Held(
        words=("reasons",),
        clear=("strength", "state", "decided_by"),
        whose=lambda person: or_(
            t.link_suggestions.c.customer_id.in_(person.customers),
            t.link_suggestions.c.other_id.in_(person.customers),
            t.link_suggestions.c.account_id.in_(person.accounts),
        ),
        gone=True,
    ),
    "sweeps": Held(clear=("name",)),
    "moves": Held(clear=("kind", "by", "undone_by"), whose=_moved, gone=True),
    "moved_rows": Held(
        words=("was", "becomes"),
        clear=("table_name", "key"),
        whose=lambda person: t.moved_rows.c.move_id.in_(select(t.moves.c.id).where(_moved(person))),
        gone=True,
    ),
    "case_numbers": Held(),
    "case_patterns": Held(clear=("pattern",)),
    "cases": Held(
        words=("title",),
        clear=(
            "reference", "state", "team", "agent", "tags", "opened_by", "promise", "asked_team", "asked_by", "skills",
            "watchers", "checklist",
        ),
        whose=lambda person: t.cases.c.id.in_(person.cases),
    ),
    "case_mentions": Held(words=("why",), whose=of_case(t.case_mentions)),
    "case_events": Held(words=("detail",), clear=("kind", "by"), whose=of_case(t.case_events)),
    "case_steps": Held(clear=("clock", "occasion", "alerts", "team", "urgency"), whose=of_case(t.case_steps)),
    # --- how much is said ---
    "volumes": Held(clear=("area", "intent", "place", "network", "people")),
    "spikes": Held(
        words=("words", "because"),
        clear=("state", "area", "intent", "place", "network", "labels", "causes", "decided_by"),
    ),
    "spike_mentions": Held(whose=of_mention(t.spike_mentions), gone=True),
    # --- what hits many ---
    "incidents": Held(
        words=("title", "affected", "meaning", "say", "avoid"), clear=("state", "opened_by", "owner")
    ),
    "incident_events": Held(words=("text", "detail"), clear=("by", "kind", "state")),
    "incident_mentions": Held(
        words=("why",),
        clear=("how", "by", "undone_by"),
        whose=of_mention(t.incident_mentions),
        emptied={"why": ""},
    ),
    "incident_answers": Held(clear=("language", "text", "wording", "proposed_by", "approved_by", "withdrawn_by")),
    "incident_customers": Held(whose=of_customer(t.incident_customers), gone=True),
    # --- what is known ---
    "articles": Held(clear=("looked_by", "doubt", "doubted_by")),
    "article_versions": Held(
        words=("why", "note"),
        clear=(
            "state", "audience", "teams", "roles", "product", "written_by", "reviewed_by", "published_by", "ended_by",
        ),
    ),
    "article_texts": Held(words=("title", "answer", "body"), clear=("language",)),
    "article_quotes": Held(words=("words",), whose=of_mention(t.article_quotes), gone=True),
    "article_ratings": Held(words=("reason",), clear=("by",)),
    "shelf": Held(clear=("language", "readers", "model", "vectors", "stems", "counts")),
    "shelf_changes": Held(clear=("name",)),
    "draft_articles": Held(clear=("language", "by")),
    # --- marketing ---
    "notices": Held(
        words=("title",),
        clear=(
            "state", "written_by", "approved_by", "published_by", "kind", "digest", "time_zone", "held", "follows_as",
        ),
    ),
    "notice_links": Held(words=("url", "detail"), clear=("state",)),
    "deliveries": Held(
        words=("text",),
        clear=("account", "network", "language", "send_key", "state", "sender", "posted_id", "posted_url", "reason"),
    ),
    "answer_runs": Held(clear=("state", "by", "approved_by", "policy_version", "reason")),
    "answers": Held(
        words=("text", "why"),
        clear=("account", "network", "language", "wording", "left_out"),
        whose=lambda person: or_(
            t.answers.c.mention_id.in_(person.mentions), t.answers.c.customer_id.in_(person.customers)
        ),
        emptied={"text": "", "why": "", "customer_id": None},
    ),
    "amendments": Held(
        words=("before", "text"), clear=("kind", "state", "sender", "written_by", "approved_by", "reason")
    ),
    "looks": Held(
        words=("posted_url", "detail"),
        clear=("asked", "found", "posted_id", "by"),
        whose=lambda person: t.looks.c.draft_id.in_(person.drafts),
        gone=True,
    ),
    "attachments": Held(
        words=("name", "data", "alt"),
        clear=("content_type",),
        whose=lambda person: t.attachments.c.draft_id.in_(person.drafts),
        gone=True,
    ),
    # --- the switch and the record ---
    "pauses": Held(clear=("network", "kind", "by", "reason")),
    "table_steps": Held(clear=("step", "works_with")),
    "daemons": Held(clear=("name", "version", "step", "policy", "trouble", "hurts", "roles", "doing")),
    "loans": Held(clear=("name", "holder")),
    "lives": Held(clear=("place", "by")),
    "rests": Held(clear=("account",)),
    "audit": Held(words=("subject", "detail"), clear=("by", "action", "salt", "digest", "key", "hash")),
    "audit_head": Held(clear=("hash", "key")),
    "erasures": Held(words=("reason", "person", "marks"), clear=("by", "called", "proof")),
    "suppressions": Held(clear=("digest", "kind")),
    "holds": Held(words=("reason",), clear=("by", "ended_by"), whose=of_customer(t.holds), gone=True),
    "peppers": Held(clear=("name", "value")),
    # --- where else the company keeps its customers ---
    "crm_deliveries": Held(
        words=("subject", "fields", "reason"),
        clear=("system", "kind", "send_key", "state"),
        whose=lambda person: or_(
            t.crm_deliveries.c.subject.in_(_called("customer ", t.customers, person.customers)),
            t.crm_deliveries.c.subject.in_(_called("case ", t.cases, person.cases)),
        ),
        gone=True,
    ),
    "crm_events": Held(clear=("system", "event", "digest", "outcome")),
    "crm_records": Held(
        words=("record",), clear=("system", "digest"), whose=of_customer(t.crm_records), gone=True
    ),
    "crm_ways": Held(words=("problems",), clear=("system", "way", "cursor", "last_error", "allowance")),
    # --- what people teach the model ---
    "corrections": Held(
        clear=("what", "was", "becomes", "by", "looked_by"), whose=of_mention(t.corrections), gone=True
    ),
    # --- whom of us something was told ---
    "alerts": Held(
        words=("subject", "why", "reason"),
        clear=("target", "kind", "rule", "urgency", "key", "send_key", "state"),
        whose=lambda person: or_(t.alerts.c.mention_id.in_(person.mentions), t.alerts.c.case_id.in_(person.cases)),
        emptied={"subject": ERASED, "why": ERASED, "reason": None},
    ),
    "alert_targets": Held(clear=("target", "last_error")),
}  # fmt: skip
