"""Reading the settings: the file and the environment become one, each part is checked, all problems are told."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from listener.config import lacking
from listener.config.lines import KeyPath, lines
from listener.config.shape import (
    OF_EVERY_ACCOUNT,
    PATTERNS,
    PREFIX,
    SECTIONS,
    Account,
    AuditSettings,
    Brand,
    Budget,
    Cases,
    Config,
    Customers,
    DaemonSettings,
    Database,
    Knowledge,
    ModelSettings,
    NoticeSettings,
    PolicySettings,
    RetentionSettings,
    SourceSettings,
    System,
    env_name,
    is_secret,
    passwords_of,
)
from listener.config.targets import NAME, Target
from listener.errors import ConfigProblem, Mistake

CRM = "crm_"  # before a kind of CRM, where its settings are asked for


class _Shape(BaseSettings):
    """What may stand in the file and in the environment, before accounts and sources are joined."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", enable_decoding=False, extra="forbid", frozen=True
    )

    brand: Brand = Field(default_factory=Brand)
    database: Database = Field(default_factory=Database)
    policy: PolicySettings = Field(default_factory=PolicySettings)
    cases: Cases = Field(default_factory=Cases)
    customers: Customers = Field(default_factory=Customers)
    audit: AuditSettings = Field(default_factory=AuditSettings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)
    knowledge: Knowledge = Field(default_factory=Knowledge)
    notices: NoticeSettings = Field(default_factory=NoticeSettings)
    accounts: dict[str, dict[str, Any]] = {}
    sources: tuple[SourceSettings, ...] = ()
    alerts: dict[str, dict[str, Any]] = {}
    crm: dict[str, dict[str, Any]] = {}
    model: ModelSettings = Field(default_factory=ModelSettings)
    daemon: DaemonSettings = Field(default_factory=DaemonSettings)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `_Check` hands in: it merges the two places itself, to know which of them said what."""
        return (init_settings,)


def load(
    path: Path, *, networks: Sequence[str], settings_of: Callable[[str], type[BaseModel]], crms: Sequence[str] = ()
) -> Config:
    """The settings in `path` with the environment over them.

    `networks` are those that exist and `settings_of` gives what one of them needs; `crms` are the kinds of CRM, for
    which it is asked with `CRM` before the kind. Raises ConfigProblem with every problem at once, each one sentence
    naming the place and the next step.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigProblem([f"There is no {path}; run `escucha init`, or name the file with --config."]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigProblem([f"{path} cannot be read ({error}); make it a readable UTF-8 text file."]) from error
    return check(text, path, networks=networks, settings_of=settings_of, crms=crms)


def check(
    text: str,
    path: Path,
    *,
    networks: Sequence[str],
    settings_of: Callable[[str], type[BaseModel]],
    unwritten: Collection[KeyPath] = (),
    crms: Sequence[str] = (),
) -> Config:
    """`load` for a text that is about to stand in `path`; faults in its `unwritten` places are told without a line."""
    try:
        written = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigProblem([_syntax(path, str(error))]) from error
    return _Check(path, lines(text), written, networks, settings_of, unwritten=unwritten, crms=crms).config()


def _syntax(path: Path, message: str) -> str:
    line = re.search(r"at line (\d+)", message)
    where = f"{path.name}, line {line[1]}" if line else path.name
    return f"{where}: this is not TOML ({re.sub(r' ?[(]at .*[)]', '', message)}); mend that line."


def _near(word: str, known: Iterable[str]) -> str:
    """`did you mean …?`, or what there is."""
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"choose one of: {', '.join(sorted(known))}." if known else "there is none."


class _Check:
    """One reading of the settings: what was written where, and the problems found so far."""

    def __init__(
        self,
        path: Path,
        lines: Mapping[KeyPath, int],
        written: dict[str, Any],
        networks: Sequence[str],
        settings_of: Callable[[str], type[BaseModel]],
        *,
        unwritten: Collection[KeyPath],
        crms: Sequence[str],
    ) -> None:
        self.path, self.lines, self.written = path, lines, written
        self.networks, self.settings_of, self.unwritten = networks, settings_of, unwritten
        self.crms = crms
        self.problems: list[str] = []
        self.notes: list[str] = []
        self.from_env: dict[KeyPath, str] = {}

    def config(self) -> Config:
        merged = self._merge()
        shape = None
        try:
            shape = _Shape(**merged)
        except ValidationError as error:
            self._explain(error, ())
        accounts = self._accounts(_table(merged.get("accounts")))
        self._sources(merged.get("sources"), _table(merged.get("accounts")))
        sources = self._asked(shape) if shape else ()
        targets = self._targets(_table(merged.get("alerts")), _table(merged.get("accounts")))
        systems = self._systems(_table(merged.get("crm")))
        for network in _table(_table(merged.get("policy")).get("modes")):
            if network not in self.networks:
                self._add(("policy", "modes", network), f"is not a network; {_near(network, self.networks)}")
        if isinstance(url := _table(self.written.get("database")).get("url"), str) and passwords_of(url):
            name = env_name("database", "url")
            self._add(("database", "url"), f"holds a password; delete the line and set {name} or {name}_FILE.")
        if "key" in _table(self.written.get("audit")):
            name = env_name("audit", "key")
            self._add(("audit", "key"), f"is a secret and must not stand in a file; set {name} or {name}_FILE.")
        if self.problems or shape is None:
            raise ConfigProblem(sorted(self.problems, key=_line))
        return Config(
            file=self.path,
            brand=shape.brand,
            database=Database(url=_anchored(shape.database.url, self.path.parent)),
            policy=shape.policy,
            cases=shape.cases,
            customers=shape.customers,
            audit=shape.audit,
            retention=shape.retention,
            knowledge=shape.knowledge,
            notices=shape.notices,
            accounts=accounts,
            sources=sources,
            alerts=targets,
            crm=systems,
            model=shape.model,
            daemon=shape.daemon,
            notes=tuple(self.notes),
        )

    def _asked(self, shape: _Shape) -> tuple[SourceSettings, ...]:
        """The sources with the brand's terms in the place of `brand`."""
        from listener.terms import parse

        terms = " ".join(shape.brand.terms.split())
        if terms:
            try:
                parse(shape.brand.terms)
            except Mistake as mistake:
                self._add(("brand", "terms"), f"cannot be read. {mistake}")
        asked: list[SourceSettings] = []
        for index, source in enumerate(shape.sources):
            try:
                query = with_terms(source.query, terms)
            except Mistake as mistake:
                self._add(("sources", index, "query"), str(mistake))
                continue
            asked.append(source.model_copy(update={"query": query}))
        return tuple(asked)

    def _add(self, place: KeyPath, sentence: str) -> None:
        key = ".".join(str(part) for part in place if isinstance(part, str))
        self._say(place, f"{key}{sentence if sentence[:1] == ':' else f' {sentence}'}")

    def _say(self, place: KeyPath, sentence: str) -> None:
        self.problems.append(self._placed(place, sentence))

    def _placed(self, place: KeyPath, sentence: str) -> str:
        where = self._where(place)
        return (f"{where}: {sentence}" if where else sentence).replace("\n", " ")

    def _where(self, place: KeyPath) -> str:
        """The variable or the line that says it; empty where nobody wrote it yet."""
        if place in self.from_env:
            return self.from_env[place]
        if place[:2] in self.unwritten:
            return ""
        for end in range(len(place), 0, -1):
            if place[:end] in self.lines:
                return f"{self.path.name}, line {self.lines[place[:end]]}"
        return self.path.name

    # --- the two places become one ---

    def _merge(self) -> dict[str, Any]:
        self._env_names()
        overrides = EnvSettingsSource(_Shape)()
        sources = overrides.pop("sources", {})
        for section, value in overrides.items():
            if not isinstance(value, dict):
                self.problems.append(f"{env_name(section)}: set one key at a time, as in {env_name(section, 'key')}.")
        overrides = {section: value for section, value in overrides.items() if isinstance(value, dict)}
        merged = {key: value for key, value in self.written.items() if key != "sources"}
        for section, values in overrides.items():
            plain = self._files((section,), values, SECTIONS[section]) if section in SECTIONS else values
            merged[section] = self._over((section,), _table(merged.get(section)), plain)
        if "sources" in self.written or sources:
            merged["sources"] = self._over_sources(self.written.get("sources", []), sources)
        return merged

    def _env_names(self) -> None:
        sections = _Shape.model_fields
        for name in sorted(name for name in os.environ if name.startswith(PREFIX)):
            section, two, _ = name.removeprefix(PREFIX).lower().partition("__")
            if two and section not in sections:
                self.problems.append(f"{name}: there is no section {section}; {_near(section, sections)}")
            elif not two and section.split("_")[0] in sections and "_" in section:
                self.problems.append(
                    f"{name}: write two underscores between the parts, as in {env_name(*section.split('_', 1))}."
                )

    def _over(self, place: KeyPath, under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
        result = dict(under)
        for key, value in over.items():
            if isinstance(value, dict):
                result[key] = self._over((*place, key), _table(result.get(key)), value)
            else:
                result[key] = value
                self.from_env.setdefault((*place, key), env_name(*map(str, place), key))
        return result

    def _over_sources(self, written: Any, overrides: Any) -> Any:
        if not isinstance(overrides, dict) or not isinstance(written, list):
            if overrides:
                self.problems.append(
                    f"{env_name('sources')}: name one source, as in {env_name('sources', 'name', 'every')}."
                )
            return written
        result = [dict(source) if isinstance(source, dict) else source for source in written]
        names = {_env_key(source): index for index, source in enumerate(result) if isinstance(source, dict)}
        for name, values in overrides.items():
            if name not in names or not isinstance(values, dict):
                variable = env_name("sources", name, *list(_table(values))[:1])
                self.problems.append(f"{variable}: there is no source {name}; {_near(name, names)}")
                continue
            for key, value in values.items():
                result[names[name]][key] = value
                self.from_env["sources", names[name], key] = env_name("sources", name, key)
        return result

    def _files(self, place: KeyPath, values: dict[str, Any], model: type[BaseModel]) -> dict[str, Any]:
        """`url_file = "/run/secrets/url"` from the environment as `url = "…"`, unless the model knows `url_file`."""
        result: dict[str, Any] = {}
        for key, value in values.items():
            plain = key.removesuffix("_file")
            if plain == key or key in model.model_fields or plain not in model.model_fields:
                result[key] = value
                continue
            name = env_name(*map(str, place), key)
            try:
                result[plain] = Path(str(value)).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError):
                self.problems.append(f"{name}: {value} cannot be read; make it a readable text file.")
            self.from_env[*place, plain] = name
        return result

    # --- each part is checked ---

    def _explain(self, error: ValidationError, inside: KeyPath) -> None:
        for problem in error.errors(include_url=False, include_context=True):
            place = (*inside, *problem["loc"])
            kind, key = problem["type"], str(place[-1])
            if kind == "extra_forbidden":
                model = SECTIONS.get(str(place[0])) if len(place) > 1 else None
                known = model.model_fields if model else _Shape.model_fields
                self._add(place, f"is not a setting; {_near(key, known)}")
            elif kind == "missing":
                self._add(place, "is missing; add it.")
            elif kind == "string_pattern_mismatch":
                self._add(place, f"cannot be used; write {PATTERNS[problem['ctx']['pattern']]}.")
            else:
                self._add(place, _said(problem["msg"]))

    def _accounts(self, accounts: dict[str, Any]) -> dict[str, Account]:
        found: dict[str, Account] = {}
        in_file = _table(self.written.get("accounts"))
        for name, values in accounts.items():
            if not isinstance(values, dict):
                continue
            place: KeyPath = ("accounts", name)
            network = values.get("network")
            if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
                self._add(place, "is no account name; use lower case, digits and single underscores.")
            elif name not in in_file and network is None:
                self._stray("account", name, env_name("accounts", name, next(iter(values), "network")), in_file)
            elif network is None:
                self._add((*place, "network"), f"is missing; {_near('', self.networks)}")
            elif network not in self.networks:
                self._add((*place, "network"), f"names no network we know; {_near(str(network), self.networks)}")
            else:
                account = self._account(name, str(network), values, _table(in_file.get(name)))
                if account is not None:
                    found[name] = account
        return found

    def _stray(self, what: str, name: str, variable: str, in_file: Mapping[str, Any]) -> None:
        """A variable for an account or CRM that is not there: mistyped, or left over and nobody's fault."""
        sentence = f"{variable}: there is no {what} {name}"
        if difflib.get_close_matches(name, in_file, n=1):
            self.problems.append(f"{sentence}; {_near(name, in_file)}")
        else:
            self.notes.append(f"{sentence} in {self.path.name}; it serves nothing.")

    def _account(self, name: str, network: str, values: dict[str, Any], in_file: dict[str, Any]) -> Account | None:
        place = ("accounts", name)
        before = len(self.problems)
        budget = self._budget(place, values.get("budget"))
        general = ("network", *OF_EVERY_ACCOUNT)
        read = self._plugged(place, network, self.settings_of(network), values, in_file=in_file, general=general)
        if read is None or len(self.problems) > before:
            return None
        return Account(name=name, network=network, settings=read[0], budget=budget, lacking=read[1])

    def _systems(self, systems: dict[str, Any]) -> dict[str, System]:
        found: dict[str, System] = {}
        in_file = _table(self.written.get("crm"))
        for name, values in systems.items():
            if not isinstance(values, dict):
                continue
            place = ("crm", name)
            kind = values.get("system")
            if not NAME.fullmatch(name):
                self._add(place, "is no name of a CRM; use lower case, digits and single underscores.")
            elif name not in in_file and kind is None:
                self._stray("CRM", name, env_name("crm", name, next(iter(values), "system")), in_file)
            elif kind is None:
                self._add((*place, "system"), f"is missing; {_near('', self.crms)}")
            elif kind not in self.crms:
                self._add((*place, "system"), f"names no kind of CRM we know; {_near(str(kind), self.crms)}")
            else:
                model = self.settings_of(f"{CRM}{kind}")
                mine = _table(in_file.get(name))
                read = self._plugged(place, str(kind), model, values, in_file=mine, general=("system",))
                if read is not None:
                    found[name] = System(name=name, kind=str(kind), settings=read[0], lacking=read[1])
        return found

    def _plugged(
        self,
        place: tuple[str, str],
        kind: str,
        model: type[BaseModel],
        values: dict[str, Any],
        *,
        in_file: dict[str, Any],
        general: tuple[str, ...],
    ) -> tuple[BaseModel, tuple[str, ...]] | None:
        """The settings of one network or CRM, and what they lack; `general` are the keys that are not its own."""
        known = model.model_fields
        before = len(self.problems)
        from_env = {key: value for key, value in values.items() if (*place, key) in self.from_env}
        given = {key: value for key, value in values.items() if key not in general and key not in from_env}
        given |= {key: value for key, value in self._files(place, from_env, model).items() if key not in general}
        for key in [key for key in given if key not in known]:
            self._add((*place, key), f"is not a setting of {kind}; {_near(key, [*known, *general[1:]])}")
            del given[key]
        for key in in_file:
            if key in known and is_secret(model, key):
                variable = env_name(*place, key)
                self.problems.append(
                    f"{self._line_of((*place, key))}: {'.'.join(place)}.{key} is a secret and must not stand in this "
                    f"file; delete the line and set {variable} or {variable}_FILE."
                )
        without: tuple[str, ...] = ()
        try:
            settings = model.model_validate(given)
        except ValidationError as error:
            faults = self._faults(error, place, kind, model, given)
            stood_in = lacking.stood_in(model, given)
            if stood_in is None:
                rest = lacking.rest(model, given)
                more = self._faults(rest, place, kind, model, given) if rest else []
                self.problems += dict.fromkeys([*faults, *more])
                return None
            settings, without = stood_in, tuple(faults)
        relative = {key: value for key, value in dict(settings).items() if isinstance(value, Path)}
        anchored = {key: self.path.resolve().parent / value for key, value in relative.items()}
        settings = settings.model_copy(update=anchored)
        return None if len(self.problems) > before else (settings, without)

    def _faults(
        self,
        error: ValidationError,
        place: tuple[str, str],
        kind: str,
        model: type[BaseModel],
        given: Mapping[str, Any],
    ) -> list[str]:
        """What that network or CRM finds wrong with its settings, each with what to set."""
        planned = place in self.unwritten
        how = "--set {key}=…" if planned else f"add {{key}} under [{'.'.join(place)}]"
        faults = []
        for problem in error.errors(include_url=False):
            key = str(problem["loc"][0]) if problem["loc"] else ""
            path = ".".join(map(str, (*place, *problem["loc"])))
            subject = (key or kind) if planned else path
            if problem["type"] == "missing" and key in model.model_fields:
                what = model.model_fields[key].description
                step = lacking.step(model, place, key, (), how=how if planned else how.format(key="it"))
                needs, sign = (f"{kind} needs {key}", ":") if planned else (f"{path} is missing", ";")
                sentence = f"{needs}{f' ({what})' if what else ''}{sign} {step}."
            elif not key:
                said = _said(problem["msg"])
                step = lacking.step(model, place, said, given, how=how)
                sentence = f"{subject}: {said.rstrip('.')}{f'; {step}' if step else ''}."
            else:
                colon = ":" if problem["type"] == "value_error" else ""
                sentence = f"{subject}{colon} {_said(problem['msg'])}"
            faults.append(self._placed((*place, *problem["loc"]), sentence))
        return faults

    def _budget(self, account: KeyPath, value: Any) -> Budget:
        place = (*account, "budget")
        if value is None:
            return Budget()
        if not isinstance(value, dict):
            self._add(place, f"is a section of its own: write [{'.'.join(map(str, place))}] with day = 5.00.")
            return Budget()
        try:
            return Budget(**value)
        except ValidationError as error:
            for problem in error.errors(include_url=False):
                key = str(problem["loc"][0])
                if problem["type"] == "extra_forbidden":
                    self._add((*place, key), f"is not a setting; {_near(key, Budget.model_fields)}")
                else:
                    self._add((*place, key), _said(problem["msg"]))
            return Budget()

    def _targets(self, targets: dict[str, Any], accounts: dict[str, Any]) -> dict[str, Target]:
        found: dict[str, Target] = {}
        in_file = _table(self.written.get("alerts"))
        for name, values in targets.items():
            place: KeyPath = ("alerts", name)
            if not isinstance(values, dict):
                continue
            if not NAME.fullmatch(name) or name == "none":
                self._add(place, "is no target's name; use lower case, digits and single underscores.")
                continue
            if name not in in_file and difflib.get_close_matches(name, in_file, n=1):
                variable = env_name("alerts", name, next(iter(values), "webhook"))
                self.problems.append(f"{variable}: there is no target {name}; {_near(name, in_file)}")
                continue
            if "secret" in _table(in_file.get(name)):
                variable = env_name("alerts", name, "secret")
                self.problems.append(
                    f"{self._line_of((*place, 'secret'))}: alerts.{name}.secret is a secret and must not stand in this "
                    f"file; delete the line and set {variable} or {variable}_FILE."
                )
            from_env = {key: value for key, value in values.items() if (*place, key) in self.from_env}
            given = {key: value for key, value in values.items() if key not in from_env}
            target = self._target(place, given | self._files(place, from_env, Target))
            if target and target.account is not None and target.account not in accounts:
                self._add((*place, "account"), f"{target.account!r} is no account; {_near(target.account, accounts)}")
            elif target:
                found[name] = target
        return found

    def _target(self, place: KeyPath, given: dict[str, Any]) -> Target | None:
        try:
            target = Target.model_validate(given)
        except ValidationError as error:
            for problem in error.errors(include_url=False):
                where = (*place, *problem["loc"])
                if problem["type"] == "extra_forbidden":
                    self._add(where, f"is not a setting; {_near(str(where[-1]), Target.model_fields)}")
                else:
                    self._add(where, _said(problem["msg"]))
            return None
        anchored = self.path.resolve().parent / target.ca_file if target.ca_file else None
        return target.model_copy(update={"ca_file": anchored})

    def _line_of(self, place: KeyPath) -> str:
        return f"{self.path.name}, line {self.lines[place]}" if place in self.lines else self.path.name

    def _sources(self, sources: Any, accounts: dict[str, Any]) -> None:
        seen: set[str] = set()
        for index, source in enumerate(sources if isinstance(sources, list) else []):
            if not isinstance(source, dict):
                continue
            name, account = source.get("name"), source.get("account")
            if isinstance(name, str) and name in seen:
                self._add(("sources", index, "name"), f"{name!r} is used twice; give each source its own name.")
            seen.add(str(name))
            if isinstance(account, str) and account not in accounts:
                self._add(("sources", index, "account"), f"{account!r} is no account; {_near(account, accounts)}")


def with_terms(query: str, terms: str) -> str:
    """The query with the brand's terms for `brand` and `{brand}`. Raises Mistake where there are none."""
    terms = " ".join(terms.split())
    asked = "{brand}" if query.strip() == "brand" else query
    if "{brand}" in asked and not terms:
        raise Mistake("asks for the brand's terms; write terms = … under [brand].")
    return asked.replace("{brand}", terms if asked == "{brand}" else f"({terms})")


def _line(problem: str) -> int:
    """Where a problem stands in the file; the environment's come first."""
    line = re.search(r", line (\d+): ", problem)
    return int(line[1]) if line else 0


def _said(message: str) -> str:
    """A checker's message as the end of our sentence."""
    return message.removeprefix("Value error, ").removeprefix("Input ").rstrip(".") + "."


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _env_key(source: dict[str, Any]) -> str:
    return str(source.get("name", "")).lower().replace("-", "_")


def _anchored(url: str, folder: Path) -> str:
    """A relative SQLite path made absolute from the settings file's folder."""
    head, slashes, path = url.partition(":///")
    if not head.startswith("sqlite") or not slashes or not path or path.startswith(("/", ":memory:", "file:")):
        return url
    return f"{head}:///{(folder.resolve() / path)}"
