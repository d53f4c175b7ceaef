"""Releases: config, numbered releases, and the story of a deployment."""
