"""What becomes of a post of ours on X after it went out: deleted. Changing and pinning are not for us.

    delete  DELETE /2/tweets/:id, 50 in 15 minutes. All versions of an edited post go at once. One that is gone already
            is answered with a 404 or as if it had just been deleted
    edit    no: X lets a person on x.com change a post for 30 minutes, five times, none that answers others, and gives
            it another id each time. Its pages name no call for that which would serve a correction made later
    pin     no: its API has no call for it

Charges: the price list names “Content: Manage” (0.005 USD a request) and “Interaction: Delete” (0.010) and does not say
which of them the deletion of a post is; it is counted as the dearer. A look whether it is gone costs a read where it
is not.

Sources: docs.x.com/x-api/posts/manage-tweets, /x-api/fundamentals/{edit-posts,rate-limits} and
/x-api/getting-started/pricing, read August 2026.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from connectors.x_posts import Us, is_id
from listener.contract import Deletes
from listener.errors import AuthFailed, NetworkError, OutcomeUnknown, Rejected


class Amending(Deletes):
    """The part of the connector that takes back what is out already."""

    _ask: Callable[..., Any]
    _api: Any
    speaks: bool

    @abstractmethod
    def _look_up(self, ids: Sequence[str], us: Us | None) -> tuple[list[Any], list[str]]:
        """Those posts as they are, and which of them X no longer has."""

    def delete(self, external_id: str) -> None:
        self._check(external_id)
        try:
            body = self._ask(
                self._api.delete_tweet, external_id, user_auth=True, writing=True, price="delete", task="delete this"
            )
        except Rejected as refusal:
            if self._surely_gone(external_id):
                return
            raise refusal
        told = body.get("data")
        if not isinstance(told, dict) or told.get("deleted") is not True:
            raise OutcomeUnknown("X took the deletion and does not say that the post is gone")

    def is_deleted(self, external_id: str) -> bool:
        self._check(external_id)
        posts, missing = self._look_up([external_id], None)
        if not posts and not missing:
            raise OutcomeUnknown("X shows the post neither as there nor as gone")
        return bool(missing)

    def _check(self, external_id: str) -> None:
        if not self.speaks:
            raise AuthFailed("Deleting on X needs an account: access_token is missing")
        if not is_id(external_id):
            raise Rejected("The post to delete is none of X's")

    def _surely_gone(self, external_id: str) -> bool:
        """The same, where not being able to look changes nothing."""
        try:
            return self.is_deleted(external_id)
        except NetworkError:
            return False
