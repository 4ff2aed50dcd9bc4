"""Keys, certificate requests, identities, approval policy and stored credentials. Opens no connection."""
