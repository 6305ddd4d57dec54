"""`escucha notice`: from the draft to every network, once, whatever happens on the way."""

from __future__ import annotations

import json
import os
import random
import signal
import stat
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest
from click.testing import Result

from connectors.sandbox import Fault, World
from listener.commands import publishing
from tests.listener.desk.picture_files import SECRET, jpeg
from tests.servers.mastodon import MastodonServer

Run = Callable[..., Result]
ROOT = Path(__file__).parents[3]
TEXTS = ("--title", "Corte", "--text", "es=Hay un corte.", "--text", "en=There is an outage.")


def settings(folder: Path, *names: str) -> None:
    accounts = "".join(
        f'[accounts.{name}]\nnetwork = "sandbox"\nworld = "{folder / "world.db"}"\nhandle = "@{name}"\n'
        for name in names
    )
    (folder / "escucha.toml").write_text(f'[brand]\nlanguages = ["es", "en"]\n{accounts}', encoding="utf-8")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    settings(tmp_path, "care", "brand")
    world = World(tmp_path / "world.db")
    yield world
    world.close()


@pytest.fixture
def as_person(escucha: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    def run(person: str, *args: str, input: str | None = None) -> Result:
        monkeypatch.setenv("ESCUCHA_ACTOR", person)
        return escucha("notice", *args, input=input)

    return run


@pytest.fixture
def approved(as_person: Run, world: World) -> World:
    """N1 on two accounts in two languages, approved."""
    assert as_person("marta", "draft", *TEXTS).exit_code == 0
    assert as_person("luis", "approve", "N1", "--yes").exit_code == 0
    return world


def posts(world: World, *handles: str) -> list[tuple[str, str]]:
    return [(row["author"], row["text"]) for name in handles or ("care", "brand") for row in world.posts_by(name)]


def found(as_person: Run, number: str = "N1") -> dict[str, Any]:
    value: dict[str, Any] = json.loads(as_person("marta", "status", number, "--json").stdout)
    return value


def states(as_person: Run) -> list[str]:
    return [each["state"] for each in found(as_person)["deliveries"]]


ALL = [("care", "Hay un corte."), ("care", "There is an outage.")]
ALL += [("brand", "Hay un corte."), ("brand", "There is an outage.")]


# --- the way of a notice ---


def test_a_notice_from_draft_to_every_account(as_person: Run, world: World) -> None:
    drafted = as_person("marta", "draft", *TEXTS)
    assert "N1 is written down: 4 messages on 2 accounts. Nothing goes out yet." in drafted.stdout
    assert "escucha notice preview N1" in drafted.stdout
    preview = as_person("marta", "preview", "n1")
    assert "care (sandbox, es) · 13 of 500" in preview.stdout
    assert "Hay un corte." in preview.stdout
    assert "publish N1" in as_person("luis", "approve", "1", "--yes").stdout
    assert posts(world) == []
    published = as_person("marta", "publish", "N1")
    assert published.exit_code == 0, published.output
    assert "✓ care (sandbox, es): https://sandbox.example/@care/" in published.stdout
    assert "N1 is out: 4 messages on 2 accounts." in published.stdout
    assert sorted(posts(world)) == sorted(ALL)
    record = found(as_person)
    assert record["state"] == "published"
    assert (record["written_by"], record["approved_by"], record["published_by"]) == ("marta", "luis", "marta")
    assert {each["state"] for each in record["deliveries"]} == {"sent"}
    assert "4/4" in as_person("marta", "status").stdout
    assert "https://sandbox.example" in as_person("marta", "status", "N1").stdout


def test_approving_sends_nothing_not_even_by_the_daemon(approved: World, as_person: Run, escucha: Run) -> None:
    settings_file = Path("escucha.toml")
    source = '[[sources]]\nname = "s"\naccount = "care"\nquery = "mentions"\n'
    settings_file.write_text(settings_file.read_text() + source)
    assert escucha("run", "--once").exit_code == 0
    assert posts(approved) == []
    approved.fail("publish", Fault.RATE_LIMITED, times=2, seconds=3600)
    assert as_person("marta", "publish", "N1").exit_code == 3
    approved.heal()
    assert escucha("run", "--once").exit_code == 0  # what somebody published, the daemon goes on with
    assert sorted(posts(approved)) == sorted(ALL)


def test_the_writer_cannot_approve(as_person: Run, world: World) -> None:
    as_person("marta", "draft", *TEXTS)
    result = as_person("marta", "approve", "N1", "--yes")
    assert result.exit_code == 2
    assert "somebody else must approve it" in result.stderr


def test_without_yes_and_a_terminal_an_approval_says_what_to_do(as_person: Run, world: World) -> None:
    as_person("marta", "draft", *TEXTS)
    result = as_person("luis", "approve", "N1")
    assert result.exit_code == 2
    assert "escucha notice preview N1" in result.stderr


@pytest.mark.parametrize(
    ("before", "command", "words"),
    [
        ((), ("publish", "N1"), "not approved yet"),
        ((("luis", "approve", "N1", "--yes"),), ("approve", "N1", "--yes"), "N1 is already approved (by luis)"),
        ((("luis", "withdraw", "N1"),), ("approve", "N1", "--yes"), "N1 is already withdrawn"),
        ((("luis", "withdraw", "N1"),), ("publish", "N1"), "was withdrawn; write a new one"),
        ((), ("preview", "N9"), "There is no notice N9"),
        ((), ("preview", "x"), "is no notice"),
        ((), ("settle", "N1", "care/es", "--there"), "known already"),
        ((), ("settle", "N1", "nobody", "--there"), "does not go to nobody; it goes to care/es, care/en"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(
    as_person: Run, world: World, before: tuple[tuple[str, ...], ...], command: tuple[str, ...], words: str
) -> None:
    as_person("marta", "draft", *TEXTS)
    for each in before:
        assert as_person(*each).exit_code == 0
    result = as_person("ana", *command)
    assert result.exit_code == 2
    assert words in result.stderr
    assert posts(world) == []


def test_publishing_again_posts_nothing_again(approved: World, as_person: Run) -> None:
    as_person("marta", "publish", "N1")
    again = as_person("marta", "publish", "N1")
    assert again.exit_code == 0
    assert "4 of 4 are out already." in again.stdout
    assert len(posts(approved)) == 4


def test_a_listing_of_nothing_says_so(as_person: Run, world: World) -> None:
    assert "No notices yet" in as_person("marta", "status").stdout
    assert json.loads(as_person("marta", "status", "--json").stdout) == []


# --- threads ---

THREAD = (
    "--title",
    "Corte",
    "--text",
    "es=Hay un corte.\n---\nEstas calles.\n---\nVolveremos.",
    "--text",
    "en=Outage.",
)
PARTS = ["Hay un corte.", "Estas calles.", "Volveremos."]


@pytest.fixture
def threaded(as_person: Run, world: World, tmp_path: Path) -> World:
    """N1 on one account: a thread of three parts in Spanish and one message in English, approved."""
    settings(tmp_path, "care")
    assert as_person("marta", "draft", *THREAD).exit_code == 0
    assert as_person("luis", "approve", "N1", "--yes").exit_code == 0
    return world


def thread_of(world: World) -> list[str]:
    """What stands in our Spanish thread, in order, each below the one before it."""
    rows = [row for row in world.posts_by("care") if row["text"] != "Outage."]
    above = [None, *(row["id"] for row in rows)][: len(rows)]
    assert [row["parent"] for row in rows] == above
    return [row["text"] for row in rows]


def test_a_thread_goes_out_part_by_part_each_below_the_one_before(threaded: World, as_person: Run) -> None:
    preview = as_person("marta", "preview", "N1").stdout
    assert "care (sandbox, es, part 2 of 3) · 13 of 500" in preview
    assert "care (sandbox, en) · 7 of 500" in preview
    result = as_person("marta", "publish", "N1")
    assert result.exit_code == 0, result.output
    assert "✓ care (sandbox, es, part 3 of 3): https://sandbox.example/@care/" in result.stdout
    assert "N1 is out: 4 messages on 1 account." in result.stdout
    assert thread_of(threaded) == PARTS
    assert [(each["part"], each["parts"]) for each in found(as_person)["deliveries"]] == [
        (1, 3),
        (2, 3),
        (3, 3),
        (1, 1),
    ]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault.REJECTED, "waits for part 1, which was refused"),
        (Fault.NEVER_ARRIVED, "waits for part 1, of which nobody"),
    ],
)
def test_a_part_that_is_not_out_holds_those_behind_it_and_nobody_else(
    threaded: World, as_person: Run, monkeypatch: pytest.MonkeyPatch, fault: Fault, words: str
) -> None:
    threaded.fail("publish", fault)
    threaded.fail("find_published", Fault.UNAVAILABLE, times=50)
    monkeypatch.setattr(publishing, "TRIES", 0)
    result = as_person("marta", "publish", "N1")
    assert result.exit_code == 3
    assert words in result.stdout
    assert "waits for" in as_person("marta", "status", "N1").stdout
    assert [each["behind"] for each in found(as_person)["deliveries"]] == [None, states(as_person)[0], "waiting", None]
    assert posts(threaded, "care") == [("care", "Outage.")]
    assert as_person("marta", "publish", "N1").exit_code == 3  # held, not sent past it
    assert posts(threaded, "care") == [("care", "Outage.")]


def test_a_refused_part_is_tried_again_and_the_rest_follows(threaded: World, as_person: Run) -> None:
    threaded.fail("publish", Fault.SLOW, seconds=0)
    threaded.fail("publish", Fault.REJECTED)  # the second part
    assert as_person("marta", "publish", "N1").exit_code == 3
    assert thread_of(threaded) == PARTS[:1]
    assert "1 of N1 in line again" in as_person("marta", "retry", "N1").stdout
    assert as_person("marta", "publish", "N1").exit_code == 0
    assert thread_of(threaded) == PARTS


def test_nothing_goes_on_from_a_part_whose_address_nobody_knows(
    threaded: World, as_person: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    threaded.fail("publish", Fault.ANSWER_LOST)
    threaded.fail("find_published", Fault.NEVER_ARRIVED, times=50)
    monkeypatch.setattr(publishing, "TRIES", 0)
    assert as_person("marta", "publish", "N1").exit_code == 3
    assert as_person("luis", "settle", "N1", "care/es", "--there").exit_code == 0
    assert as_person("marta", "publish", "N1").exit_code == 3
    assert "nobody knows the address of part 1" in found(as_person)["deliveries"][1]["reason"]
    assert thread_of(threaded) == PARTS[:1]


@pytest.mark.parametrize("part", [1, 2, 3])
@pytest.mark.parametrize("fault", [Fault.SLOW, Fault.SLOW_ANSWER])
def test_killed_at_any_part_the_thread_is_whole_and_nothing_stands_twice(
    threaded: World, as_person: Run, tmp_path: Path, part: int, fault: Fault
) -> None:
    for _ in range(part - 1):
        threaded.fail("publish", Fault.KEY_FORGOTTEN)
    threaded.fail("publish", fault, seconds=60)
    threaded.fail("publish", Fault.KEY_FORGOTTEN, times=50)  # nothing but our own care prevents a second one
    there = part if fault is Fault.SLOW_ANSWER else part - 1
    child = start(tmp_path, "publish", "N1")
    until(lambda: len(posts(threaded, "care")) == there and states(as_person)[part - 1] == "sending")
    kill(child)
    assert states(as_person) == ["sent"] * (part - 1) + ["sending"] + ["waiting"] * (4 - part)
    finish(tmp_path)
    assert thread_of(threaded) == PARTS
    assert len(posts(threaded, "care")) == 4
    assert found(as_person)["state"] == "published"


def test_withdrawn_half_way_the_rest_of_the_thread_stays_at_home(threaded: World, as_person: Run) -> None:
    threaded.fail("publish", Fault.SLOW, seconds=0)
    threaded.fail("publish", Fault.RATE_LIMITED, seconds=3600)
    as_person("marta", "publish", "N1")
    result = as_person("luis", "withdraw", "N1")
    assert result.stdout.count("Out, or on its way, all the same") == 1
    assert "escucha notice delete N1" in result.stdout
    threaded.heal()
    assert as_person("marta", "publish", "N1").exit_code == 2
    assert thread_of(threaded) == PARTS[:1]


# --- pictures ---

ALTS = ("--alt", "es=Un mapa del corte", "--alt", "en=A map of the outage")


@pytest.fixture
def map_file(tmp_path: Path) -> Path:
    path = tmp_path / "map.jpg"
    path.write_bytes(jpeg())
    return path


def test_a_picture_goes_with_every_language_described_in_it(as_person: Run, world: World, map_file: Path) -> None:
    drafted = as_person("marta", "draft", *TEXTS, "--image", "map.jpg", *ALTS)
    assert drafted.exit_code == 0, drafted.output
    preview = " ".join(as_person("luis", "preview", "N1").stdout.split())
    assert "picture map.jpg (JPEG, 211 bytes): “Un mapa del corte”" in preview
    assert "picture map.jpg (JPEG, 211 bytes): “A map of the outage”" in preview
    record = found(as_person)
    assert record["images"] == [
        {
            "name": "map.jpg",
            "content_type": "image/jpeg",
            "size": 211,
            "alt": {"es": "Un mapa del corte", "en": "A map of the outage"},
        }
    ]
    assert as_person("luis", "approve", "N1", "--yes").exit_code == 0
    assert as_person("marta", "publish", "N1").exit_code == 0
    for name in ("care", "brand"):
        sent = [world.pictures(str(row["id"])) for row in world.posts_by(name)]
        assert [picture.alt for (picture,) in sent] == ["Un mapa del corte", "A map of the outage"]
        assert all(SECRET not in picture.data for (picture,) in sent)


def test_only_the_first_part_of_a_thread_carries_the_picture(as_person: Run, world: World, map_file: Path) -> None:
    assert as_person("marta", "draft", *THREAD, "--image", "map.jpg", *ALTS, "--on", "care").exit_code == 0
    assert as_person("luis", "approve", "N1", "--yes").exit_code == 0
    assert as_person("marta", "publish", "N1").exit_code == 0
    carried = [len(world.pictures(str(row["id"]))) for row in world.posts_by("care")]
    assert carried == [1, 0, 0, 1]


def test_an_account_goes_without_the_picture_only_when_somebody_says_so(
    as_person: Run, world: World, map_file: Path
) -> None:
    made = as_person("marta", "draft", *TEXTS, "--image", "map.jpg", *ALTS, "--no-image-on", "brand", "--json")
    assert [each["images"] for each in json.loads(made.stdout)["deliveries"]] == [True, True, False, False]
    assert as_person("luis", "approve", "N1", "--yes").exit_code == 0
    assert as_person("marta", "publish", "N1").exit_code == 0
    assert {row["author"] for row in world.posts_by("brand") if world.pictures(str(row["id"]))} == set()


def test_every_problem_with_a_picture_is_told_at_once(as_person: Run, world: World) -> None:
    Path("plan.pdf").write_bytes(b"%PDF-1.7")
    result = as_person(
        "marta", "draft", *TEXTS, "--image", "plan.pdf", "--image", "none.png", "--alt", "es=un plano", "--on", "care"
    )
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "plan.pdf is no PNG, JPEG, GIF or WebP picture; save it as one of these.",
        "There is no file none.png; name the picture's file.",
        "plan.pdf has no description in en, for those who cannot see it; say what it shows with --alt 'en=…'.",
        "none.png has no description in es, for those who cannot see it; say what it shows with --alt 'es=…'.",
        "none.png has no description in en, for those who cannot see it; say what it shows with --alt 'en=…'.",
    ]
    assert json.loads(as_person("marta", "status", "--json").stdout) == []


def test_a_page_finds_its_pictures_beside_it(as_person: Run, world: World, map_file: Path) -> None:
    folder = Path("notices")
    folder.mkdir()
    map_file.rename(folder / "map.jpg")
    (folder / "n.md").write_text("# Corte\nimage: map.jpg\nalt es: Un mapa\n\n## es\nHola\n", encoding="utf-8")
    made = json.loads(as_person("marta", "draft", "--file", "notices/n.md", "--json").stdout)
    assert [(each["name"], each["alt"]) for each in made["images"]] == [("map.jpg", {"es": "Un mapa"})]


@pytest.mark.parametrize(
    ("fault", "state"), [(Fault.NEVER_ARRIVED, "waiting"), (Fault.UNAVAILABLE, "waiting"), (Fault.REJECTED, "failed")]
)
def test_a_picture_that_does_not_arrive_is_no_unknown_outcome(
    as_person: Run, world: World, map_file: Path, monkeypatch: pytest.MonkeyPatch, fault: Fault, state: str
) -> None:
    assert as_person("marta", "draft", *TEXTS, "--image", "map.jpg", *ALTS, "--languages", "es").exit_code == 0
    assert as_person("luis", "approve", "N1", "--yes").exit_code == 0
    world.fail("upload", fault, times=2)
    monkeypatch.setattr(publishing, "TRIES", 0)
    assert as_person("marta", "publish", "N1").exit_code == 3
    assert states(as_person) == [state, state]
    assert posts(world) == []


# --- drafting ---


def test_all_problems_are_refused_at_once_and_nothing_is_stored(as_person: Run, world: World) -> None:
    result = as_person("marta", "draft", "--text", "es=" + "x" * 512, "--on", "car", "--on", "care")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "There is no account 'car'; did you mean care?",
        "It has no title; give it one with --title, for yourselves to find it by.",
        "care (sandbox, es): 12 too long (512 of 500); shorten it, or give sandbox its own text with "
        "--variant 'sandbox:es=…'.",
    ]
    assert json.loads(as_person("marta", "status", "--json").stdout) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("n.md", "# Corte\non: brand\n\n## es\nHola\n\n## sandbox:en\nHello\n"),
        ("n.yaml", "title: Corte\non: brand\ntexts: {es: Hola}\nvariants: {sandbox: {en: Hello}}\n"),
    ],
)
def test_a_file_holds_it_all(as_person: Run, world: World, name: str, text: str) -> None:
    Path(name).write_text(text, encoding="utf-8")
    made = json.loads(as_person("marta", "draft", "--file", name, "--json").stdout)
    assert (made["notice"], made["title"], made["state"]) == ("N1", "Corte", "draft")
    assert [(each["account"], each["text"]) for each in made["deliveries"]] == [("brand", "Hola"), ("brand", "Hello")]


@pytest.mark.parametrize(("name", "words"), [("n.txt", "should end in .yaml or .md"), ("no.md", "cannot be read")])
def test_a_file_that_cannot_be_read_is_a_mistake(as_person: Run, world: World, name: str, words: str) -> None:
    Path("n.txt").write_text("x")
    result = as_person("marta", "draft", "--file", name)
    assert result.exit_code == 2
    assert words in result.stderr


def test_without_text_and_terminal_it_says_how_to_give_some(as_person: Run, world: World) -> None:
    result = as_person("marta", "draft", "--title", "x")
    assert result.exit_code == 2
    assert "--text 'es=…'" in result.stderr


def test_accounts_that_cannot_speak_are_left_out_or_refused(as_person: Run, tmp_path: Path) -> None:
    settings(tmp_path, "care")
    with (tmp_path / "escucha.toml").open("a") as file:
        file.write('[accounts.ears]\nnetwork = "mastodon"\ninstance = "http://127.0.0.1:9"\n')
    with MastodonServer() as server:
        path = tmp_path / "escucha.toml"
        path.write_text(path.read_text().replace("http://127.0.0.1:9", server.url))
        made = as_person("marta", "draft", *TEXTS)
        assert "Left out: ears: it reads without an account of ours." in made.stderr
        assert "2 messages on 1 account." in made.stdout
        refused = as_person("marta", "draft", *TEXTS, "--on", "ears")
    assert refused.exit_code == 2
    assert "ears: it reads without an account of ours, so it cannot speak" in refused.stderr


def test_a_servers_own_limit_counts(as_person: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with MastodonServer(max_characters=1000) as server:
        mastodon_settings(tmp_path, server, "care", monkeypatch=monkeypatch)
        made = as_person("marta", "draft", "--title", "T", "--text", "es=" + "x" * 900, "--json")
        assert made.exit_code == 0, made.output
        assert json.loads(made.stdout)["deliveries"][0]["length_limit"] == 1000


# --- when something is in the way ---


def test_a_pause_is_respected_and_said(approved: World, as_person: Run, escucha: Run) -> None:
    assert escucha("pause", "--reason", "wrong price").exit_code == 0
    result = as_person("marta", "publish", "N1")
    assert result.exit_code == 2
    assert "Sending is paused (all, by luis: wrong price), so N1 stays approved" in result.stderr
    assert posts(approved) == []
    assert escucha("resume").exit_code == 0
    assert as_person("marta", "publish", "N1").exit_code == 0


def test_once_a_pause_is_said_nothing_more_goes_out(world: World, as_person: Run, escucha: Run, tmp_path: Path) -> None:
    texts = [f"--text={language}=Aviso {language}" for language in ("es", "en", "pt", "fr", "it", "de", "ca", "gl")]
    assert as_person("marta", "draft", "--title", "Corte", *texts).exit_code == 0
    assert as_person("luis", "approve", "N1", "--yes").exit_code == 0
    world.fail("publish", Fault.SLOW, times=16, seconds=2)
    child = start(tmp_path, "publish", "N1")
    until(lambda: len(posts(world)) >= 1)
    assert escucha("pause").exit_code == 0
    out = posts(world)
    stdout, _ = child.communicate(timeout=60)
    assert child.returncode == 3
    assert "sending is paused" in stdout
    assert posts(world) == out
    assert len(out) < 16


def test_a_refusal_is_named_and_can_be_tried_again(approved: World, as_person: Run) -> None:
    approved.fail("publish", Fault.REJECTED)
    result = as_person("marta", "publish", "N1")
    assert result.exit_code == 3
    assert "refused: the sandbox refuses this" in result.stdout
    assert "1 of 4 messages of N1 are not out" in result.stderr
    assert sorted(states(as_person)) == ["failed", "sent", "sent", "sent"]
    assert as_person("marta", "publish", "N1").exit_code == 3  # a refusal is not repeated by itself
    assert "1 of N1 in line again" in as_person("marta", "retry", "N1").stdout
    assert as_person("marta", "publish", "N1").exit_code == 0
    assert sorted(posts(approved)) == sorted(ALL)
    assert "Nothing of N1 was refused" in as_person("marta", "retry", "N1").stdout


@pytest.mark.parametrize("fault", [Fault.ANSWER_LOST, Fault.NEVER_ARRIVED])
def test_an_unknown_outcome_is_settled_by_looking(approved: World, as_person: Run, fault: Fault) -> None:
    approved.fail("publish", fault, times=3)
    result = as_person("marta", "publish", "N1")
    assert result.exit_code == 0, result.output
    assert "nobody knows yet whether it is out; trying again in" in result.stdout
    assert sorted(posts(approved)) == sorted(ALL)


def test_a_short_rate_limit_is_waited_out(approved: World, as_person: Run) -> None:
    approved.fail("publish", Fault.RATE_LIMITED, seconds=1)
    result = as_person("marta", "publish", "N1")
    assert result.exit_code == 0
    assert "the network asks us to slow down; trying again in 1 s" in result.stdout
    assert sorted(posts(approved)) == sorted(ALL)


def test_a_long_rate_limit_says_when(approved: World, as_person: Run) -> None:
    approved.fail("publish", Fault.RATE_LIMITED, times=2, seconds=600)
    began = time.monotonic()
    result = as_person("marta", "publish", "N1", "--json")
    assert result.exit_code == 3
    assert time.monotonic() - began < 10
    record = json.loads(result.stdout)
    assert record["state"] == "publishing"
    assert {each["state"] for each in record["deliveries"]} == {"waiting"}
    assert all(each["again_at"] for each in record["deliveries"])
    approved.fail("publish", Fault.RATE_LIMITED, times=2, seconds=600)
    assert "worth trying again at" in as_person("marta", "publish", "N1").stdout
    assert posts(approved) == []


def test_one_account_that_fails_does_not_hold_the_others(approved: World, as_person: Run, tmp_path: Path) -> None:
    settings(tmp_path, "brand")
    result = as_person("marta", "publish", "N1")
    assert result.exit_code == 3
    assert "✗ care (sandbox, es): waits: There is no account 'care'" in result.stdout
    assert posts(approved, "brand") == [("brand", "Hay un corte."), ("brand", "There is an outage.")]


def test_a_person_settles_what_looking_cannot(approved: World, as_person: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    approved.fail("publish", Fault.ANSWER_LOST, times=2)
    approved.fail("find_published", Fault.NEVER_ARRIVED, times=50)  # looking cannot tell
    monkeypatch.setattr(publishing, "TRIES", 0)
    result = as_person("marta", "publish", "N1")
    assert result.exit_code == 3
    assert "nobody knows whether it is out" in result.stdout
    unknown = [each for each in found(as_person)["deliveries"] if each["state"] == "unknown"]
    assert len(unknown) == 2
    first, second = (f"{each['account']}/{each['language']}" for each in unknown)
    assert "Noted: it is there." in as_person("luis", "settle", "N1", first, "--there").stdout
    assert "`escucha notice retry N1`" in as_person("luis", "settle", "N1", second, "--not-there").stdout
    assert sorted(states(as_person)) == ["failed", "sent", "sent", "sent"]


def test_withdrawing_stops_what_is_not_out_and_names_what_is(approved: World, as_person: Run) -> None:
    approved.fail("publish", Fault.RATE_LIMITED, seconds=3600)
    as_person("marta", "publish", "N1")
    out = posts(approved)
    assert 0 < len(out) < 4
    result = as_person("luis", "withdraw", "N1")
    assert result.exit_code == 0
    assert result.stdout.count("Out, or on its way, all the same") == len(out)
    approved.heal()
    assert as_person("marta", "publish", "N1").exit_code == 2
    assert posts(approved) == out


# --- on a terminal ---


def spawn(folder: Path, person: str, *args: str, **more: str) -> Any:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ESCUCHA_ACTOR": person, "TERM": "xterm", **more}
    command = ["-m", "cli", "notice", *args]
    child = pexpect.spawn(
        sys.executable, command, cwd=str(folder), env=environment, encoding="utf-8", timeout=60, dimensions=(40, 100)
    )
    return child


def test_the_second_person_sees_exactly_what_goes_out(as_person: Run, world: World, tmp_path: Path) -> None:
    as_person("marta", "draft", *TEXTS)
    child = spawn(tmp_path, "luis", "approve", "N1")
    child.expect("Hay un corte.")
    child.expect(r"Let N1 go out like this\?")
    child.sendline("n")
    child.expect("N1 stays a draft")
    child.expect(pexpect.EOF)
    child = spawn(tmp_path, "luis", "approve", "N1")
    child.expect(r"Let N1 go out like this\?")
    child.sendline("y")
    child.expect("N1 is approved")
    child.expect(pexpect.EOF)
    assert found(as_person)["approved_by"] == "luis"


def test_a_terminal_shows_a_bar_over_the_outcomes(approved: World, tmp_path: Path) -> None:
    approved.fail("publish", Fault.SLOW, times=4, seconds=0.3)
    child = spawn(tmp_path, "marta", "publish", "N1")
    child.expect("━")
    child.expect("✓ ")
    child.expect("N1 is out: 4 messages on 2 accounts.")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_the_editor_writes_it_and_a_refused_text_is_kept(as_person: Run, world: World, tmp_path: Path) -> None:
    editor = tmp_path / "editor"
    editor.write_text(f"#!{sys.executable}\n" + _EDITOR)
    editor.chmod(editor.stat().st_mode | stat.S_IXUSR)
    child = spawn(tmp_path, "marta", "draft", EDITOR=str(editor), WORDS="x" * 600)
    child.expect("100 too long")
    child.expect(r"Your text is in (\S+);")
    kept = Path(child.match[1])
    child.expect(pexpect.EOF)
    assert "x" * 600 in kept.read_text()
    child = spawn(tmp_path, "marta", "draft", EDITOR=str(editor), WORDS="Hola")
    child.expect("N1 is written down: 2 messages on 2 accounts")
    child.expect(pexpect.EOF)
    child = spawn(tmp_path, "marta", "draft", EDITOR="true")
    child.expect("Nothing was written")
    child.expect(pexpect.EOF)
    kept.unlink()


_EDITOR = """
import os, sys
page = open(sys.argv[1], encoding="utf-8").read()
assert "## es" in page and "## en" in page
page = page.replace("# ", "# Corte", 1).replace("## es", "## es\\n" + os.environ["WORDS"])
open(sys.argv[1], "w", encoding="utf-8").write(page)
os.utime(sys.argv[1], (1, 1))
"""


# --- killed at any moment ---


# The command, where Mastodon is a server on loopback, on which what cannot be seen at once is not there.
PROMPT = """
import dataclasses, datetime, signal, cli
signal.signal(signal.SIGINT, signal.default_int_handler)  # who runs the tests may ignore it, and we would inherit that
from connectors import mastodon
mastodon.FACTS = dataclasses.replace(mastodon.FACTS, settle_after=datetime.timedelta(seconds=3))
cli.main()
"""


def start(folder: Path, *args: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ESCUCHA_ACTOR": "marta"}
    command = [sys.executable, "-c", PROMPT, "notice", *args]
    return subprocess.Popen(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def kill(child: subprocess.Popen[str]) -> None:
    child.send_signal(signal.SIGKILL)
    child.communicate()


def until(wanted: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not wanted():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def finish(folder: Path) -> None:
    """Publishes until everything is out: what nobody knows of is looked for again after a while, and then said."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        child = start(folder, "publish", "N1")
        out, err = child.communicate(timeout=200)
        if child.returncode == 0:
            return
        time.sleep(1)
    raise AssertionError(out + err)


def test_killed_after_the_network_took_it_nothing_is_posted_twice(
    approved: World, as_person: Run, tmp_path: Path
) -> None:
    approved.fail("publish", Fault.SLOW_ANSWER, times=2, seconds=60)  # accepted, and then it hangs
    approved.fail("publish", Fault.KEY_FORGOTTEN, times=50)  # nothing but our own care prevents a second one
    child = start(tmp_path, "publish", "N1")
    until(lambda: len(posts(approved)) == 2)
    kill(child)
    assert sorted(states(as_person)) == ["sending", "sending", "waiting", "waiting"]
    finish(tmp_path)
    assert sorted(posts(approved)) == sorted(ALL)
    assert found(as_person)["state"] == "published"


def test_killed_before_the_network_took_it_nothing_is_lost(approved: World, as_person: Run, tmp_path: Path) -> None:
    approved.fail("publish", Fault.SLOW, times=2, seconds=60)
    child = start(tmp_path, "publish", "N1")
    until(lambda: states(as_person).count("sending") == 2)
    kill(child)
    finish(tmp_path)
    assert sorted(posts(approved)) == sorted(ALL)


def test_stopped_by_hand_it_finishes_what_is_in_hand_and_says_how_to_go_on(
    approved: World, as_person: Run, tmp_path: Path
) -> None:
    approved.fail("publish", Fault.SLOW, times=2, seconds=6)
    child = start(tmp_path, "publish", "N1")
    until(lambda: states(as_person).count("sending") == 2)
    child.send_signal(signal.SIGINT)
    _out, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "`escucha notice publish N1` goes on" in err
    assert sorted(states(as_person)) == ["sent", "sent", "waiting", "waiting"]
    finish(tmp_path)
    assert sorted(posts(approved)) == sorted(ALL)


def test_two_who_publish_at_once_post_everything_once(approved: World, tmp_path: Path) -> None:
    approved.fail("publish", Fault.SLOW, times=4, seconds=0.3)
    children = [start(tmp_path, "publish", "N1") for _ in range(3)]
    for child in children:
        child.communicate(timeout=120)
    assert [child.returncode for child in children] == [0, 0, 0]
    assert sorted(posts(approved)) == sorted(ALL)


# --- a server that speaks a network's own protocol ---


def mastodon_settings(folder: Path, server: MastodonServer, *names: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ""
    for name in names:
        server.person(name)
        server.tokens[f"token-of-{name}"] = name
        lines += f'[accounts.{name}]\nnetwork = "mastodon"\ninstance = "{server.url}"\n'
        monkeypatch.setenv(f"ESCUCHA_ACCOUNTS__{name.upper()}__ACCESS_TOKEN", f"token-of-{name}")
    (folder / "escucha.toml").write_text(lines, encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["timeout_after", "timeout_before"])
def test_killed_while_a_mastodon_server_keeps_silent(
    as_person: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    names = [f"m{number}" for number in range(10)]
    with MastodonServer(forget_keys=True) as server:
        mastodon_settings(tmp_path, server, *names, monkeypatch=monkeypatch)
        assert as_person("marta", "draft", *TEXTS).exit_code == 0
        assert as_person("luis", "approve", "N1", "--yes").exit_code == 0
        server.fail("POST /api/v1/statuses", fault, times=3)
        child = start(tmp_path, "publish", "N1")
        until(lambda: all(each.times == 0 for each in server.faults))
        until(lambda: states(as_person).count("sending") == 3, 30)
        time.sleep(0.5)
        kill(child)
        server.heal()
        finish(tmp_path)
        counted = Counter((row["acct"], row["text"]) for name in names for row in server.posts_by(name))
    assert set(counted.values()) == {1}
    assert len(counted) == 20


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_forty_accounts_killed_at_random_moments_get_each_message_once(
    as_person: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(7)
    names = [f"m{number}" for number in range(40)]
    with MastodonServer(forget_keys=True) as server:  # nothing but our own care prevents a second post

        def out() -> list[tuple[str, str]]:
            return [(row["acct"], row["text"]) for name in names for row in server.posts_by(name)]

        mastodon_settings(tmp_path, server, *names, monkeypatch=monkeypatch)
        assert as_person("marta", "draft", *TEXTS).exit_code == 0
        assert as_person("luis", "approve", "N1", "--yes").exit_code == 0
        for _ in range(20):
            for kind, options in (("slow", {"pause": 0.0003}), ("timeout_after", {"seconds": 1}), ("cut_before", {})):
                server.fail("POST /api/v1/statuses", kind, **options)
        kills = 0
        for _ in range(8):
            wanted = len(out()) + chance.randint(1, 9)
            child = start(tmp_path, "publish", "N1")
            until(lambda wanted=wanted, child=child: len(out()) >= wanted or child.poll() is not None)
            time.sleep(chance.random() * 0.1)
            kills += child.poll() is None
            kill(child)
        assert kills >= 5
        server.heal()
        finish(tmp_path)
        counted = Counter(out())
    assert set(counted.values()) == {1}
    assert len(counted) == 80
    assert found(as_person)["state"] == "published"


@pytest.mark.slow
def test_threads_with_pictures_killed_at_random_moments_hold_together(
    as_person: Run, tmp_path: Path, map_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(11)
    names = [f"m{number}" for number in range(10)]
    with MastodonServer(forget_keys=True, slow_pictures=1) as server:

        def out() -> list[str]:
            return [row["text"] for name in names for row in server.posts_by(name)]

        mastodon_settings(tmp_path, server, *names, monkeypatch=monkeypatch)
        assert as_person("marta", "draft", *THREAD, "--image", "map.jpg", *ALTS).exit_code == 0
        assert as_person("luis", "approve", "N1", "--yes").exit_code == 0
        for _ in range(6):
            for kind, options in (("slow", {"pause": 0.0003}), ("timeout_after", {"seconds": 1}), ("cut_before", {})):
                server.fail("POST /api/v1/statuses", kind, **options)
                server.fail("POST /api/v2/media", kind, **options)
        kills = 0
        for _ in range(6):
            wanted = len(out()) + chance.randint(1, 6)
            child = start(tmp_path, "publish", "N1")
            until(lambda wanted=wanted, child=child: len(out()) >= wanted or child.poll() is not None)
            time.sleep(chance.random() * 0.1)
            kills += child.poll() is None
            kill(child)
        assert kills >= 3
        server.heal()
        finish(tmp_path)
        for name in names:
            spanish = [row for row in server.posts_by(name) if row["text"] != "Outage."]
            assert [row["text"] for row in spanish] == PARTS
            assert [row["in_reply_to_id"] for row in spanish] == [None, spanish[0]["id"], spanish[1]["id"]]
            carried = [[each["description"] for each in row["media"]] for row in spanish]
            assert carried == [["Un mapa del corte"], [], []]
        assert len(out()) == 40
