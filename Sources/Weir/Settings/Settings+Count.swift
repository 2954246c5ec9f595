// SPDX-License-Identifier: Apache-2.0
// A number that Weir works out itself unless it is told.

extension Settings {
    /// A number, or a size in bytes, that is either worked out from what the pod may use or given.
    public enum Count: Sendable, Equatable {
        /// Worked out at start from the pod's CPUs, memory or descriptors (`auto`).
        case automatic

        /// As given.
        case exactly(Int)

        /// The given number, or what `automaticCount` works out.
        public func resolved(automatic automaticCount: @autoclosure () -> Int) -> Int {
            switch self {
            case .automatic: automaticCount()
            case .exactly(let count): count
            }
        }
    }
}
