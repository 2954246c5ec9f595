// SPDX-License-Identifier: Apache-2.0
// Which peers are believed when they say for whom they ask. Read once at start, then only asked.

/// A list of address blocks, and whether peers on Unix sockets belong to it.
///
/// Written as a list with commas of blocks and words:
/// - `loopback`: `127.0.0.0/8`, `::1`
/// - `private`: `loopback`; RFC 1918's `10.0.0.0/8`, `172.16.0.0/12`, `192.168.0.0/16`; unique local `fc00::/7`
///   (RFC 4193); link-local `169.254.0.0/16`, `fe80::/10`. Not the shared `100.64.0.0/10` (RFC 6598), which some
///   clouds give to pods and some carriers to their customers: who means it writes it.
/// - `unix`: peers on Unix sockets, which only processes of this machine can be
package struct TrustedNetworks: Sendable, Equatable, CustomStringConvertible {
    /// The most blocks that a list may come to, those that a word stands for included.
    package static let blocksMax = 256

    /// The words, for error messages.
    package static let words = "loopback, private, unix"

    private var blocks: [AddressBlock] = []
    private var hasUnix = false

    /// Nobody.
    package init() {}

    /// Reads a list; nil if an element is neither a block nor a word, or there are too many.
    package init?(_ text: String) {
        do throws(AddressBlockError) { try self.init(parsing: text) } catch { return nil }
    }

    /// Reads a list; blanks around elements are ignored, words are in any case.
    package init(parsing text: String) throws(AddressBlockError) {
        for (index, part) in text.split(separator: ",", omittingEmptySubsequences: false).enumerated() {
            var element = part.drop { $0 == " " }
            while element.last == " " { element.removeLast() }
            guard !element.isEmpty else { throw .emptyElement(position: index + 1) }
            switch element.lowercased() {
            case "unix": hasUnix = true
            case "loopback": blocks += Self.loopback
            case "private": blocks += Self.private
            default: blocks.append(try AddressBlock(parsing: String(element)))
            }
        }
        guard blocks.count <= Self.blocksMax else { throw .tooMany(count: blocks.count, countMax: Self.blocksMax) }
    }

    /// Whether nobody is trusted.
    package var isEmpty: Bool { blocks.isEmpty && !hasUnix }

    /// Whether the address, whatever its port, is in one of the blocks.
    ///
    /// - Complexity: linear in the number of blocks. Does not allocate.
    package func contains(_ address: SocketAddress) -> Bool {
        if case .unix = address { return hasUnix }
        var index = 0
        while index < blocks.count {
            if blocks[index].contains(address) { return true }
            index &+= 1
        }
        return false
    }

    /// The list with words replaced by what they stand for; empty if nobody is trusted.
    package var description: String {
        (blocks.map(\.description) + (hasUnix ? ["unix"] : [])).joined(separator: ",")
    }

    private static let loopback = ["127.0.0.0/8", "::1"].compactMap { AddressBlock($0) }
    private static let `private` =
        loopback
        + ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10"]
        .compactMap { AddressBlock($0) }
}
