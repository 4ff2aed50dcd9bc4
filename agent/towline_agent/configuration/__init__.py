"""An add-on's configuration: read on the hub, in force on the managed cluster, reported."""
