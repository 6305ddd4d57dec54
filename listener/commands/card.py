"""Everything around one draft or mention, gathered for a person; `drawing.py` puts it on the screen."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from listener.commands import caps, money, suggested, unsaved
from listener.commands.app import App
from listener.commands.caps import Already
from listener.commands.output import clip
from listener.desk import cases as desk
from listener.desk import lasting
from listener.errors import Mistake, NotFound, PolicyProblem
from listener.store import (
    Transaction,
    attachments,
    case_counts,
    cases,
    codes,
    continuing,
    customers,
    decisions,
    inbox,
    incident_holds,
    made_from,
    mentions,
    policies,
    sight,
    suggestions,
    switch,
    waiting,
)
from listener.store.attachments import Image
from listener.store.cases import Case
from listener.store.codes import Tried
from listener.store.customers import Customer
from listener.store.decisions import StoredDecision
from listener.store.inbox import Draft, View
from listener.store.made_from import MadeFrom
from listener.store.mentions import Mention
from listener.store.waiting import Said
from listener.types import DraftState, IncidentView, MentionState, Understanding, Urgency

if TYPE_CHECKING:
    from listener.desk.suggesting import Suggestion

LOOKING = timedelta(minutes=2)  # so long a colleague counts as having it before their eyes
MAY_BE = 2  # suggestions shown
BEFORE = 3  # things said in the thread before
NOTHING = Already()


@dataclass(frozen=True, kw_only=True)
class Card:
    """What there is to know about one mention; `draft` is the one looked at, `drafts` are all, newest first.

    `images` are the pictures that go out with `draft`; `broke` says why there is no money to send it, `already` what
    was said to its author and in its thread meanwhile, `kept` where words lie that were written for it and not saved,
    `tone` which guidelines of the policy its words do not keep, `made_from` the article that they were taken from,
    `articles` those that may help.
    """

    mention: Mention
    draft: Draft | None
    images: tuple[Image, ...]
    drafts: tuple[Draft, ...]
    decision: StoredDecision | None
    understanding: Understanding | None
    customer: Customer | None
    open_cases: int
    case: Case | None
    before: tuple[Said, ...]
    earlier: tuple[tuple[int, str, datetime], ...]  # revision, text, replaced at
    others: tuple[View, ...]
    policy_now: str | None
    paused: bool
    broke: str = ""
    already: Already = NOTHING
    kept: str = ""
    tone: tuple[str, ...] = ()
    made_from: MadeFrom | None = None
    articles: tuple[Suggestion, ...] = ()
    may_be: tuple[suggestions.Suggestion, ...] = ()  # whose account it may be
    code: Tried | None = None  # what came of a one-time code in it
    stranger: bool = False  # whether it is in a case of somebody who is not known to be its author
    incident: IncidentView | None = None  # what it belongs to, lasting or over
    lasting: tuple[IncidentView, ...] = ()  # all that lasts
    answer_outdated: str = ""  # why what the draft says as an incident's answer is no longer true

    @property
    def dangers(self) -> tuple[str, ...]:
        """What the guard found dangerous in it."""
        stops = held_by(self.decision.trace) if self.decision else ()
        return tuple(str(stop.get("reason") or "words of danger") for stop in stops if stop.get("guard") == "risk")

    @property
    def outdated(self) -> str:
        """Why the draft's words may no longer be true, where they were taken from an article; else empty."""
        return self.made_from.outdated if self.made_from else ""

    @property
    def waits(self) -> bool:
        """Whether a draft stands here for a person to decide on."""
        return self.draft is not None and self.draft.state is DraftState.PROPOSED

    @property
    def urgency(self) -> Urgency:
        """How soon somebody should look."""
        if self.draft:
            return list(Urgency)[self.draft.urgency_rank]
        return Urgency(self.decision.urgency) if self.decision else Urgency.NORMAL

    @property
    def gone(self) -> bool:
        """Whether its author deleted it."""
        return self.mention.state is MentionState.GONE


def of_draft(tx: Transaction, draft: Draft, *, actor: str, now: datetime, before: int = BEFORE) -> Card:
    """Everything around one draft."""
    mention = mentions.get(tx, draft.mention_id)
    return _gather(tx, mention, draft, _drafts(tx, mention), actor=actor, now=now, before=before)


def of_mention(tx: Transaction, mention: Mention, *, actor: str, now: datetime, before: int = BEFORE) -> Card:
    """Everything around one mention, with the draft that waits or, where none does, the newest."""
    drafts = _drafts(tx, mention)
    chosen = next((draft for draft in drafts if draft.state in inbox.OPEN), drafts[0] if drafts else None)
    return _gather(tx, mention, chosen, drafts, actor=actor, now=now, before=before)


def demand_sight(tx: Transaction, mention: Mention, draft: Draft | None) -> None:
    """Raises Mistake where whoever acts may not see that mention, or that answer to it: they are for one person alone,
    in a case of others.
    """
    alone = sight.private(mention.visibility)
    if not (alone or (draft and draft.channel)) or sight.opens(tx, mention.id):
        return
    what = f"M{mention.id} was written to us" if alone or draft is None else f"D{draft.id} is written to its author"
    case = cases.of_mention(tx, mention.id)
    where = f" and is in {case.reference}, which is {case.team}'s" if case else ""
    raise Mistake(f"{what} in private{where}; ask a supervisor.")


def _drafts(tx: Transaction, mention: Mention) -> list[Draft]:
    """The answers to it that whoever acts may see, newest first."""
    found = inbox.of_mention(tx, mention.id)
    return found if sight.opens(tx, mention.id) else [draft for draft in found if not draft.channel]


def _gather(
    tx: Transaction,
    mention: Mention,
    draft: Draft | None,
    drafts: Sequence[Draft],
    *,
    actor: str,
    now: datetime,
    before: int,
) -> Card:
    made = decisions.decisions_of(tx, mention.id)
    if draft:
        made = [decision for decision in made if decision.revision == draft.revision] or made
    demand_sight(tx, mention, draft)
    case = cases.of_mention(tx, mention.id)
    customer = customers.behind(tx, mention.account_id)
    lasts = lasting.read(tx)
    others = inbox.looked_at_by_others(tx, draft.id, actor=actor, since=now - LOOKING) if draft else []
    return Card(
        mention=mention,
        draft=draft,
        images=attachments.of_draft(tx, draft.id) if draft else (),
        drafts=tuple(drafts),
        decision=made[0] if made else None,
        understanding=decisions.understanding_of(tx, mention.id),
        customer=customer,
        open_cases=case_counts.open_count(tx, customer.id) if customer else 0,
        case=case,
        before=tuple(waiting.said_before(tx, mention, limit=before)),
        earlier=tuple(mentions.earlier_texts(tx, mention.id)),
        others=tuple(others),
        policy_now=policies.active(tx),
        paused=switch.is_paused(tx, draft.network, *draft.kinds) if draft else switch.is_paused(tx, mention.network),
        made_from=made_from.of_drafts(tx, [draft.id]).get(draft.id) if draft else None,
        may_be=() if customer else tuple(suggestions.waiting(tx, account_id=mention.account_id, limit=MAY_BE)),
        code=codes.last_tried(tx, mention.id),
        stranger=case is not None and mention.id in continuing.strangers(tx, case),
        incident=lasts.of(tx, mention.id),
        lasting=lasts.views,
        answer_outdated=incident_holds.outdated(tx, draft) if draft else "",
    )


def held_by(trace: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The guards that held or forbade the reply, in order, but what is dangerous first."""
    stops = [guard for guard in trace.get("guards", ()) if guard.get("holds") or guard.get("forbids")]
    return sorted(stops, key=lambda guard: guard.get("guard") != "risk")


def now_known(app: App, card: Card) -> Card:
    """The card with what only this moment tells about a draft that waits: money, caps, words that were not saved."""
    if card.draft is None or not card.waits:
        return card
    with app.store.read() as tx:
        already = caps.already(tx, card.mention, caps.of(app), now=app.now())
    return replace(
        card,
        already=already,
        broke=money.why_broke(app, card.draft.account) or "",
        kept=str(unsaved.kept(app, card.draft) or ""),
        tone=_tone(app, card, card.draft),
    )


def with_articles(app: App, card: Card) -> Card:
    """The card with the articles that may help; none beside what was deleted. Loads the model where there are any."""
    if card.gone:
        return card
    language = card.understanding.language if card.understanding else ""
    return replace(card, articles=suggested.beside(app, card.mention.text, language=language))


def _tone(app: App, card: Card, draft: Draft) -> tuple[str, ...]:
    """Which guidelines the draft's words do not keep, by the policy in the settings; none where that cannot be used."""
    with suppress(PolicyProblem):
        return app.policy.tone(
            draft.text,
            language=draft.language,
            understanding=card.understanding,
            name=card.mention.author.display_name,
            visibility=draft.seen_by(card.mention.visibility),
            incidents=card.lasting,
        )
    return ()


# --- what a person types -------------------------------------------------------------------------------------------


def draft_number(typed: str) -> int:
    """`D7`, `d7` or `7`. Raises Mistake for anything else."""
    return _number(typed, "D", optional=True)


def find(tx: Transaction, typed: str, *, pattern: str, actor: str, now: datetime, before: int = BEFORE) -> Card:
    """The card that `D7`, `M12` or a case reference names; a case by its mention that waits, else its newest.

    Raises NotFound, or Mistake for what is none of these.
    """
    letter = typed.strip()[:1].upper()
    if letter == "D" and typed.strip()[1:].isdigit():
        return of_draft(tx, inbox.get(tx, _number(typed, "D")), actor=actor, now=now, before=before)
    if letter == "M" and typed.strip()[1:].isdigit():
        return of_mention(tx, mentions.get(tx, _number(typed, "M")), actor=actor, now=now, before=before)
    if typed.strip().isdigit() and len(typed.strip()) < 8:
        number = typed.strip()
        raise Mistake(f"Write D{number} for the draft or M{number} for the mention of that number.")
    case = desk.find(tx, typed, pattern)
    inside = [number for number, _, _ in cases.mentions_in(tx, case)]
    if not inside:
        raise NotFound(f"{case.reference} holds no mention; see `escucha case show {case.reference}`.")
    drafted = {draft.mention_id for draft in inbox.of_mentions(tx, inside) if draft.state in inbox.OPEN}
    waits = [number for number in inside if number in drafted]
    return of_mention(tx, mentions.get(tx, (waits or inside)[-1]), actor=actor, now=now, before=before)


def _number(typed: str, letter: str, *, optional: bool = False) -> int:
    found = re.fullmatch(rf"\s*({letter})?0*([0-9]{{1,18}})\s*", typed, re.IGNORECASE)
    if not found or not (found[1] or optional):
        what = "draft" if letter == "D" else "mention"
        raise Mistake(f"{clip(typed[:400], 40)} is no {what}; they look like {letter}7, see `escucha inbox`.")
    return int(found[2])
