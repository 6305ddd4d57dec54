"""The stages in order. Decides nothing itself.

    sources due | poll | ingest | understand | decide | (moderator) | act

Stages talk through rows, never through each other: each can stop, crash or lag behind without the others noticing.
The daemon, the command line and the tests call these same functions.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from listener import budget
from listener.budget import Allowance
from listener.contract import Classifier, Connector, Policy
from listener.desk import ruling, suggestions
from listener.desk.crm_systems import System
from listener.desk.retaining import retain
from listener.errors import Mistake
from listener.flow.alert import Target, Told, alert, strand
from listener.flow.assign import assign
from listener.flow.connections import Connections
from listener.flow.decide import Company
from listener.flow.deliver import Delivered, deliver
from listener.flow.digest import Digest
from listener.flow.follow import follow
from listener.flow.hearing import Hearing
from listener.flow.incidents import Gathered, gather
from listener.flow.ingest import Ingested
from listener.flow.looking_up import Looks
from listener.flow.money import Money
from listener.flow.outcomes import Acted
from listener.flow.polling import Polls
from listener.flow.pull import Pulled, pull
from listener.flow.reading import Reader
from listener.flow.receive import Reply, receive, refused
from listener.flow.recheck import forget
from listener.flow.release import Means, release
from listener.flow.ruling import Ruler
from listener.flow.sending import Sending
from listener.flow.spot import Lookout, Spotted
from listener.flow.suspecting import look_for_the_dead
from listener.flow.watch import watch
from listener.log import logger
from listener.store import Store, crm_in, crm_out, rests, sources
from listener.store.assigned import Place
from listener.store.sources import Wanted
from listener.types import Facts, LinkCheck

if TYPE_CHECKING:
    from listener.desk.shelving import Embed

log = logger(__name__)


def utc_now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


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
        self._embed = lambda: None if self.reader.trouble else embed()
        self.accounts = accounts  # our account's name -> its network
        self.ruler = Ruler(store, policy, read=read_policy)
        self.clock = clock
        self._renew = renew
        self._network_facts = network_facts
        self._company = company
        self._assigns = assigns
        self._assigned_up_to: Place | None = None
        self._lookout = Lookout(store, is_ours=company.is_ours, pattern=company.case_pattern)
        self._stop = threading.Event()
        self._paused: set[tuple[str, str]] = set()  # (source, account) when we last looked
        self._looking = threading.Lock()
        self.connections = Connections(store, connect=connect, network_facts=network_facts)
        self.money = Money(
            store, accounts=accounts, allowances=allowances or {}, connections=self.connections, clock=clock
        )
        self._means = Means(check_links=check_links, prices=self.money.prices, left=self.money.left)
        self._digest = Digest(
            store,
            reader=self.reader,
            ruler=self.ruler,
            company=company,
            connections=self.connections,
            money=self.money,
            embed=self._embed,
            clock=clock,
            stopping=self.stopping,
        )
        purses, locks = self.money.purses, {account: threading.Lock() for account in accounts}
        self._polls = Polls(store, connections=self.connections, purses=purses, locks=locks, clock=clock)
        self._looks = Looks(
            store,
            accounts=accounts,
            connections=self.connections,
            purses=purses,
            locks=locks,
            clock=clock,
            stop=self._stop,
        )
        self._sending = Sending(store, connections=self.connections, purses=purses, clock=clock, stopping=self.stopping)
        self._hearing = Hearing(
            store,
            connections=self.connections,
            purses=purses,
            keep=self._polls.overhear,
            clock=clock,
            stopping=self.stopping,
        )

    def start(self, wanted: Sequence[Wanted] | None, *, by: str) -> None:
        """Writes down which sources are wanted; makes our policy rule where none ever did. None: others listen."""
        with self.store.write() as tx:
            policy = self.ruler.policy
            if policy is not None and ruling.begin(tx, policy, by=by, now=self.clock()):
                log.info("This policy rules from now on.", action="policy", version=policy.version)
            if wanted is None:
                return
            sources.sync(tx, wanted, self.clock())
            known = sources.list_all(tx)
            for source in known:
                sources.try_again(tx, source, now=self.clock(), apart=budget.HASTE)
        for source in known:
            self.money.look_again(source)

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
        return self._polls.poll(names, account=account, source=source, thrifty=thrifty)

    def streams(self) -> list[str]:
        """The sources whose stream should be open now."""
        return self._hearing.wanted()

    def stream(self, name: str) -> None:
        """Stores what the stream of that source brings, until it ends; see `hearing.py`."""
        self._hearing.hear(name)

    def give_up_streams(self) -> list[str]:
        """The streams whose connector hangs, as none should: whoever reads them is left behind, and others may open."""
        return self._hearing.give_up()

    def understand(self, ids: Sequence[int] | None = None) -> int:
        """Reads one batch of new mentions, of those `ids` where given; gives how many moved on."""
        return self._digest.understand(ids)

    def decide(self, ids: Sequence[int] | None = None) -> int:
        """Decides one batch of understood mentions by the policy that rules; gives how many. `ids`: of these only."""
        return self._digest.decide(ids)

    def take_over(self, name: str) -> int:
        """Keeps what this process, of that name, has in hand from now on, and `look_for_the_dead`."""
        return self.look_for_the_dead(name=name)

    def look_for_the_dead(self, *, name: str = "") -> int:
        """What processes that died on this machine had in hand is looked at alone from now on; gives how many
        mentions.
        """
        return look_for_the_dead(self.store, name=name, now=self.clock())

    def look_alone(self) -> int:
        """Looks alone at each mention over which a process died; gives how many moved on."""
        return self._digest.look_alone()

    def gather(self) -> Gathered:
        """Goes on with what the incidents have yet to go through: earlier mentions, cases, and what those are told.

        Waits while no policy can be read: without its places, mentions would be let go that belong there.
        """
        policy = self.ruler.policy
        if policy is None or self.ruler.trouble:
            return Gathered()
        return gather(
            self.store,
            places=policy.places,
            embed=self._embed,
            is_ours=self._company.is_ours,
            now=self.clock,
            stopping=self.stopping,
        )

    def release(self) -> int:
        """Lets the notices go out whose time has come; gives how many."""
        return release(self.store, self._means, clock=self.clock, stopping=self.stopping)

    def act(self, *, account: str | None = None) -> list[Acted]:
        """Sends what is approved, on every account or on one; an account that must rest is left in peace."""
        sent = [self._sending.send(name) for name in (self.accounts if account is None else (account,))]
        return [acted for acted in sent if acted is not None]

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
        return sum(self._looks.look(name) for name in (self.accounts if account is None else (account,)))

    def assign(self) -> int:
        """Gives cases that nobody has to agents, as the settings say; gives how many changed hands."""
        policy = self.ruler.policy
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
        policy = self.ruler.policy
        if policy is not None:
            follow(self.store, policy, now=self.clock(), stopping=self.stopping)
        return watch(self.store, now=self.clock(), stopping=self.stopping)

    def spot(self) -> Spotted:
        """Counts what was decided, and tells of far more people than normal who say that something is wrong."""
        policy = self.ruler.policy
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
        """Understands and decides until nothing is left or `stop` was called; gives how many mentions were decided."""
        return self._digest.all()

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
                self._sending.lift(account)
                self._looks.lift(account)
            self._paused = paused
