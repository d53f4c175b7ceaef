"""The steps, in the order of their numbers; `user_version` is the number of the last one applied."""
