"""Alembic's entry: runs on the connection that `sms_fsm.store.migrations` hands over."""

from alembic import context

from sms_fsm.store.tables import ConversationRow

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=ConversationRow.metadata,
    transactional_ddl=False,
)
context.run_migrations()
