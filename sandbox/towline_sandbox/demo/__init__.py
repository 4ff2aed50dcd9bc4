"""The demonstration: the whole channel between two control planes on this machine, step by step."""

from towline_sandbox.demo.show import main

__all__ = ["main"]
