"""The situation of a mention: what is known around it, put together for the policy.

    what is known of the mention itself | the case it would join | all else, for it alone or with many | situation

`gather` and `look` ask for one mention alone; `batches.py` knows the same of many at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, partial
from urllib.parse import urlsplit

from listener import references
from listener.desk import cases as desk_cases
from listener.desk import codes, continuing, incident_matching, joining, standing, suggestions
from listener.desk import customers as desk_customers
from listener.desk.batches import Batch
from listener.desk.incident_matching import Watched
from listener.desk.joining import Found
from listener.desk.lasting import Lasting
from listener.store import (
    Transaction,
    authors,
    case_counts,
    decisions,
    identities,
    inbox,
    mentions,
    switch,
    threads,
    together,
)
from listener.store.customers import Customer
from listener.store.inbox import Sends
from listener.store.incidents import Incident
from listener.store.mentions import Mention
from listener.store.threads import Said
from listener.types import (
    Author,
    AuthorView,
    CaseView,
    CustomerView,
    Facts,
    IncidentView,
    Intent,
    LinkCode,
    Post,
    PostKind,
    SendKind,
    SendsView,
    Situation,
    Speaker,
    TeamsView,
    ThreadView,
    Understanding,
)

QUICK = timedelta(seconds=20)  # who answers us sooner than that has hardly read it
MONTH = timedelta(days=30)


@dataclass(frozen=True, kw_only=True)
class Company:
    """What is the same for every decision. `own_handles` are ours beside those that the networks told us."""

    case_pattern: str
    reopen: timedelta = timedelta(days=14)  # for how long after its end a follow-up reopens a case
    own_handles: frozenset[str] = frozenset()

    def is_ours(self, author: Author) -> bool:
        """Whether the author is one of us, by the full name where ours has a host: half of it anybody could borrow."""
        name = author.handle.removeprefix("@").casefold()
        if name in self._names:
            return True
        if "@" in author.handle or not author.url or name not in self._halves:
            return False
        return f"{name}@{urlsplit(author.url).netloc.casefold()}" in self._names

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(own.removeprefix("@").casefold() for own in self.own_handles)

    @cached_property
    def _halves(self) -> frozenset[str]:
        """Of the names with a host what stands before it."""
        return frozenset(name.rpartition("@")[0] for name in self._names)


@dataclass(frozen=True, kw_only=True)
class Around:
    """What is the same for every mention of a batch: which incidents last, and who is there, by team."""

    lasting: Lasting
    watched: Watched
    on_duty: Mapping[str, int] | None
    automatic: together.Automatic


@dataclass(frozen=True, kw_only=True)
class Matter:
    """One mention with all that was found about it, as it goes to the policy."""

    mention: Mention
    understanding: Understanding
    customer: Customer | None
    found: Found  # the case it would join
    facts: Facts
    company: Company
    fields_asked: frozenset[str]  # of those imported with the customer; nothing else of them is copied into a trace
    is_colleague: Callable[[str, str], bool]  # (network, handle), as the policy lists them
    broke: str  # why there is no money to answer
    live_cases: Counter[str]  # by team; grows with the cases that the batch opens
    code: LinkCode  # what came of the one-time code in it
    incident: Incident | None  # what it is of, lasting or over
    around: Around


def gather(
    tx: Transaction,
    mention: Mention,
    *,
    facts: Facts,
    company: Company,
    fields_asked: frozenset[str],
    is_colleague: Callable[[str, str], bool],
    broke: str,
    live_cases: Counter[str],
    around: Around,
    now: datetime,
) -> Matter | None:
    """All that must be found out for a mention alone, with what follows at once: a link by its code, an incident.

    None where it was set aside, for its understanding is missing.
    """
    understanding = decisions.understanding_of(tx, mention.id)
    if understanding is None:
        mentions.trouble(tx, mention, stage="decide", reason="its understanding is missing", now=now)
        return None
    ours = is_ours(tx, mention, company)
    tried = None if ours else codes.look(tx, mention, now)
    if tried is not None and facts.linkable:
        suggestions.copied_code(tx, mention.account_id, tried, now)
    customer = desk_customers.behind(tx, mention.account_id, mention.network, mention.author.handle, now)
    answered = continuing.answered(tx, mention)
    found = (
        Found(case=answered, why="it answers what we wrote to them alone")
        if answered
        else joining.find(
            tx,
            mention,
            understanding=understanding,
            customer=customer,
            pattern=company.case_pattern,
            reopen=company.reopen,
            now=now,
        )
    )
    incident = incident_matching.follow(
        tx,
        around.watched,
        mention,
        understanding=understanding,
        customer=customer,
        case=found.case if found.known else None,
        ours=ours,
        now=now,
    )
    return Matter(
        mention=mention,
        understanding=understanding,
        customer=customer,
        found=found,
        facts=facts,
        company=company,
        fields_asked=fields_asked,
        is_colleague=is_colleague,
        broke=broke,
        live_cases=live_cases,
        code=tried.outcome if tried else LinkCode.NONE,
        incident=incident,
        around=around,
    )


def is_ours(tx: Transaction, mention: Mention, company: Company) -> bool:
    """Whether one of us wrote it, by the account or by what we sent."""
    ours = identities.ours(tx, mention.network)
    return mention.author.external_id in ours or company.is_ours(mention.author)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What is known around a mention at the moment of its decision. Counts include it; see the views of `Situation`.

    `last`: what was said in its thread before it, `last_is_ours` whether Escucha said that. `reference`: what its case
    bears, or would bear if it were opened now.
    """

    is_us: bool
    week: int
    ten_minutes: int
    same_text: int
    quick_replies: int
    complaints: int
    unsolved: int
    others_with_its_text: int
    customer: CustomerView | None
    sends: Sends
    answers_us: bool
    answered: bool
    answered_by_hand: bool
    last: Said | None
    last_is_ours: bool
    repliers: tuple[str, ...]
    reference: str
    paused: bool
    incident: IncidentView | None
    ours: frozenset[str]  # our ids on its network


def look(tx: Transaction, matter: Matter, now: datetime) -> Seen:
    """What is known around one mention alone, read in the transaction that will hold the decision."""
    mention, customer, case = matter.mention, matter.customer, matter.found.case
    network, post, number = mention.network, mention.external_id, mention.account_id
    ours = identities.ours(tx, network)
    whose = customer.id if customer else None
    sends = inbox.sends(
        tx, mention_id=mention.id, account_id=number, network=network, thread_id=mention.thread_id, now=now
    )
    habits = authors.habits(tx, account_id=number, text=mention.text, now=now, quick=QUICK)
    last = threads.last_said(tx, mention)
    return Seen(
        is_us=_by_name(matter, mention.author, ours) or inbox.is_ours(tx, network, post),
        week=mentions.by_account_since(tx, number, now - timedelta(days=7)),
        ten_minutes=habits.posts_last_10_minutes,
        same_text=habits.same_text_last_day,
        quick_replies=habits.quick_replies_last_day,
        complaints=authors.complaints(tx, account_id=number, customer_id=whose, since=now - MONTH),
        unsolved=case_counts.unsolved_complaints(tx, account_id=number, customer_id=whose),
        others_with_its_text=authors.wrote_the_same(
            tx,
            account_id=number,
            network=network,
            text=mention.text,
            around=(mention.heard_at, now),  # the decision may come long after it, as of what was edited
            within=timedelta(hours=1),
        ),
        customer=None if customer is None else standing.view(tx, customer, now, fields=matter.fields_asked),
        sends=sends,
        answers_us=inbox.is_ours(tx, network, mention.parent_id),
        answered=mentions.answered_by(tx, network, post, ours),
        answered_by_hand=threads.answered_by_hand(tx, network, post, ours),
        last=last,
        last_is_ours=last is not None and inbox.is_ours(tx, network, last.external_id),
        repliers=mentions.repliers(
            tx,
            network,
            post,
            but=[*ours, mention.author.external_id],
            ahead=partial(matter.is_colleague, network),
        ),
        reference=case.reference if case else desk_cases.next_reference(tx, matter.company.case_pattern, now),
        paused=switch.is_paused(tx, network, SendKind.AUTOMATIC),
        incident=matter.around.lasting.of(tx, mention.id),
        ours=ours,
    )


def look_together(batch: Batch, matter: Matter) -> Seen:
    """The same of one of a batch, which knows it."""
    mention, case = matter.mention, matter.found.case
    known, ours = batch.known[mention.id], batch.ours[mention.network]
    complaints, unsolved = batch.complaints(mention)
    last, last_is_ours = batch.last_said(mention)
    return Seen(
        is_us=_by_name(matter, mention.author, ours) or known.is_ours,
        week=known.week,
        ten_minutes=known.ten_minutes,
        same_text=known.same_text if mention.text.strip() else 1,
        quick_replies=known.quick_replies,
        complaints=complaints,
        unsolved=unsolved,
        others_with_its_text=known.others_with_its_text,
        customer=None if matter.customer is None else batch.view(matter.customer, fields=matter.fields_asked),
        sends=batch.spoken.around(mention),
        answers_us=known.answers_us,
        answered=known.answered,
        answered_by_hand=known.answered_by_hand,
        last=last,
        last_is_ours=last_is_ours,
        repliers=batch.repliers(mention, is_colleague=matter.is_colleague),
        reference=case.reference if case else batch.ledger.next_reference(),
        paused=batch.paused[mention.network],
        incident=None,
        ours=ours,
    )


def _by_name(matter: Matter, author: Author, ours: frozenset[str]) -> bool:
    return author.external_id in ours or matter.company.is_ours(author)


def situation(matter: Matter, seen: Seen, now: datetime) -> Situation:
    """Everything a policy may look at. Pure."""
    mention, case, sends = matter.mention, matter.found.case, seen.sends
    author = mention.author
    return Situation(
        now=now,
        mention_id=mention.id,
        revision=mention.revision,
        network=mention.network,
        source=mention.source,
        kind=mention.kind,
        visibility=mention.visibility,
        text=mention.text,
        content_warning=mention.content_warning,
        url=mention.url,
        posted_at=mention.posted_at,
        has_media=bool(mention.media),
        understanding=matter.understanding,
        author=AuthorView(
            handle=author.handle,
            display_name=author.display_name,
            followers=author.followers,
            bot=author.bot,
            opted_out=author.opted_out,
            left_alone=mention.left_alone_at is not None,
            is_us=seen.is_us,
            account_age_days=(now - author.created_at).days if author.created_at else None,
            mentions_last_7_days=seen.week,
            verified=author.verified,
            unsolved_complaints=seen.unsolved,
            complaints_last_30_days=seen.complaints,
            mentions_last_10_minutes=seen.ten_minutes,
            same_text_last_day=seen.same_text,
            quick_replies_last_day=seen.quick_replies,
        ),
        customer=seen.customer,
        thread=ThreadView(
            our_replies=sends.in_thread,
            is_reply_to_us=mention.kind is PostKind.REPLY or seen.answers_us,
            answered=sends.this_mention > 0 or seen.answered,
            answered_by_colleague=seen.answered_by_hand,
            last_speaker=_last_speaker(matter, seen),
            repliers=seen.repliers,
        ),
        case=CaseView(reference=case.reference, exists=True, team=case.team, urgency=case.urgency)
        if case
        else CaseView(reference=seen.reference),
        sends=SendsView(
            to_author_last_day=sends.to_author_last_day,
            in_thread=sends.in_thread,
            last_hour=sends.last_hour,
            automatic_to_author_last_day=sends.automatic_to_author_last_day,
            last_day=sends.last_day,
            by_rule_last_day=sends.by_rule_last_day,
            by_wording_last_day=sends.by_wording_last_day,
            wordings_before=sends.wordings_before,
        ),
        facts=matter.facts,
        unanswerable=mention.unanswerable,
        paused=seen.paused,
        broke=matter.broke,
        teams=TeamsView(
            live_cases={team: live for team, live in matter.live_cases.items() if live}, on_duty=matter.around.on_duty
        ),
        incident=seen.incident,
        incidents=matter.around.lasting.views,
        code=matter.code,
        stranger=case is not None and not matter.found.known,
        terms=mention.terms,
        same_text_by_others=seen.others_with_its_text,
    )


def _last_speaker(matter: Matter, seen: Seen) -> Speaker:
    """Who spoke in the thread last before the mention, of what we heard and said."""
    last = seen.last
    if last is None:
        return Speaker.NOBODY
    if last.author is None:
        return Speaker.US
    if _by_name(matter, last.author, seen.ours):
        return Speaker.US if seen.last_is_ours else Speaker.COLLEAGUE
    return Speaker.AUTHOR if last.author.external_id == matter.mention.author.external_id else Speaker.OTHER


def first_contact(
    post: Post, understanding: Understanding, *, now: datetime, source: str, facts: Facts, case_pattern: str
) -> Situation:
    """The situation of somebody we know nothing about, for a preview without a database."""
    return Situation(
        now=now,
        mention_id=0,
        revision=1,
        network=facts.network,
        source=source,
        kind=post.kind,
        visibility=post.visibility,
        text=post.text,
        content_warning=post.content_warning,
        url=post.url,
        posted_at=post.posted_at,
        has_media=bool(post.media),
        understanding=understanding,
        author=AuthorView(
            handle=post.author.handle,
            display_name=post.author.display_name,
            followers=post.author.followers,
            bot=post.author.bot,
            opted_out=post.author.opted_out,
            account_age_days=(now - post.author.created_at).days if post.author.created_at else None,
            verified=post.author.verified,
            complaints_last_30_days=int(Intent.COMPLAINT in understanding.intents),
        ),
        customer=None,
        thread=ThreadView(is_reply_to_us=post.kind is PostKind.REPLY),
        case=CaseView(reference=references.reference(case_pattern, now.year, 1)),
        sends=SendsView(),
        facts=facts,
        unanswerable=post.unanswerable,
    )
