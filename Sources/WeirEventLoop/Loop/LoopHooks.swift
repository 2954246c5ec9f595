// SPDX-License-Identifier: Apache-2.0
// Where the layer above takes part in a loop's turn. All are called on the loop's thread.

/// What a loop calls besides the events of its channels; set before it runs.
package struct LoopHooks {
    /// Before a round of jobs that `noteWork` asked for.
    package var beforeJobs: (() -> Void)?
    /// At the end of each turn, with `context`: the place to pick up a new snapshot, between two events. A function that
    /// captures nothing, because calling a closure counts references, and this is called every turn.
    package var turnEnded: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?
    package var context: UnsafeMutableRawPointer?
    /// The loop is about to end; jobs that this enqueues are still run.
    package var ended: (() -> Void)?
    /// A job of a task held the loop for longer than `stallNanoseconds`: the bit pattern of the job's reference, and
    /// for how long.
    package var stalled: ((UInt, Nanoseconds) -> Void)?
    package var stallNanoseconds: Nanoseconds = .max

    package init() {}
}
