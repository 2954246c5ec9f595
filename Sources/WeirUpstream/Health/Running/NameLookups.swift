// SPDX-License-Identifier: Apache-2.0
// Names to addresses by the system's resolver, which blocks: on threads, of which there are few.

package import WeirEventLoop

/// Looks several names up at a time, each once however many ask for it. `@unchecked Sendable`: confined to the loop's
/// thread.
package final class NameLookups: @unchecked Sendable {
    private struct Place: Hashable {
        let name: String
        let port: UInt16
    }

    /// Threads at once. A name whose servers do not answer takes one for as long as the system's resolver tries, which
    /// is 10 s by default; the others go on.
    package static let concurrencyMax = 8

    private let loop: EventLoop
    private let find: @Sendable (String, UInt16) -> [SocketAddress]
    /// Who waits for what, from the call to the answer.
    private var takers: [Place: [@Sendable ([SocketAddress]) -> Void]] = [:]
    /// Those that no thread looks up yet, in the order of the calls.
    private var waiting: [Place] = []
    private var threadCount = 0

    /// - Parameter find: what a thread does; it may block.
    package init(
        on loop: EventLoop,
        find: @escaping @Sendable (String, UInt16) -> [SocketAddress] = { SocketAddress.resolve($0, port: $1) }
    ) {
        self.loop = loop
        self.find = find
    }

    /// As `CheckRunner.Resolve`.
    @Sendable package func resolve(
        _ name: String,
        _ port: UInt16,
        _ loop: EventLoop,
        _ found: @escaping @Sendable ([SocketAddress]) -> Void
    ) {
        let place = Place(name: name, port: port)
        if takers[place] == nil { waiting.append(place) }
        takers[place, default: []].append(found)
        next()
    }

    /// The same, for who is on the loop's thread anyway.
    var lookup: AddressLookup {
        { [self] name, port, answer in
            let taker = LookupTaker(answer: answer)
            resolve(name, port, loop) { taker.answer($0) }
        }
    }

    private func next() {
        while threadCount < Self.concurrencyMax, !waiting.isEmpty {
            threadCount += 1
            let place = waiting.removeFirst()
            do throws(SystemCallError) {
                _ = try SystemThread.start { [self] in
                    let addresses = find(place.name, place.port)
                    loop.submit { [self] _ in answered(place, addresses) }
                }
            } catch {
                // Not within the caller's call.
                loop.submit { [self] _ in answered(place, []) }
            }
        }
    }

    private func answered(_ place: Place, _ addresses: [SocketAddress]) {
        threadCount -= 1
        for found in takers.removeValue(forKey: place) ?? [] { found(addresses) }
        next()
    }
}

/// Who waits for a lookup. `@unchecked Sendable`: it is called on the loop's thread.
private struct LookupTaker: @unchecked Sendable {
    let answer: ([SocketAddress]) -> Void
}
