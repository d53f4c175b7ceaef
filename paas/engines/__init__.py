"""Engines: the ports that start, stop, list and attach to instances. One contract, one file an engine."""
