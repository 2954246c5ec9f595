// SPDX-License-Identifier: Apache-2.0
// What an API server's answers come to: what is asked next, and what the listener is told. On the loop's thread.

import WeirEventLoop

extension KubernetesWatch {
    // MARK: Answers

    func takeList(_ answer: Result<FetchClient.Answer, FetchFault>, from address: SocketAddress) {
        guard let answer = accepted(answer, verb: "list") else { return }
        guard let page = KubernetesJSON<Query.Table.Object>.list(answer.body) else { return fail(malformed) }
        listing.pageCount += 1
        guard listing.table.add(page), listing.pageCount <= Self.pagesMax else { return fail(query.tooMany) }
        listing.continuation = page.continuation
        if page.continuation == nil {
            table = listing.table
            isStale = false
            tell()
            guard phase != .stopped else { return }
        }
        // The rest of the list, or what becomes of it; the connection is there.
        ask(address)
    }

    private var malformed: KubernetesProblem { .malformed(server: api.description, subject: query.subject) }

    func opened() {
        hasMissedVersion = false
        if isFailing { tell() }
    }

    func takeEvent(_ line: [UInt8]) {
        guard let event = KubernetesJSON<Query.Table.Object>.event(line) else {
            return relist(after: malformed)
        }
        switch table.apply(event) {
        case .changed:
            backoff.reset()
            tellSoon()
        case .unchanged: backoff.reset()
        case .expired: relist(after: nil)
        case .failed(let status): relist(after: .refused(server: api.description, status))
        case .tooMany: relist(after: query.tooMany)
        }
    }

    /// A watch that was good until it ended is only gone on with, however it ended.
    func ended(_ answer: Result<FetchClient.Answer, FetchFault>, hasOpened: Bool) {
        guard hasOpened else {
            _ = accepted(answer, verb: "watch")
            return
        }
        if case .failure(let fault) = answer {
            switch fault {
            case .lost, .timedOut: break
            default: return relist(after: .unanswered(server: api.description, fault))
            }
        } else {
            backoff.reset()
        }
        wait(until: max(loop.now, askedAt &+ Self.intervalMin))
    }

    /// The answer where its status is 200; else what follows from it has begun.
    private func accepted(
        _ answer: Result<FetchClient.Answer, FetchFault>,
        verb: String
    ) -> FetchClient.Answer? {
        switch answer {
        case .failure(let fault): fail(.unanswered(server: api.description, fault))
        case .success(let answer):
            switch answer.status {
            case 200:
                hasMissedVersion = false
                return answer
            case KubernetesOutcome.goneStatus: relist(after: nil)
            default: refused(answer, verb)
            }
        }
        return nil
    }

    private func refused(_ answer: FetchClient.Answer, _ verb: String) {
        let message = APIStatus(parsing: answer.body).map { Array($0.message.utf8) } ?? answer.body
        let shown = message.shownInLine(bytesMax: 240)
        let after = answer.value.flatMap { Nanoseconds($0) }.map { min($0, 60) * 1_000_000_000 } ?? 0
        switch answer.status {
        case 401: fail(.unauthorized(server: api.description))
        case 403: fail(query.forbidden(verb: verb, message: shown))
        case 404:
            let other = query.other(than: version)
            isStale = true
            guard !hasMissedVersion, other != version else { return fail(query.unknown(server: api.description)) }
            version = other
            hasMissedVersion = true
            wait(until: loop.now)
        default:
            let status = APIStatus(code: answer.status, message: shown)
            fail(.refused(server: api.description, status), atLeast: after)
        }
    }

    // MARK: What follows

    /// What is known is listed anew, because the server cannot go on from it.
    private func relist(after problem: KubernetesProblem?) {
        client.close()
        isStale = true
        if let problem { return fail(problem) }
        var random = SystemRandomNumberGenerator()
        wait(until: loop.now &+ backoff.next(using: &random))
    }

    func fail(_ problem: KubernetesProblem, atLeast least: Nanoseconds = 0) {
        // In the order in which it was learnt.
        if isTelling { tell() }
        isFailing = true
        listener.failed(problem)
        guard phase != .stopped else { return }
        var random = SystemRandomNumberGenerator()
        let refused: RefusedToken? =
            if case .unauthorized = problem { RefusedToken(token, in: api.account) } else { nil }
        wait(until: loop.now &+ max(least, backoff.next(using: &random)), refused)
    }

    private func wait(until instant: Nanoseconds, _ refused: RefusedToken? = nil) {
        phase = .waiting(until: instant, refused)
        let next = refused == nil ? instant : min(instant, loop.now &+ RefusedToken.lookInterval)
        loop.schedule(timer, at: next)
    }

    /// The time is up, or a refused token's file is to be looked at.
    func wake() {
        guard case .waiting(let instant, let refused?) = phase, loop.now < instant else { return ask() }
        guard refused.isReplaced else { return wait(until: instant, refused) }
        backoff.reset()
        ask()
    }

    // MARK: Telling

    /// At the end of the turn, with all that has come by then; a while after the last time.
    private func tellSoon() {
        guard !isTelling else { return }
        isTelling = true
        loop.schedule(tellTimer, at: max(loop.now, toldAt &+ Self.tellInterval))
    }

    func tell() {
        if isTelling { loop.cancel(tellTimer) }
        isTelling = false
        isFailing = false
        toldAt = loop.now
        listener.found(table)
    }
}
