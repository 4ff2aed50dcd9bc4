"""An add-on's agent inside the add-on's own program, with an agent's rights or behind an agent.

`addon_agent` is what a developer holds; all of it that is for developers, `towline_agent` lists.
"""
