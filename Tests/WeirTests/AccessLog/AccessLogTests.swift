// SPDX-License-Identifier: Apache-2.0
// The log in front of pipes that are read, not read and broken, files that are moved away, and a full disk.

import FoundationEssentials
import Glibc
import Testing
import Weir
import WeirEventLoop
import WeirHTTP
import WeirTestSupport

@Suite(.timeLimit(.minutes(1))) struct AccessLogTests {
    private static func record(_ sequence: UInt64 = 0) -> AccessRecord {
        var record = AccessRecord(
            method: .get,
            status: 200,
            client: .ipv4(0x7F00_0001, port: 1),
            startedAt: LoopClock.monotonic.now,
            nanoseconds: 1000
        )
        record.sequence = sequence
        return record
    }

    private static func start(_ output: AccessLogOutput, loops: Int = 1, ringBytes: Int = 1 << 20) throws -> AccessLog {
        let log = try AccessLog(output: output, format: .json, loops: loops, ringBytes: ringBytes)
        try log.start()
        return log
    }

    private struct Line: Decodable {
        let time, requestID: String

        enum CodingKeys: String, CodingKey {
            case time
            case requestID = "request_id"
        }
    }

    private static func ids(_ lines: [String]) throws -> [UInt64] {
        try lines.map { line in
            let line = try JSONDecoder().decode(Line.self, from: Data(line.utf8))
            return try #require(UInt64(line.requestID, radix: 16))
        }
    }

    private static func lines(_ path: String) -> [String] {
        ((try? String(contentsOfFile: path, encoding: .utf8)) ?? "").split(separator: "\n").map(String.init)
    }

    @Test func `a loop that comes later has a ring of its own, which is written too`() throws {
        let pipe = TestPipe()
        let log = try Self.start(try AccessLogOutput(descriptor: pipe.writeEnd))
        log.addRing(loop: 2)
        #expect(log.rings.count == 3)
        for (sequence, ring) in log.rings.enumerated() { #expect(ring.push(Self.record(UInt64(sequence)))) }
        #expect(Set(try Self.ids(pipe.readLines(3))) == [0, 1, 2])
        log.close(timeout: .seconds(10))
    }

    @Test func `the lines of a loop come out whole and in order, more than a pipe holds`() throws {
        let pipe = TestPipe()
        let log = try Self.start(try AccessLogOutput(descriptor: pipe.writeEnd), loops: 2)
        for sequence in 0..<3000 as Range<UInt64> { #expect(log.rings[Int(sequence % 2)].push(Self.record(sequence))) }
        let ids = try Self.ids(pipe.readLines(3000))
        #expect(ids.filter { $0 % 2 == 0 } == (0..<1500).map { $0 * 2 })
        #expect(ids.filter { $0 % 2 == 1 } == (0..<1500).map { $0 * 2 + 1 })
        log.close(timeout: .seconds(10))
        #expect(log.droppedLines == 0)
    }

    @Test func `the time is the wall clock's`() throws {
        let pipe = TestPipe()
        let log = try Self.start(try AccessLogOutput(descriptor: pipe.writeEnd))
        let before = LogTimestamp.now().description
        log.rings[0].push(Self.record())
        let line = try JSONDecoder().decode(Line.self, from: Data(pipe.readLines(1)[0].utf8))
        // Clocks are read one after the other, so a millisecond may lie between them.
        let later = LogTimestamp(milliseconds: LogTimestamp.now().milliseconds + 1).description
        let sooner = String(before.prefix(19))
        #expect(sooner <= line.time && line.time <= later)
        log.close(timeout: .seconds(10))
    }

    @Test func `closing writes what was recorded`() throws {
        let folder = try ScratchFolder()
        let log = try Self.start(try AccessLogOutput(path: "\(folder.path)/log"))
        for sequence in 0..<1000 as Range<UInt64> { log.rings[0].push(Self.record(sequence)) }
        log.close(timeout: .seconds(20))
        #expect(try Self.ids(Self.lines("\(folder.path)/log")) == Array(0..<1000))
        #expect(log.droppedLines == 0)
    }

    @Test func `a pipe that nobody reads costs lines and never time, and all of them are counted`() throws {
        let pipe = TestPipe()
        pipe.fill()
        let log = try Self.start(try AccessLogOutput(descriptor: pipe.writeEnd), ringBytes: AccessRing.capacityMin)
        for sequence in 0..<100_000 as Range<UInt64> { log.rings[0].push(Self.record(sequence)) }
        // What the thread holds and what the ring holds are not lost yet.
        #expect(log.droppedLines > 90_000)
        log.close(timeout: .milliseconds(10))
        #expect(log.droppedLines == 100_000)
    }

    @Test func `lines go on when the reader does`() async throws {
        let pipe = TestPipe()
        pipe.fill()
        let log = try Self.start(try AccessLogOutput(descriptor: pipe.writeEnd))
        log.rings[0].push(Self.record(1))
        // A pipe's worth of line ends, then the line.
        var lines: [String] = []
        while lines.isEmpty { lines = pipe.readLines(1) }
        #expect(try Self.ids(lines) == [1])
        log.close(timeout: .seconds(10))
        #expect(log.droppedLines == 0)
    }

    @Test func `a broken pipe and a full disk cost lines, and all of them are counted`() async throws {
        var outputs = [try AccessLogOutput(path: "/dev/full")]
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        close(ends[0])
        defer { close(ends[1]) }
        outputs.append(try AccessLogOutput(descriptor: ends[1]))
        for output in outputs {
            let log = try Self.start(output)
            for sequence in 0..<100 as Range<UInt64> { log.rings[0].push(Self.record(sequence)) }
            #expect(await eventuallyTrue { log.droppedLines == 100 })
            log.rings[0].push(Self.record())
            log.close(timeout: .seconds(10))
            #expect(log.droppedLines == 101)
        }
    }

    @Test func `a line that was cut off does not swallow the next`() async throws {
        let folder = try ScratchFolder()
        let path = "\(folder.path)/pipe"
        try #require(mkfifo(path, 0o600) == 0)
        let first = open(path, O_RDONLY | O_NONBLOCK)
        try #require(first >= 0)
        let log = try Self.start(try AccessLogOutput(path: path))
        // Longer than what is written at once, into a pipe that holds no more than that.
        let setPipeSize: Int32 = 1031
        try #require(fcntl(first, setPipeSize, 4096) == 4096)
        var record = Self.record()
        record.route = Int32(log.routes.index(of: String(repeating: "\u{1}", count: 500)))
        record.endpoint = Int16(log.endpoints.index(of: String(repeating: "\u{2}", count: 500)))
        log.rings[0].push(record)
        #expect(
            await eventuallyTrue {
                var waiting: Int32 = 0
                return ioctl(first, UInt(FIONREAD), &waiting) == 0 && waiting == 4096
            }
        )
        close(first)
        #expect(await eventuallyTrue { log.droppedLines == 1 })
        let second = open(path, O_RDONLY)
        try #require(second >= 0)
        defer { close(second) }
        log.rings[0].push(Self.record(77))
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 4096)
        while bytes.count(where: { $0 == UInt8(ascii: "\n") }) < 2 {
            let count = read(second, &piece, piece.count)
            try #require(count > 0)
            bytes += piece[..<count]
        }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
        #expect(lines.count == 2)
        #expect(try Self.ids([lines[1]]) == [77])
        log.close(timeout: .seconds(10))
        #expect(log.droppedLines == 1)
    }

    @Test(arguments: [true, false])
    func `a file that is moved or removed is made anew, and no line is lost on the way`(isRemoved: Bool) async throws {
        let folder = try ScratchFolder()
        let path = "\(folder.path)/log"
        let moved = "\(folder.path)/log.1"
        let log = try Self.start(try AccessLogOutput(path: path))
        log.rings[0].push(Self.record(0))
        #expect(await eventuallyTrue { Self.lines(path).count == 1 })
        // A second name keeps what is removed readable.
        try #require(isRemoved ? link(path, moved) == 0 && unlink(path) == 0 : rename(path, moved) == 0)
        var count: UInt64 = 1
        #expect(
            await eventuallyTrue {
                log.rings[0].push(Self.record(count))
                count += 1
                return !Self.lines(path).isEmpty
            }
        )
        log.close(timeout: .seconds(10))
        #expect(try Self.ids(Self.lines(moved) + Self.lines(path)) == Array(0..<count))
        #expect(log.droppedLines == 0)
    }

    @Test func `a file that others cut short goes on at its new end`() async throws {
        let folder = try ScratchFolder()
        let path = "\(folder.path)/log"
        let log = try Self.start(try AccessLogOutput(path: path))
        log.rings[0].push(Self.record(1))
        #expect(await eventuallyTrue { Self.lines(path).count == 1 })
        try #require(truncate(path, 0) == 0)
        log.rings[0].push(Self.record(2))
        log.close(timeout: .seconds(10))
        #expect(try Self.ids(Self.lines(path)) == [2])
    }

    @Test func `what cannot be opened is refused at once`() throws {
        #expect(throws: SystemCallError.self) { try AccessLogOutput(path: "/nonexistent/log") }
        #expect(throws: SystemCallError.self) { try AccessLogOutput(path: "/tmp") }
        #expect(throws: SystemCallError.self) { try AccessLogOutput(descriptor: 1 << 20) }
    }
}
