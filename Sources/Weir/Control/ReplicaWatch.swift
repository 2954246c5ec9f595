// SPDX-License-Identifier: Apache-2.0
// How many replicas of us there are, as the cluster knows it. On the control loop.

import Logging
import WeirUpstream

/// Counts the ready pods of a service. What was counted last holds through every failure.
final class ReplicaWatch {
    private let tools: ControlTools
    private let counted: @Sendable (Int) -> Void
    private var service: KubernetesService?
    private var watch: EndpointSliceWatch?
    /// What the log has said last; nil where nothing is wrong.
    private var problem: String?

    init(_ tools: ControlTools, counted: @escaping @Sendable (Int) -> Void) {
        self.tools = tools
        self.counted = counted
    }

    /// Counts those of `service` from now on; nil for nobody's.
    func follow(_ service: KubernetesService?) {
        guard service != self.service else { return }
        self.service = service
        watch?.stop()
        watch = nil
        problem = nil
        guard let service else { return }
        guard let api = tools.cluster.api else { return failed(.noServer) }
        watch = EndpointSliceWatch(
            service,
            from: api,
            on: tools.loop,
            lookup: tools.names.lookup,
            secure: tools.clusterTarget,
            listener: EndpointSliceWatch.Listener(
                found: { [weak self] in self?.found($0.readyCount) },
                failed: { [weak self] in self?.failed($0) }
            )
        )
        watch?.start()
    }

    private func found(_ count: Int) {
        // A server that has lost its data counts nobody, and we are there.
        guard count > 0 else { return report("lists no ready pod") }
        if problem != nil { tools.logger.notice("\(subject): \(count) are counted again") }
        problem = nil
        counted(count)
    }

    private func failed(_ problem: KubernetesProblem) { report("cannot be counted: \(problem)") }

    private func report(_ text: String) {
        guard text != problem else { return }
        problem = text
        tools.logger.warning("\(subject) \(text); the last number stays")
    }

    private var subject: String { "WEIR_REPLICAS=k8s://\(service?.description ?? "")" }
}
