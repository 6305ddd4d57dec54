"""One cell of the fault matrix: a network, a stage, a trouble, and what a daemon makes of it.

The daemon's own jobs run, each when it is due by a clock that the play puts forward; the servers, the sockets and the
database are real. A trouble lasts ten minutes by that clock (`500 for an hour` an hour), then it is over, and what was
under way must come to its end without anybody's help. What only a person can mend (a token, a query) is told to one.
What was said and what came of it is counted on the server's side.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text
from structlog.testing import capture_logs

import connectors
import policies
from listener import cluster
from listener import store as stores
from listener.cluster import Cluster
from listener.contract import Edits
from listener.daemon import Daemon
from listener.errors import NotFound
from listener.flow.decide import Company as Ruled
from listener.flow.pipeline import Pipeline
from listener.store import (
    Store,
    alerts,
    amendments,
    cases,
    crm_out,
    crm_ways,
    customers,
    inbox,
    jobs,
    mentions,
    notices,
    sources,
)
from listener.store.amendments import Change
from listener.store.notices import Variant
from listener.store.sources import Source, Wanted
from listener.types import (
    AlertState,
    AmendmentKind,
    AmendmentState,
    CasePlan,
    DeliveryState,
    DraftState,
    Duty,
    MentionState,
    Promise,
    Urgency,
)
from tests.listener.flow.world import AUTO, Clock, Keywords
from tests.servers.line import Trouble
from tests.system.fault_sites import TELLING, WRITING, Bluesky, Site, Stage
from tests.system.fault_told import Salesforce, Told, Webhooks

JOBS_DONE = 60.0  # seconds within which the jobs of one step are done
STEP = 60.0  # seconds between two looks at what is due
TICK = timedelta(seconds=10)
LASTS = timedelta(minutes=10)
LONG = timedelta(hours=1)
WITHIN = timedelta(hours=2)  # of the trouble's end, everything is as if it had never been
LONG_RECHECKS = timedelta(hours=26)  # where a network's posts are looked up once a day
SAID = "Corte en Lleida.\nHasta las 17 h."
RIGHT = "Corte en Lleida.\nHasta las 18 h."  # the first line is a title in some places, which nobody may change
LOUD = ("warning", "error", "critical")
FOR_GOOD = frozenset({Trouble.FORBIDDEN, Trouble.MISSING, Trouble.INVALID})  # a clear no to this very request
FOR_A_PERSON = FOR_GOOD | {Trouble.EXPIRED}


@dataclass(kw_only=True)
class Outcome:
    """What came of one cell. `after_s`: seconds by the play's clock from the trouble's end to that of the matter."""

    network: str
    stage: str
    trouble: str
    came: str = ""  # "by itself", "refused", "a person", or what is wrong
    after_s: float | None = None
    met: int = 0  # requests that failed
    said: list[str] = field(default_factory=list)  # what was logged at warning or above, each as often as it was
    repeated: list[str] = field(default_factory=list)  # what was said more than once of one thing
    broke: list[str] = field(default_factory=list)  # what is a bug by the daemon's own word
    told: str = ""  # what stood in the row that a person reads
    lost: int = 0
    doubled: int = 0
    misplaced: int = 0
    wall_s: float = 0.0

    @property
    def fine(self) -> bool:
        """Nothing lost, doubled, misplaced, said twice or broken, and it came to its end."""
        wrong = self.lost or self.doubled or self.misplaced or self.repeated or self.broke
        return not wrong and self.came in ("by itself", "refused", "a person")


def play(site: Site, stage: Stage, trouble: Trouble, folder: Path, *, url: str = "") -> Outcome:
    """One cell, from a healthy network through the trouble to its end.

    `url`: an empty PostgreSQL database, over whose jobs the work goes, as with `run --role`; "": SQLite, and no jobs.
    """
    outcome = Outcome(network=site.network, stage=stage, trouble=trouble)
    began = time.monotonic()
    with capture_logs() as said, _company(site, stage, folder, url) as company:
        try:
            _STAGES[stage](company, trouble, outcome)
        except Stuck as stuck:
            outcome.came = str(stuck)
    outcome.met = site.failed or outcome.met
    _read_log(said, outcome)
    outcome.wall_s = round(time.monotonic() - began, 2)
    return outcome


def _read_log(said: list[Any], outcome: Outcome) -> None:
    loud = [entry for entry in said if entry["log_level"] in LOUD]
    outcome.said = [f"{entry.get('action')}: {entry['event']}" for entry in loud]
    outcome.broke = [
        f"{e.get('action')}: {e['event']} {e.get('reason', '')}" for e in loud if _is_bug(str(e.get("action")))
    ]
    about = Counter(
        (each.get("action"), each["event"], each.get("source") or each.get("account"), each.get("kind"), each.get("id"))
        for each in loud
    )
    outcome.repeated = [f"{number} x {what}" for what, number in about.items() if number > 1]


def _is_bug(action: str) -> bool:
    return action.endswith("_bug") or action == "stage_down"


class Stuck(Exception):
    """What should have come did not."""


class Company:
    """One daemon's stages over a store of their own, and a clock that only the play moves."""

    def __init__(self, site: Site, stage: Stage, store: Store) -> None:
        self.site, self.stage, self.store = site, stage, store
        self.clock = Clock(datetime.now(UTC) - timedelta(hours=4))  # so that the servers' clocks are not behind
        self.holds_back = stage in WRITING | TELLING  # nothing is sent before the trouble has begun
        network = site.runs_on or site.network
        facts = connectors.load(network).FACTS
        self.pipeline = Pipeline(
            store,
            accounts={"care": network},
            connect=lambda _: site.connector(),
            network_facts=lambda _: facts,
            classifier=Keywords,
            policy=policies.load_text(AUTO),
            company=Ruled(case_pattern="ES"),
            clock=self.clock,
        )
        if isinstance(site, Webhooks):
            self.pipeline.targets["ops"] = site.target()
        if isinstance(site, Told):
            self.pipeline.systems["crm"] = site.system()
            store.crms = {"crm": self.pipeline.systems["crm"].takes}
        query = site.query_for(stage) if isinstance(site, Bluesky) else site.query
        every = timedelta(hours=1) if stage is Stage.STREAM else timedelta(seconds=STEP)
        self.pipeline.start(
            [Wanted(name="heard", account="care", network=network, query=query, every=every)], by="test"
        )
        self.crew = None if store.is_sqlite else Cluster(self.pipeline, Duty, tick=TICK)
        self.daemon = Daemon(self.pipeline, tick=TICK, version="test", crew=self.crew)
        jobs = self.daemon._scheduler().get_jobs()
        self._jobs = {job.id: (job.trigger.interval, job.func, job.args) for job in jobs}
        self._ran: dict[str, datetime] = {}

    def tick(self, seconds: float = STEP) -> None:
        """Time passes, and every job of the daemon runs that is due."""
        self.clock.forward(seconds=seconds)
        for name, (every, work, arguments) in self._jobs.items():
            if name == "streams" and self.stage is not Stage.STREAM:
                continue
            if name.startswith(("act ", "alert ", "tell ", "plan sends")) and self.holds_back:
                continue
            last = self._ran.get(name)
            if last is None or self.clock() - last >= every:
                self._ran[name] = self.clock()
                work(*arguments)
        if self.crew:
            self._wait_for_jobs()
        self.moderate()

    def _wait_for_jobs(self) -> None:
        """Until every job that was made is done, which takes as long as it takes."""
        ends = time.monotonic() + JOBS_DONE
        while time.monotonic() < ends:
            with self.store.read() as tx:
                jobs.enter(tx)
                if not tx.scalar(text("SELECT count(*) FROM procrastinate_jobs")):
                    return
            time.sleep(0.02)
        raise Stuck("jobs are left")

    def passes(self, span: timedelta, *, step: float = STEP) -> None:
        """So much time passes, step by step."""
        ends = self.clock() + span
        while self.clock() < ends:
            self.tick(step)

    def until(self, what: Callable[[], bool], why: str, *, most: timedelta = WITHIN, step: float = STEP) -> float:
        """Lets time pass until it is so; gives how many seconds it took."""
        began = self.clock()
        while not what():
            if self.clock() - began > most:
                raise Stuck(f"{why} within {most}")
            self.tick(step)
        return (self.clock() - began).total_seconds()

    def moderate(self) -> None:
        """Approves whatever waits for a person."""
        with self.store.read() as tx:
            waiting = inbox.waiting(tx, states=(DraftState.PROPOSED,))
        for draft in waiting:
            with self.store.write() as tx:
                inbox.approve(tx, draft, by="mod", now=self.clock())

    # --- what is to be known ---

    def source(self) -> Source:
        with self.store.read() as tx:
            return sources.get(tx, "heard")

    def heard(self, external_id: str) -> bool:
        with self.store.read() as tx:
            return mentions.by_external_id(tx, self.site.network, external_id) is not None

    def erased(self, external_id: str) -> bool:
        with self.store.read() as tx:
            found = mentions.by_external_id(tx, self.site.network, external_id)
        return found is None or found.state is MentionState.GONE or found.text == ""

    def states(self) -> list[DraftState]:
        with self.store.read() as tx:
            return [draft.state for draft in inbox.waiting(tx, states=tuple(DraftState))]

    def reasons(self) -> str:
        """What a person reads beside what is to go out."""
        with self.store.read() as tx:
            told = [draft.reason for draft in inbox.waiting(tx, states=tuple(DraftState))]
            for notice in notices.listing(tx):
                told += [each.reason for each in (*notice.deliveries, *amendments.of_notice(tx, notice.id))]
        return "; ".join(sorted({each for each in told if each}))

    def knows(self, reference: str) -> bool:
        """Whether that customer is known here."""
        with self.store.read() as tx, suppress(NotFound):
            return bool(customers.get(tx, reference))
        return False

    def why_not_asked(self) -> str:
        """Why the CRM gives no customers."""
        with self.store.read() as tx:
            return next((way.last_error or "" for way in crm_ways.listing(tx) if way.way == crm_ways.IN), "")

    def resume(self) -> None:
        """A person puts things right and lets the source go on."""
        with self.store.write() as tx:
            sources.resume(tx, "heard", by="ana", now=self.clock())


@contextmanager
def _company(site: Site, stage: Stage, folder: Path, url: str) -> Iterator[Company]:
    store = stores.open(url or f"sqlite:///{folder / 'escucha.db'}")
    if url:
        cluster.prepare(store)
    company = Company(site, stage, store)
    try:
        with company.crew or nullcontext():
            yield company
    finally:
        company.pipeline.stop()
        company.daemon._leave_streams()
        store.close()


def _lasts(trouble: Trouble) -> timedelta:
    return LONG if trouble is Trouble.ERROR else LASTS


# --- reading ---


def _poll(company: Company, trouble: Trouble, outcome: Outcome) -> None:
    world = company.site.world
    before = world.post("ana", "¿horario uno?", to_us=True)
    company.until(lambda: company.heard(before), "nothing was heard before the trouble")
    company.site.fail(Stage.POLL, trouble)
    during = world.post("beto", "¿horario dos?", to_us=True)
    company.passes(_lasts(trouble))
    source = company.source()
    outcome.told = source.paused or source.last_error or ""
    outcome.met = company.site.failed
    if not (source.paused or source.failures):
        raise Stuck("nothing stands in the source's row")
    company.site.heal()
    outcome.came = "by itself"
    if source.paused:
        outcome.came = "a person"
        company.resume()
    outcome.after_s = company.until(lambda: company.heard(during), "it was not heard again")
    if company.source().failures or company.source().paused:
        raise Stuck("the source still counts as failing")
    after = world.post("carla", "¿horario tres?", to_us=True)
    company.until(lambda: company.heard(after), "nothing was heard after the trouble")
    outcome.lost = sum(not company.heard(each) for each in (before, during, after))


def _stream(company: Company, trouble: Trouble, outcome: Outcome) -> None:
    world = company.site.world
    before = world.post("ana", "¿horario uno?", to_us=True)
    company.until(lambda: company.heard(before), "nothing was heard before the trouble")
    _awaits(company, lambda: company.source().streaming_since is not None, "the stream did not open")
    company.site.fail(Stage.STREAM, trouble)
    _awaits(company, lambda: company.source().stream_down_since is not None, "nobody saw the stream break")
    during = world.post("beto", "¿horario dos?", to_us=True)
    for _ in range(4):
        company.tick(60)
        time.sleep(0.2)
    outcome.told = company.source().stream_error or ""
    outcome.met = company.site.failed
    company.site.heal()
    outcome.came = "by itself"
    if company.source().paused:
        outcome.came = "a person"
        company.resume()
    began = company.clock()
    _awaits(company, lambda: company.source().streaming_since is not None, "the stream did not open again", step=60)
    outcome.after_s = (company.clock() - began).total_seconds()
    company.until(lambda: company.heard(during), "what was said meanwhile was not heard")
    after = world.post("carla", "¿horario tres?", to_us=True)
    _awaits(company, lambda: company.heard(after), "the stream says nothing", step=1)
    outcome.lost = sum(not company.heard(each) for each in (before, during, after))


def _awaits(company: Company, what: Callable[[], bool], why: str, *, step: float = STEP) -> None:
    """What a stream brings comes by real time, in a thread of its own. No poll is due of itself for an hour."""
    for _ in range(150):
        if what():
            return
        company.tick(step)
        time.sleep(0.1)
    raise Stuck(why)


def _recheck(company: Company, trouble: Trouble, outcome: Outcome) -> None:
    world = company.site.world
    there = world.post("ana", "¿horario uno?", to_us=True)
    stays = world.post("beto", "¿horario dos?", to_us=True)
    company.until(lambda: company.heard(there) and company.heard(stays), "nothing was heard before the trouble")
    company.site.fail(Stage.RECHECK, trouble)
    world.delete(there)
    seldom = bool(company.pipeline.connections.facts(company.site.network, "care").rechecks)
    if seldom:
        company.passes(timedelta(hours=21), step=3600)
    company.passes(max(LONG, _lasts(trouble)), step=60)
    outcome.met = company.site.failed
    company.site.heal()
    outcome.after_s = company.until(
        lambda: company.erased(there), "what was deleted is still here", most=LONG_RECHECKS, step=120
    )
    outcome.came = "by itself"
    outcome.lost = int(company.erased(stays) and trouble is not Trouble.MISSING)  # a 404 says that it is gone


# --- writing ---


def _reply(company: Company, trouble: Trouble, outcome: Outcome) -> None:
    world = company.site.world
    posts = [world.post(who, "¿horario?", to_us=True) for who in ("ana", "beto")]
    company.until(lambda: company.states() == [DraftState.APPROVED] * len(posts), "nothing was approved")
    settled = {DraftState.SENT, DraftState.FAILED}

    def ended() -> bool:
        return set(company.states()) <= settled

    _goes_out(company, trouble, outcome, ended)
    answered = Counter(each.parent_id for each in world.ours())
    states = company.states()
    outcome.misplaced = sum(number for parent, number in answered.items() if parent not in posts)
    outcome.doubled = sum(number - 1 for number in answered.values() if number > 1)
    waiting = states.count(DraftState.FAILED) + states.count(DraftState.UNKNOWN)
    outcome.lost = max(0, len(posts) - len(answered) - waiting)
    _name(outcome, out=states.count(DraftState.SENT), of=len(posts), unknown=states.count(DraftState.UNKNOWN))


def _publish(company: Company, trouble: Trouble, outcome: Outcome) -> None:
    announce(company)

    def ended() -> bool:
        with company.store.read() as tx:
            states = {each.state for each in notices.get(tx, 1).deliveries}
        return states <= {DeliveryState.SENT, DeliveryState.FAILED}

    _goes_out(company, trouble, outcome, ended)
    ours = [each.text for each in company.site.world.ours()]
    with company.store.read() as tx:
        deliveries = notices.get(tx, 1).deliveries
    out = sum(each.state is DeliveryState.SENT for each in deliveries)
    outcome.doubled = max(0, len(ours) - 1)
    outcome.lost = int(out > len(ours))
    _name(outcome, out=out, of=1, unknown=sum(each.state is DeliveryState.UNKNOWN for each in deliveries))


def announce(company: Company) -> None:
    """One notice, approved and let out."""
    network, now = company.site.network, company.clock()
    variant = Variant(account="care", network=network, language="es", text=SAID, length=len(SAID), limit=500)
    with company.store.write() as tx:
        made = notices.draft(tx, title="Corte", variants=[variant], by="ana", now=now)
        notices.publish(tx, notices.approve(tx, made, by="beto", now=now), by="beto", now=now)


def _amend(company: Company, trouble: Trouble, outcome: Outcome) -> None:
    """Corrects a notice that is out, or takes it back where the network lets nothing be corrected."""
    announce(company)
    company.holds_back = False
    world, facts = company.site.world, company.pipeline.connections.facts(company.site.network, "care")
    company.until(lambda: len(world.ours()) == 1, "the notice did not go out")
    company.holds_back = True
    edits = isinstance(company.pipeline.connections.of("care", "speak"), Edits) and facts.edits is not None
    with company.store.write() as tx:
        (there,) = notices.get(tx, 1).deliveries
        change = Change(delivery=there, kind=AmendmentKind.DELETE)
        if edits:
            change = Change(delivery=there, kind=AmendmentKind.EDIT, text=RIGHT, length=len(RIGHT))
        amendments.order(tx, 1, [change], by="ana", now=company.clock())

    def state() -> AmendmentState:
        with company.store.read() as tx:
            return amendments.of_notice(tx, 1)[0].state

    _goes_out(company, trouble, outcome, lambda: state() in (AmendmentState.DONE, AmendmentState.FAILED))
    ours = [each.text for each in world.ours()]
    done = ours == ([RIGHT] if edits else [])
    outcome.lost = int(state() is AmendmentState.DONE and not done)
    outcome.doubled = max(0, len(ours) - 1)
    _name(outcome, out=state() is AmendmentState.DONE, of=1, unknown=state() is AmendmentState.UNKNOWN)


def _goes_out(company: Company, trouble: Trouble, outcome: Outcome, ended: Callable[[], bool]) -> None:
    """The trouble begins as something is about to go out, and ends; then what is on its way comes to its end."""
    company.site.fail(company.stage, trouble)
    company.holds_back = False
    company.passes(_lasts(trouble))
    outcome.met = company.site.failed
    outcome.told = company.reasons()
    company.site.heal()
    began = company.clock()
    while not ended() and company.clock() - began < WITHIN:
        company.tick(STEP)
    outcome.after_s = (company.clock() - began).total_seconds() if ended() else None


def _name(outcome: Outcome, *, out: int, of: int, unknown: int) -> None:
    """What became of it: out by itself, refused for good and shown, or left to a person because nobody can know."""
    if out == of:
        outcome.came = "by itself"
    elif unknown:
        outcome.came = "a person"
    else:
        outcome.came = "refused" if outcome.after_s is not None else "it neither went out nor was given up"


# --- telling ---


def _tell(company: Company, trouble: Trouble, outcome: Outcome) -> None:
    """One alert, or one case for the CRM. Each try carries the same key, by which the receiver knows it."""
    site, now = company.site, company.clock()
    assert isinstance(site, Told)
    with company.store.write() as tx:
        if company.stage is Stage.ALERT:
            told = {"kind": "case_late", "subject": "Late", "why": "late", "mention_id": None, "case_id": None}
            alerts.add(tx, to="ops", key="one", now=now, **told)  # type: ignore[arg-type]
        else:
            plan = CasePlan(team="care", urgency=Urgency.HIGH, title="La factura", promise=Promise())
            of = {"account_id": None, "customer_id": None, "by": "ana", "since": now, "now": now}
            cases.add(tx, reference="ES-26-000001-8", plan=plan, **of)  # type: ignore[arg-type]

    def states() -> list[AlertState]:
        with company.store.read() as tx:
            if company.stage is Stage.ALERT:
                return [each.state for each in alerts.listing(tx)]
            return [each.state for each in crm_out.listing(tx, states=tuple(AlertState))]

    over = {AlertState.SENT, AlertState.FAILED}
    _goes_out(company, trouble, outcome, lambda: set(states()) <= over)
    keys = site.taken()
    sent = states().count(AlertState.SENT)
    outcome.doubled = max(0, len(keys) - 1)
    outcome.lost = int(sent > 0 and not keys)
    _name(outcome, out=sent, of=1, unknown=0)


def _pull(company: Company, trouble: Trouble, outcome: Outcome) -> None:
    """Customers that come to the CRM before the trouble, in it and after it are known here."""
    site = company.site
    assert isinstance(site, Salesforce)
    before = site.arrives("Ana")
    company.until(lambda: company.knows(before), "nobody was known before the trouble")
    site.fail(Stage.PULL, trouble)
    during = site.arrives("Beto")
    company.passes(_lasts(trouble))
    outcome.told, outcome.met = company.why_not_asked(), site.failed
    if not outcome.told:
        raise Stuck("nothing stands in the CRM's row")
    site.heal()
    outcome.after_s = company.until(lambda: company.knows(during), "who came meanwhile is not known")
    if company.why_not_asked():
        raise Stuck("the CRM still counts as failing")
    after = site.arrives("Carla")
    company.until(lambda: company.knows(after), "nobody is known after the trouble")
    outcome.came = "by itself"
    outcome.lost = sum(not company.knows(each) for each in (before, during, after))


_STAGES: dict[Stage, Callable[[Company, Trouble, Outcome], None]] = {
    Stage.POLL: _poll,
    Stage.STREAM: _stream,
    Stage.RECHECK: _recheck,
    Stage.REPLY: _reply,
    Stage.PUBLISH: _publish,
    Stage.AMEND: _amend,
    Stage.ALERT: _tell,
    Stage.DELIVER: _tell,
    Stage.PULL: _pull,
}
