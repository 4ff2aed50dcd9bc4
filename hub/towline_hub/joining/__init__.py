"""How clusters come to a hub: bootstrap tokens, what these may do, and the line to run."""
