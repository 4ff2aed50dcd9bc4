"""What people decide at the command line: accept, deny, remove, approve."""
