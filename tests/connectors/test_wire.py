"""The session of our connectors: it asks those hosts that it is for, under our token and nobody's login."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from connectors import faults
from connectors.wire import Astray, Wire
from listener.errors import OutcomeUnknown, Unavailable
from tests.servers.hostile import Garbage, whole

FINE = whole(b"{}")


@pytest.mark.parametrize(
    ("url", "goes"),
    [
        ("http://127.0.0.1:{port}/a", True),
        ("http://localhost:{port}/a", False),
        ("http://evil.test@127.0.0.1:{port}/a", True),
        ("http://127.0.0.1:{port}@evil.test/a", False),
        ("http://evil.test\\@127.0.0.1:{port}/a", False),
        ("http://evil.test/.salesforce.com", False),
        ("http://evil.test?.salesforce.com", False),
        ("http://salesforce.com.evil.test/", False),
    ],
)
def test_only_its_own_hosts_are_asked(url: str, goes: bool) -> None:
    with Garbage(FINE) as server, Wire(hosts=["127.0.0.1", ".salesforce.com"], proxies=False) as wire:
        address = url.format(port=server.url.rpartition(":")[2])
        if goes:
            assert wire.get(address).status_code == 200
        else:
            with pytest.raises(Astray):
                wire.get(address)
            assert isinstance(wire.failure, Astray)
        assert len(server.asked) == goes


@pytest.mark.parametrize("name", ["münchen.test", "MÜNCHEN.test", "xn--mnchen-3ya.test"])
def test_a_host_is_known_however_it_is_written(name: str) -> None:
    for other in ("münchen.test", "xn--mnchen-3ya.test"):
        with Wire(hosts=[name], proxies=False, connect_timeout=0.5) as wire, pytest.raises(requests.ConnectionError):
            wire.get(f"http://{other}:9/")  # there is no such machine; to ask for it was right


def test_ipv6_is_a_host_too() -> None:
    with Wire(hosts=["::1"], proxies=False, connect_timeout=0.5) as wire, pytest.raises(requests.ConnectionError):
        wire.get("http://[::1]:9/")


def test_what_goes_astray_was_never_written() -> None:
    told = faults.of_failure(Astray("x"), where="care.test", writing=True)
    assert isinstance(told, Unavailable)
    assert not isinstance(told, OutcomeUnknown)
    assert "another host" in str(told)


def test_no_login_of_this_machine_takes_the_place_of_our_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login me password hunter2\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    with Garbage(FINE) as server, Wire(proxies=True) as wire:
        wire.get(f"{server.url}/a", headers={"Authorization": "Bearer ours"})
        wire.get(f"{server.url}/a")
    assert b"Bearer ours" in server.heads[0]
    assert b"Authorization" not in server.heads[1]
