"""Mastodon: pictures are handed over before the post, waited for, and never make a write of unknown outcome."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.mastodon import FACTS, MastodonConnector
from connectors.mastodon_media import USUAL_IMAGES, WAITS, read_images
from listener.errors import AuthFailed, NetworkError, OutcomeUnknown, RateLimited, Rejected, Unavailable
from listener.types import Attachment, Images, PublishRequest
from tests.connectors.test_mastodon import POST, QUICK, connected
from tests.listener.desk.picture_files import png
from tests.servers.mastodon import BRAND, MastodonServer

MEDIA = "POST /api/v2/media"
PICTURE = Attachment(name="secreto-de-marta.png", content_type="image/png", data=png(), alt="un mapa: «la zona» 🗺️")
NOTICE = PublishRequest(key="notice-1", text="La zona del corte:", language="es", media=(PICTURE,))


@pytest.fixture
def server() -> Iterator[MastodonServer]:
    with MastodonServer() as running:
        yield running


@pytest.fixture
def us(server: MastodonServer) -> MastodonConnector:
    return patient(server, [])


def patient(server: MastodonServer, waits: list[float], **more: Any) -> MastodonConnector:
    """A connector that only writes down how long it would have waited."""
    made = connected(server, **more)
    made._uploads._sleep = waits.append
    return made


def asked(server: MastodonServer) -> list[str]:
    return [
        f"{seen.method} {seen.path.rpartition('/')[0] if 'media/' in seen.path else seen.path}"
        for seen in server.requests
    ]


def test_the_picture_is_handed_over_described_and_without_its_files_name(
    server: MastodonServer, us: MastodonConnector
) -> None:
    us.publish(NOTICE)
    assert asked(server) == [MEDIA, POST]
    (form,) = [seen.form for seen in server.requests if seen.path.endswith("/media")]
    assert form["description"] == PICTURE.alt
    assert form["file"]["type"] == "image/png"
    assert "marta" not in form["file"]["name"]
    (upload,) = server.uploads.values()
    assert upload["data"] == PICTURE.data


def test_a_picture_that_is_not_ready_is_waited_for(server: MastodonServer) -> None:
    server.slow_pictures = 3
    waits: list[float] = []
    patient(server, waits).publish(NOTICE)
    assert waits == list(WAITS[:3])
    assert asked(server) == [MEDIA, *["GET /api/v1/media"] * 4, POST]
    assert [each["description"] for each in server.posts_by(BRAND)[0]["media"]] == [PICTURE.alt]


def test_a_picture_that_never_gets_ready_is_a_refusal(server: MastodonServer) -> None:
    server.slow_pictures = 99
    waits: list[float] = []
    with pytest.raises(Rejected, match="did not get the picture ready in 30 s"):
        patient(server, waits).publish(NOTICE)
    assert waits == list(WAITS)
    assert server.posts_by(BRAND) == []


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        ("401", AuthFailed, "does not accept our credentials"),
        ("422", Rejected, "refuses this"),
        ("429", RateLimited, "slow down"),
        ("500", Rejected, "cannot process this picture"),
        ("503", Unavailable, "."),
        ("html", Unavailable, "."),
        ("wrong_type", Unavailable, "."),
        ("truncated", Unavailable, "."),
        ("cut_before", Unavailable, "."),
        ("cut_after", Unavailable, "."),
        ("500_after", Rejected, "cannot process"),
        ("timeout_after", Unavailable, "in time"),
    ],
)
def test_a_picture_that_does_not_get_there_is_an_ordinary_failure(
    server: MastodonServer, kind: str, error: type[NetworkError], words: str
) -> None:
    server.fail(MEDIA, kind)
    with pytest.raises(error, match=words):
        patient(server, [], wait=QUICK if kind == "timeout_after" else 10.0).publish(NOTICE)
    assert server.posts_by(BRAND) == []


def test_a_token_without_the_scope_says_what_to_do(server: MastodonServer, us: MastodonConnector) -> None:
    server.takes_pictures = False
    with pytest.raises(Rejected, match="make an access token with the scope write:media"):
        us.publish(NOTICE)
    assert us.publish(replace(NOTICE, media=())).external_id, "without a picture it still may"


@pytest.mark.parametrize("kind", ["cut_before", "429"])
def test_what_was_handed_over_is_not_handed_over_again(
    server: MastodonServer, us: MastodonConnector, kind: str
) -> None:
    since = datetime.now(UTC)
    server.fail(POST, kind)
    with pytest.raises((OutcomeUnknown, RateLimited)):
        us.publish(NOTICE)
    assert us.find_published(NOTICE, since) is None
    us.publish(NOTICE)
    assert asked(server).count(MEDIA) == 1
    assert len(server.posts_by(BRAND)) == 1


def test_a_post_of_unknown_outcome_is_found_with_its_picture(server: MastodonServer, us: MastodonConnector) -> None:
    since = datetime.now(UTC)
    server.fail(POST, "cut_after")
    with pytest.raises(OutcomeUnknown):
        us.publish(NOTICE)
    found = us.find_published(NOTICE, since)
    assert found is not None
    assert asked(server).count(MEDIA) == 1


def test_what_the_server_has_lost_is_handed_over_again(server: MastodonServer, us: MastodonConnector) -> None:
    server.fail(POST, "503")
    with pytest.raises(OutcomeUnknown):
        us.publish(NOTICE)
    server.uploads.clear()
    with pytest.raises(Rejected):
        us.publish(NOTICE)
    us.publish(NOTICE)
    assert len(server.posts_by(BRAND)) == 1


def test_a_thread_cannot_go_on_from_another_servers_post(us: MastodonConnector) -> None:
    request = PublishRequest(key="notice-2", text="sigue", after="otra.example/1")
    with pytest.raises(Rejected, match="not one of"):
        us.publish(request)


def test_a_part_is_found_below_its_own_thread_only(server: MastodonServer, us: MastodonConnector) -> None:
    since = datetime.now(UTC) - timedelta(minutes=1)
    spanish, english = (us.publish(PublishRequest(key=key, text=key)).external_id for key in ("es", "en"))
    us.publish(PublishRequest(key="es-2", text="https://example.com/corte", after=spanish))
    again = PublishRequest(key="en-2", text="https://example.com/corte", after=english)
    assert us.find_published(again, since) is None
    assert us.find_published(replace(again, after=spanish), since) is not None


# --- what the server allows ---


def test_the_servers_own_limits_count(server: MastodonServer) -> None:
    us = connected(server)
    assert us.facts is FACTS
    us.whoami()
    assert us.facts.images == USUAL_IMAGES


@pytest.mark.parametrize(
    ("told", "images"),
    [
        ({}, USUAL_IMAGES),
        ({"configuration": "none"}, USUAL_IMAGES),
        ({"configuration": {"media_attachments": [], "statuses": None}}, USUAL_IMAGES),
        ({"configuration": {"statuses": {"max_media_attachments": 0}}}, None),
        ({"configuration": {"media_attachments": {"supported_mime_types": ["video/mp4"]}}}, None),
        (
            {
                "configuration": {
                    "media_attachments": {
                        "supported_mime_types": ["image/png", "image/heic", None, 7],
                        "image_size_limit": 9,
                        "description_limit": -4,
                    },
                    "statuses": {"max_media_attachments": 16},
                }
            },
            Images(count=16, types=("image/png",), bytes=9, alt=1500),
        ),
    ],
)
def test_whatever_a_server_says_of_its_limits_is_read_or_left(told: dict[str, Any], images: Images | None) -> None:
    assert read_images(told) == images
