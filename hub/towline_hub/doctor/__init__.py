"""Whether the hub itself is set up as it should be: what was looked at, what to do about it."""
