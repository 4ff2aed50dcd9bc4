"""Whether an add-on's own code is well: its checks, and the heartbeat that hangs on them."""
