# SPDX-License-Identifier: Apache-2.0
# A service of a test: its Deployment, its Service, and their removal.

import contextlib

from objects import deployment, service
from polling import eventually

# Where the processes are to notice quickly that they are to end.
QUICK = {"WEIR_DRAIN_DELAY": "2s"}
# The garbage collector looks every 30 s which kinds there are, and waits while the API server, or the adapter behind
# it, does not say: after an outage it needs a minute.
GONE_SECONDS = 150


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
        eventually(lambda: not cluster.pods(name), f"the pods of {name} are gone", GONE_SECONDS)
