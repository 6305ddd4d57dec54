"""Which policy somebody means: a file, the one that rules, or one that ruled, as it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from listener.commands.app import App
from listener.contract import Policy
from listener.desk import ruling
from listener.errors import Mistake, NotFound
from listener.store import policies
from listener.store.policies import Stored
from listener.types import Mode

ACTIVE = "active"  # names the policy that rules, where a version may stand


class Loads(Protocol):
    """What `policies` offers besides a policy from a file."""

    replay: Any

    def load_text(
        self, text: str, name: str = "policy", *, mode: Mode | None = None, modes: Mapping[str, Mode] | None = None
    ) -> Policy:
        """The policy in that text. Raises PolicyProblem."""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A policy that somebody named, as another process can load it again."""

    name: str
    text: str
    version: str
    mode: Mode | None
    modes: Mapping[str, Mode]

    def load(self, offered: Loads) -> Policy:
        """It, loaded."""
        return offered.load_text(self.text, self.name, mode=self.mode, modes=self.modes)


def choose(app: App, named: str) -> tuple[Chosen, Policy]:
    """The policy in that file, the one that rules (`active`), or one that ruled, by its version or the start of it.

    Before any ruled, `active` is the one that the settings name. Raises Mistake or PolicyProblem.
    """
    path = Path(named)
    if named == ACTIVE:
        stored = app.ruling()
        return _as_the_settings_have_it(app, app.policy_path) if stored is None else _as_it_ruled(app, stored, named)
    if path.is_file() or path.suffix or not app.has_database:
        return _as_the_settings_have_it(app, path)
    with app.store.read() as tx:
        try:
            stored = policies.find(tx, named)
        except NotFound as unknown:
            raise Mistake(
                f"{named!r} is neither a file nor a policy that ruled here; see `escucha policy history`."
            ) from unknown
    return _as_it_ruled(app, stored, named)


def as_it_ruled(app: App, stored: Stored) -> Policy:
    """The stored policy with the modes that the settings gave it then. Raises PolicyProblem, in one sentence."""
    return _as_it_ruled(app, stored, "")[1]


def _as_the_settings_have_it(app: App, path: Path) -> tuple[Chosen, Policy]:
    settings = app.config_or_default.policy
    found = app.policies.load(path, mode=settings.mode, modes=settings.modes)
    chosen = Chosen(
        name=str(path), text=found.text, version=found.version, mode=settings.mode, modes=dict(settings.modes)
    )
    return chosen, found


def _as_it_ruled(app: App, stored: Stored, named: str) -> tuple[Chosen, Policy]:
    modes = {network: Mode(mode) for network, mode in stored.overrides.items()}
    chosen = Chosen(
        name="the policy that rules" if named == ACTIVE else "the stored policy",
        text=stored.text,
        version=stored.version,
        mode=modes.pop("", None),
        modes=modes,
    )
    offered = cast(Loads, app.policies)

    def read(text: str, name: str) -> Policy:
        return offered.load_text(text, name, mode=chosen.mode, modes=chosen.modes)

    return chosen, ruling.read(stored, read)
