"""What the guard is told by the store: counts, habits, colleagues, money, and what changed on the network meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

import policies
from listener.budget import Allowance
from listener.desk.purse import Purse
from listener.store import authors, decisions, inbox, mentions, spending
from listener.types import Charge, DraftState
from tests.listener.flow.world import AUTO, Escucha

TWO_WORDINGS = AUTO.replace(
    'es: ["Hola, lo vemos en {{ case.reference }}."]',
    'es: ["Hola, lo vemos en {{ case.reference }}.", "Buenas: {{ case.reference }} es tu caso."]',
)


def rules(escucha: Escucha, policy: str, guard: str = "") -> None:
    """From now on that policy rules, with this in its guard as well."""
    assert "per_hour: 120" in policy
    escucha.policy = policies.load_text(policy.replace("per_hour: 120", f"per_hour: 120{guard}"))
    escucha.main = escucha.pipeline()


def decided(escucha: Escucha, post: str) -> dict[str, Any]:
    """The trace of the newest decision about that post."""
    with escucha.store.read() as tx:
        mention = mentions.by_external_id(tx, "sandbox", post)
        assert mention
        return decisions.decisions_of(tx, mention.id)[0].trace


def asks(escucha: Escucha, who: str, text: str = "@marca ¿horario?", parent: str | None = None) -> set[str]:
    """Which guards hold the answer to what `who` says now."""
    post = escucha.says(text, who=who, parent=parent)
    escucha.round()
    return {guard["guard"] for guard in decided(escucha, post)["guards"] if guard["holds"] or guard["forbids"]}


@pytest.mark.parametrize("cap", ["per_day", "per_rule_per_day"])
def test_a_day_has_so_many_answers_in_all_and_by_one_rule(escucha: Escucha, cap: str) -> None:
    rules(escucha, AUTO, f", {cap}: 2")
    assert asks(escucha, "ana") == set()
    escucha.clock.forward(hours=2)
    assert asks(escucha, "beto") == set()
    assert asks(escucha, "carla") == {cap}
    escucha.clock.forward(hours=23)
    assert asks(escucha, "dora") == set(), "the first one was said more than a day ago"


def test_what_another_rule_answered_counts_towards_no_rules_cap(escucha: Escucha) -> None:
    rules(escucha, AUTO, ", per_rule_per_day: 1")
    asks(escucha, "ana", "@marca todo mal")
    escucha.approve(escucha.draft())
    escucha.round()
    assert asks(escucha, "beto") == set()
    assert asks(escucha, "carla") == {"per_rule_per_day"}


def test_one_wording_goes_to_so_many_people_and_an_edited_one_is_another(escucha: Escucha) -> None:
    rules(escucha, AUTO, ", per_wording_per_day: 1")
    asks(escucha, "ana", "@marca todo mal")
    draft = escucha.draft()
    with escucha.store.write() as tx:
        edited = inbox.edit(tx, draft, text="Con otras palabras", length=18, by="mod", now=escucha.clock())
        inbox.approve(tx, edited, by="mod", now=escucha.clock())
    escucha.round()
    assert asks(escucha, "beto") == set()
    assert asks(escucha, "carla") == {"duplicate"}
    assert asks(escucha, "beto", "@marca ¿y los lunes?") >= {"automatic_once"}


def test_wordings_take_turns_and_nobody_is_told_the_same_twice(escucha: Escucha) -> None:
    rules(escucha, TWO_WORDINGS)
    for who in ("ana", "beto", "carla", "dora"):
        assert asks(escucha, who) == set()
    said = [text.split(" ", 1)[1][:6] for _, text in escucha.answers()]
    assert sorted(said) == ["Buenas", "Buenas", "Hola, ", "Hola, "]
    asks(escucha, "ana", "@marca ¿y los lunes?")
    again = escucha.drafts(DraftState.PROPOSED)[-1].text
    assert again[:6] != said[0]


def test_who_answers_us_twice_within_seconds_is_held(escucha: Escucha) -> None:
    asks(escucha, "robot", "@marca todo mal")
    escucha.approve(escucha.draft())
    escucha.main.act()
    ours = escucha.network.posts_by("marca")[-1]["id"]
    echoes = [escucha.says(f"@marca ¿eco {number}?", who="robot", parent=str(ours)) for number in range(2)]
    once = escucha.says("@marca ¿cómo?", who="ana", parent=str(ours))
    escucha.round()
    for post, loops in ((echoes[0], True), (echoes[1], True), (once, False)):
        held = {guard["guard"] for guard in decided(escucha, post)["guards"] if guard["holds"]}
        assert ("loop" in held) is loops


def test_who_says_the_same_again_and_again_is_held(escucha: Escucha) -> None:
    assert "loop" not in asks(escucha, "eco", "@marca ¿hola?")
    escucha.clock.forward(hours=1)
    assert "loop" not in asks(escucha, "eco", "@marca ¿hola?")
    assert "loop" not in asks(escucha, "ana", "@marca ¿hola?"), "somebody else"
    escucha.clock.forward(hours=1)
    assert "loop" in asks(escucha, "eco", "@marca ¿hola?")
    escucha.clock.forward(hours=25)
    assert "loop" not in asks(escucha, "eco", "@marca ¿hola?")


def test_habits_are_those_of_one_account(escucha: Escucha) -> None:
    for number in range(3):
        escucha.says(f"@marca ¿{number}?", who="ana")
    escucha.says("@marca ¿1?", who="beto")
    escucha.round()
    with escucha.store.read() as tx:
        heard = {mention.author.handle: mention for mention in mentions.recent(tx, limit=9)}
        who = heard["ana"].account_id
        given: dict[str, Any] = {"account_id": who, "now": escucha.clock(), "quick": timedelta(seconds=20)}
        assert authors.habits(tx, text="@marca ¿1?", **given) == authors.Habits(
            posts_last_10_minutes=3, same_text_last_day=1, quick_replies_last_day=0
        )
        assert authors.habits(tx, text="", **given).same_text_last_day == 1, "no words are not the same words"


def test_a_colleague_gets_no_answer_and_what_they_answered_is_held(escucha: Escucha) -> None:
    rules(escucha, AUTO, ", colleagues: {sandbox: [luisa]}")
    escucha.queries = ("mentions", "horario")
    escucha.main = escucha.pipeline()
    assert asks(escucha, "luisa") == {"colleague"}
    question = escucha.says("@marca ¿a qué hora?", who="ana")
    escucha.says("@ana el horario es de 9 a 5", who="luisa", parent=question)
    escucha.says("@ana a mí me dijeron que el horario es otro", who="beto", parent=question)
    escucha.round()
    trace = decided(escucha, question)
    assert [guard["guard"] for guard in trace["guards"] if guard["holds"]] == ["colleague_answered"]
    assert trace["saw"]["thread"]["repliers"] == ["beto", "luisa"]


def test_without_money_the_answer_waits_for_a_person(escucha: Escucha) -> None:
    allowance = Allowance(day=1.0)
    escucha.main.money.purses["care"] = Purse(escucha.store, "care", allowance, escucha.clock)
    assert asks(escucha, "ana") == set()
    post = escucha.says("@marca ¿y los lunes?", who="beto")
    escucha.clock.forward(seconds=11)
    escucha.main.poll()
    with escucha.store.write() as tx:
        spending.record(tx, "care", [Charge(call="reply", units=1, usd=0.96)], escucha.clock())
    escucha.main.digest()
    trace = decided(escucha, post)
    reasons = {guard["guard"]: guard["reason"] for guard in trace["guards"] if guard["holds"]}
    assert list(reasons) == ["over_budget"]
    assert reasons["over_budget"].startswith("the money of the account care is spent: 0.96 of 1.00 USD today")
    assert trace["saw"]["broke"] == reasons["over_budget"]


@pytest.mark.parametrize("change", ["delete", "edit"])
def test_what_changed_on_the_network_is_noticed_before_it_is_answered(escucha: Escucha, change: str) -> None:
    post = escucha.says("@marca ¿horario?")
    escucha.clock.forward(seconds=11)
    escucha.main.poll()
    escucha.main.digest()
    (approved,) = escucha.drafts(DraftState.APPROVED)
    if change == "delete":
        escucha.network.delete(post)
    else:
        escucha.network.edit(post, "@marca ¿otra cosa?", at=escucha.clock() + timedelta(seconds=1))
    escucha.main.act()
    assert escucha.answers() == []
    with escucha.store.read() as tx:
        assert inbox.get(tx, approved.id).state is DraftState.EXPIRED


def test_what_the_guard_saw_stands_in_the_trace(escucha: Escucha) -> None:
    asks(escucha, "ana")
    post = escucha.says("@marca ¿y los lunes?", who="beto")
    escucha.round()
    sends = decided(escucha, post)["saw"]["sends"]
    (wording,) = sends.pop("by_wording_last_day")
    assert len(wording) == 12
    assert sends == {
        "to_author_last_day": 0,
        "in_thread": 0,
        "last_hour": 1,
        "automatic_to_author_last_day": 0,
        "last_day": 1,
        "by_rule_last_day": {"question": 1},
        "wordings_before": [],
    }


@pytest.mark.about_sqlite
def test_the_counts_of_a_day_are_found_by_an_index(escucha: Escucha) -> None:
    """On SQLite, whose plans do not depend on how many rows there are; PostgreSQL walks over what is small."""
    if not escucha.store.is_sqlite:
        pytest.skip("PostgreSQL walks over what is small")
    asked: list[str] = []
    with escucha.store.read() as tx:
        real = tx.execute

        def listening(statement: Any, *rest: Any) -> Any:
            asked.append(str(statement.compile(tx.engine, compile_kwargs={"literal_binds": True})))
            return real(statement, *rest)

        tx.execute = listening  # type: ignore[assignment, method-assign]
        given = {"mention_id": 1, "account_id": 1, "network": "sandbox", "thread_id": "t", "now": escucha.clock()}
        inbox.sends(tx, **given)  # type: ignore[arg-type]
        tx.execute = real  # type: ignore[method-assign]
        plans = [" ".join(row.detail for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {each}")) for each in asked]
    assert len(plans) == 2
    assert "ix_drafts_said_at" in plans[0]
    assert all("SCAN" not in plan for plan in plans), plans
