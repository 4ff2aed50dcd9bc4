"""Configuration handed to an add-on's own code, and what that code makes of it."""
