"""One mention through every stage, and what must hold on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

import policies
from connectors import sandbox
from connectors.sandbox import Fault
from listener.errors import AlreadyDone, Stale
from listener.flow.decide import Company
from listener.flow.pipeline import Pipeline
from listener.store import audit, cases, decisions, inbox, mentions, outbox, sources, stats, switch
from listener.store.sources import Wanted
from listener.types import (
    Author,
    CaseState,
    Cursor,
    DraftState,
    Media,
    MentionState,
    Page,
    Post,
    PostKind,
    Rechecked,
)
from tests import databases
from tests.listener.flow.world import AUTO, Escucha, Keywords


def test_a_question_is_answered_once_in_its_thread_with_its_case(escucha: Escucha) -> None:
    post = escucha.says("@marca ¿a qué hora abren?")
    escucha.round()
    escucha.round()
    ((parent, text),) = escucha.answers()
    assert parent == post
    draft = escucha.draft()
    assert draft.state is DraftState.SENT
    assert draft.case_reference
    assert draft.case_reference in text
    assert (draft.automatic, draft.decided_by) == (True, "rule question")
    with escucha.store.read() as tx:
        case = cases.get(tx, draft.case_reference)
        assert case.first_response_at is not None
        (decision,) = decisions.decisions_of(tx, draft.mention_id)
    assert decision.policy_version == escucha.policy.version
    assert [rule["outcome"] for rule in decision.trace["rules"]] == ["failed", "matched"]


def test_the_rule_that_asked_for_the_reply_approves_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    first = "rules:\n  - {name: every, then: {tags: [x]}, continue: true}\n"
    escucha = Escucha(tmp_path_factory.mktemp("two"), policy=AUTO.replace("rules:\n", first))
    escucha.says("@marca ¿a qué hora abren?")
    escucha.round()
    assert escucha.draft().decided_by == "rule question"
    escucha.close()


def test_a_complaint_waits_for_a_person(escucha: Escucha) -> None:
    escucha.says("@marca todo mal")
    escucha.round()
    assert escucha.answers() == []
    escucha.approve(escucha.draft())
    escucha.round()
    assert len(escucha.answers()) == 1


def test_a_second_post_joins_the_open_case(escucha: Escucha) -> None:
    escucha.says("@marca ¿horario?")
    escucha.says("@marca ¿y los domingos?")
    escucha.says("@marca ¿y yo?", who="beto")
    escucha.round()
    with escucha.store.read() as tx:
        listed = cases.listing(tx)
        sizes = sorted(len(cases.mentions_in(tx, case)) for case in listed)
    assert sizes == [1, 2]


def test_an_edit_is_read_again_and_withdraws_the_draft(escucha: Escucha) -> None:
    post = escucha.says("@marca todo mal")
    escucha.round()
    first = escucha.draft()
    escucha.network.edit(post, "@marca peor: sigue mal", at=escucha.clock())
    escucha.round()
    newest, oldest = sorted(escucha.drafts(), key=lambda draft: -draft.id)
    assert (oldest.id, oldest.state, oldest.reason) == (first.id, DraftState.EXPIRED, "the mention was edited")
    assert (newest.state, newest.revision) == (DraftState.PROPOSED, 2)
    with escucha.store.read() as tx:
        assert [text for _, text, _ in mentions.earlier_texts(tx, first.mention_id)] == ["@marca todo mal"]
    with pytest.raises(AlreadyDone, match="expired"):
        escucha.approve(escucha.drafts(DraftState.EXPIRED)[0])


def test_an_edit_just_before_the_send_is_noticed(escucha: Escucha) -> None:
    post = escucha.says("@marca todo mal")
    escucha.round()
    escucha.approve(escucha.draft())
    escucha.network.edit(post, "@marca ya está, gracias", at=escucha.clock())
    escucha.clock.forward(seconds=1)
    escucha.main.act()  # no poll in between
    assert escucha.answers() == []
    assert escucha.draft().state is DraftState.EXPIRED


def test_deleted_there_is_deleted_here(escucha: Escucha) -> None:
    post = escucha.says("@marca todo mal secreto-123")
    escucha.round()
    draft = escucha.draft()
    with escucha.store.write() as tx:
        inbox.edit(tx, draft, text="sobre secreto-123", length=17, by="mod", now=escucha.clock())
        inbox.shown(tx, inbox.get(tx, draft.id), to="mod", now=escucha.clock())
    escucha.network.delete(post)
    escucha.round()
    with escucha.store.read() as tx:
        mention = mentions.get(tx, draft.mention_id)
        assert (mention.state, mention.text, mention.media) == (MentionState.GONE, "", ())
        assert decisions.understanding_of(tx, mention.id) is None
        (kept,) = decisions.decisions_of(tx, mention.id)
        assert kept.trace["erased"] is True
        actions = [entry.action for entry in audit.about(tx, f"mention {mention.id}", f"draft {draft.id}")]
    assert "mention.deleted" in actions
    escucha.store.close()
    assert b"secreto-123" not in databases.content(escucha.folder)


def test_a_post_deleted_between_approval_and_send_is_not_answered(escucha: Escucha) -> None:
    post = escucha.says("@marca todo mal")
    escucha.round()
    escucha.approve(escucha.draft())
    escucha.network.delete(post)
    escucha.main.act()
    assert escucha.answers() == []
    assert escucha.draft().state is DraftState.EXPIRED


@pytest.mark.parametrize("fault", [Fault.ANSWER_LOST, Fault.NEVER_ARRIVED])
def test_an_unknown_outcome_is_looked_for_never_repeated_blindly(escucha: Escucha, fault: Fault) -> None:
    escucha.network.fail("reply", fault)
    escucha.forgets_keys()
    escucha.says("@marca ¿horario?")
    escucha.round()
    assert escucha.draft().state is DraftState.UNKNOWN
    escucha.round()
    escucha.round()
    assert escucha.draft().state is DraftState.SENT
    assert len(escucha.answers()) == 1


def test_an_outcome_no_look_can_tell_waits_for_a_person(escucha: Escucha) -> None:
    escucha.network.fail("reply", Fault.NEVER_ARRIVED)
    escucha.network.fail("find_reply", Fault.NEVER_ARRIVED, times=50)
    escucha.says("@marca ¿horario?")
    for _ in range(4):
        escucha.round()
    draft = escucha.draft()
    assert draft.state is DraftState.UNKNOWN
    with escucha.store.write() as tx:
        inbox.settle_by_hand(tx, draft, was_sent=False, by="mod", now=escucha.clock())
    assert escucha.draft().state is DraftState.FAILED


@pytest.mark.parametrize(
    ("fault", "state", "rests"),
    [
        (Fault.RATE_LIMITED, DraftState.APPROVED, 20),
        (Fault.UNAVAILABLE, DraftState.APPROVED, 30),
        (Fault.AUTH_FAILED, DraftState.APPROVED, 300),
        (Fault.REJECTED, DraftState.FAILED, None),
    ],
)
def test_a_refused_send_is_written_down_and_the_rest_waits(
    escucha: Escucha, fault: Fault, state: DraftState, rests: int | None
) -> None:
    """`rests`: for so many seconds at least nothing goes out on the account."""
    escucha.network.fail("reply", fault, seconds=20)
    escucha.says("@marca ¿horario?")
    escucha.round()
    assert escucha.draft().state is state
    assert escucha.answers() == []
    if rests is not None:
        escucha.round(seconds=rests - 1)
        assert escucha.answers() == [], "the account rests first"
        escucha.round(minutes=6)
        assert len(escucha.answers()) == 1


def test_pause_holds_and_resume_lets_go(escucha: Escucha) -> None:
    with escucha.store.write() as tx:
        switch.pause(tx, network=None, by="boss", reason="", now=escucha.clock())
    escucha.says("@marca todo mal")
    escucha.round()
    escucha.approve(escucha.draft())
    escucha.round()
    assert escucha.answers() == []
    with escucha.store.write() as tx:
        assert switch.resume(tx, network=None, by="boss", now=escucha.clock())
    escucha.round()
    assert len(escucha.answers()) == 1


def test_while_paused_nothing_is_approved_by_a_rule(escucha: Escucha) -> None:
    with escucha.store.write() as tx:
        switch.pause(tx, network="sandbox", by="boss", reason="", now=escucha.clock())
    escucha.says("@marca ¿horario?")
    escucha.round()
    assert escucha.draft().state is DraftState.PROPOSED


def test_a_new_policy_puts_approved_drafts_before_people_again(escucha: Escucha) -> None:
    escucha.says("@marca todo mal")
    escucha.round()
    escucha.approve(escucha.draft())
    newer = escucha.pipeline(policy=policies.load_text(AUTO.replace("Hola, lo", "Buenas, lo")))
    escucha.clock.forward(seconds=1)
    newer.act()
    assert escucha.answers() == []
    draft = escucha.draft()
    assert (draft.state, draft.policy_version) == (DraftState.PROPOSED, newer.ruler.policy.version)
    escucha.approve(draft)
    newer.act()
    assert len(escucha.answers()) == 1


def test_an_approval_under_an_old_policy_is_refused_and_shown_again(escucha: Escucha) -> None:
    escucha.says("@marca todo mal")
    escucha.round()
    draft = escucha.draft()
    escucha.pipeline(policy=policies.load_text(AUTO + "# changed\n"))
    with pytest.raises(Stale, match="policy"):
        escucha.approve(draft)
    with escucha.store.write() as tx:
        shown_again = inbox.rebind(tx, draft, by="mod", now=escucha.clock())
    escucha.approve(shown_again)


def test_a_colleagues_edit_makes_the_other_approval_stale(escucha: Escucha) -> None:
    escucha.says("@marca todo mal")
    escucha.round()
    seen = escucha.draft()
    with escucha.store.write() as tx:
        inbox.edit(tx, seen, text="otra cosa", length=9, by="otro", now=escucha.clock())
    with pytest.raises(Stale, match="otro"):
        escucha.approve(seen)


def test_a_failing_source_backs_off_and_comes_back(escucha: Escucha) -> None:
    escucha.network.fail("poll", Fault.UNAVAILABLE, times=2)
    escucha.says("@marca ¿horario?")
    escucha.round()
    escucha.main.poll(["source-0"])
    with escucha.store.read() as tx:
        source = sources.get(tx, "source-0")
    assert (source.failures, source.last_error) == (2, "the sandbox does not answer")
    assert source.next_poll_at > escucha.clock()
    escucha.round(minutes=2)
    with escucha.store.read() as tx:
        assert sources.get(tx, "source-0").failures == 0
        assert stats.counts(tx).mentions["decided"] == 1


def test_lost_credentials_pause_only_that_source(tmp_path_factory: pytest.TempPathFactory) -> None:
    escucha = Escucha(tmp_path_factory.mktemp("two"), queries=("mentions", "horario"))
    escucha.network.fail("poll", Fault.AUTH_FAILED)
    escucha.says("@marca ¿horario?")
    escucha.round()
    with escucha.store.read() as tx:
        paused = [source.name for source in sources.list_all(tx) if source.paused]
        heard = stats.counts(tx).mentions["decided"]
    assert (len(paused), heard) == (1, 1)
    escucha.round(hours=2)
    with escucha.store.read() as tx:
        assert [source.name for source in sources.list_all(tx) if source.paused] == paused, "only a person resumes it"
    escucha.close()


def test_a_poisonous_mention_is_set_aside_and_the_rest_goes_on(escucha: Escucha) -> None:
    escucha.says("@marca poison")
    escucha.says("@marca ¿horario?", who="beto")
    escucha.round()
    with escucha.store.read() as tx:
        counts = stats.counts(tx)
        first = mentions.get(tx, 1)
    assert (counts.troubled, counts.mentions["decided"]) == (1, 1)
    assert first.trouble == "understand: the model cannot read it"


def test_our_own_posts_are_never_answered(tmp_path_factory: pytest.TempPathFactory) -> None:
    escucha = Escucha(tmp_path_factory.mktemp("own"), queries=("horario",))
    escucha.network.person("marca")
    escucha.network.post("marca", "nuestro horario cambia", at=escucha.clock())
    escucha.says("otro horario, dicho por nuestra cuenta oficial", who="oficial")
    escucha.round()
    assert escucha.drafts() == []
    assert len(escucha.answers()) == 1, "our own post, and nothing under it"
    escucha.close()


@pytest.mark.parametrize(
    ("handle", "url", "ours"),
    [
        pytest.param("marca@uno.example", None, True, id="the full name"),
        pytest.param("Marca", "https://uno.example/@Marca", True, id="the short name at home"),
        pytest.param("marca", "https://otro.example/@marca", False, id="the short name elsewhere"),
        pytest.param("marca@otro.example", "https://otro.example/@marca", False, id="another host"),
        pytest.param("marca", None, False, id="a short name from nowhere"),
        pytest.param("corta", "https://otro.example/@corta", True, id="our own short name, as written"),
    ],
)
def test_nobody_passes_for_us_with_half_a_name(handle: str, url: str | None, ours: bool) -> None:
    company = Company(case_pattern="ES", own_handles=frozenset({"@marca@uno.example", "@corta"}))
    assert company.is_ours(Author(external_id="1", handle=handle, url=url)) is ours


def test_two_processes_share_the_work_and_never_double(escucha: Escucha) -> None:
    other = escucha.pipeline()
    escucha.forgets_keys()
    for n in range(12):
        escucha.says(f"@marca ¿pregunta {n}?", who=f"p{n}")
    escucha.clock.forward(seconds=11)
    for stage in ("poll", "understand", "understand", "decide", "decide", "act", "act"):
        getattr(escucha.main, stage)()
        getattr(other, stage)()
    parents = [parent for parent, _ in escucha.answers()]
    assert len(parents) == len(set(parents)) == 12


def test_cases_follow_their_states(escucha: Escucha) -> None:
    escucha.says("@marca ¿horario?")
    escucha.round()
    from listener.desk import cases as desk

    with escucha.store.write() as tx:
        (case,) = cases.listing(tx)
        case = desk.move(
            tx, case, CaseState.RESOLVED, by="mod", now=escucha.clock(), moved=escucha.policy.promises.moved
        )
    assert case.completeness == 100
    escucha.says("@marca ¿otra vez?")
    escucha.round()
    with escucha.store.read() as tx:
        (again,) = cases.listing(tx)
        assert again.reference == case.reference, "a follow-up within the reopen window reopens what was resolved"
        assert [event.kind for event in cases.events_of(tx, again)].count("reopened") == 1
        assert (again.resolved_at, again.completeness) == (None, 0)
    with escucha.store.write() as tx:
        desk.move(tx, again, CaseState.CLOSED, by="mod", now=escucha.clock(), moved=escucha.policy.promises.moved)
    escucha.clock.forward(days=15)
    escucha.says("@marca ¿otra vez?")
    escucha.round()
    with escucha.store.read() as tx:
        (later,) = cases.listing(tx)
        assert later.reference != case.reference, "after it, a new one opens"


def test_a_repeated_page_changes_nothing(escucha: Escucha) -> None:
    escucha.says("@marca ¿horario?")
    escucha.round()
    with escucha.store.write() as tx:
        source = sources.get(tx, "source-0")
        sources.succeeded(
            tx, source, cursor={"change": 0}, next_poll_at=escucha.clock(), new_mentions=0, now=escucha.clock()
        )
    escucha.round()
    with escucha.store.read() as tx:
        assert stats.counts(tx).mentions["decided"] == 1
    assert len(escucha.answers()) == 1


def test_the_recheck_finds_what_polls_do_not_show(escucha: Escucha) -> None:
    post = escucha.says("@marca todo mal")
    escucha.round()
    with escucha.store.write() as tx:
        sources.pause(tx, "source-0", by="mod", reason="", now=escucha.clock())
    escucha.network.delete(post)
    escucha.clock.forward(**{"minutes": 11})
    assert escucha.main.recheck() == 1
    assert escucha.draft().state is DraftState.EXPIRED


def test_an_hour_lost_by_the_clock_stalls_nothing(escucha: Escucha) -> None:
    escucha.round()
    escucha.clock.forward(hours=-1)
    escucha.says("@marca ¿horario?")
    escucha.round()
    with escucha.store.read() as tx:
        source = sources.get(tx, "source-0")
    assert source.next_poll_at - escucha.clock() <= timedelta(hours=1)
    escucha.round(hours=1, seconds=12)
    assert len(escucha.answers()) == 1


def test_what_no_database_takes_is_stored_all_the_same(escucha: Escucha) -> None:
    bad = "\x00\ud800\u202e" + "x" * 400
    author = Author(external_id=bad, handle=bad, display_name=bad, url=f"https://x.example/{bad}")
    post = Post(
        external_id=f"id{bad}",
        author=author,
        text=f"¿horario? {bad}" + "y" * 1_000_000,
        posted_at=escucha.clock(),
        url=f"https://x.example/{bad}",
        content_warning=bad,
        language=bad,
        parent_id=bad,
        thread_id=bad,
        media=(Media(kind=bad, url=bad, alt=bad),),
        raw={bad: [bad]},
    )
    for _ in range(2):
        with escucha.store.write() as tx:
            source = sources.get(tx, "source-0")
            saved = mentions.save(tx, source_id=source.id, network="sandbox", posts=[post], now=escucha.clock())
    assert (saved.new, saved.edited, saved.repeated) == ((), (), 1), "the second time it is known, and no edit"
    escucha.main.digest()
    with escucha.store.read() as tx:
        assert mentions.get(tx, 1).state is MentionState.DECIDED


@pytest.mark.parametrize("bad", ["javascript:alert(1)", "https://evil.example/|bank.example", "https://[", ""])
def test_of_the_addresses_that_come_only_clean_ones_stay(escucha: Escucha, bad: str) -> None:
    for number, url in enumerate((bad, "https://x.example/@ana/1")):
        post = Post(
            external_id=f"p{number}",
            author=Author(external_id=f"a{number}", handle="ana", url=url),
            text="@marca ¿horario?",
            posted_at=escucha.clock(),
            url=url,
            media=(Media(kind="image", url=url, alt="la luz"),),
        )
        for _ in range(2):
            with escucha.store.write() as tx:
                source = sources.get(tx, "source-0")
                saved = mentions.save(tx, source_id=source.id, network="sandbox", posts=[post], now=escucha.clock())
        assert (saved.new, saved.edited, saved.repeated) == ((), (), 1), "the second time it is known, and no edit"
    escucha.main.digest()
    with escucha.store.read() as tx:
        left, kept = mentions.get(tx, 1), mentions.get(tx, 2)
    assert (left.url, left.author.url, left.media) == (None, None, (Media(kind="image", url="", alt="la luz"),))
    assert {kept.url, kept.author.url, kept.media[0].url} == {url}
    assert {left.state, kept.state} == {MentionState.DECIDED}


@pytest.mark.parametrize("fault", [Fault.NEVER_ARRIVED, Fault.RATE_LIMITED, Fault.REJECTED])
def test_who_edits_while_a_reply_is_on_its_way_is_not_forgotten(escucha: Escucha, fault: Fault) -> None:
    post = escucha.says("@marca ¿horario?")
    escucha.clock.forward(seconds=11)
    escucha.main.poll()
    escucha.main.digest()
    (draft,) = escucha.drafts(DraftState.APPROVED)
    with escucha.store.write() as tx:
        assert outbox.claim(tx, draft, escucha.clock())
    escucha.network.edit(post, "@marca ¿horario del domingo?", at=escucha.clock())
    escucha.clock.forward(seconds=11)
    escucha.main.poll()
    escucha.main.digest()  # decided while the old answer is under way
    with escucha.store.write() as tx:
        if fault is Fault.NEVER_ARRIVED:
            outbox.unknown(tx, draft, "lost", escucha.clock())
        elif fault is Fault.RATE_LIMITED:
            outbox.not_sent(tx, draft, "slow down", escucha.clock())
        else:
            outbox.failed(tx, draft, "no", escucha.clock())
    for _ in range(4):
        escucha.round(minutes=2)
    assert [draft.revision for draft in escucha.drafts(DraftState.SENT)] == [2]
    assert len(escucha.answers()) == 1


def test_a_post_that_turns_out_to_address_us_is_decided_again(tmp_path_factory: pytest.TempPathFactory) -> None:
    escucha = Escucha(tmp_path_factory.mktemp("again"), queries=("horario", "mentions"))
    escucha.says("@marca horario gracias")
    escucha.clock.forward(seconds=11)
    escucha.main.poll(["source-0"])
    with escucha.store.write() as tx:
        mention = mentions.get(tx, 1)
        post = Post(
            external_id=mention.external_id, author=mention.author, text=mention.text, posted_at=mention.posted_at
        )
        tx.exec_driver_sql("UPDATE mentions SET kind = 'found'")
    escucha.main.digest()
    for _ in range(2):
        with escucha.store.write() as tx:
            source = sources.get(tx, "source-1")
            mentions.save(
                tx,
                source_id=source.id,
                network="sandbox",
                posts=[replace(post, kind=PostKind.MENTION)],
                now=escucha.clock(),
            )
    with escucha.store.read() as tx:
        mention = mentions.get(tx, 1)
    assert (mention.state, mention.kind, mention.source) == (MentionState.UNDERSTOOD, PostKind.MENTION, "source-1")
    escucha.main.digest()
    with escucha.store.read() as tx:
        assert len(decisions.decisions_of(tx, 1)) == 2
    escucha.close()


def test_a_draft_that_fails_after_the_deletion_is_emptied_too(escucha: Escucha) -> None:
    post = escucha.says("@marca todo mal")
    escucha.round()
    escucha.approve(escucha.draft())
    (draft,) = escucha.drafts(DraftState.APPROVED)
    with escucha.store.write() as tx:
        inbox.shown(tx, draft, to="mod", now=escucha.clock())
        outbox.claim(tx, draft, escucha.clock())
    escucha.network.delete(post)
    escucha.clock.forward(seconds=11)
    escucha.main.poll()
    assert escucha.draft().text, "still needed to look for it"
    with escucha.store.write() as tx:
        outbox.failed(tx, draft, "it is gone", escucha.clock())
        assert inbox.view_of(tx, draft.id, "mod") is None
    assert (escucha.draft().state, escucha.draft().text) == (DraftState.FAILED, "")


def test_a_colleagues_rewording_while_the_sender_is_busy_is_no_bug(escucha: Escucha) -> None:
    escucha.says("@marca todo mal")
    escucha.round()
    escucha.approve(escucha.draft())
    (stale,) = escucha.drafts(DraftState.APPROVED)
    with escucha.store.write() as tx:
        inbox.edit(tx, stale, text="otra cosa", length=9, by="otro", now=escucha.clock())
    escucha.approve(escucha.draft())
    with escucha.store.write() as tx:
        assert not outbox.claim(tx, stale, escucha.clock())
    assert escucha.draft().state is DraftState.APPROVED


class _Broken(sandbox.Sandbox):
    """A connector with a bug in every ability."""

    def poll(self, query: str, cursor: Cursor | None) -> Page:
        raise KeyError("poll")

    def recheck(self, external_ids: Sequence[str]) -> Rechecked:
        raise KeyError("recheck")


def test_a_bug_in_one_connector_stops_no_other_account(escucha: Escucha) -> None:
    world = sandbox.Settings(world=escucha.folder / "world.db")
    both = Pipeline(
        escucha.store,
        accounts={"broken": "sandbox", "care": "sandbox"},
        connect=lambda name: _Broken(world) if name == "broken" else sandbox.connect(world),
        network_facts=lambda _: sandbox.FACTS,
        classifier=Keywords,
        policy=escucha.policy,
        company=Company(case_pattern="ES"),
        clock=escucha.clock,
    )
    wanted = [
        Wanted(name=name, account=name, network="sandbox", query="mentions", every=timedelta(seconds=10))
        for name in ("broken", "care")
    ]
    both.start(wanted, by="test")
    escucha.says("@marca ¿horario?")
    escucha.clock.forward(seconds=11)
    both.once()
    assert len(escucha.answers()) == 1
    with escucha.store.read() as tx:
        assert sources.get(tx, "broken").last_error == "a bug in the connector: KeyError"
        assert sources.get(tx, "care").failures == 0


def test_a_page_that_cannot_be_stored_is_a_failure_of_its_source(escucha: Escucha) -> None:
    class Strange(sandbox.Sandbox):
        def poll(self, query: str, cursor: Cursor | None) -> Page:
            page = super().poll(query, cursor)
            return replace(page, posts=tuple(replace(post, text=7) for post in page.posts))  # type: ignore[arg-type]

    settings = sandbox.Settings(world=escucha.folder / "world.db")
    strange = Pipeline(
        escucha.store,
        accounts={"care": "sandbox"},
        connect=lambda _: Strange(settings),
        network_facts=lambda _: sandbox.FACTS,
        classifier=Keywords,
        policy=escucha.policy,
        company=Company(case_pattern="ES"),
        clock=escucha.clock,
    )
    escucha.says("@marca ¿horario?")
    escucha.clock.forward(seconds=11)
    strange.poll()
    with escucha.store.read() as tx:
        assert sources.get(tx, "source-0").failures == 1
    escucha.round(minutes=5)
    assert len(escucha.answers()) == 1, "nothing of it was lost"


def test_absurd_counts_are_kept_within_what_a_column_holds(escucha: Escucha) -> None:
    author = Author(external_id="1", handle="x", followers=10**30)
    post = Post(external_id="1", author=author, text="hola", posted_at=escucha.clock())
    with escucha.store.write() as tx:
        source = sources.get(tx, "source-0")
        mentions.save(tx, source_id=source.id, network="sandbox", posts=[post], now=escucha.clock())
    with pytest.raises(ValueError, match="no time zone"):
        Author(external_id="1", handle="x", created_at=datetime(2026, 1, 1))  # noqa: DTZ001
