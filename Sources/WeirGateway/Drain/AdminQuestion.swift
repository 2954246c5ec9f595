// SPDX-License-Identifier: Apache-2.0
// One request to an admin port and its answer, over TCP, TLS or a Unix socket.

import Glibc
import Weir
import WeirEventLoop
import WeirTLS

/// What a page has answered.
struct AdminAnswer {
    let place: AdminPlace
    let status: Int
    /// Its body, without the line's end.
    let text: String
}

/// Why there is no answer. `description` is one line.
enum AdminFailure: Error, CustomStringConvertible {
    /// No address of `WEIR_ADMIN_LISTEN` can be asked.
    case unknown
    /// With the error number of the last.
    case nothingListens([AdminPlace], errno: Int32)
    case system(AdminPlace, call: String, errno: Int32)
    case tls(AdminPlace, reason: String)
    /// The connection ended, or what came is no response of HTTP.
    case noAnswer(AdminPlace)
    case refused(place: AdminPlace, status: Int, text: String)
    case timedOut

    var description: String {
        switch self {
        case .unknown:
            return "WEIR_ADMIN_LISTEN names no port that can be asked; expected one such as :9901"
        case .nothingListens(let places, let errno):
            let names = places.map(\.description).joined(separator: ", ")
            return "no Weir listens on \(names) (WEIR_ADMIN_LISTEN): \(String(cString: strerror(errno)))"
        case .system(let place, let call, let errno): return "\(place): \(call): \(String(cString: strerror(errno)))"
        case .tls(let place, let reason): return "\(place): \(reason)"
        case .noAnswer(let place): return "\(place) ended the connection without an answer; is it an admin port?"
        case .refused(let place, 403, let text): return "\(place) refuses: \(text); set WEIR_ADMIN_TOKEN"
        case .refused(let place, let status, _): return "\(place) answers \(status); is it the admin port of a Weir?"
        case .timedOut: return "no answer in time"
        }
    }
}

/// A page that is asked for once.
struct AdminQuestion {
    let path: String
    /// Empty for none.
    let token: String

    /// More than any page says that is asked for so.
    private static let answerBytesMax = 64 << 10

    /// Asks the first place at which somebody listens.
    func ask(_ places: [AdminPlace], until end: ContinuousClock.Instant) throws(AdminFailure) -> AdminAnswer {
        var last = ENOENT
        for place in places {
            do throws(AdminFailure) {
                let connection = try AdminConnection(to: place, until: end)
                let bytes = try place.isTLS ? askTLS(connection) : askPlain(connection)
                return try answer(bytes, of: place)
            } catch .nothingListens(_, let errno) {
                last = errno
            }
        }
        throw .nothingListens(places, errno: last)
    }

    private var request: [UInt8] {
        let authorization = token.isEmpty ? "" : "Authorization: Bearer \(token)\r\n"
        return Array("POST \(path) HTTP/1.1\r\nHost: localhost\r\n\(authorization)Connection: close\r\n\r\n".utf8)
    }

    private func answer(_ bytes: [UInt8], of place: AdminPlace) throws(AdminFailure) -> AdminAnswer {
        let text = String(decoding: bytes, as: UTF8.self)
        let words = text.prefix { $0 != "\r\n" }.split(separator: " ", maxSplits: 2)
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]),
            let head = text.firstRange(of: "\r\n\r\n")
        else { throw .noAnswer(place) }
        let firstLine = text[head.upperBound...].prefix { !$0.isNewline }
        return AdminAnswer(place: place, status: status, text: String(firstLine))
    }

    private func askPlain(_ connection: borrowing AdminConnection) throws(AdminFailure) -> [UInt8] {
        try connection.send(request)
        var answer: [UInt8] = []
        while answer.count < Self.answerBytesMax {
            let bytes = try connection.receive()
            guard !bytes.isEmpty else { break }
            answer += bytes
        }
        return answer
    }

    /// What a session wants to have sent.
    private final class Outgoing {
        var bytes: [UInt8] = []

        func take() -> [UInt8] {
            defer { bytes = [] }
            return bytes
        }
    }

    /// Without a look at the certificate: it is for the names that clients of the pod use, and the connection does not
    /// leave the pod.
    private func askTLS(_ connection: borrowing AdminConnection) throws(AdminFailure) -> [UInt8] {
        let outgoing = Outgoing()
        defer { withExtendedLifetime(outgoing) {} }
        let session = try start(outgoing, connection.place)
        var (answer, isAsked) = ([UInt8](), false)
        while answer.count < Self.answerBytesMax {
            try connection.send(outgoing.take())
            let input = try connection.receive()
            guard !input.isEmpty else { break }
            var plain = [UInt8](repeating: 0, count: input.count + TLSSession.recordRoom)
            let received = input.withUnsafeBytes { input in
                plain.withUnsafeMutableBytes { session.receive(input, into: $0) }
            }
            answer += plain[..<received.count]
            switch received.state {
            case .open: break
            case .ended: return answer
            case .failed(let fault): throw .tls(connection.place, reason: session.failure(fault).text)
            }
            if session.isEstablished, !isAsked {
                isAsked = true
                _ = request.withUnsafeBytes { session.send($0) }
            }
        }
        return answer
    }

    private func start(_ outgoing: Outgoing, _ place: AdminPlace) throws(AdminFailure) -> TLSClientSession {
        let context: TLSClientContext
        do throws(TLSError) {
            context = try TLSClientContext(.none)
        } catch {
            throw .tls(place, reason: "\(error)")
        }
        let made = TLSClientSession(
            context,
            to: place.address.host,
            resuming: nil,
            output: { argument, bytes, count in
                let outgoing = Unmanaged<Outgoing>.fromOpaque(argument).takeUnretainedValue()
                outgoing.bytes += UnsafeRawBufferPointer(start: bytes, count: count)
            },
            Unmanaged.passUnretained(outgoing).toOpaque()
        )
        guard let session = made, session.start() else { throw .tls(place, reason: "TLS cannot be begun") }
        return session
    }
}
