"""Every error that Escucha raises on purpose.

EscuchaError
├── Mistake               a person must change something: one sentence with the next step, exit code 2
│   ├── ConfigProblem     the settings file or the environment
│   ├── PolicyProblem     the policy file
│   ├── TermsProblem      the terms of a query
│   ├── NotFound          no such mention, draft, case, customer, notice, source
│   ├── NoModel           the model's files are missing or damaged, or there is no memory for it: people read instead
│   ├── Stale             what was approved is no longer what would be sent
│   ├── LeftBehind        the tables are too new for this version: another one must be started
│   └── AlreadyDone       somebody else was first
├── Outage                the machine, not the person: database, disk; exit code 1
│   ├── Away              the database server cannot be reached, or cut us off: it ends, begins, or is gone
│   └── Crossed           two processes stood in each other's way; done again, it works
└── NetworkError          what a connector may raise; anything else from a connector is a bug
    ├── RateLimited       wait `retry_after` seconds
    ├── Unavailable       try later
    ├── AuthFailed        a person must act; the source pauses
    ├── Rejected          this one never again
    └── OutcomeUnknown    a write may or may not have happened
"""

from __future__ import annotations


class EscuchaError(Exception):
    """Anything that Escucha raises on purpose; its text is fit to show."""


class Mistake(EscuchaError):
    """Something that a person must change, said in one sentence with the next step."""


class ConfigProblem(Mistake):
    """The settings cannot be used; `problems` holds every reason at once, one sentence each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class PolicyProblem(Mistake):
    """The policy file cannot be used; `problems` holds every reason at once, one sentence each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class TermsProblem(Mistake):
    """Terms that cannot be read; `text` is what was read, `column` the character in it, from 1."""

    def __init__(self, sentence: str, *, text: str, column: int) -> None:
        self.text = text
        self.column = column
        super().__init__(sentence)


class NotFound(Mistake):
    """There is no such mention, draft, case, customer, notice or source."""


class NoModel(Mistake):
    """The model cannot read: a file is missing or damaged, or there is no memory for it."""


class Stale(Mistake):
    """The text, the mention or the policy changed since it was shown; look again before deciding."""


class OtherPolicy(Stale):
    """The draft was made under a policy that no longer rules."""


class LeftBehind(Mistake):
    """The tables were upgraded beyond what this version of Escucha works with; nothing of its work is half-written."""


class AlreadyDone(Mistake):
    """Somebody else, or an earlier run, decided this already."""


class Outage(EscuchaError):
    """The database or the disk does not do its part; nothing was half-written."""


class Away(Outage):
    """The database server cannot be reached, or cut us off; whatever words it or the network has for that."""


class Crossed(Outage):
    """Two processes waited for each other, and the database ended one transaction; nothing of it was written."""


class NetworkError(EscuchaError):
    """What a connector may raise. The five kinds below say what happens next.

    `retry_after`: for how many seconds the network asked to be left alone; None where it did not say.
    """

    retry_after: float | None = None


class RateLimited(NetworkError):
    """The network asks us to wait `retry_after` seconds (None: it did not say how long)."""

    def __init__(self, message: str = "the network asks us to slow down", *, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class Unavailable(NetworkError):
    """The network cannot be reached or answers nonsense. Nothing was written there; try later, or when it says."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class AuthFailed(NetworkError):
    """The network does not accept our credentials; a person must renew them."""


class Rejected(NetworkError):
    """The network refuses this for good: deleted, blocked, locked, too long, not allowed."""


class OutcomeUnknown(NetworkError):
    """A write was sent and no clear answer came back. It must not be repeated before somebody has looked."""
