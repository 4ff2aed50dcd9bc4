"""Where objects rest, with their recent history and everybody who waits for news of them."""
