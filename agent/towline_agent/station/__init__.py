"""What an add-on's own code stands on wherever it runs: both clusters, its Lease, its record."""
