"""How a notice is shown: as it will look, as it goes out, and to programs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any

from listener.commands import attaching, notice_check, output
from listener.commands.app import App
from listener.commands.notice_found import notice_rules
from listener.escapes import visible
from listener.types import DeliveryState, NoticeKind, NoticeState

if TYPE_CHECKING:
    from rich.progress import Progress

    from listener.commands.publishing import Left
    from listener.store.notices import Delivery, Notice

CHEER = "cheer: held back while an incident says so"

_HIDDEN = ("id", "notice_id", "send_key", "below_id", "scheduled")


def as_json(notice: Notice, left: Mapping[str, Left] | None = None) -> dict[str, Any]:
    """The notice for programs; docs/notices.md lists the keys."""
    found: dict[str, Any] = {"notice": f"N{notice.id}"}
    elsewhere = ("id", "images", "deliveries", "links", "incident_id", "follows_id", "digest")
    found |= {name: getattr(notice, name) for name in notice.__dataclass_fields__ if name not in elsewhere}
    found["incident"] = f"I{notice.incident_id}" if notice.incident_id else None
    found["follows"] = f"N{notice.follows_id}" if notice.follows_id else None
    found["images"] = [attaching.image_keys(image) for image in notice.images]
    found["links"] = [
        {"url": each.url, "state": each.state, "detail": each.detail, "checked_at": each.checked_at}
        for each in notice.links
    ]
    found["deliveries"] = [
        {name: getattr(each, name) for name in each.__dataclass_fields__ if name not in _HIDDEN}
        | ({"again_at": _again_at(each, left)} if left is not None else {})
        for each in notice.deliveries
    ]
    return found


def _again_at(delivery: Delivery, left: Mapping[str, Left]) -> Any:
    waits = delivery.state is not DeliveryState.SENT and delivery.account in left
    return left[delivery.account].again_at if waits else None


def messages(notice: Notice) -> str:
    """`4 messages on 2 accounts`."""
    accounts = len({each.account for each in notice.deliveries})
    many = len(notice.deliveries)
    return f"{many} message{'s' * (many != 1)} on {accounts} account{'s' * (accounts != 1)}"


def out(notice: Notice) -> str:
    """`2/3`: how many are on their networks."""
    return f"{sum(each.state is DeliveryState.SENT for each in notice.deliveries)}/{len(notice.deliveries)}"


def tongue(delivery: Delivery) -> str:
    """`es`, or `es, part 2 of 3`."""
    part = f", part {delivery.part} of {delivery.parts}" if delivery.parts > 1 else ""
    return f"{delivery.language}{part}"


def where(delivery: Delivery) -> str:
    """`care (mastodon, es)`, or `care (mastodon, es, part 2 of 3)`."""
    return f"{delivery.account} ({delivery.network}, {tongue(delivery)})"


def place(delivery: Delivery) -> str:
    """Where it is, or why it is nowhere."""
    waits = delivery.state is DeliveryState.WAITING
    return delivery.posted_url or (_behind(delivery) if waits else "") or delivery.reason or ""


def _behind(delivery: Delivery) -> str:
    """What a part of a thread waits for; empty where nothing stands before it."""
    if delivery.behind is None:
        return ""
    before = {DeliveryState.FAILED: ", which was refused", DeliveryState.UNKNOWN: ", of which nobody knows"}
    return f"waits for part {delivery.part - 1}{before.get(delivery.behind, '')}"


def why(delivery: Delivery, left: Mapping[str, Left]) -> str:
    """Why it is not out, and what comes next."""
    number = f"N{delivery.notice_id}"
    if delivery.state is DeliveryState.FAILED:
        return f"refused: {delivery.reason}; once that is mended, `escucha notice retry {number}`"
    if delivery.state is DeliveryState.WAITING and delivery.behind:
        return _behind(delivery)
    held = left.get(delivery.account)
    reason = held.reason if held else delivery.reason or "its turn has not come"
    when = f"; worth trying again at {held.again_at:%H:%M:%S} UTC" if held and held.again_at else ""
    if delivery.state is DeliveryState.UNKNOWN:
        look = f"`escucha notice settle {number} {delivery.account}/{delivery.language} --there` or `--not-there`"
        return f"nobody knows whether it is out{when}; or look there yourself, then {look}"
    return f"waits: {reason}{when}"


def show(app: App, notice: Notice) -> None:
    """One panel for each message, just as it will be posted, with length, links and pictures; then what is of all."""
    from rich.panel import Panel
    from rich.text import Text

    from listener.desk import clearance
    from listener.desk import notices as desk

    prices = notice_check.prices(app, notice)
    output.heading(f"N{notice.id} {notice.title}")
    for each in notice.deliveries:
        text = Text(visible(each.text, lines=True), overflow="fold")
        text.highlight_regex(r"https?://\S+|(?<!\w)[#@]\w+", "cyan")
        usd = clearance.cost(each, notice, prices)
        counted = f"{each.length} of {each.length_limit}" + (f" · {clearance.dollars(usd)}" if usd else "")
        title = Text(f"{where(each)} · {counted}")
        output.show(Panel(text, title=title, title_align="left", padding=(0, 1)))
        images = "\n".join(attaching.line(image, each.language) for image in notice.images if each.images)
        named = desk.named(each.text)
        output.fields(
            [("picture", images), ("links", notice_check.links(notice, desk.links(each.text))), ("names", named)]
        )
    output.say()
    output.fields(summary(app, notice))


def summary(app: App, notice: Notice) -> list[tuple[str, str]]:
    """What is true of the whole notice: whom it reaches, what it is about, when it goes out, what it costs."""
    from listener.desk import clearance

    costs = clearance.costs(notice, notice_check.prices(app, notice))
    places = dict.fromkeys(f"{each.account} ({each.network})" for each in notice.deliveries)
    languages = dict.fromkeys(each.language for each in notice.deliveries)
    return [
        ("reaches", f"everybody who reads {', '.join(places)}, in {', '.join(languages)}"),
        ("kind", CHEER if notice.kind is NoticeKind.CHEER else ""),
        ("incident", f"I{notice.incident_id}" if notice.incident_id else ""),
        ("follows", f"N{notice.follows_id}: each message below it, or with its address" if notice.follows_id else ""),
        ("goes out", goes_out(app, notice)),
        ("costs", notice_check.cost_lines(costs, notice_check.money(app, costs))),
    ]


def goes_out(app: App, notice: Notice) -> str:
    """When it goes out by itself and how that stands; empty where it has no time."""
    from listener.desk.scheduling import Standing, standing

    if notice.due_at is None:
        return ""
    now = app.now()
    said = f"{when(notice, notice_rules(app).time_zone)}, {output.ago(notice.due_at, now)}"
    number = f"N{notice.id}"
    match standing(notice, now):
        case Standing.STALE:
            next_step = f"`escucha notice publish {number}`, `schedule` or `withdraw`"
            if notice.state is NoticeState.DRAFT:
                return f"{said}\nNobody approved it in time: `escucha notice schedule {number}` gives it another."
            return f"{said}\nIts time went by{_held(notice)}: {next_step} says what becomes of it."
        case Standing.DUE if notice.held:
            return f"{said}\nIt is due and held{_held(notice)}."
        case Standing.DUE if notice.state is NoticeState.DRAFT:
            return f"{said}\nIt is due, and goes out as soon as somebody approves it."
    return said


def when(notice: Notice, policys_zone: str) -> str:
    """The day and time, as they were said, by the policy's clocks and by UTC's."""
    from zoneinfo import ZoneInfo

    from listener.desk import scheduling

    if notice.due_at is None:
        return ""
    mine = scheduling.zone(notice.time_zone or policys_zone)
    return scheduling.everywhere(notice.due_at, mine, ZoneInfo(policys_zone))


def _held(notice: Notice) -> str:
    return f" ({notice.held})" if notice.held else ""


def say_next(notice: Notice) -> None:
    """What can be done with it now."""
    number = f"N{notice.id}"
    match notice.state:
        case NoticeState.DRAFT:
            output.say(f"A draft by {notice.written_by}. Somebody else: `escucha notice approve {number}`.")
        case NoticeState.APPROVED if notice.due_at:
            output.say(f"Approved by {notice.approved_by}. Send it sooner: `escucha notice publish {number}`.")
        case NoticeState.APPROVED:
            output.say(f"Approved by {notice.approved_by}. Send it: `escucha notice publish {number}`.")
        case NoticeState.PUBLISHING:
            refused = sum(each.state is DeliveryState.FAILED for each in notice.deliveries)
            again = f"; {refused} refused, `escucha notice retry {number}` puts those in line again" if refused else ""
            output.say(f"Going out, {out(notice)} so far{again}. Go on: `escucha notice publish {number}`.")


class Watcher:
    """A line for each message that ended and each wait, over a bar where there is a terminal; silent for programs."""

    def __init__(self, notice: Notice, *, quiet: bool) -> None:
        self._quiet = quiet
        self._progress: Progress | None = None
        self._total = len(notice.deliveries)
        self._done = sum(each.state is DeliveryState.SENT for each in notice.deliveries)
        self._number = f"N{notice.id}"

    def __enter__(self) -> Watcher:
        console = output.console()
        if self._done and not self._quiet:
            output.say(f"{self._done} of {self._total} are out already.")
        if console.is_terminal and not self._quiet and self._done < self._total:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
            self._progress = Progress(*columns, console=console, transient=True)
            self._progress.add_task(self._number, total=self._total, completed=self._done)
            self._progress.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._progress:
            self._progress.stop()

    def settled(self, delivery: Delivery) -> None:
        """One message ended well or badly."""
        if delivery.state is DeliveryState.SENT:
            self._say(f"✓ {where(delivery)}: {delivery.posted_url or 'out'}")
            if self._progress:
                self._progress.advance(self._progress.task_ids[0])
        else:
            self._say(f"! {where(delivery)}: {delivery.reason}")

    def waits(self, account: str, pause: timedelta, reason: str) -> None:
        """One account rests for a moment."""
        self._say(f"… {account}: {reason}; trying again in {max(1, round(pause.total_seconds()))} s")

    def _say(self, line: str) -> None:
        if self._quiet:
            return
        if self._progress:
            from rich.text import Text

            self._progress.console.print(Text(visible(line)))
        else:
            output.say(visible(line))
