"""The history of the schema, one file per step. A step that shipped is never changed."""
