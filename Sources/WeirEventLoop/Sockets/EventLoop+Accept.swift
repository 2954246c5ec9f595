// SPDX-License-Identifier: Apache-2.0
// Accepting: each new connection goes to the least-loaded loop that takes any; when descriptors run out, accepting pauses
// and serving goes on.

import CWeirSystem
import Glibc
import Synchronization
import WeirMetrics

extension EventLoop {
    static let acceptsPerTurnMax = 64
    private static let acceptRetryNanoseconds: Nanoseconds = 100_000_000

    /// Watches `listener` and opens its connections. On the loop's thread, or before it runs. A listener that cannot
    /// be watched is closed.
    package func add(_ listener: Listener) throws(SystemCallError) {
        let index = core.pointee.listeners.count
        do throws(SystemCallError) {
            try core.pointee.poller.add(
                listener.descriptor,
                interest: listener.isShared ? .sharedListener : .readable,
                token: Token.listener(index)
            )
        } catch {
            listener.close()
            throw error
        }
        core.pointee.listeners.append(listener)
    }

    /// Stops accepting and closes the listeners. Connections that another loop hands over are still opened.
    package func closeListeners() {
        guard core.pointee.isListening else { return }
        core.pointee.isListening = false
        if let timer = core.pointee.acceptTimer { cancel(timer) }
        for listener in core.pointee.listeners {
            if !core.pointee.isAcceptPaused { core.pointee.poller.remove(listener.descriptor) }
            listener.close()
        }
    }

    /// Accepts what waits in the listeners' queues: closing one would reset them.
    package func acceptPending() {
        for index in core.pointee.listeners.indices { accept(from: index, atMost: .max) }
    }

    func accept(from index: Int, atMost count: Int = acceptsPerTurnMax) {
        guard index < core.pointee.listeners.count, core.pointee.isListening, !core.pointee.isAcceptPaused else {
            return
        }
        let listener = core.pointee.listeners[index]
        var accepted = 0
        while accepted < count {
            if let policy = acceptPolicy, !policy.takePlace() {
                // Behind the first of a turn nobody may be waiting: if somebody is, the next turn brings it.
                guard accepted == 0 else { return }
                shedIdleEverywhere()
                pauseAccepting()
                return
            }
            var storage = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let descriptor = weir_accept(listener.descriptor, &storage, &length)
            if descriptor >= 0 {
                accepted += 1
                if place(descriptor, listener: index, address: SocketAddress(storage)) { continue }
                pauseAccepting()
                return
            }
            let error = errno
            acceptPolicy?.givePlace()
            switch error {
            case EINTR: continue
            case EAGAIN: return
            // It does not listen yet.
            case EINVAL: return
            case ECONNABORTED, EPERM, EPROTO:
                // Only this connection failed.
                metrics.increment(.acceptFailures)
            default:
                metrics.increment(.acceptFailures)
                // EMFILE, ENFILE, ENOBUFS, ENOMEM: nothing to be had now. Serving goes on.
                shedIdleEverywhere()
                pauseAccepting()
                return
            }
        }
    }

    /// - Returns: whether there may be another.
    private func place(_ descriptor: Int32, listener: Int, address: SocketAddress) -> Bool {
        metrics.increment(.connectionsAccepted)
        guard let policy = acceptPolicy else {
            adopt(descriptor: descriptor, listener: listener, address: address)
            return true
        }
        // This one is not counted yet, unless its number says more than the count.
        let descriptorCount = policy.descriptorCount
        if descriptorCount >= policy.descriptorsHigh { shedIdleEverywhere() }
        let target = policy.leastLoaded(self)
        if target === self {
            adopt(descriptor: descriptor, listener: listener, address: address)
        } else {
            metrics.increment(.connectionsHandedOver)
            target.incomingChannels.wrappingAdd(1, ordering: .relaxed)
            target.inbox.push(.adopt(descriptor: descriptor, listener: listener, address: address))
        }
        return descriptorCount < policy.descriptorsMax - 1
    }

    /// Asks all loops to close their longest-idle connections, at the end of their turn.
    func shedIdleEverywhere() {
        core.pointee.shedsIdle = true
        acceptPolicy?.forEachOther(than: self) { loop in
            loop.submit { $0.core.pointee.shedsIdle = true }
        }
    }

    /// Opens a channel for a connection that another loop accepted for the listener with this index.
    func takeOver(descriptor: Int32, listener index: Int, address: SocketAddress) {
        adopt(descriptor: descriptor, listener: index, address: address)
        // Pairs with the acquire in `openChannelCount`: who sees it gone from here sees it among the open ones.
        incomingChannels.wrappingSubtract(1, ordering: .releasing)
    }

    private func adopt(descriptor: Int32, listener index: Int, address: SocketAddress) {
        guard index < core.pointee.listeners.count, !core.pointee.isStopping else {
            _ = Glibc.close(descriptor)
            acceptPolicy?.givePlace()
            return
        }
        open(descriptor: descriptor, address: address, core.pointee.listeners[index].open)
    }

    /// Opens a channel for a connected, non-blocking socket, which then belongs to the loop. It counts among the most
    /// connections, and is opened at the most, too.
    package func adopt(descriptor: Int32, address: SocketAddress, open opener: ChannelOpener) {
        acceptPolicy?.addPlace()
        open(descriptor: descriptor, address: address, opener)
    }

    /// Opens a channel for a socket of ours, or for a client's that has its place.
    func open(descriptor: Int32, address: SocketAddress, isOutbound: Bool = false, _ opener: ChannelOpener) {
        let state = core.pointee.channels.take()
        state.pointee.descriptor = descriptor
        state.pointee.phase = .open
        if isOutbound {
            state.pointee.isOutbound = true
            state.pointee.isConnecting = true
            state.pointee.isWritable = false
            core.pointee.channels.outboundCount += 1
        }
        let channel = Channel(state: state)
        channelCountChanged()
        if !isOutbound, core.pointee.socketBytes > 0 {
            // It has what its listener has.
            SocketBuffers.change(descriptor, core.pointee.socketBytes)
        }
        state.pointee.events = opener(self, channel, address)
        let token = Token.channel(slot: state.pointee.slot, generation: state.pointee.generation)
        do throws(SystemCallError) {
            try core.pointee.poller.add(descriptor, interest: .connection, token: token)
        } catch {
            close(channel, reason: .failed)
        }
    }

    private func pauseAccepting() {
        guard core.pointee.isListening, !core.pointee.isAcceptPaused else { return }
        core.pointee.isAcceptPaused = true
        metrics.increment(.acceptPauses)
        for listener in core.pointee.listeners { core.pointee.poller.remove(listener.descriptor) }
        let timer = core.pointee.acceptTimer ?? LoopTimer { $0.resumeAccepting() }
        core.pointee.acceptTimer = timer
        schedule(timer, at: now &+ Self.acceptRetryNanoseconds)
    }

    /// Tries again: a descriptor may have become free, here (after reaping) or elsewhere (after the retry time).
    func resumeAccepting() {
        guard core.pointee.isListening, core.pointee.isAcceptPaused else { return }
        if let timer = core.pointee.acceptTimer {
            cancel(timer)
            // The lowest free number alone would let one more in at each retry: it may be a gap below those that are in
            // use beyond the most.
            if let policy = acceptPolicy, policy.descriptorCount >= policy.descriptorsMax {
                shedIdleEverywhere()
                schedule(timer, at: now &+ Self.acceptRetryNanoseconds)
                return
            }
        }
        core.pointee.isAcceptPaused = false
        for (index, listener) in core.pointee.listeners.enumerated() {
            do throws(SystemCallError) {
                try core.pointee.poller.add(
                    listener.descriptor,
                    interest: listener.isShared ? .sharedListener : .readable,
                    token: Token.listener(index)
                )
            } catch {
                pauseAccepting()
                return
            }
        }
    }
}
