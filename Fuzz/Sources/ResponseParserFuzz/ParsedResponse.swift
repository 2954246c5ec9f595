// SPDX-License-Identifier: Apache-2.0
// Everything that the parser says about a response's head, as a value that can be compared.

import FuzzSupport
import WeirHTTP

struct ParsedResponse: Equatable {
    private var outcome = ResponseOutcome.incomplete
    // After `.complete` only:
    private var status = 0
    private var minorVersion: UInt8 = 0
    private var reason = ByteRange.empty
    private var framing = ResponseFraming.none
    private var contentLength: UInt64?
    private var flags: [Bool] = []
    private var byteCount = 0
    private var fields: [HeaderField] = []
    private var runs: [ByteRange] = []

    /// Parses `bytes`, first only those before `position`, in memory of their own as if they had moved since.
    init(_ bytes: Span<UInt8>, _ method: HTTPMethod, _ limits: HTTPLimits, cutAt position: Int? = nil) {
        var parser = ResponseParser(limits: limits)
        if let position {
            let front = ExactCopy(bytes.extracting(0..<position))
            outcome = parser.parse(front.span, answering: method)
        }
        if outcome == .incomplete { outcome = parser.parse(bytes, answering: method) }
        take(parser, bytes)
    }

    /// Parses `bytes` as they come one at a time.
    init(byteByByte bytes: Span<UInt8>, _ method: HTTPMethod, _ limits: HTTPLimits) {
        var parser = ResponseParser(limits: limits)
        var count = 0
        while outcome == .incomplete, count < bytes.count {
            count += 1
            outcome = parser.parse(bytes.extracting(0..<count), answering: method)
        }
        take(parser, bytes)
    }

    private mutating func take(_ parser: borrowing ResponseParser, _ bytes: Span<UInt8>) {
        guard outcome == .complete else { return }
        let head = parser.head
        status = head.status
        minorVersion = head.minorVersion
        reason = head.reason
        framing = head.framing
        contentLength = head.contentLength
        flags = [head.keepsAlive, head.hasUpgrade, head.isInterim]
        byteCount = Int(head.byteCount)
        for index in 0..<parser.fields.count { fields.append(parser.fields.field(index)) }
        var iterator = ForwardedRuns(omitting: HeaderNameSet(.server))
        while let run = iterator.next(parser.fields, in: bytes) { runs.append(run) }
    }

    /// Traps unless what the parser said fits the bytes.
    func check(_ bytes: Span<UInt8>, _ method: HTTPMethod, _ limits: HTTPLimits) {
        switch outcome {
        case .incomplete:
            precondition(bytes.count < limits.requestLineBytesMax + limits.headerBytesMax, "a limit is not kept")
        case .invalid(let fault):
            precondition(Int(fault.offset) <= bytes.count, "a fault beyond the input")
            precondition(fault.reason.utf8CodeUnitCount > 0)
        case .complete:
            precondition(byteCount <= bytes.count && fields.count <= limits.headerFieldsMax)
            let head = bytes.extracting(0..<byteCount)
            precondition(self == ParsedResponse(head, method, limits), "bytes behind the head matter")
            checkBytes(head)
            checkFraming(method)
            checkForwarded(head, method)
        }
    }

    /// No control byte but tabs and the CRLFs of the lines; the ranges lie within the head.
    private func checkBytes(_ head: Span<UInt8>) {
        for index in head.indices {
            switch head[index] {
            case 0x0D: precondition(index + 1 < head.count && head[index + 1] == 0x0A, "a CR alone")
            case 0x0A: precondition(index > 0 && head[index - 1] == 0x0D, "an LF alone")
            case 0x09: break
            case 0..<0x20, 0x7F: preconditionFailure("a control byte")
            default: break
            }
        }
        precondition(head[head.count - 4] == 0x0D && head[head.count - 2] == 0x0D)
        precondition((100...599).contains(status) && reason.end <= head.count)
        for field in fields {
            precondition(!field.name.isEmpty && field.value.end <= head.count)
            for index in field.name.bounds { precondition(ByteClass.contains(ByteClass.token, head[index])) }
        }
    }

    /// A body has one length only, and none where there can be none.
    private func checkFraming(_ method: HTTPMethod) {
        let lengths = fields.count { $0.known == .contentLength }
        let codings = fields.count { $0.known == .transferEncoding }
        precondition(lengths == 0 || lengths == 1 && codings == 0)
        precondition((lengths == 1) == (contentLength != nil) && (codings == 0 || minorVersion == 1))
        if status < 200 || status == 204 { precondition(codings == 0 && (contentLength ?? 0) == 0) }
        let isTunnel = status == 101 || method == .connect && (200...299).contains(status)
        let hasNoBody = method == .head || status < 200 || status == 204 || status == 304
        switch framing {
        case .tunnel: precondition(isTunnel && !flags[0])
        case .none: precondition(hasNoBody && !isTunnel)
        case .length(let length): precondition(length == contentLength && !hasNoBody && !isTunnel)
        case .chunked: precondition(codings > 0 && !hasNoBody && !isTunnel)
        case .untilClose: precondition(lengths + codings == 0 && !hasNoBody && !isTunnel && !flags[0])
        }
    }

    /// What goes on is whole lines, with no two runs that touch; and it is the head of a response again, without any
    /// hop-by-hop field and with nothing more to leave out.
    private func checkForwarded(_ head: Span<UInt8>, _ method: HTTPMethod) {
        var bytes = Array("HTTP/1.1 299 \r\n".utf8)
        var end = 0
        for run in runs {
            precondition(run.start > end && !run.isEmpty && run.end <= head.count - 2)
            precondition(head[Int(run.start) - 1] == 0x0A && head[run.end - 1] == 0x0A)
            end = run.end
            for index in run.bounds { bytes.append(head[index]) }
        }
        bytes += [0x0D, 0x0A]
        let again = ParsedResponse(bytes.span, .get, HTTPLimits())
        precondition(again.outcome == .complete)
        for field in again.fields {
            precondition(!HeaderNameSet.hopByHop.contains(field.known) && field.known != .server)
        }
        precondition(again.runs.count == (again.fields.isEmpty ? 0 : 1))
    }
}
