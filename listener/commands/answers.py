"""`approve`, `edit`, `reject`, `settle`, `retry`: one draft, or several, by name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from listener.commands import attaching, caps, deciding, from_article, money, unsaved
from listener.commands import unknown as unknown_sends
from listener.commands.app import App, pass_app
from listener.commands.output import SomeFailed, block, clip, complain, say
from listener.errors import AlreadyDone, Mistake, Stale
from listener.store import daemons, inbox, mentions, switch
from listener.store.inbox import Draft
from listener.types import DraftState

several = click.argument("drafts", nargs=-1, required=True, metavar="D7 [D8 …]")


@click.command()
@several
@click.option("--yes", is_flag=True, help="Do not ask about a draft that you never saw; for scripts.")
@pass_app
def approve(app: App, drafts: tuple[str, ...], yes: bool) -> None:
    """Let drafts be sent, as you last saw them.

    What you never saw is shown first. What changed since you saw it is refused and shown again.
    """

    def one(draft: Draft) -> None:
        _approve(app, draft, yes=yes)
        say(f"D{draft.id} is approved{_held(app, draft)}.")

    _each(app, drafts, one)


@click.command()
@click.argument("draft", metavar="D7")
@click.option("--text", help="The new words; - reads them from standard input. Without it, $EDITOR opens.")
@click.option(
    "--image", "files", multiple=True, type=click.Path(path_type=Path), metavar="FILE", help="A picture to go with it."
)
@click.option(
    "--alt", "alts", multiple=True, metavar="TEXT", help="What the picture shows, for those who cannot see it."
)
@click.option("--no-image", is_flag=True, help="Take its pictures away.")
@click.option("--from-article", "article", metavar="K12", help="Say what this article answers; see `escucha kb`.")
@click.option("--language", metavar="CODE", help="Of the article's answer; the draft's own otherwise.")
@pass_app
def edit(
    app: App,
    draft: str,
    *,
    text: str | None,
    files: tuple[Path, ...],
    alts: tuple[str, ...],
    no_image: bool,
    article: str | None,
    language: str | None,
) -> None:
    """Change what a draft says, or the pictures that go with it. It must be approved afterwards.

    --image may be repeated, each with its --alt; what it had before is replaced. Where and when a picture was taken,
    and with what, is taken out of it.
    """
    current = deciding.draft_called(app, draft)
    if current.state not in (DraftState.PROPOSED, DraftState.APPROVED):
        raise AlreadyDone(f"{deciding.who_changed(current)}; only what has not gone out can be edited.")
    if article is not None:
        if text is not None or files or alts or no_image:
            raise Mistake("--from-article brings its own words; give it without --text and pictures.")
        fresh = _from_article(app, current, article, language or "")
    elif language is not None:
        raise Mistake("--language says in which language an article answers; name it with --from-article K12.")
    elif files or alts or no_image:
        fresh = _with_pictures(app, current, text=text, files=files, alts=alts, no_image=no_image)
    elif text is not None:
        fresh = _reword(app, current, _words(text))
    else:
        if not sys.stdin.isatty():
            raise Mistake(f"An editor needs a terminal; without one, write `escucha edit D{current.id} --text '…'`.")
        edited = _edit_until_it_may_be_sent(app, current)
        if edited is None:
            say(f"D{current.id} stays as it was.")
            return
        fresh = edited
    deciding.put_up(app, fresh)
    say(f"\nD{fresh.id} is edited. To send it: escucha approve D{fresh.id}")


def _edit_until_it_may_be_sent(app: App, draft: Draft) -> Draft | None:
    unsaved.sweep(app)
    words = unsaved.words(app, draft) or draft.text
    while True:
        written = deciding.write_in_editor(app, draft, words)
        if written is None and words == draft.text:
            return None
        words = written or words
        if words == draft.text:
            unsaved.forget(app, draft.id)
            return None
        try:
            fresh = deciding.reword(app, draft, words)
        except (Stale, AlreadyDone):
            _give_back(app, draft, words)
            raise
        except Mistake as error:
            complain(str(error))
            if not _confirm("Edit again?", default=True):
                _give_back(app, draft, words)
                return None
            continue
        unsaved.forget(app, draft.id)
        return fresh


def _words(text: str) -> str:
    return sys.stdin.read() if text == "-" else text


def _with_pictures(
    app: App, draft: Draft, *, text: str | None, files: Sequence[Path], alts: Sequence[str], no_image: bool
) -> Draft:
    if files and no_image:
        raise Mistake("Give --image or --no-image, not both; --image takes the place of what was there.")
    if not files and not no_image:
        raise Mistake("--alt describes a picture; name its file with --image FILE.")
    if no_image and alts:
        raise Mistake("--alt describes a picture, and --no-image takes it away; give one of them.")
    if no_image and not draft.images and text is None:
        raise Mistake(f"D{draft.id} has no picture.")
    with app.store.read() as tx:
        mention = mentions.get(tx, draft.mention_id)
    images = attaching.for_draft(app, draft, mention, files=files, alts=alts) if files else []
    return deciding.reword(app, draft, draft.text if text is None else _words(text), images=images)


def _reword(app: App, draft: Draft, words: str) -> Draft:
    if unsaved.tidy(words) == draft.text:
        raise Mistake(f"D{draft.id} says exactly that already.")
    return deciding.reword(app, draft, words)


def _from_article(app: App, draft: Draft, article: str, language: str) -> Draft:
    with app.store.read() as tx:
        visibility = draft.seen_by(mentions.get(tx, draft.mention_id).visibility)
    chosen = from_article.source(app, draft, article, visibility=visibility, language=language)
    return from_article.use(app, draft, chosen)


def _give_back(app: App, draft: Draft, words: str) -> None:
    """So that nobody's work is lost."""
    say("What you wrote:")
    block(words)
    if path := dict(unsaved.sweep(app)).get(draft.id):
        say(f"It is kept in {path}")


@click.command()
@several
@click.option("--reason", required=True, help="Why, in a few words; it is kept.")
@pass_app
def reject(app: App, drafts: tuple[str, ...], reason: str) -> None:
    """Decide that drafts are not sent; also stops what is approved and has not gone out."""
    if not reason.strip():
        raise Mistake("Say in a few words why, such as --reason 'wrong facts'.")

    def one(draft: Draft) -> None:
        with app.store.write() as tx:
            inbox.reject(tx, draft, by=app.actor, reason=tidy_reason(reason), now=app.now())
        say(f"D{draft.id} is rejected.")

    _each(app, drafts, one)


@click.command()
@click.argument("draft", metavar="D7")
@click.option("--sent/--not-sent", "was_sent", default=None, help="Whether the reply is there.")
@pass_app
def settle(app: App, draft: str, was_sent: bool | None) -> None:
    """Say whether a reply of unknown outcome is on the network, after looking there."""
    unknown = deciding.draft_called(app, draft)
    if unknown.state is not DraftState.UNKNOWN:
        raise AlreadyDone(f"D{unknown.id} is {unknown.state}, not of unknown outcome; there is nothing to settle.")
    if was_sent is None:
        with app.store.read() as tx:
            mention = mentions.get(tx, unknown.mention_id)
            found = unknown_sends.last_in_words(unknown_sends.of_draft(tx, unknown))
        where = f" at {mention.url}" if mention.url else f" on {mention.network}, under M{mention.id}"
        said = f" (Escucha looked {found})" if found else ""
        raise Mistake(f"Look{where} whether our reply is there{said}; then add --sent or --not-sent.")
    with app.store.write() as tx:
        inbox.settle_by_hand(tx, unknown, was_sent=was_sent, by=app.actor, now=app.now())
    if was_sent:
        say(f"D{unknown.id} counts as sent.")
    else:
        say(f"D{unknown.id} counts as not sent. To propose it again: escucha retry D{unknown.id}")


@click.command()
@several
@pass_app
def retry(app: App, drafts: tuple[str, ...]) -> None:
    """Propose again what the network refused; it must be approved again."""

    def one(draft: Draft) -> None:
        if draft.state is not DraftState.FAILED:
            raise AlreadyDone(f"{deciding.who_changed(draft)}; only what failed can be tried again.")
        with app.store.write() as tx:
            inbox.retry(tx, draft, by=app.actor, now=app.now())
        say(f"D{draft.id} is proposed again. To send it: escucha approve D{draft.id}")

    _each(app, drafts, one)


def tidy_reason(reason: str) -> str:
    """A reason in one line that every database takes and every screen can show."""
    return clip(reason[:2000], 200)


def _each(app: App, typed: Sequence[str], do: Callable[[Draft], None]) -> None:
    """Does it to each. One that cannot be done alone is a mistake; among several, each is named and the rest go on."""
    names = list(dict.fromkeys(name.strip().upper() for name in typed))
    if len(names) == 1:
        do(deciding.draft_called(app, names[0]))
        return
    failed = []
    for name in names:
        try:
            do(deciding.draft_called(app, name))
        except Mistake as error:
            complain(str(error))
            failed.append(clip(name, 20))
    if failed:
        raise SomeFailed(f"{len(failed)} of {len(names)} not done: {', '.join(failed)}.")


def _approve(app: App, draft: Draft, *, yes: bool) -> None:
    if draft.state is not DraftState.PROPOSED:
        raise AlreadyDone(f"{deciding.who_changed(draft)}.")
    view = deciding.last_seen(app, draft)
    if view is None:
        brought = deciding.bring(app, draft.id)
        deciding.put_up(app, brought.draft)
        if not yes and not _confirm(f"Approve D{draft.id}?"):
            raise Mistake(f"D{draft.id} was not approved.")
        deciding.approve(app, brought.draft)
        return
    if (view.edit, view.policy_version, view.text) != (draft.edit, draft.policy_version, draft.text):
        deciding.put_up(app, draft, changed_from=view.text)
        if view.text == draft.text:
            raise Stale(
                f"D{draft.id} was decided and put back, or its pictures were changed, since you saw it; approve it "
                "again if it still stands."
            )
        raise Stale(f"{deciding.who_changed(draft)} since you saw it, as marked above; approve it again to send it so.")
    _mind_the_limits(app, draft, yes=yes)
    _mind_the_article(app, draft, yes=yes)
    try:
        deciding.approve(app, draft)
    except Stale as stale:
        brought = deciding.bring(app, draft.id)
        if brought.old_policy is None or brought.draft.state is not DraftState.PROPOSED:
            raise
        deciding.put_up(app, brought.draft)
        raise Stale(
            f"The policy changed since D{draft.id} was written: {brought.old_policy} wrote it, "
            f"{brought.draft.policy_version} rules now. Approve it again to send these words all the same."
        ) from stale


def _mind_the_limits(app: App, draft: Draft, *, yes: bool) -> None:
    """Says what was said to this person meanwhile, where that reaches the policy's limits, and asks."""
    with app.store.read() as tx:
        already = caps.already(tx, mentions.get(tx, draft.mention_id), caps.of(app), now=app.now())
    if not already.over:
        return
    complain(f"D{draft.id}: {already.sentence}.")
    if not yes and not _confirm(f"Approve D{draft.id} all the same?"):
        raise Mistake(f"D{draft.id} was not approved.")


def _mind_the_article(app: App, draft: Draft, *, yes: bool) -> None:
    """Says that the article which the words were taken from is no longer what it was, and asks."""
    made = from_article.of(app, draft)
    if made is None or not made.outdated:
        return
    complain(f"D{draft.id} was made from an article: {made.outdated}.")
    if not yes and not _confirm(f"Approve D{draft.id} all the same?"):
        raise Mistake(f"D{draft.id} was not approved.")


def _held(app: App, draft: Draft) -> str:
    """Why it does not go out within seconds; empty where it does."""
    with app.store.read() as tx:
        if switch.is_paused(tx, draft.network, *draft.kinds):
            return "; sending is paused, so it waits"
        if broke := money.why_broke(app, draft.account):
            return f"; it waits: {broke}"
        return "" if daemons.sends(tx, app.now()) else "; it goes out when `escucha run` runs"


def _confirm(question: str, *, default: bool = False) -> bool:
    """Whether the person says yes; nobody there, or Ctrl-C, is a no."""
    try:
        return click.confirm(question, default=default)
    except click.Abort:
        click.echo()
        return False
