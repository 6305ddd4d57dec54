"""What a moderator does with one draft; `review` and the single commands do it through here.

An approval holds for what was on the screen: `remember` writes down what was shown, after it was shown, and an approval
is given to exactly the `Draft` that was drawn.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import click

from listener.commands import card as cards
from listener.commands import drawing, line_editor, looking, unsaved
from listener.commands.app import App
from listener.commands.drawing import MAX_WORDS
from listener.commands.output import clip, console
from listener.errors import AlreadyDone, Mistake, Stale
from listener.escapes import visible
from listener.store import inbox, made_from, mentions, policies
from listener.store.attachments import NewImage
from listener.store.inbox import Draft
from listener.store.mentions import Mention
from listener.types import DraftState

GRACE = timedelta(seconds=10)  # from an approval in a review to its sending, so that it can be taken back


@dataclass(frozen=True, kw_only=True)
class Brought:
    """A draft to be looked at; `old_policy` wrote it, where the policy has changed since."""

    draft: Draft
    old_policy: str | None = None


def bring(app: App, number: int) -> Brought:
    """The draft as it is now; one that an older policy wrote is bound to the policy that rules, to be read again."""
    with app.store.read() as tx:
        draft, active = inbox.get(tx, number), policies.active(tx)
    if draft.state is not DraftState.PROPOSED or active in (None, draft.policy_version):
        return Brought(draft=draft)
    try:
        with app.store.write() as tx:
            return Brought(draft=inbox.rebind(tx, draft, by=app.actor, now=app.now()), old_policy=draft.policy_version)
    except AlreadyDone:  # somebody was at it in this very moment
        with app.store.read() as tx:
            return Brought(draft=inbox.get(tx, number), old_policy=draft.policy_version)


def put_up(app: App, draft: Draft, *, changed_from: str | None = None) -> None:
    """Shows the draft in full on one card and remembers that it was shown."""
    now, screen = app.now(), console()
    with app.store.read() as tx:
        card = cards.of_draft(tx, draft, actor=app.actor, now=now)
    card = cards.now_known(app, card)
    if card.customer:
        looking.at(app, [f"customer {card.customer.reference}"], reason=f"mention {card.mention.id}")
    screen.print(drawing.draw(card, now=now, console=screen, changed_from=changed_from))
    sys.stdout.flush()
    remember(app, draft)


def remember(app: App, *drafts: Draft) -> None:
    """Writes down that these were shown, as they are here.

    What was erased or reworded in between is left out: it must not come back through this door.
    """
    with app.store.write() as tx:
        for draft in drafts:
            if draft.text and inbox.get(tx, draft.id).text == draft.text:
                inbox.shown(tx, draft, to=app.actor, now=app.now())


def last_seen(app: App, draft: Draft) -> inbox.View | None:
    """What this person was last shown of it."""
    with app.store.read() as tx:
        return inbox.view_of(tx, draft.id, app.actor)


def approve(app: App, draft: Draft, *, wait: timedelta | None = None) -> Draft:
    """Lets exactly this go out, `wait` from now at the earliest.

    Raises Mistake when it is longer than the network takes or the account only reads, Stale or AlreadyDone when it is
    no longer what was shown.
    """
    now = app.now()
    if draft.state is DraftState.PROPOSED and draft.length > draft.length_limit:
        over = draft.length - draft.length_limit
        raise Mistake(f"D{draft.id} is {over:,} longer than {draft.network} takes; edit it first.")
    if not app.unasked(draft.account).speaks:
        raise Mistake(f"D{draft.id} cannot go out. {app.why_mute(draft.account)}")
    if len(draft.text) > MAX_WORDS:
        raise Mistake(f"D{draft.id} has {len(draft.text):,} characters, too many to be shown in full; edit it first.")
    with app.store.write() as tx:
        inbox.approve(tx, draft, by=app.actor, now=now, not_before=now + wait if wait else None)
        return inbox.get(tx, draft.id)


def take_back(app: App, number: int, edit: int) -> bool:
    """Puts what we approved or rejected before people again; False when it was sent or changed since that `edit`."""
    try:
        with app.store.write() as tx:
            draft = inbox.get(tx, number)
            if draft.edit != edit:
                return False
            inbox.take_back(tx, draft, by=app.actor, now=app.now())
    except (AlreadyDone, Stale):
        return False
    return True


def reword(
    app: App,
    draft: Draft,
    text: str,
    *,
    images: Sequence[NewImage] | None = None,
    made: made_from.Source | None = None,
) -> Draft:
    """The draft with other words, proposed again; with these pictures, where `images` is not None.

    `made`: the article that they were taken from.

    Raises Mistake with every reason why they cannot be sent, Stale when somebody else was at it meanwhile.
    """
    with app.store.read() as tx:
        mention = mentions.get(tx, draft.mention_id)
    if draft.state not in (DraftState.PROPOSED, DraftState.APPROVED):
        raise AlreadyDone(f"D{draft.id} is {draft.state}; only what has not gone out can be edited.")
    text = unsaved.tidy(text)
    length = check_words(app, draft, mention, text)
    try:
        with app.store.write() as tx:
            current = inbox.get(tx, draft.id)
            if current.edit != draft.edit or current.text != draft.text:
                raise Stale(f"{who_changed(current)} while you wrote; your words were not kept in it.")
            if made is not None:
                made_from.note(tx, draft.id, made, by=app.actor, now=app.now())
            return inbox.edit(tx, draft, text=text, length=length, by=app.actor, now=app.now(), images=images)
    except AlreadyDone as error:
        raise Stale(f"{error} Your words were not kept in it.") from error


def check_words(app: App, draft: Draft, mention: Mention, text: str) -> int:
    """The length of the reply with that text, as the network counts it. Raises Mistake with all that forbids it."""
    if len(text) > MAX_WORDS:
        raise Mistake(f"That is {len(text):,} characters; a reply has at most {MAX_WORDS:,}.")
    if visible(text, lines=True) != text:
        lines = zip(visible(text, lines=True).split("\n"), text.split("\n"), strict=True)
        hidden = next(shown for shown, line in lines if shown != line)
        raise Mistake(f"There are characters in it that nobody can see; take them out: {clip(hidden, 60)}")
    facts, handle = app.facts(draft.network), draft.recipient or mention.author.handle
    sentences = app.policy.review(text, facts, handle, visibility=draft.seen_by(mention.visibility))
    if sentences:
        raise Mistake("\n".join(sentences))
    length = facts.count(facts.address(text, handle))
    if length > draft.length_limit:
        raise Mistake(f"That is {length:,} long with the name before it, and {draft.length_limit:,} is the limit.")
    return length


def who_changed(draft: Draft) -> str:
    """`D7 was edited by luis`, `D7 was approved by ana`, for a draft that is not as somebody saw it."""
    who = f" by {draft.decided_by}" if draft.decided_by else ""
    if draft.state is DraftState.PROPOSED:
        return f"D{draft.id} was {'edited' if draft.decided_by else 'changed'}{who}"
    why = f" ({draft.reason})" if draft.reason else ""
    return f"D{draft.id} is {draft.state}{who}{why}"


def write_in_editor(app: App, draft: Draft, text: str) -> str | None:
    """What the person made of the text in $EDITOR, or without any; None when they left it as it was or gave up.

    What differs from the draft stays in a file of this person until `unsaved.forget`, whatever happens meanwhile.
    Raises Mistake when the editor does not run, naming that file where it holds something.
    """

    def leave_it_to_the_editor(*_: Any) -> None:
        """Ctrl-C belongs to the editor while it runs; a handler of our own is not inherited by it."""

    path, by_line = unsaved.lay_down(app, draft, text), line_editor.is_needed()
    before = signal.signal(signal.SIGINT, signal.default_int_handler if by_line else leave_it_to_the_editor)
    try:
        if by_line:
            line_editor.edit(path)
        else:
            click.edit(filename=str(path), editor=line_editor.program())
        written = unsaved.tidy(path.read_text(encoding="utf-8-sig"))
    except click.ClickException as error:
        raise Mistake(
            f"The editor did not run ({error.message}); set EDITOR, or use `escucha edit --text`.{_lies(app, draft)}"
        ) from error
    except UnicodeError as error:
        unsaved.forget(app, draft.id)
        raise Mistake("What the editor wrote is not UTF-8 text; nothing was changed.") from error
    except ValueError as error:  # quotes in EDITOR that do not close
        raise Mistake(f"EDITOR cannot be understood ({error}); set it to the name of an editor.") from error
    except OSError as error:
        raise Mistake(f"What the editor wrote cannot be read ({error.strerror}); nothing was changed.") from error
    finally:
        signal.signal(signal.SIGINT, before)
        if unsaved.words(app, draft) is None:
            unsaved.forget(app, draft.id)
    return None if written == unsaved.tidy(text) else written


def _lies(app: App, draft: Draft) -> str:
    path = unsaved.kept(app, draft)
    return f" What was written lies in {path}." if path else ""


def draft_called(app: App, typed: str) -> Draft:
    """The draft that was typed, of those that whoever acts may see.

    Raises Mistake or NotFound, saying which drafts a mention has where one was typed.
    """
    if typed.strip()[:1].upper() == "M" and typed.strip()[1:].isdigit():
        with app.store.read() as tx:
            mention = mentions.get(tx, int(typed.strip()[1:][:18]))
            cards.demand_sight(tx, mention, None)
            drafts = inbox.of_mention(tx, mention.id)
        names = ", ".join(f"D{draft.id} ({draft.state})" for draft in drafts[:5]) or "none"
        raise Mistake(f"{typed.strip()} is a mention; its drafts: {names}.")
    with app.store.read() as tx:
        draft = inbox.get(tx, cards.draft_number(typed))
        cards.demand_sight(tx, mentions.get(tx, draft.mention_id), draft)
        return draft
