"""Running the agent on its managed cluster: the objects that takes, as manifests."""
