"""The embedded API server towards the network: TLS, HTTP, and everything put together."""
