"""The store: the only place that knows SQL. Domain values go in and come out, never rows."""
