"""Control planes on this machine, the demo, and the command line that ties everything together."""
