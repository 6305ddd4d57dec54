"""Writing escucha.toml: whole or not at all, keeping every comment and line that was there."""

from __future__ import annotations

import json
import os
import re
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from listener.errors import Mistake, Outage


def quoted(text: str) -> str:
    """The text as a TOML string."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def write(path: Path, text: str) -> None:
    """Puts the text in place of what was there, in one step. Raises Outage when the disk refuses."""
    target = path.resolve()
    try:
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        half = Path(name)
        try:
            with open(descriptor, "w", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            half.chmod(mode)
            half.replace(target)
        except BaseException:
            half.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise Outage(f"{path} cannot be written ({error.strerror}); nothing was changed.") from error


def read(path: Path) -> str:
    """The text as it stands, line ends included. Raises Mistake."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        raise Mistake(f"There is no {path}; run `escucha init` first, or name the file with --config.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Mistake(f"{path} cannot be read ({error}); make it a readable UTF-8 text file.") from error


def _appended(
    text: str, account: str, account_settings: Mapping[str, Any] | None, source: Mapping[str, Any]
) -> str | None:
    """The settings with the new tables below everything else, so that no comment loses what it explains.

    None where something there, such as an inline `sources = […]`, must be added to in its own place.
    """
    end = "\r\n" if "\r\n" in text else "\n"
    tables = [] if account_settings is None else [(f"[accounts.{_key(account)}]", account_settings)]
    added = [
        end.join([head, *(f"{_key(key)} = {quoted(str(value))}" for key, value in values.items())])
        for head, values in [*tables, ("[[sources]]", source)]
    ]
    before = text.rstrip("\r\n")
    after = f"{end}{end}".join([before, *added] if before else added) + end
    try:
        was, now = tomllib.loads(text), tomllib.loads(after)
        wanted = was | {"sources": [*was.get("sources", []), dict(source)]}
        if account_settings is not None:
            wanted["accounts"] = was.get("accounts", {}) | {account: dict(account_settings)}
    except (tomllib.TOMLDecodeError, TypeError):
        return None
    return after if now == wanted else None


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else quoted(name)


def with_source(
    text: str, *, account: str, account_settings: Mapping[str, Any] | None, source: Mapping[str, Any]
) -> str:
    """The settings with one more source, and one more account unless `account_settings` is None.

    Raises Mistake when the text is not TOML, or holds `accounts` or `sources` in a shape that nobody can add to.
    """
    appended = _appended(text, account, account_settings, source)
    if appended is not None:
        return appended

    import tomlkit
    from tomlkit.exceptions import TOMLKitError
    from tomlkit.items import AoT, Array, Table

    try:
        document = tomlkit.parse(text)
        if account_settings is not None:
            if "accounts" not in document:
                document.add("accounts", tomlkit.table(is_super_table=True))
            table = tomlkit.table()
            for key, value in account_settings.items():
                table.add(key, value)
            accounts: Any = document["accounts"]
            accounts[account] = table
        entry = tomlkit.table()
        for key, value in source.items():
            entry.add(key, value)
        listed = document.get("sources")
        if listed is None:
            many = tomlkit.aot()
            many.append(entry)
            document.add("sources", many)
        elif isinstance(listed, AoT):
            listed.append(entry)
        elif isinstance(listed, Array):
            inline = tomlkit.inline_table()
            inline.update(source)
            listed.append(inline)
        else:
            raise Mistake("sources must be written as [[sources]]; mend the settings file first.")
        assert not isinstance(document, Table)
        return tomlkit.dumps(document)
    except TOMLKitError as error:
        raise Mistake(f"The settings file is not TOML ({error}); mend it first.") from error
