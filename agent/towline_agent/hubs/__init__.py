"""The way to a hub: bootstrap credentials, and whom to trust to be that hub."""
