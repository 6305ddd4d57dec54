"""Who may do what: the roles that each command is for, asked in one place before any command runs.

Before anybody was added, everybody may do everything. Supervisors may do whatever agents, moderators and marketing may,
and admins everything. What stands on `MACHINE` is also for whoever keeps the machine and is no user: it shows and
changes nothing of customers, or is a stop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from listener.errors import Mistake
from listener.types import Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from listener.commands.app import App
    from listener.commands.identity import Identity
    from listener.store import Transaction
    from listener.store.users import User

NO_USER = "machine"  # beside the roles: somebody at this machine who is no user

ADMIN = frozenset({Role.ADMIN.value})
SUPERVISOR = ADMIN | {Role.SUPERVISOR.value}
MODERATOR = SUPERVISOR | {Role.MODERATOR.value}
MARKETING = SUPERVISOR | {Role.MARKETING.value}
AGENT = SUPERVISOR | {Role.AGENT.value}
CARE = AGENT | MODERATOR
EVERYBODY = frozenset(role.value for role in Role)
MACHINE = EVERYBODY | {NO_USER}
KEEPER = SUPERVISOR | {NO_USER}  # who keeps the machine, and no colleague who happens to be at it

PERMITTED: dict[str, frozenset[str]] = {
    "init": MACHINE,
    "doctor": MACHINE,
    "config show": MACHINE,
    "source add": SUPERVISOR,
    "source check": MACHINE,
    "source list": EVERYBODY,
    "source pause": SUPERVISOR,
    "source poll": SUPERVISOR,
    "source resume": SUPERVISOR,
    "policy activate": SUPERVISOR,
    "policy back": SUPERVISOR,
    "policy check": MACHINE,
    "policy diff": EVERYBODY,
    "policy history": EVERYBODY,
    "policy record": MODERATOR,
    "policy replay": SUPERVISOR,
    "policy shares": EVERYBODY,
    "policy show": EVERYBODY,
    "db backup": KEEPER,
    "db check": MACHINE,
    "db copy": KEEPER,
    "db restored": KEEPER,
    "db upgrade": MACHINE,
    "model correct": CARE,
    "model eval": MACHINE,
    "model examples": SUPERVISOR,
    "model import": MACHINE,
    "model info": MACHINE,
    "model train": SUPERVISOR,
    "access add": ADMIN,
    "access list": ADMIN,
    "access revoke": ADMIN,
    "user add": ADMIN,
    "user away": EVERYBODY,
    "user back": EVERYBODY,
    "user disable": ADMIN,
    "user edit": SUPERVISOR,
    "user enable": ADMIN,
    "user list": EVERYBODY,
    "user me": EVERYBODY,
    "user password": EVERYBODY,
    "user revoke": EVERYBODY,
    "user show": EVERYBODY,
    "user sign-in": EVERYBODY,
    "user token": EVERYBODY,
    "user tokens": EVERYBODY,
    "audit anchor": MACHINE,
    "audit rekey": ADMIN,
    "audit show": SUPERVISOR,
    "audit verify": MACHINE,
    "privacy erasures": SUPERVISOR,
    "privacy preview": SUPERVISOR,
    "privacy run": SUPERVISOR,
    "demo": MACHINE,
    "try": MACHINE,
    "run": MACHINE,
    "pause": MACHINE,
    "resume": MODERATOR | MARKETING,
    "status": MACHINE,
    "alert list": SUPERVISOR,
    "alert retry": SUPERVISOR,
    "alert test": SUPERVISOR,
    "crm check": SUPERVISOR,
    "crm deliveries": SUPERVISOR,
    "crm list": SUPERVISOR,
    "crm pull": SUPERVISOR,
    "crm push": SUPERVISOR,
    "crm retry": SUPERVISOR,
    "inbox": CARE,
    "show": CARE,
    "review": CARE,
    "approve": CARE,
    "edit": CARE,
    "reject": CARE,
    "settle": CARE,
    "retry": CARE,
    "mention set-aside": CARE,
    "mention retry": CARE,
    "mention leave": CARE,
    "explain": CARE,
    "leave-alone": CARE,
    "case ask-for-information": CARE,
    "case assign": CARE,
    "case children": CARE,
    "case continue": AGENT,  # it tells what stands on the record
    "case due": CARE,
    "case give-back": CARE,
    "case inform": CARE,
    "case list": CARE,
    "case merge": CARE,
    "case note": CARE,
    "case open": CARE,
    "case parent": CARE,
    "case pending": CARE,
    "case reopen": CARE,
    "case resolve": CARE,
    "case show": CARE,
    "case snooze": CARE,
    "case split": CARE,
    "case step": CARE,
    "case tag": CARE,
    "case undo": CARE,
    "case unmerge": CARE,
    "case untag": CARE,
    "case unwatch": CARE,
    "case wake": CARE,
    "case watch": CARE,
    "case take": CARE,
    "customer erase": SUPERVISOR,
    "customer export": SUPERVISOR,
    "customer hold": SUPERVISOR,
    "customer release": SUPERVISOR,
    "customer accept": AGENT,
    "customer add": AGENT,
    "customer code": AGENT,
    "customer consent": AGENT,
    "customer csv": SUPERVISOR,
    "customer contact": AGENT,
    "customer edit": AGENT,
    "customer field": SUPERVISOR,
    "customer import": SUPERVISOR,
    "customer link": CARE,
    "customer list": CARE,
    "customer merge": AGENT,
    "customer note": AGENT,
    "customer refuse": AGENT,
    "customer relink": CARE,
    "customer show": CARE,
    "customer suggestions": CARE,
    "customer unlink": CARE,
    "customer unmerge": AGENT,
    "kb add": EVERYBODY,
    "kb doubt": EVERYBODY,
    "kb draft": CARE,
    "kb edit": EVERYBODY,
    "kb export": EVERYBODY,
    "kb history": EVERYBODY,
    "kb import": MODERATOR,
    "kb index": MACHINE,
    "kb list": EVERYBODY,
    "kb look": MODERATOR,
    "kb publish": MODERATOR,
    "kb rate": EVERYBODY,
    "kb retire": MODERATOR,
    "kb review": MODERATOR,
    "kb search": EVERYBODY,
    "kb show": EVERYBODY,
    "kb suggest": CARE,
    "incident accept": MODERATOR | MARKETING,
    "incident approve-answer": MODERATOR | MARKETING,
    "incident attach": CARE | MARKETING,
    "incident close": MODERATOR,
    "incident describe": MODERATOR | MARKETING,
    "incident detach": CARE | MARKETING,
    "incident dismiss": MODERATOR,
    "incident dismiss-spike": MODERATOR | MARKETING,
    "incident fix": MODERATOR | MARKETING,
    "incident gather": MODERATOR | MARKETING,
    "incident identify": MODERATOR | MARKETING,
    "incident list": EVERYBODY,
    "incident mentions": CARE | MARKETING,
    "incident open": MODERATOR | MARKETING,
    "incident owner": MODERATOR | MARKETING,
    "incident reopen": MODERATOR,
    "incident report": EVERYBODY,
    "incident resolve": MODERATOR,
    "incident say": MODERATOR | MARKETING,
    "incident show": EVERYBODY,
    "incident spike": CARE | MARKETING,
    "incident spikes": EVERYBODY,
    "notice answer": MODERATOR | MARKETING,
    "incident update": MODERATOR | MARKETING,
    "incident withdraw-answer": MODERATOR | MARKETING,
    "notice approve": MARKETING,
    "notice correct": MARKETING,
    "notice delete": MARKETING,
    "notice draft": MARKETING,
    "notice follow-up": MARKETING,
    "notice held": EVERYBODY,
    "notice list": EVERYBODY,
    "notice pin": MARKETING,
    "notice preview": EVERYBODY,
    "notice publish": MARKETING,
    "notice retry": MARKETING,
    "notice schedule": MARKETING,
    "notice settle": MARKETING,
    "notice status": EVERYBODY,
    "notice unpin": MARKETING,
    "notice unschedule": MARKETING,
    "notice withdraw": MARKETING,
}

# What lets somebody in, or back in. No token for some commands alone may be for one of these: it would open the rest.
LETS_IN = frozenset({"access add", "user add", "user edit", "user enable", "user password", "user token"})

SEES_ALL_CASES = MODERATOR  # the others see what `store/sight.py` says
SEES_PERSONS = AGENT  # the others see a customer without address, number and imported fields


def may(user: User, roles: frozenset[str]) -> bool:
    """Whether one of the user's roles is among those."""
    return not roles.isdisjoint(role.value for role in user.roles)


def within(only: Sequence[str] | None, path: str) -> bool:
    """Whether a token that is for those commands, or groups of them, is for that one; None is for every one."""
    return only is None or any(path == each or path.startswith(f"{each} ") for each in only)


def checked_only(said: Sequence[str]) -> tuple[str, ...]:
    """The commands that a token is to be for, each once. Raises Mistake for one that is not there or lets others in."""
    only = tuple(dict.fromkeys(" ".join(each.split()) for each in said))
    for each in only:
        meant = [path for path in PERMITTED if within((each,), path)]
        if not meant:
            raise Mistake(
                f"There is no command {each[:40]!r}; name them as `escucha --help` does, such as 'case list'."
            )
        if open_ := [path for path in meant if path in LETS_IN]:
            raise Mistake(f"A token for some commands alone cannot be for `escucha {open_[0]}`, which lets others in; "
                          "name the other commands of that group one by one.")  # fmt: skip
    return only


def demand(app: App, path: str) -> None:
    """Lets the command go on, for whoever may; from here on the database holds them to what they are.

    Raises Mistake, written into the audit log, naming the roles that may.
    """
    allowed = PERMITTED.get(path, ADMIN)
    if allowed >= MACHINE or (NO_USER in allowed and not _can_tell(app)):
        return
    acting = app.acting
    if acting.stranger and NO_USER in allowed:
        return
    if acting.user is None and acting.stranger:
        _refuse(app, path, f"{acting.name} is no user here; an admin adds them with `escucha user add`, or set "
                "ESCUCHA_TOKEN to their token.")  # fmt: skip
    if why := _why_not(acting, path, allowed):
        _refuse(app, path, why)
    if not app.has_database:
        return
    if acting.user is not None and not may(acting.user, SEES_ALL_CASES):
        from listener.store.sight import Sight

        app.store.sight = Sight(agent=acting.user.name, teams=acting.user.teams)
    app.store.admits = lambda tx: _still(app, tx, path, allowed)


def demand_of_keeper(acting: Identity, path: str) -> None:
    """The same for a command of `KEEPER`, at tables that no command may open and nobody may write. Raises Mistake."""
    if why := _why_not(acting, path, PERMITTED[path]):
        raise Mistake(why)


def _why_not(acting: Identity, path: str, allowed: frozenset[str]) -> str:
    """Why that user, or that token, may not; "" where they may."""
    if acting.user is not None and not may(acting.user, allowed):
        return f"`escucha {path}` is for {_named(allowed)}; {acting.name} is {_named(acting.user.roles)}."
    if not within(acting.only, path):
        return f"This token of {acting.name} is for {_listed(acting.only or ())} alone, not for `escucha {path}`."
    return ""


def _can_tell(app: App) -> bool:
    """Whether the tables are of this version, so that they can say who acts: before an upgrade they cannot."""
    from listener import store

    if not app.has_database:
        return False
    database = store.connect(app.config.database.url)
    try:
        return database.fits()
    finally:
        database.close()


def _refuse(app: App, path: str, sentence: str) -> None:
    from listener.store import audit

    with app.store.write() as tx:
        audit.record(tx, at=app.now(), by=app.actor, action="refused", subject=f"command {path}"[:100])
    raise Mistake(sentence)


def _still(app: App, tx: Transaction, path: str, allowed: frozenset[str]) -> None:
    """Raises Mistake where whoever began may no longer go on: disabled, another role, the token taken back."""
    from listener.store import tokens, users

    acting = app.acting
    if acting.user is None:
        if users.there_are(tx):
            raise Mistake("There are users by now, so everybody must show who they are; run it again.")
        return
    now = users.by_id(tx, acting.user.id)
    if not now.enabled or not users.same_person(now.name, acting.name):
        raise Mistake(f"{now.name} was disabled a moment ago; nothing was changed.")
    if not may(now, allowed):
        raise Mistake(
            f"`escucha {path}` is for {_named(allowed)}, and {now.name} is no longer one; nothing was changed."
        )
    if acting.token is None:
        if now.os_user != acting.user.os_user:
            raise Mistake(f"This machine no longer knows {now.name}; nothing was changed.")
    elif not tokens.holds(tx, acting.token, app.now()):
        raise Mistake("The token was taken back, or has run out; nothing was changed.")


def _listed(only: Sequence[str]) -> str:
    """`case list and report`, the first few."""
    named = [f"`{each}`" for each in only[:5]]
    return ", ".join(named) + (f" and {len(only) - 5} more" if len(only) > 5 else "")


def _named(roles: frozenset[str] | tuple[Role, ...]) -> str:
    """`moderator, supervisor or admin`, the least first."""
    names = [role.value for role in Role if role.value in {str(each) for each in roles}]
    return " or ".join(part for part in (", ".join(names[:-1]), names[-1]) if part) if names else "nobody"
