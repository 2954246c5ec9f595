// SPDX-License-Identifier: Apache-2.0
// The life of a limiter's connection: resolve, connect, greet, be ready, and after any failure wait and begin again.

import WeirEventLoop
import WeirFlow
import WeirMetrics

/// The commands that make a connection ready, in the order in which they are sent and replied to.
enum Greeting: String {
    case authenticate = "AUTH"
    case select = "SELECT"
    case loadScript = "SCRIPT LOAD"
}

extension RedisLimiter {
    /// Begins to connect, and goes on until `stop`. On the loop's thread; the service starts whether Redis is there or
    /// not.
    package func start() {
        guard case .stopped = state.pointee.phase else { return }
        connect()
    }

    /// Ends the connection; checks that wait are told `away`. On the loop's thread, before the limiter or its loop goes.
    package func stop() {
        leave(for: .stopped)
    }

    // MARK: Making a connection

    func connect() {
        state.pointee.attempt += 1
        switch url.place {
        case .address(let address): connect(to: address)
        case .name(let name, let port): resolve(name, port: port)
        }
    }

    /// The resolver blocks, so it has a thread of its own, for this one answer.
    private func resolve(_ name: String, port: UInt16) {
        state.pointee.phase = .resolving
        let attempt = state.pointee.attempt
        do throws(SystemCallError) {
            _ = try SystemThread.start { [self] in
                let addresses = SocketAddress.resolve(name, port: port)
                loop.submit { [self] _ in resolved(addresses, attempt) }
            }
        } catch {
            fail(.unresolved(url: url.description))
        }
    }

    private func resolved(_ addresses: [SocketAddress], _ attempt: Int) {
        guard case .resolving = state.pointee.phase, attempt == state.pointee.attempt else { return }
        guard !addresses.isEmpty else { return fail(.unresolved(url: url.description)) }
        connect(to: addresses[attempt % addresses.count])
    }

    private func connect(to address: SocketAddress) {
        state.pointee.reader = ReplyReader()
        state.pointee.readyBy = loop.now &+ options.connectTimeout
        do throws(SystemCallError) {
            try loop.connect(to: address) { [self] _, channel, _ in open(channel) }
        } catch {
            fail(.unreachable(url: url.description))
        }
    }

    private func open(_ channel: Channel) -> UnsafePointer<ChannelEvents> {
        // Released when the channel has closed.
        channel.context = Unmanaged.passRetained(self).toOpaque()
        state.pointee.phase = .greeting(channel, firstGreeting)
        rearm(channel)
        return RedisLimiter.channelEvents
    }

    private var firstGreeting: Greeting {
        url.credentials != nil ? .authenticate : url.database != 0 ? .select : .loadScript
    }

    /// Everything at once: one round trip.
    private func greet(_ channel: Channel) {
        loop.metrics.increment(.redisConnects)
        if let credentials = url.credentials {
            state.pointee.writer.add("AUTH".utf8)
            if let user = credentials.user { state.pointee.writer.add(user.utf8) }
            state.pointee.writer.add(credentials.password.utf8)
            state.pointee.writer.send(to: channel, on: loop)
        }
        if url.database != 0 {
            state.pointee.writer.add("SELECT".utf8)
            state.pointee.writer.add(UInt64(url.database))
            state.pointee.writer.send(to: channel, on: loop)
        }
        loadScript(channel)
    }

    func loadScript(_ channel: Channel) {
        state.pointee.writer.add("SCRIPT".utf8)
        state.pointee.writer.add("LOAD".utf8)
        state.pointee.writer.add(RateScript.source.utf8)
        state.pointee.writer.send(to: channel, on: loop)
    }

    /// A reply to `greeting`, which says what comes next.
    func greeted(_ channel: Channel, _ greeting: Greeting, _ reply: RedisReply) {
        guard case .text(let text) = reply else { return refuse(reply, to: greeting.rawValue) }
        switch greeting {
        case .authenticate: state.pointee.phase = .greeting(channel, url.database != 0 ? .select : .loadScript)
        case .select: state.pointee.phase = .greeting(channel, .loadScript)
        case .loadScript:
            state.pointee.scriptName = Array(text.utf8)
            state.pointee.phase = .ready(channel)
            state.pointee.readyBy = .max
            rearm(channel)
            loop.metrics.set(.redisConnected, 1)
            tell(.ready)
        }
    }

    // MARK: Failing

    func isCurrent(_ channel: Channel) -> Bool {
        switch state.pointee.phase {
        case .greeting(let present, _), .ready(let present): present == channel
        case .stopped, .resolving, .away: false
        }
    }

    func fail(_ problem: RedisProblem) {
        loop.schedule(retryTimer, at: loop.now &+ nextWait())
        leave(for: .away)
        tell(.away(problem))
    }

    private func nextWait() -> Nanoseconds {
        var random = SystemRandomNumberGenerator()
        return state.pointee.backoff.next(using: &random)
    }

    /// Ends the connection, if there is one, and tells everybody who waits.
    private func leave(for phase: Phase) {
        if case .stopped = phase { loop.cancel(retryTimer) }
        switch state.pointee.phase {
        case .greeting(let channel, _), .ready(let channel): loop.close(channel)
        case .stopped, .resolving, .away: break
        }
        state.pointee.phase = phase
        state.pointee.readyBy = .max
        loop.metrics.set(.redisConnected, 0)
        while let check = state.pointee.checks.takeReplied() {
            if let taker = check.taker { giveUp(taker, .away) }
        }
    }

    private func tell(_ news: RedisReport) {
        guard news != state.pointee.reported else { return }
        state.pointee.reported = news
        report(news)
    }

    // MARK: Events

    private func closed(_ channel: Channel, _ reason: CloseReason) {
        guard isCurrent(channel) else { return }
        switch reason {
        case .stopped: leave(for: .stopped)
        case .requested, .failed, .shed:
            fail(channel.isConnecting ? .unreachable(url: url.description) : .lost(url: url.description))
        }
    }

    private static func of(_ channel: Channel) -> RedisLimiter {
        guard let context = channel.context else { preconditionFailure("a channel without its limiter") }
        return Unmanaged<RedisLimiter>.fromOpaque(context).takeUnretainedValue()
    }

    /// Immutable, and never freed.
    private nonisolated(unsafe) static let channelEvents: UnsafePointer<ChannelEvents> = {
        let events = UnsafeMutablePointer<ChannelEvents>.allocate(capacity: 1)
        events.initialize(
            to: ChannelEvents(
                connected: { _, channel in of(channel).greet(channel) },
                received: { _, channel, bytes in
                    of(channel).received(channel, bytes)
                    return bytes.count
                },
                ended: { loop, channel in loop.close(channel, reason: .failed) },
                blocked: { _, _ in },
                drained: { _, _ in },
                timedOut: { _, channel in of(channel).timedOut(channel) },
                closed: { _, channel, reason in
                    let limiter = of(channel)
                    limiter.closed(channel, reason)
                    // Retained in `open`.
                    Unmanaged.passUnretained(limiter).release()
                }
            )
        )
        return UnsafePointer(events)
    }()
}
