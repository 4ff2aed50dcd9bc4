"""An agent's certificates and tokens: earned, proven, kept in a store, renewed in time.

`enrollment` decides what to do next for a certificate, `service_account_tokens` for a token;
`keeper` and `token_keeper` carry it out. `stores` and `secret_store` are where credentials rest,
`state` is how one stands, in a word.
"""
