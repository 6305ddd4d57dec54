"""What corrections and follow-ups of a notice need of settings and store, and how a follow-up is written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from listener.commands import drafting
from listener.commands import notice_screen as screen
from listener.commands.app import App
from listener.desk import amending, notice_pages
from listener.desk.amending import Correction, Followed
from listener.desk.notice_pages import Written
from listener.desk.notices import MAX_TITLE, Outlet, links
from listener.errors import AlreadyDone, Mistake
from listener.store import Transaction, amendments, notices
from listener.store.notices import Delivery, Notice
from listener.types import FollowUp, LinkState, NoticeKind, NoticeState

if TYPE_CHECKING:
    from listener.commands.publishing import Left

TITLES = {FollowUp.CORRECTION: "Correction", FollowUp.RESOLVED: "Resolved", FollowUp.NEWS: "News"}


def correction(
    app: App, found: Notice, texts: Sequence[str], variants: Sequence[str], accounts: Sequence[str]
) -> Correction:
    """What those texts come to wherever the notice is out. Raises Mistake with every problem at once."""
    there, written, outlets = _outlets(app, found, texts, variants, accounts)
    return amending.correct(found, there, written, outlets)


def stop_at_broken_links(app: App, plan: Correction) -> None:
    """Follows the links that were not in the old text. Raises Mistake where one leads nowhere."""
    texts = [(change.delivery.text, change.text) for change in plan.edits]
    texts += [(each.first.text, each.variant.text) for each in plan.followed]
    new = [url for before, after in texts for url in links(after) if url not in links(before)]
    own = {each.first.posted_url for each in plan.followed}
    urls = [url for url in dict.fromkeys(new) if url not in own]
    if not urls or not app.config.notices.check_links:
        return
    broken = [each for each in app.connectors.check_links(urls) if each.state is LinkState.BROKEN]
    if broken:
        told = "\n".join(f"{each.url}: {each.detail}." for each in broken)
        raise Mistake(f"{told}\nMend the link, or say --no-link-check.")


def follow_up(
    app: App,
    found: Notice,
    texts: Sequence[str],
    variants: Sequence[str],
    accounts: Sequence[str] = (),
    *,
    kind: FollowUp,
    title: str = "",
) -> tuple[Notice, list[Followed]]:
    """Writes a follow-up down to wherever the notice is out; "resolved" has words of its own in es and en.

    Raises Mistake with every problem at once, AlreadyDone where one says already that it is resolved.
    """
    there, written, outlets = _outlets(app, found, texts, variants, accounts)
    if kind is FollowUp.RESOLVED:
        with app.store.read() as tx:
            before = [each for each in notices.following(tx, found.id) if each.follows_as is kind]
        if said := [each for each in before if each.state is not NoticeState.WITHDRAWN]:
            raise AlreadyDone(f"N{said[0].id} says already that N{found.id} is resolved; it is {said[0].state}.")
        spoken = {each.language for each in there}
        usual = {("", code): text for code, text in amending.RESOLVED.items() if code in spoken}
        written = replace(written, texts=usual | dict(written.texts))
    followed = amending.follow(found, there, written, outlets)
    with app.store.write() as tx:
        made = draft(tx, found, followed, kind, title=title, by=app.actor, now=app.now())
    return made, followed


def resolved(app: App, incident_id: int, texts: Mapping[str, str]) -> tuple[list[Notice], list[str]]:
    """Writes down what says, below each notice of an incident that is out, that it is over; then why not below others.

    `texts` by language; for es and en there are usual words.
    """
    with app.store.read() as tx:
        every = notices.listing(tx)
    firsts = [each for each in every if each.incident_id == incident_id and each.follows_id is None]
    made: list[Notice] = []
    problems: list[str] = []
    for found in sorted(firsts, key=lambda each: each.id):
        with app.store.read() as tx:
            there = amending.out(found, amendments.of_notice(tx, found.id))
        if not there or found.kind is not NoticeKind.NOTICE:
            continue
        spoken = {each.language for each in there}
        said = [f"{language}={text}" for language, text in texts.items() if language in spoken]
        try:
            made.append(follow_up(app, found, said, (), kind=FollowUp.RESOLVED)[0])
        except (Mistake, AlreadyDone) as problem:
            problems.append(f"N{found.id}: {problem}")
    return made, problems


def draft(
    tx: Transaction,
    found: Notice,
    followed: Sequence[Followed],
    kind: FollowUp,
    *,
    title: str = "",
    by: str,
    now: datetime,
) -> Notice:
    """Writes the follow-up down; nothing goes out before somebody approves it."""
    return notices.draft(
        tx,
        title=(title.strip() or f"{TITLES[kind]}: {found.title}")[:MAX_TITLE],
        variants=[each.variant for each in followed],
        kind=found.kind,
        incident_id=found.incident_id,
        follows=(found.id, kind),
        by=by,
        now=now,
    )


def let_go(tx: Transaction, follows: Notice, *, by: str, now: datetime, two_people: bool = True) -> Notice:
    """Approves a follow-up, and says that it goes out now. Raises Mistake for its writer where `two_people`."""
    approved = notices.approve(tx, follows, by=by, now=now, two_people=two_people)
    return notices.publish(tx, approved, by=by, now=now)


def publish(app: App, follows: Notice, *, quiet: bool) -> dict[str, Left]:
    """Sends it to every account; gives why something is not out, by account."""
    from listener.commands.publishing import Publication

    watcher = screen.Watcher(follows, quiet=quiet)
    with watcher:
        return Publication(app, follows, settled=watcher.settled, waits=watcher.waits).run()


def prices(app: App, followed: Sequence[Followed]) -> Mapping[str, float]:
    """What the follow-ups cost, by account, where the network asks for money."""
    found: dict[str, float] = {}
    for each in followed:
        price = app.unasked(each.variant.account).facts.publish_price
        if price is not None:
            found[each.variant.account] = found.get(each.variant.account, 0.0) + price(each.variant.text, 0)
    return found


def _outlets(
    app: App, found: Notice, texts: Sequence[str], variants: Sequence[str], accounts: Sequence[str]
) -> tuple[list[Delivery], Written, list[Outlet]]:
    """What is out where it is asked for, the texts as they were given, and what the networks there allow."""
    with app.store.read() as tx:
        every = amending.out(found, amendments.of_notice(tx, found.id))
    if not accounts:
        there = amending.meant(every, None, found)
    else:
        there = [each for name in dict.fromkeys(accounts) for each in amending.meant(every, name, found)]
    written = notice_pages.from_options("", texts, variants, ())
    outlets, problems, _ = drafting.outlets(app, tuple(dict.fromkeys(each.account for each in there)))
    if problems:
        raise Mistake("\n".join(dict.fromkeys(problems)))
    return there, written, outlets
