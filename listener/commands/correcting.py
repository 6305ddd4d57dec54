"""`escucha model correct`: says what the model should have read in a mention."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

import click

from listener.commands import card as cards
from listener.commands import lessons
from listener.commands.answers import tidy_reason
from listener.commands.app import App, pass_app
from listener.commands.output import block, clip, say
from listener.errors import Mistake
from listener.store import corrections, inbox
from listener.types import Intent, Sentiment, Signal, Understanding

NONE = "none"


@click.command()
@click.argument("what", metavar="M12|D7")
@click.option(
    "--intent",
    "intents",
    multiple=True,
    type=click.Choice([*map(str, Intent), NONE]),
    help="What it wants; may be repeated.",
)
@click.option("--sentiment", type=click.Choice([*map(str, Sentiment)]), help="How it sounds.")
@click.option(
    "--signal",
    "signals",
    multiple=True,
    type=click.Choice([*map(str, Signal), NONE]),
    help="What is in it; may be repeated.",
)
@click.option("--area", metavar="NAME", help="Which of your areas it is about, or `none`.")
@click.option("--reject", "reason", metavar="REASON", help="Reject its draft as well, and why.")
@pass_app
def correct(
    app: App,
    what: str,
    *,
    intents: tuple[str, ...],
    sentiment: str | None,
    signals: tuple[str, ...],
    area: str | None,
    reason: str | None,
) -> None:
    """Say what the model should have read in a mention.

    The mention stays as it was decided. Once somebody accepted it (`escucha model examples`), the next `escucha model
    train` learns from an area's correction, and the others can be exported to measure the model by.
    """
    said = {
        "intents": _chosen(intents, "--intent"),
        "sentiment": (sentiment,) if sentiment else None,
        "signals": _chosen(signals, "--signal"),
        "areas": None if area is None else _area(app, area),
    }
    wanted = {kind: labels for kind, labels in said.items() if labels is not None}
    if not wanted:
        raise Mistake("Say what is right: --intent, --sentiment, --signal or --area, with its label.")
    if reason is not None and not reason.strip():
        raise Mistake("Say in a few words why, such as --reject 'wrong facts'.")
    with app.store.read() as tx:
        card = cards.find(tx, what, pattern=app.config.cases.pattern, actor=app.actor, now=app.now())
        earlier = [*corrections.waiting(tx), *(one for kind in wanted for one in corrections.accepted(tx, kind))]
    mention, had = card.mention, _had(card.understanding)
    said_before = {one.what for one in earlier if one.mention_id == mention.id}  # which may be taken back
    as_read = [kind for kind in wanted if kind not in said_before and set(had[kind]) == set(wanted[kind])]
    if len(as_read) == len(wanted):
        found = "; ".join(f"{kind} {_words(had[kind])}" for kind in as_read)
        raise Mistake(f"M{mention.id} was read just so: {found}.")
    wanted = {kind: labels for kind, labels in wanted.items() if kind not in as_read}
    if reason is not None and card.draft is None:
        raise Mistake(f"M{mention.id} has no draft; leave out --reject.")
    with app.store.write() as tx:
        for kind, labels in wanted.items():
            corrections.record(tx, mention, what=kind, was=had[kind], becomes=labels, by=app.actor, now=app.now())
        if reason is not None and card.draft is not None:
            inbox.reject(tx, card.draft, by=app.actor, reason=tidy_reason(reason), now=app.now())
    block(clip(mention.text, 400))
    for kind, labels in wanted.items():
        say(f"M{mention.id}: {kind} {_words(had[kind])} → {_words(labels)}")
    for kind in as_read:
        say(f"M{mention.id}: {kind} {_words(had[kind])}, as it was read")
    if reason is not None and card.draft is not None:
        say(f"D{card.draft.id} is rejected.")
    say("It waits for a look: escucha model examples")


def _chosen(labels: Sequence[str], option: str) -> tuple[str, ...] | None:
    if not labels:
        return None
    if NONE in labels and len(set(labels)) > 1:
        raise Mistake(f"{option} none stands alone; leave it out, or the others.")
    return tuple(dict.fromkeys(str(label) for label in labels if label != NONE))


def _area(app: App, name: str) -> tuple[str, ...]:
    """The area of that name, or of none. Raises Mistake where the policy has no such area."""
    if name.strip() == NONE:
        return ()
    known = list(lessons.areas_of(app))
    if name.strip() in known:
        return (name.strip(),)
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there is: {', '.join(known) or 'none'}."
    raise Mistake(f"The policy has no area {clip(name, 40)!r}; {hint}")


def _had(found: Understanding | None) -> dict[str, tuple[str, ...]]:
    """What the model read, by kind."""
    if found is None:
        return {"intents": (), "sentiment": (), "signals": (), "areas": ()}
    return {
        "intents": tuple(intent.value for intent in found.intents),
        "sentiment": (found.sentiment.value,) if found.sentiment else (),
        "signals": tuple(signal.value for signal in found.signals),
        "areas": found.areas,
    }


def _words(labels: Sequence[str]) -> str:
    return ", ".join(labels) or NONE
