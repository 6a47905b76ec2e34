"""Indexes for those who look at many conversations: by age in a state, by graph, by business."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("conversation_by_age", "conversation", ["state", "state_since", "id"])
    op.create_index("conversation_by_graph", "conversation", ["graph_hash", "state", "id"])
    op.drop_index("conversation_by_business", "conversation")
    op.create_index("conversation_of_business", "conversation", ["business", "id"])
