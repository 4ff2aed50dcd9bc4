"""The agent's settings: from flags, `TOWLINE_` environment variables and a file."""
