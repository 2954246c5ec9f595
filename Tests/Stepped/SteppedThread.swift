// SPDX-License-Identifier: Apache-2.0
// A thread of control that stops before each access to the memory that it shares with others, and goes on when the
// exploration says so. On a stack of its own, so that the code it runs need not know.

import CFibers

@safe
package final class SteppedThread {
    /// What it is about to do.
    enum Pause {
        case access
        /// One that may fail for no reason, if the word is as expected then.
        case weakExchange(isAsExpected: () -> Bool)
        case lock
        /// Something that the caller knows whether it can be: which of the alternatives are possible. All but 0 may be
        /// but need not be.
        case choice(() -> [Int])
        case ended

        var isAccess: Bool {
            switch self {
            case .access, .weakExchange: true
            case .lock, .choice, .ended: false
            }
        }
    }

    private let memory: SteppedMemory
    private let body: (SteppedThread) -> Void
    private var fiber: OpaquePointer?
    private(set) var pause = Pause.access
    /// Which of its alternatives it was told to take.
    private(set) var choice = 0
    var holdsMutex = false
    /// Whether it has held it in its last step.
    var hadMutex = false
    /// Whether the next access is part of the step under way.
    var isAtStep = false
    /// Where it is, and all that it has seen since it was there: what it does next depends on nothing else of its own.
    private var seen = Hasher()

    /// Stops before `body`, which remembers what it has seen since it last told its `place`.
    package init(_ memory: SteppedMemory, _ body: @escaping (SteppedThread) -> Void) {
        self.memory = memory
        self.body = body
        // Unretained: `deinit` destroys the fiber, and whoever resumes it holds this.
        unsafe fiber = fiber_create(
            { argument in
                guard let argument = unsafe argument else { return }
                let thread = unsafe Unmanaged<SteppedThread>.fromOpaque(argument).takeUnretainedValue()
                thread.body(thread)
                thread.pause = .ended
            },
            Unmanaged.passUnretained(self).toOpaque()
        )
    }

    deinit { unsafe fiber_destroy(fiber) }

    var hasEnded: Bool { if case .ended = pause { true } else { false } }

    // MARK: For the exploration

    /// The alternatives that it has now.
    var choices: [Int] {
        switch pause {
        case .access: [0]
        case .weakExchange(let isAsExpected): memory.failuresLeft > 0 && isAsExpected() ? [0, 1] : [0]
        case .lock: memory.isLocked ? [] : [0]
        case .choice(let possible): possible()
        case .ended: []
        }
    }

    /// Makes its next step, up to where it would access the memory again.
    func resume(_ choice: Int) {
        self.choice = choice
        hadMutex = holdsMutex
        memory.running = self
        unsafe fiber_resume(fiber)
        memory.running = nil
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(seen.finalize())
        switch pause {
        case .access: hasher.combine(0)
        case .weakExchange: hasher.combine(1)
        case .lock: hasher.combine(2)
        case .choice: hasher.combine(3)
        case .ended: hasher.combine(4)
        }
        hasher.combine(isAtStep)
    }

    // MARK: For what it runs

    /// It is at this place, and remembers nothing of how it came there.
    package func place(_ place: Int) {
        seen = Hasher()
        seen.combine(place)
    }

    /// What comes until its next access is one step with that access.
    package func begin() { isAtStep = true }

    /// Lets others go first, if the exploration says so, and answers what it is to do of what is possible then.
    package func choose(_ possible: @escaping () -> [Int]) -> Int {
        pause(.choice(possible))
        observe(choice)
        return choice
    }

    func step() { pause(.access) }

    func pause(_ pause: Pause) {
        let isPartOfStep = isAtStep
        isAtStep = false
        if isPartOfStep, pause.isAccess {
            choice = 0
            return
        }
        self.pause = pause
        unsafe fiber_pause(fiber)
        // It has come further, whether it sees anything there or not.
        seen.combine(0)
    }

    func observe(_ value: Int) { seen.combine(value) }

    func observe(bytes: UnsafeRawBufferPointer) { unsafe seen.combine(bytes: bytes) }
}
