# SPDX-License-Identifier: Apache-2.0
# What tests of reloads share: a file that is replaced, and the order to read it.

import json
import os


class File:
    """A configuration file that is replaced as editors do, by another that is moved over it."""

    def __init__(self, folder):
        self.folder, self.path = folder, folder / "weir.yaml"

    def write(self, text):
        new = self.folder / "weir.yaml.new"
        new.write_text(text)
        os.rename(new, self.path)


def reload(server, connection=None):
    status, text = server.ask_admin("/reload", connection, method="POST")
    return (status, json.loads(text)) if status == 200 else (status, text)


def one_route(upstream, fields=""):
    return f"upstreams: {{a: {{endpoints: [{upstream.url}]}}}}\nroutes: [{{upstream: a{fields}}}]\n"
