"""Numbers and moments of a recorded test, no finer than the policy needs to say the same.

How many follow somebody and the second of a post lead back to it; that there are more than 10,000, or that it was
Sunday evening, does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from policies.amounts import Comparison, duration
from policies.asking import blocks
from policies.bots import NEW_DAYS
from policies.schema import PolicyFile

Mention = dict[str, Any]

_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
_NEW = Comparison(sign="<", number=NEW_DAYS, text="")


def coarser(mention: Mention, file: PolicyFile, same: Callable[[Mention], bool]) -> Mention:
    """The mention with numbers, moment and age as coarse as leaves every comparison of the policy as it was.

    `same`: whether the policy says the same about it as about the first. The moment is told to the minute at the most.
    """
    compared = _compared(file)
    for key, value in list(mention.items()):
        for option in _options(key, value):
            rounded = {**mention, key: option}
            if all(_holds(each, option) == _holds(each, value) for each in compared.get(key, ())) and same(rounded):
                mention = rounded
                break
    if "now" in mention:
        mention = {**mention, "now": _moment(mention["now"], hour=not _minute_matters(mention, same))}
    return mention


def _options(key: str, value: Any) -> Iterator[Any]:
    """Coarser values, the coarsest first."""
    if key == "age":
        yield from _ages(duration(value))
    elif isinstance(value, int) and not isinstance(value, bool):
        for digits in range(1, len(str(abs(value)))):
            scale = 10 ** (len(str(abs(value))) - digits)
            yield value // scale * scale


def _ages(age: timedelta) -> Iterator[str]:
    left, parts = int(age.total_seconds()), []
    if left < 60:
        yield "1m"
        return
    for unit, seconds in _UNITS[:-1]:
        amount, left = divmod(left, seconds)
        if amount:
            parts.append(f"{amount}{unit}")
            yield "".join(parts)


def _minute_matters(mention: Mention, same: Callable[[Mention], bool]) -> bool:
    return not same({**mention, "now": _moment(mention["now"], hour=True)})


def _moment(now: str, *, hour: bool) -> str:
    moment = datetime.fromisoformat(now).replace(second=0, microsecond=0)
    return (moment.replace(minute=0) if hour else moment).isoformat(timespec="minutes").replace("+00:00", "Z")


def _holds(comparison: Comparison, value: Any) -> bool:
    return comparison.holds(duration(value).total_seconds() if isinstance(value, str) else value)


def _compared(file: PolicyFile) -> Mapping[str, list[Comparison]]:
    """What rules and contributions compare, by the condition's name."""
    found: dict[str, list[Comparison]] = {"author.account_age_days": [_NEW]}
    whens = [*(rule.when for rule in file.rules), *(part.when for part in file.score.contributions)]
    for asked in whens:
        for when in blocks(asked):
            for name, field in type(when).model_fields.items():
                if isinstance(value := getattr(when, name), Comparison):
                    found.setdefault(field.alias or name, []).append(value)
    return found
