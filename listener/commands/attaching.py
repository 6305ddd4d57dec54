"""Pictures as a person names them on the command line: read, checked, and told in a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from listener.commands.app import App
from listener.desk import pictures as desk
from listener.desk.pictures import MAX_BYTES, Picture
from listener.errors import Mistake
from listener.escapes import visible
from listener.store.attachments import Image, NewImage
from listener.store.inbox import Draft
from listener.store.mentions import Mention


def read(path: Path) -> Picture:
    """The picture in that file, without what cameras and programs wrote into it. Raises Mistake, in one sentence."""
    if path.exists() and not path.is_file():  # a pipe would keep us waiting
        raise Mistake(f"{path} is no file; name a picture's file.")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise Mistake(f"There is no file {path}; name the picture's file.") from None
    except OSError as error:
        raise Mistake(f"{path} cannot be read ({error.strerror}); name a picture's file.") from error
    return replace(desk.read(visible(str(path)), data), name=visible(path.name)[: desk.MAX_NAME])


def for_draft(
    app: App, draft: Draft, mention: Mention, *, files: Sequence[Path], alts: Sequence[str]
) -> list[NewImage]:
    """Those pictures with their descriptions, to go out with the draft.

    Raises Mistake with every reason why they cannot, one sentence each.
    """
    if len(files) != len(alts):
        raise Mistake(
            "Each picture needs a description of its own, for those who cannot see it: give one --alt 'what it shows' "
            f"for each --image, in the same order (there are {len(alts)} for {len(files)})."
        )
    if draft.channel:
        raise Mistake(f"D{draft.id} goes to one person alone, and such a {draft.channel} carries no pictures.")
    facts = app.facts(draft.network)
    pictures, problems = read_all(files)
    problems += desk.misfits(pictures, facts.images, draft.network)
    unlimited = replace(facts, limit=10**9)
    for file, alt in zip(files, alts, strict=True):
        name = visible(file.name)
        if not alt.strip():
            problems.append(f"{name} needs a description, for those who cannot see it: say with --alt what it shows.")
            continue
        if facts.images:
            problems += desk.misdescribed(name, alt, facts.images, draft.network)
        review = app.policy.review(alt, unlimited, mention.author.handle, visibility=mention.visibility)
        problems += [f"The description of {name}: {sentence}" for sentence in review]
    if problems:
        raise Mistake("\n".join(dict.fromkeys(problems)))
    return [new_image(each, {draft.language: alt.strip()}) for each, alt in zip(pictures, alts, strict=True)]


def read_all(files: Sequence[Path]) -> tuple[list[Picture], list[str]]:
    """Those that can be read, and a sentence for each that cannot."""
    pictures, problems = [], []
    for file in files:
        try:
            pictures.append(read(file))
        except Mistake as mistake:
            problems.append(str(mistake))
    return pictures, problems


def new_image(picture: Picture, alt: dict[str, str]) -> NewImage:
    """The picture as it is kept."""
    return NewImage(name=picture.name, content_type=picture.content_type, data=picture.data, alt=alt)


def line(image: Image, language: str | None = None) -> str:
    """`outage.png (PNG, 14 KB): “A map of the outage”`, safe to print; in one language or in all it is described in."""
    alts = {language: image.alt.get(language, "")} if language else image.alt
    return visible(desk.spoken(image.name, image.content_type, image.size, alts), lines=True)


def image_keys(image: Image) -> dict[str, object]:
    """A picture as `--json` gives it."""
    return {"name": image.name, "content_type": image.content_type, "size": image.size, "alt": dict(image.alt)}
