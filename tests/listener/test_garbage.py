"""Putting off the search for garbage leaves it as it was found, whatever happens meanwhile."""

from __future__ import annotations

import gc

import pytest

from listener import garbage


def test_it_goes_on_afterwards_also_after_an_error() -> None:
    assert gc.isenabled()
    with garbage.put_off():
        assert not gc.isenabled()
        with garbage.put_off():
            pass
        assert not gc.isenabled(), "the inner one found it put off"
    assert gc.isenabled()
    with pytest.raises(ValueError, match="x"), garbage.put_off():
        raise ValueError("x")
    assert gc.isenabled()


def test_who_has_switched_it_off_finds_it_off() -> None:
    gc.disable()
    try:
        with garbage.put_off():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
