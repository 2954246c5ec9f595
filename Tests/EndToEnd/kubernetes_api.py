# SPDX-License-Identifier: Apache-2.0
# As much of a Kubernetes API server as discovery needs: EndpointSlices that are listed and watched, with a history that
# may be forgotten, tokens that change, and days when nothing works.

import json
import threading
import urllib.parse

from secure_upstream import SecureUpstream
from upstream import Upstream, answer

VERSIONS = ("v1", "v1beta1")


def endpoint(address, **conditions):
    return {"addresses": [address], "conditions": conditions}


def endpoint_slice(name, endpoints, port, service="orders", port_name="http", family="IPv4"):
    return {
        "metadata": {"name": name, "namespace": "shop", "labels": {"kubernetes.io/service-name": service}},
        "addressType": family,
        "endpoints": endpoints,
        "ports": [{"name": port_name, "port": port, "protocol": "TCP"}],
    }


class Watched:
    """Objects of one kind. What a test changes is an event for those who watch."""

    kind = "EndpointSliceList"

    def __init__(self):
        self.changed = threading.Condition()
        self.objects, self.history, self.version, self.oldest = {}, [], 100, 100
        self.watching, self.era, self.nonsense = 0, 0, []

    # What becomes of the cluster

    def set(self, thing):
        with self.changed:
            name = self.name_of(thing)
            kind = "MODIFIED" if name in self.objects else "ADDED"
            self.version += 1
            self.objects[name] = {**thing, "metadata": {**thing["metadata"], "resourceVersion": str(self.version)}}
            self._tell(kind, self.objects[name])

    def remove(self, name):
        with self.changed:
            self.version += 1
            gone = self.objects.pop(name)
            gone["metadata"]["resourceVersion"] = str(self.version)
            self._tell("DELETED", gone)

    def bookmark(self):
        """The cluster has gone on, but not with these objects."""
        with self.changed:
            self.version += 50
            self._tell("BOOKMARK", {"metadata": {"resourceVersion": str(self.version)}})

    def forget(self):
        """What has happened until now can be watched no longer."""
        with self.changed:
            self.version += 1
            self.history, self.oldest = [], self.version

    @staticmethod
    def name_of(thing):
        return thing["metadata"]["name"]

    def _tell(self, kind, thing):
        self.history.append((self.version, {"type": kind, "object": thing}))
        self.changed.notify_all()

    # What becomes of those who watch

    def end_watches(self):
        """Ends those that are there, as a server does that is replaced."""
        with self.changed:
            self.era, self.watching = self.era + 1, 0
            self.changed.notify_all()

    def say(self, line):
        """Has those who watch hear this, which is no event."""
        with self.changed:
            self.nonsense.append(line)
            self.watching = 0
            self.changed.notify_all()

    def wait_for_watch(self):
        """Until somebody watches who was not ended, and has heard no nonsense."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.watching, 40), "nobody watches"

    # What is asked

    def selects(self, query, thing):
        return True

    def list(self, query):
        """Two objects on a page."""
        with self.changed:
            items = [self.objects[name] for name in sorted(self.objects) if self.selects(query, self.objects[name])]
            start = int(query.get("continue", 0))
            metadata = {"resourceVersion": str(self.version)}
            if start + 2 < len(items):
                metadata["continue"] = str(start + 2)
            body = {"kind": self.kind, "metadata": metadata, "items": items[start : start + 2]}
            return answer(json.dumps(body).encode(), headers=["Content-Type: application/json"])

    def watch(self, peer, query):
        position = int(query["resourceVersion"])
        with self.changed:
            if position < self.oldest:
                peer.send(status(410, "too old resource version"))
                return
            era, heard, self.watching = self.era, len(self.nonsense), self.watching + 1
            self.changed.notify_all()
        peer.send(answer(headers=["Transfer-Encoding: chunked"], body=b"", length=False))
        while True:
            with self.changed:
                self.changed.wait_for(
                    lambda: self.era != era or self._news(position) or len(self.nonsense) > heard, 60
                )
                if self.era != era:
                    break
                news = self._news(position)
                lines = [json.dumps(event) for _, event in news if self.selects(query, event["object"])]
                position = max([position, *(version for version, _ in news)])
                lines, heard = lines + self.nonsense[heard:], len(self.nonsense)
            for line in lines:
                data = line.encode() + b"\n"
                peer.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        peer.send(b"0\r\n\r\n")

    def _news(self, position):
        return [entry for entry in self.history if entry[0] > position]


def status(code, message):
    body = json.dumps({"kind": "Status", "code": code, "message": message}).encode()
    return answer(body, f"{code} No", ["Content-Type: application/json"])


class KubernetesAPI(Watched):
    """The slices of one cluster. With the context of a TLS server it is asked by https."""

    def __init__(self, context=None):
        super().__init__()
        self.context, self.versions, self.token = context, VERSIONS, None
        self.requests, self.forbidden = [], False
        self.upstream = self._listen(0)
        self.port = self.upstream.port

    def _listen(self, port):
        if self.context:
            return SecureUpstream(self.context, self._serve, port=port)
        return Upstream(self._serve, port=port)

    @property
    def url(self):
        return self.upstream.url

    # What becomes of the server

    def down(self):
        """Connections end, and new ones are refused."""
        self.upstream.stop_listening()
        self.end_watches()
        self.upstream.close()

    def up(self):
        self.upstream = self._listen(self.port)

    def asked(self, word):
        with self.changed:
            return [target for target, _ in self.requests if word in target]

    def close(self):
        self.end_watches()
        self.upstream.close()

    # What is asked

    def _serve(self, peer):
        while True:
            request = peer.request()
            path, _, query = request.target.partition("?")
            query = {key: values[0] for key, values in urllib.parse.parse_qs(query).items()}
            with self.changed:
                self.requests.append((request.target, request.header("authorization")))
                refusal = self._refusal(path, request)
            if refusal:
                peer.send(status(*refusal))
            elif "watch" in query:
                self.watch(peer, query)
            else:
                peer.send(self.list(query))

    def _refusal(self, path, request):
        version = path.split("/")[3]
        if version not in self.versions or not path.endswith("/namespaces/shop/endpointslices"):
            return 404, "the server could not find the requested resource"
        if self.token and request.header("authorization") != f"Bearer {self.token}":
            return 401, "Unauthorized"
        if self.forbidden:
            return 403, "endpointslices.discovery.k8s.io is forbidden"
        return None

    def selects(self, query, thing):
        name = query["labelSelector"].removeprefix("kubernetes.io/service-name=")
        return thing["metadata"].get("labels", {}).get("kubernetes.io/service-name", name) == name
