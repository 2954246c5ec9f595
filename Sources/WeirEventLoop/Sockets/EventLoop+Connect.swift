// SPDX-License-Identifier: Apache-2.0
// Connecting: a channel from its first instant, so that output can be queued while the handshake is on its way.

import CWeirSystem
import Glibc
import WeirMetrics

extension EventLoop {
    /// Begins a connection to `address`, and opens its channel. What is sent meanwhile goes out once it stands; then
    /// `connected` is called, or `closed` if it fails. Not inside this call, whatever comes of it.
    ///
    /// - Throws: `SystemCallError` when there is no descriptor (EMFILE also where what is left is kept back), the address
    ///   cannot be connected to at all, or the loop stops: its channels are being closed, and nobody would close this one.
    package func connect(to address: SocketAddress, open: ChannelOpener) throws(SystemCallError) {
        guard !core.pointee.isStopping else {
            throw SystemCallError("connect", errno: ECANCELED, subject: address.description)
        }
        if let descriptor = core.pointee.poller.connect() {
            return self.open(descriptor: descriptor, address: address, isOutbound: true, open)
        }
        let descriptor = try socket(to: address)
        if address.port != nil {
            var on: Int32 = 1
            _ = setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
            do throws(SystemCallError) {
                try SocketBuffers.set(descriptor, socketBytesOfNext, address.description)
            } catch {
                _ = Glibc.close(descriptor)
                throw error
            }
        }
        let result = address.withKernelForm { Glibc.connect(descriptor, $0, $1) }
        // A signal does not break the handshake off: it goes on as if EINPROGRESS had been said.
        guard result == 0 || errno == EINPROGRESS || errno == EINTR else {
            let error = SystemCallError("connect", errno: errno, subject: address.description)
            _ = Glibc.close(descriptor)
            throw error
        }
        self.open(descriptor: descriptor, address: address, isOutbound: true, open)
    }

    /// A descriptor that is none of those kept back. Where there is none, idle connections go.
    private func socket(to address: SocketAddress) throws(SystemCallError) -> Int32 {
        let descriptor = weir_socket(address.family)
        guard descriptor >= 0 else {
            let error = SystemCallError("socket", errno: errno, subject: address.description)
            shedIdleEverywhere()
            throw error
        }
        // The kernel gives the lowest free number: as many are in use.
        if let policy = acceptPolicy, Int(descriptor) >= policy.descriptorsMax {
            _ = Glibc.close(descriptor)
            shedIdleEverywhere()
            throw SystemCallError("socket", errno: EMFILE, subject: address.description)
        }
        return descriptor
    }

    /// The kernel has something to say of a connection that was being made: whether it stands.
    func finishConnecting(_ state: UnsafeMutablePointer<ChannelState>, _ flags: UInt32) -> Bool {
        let channel = Channel(state: state)
        if flags & (WEIR_EPOLLERR | WEIR_EPOLLHUP) != 0 {
            close(channel, reason: .failed)
            return false
        }
        guard flags & WEIR_EPOLLOUT != 0 else { return false }
        state.pointee.isConnecting = false
        state.pointee.isWritable = true
        // One that was closed or finished meanwhile is told nothing more; what is queued still goes out.
        guard state.pointee.phase == .open else { return state.pointee.phase == .finishing }
        if let transform = state.pointee.transform {
            // `connected` follows when both sides have agreed.
            transform.pointee.functions.pointee.started(transform.pointee.context)
            return true
        }
        state.pointee.events?.pointee.connected(self, channel)
        if state.pointee.endsOutput, state.pointee.outputHead == nil { shutdownOutput(state) }
        return state.pointee.phase == .open
    }
}
