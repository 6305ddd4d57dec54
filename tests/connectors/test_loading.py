"""Listing and loading networks: by their files, without importing what is not asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import connectors
from connectors import available, load
from listener.errors import Mistake


def test_the_networks_are_the_files_that_offer_connect() -> None:
    names = available()
    assert names == sorted(names)
    assert {"mastodon", "sandbox"} <= set(names)
    assert not {"faults", "wire", "mastodon_text", "__init__"} & set(names)


@pytest.mark.parametrize("name", available())
def test_every_network_loads(name: str) -> None:
    network = load(name)
    assert network.FACTS.network == name
    assert callable(network.connect)


@pytest.mark.parametrize(("wrong", "right"), [("mastadon", "mastodon"), ("Sandbox", "sandbox"), ("mstdn", "mastodon")])
def test_a_slip_of_the_pen_gets_a_hint(wrong: str, right: str) -> None:
    with pytest.raises(Mistake, match=f"did you mean '{right}'"):
        load(wrong)


@pytest.mark.parametrize("name", ["faults", "", "../cli", "os", "zzz"])
def test_what_is_no_network_is_not_imported(name: str) -> None:
    with pytest.raises(Mistake, match="no network called"):
        load(name)


def test_a_missing_library_is_a_mistake_with_the_next_step(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "__init__.py").write_text("")
    (tmp_path / "birdsite.py").write_text("import a_library_nobody_has\n\n\ndef connect(settings): ...\n")
    (tmp_path / "broken.py").write_text("import connectors.nothing_here\n\n\ndef connect(settings): ...\n")
    monkeypatch.setattr(connectors, "__file__", str(tmp_path / "__init__.py"))
    monkeypatch.setattr(connectors, "__path__", [str(tmp_path)])
    assert available() == ["birdsite", "broken"]
    with pytest.raises(Mistake, match="needs the package 'a_library_nobody_has'"):
        load("birdsite")
    with pytest.raises(ModuleNotFoundError):
        load("broken")


def test_listing_imports_no_network() -> None:
    script = "import sys, connectors; connectors.available(); print([m for m in sys.modules if m in " + (
        "('mastodon', 'requests', 'bs4', 'praw', 'tweepy', 'atproto', 'connectors.mastodon')])"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
