"""How an agent stands, for those who look at it: its endpoint, its metrics, its command."""
