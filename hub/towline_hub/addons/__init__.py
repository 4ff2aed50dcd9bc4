"""Add-ons: what they are declared to be, and what their agents get on each cluster."""
