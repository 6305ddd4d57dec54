"""Users: who works here, what they may do, and what they are good at. How they show who they are: `tokens.py`.

A name is one person however it is written: capitals, width and spaces make no other one. Users are never deleted, for
the audit log names them; who leaves is disabled.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, or_, select, update

from listener.errors import AlreadyDone, Mistake, NotFound
from listener.store import Transaction, audit, upsert
from listener.store import tables as t
from listener.types import Role


@dataclass(frozen=True, kw_only=True)
class User:
    """One person who works here. `capacity`: live cases at most, None without a limit; `duty`: see `desk/duty.py`."""

    id: int
    name: str
    roles: tuple[Role, ...]
    teams: tuple[str, ...]
    skills: tuple[str, ...]
    languages: tuple[str, ...]
    capacity: int | None
    duty: str
    os_user: str | None
    has_password: bool
    added_at: datetime
    changed_at: datetime
    disabled_at: datetime | None

    @property
    def enabled(self) -> bool:
        """Whether they may act."""
        return self.disabled_at is None


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What is said of somebody when they are added, or changed."""

    roles: tuple[Role, ...]
    teams: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    capacity: int | None = None
    duty: str = ""
    os_user: str | None = None


@dataclass(frozen=True, kw_only=True)
class Absence:
    """A time in which somebody is not there; `until` is None where nobody knows how long."""

    since: datetime
    until: datetime | None
    reason: str
    noted_by: str


PROFILE = tuple(Profile.__dataclass_fields__)


def same_person(one: str, other: str) -> bool:
    """Whether two names are one to whoever reads them: capitals, width and spaces make no other person."""
    return folded(one) == folded(other)


def folded(name: str) -> str:
    """The name as it is compared."""
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).split())


# --- looking ---------------------------------------------------------------------------------------------------------


def there_are(tx: Transaction) -> bool:
    """Whether anybody was ever added. Before that, everybody may do everything."""
    return tx.execute(select(t.users.c.id).limit(1)).first() is not None


def get(tx: Transaction, name: str) -> User:
    """The user of that name, however it is written. Raises NotFound."""
    row = tx.execute(select(t.users).where(t.users.c.folded == folded(name))).first()
    if row is None:
        raise NotFound(f"There is no user {name!r}; see `escucha user list`.")
    return _user(row)


def by_id(tx: Transaction, user_id: int, *, lock: bool = False) -> User:
    """The user with that row id; `lock`: nobody disables or changes them until this transaction ends."""
    query = select(t.users).where(t.users.c.id == user_id)
    return _user(tx.execute(query.with_for_update() if lock else query).one())


def on_machine(tx: Transaction, os_user: str) -> User | None:
    """Whose that name on this machine is."""
    row = tx.execute(select(t.users).where(t.users.c.os_user == os_user)).first()
    return _user(row) if row else None


def listing(tx: Transaction, *, disabled: bool = False, lock: bool = False) -> list[User]:
    """Everybody by name; `disabled`: also those who left; `lock`: as they stay until this transaction ends."""
    query = select(t.users).order_by(t.users.c.id)
    if not disabled:
        query = query.where(t.users.c.disabled_at.is_(None))
    rows = tx.execute(query.with_for_update() if lock else query)
    return sorted((_user(row) for row in rows), key=lambda user: folded(user.name))


# --- changing --------------------------------------------------------------------------------------------------------


def add(tx: Transaction, name: str, profile: Profile, *, by: str, now: datetime) -> User:
    """A new user; the first one must be an admin whom this machine knows.

    Raises AlreadyDone where the name, or its owner on this machine, is somebody's; Mistake for another first one.
    """
    if not there_are(tx) and (Role.ADMIN not in profile.roles or not profile.os_user):
        raise Mistake(
            "The first user must be an admin with a name on this machine, for from then on only users may act: "
            f"`escucha user add {name} --role admin`."
        )
    new = upsert(tx, t.users).values(
        name=name, folded=folded(name), failures=0, added_at=now, changed_at=now, **_columns(profile)
    )
    user_id = tx.execute(new.on_conflict_do_nothing().returning(t.users.c.id)).scalar()
    if user_id is None:
        raise _taken(tx, name, profile.os_user)
    audit.record(tx, at=now, by=by, action="user.added", subject=_subject(name), **_columns(profile))
    return by_id(tx, user_id)


def change(tx: Transaction, name: str, profile: Profile, *, by: str, now: datetime) -> tuple[User, tuple[str, ...]]:
    """Writes what is said of them now; gives the user, and which of it is new.

    Raises NotFound; Mistake where no admin would be left, or where somebody else has that name on this machine.
    """
    everybody = listing(tx, disabled=True, lock=True)
    user = _among(everybody, name)
    becomes = _columns(profile)
    changed = tuple(key for key, was in _columns(user).items() if was != becomes[key])
    if not changed:
        return user, ()
    if profile.os_user and any(other.os_user == profile.os_user for other in everybody if other.id != user.id):
        raise _taken(tx, user.name, profile.os_user, but=user.id)
    _demand_an_admin(
        tx, [replace(each, **_as_read(profile)) if each.id == user.id else each for each in everybody], now
    )
    tx.execute(update(t.users).where(t.users.c.id == user.id).values(changed_at=now, **becomes))
    told = {key: becomes[key] for key in changed}
    audit.record(tx, at=now, by=by, action="user.changed", subject=_subject(user.name), **told)
    return by_id(tx, user.id), changed


def disable(tx: Transaction, name: str, *, by: str, now: datetime) -> User:
    """From now on they may do nothing. Raises NotFound, AlreadyDone; Mistake where no admin would be left."""
    everybody = listing(tx, disabled=True, lock=True)
    user = _among(everybody, name)
    if not user.enabled:
        raise AlreadyDone(f"{user.name} is disabled since {user.disabled_at:%Y-%m-%d %H:%M} UTC.")
    _demand_an_admin(tx, [each for each in everybody if each.id != user.id], now)
    tx.execute(update(t.users).where(t.users.c.id == user.id).values(disabled_at=now, changed_at=now))
    audit.record(tx, at=now, by=by, action="user.disabled", subject=_subject(user.name))
    return by_id(tx, user.id)


def enable(tx: Transaction, name: str, *, by: str, now: datetime) -> User:
    """They may act again, with the tokens that they had. Raises NotFound, AlreadyDone."""
    user = _among(listing(tx, disabled=True, lock=True), name)
    if user.enabled:
        raise AlreadyDone(f"{user.name} is not disabled.")
    tx.execute(update(t.users).where(t.users.c.id == user.id).values(disabled_at=None, changed_at=now, failures=0))
    audit.record(tx, at=now, by=by, action="user.enabled", subject=_subject(user.name))
    return by_id(tx, user.id)


def demand_an_admin(tx: Transaction, now: datetime) -> None:
    """Raises Mistake where, as it is, no admin can act any more."""
    _demand_an_admin(tx, listing(tx, lock=True), now)


def _among(everybody: Collection[User], name: str) -> User:
    found = next((user for user in everybody if same_person(user.name, name)), None)
    if found is None:
        raise NotFound(f"There is no user {name!r}; see `escucha user list`.")
    return found


def _demand_an_admin(tx: Transaction, as_it_would_be: Collection[User], now: datetime) -> None:
    """Raises Mistake where no enabled admin could show who they are: nobody could ever let anybody in again."""
    admins = [user for user in as_it_would_be if user.enabled and Role.ADMIN in user.roles]
    if any(user.os_user for user in admins):
        return
    lasting = select(t.user_tokens.c.id).where(
        t.user_tokens.c.user_id.in_([user.id for user in admins]),
        t.user_tokens.c.only.is_(None),  # one for some commands lets nobody in again
        t.user_tokens.c.revoked_at.is_(None),
        or_(t.user_tokens.c.expires_at.is_(None), t.user_tokens.c.expires_at > now),
    )
    if tx.execute(lasting.limit(1)).first() is None:
        raise Mistake(
            "That would leave no admin who can act: make somebody else one first, with `escucha user edit NAME "
            "--role admin --os-user …`."
        )


def _taken(tx: Transaction, name: str, os_user: str | None, *, but: int = 0) -> Mistake:
    """Who has the name, or the name on this machine, already."""
    owner = on_machine(tx, os_user) if os_user else None
    if owner is not None and owner.id != but:
        return AlreadyDone(f"{os_user} on this machine is {owner.name}; one name there belongs to one user.")
    there = get(tx, name)
    left = (
        f"; `escucha user edit {there.name}` changes them"
        if there.enabled
        else f", disabled; `escucha user enable {there.name}` lets them in again"
    )
    return AlreadyDone(f"There is a user {there.name} already{left}.")


# --- being there -----------------------------------------------------------------------------------------------------


def away(
    tx: Transaction, user: User, *, since: datetime, until: datetime | None, reason: str, by: str, now: datetime
) -> None:
    """They are not there from `since` until `until`, None until they say so. Raises AlreadyDone where that is known."""
    if any(each.since <= since and each.until == until for each in absences(tx, user, now)):
        raise AlreadyDone(f"{user.name} is away then already; see `escucha user show {user.name}`.")
    tx.execute(
        insert(t.absences).values(user_id=user.id, since=since, until=until, reason=reason, noted_by=by),
    )
    until_then = until.isoformat() if until else None
    audit.record(
        tx, at=now, by=by, action="user.away", subject=_subject(user.name), since=since.isoformat(), until=until_then
    )


def back(tx: Transaction, user: User, *, by: str, now: datetime) -> None:
    """They are there: what runs now ends. Raises AlreadyDone where they were not away."""
    runs = (t.absences.c.user_id == user.id, t.absences.c.since <= now, _not_over(now))
    if not tx.execute(update(t.absences).where(*runs).values(until=now)).rowcount:
        raise AlreadyDone(f"{user.name} is not away.")
    audit.record(tx, at=now, by=by, action="user.back", subject=_subject(user.name))


def absences(tx: Transaction, user: User, now: datetime) -> list[Absence]:
    """When they are not there, now and later."""
    query = select(t.absences).where(t.absences.c.user_id == user.id, _not_over(now)).order_by(t.absences.c.since)
    rows = tx.execute(query)
    return [Absence(since=row.since, until=row.until, reason=row.reason, noted_by=row.noted_by) for row in rows]


def absent(tx: Transaction, now: datetime) -> frozenset[int]:
    """The row ids of those who are away now."""
    query = select(t.absences.c.user_id).where(t.absences.c.since <= now, _not_over(now))
    return frozenset(tx.scalars(query).all())


def _not_over(now: datetime) -> Any:
    return or_(t.absences.c.until.is_(None), t.absences.c.until > now)


# --- passwords -------------------------------------------------------------------------------------------------------


def set_password(tx: Transaction, user: User, hashed: str, *, by: str, now: datetime) -> None:
    """Keeps the hash of their password, in place of an earlier one."""
    tx.execute(update(t.users).where(t.users.c.id == user.id).values(password=hashed, failures=0, changed_at=now))
    audit.record(tx, at=now, by=by, action="user.password", subject=_subject(user.name))


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """Somebody tries to sign in: whose hash to compare, and how often in a row it failed before, last when."""

    user: User
    hashed: str | None
    failures: int
    failed_at: datetime | None


def attempt(tx: Transaction, name: str) -> Attempt | None:
    """What there is to know before a password is looked at, None for nobody; two at once see two counts."""
    row = tx.execute(select(t.users).where(t.users.c.folded == folded(name)).with_for_update()).first()
    return (
        Attempt(user=_user(row), hashed=row.password, failures=row.failures, failed_at=row.failed_at) if row else None
    )


def attempted(tx: Transaction, user: User, *, now: datetime) -> None:
    """Counts an attempt as failed, before it is known: so many at once cannot try more than one by one."""
    tried = {"failures": t.users.c.failures + 1, "failed_at": now}
    tx.execute(update(t.users).where(t.users.c.id == user.id).values(**tried))


def signed_in(tx: Transaction, user: User, *, rehashed: str | None, now: datetime) -> None:
    """It was the right one; `rehashed`: the hash that the newest settings give."""
    better = {"password": rehashed} if rehashed else {}
    tx.execute(update(t.users).where(t.users.c.id == user.id).values(failures=0, **better))
    audit.record(tx, at=now, by=user.name, action="user.signed_in", subject=_subject(user.name))


# --- rows ------------------------------------------------------------------------------------------------------------


def _subject(name: str) -> str:
    return f"user {name}"


def _columns(said: Profile | User) -> dict[str, Any]:
    """As the table keeps it."""
    values = {key: getattr(said, key) for key in PROFILE}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def _as_read(profile: Profile) -> dict[str, Any]:
    return {key: getattr(profile, key) for key in PROFILE}


def _user(row: Row[Any]) -> User:
    lists = {"teams": tuple(row.teams), "skills": tuple(row.skills), "languages": tuple(row.languages)}
    read: dict[str, Any] = {
        "roles": tuple(Role(role) for role in row.roles),
        "has_password": row.password is not None,
        **lists,
    }
    return User(**read, **{name: getattr(row, name) for name in User.__dataclass_fields__ if name not in read})
