"""How much an account behaves like a machine, from 0 to 1, out of what is known of it: a sum that anybody can check.

    1.0  the account says that it is automatic
    0.2  it is under 30 days old
    0.1  nobody follows it
    0.1  for each of its posts within ten minutes after the second, 0.4 at most
    0.2  for each time that it wrote the same again within a day, 0.4 at most
    0.3  for each answer to us within seconds, in a day, 0.6 at most

The sum is 1 at most. What nobody knows adds nothing. Its weights are chosen, not learned: one thing alone is never half
of a machine, but for what the account says itself and for answers that nobody can have read and written so fast.
"""

from __future__ import annotations

from collections.abc import Iterator

from listener.types import AuthorView

NEW_DAYS = 30  # an account younger than that is new


def contributions(author: AuthorView) -> Iterator[tuple[int, str]]:
    """What adds to it, in hundredths, with its reason in words."""
    if author.bot:
        yield 100, "says that it is automatic"
    if author.account_age_days is not None and author.account_age_days < NEW_DAYS:
        yield 20, f"under {NEW_DAYS} days old"
    if author.followers == 0:
        yield 10, "no followers"
    if author.mentions_last_10_minutes > 2:
        posts = author.mentions_last_10_minutes
        yield min(10 * (posts - 2), 40), f"{posts} posts in ten minutes"
    if author.same_text_last_day > 1:
        times = author.same_text_last_day
        yield min(20 * (times - 1), 40), f"the same text {times} times in a day"
    if author.quick_replies_last_day > 0:
        quick = author.quick_replies_last_day
        yield min(30 * quick, 60), f"{quick} {'answer' if quick == 1 else 'answers'} within seconds"


def likeness(author: AuthorView) -> float:
    """From 0, nothing speaks for a machine, to 1."""
    return min(sum(weight for weight, _ in contributions(author)), 100) / 100


def in_words(author: AuthorView) -> str:
    """`0.60 (+0.20 under 30 days old, +0.40 the same text 3 times in a day)`."""
    parts = ", ".join(f"+{weight / 100:.2f} {reason}" for weight, reason in contributions(author))
    return f"{likeness(author):.2f}{f' ({parts})' if parts else ''}"
