"""`show`: one mention, draft or case on one screen."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import click
from rich.text import Text

from listener.commands import around, around_plain, deciding, drawing, lines, looking, suggested, unknown
from listener.commands import card as cards
from listener.commands.app import App, pass_app
from listener.commands.attaching import image_keys
from listener.commands.card import Card
from listener.commands.keys import (
    case_keys,
    decision_keys,
    draft_keys,
    incident_keys,
    made_from_keys,
    mention_keys,
    understanding_keys,
)
from listener.commands.output import console, fields, json_option, print_json, say
from listener.types import DraftState

THREAD = 20  # things said before, where there is room to scroll
UNDER = 9  # lines under the card: the mention's own dates, and what to type next


@click.command()
@click.argument("what", metavar="M12|D7|CASE")
@click.option("--quoted", is_flag=True, help="Also what its author only repeated: a quoted mail, a signature.")
@json_option
@pass_app
def show(app: App, what: str, quoted: bool, as_json: bool) -> None:
    """One mention with everything around it, by its number, a draft's, or a case's reference."""
    from listener.desk import context

    now = app.now()
    with app.store.read() as tx:
        card = cards.find(tx, what, pattern=app.config.cases.pattern, actor=app.actor, now=now, before=THREAD)
        known = context.of_mention(tx, card.mention, case=card.case, now=now)
        searched = unknown.of_draft(tx, card.draft)
    card, known = (
        cards.with_articles(app, cards.now_known(app, card)),
        around.seen_by(app, around.with_offers(app, known)),
    )
    if card.customer:
        looking.at(app, [f"customer {card.customer.reference}"], reason=f"mention {card.mention.id}")
    if as_json:
        known = replace(known, articles=card.articles)
        print_json(_plain(card) | {"looks": unknown.keys(searched)} | {"context": around_plain.as_plain(known, now)})
        return
    screen, mention = console(), card.mention
    known = known if card.customer else replace(known, may_be=())  # the card says whose account it may be
    around.beside(
        screen, lambda width: drawing.draw(card, now=now, console=screen, width=width), known, now=now, more=UNDER
    )
    say()
    fields(
        [
            ("posted", mention.posted_at),
            ("heard", f"first by {mention.source}, {mention.heard_at:%Y-%m-%d %H:%M:%S} UTC"),
            ("seen by", mention.visibility),
            ("link", lines.label(mention.url or "")),
            ("drafts", ", ".join(f"D{draft.id} {draft.state}" for draft in card.drafts)),
            ("looked for", unknown.last_in_words(searched)),
            ("edits", f"{len(card.earlier)}; now revision {mention.revision}" if card.earlier else ""),
        ]
    )
    if quoted:
        say()
        for part in drawing.quoted(mention) or [Text("It repeats nothing.", style="dim")]:
            screen.print(part)
    sys.stdout.flush()
    draft = card.draft
    if draft is None:
        return
    deciding.remember(app, draft)
    if draft.state is DraftState.PROPOSED:
        say(f"\nescucha approve D{draft.id} · edit D{draft.id} · reject D{draft.id} · explain D{draft.id}")


def _plain(card: Card) -> dict[str, Any]:
    customer = card.customer
    return {
        "mention": mention_keys(card.mention),
        "draft": draft_keys(card.draft) if card.draft else None,
        "images": [image_keys(image) for image in card.images],
        "drafts": [draft_keys(draft) for draft in card.drafts],
        "before": [{"ours": one.ours, "handle": one.handle, "text": one.text, "at": one.at} for one in card.before],
        "earlier": [{"revision": number, "text": text, "replaced_at": at} for number, text, at in card.earlier],
        "understanding": understanding_keys(card.understanding),
        "decision": decision_keys(card.decision),
        "customer": {"reference": customer.reference, "name": customer.name, "tier": customer.tier}
        if customer
        else None,
        "may_be": [{"number": each.id, "customer": each.customer, "strength": each.strength} for each in card.may_be],
        "code": card.code.outcome if card.code else None,
        "stranger": card.stranger,
        "sender_proven": card.mention.sender_proven,
        "open_cases": card.open_cases,
        "case": case_keys(card.case),
        "policy_now": card.policy_now,
        "paused": card.paused,
        "tone": list(card.tone),
        "made_from": made_from_keys(card.made_from),
        "articles": suggested.keys(card.articles),
        "incident": incident_keys(card.incident),
        "outdated": card.answer_outdated or None,
    }
