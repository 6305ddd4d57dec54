"""The words of Escucha as types: what crosses from one file to another.

All dataclasses are frozen and take keywords only. Every datetime is aware and in UTC; `utc()` refuses anything else.
The state machines at the bottom are the only transitions there are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from listener.sooner import Word

Cursor = Mapping[str, Any]

# What may stand in the query of a PostgreSQL url and nobody is to read (libpq, "Parameter Key Words")
DATABASE_SECRETS = frozenset({"password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"})


def utc(moment: datetime) -> datetime:
    """The same moment in UTC.

    Raises ValueError for a naive datetime: a time without a zone is a mistake, not a default.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone")
    return moment.astimezone(UTC)


# --- what a network says -------------------------------------------------------------------------------------------


class PostKind(Word):
    """How a post came to concern us."""

    MENTION = "mention"  # it names our account
    REPLY = "reply"  # it answers something we said
    DIRECT = "direct"  # it was said to us alone
    FOUND = "found"  # a hashtag or a search found it; its author did not address us


class Visibility(Word):
    """How widely a post can be seen, widest first."""

    PUBLIC = "public"
    UNLISTED = "unlisted"
    FOLLOWERS = "followers"
    DIRECT = "direct"

    def no_wider_than(self, other: Visibility) -> Visibility:
        """Whichever of the two is seen by fewer people."""
        order = list(Visibility)
        return self if order.index(self) >= order.index(other) else other


class ContactKind(Word):
    """What a profile may name."""

    MAIL = "mail"
    PHONE = "phone"
    SITE = "site"


@dataclass(frozen=True, kw_only=True)
class Contact:
    """An address that a person's profile names. `proven`: the network has checked that it is theirs."""

    kind: ContactKind
    value: str
    proven: bool = False


@dataclass(frozen=True, kw_only=True)
class Author:
    """A person's identity on one network. `external_id` is that network's own opaque string."""

    external_id: str
    handle: str
    display_name: str = ""
    url: str | None = None
    followers: int | None = None
    bot: bool = False
    created_at: datetime | None = None
    opted_out: bool = False  # the profile asks automatic accounts to keep away (#nobot)
    verified: bool | None = None  # the network vouches for who they are; None: it does not say
    contacts: tuple[Contact, ...] | None = None  # what their profile names, of its words nothing else; None: not seen

    def __post_init__(self) -> None:
        if self.created_at is not None:
            object.__setattr__(self, "created_at", utc(self.created_at))


@dataclass(frozen=True, kw_only=True)
class Media:
    """A picture, video or sound on a post, as a link with the description its author gave."""

    kind: str
    url: str
    alt: str = ""


@dataclass(frozen=True, kw_only=True)
class Post:
    """One post, comment or mail as a connector read it, its text already plain (no HTML)."""

    external_id: str
    author: Author
    text: str
    posted_at: datetime
    kind: PostKind = PostKind.FOUND
    visibility: Visibility = Visibility.PUBLIC
    url: str | None = None
    content_warning: str = ""
    quoted: str = (
        ""  # what its author only repeated (a quoted mail, a signature): kept and shown, not read by the model
    )
    unanswerable: str = ""  # why the network takes no answer to this one ("the thread is locked"); empty: it may be
    sender_proven: bool | None = (
        None  # whether it is proven that the author sent it; None: only they can use the account
    )
    language: str | None = None  # what the network claims; the model decides
    edited_at: datetime | None = None
    parent_id: str | None = None
    thread_id: str | None = None
    media: tuple[Media, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict)
    terms: tuple[str, ...] = ()  # which of the source's terms are in it: what found it, where the query has terms

    def __post_init__(self) -> None:
        object.__setattr__(self, "posted_at", utc(self.posted_at))
        if self.edited_at is not None:
            object.__setattr__(self, "edited_at", utc(self.edited_at))


@dataclass(frozen=True, kw_only=True)
class Garbled:
    """A post that could not be read. `external_id`: the network's own, or else what tells it from others.

    `reason`: what was wrong, without a word of what it says.
    """

    external_id: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Page:
    """One answer to a poll, or what a stream brought. Store `posts` and `cursor` together or not at all.

    `cursor` None (in a stream only): the source's own cursor stays where it is. `more`: another page is waiting now.
    `retry_after`: seconds the network wants us to wait before the next call. `gone`: external ids known to have been
    deleted. `gap`: the network's admission that something was skipped. `garbled`: those of its posts that could not be
    read, where it is known which.
    """

    posts: tuple[Post, ...]
    cursor: Cursor | None
    more: bool = False
    retry_after: float | None = None
    gone: tuple[str, ...] = ()
    gap: str | None = None
    garbled: tuple[Garbled, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Rechecked:
    """Which of the posts we asked about are still there (as they are now) and which are gone."""

    present: tuple[Post, ...] = ()
    gone: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """A picture to post, with its description for those who do not see it. `content_type` such as `image/png`."""

    name: str
    content_type: str
    data: bytes = field(repr=False)
    alt: str


@dataclass(frozen=True, kw_only=True)
class ReplyRequest:
    """One reply to send. `key` is the same at every attempt and unique to the draft (ASCII, at most 64 characters).

    `parent_raw` is the parent's `Post.raw` as it was last stored. `automatic`: a rule approved it, no person did.
    """

    key: str
    parent_id: str
    parent_author: Author
    parent_visibility: Visibility
    text: str
    language: str | None = None
    content_warning: str = ""
    parent_raw: Mapping[str, Any] = field(default_factory=dict)
    media: tuple[Attachment, ...] = ()
    automatic: bool = False


@dataclass(frozen=True, kw_only=True)
class MessageRequest:
    """One message to one person, which nobody else sees. `key` as in `ReplyRequest`.

    `to`: by their handle, or by an address where that is what a network sends to. `parent_id`: the post of theirs that
    it follows, None where there is none on this network. `subject`: where messages have one.
    """

    key: str
    to: Author
    text: str
    subject: str = ""
    language: str | None = None
    parent_id: str | None = None
    content_warning: str = ""


@dataclass(frozen=True, kw_only=True)
class PublishRequest:
    """One notice to publish on one network. `key` as in `ReplyRequest`.

    `after`: the external id of our own post that this one continues, where `Facts.threads`.
    """

    key: str
    text: str
    language: str | None = None
    visibility: Visibility = Visibility.PUBLIC
    media: tuple[Attachment, ...] = ()
    after: str | None = None


@dataclass(frozen=True, kw_only=True)
class EditRequest:
    """What a post of ours is to say from now on, in that language; its pictures and whom it is for stay."""

    external_id: str
    text: str
    language: str | None = None


@dataclass(frozen=True, kw_only=True)
class Charge:
    """What calls have cost: how many `units` of which `call` (a key of `Facts.costs`), and the sum in USD."""

    call: str
    units: int
    usd: float


@dataclass(frozen=True, kw_only=True)
class Posted:
    """Something of ours that is now on the network."""

    external_id: str
    url: str | None = None
    posted_at: datetime | None = None


class Sent(Word):
    """What we send, by where its outcome is kept."""

    REPLY = "reply"
    NOTICE = "notice"
    AMENDMENT = "amendment"


class Finding(Word):
    """What came of looking for something of ours on a network."""

    THERE = "there"
    MISSING = "missing"  # and that is certain: it did not go out
    NOT_FOUND = "not found"  # which proves nothing, not yet or never
    TAKEN = "taken"  # one with the same words is there, and is another of ours
    UNCLEAR = "unclear"  # the network answered, and that cannot tell
    UNREACHED = "unreached"  # it could not be asked


class Answerable(Word):
    """Whom a network lets us answer."""

    ANYONE = "anyone"
    ADDRESSED = "addressed"  # only those who named us, quoted us, or wrote to us
    NOBODY = "nobody"


@dataclass(frozen=True, kw_only=True)
class Images:
    """Which pictures one post may carry: how many, of which types, how large (bytes), described how long."""

    count: int
    types: tuple[str, ...]
    bytes: int
    alt: int  # characters


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What one network allows, in one place, with the date and page it was read from.

    `limit` is counted by `count`; `address(text, handle)` gives the text exactly as a reply will be posted, so that
    `count(address(text, handle)) <= limit` is the test. `settle_after`: how long after the outcome of a write
    became unknown a look at the network is conclusive; None means that no look ever is. `finds`: where and by what
    such a look finds a `reply`, a `notice` or a `message` of ours, as the rest of a sentence.
    `rechecks`: up to which age a post is looked up again how often, where the network's rules ask for other times than
    the usual ones; `looks_at_once`: how many posts one request looks up. `no_messages`: why nobody is written to alone
    here, in a sentence, where `direct_messages` is False. `keep`: how old a post may grow here before
    its content goes, where what we no longer look up must not be kept. `opens_case`: whatever comes in opens a case
    unless the policy says otherwise (a mailbox).
    `edits(says, shall_say)`: why a post of ours that says the one cannot be made to say the other, as the rest of a
    sentence, empty where it can; None where no post of ours can be changed. `deletes`: whether one can be taken back;
    `pins`: how many at once can stand above the others.
    """

    network: str
    limit: int
    count: Callable[[str], int]
    address: Callable[[str, str], str]
    answerable: Answerable
    linkable: bool  # may an account be matched to a person's record
    direct_messages: bool
    keyed_writes: bool
    deletions_visible: bool
    settle_after: timedelta | None
    finds: Mapping[str, str] = field(default_factory=dict)
    costs: Mapping[str, float] = field(default_factory=dict)  # USD per unit, by name of the call
    images: Images | None = None  # None: a post of ours carries none
    threads: bool = False  # whether a notice may go on in further posts
    edits: Callable[[str, str], str] | None = None
    deletes: bool = False
    pins: int = 0
    rechecks: tuple[tuple[timedelta, timedelta], ...] = ()
    looks_at_once: int = 1
    keep: timedelta | None = None
    opens_case: bool = False
    as_of: str = ""
    source: str = ""
    reply_price: Callable[[str], float] | None = None  # USD for a reply in these words; None: it costs nothing
    publish_price: Callable[[str, int], float] | None = None  # the same for a post of our own with so many pictures
    no_messages: str = ""


# --- what the model says -------------------------------------------------------------------------------------------


class Sentiment(Word):
    NEGATIVE = "negative"
    NEUTRAL = "neutral"
    POSITIVE = "positive"


class Intent(Word):
    COMPLAINT = "complaint"
    QUESTION = "question"
    REQUEST = "request"
    OUTAGE_REPORT = "outage_report"
    PRAISE = "praise"
    PURCHASE_INTEREST = "purchase_interest"
    CANCELLATION_THREAT = "cancellation_threat"
    SUGGESTION = "suggestion"
    OFF_TOPIC = "off_topic"


class Signal(Word):
    """What should make somebody look: five reasons to hurry, and two of tone."""

    SAFETY = "safety"  # life, limb or health in danger
    LEGAL_THREAT = "legal_threat"
    PRESS = "press"
    CHURN = "churn"
    VULNERABLE_PERSON = "vulnerable_person"
    IRONY = "irony"
    TOXICITY = "toxicity"


@dataclass(frozen=True, kw_only=True)
class Understanding:
    """What a classifier made of one text. Scores are calibrated probabilities in 0..1.

    `language` is ISO 639-1, or "und" when no language is likely enough. `sentiment` is None and the lists are empty
    where the model does not know; they stand strongest first. `areas` are the company's own, by their names in the
    policy file.
    """

    model_version: str
    language: str
    language_score: float
    sentiment: Sentiment | None
    sentiment_scores: Mapping[str, float]
    intents: tuple[Intent, ...]
    intent_scores: Mapping[str, float]
    signals: tuple[Signal, ...] = ()
    signal_scores: Mapping[str, float] = field(default_factory=dict)
    areas: tuple[str, ...] = ()
    area_scores: Mapping[str, float] = field(default_factory=dict)


NOBODY = "nobody"  # what stands for a model's version where no model could read, and people are to


# --- what the policy sees and says ---------------------------------------------------------------------------------


class Mode(Word):
    AUTO = "auto"
    MANUAL = "manual"


class CaseMode(Word):
    """Whether every mention becomes a case or a person routes each one."""

    EVERY = "every"
    ROUTED = "routed"


class Urgency(Word):
    """How soon somebody should look, most patient first."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for low to 3 for critical."""
        return _RANKS[self]

    @property
    def points(self) -> int:
        """What the level adds to a score, beside which all contributions of a policy together count ±100 at most.

        What is critical, with everything against it, is 240 points ahead of anything else with everything for it.
        """
        return _POINTS[self]


_RANKS = {urgency: rank for rank, urgency in enumerate(Urgency)}
_POINTS = {Urgency.LOW: -40, Urgency.NORMAL: 0, Urgency.HIGH: 60, Urgency.CRITICAL: 500}


@dataclass(frozen=True, kw_only=True)
class AuthorView:
    """What a policy may know about who wrote. Counts include this mention."""

    handle: str
    display_name: str = ""
    followers: int | None = None
    bot: bool = False
    opted_out: bool = False
    left_alone: bool = False  # asked us, in a post, not to be answered any more
    is_us: bool = False
    account_age_days: int | None = None
    mentions_last_7_days: int = 1
    verified: bool | None = None
    complaints_last_30_days: int = 0  # on any account of theirs that we know, this mention included
    unsolved_complaints: int = 0  # cases that began with a complaint of theirs and were closed without a solution
    mentions_last_10_minutes: int = 1
    same_text_last_day: int = 1  # how often it wrote these very words
    quick_replies_last_day: int = 0  # how often it answered us within seconds


@dataclass(frozen=True, kw_only=True)
class CustomerView:
    """What a policy may know about the customer behind the account."""

    reference: str
    name: str
    tier: str = ""
    language: str = ""
    tags: tuple[str, ...] = ()
    open_cases: int = 0
    fields: Mapping[str, Any] = field(default_factory=dict)  # of those imported, the ones that the policy asks about
    types: Mapping[str, str] = field(default_factory=dict)  # what those hold, by name in small letters, where declared
    # How they stand; what the policy does not ask about is left out.
    consent: tuple[str, ...] = ()  # what they allow: "marketing", "mail:marketing"
    refused: tuple[str, ...] = ()  # what they took back, in the same words
    arrears: float | None = None  # what they owe; None: nobody told us
    arrears_days: int | None = None  # for how long
    tenure_days: int | None = None  # for how long they are a customer
    contracts: int = 0  # that run now
    products: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What an agent may offer a customer, as the policy says; never sent by itself. `because`: why to this one."""

    name: str
    text: str
    because: str = ""


class Speaker(Word):
    """Who said something in a thread."""

    US = "us"  # Escucha, for us
    COLLEAGUE = "colleague"  # one of us, by hand on the network
    AUTHOR = "author"  # who wrote the mention
    OTHER = "other"
    NOBODY = "nobody"


@dataclass(frozen=True, kw_only=True)
class ThreadView:
    """What was said around the mention before it."""

    our_replies: int = 0
    is_reply_to_us: bool = False
    answered: bool = False  # we (or a colleague by hand) already answered this very mention
    answered_by_colleague: bool = False  # by hand on the network, from an account of ours; a policy adds colleagues
    last_speaker: Speaker = Speaker.NOBODY  # before the mention, of what we heard and said
    repliers: tuple[str, ...] = ()  # whom we heard answering this very mention, by handle


@dataclass(frozen=True, kw_only=True)
class CaseView:
    """The case a reply would quote: the one already open, or the one this decision would open."""

    reference: str
    exists: bool = False
    team: str = ""
    urgency: Urgency = Urgency.NORMAL


@dataclass(frozen=True, kw_only=True)
class SendsView:
    """What was already sent or approved, for the guard's caps."""

    to_author_last_day: int = 0
    in_thread: int = 0
    last_hour: int = 0
    automatic_to_author_last_day: int = 0
    last_day: int = 0  # this and the two below: on this network
    by_rule_last_day: Mapping[str, int] = field(default_factory=dict)
    by_wording_last_day: Mapping[str, int] = field(default_factory=dict)  # to how many others, by `ReplyPlan.wording`
    wordings_before: tuple[str, ...] = ()  # what this author or this conversation was told already, newest first


class LinkCode(Word):
    """What came of a one-time code that somebody wrote to us."""

    NONE = "none"
    LINKED = "linked"  # the account is the customer's
    WRONG = "wrong"  # nobody was given it
    EXPIRED = "expired"  # too late, or it was taken back
    USED = "used"  # another account wrote it first
    TAKEN = "taken"  # the account is somebody else's
    ELSEWHERE = "elsewhere"  # it counts on another network
    TOO_MANY = "too_many"  # not looked at: too many wrong ones came from there


@dataclass(frozen=True, kw_only=True)
class TeamsView:
    """How busy the teams are. `live_cases`: how many open and pending cases each has; who is not named has none.

    `on_duty`: how many of each team are there now; who is not named has nobody. None: nobody is on record here.
    """

    live_cases: Mapping[str, int] = field(default_factory=dict)
    on_duty: Mapping[str, int] | None = None


class IncidentState(Word):
    """How far something that hits many is. It lasts while it is investigated, identified or being fixed."""

    PROPOSED = "proposed"  # by a spike; no person has said yes
    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    FIXING = "fixing"
    RESOLVED = "resolved"
    CLOSED = "closed"
    DISMISSED = "dismissed"

    @property
    def active(self) -> bool:
        """Whether it lasts."""
        return self in _LASTING


_LASTING = frozenset({IncidentState.INVESTIGATING, IncidentState.IDENTIFIED, IncidentState.FIXING})


@dataclass(frozen=True, kw_only=True)
class IncidentView:
    """What a policy may know about something that hits many at once.

    `answers`: its approved short answers by language, each a template like those of a policy file, in several variants.
    `say`, `avoid`: the line for agents, what to say and the phrases not to say. `since`: when it began.
    """

    number: int  # shown as I3
    title: str
    state: IncidentState
    since: datetime
    answers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    say: str = ""
    avoid: tuple[str, ...] = ()
    holds_replies: bool = True  # while it lasts no reply but its own goes out alone
    holds_cheer: bool = True  # while it lasts no scheduled cheer goes out

    @property
    def reference(self) -> str:
        """How people call it: `I3`."""
        return f"I{self.number}"


@dataclass(frozen=True, kw_only=True)
class IncidentRules:
    """What a policy says of incidents, for those who work by it."""

    propose: bool = True  # a spike proposes an incident
    alert: tuple[str, ...] = ()  # targets that hear of spikes and incidents
    least: int = 8  # people, below which there is no spike
    mode: Mode = Mode.MANUAL  # of an incident's approved answers
    hold_replies: bool = True  # what a new incident begins with
    hold_cheer: bool = True
    first_response: timedelta | None = None  # what its cases are promised; None: as any case
    resolution: timedelta | None = None
    resolution_from_end: bool = False  # `resolution` counts from the incident's end
    answers_per_hour: int = 120  # of a run of answers, on one network
    review_sample: float = 10.0  # percent of a run's answers that a person reads before they go out
    two_people: bool = True  # somebody else than its writer approves an incident's answer


@dataclass(frozen=True, kw_only=True)
class NoticeRules:
    """What a policy says of notices."""

    two_people: bool = True  # somebody else than its writer approves one
    time_zone: str = "UTC"  # whose clocks a notice's time is said by, where nobody names another place


@dataclass(frozen=True, kw_only=True)
class Situation:
    """Everything a policy may look at for one mention, frozen; `now` is handed in like the rest.

    `incident`: the one that the mention belongs to, lasting or over. `incidents`: all that last now.
    """

    now: datetime
    mention_id: int
    revision: int
    network: str
    source: str
    kind: PostKind
    visibility: Visibility
    text: str
    content_warning: str
    url: str | None
    posted_at: datetime
    has_media: bool
    understanding: Understanding
    author: AuthorView
    customer: CustomerView | None
    thread: ThreadView
    case: CaseView
    sends: SendsView
    facts: Facts
    unanswerable: str = ""  # why the network takes no answer to this one
    paused: bool = False
    broke: str = ""  # why there is no money to send anything, as the start of a sentence
    teams: TeamsView = field(default_factory=TeamsView)
    terms: tuple[str, ...] = ()  # which of what we listen for is in it, as our queries write it
    same_text_by_others: int = 0  # how many other accounts wrote these words within an hour of it, or of now
    code: LinkCode = LinkCode.NONE
    stranger: bool = False  # whether the account is not known to be that of the case's person
    incident: IncidentView | None = None
    incidents: tuple[IncidentView, ...] = ()


class RuleOutcome(Word):
    MATCHED = "matched"
    FAILED = "failed"
    NOT_REACHED = "not reached"
    SHADOW = "shadow"  # it matches, and only records what it would have done


@dataclass(frozen=True, kw_only=True)
class RuleTrace:
    """One rule of the policy, in order: whether it matched, else its first failing condition and what that saw.

    Of a rule that matched, `wanted` is why the policy has it; `saw` is what it asked for and where the mention fell for
    its share, of one in the shadow what it would have done.
    """

    rule: str
    outcome: RuleOutcome
    condition: str = ""
    wanted: str = ""
    saw: str = ""


@dataclass(frozen=True, kw_only=True)
class GuardTrace:
    """One hard stop: whether it let the reply pass, only held it for a person (`holds`), or forbade it (`forbids`)."""

    guard: str
    holds: bool = False
    forbids: bool = False
    reason: str = ""


class Level(Word):
    """What can say how a reply goes out, widest first."""

    SETTINGS = "settings"
    POLICY = "policy"
    NETWORK = "network"
    TEAM = "team"
    AREA = "area"
    INCIDENT = "incident"  # one whose approved answer it is, in the place of template and rule
    TEMPLATE = "template"
    RULE = "rule"


@dataclass(frozen=True, kw_only=True)
class ModeTrace:
    """What one level said of how a reply goes out: alone (`auto`) or by a person; `said` in words.

    `name` says which network, team, area, incident, template or rule. `share` (percent) and `lot` (from 0 up to 100)
    where the mention drew for a share.
    """

    level: Level
    mode: Mode
    said: str
    name: str = ""
    share: float | None = None
    lot: float | None = None


@dataclass(frozen=True, kw_only=True)
class ReplyPlan:
    """A reply the policy proposes. `mode` is what remains after the guard: auto only if every guard let it pass."""

    template: str
    text: str
    language: str
    mode: Mode
    length: int
    limit: int
    rule: str = ""  # the rule that asked for it
    wording: str = ""  # which of the template's wordings it is: the same for everybody, whatever their name
    alone_until: datetime | None = None  # where `mode` is auto: later what it answers is too old
    incident: int = 0  # the number of the incident whose approved answer it is; 0: it is none


@dataclass(frozen=True, kw_only=True)
class MassReply:
    """One of many that get the same answer: its reply, or None where a person must answer, and why.

    `guard`: the hard stop that says so, `language` where nothing is approved in its language.
    """

    plan: ReplyPlan | None = None
    guard: str = ""
    reason: str = ""


class Clock(Word):
    """What a case is timed by."""

    FIRST_RESPONSE = "first_response"
    RESOLUTION = "resolution"
    INFORMATION = "information"  # since a colleague's team was asked for something


class Occasion(Word):
    """Why a step is taken."""

    WARNING = "warning"  # what was promised will soon be due
    BREACH = "breach"  # it is due and not done
    QUESTION = "question"  # a team was asked for information


class Step(NamedTuple):
    """Something to do at a moment if a case still waits then: `number` 0 is the occasion itself, 1 the first step.

    `alerts`: whom to tell; `team`: who gets it from then on; `urgency`: a level, or "+1" for a step more. Every
    decision about a case makes some, so it is as light as can be.
    """

    clock: Clock
    occasion: Occasion
    number: int
    at: datetime
    alerts: tuple[str, ...] = ()
    team: str = ""
    urgency: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """By when a case is to be answered and solved, and what happens if not. Moments in UTC, None: nothing promised.

    `level` names the service level; the spans are open time of `calendar`, "" where the clock never stands still. What
    counts from an incident's end has a span and is not due while that lasts.
    """

    level: str = ""
    calendar: str = ""
    first_response: timedelta | None = None
    resolution: timedelta | None = None
    first_response_warning: datetime | None = None
    first_response_due: datetime | None = None
    resolution_warning: datetime | None = None
    resolution_due: datetime | None = None
    steps: tuple[Step, ...] = ()
    incident: int = 0  # the number of the incident by whose rule `by_incident` go; 0: none
    by_incident: tuple[Clock, ...] = ()


NOTHING_PROMISED = Promise()


@dataclass(frozen=True, kw_only=True)
class Item:
    """One step on a case's way to being complete, as its team has it; `weight` beside those of the others."""

    name: str
    weight: int = 1
    done: bool = False


@dataclass(frozen=True, kw_only=True)
class CasePlan:
    """A case to open, or to update where one is already open.

    `skills`: what whoever works on it must know; `because`: why that team, in words; `minutes_per_point`: how long
    waiting is worth a point of the score.
    """

    team: str
    urgency: Urgency
    title: str
    tags: tuple[str, ...] = ()
    promise: Promise = NOTHING_PROMISED
    skills: tuple[str, ...] = ()
    because: str = ""
    score: int = 0
    minutes_per_point: int = 10
    checklist: tuple[Item, ...] = ()  # the team's

    @property
    def head_start(self) -> timedelta:
        """How long it queues ahead of what is worth no points."""
        return timedelta(minutes=self.score * self.minutes_per_point)

    @property
    def first_response(self) -> timedelta | None:
        """How long until the first answer, in open time."""
        return self.promise.first_response

    @property
    def resolution(self) -> timedelta | None:
        """How long until the solution, in open time."""
        return self.promise.resolution


@dataclass(frozen=True, kw_only=True)
class AlertPlan:
    """A target of the settings that is to be told, and the rule that named it first."""

    target: str
    rule: str


@dataclass(frozen=True, kw_only=True)
class Contribution:
    """One thing that makes something more, or less, urgent."""

    name: str
    points: int


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What the policy says about one mention, and why.

    `reply` is None where nothing is to be said; `case` is None where no case is wanted, or where a person routes
    (`needs_routing`). `ignored` gives the reason when the mention needs nothing at all. `leave_alone`: its author asks
    not to be answered, now or later. `score` is the sum of the `contributions`, the first of which is the urgency;
    `minutes_per_point`: how long waiting is worth one of them. `modes`: what each level said of how the reply that the
    rules want goes out; it goes out alone only if all of them, and every guard, let it.
    """

    policy_version: str
    reply: ReplyPlan | None
    case: CasePlan | None
    urgency: Urgency
    needs_routing: bool = False
    escalate_to: str = ""
    tags: tuple[str, ...] = ()
    ignored: str = ""
    leave_alone: bool = False
    rules: tuple[RuleTrace, ...] = ()
    guards: tuple[GuardTrace, ...] = ()
    alerts: tuple[AlertPlan, ...] = ()
    score: int = 0
    contributions: tuple[Contribution, ...] = ()
    minutes_per_point: int = 10
    modes: tuple[ModeTrace, ...] = ()

    @property
    def head_start(self) -> timedelta:
        """How long it queues ahead of what is worth no points."""
        return timedelta(minutes=self.score * self.minutes_per_point)


# --- what is stored -------------------------------------------------------------------------------------------------


class Duty(Word):
    """What one process does of the work that several share: hear, read and decide, or say."""

    POLL = "poll"
    WORK = "work"
    SEND = "send"


class MentionState(Word):
    NEW = "new"
    UNDERSTOOD = "understood"
    DECIDED = "decided"
    GONE = "gone"


def wording_key(source: str) -> str:
    """12 hex digits that stand for a wording, whoever it is said to: what `ReplyPlan.wording` holds."""
    return hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()[:12]


class DraftState(Word):
    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"


class SendKind(Word):
    """What goes out, as it can be stopped. One thing may be of several kinds."""

    AUTOMATIC = "automatic"  # a reply that a rule approved
    MASS = "mass"  # a reply of an answer to everybody who wrote about an incident
    REPLY = "reply"  # any other reply: a person approved just this one
    MESSAGE = "message"  # a reply of whichever kind that only its author reads: a mail, a private message
    NOTICE = "notice"  # a notice's post
    SCHEDULED = "scheduled"  # one whose hour was set beforehand
    AMENDMENT = "amendment"  # a change of a post that is out: edited, pinned, deleted


class CaseState(Word):
    OPEN = "open"
    PENDING = "pending"
    RESOLVED = "resolved"
    CLOSED = "closed"


class Channel(Word):
    """Where a conversation goes on."""

    MAIL = "mail"
    DM = "dm"  # a direct message, on the network where it began
    PHONE = "phone"
    CHAT = "chat"  # or video


class CallOutcome(Word):
    """What came of a call, a chat or a video call."""

    REACHED = "reached"
    NO_ANSWER = "no_answer"
    CALL_BACK = "call_back"
    SOLVED = "solved"


class Audience(Word):
    """Whom an article is for."""

    INTERNAL = "internal"
    PUBLIC = "public"  # its words may be said to everybody


class SpikeState(Word):
    """What people said of a spike."""

    SEEN = "seen"  # nothing yet
    DISMISSED = "dismissed"  # it is nothing
    OPENED = "opened"  # an incident is about it


class VersionState(Word):
    """How far one version of an article is. Its words never change; an edit is a new version."""

    DRAFT = "draft"
    ACCEPTED = "accepted"  # somebody other than its authors has read it and agrees
    RETURNED = "returned"  # a reviewer wants it otherwise
    DROPPED = "dropped"  # a newer version took its place before it was published
    PUBLISHED = "published"
    REPLACED = "replaced"
    RETIRED = "retired"


class Attached(Word):
    """How a mention came to an incident."""

    RULE = "rule"
    MEANING = "meaning"
    CASE = "case"  # with a case that is a part of it by another mention
    HAND = "hand"
    SPIKE = "spike"


class NoticeKind(Word):
    NOTICE = "notice"  # what people need to know
    CHEER = "cheer"  # what is only to please or to sell; held back while an incident says so


class NoticeState(Word):
    DRAFT = "draft"
    APPROVED = "approved"
    PUBLISHING = "publishing"  # somebody said so; from here the daemon goes on with it too
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


class LinkState(Word):
    """What came of fetching a link, best first."""

    FINE = "fine"
    DOUBTFUL = "doubtful"  # slow, leads elsewhere, or nobody could tell
    BROKEN = "broken"  # whoever follows it does not get there


@dataclass(frozen=True, kw_only=True)
class LinkCheck:
    """One link, fetched; `detail` says in words what is not fine about it."""

    url: str
    state: LinkState
    detail: str = ""


class DeliveryState(Word):
    """One notice on one account."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"


class RunState(Word):
    """One answer for each person of an incident, all together."""

    DRAFTING = "drafting"  # it is being worked out who gets which words
    REVIEWING = "reviewing"  # the words stand; nobody has approved them
    APPROVED = "approved"  # a person approved them; nothing goes out yet
    RUNNING = "running"
    STOPPED = "stopped"  # it may go on
    DONE = "done"
    DROPPED = "dropped"  # what has not gone out never will


class LeftOut(Word):
    """Why somebody gets no answer of a run."""

    ANSWERED = "answered"  # they have an answer of ours already
    THANKED = "thanked"
    EARLIER = "earlier run"
    OTHER = "other mention"  # they are answered at another mention of theirs
    TALKING = "in conversation"  # a person of ours is talking with them
    OVER = "case over"
    UNREAD = "not read yet"  # new or just edited: it is decided first
    GONE = "deleted"
    LANGUAGE = "no text"  # nothing is approved in their language
    ALONE = "not to be answered"  # who asked not to be, machines, ourselves
    NETWORK = "network"  # it lets nobody answer them
    STRANGER = "stranger"
    DANGER = "danger"  # words or signs of it: a person must answer
    LIMITS = "limits"  # they, or their conversation, heard enough of us
    WORDS = "words"  # too long there, personal, or not in our tone
    REJECTED = "rejected"  # by who read it


class FollowUp(Word):
    """Why a notice follows another, below it or with its link."""

    CORRECTION = "correction"  # for where the first cannot be changed
    RESOLVED = "resolved"
    NEWS = "news"


class AmendmentKind(Word):
    """What is done to a message that is out."""

    EDIT = "edit"
    DELETE = "delete"
    PIN = "pin"
    UNPIN = "unpin"


class AmendmentState(Word):
    """One change of one message that is out. Unlike a message it may be tried again: twice is as once."""

    PROPOSED = "proposed"  # waits for somebody else's approval
    WAITING = "waiting"
    SENDING = "sending"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    DROPPED = "dropped"  # taken back, or something else was wanted instead


class Role(Word):
    """What somebody who works here does; several may be one person's."""

    AGENT = "agent"
    MODERATOR = "moderator"
    MARKETING = "marketing"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"


class LinkBasis(Word):
    """Why we believe that an account belongs to a customer; `forbidden`: we must not even ask."""

    SELF_DECLARED = "self_declared"
    VERIFIED = "verified"
    PUBLIC_EVIDENCE = "public_evidence"
    FORBIDDEN = "forbidden"


MENTION_MOVES: Mapping[MentionState, frozenset[MentionState]] = {
    MentionState.NEW: frozenset({MentionState.UNDERSTOOD, MentionState.GONE}),
    MentionState.UNDERSTOOD: frozenset({MentionState.DECIDED, MentionState.NEW, MentionState.GONE}),
    # NEW again: it was edited; UNDERSTOOD again: what was decided no longer serves, be it addressed to us after all
    MentionState.DECIDED: frozenset({MentionState.NEW, MentionState.UNDERSTOOD, MentionState.GONE}),
    MentionState.GONE: frozenset(),
}

DRAFT_MOVES: Mapping[DraftState, frozenset[DraftState]] = {
    DraftState.PROPOSED: frozenset({DraftState.APPROVED, DraftState.REJECTED, DraftState.EXPIRED}),
    DraftState.APPROVED: frozenset({DraftState.SENDING, DraftState.PROPOSED, DraftState.REJECTED, DraftState.EXPIRED}),
    DraftState.SENDING: frozenset({DraftState.SENT, DraftState.FAILED, DraftState.UNKNOWN, DraftState.APPROVED}),
    DraftState.UNKNOWN: frozenset({DraftState.SENT, DraftState.FAILED, DraftState.APPROVED}),
    DraftState.FAILED: frozenset({DraftState.PROPOSED}),  # a person wants it tried again
    DraftState.REJECTED: frozenset({DraftState.PROPOSED}),  # the person takes it back
    DraftState.EXPIRED: frozenset(),
    DraftState.SENT: frozenset(),
}

CASE_MOVES: Mapping[CaseState, frozenset[CaseState]] = {
    CaseState.OPEN: frozenset({CaseState.PENDING, CaseState.RESOLVED, CaseState.CLOSED}),
    CaseState.PENDING: frozenset({CaseState.OPEN, CaseState.RESOLVED, CaseState.CLOSED}),
    CaseState.RESOLVED: frozenset({CaseState.OPEN, CaseState.CLOSED}),
    CaseState.CLOSED: frozenset({CaseState.OPEN}),
}

VERSION_MOVES: Mapping[VersionState, frozenset[VersionState]] = {
    VersionState.DRAFT: frozenset({VersionState.ACCEPTED, VersionState.RETURNED, VersionState.DROPPED}),
    VersionState.ACCEPTED: frozenset({VersionState.PUBLISHED, VersionState.RETURNED, VersionState.DROPPED}),
    VersionState.RETURNED: frozenset({VersionState.DROPPED}),
    VersionState.DROPPED: frozenset(),
    VersionState.PUBLISHED: frozenset({VersionState.REPLACED, VersionState.RETIRED}),
    VersionState.REPLACED: frozenset(),
    VersionState.RETIRED: frozenset(),
}

NOTICE_MOVES: Mapping[NoticeState, frozenset[NoticeState]] = {
    NoticeState.DRAFT: frozenset({NoticeState.APPROVED, NoticeState.WITHDRAWN}),
    NoticeState.APPROVED: frozenset({NoticeState.PUBLISHING, NoticeState.WITHDRAWN}),
    NoticeState.PUBLISHING: frozenset({NoticeState.PUBLISHED, NoticeState.WITHDRAWN, NoticeState.APPROVED}),
    NoticeState.PUBLISHED: frozenset(),
    NoticeState.WITHDRAWN: frozenset(),
}

INCIDENT_MOVES: Mapping[IncidentState, frozenset[IncidentState]] = {
    IncidentState.PROPOSED: frozenset({IncidentState.INVESTIGATING, IncidentState.DISMISSED}),
    IncidentState.INVESTIGATING: frozenset(
        {IncidentState.IDENTIFIED, IncidentState.FIXING, IncidentState.RESOLVED, IncidentState.DISMISSED}
    ),
    IncidentState.IDENTIFIED: frozenset({IncidentState.FIXING, IncidentState.RESOLVED, IncidentState.DISMISSED}),
    IncidentState.FIXING: frozenset({IncidentState.RESOLVED}),
    IncidentState.RESOLVED: frozenset({IncidentState.FIXING, IncidentState.CLOSED}),  # FIXING: it came back
    IncidentState.CLOSED: frozenset(),
    IncidentState.DISMISSED: frozenset(),
}

RUN_MOVES: Mapping[RunState, frozenset[RunState]] = {
    RunState.DRAFTING: frozenset({RunState.REVIEWING, RunState.DROPPED}),
    RunState.REVIEWING: frozenset({RunState.DRAFTING, RunState.APPROVED, RunState.DROPPED}),
    RunState.APPROVED: frozenset({RunState.RUNNING, RunState.STOPPED, RunState.DROPPED}),
    RunState.RUNNING: frozenset({RunState.STOPPED, RunState.DONE, RunState.DROPPED}),
    RunState.STOPPED: frozenset({RunState.RUNNING, RunState.DONE, RunState.DROPPED}),
    RunState.DONE: frozenset(),
    RunState.DROPPED: frozenset(),
}

DELIVERY_MOVES: Mapping[DeliveryState, frozenset[DeliveryState]] = {
    DeliveryState.WAITING: frozenset({DeliveryState.SENDING, DeliveryState.FAILED}),
    DeliveryState.SENDING: frozenset(
        {DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.UNKNOWN, DeliveryState.WAITING}
    ),
    DeliveryState.UNKNOWN: frozenset({DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.WAITING}),
    DeliveryState.FAILED: frozenset({DeliveryState.WAITING}),
    DeliveryState.SENT: frozenset(),
}

AMENDMENT_MOVES: Mapping[AmendmentState, frozenset[AmendmentState]] = {
    AmendmentState.PROPOSED: frozenset({AmendmentState.WAITING, AmendmentState.DROPPED}),
    AmendmentState.WAITING: frozenset({AmendmentState.SENDING, AmendmentState.FAILED, AmendmentState.DROPPED}),
    AmendmentState.SENDING: frozenset(
        {AmendmentState.DONE, AmendmentState.FAILED, AmendmentState.UNKNOWN, AmendmentState.WAITING}
    ),
    AmendmentState.UNKNOWN: frozenset({AmendmentState.DONE, AmendmentState.FAILED, AmendmentState.WAITING}),
    AmendmentState.FAILED: frozenset({AmendmentState.DROPPED}),  # a person wants it tried again: a new one
    AmendmentState.DONE: frozenset(),
    AmendmentState.DROPPED: frozenset(),
}


# --- what our own people are told -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class AlertMessage:
    """What one target is told. Nothing in it is in the words of whoever wrote a mention.

    `key` is the same at every attempt. `subject` is one line and `text` the whole for people; `fields` says the same to
    programs, as JSON knows it. `to` holds mail addresses; empty where the target is none of people.
    """

    key: str
    subject: str
    text: str
    fields: Mapping[str, Any]
    to: tuple[str, ...] = ()


# --- what a CRM gives and takes -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class CrmRecord:
    """A customer as a CRM has them. `id` is the CRM's own; `values` go by its own names, nested as they came.

    `gone`: deleted there; then `values` may be empty. `changed_at`: by its clock, None where it does not say.
    """

    id: str
    values: Mapping[str, Any]
    gone: bool = False
    changed_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class CrmPage:
    """Records that changed, the oldest change first, and where to read on. `more`: there is more to read at once."""

    records: tuple[CrmRecord, ...]
    cursor: Cursor
    more: bool = False


@dataclass(frozen=True, kw_only=True)
class CrmEvent:
    """What a CRM sent us of itself. `id` names the event: whatever comes again under it is the same event."""

    id: str
    records: tuple[CrmRecord, ...]


@dataclass(frozen=True, kw_only=True)
class CrmDelivery:
    """How one case or customer stands here, for a CRM, as docs/crm.md describes it; the same at every attempt."""

    key: str
    fields: Mapping[str, Any]


class AlertState(Word):
    """One message to one target, or one delivery to a CRM.

    Unlike a reply it may go out twice, under one key, when we died while sending it.
    """

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    GATHERED = "gathered"  # told by a digest or a later delivery, which has a state of its own


ALERT_MOVES: Mapping[AlertState, frozenset[AlertState]] = {
    AlertState.WAITING: frozenset({AlertState.SENDING, AlertState.GATHERED, AlertState.FAILED}),
    AlertState.SENDING: frozenset({AlertState.SENT, AlertState.FAILED, AlertState.WAITING}),
    AlertState.FAILED: frozenset({AlertState.WAITING}),  # a person wants it tried again; a delivery may be GATHERED too
    AlertState.GATHERED: frozenset(),
    AlertState.SENT: frozenset(),
}
