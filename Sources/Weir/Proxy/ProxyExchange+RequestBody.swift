// SPDX-License-Identifier: Apache-2.0
// The request on its way to the endpoint: its head, and its body as it comes. On the loop's thread.

import WeirEventLoop
import WeirHTTP
import WeirUpstream

extension ProxyExchange {
    /// Writes the request to a connection that was leased: the head, and as much of the body as has come.
    func send(_ exchange: Exchange, to connection: UpstreamConnection) {
        exchange.endpointIndex = owner.endpointName(connection)
        if let version = connection.proxyProtocol {
            writeProxyHeader(version, of: exchange, to: connection)
        }
        writeHead(of: exchange, to: connection)
        // What middleware has let come in before.
        while let piece = exchange.parts.pointee.pieces.popFirst() {
            piece.withUnsafeBytes { writeBody($0, connection) }
        }
        exchange.noteHeld()
        if exchange.input.isDone { return endBody(exchange, connection) }
        exchange.withConnection { client in
            guard !client.isReceiving else { return }
            loop.flush(connection.channel)
            client.bodyWindowOpened(exchange)
        }
    }

    /// Takes a piece of the body; `takesBody` was true.
    func take(_ bytes: UnsafeRawBufferPointer) {
        // Who sends its body does not wait to be told to.
        exchange.owesContinue = false
        guard let connection else { return }
        writeBody(bytes, connection)
    }

    private func writeBody(_ bytes: UnsafeRawBufferPointer, _ connection: UpstreamConnection) {
        guard !bytes.isEmpty else { return }
        hasSentBody = true
        let isChunked = exchange.parser.pointee.head.isChunked
        if isChunked { loop.writeChunk(connection.channel, bytes) } else { loop.sendThrough(connection.channel, bytes) }
        if let copy { copy.writeBody(bytes, isChunked: isChunked, window: owner.configuration.outputWindowBytes) }
        if loop.isOutputFull(connection.channel, owner.configuration.outputWindowBytes) {
            loop.flush(connection.channel)
            guard loop.isOutputFull(connection.channel, owner.configuration.outputWindowBytes) else { return }
            exchange.connection?.bodyWindowFilled()
            connection.awaitDrain()
        }
    }

    /// The body has come to its end.
    func bodyEnded() {
        guard let connection else { return }
        endBody(exchange, connection)
    }

    private func endBody(_ exchange: Exchange, _ connection: UpstreamConnection) {
        if exchange.parser.pointee.head.isChunked { writeTrailers(of: exchange, to: connection) }
        let timeout = exchange.routeReference?._withUnsafeGuaranteedRef { $0.retry.attemptTimeout } ?? .max
        connection.endRequest(headTimeout: timeout)
        loop.flush(connection.channel)
        if copy != nil { endCopy(exchange) }
    }

    /// Sends what has been written, at the end of the client's turn.
    func flush() {
        guard let connection else { return }
        loop.flush(connection.channel)
        if let copy { copy.flush() }
    }

    func writeTrailers(of exchange: Exchange, to connection: UpstreamConnection) {
        let trailers = exchange.parts.pointee.trailers
        var count = 16
        for (name, value) in trailers { count += name.utf8.count + value.utf8.count + 4 }
        var writer = HeadWriter(loop.reserveOutput(connection.channel, count))
        ChunkedEncoder.writeLastChunk(into: &writer)
        for (name, value) in trailers { _ = writer.field(name, value) }
        exchange.withRewrites { writer.remove($0.request) }
        writer.end()
        loop.commitOutput(connection.channel, writer.count)
    }
}

extension EventLoop {
    /// Writes a piece of a body in the chunked coding.
    func writeChunk(_ channel: Channel, _ bytes: UnsafeRawBufferPointer) {
        var writer = HeadWriter(reserveOutput(channel, ChunkedEncoder.sizeByteCountMax))
        ChunkedEncoder.writeSize(bytes.count, into: &writer)
        commitOutput(channel, writer.count)
        sendThrough(channel, bytes, behind: ChunkedEncoder.dataEnd)
    }
}

extension RequestHead {
    var isChunked: Bool {
        if case .chunked = framing { true } else { false }
    }
}
