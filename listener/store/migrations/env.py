"""How Alembic reaches our database: always on a connection handed in by `Store.upgrade`."""

from __future__ import annotations

from alembic import context

from listener.store import upgrading
from listener.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    on_version_apply=upgrading.take,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
