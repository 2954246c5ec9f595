// SPDX-License-Identifier: Apache-2.0
// epoll behind the poller seam. Connections are registered once, edge-triggered for both directions, so that no
// request costs an epoll_ctl.

import CWeirSystem
import Glibc

/// One epoll instance, owned and closed by its loop.
package struct EpollPoller {
    private let descriptor: Int32

    package init() throws(SystemCallError) {
        descriptor = weir_epoll_create()
        guard descriptor >= 0 else { throw SystemCallError("epoll_create1", errno: errno) }
    }

    @inline(__always)
    func wait(into events: UnsafeMutablePointer<weir_event>, capacity: Int, timeoutMilliseconds: Int32) -> Int {
        let count = weir_epoll_wait(descriptor, events, Int32(capacity), timeoutMilliseconds)
        if count >= 0 { return count }
        precondition(count == -Int(EINTR), "epoll_wait failed: the loop's own descriptor is broken")
        return 0
    }

    func add(_ descriptor: Int32, interest: PollInterest, token: UInt64) throws(SystemCallError) {
        guard weir_epoll_add(self.descriptor, descriptor, Self.flags(interest), token) == 0 else {
            throw SystemCallError("epoll_ctl", errno: errno)
        }
    }

    func change(_ descriptor: Int32, interest: PollInterest, token: UInt64) throws(SystemCallError) {
        guard weir_epoll_change(self.descriptor, descriptor, Self.flags(interest), token) == 0 else {
            throw SystemCallError("epoll_ctl", errno: errno)
        }
    }

    private static func flags(_ interest: PollInterest) -> UInt32 {
        switch interest {
        case .connection: WEIR_EPOLLIN | WEIR_EPOLLOUT | WEIR_EPOLLRDHUP | WEIR_EPOLLET
        case .readable: WEIR_EPOLLIN
        case .sharedListener: WEIR_EPOLLIN | WEIR_EPOLLEXCLUSIVE
        case .watched(let interest):
            (interest.contains(.readable) ? WEIR_EPOLLIN : 0) | (interest.contains(.writable) ? WEIR_EPOLLOUT : 0)
        }
    }

    func remove(_ descriptor: Int32) {
        _ = weir_epoll_remove(self.descriptor, descriptor)
    }

    func close() {
        _ = Glibc.close(descriptor)
    }

    @inline(__always)
    static func receive(
        _ descriptor: Int32,
        into memory: UnsafeMutableRawPointer,
        capacity: Int
    ) -> TransferResult {
        while true {
            let count = weir_receive(descriptor, memory, capacity)
            if count > 0 { return .bytes(count) }
            if count == 0 { return .end }
            switch Int32(-count) {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            case let error: return .failed(errno: error)
            }
        }
    }

    @inline(__always)
    static func send(
        _ descriptor: Int32,
        _ bytes: UnsafeRawPointer,
        count: Int,
        hasMore: Bool
    ) -> TransferResult {
        while true {
            let sent = weir_send(descriptor, bytes, count, hasMore ? 1 : 0)
            if sent >= 0 { return .bytes(sent) }
            switch Int32(-sent) {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            case let error: return .failed(errno: error)
            }
        }
    }

    static func send(
        _ descriptor: Int32,
        _ before: UnsafeRawBufferPointer,
        _ bytes: UnsafeRawBufferPointer,
        _ behind: UnsafeRawBufferPointer
    ) -> TransferResult {
        while true {
            let sent = weir_send_between(
                descriptor,
                before.baseAddress,
                before.count,
                bytes.baseAddress,
                bytes.count,
                behind.baseAddress,
                behind.count
            )
            if sent >= 0 { return .bytes(sent) }
            switch Int32(-sent) {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            case let error: return .failed(errno: error)
            }
        }
    }
}
