// SPDX-License-Identifier: Apache-2.0
// The connection of one run of a check, used once as Consul's are: a kept one would hide that new ones fail.

import WeirEventLoop
import WeirHTTP
import WeirTLS

/// Connects, and for an HTTP check asks and reads the answer. On the loop's thread.
///
/// `@unchecked Sendable`: confined to that thread.
final class CheckConnection: @unchecked Sendable {
    /// What is to come of the answer.
    private enum Input {
        case head
        case length(UInt64)
        case chunked
        case untilClose
    }

    /// Nil once the run has its result.
    private var check: ScheduledCheck?
    private let deadline: Nanoseconds
    private let bodyBytesMax: Int
    private let request: HTTPCheck?
    private var channel = Channel.none
    private var parser = ResponseParser(limits: CheckConnection.limits)
    private var decoder = ChunkedDecoder(limits: CheckConnection.limits)
    private var input = Input.head
    /// Status line as it came, and what it means; nil until the head is there.
    private var answer: (status: CheckStatus, text: String)?
    private var output = CheckOutput()
    private var bodyByteCount = 0
    /// The transform's, which lasts as long as the channel.
    private var secure: UnsafeMutablePointer<TLSClientConnection>?

    private static let limits = HTTPLimits()

    init(_ check: ScheduledCheck, deadline: Nanoseconds, options: CheckRunner.Options) {
        self.check = check
        self.deadline = deadline
        bodyBytesMax = options.bodyBytesMax
        if case .http(let request) = check.definition.kind { self.request = request } else { request = nil }
    }

    func open(_ channel: Channel, to address: SocketAddress, on loop: EventLoop) -> UnsafePointer<ChannelEvents> {
        self.channel = channel
        // Released when the channel has closed.
        channel.context = Unmanaged.passRetained(self).toOpaque()
        channel.setDeadline(deadline, on: loop)
        if let tls = check?.definition.tls {
            secure = TLSClientConnection.open(channel, to: tls, on: loop)
            // No memory for a session.
            if secure == nil { loop.close(channel, reason: .failed) }
        }
        if let version = check?.definition.proxyProtocol { send(version, to: address, on: loop) }
        if let request { Array(request.text.utf8).withUnsafeBytes { loop.send(channel, $0) } }
        return Self.events
    }

    /// Nobody stands behind the connection but the gateway itself. Version 2 has a word for that, which every receiver
    /// takes; some refuse that of version 1, to which it says its own addresses (section 2.1).
    private func send(_ version: ProxyProtocol.Version, to address: SocketAddress, on loop: EventLoop) {
        let own = version == .version1 ? channel.localAddress : nil
        let header = [UInt8](unsafeUninitializedCapacity: ProxyProtocol.writtenBytesMax) { memory, count in
            count = ProxyProtocol.write(version, source: own, destination: address, into: .init(memory))
        }
        header.withUnsafeBytes { loop.send(channel, $0) }
    }

    /// The check is ended: there is no result.
    func cancel(on loop: EventLoop) {
        check = nil
        loop.close(channel)
    }

    private func finish(_ loop: EventLoop, _ status: CheckStatus, _ output: String) {
        guard let check else { return }
        self.check = nil
        loop.close(channel)
        check.finish(status, output)
    }

    /// The head decides; whether the body came whole is not asked.
    private func finishAnswer(_ loop: EventLoop) {
        guard let check, let answer else { return }
        finish(loop, answer.status, "\(check.what): \(answer.text) Output: \(output.text)")
    }

    private func fail(_ loop: EventLoop, _ reason: String) {
        guard let check else { return }
        if answer != nil { finishAnswer(loop) } else { finish(loop, .critical, "\(check.what): \(reason)") }
    }

    // MARK: Events

    private func connected(_ loop: EventLoop) {
        guard let check, request == nil else { return }
        // A PROXY header, if there is one, goes out before the end.
        loop.flush(channel)
        finish(loop, .passing, "\(check.what): Success")
    }

    private func received(_ loop: EventLoop, _ bytes: UnsafeRawBufferPointer) -> Int {
        var taken = 0
        while check != nil, taken < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[taken...])
            switch input {
            case .head:
                guard let count = receiveHead(loop, rest) else { return taken }
                taken += count
            case .length(let left):
                let count = Int(min(UInt64(rest.count), left))
                taken += count
                input = .length(left - UInt64(count))
                receiveBody(loop, rest[..<count])
                if left == UInt64(count) { finishAnswer(loop) }
            case .untilClose:
                taken = bytes.count
                receiveBody(loop, rest[...])
            case .chunked:
                // The bytes are the loop's, valid during this call.
                switch decoder.next(Span<UInt8>(_unsafeBytes: rest)) {
                case .data(let skip, let count):
                    taken += skip + count
                    receiveBody(loop, rest[skip..<(skip + count)])
                case .incomplete(let consumed):
                    return taken + consumed
                case .end, .invalid:
                    finishAnswer(loop)
                }
            }
        }
        return bytes.count
    }

    /// Reads a head; nil while it is unfinished.
    private func receiveHead(_ loop: EventLoop, _ bytes: UnsafeRawBufferPointer) -> Int? {
        let method = HTTPMethod.allCases.first { "\($0.name)" == request?.method } ?? .get
        // The bytes are the loop's, valid during this call.
        switch parser.parse(Span<UInt8>(_unsafeBytes: bytes), answering: method) {
        case .incomplete: return nil
        case .invalid:
            fail(loop, "the answer is no HTTP/1.1")
            return bytes.count
        case .complete: break
        }
        let head = parser.head
        defer { parser.reset() }
        guard !head.isInterim else { return Int(head.byteCount) }
        let reason = String(decoding: bytes[head.reason.bounds], as: UTF8.self)
        answer = (CheckStatus(httpStatus: head.status), reason.isEmpty ? "\(head.status)" : "\(head.status) \(reason)")
        switch head.framing {
        case .none, .tunnel, .length(0): finishAnswer(loop)
        case .length(let length): input = .length(length)
        case .chunked: input = .chunked
        case .untilClose: input = .untilClose
        }
        return Int(head.byteCount)
    }

    private func receiveBody(_ loop: EventLoop, _ bytes: Slice<UnsafeRawBufferPointer>) {
        output.append(UnsafeRawBufferPointer(rebasing: bytes))
        bodyByteCount += bytes.count
        if bodyByteCount >= bodyBytesMax { finishAnswer(loop) }
    }

    private func closed(_ loop: EventLoop, _ reason: CloseReason) {
        let failure = secure?.pointee.closed(reason)
        secure = nil
        guard let check else { return }
        if reason == .stopped {
            self.check = nil
            check.loopStopped()
        } else if let failure {
            fail(loop, "no TLS (\(failure.fault.label)): \(failure.text)")
        } else if channel.isConnecting {
            self.check = nil
            check.connectFailed()
        } else {
            fail(loop, "the connection was broken off")
        }
    }

    private static func of(_ channel: Channel) -> CheckConnection {
        guard let context = channel.context else { preconditionFailure("a channel without its check") }
        return Unmanaged<CheckConnection>.fromOpaque(context).takeUnretainedValue()
    }

    /// Immutable, and never freed.
    private nonisolated(unsafe) static let events: UnsafePointer<ChannelEvents> = {
        let events = UnsafeMutablePointer<ChannelEvents>.allocate(capacity: 1)
        events.initialize(
            to: ChannelEvents(
                connected: { loop, channel in of(channel).connected(loop) },
                received: { loop, channel, bytes in of(channel).received(loop, bytes) },
                ended: { loop, channel in of(channel).fail(loop, "the connection was closed without an answer") },
                blocked: { _, _ in },
                drained: { _, _ in },
                timedOut: { loop, channel in of(channel).fail(loop, "timed out") },
                closed: { loop, channel, reason in
                    let connection = of(channel)
                    connection.closed(loop, reason)
                    // Retained in `open`.
                    Unmanaged.passUnretained(connection).release()
                }
            )
        )
        return UnsafePointer(events)
    }()
}

extension HTTPCheck {
    /// The request. What is in it was checked (`CheckDefinition.fault`).
    fileprivate var text: String {
        func given(_ name: String) -> Bool { fields.contains { $0.name.lowercased() == name } }
        var lines = ["\(method) \(url.target) HTTP/1.1"]
        if !given("host") { lines.append("Host: \(url.authority)") }
        if !given("user-agent") { lines.append("User-Agent: Weir Health Check") }
        if !given("accept") { lines.append("Accept: text/plain, text/*, */*") }
        lines += fields.map { "\($0.name): \($0.value)" }
        if !body.isEmpty || ["POST", "PUT", "PATCH"].contains(method) {
            lines.append("Content-Length: \(body.utf8.count)")
        }
        lines.append("Connection: close")
        return lines.joined(separator: "\r\n") + "\r\n\r\n" + body
    }
}
