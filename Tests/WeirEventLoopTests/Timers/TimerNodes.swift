// SPDX-License-Identifier: Apache-2.0
// Timer nodes at fixed addresses, as a wheel needs them.

import WeirEventLoop

/// Nodes that belong to nothing else; they outlive the wheel that they are in.
final class TimerNodes {
    private let memory: UnsafeMutablePointer<TimerNode>

    init(_ count: Int) {
        memory = .allocate(capacity: count)
        for index in 0..<count { (memory + index).initialize(to: TimerNode()) }
    }

    deinit { memory.deallocate() }

    subscript(index: Int) -> UnsafeMutablePointer<TimerNode> { memory + index }

    func index(of node: UnsafeMutablePointer<TimerNode>) -> Int { node - memory }
}

/// A wheel behind a reference, because `#expect` cannot call mutating members of what cannot be copied.
final class Wheel {
    private var wheel: TimerWheel

    init(tick: UInt64) {
        wheel = TimerWheel(tick: tick)
    }

    var armedCount: Int { wheel.armedCount }
    var nextTick: UInt64? { wheel.nextTick }

    func schedule(_ node: UnsafeMutablePointer<TimerNode>, at tick: UInt64) { wheel.schedule(node, at: tick) }
    func cancel(_ node: UnsafeMutablePointer<TimerNode>) { wheel.cancel(node) }
    func advance(to tick: UInt64) { wheel.advance(to: tick) }
    func takeDue() -> UnsafeMutablePointer<TimerNode>? { wheel.takeDue() }
}
