# SPDX-License-Identifier: Apache-2.0
# A container of a pod as a process: its command and environment from the pod's specification, its probes and its hook.

import http.client
import re
import ssl
import subprocess
import threading
import time

from limits import Limits, quantity
from processes import Process

RESTART_SECONDS = 1
# A kubelet looks at nobody's.
ANY_CERTIFICATE = ssl._create_unverified_context()


class Container:
    def __init__(self, pod, spec, image):
        self.pod, self.spec, self.name = pod, spec, spec["name"]
        self.limits = Limits(f"{pod.uid}-{self.name}", spec.get("resources", {}).get("limits", {}).get("cpu"))
        command = [*(spec.get("command") or image), *(spec.get("args") or [])]
        # What an image has at a path of its own is on this machine somewhere else.
        if spec.get("command") and spec["command"][0].startswith("/"):
            command = [*image, *command[1:]]
        self.command = [*pod.sandbox.entering(), *self.limits.entering, *command]
        self.log = pod.folder / f"{self.name}.log"
        self.restarts = 0
        self.is_started = not spec.get("startupProbe")
        self.is_ready = not spec.get("readinessProbe") and self.is_started
        self.in_a_row, self.next_probe = 0, 0.0
        self._start()

    def _start(self):
        self.process = Process(self.command, self.log, {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", **self.environment()})
        self.started_at = time.monotonic()

    # What it finds in its environment

    def environment(self):
        found = dict(self.pod.service_links())
        for item in self.spec.get("env") or []:
            value = item["value"] if "value" in item else self._reference(item.get("valueFrom") or {})
            found[item["name"]] = re.sub(r"\$\((\w+)\)", lambda match: found.get(match[1], match[0]), value or "")
        return found

    def _reference(self, source):
        if "fieldRef" in source:
            return self.pod.field(source["fieldRef"]["fieldPath"])
        reference = source["resourceFieldRef"]
        kind, resource = reference["resource"].split(".")
        value = quantity(self.spec.get("resources", {}).get(kind, {}).get(resource, "0"))
        return str(round(value / quantity(reference.get("divisor", "1"))))

    # Its state

    def look(self):
        """Restarts it where it has ended, and asks its probe where it is time."""
        if self.process.code is not None:
            self.is_ready = False
            if time.monotonic() < self.started_at + RESTART_SECONDS * 2 ** min(self.restarts, 5):
                return
            self.restarts += 1
            self.is_started = not self.spec.get("startupProbe")
            self._start()
        probe = self.spec.get("readinessProbe" if self.is_started else "startupProbe")
        if probe and time.monotonic() >= self.next_probe:
            self._probe(probe)

    def _probe(self, probe):
        self.next_probe = time.monotonic() + probe.get("periodSeconds", 10)
        answers = self._asks_well(probe["httpGet"], probe.get("timeoutSeconds", 1))
        if not self.is_started:
            if answers:
                self.is_started, self.next_probe = True, 0.0
                self.is_ready = not self.spec.get("readinessProbe")
            return
        self.in_a_row = 0 if answers == self.is_ready else self.in_a_row + 1
        needed = probe.get("successThreshold", 1) if answers else probe.get("failureThreshold", 3)
        if self.in_a_row >= needed:
            self.is_ready, self.in_a_row = answers, 0

    def _asks_well(self, get, timeout):
        address, port = self.pod.address, self._port(get["port"])
        if get.get("scheme") == "HTTPS":
            connection = http.client.HTTPSConnection(address, port, timeout=timeout, context=ANY_CERTIFICATE)
        else:
            connection = http.client.HTTPConnection(address, port, timeout=timeout)
        try:
            headers = {header["name"]: header["value"] for header in get.get("httpHeaders") or []}
            connection.request("GET", get.get("path", "/"), headers=headers)
            return 200 <= connection.getresponse().status < 400
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _port(self, port):
        named = {one.get("name"): one["containerPort"] for one in self.spec.get("ports") or []}
        return named.get(port, port)

    @property
    def status(self):
        return {
            "name": self.name, "image": self.spec["image"], "imageID": self.spec["image"], "ready": self.is_ready,
            "started": self.is_started, "restartCount": self.restarts,
            "state": {"running": {"startedAt": self.pod.started_at}},
        }  # fmt: skip

    # Its end

    def end(self, grace):
        """The hook, SIGTERM, and SIGKILL when the grace period is over; in a thread of its own."""
        thread = threading.Thread(target=self._end, args=(time.monotonic() + grace,), daemon=True)
        thread.start()
        return thread

    def _end(self, end):
        hook = self.spec.get("lifecycle", {}).get("preStop")
        if hook and self.process.code is None:
            self._run_hook(hook, end - time.monotonic())
        self.exit_code = self.process.stop(end - time.monotonic())

    def _run_hook(self, hook, seconds):
        if "httpGet" in hook:
            self._asks_well(hook["httpGet"], seconds)
            return
        command = [*self.pod.sandbox.entering(), *hook["exec"]["command"]]
        with open(self.log, "ab") as log:
            try:
                subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=seconds)
            except subprocess.TimeoutExpired:
                pass
