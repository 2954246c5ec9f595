// SPDX-License-Identifier: Apache-2.0
// Where an input is cut in two.

/// A position in `0...bytes.count` that the input's last two bytes choose.
///
/// They stay part of the input, so a seed is a literal message; a fuzzer that wants another cut appends bytes, which
/// lie behind the message.
package func splitPosition(_ bytes: Span<UInt8>) -> Int {
    guard bytes.count >= 2 else { return bytes.count }
    let choice = Int(bytes[bytes.count - 2]) << 8 | Int(bytes[bytes.count - 1])
    return choice % (bytes.count + 1)
}
