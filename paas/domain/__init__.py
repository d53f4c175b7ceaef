"""The nouns of mini as frozen values: no I/O, no clock, no third party."""
