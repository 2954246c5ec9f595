# SPDX-License-Identifier: Apache-2.0
# A service of a test: its Deployment, its Service, and their removal.

import contextlib

from objects import deployment, service
from plane import RECOVERY_SECONDS
from polling import eventually

# Where the processes are to notice quickly that they are to end.
QUICK = {"WEIR_DRAIN_DELAY": "2s"}


@contextlib.contextmanager
def running(cluster, name, replicas, containers, **spec):
    """Until they are ready; removed behind it, pods included."""
    cluster.create("Service", service(name))
    cluster.create("Deployment", deployment(name, replicas, containers, **spec))
    try:
        cluster.wait_for_pods(name, replicas)
        yield
    finally:
        cluster.delete("Deployment", name, propagationPolicy="Background")
        cluster.delete("Service", name)
        eventually(lambda: not cluster.pods(name), f"the pods of {name} are gone", RECOVERY_SECONDS)
