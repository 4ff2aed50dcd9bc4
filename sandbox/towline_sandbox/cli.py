"""The `towline` command: one word per program, each with its own settings."""
