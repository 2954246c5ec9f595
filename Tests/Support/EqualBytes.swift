// SPDX-License-Identifier: Apache-2.0
// A comparison for tests of large bodies.

/// Whether two byte strings are equal. `#expect` of `==` would compute their difference when they are not, which takes
/// minutes for large ones.
package func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool { left == right }
