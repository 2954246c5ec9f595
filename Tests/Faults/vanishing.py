# SPDX-License-Identifier: Apache-2.0
# Clients on the other side of a link: so many of each kind, who then stand still. Use: vanishing.py ADDRESS PORT COUNT

import socket
import sys

address, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
KINDS = {
    "keepalive": b"GET /hello HTTP/1.1\r\nHost: test\r\n\r\n",
    "head": b"GET /hello HTTP/1.1\r\nHo",
    "body": b"POST /length HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\nbegun",
    "write": b"GET /files/big.bin HTTP/1.1\r\nHost: test\r\n\r\n",
}
connections = []
for kind, text in KINDS.items():
    for _ in range(count):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((address, port))
        connection.sendall(text)
        if kind in ("keepalive", "write"):
            connection.recv(100)
        connections.append(connection)
print("here", flush=True)
sys.stdin.read()
