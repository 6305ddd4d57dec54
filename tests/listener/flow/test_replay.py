"""What was decided can be decided again, to the letter, from what is kept; what was erased is named."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update

import policies
from connectors import sandbox
from listener import situations
from listener.flow import replay
from listener.flow.decide import Company, decide
from listener.flow.replay import Lost, Past
from listener.flow.understand import understand
from listener.store import erasing, mentions, replaying, sources, tables
from listener.store.sources import Wanted
from listener.types import Author, Facts, Post, PostKind, Situation, Speaker
from tests.listener.flow.world import Escucha, Keywords
from tests.policies.situations import FACTS, GOLD, situation
from tests.policies.test_properties import situations as any_situations

TEXTS = (
    "@marca todo mal",
    "@marca ¿a qué hora abren?",
    "@marca gracias",
    "@marca no me contestes más",
    "@marca mi abogado",
)


def networks(_network: str, _account: str) -> list[Facts]:
    return [sandbox.FACTS]


def again(escucha: Escucha, *, every: bool = True) -> list[Past]:
    span = replay.whole(escucha.store, every=every)
    return list(replay.past(escucha.store, span, networks=networks))


def reproduces(escucha: Escucha, past: Past) -> bool:
    assert past.situation is not None, past.lost
    return situations.fingerprint(escucha.policy.decide(past.situation)) == past.fingerprint


def play(escucha: Escucha, rounds: Sequence[tuple[str, str, int]]) -> None:
    """Posts, edits, answers, pauses and deletions, each followed by a round of everything."""
    posts: list[str] = []
    for number, (what, text, pick) in enumerate(rounds):
        chosen = posts[pick % len(posts)] if posts else None
        if what == "edit" and chosen:
            escucha.network.edit(chosen, f"{text} {number}", at=escucha.clock())
        elif what == "delete" and chosen:
            escucha.network.delete(chosen)
            posts.remove(chosen)
        elif what == "answer" and chosen:
            posts.append(escucha.says(text, who="ana", parent=chosen))
        else:
            posts.append(escucha.says(text, who="ana" if pick % 2 else "beto"))
        for draft in escucha.drafts()[:1] if what == "approve" else []:
            if draft.state == "proposed":
                escucha.approve(draft)
        escucha.round(hours=1 + pick)


def test_every_decision_of_a_busy_day_is_reproduced_or_its_loss_is_named(escucha: Escucha) -> None:
    story = [("post", TEXTS[0], 1), ("post", TEXTS[1], 2), ("edit", TEXTS[1], 0), ("answer", TEXTS[0], 1)]
    story += [("approve", TEXTS[1], 1), ("post", TEXTS[3], 2), ("post", TEXTS[4], 3), ("delete", "", 1)]
    story += [("edit", TEXTS[2], 0), ("post", TEXTS[2], 1)]
    play(escucha, story)
    past = again(escucha)
    assert len(past) >= 9
    kept = [each for each in past if each.situation is not None]
    assert {each.lost for each in past} == {None, Lost.DELETED}
    assert all(reproduces(escucha, each) for each in kept)
    earlier = [each for each in kept if each.situation and each.situation.revision == 1]
    assert any("todo mal" in each.situation.text for each in earlier if each.situation), "its former words are found"
    newest = again(escucha, every=False)
    assert len({each.mention_id for each in newest}) == len(newest) < len(past)


@pytest.mark.slow
@settings(max_examples=8)
@given(
    rounds=st.lists(
        st.tuples(
            st.sampled_from(["post", "edit", "delete", "answer", "approve"]), st.sampled_from(TEXTS), st.integers(0, 5)
        ),
        min_size=1,
        max_size=7,
    )
)
def test_any_history_is_reproduced_or_named(
    tmp_path_factory: pytest.TempPathFactory, rounds: list[tuple[str, str, int]]
) -> None:
    escucha = Escucha(tmp_path_factory.mktemp("history"))
    try:
        play(escucha, rounds)
        for past in again(escucha):
            assert past.lost is Lost.DELETED or reproduces(escucha, past)
    finally:
        escucha.close()


def test_each_revision_is_decided_on_its_own_words(escucha: Escucha) -> None:
    post = escucha.says("@marca todo mal")
    escucha.round()
    escucha.network.edit(post, "@marca gracias, ya va", at=escucha.clock())
    escucha.round(hours=1)
    seen = [past.situation for past in again(escucha)]
    assert [(one.revision, one.text) for one in seen if one] == [(1, "@marca todo mal"), (2, "@marca gracias, ya va")]


def test_each_network_is_remembered_as_it_was(escucha: Escucha) -> None:
    def facts(network: str, _account: str) -> Facts:
        return replace(sandbox.FACTS, network=network, limit=40 if network == "short" else 500)

    names = ("short", "long")
    with escucha.store.write() as tx:
        wanted = [Wanted(name=name, account=name, network=name, query="x", every=timedelta(hours=1)) for name in names]
        sources.sync(tx, wanted, escucha.clock())
        for name in names:
            author = Author(external_id="1", handle="ana")
            post = Post(
                external_id="1", author=author, text="¿horario?", posted_at=escucha.clock(), kind=PostKind.MENTION
            )
            mentions.save(tx, source_id=sources.get(tx, name).id, network=name, posts=[post], now=escucha.clock())
    understand(escucha.store, Keywords(), limit=10, now=escucha.clock())
    company = Company(case_pattern="ES")
    while decide(escucha.store, escucha.policy, company=company, facts=facts, limit=10, now=escucha.clock()):
        pass  # a slow machine takes more than one batch
    span = replay.whole(escucha.store, every=True)

    def now(network: str, _account: str) -> list[Facts]:
        counts_otherwise = replace(sandbox.FACTS, network=network, count=lambda text: 2 * len(text))
        return [counts_otherwise] if network == "long" else [counts_otherwise, replace(sandbox.FACTS, network=network)]

    short, long = replay.past(escucha.store, span, networks=now)
    assert short.situation is not None
    assert short.situation.facts.limit == 40, "what was true then counts, not what is true now"
    assert reproduces(escucha, short)
    assert long.lost is Lost.NETWORK
    with escucha.store.read() as tx:
        assert len(tx.execute(tables.facts.select()).all()) == 2


def test_whatever_is_missing_is_named(escucha: Escucha) -> None:
    posts = [escucha.says(f"@marca todo mal {number}", who=f"p{number}") for number in range(5)]
    escucha.network.edit(posts[1], "@marca otra cosa", at=escucha.clock())
    escucha.round()
    escucha.network.edit(posts[1], "@marca y otra", at=escucha.clock())
    escucha.round()
    with escucha.store.write() as tx:
        found = [mentions.by_external_id(tx, "sandbox", post) for post in posts]
        ids = [each.id for each in found if each is not None]
        tx.execute(delete(tables.revisions).where(tables.revisions.c.mention_id == ids[1]))
        tx.execute(delete(tables.understandings).where(tables.understandings.c.mention_id == ids[2]))
        tx.execute(update(tables.decisions).where(tables.decisions.c.mention_id == ids[3]).values(saw={"kind": "odd"}))
        erasing.erase(tx, network="sandbox", external_ids=[posts[4]], now=escucha.clock())
    lost = {(past.mention_id, past.lost) for past in again(escucha)}
    assert {each for each in lost if each[1]} == {
        (ids[1], Lost.TEXT),
        (ids[2], Lost.UNDERSTANDING),
        (ids[3], Lost.SITUATION),
        (ids[4], Lost.DELETED),
    }


def test_an_erased_mention_leaves_nothing_of_its_situation(escucha: Escucha) -> None:
    post = escucha.says("@marca todo mal")
    escucha.round()
    escucha.network.delete(post)
    escucha.round()
    with escucha.store.read() as tx:
        (row,) = tx.execute(tables.decisions.select()).all()
    assert (row.saw, row.fingerprint) == (None, None)


def test_pages_and_pieces_give_each_decision_once(escucha: Escucha, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        escucha.says(f"@marca gracias {number}", who=f"p{number}")
    escucha.round()
    monkeypatch.setattr(replay, "PAGE", 2)
    span = replay.whole(escucha.store, every=False)
    with escucha.store.read() as tx:
        assert replaying.count(tx, span) == 7
        ends = replaying.ends(tx, span, 3)
        assert replaying.count(tx, replaying.newest(tx, span, 2)) == 2
    pieces = [replace(span, after=after, last=last) for after, last in zip([span.after, *ends], ends, strict=False)]
    found = [past.decision_id for piece in pieces for past in replay.past(escucha.store, piece, networks=networks)]
    assert found == sorted(set(found))
    assert len(found) == 7
    late = replay.whole(escucha.store, since=escucha.clock() + timedelta(hours=1), every=True)
    assert list(replay.past(escucha.store, late, networks=networks)) == []


def test_replaying_writes_nothing(escucha: Escucha) -> None:
    escucha.says("@marca ¿horario?")
    escucha.round()

    def rows() -> dict[str, int]:
        with escucha.store.read() as tx:
            return {name: len(tx.execute(table.select()).all()) for name, table in tables.metadata.tables.items()}

    before, drafts = rows(), escucha.drafts()
    assert all(reproduces(escucha, past) for past in again(escucha))
    assert rows() == before
    assert escucha.drafts() == drafts


RICH = situation(
    customer=replace(GOLD, fields={"plan": "gold", "arrears": "30,50"}),
    broke="the money is spent",
    terms=("#iberia", '"iberia express"'),
    same_text_by_others=3,
    stranger=True,
    author__complaints_last_30_days=4,
    author__verified=False,
    author__unsolved_complaints=2,
    author__mentions_last_10_minutes=3,
    author__same_text_last_day=4,
    author__quick_replies_last_day=5,
    thread__last_speaker=Speaker.COLLEAGUE,
    thread__answered_by_colleague=True,
    thread__repliers=("luisa", "beto"),
    sends__last_day=6,
    sends__by_rule_last_day={"thanks": 7},
    sends__by_wording_last_day={"0123456789ab": 8},
    sends__wordings_before=("0123456789ab",),
    teams__live_cases={"care": 10, "second line": 1},
)


@settings(max_examples=40)
@given(any_situations())
@example(RICH)
def test_any_situation_survives_being_kept(seen: Situation) -> None:
    values = situations.kept(seen)
    found = situations.rebuilt(
        json.dumps(values),
        now=seen.now,
        mention_id=seen.mention_id,
        revision=seen.revision,
        network=seen.network,
        posted_at=seen.posted_at,
        text=seen.text,
        content_warning=seen.content_warning,
        understanding=seen.understanding,
        facts=seen.facts,
    )
    assert found == seen
    facts = situations.rebuilt_facts(_plain(situations.kept_facts(seen.facts)), seen.facts)
    assert facts == seen.facts


def test_all_of_a_situation_is_kept_here_or_elsewhere() -> None:
    seen = situation(customer=GOLD)
    assert set(situations.kept(seen)) | situations.ELSEWHERE == {*asdict(replace(seen, facts=None))}  # type: ignore[arg-type]
    assert situations.kept(seen)["customer"]["tier"] == "gold"


def test_a_fingerprint_is_of_every_word() -> None:
    policy = policies.load(policies.default_path())
    one = policy.decide(situation("Sigo sin internet", "complaint"))
    assert situations.fingerprint(one) == situations.fingerprint(
        policy.decide(situation("Sigo sin internet", "complaint"))
    )
    assert situations.fingerprint(one) != situations.fingerprint(replace(one, tags=("x",)))
    others = [replace(one, rules=one.rules[:-1]), replace(one, guards=one.guards[::-1])]
    for place, rule in enumerate(one.rules):
        changed = replace(rule, saw=f"{rule.saw} and more")
        others.append(replace(one, rules=(*one.rules[:place], changed, *one.rules[place + 1 :])))
    for place, guard in enumerate(one.guards):
        changed_guard = replace(guard, reason=f"{guard.reason} and more")
        others.append(replace(one, guards=(*one.guards[:place], changed_guard, *one.guards[place + 1 :])))
    prints = {situations.fingerprint(each) for each in (one, *others)}
    assert len(prints) == 1 + len(others)
    assert FACTS.network == "mastodon"


def test_a_guard_that_came_later_and_lets_pass_changes_no_fingerprint() -> None:
    policy = policies.load(policies.default_path())
    one = policy.decide(situation("Sigo sin internet", "complaint"))
    before = replace(one, guards=tuple(guard for guard in one.guards if guard.guard != "stranger"))
    assert len(before.guards) == len(one.guards) - 1
    assert situations.fingerprint(before) == situations.fingerprint(one)
    held = policy.decide(situation("Sigo sin internet", "complaint", stranger=True))
    assert situations.fingerprint(held) != situations.fingerprint(one)


def test_a_situation_that_was_kept_before_there_were_strangers_is_the_same() -> None:
    seen = situation(customer=GOLD)
    values = situations.kept(seen)
    del values["stranger"]
    elsewhere = {name: getattr(seen, name) for name in situations.ELSEWHERE}
    assert situations.rebuilt(json.dumps(values), **elsewhere) == seen


def _plain(values: dict[str, object]) -> dict[str, object]:
    found: dict[str, object] = json.loads(json.dumps(values))
    return found


def test_shares_shadows_and_colleagues_come_out_the_same(escucha: Escucha) -> None:
    text = escucha.policy.text.replace("per_hour: 120", "per_hour: 120, colleagues: {sandbox: [luisa]}")
    shadow = """rules:
  - name: shadow
    when: {thread.answered_by_colleague: true}
    then: {tags: [by a colleague]}
    shadow: true
  - name: share
    when: {intents: [complaint], thread.last_speaker: nobody}
    then: {reply: {template: answer, mode: {auto: 25%}}, tags: [shared]}
"""
    assert "rules:\n" in text
    escucha.policy = policies.load_text(text.replace("rules:\n", shadow, 1))
    escucha.queries = ("mentions", "horario")
    escucha.main = escucha.pipeline()
    for number in range(6):
        escucha.clock.forward(minutes=1)
        post = escucha.says(f"@marca todo mal {number}", who=f"p{number}")
        escucha.clock.forward(seconds=5)
        escucha.says("el horario es otro", who="luisa" if number % 2 else "beto", parent=post)
    escucha.round()
    past = again(escucha)
    assert all(reproduces(escucha, each) for each in past)
    with escucha.store.read() as tx:
        traces = [row.trace for row in tx.execute(tables.decisions.select())]
    outcomes = {rule["outcome"] for trace in traces for rule in trace["rules"]}
    drawn = {rule["saw"].rpartition(": ")[2] for trace in traces for rule in trace["rules"] if "drew" in rule["saw"]}
    assert {"shadow", "matched"} <= outcomes
    assert drawn == {"may go out alone", "a person sees it"}
