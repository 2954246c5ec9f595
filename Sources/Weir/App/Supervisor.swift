// SPDX-License-Identifier: Apache-2.0
// What started this process and watches it, as the engine sees it: what it gave, and what it wants to be told.

/// Sockets that were opened for this process by the one that started it. They belong to the engine that gets them.
package struct InheritedListeners: Sendable, Equatable {
    /// Listening stream sockets that take requests instead of `WEIR_LISTEN`; empty for that setting's addresses.
    package var traffic: [Int32]
    /// The same for the admin port and `WEIR_ADMIN_LISTEN`.
    package var admin: [Int32]

    package init(traffic: [Int32] = [], admin: [Int32] = []) {
        self.traffic = traffic
        self.admin = admin
    }
}

/// Where an engine is in its life. Stages are told in this order, each at most once, but for those of a reload.
package enum LifecycleStage: Sendable {
    /// The admin port answers, at these addresses, and nothing else does yet: the probes say that it starts. What is
    /// called with it holds the start up until it returns.
    case starting(admin: [String])
    /// Requests are served.
    case serving(EngineView)
    /// The configuration is read anew, while everything goes on; `reloaded` follows, whatever comes of it. They are told on
    /// another thread than the rest, and so may come while the drain begins.
    case reloading
    case reloaded(EngineView)
    /// The stop signal has come; connections are cut at the latest after `timeout` (`WEIR_DRAIN_TIMEOUT`).
    case draining(connections: Int, timeout: Duration)
    /// Nothing runs any more. It always follows `starting`, whatever is between.
    case stopped
}

/// Whatever runs the process. Without one the engine binds its addresses, logs to standard error and tells nobody.
package struct Supervisor: Sendable {
    package var listeners: InheritedListeners
    package var log: LogSink
    /// Called on the engine's task, for reloads on their thread; it should return soon.
    package var stageChanged: @Sendable (LifecycleStage) -> Void

    package init(
        listeners: InheritedListeners = InheritedListeners(),
        log: LogSink = .standardError,
        stageChanged: @escaping @Sendable (LifecycleStage) -> Void = { _ in }
    ) {
        self.listeners = listeners
        self.log = log
        self.stageChanged = stageChanged
    }
}
