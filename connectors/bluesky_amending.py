"""What becomes of a post of ours on Bluesky after it went out: deleted, or pinned to the profile.

    delete  com.atproto.repo.deleteRecord, which makes sure that a record is not there
    pin     the profile (app.bsky.actor.profile/self) names one post as `pinnedPost`: a second takes the first one's
            place. The record is replaced as a whole, and only if nobody has changed it since we read it (`swapRecord`)
    edit    no: a record could be replaced, but Bluesky shows what was there first

Sources: the lexicons com.atproto.repo.{deleteRecord,getRecord,putRecord} and app.bsky.actor.profile, read April 2026;
the reference implementation, npm @atproto/dev-env 0.6.7.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from connectors.bluesky_account import Account
from connectors.bluesky_posts import Unreadable, reference, split_address
from listener.contract import Deletes, Pins
from listener.errors import Rejected, Unavailable

PROFILE = "app.bsky.actor.profile"


class Amending(Deletes, Pins):
    """The part of the connector that changes what is out already."""

    @abstractmethod
    def _speaker(self) -> Account:
        """Our account; AuthFailed where there is none."""

    def delete(self, external_id: str) -> None:
        account, key = self._ours(external_id)
        account.delete(key)

    def is_deleted(self, external_id: str) -> bool:
        account, key = self._ours(external_id)
        return account.record(account.did, key) is None

    def pin(self, external_id: str) -> None:
        account, key = self._ours(external_id)
        post = account.record(account.did, key)
        if post is None:
            raise Rejected("The post is not on Bluesky any more")
        try:
            pinned = reference(post)
        except Unreadable as error:
            raise Unavailable(f"{account.host} shows our own post in a way that cannot be read") from error
        profile, cid = self._profile(account)
        if profile.get("pinnedPost") != pinned:
            account.put(PROFILE, "self", {"$type": PROFILE, **profile, "pinnedPost": pinned}, instead_of=cid)

    def unpin(self, external_id: str) -> None:
        account, _ = self._ours(external_id)
        profile, cid = self._profile(account)
        if _pinned(profile) == external_id:
            del profile["pinnedPost"]
            account.put(PROFILE, "self", {"$type": PROFILE, **profile}, instead_of=cid)

    def is_pinned(self, external_id: str) -> bool:
        account, _ = self._ours(external_id)
        return _pinned(self._profile(account)[0]) == external_id

    def _ours(self, external_id: str) -> tuple[Account, str]:
        account, parts = self._speaker(), split_address(external_id)
        if parts is None or parts[0] != account.did:
            raise Rejected("The post is none of our account on Bluesky")
        return account, parts[1]

    def _profile(self, account: Account) -> tuple[dict[str, Any], str | None]:
        """Our profile as it is kept, and the hash of that; an empty one where there is none yet."""
        there = account.record(account.did, "self", PROFILE)
        if there is None:
            return {}, None
        return dict(there["value"]), str(there.get("cid"))


def _pinned(profile: dict[str, Any]) -> str | None:
    pinned = profile.get("pinnedPost")
    return pinned.get("uri") if isinstance(pinned, dict) else None
