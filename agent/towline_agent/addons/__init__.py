"""The add-ons of a managed cluster: their credentials, what runs for each, what the hub hears."""
