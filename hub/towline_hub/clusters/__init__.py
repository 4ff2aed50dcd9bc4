"""Managed clusters: their acceptance and rights, their health and marks, their departure."""
