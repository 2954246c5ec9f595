// SPDX-License-Identifier: Apache-2.0
// What a pool publishes: one consistent snapshot, taken under its mutex.

package struct AdmissionSignals: Equatable, Sendable {
    package let executing: Int
    package let queued: Int
    package let limit: Int
    package let queueLimit: Int
    /// How many of each class wait, in the order of `Priority`.
    package let queuedByClass: [Int]
    /// Who of a class is served next.
    package let order: QueueOrder

    /// Integral of the queue's length over time, in nanoseconds × requests. Between two snapshots its difference over
    /// the difference of `instant` is the exact mean length. Never steps back.
    package let queueIntegral: UInt128
    /// When the snapshot was taken: the caller's instant, or the queue's last change if that was later.
    package let instant: Nanoseconds
    /// The greatest length within the window.
    package let queuedPeak: Int
    /// How long the oldest of those that wait has waited; 0 if none waits.
    package let oldestAge: Nanoseconds
    /// How long a request of the default class that comes now would wait: what it is turned away by.
    package let expectedWait: Nanoseconds
    /// 0 before anything was measured.
    package let meanExecution: Nanoseconds
    package let counts: AdmissionCounts

    /// What the routes of the pool have of it, at the same instant; the first is of those without a share of their own.
    package let shares: [ShareSignals]
    /// Requests that asked to run: the sum over the shares.
    package let arrivals: UInt64
    /// What executes and has, by the loops' count: the sum over the shares. Its `executing` is ``executing`` but for
    /// requests whose loops have yet to hear that they run, or the pool that they do no more. Its integral is that of its
    /// `executing`.
    package let execution: ExecutionSnapshot

    package var queueSeconds: Double { Double(queueIntegral) / 1e9 }
}

/// What became of those that waited: `waited` is the sum of the others and of those that wait. They never step back.
///
/// Those that were admitted without waiting are not counted here: a counter that all loops write would cost the
/// uncontended path a second contended write, and each loop knows its own.
package struct AdmissionCounts: Equatable, Sendable {
    package internal(set) var waited: UInt64 = 0
    package internal(set) var granted: UInt64 = 0
    /// Left without running, because the deadline had passed or could no longer be met.
    package internal(set) var expired: UInt64 = 0
    package internal(set) var cancelled: UInt64 = 0
    package internal(set) var displaced: UInt64 = 0
}
