"""The kernel and runtime of mini: domain, store, engines, supervisor, router and log plane."""

__version__ = "0.1.0"
