"""The control plane as a real node needs it: reachable from pods, with the controllers that look after nodes."""

from node.addresses import API_SERVER
from plane.control_plane import ControlPlane


class RoutedPlane(ControlPlane):
    """Listens on the outer end of the node's link (node.real_node.RealNode.open), and waits for no fake node."""

    address = API_SERVER
    apiserver_flags = (f"--advertise-address={API_SERVER}", "--kubelet-preferred-address-types=InternalIP")
    controllers = "*"

    def start_node(self) -> None:
        """Nothing: a real one joins."""
