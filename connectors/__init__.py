"""The networks we can talk to: one file each, imported only when it is asked for.

A module is a network exactly if it defines `connect` at its top level. That is read from its source, so that listing
the networks imports none of their libraries; files that help a network (its texts, the faults, the wire) define none.
"""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast

from pydantic import BaseModel

from listener.contract import Alerts, Connector, Crm
from listener.errors import Mistake
from listener.types import Facts, LinkCheck

_OFFERS_CONNECT = re.compile(r"^def connect\(", re.MULTILINE)
_OFFERS_JOIN = re.compile(r"^def join\(", re.MULTILINE)
_ALSO_CALLED = re.compile(r"^ALSO_CALLED = \(([^()]*)\)", re.MULTILINE)

CRM = "crm_"  # how the file of a kind of CRM begins


class Network(Protocol):
    """What a connector module offers.

    `QUERIES` too, where it says in a few words what can be listened to; `ADVICE`, sentences that `escucha doctor`
    shows: what a person must arrange with the network beforehand; and `ALSO_CALLED`, a tuple of other names that people
    try.
    """

    Settings: type[BaseModel]
    FACTS: Facts

    def connect(self, settings: BaseModel) -> Connector:
        """The connector with these settings. Asks the network nothing yet."""


class System(Protocol):
    """What the module of a kind of CRM offers. Its settings say in `takes` what it is told: "cases", "customers"."""

    Settings: type[BaseModel]

    def join(self, settings: BaseModel) -> Crm:
        """The CRM with these settings. Asks it nothing yet."""


def available() -> list[str]:
    """The names of the networks in this folder, in alphabetical order. Imports none of them."""
    return sorted(
        path.stem
        for path in Path(__file__).parent.glob("[a-z]*.py")
        if _OFFERS_CONNECT.search(path.read_text(encoding="utf-8"))
    )


def load(name: str) -> Network:
    """The connector module of that network.

    Raises Mistake for a name we do not have, or when the library it needs is not installed.
    """
    names = available()
    if name not in names:
        called = [each for each in names if name.lower() in _also_called(each)]
        near = called or difflib.get_close_matches(name.lower(), names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names)}."
        raise Mistake(f"There is no network called {name!r}; {hint}")
    try:
        return cast(Network, importlib.import_module(f"{__name__}.{name}"))
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in ("", "connectors", "listener"):
            raise  # our own file is broken: a bug, not a mistake
        raise Mistake(f"The network {name!r} needs the package {missing!r}; install it and try again.") from error


def crms() -> list[str]:
    """The kinds of CRM that we know, in alphabetical order. Imports none of them."""
    return sorted(
        path.stem.removeprefix(CRM)
        for path in Path(__file__).parent.glob(f"{CRM}[a-z]*.py")
        if _OFFERS_JOIN.search(path.read_text(encoding="utf-8"))
    )


def load_crm(kind: str) -> System:
    """The module of that kind of CRM. Raises Mistake for one that we do not know, or whose library is not installed."""
    if kind not in crms():
        raise Mistake(f"There is no kind of CRM called {kind!r}; there are: {', '.join(crms())}.")
    return cast(System, importlib.import_module(f"{__name__}.{CRM}{kind}"))


def webhook(url: str, *, key: bytes | None, ca_file: Path | None) -> Alerts:
    """What tells our own people through that address. `key` signs; `ca_file` is trusted instead of the usual ones."""
    from connectors.webhooks import Webhook

    return Webhook(url, key=key, ca_file=ca_file)


def check_links(urls: Sequence[str]) -> list[LinkCheck]:
    """What came of following each of those links, in their order."""
    from connectors import links

    return links.check_all(urls)


def _also_called(network: str) -> set[str]:
    """The other names that its module gives it, read from its source."""
    found = _ALSO_CALLED.search(Path(__file__).with_name(f"{network}.py").read_text(encoding="utf-8"))
    return set(re.findall(r'"([^"]+)"', found[1])) if found else set()
