// SPDX-License-Identifier: Apache-2.0
// What of the cluster does not work, for the log and for /metrics. Confined to the adapter's loop.

import Logging

/// What of the cluster may not work.
package enum ClusterSubject: String, Sendable, CaseIterable {
    case pods
    case services
    case frontProxy = "front_proxy"
    case certificate
    case bundle = "ca_bundle"

    var title: String {
        switch self {
        case .pods: "pods"
        case .services: "services"
        case .frontProxy: "who may ask"
        case .certificate: "the certificate"
        case .bundle: "caBundle"
        }
    }
}

/// Says what does not work once for each change, and when it does again.
final class ClusterReport {
    /// A subject, and which of several it is about: a namespace, an APIService; empty for the only one.
    private struct Place: Hashable {
        let subject: ClusterSubject
        let name: String
    }

    private let state: AdapterState
    private let logger: Logger
    private var said: [Place: String] = [:]

    init(_ state: AdapterState, _ logger: Logger) {
        self.state = state
        self.logger = logger
    }

    func failed(_ subject: ClusterSubject, _ reason: String) { failed(subject, "", reason) }

    func failed(_ subject: ClusterSubject, _ name: String, _ reason: String) {
        let place = Place(subject: subject, name: name)
        guard said[place] != reason else { return }
        said[place] = reason
        state.note(subject, isWrong: true)
        logger.warning("\(title(place)): \(reason); what was known last holds")
    }

    func worked(_ subject: ClusterSubject, _ name: String = "") {
        let place = Place(subject: subject, name: name)
        guard said.removeValue(forKey: place) != nil else { return }
        state.note(subject, isWrong: said.keys.contains { $0.subject == subject })
        logger.notice("\(title(place)): all is well again")
    }

    private func title(_ place: Place) -> String {
        place.name.isEmpty ? place.subject.title : "\(place.subject.title) of \(place.name)"
    }
}
