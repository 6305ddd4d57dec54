"""The sandbox keeps the contract, and its people and faults do what they are told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors import sandbox
from connectors.sandbox import Sandbox
from listener.errors import OutcomeUnknown, RateLimited, Unavailable
from listener.types import Author, Media, PostKind, PublishRequest, ReplyRequest, Visibility
from tests.connectors import conformance
from tests.connectors.conformance import Conformance, Ours

FAULTS = {
    conformance.Fault.RATE_LIMITED: sandbox.Fault.RATE_LIMITED,
    conformance.Fault.UNAVAILABLE: sandbox.Fault.UNAVAILABLE,
    conformance.Fault.GARBAGE: sandbox.Fault.UNAVAILABLE,
    conformance.Fault.AUTH_FAILED: sandbox.Fault.AUTH_FAILED,
    conformance.Fault.REJECTED: sandbox.Fault.REJECTED,
    conformance.Fault.LOST_BEFORE: sandbox.Fault.NEVER_ARRIVED,
    conformance.Fault.LOST_AFTER: sandbox.Fault.ANSWER_LOST,
}
READS = ("poll", "recheck", "find_reply", "find_message", "find_published", "is_edited", "is_deleted", "is_pinned")
WRITES = ("reply", "message", "publish", "edit", "delete", "pin", "unpin")


class SandboxWorld(conformance.World):
    module = "connectors.sandbox"
    query = "#marca"
    mentions_query = "mentions"
    bad_query = "# no hashtag"
    lateness = timedelta(days=30)

    def __init__(self, path: Path) -> None:
        self.path = path
        self.people = sandbox.World(path)

    def connector(self) -> Sandbox:
        return sandbox.connect(sandbox.Settings(world=self.path, page_size=20))

    def post(
        self,
        who: str,
        text: str,
        *,
        reply_to: str | None = None,
        to_us: bool = False,
        late: timedelta = timedelta(0),
    ) -> str:
        said = f"{'@marca ' if to_us else ''}{text} #marca"
        return self.people.person(who).post(said, parent=reply_to, at=datetime.now(UTC) - late)

    def edit(self, external_id: str, text: str) -> None:
        self.people.edit(external_id, f"{text} #marca")

    def delete(self, external_id: str) -> None:
        self.people.delete(external_id)

    def ours(self) -> list[Ours]:
        return [
            Ours(external_id=str(row["id"]), parent_id=str(row["parent"]) if row["parent"] else None, text=row["text"])
            for row in self.people.posts_by("@marca")
            if row["deleted_at"] is None
        ]

    def fail(self, fault: conformance.Fault, *, writes: bool = False, times: int = 1) -> None:
        for operation in WRITES if writes else READS:
            self.people.fail(operation, FAULTS[fault], times)

    def heal(self) -> None:
        self.people.heal()

    def descriptions(self, external_id: str) -> list[str]:
        return [each.alt for each in self.people.pictures(external_id)]

    def seen_by_one(self, external_id: str) -> bool:
        (row,) = self.people.rows([external_id])
        return bool(row["visibility"] == Visibility.DIRECT)

    def fail_upload(self, fault: conformance.Fault) -> bool:
        self.people.fail("upload", FAULTS[fault])
        return True

    @property
    def our_id(self) -> str:
        return "marca"


class TestSandbox(Conformance):
    @pytest.fixture
    def world(self, tmp_path: Path) -> Iterator[SandboxWorld]:
        world = SandboxWorld(tmp_path / "world.db")
        yield world
        world.people.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[sandbox.World]:
    world = sandbox.World(tmp_path / "sandbox.db")
    yield world
    world.close()


@pytest.fixture
def us(tmp_path: Path, world: sandbox.World) -> Sandbox:
    return sandbox.connect(sandbox.Settings(world=tmp_path / "sandbox.db"))


def answer_to(us: Sandbox, post_id: str, key: str = "draft-1") -> ReplyRequest:
    (parent,) = us.recheck([post_id]).present
    return ReplyRequest(
        key=key, parent_id=post_id, parent_author=parent.author, parent_visibility=parent.visibility, text="Lo miramos."
    )


def test_mentions_are_what_names_us_or_answers_us(us: Sandbox, world: sandbox.World) -> None:
    ana = world.person("@Ana_Ejemplo", "Ana", followers=12)
    named = ana.post("Hola @MARCA, ¿hay avería?")
    ana.post("Compré una @marcadora y un correo@marca.example")
    ana.post("La marca de mi vecino")
    ours = us.publish(PublishRequest(key="n", text="Aviso de @marca")).external_id
    answer = ana.post("¿Y para cuándo?", parent=ours)
    quiet = ana.post("@marca mi número es 5", visibility=Visibility.DIRECT)
    page = us.poll("mentions", None)
    assert [(post.external_id, post.kind) for post in page.posts] == [
        (named, PostKind.MENTION),
        (answer, PostKind.REPLY),
        (quiet, PostKind.DIRECT),
    ]
    assert page.posts[0].author == Author(
        external_id="ana_ejemplo",
        handle="ana_ejemplo",
        display_name="Ana",
        url="https://sandbox.example/@ana_ejemplo",
        followers=12,
    )
    assert page.posts[1].thread_id == ours


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("#fibra", [0]),
        ("fibra", [0, 1]),
        ("FIBRA lenta", [1]),
        ("fib", []),
    ],
    ids=["hashtag", "word", "all words", "not a part of a word"],
)
def test_searches_find_whole_words_in_public(us: Sandbox, world: sandbox.World, query: str, found: list[int]) -> None:
    ana = world.person("ana")
    ids = [ana.post("Llegó la #fibra"), ana.post("Qué lenta es la fibra")]
    ana.post("entre nosotras: la #fibra, la fibra lenta", visibility=Visibility.FOLLOWERS)
    assert [post.external_id for post in us.poll(query, None).posts] == [ids[n] for n in found]


def test_an_edited_post_comes_again_even_when_it_no_longer_names_us(us: Sandbox, world: sandbox.World) -> None:
    ana = world.person("ana")
    post = ana.post("@marca fatal")
    cursor = us.poll("mentions", None).cursor
    ana.edit(post, "ya está, perdón")
    (again,) = us.poll("mentions", cursor).posts
    assert (again.external_id, again.text) == (post, "ya está, perdón")
    assert again.edited_at is not None


def test_a_deleted_post_is_reported_gone(us: Sandbox, world: sandbox.World) -> None:
    ana = world.person("ana")
    post = ana.post("@marca fatal")
    other = ana.post("nada que ver")
    cursor = us.poll("mentions", None).cursor
    ana.delete(post)
    ana.delete(other)
    page = us.poll("mentions", cursor)
    assert (page.posts, page.gone) == ((), (post,))
    with pytest.raises(KeyError):
        ana.edit(post, "tarde")


def test_media_warning_language_and_time_arrive(us: Sandbox, world: sandbox.World) -> None:
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    picture = Media(kind="image", url="https://sandbox.example/1.png", alt="una antena")
    world.person("ana", bot=True, created_at=at).post(
        "@marca mira", at=at, media=[picture], content_warning="enfado", language="es"
    )
    (post,) = us.poll("mentions", None).posts
    assert post.media == (picture,)
    assert (post.content_warning, post.language, post.posted_at) == ("enfado", "es", at)
    assert (post.author.bot, post.author.created_at) == (True, at)


def test_a_reply_keeps_the_thread_the_visibility_and_the_warning(us: Sandbox, world: sandbox.World) -> None:
    post = world.person("ana").post("@marca hola", visibility=Visibility.UNLISTED)
    us.reply(answer_to(us, post))
    question, reply = world.thread(post)
    assert (reply["text"], reply["visibility"]) == ("@ana Lo miramos.", "unlisted")
    assert reply["parent"] == question["id"]


def test_a_lost_answer_was_written_and_the_key_finds_it(us: Sandbox, world: sandbox.World) -> None:
    request = answer_to(us, world.person("ana").post("@marca hola"))
    since = datetime.now(UTC)
    world.fail("reply", sandbox.Fault.ANSWER_LOST)
    with pytest.raises(OutcomeUnknown):
        us.reply(request)
    found = us.find_reply(request, since)
    assert found is not None
    assert us.reply(request) == found
    assert len(world.posts_by("marca")) == 1


def test_a_forgotten_key_writes_twice(us: Sandbox, world: sandbox.World) -> None:
    request = answer_to(us, world.person("ana").post("@marca hola"))
    us.reply(request)
    world.fail("reply", sandbox.Fault.KEY_FORGOTTEN)
    us.reply(request)
    assert len(world.posts_by("marca")) == 2


def test_faults_come_in_order_as_often_as_asked(us: Sandbox, world: sandbox.World) -> None:
    world.fail("poll", sandbox.Fault.RATE_LIMITED, seconds=7)
    world.fail("poll", sandbox.Fault.UNAVAILABLE, 2)
    with pytest.raises(RateLimited) as slow_down:
        us.poll("mentions", None)
    assert slow_down.value.retry_after == 7
    for _ in range(2):
        with pytest.raises(Unavailable):
            us.poll("mentions", None)
    assert us.poll("mentions", None).posts == ()


def test_slowness_is_waited_for_outside_the_file(us: Sandbox, world: sandbox.World) -> None:
    """Others go on posting while one call is slow."""
    world.fail("poll", sandbox.Fault.SLOW, seconds=0.5)
    waiting = threading.Thread(target=us.poll, args=("mentions", None))
    waiting.start()
    started = datetime.now(UTC)
    us.recheck(["1"])
    world.person("ana").post("hola")
    assert datetime.now(UTC) - started < timedelta(seconds=0.4)
    waiting.join()


def test_posts_from_many_threads_are_all_read_once(us: Sandbox, world: sandbox.World) -> None:
    def talk(name: str) -> None:
        for n in range(100):
            world.person(name).post(f"@marca {n}")

    threads = [threading.Thread(target=talk, args=(f"p{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    ids: list[str] = []
    cursor = None
    while len(ids) < 400:
        page = us.poll("mentions", cursor)
        ids += [post.external_id for post in page.posts]
        cursor = page.cursor
    for thread in threads:
        thread.join()
    assert len(ids) == len(set(ids)) == 400


def test_what_is_written_together_is_undone_together(us: Sandbox, world: sandbox.World) -> None:
    ana = world.person("ana")

    def half() -> None:
        with world.writing():
            ana.post("@marca uno")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert us.poll("mentions", None).posts == ()


def test_a_file_that_cannot_be_used_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "no.db").write_text("this is a letter, not a database; " * 40)
    us = sandbox.connect(sandbox.Settings(world=tmp_path / "no.db"))
    with pytest.raises(Unavailable):
        us.poll("mentions", None)
