"""What the areas are taught with: the policy's examples and the corrections that somebody looked at."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from listener.commands.app import App
from listener.commands.output import clip, counted
from listener.errors import EscuchaError, Mistake

if TYPE_CHECKING:
    from listener.model.fewshot import Areas

STEP = "run `escucha model train`."


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


@dataclass(frozen=True, kw_only=True)
class Behind:
    """Why the policy's areas are not, or not quite, what the model reads by, in one sentence with the next step.

    `stops_run`: `escucha run` does not start before that is done.
    """

    why: str
    stops_run: bool = False


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
    from listener.model.areas_file import FILE

    return app.config_or_default.models / FILE


def barred(app: App) -> Behind | None:
    """What of the learned areas keeps `escucha run` from starting; None: nothing does. Does not load the model."""
    try:
        _learned(app)
    except Mistake as mistake:
        return _bar(app, mistake)
    return None


def untaught(app: App) -> Behind | None:
    """Why the policy's areas must be taught, or taught again; None: all is well. Does not load the model.

    Raises Mistake where the policy, the settings or the database cannot be read.
    """
    try:
        learned = _learned(app)
    except Mistake as mistake:
        return _bar(app, mistake)
    lessons = of(app)
    if not lessons.examples:
        return None
    if learned is None:
        return Behind(why=f"The policy has {counted(len(lessons.examples), 'area')}, and none was learned yet; {STEP}")
    new = [name for name in lessons.examples if name not in learned.names]
    if new:
        was, named = "area that was" if len(new) == 1 else "areas that were", clip(", ".join(new), 200)
        return Behind(why=f"The policy has {len(new)} {was} never learned ({named}); {STEP}")
    if learned.digest != lessons.digest:
        return Behind(why=f"The areas' examples or their corrections changed since they were learned; {STEP}")
    return None


def hint(app: App) -> Behind | None:
    """As `untaught`; also None where that cannot be told: what stands in the way has its own check in `doctor`."""
    with suppress(EscuchaError):
        return untaught(app)
    return None


def _bar(app: App, mistake: Mistake) -> Behind:
    """Why `escucha run` refuses what was learned; to train again is no way out where the policy has no areas."""
    from listener.model.areas_file import there

    with suppress(EscuchaError):  # neither the policy nor the model may be there to ask
        path, reader = areas_file(app), app.reader_version
        if not areas_of(app) and there(path):
            flaw = "is of another model" if _of_another(path, reader) else "cannot be used"
            why = f"The policy has no areas, and what was learned before, {path}, {flaw}; delete that file."
            return Behind(why=why, stops_run=True)
    return Behind(why=f"{str(mistake).rstrip('.')}.", stops_run=True)


def _of_another(path: Path, reader: str) -> bool:
    from listener.model.fewshot import learned_from

    with suppress(Mistake):  # it is damaged
        return (learned_from(path) or ("", reader))[1] != reader
    return False


def _learned(app: App) -> Areas | None:
    """The learned areas; None: there are none. Raises Mistake where the present model cannot read by them."""
    from listener.model.areas_file import there

    path = areas_file(app)
    if not there(path):
        return None
    from listener.model.fewshot import Areas

    return Areas.load(path, reader=app.reader_version)


def _key(text: str) -> str:
    return " ".join(text.split()).casefold()
