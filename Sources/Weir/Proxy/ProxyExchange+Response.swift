// SPDX-License-Identifier: Apache-2.0
// The endpoint's response on its way to the client: as it comes, as fast as the client takes it. On the loop's thread.

import WeirEventLoop
import WeirHTTP
import WeirUpstream

extension ProxyExchange {
    func connected(_ connection: UpstreamConnection) {
        exchange.connection?.bodyWindowOpened(exchange)
    }

    func head(_ exchange: Exchange, _ upstream: UpstreamConnection, _ bytes: UnsafeRawBufferPointer) {
        let head = upstream.parser.pointee.head
        exchange.withConnection { connection in take(head, exchange, connection, upstream, bytes) }
    }

    private func take(
        _ head: ResponseHead,
        _ exchange: Exchange,
        _ connection: HTTP1Connection,
        _ upstream: UpstreamConnection,
        _ bytes: UnsafeRawBufferPointer
    ) {
        if head.isInterim {
            connection.forwardInterim(exchange, upstream, bytes)
            holdBack(upstream, connection)
        } else if case .tunnel = head.framing {
            beginTunnel(connection, upstream, bytes)
        } else if triesAgain(insteadOf: head, exchange, upstream, bytes) {
            // The client learns nothing of this response.
        } else {
            phase = .responding
            responseStart = connection.channel.outputPosition
            connection.forwardHead(exchange, upstream, bytes, adding: added)
        }
    }

    func body(_ exchange: Exchange, _ upstream: UpstreamConnection, _ bytes: UnsafeRawBufferPointer) {
        exchange.withConnection { connection in
            if case .tunnel = phase {
                connection.tunnel(bytes)
            } else {
                connection.forwardBody(exchange, bytes)
            }
            holdBack(upstream, connection)
        }
    }

    /// Stops receiving from the endpoint where the client takes it slower than it comes.
    private func holdBack(_ upstream: UpstreamConnection, _ connection: HTTP1Connection) {
        guard connection.isOutputFull else { return }
        loop.flush(connection.channel)
        if connection.isOutputFull { upstream.pause() }
    }

    func ended(
        _ exchange: Exchange,
        _ upstream: UpstreamConnection,
        _ bytes: UnsafeRawBufferPointer,
        _ section: ByteRange
    ) {
        end()
        exchange.withConnection { $0.endForward(exchange, bytes, section) }
    }

    func settled(_ exchange: Exchange) {
        exchange.withConnection { $0.forwardSettled() }
    }

    func upstreamDrained() {
        guard let connection = exchange.connection else { return }
        if case .tunnel = phase {
            connection.channel.resume(on: owner.loop)
        } else {
            connection.bodyWindowOpened(exchange)
        }
    }

    /// The client has taken what was queued for it.
    func clientDrained() {
        connection?.resume()
    }
}
