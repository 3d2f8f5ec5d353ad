"""A real control plane and a real Prometheus on this machine, with a node that only pretends.

etcd, kube-apiserver, kube-controller-manager and kube-scheduler are the real programs, built from pinned Go
modules. The node is a thread that marks pods Running: enough for everything that happens at the API.
"""
