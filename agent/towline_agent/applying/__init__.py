"""Putting objects on the managed cluster: which are ours, what is to change, changing it."""
