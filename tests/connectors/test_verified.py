"""Which networks vouch for who somebody is, read from what they send; the others leave it open."""

from __future__ import annotations

import pytest

from connectors import bluesky_posts, x_posts

DID = "did:plc:ewvi7nxzyoun6zhxrhs64oiz"


@pytest.mark.parametrize(
    ("view", "verified"),
    [
        ({"verification": {"verifiedStatus": "valid"}}, True),
        ({"verification": {"verifiedStatus": "none"}}, False),
        ({"verification": {"verifiedStatus": "invalid"}}, False),
        ({"verification": {"verifiedStatus": 1}}, None),
        ({"verification": "valid"}, None),
        ({}, None),
    ],
)
def test_on_bluesky(view: dict[str, object], verified: bool | None) -> None:
    assert bluesky_posts.to_author({"did": DID, "handle": "ana.example.com", **view}).verified is verified


@pytest.mark.parametrize(
    ("user", "verified"),
    [({"verified": True}, True), ({"verified": False}, False), ({"verified": "yes"}, None), ({}, None)],
)
def test_on_x(user: dict[str, object], verified: bool | None) -> None:
    assert "verified" in x_posts.USER_FIELDS
    assert x_posts.to_author({"id": "5", "username": "ana", **user}).verified is verified
