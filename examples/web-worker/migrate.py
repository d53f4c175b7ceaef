"""The one-off that brings the database to this release's schema. Safe to run again."""

import database

database.execute("CREATE TABLE IF NOT EXISTS jobs (id INTEGER PRIMARY KEY, text TEXT NOT NULL, result TEXT)")
print("the schema is up to date")
