"""poll: ask one source what is new. Touches no store; a failure is a value in the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from listener.contract import Connector
from listener.desk import hearing
from listener.errors import NetworkError, Outage
from listener.log import logger
from listener.store.sources import Source
from listener.types import Author, Page

log = logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Polled:
    """What came of one poll: a page and who we are there, or the error that stood in the way."""

    source: Source
    page: Page | None = None
    me: Author | None = None
    error: Exception | None = None


def poll(source: Source, connector: Connector, *, introduced: Callable[[], None] = lambda: None) -> Polled:
    """One page from the source's cursor on. `introduced` is called when we know who we are there, before the page.

    Raises Outage. What a connector raises is a value in the result; what is not one of our errors is a bug, logged as
    one.
    """
    try:
        me = connector.whoami()
        introduced()
        page = hearing.with_terms(connector.poll(source.query, source.cursor), connector, source.query)
        return Polled(source=source, me=me, page=page)
    except Outage:
        raise
    except NetworkError as error:
        return Polled(source=source, error=error)
    except Exception as error:
        log.exception("A connector broke.", action="poll_bug", source=source.name, network=source.network)
        return Polled(source=source, error=error)
