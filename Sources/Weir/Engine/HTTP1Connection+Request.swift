// SPDX-License-Identifier: Apache-2.0
// From a complete head to whoever answers it, and the request's body on its way there.

import WeirEventLoop
import WeirHTTP
import WeirMetrics
import WeirRouting

extension HTTP1Connection {
    /// Routes a request whose head is complete, and hands it to its handler.
    func begin(_ exchange: Exchange, _ bytes: UnsafeRawBufferPointer, isRepeated: Bool) {
        let head = exchange.parser.pointee.head
        let now = loop.now
        requestCount += 1
        metrics.increment(.requests)
        if peer.isEarly { metrics.increment(.earlyRequests) }
        exchange.routeIndex = -1
        exchange.isAnsweredAtOnce = false
        exchange.status = 0
        channel.setIdle(since: .max)
        exchange.connection = self
        exchange.startedAt = now
        exchange.sequence = owner.nextSequence()
        exchange.sink = .discard(byteCount: 0)
        exchange.limitsReference = nil
        switch head.framing {
        case .none, .length(0): exchange.input = .done
        case .length(let count): exchange.input = .length(remaining: count)
        case .chunked:
            exchange.parts.pointee.decoder = ChunkedDecoder(limits: configuration.http)
            exchange.input = .chunked
        }
        exchange.owesContinue = head.expectsContinue && !exchange.input.isDone
        if !exchange.input.isDone { beginBodyClock() }
        isLast = isLast || !head.keepsAlive || requestCount >= configuration.requestsPerConnection
        if isRepeated, let route = exchange.routeReference {
            return route._withUnsafeGuaranteedRef { route in
                exchange.routeIndex = route.index
                hand(exchange, to: route, head)
            }
        }
        // Patterns, not `==`: an enum of another module is compared by a call.
        switch (head.form, head.method) {
        case (.authority, _):
            keepUnrouted(exchange, bytes)
            // What is behind was meant for the tunnel, whoever wrote it, and is no request to us.
            isLast = true
            return answer(exchange, .notImplemented)
        case (.asterisk, _):
            keepUnrouted(exchange, bytes)
            return respond(exchange, Response(.noContent, headers: ["Allow": owner.snapshot.allow]))
        case (.origin, _), (.absolute, _):
            break
        }
        let outcome = lookUp(exchange, head, bytes)
        guard case .found = outcome else {
            let allowed = exchange.match.pointee.allowed
            keepUnrouted(exchange, bytes)
            // A method that no handler can have; only endpoints may know it.
            if case .other = head.method { return answer(exchange, .notImplemented) }
            return answerUnrouted(exchange, outcome, allowed)
        }
        exchange.keepHead(bytes, normalizedPath: owner.scratch)
        var route = owner.snapshot.routes[Int(exchange.match.pointee.route)]
        var dependsOnClient = false
        if let chain = route.chain {
            if chain.asksClient {
                dependsOnClient = true
                exchange.clientCertificate = clientCertificate
            }
            guard let index = chain.route(for: exchange) else {
                keepUnrouted(exchange, bytes)
                return answer(exchange, .notFound)
            }
            route = owner.snapshot.routes[index]
        }
        if exchange.route !== route { exchange.route = route }
        exchange.routeIndex = route.index
        if !dependsOnClient { exchange.keepForRepetition(version: owner.snapshot.version) }
        hand(exchange, to: route, head)
    }

    /// Keeps the head of a request that no route takes, for the id in its answer.
    private func keepUnrouted(_ exchange: Exchange, _ bytes: UnsafeRawBufferPointer) {
        exchange.route = nil
        exchange.peer = peer
        if peer.isSecure { exchange.clientCertificate = clientCertificate }
        exchange.match.pointee = RouteMatch()
        exchange.keepHead(bytes, normalizedPath: owner.scratch)
    }

    private func answerUnrouted(_ exchange: Exchange, _ outcome: RouteOutcome, _ allowed: MethodSet) {
        switch outcome {
        case .found:
            break
        case .automaticOptions:
            respond(exchange, Response(.noContent, headers: ["Allow": allowed.allowHeader]))
        case .methodNotAllowed:
            answer(exchange, .methodNotAllowed, headers: ["Allow": allowed.allowHeader])
        case .notFound:
            answer(exchange, .notFound)
        case .invalidPath(let fault):
            answer(exchange, .badRequest, fault.reason)
        }
    }

    private func lookUp(_ exchange: Exchange, _ head: RequestHead, _ bytes: UnsafeRawBufferPointer) -> RouteOutcome {
        let table = owner.snapshot.table
        // Ranges of this head lie within the bytes that the parser saw.
        let span = Span<UInt8>(_unsafeBytes: bytes)
        var scratch = MutableSpan<UInt8>(
            _unsafeStart: owner.scratch.assumingMemoryBound(to: UInt8.self),
            count: configuration.http.requestLineBytesMax
        )
        let host = span.extracting(head.authority.bounds)
        if head.path.isEmpty {
            // An absolute-form target without a path means the root.
            let root: StaticString = "/"
            let path = Span<UInt8>(_unsafeStart: root.utf8Start, count: 1)
            return table.lookup(
                method: head.method.rawValue,
                host: host,
                path: path,
                match: &exchange.match.pointee,
                scratch: &scratch
            )
        }
        return table.lookup(
            method: head.method.rawValue,
            host: host,
            path: span.extracting(head.path.bounds),
            match: &exchange.match.pointee,
            scratch: &scratch
        )
    }

    private func hand(_ exchange: Exchange, to route: Route, _ head: RequestHead) {
        exchange.peer = peer
        if peer.isSecure { exchange.clientCertificate = clientCertificate }
        if isPeerTrusted { resolveClient(exchange) }
        if configuration.redirectPort != 0, !peer.isSecure, redirectsToTLS(exchange, head) { return }
        route.tagsReference?._withUnsafeGuaranteedRef { exchange.tag = $0.place(for: exchange) }
        exchange.beginDeadline(of: route)
        if let watch = route.watchReference,
            !watch._withUnsafeGuaranteedRef({ passesGuard(exchange, route, $0) })
        {
            return
        }
        if exchange.budget == 0 { return refuseExpired(exchange) }
        if let limits = route.limits, !passesLimits(exchange, limits) { return }
        proceed(exchange, route)
    }

    /// Goes on with a request that its limits let pass: has its body collected, or asks for its place.
    func proceed(_ exchange: Exchange, _ route: Route) {
        guard route.collectsBody, !exchange.input.isDone else { return admit(exchange, route) }
        // What the loops can never hold is too large, whatever the route says.
        let bytesMax = min(route.bodyBytesMax, exchange.collectedBytesMax)
        if case .length(let count) = exchange.input {
            if count > UInt64(bytesMax) { return refuseBody(exchange) }
            if exchange.hasLongBodyLeft, !loop.hasRoom(toHold: Int(count)) { return refuseForMemory(exchange) }
        }
        exchange.sink = .collect(bytesMax: bytesMax)
        // Bodies of the admin port are short. One that stands still keeps no probe out.
        if owner.server.isAdmin { channel.setIdle(since: loop.now, isNew: true) }
        // While the body comes, its own timeout rules; the handler has the whole of the route's limit. What the client
        // said goes on: it may be gone before its body is whole.
        exchange.deadline = exchange.callerDeadline
        sendContinue(exchange)
    }

    /// Hands an admitted request to whoever answers it.
    func execute(_ exchange: Exchange, _ route: Route) {
        if route.upstreamIndex >= 0 { return owner.forward(exchange, by: route) }
        switch route.handler {
        case .loop, .workers:
            run(exchange, route)
        case .async:
            exchange.sink = .stream
            owner.start(exchange)
        case .asyncOnWorkers:
            exchange.sink = .stream
            owner.startOnWorkers(exchange)
        case .proxy(let upstream):
            owner.forward(exchange, to: upstream)
        }
    }

    /// Runs a synchronous handler, whose body is whole.
    private func run(_ exchange: Exchange, _ route: Route) {
        exchange.isBodyWhole = true
        switch route.handler {
        case .loop(let handler):
            exchange.isAnsweredAtOnce = true
            do {
                let response = try handler(Request(exchange: exchange), RequestContext(exchange: exchange))
                owner.noteHeld(by: route)
                respond(exchange, response)
            } catch {
                owner.noteHeld(by: route)
                owner.fail(exchange, error)
            }
        case .workers:
            if !owner.server.submit(exchange) { owner.fail(exchange, WorkerQueueFull(owner.server.workers)) }
        case .async, .asyncOnWorkers, .proxy:
            break
        }
    }

    /// Tells a client that waits for it to send its body (RFC 9110 section 10.1.1).
    func sendContinue(_ exchange: Exchange) {
        guard exchange.owesContinue, exchange.output.isPending else { return }
        exchange.owesContinue = false
        let text: StaticString = "HTTP/1.1 100 Continue\r\n\r\n"
        loop.send(channel, UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
        if !isReceiving { loop.flush(channel) }
    }

    // MARK: The body

    private func refuseBody(_ exchange: Exchange) {
        metrics.increment(.parseFault413)
        isLast = true
        answer(exchange, .contentTooLarge)
    }

    /// Answers a request for which there is no memory.
    private func refuseForMemory(_ exchange: Exchange) {
        refuse(exchange, AdmissionRefused(reason: .memory, retryAfterSeconds: ServerLoop.memoryRetrySeconds))
    }

    /// Refuses a head that is long and not there yet, because there is no memory to keep it in.
    func refuseHead(_ exchange: Exchange) {
        beginUnrouted(exchange)
        isLast = true
        refuseForMemory(exchange)
    }

    /// Takes what it can of the body; 0 when it needs more.
    func receiveBody(_ exchange: Exchange, _ bytes: UnsafeRawBufferPointer) -> Int {
        switch exchange.input {
        case .done:
            return 0
        case .length(let remaining):
            let count = Int(min(UInt64(bytes.count), remaining))
            guard count > 0 else { return 0 }
            let rest = remaining - UInt64(count)
            exchange.input = rest == 0 ? .done : .length(remaining: rest)
            absorb(exchange, UnsafeRawBufferPointer(rebasing: bytes[..<count]))
            if rest == 0 { bodyEnded(exchange) }
            return count
        case .chunked:
            return receiveChunk(exchange, bytes)
        }
    }

    private func receiveChunk(_ exchange: Exchange, _ bytes: UnsafeRawBufferPointer) -> Int {
        // The bytes are the loop's, valid during this call.
        let span = Span<UInt8>(_unsafeBytes: bytes)
        switch exchange.parts.pointee.decoder.next(span) {
        case .data(let skip, let count):
            absorb(exchange, UnsafeRawBufferPointer(rebasing: bytes[skip..<(skip + count)]))
            return skip + count
        case .incomplete(let consumed):
            guard bytes.count - consumed >= BufferBudget.smallPieceBytes, !loop.mayHold(BufferBudget.longPieceBytes)
            else { return consumed }
            // Trailers that are long, and not there yet.
            exchange.inputFailure = .disconnected
            isLast = true
            exchange.cancel()
            if exchange.output.isPending { refuseForMemory(exchange) } else { breakOff() }
            return bytes.count
        case .end(let consumed, let section):
            var iterator = TrailerIterator(section)
            while let field = iterator.next(span) {
                let name = String(decoding: bytes[field.name.bounds], as: UTF8.self)
                exchange.parts.pointee.trailers.append(
                    (name, String(decoding: bytes[field.value.bounds], as: UTF8.self))
                )
            }
            exchange.input = .done
            bodyEnded(exchange)
            return consumed
        case .invalid(let fault):
            metrics.increment(.parseFault(status: fault.status))
            exchange.inputFailure = .malformed
            isLast = true
            exchange.cancel()
            if exchange.output.isPending {
                answer(exchange, Status(fault.status), "\(fault.reason)")
            } else {
                breakOff()
            }
            return bytes.count
        }
    }

    private func absorb(_ exchange: Exchange, _ bytes: UnsafeRawBufferPointer) {
        bodyPace.take(bytes.count)
        bodyTakenAt = loop.now
        exchange.bodyBytesIn &+= UInt64(bytes.count)
        switch exchange.sink {
        case .collect(let bytesMax):
            let count = exchange.parts.pointee.collected.count + bytes.count
            if count > bytesMax { return refuseBody(exchange) }
            if count > BufferBudget.smallPieceBytes, !loop.mayHold(bytes.count) { return refuseForMemory(exchange) }
            exchange.collect(bytes)
        case .stream:
            exchange.parts.pointee.pieces.append(bytes)
            exchange.noteHeld()
            if !exchange.input.isDone,
                exchange.parts.pointee.pieces.byteCount >= loop.window(configuration.bodyWindowBytes)
            {
                // The reader holds the sender back.
                stopBodyClock()
                channel.pause()
            }
            exchange.wakeReader()
        case .forward:
            exchange.proxy?.take(bytes)
        case .discard(let byteCount):
            exchange.sink = .discard(byteCount: byteCount + bytes.count)
            if byteCount + bytes.count > ServerConfiguration.discardBytesMax, exchange.output.isDone {
                isLast = true
                complete(exchange)
            }
        }
    }

    private func bodyEnded(_ exchange: Exchange) {
        // An answer that refused the body may have ended the exchange.
        guard isAt(exchange) else { return }
        exchange.wholeAt = loop.now
        readDeadline = .max
        exchange.owesContinue = false
        restartDeadline(exchange)
        switch exchange.sink {
        case .collect:
            if owner.server.isAdmin { channel.setIdle(since: .max) }
            if let route = exchange.route { admit(exchange, route) }
        case .stream: exchange.wakeReader()
        case .forward: exchange.proxy?.bodyEnded()
        case .discard: if exchange.output.isDone { complete(exchange) }
        }
    }

    /// An endpoint takes the body slower than it comes: the sender is held back.
    func bodyWindowFilled() {
        stopBodyClock()
        channel.pause()
        updateDeadline()
    }

    /// The reader has taken from a full window: the sender may go on.
    func bodyWindowOpened(_ exchange: Exchange) {
        guard isAt(exchange), channel.isPaused, !exchange.input.isDone else { return }
        resumeBodyClock()
        updateDeadline()
        channel.resume(on: loop)
    }
}

extension PathFault {
    /// What is wrong, for the client.
    fileprivate var reason: String {
        switch self {
        case .notAbsolute: "the path does not begin with a slash"
        case .invalidEscape: "the path has a percent sign without two hexadecimal digits"
        case .controlByte: "the path has a control byte"
        case .encodedSlash: "the path has an encoded slash or backslash"
        case .backslash: "the path has a backslash"
        case .aboveRoot: "the path leads above the root"
        }
    }
}
