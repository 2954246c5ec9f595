// SPDX-License-Identifier: Apache-2.0
// The memory that stepped threads share: what an `Atomic` and a `Mutex` of this module are made of.

import CFibers

/// A flaw of the memory itself, for the proof that one would be found.
package enum MemoryFlaw: CaseIterable, Sendable {
    /// Compares in one step and stores in the next.
    case exchangeInTwoSteps
    /// Locks without a look whether somebody else has.
    case mutexForAll
}

package final class SteppedMemory {
    /// Of the exploration under way on this thread. Outside of one, and outside of its threads, accesses are plain.
    static var current: SteppedMemory? {
        // Set by `use` for as long as it holds the memory.
        unsafe fiber_thread_value().map { unsafe Unmanaged<SteppedMemory>.fromOpaque($0).takeUnretainedValue() }
    }

    /// Calls `body` on this thread with what it makes and accesses in this memory.
    package func use<Result>(_ body: () -> Result) -> Result {
        unsafe fiber_set_thread_value(Unmanaged.passUnretained(self).toOpaque())
        defer { fiber_set_thread_value(nil) }
        return body()
    }

    let flaw: MemoryFlaw?
    /// How often a weak exchange may yet fail for no reason.
    private(set) var failuresLeft: Int
    /// Whoever runs; nil while the world is made or looked at.
    var running: SteppedThread?
    private var words: [any SteppedWord] = []
    private(set) var isLocked = false

    package init(flaw: MemoryFlaw? = nil, failures: Int = 0) {
        self.flaw = flaw
        failuresLeft = failures
    }

    func add(_ word: any SteppedWord) { words.append(word) }

    /// All that is in it. What a mutex guards is for its owner to add.
    func hash(into hasher: inout Hasher) {
        for word in words { word.hash(into: &hasher) }
        hasher.combine(isLocked)
        hasher.combine(failuresLeft)
    }

    // MARK: Steps of the running thread

    /// Whether the exchange that is about to be is to fail for no reason.
    func failsForNothing(_ thread: SteppedThread) -> Bool {
        guard thread.choice != 0 else { return false }
        failuresLeft -= 1
        return true
    }

    func lock() {
        guard let thread = running else { return }
        thread.pause(flaw == .mutexForAll ? .access : .lock)
        isLocked = true
        thread.holdsMutex = true
        thread.hadMutex = true
        // Taking the mutex is one step with the access that follows: what others do between the two, and they cannot do
        // it to what the mutex guards, they could as well have done before. Likewise giving it back is one step with
        // the access before.
        thread.isAtStep = true
        thread.observe(guarded(thread))
    }

    func unlock() {
        guard let thread = running else { return }
        isLocked = false
        thread.holdsMutex = false
        thread.isAtStep = false
    }

    /// What the mutex guards, as a hash: what this thread finds when it has locked it.
    var guarded: (SteppedThread) -> Int = { _ in 0 }
}

/// An atomic word as the memory knows it.
protocol SteppedWord: AnyObject {
    func hash(into hasher: inout Hasher)
}
