// SPDX-License-Identifier: Apache-2.0
// A log writer in front of pipes that are read, not read, and broken.

import Testing
import Weir

@Suite(.timeLimit(.minutes(1))) struct LogWriterTests {
    @Test(arguments: [true, false])
    func `lines come out in order`(isBlocking: Bool) async {
        let pipe = TestPipe(isBlocking: isBlocking)
        let writer = LogWriter(descriptor: pipe.writeEnd)
        // More than a pipe holds, so the thread has to wait for the reader.
        let lines = (0..<5000).map { "line \($0) \(String(repeating: "x", count: 50))" }
        for line in lines { #expect(writer.write(line.utf8)) }
        #expect(pipe.readLines(lines.count) == lines)
        #expect(writer.flush(timeout: .seconds(10)))
        #expect(writer.droppedLines == 0)
        writer.close(timeout: .seconds(1))
    }

    @Test func `a pipe that nobody reads costs lines and never time`() {
        let pipe = TestPipe()
        pipe.fill()
        let writer = LogWriter(descriptor: pipe.writeEnd, capacity: 10_000)
        let line = Array(String(repeating: "x", count: 99).utf8)
        let clock = ContinuousClock()
        var taken = 0
        let time = clock.measure {
            for _ in 0..<100_000 where writer.write(line) { taken += 1 }
        }
        #expect(taken == 100)
        #expect(writer.droppedLines == 99_900)
        #expect(time < .seconds(10))
        #expect(!writer.flush(timeout: .milliseconds(1)))
        #expect(clock.measure { writer.close(timeout: .milliseconds(100)) } < .seconds(5))
        // What the pipe never took is dropped too, as soon as the writer's thread gets to it.
        #expect(writer.flush(timeout: .seconds(10)))
        #expect(writer.droppedLines == 100_000)
    }

    @Test func `room comes back when the reader does`() {
        let pipe = TestPipe()
        pipe.fill()
        let writer = LogWriter(descriptor: pipe.writeEnd, capacity: 10)
        #expect(writer.write("012345678".utf8))
        #expect(!writer.write("dropped".utf8))
        _ = pipe.readLines(2 * 4096)
        #expect(writer.flush(timeout: .seconds(10)))
        #expect(writer.write("taken".utf8))
        writer.close(timeout: .seconds(10))
        #expect(writer.droppedLines == 1)
    }

    @Test func `a line longer than the buffer is dropped`() {
        let pipe = TestPipe()
        let writer = LogWriter(descriptor: pipe.writeEnd, capacity: 10)
        #expect(!writer.write("0123456789".utf8))
        #expect(writer.write("012345678".utf8))
        #expect(writer.droppedLines == 1)
        #expect(pipe.readLines(1) == ["012345678"])
    }

    @Test func `a broken pipe costs lines and not the process`() {
        TestPipe.withoutReader { descriptor in
            let writer = LogWriter(descriptor: descriptor)
            for _ in 0..<3 { writer.write("lost".utf8) }
            #expect(writer.flush(timeout: .seconds(10)))
            #expect(writer.droppedLines == 3)
            writer.close(timeout: .seconds(1))
        }
    }

    @Test func `a descriptor that is none costs lines`() {
        let writer = LogWriter(descriptor: 100_000_000)
        writer.write("lost".utf8)
        writer.close(timeout: .seconds(10))
        #expect(writer.droppedLines == 1)
    }

    @Test func `closing writes what there is and takes no more`() {
        let pipe = TestPipe()
        let writer = LogWriter(descriptor: pipe.writeEnd)
        for index in 0..<100 { writer.write("\(index)".utf8) }
        writer.close(timeout: .seconds(10))
        #expect(!writer.write("late".utf8))
        #expect(writer.droppedLines == 1)
        #expect(pipe.readLines(100) == (0..<100).map { "\($0)" })
        writer.close(timeout: .seconds(10))
    }

    @Test func `the thread ends with the last reference`() {
        let pipe = TestPipe()
        do {
            let writer = LogWriter(descriptor: pipe.writeEnd)
            writer.write("last words".utf8)
        }
        #expect(pipe.readLines(1) == ["last words"])
    }

    @Test func `many threads lose nothing`() async {
        let pipe = TestPipe()
        let writer = LogWriter(descriptor: pipe.writeEnd)
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<4 {
                group.addTask {
                    for index in 0..<200 { writer.write("\(task) \(index)".utf8) }
                }
            }
        }
        let lines = pipe.readLines(800)
        for task in 0..<4 {
            #expect(lines.filter { $0.hasPrefix("\(task) ") } == (0..<200).map { "\(task) \($0)" })
        }
        writer.close(timeout: .seconds(1))
    }
}
