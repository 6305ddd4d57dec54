"""Networks know neither each other nor each other's libraries; what they share stands in a few named files."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import connectors

FOLDER = Path(connectors.__file__).parent
SHARED = {"events", "faults", "hosts", "plain", "profiles", "wire"}
NO_NETWORK = {  # our people, where customers are, and the web that notices point at
    "links", "webhooks", "crm_settings", "crm_webhook", "crm_salesforce", "crm_salesforce_wire",
}  # fmt: skip
LIBRARIES = {
    "mastodon": {"mastodon"},
    "reddit": {"praw", "prawcore"},
    "x": {"tweepy"},
    "bluesky": {"atproto", "atproto_client", "atproto_core", "atproto_jetstream", "websockets", "httpx"},
    "mail": {"imapclient", "smtplib", "mailparser_reply", "tnefparse"},
    "feed": {"feedparser"},
}
FILES = sorted(path.stem for path in FOLDER.glob("[a-z]*.py"))


def network_of(file: str) -> str | None:
    """Whose file it is: `x_text` is X's; None for what they share."""
    return next((name for name in connectors.available() if file == name or file.startswith(f"{name}_")), None)


def imported(file: str) -> Iterator[str]:
    for node in ast.walk(ast.parse((FOLDER / f"{file}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module in ("connectors", "listener"):
                yield from (f"{node.module}.{each.name}" for each in node.names)
            else:
                yield node.module


@pytest.mark.parametrize("file", FILES)
def test_a_file_is_one_networks_own_or_shared_by_name(file: str) -> None:
    assert (network_of(file) is None) == (file in SHARED | NO_NETWORK)


@pytest.mark.parametrize("file", FILES)
def test_no_network_knows_another_or_its_library(file: str) -> None:
    own = network_of(file)
    for name in imported(file):
        top, _, rest = name.partition(".")
        if top == "connectors" and rest:
            assert rest in SHARED or network_of(rest) == own, name
        for other, libraries in LIBRARIES.items():
            assert other == own or top not in libraries, name
        if top in ("listener", "policies", "cli"):
            assert name.removeprefix("listener.").partition(".")[0] in {"contract", "errors", "terms", "types"}, name
