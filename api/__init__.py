"""The API: FastAPI over a unix socket and loopback TCP, and the composition of the control plane."""
