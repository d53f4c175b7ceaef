"""What alembic runs to apply the steps: on the connection, and in the transaction, that `paas.store.migrate` opened."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
