"""The stages in order. Decides nothing itself.

    sources due | poll | ingest | understand | decide | (moderator) | act

Stages talk through rows, never through each other: each can stop, crash or lag behind without the others noticing.
The daemon, the command line and the tests call these same functions.
"""

from __future__ import annotations

import os
import random
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import structlog

from listener import budget, inhand, metrics
from listener.budget import Allowance, Use
from listener.contract import Classifier, Connector, Policy
from listener.desk import incident_meaning, ruling, suggestions
from listener.desk.clearance import Price
from listener.desk.crm_systems import System
from listener.desk.purse import Purse
from listener.desk.retaining import retain
from listener.errors import Crossed, EscuchaError, Mistake, NetworkError, Outage
from listener.flow.act import act
from listener.flow.alert import Target, Told, alert, strand
from listener.flow.assign import assign
from listener.flow.connections import Connections
from listener.flow.decide import Company, decide
from listener.flow.deliver import Delivered, deliver
from listener.flow.follow import follow
from listener.flow.hearing import Hearing
from listener.flow.incidents import Gathered, gather
from listener.flow.ingest import Ingested, failed, ingest, overhear
from listener.flow.outcomes import Acted
from listener.flow.poll import Polled, poll
from listener.flow.pressure import Pressure, only_finds
from listener.flow.pull import Pulled, pull
from listener.flow.reading import Reader
from listener.flow.receive import Reply, receive, refused
from listener.flow.recheck import batches, forget, recheck
from listener.flow.release import Means, release
from listener.flow.spot import Lookout, Spotted
from listener.flow.suspecting import Stage, look_alone, look_for_the_dead, one_by_one, storable
from listener.flow.watch import watch
from listener.store import (
    Store,
    Transaction,
    crm_in,
    crm_out,
    outbox,
    policies,
    rests,
    sources,
)
from listener.store.assigned import Place
from listener.store.mentions import Saved
from listener.store.notices import Notice
from listener.store.sources import Source, Wanted
from listener.types import Facts, LinkCheck, Page

if TYPE_CHECKING:
    from listener.desk.shelving import Embed

log = structlog.get_logger(__name__)

Result = TypeVar("Result")

TRIES = 5  # of what two processes stood in each other's way in
BATCH = 250  # mentions understood or decided in one transaction; no more than `inhand.MOST`
POLLERS = 8  # sources waited for at once; each of one account after the other
PUNCTUAL = timedelta(seconds=1)  # for so little, money keeps no poll waiting
TURN = 0.02  # seconds between two batches of second looks, in which a poll that waits gets its turn
LOOKS_TOLD = 3  # looks in a row that failed, after which it is said; where everything fails, polls have said it before
LOOKS_REST = timedelta(minutes=1)  # doubled for the first rest of looks that failed, and again for each further one
RECHECK_SPELL = 20.0  # seconds for which one round looks up what is due, batch after batch
REST = timedelta(
    seconds=15
)  # doubled for the first rest of an account that cannot send, and again for each further one


def utc_now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


def again(work: Callable[[], Result]) -> Result:
    """What `work` gives, done once more where another process stood in its way, `TRIES` times in all.

    Work that is done whole or not at all only. Raises Crossed where each time somebody did.
    """
    for left in reversed(range(TRIES)):
        try:
            return work()
        except Crossed:
            if not left:
                raise
            time.sleep(random.uniform(0, 0.2))  # noqa: S311  so that the two do not meet again
    raise AssertionError("no try was made")


@dataclass(frozen=True, kw_only=True)
class Round:
    """What one round brought, page by page, and how many replies and notices it sent."""

    heard: tuple[Ingested, ...]
    sent: int


class Pipeline:
    """The stages joined to one store, one policy, one model and the accounts of the settings file.

    `connect(account)` opens a connection; listening and speaking get one each, so that a slow poll delays no reply.
    `renew(account)` has its secrets read again, before it is connected anew because a person resumed a source of it.
    `network_facts(network)` gives what is true of a network before anything is connected. `allowances` says, by
    account, what may be spent; an account that is not in it may spend what it takes.

    `policy` rules where none ever did, and is None where the one that rules cannot be read. `read_policy(text, name)`
    reads another one that was made to rule meanwhile; without it, mentions are left to whoever holds that one.

    `classifier()` gives the model, loaded anew after `forget_classifier()`. `embed()` gives the model's vectors of
    texts, for what is of an incident by its meaning; None: rules alone say so.

    `targets` are those of our own people whom alerts reach, by name; `systems` the CRMs. `assigns`: whether agents are
    given cases. `check_links` follows the links of notices; None: nobody does.
    """

    def __init__(
        self,
        store: Store,
        *,
        accounts: Mapping[str, str],
        connect: Callable[[str], Connector],
        network_facts: Callable[[str], Facts],
        classifier: Callable[[], Classifier],
        policy: Policy | None,
        company: Company,
        clock: Callable[[], datetime] = utc_now,
        allowances: Mapping[str, Allowance] | None = None,
        read_policy: Callable[[str, str], Policy] | None = None,
        renew: Callable[[str], None] = lambda _account: None,
        targets: Mapping[str, Target] | None = None,
        assigns: bool = True,
        systems: Mapping[str, System] | None = None,
        periods: Mapping[str, timedelta | None] | None = None,
        check_links: Callable[[Sequence[str]], Sequence[LinkCheck]] | None = None,
        embed: Callable[[], Embed | None] = lambda: None,
        forget_classifier: Callable[[], None] = lambda: None,
    ) -> None:
        self.store = store
        self.reader = Reader(store, classifier, clock=clock, forget=forget_classifier)
        self.targets = dict(targets or {})
        self.systems = dict(systems or {})
        self._periods = dict(periods or {})
        self._means = Means(check_links=check_links, prices=self._prices, left=self._left)
        self._embed = lambda: None if self.reader.trouble else embed()
        self.accounts = accounts  # our account's name -> its network
        self.policy = policy
        self.policy_trouble = ""  # why nothing is decided
        self._read_policy = read_policy
        self._refused: str | None = None  # the version that rules and cannot be read here
        self.clock = clock
        self._renew = renew
        self._network_facts = network_facts
        self._company = company
        self._assigns = assigns
        self._assigned_up_to: Place | None = None
        self._lookout = Lookout(store, is_ours=company.is_ours, pattern=company.case_pattern)
        self._locks = {account: threading.Lock() for account in accounts}
        self.purses = {
            account: Purse(store, account, (allowances or {}).get(account, Allowance()), clock) for account in accounts
        }
        self._pressure = Pressure(store, clock)
        self._hold: dict[str, datetime] = {}
        self._failures: dict[str, int] = {}
        self._hold_looks: dict[str, datetime] = {}
        self._failed_looks: dict[str, int] = {}
        self._stop = threading.Event()
        self._paused: set[tuple[str, str]] = set()  # (source, account) when we last looked
        self._looking = threading.Lock()
        self.connections = Connections(store, connect=connect, network_facts=network_facts)
        self._hearing = Hearing(
            store,
            connections=self.connections,
            purses=self.purses,
            keep=self._overhear,
            clock=clock,
            stopping=self.stopping,
        )

    def start(self, wanted: Sequence[Wanted] | None, *, by: str) -> None:
        """Writes down which sources are wanted; makes our policy rule where none ever did. None: others listen."""
        with self.store.write() as tx:
            if self.policy is not None and ruling.begin(tx, self.policy, by=by, now=self.clock()):
                log.info("This policy rules from now on.", action="policy", version=self.policy.version)
            if wanted is None:
                return
            sources.sync(tx, wanted, self.clock())
            known = sources.list_all(tx)
            for source in known:
                sources.try_again(tx, source, now=self.clock(), apart=budget.HASTE)
        for source in known:
            self._look_at_the_money_again(source)

    def _look_at_the_money_again(self, source: Source) -> None:
        """A source that waits for money need not wait for what the settings no longer say."""
        if source.poll_usd and not source.failures and source.account in self.purses:
            at = self.purses[source.account].due_at(source)
            with self.store.write() as tx:
                sources.sooner(tx, source, at)

    def stop(self) -> None:
        """Asks every stage to end after what it has in hand."""
        self._stop.set()

    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stop.is_set()

    # --- the stages ---------------------------------------------------------------------------------------------------

    def poll(
        self,
        names: Sequence[str] = (),
        *,
        account: str | None = None,
        source: str | None = None,
        thrifty: bool = False,
    ) -> list[Ingested]:
        """Polls and stores whatever is due, or the named sources at once; only that account's, if one is given, or
        only that `source`.

        `thrifty`: named sources too wait where their account's money must last. Without any money none is polled.
        """
        thrifty = thrifty or not names
        self.notice_resumed()
        with self.store.write() as tx:
            due = sources.claim_due(
                tx, self.clock(), lease=budget.POLL_LEASE, names=names, account=account, source=source
            )
        if not due:
            return []
        with ThreadPoolExecutor(max_workers=min(POLLERS, len(due)), thread_name_prefix="poll") as pollers:
            return list(pollers.map(partial(self._poll_one, thrifty=thrifty), due))

    def _poll_one(self, source: Source, *, thrifty: bool) -> Ingested:
        purse = self.purses[source.account]
        with self._locks[source.account]:
            waits = self._wait_for_money(source, purse, thrifty=thrifty)
            if waits:
                return waits
            try:
                connector = self.connections.of(source.account, "listen")
                # Who we are is asked for now and then; what that costs is not what a poll costs.
                started = time.perf_counter()
                inhand.take("poll", [source.id])
                polled = poll(source, connector, introduced=partial(purse.pay, connector))
                metrics.polled(source.network, time.perf_counter() - started)
            except Outage:
                raise
            except EscuchaError as error:  # it cannot even be connected
                polled = Polled(source=source, error=error)
            except Exception as error:
                log.exception("A connector broke.", action="connect_bug", source=source.name)
                polled = Polled(source=source, error=error)
            finally:
                inhand.drop()
            if connected := self.connections.listening(source.account):
                purse.pay(connected, source)
        if polled.error:
            metrics.error("poll", polled.error)
        if polled.page is None:
            return failed(self.store, source, polled.error or RuntimeError("no page"), self.clock())
        try:
            page, slower = polled.page, purse.slower()
            pressed = self._pressure.now() if only_finds(page) else 1.0
            keep = partial(ingest, self.store, source, me=polled.me, slower=slower, pressed=pressed)
            ingested = self._whole_or_what_can_be(source, page, lambda page: keep(page, now=self.clock()))
            self.connections.tell_facts(source.account)
            return ingested
        except Outage:
            raise
        except Exception as error:
            log.exception("A page could not be stored.", action="ingest_bug", source=source.name)
            metrics.error("ingest", error)
            return failed(self.store, source, error, self.clock())

    def _whole_or_what_can_be(self, source: Source, page: Page, keep: Callable[[Page], Result]) -> Result:
        """What `keep` gives for the page or, where it breaks, for what is left without the posts it breaks on."""
        try:
            return again(lambda: keep(page))
        except EscuchaError:
            raise
        except Exception:
            log.exception("A page could not be stored; trying post by post.", action="ingest_bug", source=source.name)
        rest = storable(self.store, source, page, now=self.clock())
        return again(lambda: keep(rest))

    def _wait_for_money(self, source: Source, purse: Purse, *, thrifty: bool) -> Ingested | None:
        """Why the source is not polled now, None where it may be; it comes again when there is money."""
        now = self.clock()
        refusal = purse.refusal(Use.READING)
        at = budget.day_turns(now) if refusal else purse.due_at(source) if thrifty else now
        if at <= now + PUNCTUAL:
            return None
        with self.store.write() as tx:
            sources.wait_for_money(tx, source, until=min(at, now + max(source.every, budget.CEILING)))
        return Ingested(
            source=source.name, saved=Saved(), waits=refusal or f"is polled again at {at:%H:%M} UTC, to make money last"
        )

    def streams(self) -> list[str]:
        """The sources whose stream should be open now."""
        return self._hearing.wanted()

    def stream(self, name: str) -> None:
        """Stores what the stream of that source brings, until it ends; see `hearing.py`."""
        self._hearing.hear(name)

    def give_up_streams(self) -> list[str]:
        """The streams whose connector hangs, as none should: whoever reads them is left behind, and others may open."""
        return self._hearing.give_up()

    def _overhear(self, source: Source, page: Page) -> Source:
        return self._whole_or_what_can_be(
            source, page, lambda page: overhear(self.store, source, page, now=self.clock())
        )

    def understand(self, ids: Sequence[int] | None = None) -> int:
        """Reads one batch of new mentions, of those `ids` where given; gives how many moved on."""
        return self._whole_or_one_by_one("understand", lambda some: self.reader.understand(limit=BATCH, ids=some), ids)

    def decide(self, ids: Sequence[int] | None = None) -> int:
        """Decides one batch of understood mentions by the policy that rules; gives how many. `ids`: of these only."""
        return self._whole_or_one_by_one("decide", self._decide, ids)

    def _whole_or_one_by_one(self, stage: str, work: Stage, ids: Sequence[int] | None) -> int:
        try:
            return work(ids)
        except EscuchaError:
            raise
        except Exception as error:
            log.exception("A batch broke; trying one by one.", action=f"{stage}_bug")
            metrics.error(stage, error)
            return one_by_one(self.store, stage, work, limit=BATCH, ids=ids, clock=self.clock)

    def take_over(self, name: str) -> int:
        """Keeps what this process, of that name, has in hand from now on, and looks for the dead; see below."""
        return self.look_for_the_dead(name=name)

    def look_for_the_dead(self, *, name: str = "") -> int:
        """What processes that died on this machine had in hand is looked at alone from now on; gives how many
        mentions.
        """
        path = self.store.path
        folder = path.parent if path else Path(os.environ.get("STATE_DIRECTORY") or tempfile.gettempdir())
        return look_for_the_dead(self.store, folder, of=self.store.mark, name=name, now=self.clock())

    def look_alone(self) -> int:
        """Looks alone at each mention over which a process died; gives how many moved on."""
        stages = {"understand": self.understand, "decide": self.decide}
        return look_alone(self.store, stages, clock=self.clock, stopping=self.stopping)

    def _decide(self, ids: Sequence[int] | None = None) -> int:
        self._take_up_the_policy()
        policy = self.policy
        if policy is None:
            return 0
        near = incident_meaning.awaiting(self.store, self._embed, limit=BATCH, ids=ids)
        return again(
            lambda: decide(
                self.store,
                policy,
                company=self._company,
                facts=self.connections.facts,
                limit=BATCH,
                now=self.clock(),
                broke=self._why_broke,
                near=near,
                ids=ids,
            )
        )

    def gather(self) -> Gathered:
        """Goes on with what the incidents have yet to go through: earlier mentions, cases, and what those are told.

        Waits while no policy can be read: without its places, mentions would be let go that belong there.
        """
        if self.policy is None or self.policy_trouble:
            return Gathered()
        return gather(
            self.store,
            places=self.policy.places,
            embed=self._embed,
            is_ours=self._company.is_ours,
            now=self.clock,
            stopping=self.stopping,
        )

    def _why_broke(self, tx: Transaction, account: str) -> str:
        """Why that account has no money to send anything; empty where it has, or needs none."""
        purse = self.purses.get(account)
        if purse is None or not purse.allowance.limited:
            return ""
        return purse.standing(tx).refusal(Use.SENDING) or ""

    def _take_up_the_policy(self) -> None:
        """From now on decides by the policy that rules, where that is another one than ours and can be read."""
        ours = self.policy.version if self.policy else None
        with self.store.read() as tx:
            stored = policies.ruling(tx)
        if stored is None or stored.version == ours:
            if self._refused:
                log.info("Mentions are decided again.", action="policy", version=ours)
            self._refused, self.policy_trouble = None, ""
            metrics.ready(policy=True)
        elif self._read_policy is not None and stored.version != self._refused:
            try:
                self.policy = ruling.read(stored, self._read_policy, exactly=True)
            except EscuchaError as error:
                self._refuse(stored.version, str(error))
            except Exception as error:
                log.exception("A policy broke its reader.", action="policy_bug", version=stored.version)
                self._refuse(stored.version, f"Reading the policy {stored.version} broke ({type(error).__name__}).")
            else:
                self._refused, self.policy_trouble = None, ""
                metrics.ready(policy=True)
                log.info("Another policy rules from now on.", action="policy", version=stored.version, was=ours)

    def _refuse(self, version: str, reason: str) -> None:
        self._refused, self.policy_trouble = version, reason
        metrics.ready(policy=False)
        log.error("Nothing is decided.", action="policy_refused", version=version, reason=reason)

    def release(self) -> int:
        """Lets the notices go out whose time has come; gives how many."""
        return release(self.store, self._means, clock=self.clock, stopping=self.stopping)

    def _prices(self, notice: Notice) -> dict[str, Price]:
        found = {}
        for account in {each.account for each in notice.deliveries} & set(self.accounts):
            price = self.connections.facts(self.accounts[account], account).publish_price
            if price:
                found[account] = price
        return found

    def _left(self, tx: Transaction, notice: Notice) -> dict[str, float]:
        accounts = {each.account for each in notice.deliveries} & set(self.purses)
        return {
            name: self.purses[name].left(tx, Use.SENDING) for name in accounts if self.purses[name].allowance.limited
        }

    def act(self, *, account: str | None = None) -> list[Acted]:
        """Sends what is approved, on every account or on one; an account that must rest is left in peace."""
        done = []
        for name in self.accounts if account is None else (account,):
            if self.stopping() or self._rests(name):
                continue
            try:
                connector = self.connections.of(name, "speak")
                if not connector.speaks:
                    continue
                acted = act(
                    self.store,
                    connector,
                    name,
                    clock=self.clock,
                    stopping=self.stopping,
                    purse=self.purses[name],
                )
            except Outage:
                raise
            except EscuchaError as error:
                metrics.error("act", error)
                self._rest(name, str(error), self.clock())
                continue
            except Exception as error:
                log.exception("A connector broke.", action="act_bug", account=name)
                metrics.error("act", error)
                self._rest(name, f"a bug: {type(error).__name__}", self.clock())
                continue
            if acted.hold_until:
                self._rest(name, acted.errors[-1], acted.hold_until)
            elif acted.unclear:
                self._rest_if_again(name, acted.errors[-1])
            elif not acted.busy and (acted.sent or not acted.unsettled) and self._failures.pop(name, 0):
                log.info("Sending works again.", action="send_up", account=name)
            done.append(acted)
        return done

    def _rest(self, account: str, reason: str, until: datetime, *, already: int = 0) -> None:
        """Leaves the account in peace, longer each time in a row; said once when it begins.

        `already`: after so many failures in a row it was not yet left in peace.
        """
        failures = self._failures[account] = self._failures.get(account, 0) + 1
        longer = budget.back_off(self.clock(), failures=max(1, failures - already), every=REST)
        self._hold[account] = min(max(until, longer), self.clock() + budget.CEILING)
        with self.store.write() as tx:
            outbox.held_up(tx, account, reason)
            rests.rest(tx, account, self._hold[account])
        if failures == 1 + already:
            log.warning("Sending rests.", action="send_rest", account=account, reason=reason, until=self._hold[account])

    def _rest_if_again(self, account: str, reason: str) -> None:
        """One write without a clear answer is looked for at once. Where the next one brings none either, it rests."""
        if self._failures.get(account):
            self._rest(account, reason, self.clock(), already=1)
        else:
            self._failures[account] = 1

    def _rests(self, account: str) -> bool:
        """Whether the account is left in peace; a clock that was set back must not make that last."""
        until, now = self._hold.get(account), self.clock()
        return until is not None and now < until <= now + budget.CEILING

    def alert(self, *, target: str | None = None) -> list[Told]:
        """Tells our own people what waits for them: every target, or one."""
        return [
            alert(self.store, name, self.targets[name], clock=self.clock, stopping=self.stopping)
            for name in (self.targets if target is None else (target,))
        ]

    def strand_alerts(self) -> int:
        """Gives up what waited too long for targets that the settings do not name; gives how many."""
        return strand(self.store, list(self.targets), now=self.clock())

    def deliver(self, *, system: str | None = None) -> list[Delivered]:
        """Tells the CRMs, or that one, what waits for them."""
        names = [name for name in self.systems if system in (None, name)]
        tell = partial(deliver, self.store, clock=self.clock, stopping=self.stopping)
        return [tell(name, self.systems[name]) for name in names]

    def pull(self, *, system: str | None = None) -> list[Pulled]:
        """Asks the CRMs, or that one, for the customers that changed, where it is time."""
        names = [name for name, each in self.systems.items() if system in (None, name) and each.pulls]
        ask = partial(pull, self.store, by="daemon", clock=self.clock, stopping=self.stopping)
        return [ask(name, self.systems[name]) for name in names]

    def receive(self, system: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """What is answered to what a CRM posts to us, after it is kept."""
        if system not in self.systems:
            return refused(404, "There is no such CRM here.")
        return receive(self.store, system, self.systems[system], headers, body, now=self.clock())

    def forget_crms(self) -> int:
        """Drops what was settled with the CRMs long ago; gives how many rows."""
        with self.store.write() as tx:
            return crm_out.forget(tx, now=self.clock()) + crm_in.forget(tx, now=self.clock())

    def recheck(self, *, account: str | None = None) -> int:
        """Looks up again what may have been edited or deleted; gives how many mentions changed.

        Batch after batch while something is due, as far as requests and time reach; polls get their turn in between.
        """
        changed = 0
        for name in self.accounts if account is None else (account,):
            if self._looks_rest(name):
                continue
            ends, done = time.monotonic() + RECHECK_SPELL, 0
            while (saved := self._recheck_batch(name)) is not None:
                changed += len(saved.edited) + len(saved.gone)
                done += 1
                if done >= batches(self.connections.facts(self.accounts[name], name)) or time.monotonic() > ends:
                    break
                if self._stop.wait(TURN):
                    break
        return changed

    def _recheck_batch(self, name: str) -> Saved | None:
        with self._locks[name]:
            try:
                connector = self.connections.of(name, "listen")
                purse = self.purses[name]
                saved = recheck(self.store, connector, name, self.accounts[name], now=self.clock(), purse=purse)
            except Outage:
                raise
            except NetworkError as error:
                metrics.error("recheck", error)
                self._rest_looks(name, error)
                return None
            except EscuchaError:
                return None  # polling says so already
            except Exception as error:
                log.exception("A connector broke.", action="recheck_bug", account=name)
                metrics.error("recheck", error)
                return None
            if saved is not None and self._failed_looks.pop(name, 0) >= LOOKS_TOLD:
                log.info("Posts are looked up again.", action="looks_up", account=name)
            return saved

    def _rest_looks(self, account: str, error: NetworkError) -> None:
        """Looks nothing up for a while: as long as the network asks, and longer each time in a row."""
        failures = self._failed_looks[account] = self._failed_looks.get(account, 0) + 1
        until = budget.back_off(self.clock(), failures=failures, every=LOOKS_REST, retry_after=error.retry_after)
        self._hold_looks[account] = until
        say = log.warning if failures == LOOKS_TOLD else log.debug
        say("Posts cannot be looked up.", action="looks_down", account=account, reason=str(error), again_at=until)

    def _looks_rest(self, account: str) -> bool:
        """Whether nothing is looked up for the account; a clock that was set back must not make that last."""
        until, now = self._hold_looks.get(account), self.clock()
        return until is not None and now < until <= now + budget.CEILING

    def assign(self) -> int:
        """Gives cases that nobody has to agents, as the settings say; gives how many changed hands."""
        policy = self.policy
        if policy is None or not self._assigns:
            return 0
        handed, self._assigned_up_to = assign(
            self.store,
            now=self.clock(),
            moved=policy.promises.moved,
            after=self._assigned_up_to,
            stopping=self.stopping,
        )
        return handed

    def watch(self) -> int:
        """Warns, tells and hands on what is late or soon will be; gives how many steps were done."""
        if self.policy is not None:
            follow(self.store, self.policy, now=self.clock(), stopping=self.stopping)
        return watch(self.store, now=self.clock(), stopping=self.stopping)

    def spot(self) -> Spotted:
        """Counts what was decided, and tells of far more people than normal who say that something is wrong."""
        policy = self.policy
        if policy is None:
            return Spotted()
        return self._lookout.look(policy, now=self.clock(), stopping=self.stopping)

    def compare(self) -> int:
        """Looks for accounts and records that may be one person's, so many at a time; gives how many are suggested."""
        with self.store.write() as tx:
            return suggestions.step(
                tx,
                networks=sorted(set(self.accounts.values())),
                linkable=lambda network: self._network_facts(network).linkable,
                now=self.clock(),
            )

    def forget(self) -> int:
        """Empties what has grown older than its network lets anybody keep; gives how many mentions."""
        emptied = 0
        with self.store.read() as tx:
            origins = sources.origins(tx)
        for account, network in origins:
            try:
                facts = self.connections.facts(network, account)
            except Mistake:
                continue  # there is no such network any more; `status` names what nobody looks up
            while (batch := forget(self.store, account, network, facts, now=self.clock())) and not self.stopping():
                emptied += batch
        return emptied

    def retain(self) -> int:
        """Lets go what is older than the settings say, a bounded part of it; gives how much."""
        return sum(retain(self.store, self._periods, now=self.clock(), stopping=self.stopping).values())

    def digest(self) -> int:
        """Understands and decides until nothing is left or `stop` was called; gives how many mentions were decided.

        While the model, which needs no Python, reads a batch, the one before it is decided.
        """
        decided = 0
        self.look_alone()
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="understand") as ahead:
            while not self.stopping():
                reading = ahead.submit(self.understand)
                judged = self.decide()
                decided += judged
                if not reading.result() and not judged:
                    break
        return decided

    def once(self, names: Sequence[str] = ()) -> Round:
        """One whole round: what is due, or the named sources, is polled page after page, read, decided and sent."""
        heard = self.poll(names, thrifty=True)
        pages = heard
        while any(page.more for page in pages) and not self.stopping():
            pages = self.poll([page.source for page in pages if page.more], thrifty=True)
            heard += pages
        self.digest()
        self.release()
        acted = self.act()
        self.recheck()
        self.forget()
        self.digest()
        self.gather()
        self.compare()
        self.spot()
        self.watch()
        self.assign()
        self.alert()
        self.pull()
        self.deliver()
        return Round(heard=tuple(heard), sent=sum(each.sent for each in acted))

    # --- connections ------------------------------------------------------------------------------------------------

    def notice_resumed(self) -> None:
        """Whoever resumes a source may have renewed its account's secrets: the account is connected anew."""
        with self._looking:
            with self.store.read() as tx:
                paused = sources.paused(tx)
            resumed = {account for _, account in self._paused - paused}
            if resumed:
                with self.store.write() as tx:
                    rests.over(tx, resumed)
            for account in resumed:
                self._renew(account)
                self.connections.drop(account)
                self._hearing.connected_anew(account)
                self._hold.pop(account, None)
                self._hold_looks.pop(account, None)
            self._paused = paused
