"""decide: gather the situation of each understood mention, ask the policy, write down what it says. Sends nothing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import structlog

from listener import inhand, metrics, references, situations
from listener.contract import Policy
from listener.desk import cases as desk_cases
from listener.desk import (
    codes,
    continuing,
    handing,
    incident_cases,
    incident_matching,
    joining,
    lasting,
    standing,
    suggestions,
)
from listener.desk import customers as desk_customers
from listener.desk.clocks import Moved
from listener.desk.incident_matching import Watched
from listener.desk.joining import Found
from listener.desk.lasting import Lasting
from listener.store import (
    Store,
    Transaction,
    alerts,
    authors,
    case_counts,
    cases,
    decisions,
    draws,
    erasing,
    identities,
    inbox,
    mentions,
    optouts,
    policies,
    switch,
    threads,
    together,
)
from listener.store.cases import Case
from listener.store.customers import Customer
from listener.store.incidents import Incident
from listener.store.mentions import Mention
from listener.types import (
    Author,
    AuthorView,
    CasePlan,
    CaseView,
    Decision,
    Facts,
    Intent,
    LinkCode,
    MentionState,
    Mode,
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

log = structlog.get_logger(__name__)

QUICK = timedelta(seconds=20)  # who answers us sooner than that has hardly read it
LONGEST = 2.0  # seconds for which a batch keeps other writers waiting, one mention more at most; they wait for 30


@dataclass(frozen=True, kw_only=True)
class Company:
    """What is the same for every decision. `own_handles` are ours beside those that the networks told us."""

    case_pattern: str
    reopen: timedelta = timedelta(days=14)  # for how long after its end a follow-up reopens a case
    own_handles: frozenset[str] = frozenset()

    def is_ours(self, author: Author) -> bool:
        """Whether the author is one of us, by the full name where ours has a host: half of it anybody could borrow."""
        names = {author.handle.removeprefix("@").casefold()}
        if "@" not in author.handle and author.url:
            names.add(f"{author.handle.removeprefix('@').casefold()}@{urlsplit(author.url).netloc.casefold()}")
        return not names.isdisjoint(own.removeprefix("@").casefold() for own in self.own_handles)


def decide(
    store: Store,
    policy: Policy,
    *,
    company: Company,
    facts: Callable[[str, str], Facts],
    limit: int,
    now: datetime,
    broke: Callable[[Transaction, str], str] = lambda _tx, _account: "",
    near: Mapping[tuple[int, int], Mapping[int, float]] | None = None,
    ids: Sequence[int] | None = None,
) -> int:
    """Decides up to `limit` understood mentions in one transaction, for `LONGEST` at most; gives how many.

    `ids`: of these only. What another process decides at this moment is left to it.

    `facts(network, account)` gives what is true of the network as that account sees it; `broke(tx, account)` why that
    account has no money to send anything, asked once for the batch; `near`: see `incident_meaning.awaiting`. A mention
    that breaks the policy is set aside; the rest goes on.
    """
    with store.write() as tx:
        if policies.hold(tx) not in (None, policy.version):
            return 0  # another policy rules by now: whoever holds it decides
        together.steady(tx)
        batch = together.hold(tx, mentions.awaiting(tx, MentionState.UNDERSTOOD, limit, ids=ids, alone=True))
        ends, done = time.monotonic() + LONGEST, 0
        why_broke: dict[str, str] = {}
        live_cases = Counter(case_counts.live_by_team(tx)) if batch else Counter()
        around = _Around(
            lasting=lasting.read(tx),
            watched=incident_matching.watched(tx, places=policy.places, near=near or {}),
            automatic=together.Automatic(tx),
            on_duty=handing.on_duty(tx, now, policy.promises.moved),
        )
        kept: dict[int, tuple[Facts, str]] = {}
        for mention in batch:
            if mention.account not in why_broke:
                why_broke[mention.account] = broke(tx, mention.account)
            known = facts(mention.network, mention.account)
            matter = _gather(
                tx,
                mention,
                facts=known,
                company=company,
                fields_asked=policy.fields_asked,
                is_colleague=policy.is_colleague,
                broke=why_broke[mention.account],
                live_cases=live_cases,
                around=around,
                now=now,
            )
            if matter is not None:
                if id(known) not in kept:
                    kept[id(known)] = known, decisions.keep_facts(tx, known)
                _decide_one(tx, policy, matter, kept[id(known)][1], now)
            done += 1
            if time.monotonic() > ends:
                break  # the rest comes next time
    return done


@dataclass(frozen=True, kw_only=True)
class _Around:
    """What is the same for every mention of a batch: which incidents last, and who is there, by team."""

    lasting: Lasting
    watched: Watched
    on_duty: Mapping[str, int] | None
    automatic: together.Automatic


@dataclass(frozen=True, kw_only=True)
class _Matter:
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
    around: _Around


def _gather(
    tx: Transaction,
    mention: Mention,
    *,
    facts: Facts,
    company: Company,
    fields_asked: frozenset[str],
    is_colleague: Callable[[str, str], bool],
    broke: str,
    live_cases: Counter[str],
    around: _Around,
    now: datetime,
) -> _Matter | None:
    understanding = decisions.understanding_of(tx, mention.id)
    if understanding is None:
        mentions.trouble(tx, mention, stage="decide", reason="its understanding is missing", now=now)
        return None
    ours = _is_ours(tx, mention, company)
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
    return _Matter(
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


def _is_ours(tx: Transaction, mention: Mention, company: Company) -> bool:
    """Whether one of us wrote it, by the account or by what we sent."""
    ours = identities.ours(tx, mention.network)
    return mention.author.external_id in ours or company.is_ours(mention.author)


def _decide_one(tx: Transaction, policy: Policy, matter: _Matter, facts: str, now: datetime) -> None:
    mention = matter.mention
    situation = _situation(tx, matter, now)
    inhand.take("decide", [mention.id])
    try:
        decision = policy.decide(situation)
        if decision.reply and decision.reply.mode is Mode.AUTO and matter.around.automatic.begin():
            situation = _situation(tx, matter, now)  # what others let go out meanwhile counts
            decision = policy.decide(situation)
    except Exception:
        log.exception(
            "A mention was set aside.",
            action="set_aside",
            stage="decide",
            mention=mention.id,
            correlation=mention.correlation,
        )
        metrics.set_aside("decide")
        mentions.trouble(tx, mention, stage="decide", reason="the policy broke on it", now=now)
        return
    finally:
        inhand.drop("decide")
    if not mentions.advance(tx, mention, MentionState.DECIDED):
        return
    _write_down(tx, matter, situation, decision, facts, moved=policy.promises.moved)


def _situation(tx: Transaction, matter: _Matter, now: datetime) -> Situation:
    """Everything a policy may look at, read in the transaction that will hold the decision."""
    mention, customer, case = matter.mention, matter.customer, matter.found.case
    ours = identities.ours(tx, mention.network)
    sends = inbox.sends(
        tx,
        mention_id=mention.id,
        account_id=mention.account_id,
        network=mention.network,
        thread_id=mention.thread_id,
        now=now,
    )
    author = mention.author
    by_hand = threads.answered_by_hand(tx, mention.network, mention.external_id, ours)
    habits = authors.habits(tx, account_id=mention.account_id, text=mention.text, now=now, quick=QUICK)
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
            is_us=author.external_id in ours
            or matter.company.is_ours(author)
            or inbox.is_ours(tx, mention.network, mention.external_id),
            account_age_days=(now - author.created_at).days if author.created_at else None,
            mentions_last_7_days=mentions.by_account_since(tx, mention.account_id, now - timedelta(days=7)),
            verified=author.verified,
            unsolved_complaints=case_counts.unsolved_complaints(
                tx, account_id=mention.account_id, customer_id=customer.id if customer else None
            ),
            complaints_last_30_days=authors.complaints(
                tx,
                account_id=mention.account_id,
                customer_id=customer.id if customer else None,
                since=now - timedelta(days=30),
            ),
            mentions_last_10_minutes=habits.posts_last_10_minutes,
            same_text_last_day=habits.same_text_last_day,
            quick_replies_last_day=habits.quick_replies_last_day,
        ),
        customer=None if customer is None else standing.view(tx, customer, now, fields=matter.fields_asked),
        thread=ThreadView(
            our_replies=sends.in_thread,
            is_reply_to_us=mention.kind is PostKind.REPLY or inbox.is_ours(tx, mention.network, mention.parent_id),
            answered=sends.this_mention > 0 or mentions.answered_by(tx, mention.network, mention.external_id, ours),
            answered_by_colleague=by_hand,
            last_speaker=_last_speaker(tx, matter, ours),
            repliers=mentions.repliers(
                tx,
                mention.network,
                mention.external_id,
                but=[*ours, author.external_id],
                ahead=partial(matter.is_colleague, mention.network),
            ),
        ),
        case=CaseView(reference=case.reference, exists=True, team=case.team, urgency=case.urgency)
        if case
        else CaseView(reference=desk_cases.next_reference(tx, matter.company.case_pattern, now)),
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
        paused=switch.is_paused(tx, mention.network, SendKind.AUTOMATIC),
        broke=matter.broke,
        teams=TeamsView(live_cases=dict(matter.live_cases), on_duty=matter.around.on_duty),
        incident=matter.around.lasting.of(tx, mention.id),
        incidents=matter.around.lasting.views,
        code=matter.code,
        stranger=case is not None and not matter.found.known,
        terms=mention.terms,
        same_text_by_others=authors.wrote_the_same(
            tx,
            account_id=mention.account_id,
            network=mention.network,
            text=mention.text,
            around=(mention.heard_at, now),  # the decision may come long after it, as of what was edited
            within=timedelta(hours=1),
        ),
    )


def _last_speaker(tx: Transaction, matter: _Matter, ours: frozenset[str]) -> Speaker:
    """Who spoke in the thread last before the mention, of what we heard and said."""
    mention = matter.mention
    last = threads.last_said(tx, mention)
    if last is None:
        return Speaker.NOBODY
    if last.author is None:
        return Speaker.US
    if last.author.external_id in ours or matter.company.is_ours(last.author):
        return Speaker.US if inbox.is_ours(tx, mention.network, last.external_id) else Speaker.COLLEAGUE
    return Speaker.AUTHOR if last.author.external_id == mention.author.external_id else Speaker.OTHER


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


def _write_down(
    tx: Transaction, matter: _Matter, situation: Situation, decision: Decision, facts: str, *, moved: Moved
) -> None:
    mention, case, now = matter.mention, matter.found.case, situation.now
    decision_id = decisions.decided(
        tx,
        mention,
        decision,
        trace=_trace(situation, decision),
        facts=facts,
        model_version=matter.understanding.model_version,
        now=now,
    )
    by = f"policy {decision.policy_version}"
    if decision.leave_alone:
        optouts.leave_alone(tx, mention, by=by, now=now)
    if decision.case is not None:
        if case is None:
            case = desk_cases.open_case(
                tx,
                pattern=matter.company.case_pattern,
                plan=decision.case,
                account_id=mention.account_id,
                customer_id=matter.customer.id if matter.customer else None,
                by=by,
                since=mention.heard_at,
                now=now,
            )
            matter.live_cases[case.team] += 1
            why = f"it opened the case: {matter.found.why}"
        else:
            called = decision.escalate_to
            was = case
            reopens = matter.found.reopens
            case = desk_cases.join(
                tx,
                was,
                decision.case,
                by=by,
                now=now,
                moved=moved,
                escalate_to=called,
                reopens=reopens,
                known=matter.found.known,
            )
            matter.live_cases.subtract([was.team] * (was.state in cases.LIVE))
            matter.live_cases.update([case.team] * (case.state in cases.LIVE))
            why = matter.found.why
        case = cases.attach(tx, case, mention.id, why=why, by=by, now=now)
        if matter.incident is not None and matter.incident.lasts:
            case = incident_cases.join(tx, matter.incident, case, [mention.id], by=by, now=now)
    elif case is not None and decision.reply is None:
        case = None  # nothing is said and nothing filed: the draftless mention stays out of the case
    if decision.reply is not None:
        newer = "a newer draft took its place"
        erasing.withdraw(tx, mention.id, reason=newer, now=now, answers_only=True)
        draft_id = inbox.propose(
            tx,
            mention_id=mention.id,
            revision=mention.revision,
            account=mention.account,
            decision_id=decision_id,
            case_id=case.id if case else None,
            plan=decision.reply,
            urgency_rank=decision.urgency.rank,
            score=decision.score,
            queue_at=mention.heard_at - decision.head_start,
            policy_version=decision.policy_version,
            now=now,
        )
        draws.keep(tx, decision_id, mention.id, decision, now=now)
        if decision.reply.mode is Mode.AUTO:
            rule = decision.reply.rule or "policy"
            inbox.approve(tx, inbox.get(tx, draft_id), by=f"rule {rule}", now=now, automatic=True)
    _alert(tx, mention, decision, case, now)
    reply = decision.reply.mode.value if decision.reply else "none"
    metrics.decided(mention.network, stored_at=mention.heard_at, now=now, urgency=decision.urgency.value, reply=reply)
    log.info(
        "Decided.",
        action="decided",
        mention=mention.id,
        correlation=mention.correlation,
        network=mention.network,
        urgency=decision.urgency.value,
        reply=reply,
        case=case.reference if case else None,
        ignored=decision.ignored or None,
    )


def _alert(tx: Transaction, mention: Mention, decision: Decision, case: Case | None, now: datetime) -> None:
    """Puts down whom of us to tell; of one revision of a mention a target hears once, however often it is decided."""
    reasons = {trace.rule: trace.wanted for trace in decision.rules}
    for plan in decision.alerts:
        alerts.add(
            tx,
            to=plan.target,
            kind="rule",
            subject=f"M{mention.id} on {mention.network}: {plan.rule}, {decision.urgency}",
            why=reasons.get(plan.rule) or f"The rule {plan.rule!r} asks for it.",
            key=f"mention {mention.id} revision {mention.revision}",
            mention_id=mention.id,
            case_id=case.id if case else None,
            now=now,
            rule=plan.rule,
            urgency=decision.urgency,
        )


def _route(decision: Decision) -> dict[str, Any] | None:
    """Whose the case became and why, and what it takes to work on it; None where there is no case."""
    case = decision.case
    return None if case is None else {"team": case.team, "because": case.because, "skills": list(case.skills)}


def _trace(situation: Situation, decision: Decision) -> dict[str, Any]:
    """What `explain` and `policy replay` need later. Holds values the rules saw, so a deletion empties it."""
    return {
        "rules": [asdict(rule) for rule in decision.rules],
        "guards": [asdict(guard) for guard in decision.guards],
        "contributions": [asdict(part) for part in decision.contributions],
        "route": _route(decision),
        "modes": [asdict(each) for each in decision.modes],
        "saw": situations.kept(situation),
        "promise": _promised(decision.case),
    }


def _promised(case: CasePlan | None) -> dict[str, Any] | None:
    """Which service level the policy applied, with what it comes to for a case that is opened now; None: no case."""
    if case is None:
        return None
    promise = case.promise
    dues = {name: getattr(promise, name) for name in ("first_response_due", "resolution_due")}
    return {
        "level": promise.level,
        "calendar": promise.calendar,
        **{name: due.isoformat() if due else None for name, due in dues.items()},
    }
