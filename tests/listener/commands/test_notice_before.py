"""`escucha notice` before anything goes out: threads, links, money, times, two people, and the page to look at."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pexpect
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cli
import connectors
import policies
from connectors.sandbox import World
from listener import store as stores
from listener.commands import notice_html
from listener.commands.app import App
from listener.store import incidents, notices
from listener.store.notices import Variant
from listener.types import Attachment, LinkCheck, LinkState
from tests import databases
from tests.listener.commands.conftest import Steady
from tests.listener.commands.test_notice import spawn
from tests.listener.desk.picture_files import jpeg

LINK = "https://marca.example/corte"
TEXT = f"es=Hay un corte: {LINK}"
POLICY = (
    "name: Test\ntime_zone: Europe/Madrid\nlanguage: es\ndefault_team: care\nteams: {care: {what: everything}}\n"
    "rules: []\n"
)


@dataclass
class Desk:
    """Somebody at a terminal, at a moment; `finds` is what comes of every link."""

    folder: Path
    now: datetime = datetime(2026, 11, 23, 8, tzinfo=UTC)
    finds: tuple[LinkState, str] = (LinkState.FINE, "")
    asked: list[str] = field(default_factory=list)
    person: str = "marta"

    def __call__(self, *args: str) -> Result:
        app = App(connectors=connectors, policies=policies, now=lambda: self.now)
        app.__dict__["classifier"] = Steady()
        return CliRunner(env={"ESCUCHA_ACTOR": self.person}).invoke(cli.escucha, args, obj=app)

    def fine(self, *args: str) -> str:
        result = self(*args)
        assert result.exit_code == 0, result.output
        return result.stdout

    def refused(self, *args: str) -> str:
        result = self(*args)
        assert result.exit_code == 2, result.output
        return result.stderr

    def second(self, *args: str) -> Result:
        self.person = "luis"
        try:
            return self(*args)
        finally:
            self.person = "marta"

    def notice(self, number: int = 1) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.fine("notice", "status", f"N{number}", "--json"))
        return found

    def policy(self, more: str = "") -> None:
        (self.folder / "policy.yaml").write_text(POLICY + more, encoding="utf-8")

    def settle(self, more: str = "") -> None:
        (self.folder / "escucha.toml").write_text(
            '[policy]\nfile = "policy.yaml"\n[accounts.care]\nnetwork = "sandbox"\n'
            f'world = "{self.folder / "world.db"}"\nhandle = "@care"\n'
            f'[[sources]]\nname = "s"\naccount = "care"\nquery = "mentions"\n{more}',
            encoding="utf-8",
        )


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = Desk(tmp_path)

    def check(urls: Sequence[str]) -> list[LinkCheck]:
        made.asked += urls
        state, detail = made.finds
        return [LinkCheck(url=url, state=state, detail=detail) for url in urls]

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(connectors, "check_links", check)
    made.policy()
    made.settle()
    return made


@pytest.fixture
def world(desk: Desk) -> Iterator[World]:
    made = World(desk.folder / "world.db")
    yield made
    made.close()


def posts(world: World) -> list[str]:
    return [str(row["text"]) for row in world.posts_by("care")]


@contextmanager
def opened(desk: Desk) -> Iterator[stores.Store]:
    """The desk's database, for what happens elsewhere."""
    store = stores.open(databases.at(desk.folder))
    try:
        yield store
    finally:
        store.close()


# --- links ---


def test_a_broken_link_is_said_at_every_step_and_keeps_it_at_home(desk: Desk, world: World) -> None:
    desk.finds = LinkState.BROKEN, "is not there (404)"
    drafted = desk("notice", "draft", "--title", "T", "--text", TEXT)
    assert drafted.exit_code == 0
    assert f"✗ The link {LINK} is not there (404)." in drafted.stderr
    assert f"✗ {LINK}: is not there (404)" in desk.fine("notice", "preview", "N1")
    assert desk.asked == [LINK]  # looked at a moment ago
    desk.now += timedelta(minutes=11)
    desk.fine("notice", "preview", "N1")
    assert desk.asked == [LINK] * 2
    desk.now += timedelta(minutes=2)
    approved = desk.second("notice", "approve", "N1", "--yes")
    assert f"✗ The link {LINK}" in approved.stderr
    desk.now += timedelta(minutes=2)
    assert "N1 stays approved: the link" in desk.refused("notice", "publish", "N1")
    assert len(desk.asked) == 4
    assert posts(world) == []
    assert desk.notice()["links"][0]["state"] == "broken"
    desk.fine("notice", "publish", "N1", "--anyway")
    assert len(posts(world)) == 1


def test_a_doubtful_link_is_said_and_holds_nothing(desk: Desk, world: World) -> None:
    desk.finds = LinkState.DOUBTFUL, "leads elsewhere: https://other.example/"
    desk.fine("notice", "draft", "--title", "T", "--text", TEXT)
    desk.second("notice", "approve", "N1", "--yes")
    published = desk("notice", "publish", "N1")
    assert published.exit_code == 0
    assert f"! The link {LINK} leads elsewhere" in published.stderr
    assert len(posts(world)) == 1


@pytest.mark.parametrize("how", ["option", "setting"])
def test_links_are_not_followed_where_somebody_says_so(desk: Desk, world: World, how: str) -> None:
    desk.finds = LinkState.BROKEN, "is not there"
    if how == "setting":
        desk.settle("[notices]\ncheck_links = false\n")
    also = ("--no-link-check",) if how == "option" else ()
    desk.fine("notice", "draft", "--title", "T", "--text", TEXT, *also)
    assert f"? {LINK}" in desk.fine("notice", "preview", "N1", *also)
    desk.second("notice", "approve", "N1", "--yes", *also)
    desk.fine("notice", "publish", "N1", *also)
    assert (desk.asked, len(posts(world))) == ([], 1)


# --- money ---


def test_what_it_costs_is_said_before_and_keeps_it_at_home(desk: Desk) -> None:
    desk.settle('[accounts.brand]\nnetwork = "x"\n[accounts.brand.budget]\nday = 0.20\n')
    desk.fine("notice", "draft", "--title", "T", "--text", TEXT, "--on", "brand", "--text", "en=There is an outage.")
    shown = desk.fine("notice", "preview", "N1")
    assert "brand (x, es)" in shown
    assert "0.20 USD" in shown
    assert "0.015 USD" in shown
    assert "brand: 0.215 USD, of 0.19 that it may spend now" in shown
    desk.second("notice", "approve", "N1", "--yes")
    told = desk.refused("notice", "publish", "N1")
    assert "N1 stays approved: it costs 0.215 USD on brand, which may spend 0.19 USD now" in told
    assert desk.notice()["state"] == "approved"


# --- threads ---


def test_a_thread_is_offered_to_who_sits_at_a_terminal(desk: Desk, world: World, tmp_path: Path) -> None:
    long = " ".join(f"Hay un corte en la calle Mayor, {n}." for n in range(1, 19))
    assert "say --thread to make 2 posts of it" in desk.refused(
        "notice", "draft", "--title", "T", "--text", f"es={long}"
    )
    child = spawn(tmp_path, "marta", "draft", "--title", "T", "--text", f"es={long}")
    child.expect("138 too long")
    child.expect(r"care \(sandbox, es\) as 2 posts")
    child.expect("Let it go on like this")
    child.sendline("y")
    child.expect("N1 is written down: 2 messages on 1 account")
    child.expect(pexpect.EOF)
    desk.fine("notice", "draft", "--title", "T", "--text", f"es={long}", "--numbered")
    assert [each["text"][-6:] for each in desk.notice(2)["deliveries"]] == [" (1/2)", " (2/2)"]


# --- two people ---


def test_its_writer_may_approve_where_the_policy_asks_for_no_second(desk: Desk, world: World) -> None:
    desk.fine("notice", "draft", "--title", "T", "--text", "es=Hola.")
    assert "somebody else must approve it" in desk.refused("notice", "approve", "N1", "--yes")
    desk.policy("notices: {two_people: false}\n")
    desk.fine("notice", "approve", "N1", "--yes")
    assert desk.notice()["approved_by"] == "marta"
    assert "approve it with" in desk.fine("notice", "draft", "--title", "T", "--text", "es=Adiós.")


def test_the_second_person_is_shown_all_of_it(desk: Desk, world: World, tmp_path: Path) -> None:
    (tmp_path / "map.jpg").write_bytes(jpeg())
    desk.settle("[notices]\ncheck_links = false\n")
    desk.fine("notice", "draft", "--title", "T", "--text", TEXT, "--image", "map.jpg", "--alt", "es=Un mapa")
    desk.now = datetime.now(UTC)
    year = desk.now.year + 1
    desk.fine("notice", "schedule", "N1", "--at", f"{year}-06-01 09:00", "--zone", "America/Bogota")
    child = spawn(tmp_path, "luis", "approve", "N1")
    for words in (
        r"care \(sandbox, es\)",
        "Hay un corte: ",
        "https://marca.example/corte",
        "Un mapa",
        "everybody who reads care",
        rf"{year}-06-01 09:00 \(America/Bogota, UTC-5\), 16:00 Europe/Madrid",
        r"Let N1 go out like this\?",
    ):
        child.expect(words)
    child.sendline("y")
    child.expect("It goes out by itself:")
    child.expect(pexpect.EOF)


def test_a_policy_that_cannot_be_read_keeps_nobody_from_being_told(desk: Desk, world: World) -> None:
    """It happens on the worst of days. Two people are needed then, and times are said by UTC or a place's clocks."""
    desk.policy("notices: {two_people: false}\nnonsense: 1\n")
    desk.fine("notice", "draft", "--title", "T", "--text", "es=Hola.")
    assert "somebody else must approve it" in desk.refused("notice", "approve", "N1", "--yes")
    assert "`nonsense` is not known here" in desk.refused("notice", "schedule", "N1", "--at", "2026-12-01 09:00")
    desk.fine("notice", "schedule", "N1", "--at", "2026-12-01 09:00", "--zone", "Europe/Madrid")
    assert desk.second("notice", "approve", "N1", "--yes").exit_code == 0
    desk.fine("notice", "preview", "N1")
    desk.fine("notice", "publish", "N1")
    assert posts(world) == ["Hola."]


# --- times ---


def test_its_time_is_said_by_the_policys_clocks_and_a_daemon_keeps_it(desk: Desk, world: World) -> None:
    desk.fine("notice", "draft", "--title", "T", "--text", "es=Hola.")
    told = desk.fine("notice", "schedule", "N1", "--at", "2026-12-01 09:00")
    assert "N1 goes out on Tue 2026-12-01 09:00 (Europe/Madrid, UTC+1), 08:00 UTC, in 8 days." in told
    assert "It must be approved by then" in told
    assert "It goes out by itself" in desk.second("notice", "approve", "N1", "--yes").stdout
    found = desk.notice()
    assert (found["due_at"], found["time_zone"]) == ("2026-12-01T08:00:00Z", "Europe/Madrid")
    assert found["late_after"] == "2026-12-01T08:30:00Z"
    assert "in 8 days" in desk.fine("notice", "list", "--scheduled")
    desk.now = datetime(2026, 12, 1, 7, 59, 59, tzinfo=UTC)
    desk.fine("run", "--once")
    assert posts(world) == []
    desk.now += timedelta(seconds=1)
    desk.fine("run", "--once")
    assert posts(world) == ["Hola."]
    assert "was due" in desk.fine("notice", "status", "N1")
    assert desk.fine("notice", "list", "--scheduled").strip() == "None."
    assert "already published" in desk.refused("notice", "schedule", "N1", "--at", "2026-12-02 09:00")


def test_once_its_time_went_by_somebody_is_asked(desk: Desk, world: World) -> None:
    desk.settle('[notices]\nlate = "5m"\n')
    desk.fine("notice", "draft", "--title", "T", "--text", "es=Hola.")
    desk.fine("notice", "schedule", "N1", "--at", "2026-12-01 09:00")
    desk.second("notice", "approve", "N1", "--yes")
    desk.now = datetime(2026, 12, 1, 8, 5, tzinfo=UTC)
    desk.fine("run", "--once")
    assert posts(world) == []
    listed = desk.fine("notice", "list")
    assert "stale" in listed
    assert "Publish it, give it another time, or withdraw it." in listed
    assert "Its time went by" in desk.fine("notice", "status", "N1")
    told = " ".join(desk("status").stdout.split())
    assert "N1 was to go out 5 min ago and is not out. `escucha notice publish N1`, `schedule` or `withdraw`" in told
    desk.fine("notice", "schedule", "N1", "--at", "2026-12-01 10:00")
    desk.now = datetime(2026, 12, 1, 9, tzinfo=UTC)
    desk.fine("run", "--once")
    assert posts(world) == ["Hola."]


def test_without_a_time_it_waits_for_publish(desk: Desk, world: World) -> None:
    desk.fine("notice", "draft", "--title", "T", "--text", "es=Hola.")
    desk.fine("notice", "schedule", "N1", "--at", "2026-12-01 09:00", "--zone", "UTC")
    assert "N1 has no time any more" in desk.fine("notice", "unschedule", "N1")
    assert "N1 had no time" in desk.fine("notice", "unschedule", "N1")
    desk.second("notice", "approve", "N1", "--yes")
    desk.now = datetime(2026, 12, 1, 9, tzinfo=UTC)
    desk.fine("run", "--once")
    assert posts(world) == []


def test_published_by_hand_before_its_time_it_goes_out_once(desk: Desk, world: World) -> None:
    desk.fine("notice", "draft", "--title", "T", "--text", "es=Hola.")
    desk.fine("notice", "schedule", "N1", "--at", "2026-12-01 09:00")
    desk.second("notice", "approve", "N1", "--yes")
    desk.fine("notice", "publish", "N1")
    desk.now = datetime(2026, 12, 1, 8, 1, tzinfo=UTC)
    desk.fine("run", "--once")
    assert posts(world) == ["Hola."]


@pytest.mark.parametrize(
    ("at", "more", "words"),
    [
        ("2027-03-28 02:30", (), "The nearest times are 01:59 and 03:00."),
        ("2027-10-31 02:30", (), "say --first"),
        ("2026-11-23 09:00", (), "is past"),
        ("2026-12-01 09:00", ("--zone", "Madrid"), "did you mean Europe/Madrid?"),
    ],
)
def test_a_time_that_cannot_be_meant_is_refused(
    desk: Desk, world: World, at: str, more: tuple[str, ...], words: str
) -> None:
    desk.fine("notice", "draft", "--title", "T", "--text", "es=Hola.")
    assert words in desk.refused("notice", "schedule", "N1", "--at", at, *more)
    assert desk.notice()["due_at"] is None


# --- incidents and cheer ---


def test_a_notice_is_about_an_incident_and_its_time_line_says_so(desk: Desk, world: World) -> None:
    desk.fine("notice", "draft", "--title", "Other matters that are longer", "--text", "es=Otra cosa.")
    listed = desk.fine("notice", "list")
    assert "Other matters that are longer" in listed, "what is empty takes no room from the title"
    assert "ABOUT" not in listed
    with opened(desk) as store:
        with store.write() as tx:
            incidents.open(tx, title="Corte", by="ana", now=desk.now, began_at=desk.now)
        desk.fine("notice", "draft", "--title", "T", "--text", "es=Hay un corte.", "--incident", "i1")
        with store.read() as tx:
            events = incidents.events_of(tx, 1)
    assert [(each.kind, each.text) for each in events][-1] == ("notice", "N2 is written: T")
    assert [each["notice"] for each in json.loads(desk.fine("notice", "list", "--incident", "I1", "--json"))] == ["N2"]
    assert "I1" in desk.fine("notice", "list")
    assert "There is no incident I7" in desk.refused(
        "notice", "draft", "--title", "T", "--text", "es=x", "--incident", "I7"
    )
    assert "Nothing about an incident is cheer" in desk.refused(
        "notice", "draft", "--title", "T", "--text", "es=x", "--incident", "I1", "--cheer"
    )


def test_cheer_stays_at_home_while_an_incident_holds_it(desk: Desk, world: World) -> None:
    desk.fine("notice", "draft", "--title", "T", "--text", "es=¡Feliz viernes!", "--cheer")
    assert desk.notice()["kind"] == "cheer"
    desk.second("notice", "approve", "N1", "--yes")
    with opened(desk) as store, store.write() as tx:
        incidents.open(tx, title="Corte", by="ana", now=desk.now, began_at=desk.now)
    assert "holds cheer back" in desk.refused("notice", "publish", "N1")
    assert posts(world) == []


# --- the page ---


class Reader(HTMLParser):
    """What stands in a page: every tag with its attributes, and the text between."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


WORDS = "html head meta title style body main h1 h2 p dl dt dd div section article span b small a figure img figcaption"
TAGS = {*WORDS.split(), "i", "ul", "li", "footer"}
ATTRIBUTES = set("lang charset name content http-equiv class aria-hidden href rel src alt style".split())  # noqa: SIM905


def test_the_page_shows_all_of_it_and_asks_nobody(desk: Desk, world: World, tmp_path: Path) -> None:
    (tmp_path / "map.jpg").write_bytes(jpeg())
    desk.finds = LinkState.BROKEN, "is not there (404)"
    long = "Hay un corte en la calle Mayor. " * 20 + LINK
    pictured = ("--image", "map.jpg", "--alt", 'es=Un "mapa" <de> la zona')
    desk.fine("notice", "draft", "--title", "T", "--text", f"es={long}", "--numbered", *pictured)
    result = desk("notice", "preview", "N1", "--html", "out.html")
    assert (result.exit_code, result.stderr) == (0, "N1 is drawn in out.html.\n")
    assert (tmp_path / "out.html").stat().st_mode & 0o077 == 0
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    reader = read(page)
    assert "default-src 'none'" in page
    assert [attributes["src"][:23] for tag, attributes in reader.tags if tag == "img" and attributes["src"]] == [
        "data:image/jpeg;base64,"
    ]
    assert [attributes["alt"] for tag, attributes in reader.tags if tag == "img"] == ['Un "mapa" <de> la zona']
    assert re.findall(r"(?:src|url\(|@import)[^>]{0,5}https?:", page) == []
    for words in ("a thread of 2", "1 of 2", "(2/2)", f"✗ {LINK}: is not there (404)", "of 500", "reaches"):
        assert words in reader.text
    assert "ends in .html" in desk.refused("notice", "preview", "N1", "--html", "out.txt")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(min_size=1, max_size=80)
    | st.sampled_from(
        [
            "<script>alert(1)</script>",
            'https://a.example/"><script>x</script>',
            "https://a.example/'onmouseover='alert(1)",
            "https://[",
            "@<b>x</b> #</p><img src=https://evil.example/x>",
            "javascript:alert(1) data:text/html,x",
            "</style><style>@import 'https://evil.example'",
            "\u202ehttps://a.example/\u0000x",
        ]
    ),
    network=st.sampled_from(["x", "mastodon", "bluesky", "reddit", 'x" onload="y']),
)
def test_whatever_people_write_is_text_and_nothing_else(memory: stores.Store, text: str, network: str) -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    safe = text.encode("utf-8", "ignore").decode().replace("\x00", "") or "x"
    variant = Variant(account=safe, network=network, language="es", text=safe, length=1, limit=5, images=True)
    with memory.write() as tx:
        notice = notices.draft(tx, title=safe, variants=[variant], by=safe, now=now)
    picture = Attachment(name=safe, content_type=safe, data=b"x", alt=safe)
    drawn = notice_html.Drawn(notice=notice, pictures={"es": [picture]}, costs={}, summary=[(safe, safe)], at=now)
    reader = read(notice_html.page(drawn))
    assert {tag for tag, _ in reader.tags} <= TAGS
    for tag, attributes in reader.tags:
        assert set(attributes) <= ATTRIBUTES, (tag, attributes)
        assert (attributes.get("href") or "#").startswith(("#", "http://", "https://"))
        assert (attributes.get("src") or "data:").startswith("data:")
    assert sum(tag in ("script", "style", "img", "iframe") for tag, _ in reader.tags) == 2  # our style, our picture


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[stores.Store]:
    made = stores.open(databases.at(tmp_path_factory.mktemp("pages")))
    yield made
    made.close()
