# SPDX-License-Identifier: Apache-2.0
# A CA of the tests' own, and what it signs: made by the openssl program.

import subprocess
import tempfile
from pathlib import Path

NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


def openssl(*arguments, input=None):
    return subprocess.run(
        ["openssl", *map(str, arguments)], input=input, capture_output=True, check=True, timeout=60
    ).stdout


class Authority:
    def __init__(self, folder, name="ca"):
        self.folder = Path(folder)
        self.file = self.folder / f"{name}.crt"
        self.key = self.folder / f"{name}.key"
        openssl("req", "-x509", *NEW_KEY, "-keyout", self.key, "-out", self.file, "-subj", f"/CN={name}", "-days", 30)

    def pair(self, name, *hosts, days=30, names_key=True):
        """Signs a certificate for the hosts; gives its file and that of its key. It says by which key it is signed."""
        certificate, key = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        names = ",".join([f"DNS:{host}" for host in hosts] + ["IP:127.0.0.1"])
        with tempfile.NamedTemporaryFile("w", suffix=".cnf") as extensions:
            extensions.write(f"subjectAltName={names}\n")
            if not names_key:
                extensions.write("authorityKeyIdentifier=none\n")
            extensions.flush()
            request = openssl("req", *NEW_KEY, "-keyout", key, "-subj", f"/CN={name}")
            openssl(
                "x509", "-req", "-CA", self.file, "-CAkey", self.key, "-CAcreateserial", "-days", days,
                "-extfile", extensions.name, "-out", certificate, input=request,
            )  # fmt: skip
        return certificate, key

    def response(self, certificate, file, is_revoked=False):
        """Says by OCSP, for a day, whether a certificate is good; gives the file."""
        serial = openssl("x509", "-in", certificate, "-noout", "-serial").decode().strip().partition("=")[2]
        state = "R\t400101000000Z\t200101000000Z" if is_revoked else "V\t400101000000Z\t"
        index, asked = self.folder / "index.txt", self.folder / "asked.der"
        index.write_text(f"{state}\t{serial}\tunknown\t/CN=any\n")
        openssl("ocsp", "-issuer", self.file, "-cert", certificate, "-reqout", asked)
        openssl(
            "ocsp", "-index", index, "-CA", self.file, "-rsigner", self.file, "-rkey", self.key,
            "-reqin", asked, "-respout", file, "-ndays", 1,
        )  # fmt: skip
        return file
