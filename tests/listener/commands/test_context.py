"""Everything around a person on one screen: at 80 and 120 columns, with hostile names, and in a few questions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from sqlalchemy import event, select

from listener.commands import around
from listener.desk import context, likeness
from listener.store import cases, customers, decisions, mentions, suggestions, tables
from listener.store.lately import Mood, Solved
from listener.store.suggestions import Reason, Strength
from listener.types import Intent, MentionState, Sentiment, Understanding
from tests.listener.commands.desk_world import DANGEROUS, SAID, DeskWorld

HOSTILE = "\x1b[2J\x1b]0;owned\x07 [red]x[/red] \u202egnp.exe pay\u200bpal 漢字漢字漢字 مرحبا"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DeskWorld]:
    made = DeskWorld(tmp_path)
    yield made
    made.close()


def a_case(world: DeskWorld, text: str = SAID, *, who: str = "ana", name: str = "Ana García") -> tuple[str, int]:
    number = world.hears(text, who=who, name=name)
    draft = world.decides(number, open_case=True)
    assert draft is not None
    assert draft.case_reference
    return draft.case_reference, number


def felt(world: DeskWorld, text: str, negative: float) -> int:
    """A mention that the model reads as that negative."""
    number = world.hears(text)
    with world.store.write() as tx:
        mention = mentions.get(tx, number)
        mentions.advance(tx, mention, MentionState.UNDERSTOOD)
        read = Understanding(
            model_version="m1",
            language="es",
            language_score=0.9,
            sentiment=Sentiment.NEGATIVE if negative > 0.5 else Sentiment.POSITIVE,
            sentiment_scores={"negative": negative, "positive": 1 - negative},
            intents=(Intent.COMPLAINT,),
            intent_scores={"complaint": 0.9},
        )
        decisions.understood(tx, mention, read, world.clock())
    world.clock.forward(minutes=20)
    return number


def screen(world: DeskWorld, *args: str, width: int = 80) -> str:
    result = world.run(*args, environment={"COLUMNS": str(width)})
    assert result.exit_code == 0, result.output
    assert not DANGEROUS.search(result.stdout), repr(result.stdout)
    assert max(cell_len(line) for line in result.stdout.splitlines()) <= width
    return result.stdout


def told(world: DeskWorld, *args: str) -> Any:
    result = world.run(*args, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["context"]


@contextmanager
def counting(world: DeskWorld) -> Iterator[list[str]]:
    """Every statement that any engine of this process runs meanwhile."""
    from sqlalchemy.engine import Engine

    ran: list[str] = []

    def note(_link: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        ran.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield ran
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def test_a_screen_holds_who_it_is_what_passed_how_they_feel_and_what_helped_before(world: DeskWorld) -> None:
    old, _ = a_case(world, "Se me cayó internet en Sevilla, sigo sin internet y nadie me contesta", who="luis")
    world.run("case", "resolve", old, "--note", "Se reinició el nodo SEV-12")
    world.clock.forward(hours=3)
    felt(world, "Todo perfecto, gracias", 0.05)
    felt(world, "Va lento", 0.7)
    ref, number = a_case(world)
    world.run("customer", "add", "C-7", "--name", "Ana García", "--tier", "gold", "--email", "ana@hogar.example")
    world.run("customer", "link", "C-7", "sandbox", "ana", "--basis", "verified")
    world.run("customer", "contact", "C-7", "phone", "+34 600 555 444", "--do-not-use")
    world.run("case", "continue", ref, "--by", "phone", "--outcome", "no_answer")
    for args in (("show", f"M{number}"), ("case", "show", ref)):
        for width in (80, 120):
            shown = screen(world, *args, width=width)
            assert len(shown.splitlines()) <= 45
            for part in ("Ana García · C-7 · gold", "not by phone", "@ana on sandbox (verified)", old, "SEV-12"):
                assert part in " ".join(shown.split()), (args, width, part)
            assert {"█", "▁"} <= set(shown), "how they felt, best and worst"
            assert "Va lento" in shown
            assert "no_answer" not in shown
            assert "call without" in shown


OFFERS = """
name: Test
default_team: care
teams: {care: {what: everything}}
rules: [{name: all, then: {case: {}}}]
offers:
  faster fibre:
    text: {es: "Fibra 1 Gb al precio de 600"}
    because: they have been gold for years
    when: {customer.tier: [gold]}
"""


def test_what_may_be_offered_is_shown_and_to_nobody_else(world: DeskWorld, tmp_path: Path) -> None:
    ref, number = a_case(world)
    (tmp_path / "policy.yaml").write_text(OFFERS, encoding="utf-8")
    assert world.run("policy", "activate", str(tmp_path / "policy.yaml"), "--because", "x", "--yes").exit_code == 0
    world.run("customer", "add", "C-7", "--name", "Ana García", "--tier", "gold")
    world.run("customer", "link", "C-7", "sandbox", "ana", "--basis", "verified")
    for args in (("show", f"M{number}"), ("case", "show", ref)):
        assert "Fibra 1 Gb al precio de 600 (they have been gold for years)" in " ".join(screen(world, *args).split())
        assert [each["name"] for each in told(world, *args)["offers"]] == ["faster fibre"]
    world.run("customer", "consent", "C-7", "marketing", "--withdrawn", "--source", "call")
    assert told(world, "show", f"M{number}")["offers"] == []


def test_who_may_be_whom_waits_for_a_person(world: DeskWorld) -> None:
    ref, number = a_case(world)
    world.run("customer", "add", "C-7", "--name", "Ana García")
    world.run("customer", "link", "C-7", "sandbox", "ana", "--basis", "verified")
    world.hears("Otra cuenta", who="ana_g")
    with world.store.write() as tx:
        (row,) = tx.execute(select(tables.accounts).where(tables.accounts.c.handle == "ana_g"))
        suggestions.suggest(
            tx,
            customer_id=customers.get(tx, "C-7").id,
            account_id=row.id,
            reasons=[Reason(strength=Strength.FAIR, text="its profile names the address on record")],
            now=world.clock(),
        )
    for args in (("show", f"M{number}"), ("case", "show", ref)):
        assert "@ana_g on sandbox may be C-7 (fair: its profile names" in " ".join(screen(world, *args).split())
        assert [each["handle"] for each in told(world, *args)["may_be"]] == ["ana_g"]


def test_who_is_nobody_known_leaves_no_hole(world: DeskWorld) -> None:
    _, number = a_case(world)
    shown = screen(world, "show", f"M{number}")
    assert "no customer that we know" in shown
    for name in ("mood", "alike", "open "):
        assert f"\n{name}" not in shown
    assert "\n\n\n" not in shown


def test_hostile_names_and_words_stay_within_the_screen(world: DeskWorld) -> None:
    ref, number = a_case(world, HOSTILE * 40, who="漢" * 60, name=HOSTILE * 3)
    world.run("case", "note", ref, HOSTILE.replace("\x00", ""))
    world.run("case", "continue", ref, "--by", "phone", "--outcome", "reached", "--note", HOSTILE)
    for width in (80, 120):
        screen(world, "show", f"M{number}", width=width)
        screen(world, "case", "show", ref, width=width)


def test_a_long_history_takes_no_more_room_and_no_more_questions(world: DeskWorld) -> None:
    ref, number = a_case(world)
    screen(world, "case", "list")  # whoever comes first writes down where the database is
    with counting(world) as few:
        screen(world, "show", f"M{number}")
    with counting(world) as few_of_case:
        screen(world, "case", "show", ref)
    later = []
    for turn in range(300):
        later.append(world.hears(f"Y sigo igual, van {turn}", minutes_ago=300 - turn))
    with world.store.write() as tx:
        for each in later:
            cases.attach(tx, cases.get(tx, ref), each, why="the same person", by="policy", now=world.clock())
    with counting(world) as many:
        shown = screen(world, "show", f"M{number}")
    assert len(many) <= len(few) + 1
    assert len(shown.splitlines()) < 60
    with counting(world) as many_of_case:
        shown = screen(world, "case", "show", ref)
    assert len(many_of_case) <= len(few_of_case) + 1
    assert len(few_of_case) <= 40, "questions to the database for one screen"
    assert len(few) <= 55, "questions to the database for one screen"
    assert f"escucha case show {ref} --all" in shown
    assert len(shown.splitlines()) < 80
    assert screen(world, "case", "show", ref, "--all").count("Y sigo igual") == 300


def test_nothing_of_another_person_is_told(world: DeskWorld) -> None:
    _, number = a_case(world)
    world.hears("Esto es cosa de Berta", who="berta")
    other, _ = a_case(world, "Y este caso es de Berta", who="berta")
    known = told(world, "show", f"M{number}")
    assert "Berta" not in json.dumps(known)
    assert other not in json.dumps(known)


def test_what_an_unlinked_account_did_is_not_the_customers(world: DeskWorld) -> None:
    world.hears("Desde la otra cuenta", who="ana2")
    _, number = a_case(world)
    world.run("customer", "add", "C-7", "--name", "Ana García")
    for who in ("ana", "ana2"):
        world.run("customer", "link", "C-7", "sandbox", who, "--basis", "verified")
    assert "Desde la otra cuenta" in json.dumps(told(world, "show", f"M{number}"), ensure_ascii=False)
    assert world.run("customer", "unlink", "C-7", "sandbox", "ana2").exit_code == 0
    assert "Desde la otra cuenta" not in json.dumps(told(world, "show", f"M{number}"), ensure_ascii=False)


def test_what_was_deleted_is_gone_from_the_screen_too(world: DeskWorld) -> None:
    first = felt(world, "Esto lo borro después", 0.9)
    _, number = a_case(world)
    world.is_deleted(first)
    known = told(world, "show", f"M{number}")
    assert "borro" not in json.dumps(known)
    assert [each["deleted"] for each in known["lately"] if each["what"] == f"M{first}"] == [True]
    assert f"M{first}" not in [each["mention"] for each in known["moods"]]


def test_the_look_at_a_customer_is_written_down(world: DeskWorld) -> None:
    ref, number = a_case(world)
    world.run("customer", "add", "C-7", "--name", "Ana García")
    world.run("customer", "link", "C-7", "sandbox", "ana", "--basis", "verified")
    for args in (("show", f"M{number}"), ("case", "show", ref)):
        before = world.run("audit", "show", "--json").output.count('"looked"')
        screen(world, *args)
        assert world.run("audit", "show", "--json").output.count('"looked"') > before


def test_the_keys_are_those_that_the_docs_promise(world: DeskWorld) -> None:
    ref, number = a_case(world)
    felt(world, "Va lento", 0.7)
    page = (Path(__file__).parents[3] / "docs" / "context.md").read_text(encoding="utf-8")
    for args in (("show", f"M{number}"), ("case", "show", ref)):
        known = told(world, *args)
        own = [part for name, part in known.items() if isinstance(part, list) and name not in ("open", "suggested")]
        for key in (*known, *(key for part in own for each in part for key in each)):
            assert f"`{key}`" in page, key


# --- the parts ---


def mood(value: float) -> Mood:
    from tests.listener.commands.desk_world import Clock

    return Mood(at=Clock()(), mention=1, value=value, sentiment=None)


def test_a_sparkline_goes_from_the_worst_to_the_best() -> None:
    assert around.sparkline([mood(-1), mood(0), mood(1)]) == "▁▅█"
    assert around.sparkline([mood(-7), mood(7)]) == "▁█", "whatever a model claims"


def matter(number: int, text: str, *, areas: tuple[str, ...] = (), intents: tuple[str, ...] = ()) -> Solved:
    from tests.listener.commands.desk_world import Clock

    return Solved(
        case_id=number,
        reference=f"ES-{number}",
        title="",
        resolved_at=Clock()(),
        tags=(),
        intents=intents,
        areas=areas,
        text=text,
    )


def test_the_likest_case_comes_first_and_what_is_unlike_not_at_all() -> None:
    kept = [
        matter(1, "Quiero saber el precio de la fibra", intents=("question",)),
        matter(2, "No me llegó la factura del mes", areas=("billing",), intents=("complaint",)),
        matter(3, "Me cobraron dos veces en la facturación de marzo", areas=("billing",), intents=("complaint",)),
    ]
    found = likeness.alike(
        kept, text="¡Me COBRARON dos veces la factura!", intents=["complaint"], areas=["billing"], tags=[], limit=2
    )
    assert [each.case_id for each in found] == [3, 2]
    assert likeness.alike(kept, text="Buenos días", intents=[], areas=[], tags=[], limit=3) == []


def test_somebody_known_by_nothing_has_an_empty_context() -> None:
    assert around.rows(context.Context(), now=mood(0).at, width=70) == []


def test_an_answer_to_somebody_not_known_to_be_theirs_says_so_wherever_it_is_looked_at(world: DeskWorld) -> None:
    reference, number = a_case(world)
    stranger = world.hears(f"¿Qué hay de {reference}?", who="mallory", name="Ana García")
    draft = world.decides(stranger)
    assert draft is not None
    with world.store.write() as tx:
        case = cases.get(tx, reference)
        cases.attach(tx, case, stranger, why=f"it quotes {reference}", by="policy", now=world.clock())
    mark = "from an address that is not known to be theirs"
    assert mark in " ".join(world.run("show", f"D{draft.id}").output.split())
    assert mark not in " ".join(world.run("show", f"M{number}").output.split())
    whole = " ".join(world.run("case", "show", reference).output.split())
    assert whole.count(mark) == 2, "at what they said, and at the answer that waits"
    assert f"answers M{stranger}, {mark}" in whole
    assert [json.loads(world.run("show", f"M{each}", "--json").output)["stranger"] for each in (number, stranger)] == [
        False,
        True,
    ]


def test_a_mail_in_a_customers_name_says_where_nothing_proves_its_sender(world: DeskWorld) -> None:
    number = world.hears()
    world.knows("ana")
    unproven = "nothing proves that they sent it"
    assert unproven not in world.run("show", f"M{number}").output
    with world.store.write() as tx:
        tx.execute(tables.mentions.update().values(sender_proven=False))
    assert unproven in " ".join(world.run("show", f"M{number}").output.split())
