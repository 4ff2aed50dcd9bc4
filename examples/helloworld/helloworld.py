"""An add-on that copies the ConfigMaps its hub has put for this cluster."""

from towline_agent import AddonAgent, SpokeScope, local_copy
from towline_api import KubeObject

agent = AddonAgent("helloworld")


@agent.configuration("configmaps", namespace=agent.cluster_namespace)
async def apply(config: KubeObject, spoke: SpokeScope) -> None:
    """Called at start and on every change; what was applied goes when the original goes."""
    await spoke.apply(local_copy(config))


if __name__ == "__main__":
    agent.run()
