"""Certificate requests: the facts around them, what is decided, and what is left behind."""
