# SPDX-License-Identifier: Apache-2.0
# The example of a service's own chart, which includes the templates of this one.

import shutil

import pytest

from rendering import CHART, REPOSITORY, gateway_of, helm, load, of_kind, run
from schemas import problems


@pytest.fixture(scope="module")
def orders(tmp_path_factory):
    """The objects of a release called `orders`."""
    folder = tmp_path_factory.mktemp("repository")
    for path in ("helm/weir", "Examples/helm/orders"):
        shutil.copytree(REPOSITORY / path, folder / path)
    run("helm", "dependency", "build", folder / "Examples/helm/orders")
    return load(
        run(
            "helm",
            "template",
            "orders",
            folder / "Examples/helm/orders",
            "--namespace",
            "shop",
            "--kube-version",
            "1.33.0",
        )
    )


def test_it_is_what_kubernetes_asks_for(orders):
    assert [one["kind"] for one in orders] == ["Service", "Deployment"]
    assert not [line for one in orders for line in problems(one, "1.33.0")]


def test_the_sidecar_is_the_one_of_the_chart(orders):
    template = of_kind(orders, "Deployment")["spec"]["template"]
    # By which the adapter finds it.
    assert template["metadata"]["labels"]["weir.dev/metrics"] == "true"
    pod = template["spec"]
    [sidecar], [app] = pod["initContainers"], pod["containers"]
    alike = helm({"mode": "sidecar", "settings": {"WEIR_CONCURRENCY": 20},
                  "sidecar": {"app": {"name": "orders", "image": "orders:1"}}})  # fmt: skip
    assert sidecar == gateway_of(alike)
    assert app["lifecycle"] == of_kind(alike, "Deployment")["spec"]["template"]["spec"]["containers"][0]["lifecycle"]
    assert pod["terminationGracePeriodSeconds"] == 25 + 10 + 15
    assert (CHART / "templates/_sidecar.tpl").read_text().count("define") == 4
