"""How what is done to a notice that is out is shown: before it is done, as it is done, and afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from listener.commands import notice_screen, output
from listener.escapes import visible
from listener.types import AmendmentKind, AmendmentState, FollowUp

if TYPE_CHECKING:
    from listener.commands.app import App
    from listener.commands.publishing import Left
    from listener.desk.amending import Correction, Followed, Standing
    from listener.store.amendments import Amendment
    from listener.store.notices import Delivery, Notice

DONE = {
    AmendmentKind.EDIT: "corrected",
    AmendmentKind.DELETE: "deleted",
    AmendmentKind.PIN: "pinned",
    AmendmentKind.UNPIN: "no longer pinned",
}
SHALL_BE = DONE | {AmendmentKind.UNPIN: "unpinned"}
FOLLOWS = {
    FollowUp.CORRECTION: "corrects it",
    FollowUp.RESOLVED: "says that it is resolved",
    FollowUp.NEWS: "follows it",
}
_HIDDEN = ("id", "delivery_id", "notice_id", "posted_id", "looked_at", "unknown_since")


def where(amendment: Amendment) -> str:
    """`care (mastodon, es, part 2)`."""
    part = f", part {amendment.part}" if amendment.part > 1 else ""
    return f"{amendment.account} ({amendment.network}, {amendment.language}{part})"


def lost(delivery: Delivery) -> str:
    """Why nothing can be done to a message that a person says is there, without an end."""
    return f"{notice_screen.where(delivery)}: nobody knows its address there; do it there by hand"


def as_json(amendment: Amendment, left: Mapping[str, Left] | None = None) -> dict[str, Any]:
    """A change for programs; docs/notices.md lists the keys."""
    found = {name: getattr(amendment, name) for name in amendment.__dataclass_fields__ if name not in _HIDDEN}
    waits = left is not None and amendment.account in left and amendment.state is not AmendmentState.DONE
    return found | ({"again_at": left[amendment.account].again_at} if left and waits else {})


def show_correction(correction: Correction, prices: Mapping[str, float]) -> None:
    """Place by place what stands there, what will, and how; then what it costs."""
    for change in correction.edits:
        counted = f"{change.length} of {change.delivery.length_limit}"
        output.heading(f"{notice_screen.where(change.delivery)} · changed there · {counted}")
        output.fields([("before", change.delivery.text), ("after", change.text)])
    show_followed(correction.followed)
    for each in correction.same:
        output.say(f"{notice_screen.where(each)} says that already.")
    if total := sum(prices.values()):
        output.say(f"It costs about {total:.2f} USD ({', '.join(sorted(prices))}).")


def show_followed(followed: Iterable[Followed]) -> None:
    """What goes out below what is out, or with its address."""
    for each in followed:
        variant = each.variant
        part = f", part {variant.part}" if variant.part > 1 else ""
        counted = f"{variant.length} of {variant.limit}"
        how = "goes below it" if variant.below_id or variant.part > 1 else "goes out with its address"
        output.heading(f"{variant.account} ({variant.network}, {variant.language}{part}) · {how} · {counted}")
        output.fields([("why", each.why), ("before", each.first.text), ("follows", variant.text)])


def show_amendments(waiting: Iterable[Amendment]) -> None:
    """What was proposed, as it stands there and as it will."""
    for each in waiting:
        output.heading(f"{where(each)} · changed there")
        output.fields([("before", each.before), ("after", each.text)])


def ended(amendment: Amendment) -> None:
    """One line for a change that ended."""
    if amendment.state is AmendmentState.DONE:
        output.say(visible(f"✓ {where(amendment)}: {DONE[amendment.kind]}"))
    else:
        output.say(visible(f"! {where(amendment)}: {amendment.reason}"))


def waits(account: str, pause: timedelta, reason: str) -> None:
    """One line for a wait."""
    output.say(visible(f"… {account}: {reason}; trying again in {max(1, round(pause.total_seconds()))} s"))


def do(app: App, notice_id: int, *, quiet: bool) -> tuple[list[Amendment], dict[str, Left]]:
    """Does whatever of the notice's changes is to be done; gives all of them, and why something is left, by account."""
    from listener.commands.amending import Amending
    from listener.commands.notice_publish import log_only_warnings
    from listener.store import amendments

    log_only_warnings(app)
    told = (lambda *_: None) if quiet else None
    left = Amending(app, notice_id, ended=told or ended, waits=told or waits).run()
    with app.store.read() as tx:
        return amendments.of_notice(tx, notice_id), left


def undone(found: Iterable[Amendment], left: Mapping[str, Left], *, quiet: bool) -> int:
    """How many are not done, each told with its reason."""
    states = (AmendmentState.WAITING, AmendmentState.SENDING, AmendmentState.UNKNOWN, AmendmentState.FAILED)
    missing = [each for each in found if each.state in states]
    for each in missing if not quiet else ():
        if each.state is AmendmentState.FAILED:
            continue  # told when it ended
        held = left.get(each.account)
        reason = held.reason if held else each.reason or "its turn has not come"
        when = f"; worth trying again at {held.again_at:%H:%M:%S} UTC" if held and held.again_at else ""
        output.say(visible(f"✗ {where(each)}: not {DONE[each.kind]} yet: {reason}{when}"))
    return len(missing)


# --- in `notice status` ----------------------------------------------------------------------------------------------


def keys(notice: Notice, found: Sequence[Amendment], following: Sequence[Notice]) -> dict[str, Any]:
    """What `notice status --json` says besides."""
    return {
        "amendments": [as_json(each) for each in found],
        "followed_by": [f"N{each.id}" for each in following if each.follows_id == notice.id],
    }


def deleted(found: Iterable[Amendment]) -> set[int]:
    """The deliveries that we have taken back."""
    done = (AmendmentKind.DELETE, AmendmentState.DONE)
    return {each.delivery_id for each in found if (each.kind, each.state) == done}


def show_after(notice: Notice, found: Sequence[Amendment], following: Sequence[Notice]) -> None:
    """What was done to the notice after it went out, and what follows it; nothing where nothing was."""
    from listener.desk import amending

    stands = amending.standing(found)
    rows: list[list[Any]] = []
    for delivery in notice.deliveries:
        rows += _rows(delivery, stands.get(delivery.id, amending.Standing()))
    if rows:
        output.say()
        output.table(
            ["account", "language", "since it went out", "when", "why"],
            rows,
            empty="",
            wide="why",
        )
    for (tongue, until, text), accounts in _said(notice, stands).items():
        output.say(f"Until {until}, {', '.join(accounts)} ({tongue}) said:")
        output.block(visible(text, lines=True))
    for each in following:
        output.say(
            f"N{each.id} {FOLLOWS[each.follows_as or FollowUp.NEWS]}: {each.state}, {notice_screen.out(each)} out."
        )
    proposed = sorted({each.written_by for each in found if each.state is AmendmentState.PROPOSED})
    if proposed:
        go = f"`escucha notice correct N{notice.id} --approve`"
        output.say(f"A correction by {', '.join(proposed)} waits for somebody else: {go}.")


def _rows(delivery: Delivery, stands: Standing) -> list[list[Any]]:
    place = [delivery.account, notice_screen.tongue(delivery)]
    rows: list[list[Any]] = [[*place, "corrected", _at(each.done_at), ""] for each in stands.versions]
    for done, word in ((stands.pinned, "pinned"), (stands.deleted, "deleted")):
        if done:
            rows.append([*place, word, _at(done.done_at), ""])
    for each in stands.waiting:
        rows.append([*place, f"to be {SHALL_BE[each.kind]}: {each.state}", _at(each.written_at), each.reason or ""])
    for each in stands.failed:
        rows.append([*place, f"not {DONE[each.kind]}", _at(each.written_at), each.reason or ""])
    return rows


def _said(notice: Notice, stands: Mapping[int, Standing]) -> dict[tuple[str, str, str], list[str]]:
    """Which accounts said what until when, in which language or part of it."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for delivery in notice.deliveries:
        for each in stands[delivery.id].versions if delivery.id in stands else ():
            key = (notice_screen.tongue(delivery), _at(each.done_at), each.before)
            found.setdefault(key, []).append(delivery.account)
    return found


def _at(moment: datetime | None) -> str:
    """By the clock, for whoever asks what stood there at five past ten."""
    return f"{moment:%d %b, %H:%M} UTC" if moment else ""
