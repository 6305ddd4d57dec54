"""A notice drawn as a page for the browser, in a file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from listener.commands import notice_check, private
from listener.commands import notice_screen as screen
from listener.commands.app import App
from listener.errors import Mistake

if TYPE_CHECKING:
    from listener.store.notices import Notice


def write(app: App, notice: Notice, path: Path | None) -> Path:
    """Draws it into that file, which only its owner may read, or into a new one; gives which. Raises Mistake."""
    from listener.commands import notice_html
    from listener.desk import clearance
    from listener.store import attachments

    path = path or Path(tempfile.mkdtemp(prefix="escucha-")) / f"N{notice.id}.html"
    if path.suffix.casefold() not in (".html", ".htm"):
        raise Mistake(f"A page is written to a file whose name ends in .html; {path} does not.")
    prices = notice_check.prices(app, notice)
    languages = {each.language for each in notice.deliveries if each.images}
    with app.store.read() as tx:
        pictures = {code: attachments.to_send(tx, notice_id=notice.id, language=code) for code in languages}
    drawn = notice_html.Drawn(
        notice=notice,
        pictures=pictures,
        costs={each.id: clearance.cost(each, notice, prices) for each in notice.deliveries},
        summary=screen.summary(app, notice),
        at=app.now(),
    )
    with private.written(path) as file:
        file.write(notice_html.page(drawn))
    return path
