"""Running a program in a cluster: what the manifests of hub and agent have in common."""
