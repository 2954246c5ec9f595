// SPDX-License-Identifier: Apache-2.0
// A tunnel: bytes go both ways until both sides have ended. On the loop's thread.

import WeirEventLoop
import WeirHTTP
import WeirMetrics
import WeirUpstream

extension ProxyExchange {
    /// The endpoint has agreed to switch protocols.
    func beginTunnel(
        _ connection: HTTP1Connection,
        _ upstream: UpstreamConnection,
        _ bytes: UnsafeRawBufferPointer
    ) {
        guard exchange.parser.pointee.head.hasUpgrade, exchange.input.isDone, isAskedFor(upstream, bytes) else {
            // Nobody has asked for it, or the request is not over: what follows could be read in two ways.
            upstream.cancel()
            return refuse(.badGateway, UpstreamFault.malformed(.unasked).message, .upstreamMalformed)
        }
        guard owner.server.tunnels.enter() else {
            upstream.cancel()
            owner.metrics.recordRejection(.tunnels, route: exchange.routeIndex)
            return refuse(.serviceUnavailable, "too many tunnels are open", .tunnels, retryAfter: true)
        }
        phase = .tunnel
        connection.beginTunnel(exchange, upstream, bytes, adding: added)
    }

    /// Whether the endpoint switches to what the client has asked for. The bytes are those of its head.
    private func isAskedFor(_ upstream: UpstreamConnection, _ bytes: UnsafeRawBufferPointer) -> Bool {
        var chosen = UpgradeProtocols()
        upstream.eachUpgrade(in: bytes) { chosen.add($0) }
        return exchange.upgradeProtocols.allow(chosen)
    }

    /// The endpoint has ended its half of a tunnel.
    func upstreamEnded() {
        guard !hasUpstreamEnded, let connection = exchange.connection else { return }
        hasUpstreamEnded = true
        loop.endOutput(connection.channel)
        loop.flush(connection.channel)
        if hasClientEnded { finishTunnel() }
    }

    /// Both halves have ended: what is queued still goes out.
    private func finishTunnel() {
        guard let upstream = connection, let connection = exchange.connection else { return }
        upstream.finish(writeTimeout: owner.configuration.writeTimeout)
        end()
        connection.endTunnel(exchange)
    }

    /// Bytes of a tunnel, from the client.
    func tunnel(_ bytes: UnsafeRawBufferPointer) {
        guard let connection else { return }
        exchange.bodyBytesIn &+= UInt64(bytes.count)
        exchange.withConnection { $0.noteTunnelActivity() }
        loop.sendThrough(connection.channel, bytes)
        loop.flush(connection.channel)
        if loop.isOutputFull(connection.channel, owner.configuration.outputWindowBytes) {
            exchange.connection?.channel.pause()
        }
    }

    /// The client has ended its half of a tunnel.
    func clientEnded() {
        guard let connection, !hasClientEnded else { return }
        hasClientEnded = true
        loop.endOutput(connection.channel)
        if hasUpstreamEnded { finishTunnel() }
    }
}
