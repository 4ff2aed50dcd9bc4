"""The live line to the hub, whose credential changes under it, and the files it is handed on in.

`hub_channel` is the line, `client_certificate` the same for servers that are not the hub,
`mounted_folder` and its companions take what somebody else keeps fresh. `hub_return` decides how a
line is taken up again that was lost.
"""
