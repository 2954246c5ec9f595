# SPDX-License-Identifier: Apache-2.0
# `weir metrics-adapter`: who is answered, what the API server makes of it, and what becomes of it when the API server
# does not take its token, or a certificate has ended: what was known is answered, it is said, and it recovers.

import base64
import json
import ssl

import pytest

from adapters import HOST, ROOT, SECRET, ask, bundle, shown_by
from certificates import Authority
from polling import eventually


def test_two_replicas_agree(plane, adapters):
    adapters.expect_answers(adapters.trust(plane.front_pair))


def test_nobody_but_the_aggregation_layer_is_answered(plane, adapters):
    for address in adapters.addresses:
        assert ask(address, adapters.trust())[0] == 401
        # The cluster's other CA has signed this one.
        with pytest.raises((ssl.SSLError, ConnectionError)):
            ask(address, adapters.trust(plane.admin_pair))


def test_the_api_server_joins_its_openapi_document(cluster, adapters):
    path = f"{ROOT}/namespaces/{{namespace}}/{{resource}}/{{name}}/{{subresource}}"

    def joined():
        paths = json.loads(cluster.client.request("get", "/openapi/v2", serialize=False).data)["paths"]
        return paths if path in paths else None

    # It asks again each minute.
    paths = eventually(joined, "the API server has the adapter's paths", 120)
    assert paths[path]["get"]["parameters"] and "/api/v1/namespaces/{namespace}/pods" in paths


def test_an_expired_certificate_of_the_api_server(cluster, plane, adapters):
    trust = adapters.trust(plane.front_pair)
    plane.stop_api()
    plane.start_api(plane.expired_pair)
    try:
        adapters.wait_for_line("pods: ", "no TLS (expired)")
        adapters.expect_answers(trust)
    finally:
        plane.stop_api()
        plane.start_api()
    cluster.scale("weir", 3)
    adapters.wait_for_line("pods: all is well again")
    adapters.wait_until_asked(3)


def test_an_expired_certificate_of_its_own(cluster, plane, adapters, tmp_path):
    """What the replicas share has ended: they go on with what they show until they have agreed on another."""
    old = Authority(tmp_path, "old-ca")
    certificate, key = old.pair("old", HOST, days=0)
    files = {"ca.crt": old.file, "tls.crt": certificate, "tls.key": key}
    ended = {name: base64.b64encode(file.read_bytes()).decode() for name, file in files.items()}
    before = cluster.get("Secret", SECRET)["data"]
    cluster.patch("Secret", SECRET, {"data": ended})

    def renewed():
        present = cluster.get("Secret", SECRET)["data"]
        return present if present["tls.crt"] not in (before["tls.crt"], ended["tls.crt"]) else None

    present = eventually(renewed, "there is another", 30)
    shown = ssl.PEM_cert_to_DER_cert(base64.b64decode(present["tls.crt"]).decode())
    for address in adapters.addresses:
        eventually(lambda: shown_by(address, adapters.trust(plane.front_pair)) == shown, "both show it", 30)
    assert base64.b64decode(ended["ca.crt"]).decode().strip() not in bundle(cluster)
    adapters.wait_until_asked()


def test_a_wrong_token(cluster, kubelet, plane, adapters):
    """Two replicas; the right one is shown as soon as it is there."""
    trust = adapters.trust(plane.front_pair)
    files = [kubelet.pod(name).folder / "account/token" for name in adapters.names]
    right = [file.read_text() for file in files]
    for file in files:
        file.write_text("wrong-token-0123456789")
    # Watches that run go on; the next requests show the new token.
    plane.stop_api()
    plane.start_api()
    adapters.wait_for_line("pods: ", "does not take the service account's token (401)")
    adapters.expect_answers(trust)
    cluster.scale("weir", 3)
    for file, token in zip(files, right, strict=True):
        file.write_text(token)
    adapters.wait_for_line("pods: all is well again")
    adapters.wait_until_asked(3)
