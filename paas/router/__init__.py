"""The router: accepts HTTP and forwards it to backends; a process of its own that owns its routing table."""
