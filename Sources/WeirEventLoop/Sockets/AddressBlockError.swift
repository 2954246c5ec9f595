// SPDX-License-Identifier: Apache-2.0
// Why a text names no address block. Its description is one line for the log of a failed start.

/// What is wrong with a block or a list of blocks. The texts are as given: who prints them escapes the line.
package enum AddressBlockError: Error, Equatable, CustomStringConvertible, Sendable {
    case noAddress(text: String)
    case badPrefix(text: String, bitsMax: Int)
    /// `block` is the block around the address, if there is one.
    case hostBits(text: String, block: String?)
    case emptyElement(position: Int)
    case tooMany(count: Int, countMax: Int)

    package var description: String {
        switch self {
        case .noAddress(let text):
            "\"\(text)\" is no address block; write 10.0.0.0/8, fd00::/8, one address such as 192.168.1.7, or one of "
                + "the words \(TrustedNetworks.words)"
        case .badPrefix(let text, let bitsMax):
            "\"\(text)\": the prefix length behind \"/\" must be a whole number from 0 to \(bitsMax)"
        case .hostBits(let text, let block?):
            "\"\(text)\" has bits set behind its prefix; write \(block) for the block, or leave the prefix out for the "
                + "one address"
        case .hostBits(let text, nil):
            "\"\(text)\" has bits set behind its prefix; write an IPv4 block in its own form, such as 10.0.0.0/8"
        case .emptyElement(let position):
            "element \(position) of the list of address blocks is empty; remove the comma"
        case .tooMany(let count, let countMax):
            "the list has \(count) address blocks; at most \(countMax) are allowed"
        }
    }
}
