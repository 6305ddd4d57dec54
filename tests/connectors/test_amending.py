"""What is special to each network when a notice that is out is corrected, deleted or pinned."""

from __future__ import annotations

import pytest

from connectors.reddit import FACTS as REDDIT
from listener.errors import AuthFailed, OutcomeUnknown, Rejected
from listener.types import Attachment, EditRequest, PublishRequest, Visibility
from tests.connectors import test_mastodon, test_reddit, test_x
from tests.listener.desk.picture_files import png
from tests.servers.mastodon import BRAND, MastodonServer
from tests.servers.reddit import RedditServer
from tests.servers.x import XServer

SAID = PublishRequest(key="notice-1", text="Corte en Lleida.\nHasta las 17:30 h.", language="es")
CORRECTED = "Corte en Lleida.\nHasta las 18:30 h."


def test_mastodon_loses_nothing_with_an_edit() -> None:
    with MastodonServer() as server:
        ours = test_mastodon.connected(server)
        picture = Attachment(name="mapa.png", content_type="image/png", data=png(), alt="el mapa")
        request = PublishRequest(
            key="n", text=SAID.text, language="gl", media=(picture,), visibility=Visibility.UNLISTED
        )
        out = ours.publish(request).external_id
        row = server.statuses[test_mastodon.own(out)]
        row |= {"sensitive": True, "spoiler_text": "avería"}
        ours.edit(EditRequest(external_id=out, text=CORRECTED))
        assert row["text"] == CORRECTED
        assert [each["description"] for each in row["media"]] == ["el mapa"]
        kept = {name: row[name] for name in ("sensitive", "spoiler_text", "language", "visibility")}
        assert kept == {"sensitive": True, "spoiler_text": "avería", "language": "gl", "visibility": "unlisted"}
        ours.edit(EditRequest(external_id=out, text=CORRECTED, language="es"))
        assert row["edits"] == 1, "what it says already is not edited again: whoever boosted it would be told"
        ours.edit(EditRequest(external_id=out, text=SAID.text, language="es"))
        assert row["language"] == "es"


def test_mastodon_pins_no_sixth_and_says_so() -> None:
    with MastodonServer() as server:
        ours = test_mastodon.connected(server)
        out = [test_mastodon.full(server.url, server.person(BRAND).post(f"aviso {n}")) for n in range(6)]
        for each in out[:5]:
            ours.pin(each)
        with pytest.raises(Rejected, match="máximo"):
            ours.pin(out[5])
        assert not ours.is_pinned(out[5])


def test_another_servers_post_is_none_of_ours() -> None:
    with MastodonServer() as server:
        ours = test_mastodon.connected(server)
        for act in (ours.delete, ours.pin, ours.unpin):
            with pytest.raises(Rejected, match="not one of"):
                act("otro.example/12")
        with pytest.raises(AuthFailed):
            test_mastodon.connected(server, token=None).delete(test_mastodon.full(server.url, "12"))


def test_reddit_changes_what_stands_below_a_title_and_no_title() -> None:
    assert REDDIT.edits is not None
    assert REDDIT.edits(SAID.text, CORRECTED) == ""
    assert "title" in REDDIT.edits(SAID.text, "Corte en Lérida.\nHasta las 17:30 h.")
    with RedditServer() as server:
        ours = test_reddit.connected(server, footer="Soy un bot de Marca.")
        out = ours.publish(SAID).external_id  # type: ignore[attr-defined]
        with pytest.raises(Rejected, match="title"):
            ours.edit(EditRequest(external_id=out, text="Corte en Lérida.\nHasta las 17:30 h."))
        ours.edit(EditRequest(external_id=out, text=CORRECTED))
        assert server.things[out]["text"] == "Hasta las 18:30 h.\n\nSoy un bot de Marca."
        assert server.things[out]["title"] == "Corte en Lleida."
        assert ours.is_edited(EditRequest(external_id=out, text=CORRECTED))
        server.delete(out)
        ours.delete(out)
        assert ours.is_deleted(out)


@pytest.mark.parametrize("moderates", [True, False])
def test_reddit_pins_to_the_subreddit_we_moderate_else_to_our_profile(moderates: bool) -> None:
    with RedditServer(moderated={"marca"} if moderates else set()) as server:
        ours = test_reddit.connected(server)
        out = ours.publish(SAID).external_id  # type: ignore[attr-defined]
        ours.pin(out)
        assert (server.things[out]["stickied"], server.pins) == ((True, []) if moderates else (False, [out]))
        server.moderated.clear()  # it stays where it is, whoever we are now
        asked = len(server.asked("/api/set_subreddit_sticky"))
        ours.pin(out)
        assert len(server.asked("/api/set_subreddit_sticky")) == asked
        server.moderated.add("marca")
        ours.unpin(out)
        assert (server.things[out]["stickied"], server.pins) == (False, [])


def test_reddit_pins_no_comment() -> None:
    with RedditServer() as server:
        post = server.submit("ana", "telecom", "Sin señal")
        with pytest.raises(Rejected, match="no comments"):
            test_reddit.connected(server).pin(server.comment("marca", post, "Lo miramos."))


def test_x_charges_a_deletion_once_and_a_lost_one_too() -> None:
    with XServer() as server:
        ours = test_x.connected(server)
        first, second, third = (
            ours.publish(PublishRequest(key=str(n), text=f"aviso {n}")).external_id for n in range(3)
        )
        ours.charges()
        ours.delete(first)
        assert [(each.call, each.usd) for each in ours.charges()] == [("delete", 0.01)]
        ours.delete(first)  # X says 404, and a look that finds nothing is free
        assert ours.charges() == ()
        server.fail("DELETE ", "cut_after")
        with pytest.raises(OutcomeUnknown):
            ours.delete(second)
        assert [(each.call, each.usd) for each in ours.charges()] == [("delete", 0.01)]
        server.fail("DELETE ", "wrong_type", body={"data": {"deleted": False}})
        with pytest.raises(OutcomeUnknown):
            ours.delete(third)
        assert server.bill["delete"] == 0.03


def test_x_lets_an_app_alone_delete_nothing() -> None:
    with XServer() as server:
        with pytest.raises(AuthFailed):
            test_x.reading_only(server).delete("123")
        theirs = server.person("ana").post("aviso de otra")
        with pytest.raises(Rejected):
            test_x.connected(server).delete(theirs)


@pytest.mark.parametrize("kind", ["500_after", "503", "html", "truncated", "timeout_after"])
@pytest.mark.parametrize("what", ["edit", "delete", "pin"])
def test_mastodons_unclear_answers_are_looked_for(kind: str, what: str) -> None:
    with MastodonServer() as server:
        ours = test_mastodon.connected(server, wait=1.0)
        out = ours.publish(SAID).external_id
        wanted = EditRequest(external_id=out, text=CORRECTED, language="es")
        do, is_done = {
            "edit": (lambda: ours.edit(wanted), lambda: ours.is_edited(wanted)),
            "delete": (lambda: ours.delete(out), lambda: ours.is_deleted(out)),
            "pin": (lambda: ours.pin(out), lambda: ours.is_pinned(out)),
        }[what]
        server.fail("(POST|PUT|DELETE) /api/v1/statuses", kind)
        with pytest.raises(OutcomeUnknown):
            do()
        assert is_done() is (kind not in ("503", "html"))
        do()
        assert is_done()


@pytest.mark.parametrize("kind", ["503", "500_after", "html"])
def test_reddits_and_xs_unclear_answers_are_looked_for(kind: str) -> None:
    with RedditServer() as server:
        ours = test_reddit.connected(server)
        out = ours.publish(SAID).external_id  # type: ignore[attr-defined]
        for path, do in (("set_subreddit_sticky", ours.pin), ("del$", ours.delete)):
            server.fail(f"POST /api/{path}", kind)
            with pytest.raises(OutcomeUnknown):
                do(out)
        assert ours.is_deleted(out) is (kind == "500_after")
    with XServer() as server:
        us = test_x.connected(server)
        out = us.publish(SAID).external_id
        server.fail("DELETE ", kind)
        with pytest.raises(OutcomeUnknown):
            us.delete(out)
        assert us.is_deleted(out) is (kind == "500_after")
