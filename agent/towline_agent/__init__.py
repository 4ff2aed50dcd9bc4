"""The spoke: earns a client certificate from the hub, keeps it, and applies add-on configuration."""
