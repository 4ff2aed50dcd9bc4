"""What can be done with objects: every verb of the API, for every kind."""
