"""Of the addresses that come with posts only clean ones of the web are kept."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from listener.escapes import visible
from listener.store import addresses


@pytest.mark.parametrize(
    "address",
    [
        "https://social.example/@ana/1234",
        "http://localhost:8765/p/1?a=b&c[]=d#e",
        "HTTPS://Example.com",
        "https://[2001:db8::1]:8080/x",
        "https://niño.example/café/漢字",
        "https://x.example/" + "y" * (addresses.MAX_ADDRESS - 18),
    ],
)
def test_a_clean_address_stays_as_it_is(address: str) -> None:
    assert addresses.kept(address) == address


@pytest.mark.parametrize(
    "address",
    [
        None,
        "",
        "javascript:alert(1)",
        "data:text/html,x",
        "tag:social.example,2026:1",
        "//x.example/1",
        "https:///1",
        "https://",
        "https://:443/",
        "https://x.example:port/",
        "https://x.example:99999/",
        "https://[2001:db8::1/",
        "https://bank.example@evil.example/",
        "https://ana:secret@x.example/",
        "https://evil.example/|bank.example",
        "https://evil.example>|<!channel>",
        "https://x.example/ y",
        "https://x.example/\n@channel",
        "https://x.example\\@evil.example",
        "https://x.example/\u202egpj.exe",
        "https://x.example/\u200b",
        "https://x.example/\u3164",
        "https://x.example/\x00",
        "https://x.example/\ud800",
        "https://x.example/" + "y" * (addresses.MAX_ADDRESS - 17),
    ],
)
def test_anything_else_is_left_out(address: str | None) -> None:
    assert addresses.kept(address) is None


@given(st.text() | st.text().map("https://x.example/{}".format) | st.text().map("https://{}/".format))
@example("https://x.example℀.evil.example/")
def test_whatever_comes_no_address_that_is_kept_can_pass_for_more(text: str) -> None:
    address = addresses.kept(text)
    if address is None:
        return
    assert address == text
    assert urlsplit(address).scheme in ("http", "https")
    assert urlsplit(address).hostname
    assert not set(address) & set('<>|"\\ \n\t')
    assert address == visible(address)
    assert addresses.kept(address) == address
