"""inbox, show, approve, edit, reject, settle, retry: what a moderator types, and two of them at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import connectors
import policies as policy_files
from listener import store as stores
from listener.commands import deciding
from listener.commands.app import App
from listener.errors import AlreadyDone, Stale
from listener.store import daemons, inbox, looks, switch
from listener.types import DraftState, Finding, GuardTrace, Media, RuleOutcome, RuleTrace, Sent, Urgency
from tests import databases
from tests.listener.commands.desk_world import DANGEROUS, REPLY, DeskWorld

ROOT = Path(__file__).parents[3]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskWorld]:
    world = DeskWorld(tmp_path)
    yield world
    world.close()


# --- inbox ---


def test_the_most_urgent_come_first_and_everything_else_that_waits_is_named(desk: DeskWorld) -> None:
    low = desk.draft(urgency=Urgency.LOW)
    critical = desk.draft(urgency=Urgency.CRITICAL, who="zoe")
    desk.knows("zoe", tier="platinum")
    desk.put(desk.draft(who="una"), DraftState.UNKNOWN, reason="the line went dead")
    desk.put(desk.draft(who="fede"), DraftState.FAILED, reason="the account is locked")
    desk.decides(desk.hears(who="dora"), reply=None, needs_routing=True)
    told = desk.run("inbox").stdout
    assert told.index(f"D{critical.id} ") < told.index(f"D{low.id} ")
    assert "@zoe · platinum" in told
    for words in ("the line went dead", "the account is locked", "@dora", "escucha settle", "escucha retry"):
        assert words in told
    assert max(map(len, told.splitlines())) <= 80


def test_an_empty_inbox_says_so(desk: DeskWorld) -> None:
    assert desk.run("inbox").stdout == "No draft waits for a person.\n"


def test_filters_and_limit(desk: DeskWorld) -> None:
    for _ in range(3):
        desk.draft()
    desk.decides(desk.hears(who="mia"), open_case=True)
    assert "2 of 4 shown" in desk.run("inbox", "--limit", "2").stdout
    assert desk.run("inbox", "--mine").stdout == "No draft waits here; 4 elsewhere.\n"
    desk.assign_all("ana")
    assert "@mia" in desk.run("inbox", "--mine").stdout
    desk.run("approve", "D1", "--yes")
    assert "D1 " in desk.run("inbox", "--state", "approved").stdout
    assert "D1 " not in desk.run("inbox").stdout
    assert "D1 " in desk.run("inbox", "--all").stdout


def test_a_network_that_is_mistyped_is_no_empty_inbox(desk: DeskWorld) -> None:
    desk.draft()
    for typed, hint in (("sandbax", "did you mean sandbox?"), ("mail", "there is: sandbox.")):
        refused = desk.run("inbox", "--network", typed)
        assert refused.exit_code == 2
        assert hint in refused.stderr
    assert "D1 " in desk.run("inbox", "--network", "sandbox").stdout


def test_what_needs_a_team_comes_most_urgent_first_and_says_how_many(desk: DeskWorld) -> None:
    for urgency in (Urgency.LOW, Urgency.NORMAL, Urgency.CRITICAL, Urgency.HIGH):
        desk.decides(desk.hears(), reply=None, needs_routing=True, urgency=urgency)
    told = desk.run("inbox", "--limit", "3").stdout
    assert [told.index(name) for name in ("M3 ", "M4 ", "M2 ")] == sorted(map(told.index, ("M3 ", "M4 ", "M2 ")))
    assert "M1 " not in told
    assert "3 of 4 shown." in told
    assert json.loads(desk.run("inbox", "--json", "--limit", "3").stdout)["totals"]["to_route"] == 4


def test_all_also_lists_what_got_no_draft(desk: DeskWorld) -> None:
    desk.decides(desk.hears("ofertas ofertas"), reply=None, ignored="spam")
    told = desk.run("inbox", "--all").stdout
    assert "M1 " in told
    assert "(spam)" in told


def test_what_got_no_draft_is_always_counted_and_all_says_why(desk: DeskWorld) -> None:
    stop = GuardTrace(guard="author", forbids=True, reason="the account is automatic")
    desk.decides(desk.hears(), reply=None, guards=(stop,), urgency=Urgency.HIGH)
    desk.decides(desk.hears(unanswerable="the thread is locked"), reply=None, urgency=Urgency.LOW)
    desk.decides(desk.hears(), reply=None, urgency=Urgency.LOW, guards=())
    desk.hears()
    assert "4 heard, no reply proposed (1 high): escucha inbox --all" in desk.run("inbox").stdout
    assert "4 heard, no reply proposed (1 high)" in desk.run("inbox", "--network", "sandbox").stdout
    assert json.loads(desk.run("inbox", "--json").stdout)["totals"]["without_draft"] == 4
    told = desk.run("inbox", "--all").stdout
    for why in ("the account is automatic", "the thread is locked", "no rule wants a reply", "not decided yet"):
        assert f"({why})" in told


def test_all_honours_the_limit(desk: DeskWorld) -> None:
    for _ in range(3):
        desk.draft()
        desk.decides(desk.hears(), reply=None)
    told = desk.run("inbox", "--all", "--limit", "2").stdout
    assert told.count("2 of 3 shown") == 2
    assert "2 of 3 shown" not in desk.run("inbox", "--all").stdout


def test_json_has_the_keys_that_the_docs_promise(desk: DeskWorld) -> None:
    draft = desk.draft()
    told = json.loads(desk.run("inbox", "--json").stdout)
    (row,) = told["drafts"]
    assert (row["draft"], row["mention"], row["text"], row["urgency"]) == (f"D{draft.id}", "M1", REPLY, "high")
    assert row["age_seconds"] == 720
    page = (ROOT / "docs" / "moderators.md").read_text(encoding="utf-8")
    for key in (*told, *row):
        assert f"`{key}`" in page, key


def test_a_pause_stands_on_top(desk: DeskWorld) -> None:
    desk.draft()
    with desk.store.write() as tx:
        switch.pause(tx, network=None, by="eva", reason="storm", now=desk.clock())
    assert desk.run("inbox").stdout.startswith("Sending is paused by eva: storm")
    assert "it waits" in desk.run("approve", "D1", "--yes").stdout


# --- what counts as seen ---


def test_a_clipped_list_is_not_reading_and_a_card_is(desk: DeskWorld) -> None:
    draft = desk.draft()
    desk.run("inbox")
    desk.run("inbox", "--json")
    desk.run("show", "D1", "--json")
    desk.run("explain", "D1")
    assert desk.view(draft) is None
    told = desk.run("show", "M1")
    assert "who" in told.stdout
    seen = desk.view(draft)
    assert seen is not None
    assert (seen.text, seen.edit) == (REPLY, 1)
    assert desk.view(draft, "luis") is None


def test_show_finds_a_draft_a_mention_and_a_case_however_typed(desk: DeskWorld) -> None:
    draft = desk.decides(desk.hears(), open_case=True)
    assert draft
    assert draft.case_reference
    for typed in ("D1", "d1", "M1", " m01 ", draft.case_reference, draft.case_reference.lower().replace("-", "")):
        told = desk.run("show", typed)
        assert told.exit_code == 0, told.output
        assert REPLY[:30] in told.stdout


@pytest.mark.parametrize(
    "typed", ["7", "X9", "", "D", "D1x", "D-1", "ES-26-000123-0", "D" + "9" * 40, "M999", "D¹", "D٣", "\x1b[2J"]
)
def test_show_of_nothing_is_one_sentence(desk: DeskWorld, typed: str) -> None:
    told = desk.run("show", typed)
    assert told.exit_code == 2
    assert told.stdout == ""
    assert len(told.stderr.strip().splitlines()) == 1
    assert not DANGEROUS.search(told.stderr)


def test_show_has_the_thread_the_media_the_warning_and_the_edit(desk: DeskWorld) -> None:
    desk.decides(desk.hears("¿hay alguien?", minutes_ago=300, thread="t"), reply=None)
    desk.put(desk.draft("Ya lo vemos.", said="otra vez", who="ana"), DraftState.REJECTED)
    media = (Media(kind="image", url="https://files.example/1.png", alt="una luz roja"),)
    desk.hears("No me anda", thread="t", external_id="x1")
    mention = desk.hears("No me anda nada", thread="t", media=media, warning="enfado", external_id="x1")
    desk.decides(mention)
    told = desk.run("show", f"M{mention}").stdout
    for words in ("¿hay alguien?", "[image] “una luz roja” https://files.example/1.png", "enfado", "it said before"):
        assert words in told
    assert "Ya lo vemos." not in told  # said in another thread, and never sent
    assert max(map(len, told.splitlines())) <= 80


def test_show_names_a_colleague_who_looks_at_it_now(desk: DeskWorld) -> None:
    draft = desk.draft()
    desk.run("show", "D1", actor="luis")
    assert "luis is looking at this too" in desk.run("show", "D1").stdout
    desk.put(draft, DraftState.SENT, sent_at=desk.clock(), decided_by="luis", posted_url="https://sandbox.example/r")
    assert "looking at this" not in desk.run("show", "D1").stdout
    desk.put(draft, DraftState.PROPOSED, decided_by=None)
    desk.clock.forward(minutes=10)
    assert "luis" not in desk.run("show", "D1").stdout


# --- approve ---


def test_what_was_seen_is_approved_without_a_question(desk: DeskWorld) -> None:
    draft = desk.draft()
    desk.run("show", "D1")
    done = desk.run("approve", "d1")
    assert (done.exit_code, done.stdout) == (0, "D1 is approved; it goes out when `escucha run` runs.\n")
    now = desk.now_is(draft)
    assert (now.state, now.decided_by) == (DraftState.APPROVED, "ana")


def test_while_a_daemon_runs_an_approval_promises_nothing_else(desk: DeskWorld) -> None:
    desk.draft()
    desk.run("show", "D1")
    now = desk.clock()
    with desk.store.write() as tx:
        daemons.alive(tx, name="here:1", version="1", started_at=now, now=now)
    assert desk.run("approve", "D1").stdout == "D1 is approved.\n"


@pytest.mark.parametrize(("answer", "state"), [("y\n", "approved"), ("n\n", "proposed"), ("", "proposed")])
def test_what_was_never_seen_is_shown_and_asked_about(desk: DeskWorld, answer: str, state: str) -> None:
    draft = desk.draft()
    done = desk.run("approve", "D1", input=answer)
    assert "Hola Ana" in done.stdout
    assert done.exit_code == (0 if state == "approved" else 2)
    assert desk.now_is(draft).state == state
    assert desk.view(draft) is not None


def test_yes_counts_as_having_seen(desk: DeskWorld) -> None:
    draft = desk.draft()
    assert desk.run("approve", "D1", "--yes").exit_code == 0
    assert desk.now_is(draft).state is DraftState.APPROVED


@pytest.mark.parametrize("extra", [(), ("--yes",)])
def test_what_changed_since_it_was_seen_is_refused_with_the_difference(desk: DeskWorld, extra: tuple[str, ...]) -> None:
    draft = desk.draft()
    desk.run("show", "D1")
    desk.run("edit", "D1", "--text", REPLY.replace("Hola Ana", "Buenas tardes"), actor="luis")
    refused = desk.run("approve", "D1", *extra)
    assert refused.exit_code == 2
    assert "[-Hola-]" in refused.stdout.replace("[-Hola Ana,-]", "[-Hola-]")
    assert "{+Buenas" in refused.stdout
    assert "edited by luis since you saw it" in refused.stderr
    assert desk.now_is(draft).state is DraftState.PROPOSED
    assert desk.run("approve", "D1").exit_code == 0


def test_a_new_policy_refuses_once_explains_and_then_passes(desk: DeskWorld) -> None:
    draft = desk.draft()
    desk.run("show", "D1")
    desk.new_policy("p2")
    refused = desk.run("approve", "D1")
    assert refused.exit_code == 2
    assert "The policy changed since D1 was written: p1 wrote it, p2 rules now." in refused.stderr
    assert "Hola Ana" in refused.stdout
    assert desk.now_is(draft).policy_version == "p2"
    assert desk.run("approve", "D1").exit_code == 0


def test_an_edited_or_deleted_mention_is_not_answered(desk: DeskWorld) -> None:
    draft = desk.decides(desk.hears("No anda", external_id="x1"))
    desk.run("show", "D1")
    desk.clock.forward(seconds=5)
    desk.hears("Ya anda, gracias", external_id="x1")
    refused = desk.run("approve", "D1")
    assert refused.exit_code == 2
    assert "edited" in refused.stderr
    assert draft
    assert desk.now_is(draft).state is DraftState.EXPIRED
    other = desk.decides(desk.hears("No anda"))
    assert other
    desk.run("show", f"D{other.id}")
    desk.is_deleted(other.mention_id)
    assert desk.run("approve", f"D{other.id}").exit_code == 2


def test_a_deletion_is_not_undone_by_remembering_what_was_shown(desk: DeskWorld) -> None:
    draft = desk.draft()
    app = _app(desk, "ana")
    desk.is_deleted(draft.mention_id)
    deciding.remember(app, draft)
    app.close()
    assert desk.view(draft) is None


def test_what_passes_the_limits_meanwhile_is_told_and_asked_about(desk: DeskWorld) -> None:
    for n in range(5):
        desk.decides(desk.hears(thread="t"), reply=f"Gracias {n}.")
        desk.run("show", f"D{n + 1}")
    told = desk.run("approve", "D1", "D2", "D3", input="n\n")
    assert told.exit_code == 3
    assert "D3: already approved for this person: D2, D1 (2 in this conversation, 2 is the limit)." in told.stderr
    assert desk.all_states() == ["approved", "approved", "proposed", "proposed", "proposed"]
    assert desk.run("approve", "D3", "--yes").exit_code == 0
    desk.decides(desk.hears(thread="other"), reply="Gracias.")
    shown = " ".join(desk.run("show", "D6").stdout.split())
    assert "for this person elsewhere: D3, D2, D1 (3 to this person in a day, 3 is the limit)" in shown


def test_of_several_each_failure_is_named_and_the_rest_is_done(desk: DeskWorld) -> None:
    for _ in range(3):
        desk.draft()
    desk.run("reject", "D2", "--reason", "no")
    done = desk.run("approve", "D1", "D2", "D3", "D1", "D77", "M1", "--yes")
    assert done.exit_code == 3
    assert "D2 is rejected by ana (no)" in done.stderr
    assert "D77" in done.stderr
    assert "M1 is a mention; its drafts: D1 (approved)" in done.stderr
    assert "3 of 5 not done" in done.stderr
    with desk.store.read() as tx:
        assert [inbox.get(tx, n).state for n in (1, 2, 3)] == ["approved", "rejected", "approved"]


def test_too_long_for_the_network_is_not_approved(desk: DeskWorld) -> None:
    desk.draft("x" * 600)
    refused = desk.run("approve", "D1", "--yes")
    assert refused.exit_code == 2
    assert "longer than sandbox takes; edit it first" in refused.stderr
    assert "too long" in refused.stdout


# --- edit, reject, settle, retry ---


def test_edit_counts_again_and_asks_for_a_new_approval(desk: DeskWorld) -> None:
    draft = desk.draft()
    desk.run("approve", "D1", "--yes")
    done = desk.run("edit", "D1", "--text", "Hola, ya está arreglado.\n\n")
    assert done.exit_code == 0, done.output
    now = desk.now_is(draft)
    assert (now.state, now.text, now.length) == (DraftState.PROPOSED, "Hola, ya está arreglado.", len("@ana ") + 24)
    assert desk.run("approve", "D1").exit_code == 0  # who wrote it has seen it


def test_edit_reads_standard_input(desk: DeskWorld) -> None:
    draft = desk.draft()
    assert desk.run("edit", "D1", "--text", "-", input="Hola.\nYa está.\n").exit_code == 0
    assert desk.now_is(draft).text == "Hola.\nYa está."


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("x" * 600, "longer than the network takes"),
        ("Su tarjeta 4111 1111 1111 1111 está bien", "card"),
        ("Hola\u202e!", "nobody can see"),
        ("Hola \x1b[31m", "nobody can see"),
        (REPLY, "exactly that already"),
    ],
)
def test_words_that_must_not_be_sent_are_refused(desk: DeskWorld, text: str, words: str) -> None:
    draft = desk.draft()
    refused = desk.run("edit", "D1", "--text", text)
    assert refused.exit_code == 2
    assert words in refused.stderr
    assert desk.now_is(draft).text == REPLY


def test_a_case_reference_may_be_quoted(desk: DeskWorld) -> None:
    desk.decides(desk.hears(), open_case=True)
    done = desk.run("edit", "D1", "--text", "Hola, su caso es el ES-26-000001-9.")
    assert done.exit_code == 0, done.output


def test_reject_keeps_the_reason_and_stops_an_approval(desk: DeskWorld) -> None:
    draft = desk.draft()
    desk.run("approve", "D1", "--yes")
    assert desk.run("reject", "D1", "--reason", "wrong\nfacts \x1b[1m").exit_code == 0
    now = desk.now_is(draft)
    assert now.state is DraftState.REJECTED
    assert now.reason == "wrong facts \\x1b[1m"
    assert desk.run("reject", "D1", "--reason", "again").exit_code == 2
    assert desk.run("reject", "D1").exit_code == 2
    assert desk.run("reject", "D1", "--reason", "  ").exit_code == 2


def test_a_rejection_can_be_taken_back_while_it_still_answers_something(desk: DeskWorld) -> None:
    draft, other = desk.draft(), desk.decides(desk.hears(external_id="x1"))
    assert other
    app = _app(desk, "ana")
    for one in (draft, other):
        with desk.store.write() as tx:
            inbox.reject(tx, one, by="ana", reason="no", now=desk.clock())
    assert not deciding.take_back(app, draft.id, draft.edit)
    assert deciding.take_back(app, draft.id, draft.edit + 1)
    again = desk.now_is(draft)
    assert (again.state, again.reason, again.decided_by) == (DraftState.PROPOSED, None, None)
    desk.clock.forward(seconds=5)
    desk.hears("Ya anda, gracias", external_id="x1")
    assert not deciding.take_back(app, other.id, other.edit + 1)
    assert desk.now_is(other).state is DraftState.REJECTED
    app.close()


def test_a_new_policy_still_names_who_edited_it(desk: DeskWorld) -> None:
    draft = desk.draft()
    desk.run("edit", "D1", "--text", "Hola, ya está.", actor="luis")
    desk.new_policy("p2")
    app = _app(desk, "ana")
    assert deciding.bring(app, draft.id).draft.decided_by == "luis"
    app.close()


def test_a_person_settles_what_nobody_knows(desk: DeskWorld) -> None:
    sent, lost = desk.draft(), desk.draft()
    assert desk.run("settle", "D1", "--sent").exit_code == 2
    for draft in (sent, lost):
        desk.put(draft, DraftState.UNKNOWN, sending_since=desk.clock() - timedelta(minutes=2))
    asked = desk.run("settle", "D1")
    assert asked.exit_code == 2
    assert "https://sandbox.example/p/1" in asked.stderr
    assert desk.run("settle", "D1", "--sent").exit_code == 0
    assert desk.now_is(sent).state is DraftState.SENT
    assert desk.run("settle", "D2", "--not-sent").exit_code == 0
    assert desk.now_is(lost).state is DraftState.FAILED
    assert desk.run("retry", "D1").exit_code == 2
    assert desk.run("retry", "D2").exit_code == 0
    assert desk.now_is(lost).state is DraftState.PROPOSED


def test_what_nobody_knows_is_told_with_what_was_found(desk: DeskWorld) -> None:
    assert "it is known whether it is there" in desk.run("inbox", "--unknown").stdout
    draft = desk.draft()
    began = desk.clock() - timedelta(minutes=2)
    desk.put(draft, DraftState.UNKNOWN, sending_since=began, unknown_since=began, reason="no answer came")
    for _ in range(2):
        with desk.store.write() as tx:
            found = {"asked": "under the key", "found": Finding.NOT_FOUND, "at": desk.clock(), "since": began}
            looks.keep(tx, Sent.REPLY, draft.id, **found)
    told = " ".join(desk.run("inbox", "--unknown").stdout.split())
    for part in ("D1", "no answer came", "2 times", "under the key", "nothing of it", "escucha settle D1 --sent"):
        assert part in told
    plain = json.loads(desk.run("inbox", "--unknown", "--json").stdout)
    assert plain["total"] == 1
    (only,) = plain["unknown"]
    assert (only["send"], only["what"], only["reason"]) == ("D1", "reply", "no answer came")
    (look,) = only["looks"]
    assert (look["found"], look["times"], look["by"]) == ("not found", 2, "daemon")
    assert only["certain_at"] > only["sending_since"]
    assert desk.run("inbox", "--unknown", "--all").exit_code == 2
    assert "nothing of it" in desk.run("settle", "D1").stderr
    assert "nothing of it" in " ".join(desk.run("show", "D1").stdout.split())
    desk.run("settle", "D1", "--sent")
    assert "it is there, says ana" in " ".join(desk.run("show", "D1").stdout.split())
    assert json.loads(desk.run("inbox", "--unknown", "--json").stdout) == {"total": 0, "unknown": []}


# --- two moderators at once ---


def _app(desk: DeskWorld, actor: str) -> App:
    app = App(connectors=connectors, policies=policy_files, config_path=desk.folder / "escucha.toml", now=desk.clock)
    app.__dict__["actor"] = actor
    app.__dict__["store"] = stores.open(databases.at(desk.folder))
    return app


def test_of_two_who_decide_in_the_same_moment_exactly_one_wins(desk: DeskWorld) -> None:
    drafts = [desk.draft() for _ in range(12)]
    start = threading.Barrier(3)
    won: dict[str, set[int]] = {"ana": set(), "luis": set(), "eva": set()}
    lost: dict[str, set[int]] = {"ana": set(), "luis": set(), "eva": set()}
    broken: list[BaseException] = []

    def moderate(actor: str) -> None:
        app = _app(desk, actor)
        try:
            for draft in drafts:
                start.wait()
                try:
                    if actor == "ana":
                        deciding.approve(app, draft)
                    elif actor == "luis":
                        deciding.reword(app, draft, f"Hola {draft.id}")
                    else:
                        with app.store.write() as tx:
                            inbox.reject(tx, draft, by=actor, reason="no", now=desk.clock())
                    won[actor].add(draft.id)
                except (AlreadyDone, Stale):
                    lost[actor].add(draft.id)
        except BaseException as error:
            broken.append(error)
            start.abort()
        finally:
            app.close()

    people = [threading.Thread(target=moderate, args=(actor,)) for actor in won]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert not broken
    for draft in drafts:
        (winner,) = [actor for actor in won if draft.id in won[actor]]
        assert sum(draft.id in losers for losers in lost.values()) == 2
        assert desk.now_is(draft).decided_by == winner


@pytest.mark.slow
def test_two_processes_share_the_inbox(desk: DeskWorld) -> None:
    numbers = [desk.draft().id for _ in range(15)]
    names = [f"D{number}" for number in numbers]

    def start(actor: str, *args: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "ESCUCHA_ACTOR": actor, "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            [sys.executable, str(ROOT / "cli.py"), *args],
            cwd=desk.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    both = [
        start("ana", "approve", "--yes", *names),
        start("luis", "reject", "--reason", "no", *names),
    ]
    outcomes = [process.communicate(timeout=120) for process in both]
    assert all(process.returncode in (0, 3) for process in both), outcomes
    with desk.store.read() as tx:
        drafts = [inbox.get(tx, number) for number in numbers]
    for draft in drafts:
        # luis may stop what ana approved; ana can never revive what luis rejected
        assert (draft.state, draft.decided_by) in ((DraftState.APPROVED, "ana"), (DraftState.REJECTED, "luis"))
        if f"D{draft.id} is rejected by luis" in outcomes[0][1]:
            assert f"D{draft.id} is approved" not in outcomes[0][0]


# --- outside text ---

COMMANDS = ["\x1b[2J\x1b[H", "\x1b]0;owned\x07", "\x1b]8;;http://evil\x1b\\x", "\x9b31m", "\x00", "\r", "\x08", "\t"]
MARKUP = ["[bold red]x[/]", "[/]", "[link=x]", ":smile:", "%s{0}", '"\\']
UNSEEN = ["\u202egnirts", "\u2066", "\u200b", "\ufeff", "\ud800", "\udfff", "\U0001f3f4\U000e0067\U000e0062\U000e007f"]
WIDE = ["\U0001f469\u200d\U0001f467", "a" * 300, "\n" * 20, "漢字" * 30, "e" + "\u0301" * 40]
PIECES = st.sampled_from(COMMANDS + MARKUP + UNSEEN + WIDE) | st.text(max_size=30)
HOSTILE = st.lists(PIECES, min_size=1, max_size=6).map("".join)


def _storable(text: str) -> str:
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


@pytest.mark.slow
@settings(  # all of them in one inbox
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(text=HOSTILE, name=HOSTILE, handle=HOSTILE, reply=HOSTILE, alt=HOSTILE)
def test_nothing_from_outside_reaches_the_terminal_or_breaks_the_json(
    desk: DeskWorld, text: str, name: str, handle: str, reply: str, alt: str
) -> None:
    media = (Media(kind=_storable(alt), url=_storable(alt), alt=alt),)
    mention = desk.hears(text, who=_storable(handle), name=name, media=media, warning=alt, url=_storable(text))
    trace = RuleTrace(rule=alt, outcome=RuleOutcome.FAILED, condition=text, wanted=alt, saw=text)
    draft = desk.decides(mention, reply=_storable(reply) or "x", rules=(trace,), urgency=Urgency.CRITICAL)
    assert draft
    for command in (
        ("inbox", "--limit", "1", "--state", "proposed"),
        ("show", f"M{mention}"),
        ("explain", f"D{draft.id}"),
        ("approve", f"D{draft.id}"),
        ("edit", f"D{draft.id}", "--text", text),
    ):
        done = desk.run(*command)
        assert done.exit_code in (0, 2), (done.output, done.exception)
        assert not DANGEROUS.search(done.stdout + done.stderr), command
    for command in (
        ("inbox", "--json", "--limit", "1"),
        ("show", f"M{mention}", "--json"),
        ("explain", f"D{draft.id}", "--json"),
    ):
        done = desk.run(*command)
        assert done.exit_code == 0, (done.output, done.exception)
        json.loads(done.stdout)
        assert not DANGEROUS.search(done.stdout), command
    desk.run("reject", f"D{draft.id}", "--reason", text + "x")


@pytest.mark.slow
@pytest.mark.parametrize("sign", ["a", "\x1b[31m", "\u202e", "a\n", "漢"], ids=["a", "escape", "bidi", "lines", "wide"])
def test_a_megabyte_is_read_in_no_time(desk: DeskWorld, sign: str) -> None:
    huge = sign * (1_000_000 // len(sign))
    media = (Media(kind=huge, url=huge, alt=huge),)
    desk.decides(desk.hears(huge, who="ana", name=huge, media=media, warning=huge, url=huge), reply=huge)
    assert desk.run("approve", "D1", "--yes").exit_code == 2  # nobody could have read it
    for command in (("inbox",), ("show", "D1"), ("explain", "D1"), ("inbox", "--json"), ("approve", "D1")):
        start = time.process_time()
        done = desk.run(*command)
        assert done.exit_code in (0, 2), done.exception
        assert time.process_time() - start < 15, command
