"""What a rule does, in words."""

from __future__ import annotations

from collections.abc import Iterator

from policies.schema import Case, Reply, Rule
from policies.shares import Share
from policies.words import shown


def in_words(rule: Rule, reply: Reply | None = None) -> str:
    """`reply with `thanks` (manual), open a case with billing (high, tags a, b), and end the reading`.

    `reply`: what it would answer one mention with; left out, what the file says.
    """
    acts = [*_acts(rule, reply or rule.then.reply)]
    end = "read on" if rule.goes_on else "end the reading"
    return shown(f"{', '.join(acts)}, and {end}", 400)


def _acts(rule: Rule, reply: Reply | None) -> Iterator[str]:
    then = rule.then
    if reply:
        yield _answer(reply)
    if then.case:
        yield _case(then.case)
    if then.urgency:
        yield _urgency(then.urgency)
    if then.tags:
        yield f"tag {', '.join(then.tags)}"
    if then.escalate:
        yield f"call in {then.escalate}"
    if then.alert:
        yield f"alert {', '.join(then.alert)}"
    if then.person:
        yield "leave it to a person"
    if then.ignore:
        yield f"ignore it ({then.ignore})"


def _answer(reply: Reply) -> str:
    if reply.is_silence:
        return "leave it unanswered"
    mode = f"alone {reply.mode.in_words()}" if isinstance(reply.mode, Share) else reply.mode
    return f"reply with `{reply.template}`" + (f" ({mode})" if mode else "")


def _case(case: Case) -> str:
    if case.is_none:
        return "open no case"
    more = [case.urgency] if case.urgency else []
    more += [f"tags {', '.join(case.tags)}"] if case.tags else []
    more += [f"skills {', '.join(case.skills)}"] if case.skills else []
    team = case.team or "the team of its area or the default team"
    return f"open a case with {team}" + (f" ({', '.join(more)})" if more else "")


def _urgency(urgency: str) -> str:
    return f"raise the urgency by {urgency.removeprefix('+')}" if urgency.startswith("+") else f"make it {urgency}"
