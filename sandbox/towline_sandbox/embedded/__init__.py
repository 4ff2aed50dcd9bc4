"""A Kubernetes API server inside the Python process: for demonstrations and tests."""
