"""Which of several hubs to be at, and leaving one for another without losing the channel."""
