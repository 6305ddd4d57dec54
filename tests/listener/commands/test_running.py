"""run --once, status: on the sandbox network, and on a database in every sad state."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from importlib import metadata
from pathlib import Path
from unittest.mock import create_autospec

import pytest
from click.testing import Result

import connectors
import policies
from connectors.sandbox_world import Fault, World
from listener import daemon
from listener.commands import running, unknown
from listener.commands.app import App
from listener.store import daemons, rests, sources, stats, streams, tables
from listener.store.sources import Wanted
from listener.store.unknowns import Awaited
from listener.types import DraftState, Sent, Urgency
from tests.listener.commands.desk_world import DANGEROUS, SETTINGS, DeskWorld

Escucha = Callable[..., Result]

HOSTILE = "\x1b[2J [red]x[/red] \u202egnp.exe"
LISTENING = """\
[accounts.care]
network = "sandbox"
world = "world.db"

[[sources]]
name = "tag"
account = "care"
query = "#marca"

[[sources]]
name = "names"
account = "care"
query = "mentions"
"""
ONLY_READS = """
[accounts.public]
network = "mastodon"
instance = "https://mastodon.example"
"""


@pytest.fixture
def network(escucha: Escucha) -> Iterator[World]:
    """Two sources on one sandbox account, and its network."""
    Path("escucha.toml").write_text(LISTENING, encoding="utf-8")
    world = World("world.db")
    yield world
    world.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskWorld]:
    """A database with a clock of its own and a daemon that lives."""
    made = DeskWorld(tmp_path)
    lives(made, "host:1")
    yield made
    made.close()


def lives(desk: DeskWorld, name: str) -> None:
    now = desk.clock()
    with desk.store.write() as tx:
        daemons.alive(tx, name=name, version="1", started_at=now, now=now)


def heard(desk: DeskWorld) -> None:
    """The source was just polled."""
    with desk.store.write() as tx:
        source, now = sources.get(tx, "tag"), desk.clock()
        sources.succeeded(tx, source, cursor={}, next_poll_at=now + timedelta(minutes=1), new_mentions=0, now=now)


def fine(done: Result) -> str:
    """What it printed, on one line."""
    assert done.exit_code == 0, done.output
    assert not DANGEROUS.search(done.stdout), repr(done.stdout)
    return " ".join(done.stdout.split())


def troubles(desk: DeskWorld) -> list[str]:
    """What needs a person; the words for people say the same."""
    done = desk.run("status", "--json")
    assert done.exit_code == 0, done.output
    told: list[str] = json.loads(done.stdout)["troubles"]
    shown = fine(desk.run("status"))
    assert ("All is well." in shown) == (not told)
    assert all("".join(trouble.split()) in "".join(shown.split()) for trouble in told)
    return told


def test_each_account_that_cannot_send_says_so_at_once_with_its_own_reason(desk: DeskWorld) -> None:
    (desk.folder / "escucha.toml").write_text(
        SETTINGS
        + SETTINGS.partition("[accounts")[1]
        + """.press]
network = "sandbox"
world = "world.db"
""",
        encoding="utf-8",
    )
    now = desk.clock()
    desk.put(desk.draft(), DraftState.APPROVED, decided_at=now, reason="the token was revoked")
    desk.put(desk.draft(who="luis"), DraftState.APPROVED, decided_at=now, reason="nobody answers", account="press")
    desk.put(
        desk.draft(who="eva"), DraftState.APPROVED, decided_at=now, reason="x", not_before=now + timedelta(hours=1)
    )
    assert troubles(desk) == [
        "1 approved draft of the account care has waited for 0 s to go out: the token was revoked.",
        "1 approved draft of the account press has waited for 0 s to go out: nobody answers.",
    ]


def test_what_happened_while_the_rows_were_read_is_not_in_the_future(desk: DeskWorld) -> None:
    with desk.store.write() as tx:
        late = desk.clock() + timedelta(seconds=2)
        sources.failed(tx, sources.get(tx, "tag"), error="nobody there", next_poll_at=late, now=late)
    assert "tag has been failing for 0 s: nobody there." in troubles(desk)


def test_a_full_disk_is_said_before_anything_else(desk: DeskWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("listener.store.ROOM", 2**62)
    desk.clock.forward(days=2)
    with desk.store.write() as tx:
        daemons.gone(tx, "host:1", desk.clock())
    full, nobody = troubles(desk)[:2]
    assert full.startswith("Less than 200 MB are free beside ")
    assert nobody == "No daemon is running, or none can say so: see to the disk first, then `escucha run`."


def test_where_the_last_stopped_in_order_nobody_died(desk: DeskWorld) -> None:
    def lives(name: str, doing: str = "") -> None:
        with desk.store.write() as tx:
            daemons.alive(
                tx, name=name, version="1", started_at=desk.clock(), now=desk.clock(), roles=["send"], doing=doing
            )

    lives("killed:1")
    lives("hangs:1", "sends on care")
    desk.clock.forward(minutes=10)
    lives("first:1")
    lives("last:1")

    def known() -> set[str]:
        with desk.store.read() as tx:
            return {each.name for each in daemons.running(tx)}

    everybody = known()
    with desk.store.write() as tx:
        daemons.gone(tx, "first:1", desk.clock())
    assert known() == everybody - {"first:1"}
    with desk.store.write() as tx:
        daemons.gone(tx, "last:1", desk.clock())
    assert known() == {"hangs:1"}, "what it sends may yet go out"
    with desk.store.write() as tx:
        daemons.gone(tx, "hangs:1", desk.clock())
    assert "No daemon is running: start one with `escucha run`." in troubles(desk)


@pytest.mark.parametrize("lost", ["ALTER TABLE sources DROP COLUMN wait_until", "DROP TABLE pauses"])
def test_a_database_of_another_version_is_told_as_one(desk: DeskWorld, lost: str) -> None:
    with desk.store.write() as tx:
        tx.exec_driver_sql(lost)
    for args in (("status",), ("db", "check"), ("doctor", "--offline")):
        done = desk.run(*args)
        said = " ".join(done.output.split())
        assert done.exit_code in (1, 2)
        assert "The database was made by another version of Escucha" in said, args
        assert "use the version that made it" in said, args


def test_a_token_in_a_file_is_read_again(desk: DeskWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    (desk.folder / "escucha.toml").write_text(SETTINGS + ONLY_READS, encoding="utf-8")
    token = desk.folder / "token"
    token.write_text("the-first-token")
    monkeypatch.setenv("ESCUCHA_ACCOUNTS__PUBLIC__ACCESS_TOKEN_FILE", str(token))
    app = App(connectors=connectors, policies=policies, config_path=desk.folder / "escucha.toml")
    made: list[str] = []
    monkeypatch.setattr(
        app, "connect", lambda _network, settings: made.append(settings.access_token.get_secret_value())
    )
    app.connect_account("public")
    token.write_text("the-second-token")
    app.connect_account("public")
    app.renew("public")
    app.connect_account("public")
    token.unlink()
    app.renew("public")
    app.connect_account("public")
    assert made == ["the-first-token"] * 2 + ["the-second-token"] * 2


# --- run ---


def test_run_without_sources_says_what_to_do(escucha: Escucha) -> None:
    Path("escucha.toml").write_text("", encoding="utf-8")
    for args in (("run",), ("run", "--once")):
        done = escucha(*args)
        assert done.exit_code == 2
        assert "names no source: add one with `escucha source add`" in done.stderr
        assert done.stdout == ""


def test_one_round_says_what_came_of_it(escucha: Escucha, network: World) -> None:
    post = network.person("ana").post("sigo sin internet #marca")
    shown = fine(escucha("run", "--once"))
    assert "tag: 1 new, 0 edited, 0 gone" in shown
    assert "names: 0 new, 0 edited, 0 gone" in shown
    assert "1 draft waits in `escucha inbox`; 0 were sent now." in shown
    network.delete(post)
    assert "1 gone" in fine(escucha("source", "poll", "tag"))


def test_one_round_names_the_source_that_fails_and_goes_on(escucha: Escucha, network: World) -> None:
    network.fail("poll", Fault.UNAVAILABLE, times=1)
    done = escucha("run", "--once")
    assert done.exit_code == 3
    shown = " ".join(done.output.split())
    assert "1 source could not be read" in shown
    assert shown.count("0 new, 0 edited, 0 gone") == 1
    assert "0 drafts wait" in shown


def test_run_hands_over_to_the_daemon(escucha: Escucha, network: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = create_autospec(daemon.Daemon)
    monkeypatch.setattr(daemon, "Daemon", made)
    assert fine(escucha("run")) == ""
    made.return_value.run.assert_called_once_with()


# --- status ---


def test_status_before_anything_is_there(escucha: Escucha) -> None:
    assert "run `escucha init`" in escucha("status").stderr
    Path("escucha.toml").write_text("", encoding="utf-8")
    shown = fine(escucha("status"))
    assert "No daemon is running: start one with `escucha run`." in shown
    assert "No sources yet" in shown
    Path("escucha.toml").write_text(
        '[[sources]]\nname = "cable"\naccount = "care"\nquery = "#cable"\n[accounts.care]\nnetwork = "sandbox"\n',
        encoding="utf-8",
    )
    assert "No source was listened to yet: `escucha run` begins." in fine(escucha("status"))


def test_all_is_well_when_it_is(desk: DeskWorld) -> None:
    heard(desk)
    assert troubles(desk) == []
    assert "well just now in 60 s" in fine(desk.run("status")) or "well just now in 1 min" in fine(desk.run("status"))


def test_status_for_programs_keeps_its_keys(desk: DeskWorld) -> None:
    told = json.loads(desk.run("status", "--json").stdout)
    assert set(told) == {
        "troubles",
        "policy",
        "daemons",
        "tables",
        "pauses",
        "sources",
        "gaps",
        "counts",
        "cases_overdue",
        "solutions_overdue",
        "cases_warned",
        "waiting_for_information",
        "critical_without_agent",
        "oldest_waiting",
        "backlog",
        "slowed",
        "put_back",
        "unreadable_posts",
        "areas",
        "money",
        "unwatched",
        "alerts",
        "crm",
    }
    assert told["areas"] is None
    assert set(told["counts"]) == {
        "mentions",
        "drafts",
        "cases",
        "deliveries",
        "amendments",
        "decided",
        "troubled",
        "unrouted",
    }
    assert set(told["counts"]["drafts"]) == {state.value for state in DraftState}
    assert set(told["daemons"][0]) == {
        *("name", "started_at", "seen_at", "version", "step", "policy", "trouble"),
        *("hurts", "reads", "roles", "doing"),
    }
    (source,) = told["sources"]
    assert source["name"] == "tag"
    assert {"streaming_since", "stream_down_since", "stream_error"} <= set(source)
    assert {"query", "every", "failing_since", "last_error", "paused", "next_poll_at"} <= set(source)
    assert not {"id", "cursor"} & set(source)


def test_people_who_wait_are_no_good_sign(desk: DeskWorld) -> None:
    desk.decides(desk.hears(), open_case=True, urgency=Urgency.CRITICAL)
    desk.decides(desk.hears(who="luis"), reply=None, needs_routing=True)
    assert troubles(desk) == [
        "1 critical case has no agent: `escucha case list` begins with them, "
        "`escucha case assign REF --agent NAME` gives one away.",
        "1 mention waits to be routed: `escucha inbox`.",
    ]
    desk.clock.forward(hours=3)
    lives(desk, "host:1")
    desk.decides(desk.hears(who="eva"), open_case=True, urgency=Urgency.CRITICAL)
    desk.decides(desk.hears(who="leo"), reply=None, needs_routing=True)
    assert troubles(desk) == [
        "2 critical cases have no agent: `escucha case list` begins with them, "
        "`escucha case assign REF --agent NAME` gives one away.",
        "1 case is past its promised first answer: `escucha case list --late`.",
        "2 mentions wait to be routed: `escucha inbox`.",
    ]
    told = json.loads(desk.run("status", "--json").stdout)
    assert (told["cases_overdue"], told["critical_without_agent"], told["counts"]["unrouted"]) == (1, 2, 2)


def test_nobody_is_sought_for_what_is_done(desk: DeskWorld) -> None:
    for who in ("ana", "luis", "eva"):
        desk.decides(desk.hears(who=who), open_case=True, urgency=Urgency.CRITICAL)
    with desk.store.write() as tx:
        numbers = [row.reference for row in tx.execute(tables.cases.select().order_by(tables.cases.c.id))]
        tx.execute(tables.cases.update().where(tables.cases.c.id == 1).values(first_response_at=desk.clock()))
    assert desk.run("case", "resolve", numbers[1]).exit_code == 0
    desk.run("case", "assign", numbers[0], "--agent", "eva")
    desk.run("case", "assign", numbers[2], "--agent", "eva")
    assert troubles(desk) == []
    desk.clock.forward(days=1)
    lives(desk, "host:1")
    assert troubles(desk) == ["1 case is past its promised first answer: `escucha case list --late`."]


def test_no_daemon_one_and_two(desk: DeskWorld) -> None:
    lives(desk, "host:2")
    (said,) = troubles(desk)
    assert said.startswith("2 daemons run on this database (host:")
    desk.clock.forward(seconds=31)
    (said,) = troubles(desk)
    assert said.startswith("The daemon host:1 was last heard 31 s ago")


def test_a_daemon_that_decides_nothing_says_why(desk: DeskWorld) -> None:
    now = desk.clock()
    with desk.store.write() as tx:
        daemons.alive(tx, name="host:1", version="1", started_at=now, now=now, trouble=f"It cannot read {HOSTILE}.")
    (told,) = json.loads(desk.run("status", "--json").stdout)["troubles"]
    assert told == f"The daemon host:1 decides nothing. It cannot read {HOSTILE}."
    assert "decides nothing. It cannot read \\x1b[2J" in fine(desk.run("status"))


def test_sources_that_fail_and_that_are_paused(desk: DeskWorld) -> None:
    with desk.store.write() as tx:
        source = sources.get(tx, "tag")
        extra = Wanted(name="held", account="care", network="sandbox", query="x", every=timedelta(minutes=1))
        sources.sync(tx, [_wanted(source), extra], desk.clock())
        sources.failed(tx, source, error=HOSTILE, next_poll_at=desk.clock(), now=desk.clock() - timedelta(hours=3))
        sources.pause(tx, "held", by="ana", reason="too loud.", now=desk.clock())
        sources.gap(tx, source, "300 posts were too old.", desk.clock())
    told = json.loads(desk.run("status", "--json").stdout)["troubles"]
    assert told == [
        "held is paused: too loud. Mend that (a new token in the environment, or a new query, needs a restart of the "
        "daemon), then: `escucha source resume held`.",
        f"tag has been failing for 3 h: {HOSTILE}.",
        "tag may have missed posts: 300 posts were too old.",
    ]
    shown = fine(desk.run("status"))
    assert "held sandbox x paused" in shown
    assert "tag sandbox #marca failing" in shown
    assert "\\x1b[2J [red]x[/red]" in shown


def test_a_stream_is_shown_while_it_is_open_and_while_it_is_down(desk: DeskWorld) -> None:
    with desk.store.write() as tx:
        source = sources.get(tx, "tag")
        streams.up(tx, source, desk.clock() - timedelta(minutes=3))
    assert "stream of tag open for 3 min" in fine(desk.run("status"))
    (told,) = json.loads(desk.run("status", "--json").stdout)["sources"]
    assert told["streaming_since"]
    with desk.store.write() as tx:
        streams.down(tx, source, error=HOSTILE, now=desk.clock() - timedelta(minutes=2))
    shown = fine(desk.run("status"))
    assert "stream of tag down for 2 min: \\x1b[2J [red]x[/red]" in shown
    assert "; polled meanwhile" in shown
    (told,) = json.loads(desk.run("status", "--json").stdout)["sources"]
    assert (told["streaming_since"], told["stream_error"]) == (None, HOSTILE)
    assert told["stream_down_since"]


def test_where_nobody_listens_no_stream_is_polled_meanwhile(desk: DeskWorld) -> None:
    with desk.store.write() as tx:
        streams.down(tx, sources.get(tx, "tag"), error="gone", now=desk.clock())
        daemons.gone(tx, "host:1", desk.clock())
        daemons.alive(tx, name="host:2", version="1", started_at=desk.clock(), now=desk.clock(), roles=["send"])
    assert "stream of" not in fine(desk.run("status"))


def test_what_a_dead_daemon_left_behind_is_no_stream(desk: DeskWorld) -> None:
    with desk.store.write() as tx:
        streams.up(tx, sources.get(tx, "tag"), desk.clock())
    desk.clock.forward(seconds=31)
    assert "stream of" not in fine(desk.run("status"))
    (told,) = json.loads(desk.run("status", "--json").stdout)["sources"]
    assert told["streaming_since"] is None


def _wanted(source: sources.Source) -> Wanted:
    return Wanted(
        name=source.name, account=source.account, network=source.network, query=source.query, every=source.every
    )


def test_a_source_nobody_asks_is_late(desk: DeskWorld) -> None:
    heard(desk)
    desk.clock.forward(minutes=10)
    assert "tag sandbox #marca late" in fine(desk.run("status"))


def test_sends_that_went_wrong(desk: DeskWorld) -> None:
    desk.put(desk.draft(), DraftState.UNKNOWN)
    desk.put(desk.draft(who="luis"), DraftState.FAILED)
    with desk.store.write() as tx:
        tx.execute(tables.mentions.update().where(tables.mentions.c.id == 1).values(trouble="it broke"))
    unknown, failed, aside = troubles(desk)
    assert unknown.startswith("1 send of unknown outcome: `escucha inbox --unknown`")
    assert failed.startswith("1 send refused: `escucha inbox --state failed`")
    assert "set aside" in aside


def test_a_look_that_should_have_come_is_missed(desk: DeskWorld) -> None:
    def missed() -> list[str]:
        return [each for each in troubles(desk) if "should have been looked for" in each]

    sent = desk.clock()
    desk.put(desk.draft(), DraftState.UNKNOWN, sending_since=sent, looked_at=sent + timedelta(minutes=20))
    desk.clock.forward(minutes=44)  # the next look comes as long after the last one as that came after the sending
    assert missed() == []
    assert [each for each in troubles(desk) if "of unknown outcome" in each] != []
    desk.clock.forward(minutes=2)
    assert missed() == [
        "1 send of unknown outcome on the account care (`escucha inbox --unknown`) should have been looked for 6 min "
        "ago: "
        "no daemon that sends does so; see its log."
    ]
    assert [each for each in troubles(desk) if "of unknown outcome" in each] == missed()  # told once
    fresh = desk.draft(who="eva")
    desk.put(fresh, DraftState.UNKNOWN, sending_since=desk.clock())
    assert [each for each in troubles(desk) if each.startswith("1 other send of unknown outcome: ")]
    desk.put(fresh, DraftState.SENT)
    with desk.store.write() as tx:
        rests.rest(tx, "care", desk.clock() + timedelta(minutes=10))
    assert "needs, a rest until" in missed()[0]
    desk.put(desk.draft(who="luis"), DraftState.UNKNOWN, sending_since=sent, account="former")
    care, former = missed()
    assert care.startswith("1 send of unknown outcome on the account care")
    assert former.startswith(
        "1 send of unknown outcome on the account former (`escucha inbox --unknown`) should have been"
    )
    assert "no longer names it; name it there again, or settle them by hand" in former


def test_changes_of_notices_are_no_other_sends(desk: DeskWorld) -> None:
    """Five replies have a sentence of their own; three changes of unknown outcome have another one."""
    now = desk.clock()
    with desk.store.read() as tx:
        none = stats.counts(tx)
    unknown_now = {"drafts": {**none.drafts, "unknown": 5}, "amendments": {**none.amendments, "unknown": 3}}
    awaited = [
        Awaited(what=what, account="care", sending_since=now - timedelta(hours=2), looked_at=None)
        for what in (*[Sent.REPLY] * 5, *[Sent.AMENDMENT] * 3)
    ]
    told_apart = unknown.how_many_late(awaited, now)
    assert told_apart == 5
    (changes,) = running._unsent(replace(none, **unknown_now), told_apart)
    assert changes.startswith("3 changes of notices that are out")
    sends, _ = running._unsent(replace(none, **unknown_now), 3)
    assert sends.startswith("2 other sends of unknown outcome")


def test_what_is_approved_and_cannot_go_out(desk: DeskWorld) -> None:
    (desk.folder / "escucha.toml").write_text(SETTINGS + ONLY_READS, encoding="utf-8")
    draft = desk.draft()
    desk.put(draft, DraftState.APPROVED)
    assert troubles(desk) == []
    desk.put(draft, DraftState.APPROVED, account="public")
    (said,) = troubles(desk)
    assert said.startswith("The account public only reads; to answer through it, set ESCUCHA_ACCOUNTS__PUBLIC__")
    desk.put(draft, DraftState.APPROVED, account="former")
    (said,) = troubles(desk)
    assert said.startswith("Approved drafts wait for the account former, which ")
    assert said.endswith(
        "escucha.toml no longer names: name it there again, or reject them (`escucha inbox --state approved`)."
    )


def test_how_long_a_stage_lets_wait(desk: DeskWorld) -> None:
    desk.hears()
    desk.clock.forward(hours=1)
    lives(desk, "host:1")
    assert "new since 60 min ago" in fine(desk.run("status")) or "new since 1 h ago" in fine(desk.run("status"))


def test_the_version_is_said_even_where_nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    assert running._version()
    monkeypatch.setattr(metadata, "version", missing)
    assert running._version() == "not installed"


def test_what_waits_to_be_read_and_what_that_slows_is_said(desk: DeskWorld) -> None:
    desk.hears()
    desk.clock.forward(minutes=5)
    lives(desk, "host:1")
    (said,) = troubles(desk)
    assert said.startswith("More is heard than can be read: 1 mention waiting, the oldest for 5 min")
    assert "polled 2.5 times less often" in said
    told = json.loads(desk.run("status", "--json").stdout)
    assert told["slowed"] == pytest.approx(2.5, abs=0.1)
    assert sum(each["mentions"] for each in told["backlog"]) == 1


def test_what_a_daemon_does_without_is_said(desk: DeskWorld) -> None:
    with desk.store.write() as tx:
        now = desk.clock()
        daemons.alive(tx, name="host:1", version="1", started_at=now, now=now, hurts=["The model cannot read: x."])
    assert "The daemon host:1 goes on without something. The model cannot read: x." in troubles(desk)
