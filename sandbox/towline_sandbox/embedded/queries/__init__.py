"""What callers say in the query of a call, read and checked: selectors and options."""
