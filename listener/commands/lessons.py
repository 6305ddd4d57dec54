"""What the areas are taught with: the policy's examples and the corrections that somebody looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from listener.commands.app import App
from listener.commands.output import counted


@dataclass(frozen=True, kw_only=True)
class Lessons:
    """Examples by area, and texts that belong to none. `corrected`: how many of them are corrections.

    `orphans`: corrections that name an area which the policy no longer has.
    """

    examples: Mapping[str, tuple[str, ...]]
    strays: tuple[str, ...] = ()
    corrected: int = 0
    orphans: int = 0

    @property
    def digest(self) -> str:
        """Names them all; another one where one of them changed."""
        from listener.model.fewshot import digest_of

        return digest_of(self.examples, self.strays)


def of(app: App) -> Lessons:
    """What the areas would be taught with now. A later correction of the same words counts, and before the file."""
    from listener.store import corrections

    found = {name: {_key(text): text for text in area.examples} for name, area in areas_of(app).items()}
    if not found:
        return Lessons(examples={})
    strays: dict[str, str] = {}
    accepted = []
    if app.has_database:
        with app.store.read() as tx:
            accepted = corrections.accepted(tx, "areas")
    known = [each for each in accepted if set(each.becomes) <= set(found) and each.text.strip()]
    for correction in known:
        key = _key(correction.text)
        for texts in (strays, *found.values()):
            texts.pop(key, None)
        (found[correction.becomes[0]] if correction.becomes else strays)[key] = correction.text
    return Lessons(
        examples={name: tuple(texts.values()) for name, texts in found.items()},
        strays=tuple(strays.values()),
        corrected=len(known),
        orphans=len(accepted) - len(known),
    )


def areas_of(app: App) -> Mapping[str, Any]:
    """The areas of the policy that rules, by name, as its file has them; of the settings' one before any did."""
    return cast("Mapping[str, Any]", cast(Any, app.policy).file.areas)


def areas_file(app: App) -> Path:
    """Where the learned areas are kept."""
    from listener.model.fewshot import FILE

    return app.config_or_default.models / FILE


def untaught(app: App) -> str | None:
    """Why the policy's areas are not, or not quite, what the model reads by, with the next step; None: all is well.

    Does not load the model. Raises Mistake where what was learned is damaged.
    """
    from listener.model.fewshot import learned_from

    lessons = of(app)
    if not lessons.examples:
        return None
    learned, step = learned_from(areas_file(app)), "run `escucha model train`."
    if learned is None:
        return f"The policy has {counted(len(lessons.examples), 'area')}, and none was learned yet; {step}"
    if learned[0] != lessons.digest:
        return f"The areas' examples or their corrections changed since they were learned; {step}"
    return None


def _key(text: str) -> str:
    return " ".join(text.split()).casefold()
