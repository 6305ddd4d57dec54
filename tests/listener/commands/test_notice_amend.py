"""`escucha notice correct`, `follow-up`, `pin`, `unpin` and `delete`: what becomes of a notice that is out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

import policies
from connectors.sandbox import Fault, World
from tests.servers.mastodon import BRAND, TOKEN, MastodonServer
from tests.servers.x import KEYS, XServer

Run = Callable[..., Result]
TEXTS = ("--title", "Corte", "--text", "es=Corte hasta las 17 h.", "--text", "en=Outage until 5 pm.")
USUAL = '[brand]\nlanguages = ["es", "en"]\n[notices]\ncheck_links = false\n'
RIGHT = "es=Corte hasta las 18 h."


@pytest.fixture
def as_person(escucha: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(person: str, *args: str, input: str | None = None) -> Result:
        monkeypatch.setenv("ESCUCHA_ACTOR", person)
        return escucha("notice", *args, input=input)

    return run


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    accounts = "".join(
        f'[accounts.{name}]\nnetwork = "sandbox"\nworld = "{tmp_path / "world.db"}"\nhandle = "@{name}"\n'
        for name in ("care", "brand")
    )
    (tmp_path / "escucha.toml").write_text(f"{USUAL}{accounts}", encoding="utf-8")
    world = World(tmp_path / "world.db")
    yield world
    world.close()


def publish(as_person: Run, *args: str) -> None:
    assert as_person("marta", "draft", *args).exit_code == 0
    assert as_person("luis", "approve", "N1", "--yes").exit_code == 0
    assert as_person("luis", "publish", "N1").exit_code in (0, 3)


def alone(tmp_path: Path) -> None:
    """The policy asks for one person only."""
    policy = tmp_path / "policy.yaml"
    usual = Path(policies.__file__).with_name("default.yaml").read_text(encoding="utf-8")
    policy.write_text(f"{usual}\nnotices: {{two_people: false}}\n", encoding="utf-8")
    settings = tmp_path / "escucha.toml"
    settings.write_text(f'{settings.read_text()}[policy]\nfile = "{policy}"\n', encoding="utf-8")


def there(world: World, who: str = "care") -> list[str]:
    return [row["text"] for row in world.posts_by(who) if row["deleted_at"] is None]


def found(as_person: Run, number: str = "N1") -> dict[str, Any]:
    value: dict[str, Any] = json.loads(as_person("marta", "status", number, "--json").stdout)
    return value


# --- correcting ---


def test_a_correction_is_seen_by_two_and_changes_every_post(as_person: Run, world: World) -> None:
    publish(as_person, *TEXTS)
    proposed = as_person("marta", "correct", "N1", "--text", RIGHT)
    assert proposed.exit_code == 0, proposed.output
    assert "care (sandbox, es) · changed there · 21 of 500" in proposed.stdout
    assert "Corte hasta las 17 h." in proposed.stdout
    assert "correct N1 --approve" in proposed.stdout
    assert there(world) == ["Corte hasta las 17 h.", "Outage until 5 pm."]
    assert "somebody else" in as_person("marta", "correct", "N1", "--approve", "--yes").stderr
    again = as_person("ana", "correct", "N1", "--text", "es=Otra cosa.")
    assert again.exit_code == 2
    assert "A correction of N1 by marta waits already" in again.stderr
    done = as_person("luis", "correct", "N1", "--approve", "--yes")
    assert done.exit_code == 0, done.output
    assert "✓ brand (sandbox, es): corrected" in done.stdout
    for who in ("care", "brand"):
        assert there(world, who) == ["Corte hasta las 18 h.", "Outage until 5 pm."]
    record = found(as_person)
    assert [each["text"] for each in record["deliveries"] if each["language"] == "es"] == ["Corte hasta las 18 h."] * 2
    first = record["amendments"][0]
    assert (first["before"], first["text"]) == ("Corte hasta las 17 h.", "Corte hasta las 18 h.")
    assert (first["kind"], first["state"], first["written_by"], first["approved_by"]) == (
        "edit",
        "done",
        "marta",
        "luis",
    )
    shown = as_person("marta", "status", "N1").stdout
    assert "corrected" in shown
    assert "Corte hasta las 17 h." in shown
    assert as_person("marta", "correct", "N1", "--text", RIGHT).exit_code == 2, "it says that already"


def test_a_correction_can_be_taken_back_before_it_goes_out(as_person: Run, world: World) -> None:
    publish(as_person, *TEXTS)
    as_person("marta", "correct", "N1", "--text", RIGHT)
    assert "2 changes of N1 taken back" in as_person("marta", "correct", "N1", "--drop").stdout
    assert as_person("luis", "correct", "N1", "--approve", "--yes").exit_code == 2
    assert as_person("marta", "correct", "N1", "--drop").exit_code == 2
    assert as_person("ana", "correct", "N1", "--text", RIGHT).exit_code == 0


def test_where_the_policy_wants_one_person_it_asks_and_goes_out(as_person: Run, world: World, tmp_path: Path) -> None:
    publish(as_person, *TEXTS)
    alone(tmp_path)
    asked = as_person("marta", "correct", "N1", "--text", RIGHT)
    assert asked.exit_code == 2
    assert "say --yes" in asked.stderr
    assert there(world)[0] == "Corte hasta las 17 h."
    done = as_person("marta", "correct", "N1", "--text", RIGHT, "--on", "care", "--yes", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert [(each["account"], each["state"]) for each in told["amendments"]] == [("care", "done")]
    assert (told["follow_ups"], told["same"], told["usd"]) == ([], [], 0)
    assert there(world, "brand")[0] == "Corte hasta las 17 h."


def test_what_is_half_out_is_not_corrected(as_person: Run, world: World) -> None:
    world.fail("publish", Fault.RATE_LIMITED, times=50, seconds=3600)
    publish(as_person, *TEXTS)
    nothing = as_person("marta", "correct", "N1", "--text", RIGHT)
    assert nothing.exit_code == 2
    assert "still going out with its old text" in nothing.stderr
    as_person("marta", "withdraw", "N1")
    assert "Nothing of N1 is out" in as_person("marta", "correct", "N1", "--text", RIGHT).stderr


def test_a_correction_held_by_the_stop_waits_and_goes_on(as_person: Run, escucha: Run, world: World) -> None:
    publish(as_person, *TEXTS)
    as_person("marta", "correct", "N1", "--text", RIGHT)
    assert escucha("pause", "--kind", "amendment").exit_code == 0
    held = as_person("luis", "correct", "N1", "--approve", "--yes")
    assert held.exit_code == 3
    assert "sending is paused" in held.stdout
    assert there(world)[0] == "Corte hasta las 17 h."
    assert escucha("resume", "--kind", "amendment").exit_code == 0
    assert as_person("luis", "correct", "N1").exit_code == 0
    assert there(world)[0] == "Corte hasta las 18 h."


# --- on networks that differ ---


@pytest.fixture
def networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[MastodonServer, XServer]]:
    with MastodonServer() as mastodon, XServer() as x:
        text = f'[accounts.masto]\nnetwork = "mastodon"\ninstance = "{mastodon.url}"\n'
        text += f'[accounts.equis]\nnetwork = "x"\napi = "{x.url}"\n'
        (tmp_path / "escucha.toml").write_text(f"{USUAL}{text}", encoding="utf-8")
        monkeypatch.setenv("ESCUCHA_ACCOUNTS__MASTO__ACCESS_TOKEN", TOKEN)
        for name, value in KEYS.items():
            monkeypatch.setenv(f"ESCUCHA_ACCOUNTS__EQUIS__{name.upper()}", value)
        yield mastodon, x


LONG = "es=Corte en Lleida.\n---\nHasta las 17 h: https://marca.example/corte"
LONG_RIGHT = "es=Corte en Lleida.\n---\nHasta las 18 h: https://marca.example/corte"


def test_a_thread_is_corrected_there_and_followed_elsewhere(
    as_person: Run, networks: tuple[MastodonServer, XServer]
) -> None:
    mastodon, x = networks
    publish(as_person, "--title", "Corte", "--text", LONG)
    proposed = as_person("marta", "correct", "N1", "--text", LONG_RIGHT)
    assert proposed.exit_code == 0, proposed.output
    words = " ".join(proposed.stdout.split())
    assert "masto (mastodon, es, part 2 of 2) · changed there" in words
    assert "equis (x, es) · goes below it" in words
    assert "x lets us change no post" in words
    assert "about 0.20 USD (equis)" in words
    done = as_person("luis", "correct", "N1", "--approve", "--yes")
    assert done.exit_code == 0, done.output
    assert [(row["text"][:13], row["edits"]) for row in mastodon.posts_by(BRAND)] == [
        ("Corte en Llei", 0),
        ("Hasta las 18 ", 1),
    ]
    last, correction = x.posts_by("marca")[1:]
    assert correction["text"] == "Corrección: Hasta las 18 h: https://marca.example/corte"
    assert correction["reply_to"] == last["id"]
    assert "N2 corrects it: published, 1/1 out." in as_person("marta", "status", "N1").stdout
    assert found(as_person)["followed_by"] == ["N2"]
    assert (found(as_person, "N2")["follows"], found(as_person, "N2")["follows_as"]) == ("N1", "correction")


def test_resolved_goes_below_wherever_the_first_is_out(
    as_person: Run, networks: tuple[MastodonServer, XServer]
) -> None:
    mastodon, x = networks
    publish(as_person, "--title", "Corte", "--text", LONG)
    made = as_person("marta", "follow-up", "N1", "--resolved")
    assert made.exit_code == 0, made.output
    assert "N2 is written down, to follow N1: 2 messages on 2 accounts." in made.stdout
    assert "N1: each message below it" in as_person("luis", "preview", "N2").stdout
    assert as_person("luis", "approve", "N2", "--yes").exit_code == 0
    assert as_person("luis", "publish", "N2").exit_code == 0
    (_, ours, resolved), (_, below, said) = mastodon.posts_by(BRAND), x.posts_by("marca")
    assert (resolved["in_reply_to_id"], said["reply_to"]) == (ours["id"], below["id"])
    assert resolved["text"] == said["text"] == "Resuelto: ya vuelve a funcionar todo. Gracias por la paciencia."
    twice = as_person("marta", "follow-up", "N1", "--resolved")
    assert twice.exit_code == 2
    assert "N2 says already that N1 is resolved" in twice.stderr
    assert "N2 says that it is resolved" in as_person("marta", "status", "N1").stdout


def test_a_deletion_asks_tells_what_it_costs_and_begins_at_the_end(
    as_person: Run, networks: tuple[MastodonServer, XServer]
) -> None:
    mastodon, x = networks
    publish(as_person, "--title", "Corte", "--text", LONG)
    asked = as_person("marta", "delete", "N1")
    assert asked.exit_code == 2
    assert "takes 4 messages of N1 back for good; say --yes" in asked.stderr
    x.fail("DELETE ", "cut_before")
    lost = as_person("marta", "delete", "N1", "--yes")
    assert lost.exit_code == 3, lost.output
    assert "nobody knows yet whether it took effect" in " ".join(lost.stdout.split())
    assert mastodon.posts_by(BRAND) == []
    assert x.posts_by("marca")[0]["text"] == "Corte en Lleida."
    assert len(x.posts_by("marca")) == 2, "the first part stays while nobody knows of the second"
    states = {each["account"]: each["state"] for each in found(as_person)["amendments"] if each["part"] == 2}
    assert states == {"masto": "done", "equis": "unknown"}
    assert "deleted" in as_person("marta", "status", "N1").stdout


def test_what_no_network_can_is_said_with_the_address(as_person: Run, networks: tuple[MastodonServer, XServer]) -> None:
    mastodon, _ = networks
    publish(as_person, "--title", "Corte", "--text", LONG)
    pinned = as_person("marta", "pin", "N1")
    assert pinned.exit_code == 3
    assert (
        "equis (x, es, part 1 of 2): x has no way to pin a post through Escucha; do it there by hand" in pinned.stdout
    )
    assert [row["pinned"] for row in mastodon.posts_by(BRAND)] == [True, False]
    alone_there = as_person("marta", "pin", "N1", "equis")
    assert alone_there.exit_code == 2
    assert as_person("marta", "unpin", "N1", "masto/es").exit_code == 0
    assert [row["pinned"] for row in mastodon.posts_by(BRAND)] == [False, False]


# --- deleting and pinning ---


def test_a_deletion_of_everything_stops_what_has_not_gone_out(as_person: Run, world: World) -> None:
    world.fail("publish", Fault.RATE_LIMITED, seconds=3600)
    publish(as_person, *TEXTS)
    gone = as_person("marta", "delete", "N1", "--yes")
    assert gone.exit_code == 0, gone.output
    assert (there(world), there(world, "brand")) == ([], [])
    assert found(as_person)["state"] == "withdrawn"
    assert "Nothing of N1 is out" in as_person("marta", "delete", "N1", "--yes").stderr


def test_one_place_is_deleted_and_the_others_stay(as_person: Run, world: World) -> None:
    publish(as_person, *TEXTS)
    assert as_person("marta", "delete", "N1", "care/en", "--yes").exit_code == 0
    assert (there(world), len(there(world, "brand"))) == (["Corte hasta las 17 h."], 2)
    wrong = as_person("marta", "delete", "N1", "care/en", "--yes")
    assert wrong.exit_code == 2
    assert "N1 is not out on care/en; it is out on care/es, brand/es, brand/en." in wrong.stderr
    assert "escucha notice delete N1" not in as_person("marta", "withdraw", "N1").output


def test_what_was_refused_is_told_and_tried_again_by_the_same_command(as_person: Run, world: World) -> None:
    publish(as_person, *TEXTS)
    world.fail("pin", Fault.REJECTED)
    refused = as_person("marta", "pin", "N1", "care/es", "--json")
    assert refused.exit_code == 3
    assert [each["state"] for each in json.loads(refused.stdout)["amendments"]] == ["failed"]
    assert "not pinned" in as_person("marta", "status", "N1").stdout
    assert as_person("marta", "pin", "N1", "care/es").exit_code == 0
    assert len(world.pinned()) == 1


def test_withdrawing_says_how_to_take_back_what_is_out(as_person: Run, world: World) -> None:
    world.fail("publish", Fault.REJECTED)
    publish(as_person, *TEXTS)
    assert "escucha notice delete N1" in as_person("marta", "withdraw", "N1").stdout


def test_the_daemon_goes_on_with_what_was_ordered(as_person: Run, escucha: Run, world: World) -> None:
    publish(as_person, *TEXTS)
    as_person("marta", "correct", "N1", "--text", RIGHT)
    world.fail("edit", Fault.RATE_LIMITED, times=2, seconds=3600)
    assert as_person("luis", "correct", "N1", "--approve", "--yes").exit_code == 3
    world.heal()
    settings = Path("escucha.toml")
    settings.write_text(settings.read_text() + '[[sources]]\nname = "s"\naccount = "care"\nquery = "mentions"\n')
    assert escucha("run", "--once").exit_code == 0
    assert there(world)[0] == there(world, "brand")[0] == "Corte hasta las 18 h."


def test_what_was_refused_shows_in_the_status_until_it_is_mended(as_person: Run, escucha: Run, world: World) -> None:
    publish(as_person, *TEXTS)
    world.fail("pin", Fault.REJECTED)
    as_person("marta", "pin", "N1", "care/es")
    assert "1 change of notices that are out refused" in " ".join(escucha("status").stdout.split())
    as_person("marta", "pin", "N1", "care/es")
    assert "of notices that are out refused" not in " ".join(escucha("status").stdout.split())


def test_a_new_link_that_leads_nowhere_stops_a_correction(as_person: Run, world: World, tmp_path: Path) -> None:
    publish(as_person, *TEXTS)
    settings = tmp_path / "escucha.toml"
    settings.write_text(settings.read_text().replace("check_links = false", "check_links = true"), encoding="utf-8")
    new = "es=Corte hasta las 18 h: http://127.0.0.1:9/corte"
    stopped = as_person("marta", "correct", "N1", "--text", new)
    assert stopped.exit_code == 2
    assert "http://127.0.0.1:9/corte" in stopped.stderr
    assert "--no-link-check" in stopped.stderr
    assert found(as_person)["amendments"] == []
    assert as_person("marta", "correct", "N1", "--text", new, "--no-link-check").exit_code == 0


def test_an_incidents_end_is_written_down_below_its_notices(as_person: Run, escucha: Run, world: World) -> None:
    assert escucha("incident", "open", "Corte", "--word", "corte").exit_code == 0
    publish(as_person, *TEXTS, "--incident", "I1")
    as_person("marta", "draft", "--title", "Otra", "--text", "es=Aún no ha salido.", "--incident", "I1")
    ended = escucha("incident", "resolve", "I1", "--notice", "--public", "es=Ya hay luz.", "--public", "ca=Ja", "--yes")
    assert ended.exit_code == 0, ended.output
    assert "N3 says so below N1, once somebody else lets it: `escucha notice approve N3`." in ended.stdout
    record = found(as_person, "N3")
    assert (record["follows"], record["follows_as"], record["incident"]) == ("N1", "resolved", "I1")
    words = {(each["account"], each["language"]): each["text"] for each in record["deliveries"]}
    assert words["care", "es"] == words["brand", "es"] == "Ya hay luz."
    assert words["care", "en"].startswith("Resolved:")


def test_what_is_out_nobody_knows_where_is_left_to_people(as_person: Run, world: World) -> None:
    world.fail("publish", Fault.ANSWER_LOST)
    world.fail("find_published", Fault.NEVER_ARRIVED, times=50)
    as_person("marta", "draft", "--title", "Corte", "--text", "es=Corte hasta las 17 h.", "--on", "care")
    as_person("luis", "approve", "N1", "--yes")
    as_person("luis", "publish", "N1")
    assert as_person("luis", "settle", "N1", "care/es", "--there").exit_code == 0
    gone = as_person("marta", "delete", "N1", "--yes")
    assert gone.exit_code == 2
    assert "care (sandbox, es): nobody knows its address there; do it there by hand." in gone.stderr
