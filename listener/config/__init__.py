"""The settings: one TOML file and the environment, checked together, every problem reported at once.

    escucha.toml  ─┐
                   ├─ merged (the environment wins) ─ checked ─ Config, frozen
    ESCUCHA_…__…  ─┘

Secrets come from the environment only: `ESCUCHA_ACCOUNTS__CARE__ACCESS_TOKEN`, or the same name with `_FILE` and the
path of a file that holds the value. Every key is described in docs/settings.md.
"""

from listener.config.lines import KeyPath
from listener.config.reading import CRM, check, load, with_terms
from listener.config.shape import (
    FILE_NAME,
    OF_EVERY_ACCOUNT,
    SECTIONS,
    Account,
    Brand,
    Budget,
    Cases,
    Config,
    Customers,
    DaemonSettings,
    Database,
    PolicySettings,
    SourceSettings,
    System,
    duration,
    env_name,
    is_secret,
    passwords_of,
)
from listener.config.targets import Target

__all__ = [
    "CRM",
    "FILE_NAME",
    "OF_EVERY_ACCOUNT",
    "SECTIONS",
    "Account",
    "Brand",
    "Budget",
    "Cases",
    "Config",
    "Customers",
    "DaemonSettings",
    "Database",
    "KeyPath",
    "PolicySettings",
    "SourceSettings",
    "System",
    "Target",
    "check",
    "duration",
    "env_name",
    "is_secret",
    "load",
    "passwords_of",
    "with_terms",
]
