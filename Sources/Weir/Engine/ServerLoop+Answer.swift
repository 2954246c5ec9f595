// SPDX-License-Identifier: Apache-2.0
// From what a handler returned or threw to the connection, wherever the handler ran.

import Logging
import Synchronization
import WeirEventLoop
import WeirMetrics

extension ServerLoop {
    /// Hands a handler's response to the connection, and runs a streamed body to its end. On the loop's thread.
    func deliver(_ response: Response, for exchange: Exchange) async {
        guard let connection = exchange.connection else { return }
        connection.respond(exchange, response)
        guard case .stream(_, let produce) = response.body, exchange.connection != nil else { return }
        guard exchange.awaitsWriter else { return }
        do {
            try await produce(ResponseWriter(exchange: exchange))
            exchange.connection?.endStream(exchange)
        } catch {
            failStream(exchange, error)
        }
    }

    /// Answers for a handler that threw.
    func fail(_ exchange: Exchange, _ error: any Error) {
        guard let connection = exchange.connection else { return }
        if error is CancellationError, exchange.isCancelled.load(ordering: .relaxed) {
            // The client has had its answer, or has ended its side, and the handler gave up for that: then, as with what
            // waits or is passed on, there is none.
            if exchange.output.isPending { connection.breakOff() }
            return
        }
        connection.respond(exchange, response(for: error, exchange))
    }

    func failStream(_ exchange: Exchange, _ error: any Error) {
        guard let connection = exchange.connection else { return }
        let isClients = error is ResponseWriterError || error is RequestBodyError || error is CancellationError
        if !isClients {
            logHandlerError(exchange, error, "the body of a response failed")
        }
        connection.breakOff()
    }

    /// What an error that a handler threw means to the client.
    func response(for error: any Error, _ exchange: Exchange) -> Response {
        switch error {
        case let error as HTTPError:
            return Problem.response(error, exchange: exchange)
        case let error as RequestBodyError:
            switch error {
            case .tooLarge: metrics.increment(.parseFault413)
            case .notWhole: logHandlerError(exchange, error, "a handler failed")
            case .noMemory:
                metrics.recordRejection(.memory, route: exchange.routeIndex)
                exchange.reason = .memory
            case .timedOut, .disconnected, .malformed: break
            }
            let headers: Headers = error == .noMemory ? ["Retry-After": "\(Self.memoryRetrySeconds)"] : Headers()
            return Problem.response(HTTPError(error.status, error.message, headers: headers), exchange: exchange)
        case let error as WorkerQueueFull:
            metrics.recordRejection(.queueFull, route: exchange.routeIndex)
            exchange.reason = .queueFull
            return Problem.response(error.answer, exchange: exchange)
        case let error as BackgroundQueueFull:
            metrics.recordRejection(.queueFull, route: exchange.routeIndex)
            exchange.reason = .queueFull
            return Problem.response(error.answer, exchange: exchange)
        case let error as RequestError:
            return Problem.response(HTTPError(.badRequest, error.message), exchange: exchange)
        case let error as ClientError where error.answer != nil:
            return response(forUpstream: error, exchange)
        default:
            logHandlerError(exchange, error, "a handler failed")
            return Problem.response(HTTPError(.internalServerError), exchange: exchange)
        }
    }

    /// A handler lets through that an upstream gave it no response.
    private func response(forUpstream error: ClientError, _ exchange: Exchange) -> Response {
        guard let answer = error.answer else { return Problem.response(HTTPError(.badGateway), exchange: exchange) }
        switch error {
        case .busy: metrics.recordRejection(.noEndpoint, route: exchange.routeIndex)
        case .deadlineExceeded:
            metrics.increment(.timeoutsDeadline)
            metrics.recordRejection(.deadlineExceeded, route: exchange.routeIndex)
        case .deadlineUnmeetable: metrics.recordRejection(.deadlineUnmeetable, route: exchange.routeIndex)
        default: break
        }
        exchange.reason = answer.reason
        let headers: Headers = answer.status == .serviceUnavailable ? ["Retry-After": "1"] : Headers()
        return Problem.response(HTTPError(answer.status, answer.message, headers: headers), exchange: exchange)
    }

    func logHandlerError(_ exchange: Exchange, _ error: any Error, _ message: Logger.Message) {
        metrics.increment(.handlerErrors)
        server.logger.error(
            message,
            metadata: [
                "request_id": .string(RequestContext(exchange: exchange).requestID),
                "route": .string(exchange.route?.pattern ?? ""),
                "error": .string(String(describing: error)),
            ]
        )
    }

    // MARK: Workers

    /// What a worker does with an exchange that was handed to it (retained).
    static let runOnWorker: WorkerJob.Function = { pointer in
        // Retained by `ServerShared.submit`, released by `finishFromWorker`.
        let exchange = Unmanaged<Exchange>.fromOpaque(pointer).takeUnretainedValue()
        if case .workers(let handler) = exchange.route?.handler, !exchange.isAbandoned.load(ordering: .relaxed) {
            exchange.outcome = Result {
                try handler(Request(exchange: exchange), RequestContext(exchange: exchange))
            }
        }
        exchange.owner.loop.submit(finishFromWorker, pointer)
    }

    private static let finishFromWorker: Message.Function = { _, pointer in
        let exchange = Unmanaged<Exchange>.fromOpaque(pointer).takeRetainedValue()
        let owner = exchange.owner
        exchange.isOnWorker = false
        if let outcome = exchange.outcome {
            exchange.outcome = nil
            owner.finish(exchange, outcome)
        }
        owner.handlerEnded(exchange)
        owner.retire(exchange)
    }

    private func finish(_ exchange: Exchange, _ outcome: Result<Response, any Error>) {
        guard let connection = exchange.connection else { return }
        switch outcome {
        case .success(let response):
            if case .stream = response.body {
                startStreamOnWorkers(exchange, response)
            } else {
                connection.respond(exchange, response)
            }
        case .failure(let error):
            fail(exchange, error)
        }
    }

    /// Produces a streamed body that a handler on the loop returned, in a task of the loop.
    func startStream(_ exchange: Exchange, _ response: Response) {
        exchange.streamed = response
        start(exchange)
    }

    /// Produces a streamed body that a handler on a worker returned, on the workers: it may block as the handler may.
    private func startStreamOnWorkers(_ exchange: Exchange, _ response: Response) {
        exchange.workerTask = Task(executorPreference: server.workers) {
            await self.deliverFromElsewhere(response, for: exchange)
            self.loop.submit { _ in
                exchange.workerTask = nil
                self.handlerEnded(exchange)
                self.retire(exchange)
            }
        }
    }

    /// Answers `exchange` by a task on the worker pool; a task of its own, because it may block its worker.
    func startOnWorkers(_ exchange: Exchange) {
        guard case .asyncOnWorkers(let handler) = exchange.route?.handler, server.hasRoomForWork else {
            fail(exchange, WorkerQueueFull(server.workers))
            return
        }
        exchange.leftTheCodec = true
        exchange.workerTask = Task(executorPreference: server.workers) {
            do {
                let response = try await exchange.answer(handler)
                await self.deliverFromElsewhere(response, for: exchange)
            } catch {
                self.loop.submit { _ in self.fail(exchange, error) }
            }
            self.loop.submit { _ in
                exchange.workerTask = nil
                self.handlerEnded(exchange)
                self.retire(exchange)
            }
        }
    }

    private func deliverFromElsewhere(_ response: Response, for exchange: Exchange) async {
        let awaitsWriter = await withUnsafeContinuation { continuation in
            loop.submit { _ in
                exchange.connection?.respond(exchange, response)
                continuation.resume(returning: exchange.connection != nil && exchange.awaitsWriter)
            }
        }
        guard awaitsWriter, case .stream(_, let produce) = response.body else { return }
        do {
            try await produce(ResponseWriter(exchange: exchange))
            loop.submit { _ in exchange.connection?.endStream(exchange) }
        } catch {
            loop.submit { _ in self.failStream(exchange, error) }
        }
    }
}
