"""What X means by an answer that is no success. Pure.

X words its errors as "problems": `title`, `detail`, `type` (an address that ends in the problem's name), some within a
list `errors`. Texts are English whatever the account's language. Names: docs.x.com/x-api/fundamentals/
response-codes-and-errors (August 2026).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from connectors import faults
from connectors.wire import Answer
from connectors.x_posts import dicts
from listener.errors import AuthFailed, NetworkError, RateLimited, Rejected

_TWICE = "X refuses to say the same text twice"
_OURS = frozenset({"client-forbidden", "oauth1-permissions", "unsupported-authentication"})
_OUR_ACCOUNT = re.compile(r"(?i)\byour (?:client )?(?:app|account|user|credentials)\b.*\b(?:not|suspend|lock|restrict)")


def of_answer(
    answer: Answer, body: Any, *, writing: bool, task: str, now: datetime, secrets: Iterable[str]
) -> NetworkError:
    """The error for that answer; `task` says what X was to do where it was neither to show nor to post something."""
    problem = body if isinstance(body, dict) else {}
    inner = dicts(problem, "errors")
    problems = [problem, *inner]
    said = _first(inner, "message", "detail") or _first([problem], "detail", "title")
    if answer.status == 429 and _is_capped(problems):
        return RateLimited(
            "X says that the monthly cap is used up: raise it in the Developer Console, or wait for the new month",
            retry_after=faults.CEILING,
        )
    if answer.status == 402:
        return AuthFailed("X wants to be paid before it answers (402): buy credits in the Developer Console")
    if answer.status == 403 and said and (writing or task):
        return _of_403(problems, faults.one_line(said, secrets=secrets), task)
    return faults.of_status(
        answer.status, answer.headers, where="X", writing=writing, now=now, said=said, secrets=secrets
    )


def says_it_twice(refusal: Rejected) -> bool:
    """Whether X refused because the same text is there already."""
    return str(refusal).startswith(_TWICE)


def _of_403(problems: list[dict[str, Any]], said: str, task: str) -> NetworkError:
    """Whether it is this post that X refuses, or our app or account altogether."""
    if "duplicate" in said.lower():
        return Rejected(f"{_TWICE}, and we have said it before")
    names = {_name(each) for each in problems}
    if names & _OURS or any("reason" in each for each in problems) or _OUR_ACCOUNT.search(said):
        return AuthFailed(f"X does not let our app or account {task or 'post'} (403): “{said}”")
    return Rejected(f"X refuses to {task or 'post this'} (403): “{said}”")


def _is_capped(problems: Iterable[Mapping[str, Any]]) -> bool:
    return any(_name(each) == "usage-capped" or each.get("title") == "UsageCapExceeded" for each in problems)


def _name(problem: Mapping[str, Any]) -> str:
    return str(problem.get("type")).rpartition("/")[2]


def _first(problems: Iterable[Mapping[str, Any]], *names: str) -> str:
    for each in problems:
        for name in names:
            value = each.get(name)
            if isinstance(value, str) and value.strip():
                return value
    return ""
