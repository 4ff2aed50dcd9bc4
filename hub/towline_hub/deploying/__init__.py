"""Running the hub on its own cluster: the objects that takes, as manifests."""
