"""Made-up talk about three companies, the same for the same seed: weeks of it, and eight incidents to lay over a day.

Nothing here is taken from the detector. Rates go by the hour of the week in the company's own time zone, times a
trend, times holidays; over them lie gamma factors by hour, one for all talk and one for each area, so that counts are
over-dispersed (gamma-Poisson). Who writes is drawn from a pool of people of whom some write far more than others.
What is no incident but may look like one is laid over that: viral jokes (much of it copied, some of it misread as
complaints), campaigns of days, one person who writes fifty times, one complaint copied by forty accounts, small
quarrels of a few people in half an hour, and hours in which a network was not listened to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from listener.insight.counting import Gap, Said

Dice = np.random.Generator
_ALARMING = {"complaint": 0.62, "outage_report": 0.1, "question": 0.2, "cancellation_threat": 0.03, "request": 0.05}
_HARMLESS = ("praise", "off_topic", "suggestion", "purchase_interest", "")


@dataclass(frozen=True, kw_only=True)
class Company:
    """Whom people talk about. `daily`: mentions on an ordinary day; shares of areas, networks and places add up to 1.

    `placed`: the share of mentions that name a place. `trouble`: the share that complain, ask or report. `weekly`: by
    how much talk grows each week. `holiday`: what a holiday leaves of it. `size`: what its incidents are multiplied by.
    """

    name: str
    zone: ZoneInfo
    daily: float
    hours: tuple[float, ...]
    weekend: float
    areas: Mapping[str, float]
    networks: Mapping[str, float]
    places: tuple[str, ...]
    placed: float
    trouble: float
    weekly: float
    holiday: float
    size: float


_DAYTIME = (3, 2, 1, 1, 1, 2, 5, 11, 20, 28, 30, 30, 29, 26, 23, 24, 27, 30, 31, 32, 33, 30, 20, 10)
_TRAVEL = (14, 10, 8, 9, 14, 20, 26, 28, 28, 27, 26, 25, 25, 25, 26, 28, 30, 31, 30, 28, 26, 24, 21, 18)
_OFFICE = (1, 1, 0.5, 0.5, 0.5, 1, 3, 8, 22, 34, 36, 34, 30, 26, 22, 20, 18, 15, 10, 8, 7, 5, 3, 2)
COMPANIES = (
    Company(
        name="telecom",
        zone=ZoneInfo("Europe/Madrid"),
        daily=1800,
        hours=_DAYTIME,
        weekend=0.75,
        areas={"network": 0.34, "billing": 0.28, "app": 0.14, "shops": 0.12, "": 0.12},
        networks={"x": 0.6, "bluesky": 0.25, "mail": 0.15},
        places=("Madrid", "Barcelona", "Valencia", "Sevilla", "Zaragoza", "Bilbao", "Vigo", "Cádiz", "León", "Soria"),
        placed=0.25,
        trouble=0.5,
        weekly=0.015,
        holiday=0.55,
        size=1.6,
    ),
    Company(
        name="airline",
        zone=ZoneInfo("America/Mexico_City"),
        daily=700,
        hours=_TRAVEL,
        weekend=1.1,
        areas={"flights": 0.4, "baggage": 0.22, "booking": 0.2, "": 0.18},
        networks={"x": 0.7, "mastodon": 0.1, "mail": 0.2},
        places=("MEX", "GDL", "CUN", "MTY", "TIJ", "MAD", "LAX", "MIA"),
        placed=0.4,
        trouble=0.45,
        weekly=-0.01,
        holiday=1.5,
        size=1.1,
    ),
    Company(
        name="bank",
        zone=ZoneInfo("Europe/London"),
        daily=240,
        hours=_OFFICE,
        weekend=0.3,
        areas={"cards": 0.3, "app": 0.3, "transfers": 0.2, "": 0.2},
        networks={"x": 0.55, "mail": 0.45},
        places=("London", "Leeds", "Bristol", "Glasgow", "Cardiff"),
        placed=0.1,
        trouble=0.55,
        weekly=0.0,
        holiday=0.4,
        size=0.75,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Incident:
    """A true one. `peak`: people in an hour who write at its height, before the company's size.

    `rise`: minutes until then. `lasts`: minutes until it fades. `night`, `holiday`, `campaign`: when it happens.
    `place`, `network`: only there.
    """

    name: str
    peak: float
    rise: float = 0.0
    lasts: float = 180.0
    hour: float = 15.5
    place: bool = False
    network: bool = False
    holiday: bool = False
    campaign: bool = False


INCIDENTS = (
    Incident(name="step", peak=110),
    Incident(name="slow ramp", peak=400, rise=45),
    Incident(name="short burst", peak=180, lasts=20, hour=11.2),
    Incident(name="small place", peak=90, place=True, hour=18.4),
    Incident(name="one network", peak=80, network=True, hour=12.7),
    Incident(name="at night", peak=60, hour=3.3),
    Incident(name="on a holiday", peak=90, holiday=True, hour=16.1),
    Incident(name="on a campaign", peak=120, campaign=True, hour=17.6),
)


@dataclass(frozen=True, kw_only=True)
class Talk:
    """What was said in a time, oldest first, and what was not heard.

    `holidays` and `campaigns`: their days, as midnights in UTC.
    """

    said: tuple[Said, ...]
    gaps: tuple[Gap, ...]
    holidays: tuple[datetime, ...]
    campaigns: tuple[datetime, ...]


def talk(company: Company, seed: int, since: datetime, days: int) -> Talk:
    """Everything said about a company from a midnight (UTC) on, without any incident."""
    dice = np.random.default_rng([seed, sum(company.name.encode())])
    holidays = tuple(since + timedelta(days=int(day)) for day in np.flatnonzero(dice.random(days) < 0.035))
    starts = [since + timedelta(days=int(day)) for day in np.flatnonzero(dice.random(days) < 0.05)]
    campaigns = tuple(start + timedelta(days=more) for start in starts for more in range(int(dice.integers(2, 5))))
    said = list(_everyday(company, dice, since, days, holidays=set(holidays), campaigns=set(campaigns)))
    for day in range(days):
        said += _oddities(company, dice, since + timedelta(days=day))
    gaps = tuple(_gaps(company, dice, since, days))
    heard = [
        one for one in said if not any(gap.network == one.network and gap.since <= one.at < gap.until for gap in gaps)
    ]
    return Talk(said=_numbered(heard, 1), gaps=gaps, holidays=holidays, campaigns=campaigns)


def incident(company: Company, what: Incident, seed: int, onset: datetime, *, size: float = 1.0) -> tuple[Said, ...]:
    """What people say of a true incident from its onset on; ids below 0. `size`: of the peak."""
    dice = np.random.default_rng([seed, sum(what.name.encode()), sum(company.name.encode())])
    areas = [name for name in company.areas if name]
    area = areas[int(dice.integers(len(areas)))]
    networks = [_one(dice, company.networks)] if what.network else None
    place = company.places[-1 - int(dice.integers(3))]
    said = []
    for minute in range(240):
        rate = what.peak * company.size * size / 60
        rate *= min((minute + 0.5) / what.rise, 1) if what.rise else 1
        rate *= 1 if minute < what.lasts else 0.5 ** ((minute - what.lasts) / 15)
        for _ in range(dice.poisson(rate)):
            known = dice.random()
            sort = (
                "" if known < 0.2 else "question" if known < 0.35 else "outage_report" if known < 0.6 else "complaint"
            )
            named = dice.random() < (0.65 if what.place else company.placed)
            said.append(
                Said(
                    id=0,
                    at=onset + timedelta(minutes=minute, seconds=float(dice.random() * 60)),
                    person=int(dice.integers(10**6, 10**8)),
                    network=networks[0] if networks else _one(dice, company.networks),
                    areas=(area,) if dice.random() < 0.7 else (),
                    intents=(sort,) if sort else (),
                    places=((place if what.place else _place(company, dice)),) if named else (),
                    negative=bool(dice.random() < 0.4),
                    copy=f"short {dice.integers(40)}" if dice.random() < 0.15 else "",
                )
            )
    return tuple(replace(one, id=-number) for number, one in enumerate(sorted(said, key=lambda one: one.at), 1))


def onset(company: Company, what: Incident, quiet: Talk, *, seed: int, since: datetime, days: int) -> datetime:
    """When an incident of this kind happens, within some days: on a holiday or a campaign where it is about that."""
    dice = np.random.default_rng([seed, 7, sum(what.name.encode())])
    fitting = [
        day for day in (quiet.holidays if what.holiday else quiet.campaigns if what.campaign else ()) if day >= since
    ]
    chosen = (
        fitting[int(dice.integers(len(fitting)))]
        if fitting
        else since + timedelta(days=int(dice.integers(1, days - 1)))
    )
    local = chosen.replace(tzinfo=company.zone) + timedelta(hours=what.hour, minutes=float(dice.random() * 40))
    return local.astimezone(since.tzinfo)


def _everyday(
    company: Company, dice: Dice, since: datetime, days: int, *, holidays: set[datetime], campaigns: set[datetime]
) -> Iterator[Said]:
    mean = sum(company.hours) / 24
    areas, drift = list(company.areas), 0.0
    for hour in range(days * 24):
        at = since + timedelta(hours=hour)
        local = at.astimezone(company.zone)
        today = datetime(local.year, local.month, local.day, tzinfo=since.tzinfo)
        drift = 0.97 * drift + float(dice.normal(0, 0.03))  # moods of days that no calendar knows
        rate = company.daily / 24 * company.hours[local.hour] / mean * (company.weekend if local.weekday() > 4 else 1)
        rate *= (1 + company.weekly) ** (hour / 168) * (company.holiday if today in holidays else 1) * np.exp(drift)
        rate *= dice.gamma(30) / 30
        fuss = today in campaigns and 9 <= local.hour <= 22
        for area in areas:
            own = rate * company.areas[area] * dice.gamma(12) / 12
            for alarming, share in ((True, company.trouble), (False, 1 - company.trouble)):
                more = (1.2 if alarming else 3.0) if fuss else 1.0
                for _ in range(dice.poisson(own * share * more)):
                    yield _one_said(company, dice, at + timedelta(seconds=float(dice.random() * 3600)), area, alarming)


def _one_said(company: Company, dice: Dice, at: datetime, area: str, alarming: bool) -> Said:
    sort = _one(dice, _ALARMING) if alarming else _HARMLESS[int(dice.integers(len(_HARMLESS)))]
    return Said(
        id=0,
        at=at,
        person=int(dice.pareto(1.1) * 2_000) % 200_000,
        network=_one(dice, company.networks),
        areas=(area,) if area else (),
        intents=(sort,) if sort else (),
        places=(_place(company, dice),) if dice.random() < company.placed else (),
        negative=alarming and bool(dice.random() < 0.6),
        copy=f"usual {dice.integers(200)}" if dice.random() < 0.05 else "",
    )


def _oddities(company: Company, dice: Dice, day: datetime) -> Iterator[Said]:
    """What a day brings that is no incident."""

    def moment() -> datetime:
        return day + timedelta(hours=float(dice.uniform(0, 24)))

    areas = [name for name in company.areas if name]
    area, network = areas[int(dice.integers(len(areas)))], _one(dice, company.networks)
    if dice.random() < 0.08:  # a viral joke: up in minutes, down in hours
        start, many = moment(), int(company.size * dice.integers(150, 600))
        for _ in range(many):
            read = dice.random()
            sort = (
                "complaint" if read < 0.1 else "question" if read < 0.15 else ("off_topic", "praise")[int(read > 0.6)]
            )
            yield Said(
                id=0,
                at=start + timedelta(minutes=float(dice.gamma(1.5) * 60)),
                person=int(dice.integers(10**6, 10**8)),
                network="x" if dice.random() < 0.9 else network,
                areas=(area,) if dice.random() < 0.3 else (),
                intents=(sort,),
                negative=bool(dice.random() < 0.1),
                copy=f"joke {day:%j} {dice.integers(3)}" if dice.random() < 0.55 else "",
            )
    if dice.random() < 0.1:  # one person, fifty times
        start, person = moment(), int(dice.integers(10**6, 10**8))
        for number in range(50):
            yield replace(
                _one_said(company, dice, start + timedelta(minutes=float(dice.random() * 90)), area, True),
                person=person,
                network=network,
                copy=f"flood {day:%j}" if number % 2 else "",
            )
    if dice.random() < 0.06:  # one complaint from forty accounts
        start = moment()
        for _ in range(40):
            yield replace(
                _one_said(company, dice, start + timedelta(minutes=float(dice.random() * 40)), area, True),
                person=int(dice.integers(10**6, 10**8)),
                network=network,
                copy=f"copied {day:%j}",
            )
    for _ in range(dice.poisson(1.0)):  # a quarrel under somebody's post
        start, place = moment(), (_place(company, dice),) if dice.random() < 0.3 else ()
        for _ in range(min(int(dice.geometric(0.4)), 8)):
            at = start + timedelta(minutes=float(dice.random() * 30))
            yield replace(_one_said(company, dice, at, area, bool(dice.random() < 0.7)), network=network, places=place)


def _gaps(company: Company, dice: Dice, since: datetime, days: int) -> Iterator[Gap]:
    for network in company.networks:
        for day in np.flatnonzero(dice.random(days) < 0.04):
            start = since + timedelta(days=int(day), hours=float(dice.uniform(0, 24)))
            yield Gap(since=start, until=start + timedelta(hours=float(dice.uniform(0.3, 9))), network=network)


def _numbered(said: list[Said], first: int) -> tuple[Said, ...]:
    return tuple(
        replace(one, id=number) for number, one in enumerate(sorted(said, key=lambda one: (one.at, one.person)), first)
    )


def _one(dice: Dice, shares: Mapping[str, float]) -> str:
    names, roll = list(shares), float(dice.random()) * sum(shares.values())
    for name in names:
        roll -= shares[name]
        if roll < 0:
            return name
    return names[-1]


def _place(company: Company, dice: Dice) -> str:
    """Larger places are named more often."""
    return company.places[min(int(dice.exponential(len(company.places) / 3)), len(company.places) - 1)]
