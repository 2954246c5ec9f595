// SPDX-License-Identifier: Apache-2.0
// A file as a response body: opened and read on the worker pool, sent by the loop, one piece at a time.

import Glibc
import WeirEventLoop
import WeirMetrics

extension ServerLoop {
    /// Answers with the file at `path`; 404 if there is none, 503 if the workers have no room.
    func sendFile(_ path: String, _ response: Response, for exchange: Exchange) {
        let sender = FileSender(path: path, response: response, exchange: exchange)
        if server.submit(sender) { return }
        sender.giveBack()
        fail(exchange, WorkerQueueFull(server.workers))
    }
}

/// Sends one file. The steps alternate between a worker (open, read) and the loop (write, wait for room), so the two
/// never touch it at the same time (`@unchecked Sendable`).
final class FileSender: @unchecked Sendable {
    private static let pieceByteCount = 64 << 10
    private static let smallPieceByteCount = BufferBudget.smallPieceBytes

    private let path: String
    private let response: Response
    private let exchange: Exchange
    private var descriptor: Int32 = -1
    private var openError: Int32 = 0
    private var remaining = 0
    private var hasBegun = false
    /// Set on the loop before each step.
    private var wanted = 0
    private var piece: [UInt8] = []

    init(path: String, response: Response, exchange: Exchange) {
        self.path = path
        self.response = response
        self.exchange = exchange
        chooseSize()
    }

    private var loop: EventLoop { exchange.owner.loop }

    /// A piece is memory of the connection's from the choice of its size until it is written.
    private func chooseSize() {
        wanted = loop.isShortOfBuffers ? Self.smallPieceByteCount : Self.pieceByteCount
        loop.noteHeld(wanted)
    }

    /// The piece is gone, or will not be read.
    fileprivate func giveBack() {
        piece = []
        loop.noteHeld(-wanted)
        wanted = 0
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// A worker's step: opens the file, or reads the next piece.
    static let step: WorkerJob.Function = { pointer in
        let sender = Unmanaged<FileSender>.fromOpaque(pointer).takeRetainedValue()
        if sender.hasBegun { sender.read() } else { sender.openFile() }
        sender.loop.submit { _ in sender.resume() }
    }

    private func openFile() {
        // Without O_NONBLOCK opening a pipe would hold the worker until somebody writes to it.
        repeat {
            descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        } while descriptor < 0 && errno == EINTR
        guard descriptor >= 0 else {
            openError = errno
            return
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            descriptor = -1
            return
        }
        remaining = Int(status.st_size)
        read()
    }

    private func read() {
        let wanted = min(remaining, wanted)
        guard wanted > 0 else {
            piece = []
            return
        }
        piece = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, count in
            while count < wanted, let base = buffer.baseAddress {
                let result = Glibc.read(descriptor, base + count, wanted - count)
                if result < 0, errno == EINTR { continue }
                if result <= 0 { break }
                count += result
            }
        }
    }

    /// The loop's step: writes what was read, and asks for more when there is room.
    private func resume() {
        let goesOn = writePiece()
        giveBack()
        guard goesOn, let connection = exchange.connection else { return }
        guard remaining > 0 else { return connection.endStream(exchange) }
        if connection.isOutputFull {
            exchange.writers.append(.call { [self] in if exchange.connection != nil { readOn() } })
        } else {
            readOn()
        }
    }

    /// Whether more is to follow, or the end.
    private func writePiece() -> Bool {
        guard let connection = exchange.connection else { return false }
        if !hasBegun {
            hasBegun = true
            guard descriptor >= 0 else {
                answerUnopened(connection)
                return false
            }
            var head = response
            head.body = .stream(length: remaining) { _ in }
            connection.respond(exchange, head)
            // HEAD and the like are answered by the head alone.
            guard exchange.connection != nil, exchange.awaitsWriter else { return false }
        }
        if piece.isEmpty, remaining > 0 {
            // The file became shorter while it was sent: the client must not take the part for the whole.
            connection.breakOff()
            return false
        }
        remaining -= piece.count
        return piece.withUnsafeBytes { connection.write(exchange, $0) }
    }

    private func answerUnopened(_ connection: HTTP1Connection) {
        switch openError {
        case EMFILE, ENFILE, ENOMEM:
            let reason: AccessReason = openError == ENOMEM ? .memory : .descriptors
            connection.refuse(exchange, AdmissionRefused(reason: reason, retryAfterSeconds: 1))
        case EIO:
            // The disk's fault, not a refusal of ours.
            connection.answer(exchange, .serviceUnavailable, headers: ["Retry-After": "1"])
        default:
            // Whether a file is there and may not be read is nobody's business.
            connection.answer(exchange, .notFound)
        }
    }

    private func readOn() {
        chooseSize()
        // Beyond the queue's bound too: what was begun is sent to its end.
        exchange.owner.server.submitBegun(self)
    }
}
