// SPDX-License-Identifier: Apache-2.0
// A loop that takes no more connections, because the pod has fewer CPUs: how it empties, and how it comes back. On the
// loop's thread.

import WeirEventLoop
import WeirUpstream

extension ServerLoop {
    /// The other loops get all connections from now on. Those of this one end with their next answer, or soon where they
    /// wait for nothing; requests, streams and tunnels go on as long as they last.
    ///
    /// The loop itself stays, with its listener: closing one of several that share an address resets the connections that
    /// wait in it. So it accepts what the kernel gives it, and hands that on.
    func beginLeaving() {
        guard !isLeaving else { return }
        isLeaving = true
        closeUpstreamConnections()
        loop.forEachChannel(with: events) { channel in
            guard let context = channel.context else { return }
            Unmanaged<HTTP1Connection>.fromOpaque(context).takeUnretainedValue().retire()
        }
        releasePooled()
        loop.releaseUnusedBuffers()
        isEmptying = true
    }

    /// A connection of a loop that leaves has ended: with the last one goes what was kept for reuse since. In the next
    /// turn, when it is not counted any more, and what it held has come back.
    func awaitEmpty() {
        loop.submit { [unowned(unsafe) self] loop in
            guard isEmptying, loop.openChannelCount == 0 else { return }
            isEmptying = false
            releasePooled()
            loop.releaseUnusedBuffers()
        }
    }

    /// The loop takes connections again. Those that it still has end as was said.
    func endLeaving() {
        guard isLeaving else { return }
        isLeaving = false
        isEmptying = false
        for pool in pools { pool.reopen() }
        clientPools.reopen()
        mirrorPools.reopen()
    }

    /// Closes the connections to endpoints that are unused, and the others when they have served their request.
    func closeUpstreamConnections() {
        for pool in pools { pool.close() }
        clientPools.close()
        mirrorPools.close()
    }
}
