"""Builds: from a commit of a git repository to an artifact."""
