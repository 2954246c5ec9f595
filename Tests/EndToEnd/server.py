# SPDX-License-Identifier: Apache-2.0
# The demo service or the gateway as a child process: started with settings, asked for its metrics, stopped by its
# process id.

import http.client
import json
import os
import re
import signal
import subprocess
import threading
from pathlib import Path

from cgroups import entering
from polling import PATIENCE_SECONDS, eventually
from wire import Wire

REPOSITORY = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("WEIR_HELLO", str(REPOSITORY / ".build/release/hello"))
GATEWAY = os.path.abspath(os.environ.get("WEIR_GATEWAY", str(REPOSITORY / ".build/release/weir")))
# Whether the programs are built with a sanitizer (scripts/sanitize), whose own memory is more than what they hold.
IS_SANITIZED = "TESTS_ARE_SANITIZED" in os.environ
SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*(?:\{[^}]*\})?) (\S+)$")

# Ports of the kernel's choice, and a drain that waits for nobody but requests in flight.
TEST_SETTINGS = {
    "WEIR_LISTEN": "127.0.0.1:0",
    "WEIR_ADMIN_LISTEN": "127.0.0.1:0",
    "WEIR_DRAIN_DELAY": "0",
}


SYSTEM_CAS = "/etc/ssl/certs/ca-certificates.crt"


def command(descriptors=None, binary=BINARY, arguments=(), hosts=None, cas=None, group=None):
    """The service dies with this process, however that ends. `hosts` is what it finds in place of /etc/hosts, `cas` in
    place of the system's CAs, `group` the control group that it is started in."""
    limit = ["prlimit", f"--nofile={descriptors}:{descriptors}"] if descriptors else []
    if hosts or cas:
        places = [(hosts, "/etc/hosts"), (cas, SYSTEM_CAS)]
        own = "".join(f"mount --bind '{file}' {place} && " for file, place in places if file) + 'exec "$@"'
        limit = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", own, "sh", *limit]
    if group:
        limit = ["sh", "-e", "-c", f'{entering(group)}exec "$@"', "sh", *limit]
    return [*limit, "setpriv", "--pdeathsig", "KILL", binary, *arguments]


def environment(settings):
    settings = {**TEST_SETTINGS, **settings}
    return {"PATH": os.environ["PATH"], **{name: str(value) for name, value in settings.items() if value is not None}}


def run_to_failure(settings, **options):
    """Starts a service that is expected to refuse; gives its exit code and the lines that it wrote to standard error."""
    result = subprocess.run(
        command(**options), env=environment(settings), capture_output=True, timeout=PATIENCE_SECONDS
    )
    assert result.stdout == b""
    return result.returncode, result.stderr.decode().splitlines()


def run_gateway(*arguments, **settings):
    """Runs a command of the gateway's binary to its end; gives its exit code, its output, and the lines of its errors."""
    result = subprocess.run(
        command(binary=GATEWAY, arguments=arguments),
        env=environment(settings),
        capture_output=True,
        timeout=PATIENCE_SECONDS,
    )
    return result.returncode, result.stdout.decode(), result.stderr.decode().splitlines()


class Server:
    def __init__(
        self,
        settings=None,
        descriptors=None,
        quiet=False,
        stdout=subprocess.DEVNULL,
        binary=BINARY,
        arguments=(),
        hosts=None,
        cas=None,
        group=None,
    ):
        self.settings = settings or {}
        self.lines = []
        self.changed = threading.Condition()
        self.process = subprocess.Popen(
            command(descriptors, binary, arguments, hosts, cas, group),
            env=environment(self.settings),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.reader = threading.Thread(target=self._collect, daemon=True)
        self.reader.start()
        self.listen, self.admin = [], []
        if not quiet:
            try:
                self._read_addresses(self.wait_for_line("serving"))
            except BaseException:
                self.kill()
                raise

    # The log

    def _collect(self):
        for line in self.process.stderr:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.lines.append(None)
            self.changed.notify_all()

    def wait_for_line(self, text):
        def found():
            return next((line for line in self.lines if line and text in line), None)

        with self.changed:
            self.changed.wait_for(lambda: found() or None in self.lines, PATIENCE_SECONDS)
            line = found()
        assert line, f"no line with {text!r} in the log: {self.log}"
        return line

    @property
    def log(self):
        return [line for line in self.lines if line is not None]

    @property
    def messages(self):
        return [json.loads(line)["message"] for line in self.log]

    def _read_addresses(self, line):
        if line.startswith("{"):
            entry = json.loads(line)
            listen, admin = entry["listen"], entry["admin"]
        else:
            listen, admin = (re.search(rf'\b{name}="?([^"\s]*)', line)[1] for name in ("listen", "admin"))
        self.listen = [address for address in listen.split(",") if address]
        self.admin = [address for address in admin.split(",") if address]

    # Where it is

    @staticmethod
    def port_of(address):
        return int(address.rsplit(":", 1)[1])

    @property
    def port(self):
        return self.port_of(self.listen[0])

    @property
    def admin_port(self):
        return self.port_of(self.admin[0])

    @property
    def address(self):
        return ("127.0.0.1", self.port)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def admin_url(self):
        return f"http://127.0.0.1:{self.admin_port}"

    @property
    def pid(self):
        return self.process.pid

    def connect(self, **options):
        return Wire(self.address, **options)

    def threads(self):
        """The names of its threads and the CPUs that each may use."""
        found = []
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            status = (task / "status").read_text()
            found.append(
                (re.search(r"^Name:\t(.*)$", status, re.M)[1], re.search(r"^Cpus_allowed_list:\t(.*)$", status, re.M)[1])
            )
        return sorted(found)

    # The admin port

    def admin_connection(self):
        """A connection that is kept, for when the service has no descriptor left for another."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=PATIENCE_SECONDS)
        connection.connect()
        return connection

    def ask_admin(self, path, connection=None, method="GET"):
        """Status and text of an admin page."""
        used = connection or self.admin_connection()
        try:
            used.request(method, path)
            response = used.getresponse()
            return response.status, response.read().decode()
        finally:
            if not connection:
                used.close()

    def metrics(self, connection=None):
        status, text = self.ask_admin("/metrics", connection)
        assert status == 200
        samples = (SAMPLE.match(line) for line in text.splitlines() if not line.startswith("#"))
        return {sample[1]: float(sample[2]) for sample in samples}

    def metric(self, name, connection=None):
        return self.metrics(connection)[name]

    def wait_for_metric(self, name, least, connection=None):
        """The value, once it is at least `least`."""

        def value():
            value = self.metric(name, connection)
            return (value,) if value >= least else None

        return eventually(value, f"{name} reaches {least}")[0]

    # The end

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self, seconds=PATIENCE_SECONDS):
        code = self.process.wait(seconds)
        self.reader.join(PATIENCE_SECONDS)
        return code

    def stop(self):
        """Ends it as an orchestrator does; a service that crashed or complained has failed its test."""
        if self.process.poll() is None:
            self.signal()
        try:
            code = self.wait()
        finally:
            self.kill()
        assert code == 0, f"exit code {code}: {self.log}"
        if self.settings.get("WEIR_LOG_FORMAT") != "text":
            levels = [json.loads(line)["level"] for line in self.log]
            assert not {"error", "critical"} & set(levels), self.log

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.reader.join(PATIENCE_SECONDS)
        self.process.stderr.close()
