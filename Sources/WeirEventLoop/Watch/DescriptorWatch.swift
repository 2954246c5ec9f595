// SPDX-License-Identifier: Apache-2.0
// A descriptor that is no connection of ours: a library's socket, an inotify queue. Confined to its loop's thread.

/// Calls `ready` as long as there is something to do for a descriptor (level-triggered): a library that reads less than
/// there is, is called again in the next turn.
///
/// The descriptor stays its owner's, who ends the watch before closing it. The loop keeps a watch until then.
package final class DescriptorWatch {
    package struct Interest: OptionSet, Sendable, Hashable {
        package let rawValue: UInt8

        package static let readable = Interest(rawValue: 1)
        package static let writable = Interest(rawValue: 2)

        package init(rawValue: UInt8) {
            self.rawValue = rawValue
        }
    }

    package let descriptor: Int32
    /// What it is watched for now; empty while it is not watched.
    package internal(set) var interest: Interest = []
    let ready: (EventLoop, Interest) -> Void
    /// Its place in the loop's table while it is watched.
    var slot: UInt32 = .max

    /// - Parameter ready: called in the loop's turn, never inside `watch`. An error or a hang-up is reported as all that
    ///   the descriptor is watched for: whoever then reads or writes is told by the kernel.
    package init(_ descriptor: Int32, ready: @escaping (EventLoop, Interest) -> Void) {
        self.descriptor = descriptor
        self.ready = ready
    }
}
