"""What a policy asks of each team, counted: replies to review, cases, and whether first answers came in time. Pure.

Whether an answer came in time is told by what really happened: the case that the mention got, and when it was first
answered. What would have been answered sooner, or later, under another policy nobody can know.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from listener.types import Decision, Mode, Situation
from policies.counting import count, merge

NO_CASE = "(no case)"


@dataclass(kw_only=True)
class Work:
    """By team: replies that a person has to read, cases opened, and of those that were promised a first answer how
    many had it by then, had it later, had none, or had no case of their own in truth (`not_known`).
    """

    reviews: Counter[str] = field(default_factory=Counter)
    cases: Counter[str] = field(default_factory=Counter)
    in_time: Counter[str] = field(default_factory=Counter)
    late: Counter[str] = field(default_factory=Counter)
    never: Counter[str] = field(default_factory=Counter)
    not_known: Counter[str] = field(default_factory=Counter)

    def add(self, situation: Situation, decision: Decision, *, had_case: bool, answered_at: datetime | None) -> None:
        """Counts one decision. `had_case`: the mention was put into a case, which was first answered `answered_at`."""
        case = decision.case
        if decision.reply is not None and decision.reply.mode is not Mode.AUTO:
            count(self.reviews, case.team if case else NO_CASE)
        if case is None or situation.case.exists:
            return
        count(self.cases, case.team)
        due = case.promise.first_response_due
        if due is None:
            return
        if not had_case or (answered_at is not None and answered_at < situation.now):
            which = self.not_known  # what was answered before this was heard, was not the answer to it
        elif answered_at is None:
            which = self.never
        else:
            which = self.in_time if answered_at <= due else self.late
        count(which, case.team)

    def merge(self, later: Work) -> None:
        """Adds what another one counted."""
        for each in fields(self):
            merge(getattr(self, each.name), getattr(later, each.name))

    def report(self) -> dict[str, Any]:
        """`work` and `first_answers`, each by team, as JSON."""
        answers = (self.in_time, self.late, self.never, self.not_known)
        promised = sorted(set().union(*answers))
        return {
            "work": {
                team: {"replies_to_review": self.reviews[team], "cases_opened": self.cases[team]}
                for team in sorted({*self.reviews, *self.cases})
            },
            "first_answers": {
                team: {
                    "in_time": self.in_time[team],
                    "late": self.late[team],
                    "never": self.never[team],
                    "not_known": self.not_known[team],
                }
                for team in promised
            },
        }
