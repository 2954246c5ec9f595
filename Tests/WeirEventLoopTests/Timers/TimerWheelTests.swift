// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop

@Suite struct TimerWheelTests {
    /// Ticks on both sides of the border of each level, and of the whole span.
    static let borders: [UInt64] = [
        1, 2, 62, 63, 64, 65, 127, 128, 4095, 4096, 4097, 262_143, 262_144, 262_145, 16_777_215, 16_777_216, 16_777_217,
        1_073_741_822, 1_073_741_823,
    ]
    static let starts: [UInt64] = [
        0, 1, 63, 64, 1000, 4095, 4096, 262_143, 1_073_741_823, 1_073_741_824, 987_654_321_012,
    ]

    @Test(arguments: borders, starts)
    func `a node fires at its tick, neither before nor after`(delay: UInt64, start: UInt64) {
        let wheel = Wheel(tick: start)
        let nodes = TimerNodes(1)
        wheel.schedule(nodes[0], at: start + delay)
        #expect(nodes[0].pointee.isArmed)
        #expect(nodes[0].pointee.due == start + delay)
        if delay > 1 {
            wheel.advance(to: start + delay - 1)
            #expect(wheel.takeDue() == nil)
        }
        wheel.advance(to: start + delay)
        #expect(wheel.takeDue() == nodes[0])
        #expect(!nodes[0].pointee.isArmed)
        #expect(wheel.takeDue() == nil)
        #expect(wheel.armedCount == 0)
    }

    @Test(arguments: borders, starts)
    func `following nextTick reaches a node at its tick`(delay: UInt64, start: UInt64) throws {
        let wheel = Wheel(tick: start)
        let nodes = TimerNodes(1)
        wheel.schedule(nodes[0], at: start + delay)
        var steps = 0
        var taken: UnsafeMutablePointer<TimerNode>?
        while taken == nil {
            let next = try #require(wheel.nextTick)
            try #require(next <= start + delay)
            wheel.advance(to: next)
            taken = wheel.takeDue()
            steps += 1
            // One step for each level that the node comes down.
            try #require(steps <= 5)
        }
        #expect(taken == nodes[0])
        #expect(wheel.nextTick == nil)
    }

    @Test func `what lies beyond the span is cut to it`() {
        for start: UInt64 in [0, 5, 1_073_741_823] {
            let wheel = Wheel(tick: start)
            let nodes = TimerNodes(2)
            wheel.schedule(nodes[0], at: .max)
            wheel.schedule(nodes[1], at: start + (1 << 30))
            #expect(nodes[0].pointee.due == start + (1 << 30) - 1)
            #expect(nodes[1].pointee.due == start + (1 << 30) - 1)
            wheel.advance(to: start + (1 << 30) - 2)
            #expect(wheel.takeDue() == nil)
            wheel.advance(to: start + (1 << 30) - 1)
            #expect(wheel.takeDue() != nil)
            #expect(wheel.takeDue() != nil)
        }
    }

    @Test func `a node at the end of the span does not hide one before it`() {
        let wheel = Wheel(tick: 100)
        let nodes = TimerNodes(2)
        let far: UInt64 = .max
        let near: UInt64 = (1 << 24) + 5
        wheel.schedule(nodes[0], at: far)
        wheel.schedule(nodes[1], at: near)
        #expect(wheel.nextTick.map { $0 <= near } == true)
        wheel.advance(to: near)
        #expect(wheel.takeDue() == nodes[1])
    }

    @Test func `a tick of the past fires at the next one`() {
        let wheel = Wheel(tick: 100)
        let nodes = TimerNodes(1)
        wheel.schedule(nodes[0], at: 7)
        #expect(nodes[0].pointee.due == 101)
        wheel.advance(to: 101)
        #expect(wheel.takeDue() == nodes[0])
    }

    @Test func `scheduling an armed node moves it`() {
        let wheel = Wheel(tick: 0)
        let nodes = TimerNodes(1)
        for tick: UInt64 in [10, 5000, 3] { wheel.schedule(nodes[0], at: tick) }
        #expect(wheel.armedCount == 1)
        wheel.advance(to: 2)
        #expect(wheel.takeDue() == nil)
        wheel.advance(to: 3)
        #expect(wheel.takeDue() == nodes[0])
        wheel.advance(to: 10_000)
        #expect(wheel.takeDue() == nil)
    }

    @Test func `a node that fired can be armed again while others are being taken`() {
        let wheel = Wheel(tick: 0)
        let nodes = TimerNodes(3)
        for index in 0..<3 { wheel.schedule(nodes[index], at: 8) }
        wheel.advance(to: 8)
        var fired = 0
        while let node = wheel.takeDue() {
            fired += 1
            wheel.schedule(node, at: 9)
        }
        #expect(fired == 3)
        #expect(wheel.armedCount == 3)
        wheel.advance(to: 9)
        #expect([wheel.takeDue(), wheel.takeDue(), wheel.takeDue()].allSatisfy { $0 != nil })
    }

    @Test func `cancelling takes back a node that is due and not taken`() {
        let wheel = Wheel(tick: 0)
        let nodes = TimerNodes(3)
        for index in 0..<3 { wheel.schedule(nodes[index], at: 64) }
        wheel.advance(to: 64)
        wheel.cancel(nodes[1])
        #expect(!nodes[1].pointee.isArmed)
        let taken = [wheel.takeDue(), wheel.takeDue()]
        #expect(Set(taken) == [nodes[0], nodes[2]])
        #expect(wheel.takeDue() == nil)
        #expect(wheel.nextTick == nil)
    }

    @Test func `cancelling what is not armed does nothing`() {
        let wheel = Wheel(tick: 0)
        let nodes = TimerNodes(1)
        wheel.cancel(nodes[0])
        wheel.schedule(nodes[0], at: 5)
        wheel.cancel(nodes[0])
        wheel.cancel(nodes[0])
        #expect(wheel.armedCount == 0)
        #expect(wheel.nextTick == nil)
        wheel.advance(to: 100)
        #expect(wheel.takeDue() == nil)
    }

    @Test func `ten thousand nodes on one tick all fire on it`() {
        let wheel = Wheel(tick: 17)
        let nodes = TimerNodes(10_000)
        for index in 0..<10_000 { wheel.schedule(nodes[index], at: 5000) }
        wheel.advance(to: 4999)
        #expect(wheel.takeDue() == nil)
        wheel.advance(to: 5000)
        var taken: Set<UnsafeMutablePointer<TimerNode>> = []
        while let node = wheel.takeDue() { taken.insert(node) }
        #expect(taken.count == 10_000)
        #expect(wheel.armedCount == 0)
    }

    @Test func `nodes of one tick fire in the order in which they were armed`() {
        let wheel = Wheel(tick: 0)
        let nodes = TimerNodes(20)
        for index in 0..<20 { wheel.schedule(nodes[index], at: 40) }
        wheel.advance(to: 40)
        for index in 0..<20 { #expect(wheel.takeDue() == nodes[index]) }
    }

    @Test func `while nodes are due nextTick is the present`() {
        let wheel = Wheel(tick: 0)
        let nodes = TimerNodes(1)
        wheel.schedule(nodes[0], at: 9)
        wheel.advance(to: 30)
        #expect(wheel.nextTick == 30)
    }

    @Test func `time that goes back changes nothing`() {
        let wheel = Wheel(tick: 50)
        let nodes = TimerNodes(1)
        wheel.schedule(nodes[0], at: 60)
        wheel.advance(to: 40)
        wheel.advance(to: 50)
        #expect(wheel.takeDue() == nil)
        wheel.advance(to: 60)
        #expect(wheel.takeDue() == nodes[0])
    }
}
