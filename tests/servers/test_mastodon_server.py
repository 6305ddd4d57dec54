"""The local Mastodon server as a program of its own: its address, its memory, its controls."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from connectors.mastodon import MastodonConnector, Settings
from listener.errors import OutcomeUnknown
from listener.types import Author, ReplyRequest, Visibility
from tests.servers.mastodon import SAMPLES, TOKEN

ROOT = Path(__file__).parents[2]


@contextmanager
def running(*arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "tests.servers.mastodon", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip(), process
        finally:
            process.kill()


def tell(url: str, what: str, **form: Any) -> Any:
    with requests.post(f"{url}/_test/{what}", data=form, timeout=5) as answer:
        return answer.json()


def test_it_keeps_its_state_through_a_kill(tmp_path: Path) -> None:
    state = str(tmp_path / "mastodon.jsonl")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    with running("--state", state, "--port", port) as (url, _):
        parent = tell(url, "post", who="ana", text="@marca hola #telecom")["id"]
        parent = f"{urlsplit(url).netloc}/{parent}"
        tell(url, "fault", route="POST /api/v1/statuses", kind="cut_after")
        connector = MastodonConnector(Settings.model_validate({"instance": url, "access_token": TOKEN}))
        request = ReplyRequest(
            key="draft-1",
            parent_id=parent,
            parent_author=Author(external_id="1", handle="ana"),
            parent_visibility=Visibility.PUBLIC,
            text="Lo miramos.",
        )
        since = datetime.now(UTC)
        with pytest.raises(OutcomeUnknown):
            connector.reply(request)
    with running("--state", state, "--port", port) as (url, _):
        connector = MastodonConnector(Settings.model_validate({"instance": url, "access_token": TOKEN}))
        assert [post.external_id for post in connector.poll("mentions", None).posts] == [parent]
        found = connector.find_reply(request, since)
        assert found is not None
        assert connector.reply(request).external_id == found.external_id  # the key is remembered too
        with requests.get(f"{url}/_test/posts?by=marca", timeout=5) as answer:
            assert [post["text"] for post in answer.json()] == ["@ana Lo miramos."]


def test_playing_with_it_takes_one_command() -> None:
    with running("--play") as (url, process):
        assert process.stdout is not None
        told = "".join(process.stdout.readline() for _ in range(10))
        assert url in told
        assert TOKEN in told
        page = MastodonConnector(Settings(instance=url)).poll("#telecom", None)
        assert len(page.posts) == len(SAMPLES)
        tell(url, "edit", id=page.posts[0].external_id.rpartition("/")[2], text="ya está #telecom")
        tell(url, "delete", id=page.posts[1].external_id.rpartition("/")[2])
        posts = MastodonConnector(Settings(instance=url)).poll("#telecom", None).posts
        assert len(posts) == len(SAMPLES) - 1
        assert posts[0].text == "ya está #telecom"
