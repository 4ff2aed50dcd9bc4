"""What parts of an agent that never end are made of: tasks and caches that come and go, pauses."""
