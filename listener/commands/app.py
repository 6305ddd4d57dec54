"""What every command is handed: settings, database, policy, model and networks, each opened when first asked for.

@click.command()
@pass_app
def status(app: App) -> None:
    with app.store.read() as tx: ...
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

import click

from listener import log
from listener.commands.actor import DAEMON, system_user, who_acts
from listener.errors import ConfigProblem, Mistake, NotFound, Outage, PolicyProblem

if TYPE_CHECKING:
    from pydantic import BaseModel

    from listener.budget import Allowance
    from listener.commands.identity import Identity
    from listener.config import Account, Config
    from listener.contract import Alerts, Classifier, Connector, Crm, Policy
    from listener.desk.crm_systems import System
    from listener.desk.purse import Purse
    from listener.desk.shelving import Embed
    from listener.flow.alert import Target
    from listener.flow.decide import Company
    from listener.flow.pipeline import Pipeline
    from listener.model.reading import Model
    from listener.store import Store
    from listener.store.policies import Stored
    from listener.store.sources import Wanted
    from listener.types import Facts, LinkCheck, Mode


class Networks(Protocol):
    """What `connectors` offers: the names there are, and one module by name with `Settings`, `FACTS`, `connect`."""

    def available(self) -> Sequence[str]:
        """Every network's name."""

    def load(self, name: str) -> Any:
        """That network's module, imported now."""

    def webhook(self, url: str, *, key: bytes | None, ca_file: Path | None) -> Alerts:
        """What tells our own people through that address."""

    def check_links(self, urls: Sequence[str]) -> Sequence[LinkCheck]:
        """What came of following each of those links, in their order."""

    def crms(self) -> Sequence[str]:
        """Every kind of CRM."""

    def load_crm(self, kind: str) -> Any:
        """The module of that kind of CRM, with `Settings` and `join`, imported now."""


class Policies(Protocol):
    """What `policies` offers."""

    def load(self, path: Path, *, mode: Mode | None = None, modes: Mapping[str, Mode] | None = None) -> Policy:
        """The policy in that file. Raises PolicyProblem."""

    def load_text(
        self, text: str, name: str, *, mode: Mode | None = None, modes: Mapping[str, Mode] | None = None
    ) -> Policy:
        """The policy in that text; `name` stands for the file in problems. Raises PolicyProblem."""

    def default_path(self) -> Path:
        """The policy that rules where the settings name none."""


@runtime_checkable
class _Embeds(Protocol):
    """A model that gives vectors too."""

    def embed(self, texts: Sequence[str]) -> Any:
        """One vector of length 1 per text, in order."""


def _now() -> datetime:
    """By this machine's clock; a database that others share has its own, see `store/clock.py`."""
    return datetime.now(UTC)


@dataclass(kw_only=True)
class App:
    """One run of the command line. Nothing is opened, imported or asked before somebody needs it."""

    connectors: Networks
    policies: Policies
    config_path: Path = Path("escucha.toml")
    now: Callable[[], datetime] = _now
    _connected: dict[str, Connector] = field(default_factory=dict, repr=False)
    _renewed: dict[str, Account] = field(default_factory=dict, repr=False)

    @cached_property
    def acting(self) -> Identity:
        """Who is at the command line. Raises Mistake for who cannot be told, and who says to be somebody else."""
        from listener.commands import identity

        if not self.has_database:
            return identity.Identity(name=who_acts())
        with self._database.read() as tx:
            return identity.of(tx, self.now())

    @cached_property
    def actor(self) -> str:
        """Who acts, for the audit log. Raises Mistake for a name that could be taken for another's."""
        return self.acting.name

    @cached_property
    def config(self) -> Config:
        """The settings. Raises ConfigProblem with every problem at once."""

        log.start()
        found = self._read_config()
        log.hide(found.secrets())
        log.start(form=found.daemon.log_format, level=found.daemon.log_level)
        return found

    def _read_config(self) -> Config:
        from listener import config

        return config.load(
            self.config_path,
            networks=self.connectors.available(),
            settings_of=self.settings_of,
            crms=self.connectors.crms(),
        )

    @cached_property
    def config_or_default(self) -> Config:
        """The settings, or the defaults where there is no file: for what works without any."""
        from listener import config

        if self.config_path.exists():
            return self.config
        log.start()
        return config.Config()

    @cached_property
    def store(self) -> Store:
        """The database, its tables made where it is empty. Raises Mistake where nobody may act as `actor`."""
        actor, user = self.actor, system_user()
        opened = self._database
        if "acting" in self.__dict__ and self.acting.anybody:
            self._demand_that_nobody_is_known(opened)
        opened.users = {} if actor in (user, DAEMON) else {actor: user}
        opened.country = self.config.customers.country
        opened.audit_key = self.config.audit.sealing
        return opened

    def _demand_that_nobody_is_known(self, opened: Store) -> None:
        """Raises Mistake where there are users after all, be it that the database's address hid that it was there."""
        from listener.store import users

        with opened.read() as tx:
            if users.there_are(tx):
                raise Mistake("There are users by now, so everybody must show who they are; run it again.")

    @cached_property
    def _database(self) -> Store:
        """The same, for whoever asks who acts."""
        from listener import store
        from listener.store import lives

        opened = store.open(self.config.database.url, connections=self.config.database.connections)
        opened.audit_key = self.config.audit.sealing
        with suppress(Outage):  # who may only read it says nothing by it either
            lives.recognise(opened, self.now())
        opened.crms = {name: cast("Any", each.settings).takes for name, each in self.config.crm.items()}
        if self.now is _now and not opened.is_sqlite:
            from listener.store.clock import Clock

            self.now = Clock(opened)
        return opened

    @property
    def has_database(self) -> bool:
        """Whether there is one already; looking at things must not make one."""
        if not self.config_path.exists():
            return False
        url = self.config.database.url
        return not url.startswith("sqlite") or Path(url.partition(":///")[2]).exists()

    def ruling(self) -> Stored | None:
        """The policy that rules here, as it is stored; None before any did."""
        from listener.store import policies

        if not self.has_database:
            return None
        with self.store.read() as tx:
            return policies.ruling(tx)

    @cached_property
    def policy(self) -> Policy:
        """The policy that rules, with the modes of our settings; before any did, the one that the settings name.

        Raises PolicyProblem.
        """
        from listener.desk import ruling

        stored = self.ruling()
        return ruling.read(stored, self.read_policy) if stored else self.written_policy

    @property
    def policy_path(self) -> Path:
        """The policy file that the settings name, or the default one."""
        return self.config_or_default.policy_file or self.policies.default_path()

    @cached_property
    def written_policy(self) -> Policy:
        """The policy that the settings name, or the default one, as its file is now. Raises PolicyProblem."""
        settings = self.config_or_default.policy
        return self.policies.load(self.policy_path, mode=settings.mode, modes=settings.modes)

    def read_policy(self, text: str, name: str) -> Policy:
        """The policy in that text, with the modes of our settings. Raises PolicyProblem."""
        settings = self.config_or_default.policy
        return self.policies.load_text(text, name, mode=settings.mode, modes=settings.modes)

    @property
    def wanted(self) -> list[Wanted]:
        """The sources that the settings name, as the database keeps them."""
        from listener.store.sources import Wanted

        settings = self.config
        return [
            Wanted(
                name=source.name,
                account=source.account,
                network=settings.accounts[source.account].network,
                query=source.query,
                every=source.every,
            )
            for source in settings.sources
        ]

    @property
    def company(self) -> Company:
        """What is the same for every decision, by the settings."""
        from listener.flow.decide import Company

        return Company(
            case_pattern=self.config.cases.pattern,
            reopen=self.config.cases.reopen,
            own_handles=frozenset(self.config.brand.handles),
        )

    @cached_property
    def pipeline(self) -> Pipeline:
        """The stages, joined to everything above; nothing is started or written by asking for it."""
        from listener.flow.pipeline import Pipeline

        return Pipeline(
            self.store,
            accounts={account.name: account.network for account in self.config.accounts.values()},
            connect=self.connect_account,
            network_facts=self.facts,
            classifier=lambda: self.classifier,
            forget_classifier=lambda: self.__dict__.pop("classifier", None),
            policy=self._policy_that_can_be_read(),
            read_policy=self.read_policy,
            company=self.company,
            clock=self.now,
            allowances=self.allowances,
            renew=self.renew,
            targets=self.targets,
            assigns=self.config.cases.assign == "auto",
            systems=self.systems,
            periods=self.config.retention.periods,
            check_links=self.connectors.check_links if self.config.notices.check_links else None,
            embed=self.embed,
        )

    def _policy_that_can_be_read(self) -> Policy | None:
        """None where the one that rules cannot be: then the pipeline decides nothing, and says why."""
        try:
            return self.policy
        except PolicyProblem:
            if self.ruling() is None:
                raise
            return None

    @property
    def allowances(self) -> dict[str, Allowance]:
        """What each account may spend, by the settings."""
        from listener.budget import Allowance

        return {name: Allowance(**dict(account.budget)) for name, account in self.config.accounts.items()}

    def purse(self, account: str) -> Purse:
        """The money of that account, for whoever asks its network without the pipeline."""
        from listener.budget import Allowance
        from listener.desk.purse import Purse

        return Purse(self.store, account, self.allowances.get(account, Allowance()), self.now)

    @property
    def targets(self) -> dict[str, Target]:
        """Whom of us alerts reach, by the settings; nothing is connected by asking for it."""
        from listener.flow.alert import Target

        return {
            name: Target(reach=partial(self.reach, name), hourly=target.hourly, to=target.mail)
            for name, target in self.config.alerts.items()
        }

    def reach(self, target: str) -> Alerts:
        """What tells that target of the settings. Raises NotFound, Mistake or ConfigProblem."""
        from listener.config import env_name
        from listener.contract import Alerts

        targets = self.config.alerts
        if target not in targets:
            raise NotFound(
                f"There is no target {target!r} in {self.config_path}; there is: {', '.join(targets) or 'none'}."
            )
        found = targets[target]
        if found.webhook:
            return self.connectors.webhook(found.webhook, key=found.key, ca_file=found.ca_file)
        if found.account is None:
            variable = env_name("alerts", target, "webhook")
            raise ConfigProblem(
                [f"alerts.{target} has neither webhook nor mail; add one, or set {variable} or {variable}_FILE."]
            )
        connector = self.connect_account(found.account)
        if not isinstance(connector, Alerts) or not connector.speaks:
            raise Mistake(
                f"alerts.{target} is sent by the account {found.account}, which cannot write to our own people: "
                "name an account on the network mail that has smtp_host."
            )
        return connector

    @cached_property
    def systems(self) -> dict[str, System]:
        """The CRMs of the settings; nothing is connected by asking for them."""
        from listener.desk.crm_systems import System

        return {
            name: System(
                connect=partial(self.join_crm, name),
                takes=cast("Any", each.settings).takes,
                texts=cast("Any", each.settings).texts,
                receives=getattr(each.settings, "receives", False),
                pulls=getattr(each.settings, "reads", False),
                every=getattr(each.settings, "every", timedelta(minutes=5)),
            )
            for name, each in self.config.crm.items()
        }

    def crm(self, name: str) -> System:
        """That CRM of the settings. Raises NotFound."""
        if name not in self.systems:
            there = f"there is: {', '.join(self.systems)}" if self.systems else "docs/crm.md shows how one is written"
            raise NotFound(f"There is no CRM {name!r} in {self.config_path}; {there}.")
        return self.systems[name]

    def join_crm(self, name: str) -> Crm:
        """Another connection to that CRM, with its secrets as they are now in their files.

        Raises Mistake, or ConfigProblem for every secret that it lacks.
        """

        found = self.config.crm[name]
        with suppress(ConfigProblem):  # what cannot be read stays as it was
            now = self._read_config()
            log.hide(now.secrets())
            found = now.crm.get(name, found)
        if found.lacking:
            raise ConfigProblem(list(found.lacking))
        return cast("Crm", self.connectors.load_crm(found.kind).join(found.settings))

    @cached_property
    def classifier(self) -> Classifier:
        """The model, loaded, with the areas it was taught and the imported models that speak for some labels."""
        from listener.model import imported

        settings = self.config_or_default
        return imported.join(self.reader(areas=True), settings.models, settings.model.also)

    @cached_property
    def reader_version(self) -> str:
        """The version of the model that came with Escucha, areas apart; does not load it. Raises Mistake."""
        from listener.model import card
        from listener.model.reading import BUNDLED, reader_version

        return reader_version(card.read(BUNDLED), self.config_or_default.model.profile)

    def reader(self, *, areas: bool = False) -> Model:
        """The model that came with Escucha alone, with the areas it was taught or without."""
        from listener.model import reading
        from listener.model.areas_file import FILE, there
        from listener.model.fewshot import Areas

        settings = self.config_or_default
        model = reading.load(profile=settings.model.profile)
        if areas and there(learned := settings.models / FILE):
            model.areas = Areas.load(learned, reader=model.reader_version)
        return model

    @cached_property
    def encoder(self) -> Model:
        """The model that came with Escucha, loaded, for the vectors of what is found by meaning. Raises Mistake."""
        return self.reader()

    def embed(self) -> Embed | None:
        """What gives the vectors of texts, of the model that reads them where that can; None where there is none."""
        try:
            reader: object = self.classifier
            if not isinstance(reader, _Embeds):
                reader = self.encoder
        except Mistake:
            return None
        return reader.embed if isinstance(reader, _Embeds) else None

    def connector(self, account: str) -> Connector:
        """That account of the settings, connected. Raises NotFound, Mistake or a NetworkError."""
        if account not in self._connected:
            self._connected[account] = self.connect_account(account)
        return self._connected[account]

    def connect_account(self, account: str) -> Connector:
        """Another connection of that account, for whoever must not wait for the first one."""
        found = self._account(account)
        self.demand_secrets(account)
        return self.connect(found.network, found.settings)

    def unasked(self, account: str) -> Connector:
        """That account for whoever will not ask its network: its secrets may be missing. Raises NotFound or Mistake."""
        if account in self._connected:
            return self._connected[account]
        found = self._account(account)
        return self.connect(found.network, found.settings)

    def demand_secrets(self, *accounts: str) -> None:
        """Raises ConfigProblem, naming every secret that those accounts, or all, still lack."""
        names = accounts or self.config.accounts
        lacking = [sentence for name in names for sentence in self._account(name).lacking]
        if lacking:
            raise ConfigProblem(lacking)

    def _account(self, name: str) -> Account:
        accounts = self.config.accounts
        if name not in accounts:
            names = ", ".join(accounts) or "none"
            raise NotFound(f"There is no account {name!r} in {self.config_path}; there is: {names}.")
        return self._renewed.get(name, accounts[name])

    def renew(self, account: str) -> None:
        """Reads that account's settings again: a secret in a file may be a new one. What cannot be read stays as it is.

        What stands in the environment is what it was when the process began.
        """
        try:
            found = self._read_config()
        except ConfigProblem as problem:
            log.logger(__name__).warning(
                "The settings cannot be read again, so the old ones stay.",
                action="settings_kept",
                reason=str(problem),
                next_step="mend them, then: escucha source pause and escucha source resume",
            )
            return
        log.hide(found.secrets())
        if account in found.accounts and not found.accounts[account].lacking:
            self._renewed[account] = found.accounts[account]

    def why_mute(self, account: str) -> str:
        """Why nothing can be sent on an account that only reads, and how that is changed."""
        from listener.config import env_name, is_secret

        model = type(self.config.accounts[account].settings)
        secrets = [env_name("accounts", account, key) for key in model.model_fields if is_secret(model, key)]
        step = f"set {' and '.join(secrets)}" if secrets else "use another account"
        return f"The account {account} only reads; to answer through it, {step} (see docs/settings.md)."

    def connect(self, network: str, settings: BaseModel) -> Connector:
        """A connection with settings that stand in no file."""
        return cast("Connector", self.connectors.load(network).connect(settings))

    def facts(self, network: str) -> Facts:
        """What is true of a network before connecting."""
        return cast("Facts", self.connectors.load(network).FACTS)

    def settings_of(self, network: str) -> type[BaseModel]:
        """What a network needs to be told, or a kind of CRM, whose name begins with `CRM`."""
        from listener.config import CRM

        if network.startswith(CRM):
            return cast("type[BaseModel]", self.connectors.load_crm(network.removeprefix(CRM)).Settings)
        return cast("type[BaseModel]", self.connectors.load(network).Settings)

    def close(self) -> None:
        """Gives back what was opened."""
        for opened in ("store", "_database"):
            if opened in self.__dict__:
                self.__dict__[opened].close()


pass_app = click.make_pass_decorator(App)
