// SPDX-License-Identifier: Apache-2.0
// Connecting: a channel from its first instant, so that output can be queued while the handshake is on its way.

import CWeirSystem
import Glibc
import WeirMetrics

extension EventLoop {
    /// Begins a connection to `address`, and opens its channel. What is sent meanwhile goes out once it stands; then
    /// `connected` is called, or `closed` if it fails. Not inside this call, whatever comes of it.
    ///
    /// - Throws: `SystemCallError` when there is no descriptor, the address cannot be connected to at all, or the loop
    ///   stops: its channels are being closed, and nobody would close this one.
    package func connect(to address: SocketAddress, open: ChannelOpener) throws(SystemCallError) {
        guard !core.pointee.isStopping else {
            throw SystemCallError("connect", errno: ECANCELED, subject: address.description)
        }
        let descriptor = weir_socket(address.family)
        guard descriptor >= 0 else { throw SystemCallError("socket", errno: errno, subject: address.description) }
        if address.port != nil {
            var on: Int32 = 1
            _ = setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        }
        let result = address.withKernelForm { Glibc.connect(descriptor, $0, $1) }
        // A signal does not break the handshake off: it goes on as if EINPROGRESS had been said.
        guard result == 0 || errno == EINPROGRESS || errno == EINTR else {
            let error = SystemCallError("connect", errno: errno, subject: address.description)
            _ = Glibc.close(descriptor)
            throw error
        }
        adopt(descriptor: descriptor, address: address, isOutbound: true, open: open)
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
        state.pointee.events?.pointee.connected(self, channel)
        if state.pointee.endsOutput, state.pointee.outputHead == nil { shutdownOutput(state) }
        return state.pointee.phase == .open
    }
}
