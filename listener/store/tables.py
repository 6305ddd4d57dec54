"""The tables. One row is one fact; `docs/operations.md` says how they grow.

Every time is stored in UTC. JSON columns hold only what nothing joins on. The `state` columns follow the transitions of
`listener.types`; nothing else writes them but the functions beside this file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, cast

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Date,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TextClause,
    TypeDecorator,
    UniqueConstraint,
    literal_column,
    text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateIndex
from sqlalchemy.sql.compiler import DDLCompiler

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Moment(TypeDecorator[datetime]):
    """An aware datetime, kept in UTC also where the database knows no time zones (SQLite: as text).

    There it is written and read in one step, where SQLAlchemy takes three: a mention has dozens of them.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        """How a value is given to the database."""
        return _as_text if dialect.name == "sqlite" else super().bind_processor(dialect)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        """How a value comes from the database."""
        return _from_text if dialect.name == "sqlite" else super().result_processor(dialect, coltype)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return _utc(value).replace(tzinfo=None) if dialect.name == "sqlite" else _utc(value)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone")
    return value.astimezone(UTC)


def _as_text(value: datetime | None) -> str | None:
    return None if value is None else _utc(value).replace(tzinfo=None).isoformat(" ", "microseconds")


def _from_text(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value).replace(tzinfo=UTC)


BigKey = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself only for INTEGER keys


def key() -> Column[Any]:
    """A number that the database gives."""
    return Column("id", BigKey, primary_key=True, autoincrement=True)


# Of tables whose rows go and are known elsewhere by their numbers (`moves`): otherwise SQLite gives the last
# one's to the next row. https://www.sqlite.org/autoinc.html
NEVER_AGAIN: Mapping[str, Any] = {"sqlite_autoincrement": True}


def ref(target: str, *, nullable: bool = False, index: bool = True) -> Column[Any]:
    """A column that points at another table's id."""
    return Column(f"{target.removesuffix('s')}_id", BigKey, ForeignKey(f"{target}.id"), nullable=nullable, index=index)


ONLY = "only"  # under which an index keeps it
Condition = ColumnElement[bool] | TextClause


def only(which: Condition, *, on_sqlite: Condition | None = None) -> Mapping[str, Any]:
    """What an index is told that holds only such rows; `on_sqlite`: how SQLite says the same, where it differs.

    PostgreSQL is told when the index is made there (below): to name it here would load all that speaks to it, and who
    types a command on SQLite waits for that.
    """
    return {"sqlite_where": which if on_sqlite is None else on_sqlite, "info": {ONLY: which}}


@compiles(CreateIndex, "postgresql")
def _create_index(create: CreateIndex, compiler: DDLCompiler, **more: Any) -> str:
    index: Index = create.element
    if ONLY in index.info:
        index.dialect_options["postgresql"]["where"] = index.info[ONLY]
    made: str = cast(Any, compiler).visit_create_index(create, **more)
    return made


# --- listening ------------------------------------------------------------------------------------------------------

sources = Table(
    "sources",
    metadata,
    key(),
    Column("name", String(100), nullable=False, unique=True),
    Column("account", String(100), nullable=False),
    Column("network", String(50), nullable=False),
    Column("query", Text, nullable=False),
    Column("every_seconds", Float, nullable=False),
    Column("cursor", JSON(none_as_null=True)),
    Column("next_poll_at", Moment, nullable=False, index=True),
    Column("polled_at", Moment),
    Column("succeeded_at", Moment),
    Column("failures", Integer, nullable=False, default=0),
    Column("failing_since", Moment),
    Column("last_error", Text),
    Column("wait_until", Moment),  # the network refused to be polled sooner
    Column("paused", String(200)),  # why it is paused; null: it runs
    Column("mentions_total", Integer, nullable=False, default=0),
    Column("poll_usd", Float, nullable=False, default=0.0),  # what a poll has lately cost
    Column("claimed_until", Moment),  # one poller at a time; past: free
    Column("streaming_since", Moment),  # null: there is no stream, or it is down
    Column("stream_down_since", Moment),
    Column("stream_error", Text),
    Column("stream_deaths", Integer, nullable=False, default=0),  # of processes that heard it, in a row
    Column("stream_rests_until", Moment),  # after such deaths it is left alone so long
    Column("removed", Boolean, nullable=False, default=False),
)

gaps = Table(
    "gaps",
    metadata,
    key(),
    ref("sources"),
    Column("noticed_at", Moment, nullable=False),
    Column("reason", Text, nullable=False),
)

listening = Table(  # since when and until when each source was heard
    "listening",
    metadata,
    Column("source_id", BigKey, ForeignKey("sources.id"), primary_key=True, autoincrement=False),
    Column("since", Moment, nullable=False),
    Column("until", Moment, nullable=False),
)

unheard = Table(  # times within that in which the network skipped something
    "unheard",
    metadata,
    key(),
    ref("sources"),
    Column("since", Moment, nullable=False),
    Column("until", Moment, nullable=False, index=True),
)

spending = Table(  # what the networks' calls have cost, a row for each account, UTC day and kind of call
    "spending",
    metadata,
    Column("account", String(100), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("call", String(50), primary_key=True),
    Column("units", Integer, nullable=False),
    Column("usd", Float, nullable=False),
)

accounts = Table(
    "accounts",
    metadata,
    key(),
    Column("network", String(50), nullable=False),
    Column("external_id", String(300), nullable=False),
    Column("handle", Text, nullable=False),
    Column("folded", Text, nullable=False),  # the handle as it is compared
    Column("display_name", Text, nullable=False, default=""),
    Column("url", Text),
    Column("followers", Integer),
    Column("bot", Boolean, nullable=False, default=False),
    Column("opted_out", Boolean, nullable=False, default=False),
    Column("verified", Boolean),  # whether the network vouches for who they are; null: it does not say
    Column("left_alone_at", Moment),  # when its owner asked us not to be answered any more
    Column("created_at", Moment),
    Column("first_seen_at", Moment, nullable=False),
    Column("contacts", JSON(none_as_null=True)),  # addresses and sites that the profile names; null: not seen
    Column("compared_at", Moment, index=True),  # with the customers' records; null: not since it was told anew
    UniqueConstraint("network", "external_id"),
    Index(None, "network", "handle"),
    Index(None, "network", "folded"),
)

identities = Table(  # our own accounts, as the networks know them
    "identities",
    metadata,
    Column("account", String(100), primary_key=True),
    Column("network", String(50), nullable=False),
    Column("external_id", String(300), nullable=False),
    Column("handle", Text, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("facts", String(64)),  # what is true of the network as this account sees it: `facts.digest`
)

mentions = Table(
    "mentions",
    metadata,
    key(),
    Column("network", String(50), nullable=False),
    Column("external_id", String(300), nullable=False),
    ref("sources"),
    ref("accounts", index=False),  # found by the index with when it was posted
    Column("state", String(20), nullable=False),
    Column("revision", Integer, nullable=False, default=1),
    Column("kind", String(20), nullable=False),
    Column("visibility", String(20), nullable=False),
    Column("text", Text, nullable=False),
    Column("content_warning", Text, nullable=False, default=""),
    Column("quoted", Text, nullable=False, default=""),
    Column("unanswerable", Text, nullable=False, default=""),
    Column("sender_proven", Boolean),  # whether the author is proven to have sent it; null: the network's account is
    Column("url", Text),
    Column("claimed_language", String(35)),
    Column("parent_id", String(300)),
    Column("thread_id", String(300)),
    Column("media", JSON, nullable=False),
    Column("raw", JSON, nullable=False),
    Column("posted_at", Moment, nullable=False, index=True),
    Column("edited_at", Moment),
    Column("heard_at", Moment, nullable=False),
    Column("checked_at", Moment, nullable=False),
    Column("gone_at", Moment),
    Column("trouble", Text),  # why a stage could not handle it; shown, and skipped until it is edited
    Column("terms", JSON, nullable=False, default=list),  # which terms of the queries that found it are in it
    Column("copy_key", String(16), nullable=False, default=""),  # of its words: which others are copies (copies.py)
    UniqueConstraint("network", "external_id"),
    Index(None, "copy_key", "heard_at"),
    Index(None, "state", "id"),
    Index(None, "account_id", "posted_at"),
    Index(None, "network", "parent_id"),
    Index(None, "thread_id", "posted_at"),
)
Index(  # what is to be looked up again, or is too old to be kept; what is gone needs neither
    "ix_mentions_still_here",
    mentions.c.source_id,
    mentions.c.posted_at,
    mentions.c.checked_at,
    **only(mentions.c.gone_at.is_(None)),
)
# Told in so many words, without parameters: only then does a database see that the index below serves a question.
WAITING: Final = mentions.c.state.in_([literal_column("'new'"), literal_column("'understood'")])
FOUND: Final = mentions.c.kind == literal_column("'found'")
Index(  # what waits to be read or decided, in its order: what addresses us first, then what is older
    "ix_mentions_waiting",
    mentions.c.state,
    FOUND,
    mentions.c.id,
    **only(WAITING),
)
Index(  # the few that are set aside
    "ix_mentions_set_aside",
    mentions.c.id,
    **only(mentions.c.trouble.is_not(None)),
)

suspects = Table(  # mentions over which a process died: looked at alone, and after some deaths by nobody
    "suspects",
    metadata,
    Column("mention_id", BigKey, ForeignKey("mentions.id"), primary_key=True, autoincrement=False),
    Column("stage", String(20), nullable=False),
    Column("deaths", Integer, nullable=False),
    Column("due_at", Moment, nullable=False, index=True),
)

garbled = Table(  # posts that could not be read or stored, without what they say
    "garbled",
    metadata,
    key(),
    ref("sources"),
    Column("network", String(50), nullable=False),
    Column("external_id", String(300), nullable=False),
    Column("reason", String(300), nullable=False),
    Column("first_at", Moment, nullable=False),
    Column("last_at", Moment, nullable=False),
    Column("times", Integer, nullable=False),
    Column("left_at", Moment),  # when a person said that they saw to it
    UniqueConstraint("network", "external_id"),
)

revisions = Table(
    "revisions",
    metadata,
    key(),
    ref("mentions"),
    Column("revision", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("content_warning", Text, nullable=False),
    Column("replaced_at", Moment, nullable=False),
    UniqueConstraint("mention_id", "revision"),
)

# --- understanding and deciding -------------------------------------------------------------------------------------

model_versions = Table(
    "model_versions",
    metadata,
    Column("version", String(100), primary_key=True),
    Column("first_used_at", Moment, nullable=False),
)

policy_versions = Table(
    "policy_versions",
    metadata,
    Column("version", String(100), primary_key=True),
    Column("text", Text, nullable=False),
    Column("overrides", JSON, nullable=False),  # the modes that the settings gave it, by network; "" for everywhere
    Column("first_used_at", Moment, nullable=False),
    Column("active_since", Moment),  # null: no longer, or never, the one that rules
)

understandings = Table(
    "understandings",
    metadata,
    key(),
    ref("mentions", index=False),
    Column("revision", Integer, nullable=False),
    Column("model_version", String(100), nullable=False),
    Column("language", String(10), nullable=False),
    Column("language_score", Float, nullable=False),
    Column("sentiment", String(20)),
    Column("sentiment_scores", JSON, nullable=False),
    Column("intents", JSON, nullable=False),
    Column("intent_scores", JSON, nullable=False),
    Column("signals", JSON, nullable=False),
    Column("signal_scores", JSON, nullable=False),
    Column("areas", JSON, nullable=False),
    Column("area_scores", JSON, nullable=False),
    Column("at", Moment, nullable=False),
    UniqueConstraint("mention_id", "revision", "model_version"),
)
Index(  # the few that no model could read
    "ix_understandings_unread",
    understandings.c.mention_id,
    **only(text("model_version = 'nobody'")),
)

decisions = Table(
    "decisions",
    metadata,
    key(),
    ref("mentions", index=False),
    Column("revision", Integer, nullable=False),
    Column("policy_version", String(100), nullable=False),
    Column("model_version", String(100), nullable=False),
    Column("urgency", String(20), nullable=False),
    Column("needs_routing", Boolean, nullable=False),
    Column(
        "routed", Boolean, nullable=False, default=False
    ),  # a case has what needed routing; few have to be looked at
    Column("escalate_to", String(100), nullable=False),
    Column("ignored", Text, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("alerts", JSON, nullable=False),  # the targets that were to be told
    Column("saw", JSON(none_as_null=True)),  # what else was looked at (listener/situations.py); null: it was erased
    Column("facts", String(64), ForeignKey("facts.digest")),  # what was true of the network
    Column("fingerprint", String(64)),  # of the whole decision, text and trace; null: it was erased
    Column("trace", JSON, nullable=False),  # rules and guards
    Column("at", Moment, nullable=False, index=True),
    Column("score", Integer, nullable=False, default=0),
    Column("queue_at", Moment, nullable=False),  # what orders a queue: waiting since, less what the score is worth
    Index(None, "mention_id", "revision"),
)

Index(
    "ix_decisions_to_route",
    decisions.c.queue_at,
    **only(text("needs_routing AND NOT routed"), on_sqlite=text("needs_routing = 1 AND routed = 0")),
)

facts = Table(  # what was true of a network when something was decided; never changed
    "facts",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("facts", JSON, nullable=False),
)

drafts = Table(
    "drafts",
    metadata,
    key(),
    ref("mentions"),
    ref("decisions", nullable=True, index=False),
    ref("cases", nullable=True),
    Column("send_key", String(64), nullable=False, unique=True),
    Column("state", String(20), nullable=False),
    Column("account", String(100), nullable=False),
    Column("text", Text, nullable=False),
    Column("language", String(10), nullable=False),
    Column("template", String(100), nullable=False),
    Column("length", Integer, nullable=False),
    Column("length_limit", Integer, nullable=False),
    Column("urgency_rank", Integer, nullable=False),
    Column("revision", Integer, nullable=False),  # the mention's, that the text answers
    Column("policy_version", String(100), nullable=False),
    Column("edit", Integer, nullable=False, default=1),  # grows with every change of text or state by a person
    Column("proposed_at", Moment, nullable=False),
    Column("decided_by", String(100)),  # a person, or "rule NAME"
    Column("decided_at", Moment),
    Column("automatic", Boolean, nullable=False, default=False),
    Column("reason", Text),  # why rejected, expired, failed, unknown
    Column("not_before", Moment),
    Column("sending_since", Moment),
    Column("sender", String(200)),  # the process that sent it last, see senders.py
    Column("unknown_since", Moment),  # since when nobody knew whether it went out; kept once it was found
    Column("looked_at", Moment),  # when the network was last searched for it
    Column("sent_at", Moment),
    Column("posted_id", String(300), index=True),
    Column("posted_url", Text),
    Column("rule", String(100), nullable=False, default=""),  # which asked for it
    Column("wording", String(20), nullable=False, default=""),  # of the template; empty once a person changed it
    Column("alone_until", Moment),  # later it does not go out by itself: what it answers is too old
    Column("channel", String(20), nullable=False, default=""),  # "mail", "dm": to one person alone; "": an answer there
    Column("through", String(50)),  # the network it goes through; null: the mention's
    Column("recipient", Text, nullable=False, default=""),  # the address, where it is no answer
    Column("subject", Text, nullable=False, default=""),
    Column("said_at", Moment, index=True),  # approved, then sent: when it counts towards the guard's caps
    Column("score", Integer, nullable=False, default=0),
    Column("queue_at", Moment, nullable=False),  # the earliest comes first, see policies/score.py
    ref("answer_runs", nullable=True, index=False),  # that lets it out, among many; null: it was decided by itself
    ref("incidents", nullable=True, index=False),  # whose approved answer it is, in that wording; null: none's
    Index(None, "state", "queue_at", "id"),
    Index(None, "account", "state", "answer_run_id", "queue_at"),
    Index(None, "answer_run_id", "state"),
)
Index(  # of the few that are an incident's answer
    "ix_drafts_incident_id",
    drafts.c.incident_id,
    drafts.c.state,
    **only(drafts.c.incident_id.is_not(None)),
)
Index(  # to whom we wrote alone
    "ix_drafts_recipient",
    drafts.c.recipient,
    **only(drafts.c.recipient != ""),
)

draft_quotes = Table(  # mentions whose words a draft repeats, beside the one that it answers
    "draft_quotes",
    metadata,
    Column("draft_id", BigKey, ForeignKey("drafts.id"), primary_key=True),
    Column("mention_id", BigKey, ForeignKey("mentions.id"), primary_key=True, index=True),
)

draws = Table(  # drafts that drew for a share, and the side on which they fell; `policy shares` compares the two
    "draws",
    metadata,
    Column("decision_id", BigKey, ForeignKey("decisions.id"), primary_key=True),
    Column("level", String(20), primary_key=True),  # what has the share: listener.types.Level
    Column("name", String(100), primary_key=True),
    ref("mentions"),
    Column("share", Float, nullable=False),  # percent, at that moment
    Column("alone", Boolean, nullable=False),  # the side: whether it was within the share
    Column("alone_but_for_this", Boolean, nullable=False),  # whether nothing else kept it from going out alone
    Column("at", Moment, nullable=False, index=True),
    Column("day_over_at", Moment, nullable=False),  # until then it is watched what came of it
)

views = Table(  # what was last shown to whom, so that nobody approves what they have not read
    "views",
    metadata,
    Column("actor", String(100), primary_key=True),
    Column("draft_id", BigKey, ForeignKey("drafts.id"), primary_key=True),
    Column("edit", Integer, nullable=False),
    Column("policy_version", String(100), nullable=False),
    Column("text", Text, nullable=False),
    Column("at", Moment, nullable=False),
)

# --- who works here -------------------------------------------------------------------------------------------------

users = Table(
    "users",
    metadata,
    key(),
    Column("name", String(100), nullable=False),
    Column("folded", String(200), nullable=False, unique=True),  # the name without capitals, width and spare spaces
    Column("roles", JSON, nullable=False),
    Column("teams", JSON, nullable=False),
    Column("skills", JSON, nullable=False),
    Column("languages", JSON, nullable=False),
    Column("capacity", Integer),  # live cases at most; null: no limit
    Column("duty", Text, nullable=False, default=""),  # a calendar of the policy, or hours of their own
    Column("os_user", String(100), unique=True),  # who they are on this machine
    Column("password", Text),  # argon2id, never the words
    Column("failures", Integer, nullable=False, default=0),  # to sign in, in a row
    Column("failed_at", Moment),
    Column("added_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("disabled_at", Moment),
)

user_tokens = Table(
    "user_tokens",
    metadata,
    key(),
    ref("users"),
    Column("label", String(100), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),  # SHA-256 of the token, which nobody keeps
    Column("only", JSON),  # the commands that it is for; null: all that its user may call
    Column("made_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("revoked_at", Moment),
)

accesses = Table(  # other programs that may come in
    "accesses",
    metadata,
    key(),
    Column("name", String(100), nullable=False),
    Column("scopes", JSON, nullable=False),  # what it is for: "metrics", "crm:erp"
    Column("digest", String(64), nullable=False, unique=True),  # SHA-256 of the token, which nobody keeps
    Column("made_by", String(100), nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("revoked_at", Moment),
    Column("used_at", Moment),  # when it last let somebody in, to the hour
)

absences = Table(
    "absences",
    metadata,
    key(),
    ref("users"),
    Column("since", Moment, nullable=False),
    Column("until", Moment),  # null: until they are back
    Column("reason", Text, nullable=False, default=""),
    Column("noted_by", String(100), nullable=False),
)

# --- the desk ------------------------------------------------------------------------------------------------------

customers = Table(
    "customers",
    metadata,
    key(),
    Column("reference", String(100), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("email", Text),
    Column("phone", Text),
    Column("language", String(10), nullable=False, default=""),
    Column("tier", String(50), nullable=False, default=""),
    Column("tags", JSON, nullable=False),
    Column("fields", JSON, nullable=False),  # by the types in `field_types`
    Column("since", Date),  # when they became a customer
    Column("imported", String(32), nullable=False, default=""),  # digest of the line last imported; "" after an edit
    Column("added_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("merged_into_id", BigKey, ForeignKey("customers.id")),  # the same person's, that rules
)
Index(  # of the few that were merged: an index of all would be taken for whoever was not, before one that sorts
    "ix_customers_merged_into_id",
    customers.c.merged_into_id,
    **only(customers.c.merged_into_id.is_not(None)),
)

field_types = Table(  # what an imported field holds; one that is not here holds text
    "field_types",
    metadata,
    Column("name", String(100), primary_key=True),  # in small letters
    Column("kind", String(20), nullable=False),
    Column("currency", String(3), nullable=False, default=""),
    Column("choices", JSON, nullable=False),
    Column("declared_by", String(100), nullable=False),
    Column("declared_at", Moment, nullable=False),
)

contact_points = Table(
    "contact_points",
    metadata,
    key(),
    ref("customers", index=False),
    Column("kind", String(50), nullable=False),  # mail, phone, chat, post, account, …
    Column("value", Text, nullable=False),  # as it is compared: an address in small letters, a number as E.164
    Column("written", Text, nullable=False),  # as people write it
    Column("of_record", Boolean, nullable=False),  # it follows the record's own e-mail or phone
    Column("preferred", Boolean, nullable=False),
    Column("do_not_use", Boolean, nullable=False),
    Column("verified_at", Moment),
    Column("added_at", Moment, nullable=False),
    UniqueConstraint("customer_id", "kind", "value"),
    Index(None, "value"),
    **NEVER_AGAIN,
)

consents = Table(  # what they allowed and what they took back; the newest for a channel and purpose counts
    "consents",
    metadata,
    key(),
    ref("customers"),
    Column("channel", String(50), nullable=False),  # "any" or a contact point's kind
    Column("purpose", String(50), nullable=False),
    Column("given", Boolean, nullable=False),
    Column("at", Moment, nullable=False),  # when they said so
    Column("source", Text, nullable=False),
    Column("noted_by", String(100), nullable=False),
    Column("noted_at", Moment, nullable=False),
)

customer_notes = Table(
    "customer_notes",
    metadata,
    key(),
    ref("customers"),
    Column("text", Text, nullable=False),
    Column("by", String(100), nullable=False),
    Column("at", Moment, nullable=False),
)

contracts = Table(
    "contracts",
    metadata,
    key(),
    ref("customers", index=False),
    Column("reference", String(100), nullable=False),
    Column("product", Text, nullable=False, default=""),
    Column("begins_on", Date),
    Column("ends_on", Date),  # the last day; None: it goes on
    Column("changed_at", Moment, nullable=False),
    UniqueConstraint("customer_id", "reference"),
)

products = Table(
    "products",
    metadata,
    key(),
    ref("customers", index=False),
    Column("name", String(200), nullable=False),
    Column("changed_at", Moment, nullable=False),
    UniqueConstraint("customer_id", "name"),
    **NEVER_AGAIN,
)

payments = Table(  # what each paid last, and what they owe; amounts are decimals in text, such as 12.50
    "payments",
    metadata,
    Column("customer_id", BigKey, ForeignKey("customers.id"), primary_key=True),
    Column("last_on", Date),
    Column("last_amount", String(30)),
    Column("arrears", String(30)),
    Column("arrears_since", Date),
    Column("currency", String(3), nullable=False, default=""),
    Column("changed_at", Moment, nullable=False),
)

links = Table(
    "links",
    metadata,
    key(),
    ref("accounts"),
    ref("customers"),
    Column("basis", String(30), nullable=False),
    Column("evidence", Text, nullable=False, default=""),
    Column("linked_by", String(100), nullable=False),
    Column("linked_at", Moment, nullable=False),
    Column("unlinked_by", String(100)),
    Column("unlinked_at", Moment),
)
Index(
    "uq_links_current",
    links.c.account_id,
    unique=True,
    **only(links.c.unlinked_at.is_(None)),
)

expected_links = Table(  # accounts that we were told of and have not heard yet
    "expected_links",
    metadata,
    key(),
    Column("network", String(50), nullable=False),
    Column("handle", Text, nullable=False),  # folded: no leading @, no capitals
    ref("customers"),
    Column("basis", String(30), nullable=False),
    Column("evidence", Text, nullable=False, default=""),
    Column("linked_by", String(100), nullable=False),
    Column("linked_at", Moment, nullable=False),
    Column("settled_by", String(100)),  # "daemon": the account was heard and linked; else who took it back
    Column("settled_at", Moment),
    Index(None, "network", "handle"),
)
Index(
    "uq_expected_links_current",
    expected_links.c.network,
    expected_links.c.handle,
    unique=True,
    **only(expected_links.c.settled_at.is_(None)),
)

link_codes = Table(  # one-time codes by which a customer says which account is theirs
    "link_codes",
    metadata,
    key(),
    ref("customers"),
    Column("digest", String(64), nullable=False, unique=True),  # of the code, which is kept nowhere
    Column("network", String(50), nullable=False, default=""),  # where it counts; "" everywhere
    Column("issued_by", String(100), nullable=False),
    Column("issued_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("withdrawn_at", Moment),
    ref("accounts", nullable=True),  # that used it
    ref("mentions", nullable=True),  # in which it was used
    Column("used_at", Moment),
)

link_tries = Table(  # what came of each code that somebody wrote to us, right or wrong
    "link_tries",
    metadata,
    key(),
    ref("accounts", index=False),
    ref("mentions", index=False),
    Column("revision", Integer, nullable=False),
    Column("outcome", String(20), nullable=False),
    ref("link_codes", nullable=True),
    Column("at", Moment, nullable=False),
    UniqueConstraint("mention_id", "revision"),
    Index(None, "account_id", "at"),
    Index(None, "at"),
)

link_suggestions = Table(  # an account, or another record, that may be the customer's, for a person to say
    "link_suggestions",
    metadata,
    key(),
    ref("customers"),
    ref("accounts", nullable=True),
    Column("other_id", BigKey, ForeignKey("customers.id"), index=True),  # the record added later
    Column("reasons", JSON, nullable=False),
    Column("strength", String(10), nullable=False),
    Column("state", String(10), nullable=False),
    Column("found_at", Moment, nullable=False),
    Column("decided_by", String(100)),
    Column("decided_at", Moment),
    UniqueConstraint("customer_id", "account_id"),
    UniqueConstraint("customer_id", "other_id"),
    Index(None, "state", "id"),
)

sweeps = Table(  # how far something that looks at all records, over and over, has come
    "sweeps",
    metadata,
    Column("name", String(50), primary_key=True),
    Column("last_id", BigKey, nullable=False),
)

moves = Table(  # what was joined or parted by a person's word, so that it can be put back
    "moves",
    metadata,
    key(),
    Column("kind", String(10), nullable=False),  # "merge" or "unlink"
    ref("customers"),  # into which another was merged, or whose the account no longer is
    Column("other_id", BigKey, ForeignKey("customers.id"), index=True),  # merge: the record that no longer rules
    ref("accounts", nullable=True),  # unlink
    Column("by", String(100), nullable=False),
    Column("at", Moment, nullable=False),
    Column("undone_by", String(100)),
    Column("undone_at", Moment),
)

moved_rows = Table(
    "moved_rows",
    metadata,
    key(),
    ref("moves", index=True),
    Column("table_name", String(60), nullable=False),
    Column("key", JSON, nullable=False),
    Column("was", JSON(none_as_null=True)),  # the columns that were changed, or the whole row; null: there was none
    Column("becomes", JSON(none_as_null=True)),  # null: the row was taken out
)

case_numbers = Table(
    "case_numbers",
    metadata,
    Column("year", Integer, primary_key=True, autoincrement=False),
    Column("last", Integer, nullable=False),
)

case_patterns = Table(  # by which references were ever given; what was said to people is found for ever
    "case_patterns",
    metadata,
    Column("pattern", String(100), primary_key=True),
    Column("first_used_at", Moment, nullable=False),
)

cases = Table(  # what its events say: store/rebuilding.py
    "cases",
    metadata,
    key(),
    Column("reference", String(60), nullable=False, unique=True),
    ref("customers", nullable=True),
    ref("accounts", nullable=True),
    Column("state", String(20), nullable=False),
    Column("title", Text, nullable=False),
    Column("team", String(100), nullable=False),
    Column("agent", String(100)),
    Column("urgency_rank", Integer, nullable=False),
    Column("completeness", Integer, nullable=False, default=0),  # percent
    Column("tags", JSON, nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("opened_by", String(100), nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("first_response_due", Moment),
    Column("first_response_at", Moment),
    Column("resolution_due", Moment),
    Column("resolved_at", Moment),
    Column("promise", JSON, nullable=False),  # by clock: the service level, its calendar, the span in seconds
    Column("stands_since", Moment),  # since when the clock of the solution stands still
    Column("asked_team", String(100)),  # that owes us information
    Column("asked_by", String(100)),
    Column("asked_at", Moment),
    Column("skills", JSON, nullable=False),
    Column("revision", Integer, nullable=False, default=1),  # grows with every change; who read an older one is late
    Column("merged_into", BigKey, ForeignKey("cases.id"), index=True),
    Column("parent_id", BigKey, ForeignKey("cases.id"), index=True),  # the incident that it is a part of
    Column("snoozed_until", Moment),
    Column("due_at", Moment),  # what a person said, beside what was promised
    Column("watchers", JSON, nullable=False, default=list),
    Column("checklist", JSON, nullable=False, default=list),  # what makes it complete: name, weight, whether done
    Index(None, "team", "resolved_at"),
    Index(None, "agent", "state"),
    Column("score", Integer, nullable=False, default=0),
    Column("minutes_per_point", Integer, nullable=False),  # how long waiting is worth one
    Column("queue_at", Moment, nullable=False),  # the earliest comes first, see policies/score.py
    Column("timed_by", BigKey),  # the incident by whose rule its clocks go; null: by its own promise
    Index(None, "state", "queue_at", "id"),
    Index(None, "state", "team", "queue_at", "id"),
)
Index(  # of the few whose clocks an incident set
    "ix_cases_timed_by",
    cases.c.timed_by,
    **only(cases.c.timed_by.is_not(None)),
)
Index(  # of the few that sleep, for the same reason
    "ix_cases_snoozed_until",
    cases.c.snoozed_until,
    **only(cases.c.snoozed_until.is_not(None)),
)

case_mentions = Table(
    "case_mentions",
    metadata,
    Column("case_id", BigKey, ForeignKey("cases.id"), primary_key=True),
    Column("mention_id", BigKey, ForeignKey("mentions.id"), primary_key=True, index=True),
    Column("why", Text, nullable=False),
    Column("at", Moment, nullable=False),
)

case_events = Table(
    "case_events",
    metadata,
    key(),
    ref("cases"),
    Column("kind", String(30), nullable=False),
    Column("by", String(100), nullable=False),
    Column("at", Moment, nullable=False),
    Column("detail", JSON, nullable=False),
)

case_steps = Table(
    "case_steps",
    metadata,
    key(),
    ref("cases"),
    Column("clock", String(20), nullable=False),
    Column("occasion", String(20), nullable=False),
    Column("number", Integer, nullable=False),  # of the chain; 0 is the occasion itself
    Column("planned", Moment, nullable=False),
    Column("at", Moment, index=True),  # null: done, or its clock stands still
    Column("alerts", JSON, nullable=False),  # whom to tell
    Column("team", String(100), nullable=False),  # who gets it; "" nobody else
    Column("urgency", String(20), nullable=False),  # a level, "+1", or "" as it is
    Column("done_at", Moment),
)

# --- what hits many ------------------------------------------------------------------------------------------------

incidents = Table(  # what its events say: store/incident_checks.py
    "incidents",
    metadata,
    key(),
    Column("title", Text, nullable=False),
    Column("state", String(20), nullable=False, index=True),
    Column("opened_by", String(100), nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("began_at", Moment, nullable=False),  # what was posted before is not of it
    Column("ended_at", Moment),  # since when it no longer hits anybody; what was posted later is not of it
    Column("owner", String(100)),
    ref("cases", nullable=True),  # its own, whose parts the cases of those are whom it hits; null: none yet
    Column("affected", JSON, nullable=False),  # whom it hits, as desk/incidents.py reads it
    Column("meaning", Text, nullable=False, default=""),  # what people say who are hit, a sentence a line
    Column("say", Text, nullable=False, default=""),  # for agents, in one line
    Column("avoid", JSON, nullable=False, default=list),  # phrases that they leave unsaid
    Column("holds_replies", Boolean, nullable=False, default=True),  # other automatic replies to whom it hits
    Column("holds_cheer", Boolean, nullable=False, default=True),  # what marketing has scheduled in good spirits
    Column("swept_to", BigKey),  # the last present mention that was looked at; null: all were
    Column("revision", Integer, nullable=False, default=1),
    Column("changed_at", Moment, nullable=False),
)

incident_events = Table(  # its time line
    "incident_events",
    metadata,
    key(),
    ref("incidents"),
    Column("at", Moment, nullable=False),
    Column("by", String(100), nullable=False),
    Column("kind", String(30), nullable=False),
    Column("state", String(20), nullable=False),  # the incident's, from then on
    Column("text", Text, nullable=False, default=""),  # for ourselves
    Column("detail", JSON, nullable=False),
    Column("told_to", BigKey),  # the last of the incident's cases that was told of it; null: all were, or need not be
)

incident_mentions = Table(
    "incident_mentions",
    metadata,
    key(),
    ref("incidents", index=False),
    ref("mentions"),
    Column("how", String(10), nullable=False),  # listener.types.Attached
    Column("why", Text, nullable=False),
    Column("score", Float),  # how alike in meaning, -1 to 1; null: by something else
    Column("at", Moment, nullable=False),
    Column("by", String(100), nullable=False),
    Column("joined_at", Moment),  # when its case was made a part of the incident's, or was seen not to be one
    Column("undone_at", Moment),
    Column("undone_by", String(100)),
    Index(None, "incident_id", "id"),
)
Index(  # a mention is of one incident at most
    "uq_incident_mentions_current",
    incident_mentions.c.mention_id,
    unique=True,
    **only(incident_mentions.c.undone_at.is_(None)),
)
Index(
    "ix_incident_mentions_to_join",
    incident_mentions.c.incident_id,
    **only(text("joined_at IS NULL AND undone_at IS NULL")),
)

incident_answers = Table(  # what is said to those whom it hits, in variants; never changed but to approve or withdraw
    "incident_answers",
    metadata,
    key(),
    ref("incidents"),
    Column("language", String(10), nullable=False),
    Column("text", Text, nullable=False),  # a template
    Column("wording", String(20), nullable=False),  # as `drafts.wording` has it
    Column("proposed_by", String(100), nullable=False),
    Column("proposed_at", Moment, nullable=False),
    Column("approved_by", String(100)),
    Column("approved_at", Moment),
    Column("withdrawn_by", String(100)),
    Column("withdrawn_at", Moment),
)
Index(  # no variant stands there twice
    "uq_incident_answers_live",
    incident_answers.c.incident_id,
    incident_answers.c.language,
    incident_answers.c.wording,
    unique=True,
    **only(incident_answers.c.withdrawn_at.is_(None)),
)

incident_customers = Table(  # a list of those whom it hits, that somebody brought
    "incident_customers",
    metadata,
    key(),
    ref("incidents", index=False),
    ref("customers"),
    Column("added_at", Moment, nullable=False),
    UniqueConstraint("incident_id", "customer_id"),
    **NEVER_AGAIN,
)

# --- how much is said ------------------------------------------------------------------------------------------------

volumes = Table(  # how many people said something, by UTC day and what it is about; "" is any
    "volumes",
    metadata,
    Column("day", Date, primary_key=True),
    Column("area", String(100), primary_key=True),
    Column("intent", String(100), primary_key=True),
    Column("place", String(100), primary_key=True),
    Column("network", String(100), primary_key=True),
    Column("people", LargeBinary, nullable=False),  # as volumes.py packs them: five minutes of the day, people in them
)

spikes = Table(  # far more people than normal, all at once
    "spikes",
    metadata,
    key(),
    Column("state", String(20), nullable=False),
    ref("incidents", nullable=True),  # that it is of
    Column("area", String(100), nullable=False),  # where it shows most; "" is any
    Column("intent", String(100), nullable=False),
    Column("place", String(100), nullable=False),
    Column("network", String(100), nullable=False),
    Column("labels", JSON, nullable=False),  # where it shows at all, as [area, intent, place, network]
    Column("onset", Moment, nullable=False),
    Column("found_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False, index=True),  # when it was last found
    Column("ended_at", Moment),  # null: it goes on
    Column("since", Moment, nullable=False),  # the time in which it was strongest, up to `peak_at`
    Column("peak_at", Moment, nullable=False),
    Column("people", Integer, nullable=False),  # in that time
    Column("expected", Float, nullable=False),
    Column("chance", Float, nullable=False),
    Column("days", Float, nullable=False),  # of listening from which it is known what is normal
    Column("causes", JSON, nullable=False),  # areas, intents, places, networks: people, how many are normal
    Column("words", JSON, nullable=False),  # what many of them say and others do not: the word, people
    Column("told_at", Moment),
    Column("told_people", Integer, nullable=False, default=0),
    Column("decided_by", String(100)),
    Column("decided_at", Moment),
    Column("because", Text, nullable=False, default=""),
)

spike_mentions = Table(
    "spike_mentions",
    metadata,
    Column("spike_id", BigKey, ForeignKey("spikes.id"), primary_key=True),
    Column("mention_id", BigKey, ForeignKey("mentions.id"), primary_key=True, index=True),
)

# --- what is known -------------------------------------------------------------------------------------------------

articles = Table(
    "articles",
    metadata,
    key(),
    Column("newest", Integer, nullable=False),  # number of its newest version
    Column("published", Integer),  # number of the version that is out; null: none is
    Column("made_at", Moment, nullable=False),
    Column("looked_at", Moment, nullable=False),  # when somebody last said that it is true
    Column("looked_by", String(100), nullable=False),
    Column("doubt", Text, nullable=False, default=""),  # why it may no longer be true; "" nobody doubts it
    Column("doubted_by", String(100)),
    Column("doubted_at", Moment),
)

article_versions = Table(  # the words of one never change, but for those that must be erased
    "article_versions",
    metadata,
    key(),
    ref("articles"),
    Column("number", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    Column("audience", String(20), nullable=False),
    Column("teams", JSON, nullable=False),  # whose people may read it; none: every team's
    Column("roles", JSON, nullable=False),  # who may read it; none: every role
    Column("product", String(200), nullable=False),
    Column("review_by", Date),  # to be looked at again by then
    Column("written_by", String(100), nullable=False),
    Column("written_at", Moment, nullable=False),
    Column("why", Text, nullable=False),
    ref("cases", nullable=True),  # the case that it was drafted from
    Column("reviewed_by", String(100)),
    Column("reviewed_at", Moment),
    Column("note", Text, nullable=False, default=""),  # the reviewer's
    Column("published_by", String(100)),
    Column("published_at", Moment),
    Column("ended_by", String(100)),
    Column("ended_at", Moment),  # replaced, retired
    UniqueConstraint("article_id", "number"),
    Index(None, "state", "article_id"),
)

article_texts = Table(  # a version in one language
    "article_texts",
    metadata,
    key(),
    ref("article_versions", index=False),
    Column("language", String(10), nullable=False),
    Column("title", Text, nullable=False),
    Column("answer", Text, nullable=False),  # what a reply made from it says
    Column("body", Text, nullable=False),
    UniqueConstraint("article_version_id", "language"),
)

article_quotes = Table(  # sentences of a case that were put into an article, as they stand there
    "article_quotes",
    metadata,
    key(),
    ref("articles"),
    ref("cases"),
    ref("mentions"),  # whose words they are, or that they answer
    ref("drafts", nullable=True, index=False),  # our answer; null: the mention's own words
    Column("words", Text, nullable=False),
)

article_ratings = Table(  # by our own people, one of each person and version
    "article_ratings",
    metadata,
    Column("article_id", BigKey, ForeignKey("articles.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("by", String(100), primary_key=True),
    Column("useful", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Moment, nullable=False),
)

shelf = Table(  # what search reads of each published text, in one go
    "shelf",
    metadata,
    Column("article_text_id", BigKey, ForeignKey("article_texts.id"), primary_key=True, autoincrement=False),
    ref("articles"),
    Column("language", String(10), nullable=False),
    Column("readers", Text, nullable=False),  # who may read it, as desk/shelving.py writes that
    Column("model", String(100), nullable=False),  # whose vectors these are; "" there are none
    Column("passages", Integer, nullable=False),
    Column("vectors", LargeBinary, nullable=False),  # float16, one passage after the other
    Column("stems", LargeBinary, nullable=False),  # 32 bits for each different stem
    Column("counts", LargeBinary, nullable=False),  # how often each stands in it, a byte each
)

shelf_changes = Table(  # grows with every change of the shelf, so that who has read it knows whether to read it again
    "shelf_changes",
    metadata,
    Column("name", String(20), primary_key=True),
    Column("number", Integer, nullable=False),
)

draft_articles = Table(  # replies whose words were taken from an article
    "draft_articles",
    metadata,
    Column("draft_id", BigKey, ForeignKey("drafts.id"), primary_key=True),
    ref("articles"),
    Column("number", Integer, nullable=False),
    Column("language", String(10), nullable=False),
    Column("by", String(100), nullable=False),
    Column("at", Moment, nullable=False),
)

# --- marketing -----------------------------------------------------------------------------------------------------

notices = Table(
    "notices",
    metadata,
    key(),
    Column("follows_id", BigKey, ForeignKey("notices.id"), index=True),  # the notice that this one follows
    Column("follows_as", String(20)),  # why: correction, resolved, news
    Column("title", Text, nullable=False),
    Column("state", String(20), nullable=False),
    Column("written_by", String(100), nullable=False),
    Column("written_at", Moment, nullable=False),
    Column("approved_by", String(100)),
    Column("approved_at", Moment),
    Column("published_by", String(100)),  # who said that it goes out
    Column("publishing_since", Moment),
    Column("published_at", Moment),  # when the last delivery was out
    Column("kind", String(20), nullable=False, default="notice"),  # or "cheer"
    ref("incidents", nullable=True),
    Column("digest", String(64)),  # of what was approved
    Column("due_at", Moment, index=True),  # when it is to go out by itself
    Column("time_zone", String(64)),  # whose clocks that was said by
    Column("late_after", Moment),  # what has not begun to go out by then waits for a person
    Column("held", Text),  # why it did not go out when it was due
)

notice_links = Table(
    "notice_links",
    metadata,
    key(),
    ref("notices"),
    Column("url", Text, nullable=False),
    Column("state", String(20), nullable=False),
    Column("detail", Text, nullable=False),
    Column("checked_at", Moment, nullable=False),
    UniqueConstraint("notice_id", "url"),
)

deliveries = Table(
    "deliveries",
    metadata,
    key(),
    ref("notices"),
    Column("account", String(100), nullable=False),
    Column("network", String(50), nullable=False),
    Column("language", String(10), nullable=False),
    Column("text", Text, nullable=False),
    Column("length", Integer, nullable=False),
    Column("length_limit", Integer, nullable=False),
    Column("part", Integer, nullable=False, default=1),  # of a thread; each part waits for the one before it
    Column("images", Boolean, nullable=False, default=False),  # whether the notice's pictures go with this one
    Column("send_key", String(64), nullable=False, unique=True),
    Column("state", String(20), nullable=False),
    Column("sending_since", Moment),
    Column("sender", String(200)),  # the process that sent it last, see senders.py
    Column("unknown_since", Moment),  # since when nobody knew whether it went out; kept once it was found
    Column("looked_at", Moment),  # when the network was last searched for it
    Column("sent_at", Moment),
    Column("posted_id", String(300)),
    Column("posted_url", Text),
    Column("reason", Text),
    Column("below_id", BigKey, ForeignKey("deliveries.id")),  # of a follow-up: below which message it goes
    UniqueConstraint("notice_id", "account", "language", "part"),
    Index(None, "account", "state"),
)

amendments = Table(  # what is done to a delivery after it went out
    "amendments",
    metadata,
    key(),
    Column("delivery_id", BigKey, ForeignKey("deliveries.id"), nullable=False, index=True),
    Column("kind", String(10), nullable=False),  # edit, delete, pin, unpin
    Column("before", Text, nullable=False),  # of an edit: what it said until then
    Column("text", Text, nullable=False),  # of an edit: what it says from then on
    Column("length", Integer, nullable=False),  # of that text, as the network counts it
    Column("state", String(20), nullable=False, index=True),
    Column("written_by", String(100), nullable=False),
    Column("written_at", Moment, nullable=False),
    Column("approved_by", String(100)),  # where the policy wants two people for a correction
    Column("approved_at", Moment),
    Column("sending_since", Moment),
    Column("sender", String(200)),  # the process that did it last, see senders.py
    Column("unknown_since", Moment),
    Column("looked_at", Moment),  # when the post was last looked at for it
    Column("done_at", Moment),
    Column("reason", Text),
)

looks = Table(  # what was found when something of unknown outcome was looked for; the same again is counted
    "looks",
    metadata,
    key(),
    Column("draft_id", BigKey, ForeignKey("drafts.id"), index=True),
    Column("delivery_id", BigKey, ForeignKey("deliveries.id"), index=True),
    Column("amendment_id", BigKey, ForeignKey("amendments.id"), index=True),
    Column("asked", Text, nullable=False),  # where it was looked for, and by what
    Column("since", Moment),  # how far back; null: a person looked
    Column("found", String(20), nullable=False),  # listener.types.Finding
    Column("posted_id", String(300)),
    Column("posted_url", Text),
    Column("detail", Text, nullable=False, default=""),  # why it could not be told
    Column("by", String(100), nullable=False),  # "daemon", or the person who looked
    Column("first_at", Moment, nullable=False),
    Column("at", Moment, nullable=False),
    Column("times", Integer, nullable=False, default=1),
)

# --- pictures that go out ------------------------------------------------------------------------------------------

answer_runs = Table(  # one answer for each person of an incident
    "answer_runs",
    metadata,
    key(),
    ref("incidents"),
    Column("state", String(20), nullable=False),
    Column("by", String(100), nullable=False),
    Column("at", Moment, nullable=False),
    Column("approved_by", String(100)),
    Column("approved_at", Moment),
    Column("per_hour", Integer, nullable=False),  # on each network
    Column("sample", Integer),  # how many were read one by one before it was approved
    Column("seed", Integer, nullable=False),  # which ones were drawn
    Column("policy_version", String(100), nullable=False),
    Column("edit", Integer, nullable=False, default=1),  # grows with every change of its texts
    Column("started_at", Moment),
    Column("ended_at", Moment),
    Column("reason", Text),  # why it stopped, or was dropped
)

answers = Table(  # whom a run answers, with what until it is a draft, and whom it leaves out
    "answers",
    metadata,
    key(),
    ref("answer_runs", index=False),
    ref("incidents", index=False),
    ref("mentions"),
    ref("accounts"),
    ref("customers", nullable=True),
    ref("drafts", nullable=True),
    Column("account", String(100), nullable=False),  # ours
    Column("network", String(50), nullable=False),
    Column("place", Integer, nullable=False),
    Column("revision", Integer, nullable=False),  # the mention's, that the text answers
    Column("language", String(10), nullable=False, default=""),
    Column("wording", String(20), nullable=False, default=""),
    Column("text", Text, nullable=False, default=""),  # empty once it stands in the draft
    Column("length", Integer, nullable=False, default=0),
    Column("length_limit", Integer, nullable=False, default=0),
    Column("left_out", String(30), nullable=False, default=""),  # why there is none; "" where there is
    Column("why", Text, nullable=False, default=""),
    Column("holds", Boolean),  # true while it is, or may become, this person's answer; else null, which is never alike
    Column("claimed_at", Moment),  # when it went on its way, for the pace
    UniqueConstraint("incident_id", "account_id", "holds"),
    UniqueConstraint("incident_id", "customer_id", "holds"),
    Index(None, "answer_run_id", "place"),
    Index(None, "network", "claimed_at"),
)

attachments = Table(
    "attachments",
    metadata,
    key(),
    ref("drafts", nullable=True),
    ref("notices", nullable=True),
    Column("name", Text, nullable=False),
    Column("content_type", String(100), nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("alt", JSON, nullable=False),  # the description, by language
)

# --- the switch and the record --------------------------------------------------------------------------------------

pauses = Table(
    "pauses",
    metadata,
    Column("network", String(50), primary_key=True),  # "" for all
    Column("kind", String(20), primary_key=True),  # a `SendKind`; "" for all
    Column("by", String(100), nullable=False),
    Column("at", Moment, nullable=False),
    Column("reason", Text, nullable=False, default=""),
)

daemons = Table(
    "daemons",
    metadata,
    Column("name", String(100), primary_key=True),  # host:pid
    Column("started_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("version", String(50), nullable=False),
    Column("step", String(32), nullable=False),  # of the tables, that it was made for
    Column("policy", String(100), nullable=False),  # by which it decides; "" while by none
    Column("trouble", Text, nullable=False),  # why it decides nothing; "" while all is well
    Column("hurts", JSON, nullable=False),  # what else it does without, in sentences
    Column("reads", Boolean, nullable=False),  # whether its model reads
    Column("roles", JSON, nullable=False),  # of the work that several processes share; none: it does everything
    Column("doing", Text, nullable=False),  # what it had in hand then, in words without anybody's data
)

table_steps = Table(  # the migrations that these tables have seen
    "table_steps",
    metadata,
    Column("step", String(32), primary_key=True),
    Column("works_with", String(32), nullable=False),  # the oldest step whose program still works after it
    Column("taken_at", Moment, nullable=False),
)

loans = Table(  # what one process of several does: who does not renew it has lost it
    "loans",
    metadata,
    Column("name", String(200), primary_key=True),  # "lead poll", "stream mentions"
    Column("holder", String(100), nullable=False),  # host:pid
    Column("until", Moment, nullable=False),  # by the database's clock
)

lives = Table(  # one more each time that the database went on as what it had been earlier: see lives.py
    "lives",
    metadata,
    key(),
    Column("place", String(200), nullable=False),  # where it is, as the database itself tells
    Column("began_at", Moment),  # null: the first
    Column("known_until", Moment),  # what came later is not known here; null: the first
    Column("by", String(100), nullable=False),
)

rests = Table(  # until when nothing is sent on an account, whoever would send it
    "rests",
    metadata,
    Column("account", String(100), primary_key=True),
    Column("until", Moment, nullable=False),
)

audit = Table(  # a chain: see chain.py
    "audit",
    metadata,
    Column("id", BigKey, primary_key=True, autoincrement=False),  # the place in the chain, without gaps
    Column("at", Moment, nullable=False, index=True),
    Column("by", String(100), nullable=False),
    Column("action", String(60), nullable=False),
    Column("subject", String(100), nullable=False, index=True),  # "mention 12", "draft 7", "case ES-26-000001-8"
    Column("detail", JSON, nullable=False),
    Column("salt", String(32), nullable=False),  # of the digest; "": subject and detail were erased
    Column("digest", String(64)),  # of what was erased
    Column("key", String(16), nullable=False),  # the name of the key that sealed it; "" none
    Column("hash", String(64), nullable=False),
)

audit_head = Table(  # the chain's newest entry, in one row: writers take turns by it
    "audit_head",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("key", String(16), nullable=False),
)

erasures = Table(  # people who were erased; what they were known by only until it is done
    "erasures",
    metadata,
    key(),
    Column("by", String(100), nullable=False),
    Column("reason", Text, nullable=False),
    Column("begun_at", Moment, nullable=False),
    Column("done_at", Moment),  # null: it was interrupted, and goes on when it is asked for again
    Column("called", String(64), nullable=False, index=True),  # the keyed hash of how they were asked for
    Column("person", JSON(none_as_null=True)),  # numbers of rows; null once it is done
    Column("marks", JSON(none_as_null=True)),  # what is looked for; null once it is done
    Column("proof", JSON(none_as_null=True)),  # what was searched and what was found, in numbers
)

suppressions = Table(  # whom no import brings back unasked, and which posts are not heard again: keyed hashes
    "suppressions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("kind", String(20), nullable=False),  # "reference" or "mail"
    ref("erasures"),
)

holds = Table(  # why a customer must not be erased for now
    "holds",
    metadata,
    key(),
    ref("customers"),
    Column("reason", Text, nullable=False),
    Column("by", String(100), nullable=False),
    Column("at", Moment, nullable=False),
    Column("ended_by", String(100)),
    Column("ended_at", Moment),
)

peppers = Table(  # a secret of this database's own, so that its hashes cannot be looked up in a list
    "peppers",
    metadata,
    Column("name", String(20), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

# --- where else the company keeps its customers -----------------------------------------------------------------------

crm_deliveries = Table(  # what changed here, for a CRM; what it is told is put together when it is first tried
    "crm_deliveries",
    metadata,
    key(),
    Column("system", String(100), nullable=False),
    Column("subject", String(120), nullable=False),  # "case ES-26-000001-8", "customer C-1"
    Column("kind", String(40), nullable=False),  # what happened to it
    Column("send_key", String(64), nullable=False, unique=True),  # the same at every attempt, for the receiver
    Column("fields", JSON(none_as_null=True)),  # what it is told, from the first attempt until it has it
    Column("state", String(20), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("made_at", Moment, nullable=False),
    Column("next_try_at", Moment, nullable=False),
    Column("first_tried_at", Moment),
    Column("tried_at", Moment),
    Column("claimed_until", Moment),  # whoever sends it is taken for dead by then
    Column("settled_at", Moment),  # sent, or given up
    Column("reason", Text),  # why it failed; or what the receiver remarked
    Column("told_by_id", BigKey, ForeignKey("crm_deliveries.id"), index=True),  # the delivery that tells it too
    Index(None, "system", "state", "next_try_at"),
    Index(None, "system", "subject", "state"),
    Index(None, "settled_at"),
)

crm_events = Table(  # what a CRM sent us, so that the same comes in once
    "crm_events",
    metadata,
    Column("system", String(100), primary_key=True),
    Column("event", String(200), primary_key=True),
    Column("digest", String(64), nullable=False),  # of its body
    Column("came_at", Moment, nullable=False, index=True),
    Column("outcome", JSON, nullable=False),  # how many records were added, changed and so on
)

crm_records = Table(  # which customer is which record of a CRM
    "crm_records",
    metadata,
    Column("system", String(100), primary_key=True),
    Column("record", String(200), primary_key=True),  # the CRM's own id
    ref("customers"),
    Column("digest", String(64), nullable=False),  # of what it last said of them
    Column("changed_at", Moment),  # by its clock
    Column("seen_at", Moment, nullable=False),
    Column("gone_at", Moment),  # when we heard that it was deleted there
)

crm_ways = Table(  # how it goes lately, a row for each CRM and way, "in" and "out"
    "crm_ways",
    metadata,
    Column("system", String(100), primary_key=True),
    Column("way", String(10), primary_key=True),
    Column("cursor", JSON(none_as_null=True)),
    Column("claimed_until", Moment),  # one that pulls at a time; past: free
    Column("next_at", Moment),  # nothing goes this way before then
    Column("failures", Integer, nullable=False, default=0),  # in a row
    Column("failing_since", Moment),
    Column("last_error", Text),
    Column("succeeded_at", Moment),
    Column("allowance", Text, nullable=False, default=""),  # what it lets us ask, as it last said
    Column("problems", JSON, nullable=False),  # its records that cannot be used here: why, by its id of them
)

# --- what people teach the model ------------------------------------------------------------------------------------

corrections = Table(
    "corrections",
    metadata,
    key(),
    ref("mentions"),
    Column("revision", Integer, nullable=False),  # the mention's, that was read
    Column("what", String(20), nullable=False),  # "intents", "sentiment", "signals", "areas"
    Column("was", JSON, nullable=False),  # as the model had it, a list of labels
    Column("becomes", JSON, nullable=False),
    Column("by", String(100), nullable=False),
    Column("at", Moment, nullable=False),
    Column("accepted", Boolean),  # null: nobody has looked at it yet
    Column("looked_by", String(100)),
    Column("looked_at", Moment),
)

# --- whom of us something was told ---------------------------------------------------------------------------------

alerts = Table(  # messages to our own people, by webhook or mail; they never hold what somebody wrote
    "alerts",
    metadata,
    key(),
    ref("mentions", nullable=True),
    ref("cases", nullable=True),
    Column("target", String(100), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("subject", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("rule", String(100), nullable=False, default=""),  # of the policy, that asked for it
    Column("urgency", String(20), nullable=False, default=""),  # when it was made; "" where nothing has one
    Column("key", String(200), nullable=False),  # of what happened: told to a target once
    Column("send_key", String(64), nullable=False, unique=True),  # the same at every attempt, for the receiver
    Column("state", String(20), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("made_at", Moment, nullable=False),
    Column("next_try_at", Moment, nullable=False),
    Column("first_tried_at", Moment),
    Column("tried_at", Moment),  # when the last attempt began
    Column("claimed_until", Moment),  # whoever sends it is taken for dead by then
    Column("settled_at", Moment),  # sent, or given up
    Column("reason", Text),  # why it failed; or what the receiver remarked
    Column("stands_for", Integer, nullable=False, default=1),  # how many alerts a digest gathers
    Column("digest_id", BigKey, ForeignKey("alerts.id"), index=True),  # the digest that tells it
    UniqueConstraint("target", "key"),
    Index(None, "state", "target", "next_try_at"),
    Index(None, "target", "tried_at"),
)

alert_targets = Table(  # how it went lately, a row for each target that was ever sent to
    "alert_targets",
    metadata,
    Column("target", String(100), primary_key=True),
    Column("failures", Integer, nullable=False, default=0),  # in a row
    Column("failing_since", Moment),
    Column("rests_until", Moment),
    Column("last_error", Text),
    Column("succeeded_at", Moment),
)
