// SPDX-License-Identifier: Apache-2.0
// A thread that does something in fixed steps until it is asked to end. Owned by whoever starts it.

import CWeirSystem
package import WeirEventLoop

/// Runs a body, which asks ``awaitStep()`` before each step and returns when there is none. What it keeps from one step to
/// the next are its variables.
package final class PeriodicThread: Sendable {
    private enum Phase {
        case made
        case running
        /// Asked to end.
        case ending
        case ended
    }

    private let name: String
    private let period: Duration
    private let phase = Monitor(Phase.made)

    /// - Parameters:
    ///   - name: as the kernel shows it, at most 15 bytes.
    ///   - period: how long it waits before each step.
    package init(_ name: String, every period: Duration) {
        self.name = name
        self.period = period
    }

    /// Runs `body` on the thread, once; not at all where ``end(grace:)`` came first.
    /// - Throws: `SystemCallError` when the kernel gives no thread.
    package func start(_ body: @escaping @Sendable () -> Void) throws(SystemCallError) {
        var begins = false
        phase.change { phase in
            begins = phase == .made
            if begins { phase = .running }
            return false
        }
        guard begins else { return }
        do throws(SystemCallError) {
            // Detached when the handle goes; `end` waits for it.
            _ = try SystemThread.start { [self] in
                weir_thread_name(name)
                body()
                noteEnd()
            }
        } catch {
            noteEnd()
            throw error
        }
    }

    /// Waits for the next step; false where there is none, because the thread is to end. On the thread.
    package func awaitStep() -> Bool {
        phase.wait(timeout: period) { $0 == .running ? nil : true } == nil
    }

    /// Ends the thread, and returns when it has ended or `grace` is over: a step that hangs is left to itself. Any thread.
    package func end(grace: Duration = .seconds(1)) {
        phase.change { phase in
            switch phase {
            case .made: phase = .ended
            case .running: phase = .ending
            case .ending, .ended: break
            }
            return true
        }
        _ = phase.wait(timeout: grace) { $0 == .ended ? true : nil }
    }

    private func noteEnd() {
        phase.change { phase in
            phase = .ended
            return true
        }
    }
}
