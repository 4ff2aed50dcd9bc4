"""Custom signers: the hub signs what add-ons register with signers of their own.

Each signer has an authority in a Secret of the hub's namespace. `settings` is what an operator
chooses, `permissions` what the hub is granted for it, `signing_service` all of it at work.
"""
