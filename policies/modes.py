"""How a reply goes out, as each level says it: the policy, the network, the team, the area, the template, the rule.

What the policy says holds on every network that says nothing itself. All others can only make it stricter: a reply goes
out alone only where the policy or its network, the case's team (of a case that is handed over, both teams), the area it
is about most, the template and the rule each let it. What says nothing lets it. Of several shares the mention draws for
each and must be in all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from zoneinfo import ZoneInfo

from listener.types import Level, Mode, ModeTrace, Situation
from policies.schema import PolicyFile
from policies.shares import Share, draw, percent

_Key = tuple[Level, str]
_SAID: Mapping[Mode, tuple[str, str]] = {  # of one thing, and of several
    Mode.AUTO: ("lets it go out alone", "let it go out alone"),
    Mode.MANUAL: ("leaves it to a person", "leave it to a person"),
}


def effective(file: PolicyFile, mode: Mode | None, modes: Mapping[str, Mode]) -> dict[str, Mode | Share]:
    """How replies go out by network, "" for every network not named; `mode` and `modes` are the settings'."""
    overrides = {network.casefold(): chosen for network, chosen in modes.items()}
    found: dict[str, Mode | Share] = {"": mode or file.mode}
    for network in sorted({*file.networks, *overrides}):
        written = file.networks[network].mode if network in file.networks else None
        general = Mode.MANUAL if mode is Mode.MANUAL else written or found[""]
        found[network] = overrides.get(network, general)
    return found


def shares_in(file: PolicyFile) -> Iterator[tuple[Level, str, Share]]:
    """Every share in the file, with what has it; those of rules in the shadow are left out."""
    said: list[tuple[Level, str, Mode | Share | None]] = [(Level.POLICY, "", file.mode)]
    said += [(Level.NETWORK, name, network.mode) for name, network in file.networks.items()]
    said += [(Level.TEAM, name, team.mode) for name, team in file.teams.items()]
    said += [(Level.AREA, name, area.mode) for name, area in file.areas.items()]
    said += [(Level.TEMPLATE, name, template.mode) for name, template in file.templates.items()]
    said += [
        (Level.RULE, rule.name, rule.then.reply.mode) for rule in file.rules if rule.then.reply and not rule.shadow
    ]
    for level, name, mode in said:
        if isinstance(mode, Share):
            yield level, name, mode


class Levels:
    """What every level says, ready to be asked."""

    def __init__(
        self, file: PolicyFile, *, modes: Mapping[str, Mode | Share], overrides: Mapping[str, Mode], zone: ZoneInfo
    ) -> None:
        """`modes`: of `effective`. `overrides`: what of that the settings said, "" for everywhere."""
        self._modes = modes
        self._overrides = overrides
        self._networks = {name for name, network in file.networks.items() if network.mode}
        self._of_incidents = file.incidents.mode
        self._zone = zone
        self._said: dict[_Key, Mode | Share] = {
            (level, name): each.mode
            for level, entries in (
                (Level.TEAM, file.teams),
                (Level.AREA, file.areas),
                (Level.TEMPLATE, file.templates),
            )
            for name, each in entries.items()
            if each.mode
        }
        self._areas: dict[str, _Key] = {name.casefold(): (Level.AREA, name) for name in file.areas}
        self._plain: dict[tuple[_Key, Mode], ModeTrace] = {}

    def mode_on(self, network: str) -> Mode | Share:
        """How replies go out on that network, as far as the settings, the policy and the network say."""
        return self._modes.get(network, self._modes[""])

    def traces(
        self,
        situation: Situation,
        *,
        teams: Sequence[str],
        template: str,
        rule: str,
        mode: Mode | Share | None,
        person: str,
        incident: str = "",
    ) -> tuple[ModeTrace, ...]:
        """What each level that says anything says of this reply. `teams`: whose its case is, and whose it becomes.

        `mode`: what `rule`, which asked for the reply, says; `person`: the rule that wants a person to look, or "".
        `incident`: the one whose answer it is, "" where `template` is; then `template` and `mode` are nobody's.
        """
        network = situation.network
        found = [self._trace(self._who_says(network), self.mode_on(network), situation)]
        areas = situation.understanding.areas
        named = self._areas.get(areas[0].casefold()) if areas else None
        of_teams = [(Level.TEAM, team) for team in dict.fromkeys(teams)]
        for key in (*of_teams, named, (Level.TEMPLATE, template)):
            if key and (own := self._said.get(key)):
                found.append(self._trace(key, own, situation))
        if incident:
            found.append(self._trace((Level.INCIDENT, incident), self._of_incidents, situation))
        if mode:
            found.append(self._trace((Level.RULE, rule), mode, situation))
        if person:
            said = f"{thing(Level.RULE, person)} wants a person to look"
            found.append(ModeTrace(level=Level.RULE, name=person, mode=Mode.MANUAL, said=said))
        return tuple(found)

    def _who_says(self, network: str) -> _Key:
        """Where that network's mode is from, as `effective` chooses."""
        everywhere = self._overrides.get("")
        if network in self._overrides or everywhere is Mode.MANUAL:
            return Level.SETTINGS, ""
        if network in self._networks:
            return Level.NETWORK, network
        return (Level.SETTINGS if everywhere else Level.POLICY), ""

    def _trace(self, key: _Key, mode: Mode | Share, situation: Situation) -> ModeTrace:
        level, name = key
        if not isinstance(mode, Share):
            plain = self._plain.get((key, mode))
            if plain is None:
                said = f"{thing(level, name)} {_SAID[mode][level is Level.SETTINGS]}"
                plain = self._plain[key, mode] = ModeTrace(level=level, name=name, mode=mode, said=said)
            return plain
        share = mode.at(situation.now, self._zone)
        lot = draw(situation.network, situation.mention_id, name if level is Level.RULE else f"{level}\0{name}")
        alone = lot < share
        return ModeTrace(
            level=level,
            name=name,
            mode=Mode.AUTO if alone else Mode.MANUAL,
            said=f"drew {lot:.2f} of 100 for the share of {percent(share)} of {thing(level, name)}: {verdict(alone)}",
            share=share,
            lot=lot,
        )


def thing(level: Level, name: str) -> str:
    """`network x`, `the policy`."""
    return f"{level} {name}" if name else f"the {level}"


def verdict(alone: bool) -> str:
    """What follows from the side on which a mention fell."""
    return "may go out alone" if alone else "a person sees it"
