# SPDX-License-Identifier: Apache-2.0
"""The servers of the proxy's rows: Weir's gateway, nginx and HAProxy in front of one endpoint, and the endpoints.

Each proxy has one thread that serves, keeps its connections to the endpoint, writes no log, and tells the endpoint the
client's address, scheme and host (X-Forwarded-For, -Proto, -Host). Weir also sends Forwarded, Via, X-Request-Id and
traceparent, as it does by default. What is not set here is as it is by default.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

from servers import Server, free_port, guarded, nginx_with, weir_with
from tools import Products

SINK = Path(__file__).with_name("sink.py")

# Its connections are closed by the proxies alone.
ENDPOINT_CONFIGURATION = """\
    keepalive_requests 1000000000;
    sendfile on;
    server {{
        listen 127.0.0.1:{port};
        root {files};
        location = /hello {{ return 200 "Hello, world\\n"; }}
    }}
"""

# Bodies pass through buffers in memory, as in Weir; by default nginx would collect them in files.
NGINX_CONFIGURATION = """\
    client_max_body_size 0;
    proxy_request_buffering off;
    proxy_max_temp_file_size 0;
{buffers}    upstream endpoint {{
        server 127.0.0.1:{endpoint};
        keepalive 64;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://endpoint;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Host $http_host;
        }}
    }}
"""

# 64 KiB for each direction of a request, as in Weir. By default nginx takes a body down in pieces of 4 KiB, and up in
# pieces of 16 KiB.
NGINX_BUFFERS = """\
    client_body_buffer_size 64k;
    proxy_buffer_size 16k;
    proxy_buffers 4 16k;
"""

HAPROXY_CONFIGURATION = """\
global
    nbthread 1
defaults
    mode http
    timeout client 30s
    timeout connect 5s
    timeout server 30s
frontend clients
    bind 127.0.0.1:{port}
    option forwardfor
    http-request set-header X-Forwarded-Proto http
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
    default_backend endpoints
backend endpoints
    http-reuse always
    server endpoint 127.0.0.1:{endpoint}
"""


def endpoint(products: Products, core: int) -> Server:
    """nginx, which answers `/hello` by itself and serves the files of the scratch folder."""
    # nginx's worker may be another user than the one that made the folder.
    products.folder.chmod(0o711)
    return nginx_with("endpoint", ENDPOINT_CONFIGURATION, products, core, files=products.folder)


def sink(products: Products, core: int) -> Server:
    """Takes bodies and throws them away."""
    port = free_port()
    return Server("sink", guarded([sys.executable, str(SINK), str(port)], core), {}, port, products.folder)


def gateway(products: Products, behind: Server, settings: Mapping[str, str], core: int) -> Server:
    return weir_with(products.gateway, {"WEIR_UPSTREAM": behind.url(""), **settings}, products, core)


def nginx(products: Products, behind: Server, core: int) -> Server:
    return nginx_with("nginx", NGINX_CONFIGURATION, products, core, endpoint=behind.port, buffers="")


def nginx_with_large_buffers(products: Products, behind: Server, core: int) -> Server:
    places = {"endpoint": behind.port, "buffers": NGINX_BUFFERS}
    return nginx_with("nginx-64k", NGINX_CONFIGURATION, products, core, **places)


def haproxy(products: Products, behind: Server, core: int) -> Server:
    port = free_port()
    configuration = products.folder / f"haproxy-{port}.cfg"
    configuration.write_text(HAPROXY_CONFIGURATION.format(port=port, endpoint=behind.port))
    return Server("haproxy", guarded(["haproxy", "-db", "-f", str(configuration)], core), {}, port, products.folder)
