// SPDX-License-Identifier: Apache-2.0
// Goes through every order of the steps of a few threads. A run cannot be copied, so each order is run from the start,
// to where it comes to a state that was met before, from which all has been seen.

/// What is explored: threads over one memory, and what must be true of them.
package protocol SteppedWorld: AnyObject {
    var threads: [SteppedThread] { get }

    /// All that the next steps depend on, but for the memory: the threads, and what they share besides.
    func hash(into hasher: inout Hasher)

    /// Around each step, also on the way to what is new.
    func willStep()
    func didStep()

    /// What is wrong after the step of this thread, which had the mutex or not; nil if nothing is.
    func fault(hadMutex: Bool) -> String?

    /// What is wrong where no thread has to do anything any more; nil if nothing is.
    func faultAtRest() -> String?
}

package struct Exploration {
    /// How many states there are.
    package private(set) var states = 0
    /// In how many of them no thread has to do anything.
    package private(set) var rests = 0
    /// The first that was found, and the steps that led to it.
    package private(set) var fault: String?

    private struct Step {
        let thread: Int
        let choice: Int
    }

    private var seen: Set<Int> = []
    /// From the start to where it stands: of each state the steps that are left, the last of which is under way.
    private var path: [[Step]] = []

    /// `make` makes the same world each time, which `show` is shown where all that can be seen of it was.
    package init<World: SteppedWorld>(
        flaw: MemoryFlaw?,
        failures: Int,
        of make: (SteppedMemory) -> World,
        show: (World) -> Void
    ) {
        repeat {
            let memory = SteppedMemory(flaw: flaw, failures: failures)
            memory.use {
                let world = make(memory)
                run(world, memory)
                show(world)
                // Whoever waits for ever where there is a fault is left on its stack.
                if fault == nil { Self.finish(world) }
            }
        } while fault == nil && takeNext()
    }

    private mutating func run(_ world: any SteppedWorld, _ memory: SteppedMemory) {
        for steps in path.dropLast() { Self.make(steps[steps.count - 1], world) }
        while true {
            // The last step of the path leads to where nobody has been, but at the very start.
            if let steps = path.last {
                let step = steps[steps.count - 1]
                Self.make(step, world)
                fault = world.fault(hadMutex: world.threads[step.thread].hadMutex)
            }
            guard fault == nil, seen.insert(Self.key(world, memory)).inserted else { break }
            states += 1
            let steps = Self.steps(world)
            if steps.allSatisfy({ $0.choice != 0 }) {
                rests += 1
                fault = world.faultAtRest()
            }
            if steps.isEmpty || fault != nil { break }
            path.append(steps)
        }
        if fault != nil { fault? += ", behind" + path.map { " \($0[$0.count - 1].thread)" }.joined() }
    }

    /// Whether something is left to be seen, and the path leads there.
    private mutating func takeNext() -> Bool {
        while let last = path.indices.last {
            path[last].removeLast()
            if !path[last].isEmpty { return true }
            path.removeLast()
        }
        return false
    }

    private static func make(_ step: Step, _ world: any SteppedWorld) {
        world.willStep()
        world.threads[step.thread].resume(step.choice)
        world.didStep()
    }

    private static func steps(_ world: any SteppedWorld) -> [Step] {
        world.threads.enumerated().flatMap { number, thread in
            thread.choices.map { Step(thread: number, choice: $0) }
        }
    }

    private static func key(_ world: any SteppedWorld, _ memory: SteppedMemory) -> Int {
        var hasher = Hasher()
        memory.hash(into: &hasher)
        world.hash(into: &hasher)
        return hasher.finalize()
    }

    /// Lets all threads come to their ends, which releases what they hold.
    private static func finish(_ world: any SteppedWorld) {
        while let thread = world.threads.first(where: { !$0.choices.isEmpty }) { thread.resume(thread.choices[0]) }
    }
}
