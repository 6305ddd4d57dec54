"""One-time codes by which a customer says which account is theirs.

A person at the desk issues one (`escucha customer code`) to somebody they know to be the customer: on the phone, in a
letter, behind a login. Whoever then writes it to us from an account has shown that the account is theirs.

**How it looks.** Ten of 23 letters and digits in two groups, `K7MPA-4RTXW`: none that is taken for another (0 O Q, 1 I
L and U V Y are left out; of 8 B, 6 G, 5 S and 2 Z the digit stands for both). The last is a check character, modulo 23,
which shows every single slip and every swap: what is mistyped is told from what is guessed.

**How it is kept.** Only as a digest that is slow to make (scrypt), so that whoever sees the database cannot try all
that there could be while they count. It counts once, until it expires; an account has `TRIES` attempts a day.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata
from datetime import datetime, timedelta

from listener.desk.customers import behind
from listener.errors import Mistake
from listener.store import Transaction, cases, codes, customers, links
from listener.store.codes import Tried
from listener.store.customers import Customer
from listener.store.mentions import Mention
from listener.types import LinkBasis, LinkCode

SYMBOLS = "23456789ACDEFHJKMNPRTWX"
LENGTH = 10
USUAL = timedelta(days=3)  # for which a code counts
LONGEST = timedelta(days=30)
AT_ONCE = 5  # codes of one customer that count at the same time
TRIES = 5  # wrong codes of one account within a day; more are not looked at
READ = 20_000  # characters of a mention that are looked through
IN_ONE = 3  # codes in one mention that are looked at
FLOOD = (
    200  # mentions whose codes are looked at within an hour, whoever wrote them: addresses cost nothing, looking does
)

_TAKEN_FOR = str.maketrans({"B": "8", "G": "6", "S": "5", "Z": "2"})
_NEVER_LETTERS = frozenset("3479")  # digits that nobody reads for a letter: one of them is in every code
_READ = f"[{SYMBOLS}BGSZ]{{{LENGTH // 2}}}"
_GAP = r"[\s\-\u2010-\u2015\u2212_.]?"
# Looked for at every place: a word of five letters in front of a code must not take its first half.
_SHAPE = re.compile(rf"(?<![0-9A-Z])(?=({_READ}){_GAP}({_READ})(?![0-9A-Z]))")
_SALT = b"escucha link code"


def new_code() -> str:
    """A code that nobody can foresee, with digits and letters in it so that no word is one."""
    while True:
        body = "".join(secrets.choice(SYMBOLS) for _ in range(LENGTH - 1))
        digits = sum(symbol.isdigit() for symbol in body)
        if 2 <= digits <= LENGTH - 3 and not _NEVER_LETTERS.isdisjoint(body):
            return written(body + _check(body))


def written(code: str) -> str:
    """The code in two groups."""
    return f"{code[: LENGTH // 2]}-{code[LENGTH // 2 :]}"


def _check(body: str) -> str:
    """The symbol that makes the weighted sum of all a multiple of 23."""
    total = sum(place * SYMBOLS.index(symbol) for place, symbol in enumerate(body, start=1))
    return SYMBOLS[-total * pow(LENGTH, -1, len(SYMBOLS)) % len(SYMBOLS)]


def is_code(code: str) -> bool:
    """Whether that is how codes are: the right symbols, and the check character fits."""
    bare = code.replace("-", "")
    return len(bare) == LENGTH and set(bare) <= set(SYMBOLS) and _check(bare[:-1]) == bare[-1]


def codes_in(text: str) -> tuple[str, ...]:
    """The codes that stand in a text, however they are typed, each once."""
    plain = unicodedata.normalize("NFKC", text[:READ]).upper()
    found = []
    for match in _SHAPE.finditer(plain):
        bare = "".join(match.groups())
        if any(symbol.isdigit() for symbol in bare):
            found.append(written(bare.translate(_TAKEN_FOR)))
    return tuple(dict.fromkeys(code for code in found if is_code(code)))


def digest(code: str) -> str:
    """What is kept of a code; slow on purpose."""
    return hashlib.scrypt(code.encode(), salt=_SALT, n=2**14, r=8, p=1, dklen=32).hex()


def issue(
    tx: Transaction, customer: Customer, code: str, *, network: str, valid: timedelta, by: str, now: datetime
) -> datetime:
    """Lets the code count for that customer; gives until when. Raises Mistake where that is too long, or too many."""
    if not timedelta(0) < valid <= LONGEST:
        raise Mistake(f"A code counts for {LONGEST.days} days at most.")
    if codes.open_count(tx, customer.id, now) >= AT_ONCE:
        raise Mistake(
            f"{customer.reference} has {AT_ONCE} codes that count already; `escucha customer code "
            f"{customer.reference} --withdraw` takes them back."
        )
    codes.add(tx, customer, digest=digest(code), network=network, expires_at=now + valid, by=by, now=now)
    return now + valid


def look(tx: Transaction, mention: Mention, now: datetime) -> Tried | None:
    """What came of the code in the mention, None where there is none; looked at once for each revision of it.

    A right one links the account to the customer, at once: the first account that writes it has it.
    """
    found = codes_in(mention.text)
    if not found:
        return None
    links.steady(tx)
    before = codes.tried(tx, mention.id, mention.revision)
    if before is not None:
        return before
    if not codes.any_issued(tx):
        return codes.note(tx, mention, LinkCode.WRONG, None, now)
    often = codes.wrong_since(tx, mention.account_id, now - timedelta(days=1)) >= TRIES
    if often or codes.looked_at(tx, now - timedelta(hours=1)) >= FLOOD:
        return codes.note(tx, mention, LinkCode.TOO_MANY, None, now)
    best: tuple[LinkCode, int | None] = LinkCode.WRONG, None
    for code in found[:IN_ONE]:
        outcome, number = _use(tx, mention, code, now)
        if outcome is LinkCode.LINKED:
            return codes.note(tx, mention, outcome, number, now)
        best = best if outcome is LinkCode.WRONG else (outcome, number)
    return codes.note(tx, mention, *best, now)


def _use(tx: Transaction, mention: Mention, code: str, now: datetime) -> tuple[LinkCode, int | None]:
    issued = codes.find(tx, digest(code))
    if issued is None:
        return LinkCode.WRONG, None
    outcome = _standing(issued, mention, now)
    customer = customers.ruling(tx, customers.by_id(tx, issued.customer_id))
    owner = behind(tx, mention.account_id, mention.network, mention.author.handle, now)
    if outcome is LinkCode.LINKED and owner is not None and owner.id != customer.id:
        outcome = LinkCode.TAKEN
    if outcome is not LinkCode.LINKED or issued.account_id == mention.account_id:
        return outcome, issued.id
    if not codes.use(tx, issued, mention, now):
        return LinkCode.USED, issued.id  # another account was quicker by a hair
    if owner is None:
        links.add_unless(
            tx,
            account_id=mention.account_id,
            customer=customer,
            basis=LinkBasis.SELF_DECLARED,
            evidence=_evidence(issued, mention),
            by=links.DAEMON,
            now=now,
        )
        cases.give_customer(tx, account_id=mention.account_id, customer_id=customer.id, by=links.DAEMON, now=now)
    return LinkCode.LINKED, issued.id


def _standing(issued: codes.Code, mention: Mention, now: datetime) -> LinkCode:
    if issued.used_at is not None:
        return LinkCode.LINKED if issued.account_id == mention.account_id else LinkCode.USED
    if issued.withdrawn_at is not None or issued.expires_at <= now:
        return LinkCode.EXPIRED
    if issued.network not in ("", mention.network):
        return LinkCode.ELSEWHERE
    return LinkCode.LINKED


def _evidence(issued: codes.Code, mention: Mention) -> str:
    said = f"the code that {issued.issued_by} issued on {issued.issued_at:%Y-%m-%d %H:%M} UTC, written in M{mention.id}"
    return said if mention.sender_proven is not False else f"{said}; nothing proves who sent that mail"
