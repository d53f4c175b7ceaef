"""The tests: unit (mirrors the tree), contracts (one suite, every engine), e2e, faults, architecture, golden."""
