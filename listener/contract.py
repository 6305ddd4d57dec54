"""The sockets: what a network, a model and a policy must offer to be plugged in.

A glossary of the verbs, one meaning each:

    poll      read what is new since a cursor
    reply     answer one post, once
    publish   say something to everybody, once
    message   write to one person alone, once
    edit      make a post of our own say something else
    delete    take a post of our own back
    pin       set a post of our own above the others; unpin takes that back
    find_…    look whether an earlier write took effect; is_… the same of an edit, a deletion, a pin
    recheck   see which posts were edited or are gone
    alert     tell our own people, not the network
    stream    hear what is new as it is said; polling stays the net under it
    pull      read what changed in a CRM since a cursor
    receive   read what a CRM sent us by itself
    deliver   tell a CRM how a case or customer stands here

A connector module in `connectors/` offers `Settings` (a pydantic model whose fields describe what the network needs,
secrets as `SecretStr`), `FACTS` (what is true of the network before connecting) and `connect(settings) -> Connector`.
Optional abilities are classes of their own: a read-only network simply lacks them.
Connectors raise the five errors of `listener.errors.NetworkError` and nothing else.

A CRM, where the company keeps its customers, is plugged in the same way: a module `connectors/crm_KIND.py` with
`Settings` and `join(settings) -> Crm`. No network is behind it, and nobody is answered there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from listener.types import (
    AlertMessage,
    Author,
    Charge,
    CrmDelivery,
    CrmEvent,
    CrmPage,
    Cursor,
    CustomerView,
    Decision,
    EditRequest,
    Facts,
    IncidentRules,
    IncidentView,
    MassReply,
    MessageRequest,
    Mode,
    NoticeRules,
    Offer,
    Page,
    Posted,
    Promise,
    PublishRequest,
    Rechecked,
    ReplyRequest,
    Situation,
    Step,
    Understanding,
    Urgency,
    Visibility,
)

if TYPE_CHECKING:
    from listener.terms import Terms


class Connector(ABC):
    """One account on one network (or none, where the network can be read without)."""

    facts: Facts
    """What is true here. A server's own limits are in it from the first `whoami` or `poll` on."""

    speaks: bool = True
    """Whether this account may write here at all: False where we only read, without credentials."""

    @abstractmethod
    def whoami(self) -> Author | None:
        """Our own identity there, None when we read without an account. Asks the network; proves the credentials."""

    @abstractmethod
    def explain_query(self, query: str) -> str:
        """What this network will do with `query`, in one sentence.

        Raises Mistake when the query cannot be served, saying what would be.
        """

    def terms(self, query: str) -> Terms | None:
        """What of `query` is matched here, post by post; None where all is kept that the network gives.

        Raises Mistake as `explain_query` does.
        """
        from listener.terms import parse

        return None if query.strip().lower() == "mentions" else parse(query)

    @abstractmethod
    def poll(self, query: str, cursor: Cursor | None) -> Page:
        """The next page of posts for `query`, oldest page first, starting after `cursor` (None: from about now back).

        Must be safe to repeat with the same cursor: pages may overlap, and the caller drops what it knows.
        """


class Replies(ABC):
    """Can answer a post."""

    @abstractmethod
    def reply(self, request: ReplyRequest) -> Posted:
        """Post the reply, once. Never repeats the request by itself.

        Raises OutcomeUnknown when the request may have reached the network and no clear answer came back.
        """

    @abstractmethod
    def find_reply(self, request: ReplyRequest, since: datetime) -> Posted | None:
        """Our reply to that post; None when we looked and it is not there.

        By our clock it was sent after `since`, which says how far back to look; our clock may be wrong.
        Raises OutcomeUnknown when looking cannot tell, another NetworkError when it could not look this time.
        """

    @abstractmethod
    def find_replies(self, request: ReplyRequest, since: datetime) -> Sequence[Posted]:
        """Everything of ours since then in answer to that post, whatever its words and key; as honest as `find_reply`.

        For what was said in a time of which our database knows nothing any more.
        """


class Publishes(ABC):
    """Can say something to everybody."""

    @abstractmethod
    def publish(self, request: PublishRequest) -> Posted:
        """Publish the text, once; as careful as `Replies.reply`."""

    @abstractmethod
    def find_published(self, request: PublishRequest, since: datetime) -> Posted | None:
        """Our own post with that text at or after `since`; as honest as `Replies.find_reply`.

        OutcomeUnknown also where only its time would tell it from others, and the network's clock is not ours.
        """


class Edits(ABC):
    """Can change what a post of our own says, where `Facts.edits` allows it."""

    @abstractmethod
    def edit(self, request: EditRequest) -> None:
        """The post says that from now on. As careful as `Replies.reply`, but to repeat it does no harm.

        A post that says it already is left as it is. Rejected where the post is gone.
        """

    @abstractmethod
    def is_edited(self, request: EditRequest) -> bool:
        """Whether the post says that now, word for word; as honest as `Replies.find_reply`. False where it is gone."""


class Deletes(ABC):
    """Can take a post of our own back."""

    @abstractmethod
    def delete(self, external_id: str) -> None:
        """The post is gone from now on, or was before. As careful as `Replies.reply`; to repeat it does no harm."""

    @abstractmethod
    def is_deleted(self, external_id: str) -> bool:
        """Whether the post is gone; as honest as `Replies.find_reply`."""


class Pins(ABC):
    """Can set a post of our own above the others."""

    @abstractmethod
    def pin(self, external_id: str) -> None:
        """The post stands above the others, or did before. As careful as `Replies.reply`; to repeat it does no harm."""

    @abstractmethod
    def unpin(self, external_id: str) -> None:
        """The post stands among the others again, or did before; a post that is gone does."""

    @abstractmethod
    def is_pinned(self, external_id: str) -> bool:
        """Whether the post stands above the others; as honest as `Replies.find_reply`."""


class Messages(ABC):
    """Can write to one person, so that nobody else reads it, and hears the answer like everything else."""

    @abstractmethod
    def message(self, request: MessageRequest) -> Posted:
        """Send the message, once; as careful as `Replies.reply`. Never seen by more people than the one it is to."""

    @abstractmethod
    def find_message(self, request: MessageRequest, since: datetime) -> Posted | None:
        """Our own message with that key or those words; as honest as `Replies.find_reply`."""


class Rechecks(ABC):
    """Can look posts up again."""

    @abstractmethod
    def recheck(self, external_ids: Sequence[str]) -> Rechecked:
        """Those posts as they are now, and which are gone. An id in neither list could not be told this time."""


class Streams(ABC):
    """Can tell what is new as it is said."""

    @abstractmethod
    def streams(self, query: str) -> bool:
        """Whether there is a stream for this query."""

    @abstractmethod
    def stream(self, query: str, cursor: Cursor | None) -> Iterator[Page]:
        """Pages as they come, without end; closing the iterator closes the connection.

        The first page, which may be empty, says that the stream is open; another empty one comes whenever nothing did
        for `BEAT`, so that the reader can stop. A page without a cursor leaves the source's own where it is, so that
        the next poll reads the same posts again; `more` asks for such a poll at once. Raises a NetworkError when the
        stream ends or falls silent for longer than the network's own heartbeat explains: the reader opens a new one,
        and a poll fills the hole.
        """


BEAT = 5.0  # seconds after which a stream says that it is there


class Metered(ABC):
    """Costs money."""

    @abstractmethod
    def charges(self) -> tuple[Charge, ...]:
        """What the calls since the last time have cost, and forgets them. Failed calls that cost nothing are none."""


class Alerts(ABC):
    """Can tell our own people something; nothing of it is said on a network."""

    @abstractmethod
    def alert(self, message: AlertMessage) -> str:
        """Hands the message over; gives what there is to remark although it went, empty where nothing.

        Unlike a reply it may be handed over again under the same key, where nobody knows whether it arrived. Raises
        Rejected where that would never help, another NetworkError where it may.
        """


class Crm(ABC):
    """Where the company keeps its customers. Which abilities it has depends on its settings, which say so too."""

    naming: Mapping[str, str]
    """What of its records is what here: from a path such as `Account.Name` to an import's column; empty: as there."""

    @abstractmethod
    def check(self) -> str:
        """Asks it something that changes nothing, to prove address and credentials; gives one sentence for people."""

    @property
    def allowance(self) -> str:
        """What it lets us ask and how much of that is used, as it last said; empty where it says nothing."""
        return ""


class Pulls(ABC):
    """Can be asked which customers changed."""

    @abstractmethod
    def pull(self, cursor: Cursor | None) -> CrmPage:
        """The records that changed after `cursor`, deleted ones too; None: all there are.

        Must be safe to repeat with the same cursor: pages may overlap, and the caller drops what it knows.
        """


class Receives(ABC):
    """Sends us its customers as they change."""

    @abstractmethod
    def receive(self, headers: Mapping[str, str], body: bytes, *, let_in: bool = False) -> CrmEvent:
        """What came; `headers` by their names in small letters. `let_in`: they showed an access for this CRM.

        Raises AuthFailed where nothing proves that it sent this now, Rejected where this can be read by nobody.
        """


class Delivers(ABC):
    """Can be told how cases and customers stand here."""

    @abstractmethod
    def deliver(self, delivery: CrmDelivery) -> str:
        """Tells it; gives what there is to remark although it went, empty where nothing.

        Like an alert it may be told again under the same key, where nobody knows whether it arrived: it takes the
        second for the first. Raises Rejected where that would never help, another NetworkError where it may.
        """


class Classifier(Protocol):
    """Reads language, sentiment and intents."""

    @property
    def version(self) -> str:
        """Names the weights and the calibration; stored with every understanding."""

    def classify(self, texts: Sequence[str]) -> list[Understanding]:
        """One understanding per text, in order. Never raises for a strange text."""


class Policy(Protocol):
    """The company's written rules, with the guard around them."""

    @property
    def version(self) -> str:
        """The hash of the text that rules; stored with every decision."""

    @property
    def text(self) -> str:
        """The policy file as it was read."""

    @property
    def fields_asked(self) -> frozenset[str]:
        """The imported fields of a customer that it asks about, in small letters; it sees no others.

        Of how the customer stands, `customer.arrears` and its like, it sees as well only what is named here.
        """

    @property
    def overrides(self) -> Mapping[str, Mode]:
        """The modes that the settings gave it when it was read, by network; "" stands for everywhere."""

    def is_colleague(self, network: str, handle: str) -> bool:
        """Whether it names that account on that network as a colleague's."""

    def offers(self, customer: CustomerView, now: datetime) -> tuple[Offer, ...]:
        """What an agent may offer that customer, in their language; `customer` holds all of their fields. Pure."""

    def review(
        self, text: str, facts: Facts, handle: str, *, visibility: Visibility = Visibility.PUBLIC
    ) -> tuple[str, ...]:
        """What forbids sending this text to `handle`, one sentence each; empty when nothing does."""

    def tone(
        self,
        text: str,
        *,
        language: str,
        understanding: Understanding | None,
        name: str,
        visibility: Visibility = Visibility.PUBLIC,
        incidents: Sequence[IncidentView] = (),
    ) -> tuple[str, ...]:
        """Which guidelines of tone a reply to `name` does not keep, one sentence each; advice, it forbids nothing.

        `incidents`: those that last, each with what is not to be said meanwhile.
        """

    def check_answer(self, text: str) -> tuple[str, ...]:
        """Why a text cannot be an incident's answer, one sentence each; empty when it can."""

    def answer_example(self, text: str, facts: Facts) -> tuple[str, int]:
        """An incident's answer as it would be said to somebody made up, and its length as the network counts it."""

    def avoided(self, text: str, phrases: tuple[str, ...]) -> str:
        """What of these phrases a text says, as it says it; "" where it says none."""

    def check_avoided(self, phrase: str) -> str:
        """Why a phrase that agents are not to say cannot be looked for in replies, in a sentence; "" where it can."""

    def decide(self, situation: Situation) -> Decision:
        """What to do about one mention. Pure: the same situation gives the same decision."""

    def answer_many(
        self, situation: Situation, answers: Mapping[str, Sequence[str]], *, turn: int, after: str = ""
    ) -> MassReply:
        """An approved short answer for this mention, one of many that get it, or why a person must answer it. Pure.

        `answers`: the wordings by language, each a template. `turn`: whose turn it is of them; `after`: the wording
        that goes out before it.
        """

    @property
    def promises(self) -> Promises:
        """What it promises to cases, and what happens when that is not kept."""

    @property
    def incident_rules(self) -> IncidentRules:
        """What it says of what hits many at once."""

    @property
    def notice_rules(self) -> NoticeRules:
        """What it says of what we tell everybody."""

    @property
    def time_zone(self) -> str:
        """Whose days and hours count, like Europe/Madrid."""

    @property
    def places(self) -> Mapping[str, tuple[str, ...]]:
        """The words and phrases by which people name each place, by its name, which is one of them.

        They are whole words, whatever their accents and capitals.
        """


class Promises(Protocol):
    """Service levels on their calendars, and the steps when they are not kept. Pure."""

    def promise(
        self,
        *,
        team: str,
        urgency: Urgency,
        network: str,
        tier: str,
        now: datetime,
        incident: IncidentView | None = None,
    ) -> Promise:
        """What is promised to a case that is opened now, with the steps if it is not kept; `tier`: the customer's.

        `incident`: the one that it belongs to, whose own rule goes before. Where that counts from the incident's end,
        nothing is due while it lasts, and `now` is its end once it is over.
        """

    def question(self, team: str, *, calendar: str, now: datetime) -> tuple[Step, ...]:
        """What is to be done while that team, asked now, owes an answer; `calendar`: the case's, "" for all time."""

    def moved(self, moment: datetime, *, calendar: str, since: datetime, until: datetime) -> datetime:
        """The moment, later by what was open of the calendar between the two others; all time where it has none."""

    def due_in_words(self, due: datetime, *, calendar: str, now: datetime) -> str:
        """When that is on our clocks, and on which days between now and then the calendar is closed."""
