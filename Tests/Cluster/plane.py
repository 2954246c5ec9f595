# SPDX-License-Identifier: Apache-2.0
# A control plane of plain processes: etcd, kube-apiserver with the aggregation layer, and kube-controller-manager. In
# the network namespace of the tests, so its ports are its own.

import ssl
import urllib.request

from certificates import NEW_KEY, Authority, openssl
from network import NODE_ADDRESS
from polling import eventually
from processes import Process, stop_all

PORT = 6443
URL = f"https://{NODE_ADDRESS}:{PORT}"
# No scheduler and no node controller: the stand-in for the kubelet binds pods itself, and its node does not fall ill.
CONTROLLERS = [
    "deployment", "disruption", "endpoint", "endpointslice", "garbagecollector", "horizontalpodautoscaling",
    "namespace", "replicaset", "root-ca-cert-publisher", "serviceaccount",
]  # fmt: skip
# After an outage each controller asks for its kinds again, a kind within half a minute or, at random, up to twice that:
# what needs a Deployment, its ReplicaSet and its pods takes as long, and so does the garbage collector.
RECOVERY_SECONDS = 150
# Who is who by a token; what else there is comes from the API itself.
TOKENS = {"gateway-token-0123456789": "gateway"}


class ControlPlane:
    def __init__(self, binaries, folder):
        self.binaries, self.folder = binaries, folder
        self.certificates = folder / "certificates"
        self.certificates.mkdir(parents=True)
        self._make_certificates()
        self.etcd = self._start("etcd", *self._etcd_flags())
        self.start_api()
        self.manager = self._start("kube-controller-manager", *self._manager_flags())

    # Certificates

    def _make_certificates(self):
        self.authority = Authority(self.certificates, "cluster-ca")
        # Only for what the aggregation layer shows extension servers: whoever has one of these may speak for others.
        self.front_authority = Authority(self.certificates, "front-proxy-ca")
        names = f"IP:{NODE_ADDRESS},IP:127.0.0.1"
        self.server_pair = self._sign(self.authority, "apiserver", names=names)
        # It ends with the second in which it begins.
        self.expired_pair = self._sign(self.authority, "apiserver-expired", names=names, days=0)
        self.admin_pair = self._sign(self.authority, "admin", subject="/O=system:masters/CN=admin")
        self.front_pair = self._sign(self.front_authority, "aggregator")
        self.account_key, self.account_public = (self.certificates / f"account.{end}" for end in ("key", "pub"))
        openssl("genrsa", "-out", self.account_key, 2048)
        openssl("rsa", "-in", self.account_key, "-pubout", "-out", self.account_public)

    def _sign(self, authority, name, subject=None, names=None, days=2):
        certificate, key = self.certificates / f"{name}.crt", self.certificates / f"{name}.key"
        request = openssl("req", *NEW_KEY, "-keyout", key, "-subj", subject or f"/CN={name}")
        extensions = self.certificates / f"{name}.cnf"
        extensions.write_text(f"subjectAltName={names}\n" if names else "extendedKeyUsage=clientAuth\n")
        openssl(
            "x509", "-req", "-CA", authority.file, "-CAkey", authority.key, "-CAcreateserial", "-days", days,
            "-extfile", extensions, "-out", certificate, input=request,
        )  # fmt: skip
        return certificate, key

    # Processes

    def _start(self, name, *flags):
        return Process([self.binaries / name, *flags], self.folder / f"{name}.log")

    def _etcd_flags(self):
        return [
            f"--data-dir={self.folder / 'etcd'}",
            "--listen-client-urls=http://127.0.0.1:2379", "--advertise-client-urls=http://127.0.0.1:2379",
            "--listen-peer-urls=http://127.0.0.1:2380", "--logger=zap", "--log-level=warn",
            # What is lost with the machine is made anew by the next run.
            "--unsafe-no-fsync",
        ]  # fmt: skip

    def _api_flags(self, pair):
        tokens = self.certificates / "tokens.csv"
        tokens.write_text("".join(f"{token},{user},{user}\n" for token, user in TOKENS.items()))
        return [
            "--etcd-servers=http://127.0.0.1:2379", f"--bind-address={NODE_ADDRESS}", f"--secure-port={PORT}",
            f"--advertise-address={NODE_ADDRESS}",
            f"--tls-cert-file={pair[0]}", f"--tls-private-key-file={pair[1]}",
            f"--client-ca-file={self.authority.file}", f"--token-auth-file={tokens}",
            "--authorization-mode=RBAC", "--disable-admission-plugins=ServiceAccount",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self.account_public}",
            f"--service-account-signing-key-file={self.account_key}", "--service-cluster-ip-range=10.96.0.0/16",
            f"--requestheader-client-ca-file={self.front_authority.file}", "--requestheader-allowed-names=aggregator",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-", "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-username-headers=X-Remote-User",
            f"--proxy-client-cert-file={self.front_pair[0]}", f"--proxy-client-key-file={self.front_pair[1]}",
            # Extension servers are asked at their pods' addresses: there is no kube-proxy for those of services.
            "--enable-aggregator-routing=true",
        ]  # fmt: skip

    def _manager_flags(self):
        configuration = self.certificates / "kubeconfig"
        configuration.write_text(self.kubeconfig())
        return [
            f"--kubeconfig={configuration}", "--bind-address=127.0.0.1", "--leader-elect=false",
            f"--controllers={','.join(CONTROLLERS)}", f"--root-ca-file={self.authority.file}",
            f"--service-account-private-key-file={self.account_key}",
            "--horizontal-pod-autoscaler-sync-period=5s",
        ]  # fmt: skip

    def kubeconfig(self):
        certificate, key = self.admin_pair
        return f"""apiVersion: v1
kind: Config
current-context: tests
contexts: [{{name: tests, context: {{cluster: tests, user: admin}}}}]
clusters: [{{name: tests, cluster: {{server: "{URL}", certificate-authority: "{self.authority.file}"}}}}]
users: [{{name: admin, user: {{client-certificate: "{certificate}", client-key: "{key}"}}}}]
"""

    # The API server, which tests take away

    def start_api(self, pair=None):
        """With a certificate and key, where it is not to show its own."""
        self.api = self._start("kube-apiserver", *self._api_flags(pair or self.server_pair))
        eventually(self._is_ready, f"the API server is ready; see {self.folder}", 60)

    def stop_api(self):
        self.api.stop()

    def _is_ready(self):
        assert self.api.code is None and self.etcd.code is None, f"it has ended; see {self.folder}"
        # Whatever it shows.
        trust = ssl._create_unverified_context()
        trust.load_cert_chain(*self.admin_pair)
        try:
            return urllib.request.urlopen(f"{URL}/readyz", context=trust, timeout=5).status == 200
        except OSError:
            return False

    def close(self):
        stop_all([self.manager, self.api], 15)
        self.etcd.stop()
