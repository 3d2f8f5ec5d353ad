"""A launch to watch: two equal shops, one with a policy and one without.

The control plane, Prometheus, the chart and the operator are the real ones. The node and the shops are not: see
plane.fake_node and demo.shops.
"""
