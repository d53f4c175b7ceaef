"""Doubles that pass the same contract suites as the real parts, for our tests and for those who embed mini's parts.

Nothing of mini itself imports it.
"""
