"""What goes on by itself in a control plane: signing, cleaning up, ending namespaces.

In Kubernetes these are the controllers of kube-controller-manager; here they run beside the server.
"""
