"""Why something does not work: the chain it hangs on, link by link, and the link that is broken."""
