"""What the stages promise one another, each promise with a test that fails as soon as it is broken."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import pytest
from sqlalchemy import delete, insert, text, update

import policies as written
from connectors import sandbox
from connectors.sandbox import Fault
from listener.contract import Connector
from listener.desk import cases as desk
from listener.desk import customers as desk_customers
from listener.errors import Stale
from listener.flow.decide import Company
from listener.flow.pipeline import Pipeline
from listener.store import (
    Transaction,
    cases,
    customers,
    decisions,
    inbox,
    mentions,
    outbox,
    policies,
    references,
    sources,
)
from listener.store import tables as t
from listener.store.mentions import Mention
from listener.types import (
    Author,
    CasePlan,
    Cursor,
    DraftState,
    LinkBasis,
    MentionState,
    Page,
    Post,
    PostKind,
    Urgency,
    Visibility,
)
from tests.listener.flow.world import AUTO, Escucha, Keywords

# --- what goes out ---


@pytest.mark.parametrize("visibility", list(Visibility))
def test_an_answer_is_seen_by_no_more_people_than_what_it_answers(escucha: Escucha, visibility: Visibility) -> None:
    escucha.network.person("ana")
    escucha.network.post(
        "ana", "@marca todo mal", at=escucha.clock(), visibility=visibility, content_warning="comida, salud"
    )
    escucha.round()
    escucha.approve(escucha.draft())
    escucha.round()
    (ours,) = escucha.network.posts_by("marca")
    assert ours["visibility"] == visibility
    assert ours["content_warning"] == "comida, salud"


def complained(escucha: Escucha) -> Mention:
    """A heard complaint with a draft before people."""
    escucha.says("@marca todo mal")
    escucha.round()
    with escucha.store.read() as tx:
        return mentions.get(tx, escucha.draft().mention_id)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param({"revision": 2}, "edited", id="edited"),
        pytest.param({"state": MentionState.GONE.value}, "deleted by its author", id="deleted"),
    ],
)
def test_nobody_answers_what_is_no_longer_as_it_was(escucha: Escucha, change: dict[str, object], why: str) -> None:
    """Even where the draft itself was left as it is: the mention has the last word."""
    changed = update(t.mentions).where(t.mentions.c.id == complained(escucha).id).values(**change)
    with escucha.store.write() as tx:
        seen = inbox.get(tx, escucha.draft().id)
        tx.execute(changed)
        with pytest.raises(Stale, match=why):
            inbox.approve(tx, seen, by="mod", now=escucha.clock())
        tx.rollback()
    escucha.approve(escucha.draft())
    with escucha.store.write() as tx:
        (approved,) = outbox.sendable(tx, "care", escucha.clock())
        tx.execute(changed)
        assert not outbox.claim(tx, approved, escucha.clock())
    draft = escucha.draft()
    assert draft.state is DraftState.EXPIRED
    assert why in (draft.reason or "")


def test_a_reply_that_is_found_after_all_stops_the_clock(escucha: Escucha) -> None:
    escucha.network.fail("reply", Fault.ANSWER_LOST)
    escucha.says("@marca ¿horario?")
    escucha.round()
    assert escucha.draft().state is DraftState.UNKNOWN
    with escucha.store.read() as tx:
        assert [case.first_response_at for case in cases.listing(tx)] == [None]
    escucha.round()
    assert escucha.draft().state is DraftState.SENT
    with escucha.store.read() as tx:
        (case,) = cases.listing(tx)
        assert case.first_response_at == escucha.clock()
        assert cases.last_event(tx, case, "first_response")


# --- what is heard ---


class Scripted(Connector):
    """A network that answers polls with these pages, one after the other, then with nothing new."""

    facts = sandbox.FACTS
    speaks = False

    def __init__(self, *pages: Page) -> None:
        self.pages = list(pages)

    def whoami(self) -> Author:
        return Author(external_id="marca", handle="marca")

    def explain_query(self, query: str) -> str:
        return f"What is written for {query}."

    def poll(self, query: str, cursor: Cursor | None) -> Page:
        return self.pages.pop(0) if self.pages else Page(posts=(), cursor=cursor or {})


def hears(escucha: Escucha, *pages: Page) -> Pipeline:
    """The same company, on a network that has exactly these pages."""
    connector = Scripted(*pages)
    return Pipeline(
        escucha.store,
        accounts={"care": "sandbox"},
        connect=lambda _: connector,
        network_facts=lambda _: sandbox.FACTS,
        classifier=Keywords,
        policy=escucha.policy,
        company=Company(case_pattern="ES"),
        clock=escucha.clock,
    )


def test_a_gap_that_the_network_admits_is_kept(escucha: Escucha) -> None:
    pipeline = hears(escucha, Page(posts=(), cursor={"at": 1}, gap="300 posts were too old"), Page(posts=(), cursor={}))
    noticed = escucha.clock()
    pipeline.poll(["source-0"])
    pipeline.poll(["source-0"])
    with escucha.store.read() as tx:
        assert sources.gaps(tx, noticed) == [("source-0", noticed, "300 posts were too old")]
        assert sources.gaps(tx, noticed + timedelta(seconds=1)) == []


@pytest.mark.parametrize("more", [False, True])
def test_a_network_is_left_alone_for_as_long_as_it_asks(escucha: Escucha, more: bool) -> None:
    pipeline = hears(escucha, Page(posts=(), cursor={"at": 1}, more=more, retry_after=600.0))
    pipeline.poll()
    with escucha.store.read() as tx:
        assert sources.get(tx, "source-0").next_poll_at == escucha.clock() + timedelta(seconds=600)
    escucha.clock.forward(seconds=599)
    assert pipeline.poll() == []
    escucha.clock.forward(seconds=1)
    assert len(pipeline.poll()) == 1


def stored(escucha: Escucha, post: Post) -> Mention:
    with escucha.store.write() as tx:
        source = sources.get(tx, "source-0")
        mentions.save(tx, source_id=source.id, network="sandbox", posts=[post], now=escucha.clock())
        found = mentions.by_external_id(tx, "sandbox", post.external_id)
    assert found
    return found


def a_post(escucha: Escucha) -> Post:
    author = Author(external_id="ana", handle="ana")
    return Post(external_id="77", author=author, text="¿horario?", posted_at=escucha.clock())


def test_a_post_found_by_a_search_may_turn_out_to_name_us(escucha: Escucha) -> None:
    post = a_post(escucha)
    kinds = (PostKind.FOUND, PostKind.MENTION, PostKind.FOUND)
    heard = [stored(escucha, replace(post, kind=kind)).kind for kind in kinds]
    assert heard == [PostKind.FOUND, PostKind.MENTION, PostKind.MENTION]


def test_a_stage_moves_only_the_wording_that_it_read(escucha: Escucha) -> None:
    read = stored(escucha, a_post(escucha))
    newer = stored(escucha, replace(a_post(escucha), text="¿y los domingos?", edited_at=escucha.clock()))
    assert (newer.revision, newer.state) == (2, read.state), "only the revision tells them apart"
    with escucha.store.write() as tx:
        assert not mentions.advance(tx, read, MentionState.UNDERSTOOD)
        assert mentions.get(tx, read.id).state is MentionState.NEW
        assert mentions.advance(tx, newer, MentionState.UNDERSTOOD)


def test_a_deletion_takes_the_warning_and_the_earlier_wordings_too(escucha: Escucha) -> None:
    escucha.network.person("ana")
    post = escucha.network.post("ana", "@marca mal secreto-1", at=escucha.clock(), content_warning="secreto-2")
    escucha.round()
    escucha.network.edit(post, "@marca mal secreto-3", at=escucha.clock())
    escucha.round()
    with escucha.store.read() as tx:
        before = mentions.get(tx, 1)
        assert (before.content_warning, len(mentions.earlier_texts(tx, 1))) == ("secreto-2", 1)
    escucha.network.delete(post)
    escucha.round()
    with escucha.store.read() as tx:
        after = mentions.get(tx, 1)
        assert (after.state, after.text, after.content_warning) == (MentionState.GONE, "", "")
        assert mentions.earlier_texts(tx, 1) == []


# --- what is decided ---


def rules(escucha: Escucha, old: str, new: str) -> None:
    """From now on the policy says `new` where it said `old`."""
    assert old in AUTO
    escucha.policy = written.load_text(AUTO.replace(old, new))
    escucha.main = escucha.pipeline()


def held_by(escucha: Escucha, text: str, *, who: str) -> set[str]:
    """Which guards hold the answer to what `who` says now."""
    post = escucha.says(text, who=who)
    escucha.round()
    with escucha.store.read() as tx:
        mention = mentions.by_external_id(tx, "sandbox", post)
        assert mention
        decision = decisions.decisions_of(tx, mention.id)[-1]
    return {guard["guard"] for guard in decision.trace["guards"] if guard["holds"]}


def test_an_author_has_so_many_answers_a_day(escucha: Escucha) -> None:
    rules(escucha, "per_author_per_day: 5", "per_author_per_day: 1")
    assert held_by(escucha, "@marca ¿horario?", who="ana") == set()
    assert "per_author_per_day" in held_by(escucha, "@marca ¿y los lunes?", who="ana")
    assert held_by(escucha, "@marca ¿y los martes?", who="beto") == set()
    escucha.clock.forward(hours=25)
    assert held_by(escucha, "@marca ¿y los jueves?", who="ana") == set()


def test_an_hour_has_so_many_answers(escucha: Escucha) -> None:
    rules(escucha, "per_hour: 120", "per_hour: 1")
    assert held_by(escucha, "@marca ¿horario?", who="ana") == set()
    assert held_by(escucha, "@marca ¿horario?", who="beto") == {"per_hour"}
    escucha.clock.forward(minutes=61)
    assert held_by(escucha, "@marca ¿horario?", who="carla") == set()


def test_only_one_answer_a_day_goes_out_by_itself(escucha: Escucha) -> None:
    held_by(escucha, "@marca todo mal", who="ana")
    escucha.approve(escucha.draft())
    escucha.round()
    assert held_by(escucha, "@marca ¿horario?", who="ana") == set(), "a person approved the first one"
    assert held_by(escucha, "@marca ¿y los lunes?", who="ana") == {"automatic_once"}


def test_what_a_colleague_answered_on_the_network_is_not_answered_again(escucha: Escucha) -> None:
    escucha.queries = ("mentions", "horario")  # the second one hears us as well
    escucha.main = escucha.pipeline()
    post = escucha.says("@marca ¿a qué hora abren?")
    escucha.says("@marca ¿y los domingos?", who="beto")
    escucha.network.person("marca")
    escucha.network.post("marca", "@ana nuestro horario es de 9 a 5", parent=post, at=escucha.clock())
    escucha.round()
    with escucha.store.read() as tx:
        theirs = mentions.by_external_id(tx, "sandbox", post)
        assert theirs
        assert theirs.state is MentionState.DECIDED
        assert inbox.of_mention(tx, theirs.id) == []
    assert [text for parent, text in escucha.answers() if parent == post] == ["@ana nuestro horario es de 9 a 5"]
    assert len(escucha.answers()) == 2, "what nobody answered is answered"


def test_whoever_holds_an_older_policy_decides_nothing(escucha: Escucha) -> None:
    older = hears(escucha)
    escucha.says("@marca ¿horario?")
    escucha.clock.forward(seconds=11)
    escucha.main.poll()
    escucha.main.understand()
    newer = escucha.pipeline(policy=written.load_text(AUTO.replace("Hola, lo", "Buenas, lo")))
    assert older.decide() == 0
    with escucha.store.read() as tx:
        assert mentions.get(tx, 1).state is MentionState.UNDERSTOOD
        assert (decisions.decisions_of(tx, 1), cases.listing(tx)) == ([], [])
    assert escucha.drafts() == []
    assert newer.decide() == 1
    assert escucha.draft().policy_version == newer.ruler.policy.version


# --- two processes at once ---

Given = TypeVar("Given")


def at_once(escucha: Escucha, job: Callable[[Transaction, int], Given]) -> list[Given]:
    """What `job` gives in two transactions, the second of which begins before the first ends."""

    def second() -> Given:
        with escucha.store.write() as tx:
            return job(tx, 2)

    with ThreadPoolExecutor(1) as other:
        with escucha.store.write() as tx:
            first = job(tx, 1)
            waiting = other.submit(second)
            with suppress(TimeoutError):
                waiting.result(timeout=0.3)
        return [first, waiting.result(timeout=30)]


def test_of_two_policies_activated_at_once_one_rules(escucha: Escucha) -> None:
    with escucha.store.write() as tx:
        tx.execute(delete(t.policy_versions))

    def activate(tx: Transaction, number: int) -> bool:
        return policies.activate(tx, version=f"v{number}", text="…", by="test", now=escucha.clock())

    assert at_once(escucha, activate) == [True, True]
    with escucha.store.read() as tx:
        assert policies.active(tx) == "v2"
        assert [ruled.version for ruled in policies.history(tx) if ruled.until is None] == ["v2"]


def test_of_two_people_who_looked_at_the_same_policy_one_is_told_to_look_again(escucha: Escucha) -> None:
    seen = escucha.policy.version

    def activate(tx: Transaction, number: int) -> str:
        try:
            policies.expect(tx, seen)
        except Stale as error:
            return str(error)
        policies.activate(tx, version=f"v{number}", text="…", by=f"person {number}", now=escucha.clock())
        return "it rules"

    first, second = at_once(escucha, activate)
    assert first == "it rules"
    assert second.startswith("v1 was made to rule since you looked")


def test_a_case_gets_the_number_that_its_draft_names(escucha: Escucha) -> None:
    year = escucha.clock().year + 1  # whose first case it is

    def take(tx: Transaction, _number: int) -> tuple[int, int]:
        return references.next_number(tx, year), references.take_number(tx, year)

    assert at_once(escucha, take) == [(1, 1), (2, 2)]


def test_one_customer_with_two_accounts_has_one_case(escucha: Escucha) -> None:
    post = a_post(escucha)
    heard = [
        stored(escucha, replace(post, external_id=who, author=Author(external_id=who, handle=who)))
        for who in ("ana", "beto")
    ]
    now = escucha.clock()
    with escucha.store.write() as tx:
        tx.execute(
            insert(t.customers).values(reference="C-1", name="Ana", tags=[], fields={}, added_at=now, changed_at=now)
        )
        for mention in heard:
            desk_customers.link(
                tx,
                customers.get(tx, "C-1"),
                network="sandbox",
                handle=mention.author.handle,
                basis=LinkBasis.SELF_DECLARED,
                evidence="",
                linkable=True,
                by="test",
                now=now,
            )
    plan = CasePlan(team="care", urgency=Urgency.NORMAL, title="T")

    def route(tx: Transaction, number: int) -> tuple[str, bool]:
        mention = heard[number - 1]
        case, opened = desk.route(
            tx, mention, pattern="ES", plan=plan, another=False, by="mod", now=now, moved=lambda moment, **_: moment
        )
        return case.reference, opened

    (first, opened), (second, opened_too) = at_once(escucha, route)
    assert first == second
    assert (opened, opened_too) == (True, False)


def test_who_waited_to_send_leaves_no_impatience_behind(escucha: Escucha) -> None:
    with escucha.store.sole_sender("care", wait=0.05) as mine, escucha.store.sole_sender("care", wait=0.05) as too:
        assert (mine, too) == (True, False)
    if escucha.store.is_sqlite:
        return
    with ExitStack() as all_connections:
        links = [all_connections.enter_context(escucha.store.read()) for _ in range(5)]
        assert {link.scalar(text("SHOW lock_timeout")) for link in links} == {"0"}
