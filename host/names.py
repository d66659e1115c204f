"""The names of everything that the lab creates on the hosting machine; the lab finds it again by them."""

import os
from pathlib import Path

PREFIX = "weblab_"
NAMESPACE = "weblab"
UPLINK_OUTSIDE = "weblab-veth"
UPLINK_INSIDE = "uplink"
LAB_NETWORK = "weblab"
MANAGEMENT_NETWORK = "weblab-management"
PROBE_NETWORK = "weblab-probe"
NETWORKS = (LAB_NETWORK, MANAGEMENT_NETWORK, PROBE_NETWORK)
POOL = "default"

LAST_RESORT_METRIC = 4096
ROUTE_METRIC = 100

# An ordinary user works with the system's libvirtd or VirtualBox, and keeps state at home.
IS_ROOT = getattr(os, "geteuid", lambda: 1)() == 0  # Windows has no such call
STATE = Path("/var/lib/weblab") if IS_ROOT else Path.home() / ".local/state/weblab"
RUN = Path("/run/weblab")
IMAGES = Path("/var/lib/libvirt/images")
LIBVIRT_URI = "qemu:///system"
