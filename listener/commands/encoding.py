"""The model's vectors, for what is found by meaning; where the model cannot be used, words alone must do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from listener.commands.app import App
from listener.errors import Mistake

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from listener.desk.shelving import Embed


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """`embed` None: the model cannot be used, because of `trouble`."""

    model: str
    embed: Embed | None
    trouble: str = ""

    def vector(self, text: str) -> NDArray[Any] | None:
        """Of one text; None where there is no model."""
        return self.embed([text])[0] if self.embed else None


def of(app: App) -> Encoder:
    """The encoder of this run; the model is loaded when it is first asked for."""
    try:
        reader = app.encoder
    except Mistake as mistake:
        return Encoder(model="", embed=None, trouble=str(mistake))
    return Encoder(model=reader.reader_version, embed=reader.embed)
