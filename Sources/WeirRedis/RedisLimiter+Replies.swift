// SPDX-License-Identifier: Apache-2.0
// What comes of the checks that were sent: a reply, or none in time.

import WeirEventLoop
import WeirFlow
import WeirMetrics

extension RedisLimiter {
    func received(_ channel: Channel, _ bytes: UnsafeRawBufferPointer) {
        guard isCurrent(channel) else { return }
        state.pointee.reader.feed(bytes)
        // Whoever is told of a reply may stop the limiter.
        while isCurrent(channel) {
            switch state.pointee.reader.next() {
            case .incomplete: return
            case .malformed: return fail(.malformed(url: url.description))
            case .reply(let reply): replied(channel, reply)
            }
        }
    }

    private func replied(_ channel: Channel, _ reply: RedisReply) {
        guard let check = state.pointee.checks.takeReplied() else {
            guard case .greeting(_, let greeting) = state.pointee.phase else {
                return fail(.malformed(url: url.description))
            }
            return greeted(channel, greeting, reply)
        }
        if case .integers(check.itemCount, let owed) = reply {
            state.pointee.backoff.reset()
            return settle(check, owed: owed)
        }
        if case .error(let text) = reply, text.hasPrefix("NOSCRIPT") {
            reloadScript(channel)
        } else {
            // A replica that takes no writes, a Redis that has no memory left: another connection may fare better.
            refuse(reply, to: "EVALSHA")
        }
        if let taker = check.taker { giveUp(taker, .away) }
    }

    /// Somebody emptied the script cache. It is filled again once, and until then the local share answers: sending the
    /// script's text with each check that was on its way would be no faster.
    private func reloadScript(_ channel: Channel) {
        guard case .ready = state.pointee.phase else { return }
        state.pointee.phase = .greeting(channel, .loadScript)
        state.pointee.readyBy = loop.now &+ options.connectTimeout
        loop.metrics.set(.redisConnected, 0)
        loadScript(channel)
        loop.flushAtTurnEnd(channel)
        rearm(channel)
    }

    func refuse(_ reply: RedisReply, to command: String) {
        let answer = if case .error(let text) = reply { text } else { "an answer of another kind" }
        fail(.refused(url: url.description, command: command, answer: RedisProblem.shown(answer, to: command)))
    }

    // MARK: Time

    /// Gives up what is overdue, and the connection if it is silent for too long.
    func timedOut(_ channel: Channel) {
        guard isCurrent(channel) else { return }
        let now = loop.now
        while now >= options.budget, let taker = state.pointee.checks.takeOverdue(sentBy: now - options.budget) {
            giveUp(taker, .slow)
            guard isCurrent(channel) else { return }
        }
        guard now < min(silentAt, state.pointee.readyBy) else { return fail(.silent(url: url.description)) }
        rearm(channel)
    }

    /// Waits for the next of what `timedOut` looks at.
    func rearm(_ channel: Channel) {
        let overdueAt = state.pointee.checks.oldestExpectedSentAt.map { $0 &+ options.budget } ?? .max
        channel.setDeadline(min(overdueAt, silentAt, state.pointee.readyBy), on: loop)
    }

    private var silentAt: Nanoseconds {
        state.pointee.checks.oldestSentAt.map { $0 &+ options.silenceMax } ?? .max
    }
}
