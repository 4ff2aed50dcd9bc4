"""Clients for the planes that tests run on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from towline_kube.client import Client
from towline_kube.kubeconfig import parse_kubeconfig
from towline_sandbox.plane import ControlPlane


@asynccontextmanager
async def admin_client(plane: ControlPlane) -> AsyncIterator[Client]:
    """Open a client of the plane's administrator, who prepares the world and looks at it."""
    async with client_of(plane.admin_kubeconfig(), field_manager="test-admin") as client:
        yield client


@asynccontextmanager
async def client_of(kubeconfig: str, *, field_manager: str = "test") -> AsyncIterator[Client]:
    """Open a client of whoever the kubeconfig says."""
    connection = parse_kubeconfig(kubeconfig, source="test")
    async with Client(connection, field_manager=field_manager) as client:
        yield client
