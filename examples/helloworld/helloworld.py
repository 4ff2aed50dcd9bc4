"""An add-on that copies the ConfigMaps its hub has put for this cluster."""

from towline_agent import AddonAgent, local_copy

agent = AddonAgent("helloworld")


@agent.configuration("configmaps", namespace=agent.cluster_namespace)
async def apply(config, spoke):
    """Called at start and on every change; what was applied goes when the original goes."""
    await spoke.apply(local_copy(config))


if __name__ == "__main__":
    agent.run()
