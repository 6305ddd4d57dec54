"""What of a query's terms is in each post that it found. Pure."""

from __future__ import annotations

from dataclasses import replace

from listener.contract import Connector
from listener.errors import Mistake
from listener.types import Page

MOST = 20  # terms kept with one post


def with_terms(page: Page, connector: Connector, query: str) -> Page:
    """The page, its posts with those of the query's terms that are in them; as it is where the query has no terms."""
    try:
        terms = connector.terms(query) if page.posts else None
    except Mistake:  # the network said more of the query than its terms can: what it gave is kept all the same
        terms = None
    if terms is None:
        return page
    posts = (
        replace(post, terms=terms.found(f"{post.content_warning} {post.text}", author=post.author.handle)[:MOST])
        for post in page.posts
    )
    return replace(page, posts=tuple(posts))
