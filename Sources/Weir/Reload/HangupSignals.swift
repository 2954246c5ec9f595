// SPDX-License-Identifier: Apache-2.0
// SIGHUP as a wish for a reload, for a process that is the app's own.

import ServiceLifecycle
import UnixSignals

/// From its making on SIGHUP does not end the process; each one triggers a reload while the service runs.
struct HangupSignals: Service {
    private let signals: UnixSignalsSequence
    private let reloader: Reloader

    init(_ reloader: Reloader) async {
        signals = await UnixSignalsSequence(trapping: .sighup)
        self.reloader = reloader
    }

    func run() async throws {
        for await _ in signals.cancelOnGracefulShutdown() { reloader.trigger() }
    }
}
