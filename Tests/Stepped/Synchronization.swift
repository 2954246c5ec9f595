// SPDX-License-Identifier: Apache-2.0
// What the sources of WeirFlow find in this module in the place of the Synchronization module's types of these names,
// since a module's own come first: an `Atomic` and a `Mutex` whose every access is a step of the thread that makes it.
// They are sequentially consistent, whatever order is asked for.

import Synchronization

/// Unchecked: all stepped threads are one thread.
struct Atomic<Value>: ~Copyable, @unchecked Sendable {
    private final class Word: SteppedWord {
        var value: Value
        init(_ value: Value) { self.value = value }
        func hash(into hasher: inout Hasher) { unsafe withUnsafeBytes(of: value) { unsafe hasher.combine(bytes: $0) } }
    }

    private let word: Word

    init(_ value: Value) {
        word = Word(value)
        SteppedMemory.current?.add(word)
    }

    func load(ordering: AtomicLoadOrdering) -> Value {
        SteppedMemory.current?.running?.step()
        return observed
    }

    func store(_ value: Value, ordering: AtomicStoreOrdering) {
        SteppedMemory.current?.running?.step()
        word.value = value
    }

    private var observed: Value {
        unsafe withUnsafeBytes(of: word.value) { unsafe SteppedMemory.current?.running?.observe(bytes: $0) }
        return word.value
    }
}

extension Atomic where Value: Equatable {
    func weakCompareExchange(
        expected: Value,
        desired: Value,
        successOrdering: AtomicUpdateOrdering,
        failureOrdering: AtomicLoadOrdering
    ) -> (exchanged: Bool, original: Value) {
        let memory = SteppedMemory.current
        let thread = memory?.running
        thread?.pause(.weakExchange { [word] in word.value == expected })
        let original = observed
        guard original == expected else { return (false, original) }
        if let memory, let thread {
            let fails = memory.failsForNothing(thread)
            thread.observe(fails ? 1 : 0)
            if fails { return (false, original) }
            if memory.flaw == .exchangeInTwoSteps { thread.step() }
        }
        word.value = desired
        return (true, original)
    }

    func weakCompareExchange(
        expected: Value,
        desired: Value,
        ordering: AtomicUpdateOrdering
    ) -> (exchanged: Bool, original: Value) {
        weakCompareExchange(
            expected: expected,
            desired: desired,
            successOrdering: ordering,
            failureOrdering: .relaxed
        )
    }
}

/// Unchecked: all stepped threads are one thread.
@safe
struct Mutex<Value>: ~Copyable, @unchecked Sendable {
    // Invariant: initialised from `init` to `deinit`.
    private let value: UnsafeMutablePointer<Value>

    init(_ initial: consuming sending Value) {
        unsafe value = .allocate(capacity: 1)
        unsafe value.initialize(to: initial)
    }

    deinit {
        unsafe value.deinitialize(count: 1)
        unsafe value.deallocate()
    }

    func withLock<Result, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        let memory = SteppedMemory.current
        memory?.lock()
        defer { memory?.unlock() }
        return try unsafe body(&value.pointee)
    }

    /// What is in it, whoever holds it.
    func look<Result>(_ body: (inout Value) -> Result) -> Result { unsafe body(&value.pointee) }
}
