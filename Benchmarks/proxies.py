# SPDX-License-Identifier: Apache-2.0
"""The servers of the proxy's rows: Weir's gateway, nginx and HAProxy in front of one endpoint, and the endpoints.

Each proxy has one thread that serves, keeps its connections to the endpoint, writes no log, and tells the endpoint the
client's address, scheme and host (X-Forwarded-For, -Proto, -Host). Weir also sends Forwarded, Via, X-Request-Id and
traceparent, as it does by default. What is not set here is as it is by default.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from servers import Server, free_port, guarded, nginx_with, weir_with
from tools import Products

SINK = Path(__file__).with_name("sink.py")

# One server under three addresses, for proxies that choose among endpoints.
ENDPOINT_ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3")

# Its connections are closed by the proxies alone.
ENDPOINT_CONFIGURATION = """\
    keepalive_requests 1000000000;
    sendfile on;
    server {{
        listen 127.0.0.1:{port};
        listen 127.0.0.2:{port};
        listen 127.0.0.3:{port};
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
{endpoints}
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
{endpoints}
"""

# What a gateway is there for, all of it on: nobody is refused, and no endpoint fails.
GUARDED_CONFIGURATION = """\
upstreams:
  endpoints:
    endpoints: [{urls}]
    balance: least-latency
    check: {{http: /hello, interval: 1s}}
routes:
  - match: {{path: /hello}}
    upstream: endpoints
    deadline: 5s
    limit: [{{rate: 1000000000/s, by: client}}]
"""


def endpoint(products: Products, core: int, events: str = "") -> Server:
    """nginx, which answers `/hello` by itself and serves the files of the scratch folder."""
    # nginx's worker may be another user than the one that made the folder.
    products.folder.chmod(0o711)
    return nginx_with("endpoint", ENDPOINT_CONFIGURATION, products, core, events, files=products.folder)


def sink(products: Products, core: int) -> Server:
    """Takes bodies and throws them away."""
    port = free_port()
    return Server("sink", guarded([sys.executable, str(SINK), str(port)], core), {}, port, products.folder)


def gateway(products: Products, behind: Server, settings: Mapping[str, str], core: int) -> Server:
    return weir_with(products.gateway, {"WEIR_UPSTREAM": behind.url(""), **settings}, products, core)


def guarded_gateway(products: Products, behind: Server, core: int) -> Server:
    """Three endpoints chosen by latency, checked and ejected, a keyed limit, admission, and a deadline."""
    urls = ", ".join(f"http://{address}:{behind.port}" for address in ENDPOINT_ADDRESSES)
    configuration = products.folder / f"weir-{behind.port}.yaml"
    configuration.write_text(GUARDED_CONFIGURATION.format(urls=urls))
    return weir_with(products.gateway, {"WEIR_CONFIG": str(configuration)}, products, core)


def nginx(products: Products, behind: Server, core: int, addresses: Sequence[str] = ENDPOINT_ADDRESSES[:1]) -> Server:
    return nginx_with("nginx", NGINX_CONFIGURATION, products, core, endpoints=of_nginx(behind, addresses), buffers="")


def nginx_with_large_buffers(products: Products, behind: Server, core: int) -> Server:
    places = {"endpoints": of_nginx(behind, ENDPOINT_ADDRESSES[:1]), "buffers": NGINX_BUFFERS}
    return nginx_with("nginx-64k", NGINX_CONFIGURATION, products, core, **places)


def of_nginx(behind: Server, addresses: Sequence[str]) -> str:
    return "\n".join(f"        server {address}:{behind.port};" for address in addresses)


def haproxy(products: Products, behind: Server, core: int, addresses: Sequence[str] = ENDPOINT_ADDRESSES[:1]) -> Server:
    port = free_port()
    configuration = products.folder / f"haproxy-{port}.cfg"
    endpoints = "\n".join(
        f"    server endpoint{number} {address}:{behind.port}" for number, address in enumerate(addresses)
    )
    configuration.write_text(HAPROXY_CONFIGURATION.format(port=port, endpoints=endpoints))
    return Server("haproxy", guarded(["haproxy", "-db", "-f", str(configuration)], core), {}, port, products.folder)
