"""The managed cluster at its hub: its registration, its heartbeat, what it says about itself."""
