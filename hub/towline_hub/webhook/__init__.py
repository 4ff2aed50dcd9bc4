"""The conversion webhook: the API server asks the hub for the other API version of an add-on.

`address` decides where it is, `serving_certificate` with which certificate it answers, `reviews`
what it answers; `server` answers. `definitions` keeps the CRDs pointing there, and
`conversion_webhook` is all of it at work.
"""
