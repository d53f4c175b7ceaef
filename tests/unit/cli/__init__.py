"""Tests of the command line, against a stand-in for the API on a real unix socket."""
