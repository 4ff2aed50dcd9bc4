"""Talking to a Kubernetes API server: client, cache, queue, controller, events."""
