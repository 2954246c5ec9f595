// SPDX-License-Identifier: Apache-2.0
// Names to addresses by the system's resolver, which blocks: on a thread, of which there is one at most.

import WeirEventLoop

/// Looks names up one after the other. `@unchecked Sendable`: confined to the loop's thread.
final class NameLookups: @unchecked Sendable {
    private struct Lookup {
        let name: String
        let port: UInt16
        let found: @Sendable ([SocketAddress]) -> Void
    }

    private let loop: EventLoop
    private var waiting: [Lookup] = []
    private var isBusy = false

    init(on loop: EventLoop) {
        self.loop = loop
    }

    /// As `CheckRunner.Resolve`.
    @Sendable func resolve(
        _ name: String,
        _ port: UInt16,
        _ loop: EventLoop,
        _ found: @escaping @Sendable ([SocketAddress]) -> Void
    ) {
        waiting.append(Lookup(name: name, port: port, found: found))
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
        guard !isBusy, !waiting.isEmpty else { return }
        isBusy = true
        let (name, port, found) = { ($0.name, $0.port, $0.found) }(waiting.removeFirst())
        do throws(SystemCallError) {
            _ = try SystemThread.start { [self] in
                let addresses = SocketAddress.resolve(name, port: port)
                loop.submit { [self] _ in answered(addresses, found) }
            }
        } catch {
            // Not within the caller's call.
            loop.submit { [self] _ in answered([], found) }
        }
    }

    private func answered(_ addresses: [SocketAddress], _ found: @Sendable ([SocketAddress]) -> Void) {
        isBusy = false
        found(addresses)
        next()
    }
}

/// Who waits for a lookup. `@unchecked Sendable`: it is called on the loop's thread.
private struct LookupTaker: @unchecked Sendable {
    let answer: ([SocketAddress]) -> Void
}
