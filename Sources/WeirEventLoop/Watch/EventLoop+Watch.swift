// SPDX-License-Identifier: Apache-2.0
// Watching descriptors that are no channels. Rare: a few of them per process, none per request.

import CWeirSystem

extension EventLoop {
    /// Watches for `interest` from now on, whatever it was before; for nothing, ends the watch. On the loop's thread, or
    /// before it runs.
    ///
    /// - Throws: `SystemCallError` when the kernel cannot watch it; then it is not watched.
    package func watch(_ watch: DescriptorWatch, for interest: DescriptorWatch.Interest) throws(SystemCallError) {
        guard interest != watch.interest else { return }
        guard !interest.isEmpty else { return unwatch(watch) }
        if watch.interest.isEmpty {
            let token = core.pointee.watches.add(watch)
            do throws(SystemCallError) {
                try core.pointee.poller.add(watch.descriptor, interest: .watched(interest), token: token)
            } catch {
                core.pointee.watches.remove(watch)
                throw error
            }
        } else {
            let token = core.pointee.watches.token(of: watch)
            do throws(SystemCallError) {
                try core.pointee.poller.change(watch.descriptor, interest: .watched(interest), token: token)
            } catch {
                unwatch(watch)
                throw error
            }
        }
        watch.interest = interest
    }

    /// Ends the watch, before its descriptor is closed; harmless if there is none. An event of this turn that is still
    /// to come is not told.
    package func unwatch(_ watch: DescriptorWatch) {
        guard !watch.interest.isEmpty else { return }
        core.pointee.poller.remove(watch.descriptor)
        core.pointee.watches.remove(watch)
        watch.interest = []
    }

    func tellWatch(_ token: Token, _ flags: UInt32) {
        guard let watch = core.pointee.watches.find(token) else { return }
        var ready: DescriptorWatch.Interest = []
        if flags & WEIR_EPOLLIN != 0 { ready.insert(.readable) }
        if flags & WEIR_EPOLLOUT != 0 { ready.insert(.writable) }
        if flags & (WEIR_EPOLLERR | WEIR_EPOLLHUP) != 0 { ready.formUnion(watch.interest) }
        watch.ready(self, ready)
    }
}
